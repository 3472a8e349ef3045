"""The Data Sources of a Workspace: list, one of them in detail, and what can be done to it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Instance, List

from tinymagic.errors import TinybirdError
from tinymagic.widgets.models.panel_model import PanelModel, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from tinymagic.api.datasource_results import DataSource
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.ingest.report import IngestReport
    from tinymagic.api.workspace import Workspace

PREVIEW_ROWS = 20


@dataclass(frozen=True)
class Details:
    """One Data Source, as the panel shows it.

    Attributes:
        source: its description.
        preview: its first rows; ``None`` when they could not be read.
        preview_problem: why not.
        quarantine: the newest rows in quarantine; ``None`` when there are none.
        users: names of the Pipes that read it.
    """

    source: DataSource
    preview: pd.DataFrame | None
    preview_problem: str
    quarantine: pd.DataFrame | None
    users: tuple[str, ...]


class DataSourcesModel(PanelModel):
    """Lists Data Sources, shows one, appends, truncates, deletes.

    Attributes:
        sources: those of the Workspace, sorted by name.
        details: of the one that was chosen, or ``None``.
    """

    sources: List[Any] = List()
    details = Instance(Details, allow_none=True)

    def load(self) -> None:
        """Fetch the list."""
        self.run(lambda workspace, _: workspace.datasources.list(), then=self._show, line="%tinybird datasource ls")

    def select(self, name: str) -> None:
        """Fetch one with its first rows."""
        self.run(
            lambda workspace, cancellation: details_of(workspace, name, cancellation),
            then=self._show_details,
            line=f"%tinybird datasource show {quoted(name)}",
        )

    def append(self, path: str) -> None:
        """Append a file to the one that was chosen."""
        name = self._chosen()
        if not name:
            return
        if not path.strip():
            self.say("Give the path or the URL of the file to append.", "error")
            return

        def task(workspace: Workspace, cancellation: Cancellation) -> tuple[IngestReport, Details]:
            report = workspace.datasources.append(
                name, _source_of(path.strip()), on_progress=self.on_progress, cancellation=cancellation
            )
            return report, details_of(workspace, name, cancellation)

        def then(done: tuple[IngestReport, Details]) -> None:
            report, details = done
            self._show_details(details)
            self.say(str(report).splitlines()[0], "done" if not report.quarantined else "warning")

        self.run(task, then=then, line=f"%tinybird datasource append {quoted(name)} {quoted(path.strip())}")

    def truncate(self) -> None:
        """Delete all rows of the one that was chosen."""
        name = self._chosen()
        line = f"%tinybird datasource truncate {quoted(name)} --yes"
        self._change(name, lambda workspace: workspace.datasources.truncate(name), f"{name} has no rows now.", line)

    def delete_rows(self, condition: str) -> None:
        """Delete the rows of the one that was chosen for which a condition holds."""
        name = self._chosen()
        if not condition.strip():
            self.say("Write the condition of the rows to delete, for instance: day < '2026-01-01'.", "error")
            return
        line = f"%tinybird datasource delete {quoted(name)} {quoted(condition.strip())} --yes"
        self._change(
            name,
            lambda workspace: workspace.datasources.delete_rows(name, condition.strip()),
            f"The rows of {name} where {condition.strip()} are deleted.",
            line,
        )

    def count_rows(self, condition: str, then: Callable[[int], object]) -> None:
        """Ask how many rows a deletion would take."""
        name = self._chosen()
        if name and condition.strip():
            self.run(
                lambda workspace, _: workspace.datasources.count_rows_to_delete(name, condition.strip()), then=then
            )

    def plan_drop(self, then: Callable[[tuple[str, ...]], object]) -> None:
        """Ask what hangs on the one that was chosen."""
        name = self._chosen()
        if name:
            self.run(
                lambda workspace, _: workspace.datasources.deletion_plan(name).dependent_pipes,
                then=then,
            )

    def drop(self) -> None:
        """Delete the one that was chosen."""
        name = self._chosen()
        if not name:
            return

        def task(workspace: Workspace, _: Cancellation) -> list[DataSource]:
            workspace.datasources.delete(name)
            return workspace.datasources.list()

        def then(sources: list[DataSource]) -> None:
            self.details = None
            self._show(sources)
            self.say(f"{name} was deleted.", "done")

        self.run(task, then=then, line=f"%tinybird datasource rm {quoted(name)} --yes")

    def datafile(self, then: Callable[[str], object]) -> None:
        """Fetch the definition as a datafile."""
        name = self._chosen()
        if name:
            self.run(
                lambda workspace, _: workspace.datasources.datafile(name),
                then=then,
                line=f"%tinybird datasource sql {quoted(name)}",
            )

    def select_sql(self) -> str:
        """Return a cell that reads the one that was chosen."""
        if self.details is None:
            return ""
        source = self.details.source
        columns = ", ".join(_identifier(column.name) for column in source.columns) or "*"
        return f"%%tbsql\nSELECT {columns}\nFROM {_identifier(source.name)}\nLIMIT 100"

    def _chosen(self) -> str:
        if self.details is None:
            self.say("Choose a Data Source first.", "error")
            return ""
        name: str = self.details.source.name
        return name

    def _change(self, name: str, change: Callable[[Workspace], object], said: str, line: str) -> None:
        if not name:
            return

        def task(workspace: Workspace, cancellation: Cancellation) -> Details:
            change(workspace)
            return details_of(workspace, name, cancellation)

        def then(details: Details) -> None:
            self._show_details(details)
            self.say(said, "done")

        self.run(task, then=then, line=line)

    def _show(self, sources: list[DataSource]) -> None:
        self.sources = sorted(sources, key=lambda each: each.name.lower())
        if self.message_kind == "error":
            self.say("")

    def _show_details(self, details: Details) -> None:
        self.details = details
        self.sources = [details.source if each.name == details.source.name else each for each in self.sources]
        self.say("")


def details_of(workspace: Workspace, name: str, cancellation: Cancellation | None = None) -> Details:
    """Ask for everything that is shown of a Data Source. Rows that cannot be read do not hide the rest."""
    source = workspace.datasources.get(name)
    preview, problem = None, ""
    try:
        preview = workspace.sql(f"SELECT * FROM {_identifier(name)}", limit=PREVIEW_ROWS, cancellation=cancellation)
    except TinybirdError as error:
        problem = str(error)
    quarantine = None
    # The service makes it with the first row that does not fit; and a token may not read it.
    with contextlib.suppress(TinybirdError):
        quarantine = workspace.sql(
            f"SELECT c__error_column, c__error, * EXCEPT (c__error_column, c__error) FROM "
            f"{_identifier(name + '_quarantine')} ORDER BY insertion_date DESC",
            limit=PREVIEW_ROWS,
            cancellation=cancellation,
        )
    users = tuple(source.used_by)
    return Details(source, preview, problem, quarantine if quarantine is not None and len(quarantine) else None, users)


def _identifier(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", name, re.ASCII)
    return name if plain else "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _source_of(path: str) -> str | Path:
    from pathlib import Path

    return path if path.startswith(("http://", "https://")) else Path(path).expanduser()
