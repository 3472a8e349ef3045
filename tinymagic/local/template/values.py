"""The values that templates work with beside Python's own, and how each is written (``templating.md`` section 2).

Class names are part of the service's error texts (``unsupported operand type(s) for +: 'Symbol' and 'str'``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .escaping import quote, quote_plain

if TYPE_CHECKING:
    from collections.abc import Iterator


class Expression(str):
    """Text that is SQL already; joined with other text it becomes a plain, unsafe text."""

    __slots__ = ()


class Symbol:
    """A name, or another piece of SQL that is no text: nothing can be joined to it."""

    __slots__ = ("_sql",)

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def __str__(self) -> str:
        return self._sql

    __repr__ = __str__


class Integer(int):
    """An integer of a ClickHouse type: written as a cast, and otherwise a number."""

    type_name: str

    @classmethod
    def of_type(cls, value: int, type_name: str) -> Integer:
        """Make one; *type_name* is ClickHouse's, for instance ``UInt8``."""
        made = cls(value)
        made.type_name = type_name
        return made

    def __str__(self) -> str:
        return f"to{self.type_name}('{int.__repr__(self)}')"

    __repr__ = int.__repr__


class Float(float):
    """A floating-point number of a ClickHouse type: written as a cast, and otherwise a number."""

    type_name: str

    @classmethod
    def of_type(cls, value: float, type_name: str) -> Float:
        """Make one; *type_name* is ``Float32`` or ``Float64``."""
        made = cls(value)
        made.type_name = type_name
        return made

    def __str__(self) -> str:
        return f"to{self.type_name}('{float.__repr__(self)}')"

    __repr__ = float.__repr__


class Placeholder:
    """A parameter in checking mode: it has no value, is true, and can be gone through."""

    __slots__ = ()

    def __str__(self) -> str:
        return "__no_value__"

    def __repr__(self) -> str:
        return quote(str(self))

    def __iter__(self) -> Iterator[Placeholder]:
        return iter([type(self)() for _ in range(3)])

    def __add__(self, other: object) -> Placeholder:
        return self

    def __getitem__(self, key: Any) -> Placeholder:
        if isinstance(key, int) and key > 1_000:
            raise IndexError("list index out of range")
        return self


class JsonPlaceholder(Placeholder):
    """What ``JSON(x)`` is in checking mode: an object with every key, and a list."""

    __slots__ = ()


def is_missing(value: object) -> bool:
    """Say whether *value* is that of a parameter without one."""
    return value is None or isinstance(value, Placeholder)


def as_sql(value: Any) -> str | None:
    """Write the value of ``{{ }}`` as SQL; ``None`` when it has none.

    The caller has weighed *value*, so it is small and not nested deeply.
    """
    if isinstance(value, str) and not isinstance(value, Expression):
        return quote(value)
    if isinstance(value, Placeholder):
        return quote(str(value))
    if isinstance(value, (Expression, Symbol, bool, int, float)):
        return str(value)
    if isinstance(value, (list, tuple, set, dict)):
        return _collection(value)
    return None


def literal_in(value: Any, sql: str) -> tuple[int, int] | None:
    """Return begin and end of the quoted text in what `as_sql` made of *value*; ``None`` when it is not that.

    Example:
        >>> literal_in(Integer.of_type(5, "Int8"), "toInt8('5')")
        (7, 10)
    """
    if isinstance(value, str) and not isinstance(value, Expression):
        return (0, len(sql))
    if isinstance(value, (Integer, Float)):
        return (sql.index("'"), len(sql) - 1)
    return None


def _collection(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_member(key)}: {_member(each)}" for key, each in value.items()) + "}"
    members = ", ".join(map(_member, value))
    if isinstance(value, list):
        return f"[{members}]"
    if isinstance(value, tuple):
        return f"({members},)" if len(value) == 1 else f"({members})"
    return "{" + members + "}" if value else "set()"


def _member(value: Any) -> str:
    if isinstance(value, str):
        return quote_plain(value)
    if isinstance(value, (list, tuple, set, dict)):
        return _collection(value)
    if value is None or isinstance(value, (bool, int, float, Symbol, Placeholder)):
        return repr(value)
    raise TypeError(f"a {type(value).__name__} cannot be written")
