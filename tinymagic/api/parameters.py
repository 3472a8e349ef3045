"""How Python values travel as request parameters. Pure.

| Python | text |
|---|---|
| ``None`` | not sent: the template's default is used |
| bool | ``true``, ``false`` |
| int, float, Decimal, UUID, str | as ``str`` writes it |
| date | ``2024-01-31`` |
| datetime, Timestamp | ``2024-01-31 10:00:00``; with a zone: the same moment in UTC, which is what a DateTime means |
| list, tuple, ndarray, Series | the elements joined by commas; an element with a comma is refused |
| dict | JSON |

Names that the API keeps for itself are refused, since a value under such a name would not reach the template
(``query.md`` section 1.2, ``errors-and-limits.md`` section 5).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any

from tinymagic.api.errors import InvalidInput

RESERVED_NAMES = frozenset(
    """
    q token format from debug debug_source_tables pipe_checker cli_version playground pipeline explain
    release_replacements template_parameters finalize_aggregations query_id tag
    output_format_json_quote_64bit_integers output_format_json_quote_denormals output_format_parquet_string_as_string
    """.split()
)
_RESERVED_PREFIX = "__tb__"


def request_parameters(values: Mapping[str, object] | None) -> dict[str, str]:
    """Return name -> text for *values*; those that are ``None`` are left out.

    Raises:
        InvalidInput: a reserved name, or a value that cannot travel.

    Example:
        >>> request_parameters({"ids": [1, 2], "active": True, "since": None})
        {'ids': '1,2', 'active': 'true'}
    """
    sent: dict[str, str] = {}
    for name, value in (values or {}).items():
        _check_name(name)
        if value is not None:
            try:
                text = _text(name, value)
            except InvalidInput:
                raise
            except (RecursionError, TypeError, ValueError) as error:
                # What holds itself, a whole number of thousands of digits, a dictionary with keys that JSON has not.
                raise InvalidInput(f"The parameter {name!r} cannot be written as a text: {error}.") from None
            sent[name] = checked_unicode(text, f"The parameter {name!r}")
    return sent


def checked_unicode(text: str, what: str) -> str:
    """Return *text* if it can be sent.

    Raises:
        InvalidInput: there is half a character in it, as damaged JSON or file names can give.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} holds half a character at offset {error.start}; it cannot be sent.") from None
    return text


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"The name of a parameter is a text, not {name!r}.")
    if name in RESERVED_NAMES or name.startswith(_RESERVED_PREFIX):
        raise InvalidInput(
            f"The parameter name {name!r} belongs to the API and would not reach the query. "
            f"Call it something else, for instance {'p_' + name.lstrip('_')!r}."
        )


def _text(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value, default=str)
    if not isinstance(value, str) and hasattr(value, "tolist"):
        # numpy's scalars and arrays, and pandas' Series; a scalar gives a plain Python value.
        value = value.tolist()
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return _joined(name, list(value))
    return _scalar(name, value)


def _joined(name: str, values: list[Any]) -> str:
    texts = [_text(name, each) if each is not None else "" for each in values]
    for place, text in enumerate(texts):
        if "," in text or values[place] is None or isinstance(values[place], (list, tuple, Mapping)):
            raise InvalidInput(
                f"Element {place} of the parameter {name!r} is {values[place]!r}, but a list travels as its elements "
                "joined by commas, so it can hold neither commas nor NULL nor further lists."
            )
    return ",".join(texts)


def _scalar(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo is not None else value
        # isoformat of a pandas Timestamp keeps its nanoseconds.
        return moment.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidInput(f"The parameter {name!r} is {type(value).__name__}: decode it to text first.")
    return str(value)
