"""The table in which a schema is edited: a page of rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from tinymagic.widgets import look
from tinymagic.widgets.models.schema_draft import USUAL_TYPES
from tinymagic.widgets.panel import button, html, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.widgets.models.schema_draft import DraftColumn, SchemaDraft

#: Rows of a page; so many inputs are made once.
PAGE = 12


class _Line:
    """The inputs of one column."""

    def __init__(self, place: int, on_edit: Callable[[int, dict[str, Any]], object]) -> None:
        self.included = ipywidgets.Checkbox(indent=False, tooltip="Keep this column")
        self.included.layout.width = "28px"
        self.name = html()
        self.name.layout.width = "170px"
        self.type = ipywidgets.Combobox(options=list(USUAL_TYPES), continuous_update=False)
        self.type.layout.width = "200px"
        self.nullable = ipywidgets.Checkbox(description="NULL", indent=False, tooltip="May be missing")
        self.nullable.layout.width = "70px"
        self.facts = html()
        for made in (self.included, self.name, self.type, self.nullable):
            made.layout.flex = "0 0 auto"  # All lines alike, however long their facts are.
        self.facts.layout.flex = "1 1 0"
        self.facts.layout.min_width = "0"
        self.box = ipywidgets.HBox([self.included, self.name, self.type, self.nullable, self.facts])
        self.box.layout.align_items = "center"
        self._showing = False
        for trait, made in (("included", self.included), ("type", self.type), ("nullable", self.nullable)):
            made.observe(
                lambda change, trait=trait: None if self._showing else on_edit(place, {trait: change["new"]}), "value"
            )

    def show(self, column: DraftColumn | None) -> None:
        """Show a column, or nothing."""
        self.box.layout.display = "none" if column is None else None
        if column is None:
            return
        self._showing = True
        try:
            self.included.value = column.included
            self.type.value = column.type
            self.nullable.value = column.nullable
        finally:
            self._showing = False
        faded = "" if column.included else ' class="tm-quiet"'
        self.name.value = f"<span{faded}>{look.text(column.name, most=40)}</span>"
        facts = [look.text(column.path, most=40)] if column.path else []
        if column.present is not None:
            facts.append(f"{100 * column.present:.0f}% present")
        if column.samples:
            facts.append(look.text(", ".join(column.samples), most=60))
        problem = (
            f' <span class="tm-warning-text" role="alert">{look.text(column.problem)}</span>' if column.problem else ""
        )
        self.facts.value = f'<span class="tm-quiet">{" &middot; ".join(facts)}</span>{problem}'


class SchemaEditor(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """Edits the columns of a draft.

    Args:
        on_edit: gets the place of a column and what is changed of it.
    """

    def __init__(self, on_edit: Callable[..., object]) -> None:
        self._first = 0
        self._draft: SchemaDraft | None = None
        self._lines = [_Line(place, lambda at, changes: on_edit(self._first + at, **changes)) for place in range(PAGE)]
        self._count = html()
        self._back = button("", lambda: self._turn(-PAGE), icon="chevron-left", tip="Previous columns")
        self._on = button("", lambda: self._turn(PAGE), icon="chevron-right", tip="Next columns")
        self._pager = row(self._back, self._on, self._count)
        super().__init__([*(line.box for line in self._lines), self._pager])

    def show(self, draft: SchemaDraft) -> None:
        """Show a draft; the page stays where it is when it can."""
        self._draft = draft
        if self._first >= len(draft.columns):
            self._first = 0
        self._draw()

    def _turn(self, by: int) -> None:
        count = len(self._draft.columns) if self._draft is not None else 0
        self._first = max(0, min(self._first + by, (max(count, 1) - 1) // PAGE * PAGE))
        self._draw()

    def _draw(self) -> None:
        columns = self._draft.columns if self._draft is not None else ()
        for place, line in enumerate(self._lines):
            at = self._first + place
            line.show(columns[at] if at < len(columns) else None)
        self._pager.layout.display = None if len(columns) > PAGE else "none"
        self._back.disabled = self._first == 0
        self._on.disabled = self._first + PAGE >= len(columns)
        last = min(self._first + PAGE, len(columns))
        self._count.value = f'<span class="tm-quiet">columns {self._first + 1} to {last} of {len(columns):,}</span>'
