"""Time zones: the zone objects of a name, and local clock times -> UTC, a whole column at a time.

ClickHouse writes a DateTime as the clock on the wall of the column's zone showed it. When clocks are set back, one
hour is shown twice, and the text does not say which of the two was meant. The first one is taken, and a note is made.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from tinymagic.frames.base import Notes

_FIXED_RE = re.compile(r"Fixed/UTC([+-])(\d\d):(\d\d):(\d\d)")
_DAY_S = 86_400


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """Return the zone called *name*: an IANA name, or ClickHouse's own ``Fixed/UTC+05:30:00``.

    Raises:
        ValueError: this Python does not know the zone.
    """
    if name == "UTC":
        return timezone.utc
    if match := _FIXED_RE.fullmatch(name):
        sign, hours, minutes, seconds = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"the time zone {name!r} is unknown here; install the package tzdata, or select toTimeZone(column, 'UTC')"
        ) from error


def pandas_zone(name: str) -> str | tzinfo:
    """Return what to give pandas as ``tz``: the name where pandas knows it, so that its own default class is used."""
    zone = zone_of(name)
    return name if isinstance(zone, ZoneInfo) or name == "UTC" else zone


def utc_from_local(local: np.ndarray[Any, Any], name: str, notes: Notes) -> np.ndarray[Any, Any]:
    """Turn clock times of the zone *name* into UTC.

    Args:
        local: datetime64 of any unit, in the zone's clock time; NaT stays NaT.
        name: the zone.
        notes: gets a sentence when a time occurs twice on that clock.

    Returns:
        A new datetime64 array of the same unit and length, in UTC.
    """
    zone = zone_of(name)
    if name == "UTC":
        return local
    seconds = local.astype("datetime64[s]").astype(np.int64)
    present = ~np.isnat(local)
    offsets = np.zeros(len(local), dtype=np.int64)
    days = seconds[present] // _DAY_S
    unique_days, place = np.unique(days, return_inverse=True)
    # One look-up for each day; only days on which the clock is changed are looked at value by value.
    day_offsets = np.array([_offset_of_day(int(day), zone) for day in unique_days.tolist()], dtype=np.float64)
    found = day_offsets[place] if len(unique_days) else np.empty(0)
    for index in np.flatnonzero(np.isnan(found)):
        found[index] = _offset_at(int(seconds[present][index]), zone, name, notes)
    offsets[present] = found.astype(np.int64)
    shift = offsets.astype("timedelta64[s]").astype(f"timedelta64[{np.datetime_data(local.dtype)[0]}]")
    utc: np.ndarray[Any, Any] = local - shift
    return utc


def _offset_of_day(day: int, zone: tzinfo) -> float:
    """Return the zone's offset in seconds, the same all day; NaN on a day when it changes."""
    midnight = datetime.combine(date(1970, 1, 1) + timedelta(days=day), time(0), tzinfo=zone)
    first, last = midnight.utcoffset(), (midnight + timedelta(days=1)).replace(fold=1).utcoffset()
    if first is None or first != last:
        return float("nan")
    return first.total_seconds()


def _offset_at(second: int, zone: tzinfo, name: str, notes: Notes) -> float:
    clock = datetime(1970, 1, 1) + timedelta(seconds=second)  # noqa: DTZ001 - a clock time, its zone comes next
    first = clock.replace(tzinfo=zone, fold=0).utcoffset()
    second_time = clock.replace(tzinfo=zone, fold=1).utcoffset()
    assert first is not None  # a zone always has an offset
    assert second_time is not None
    if second_time < first:
        notes.add(
            f"Column {notes.column!r}: {clock} occurs twice on the clock of {name} and JSON does not tell which is "
            "meant; the first was taken, for this and like values. Parquet, or toTimeZone(column, 'UTC'), is exact."
        )
    return first.total_seconds()
