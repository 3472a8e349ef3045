"""Reading a reply of the service whose shape is not sure: what is missing is empty, what is odd is left out. Pure.

The generations of the service (Classic, Forward, Local) differ in which keys they send. A result type reads each key
through these functions, so that no reply can end in a ``KeyError``, and keeps the whole reply in its ``raw``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any


def text(value: Any) -> str:
    """Return a text; ``""`` for nothing.

    Example:
        >>> text("a"), text(None), text(3)
        ('a', '', '3')
    """
    return "" if value is None else str(value)


def text_or_none(value: Any) -> str | None:
    """Return a text that is not empty and no flag, else ``None``."""
    return None if value is None or isinstance(value, bool) or value == "" else str(value)


def count(value: Any) -> int | None:
    """Return a whole number, also out of a text; ``None`` for anything else.

    Example:
        >>> count("12"), count(None), count(True), count("many")
        (12, None, None, None)
    """
    if isinstance(value, bool):
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """Return a number, also out of a text; ``None`` for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def flag(value: Any) -> bool | None:
    """Return a truth value, also out of ``"true"`` or 0 and 1; ``None`` for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value).lower())


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object of JSON; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a list of JSON; none for anything else."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def texts(value: Any) -> tuple[str, ...]:
    """Return the texts in a list of JSON, one text as a list of one; nothing empty."""
    items = value if isinstance(value, list) else [] if value is None or isinstance(value, Mapping) else [value]
    return tuple(found for each in items if not isinstance(each, (Mapping, list)) and (found := text(each)))


def names(value: Any) -> tuple[str, ...]:
    """Return names out of a list whose members are names or objects with a ``name``."""
    items = value if isinstance(value, list) else []
    found = (text(each.get("name")) if isinstance(each, Mapping) else text(each) for each in items)
    return tuple(name for name in found if name)


def moment(value: Any) -> datetime | None:
    """Return a point in time with the zone UTC; ``None`` for what is none.

    The service writes ``YYYY-MM-DD HH:MM:SS.ffffff`` without a zone and means UTC; variables have a ``T``.

    Example:
        >>> moment("2026-01-02 03:04:05.678")
        datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)
    """
    written = text(value).strip().replace("Z", "+00:00")
    if "." in written:
        # Before Python 3.11 only 3 or 6 digits of a second are read.
        head, _, tail = written.partition(".")
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        written = f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}"
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        return None
    return read.replace(tzinfo=timezone.utc) if read.tzinfo is None else read.astimezone(timezone.utc)


class Frozen(Mapping[str, Any]):
    """A mapping that cannot be changed, and unlike Python's own read-only view can be copied and pickled.

    It is equal to a dictionary of the same members.

    Example:
        >>> Frozen({"name": "events"})["name"]
        'events'
        >>> Frozen({"name": "events"}) == {"name": "events"}
        True
    """

    __slots__ = ("_members",)

    _members: dict[str, Any]

    def __init__(self, members: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "_members", dict(members or {}))

    def __getitem__(self, key: str) -> Any:
        return self._members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(self._members)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("What the service said cannot be changed; make a dict(...) of it.")

    def __reduce__(self) -> tuple[type[Frozen], tuple[dict[str, Any]]]:
        return Frozen, (self._members,)


def frozen(reply: Mapping[str, Any]) -> Frozen:
    """Return a read-only copy of *reply*, for ``raw``."""
    return Frozen(reply)
