"""The Pipes of a Workspace: list, one of them in detail, its endpoint published, called, drawn, and taken back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Bytes, Instance, List

from tinymagic.errors import TinybirdError
from tinymagic.widgets.models import pipe_calls
from tinymagic.widgets.models.panel_model import PanelModel, quoted
from tinymagic.widgets.models.parameter_form import Field, Unreadable, fields_of, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import pandas as pd

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.pipe_results import Pipe
    from tinymagic.api.workspace import Workspace

#: Rows of a call by default.
LIMIT = 1_000

#: What is asked for of each Pipe of the list: of thousands the nodes would be megabytes.
_LISTED = ("id", "name", "description", "type", "endpoint", "updated_at")

_STATISTICS = (
    "SELECT count() AS requests, countIf(error = 1) AS errors, quantile(0.95)(duration) AS p95, "
    "max(start_datetime) AS last FROM tinybird.pipe_stats_rt "
    "WHERE start_datetime >= now() - toIntervalDay(1) AND pipe_name = {{ pipe }}"
)


@dataclass(frozen=True)
class Statistics:
    """The calls of an endpoint in the last day.

    Attributes:
        requests: calls.
        errors: of them.
        p95_s: seconds within which 95 of 100 were answered; ``None`` when there was no call.
        last: of them, UTC.
    """

    requests: int
    errors: int
    p95_s: float | None
    last: datetime | None


@dataclass(frozen=True)
class Details:
    """One Pipe, as the panel shows it.

    Attributes:
        pipe: its description.
        fields: of the form of its endpoint.
        readers: names of the Pipes that read it; ``None`` when the token may not see them.
        statistics: of its endpoint, or ``None``.
        statistics_problem: why they could not be read.
    """

    pipe: Pipe
    fields: tuple[Field, ...]
    readers: tuple[str, ...] | None
    statistics: Statistics | None
    statistics_problem: str


@dataclass(frozen=True)
class Outcome:
    """What a call gave.

    Attributes:
        frame: its rows.
        facts: about them, see `tinymagic.Workspace.sql`.
        url: of the call, without a token.
        curl: for a shell.
        python: for Python.
    """

    frame: pd.DataFrame
    facts: Mapping[str, Any]
    url: str
    curl: str
    python: str


class PipesModel(PanelModel):
    """Lists Pipes, shows one, publishes, calls, draws.

    Attributes:
        pipes: those of the Workspace, sorted by name, without their nodes.
        details: of the one that was chosen, or ``None``.
        outcome: of the last call of it, or ``None``.
        picture: of the outcome, PNG; empty when none was drawn.
    """

    pipes: List[Any] = List()
    details = Instance(Details, allow_none=True)
    outcome = Instance(Outcome, allow_none=True)
    picture = Bytes(b"")

    def load(self) -> None:
        """Fetch the list."""
        self.run(
            lambda workspace, _: workspace.pipes.list(attrs=_LISTED, node_attrs=[]),
            then=self._show,
            line="%tinybird pipe ls",
        )

    def select(self, name: str) -> None:
        """Fetch one with its nodes and the statistics of its endpoint."""
        self.run(
            lambda workspace, cancellation: details_of(workspace, name, cancellation),
            then=self._show_details,
            line=f"%tinybird pipe show {quoted(name)}",
        )

    def publish(self, name: str, node: str) -> None:
        """Make a node the endpoint of its Pipe."""
        self._change(
            name,
            lambda workspace: workspace.pipes.publish(name, node),
            f"{node} is the endpoint of {name} now. Who has a token that may read {name} can call it.",
            f"%tinybird pipe publish {quoted(name)} {quoted(node)}",
        )

    def unpublish(self, name: str) -> None:
        """Take the endpoint of a Pipe back."""
        self._change(
            name,
            lambda workspace: workspace.pipes.unpublish(name),
            f"{name} is not published any more.",
            f"%tinybird pipe unpublish {quoted(name)} --yes",
        )

    def call(self, given: Mapping[str, object], *, limit: int = LIMIT) -> None:
        """Call the endpoint of the one that was chosen.

        Args:
            given: what the inputs of the form hold, by name.
            limit: rows at most.
        """
        details = self.details
        if details is None:
            self.say("Choose a Pipe first.", "error")
            return
        try:
            values = read_all(details.fields, given)
        except Unreadable as problem:
            self.say(str(problem), "error")
            return
        name = details.pipe.name

        def task(workspace: Workspace, cancellation: Cancellation) -> Outcome:
            url = workspace.pipes.url(name, params=values)
            frame = workspace.pipes.data(name, params=values, limit=limit, cancellation=cancellation)
            python = pipe_calls.python(workspace.host, name, values)
            return Outcome(frame, frame.attrs["tinybird"], url, pipe_calls.curl(url), python)

        self.run(task, then=self._show_outcome, line=pipe_calls.line(name, values, limit=limit))

    def draw(self, mark: str, x: str = "", y: tuple[str, ...] = ()) -> None:
        """Draw the rows of the last call.

        Args:
            mark: ``line``, ``bar``, ``area``, ``scatter`` or ``hist``.
            x: column of the horizontal axis; empty for one that suits.
            y: columns of the vertical one, likewise.
        """
        outcome = self.outcome
        if outcome is None:
            self.say("Run the endpoint first.", "error")
            return

        def then(picture: bytes) -> None:
            self.picture = picture
            self.say("")

        self.run(lambda *_: picture_of(outcome, mark, x, y), then=then)

    def cells(self) -> list[str]:
        """Return the nodes of the one that was chosen as cells of ``%%tbsql``."""
        return pipe_calls.cells(self.details.pipe.nodes) if self.details is not None else []

    def _change(self, name: str, change: Callable[[Workspace], object], said: str, line: str) -> None:
        def task(workspace: Workspace, cancellation: Cancellation) -> Details:
            change(workspace)
            return details_of(workspace, name, cancellation)

        def then(details: Details) -> None:
            self._show_details(details)
            self.say(said, "done")

        self.run(task, then=then, line=line)

    def _show(self, pipes: list[Pipe]) -> None:
        self.pipes = sorted(pipes, key=lambda each: each.name.lower())
        if self.message_kind == "error":
            self.say("")

    def _show_details(self, details: Details) -> None:
        # What belongs to another one goes before this one is shown.
        self.outcome, self.picture = None, b""
        self.details = details
        self.pipes = [details.pipe if each.name == details.pipe.name else each for each in self.pipes]
        self.say("")

    def _show_outcome(self, outcome: Outcome) -> None:
        self.picture = b""
        self.outcome = outcome
        self.say("")


def details_of(workspace: Workspace, name: str, cancellation: Cancellation | None = None) -> Details:
    """Ask for everything that is shown of a Pipe. What the token may not read does not hide the rest."""
    pipe = workspace.pipes.get(name)
    readers = None
    with contextlib.suppress(TinybirdError):
        listed = workspace.pipes.list(attrs=["id", "name", "nodes"], node_attrs=["id", "name", "dependencies"])
        readers = tuple(
            each.name
            for each in listed
            if each.id != pipe.id and any(pipe.name in node.dependencies for node in each.nodes)
        )
    statistics, problem = None, ""
    if pipe.endpoint:
        try:
            statistics = statistics_of(workspace, pipe.name, cancellation)
        except TinybirdError as error:
            problem = f"Nothing can be told about requests: this token or Workspace does not read them ({error})"
    return Details(pipe, tuple(fields_of(pipe.nodes)) if pipe.endpoint else (), readers, statistics, problem)


def statistics_of(workspace: Workspace, name: str, cancellation: Cancellation | None = None) -> Statistics:
    """Count the calls of an endpoint in the last day (``tinybird.pipe_stats_rt``).

    Raises:
        TinybirdError: the token may not read it.
    """
    from tinymagic.notebook.parameters import prepare

    bound = prepare(_STATISTICS, {"pipe": name}, {})
    rows = workspace.sql(bound.text, params=bound.parameters, type="dicts", cancellation=cancellation)
    if not rows or not rows[0].get("requests"):
        return Statistics(0, 0, None, None)
    found = rows[0]
    return Statistics(int(found["requests"]), int(found["errors"]), float(found["p95"]), found["last"])


def picture_of(outcome: Outcome, mark: str, x: str, y: tuple[str, ...]) -> bytes:
    """Return the chart of a result, PNG.

    Raises:
        InvalidInput: there is nothing to draw, or what draws is not installed.
    """
    import base64

    from tinymagic.api.raw_results import Rows
    from tinymagic.errors import InvalidInput
    from tinymagic.notebook.cells.arguments import ChartArguments
    from tinymagic.notebook.cells.charts import bundle_of

    drawn = bundle_of(ChartArguments(mark, x or None, y), Rows(outcome.frame, outcome.facts)).get("image/png")
    if drawn is None:
        raise InvalidInput("Pictures need what is not installed: pip install 'tinymagic[plot]'.")
    return base64.b64decode(drawn)


def can_draw() -> bool:
    """Say whether what draws is installed."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("altair", "vl_convert"))
