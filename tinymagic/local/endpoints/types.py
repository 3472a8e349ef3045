"""Types of columns and of template parameters in the words of JSON Schema, as OpenAPI 3.0 has them."""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}

_SIMPLE: dict[str, Schema] = {
    "Bool": {"type": "boolean"},
    "Boolean": {"type": "boolean"},
    "Float32": {**_NUMBER, "format": "float"},
    "Float64": {**_NUMBER, "format": "double"},
    "BFloat16": {**_NUMBER, "format": "float"},
    "Date": {**_TEXT, "format": "date"},
    "Date32": {**_TEXT, "format": "date"},
    "UUID": {**_TEXT, "format": "uuid"},
    "IPv4": {**_TEXT, "format": "ipv4"},
    "IPv6": {**_TEXT, "format": "ipv6"},
    "JSON": {"type": "object"},
    "Object": {"type": "object"},
    "Int": {**_INTEGER, "format": "int32"},
    "Integer": {**_INTEGER, "format": "int32"},
}

#: Types that JSON shows as text or number without more to say; `_integer` and `_SIMPLE` know the others.
_NUMBERS = ("Decimal", "Decimal32", "Decimal64", "Decimal128", "Decimal256")

_INTEGER_RE = re.compile(r"(U?)Int(8|16|32|64|128|256)")
_CALL_RE = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_FIELD_RE = re.compile(r"(?:`((?:[^`\\]|\\.)+)`|(\w+))\s+(.+)", re.DOTALL)


def column_schema(type_name: str) -> Schema:
    """Return the schema of a ClickHouse type as FORMAT JSON writes its values, 64-bit integers without quotes.

    Example:
        >>> column_schema("Array(Nullable(UInt8))")
        {'type': 'array', 'items': {'type': 'integer', 'minimum': 0, 'format': 'int32', 'nullable': True}}
    """
    type_name = type_name.strip()
    if (known := _plain(type_name)) is not None:
        return known
    called = _CALL_RE.fullmatch(type_name)
    if called is None:
        return dict(_TEXT)
    name, inside = called[1], called[2]
    if name in ("LowCardinality", "SimpleAggregateFunction"):
        return column_schema(_parts(inside)[-1])
    if name == "Nullable":
        return {**column_schema(inside), "nullable": True}
    if name == "Array":
        return {"type": "array", "items": column_schema(inside)}
    if name == "Map":
        return {"type": "object", "additionalProperties": column_schema(_parts(inside)[-1])}
    if name == "Nested":
        return {"type": "array", "items": _tuple_schema(inside)}
    if name == "Tuple":
        return _tuple_schema(inside)
    if name in _NUMBERS:
        return dict(_NUMBER)
    if name in ("JSON", "Object"):
        return {"type": "object"}
    return dict(_TEXT)


def parameter_schema(type_name: str) -> Schema:
    """Return the schema of a template parameter's type, for instance ``Array(Int32)``."""
    called = _CALL_RE.fullmatch(type_name)
    if called is not None and called[1] == "Array":
        return {"type": "array", "items": parameter_schema(called[2])}
    if type_name == "JSON":  # It comes as text in the URL.
        return dict(_TEXT)
    if type_name == "DateTime":
        return {**_TEXT, "format": "date-time"}
    return _plain(type_name) or dict(_TEXT)


def _plain(type_name: str) -> Schema | None:
    """Return the schema of a type without parentheses, ``None`` when it has nothing to say."""
    if type_name in _SIMPLE:
        return dict(_SIMPLE[type_name])
    integer = _INTEGER_RE.fullmatch(type_name)
    if integer is None:
        return dict(_NUMBER) if type_name in _NUMBERS else None
    schema: Schema = {**_INTEGER, "minimum": 0} if integer[1] else dict(_INTEGER)
    # UInt32 does not fit into 32 bits with a sign.
    bits = int(integer[2]) * (2 if integer[1] else 1)
    if bits <= 64:
        schema["format"] = "int32" if bits <= 32 else "int64"
    return schema


def _tuple_schema(inside: str) -> Schema:
    """Return the schema of a tuple: an object when its members have names, else a list."""
    fields = {}
    for part in _parts(inside):
        field = _FIELD_RE.fullmatch(part.strip())
        if field is None:
            return {"type": "array", "items": {}}
        fields[field[1] or field[2]] = column_schema(field[3])
    return {"type": "object", "properties": fields}


def _parts(text: str) -> list[str]:
    """Split the arguments of a type at the commas that stand outside of parentheses and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    skip = False
    for position, character in enumerate(text):
        if skip:
            skip = False
        elif character == "\\" and quote:
            skip = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'`":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "," and not depth:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]
