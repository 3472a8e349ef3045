"""How values are written as SQL (``templating.md`` sections 2 and 3)."""

from __future__ import annotations

from typing import Any

_ESCAPES = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "`": "\\`",
    "%": "\\%",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\0": "\\0",
    "\x1a": "\\z",
}
_STRING_TABLE = str.maketrans(_ESCAPES)
_IDENTIFIER_TABLE = str.maketrans({**_ESCAPES, '"': ""})


class Sql(str):
    """A text that is SQL already and is written as it is."""

    __slots__ = ()


class TypedInt(int):
    """A number that came out of ``Int32(...)`` and the like; arithmetic turns it into a plain number."""

    cast: str

    def __new__(cls, value: int, cast: str) -> TypedInt:  # noqa: PYI034 - Self is not in Python 3.10
        """Keep *cast*, the ClickHouse function that it is written with."""
        number = super().__new__(cls, value)
        number.cast = cast
        return number


class TypedFloat(float):
    """A number that came out of ``Float32(...)`` or ``Float64(...)``."""

    cast: str

    def __new__(cls, value: float, cast: str) -> TypedFloat:  # noqa: PYI034 - Self is not in Python 3.10
        """Keep *cast*, the ClickHouse function that it is written with."""
        number = super().__new__(cls, value)
        number.cast = cast
        return number


def quote(text: str) -> str:
    r"""Write *text* as a string of SQL.

    Example:
        >>> print(quote("100% 'sure'"))
        '100\\% \\'sure\\''
    """
    return "'" + text.translate(_STRING_TABLE) + "'"


def escape_identifier(text: str) -> str:
    """Escape *text* for use inside backticks; double quotes are removed."""
    return text.translate(_IDENTIFIER_TABLE)


def to_sql(value: Any) -> str:
    """Write what an expression gave. ``None`` is the caller's affair.

    Lists and dicts are written with their texts escaped as SQL, so that they cannot break out.
    """
    if isinstance(value, Sql):
        return str(value)
    if isinstance(value, TypedInt):
        return f"{value.cast}('{int(value)}')"
    if isinstance(value, TypedFloat):
        return f"{value.cast}('{float(value)!r}')"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, (bool, int, float)):
        return str(value)
    if value is None:
        return "NULL"
    if isinstance(value, (list, tuple)):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        return opening + ", ".join(map(to_sql, value)) + closing
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_sql(key)}: {to_sql(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as SQL")
