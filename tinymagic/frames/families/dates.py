# ruff: noqa: D102, ARG002 - what the methods promise is written once, at ClickHouseType
"""Date, Date32, DateTime and DateTime64: datetime64 columns, with the zone the type names.

| ClickHouse | column | inside arrays, maps and tuples |
|---|---|---|
| Date, Date32 | datetime64[s] | datetime.date |
| DateTime, DateTime('Zone') | datetime64[s], datetime64[s, Zone] | pandas.Timestamp of that unit and zone |
| DateTime64(p) | unit s for p = 0, ms for 1 to 3, us for 4 to 6, ns for 7 to 9; with the zone likewise | the same |

Where `Notes.plain` asks for values of the standard library, those with microseconds or less are datetime.datetime.

A type without a zone is in the server's zone, which is UTC; its column has no zone. NULL is NaT, and ``None`` inside
containers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.arrow_buffers import mask_of, values_of
from tinymagic.frames.base import ClickHouseType, Column, Notes, arguments_of, register
from tinymagic.frames.zones import pandas_zone, utc_from_local, zone_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.syntax import Item

_NAT = np.iinfo(np.int64).min
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# The last and first seconds that 64 bits of nanoseconds can say; DateTime64(7) and (8) reach further.
_NS_RANGE = ("1677-09-21 00:12:44", "2262-04-11 23:47:16.854775807")


def _moments(texts: Sequence[Any], unit: str) -> np.ndarray[Any, Any]:
    """Read ISO texts; ``None`` becomes NaT."""
    # A number would be taken for a count of ticks. Texts are read straight from the list: by way of an array of bytes
    # it is no quicker, and numpy before 2 crashes the process there when a text is no date.
    if not set(map(type, texts)) <= {str, type(None)}:
        raise TypeError("a date is not a text")
    first = next((text for text in texts if text is not None), "2024-01-01")
    if first[4:5] != "-" or first.endswith("Z"):
        raise ValueError(f"{first!r} is not in ClickHouse's simple form; leave date_time_output_format as it is")
    return np.array(texts, dtype=f"datetime64[{unit}]")


@dataclass(frozen=True, kw_only=True)
class Date(ClickHouseType):
    """A day."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        cells: list[Any] = _moments(values, "D").tolist()
        return cells

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        if not str(array.type).startswith("date32"):
            # Some versions of the service write the count of days since 1970-01-01.
            cells: list[Any] = np.array([_NAT if n is None else n for n in array.to_pylist()], "M8[D]").tolist()
            return cells
        return list(array.to_pylist())

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        return np.array(cells, dtype="datetime64[D]").astype("datetime64[s]")

    def column_from_json(self, values: Sequence[Any], notes: Notes) -> Column:
        return _moments(values, "D").astype("datetime64[s]")

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        if str(chunked.type) == "date32[day]":
            chunked = chunked.cast("int32")
        days = values_of(chunked, np.int64)
        days *= 86_400
        if chunked.null_count:
            days[mask_of(chunked)] = _NAT
        return days.view("datetime64[s]")


@dataclass(frozen=True, kw_only=True)
class DateTime(ClickHouseType):
    """A moment, to the second or finer."""

    unit: str
    zone: str | None

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return self._cells(self._utc_from_json(values, notes), notes)

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        import pyarrow as pa

        return self._cells(self._utc_from_arrow(pa.chunked_array([array])), notes)

    def column_from_json(self, values: Sequence[Any], notes: Notes) -> Column:
        return self._in_zone(self._utc_from_json(values, notes))

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        return self._in_zone(self._utc_from_arrow(chunked))

    def _utc_from_json(self, values: Sequence[Any], notes: Notes) -> np.ndarray[Any, Any]:
        if self.unit == "ns":
            self._check_range(values)
        moments = _moments(values, self.unit)
        return moments if self.zone is None else utc_from_local(moments, self.zone, notes)

    def _utc_from_arrow(self, chunked: Any) -> np.ndarray[Any, Any]:
        # Some versions of the service write a DateTime as the plain count of seconds.
        written = str(chunked.type)
        unit = written[len("timestamp[") :].split(",")[0].rstrip("]") if written.startswith("timestamp") else "s"
        ticks = values_of(chunked.cast("int64"), np.int64)
        more, fewer = _TICKS[self.unit], _TICKS[unit]
        if fewer > more:
            ticks //= fewer // more
        elif more > fewer:
            ticks *= more // fewer
        if chunked.null_count:
            ticks[mask_of(chunked)] = _NAT
        moments: np.ndarray[Any, Any] = ticks.view(f"datetime64[{self.unit}]")
        return moments

    def _in_zone(self, utc: np.ndarray[Any, Any]) -> Column:
        if self.zone is None:
            return utc
        import pandas as pd

        series = pd.Series(utc, copy=False)
        return series.dt.tz_localize("UTC").dt.tz_convert(pandas_zone(self.zone)).array

    def _cells(self, utc: np.ndarray[Any, Any], notes: Notes) -> list[Any]:
        if notes.plain and self.unit != "ns":
            moments: list[datetime | None] = utc.tolist()
            if self.zone is None:
                return moments
            zone = zone_of(self.zone)
            return [None if m is None else m.replace(tzinfo=timezone.utc).astimezone(zone) for m in moments]
        import pandas as pd

        column = pd.Series(self._in_zone(utc), copy=False)
        return [None if cell is pd.NaT else cell for cell in column.astype(object)]

    @staticmethod
    def _check_range(texts: Sequence[Any]) -> None:
        for text in texts:
            if text is not None and not _NS_RANGE[0] < text <= _NS_RANGE[1]:
                raise ValueError(f"{text} does not fit 64 bits of nanoseconds; select toDateTime64(column, 6)")


@register("Date", "Date32")
def _date(item: Item) -> ClickHouseType:
    return Date(str(item))


@register("DateTime", "DateTime32")
def _datetime(item: Item) -> ClickHouseType:
    zones = [argument[0].value for argument in arguments_of(item)]
    return DateTime(str(item), unit="s", zone=zones[0] if zones else None)


def unit_of(precision: int) -> str:
    """Return the numpy unit that holds *precision* digits after the second: s, ms, us or ns."""
    if not 0 <= precision <= 9:
        raise ValueError("the precision is 0 to 9")
    return ("s", "ms", "us", "ns")[-(-precision // 3)]


@register("DateTime64")
def _datetime64(item: Item) -> ClickHouseType:
    precision, *zones = [argument[0].value for argument in arguments_of(item)] or ["3"]
    return DateTime(str(item), unit=unit_of(int(precision)), zone=zones[0] if zones else None)
