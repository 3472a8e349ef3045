"""Rows as lines of NDJSON. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from tinymagic.api.errors import InvalidInput


def json_line(place: int, row: object) -> bytes:
    r"""Write one row as a line of NDJSON, its line end included.

    Dates, decimals, UUIDs and addresses become text, as the service wants them; NaN becomes null.

    Args:
        place: of the row, for errors.
        row: a dictionary.

    Raises:
        InvalidInput: it is none, or holds what JSON has no form for.

    Example:
        >>> json_line(0, {"n": 1, "who": "ü"}).decode()
        '{"n": 1, "who": "ü"}\n'
    """
    if not isinstance(row, Mapping):
        raise InvalidInput(f"Row {place} is {type(row).__name__}; each row must be a dictionary.")
    try:
        text = json.dumps(dict(row), default=_json_value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        text = _with_nulls(place, row, error)
    return (text + "\n").encode("utf-8", "replace" if _lone_surrogates(text) else "strict")


def _lone_surrogates(text: str) -> bool:
    # Half a character: no UTF-8 can say it. ASCII is the usual case and costs nothing.
    return not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text)


def _with_nulls(place: int, row: Mapping[Any, Any], error: Exception) -> str:
    """Write a row once more with null for NaN, unless something else was wrong with it."""
    if isinstance(error, ValueError) and "Out of range float" in str(error):
        try:
            return json.dumps(_without_nan(dict(row)), default=_json_value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as other:
            error = other
    raise InvalidInput(f"Row {place} cannot be written as JSON: {error}.") from None


def _without_nan(value: Any) -> Any:
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
        return value.isoformat(sep=" ")
    if isinstance(value, (date, Decimal, uuid.UUID, IPv4Address, IPv6Address)):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def bounded(lines: list[bytes], start: int, stop: int) -> bytes:
    """Join lines from *start* to before *stop*."""
    return b"".join(lines[start:stop])
