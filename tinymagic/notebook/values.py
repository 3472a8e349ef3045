r"""How a Python value is written in a template, so that the server reads the same value. Pure.

A value becomes two things: a piece of template, which stands in the SQL, and a text, which travels as a request
parameter beside it. The piece is one of the service's own typed calls, inside a ClickHouse function where the call
alone would not give the type:

| Python | piece (``p`` is the parameter) |
|---|---|
| bool | ``toBool({{Boolean(p)}})`` |
| int | ``{{Int64(p)}}``; wider ``UInt64``, ``Int128``, ``Int256``, ``UInt256`` |
| float | ``({{Float64(p) * 1}})`` |
| str | ``{{String(p)}}``, see `_text_call` |
| bytes | ``base64Decode({{String(p)}})`` |
| Decimal | ``toDecimal64({{String(p)}}, 2)``, as wide as its digits need |
| date | ``toDate({{Date(p)}})``, ``toDate32`` outside 1970 to 2149 |
| datetime, Timestamp | ``toDateTime({{DateTime(p)}})``; with a part of a second or outside 1970 to 2106 ``toDateTime64(..., 6)``, with nanoseconds ``9``; aware ones with ``'UTC'`` |
| UUID, IPv4Address, IPv6Address | ``toUUID({{String(p)}})``, ``toIPv4``, ``toIPv6`` |
| None, NA, NaT | ``NULL`` |
| list, tuple, set, range, Series, ndarray | ``CAST({{Array(p,'Int64')}}, 'Array(Int64)')`` for whole numbers, else JSON: ``JSONExtract({{String(p)}}, 'Array(String)')`` |

Three facts of the service decide the odd ones (``templating.md`` sections 2 to 5). ``{{Float64(p)}}`` is written as
``toFloat64('0.1')``, which engines with the fast parser read one bit off; arithmetic takes the cast away, and a bare
number is read exactly. ``{{String(p)}}`` writes ``%`` as ``\%`` and the control sign 26 as ``\z``, which ClickHouse
reads as two characters. And an ``Array(p)`` is split at every comma.
"""  # noqa: E501 - a row of a table is one line

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID


class Unwritable(ValueError):  # noqa: N818 - says what the value is
    """A value that has no exact form in SQL. The text is the end of a sentence that begins with the value's name."""


@dataclass(frozen=True)
class Written:
    """A value, written.

    Attributes:
        template: the piece of template.
        text: what travels as the parameter, or ``None`` when there is no parameter.
        type: ClickHouse type that the server will see.
    """

    template: str
    text: str | None
    type: str


def write_value(value: Any, parameter: str) -> Written:
    """Write *value* under the name *parameter*.

    Raises:
        Unwritable: it has no exact form.

    Example:
        >>> write_value(5, "tm_n")
        Written(template='{{Int64(tm_n)}}', text='5', type='Int64')
        >>> write_value(["a,b"], "tm_x").template
        "JSONExtract({{String(tm_x)}}, 'Array(String)')"
    """
    if _is_list(value):
        return _write_list(value, parameter)
    value = _plain(value)
    kind = _kind(value)
    if kind == "null":
        return Written("NULL", None, "Nullable(Nothing)")
    type_name = _type_of(kind, [value])
    return _write_scalar(kind, value, type_name, parameter)


def write_identifier(value: Any, parameter: str) -> Written:
    """Write a name, or a list of names, as quoted identifiers.

    A dot splits: ``workspace.table`` becomes two identifiers.

    Raises:
        Unwritable: it is no text, or has a sign that would not arrive as it is.

    Example:
        >>> write_identifier("day", "tm_by")
        Written(template='{{column(tm_by)}}', text='day', type='identifier')
    """
    names = list(value) if _is_list(value) else [value]
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise Unwritable(f"is {_shown(name)}, but an identifier is a text.")
        wrong = re.search(r"[%\"\\`\x00-\x1f\x7f]", name)
        if wrong or name != name.strip() or (_is_list(value) and "," in name):
            raise Unwritable(f"is {name!r}: an identifier here has no quotes, commas, backslashes, % or blanks around.")
    if _is_list(value):
        if not names:
            raise Unwritable("is an empty list, but at least one identifier is needed.")
        return Written(f"{{{{columns({parameter})}}}}", ",".join(names), "identifiers")
    return Written(f"{{{{column({parameter})}}}}", str(value), "identifier")


