"""Rows as lines of NDJSON. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from tinymagic.api.errors import InvalidInput


def json_line(place: int, row: object) -> bytes:
    r"""Write one row as a line of NDJSON, its line end included.

    Dates, decimals, UUIDs and addresses become text, as the service wants them; NaN and NaT become null. A time without
    a zone is UTC, as it is in a DataFrame; each is written with its offset, since a column may have a zone of its own.

    Args:
        place: of the row, for errors.
        row: a dictionary.

    Raises:
        InvalidInput: it is none, or holds what JSON has no form for; the sentence names the column.

    Example:
        >>> json_line(0, {"n": 1, "who": "ü"}).decode()
        '{"n": 1, "who": "ü"}\n'
    """
    if not isinstance(row, Mapping):
        raise InvalidInput(f"Row {place} is {type(row).__name__}; each row must be a dictionary.")
    try:
        return _encoded(dict(row)) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        return _with_nulls(place, row, error) + b"\n"


def _encoded(value: Any) -> bytes:
    text = json.dumps(value, default=_json_value, ensure_ascii=False, allow_nan=False)
    # Half a character is an error: no UTF-8 can say it, and another sign in its place would be another text.
    return text.encode()


def _with_nulls(place: int, row: Mapping[Any, Any], error: Exception) -> bytes:
    """Write a row once more with null for NaN, unless something else was wrong with it."""
    if isinstance(error, ValueError) and "Out of range float" in str(error):
        try:
            return _encoded(_without_nan(dict(row)))
        except (TypeError, ValueError, RecursionError) as other:
            error = other
    raise InvalidInput(f"Row {place}{_column_of(row)} cannot be written as JSON: {_reason(error)}.") from None


def _column_of(row: Mapping[Any, Any]) -> str:
    """Name the first column that cannot be written; nothing when none of them is it."""
    for name, value in row.items():
        try:
            _encoded({name: _without_nan(value)})
        except (TypeError, ValueError, RecursionError):
            return f", column {name!r},"
    return ""


def _reason(error: Exception) -> str:
    return "half a character" if isinstance(error, UnicodeEncodeError) else str(error)


def _without_nan(value: Any) -> Any:
    # NumPy's own numbers and arrays become Python's, in which NaN is found.
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(each) for each in value]
    return value


def _json_value(value: Any) -> Any:
    from datetime import date, datetime
    from decimal import Decimal
    from ipaddress import IPv4Address, IPv6Address

    if isinstance(value, datetime):
        # NaT is a datetime that is not equal to itself.
        if value != value:
            return None
        written = value.isoformat(sep=" ")
        return f"{written}Z" if value.tzinfo is None else written
    if isinstance(value, (date, Decimal, uuid.UUID, IPv4Address, IPv6Address)):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def bounded(lines: list[bytes], start: int, stop: int) -> bytes:
    """Join lines from *start* to before *stop*."""
    return b"".join(lines[start:stop])
