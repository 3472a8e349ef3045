"""Small requests: events whose every value plainly fits its column, written as rows that the engine just reads.

The expressions of `conversion.py` decide about everything that comes in, but the engine needs 30 to 50 ms to analyse
them, for one row as for a thousand. Reading rows of the right types takes it 5 to 10 ms. So a small request is looked
at here first. This module does not decide what fits: it recognises what the expressions would take without doubt, and
writes down the very value that they would make. At the first doubt (a default of an array, a date with a zone, a float
where text should be, a key twice) it gives up on the request, and the expressions see it. A test holds both ways
against each other.

Pure: lines in, lines out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from math import isinf
from typing import TYPE_CHECKING, Any, NoReturn

from tinymagic.local.engine import quote_identifier
from tinymagic.local.tables.schema import jsonpath_steps, split_at_objects
from tinymagic.local.tables.type_names import TypeName, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.local.tables.schema import Column


_TIME_RE = re.compile(r"((?:19[789]|20[0-9])[0-9]-[01][0-9]-[0-3][0-9])[T ]([0-2][0-9]:[0-5][0-9]:[0-5][0-9])"
                      r"(?:\.([0-9]{1,9}))?Z?", re.ASCII)  # fmt: skip
_DATE_RE = re.compile(r"(?:19[789]|20[0-9])[0-9]-[01][0-9]-[0-3][0-9]", re.ASCII)
_UUID_RE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)

_INTEGERS = {f"{sign}Int{bits}": (bits, sign) for bits in (8, 16, 32, 64) for sign in ("", "U")}
_LEAST_INT64, _MOST_UINT64 = -(2**63), 2**64 - 1

_MOST_FLOAT32 = 3.4e38

_quote = json.JSONEncoder(ensure_ascii=False).encode


class _Doubt(Exception):  # noqa: N818 - says what it is
    """Not plain: the expressions decide."""


class _Number(str):
    """A number with a fraction or an exponent, as it is written."""

    __slots__ = ()


@dataclass(frozen=True)
class PlainRows:
    """What a request became.

    Attributes:
        text: rows as ``JSONCompactEachRow``, one a line.
        events: the same as Python values.
    """

    text: bytes
    events: list[dict[str, Any]]


@dataclass(frozen=True)
class _Field:
    path: tuple[str, ...]
    write: Callable[[Any], str]
    may_miss: bool
    inside: tuple[str, ...] = ()  # Path in the objects of an array.


class PlainEvents:
    """Recognises plain events of one Data Source; made by `of`."""

    def __init__(self, columns: Sequence[Column], fields: Sequence[_Field]) -> None:
        self._fields = fields
        self._decode = json.JSONDecoder(
            parse_float=_number, parse_constant=_no_constant, object_pairs_hook=_without_twins
        ).decode
        self.names = ", ".join(quote_identifier(column.name) for column in columns)
        self.structure = ", ".join(f"{quote_identifier(column.name)} {_read_type(column)}" for column in columns)

    @classmethod
    def of(cls, columns: Sequence[Column]) -> PlainEvents | None:
        """Return what recognises events for *columns*, or ``None`` when a type or a jsonpath is beyond it."""
        inserted = [column for column in columns if column.is_inserted]
        fields = []
        for column in inserted:
            array, objects = split_at_objects(column.jsonpath or f"$['{column.name}']")
            path, inside = jsonpath_steps(array), jsonpath_steps(objects)
            write = _writer(type_name(column.type))
            if write is None or not path or not all(isinstance(step, str) for step in [*path, *inside]):
                return None
            nullable = column.nullable or _inner(column).family == "Nullable"
            # The reader has no word for "nothing" where an array stands, only for an empty one.
            may_miss = nullable or (bool(column.default) and not type_name(column.type).is_composite)
            fields.append(_Field(tuple(map(str, path)), write, may_miss, tuple(map(str, inside))))
        return cls(inserted, fields) if fields else None

    def rows(self, lines: bytes) -> PlainRows | None:
        """Return the events of a body, or ``None`` when one of them is not plain."""
        events, rows = [], []
        try:
            for line in lines.decode().split("\n"):
                event = self._decode(line)
                if type(event) is not dict:
                    return None
                if "\\u" in line:
                    _quote(event).encode()  # Half a surrogate pair is no text for the engine, wherever it is.
                events.append(event)
                rows.append(self._row(event))
            return PlainRows("\n".join(rows).encode(), events)
        except (_Doubt, ValueError, RecursionError):
            return None

    def _row(self, event: dict[str, Any]) -> str:
        texts = []
        for field in self._fields:
            value = _at(event, field.path)
            if field.inside and type(value) is list:
                value = [_at(each, field.inside) for each in value]
            if value is not None:
                texts.append(field.write(value))
            elif field.may_miss:
                texts.append("null")
            else:
                raise _Doubt
        return "[" + ",".join(texts) + "]"


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if type(value) is dict else None
    return value


def _inner(column: Column) -> TypeName:
    """Return the type in ``LowCardinality(...)``, else the type itself."""
    type_ = type_name(column.type)
    return type_.argument(0) if type_.family == "LowCardinality" else type_


def _read_type(column: Column) -> str:
    """Return the type as which the engine reads the value; NULL stands for "no value" there."""
    type_ = _inner(column)
    if type_.is_composite or type_.family == "Nullable":
        return type_.text
    return f"Nullable({type_.text})"


def _writer(type_: TypeName) -> Callable[[Any], str] | None:
    family = type_.family
    if family in ("LowCardinality", "Nullable"):
        return _writer(type_.argument(0))
    if family == "Array":
        return _array_writer(type_.argument(0))
    if family == "Map":
        return _map_writer(type_)
    if family in _INTEGERS:
        return _integer_writer(family)
    if family == "DateTime" and not type_.arguments:
        return _time_writer(0, cut=True)
    if family == "DateTime64" and len(type_.arguments) < 2:
        return _time_writer(int(type_.arguments[0]) if type_.arguments else 3, cut=False)
    return {
        "String": _text,
        "Float64": _float,
        "Float32": _small_float,
        "Bool": _bool,
        "Date": _date,
        "UUID": _uuid,
    }.get(family)


def _text(value: Any) -> str:
    if type(value) is str:
        return _quote(value)
    if type(value) is int and _LEAST_INT64 <= value <= _MOST_UINT64:
        return f'"{value}"'
    raise _Doubt


def _float(value: Any) -> str:
    if type(value) is _Number:
        return value
    if type(value) is int and _LEAST_INT64 <= value <= _MOST_UINT64:
        return str(value)
    raise _Doubt


def _small_float(value: Any) -> str:
    if type(value) is _Number and abs(float(value)) > _MOST_FLOAT32:
        raise _Doubt
    return _float(value)


def _bool(value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    raise _Doubt


def _date(value: Any) -> str:
    if type(value) is str and _DATE_RE.fullmatch(value):
        date.fromisoformat(value)  # ValueError for 31 February.
        return f'"{value}"'
    raise _Doubt


def _uuid(value: Any) -> str:
    if type(value) is str and _UUID_RE.fullmatch(value):
        return f'"{value}"'
    raise _Doubt


def _integer_writer(family: str) -> Callable[[Any], str]:
    bits, sign = _INTEGERS[family]
    low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def write(value: Any) -> str:
        if type(value) is int and low <= value <= high:
            return str(value)
        if family == "UInt8" and type(value) is bool:
            return "1" if value else "0"
        raise _Doubt

    return write


def _time_writer(digits: int, *, cut: bool) -> Callable[[Any], str]:
    """Write times of UTC; digits after the second which do not fit are in doubt, or dropped with *cut*."""

    def write(value: Any) -> str:
        match = _TIME_RE.fullmatch(value) if type(value) is str else None
        if match is None or match[2] >= "24":
            raise _Doubt
        date.fromisoformat(match[1])
        fraction = match[3] or ""
        if cut or not fraction:
            return f'"{match[1]} {match[2]}"'
        if len(fraction) > digits:
            raise _Doubt
        return f'"{match[1]} {match[2]}.{fraction}"'

    return write


def _array_writer(element: TypeName) -> Callable[[Any], str] | None:
    inner = _writer(element)
    if inner is None:
        return None
    # Of NULL among texts the expressions have their own opinion.
    write, nullable = inner, element.family == "Nullable" and element.arguments[0] != "String"

    def write_array(value: Any) -> str:
        if type(value) is not list:
            raise _Doubt
        return "[" + ",".join("null" if each is None and nullable else write(each) for each in value) + "]"

    return write_array


def _map_writer(type_: TypeName) -> Callable[[Any], str] | None:
    key = type_.argument(0)
    inner = _writer(type_.argument(1))
    if inner is None or (key.argument(0) if key.family == "LowCardinality" else key).family != "String":
        return None
    write, nullable = inner, type_.argument(1).family == "Nullable"

    def write_map(value: Any) -> str:
        if type(value) is not dict:
            raise _Doubt
        pairs = ((name, "null" if each is None and nullable else write(each)) for name, each in value.items())
        return "{" + ",".join(f"{_quote(name)}:{text}" for name, text in pairs) + "}"

    return write_map


def _number(text: str) -> _Number:
    value = float(text)
    if isinf(value) or (not value and text[0] == "-"):
        raise ValueError("The first is no JSON for the engine, and it is not of one mind about the sign of zero.")
    return _Number(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object. Of a key that is there twice the engine takes the first value, Python the last."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made
