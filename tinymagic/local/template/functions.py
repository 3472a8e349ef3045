"""The functions that a template may call (``templating.md`` sections 4 to 6).

Each takes the values of its arguments; a parameter that was not given is `MISSING`. The type functions raise
`RequiredParameter` when there is neither value nor default: `tree` makes the sentence, because it lists the parameters
of the whole template.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import TEMPLATES_PAGE, TYPES_PAGE, TemplateError, syntax_error
from .values import Sql, TypedFloat, TypedInt, escape_identifier, quote

if TYPE_CHECKING:
    from collections.abc import Callable


class _Missing:
    """The value of a parameter that the request does not have."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()


class RequiredParameter(Exception):  # noqa: N818 - it is a fact about the request, made an error in `tree`
    """A typed parameter has neither a value nor a default."""


_SIGNED_RE = re.compile(r"[+-]?[0-9]{1,78}\n?")
_UNSIGNED_RE = re.compile(r"[0-9]{1,78}\n?")
_DATE_RE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\n?")
_DATETIME_RE = re.compile(
    r"[0-9]{4}.[0-9]{2}.[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"|[0-9]{2}.[0-9]{2}.[0-9]{4}.[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}"
)
_DATETIME64_RE = re.compile(
    r"(?:[0-9]{4}.[0-9]{2}.[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"|[0-9]{2}.[0-9]{2}.[0-9]{4}.[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}).[0-9]{3}"
)

_METADATA = ("required", "description", "enum", "example", "format")


class NotOfType(ValueError):  # noqa: N818 - says what happened
    """A text is not of the type that the template asks for."""


def _integer(value: Any, *, bits: int, signed: bool) -> int:
    text = _text(value)
    sign_allowed = signed or bits >= 128
    if not (_SIGNED_RE if sign_allowed else _UNSIGNED_RE).fullmatch(text):
        raise NotOfType
    number = int(text)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise NotOfType
    return number


def _float(value: Any) -> float:
    text = _text(value)
    if "_" in text:
        raise NotOfType
    try:
        return float(text)
    except ValueError:
        raise NotOfType from None


def _matching(value: Any, *, pattern: re.Pattern[str], whole: bool) -> str:
    text = _text(value)
    if not (pattern.fullmatch(text) if whole else pattern.match(text)):
        raise NotOfType
    return text


