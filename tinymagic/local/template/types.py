"""The type functions: ``String``, ``Int32``, ``Date``, ``Boolean``, ``JSON`` (``templating.md`` section 4).

Each takes a parameter, which is text, a number of a JSON body, ``None`` when it was not given, or a `Placeholder`
in checking mode. Only the name, the default and *defined* count; the other arguments describe the parameter.
"""

# ruff: noqa: ARG001 - arguments that only describe a parameter are read by `metadata`

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import RequiredParameter, syntax_error
from .values import Float, Integer, JsonPlaceholder, Placeholder, is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNED_RE = re.compile(r"[+-]?\d{1,78}\n?")
_UNSIGNED_RE = re.compile(r"\d{1,78}\n?")
_DATE_RE = re.compile(r"\d{4}-\d{2}-\d{2}\n?")
_DATETIME = r"(?:\d{4}.\d{2}.\d{2}[T ]\d{2}:\d{2}:\d{2}|\d{2}.\d{2}.\d{4}.\d{1,2}:\d{1,2}:\d{1,2})"
_DATETIME_RE = re.compile(_DATETIME)
_DATETIME64_RE = re.compile(_DATETIME + r".\d{3}")
_JSON_SHOWN = 16


class NotOfType(ValueError):  # noqa: N818 - says what happened
    """A text is not of the type that the template asks for."""


@dataclass(frozen=True)
class ScalarType:
    """A type of one value.

    Attributes:
        name: as errors write it; that of the ClickHouse type.
        convert: text -> value, or `NotOfType`.
        placeholder: the text that stands for a value in checking mode.
    """

    name: str
    convert: Callable[[str], Any]
    placeholder: str


def to_integer(text: str, bits: int, *, signed: bool) -> int:
    """Convert *text* to an integer that fits in so many bits."""
    sign_allowed = signed or bits >= 128
    if not (_SIGNED_RE if sign_allowed else _UNSIGNED_RE).fullmatch(text):
        raise NotOfType
    number = int(text)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise NotOfType
    return number


def to_boolean(value: Any) -> int:
    """Return 0 for ``0``, ``false`` in any case, and empty; 1 for every other text."""
    return int(str(value).lower() not in ("0", "false", ""))


def _to_float(text: str) -> float:
    if "_" in text:
        raise NotOfType
    try:
        return float(text)
    except ValueError:
        raise NotOfType from None


def _integer_type(name: str, bits: int, *, signed: bool) -> ScalarType:
    return ScalarType(name, lambda text: Integer.of_type(to_integer(text, bits, signed=signed), name), "0")


def _float_type(name: str) -> ScalarType:
    return ScalarType(name, lambda text: Float.of_type(_to_float(text), name), "0.0")


def _text_type(name: str, matches: Callable[[str], object], placeholder: str) -> ScalarType:
    def convert(text: str) -> str:
        if not matches(text):
            raise NotOfType
        return text

    return ScalarType(name, convert, placeholder)


_PLAIN_INTEGER = ScalarType("Int32", lambda text: to_integer(text, 32, signed=True), "0")

_ALL = (
    ScalarType("String", str, "__no_value__"),
    _text_type("Date", _DATE_RE.fullmatch, "2019-01-01"),
    _text_type("DateTime", _DATETIME_RE.match, "2019-01-01 00:00:00"),
    _text_type("DateTime64", _DATETIME64_RE.match, "2019-01-01 00:00:00.000"),
    _float_type("Float32"),
    _float_type("Float64"),
    *(_integer_type(f"Int{bits}", bits, signed=True) for bits in (8, 16, 32, 64, 128, 256)),
    *(_integer_type(f"UInt{bits}", bits, signed=False) for bits in (8, 16, 32, 64, 128, 256)),
)

#: Every scalar type by the name of its function. `Int` and `Integer` give plain numbers: no cast has their name.
SCALAR_TYPES: dict[str, ScalarType] = {
    **{each.name: each for each in _ALL},
    "Int": _PLAIN_INTEGER,
    "Integer": _PLAIN_INTEGER,
}


def scalar_function(function: str) -> Callable[..., Any]:
    """Return the template's function for the scalar type called *function*."""
    scalar = SCALAR_TYPES[function]

    def convert_parameter(
        name: Any,
        default: Any = None,
        defined: Any = True,
        required: Any = None,
        description: Any = None,
        enum: Any = None,
        example: Any = None,
        format: Any = None,  # noqa: A002 - the templates' keyword
    ) -> Any:
        value = default if is_missing(name) else name
        if not value and isinstance(name, Placeholder):
            value = scalar.placeholder
        if value is None:
            if not defined:
                return None
            raise RequiredParameter
        return converted(scalar, str(value))

    convert_parameter.__name__ = convert_parameter.__qualname__ = function
    return convert_parameter


def converted(scalar: ScalarType, text: str) -> Any:
    """Convert *text* to a scalar type.

    Raises:
        TemplateError: it is not of that type.
    """
    try:
        return scalar.convert(text)
    except NotOfType:
        raise syntax_error(f"Error validating '{text}' to type {scalar.name}") from None


def boolean(name: Any, default: Any = None) -> int:
    """``Boolean``: never rejected; 0 or 1."""
    value = default if is_missing(name) else name
    return 0 if value is None else to_boolean(value)


def json_value(
    name: Any,
    default: Any = None,
    description: Any = None,
    required: Any = None,
    enum: Any = None,
    example: Any = None,
    format: Any = None,  # noqa: A002 - the templates' keyword
) -> Any:
    """``JSON``: JSON text as Python values; an empty object when there is neither value nor default."""
    value = default if is_missing(name) else name
    if value is None:
        return JsonPlaceholder() if isinstance(name, Placeholder) else {}
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        shown = value if len(value) <= _JSON_SHOWN else f"{value[:_JSON_SHOWN]}..."
        raise syntax_error(f"Error parsing JSON: '{shown}' - {error}", None) from error
