"""FORMAT JSON and FORMAT JSONCompact -> rows.

The reply is read once by the standard library (its whole numbers are exact at any size) and turned from rows to
columns; each column then goes to its type. Three things a JSON reader would spoil are looked after before it starts:
numbers with a point are kept as text-exact ``Decimal`` when a column needs that, ``-0`` stays a negative zero, and of
two columns of one name both are kept.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tinymagic.frames.collector import collection_paused
from tinymagic.frames.decoded import Decoded, DecodeError, read_rows, read_types
from tinymagic.frames.families.text import repaired
from tinymagic.frames.results import EXACT_PANDAS
from tinymagic.frames.sources import JsonSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.frames.results import Result

# A key called "data": inside a text its quotes would be escaped, so this is never part of a column's name or type.
_DATA_KEY_RE = re.compile(r'"data"\s*:')
_DECIMAL_RE = re.compile(r'"type":\s*"[^\n]*\bDecimal\d*\(')
# Begins with a literal, which the search engine finds quickly. Inside a text it matches in vain; that only costs time.
_NEGATIVE_ZERO_RE = re.compile(r"-0[\],}\s]")
_NAME_RE = re.compile(r'"name":\s*("(?:[^"\\]|\\.)*")')


class _RowWithRepeats(dict[str, Any]):
    """A row of FORMAT JSON in which a name stands twice: the last value by name, and all of them in order."""

    in_order: tuple[Any, ...]


def decode_json_compact(body: bytes, result: Result = EXACT_PANDAS) -> Decoded:
    """Read the body of a reply in ``FORMAT JSONCompact``.

    Args:
        body: the whole body, UTF-8. ``output_format_json_quote_denormals=1`` keeps NaN and NULL apart in it; without
            that parameter both come as null, which a Nullable column takes for NULL and any other for NaN.
        result: what the rows become.

    Returns:
        The rows (dtypes are there also without any), the types, the statistics and the notices.

    Raises:
        DecodeError: the body is cut short, is not such a reply, or a value is not of its column's type.

    Example:
        >>> decode_json_compact(b'{"meta": [{"name": "n", "type": "UInt8"}], "data": [[1]], "rows": 1}').frame.n.dtype
        dtype('uint8')
    """
    with collection_paused():
        return _decode(body, list, result)


def decode_json(body: bytes, result: Result = EXACT_PANDAS) -> Decoded:
    """Read the body of a reply in ``FORMAT JSON``, whose rows are objects; otherwise as `decode_json_compact`.

    Example:
        >>> decode_json(b'{"meta": [{"name": "n", "type": "UInt8"}], "data": [{"n": 1}], "rows": 1}').frame.n.tolist()
        [1]
    """
    with collection_paused():
        return _decode(body, dict, result)


def _decode(body: bytes, row_type: type[list[Any] | dict[str, Any]], result: Result) -> Decoded:
    text, damaged = repaired(body)
    reply = _parse(text)
    del text
    pairs = _columns(reply)
    data = reply.pop("data")
    if not isinstance(data, list) or reply.get("rows", len(data)) != len(data):
        raise DecodeError(f"The reply says it has {reply.get('rows')} rows, but another number arrived. Run it again.")
    if any(not isinstance(row, row_type) or len(row) != len(pairs) for row in data):
        data = _rows_of_pairs(data, row_type, len(pairs))
    rows = len(data)
    kinds, notices = read_types(pairs)
    if damaged:
        notices.append("The reply held bytes that are not UTF-8; they are shown as U+FFFD.")
    names = [name for name, _ in pairs]
    sources = (JsonSource(_values(data, place, name)) for place, name in enumerate(names))
    return Decoded(
        value=read_rows(names, kinds, sources, rows, result, notices),
        columns=tuple((name, kind.text) for (name, _), kind in zip(pairs, kinds, strict=True)),
        statistics=_statistics(reply),
        rows_before_limit_at_least=reply.get("rows_before_limit_at_least", reply.get("rows_before_limit")),
        notices=tuple(notices),
    )


def _values(data: list[Any], place: int, name: str) -> list[Any]:
    key = name if data and isinstance(data[0], dict) else place
    try:
        return list(map(itemgetter(key), data))
    except KeyError as error:
        raise DecodeError(f"A row of the reply lacks the column {name!r}, which its header names.") from error


def _rows_of_pairs(data: list[Any], row_type: type[Any], width: int) -> list[Any]:
    """Return rows as tuples where a name stands twice; anything else that is odd is damage."""
    if row_type is dict and all(isinstance(row, _RowWithRepeats) and len(row.in_order) == width for row in data):
        return [row.in_order for row in data]
    if data and all(isinstance(row, (list, dict)) and not isinstance(row, row_type) for row in data):
        asked, came = ("JSONCompact", "JSON") if row_type is list else ("JSON", "JSONCompact")
        raise DecodeError(f"The reply is in FORMAT {came}, not in FORMAT {asked}.")
    raise DecodeError(f"A row of the reply does not have {width} values, as its header says it should.")


def _parse(text: str) -> dict[str, Any]:
    # Hooks cost time on every number of the reply, so they are used only when something in it needs them.
    hooks: dict[str, Any] = {}
    data_key = _DATA_KEY_RE.search(text)
    head = text[: data_key.start()] if data_key else text
    if _DECIMAL_RE.search(head):
        hooks["parse_float"] = Decimal
    if _NEGATIVE_ZERO_RE.search(text):
        hooks["parse_int"] = lambda digits: -0.0 if digits == "-0" else int(digits)
    names = _NAME_RE.findall(head)
    if len(set(names)) < len(names):
        hooks["object_pairs_hook"] = _object_of
    try:
        reply = json.loads(text, **hooks)
    except (ValueError, RecursionError) as error:
        raise DecodeError(_sentence(text)) from error
    if isinstance(reply, dict) and "exception" in reply:
        raise DecodeError(f"The query failed while its rows were being sent: {reply['exception']}")
    if not isinstance(reply, dict) or not isinstance(reply.get("meta"), list) or "data" not in reply:
        raise DecodeError("The reply is JSON, but not of FORMAT JSON or JSONCompact: 'meta' or 'data' is missing.")
    return reply


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    row = _RowWithRepeats(plain)
    row.in_order = tuple(value for _, value in pairs)
    return row


def _sentence(text: str) -> str:
    if not text.strip():
        return "The reply is empty; a reply in JSON was expected."
    failure = text.rfind("Code: ")
    if failure > 0 and "Exception" in text[failure:]:
        return f"The query failed while its rows were being sent: {text[failure:].strip()[:500]}"
    if not text.lstrip().startswith("{"):
        return f"The reply is not JSON: it begins with {text[:60]!r}."
    return f"The reply breaks off or is damaged: {len(text)} characters arrived and they are not complete JSON."


def _columns(reply: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        return [(str(column["name"]), str(column["type"])) for column in reply["meta"]]
    except (TypeError, KeyError) as error:
        raise DecodeError("The reply's 'meta' does not give a name and a type for each column.") from error


def _statistics(reply: dict[str, Any]) -> Mapping[str, float] | None:
    statistics = reply.get("statistics")
    if not isinstance(statistics, dict):
        return None
    # Fractions are read as decimals here.
    numbers = {key: value for key, value in statistics.items() if type(value) in (int, float, Decimal)}
    return {key: float(value) if key == "elapsed" else value for key, value in numbers.items()}