def _text(value: Any) -> str:
    """Return a value as text; bodies in JSON and literals in the template give numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise NotOfType


def _boolean(value: Any) -> int:
    return int(_text(value).lower() not in ("0", "false", ""))


#: Converters of all scalar types: text -> Python value, or `NotOfType`.
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "String": _text,
    "Boolean": _boolean,
    "Float32": _float,
    "Float64": _float,
    "Date": partial(_matching, pattern=_DATE_RE, whole=True),
    "DateTime": partial(_matching, pattern=_DATETIME_RE, whole=False),
    "DateTime64": partial(_matching, pattern=_DATETIME64_RE, whole=False),
    "Int": partial(_integer, bits=32, signed=True),
    "Integer": partial(_integer, bits=32, signed=True),
    **{f"Int{bits}": partial(_integer, bits=bits, signed=True) for bits in (8, 16, 32, 64, 128, 256)},
    **{f"UInt{bits}": partial(_integer, bits=bits, signed=False) for bits in (8, 16, 32, 64, 128, 256)},
}

#: Types that are written as plain numbers: no ClickHouse cast has their name.
_PLAIN = ("Int", "Integer", "Boolean")


def _typed(type_name: str, name: Any, default: Any = None, defined: bool = True, **metadata: Any) -> Any:
    """Convert a parameter; see the table in ``templating.md`` section 4.1 for what missing and empty mean."""
    _check_metadata(type_name, metadata)
    value = name
    if value is MISSING or value is None:
        if default is None or default is MISSING:
            if type_name == "Boolean":
                return 0
            if not defined:
                return None
            raise RequiredParameter
        value = default
    try:
        converted = CONVERTERS[type_name](value)
    except NotOfType:
        raise syntax_error(f"Error validating '{value}' to type {type_name}", documentation=TYPES_PAGE) from None
    if type_name in _PLAIN:
        return converted
    if isinstance(converted, int):
        return TypedInt(converted, f"to{type_name}")
    if isinstance(converted, float):
        return TypedFloat(converted, f"to{type_name}")
    return converted


def _check_metadata(function: str, metadata: dict[str, Any]) -> None:
    for keyword in metadata:
        if keyword not in _METADATA:
            raise syntax_error(f"{function}() got an unexpected keyword argument '{keyword}'")


def array(name: Any, type: Any = "String", default: Any = None, defined: bool = True, **metadata: Any) -> Any:  # noqa: A002 - the language's own keyword
    """Write a list as a SQL array; elements carry no casts. Unknown element types act as String."""
    _check_metadata("Array", metadata)
    value = name
    if value is MISSING or value is None:
        if default is None or default is MISSING:
            if not defined:
                return None
            raise RequiredParameter
        value = default
    items = list(value) if isinstance(value, (list, tuple)) else _pieces_of(value)
    shown = value if isinstance(value, str) else ",".join(map(str, items))
    converter: Callable[[Any], Any] = CONVERTERS.get(str(type), _text)
    written = []
    for index, item in enumerate(items):
        try:
            converted = converter(item)
        except NotOfType:
            text = "empty string" if item == "" else item
            raise syntax_error(
                f"Error validating [{shown}][{index}] ({text}) to type {type}", documentation=TYPES_PAGE
            ) from None
        written.append(quote(converted) if isinstance(converted, str) else repr(converted))
    return Sql("[" + ",".join(written) + "]")


def _pieces_of(value: Any) -> list[str]:
    try:
        return _text(value).split(",")
    except NotOfType:
        raise syntax_error(f"Error validating '{value}' to type Array", documentation=TYPES_PAGE) from None


def defined(value: Any = MISSING) -> bool:
    """Say whether a parameter was given, also when it is empty."""
    return value is not MISSING and value is not None


def column(value: Any, default: Any = None) -> Sql:
    """Write an identifier; dots split it."""
    name = default if value is MISSING or value is None else value
    if name is None or name is MISSING:
        raise syntax_error(
            "Missing column() default value, use `column(column_name, 'default_column_name')`",
            documentation=f"{TEMPLATES_PAGE}#column",
        )
    return Sql(".".join(f"`{escape_identifier(part)}`" for part in str(name).split(".")))


def columns(value: Any, default: Any = None, fn: Any = None) -> Sql:
    """Write a comma list of identifiers, each inside a call of *fn* when there is one."""
    names = default if value is MISSING or value is None else value
    page = f"{TEMPLATES_PAGE}#columns"
    if isinstance(names, (list, tuple)):
        raise syntax_error("The 'columns' function expects a String not an Array", documentation=page)
    if names is None or names is MISSING:
        raise syntax_error(
            "Missing columns() default value, use `columns(column_names, 'default_column_name')`", documentation=page
        )
    quoted = [f"`{escape_identifier(name.strip())}`" for name in str(names).split(",")]
    if fn is None:
        return Sql(",".join(quoted))
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(fn)):
        raise syntax_error(f"'{fn}' is not the name of a function", documentation=page)
    return Sql(",".join(f"{fn}({name}) as {name[1:-1]}" for name in quoted))


def symbol(value: Any, quote: Any = "`") -> Sql:
    """Write an identifier with its dots inside the quotes."""
    if not isinstance(value, str):
        raise syntax_error("'NoneType' object has no attribute 'translate'")
    if quote not in ("`", '"', ""):
        raise syntax_error("the quote of symbol() is a backtick, a double quote or empty")
    return Sql(f"{quote}{escape_identifier(value)}{quote}")


def sql_unescape(text: Any, what: Any = "") -> Sql:
    """Write a string in which the backslash before *what* is taken away again; never before quotes or backslashes."""
    if text is MISSING or text is None:
        raise RequiredParameter
    written = quote(str(text))
    for character in str(what):
        if character not in "\\'\"`":
            written = written.replace("\\" + character, character)
    return Sql(written)


#: Every function by the name that templates use.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: partial(_typed, name) for name in CONVERTERS},
    "Array": array,
    "defined": defined,
    "column": column,
    "columns": columns,
    "symbol": symbol,
    "sql_unescape": sql_unescape,
}

#: Functions whose first argument is a typed parameter, with the position of the default.
TYPE_FUNCTIONS = {**dict.fromkeys(CONVERTERS, 1), "Array": 2}


def call(name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Call a function of the language.

    Raises:
        TemplateError: there is none of this name, or the arguments do not fit.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        raise syntax_error(f"Invalid function name: {name}")
    if name in TYPE_FUNCTIONS and not arguments:
        raise syntax_error("one of the transform type functions is missing an argument", documentation=TYPES_PAGE)
    try:
        return function(*arguments, **keywords)
    except (TemplateError, RequiredParameter):
        raise
    except TypeError as error:
        raise syntax_error(str(error).replace("_typed()", f"{name}()")) from error