# --- what a value is --------------------------------------------------------------------------------------------------


def _is_list(value: Any) -> bool:
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)):
        return False
    if hasattr(value, "columns"):
        return False
    return isinstance(value, (Sequence, AbstractSet)) or (hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0)


def _plain(value: Any) -> Any:
    """Turn scalars of numpy and pandas into Python's own; missing ones into ``None``."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "pandas" and kind.__name__ in ("NAType", "NaTType"):
        return None
    if package != "numpy":
        return value
    if kind.__name__ == "MaskedConstant":
        return None
    if kind.__name__ == "datetime64":
        import pandas as pd

        return _plain(pd.Timestamp(value))
    item = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if type(item).__module__ == "numpy" or kind.__name__ == "timedelta64":
        raise Unwritable(f"is a numpy {kind.__name__}, which ClickHouse has no equal type for. Convert it in Python.")
    return item


#: Kind -> Python class, in the order in which they are asked: bool is an int, a datetime is a date.
_KINDS: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("bool", bool),
    ("int", int),
    ("float", float),
    ("text", str),
    ("bytes", (bytes, bytearray)),
    ("decimal", Decimal),
    ("moment", datetime),
    ("date", date),
    ("uuid", UUID),
    ("ipv4", ipaddress.IPv4Address),
    ("ipv6", ipaddress.IPv6Address),
)

_ADVICE: tuple[tuple[type, str], ...] = (
    (Mapping, "Take one value out of it: {{ name.key }} or {{ name['key'] }}."),
    (timedelta, "Use its seconds: a number, with toIntervalSecond(...) around it where an interval is needed."),
    (time, "Use a text or a datetime."),
    (complex, "Use its parts, which are floats."),
)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for kind, classes in _KINDS:
        if isinstance(value, classes):
            return kind
    name = type(value).__name__
    advice = next((text for cls, text in _ADVICE if isinstance(value, cls)), "")
    if not advice and hasattr(value, "columns"):
        advice = "Take a column of it: {{ name.column }} becomes an Array."
    elif not advice and isinstance(value, Iterable):
        advice = "Make a list of it first."
    elif not advice:
        advice = "Convert it in Python to a number, a text, a time, or a list of them."
    raise Unwritable(f"is {_article(name)} {name}, which has no form in SQL. {advice}")


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


# --- types ------------------------------------------------------------------------------------------------------------

#: Narrowest first. A bare number of 64 bits without sign is UInt64 to ClickHouse itself.
_INTEGERS: tuple[tuple[str, int, int], ...] = (
    ("Int64", -(1 << 63), (1 << 63) - 1),
    ("UInt64", 0, (1 << 64) - 1),
    ("Int128", -(1 << 127), (1 << 127) - 1),
    ("Int256", -(1 << 255), (1 << 255) - 1),
    ("UInt256", 0, (1 << 256) - 1),
)
_DECIMAL_WIDTHS = ((9, 32), (18, 64), (38, 128), (76, 256))
_DATE = (date(1970, 1, 1), date(2149, 6, 6))
_DATE32 = (date(1900, 1, 1), date(2299, 12, 31))
_DATETIME = (datetime(1970, 1, 1), datetime(2106, 2, 7, 6, 28, 15))  # noqa: DTZ001 - compared without zone, as UTC
_DATETIME64 = (datetime(1900, 1, 1), datetime(2299, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
#: Nanoseconds since 1970 in 64 bits end here.
_NANOSECONDS_END = datetime(2262, 4, 11, 23, 47, 16)  # noqa: DTZ001

_SIMPLE = {
    "bool": "Bool",
    "float": "Float64",
    "text": "String",
    "bytes": "String",
    "uuid": "UUID",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
}


def _type_of(kind: str, values: Sequence[Any]) -> str:
    """Return the narrowest type of a family that holds all *values*, which are of one kind."""
    if kind == "int":
        low, high = min(values), max(values)
        for name, least, most in _INTEGERS:
            if least <= low and high <= most:
                return name
        raise Unwritable("is a whole number of more than 256 bits, and ClickHouse has none so wide.")
    if kind == "decimal":
        return _decimal_type(values)
    if kind == "date":
        for name, (first, last) in (("Date", _DATE), ("Date32", _DATE32)):
            if first <= min(values) and max(values) <= last:
                return name
        raise Unwritable("is a date outside 1900 to 2299, which are all that ClickHouse has.")
    if kind == "moment":
        return _moment_type(values)
    return _SIMPLE[kind]


def _decimal_type(values: Sequence[Decimal]) -> str:
    digits = scale = 0
    for value in values:
        if not value.is_finite():
            raise Unwritable(f"is {value!r}; ClickHouse's Decimal has no such value. A float has.")
        _, mantissa, exponent = value.as_tuple()
        assert isinstance(exponent, int)  # Only values that are not finite have a letter here.
        scale = max(scale, -exponent)
        digits = max(digits, len(mantissa) + exponent)
    precision = max(digits, 0) + scale
    for width, _ in _DECIMAL_WIDTHS:
        if precision <= width:
            return f"Decimal({width}, {scale})"
    raise Unwritable(f"is a Decimal of {precision} digits; ClickHouse's have at most 76.")


def _moment_type(values: Sequence[datetime]) -> str:
    aware = {value.tzinfo is not None for value in values}
    if len(aware) > 1:
        raise Unwritable("mixes times with and without a time zone. Give all of them one, or none.")
    naive = [_in_utc(value) for value in values]
    zone = "'UTC'" if aware == {True} else ""
    low, high = min(naive), max(naive)
    precise = any(getattr(value, "nanosecond", 0) for value in naive)
    if precise and high > _NANOSECONDS_END:
        raise Unwritable("has nanoseconds after 2262, which do not fit in a DateTime64(9).")
    if not precise and _DATETIME[0] <= low and high <= _DATETIME[1] and not any(each.microsecond for each in naive):
        return f"DateTime({zone})" if zone else "DateTime"
    if low < _DATETIME64[0] or high > _DATETIME64[1]:
        raise Unwritable("is a time outside 1900 to 2299, which are all that ClickHouse has.")
    return f"DateTime64({9 if precise else 6}{', ' + zone if zone else ''})"


def _in_utc(value: datetime) -> datetime:
    """Return the same moment without a zone, read as UTC when it had one."""
    return value if value.tzinfo is None else value.astimezone(timezone.utc).replace(tzinfo=None)


def moment_text(value: datetime, type_name: str) -> str:
    """Return a time as the text of its ClickHouse type, in UTC when it has a zone."""
    naive = _in_utc(value)
    if type_name.startswith("DateTime64(9"):
        return f"{naive.strftime('%Y-%m-%d %H:%M:%S')}.{naive.microsecond:06d}{getattr(naive, 'nanosecond', 0):03d}"
    text = naive.replace(microsecond=0).isoformat(sep=" ")
    return f"{text}.{naive.microsecond:06d}" if type_name.startswith("DateTime64") else text


# --- scalars ----------------------------------------------------------------------------------------------------------


def _write_scalar(kind: str, value: Any, type_name: str, parameter: str) -> Written:
    text = _scalar_text(kind, value, type_name)
    if kind == "text":
        return Written(*_text_call(text, parameter), type_name)
    if kind == "bytes":
        return Written(f"base64Decode({_call('String', parameter)})", text, type_name)
    if kind == "int":
        return Written(_call(type_name, parameter), text, type_name)
    if kind == "float":
        return Written(f"({{{{Float64({parameter}) * 1}}}})", text, type_name)
    return Written(_wrapped(kind, type_name, parameter), text, type_name)


def _wrapped(kind: str, type_name: str, parameter: str) -> str:
    """Write the kinds whose typed call gives a text, inside the function that makes the value of it."""
    if kind == "bool":
        return f"toBool({_call('Boolean', parameter)})"
    if kind == "decimal":
        width, scale = type_name[len("Decimal(") : -1].split(", ")
        return f"toDecimal{dict(_DECIMAL_WIDTHS)[int(width)]}({_call('String', parameter)}, {scale})"
    if kind == "date":
        return f"to{type_name}({_call('Date', parameter)})"
    if kind == "moment":
        family, _, arguments = type_name.partition("(")
        more = f", {arguments[:-1]}" if arguments else ""
        return f"to{family}({_call(family, parameter)}{more})"
    return f"to{type_name}({_call('String', parameter)})"


def _call(type_name: str, parameter: str) -> str:
    return f"{{{{{type_name}({parameter})}}}}"


def _scalar_text(kind: str, value: Any, type_name: str) -> str:
    """Return the value as the text that travels."""
    if kind == "text":
        # The characters themselves: str() of a member of an Enum would give the member's name.
        text = str.__str__(value)
        _check_encodable(text)
        return text
    if kind == "bytes":
        return base64.b64encode(bytes(value)).decode()
    if kind == "bool":
        return "true" if value else "false"
    if kind == "int":
        return str(int(value))
    if kind == "float":
        return repr(float(value))
    if kind == "decimal":
        return format(value, "f")
    if kind == "date":
        return str(value.isoformat())
    if kind == "moment":
        return moment_text(value, type_name)
    return str(value)


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unwritable(f"has half of a character at place {error.start}, which UTF-8 cannot carry.") from None


#: Signs that a server in between may drop or that the template's escapes do not carry over.
_FRAGILE_RE = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]")


def _text_call(text: str, parameter: str) -> tuple[str, str]:
    r"""Return the call that gives exactly *text*, and the text to send.

    A percent sign is written ``\%`` by the template, which `sql_unescape` takes back. Control signs and blanks at the
    ends travel as base64: web frameworks are known to strip them from parameters. The default of the empty text
    serves servers that take an empty parameter for a missing one.
    """
    if not text:
        return f"{{{{String({parameter}, '')}}}}", ""
    if text != text.strip() or _FRAGILE_RE.search(text):
        return f"base64Decode({_call('String', parameter)})", base64.b64encode(text.encode()).decode()
    if "%" in text:
        return f"{{{{sql_unescape(String({parameter}), '%')}}}}", text
    return _call("String", parameter), text


# --- lists ------------------------------------------------------------------------------------------------------------

#: Kinds whose elements JSON carries as they are; all others travel as texts and are cast.
_JSON_TYPES = {"bool": "Bool", "float": "Float64", "text": "String"}

_DTYPE_KINDS = {"i": "Int64", "u": "UInt64", "f": "Float64", "b": "Bool", "M": "DateTime64(9)"}


def _write_list(value: Any, parameter: str) -> Written:
    elements, depth = _elements(value)
    leaves = list(_leaves(elements, depth))
    kinds = {_kind(leaf) for leaf in leaves} - {"null"}
    if not kinds and None not in leaves:
        return _empty_list(value, elements, depth)
    nullable = None in leaves
    kind, leaves = _common_kind(kinds, leaves)
    type_name = _type_of(kind, [leaf for leaf in leaves if leaf is not None]) if kinds else "String"
    if kind == "int" and type_name in ("Int64", "UInt64") and depth == 1 and not nullable:
        text = ",".join(str(int(leaf)) for leaf in leaves)
        array = f"Array({type_name})"
        return Written(f"CAST({{{{Array({parameter}, '{type_name}')}}}}, '{array}')", text, array)
    texts = iter([_json_leaf(kind, leaf, type_name) for leaf in leaves])
    document = json.dumps(_rebuilt(elements, depth, texts), ensure_ascii=False, separators=(",", ":"))
    call, text = _text_call(document, parameter)
    carried = _JSON_TYPES.get(kind, "String")
    extracted = f"JSONExtract({call}, {_quoted(_array_type(carried, depth, nullable))})"
    target = _array_type(type_name, depth, nullable)
    if kind == "bytes":
        if nullable or depth > 1:
            raise Unwritable("is a nested list of bytes, or one with None in it. Decode them to texts.")
        return Written(f"arrayMap(part -> base64Decode(part), {extracted})", text, target)
    if carried == type_name:
        return Written(extracted, text, target)
    return Written(f"CAST({extracted}, {_quoted(target)})", text, target)


def _elements(value: Any) -> tuple[list[Any], int]:
    """Return the elements, all of them plain, and how deep they are nested."""
    items = [_elements(each) if _is_list(each) else _plain(each) for each in _listed(value)]
    nested = [each for each in items if isinstance(each, tuple)]
    if not nested:
        return items, 1
    if len(nested) < len(items) or len({depth for _, depth in nested}) > 1:
        raise Unwritable("mixes elements and lists of elements. An Array has elements of one type.")
    return [inner for inner, _ in nested], nested[0][1] + 1


def _listed(value: Any) -> list[Any]:
    if isinstance(value, AbstractSet):
        try:
            # In one order, so that the same set is the same query.
            return sorted(value)
        except TypeError:
            return list(value)
    dtype = getattr(value, "dtype", None)
    if dtype is not None and hasattr(value, "isna") and getattr(dtype, "kind", "O") != "f":
        # A column of texts has NaN where one is missing.
        return [None if missing else each for each, missing in zip(value, value.isna(), strict=True)]
    return list(value)


def _leaves(elements: list[Any], depth: int) -> Iterable[Any]:
    if depth == 1:
        yield from elements
    else:
        for each in elements:
            yield from _leaves(each, depth - 1)


def _rebuilt(elements: list[Any], depth: int, leaves: Iterable[Any]) -> list[Any]:
    iterator = iter(leaves)
    if depth == 1:
        return [next(iterator) for _ in elements]
    return [_rebuilt(each, depth - 1, iterator) for each in elements]


def _common_kind(kinds: set[str], leaves: list[Any]) -> tuple[str, list[Any]]:
    """Return the one kind of all elements; whole numbers join floats and Decimals when they lose nothing by it."""
    if len(kinds) <= 1:
        return (next(iter(kinds)) if kinds else "text"), leaves
    if kinds == {"int", "float"}:
        if not all(_float_holds(leaf) for leaf in leaves):
            raise Unwritable("mixes floats with whole numbers that no float holds exactly.")
        return "float", [None if leaf is None else float(leaf) for leaf in leaves]
    if kinds == {"int", "decimal"}:
        return "decimal", [None if leaf is None else Decimal(leaf) for leaf in leaves]
    if kinds == {"date", "moment"}:
        raise Unwritable("mixes dates and times. Make all of them one or the other.")
    names = " and ".join(sorted({type(leaf).__name__ for leaf in leaves if leaf is not None}))
    raise Unwritable(f"mixes {names}. An Array has elements of one type.")


def _float_holds(leaf: Any) -> bool:
    """Say whether a whole number is exactly one float; floats and ``None`` are themselves."""
    try:
        return not isinstance(leaf, int) or int(float(leaf)) == leaf
    except OverflowError:
        return False


def _empty_list(value: Any, elements: list[Any], depth: int) -> Written:
    """Write a list without an element, empty lists aside: of the dtype's type, else of one that fits beside any."""
    known = _DTYPE_KINDS.get(str(getattr(getattr(value, "dtype", None), "kind", "")))
    target = _array_type(known or "Nothing", depth, nullable=False)
    if known is None and depth == 1:
        return Written("[]", None, target)
    empty = json.dumps(elements, separators=(",", ":"))
    return Written(f"CAST({empty}, {_quoted(target)})", None, target)


def _json_leaf(kind: str, leaf: Any, type_name: str) -> Any:
    if leaf is None or kind == "bool":
        return leaf
    if kind == "float":
        # JSON has no word for them; the engine reads these texts.
        return float(leaf) if leaf - leaf == 0 else repr(float(leaf))
    return _scalar_text(kind, leaf, type_name)


def _array_type(element: str, depth: int, nullable: bool) -> str:
    name = f"Nullable({element})" if nullable else element
    for _ in range(depth):
        name = f"Array({name})"
    return name


def _quoted(type_name: str) -> str:
    return "'" + type_name.replace("'", "\\'") + "'"
