"""A list to search and to choose from, quick with thousands of rows: a page of buttons with a table beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look
from tinymagic.widgets.panel import button, html, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Rows of a page. So many buttons are made once; a page changes what is on them.
PAGE = 12


class RowList(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """Rows by name, with cells beside the names.

    Args:
        heads: of the columns, that of the names first.
        on_choose: gets the name of the row that was pressed.
        numbers: places of the columns that stand at the right, counted without that of the names.
        what: the rows are, in the plural, for instance ``Data Sources``.
        name_width: of the column of names.
        nothing: the sentence that stands where there are no rows.
    """

    def __init__(
        self,
        heads: Sequence[str],
        on_choose: Callable[[str], object],
        *,
        numbers: Sequence[int] = (),
        what: str,
        name_width: str = "260px",
        nothing: str = "",
    ) -> None:
        self._heads = list(heads)
        self._numbers = tuple(numbers)
        self._what = what
        self.nothing = nothing or f"There are no {what} yet."
        self._rows: list[tuple[str, Sequence[str]]] = []
        self._found: list[tuple[str, Sequence[str]]] = []
        self._first = 0
        self._chosen = ""
        self.search = ipywidgets.Text(placeholder=f"Search {what}", continuous_update=True)
        self.search.layout.width = name_width
        self.search.tooltip = f"Search {what}"
        self.search.observe(lambda _: self._search(), "value")
        self._count = html()
        self._back = button("", lambda: self._turn(-PAGE), icon="chevron-left", tip="Previous page")
        self._on = button("", lambda: self._turn(PAGE), icon="chevron-right", tip="Next page")
        self._buttons = []
        for place in range(PAGE):
            made = ipywidgets.Button()
            made.add_class("tm-row-button")
            made.on_click(lambda _, place=place: self._press(place, on_choose))
            self._buttons.append(made)
        head = html(f'<table class="tm-table tm-rows tm-names"><tr><th>{look.text(self._heads[0])}</th></tr></table>')
        head.layout.margin = "0"
        names = ipywidgets.VBox([head, *self._buttons])
        names.layout.width = name_width
        names.layout.min_width = "140px"
        names.layout.margin = "0 0 0 2px"
        self._cells = html()
        self._cells.layout.margin = "0 0 0 12px"
        self._body = ipywidgets.HBox([names, self._cells])
        self._nothing = html()
        super().__init__([row(self.search, self._back, self._on, self._count), self._body, self._nothing])
        self.show([])

    def show(self, rows: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Show other rows: the name of each, and its further cells **as HTML**."""
        self._rows = list(rows)
        # Who turned to a page stays there: lists that live are shown again and again.
        self._search(self._first)

    def choose(self, name: str) -> None:
        """Mark a row."""
        self._chosen = name
        self._draw()

    def _search(self, first: int = 0) -> None:
        wanted = self.search.value.strip().lower().split()
        self._found = [each for each in self._rows if all(word in each[0].lower() for word in wanted)]
        self._first = first
        self._turn(0)

    def _turn(self, by: int) -> None:
        self._first = max(0, min(self._first + by, (max(len(self._found), 1) - 1) // PAGE * PAGE))
        self._draw()

    def _press(self, place: int, on_choose: Callable[[str], object]) -> None:
        if self._first + place < len(self._found):
            name = self._found[self._first + place][0]
            self.choose(name)
            on_choose(name)

    def _draw(self) -> None:
        page = self._found[self._first : self._first + PAGE]
        for place, made in enumerate(self._buttons):
            there = place < len(page)
            made.layout.display = None if there else "none"
            if not there:
                continue
            made.description = page[place][0]
            made.tooltip = page[place][0]
            (made.add_class if page[place][0] == self._chosen else made.remove_class)("tm-chosen")
        lines = [cells for _, cells in page]
        self._cells.value = look.table(self._heads[1:], lines, numbers=self._numbers, kind="tm-rows", label=self._what)
        self._body.layout.display = None if page else "none"
        self._nothing.value = "" if page else look.empty(self._sentence())
        many = len(self._found) > PAGE
        for turn in (self._back, self._on):
            turn.layout.display = None if many else "none"
        self._back.disabled = self._first == 0
        self._on.disabled = self._first + PAGE >= len(self._found)
        last = min(self._first + PAGE, len(self._found))
        of = f"{self._first + 1:,} to {last:,} of {len(self._found):,}" if page else ""
        self._count.value = f'<span class="tm-quiet">{of}</span>'

    def _sentence(self) -> str:
        if self._rows:
            return f"None of {len(self._rows):,} {self._what} has this in its name."
        return self.nothing
