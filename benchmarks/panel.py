"""P10: the panel of Data Sources with 5,000 of them: requests to open it, and what a key stroke in the search costs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

import tinymagic
from benchmarks.contest import Result, compare
from benchmarks.queries import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Data Sources in the Workspace.
SOURCES = 5_000

#: What is typed, sign by sign; the last one leaves one Data Source, the empty text all.
TYPED = ("", "s", "so", "source_1", "source_12", "source_4999")


def run(sources: int = SOURCES) -> list[Result]:
    """Measure P10."""
    with embedded() as (server, token):
        workspace = tinymagic.connect(host=server.host, token=token)
        for number in range(sources):
            workspace.datasources.create(f"source_{number}", schema="day Date, name String, fare Float64")
        return _measured(workspace, sources)


def _measured(workspace: tinymagic.Workspace, sources: int) -> list[Result]:
    from tinymagic.widgets.models.datasources import DataSourcesModel
    from tinymagic.widgets.panels.datasources import DataSources
    from tinymagic.widgets.work import Work

    def opened() -> Any:
        panel = DataSources(model=DataSourcesModel(workspace, work=Work(at_once=True)))
        if len(panel.model.sources) != sources:
            raise AssertionError(f"The panel has {len(panel.model.sources)} of {sources} Data Sources.")
        return panel

    with _counted() as sent:
        panel = opened()
        to_open = len(sent)
        sent.clear()

        def typed() -> None:
            for text in TYPED:
                panel._list.search.value = text

        timings = compare(
            {"open": lambda: opened().close(), "list": workspace.datasources.list, "six key strokes": typed}, rounds=5
        )
        sent.clear()
        typed()
        to_search = len(sent)
    panel.close()
    over = timings["open"].median / timings["list"].median
    medians = ", ".join(f"{name} {timing.text()}" for name, timing in timings.items())
    work = f"the panel with {sources:,} Data Sources"
    return [
        Result("P10", f"{work} opens", "requests", f"{to_open}", "at most 2", to_open <= 2, medians),
        Result("P10", f"{work} opens", "the client's list alone", f"{over:.2f} x", "none", True, ""),
        Result("P10", f"six key strokes in the search of {work}", "requests", f"{to_search}", "0", to_search == 0, ""),
    ]


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Note each request that is sent by `requests`."""
    sent: list[str] = []
    send = requests.Session.send

    def noted(self: requests.Session, request: Any, **options: Any) -> Any:
        sent.append(f"{request.method} {request.path_url}")
        return send(self, request, **options)

    requests.Session.send = noted  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        requests.Session.send = send  # type: ignore[method-assign]
