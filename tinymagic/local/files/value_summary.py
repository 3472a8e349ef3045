"""What the values of one column have in common, and so the narrowest type that all of them fit.

Pure. A `ValueSummary` sees the values of the sample and remembers what is needed for the answer: the range of the
integers, whether a float needs 64 bits, which text patterns occurred. Values come as whole columns, so that each
different one is looked at once. Rules: ``analyze.md`` sections 5.1 and 5.2. Where
they are silent, no data is lost: numbers with leading zeros (postal codes, ``007``) are String, floats with more than
nine digits are Float64, times outside of DateTime's range are DateTime64, and ``01/02/2024 10:00:00`` is a time only
when another value (``13/02/2024 ...``) shows that the day comes first.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INTEGER_RE = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
#: A column of integers, a line for each: most columns of ids are such.
_INTEGERS_RE = re.compile(r"(?:[+-]?(?:0|[1-9][0-9]{0,18})\n)+")
_FLOAT_RE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LEADING_ZERO_RE = re.compile(r"[+-]?0[0-9]+")
_DATE_RE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME_RE = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]+))?"
    r"(?:\s?(?:Z|UTC|GMT|[+-][0-9]{2}:?(?:[0-9]{2})?))?"
)
#: Day, month and year in front, which the vendor's list (5.1) knows in CSV cells.
_DAY_TIME_RE = re.compile(
    r"([0-9]{2})[-/.]([0-9]{2})[-/.]([0-9]{4})[T ]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.]([0-9]{1,3}))?"
)

#: Widening order of integers: narrowest first, none below Int16 (``analyze.md`` 5.2).
_INTEGER_TYPES = (
    ("Int16", -(2**15), 2**15 - 1),
    ("Int32", -(2**31), 2**31 - 1),
    ("Int64", -(2**63), 2**63 - 1),
    ("UInt64", 0, 2**64 - 1),
)


@dataclass
class ValueSummary:
    """Everything that is remembered of a column's values.

    Attributes:
        cells: whether the values are cells of a CSV file, where ``DateTime64`` may have another precision than 3 and
            a day may come first; such a JSON text is String.
        count: values that are not null.
        kinds: what they are: ``integer``, ``float``, ``bool``, ``date``, ``time``, ``fraction``, ``array``, ``text``.
        low, high: range of the integers.
        wide_float: whether one needs Float64.
        wide_time: whether one is outside of the range of Date and DateTime.
        day_times: whether a time begins with two digits that are a day or a month.
        day_first: whether one of them cannot be a month.
        digits: precision for the fractions of seconds.
        elements: of all arrays together.
        nulls: how many of them are null.
        items: the elements of all arrays.
    """

    cells: bool = True
    count: int = 0
    kinds: set[str] = field(default_factory=set)
    low: int = 0
    high: int = 0
    wide_float: bool = False
    wide_time: bool = False
    day_times: bool = False
    day_first: bool = False
    digits: int = 0
    elements: int = 0
    nulls: int = 0
    items: ValueSummary | None = None

    def add_cells(self, cells: Sequence[str]) -> None:
        """Take in values of a CSV column, none of them missing; after the first text nothing more is looked at."""
        self.count += len(cells)
        if _INTEGERS_RE.fullmatch("\n".join(cells) + "\n"):
            numbers = list(map(int, cells))
            self._add_integers(min(numbers), max(numbers))
            return
        for cell, times in Counter(cells).items():
            self._add_cell(cell.strip(), times)
            if "text" in self.kinds:
                return

    def add_values(self, values: Iterable[Any]) -> None:
        """Take in JSON values that are no objects; null is no value."""
        by_kind: dict[type, list[Any]] = {}
        for value in values:
            by_kind.setdefault(type(value), []).append(value)
        by_kind.pop(type(None), None)
        self.count += sum(map(len, by_kind.values()))
        if bool in by_kind:
            self.kinds.add("bool")
        if integers := by_kind.get(int):
            self._add_integers(min(integers), max(integers))
        for number in set(by_kind.get(float, ())):
            self._add_float(repr(number))
        for text in set(by_kind.get(str, ())):
            self._add_pattern(text)
            if "text" in self.kinds:
                break
        if arrays := by_kind.get(list):
            self._add_elements(list(chain.from_iterable(arrays)))

    def type(self) -> str:
        """Return the narrowest type that all values fit."""
        kinds = self.kinds
        if kinds == {"integer"}:
            return next((name for name, low, high in _INTEGER_TYPES if low <= self.low and self.high <= high), "String")
        if kinds and kinds <= {"integer", "float"}:
            wide = self.wide_float or max(-self.low, self.high) > 2**23
            return "Float64" if wide else "Float32"
        if kinds == {"bool"}:
            return "UInt8"
        if kinds == {"date"}:
            return "Date32" if self.wide_time else "Date"
        if self.day_times and not self.day_first:
            return "String"
        if kinds and kinds <= {"date", "time"}:
            return "DateTime64(3)" if self.wide_time else "DateTime"
        if kinds and kinds <= {"date", "time", "fraction"}:
            return f"DateTime64({self.digits})"
        if kinds == {"array"} and self.items is not None:
            inner = self.items.type() if self.items.count else "String"
            return f"Array(Nullable({inner}))" if self.nulls and "Array(" not in inner else f"Array({inner})"
        return "String"

    def _add_cell(self, cell: str, times: int) -> None:
        if _INTEGER_RE.fullmatch(cell):
            if len(cell) < 40:
                self._add_integers(int(cell), int(cell))
            else:
                self.kinds.add("text")
        elif _FLOAT_RE.fullmatch(cell) and not _LEADING_ZERO_RE.match(cell):
            self._add_float(cell)
        elif cell.startswith("[") and cell.endswith("]") and (items := _list_literal(cell)) is not None:
            self._add_elements(items * times)
        else:
            self._add_pattern(cell)

    def _add_integers(self, low: int, high: int) -> None:
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.kinds.add("integer")

    def _add_float(self, text: str) -> None:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self.kinds.add("text")
            return
        self.kinds.add("float")
        if not self.wide_float:
            mantissa = text.lower().partition("e")[0].lstrip("+-").replace(".", "").strip("0")
            # A Float32 holds whole numbers up to 2^23 with a fraction, and no more than nine digits in any case.
            self.wide_float = not -(2**23) <= value < 2**23 or len(mantissa) > 9

    def _add_elements(self, elements: Sequence[Any]) -> None:
        self.kinds.add("array")
        self.elements += len(elements)
        if self.items is None:
            self.items = ValueSummary(cells=self.cells)
        scalars = [element for element in elements if not isinstance(element, (dict, list))]
        self.nulls += scalars.count(None)
        self.items.add_values(scalars)
        if len(scalars) < len(elements):
            self.items.kinds.add("text")
            self.items.count += len(elements) - len(scalars)

    def _add_pattern(self, text: str) -> None:
        if match := _DATE_RE.fullmatch(text):
            year = self._valid(match, 3)
            self.wide_time |= year is not None and not 1970 <= year <= 2148
            self.kinds.add("date" if year is not None else "text")
        elif match := _TIME_RE.fullmatch(text):
            self._add_time(match)
        elif self.cells and (match := _DAY_TIME_RE.fullmatch(text)):
            self._add_day_time(match)
        else:
            self.kinds.add("text")

    def _add_time(self, match: re.Match[str]) -> None:
        year = self._valid(match, 6)
        fraction = match[7]
        if year is None or (fraction and len(fraction) != 3 and (not self.cells or len(fraction) > 9)):
            self.kinds.add("text")
            return
        self.wide_time |= not 1970 <= year <= 2105
        if fraction:
            self.digits = max(self.digits, 3 if len(fraction) <= 3 else 6 if len(fraction) <= 6 else 9)
        self.kinds.add("fraction" if fraction else "time")

    def _add_day_time(self, match: re.Match[str]) -> None:
        day, month, year, hour, minute, second = (int(match[index + 1]) for index in range(6))
        if _year_of(year, month, day, hour, minute, second) is None:
            self.kinds.add("text")
            return
        self.day_times = True
        self.day_first |= day > 12
        self.wide_time |= not 1970 <= year <= 2105
        if match[7]:
            self.digits = max(self.digits, 3)
        self.kinds.add("fraction" if match[7] else "time")

    @staticmethod
    def _valid(match: re.Match[str], parts: int) -> int | None:
        return _year_of(*(int(match[index + 1]) for index in range(parts)))


def _year_of(*numbers: int) -> int | None:
    """Return the year when year, month, day and so on are a time of the calendar between 1900 and 2299."""
    try:
        datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    return numbers[0] if 1900 <= numbers[0] <= 2299 else None


def _list_literal(text: str) -> list[Any] | None:
    """Read ``[1, 2]`` or ``['a', "b"]``; ``None`` when it is no list of scalars of one kind."""
    for attempt in (text, text.replace("'", '"')):
        try:
            items = json.loads(attempt)
        except (ValueError, RecursionError):
            continue
        scalar = isinstance(items, list) and bool(items) and not any(isinstance(i, (dict, list)) for i in items)
        return items if scalar else None
    return None
