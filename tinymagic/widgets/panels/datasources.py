"""The panel of Data Sources."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.notebook.display import count_of
from tinymagic.widgets import look, units
from tinymagic.widgets.frame_table import table_of
from tinymagic.widgets.models.datasources import DataSourcesModel
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row
from tinymagic.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.datasource_results import DataSource
    from tinymagic.api.workspace import Workspace

_TABS = ("Columns", "Rows", "Quarantine", "Append, delete, drop", "Datafile")


class DataSources(Panel):
    """Search the Data Sources of a Workspace, look at one, append to it, and take rows or all of it away.

    Args:
        workspace: whose they are.
        on_new_cell: puts text into a new cell; without one the text is shown to be copied.
        model: instead of one of its own, for tests.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        on_new_cell: Callable[[str], object] | None = None,
        model: DataSourcesModel | None = None,
    ) -> None:
        self.model: DataSourcesModel = model or DataSourcesModel(workspace)
        self._on_new_cell = on_new_cell
        self._list = RowList(
            ["Name", "Rows", "Size", "Quarantine", "Changed", "Engine"],
            self.model.select,
            numbers=(0, 1, 2),
            what="Data Sources",
        )
        self._facts, self._columns, self._preview, self._quarantine = html(), html(), html(), html()
        self._datafile, self._cell = html(), html()
        self._path = field("File or URL", ipywidgets.Text(placeholder="trips.csv"), width="460px")
        self._condition = field("Rows where", ipywidgets.Text(placeholder="day < '2026-01-01'"), width="460px")
        self._confirmation = Confirmation()
        append = button("Append", lambda: self.model.append(self._path.value), icon="plus", kind="primary")
        actions = ipywidgets.VBox(
            [
                row(self._path, append),
                row(
                    self._condition,
                    button("Delete rows ...", self._ask_delete, icon="eraser", kind="danger"),
                ),
                row(
                    button("Truncate ...", self._ask_truncate, icon="ban", kind="danger", tip="Delete all rows"),
                    button("Drop ...", self._ask_drop, icon="trash", kind="danger", tip="Delete the Data Source"),
                ),
            ]
        )
        self._tabs = ipywidgets.Tab([self._columns, self._preview, self._quarantine, actions, self._datafile])
        for place, title in enumerate(_TABS):
            self._tabs.set_title(place, title)
        self._tabs.observe(self._on_tab, "selected_index")
        cell = button("New cell with a SELECT", self._new_cell, icon="code", tip="A %%tbsql cell that reads it")
        self._details = ipywidgets.VBox([self._facts, row(cell), self._cell, self._tabs, self._confirmation])
        self._details.layout.display = "none"
        reload_ = button("Reload", self.model.load, icon="refresh", tip="Fetch the list again")
        super().__init__(self.model, "Data Sources", [self._list, row(reload_), self._details])
        self.model.observe(lambda _: self._draw_list(), "sources")
        self.model.observe(lambda _: self._draw_details(), "details")
        self.model.load()

    def static(self) -> tuple[str, str]:
        """Return the table of Data Sources, and the columns of the one that was chosen."""
        lines = [[look.text(each.name), *_cells(each)] for each in self._sources[:50]]
        shown = look.table(
            ["Name", "Rows", "Size", "Quarantine", "Changed", "Engine"], lines, numbers=(1, 2, 3), label="Data Sources"
        )
        words = [f"{each.name}: {units.rows(each.statistics.row_count) or '?'} rows" for each in self._sources[:50]]
        if len(self._sources) > 50:
            words.append(f"and {len(self._sources) - 50:,} more")
        return shown + self._facts.value + self._columns.value, "\n".join(words)

    @property
    def _sources(self) -> list[DataSource]:
        return list(self.model.sources)

    def _draw_list(self) -> None:
        self._list.show([(each.name, _cells(each)) for each in self._sources])
        self.changed()

    def _draw_details(self) -> None:
        details = self.model.details
        self._details.layout.display = "none" if details is None else None
        self._confirmation.hide()
        self._cell.value = self._datafile.value = ""
        if details is None:
            self.changed()
            return
        source = details.source
        self._facts.value = _facts(source, details.users)
        self._columns.value = _columns(source)
        if details.preview is None:
            self._preview.value = look.note(details.preview_problem, "error")
        elif len(details.preview):
            self._preview.value = table_of(details.preview, label=f"First rows of {source.name}")
        else:
            self._preview.value = look.empty("There are no rows yet. Append a file, or send events.")
        self._quarantine.value = (
            table_of(details.quarantine, label=f"Quarantine of {source.name}")
            if details.quarantine is not None
            else look.empty("No row is in quarantine: all rows that came fit the schema.")
        )
        count = source.quarantine_rows or (0 if details.quarantine is None else len(details.quarantine))
        self._tabs.set_title(2, f"Quarantine ({units.rows(count)})" if count else "Quarantine")
        if self._tabs.selected_index == _TABS.index("Datafile"):
            self._fetch_datafile()
        self.changed()

    def _on_tab(self, _: object) -> None:
        if self._tabs.selected_index == _TABS.index("Datafile") and not self._datafile.value:
            self._fetch_datafile()

    def _fetch_datafile(self) -> None:
        def show(text: str) -> None:
            self._datafile.value = look.code(text)

        self.model.datafile(show)

    def _new_cell(self) -> None:
        text = self.model.select_sql()
        if self._on_new_cell is not None:
            self._on_new_cell(text)
        self._cell.value = look.code(text, "A cell to copy:")

    def _ask_delete(self) -> None:
        condition = self._condition.value.strip()
        if not condition:
            self.model.delete_rows("")
            return

        def ask(count: int) -> None:
            self._confirmation.ask(
                f"Delete {count_of(count, 'row')} of {self._name} where {condition}? They cannot be had back.",
                "Delete them",
                lambda: self.model.delete_rows(condition),
            )

        self.model.count_rows(condition, ask)

    def _ask_truncate(self) -> None:
        details = self.model.details
        count = None if details is None else details.source.statistics.row_count
        rows = "all rows" if count is None else f"all {count:,} rows"
        self._confirmation.ask(
            f"Delete {rows} of {self._name}? They cannot be had back.", "Truncate it", self.model.truncate
        )

    def _ask_drop(self) -> None:
        def ask(pipes: tuple[str, ...]) -> None:
            used = f" These Pipes depend on it: {', '.join(pipes)}." if pipes else " No Pipe reads it."
            self._confirmation.ask(
                f"Delete {self._name} with its rows and its quarantine?{used}", "Drop it", self.model.drop
            )

        self.model.plan_drop(ask)

    @property
    def _name(self) -> str:
        return self.model.details.source.name if self.model.details is not None else ""


