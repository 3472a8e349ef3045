"""What is shown of a result: pandas' own table, and under it, in the same output, what the query cost.

Nothing in data may act: tags are escaped by pandas, signs that turn the direction of a text or steer a terminal are
written as what they are (`visible`), and dollar signs are no formulas. The value of the cell stays the DataFrame
itself: the footer belongs to one display of one frame, and is put there by the formatters of IPython (`Presenter`).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: A value that is displayed: a DataFrame, an Arrow table, a list of dictionaries.
Result = TypeVar("Result")

# --- the footer -------------------------------------------------------------------------------------------------------

_BYTE_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def footer_text(facts: Mapping[str, Any]) -> str:
    """Say in one line what a query gave and cost; further lines for what the wire left unclear.

    Args:
        facts: ``frame.attrs["tinybird"]``.

    Example:
        >>> cost = {"rows_read": 142, "bytes_read": 10_100, "elapsed": 0.0041}
        >>> footer_text({"rows": 3, "statistics": cost, "wall_s": 0.0092})
        '3 rows, 142 read, 10.1 KB, 4 ms (wall 9 ms)'
        >>> footer_text({"rows": 1, "statistics": None, "wall_s": 0.0092})
        '1 row, wall 9 ms'
    """
    rows = int(facts.get("rows") or 0)
    parts = [count_of(rows, "row")]
    if facts.get("truncated"):
        # One row more than wanted was asked for, so there is at least that one.
        least = max(rows + 1, int(facts.get("rows_before_limit") or 0))
        parts = [f"showing {rows:,} of at least {count_of(least, 'row')}"]
    statistics = facts.get("statistics") or {}
    if "rows_read" in statistics:
        parts.append(f"{int(statistics['rows_read']):,} read")
    if "bytes_read" in statistics:
        parts.append(human_bytes(statistics["bytes_read"]))
    wall = f"wall {human_seconds(facts['wall_s'])}" if facts.get("wall_s") is not None else ""
    if "elapsed" in statistics:
        parts.append(human_seconds(statistics["elapsed"]) + (f" ({wall})" if wall else ""))
    elif wall:
        parts.append(wall)
    return "\n".join([", ".join(parts), *(visible(str(notice)) for notice in facts.get("notices") or ())])


def left_out(result: Any) -> str | None:
    """Say which rows and columns of a DataFrame its table leaves out, as pandas' own options have it; else ``None``.

    Args:
        result: of any kind; those of other libraries say it themselves.
    """
    if not hasattr(result, "iloc"):
        return None
    from pandas import get_option

    rows, columns = result.shape
    most_rows, most_columns = get_option("display.max_rows"), get_option("display.max_columns")
    parts = []
    if most_rows and rows > most_rows:
        shown = min(get_option("display.min_rows") or most_rows, most_rows)
        parts.append(f"the first and last {max(shown // 2, 1)} of {count_of(rows, 'row')}")
    if most_columns and columns > most_columns:
        parts.append(f"the first and last {max(most_columns // 2, 1)} of {count_of(columns, 'column')}")
    return f"Shown are {' and '.join(parts)}; the result has all of them." if parts else None


def count_of(number: int, what: str) -> str:
    """Return a number with its noun.

    Example:
        >>> count_of(1, "row"), count_of(12345, "row")
        ('1 row', '12,345 rows')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def human_bytes(size_bytes: float) -> str:
    """Return a size in the unit that suits it; a KB is 1000 bytes, as Tinybird counts.

    Example:
        >>> human_bytes(1), human_bytes(10_100), human_bytes(2_400_000_000)
        ('1 B', '10.1 KB', '2.4 GB')
    """
    size, unit = float(size_bytes), 0
    while size >= 999.95 and unit < len(_BYTE_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {_BYTE_UNITS[unit]}"


def human_seconds(seconds: float) -> str:
    """Return a time in the unit that suits it.

    Example:
        >>> human_seconds(0.0003), human_seconds(0.0041), human_seconds(2.345), human_seconds(75)
        ('0.3 ms', '4 ms', '2.35 s', '75 s')
    """
    milliseconds = seconds * 1000
    if milliseconds < 0.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.0f} s"


# --- signs that act ---------------------------------------------------------------------------------------------------

