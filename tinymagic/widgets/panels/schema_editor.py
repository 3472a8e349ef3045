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

#: Head and width of each column of the editor; the last one takes what is left.
_HEADS = (("Keep", "38px"), ("Name", "150px"), ("Type", "200px"), ("NULL", "38px"), ("JSON path", "140px"))
_PRESENT, _SAMPLES = ("Present", "58px"), "Values"
_ONE_LINE = "overflow: hidden; text-overflow: ellipsis; white-space: nowrap"


class _Line:
    """The inputs of one column."""

    def __init__(self, place: int, on_edit: Callable[[int, dict[str, Any]], object]) -> None:
        self.included = ipywidgets.Checkbox(indent=False)
        self.name, self.path, self.present, self.facts = html(), html(), html(), html()
        self.type = ipywidgets.Combobox(options=list(USUAL_TYPES), continuous_update=False)
        self.nullable = ipywidgets.Checkbox(indent=False)
        cells = [self.included, self.name, self.type, self.nullable, self.path, self.present]
        for made, (_, width) in zip(cells, (*_HEADS, _PRESENT), strict=True):
            _fix(made, width)
        _stretch(self.facts)
        self.box = ipywidgets.HBox([*cells, self.facts])
        self.box.layout.align_items = "center"
        self._showing = False
        for trait, made in (("included", self.included), ("type", self.type), ("nullable", self.nullable)):
            made.observe(
                lambda change, trait=trait: None if self._showing else on_edit(place, {trait: change["new"]}), "value"
            )

    def show(self, column: DraftColumn | None, *, with_path: bool) -> None:
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
        # ipywidgets 7 takes no tooltips of these when they are made.
        self.included.tooltip = f"Keep {column.name}"
        self.type.tooltip = f"Type of {column.name}"
        self.nullable.tooltip = f"{column.name} may be NULL"
        self.type.disabled = self.nullable.disabled = not column.included
        faded = "" if column.included else ' class="tm-quiet"'
        self.name.value = f'<span{faded} title="{look.text(column.name)}">{look.text(column.name, most=24)}</span>'
        self.path.layout.display = None if with_path else "none"
        self.path.value = (
            f'<span class="tm-quiet" title="{look.text(column.path)}">{look.text(column.path, most=22)}</span>'
        )
        share = "" if column.present is None else f"{100 * column.present:.0f} %"
        self.present.value = f'<div class="tm-quiet" style="text-align: right">{share}</div>'
        if column.included and column.problem:
            self.facts.value = f'<span class="tm-warning-text" role="alert">{look.text(column.problem)}</span>'
        else:
            samples = look.text(", ".join(column.samples), most=80)
            self.facts.value = f'<div class="tm-quiet" style="{_ONE_LINE}">{samples}</div>'


class SchemaEditor(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """Edits the columns of a draft.

    Args:
        on_edit: gets the place of a column and what is changed of it.
    """

    def __init__(self, on_edit: Callable[..., object]) -> None:
        self._first = 0
        self._draft: SchemaDraft | None = None
        self._heads = [html(f'<span class="tm-quiet">{look.text(head)}</span>') for head, _ in (*_HEADS, _PRESENT)]
        for made, (_, width) in zip(self._heads, (*_HEADS, _PRESENT), strict=True):
            _fix(made, width)
        samples = html(f'<span class="tm-quiet">{_SAMPLES}</span>')
        _stretch(samples)
        self._lines = [_Line(place, lambda at, changes: on_edit(self._first + at, **changes)) for place in range(PAGE)]
        self._count = html()
        self._back = button("", lambda: self._turn(-PAGE), icon="chevron-left", tip="Previous columns")
        self._on = button("", lambda: self._turn(PAGE), icon="chevron-right", tip="Next columns")
        self._pager = row(self._back, self._on, self._count)
        head = ipywidgets.HBox([*self._heads, samples])
        super().__init__([head, *(line.box for line in self._lines), self._pager])

    def show(self, draft: SchemaDraft) -> None:
        """Show a draft; the page stays where it is when it can."""
        self._draft = draft
        if self._first >= len(draft.columns):
            self._first = 0
        self._draw()

    def begin(self) -> None:
        """Go to the first page: another file is shown."""
        self._first = 0

    def _turn(self, by: int) -> None:
        count = len(self._draft.columns) if self._draft is not None else 0
        self._first = max(0, min(self._first + by, (max(count, 1) - 1) // PAGE * PAGE))
        self._draw()

    def _draw(self) -> None:
        columns = self._draft.columns if self._draft is not None else ()
        with_path = any(each.path for each in columns)
        self._heads[4].layout.display = None if with_path else "none"
        for place, line in enumerate(self._lines):
            at = self._first + place
            line.show(columns[at] if at < len(columns) else None, with_path=with_path)
        self._pager.layout.display = None if len(columns) > PAGE else "none"
        self._back.disabled = self._first == 0
        self._on.disabled = self._first + PAGE >= len(columns)
        last = min(self._first + PAGE, len(columns))
        wrong = [place for place, each in enumerate(columns) if each.included and each.problem]
        elsewhere = [place for place in wrong if not self._first <= place < last]
        said = f'<span class="tm-quiet">columns {self._first + 1:,} to {last:,} of {len(columns):,}</span>'
        if elsewhere:
            said += f' <span class="tm-warning-text">Column {elsewhere[0] + 1:,} has a type that cannot be.</span>'
        self._count.value = said


def _fix(made: ipywidgets.Widget, width: str) -> None:
    """Give a cell a width that stays, so that all lines are alike however long their facts are."""
    made.layout.width = width
    made.layout.flex = "0 0 auto"
    made.layout.margin = "2px 6px 2px 0"
    made.layout.overflow = "hidden"


def _stretch(made: ipywidgets.Widget) -> None:
    made.layout.flex = "1 1 0"
    made.layout.min_width = "0"
    made.layout.margin = "2px 0"