def _cells(source: DataSource) -> list[str]:
    quarantined = source.quarantine_rows or 0
    return [
        look.text(units.rows(source.statistics.row_count)),
        look.text(units.size(source.statistics.bytes)),
        f'<span class="tm-warning-text">{units.rows(quarantined)}</span>' if quarantined else "",
        look.text(units.ago(_moment(source.updated_at))),
        look.badge(str(source.engine.get("engine", "")).replace("MergeTree", "MT") or None),
    ]


def _moment(text: str) -> datetime | None:
    try:
        return (
            datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
            if "+" in text
            else (datetime.fromisoformat(text).replace(tzinfo=timezone.utc))
        )
    except ValueError:
        return None


def _facts(source: DataSource, users: tuple[str, ...]) -> str:
    engine = {name.removeprefix("engine_"): value for name, value in source.engine.items() if value}
    told = [f"{look.badge(source.type)} {look.badge(engine.pop('engine', ''))}"]
    told += [
        f'<span class="tm-quiet">{look.text(name.replace("_", " "))}</span> {look.text(value)}'
        for name, value in engine.items()
    ]
    told.append(f'<span class="tm-quiet">used by</span> {look.text(", ".join(users) or "no Pipe")}')
    about = f"<div>{look.text(source.description)}</div>" if source.description else ""
    return look.section(source.name) + about + "<div>" + " &nbsp; ".join(told) + "</div>"


def _columns(source: DataSource) -> str:
    keys = [part.strip(" `()") for part in str(source.engine.get("engine_sorting_key", "")).split(",")]
    lines = [
        [
            look.text(each.name) + (' <span class="tm-quiet">key</span>' if each.name in keys else ""),
            look.badge(f"Nullable({each.type})" if each.nullable else each.type),
            look.text(each.default),
            look.text(each.jsonpath),
            look.text(each.codec),
        ]
        for each in source.columns
    ]
    return look.table(["Column", "Type", "Default", "JSON path", "Codec"], lines, label=f"Columns of {source.name}")
