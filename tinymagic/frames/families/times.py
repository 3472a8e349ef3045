# ruff: noqa: D102, ARG002 - what the methods promise is written once, at ClickHouseType
"""Time and Time64: a span of time since midnight, or a negative one, as timedelta64 of the type's unit.

ClickHouse goes from -999:59:59 to 999:59:59. There is no Parquet form of these types. Inside containers:
pandas.Timedelta; datetime.timedelta where `Notes.plain` asks for the standard library and microseconds are enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.base import ClickHouseType, Column, Notes, arguments_of, register
from tinymagic.frames.families.dates import unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.syntax import Item

_TIME_RE = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,9}))?")
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True, kw_only=True)
class Time(ClickHouseType):
    """A span of time, to the second or finer."""

    unit: str

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        if notes.plain and self.unit != "ns":
            spans: list[Any] = self.column_from_json(values, notes).tolist()
            return spans
        import pandas as pd

        column = pd.Series(self.column_from_json(values, notes), copy=False)
        return [None if cell is pd.NaT else cell for cell in column.astype(object)]

    def column_from_json(self, values: Sequence[Any], notes: Notes) -> Column:
        spans = np.array([self._ticks(value) for value in values], dtype=np.int64)
        return spans.view(f"timedelta64[{self.unit}]")

    def _ticks(self, text: str | None) -> int:
        if text is None:
            return int(np.iinfo(np.int64).min)
        match = _TIME_RE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a time")
        sign, hours, minutes, seconds, fraction = match.groups()
        whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
        ticks = (whole * 10**9 + int((fraction or "").ljust(9, "0"))) // _NANOSECONDS[self.unit]
        return -ticks if sign else ticks


@register("Time")
def _time(item: Item) -> ClickHouseType:
    return Time(str(item), unit="s")


@register("Time64")
def _time64(item: Item) -> ClickHouseType:
    (precision,) = arguments_of(item)
    return Time(str(item), unit=unit_of(int(precision[0].value)))
