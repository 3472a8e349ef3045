"""``Array``: comma-separated text or a list -> an SQL array (``templating.md`` section 5)."""

# ruff: noqa: ARG001 - arguments that only describe a parameter are read by `metadata`

from __future__ import annotations

import math
from typing import Any

from .errors import RequiredParameter, TemplateError, syntax_error
from .escaping import quote, quote_identifier, read_back
from .types import SCALAR_TYPES, NotOfType, to_boolean
from .values import Expression, Placeholder, is_missing


def array(
    name: Any,
    _type: Any = None,
    default: Any = None,
    defined: Any = True,
    required: Any = None,
    description: Any = None,
    enum: Any = None,
    example: Any = None,
    format: Any = None,  # noqa: A002 - the templates' keyword
) -> Expression | None:
    """``Array``: members are written without casts; an element type that does not exist acts as ``String``."""
    value = default if is_missing(name) else name
    if not value and isinstance(name, Placeholder):
        value = _placeholders(_type)
    if value is None:
        if not defined:
            return None
        raise RequiredParameter
    members = [_write(_type, member) for member in array_members(value, _type)]
    return Expression(f"[{','.join(members)}]")


def array_members(value: Any, element: Any) -> list[Any]:
    """Return the members of an array as Python values: numbers, or text.

    Args:
        value: comma-separated text, or a list.
        element: name of the members' type.

    Raises:
        TemplateError: *value* is neither, or a member is not of the type; the text names it.
    """
    if isinstance(value, str):
        parts: list[Any] = value.split(",")
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        raise syntax_error("transform type function Array is not well defined")
    return [_convert(value, index, part, element) for index, part in enumerate(parts)]


def parsed_array(value: Any, element: Any) -> Any:
    """Return *value* as a list when it is an array of *element*, and unchanged when it is not.

    Numbers that Python cannot read back, ``nan`` and infinity, leave it unchanged, too.
    """
    try:
        members = array_members(value, element)
    except TemplateError:
        return value
    if any(isinstance(member, float) and not math.isfinite(member) for member in members):
        return value
    return [read_back(member) if isinstance(member, str) else member for member in members]


def _convert(value: Any, index: int, part: Any, element: Any) -> Any:
    if element == "Boolean":
        return to_boolean(part)
    scalar = SCALAR_TYPES.get(element) if isinstance(element, str) else None
    if scalar is None:
        return str(part)
    try:
        converted = scalar.convert(str(part))
    except NotOfType:
        shown = str(part) or "empty string"
        raise syntax_error(f"Error validating [{value}][{index}] ({shown}) to type {scalar.name}") from None
    # A member is a plain number: arrays have no casts.
    if isinstance(converted, int):
        return int(converted)
    return float(converted) if isinstance(converted, float) else converted


def _write(element: Any, member: Any) -> str:
    if isinstance(member, str):
        return quote_identifier(member) if element == "Symbol" else quote(member)
    return repr(member)


def _placeholders(element: Any) -> list[str]:
    if element == "Boolean":
        return ["0", "0"]
    scalar = SCALAR_TYPES.get(element) if isinstance(element, str) else None
    if scalar is None or scalar.name == "String":
        return [""]
    return [scalar.placeholder] * 2
