"""ClickHouse type names taken apart: ``Array(Nullable(Int32))`` becomes a small tree.

Pure. Only the *shape* of a name is read here; whether a type exists is the engine's to say. Families and their
spelling: ``datasources.md`` section 9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_NAME_RE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*")
_QUOTES = "'`\""

SMALL_INTEGERS = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
WIDE_INTEGERS = ("Int128", "Int256", "UInt128", "UInt256")
FLOATS = ("Float32", "Float64", "BFloat16")
DATES = ("Date", "Date32", "DateTime", "DateTime64")


@dataclass(frozen=True)
class TypeName:
    """One type.

    Attributes:
        text: the whole name as written, for instance ``DateTime64(3, 'UTC')``.
        family: the word before the parenthesis, for instance ``DateTime64``.
        arguments: the texts between the parentheses, split at the outer commas.
    """

    text: str
    family: str
    arguments: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers, Decimal included."""
        return self.family in SMALL_INTEGERS + WIDE_INTEGERS + FLOATS or self.family.startswith("Decimal")

    @property
    def is_composite(self) -> bool:
        """Whether ClickHouse refuses ``Nullable`` around it."""
        return self.family in ("Array", "Map", "Tuple", "Nested")

    def argument(self, index: int) -> TypeName:
        """Return the argument at *index* as a type."""
        return type_name(self.arguments[index])


def closing_parenthesis(text: str, opening: int) -> int:
    """Return the index of the parenthesis that closes the one at *opening*, or -1; quoted text is skipped."""
    depth, index = 0, opening
    while index < len(text):
        char = text[index]
        if char in _QUOTES:
            index = end_of_quoted(text, index)
            if index < 0:
                return -1
            continue
        depth += (char in "([{") - (char in ")]}")
        if depth == 0:
            return index
        index += 1
    return -1


def end_of_quoted(text: str, start: int) -> int:
    """Return the index after the quoted piece which begins at *start*, or -1 when it does not end."""
    quote, index = text[start], start + 1
    while index < len(text):
        if text[index] == "\\" and quote != "`":
            index += 2
        elif text[index] == quote:
            if text[index + 1 : index + 2] != quote:
                return index + 1
            index += 2
        else:
            index += 1
    return -1


def split_commas(text: str) -> list[str]:
    """Split *text* at the commas outside of parentheses and quotes; the pieces are stripped."""
    pieces, start, index = [], 0, 0
    while index < len(text):
        char = text[index]
        if char in _QUOTES:
            end = end_of_quoted(text, index)
            index = len(text) if end < 0 else end
            continue
        if char in "([{":
            end = closing_parenthesis(text, index)
            index = len(text) if end < 0 else end + 1
            continue
        if char == ",":
            pieces.append(text[start:index].strip())
            start = index + 1
        index += 1
    return [*pieces, text[start:].strip()]


@lru_cache(maxsize=4096)
def type_name(text: str) -> TypeName:
    """Read a type name.

    Example:
        >>> type_name("Map(String, Array(Int8))").arguments
        ('String', 'Array(Int8)')
    """
    text = text.strip()
    match = _NAME_RE.match(text)
    if not match:
        return TypeName(text, text)
    rest = text[match.end() :]
    if not rest.startswith("(") or not rest.endswith(")"):
        return TypeName(text, match[1])
    return TypeName(text, match[1], tuple(split_commas(rest[1:-1])))


def without_nullable(text: str) -> tuple[str, bool]:
    """Take the outermost ``Nullable`` off.

    Example:
        >>> without_nullable("Nullable(Int8)"), without_nullable("String")
        (('Int8', True), ('String', False))
    """
    name = type_name(text)
    if name.family == "Nullable" and len(name.arguments) == 1:
        return name.arguments[0], True
    return name.text, False
