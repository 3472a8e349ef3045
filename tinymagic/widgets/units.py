"""Numbers and times as people read them. Pure."""

from __future__ import annotations

from datetime import datetime, timezone

_BYTES = ("B", "KB", "MB", "GB", "TB", "PB")
_COUNTS = ("", " K", " M", " B")


def size(count: float | None) -> str:
    """Return bytes in the unit that fits; nothing for ``None``.

    Example:
        >>> size(0), size(1536), size(48_000_000)
        ('0 B', '1.5 KB', '48 MB')
    """
    return _scaled(count, 1_000, _BYTES, " ")


def rows(count: float | None) -> str:
    """Return a number of rows: whole below ten thousand, then short; nothing for ``None``.

    Example:
        >>> rows(9_999), rows(336_776), rows(2_500_000)
        ('9,999', '337 K', '2.5 M')
    """
    if count is None or abs(count) < 10_000:
        return "" if count is None else f"{count:,.0f}"
    return _scaled(count, 1_000, _COUNTS, "")


def _scaled(count: float | None, step: int, units: tuple[str, ...], gap: str) -> str:
    if count is None:
        return ""
    value, place = float(count), 0
    while abs(value) >= step - 0.5 and place < len(units) - 1:
        value, place = value / step, place + 1
    text = f"{value:.0f}" if value >= 99.95 or place == 0 else f"{value:.1f}".removesuffix(".0")
    return f"{text}{gap}{units[place]}"


def took(seconds: float | None) -> str:
    """Return how long something took, in the two units that fit; nothing for ``None``.

    Example:
        >>> took(0.04), took(7.25), took(125), took(4_320)
        ('40 ms', '7.2 s', '2 min 5 s', '1 h 12 min')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600:,} h {whole % 3_600 // 60} min"


def ago(moment: datetime | None, *, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in one unit; nothing for ``None``.

    Args:
        moment: with a time zone; without one it is UTC.
        now: the present.

    Example:
        >>> from datetime import timedelta
        >>> present = datetime(2026, 1, 31, tzinfo=timezone.utc)
        >>> ago(present - timedelta(minutes=5), now=present), ago(present - timedelta(days=3), now=present)
        ('5 min ago', '3 days ago')
    """
    if moment is None:
        return ""
    present = now or datetime.now(timezone.utc)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    seconds = (present - moment).total_seconds()
    for limit, unit_s, name in ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h")):
        if seconds < limit:
            return "now" if seconds < 5 else f"{seconds // unit_s:.0f} {name} ago"
    days = int(seconds // 86_400)
    if days < 60:
        return f"{days} day{'s' * (days > 1)} ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"