#: Control signs but for line end and tab (a terminal obeys them), overrides of the direction of text, line separators,
#: and halves of characters, which cannot be printed at all.
_ACTING_RE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return *text* with the signs that would act on the reader's screen written as escapes.

    Example:
        >>> print(visible("red \x1b[31m, backwards \u202e"))
        red \x1b[31m, backwards \u202e
    """
    return _ACTING_RE.sub(lambda sign: _escape(sign.group()), text)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def short_path(path: Path) -> str:
    """Write a path below the home folder with ``~``: it stays in the saved notebook, the user's name need not."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


# --- one display of one frame -----------------------------------------------------------------------------------------

#: Taken from the text colour, so that it reads in light and dark.
_FOOTER_STYLE = "margin: 0.3em 0 0; font-size: 0.85em; opacity: 0.75; white-space: pre-line; text-align: left"


#: Old and new name of the class in which notebooks take no text between dollar signs for a formula.
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"


def with_footer_html(table: str, footer: str | None) -> str:
    """Put the footer under a table in HTML."""
    under = f'\n<p style="{_FOOTER_STYLE}">{html.escape(footer)}</p>' if footer else ""
    return f'<div class="tinymagic-result {_NO_FORMULAS}">\n{visible(table)}{under}\n</div>'


def with_footer_text(table: str, footer: str | None) -> str:
    """Put the footer under a table in plain text."""
    return visible(table) + (f"\n{footer}" if footer else "")


@dataclass(frozen=True)
class _Expected:
    """A result whose display in this cell is ours."""

    result: Any
    footer: str | None
    hidden: bool


class Presenter:
    """Shows results with their footer: to IPython, two formatters for each kind of result, which act on those of ours.

    What the user or another package registered for DataFrames before keeps working: it is asked for the table, and for
    every frame that is not ours. `close` puts it back.

    Args:
        shell: the running IPython.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._expected: list[_Expected] = []
        self._before: dict[tuple[str, type], Callable[..., Any] | None] = {}

    def expect(self, result: Result, footer: str | None, *, hidden: bool = False) -> Result:
        """Say how *result* is to be displayed in this cell, and return it.

        Args:
            result: the value of the cell: a DataFrame, an Arrow table, a list of dictionaries.
            footer: the line under it, or ``None`` for none.
            hidden: display nothing; the value stays in ``_`` and ``Out``.
        """
        self._register(type(result))
        self._expected = [each for each in self._expected if each.result is not result]
        self._expected.append(_Expected(result, footer, hidden))
        return result

    def show(self, result: Any, footer: str | None) -> None:
        """Display *result* now."""
        self.expect(result, footer)
        data, metadata = self._shell.display_formatter.format(result)
        self._shell.display_pub.publish(data=data, metadata=metadata)

    def keep(self, result: Any) -> None:
        """Put *result* into ``_`` and ``Out`` as if it had been displayed."""
        self._shell.displayhook.update_user_ns(result)

    def forget(self) -> None:
        """Forget the results of this cell: shown again later, they are ordinary values."""
        self._expected.clear()

    def close(self) -> None:
        """Put the formatters back."""
        self.forget()
        for (name, kind), before in self._before.items():
            formatter = getattr(self._shell.display_formatter, name)
            formatter.pop(kind, None)
            if before is not None:
                formatter.for_type(kind, before)
        self._before.clear()

    def _register(self, kind: type) -> None:
        formatters = self._shell.display_formatter
        for name, ours in (("mimebundle_formatter", self._bundle), ("ipython_display_formatter", self._swallow)):
            if (name, kind) not in self._before:
                self._before[name, kind] = getattr(formatters, name).for_type(kind, ours)

    def _entry(self, result: Any) -> _Expected | None:
        return next((each for each in self._expected if each.result is result), None)

    def _swallow(self, result: Any) -> None:
        """Be the whole display of a hidden result; for all others ask the formatters that come next."""
        entry = self._entry(result)
        if entry is not None and entry.hidden:
            return
        kind = type(result)
        before = self._before["ipython_display_formatter", kind] or getattr(kind, "_ipython_display_", None)
        if entry is not None or before is None:
            raise NotImplementedError  # IPython's word for: not displayed here.
        before(result)

    def _bundle(self, result: Any) -> Any:
        entry = self._entry(result)
        if entry is None:
            return self._bundle_of_others(result)
        formatters = self._shell.display_formatter.formatters
        table, text = formatters["text/html"](result), formatters["text/plain"](result)
        bundle = {"text/plain": with_footer_text(text or repr(result), entry.footer)}
        if table:
            bundle["text/html"] = with_footer_html(table, entry.footer)
        return bundle

    def _bundle_of_others(self, result: Any) -> Any:
        before = self._before["mimebundle_formatter", type(result)]
        if before is not None:
            return before(result)
        own = getattr(type(result), "_repr_mimebundle_", None)
        return own(result, include=None, exclude=None) if own is not None else None
