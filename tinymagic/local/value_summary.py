"""What the values of one column have in common, and so the narrowest type that all of them fit.

Pure. A `ValueSummary` sees every value of the sample once and remembers what is needed for the answer: the range of the
integers, whether a float needs 64 bits, which text patterns occurred. Rules: ``analyze.md`` sections 5.1 and 5.2. Where
they are silent, no data is lost: numbers with leading zeros (postal codes, ``007``) are String, floats with more than
nine digits are Float64, times outside of DateTime's range are DateTime64.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGER_RE = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_FLOAT_RE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LEADING_ZERO_RE = re.compile(r"[+-]?0[0-9]+")
_DATE_RE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME_RE = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]+))?"
    r"(?:\s?(?:Z|UTC|GMT|[+-][0-9]{2}:?(?:[0-9]{2})?))?"
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
        fractions: whether ``DateTime64`` may have another precision than 3: in CSV; such a JSON text is String.
    """

    fractions: bool = True
    count: int = 0
    kinds: set[str] = field(default_factory=set)
    low: int = 0
    high: int = 0
    wide_float: bool = False
    wide_time: bool = False
    digits: int = 0
    elements: int = 0
    items: ValueSummary | None = None

    def add_text(self, text: str) -> None:
        """Take in a value of a CSV cell."""
        text = text.strip()
        self.count += 1
        if _INTEGER_RE.fullmatch(text):
            self._add_integer(int(text)) if len(text) < 40 else self.kinds.add("text")
        elif _FLOAT_RE.fullmatch(text) and not _LEADING_ZERO_RE.match(text):
            self._add_float(text)
        elif text.startswith("[") and text.endswith("]") and (items := _list_literal(text)) is not None:
            self._add_array(items)
        else:
            self._add_pattern(text)

    def add_json(self, value: Any) -> None:
        """Take in a JSON value that is neither null nor an object."""
        self.count += 1
        if isinstance(value, bool):
            self.kinds.add("bool")
        elif isinstance(value, int):
            self._add_integer(value)
        elif isinstance(value, float):
            self._add_float(repr(value))
        elif isinstance(value, list):
            self._add_array(value)
        else:
            self._add_pattern(str(value))

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
        if kinds and kinds <= {"date", "time"}:
            return "DateTime64(3)" if self.wide_time else "DateTime"
        if kinds and kinds <= {"date", "time", "fraction"}:
            return f"DateTime64({self.digits})"
        if kinds == {"array"} and self.items is not None:
            inner = self.items.type() if self.items.count else "String"
            return f"Array({inner})"
        return "String"

    def _add_integer(self, value: int) -> None:
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.kinds.add("integer")

    def _add_float(self, text: str) -> None:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self.kinds.add("text")
            return
        mantissa = re.split("[eE]", text)[0].lstrip("+-").replace(".", "").strip("0")
        # A Float32 holds whole numbers up to 2^23 with a fraction, and no more than nine digits in any case.
        self.wide_float |= not -(2**23) <= value < 2**23 or len(mantissa) > 9
        self.kinds.add("float")

    def _add_array(self, items: Sequence[Any]) -> None:
        self.kinds.add("array")
        self.elements += len(items)
        if self.items is None:
            self.items = ValueSummary(fractions=self.fractions)
        for item in items:
            if isinstance(item, (dict, list)):
                self.items.kinds.add("text")
                self.items.count += 1
            elif item is not None:
                self.items.add_json(item)

    def _add_pattern(self, text: str) -> None:
        if match := _DATE_RE.fullmatch(text):
            year = self._valid(match, 3)
            self.wide_time |= year is not None and not 1970 <= year <= 2148
            self.kinds.add("date" if year is not None else "text")
        elif match := _TIME_RE.fullmatch(text):
            self._add_time(match)
        else:
            self.kinds.add("text")

    def _add_time(self, match: re.Match[str]) -> None:
        year = self._valid(match, 6)
        fraction = match[7]
        if year is None or (fraction and len(fraction) != 3 and (not self.fractions or len(fraction) > 9)):
            self.kinds.add("text")
            return
        self.wide_time |= not 1970 <= year <= 2105
        if fraction:
            self.digits = max(self.digits, 3 if len(fraction) <= 3 else 6 if len(fraction) <= 6 else 9)
        self.kinds.add("fraction" if fraction else "time")

    @staticmethod
    def _valid(match: re.Match[str], parts: int) -> int | None:
        """Return the year when it is a date of the calendar between 1900 and 2299."""
        numbers = [int(match[index + 1]) for index in range(parts)]
        try:
            date(*numbers[:3]) if parts == 3 else datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001
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
