"""From the columns of a Parquet file, as the engine describes them, to the columns of a Data Source. Pure.

Types come from the file. Structs are taken apart into one column for each member, as objects of NDJSON are; a struct
inside of an array stays a Tuple, because no jsonpath leads into it. Writers mark every column as optional, whether it
has nulls or not, so a type is Nullable only when the file has a null there: `null_condition` asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.local.engine import quote_identifier, quote_string
from tinymagic.local.tables.type_names import (
    DATES,
    FLOATS,
    SMALL_INTEGERS,
    WIDE_INTEGERS,
    TypeName,
    type_name,
    without_nullable,
)

from .inferred_columns import InferredColumn, column_names, json_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MEMBER_RE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*) (.+)", re.DOTALL)
_UTC_RE = re.compile(r",\s*'UTC'")

#: Families that a Data Source can have; a column of another one is read as String.
_FAMILIES = (
    *SMALL_INTEGERS,
    *WIDE_INTEGERS,
    *FLOATS,
    *DATES,
    *("Decimal", "String", "FixedString", "Bool", "UUID", "IPv4", "IPv6", "Array", "Map", "Tuple", "LowCardinality"),
)


@dataclass(frozen=True)
class ParquetLeaf:
    """One value of each row of a Parquet file.

    Attributes:
        steps: name of the column, then of the members of structs.
        type: as the engine reads it.
        path: jsonpath to it.
    """

    steps: tuple[str, ...]
    type: str
    path: str

    @property
    def expression(self) -> str:
        """How to select it."""
        value = quote_identifier(self.steps[0])
        for step in self.steps[1:]:
            value = f"tupleElement({value}, {quote_string(step)})"
        return value

    @property
    def is_array(self) -> bool:
        """Whether it has elements, whose mean number is reported."""
        return type_name(self.type).family == "Array"


def parquet_leaves(described: Mapping[str, str]) -> list[ParquetLeaf]:
    """Take structs apart, in the order of the file; *described* is column to type. Names no jsonpath holds are left."""
    leaves = []
    for name, type_ in described.items():
        for steps, leaf_type in _leaves((name,), type_):
            path = json_path(steps)
            if path is not None:
                array = type_name(leaf_type).family == "Array"
                leaves.append(ParquetLeaf(steps, leaf_type, f"{path}[:]" if array else path))
    return leaves


def null_condition(leaf: ParquetLeaf) -> str:
    """Return an expression that is true in rows in which the value or something inside of it is null."""
    return _null_condition(leaf.expression, leaf.type, 0) or "0"


def parquet_columns(
    leaves: Sequence[ParquetLeaf], rows: int, nulls: Sequence[int], elements: Sequence[int]
) -> list[InferredColumn]:
    """Return the columns to create.

    Args:
        leaves: from `parquet_leaves`.
        rows: of the file.
        nulls: for each leaf, rows for which `null_condition` is true.
        elements: for each leaf that is an array, elements in all rows.
    """
    columns = []
    names = column_names(["_".join(leaf.steps) for leaf in leaves])
    for name, leaf, null_rows, count in zip(names, leaves, nulls, elements, strict=True):
        there = count if leaf.is_array else rows - null_rows
        present = round(there / rows, 6) if rows else 1.0
        type_, outer = without_nullable(stored_type(leaf.type, keeps_nullable=null_rows > 0))
        columns.append(InferredColumn(name, type_, outer, leaf.path, present))
    return columns


def stored_type(text: str, *, keeps_nullable: bool) -> str:
    """Write a type as a schema has it: without blanks after commas, without UTC, which is the default.

    Example:
        >>> stored_type("Array(Nullable(DateTime64(3, 'UTC')))", keeps_nullable=False)
        'Array(DateTime64(3))'
    """
    name = type_name(text)
    if name.family == "Nullable":
        inner = stored_type(name.arguments[0], keeps_nullable=keeps_nullable)
        return f"Nullable({inner})" if keeps_nullable else inner
    if name.family not in _FAMILIES:
        return "String"
    if name.family in ("Array", "Map", "LowCardinality"):
        inner = ",".join(stored_type(each, keeps_nullable=keeps_nullable) for each in name.arguments)
        return f"{name.family}({inner})"
    if name.family == "Tuple":
        return f"Tuple({','.join(_stored_member(each, keeps_nullable) for each in name.arguments)})"
    if name.family == "DateTime64":
        return _UTC_RE.sub("", name.text)
    return f"{name.family}({','.join(name.arguments)})" if name.arguments else name.text


def _stored_member(member: str, keeps_nullable: bool) -> str:
    match = _MEMBER_RE.fullmatch(member)
    if match is None:
        return " ".join(member.split())
    return f"{match[1]} {stored_type(match[2], keeps_nullable=keeps_nullable)}"


def _leaves(steps: tuple[str, ...], text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    name = type_name(without_nullable(text)[0])
    members = [_MEMBER_RE.fullmatch(each) for each in name.arguments]
    if name.family != "Tuple" or not members or None in members:
        yield steps, " ".join(text.split())
        return
    for member in members:
        assert member is not None
        yield from _leaves((*steps, member[1]), member[2])


def _null_condition(value: str, text: str, depth: int) -> str:
    name: TypeName = type_name(text)
    item = f"x{depth}"
    if name.family == "Nullable":
        return f"isNull({value})"
    if name.family == "LowCardinality":
        return _null_condition(value, name.arguments[0], depth)
    if name.family in ("Array", "Map"):
        inner = _null_condition(item, name.arguments[-1], depth + 1)
        items = value if name.family == "Array" else f"mapValues({value})"
        return inner and f"arrayExists({item} -> {inner}, {items})"
    if name.family == "Tuple":
        members = [_MEMBER_RE.fullmatch(each) for each in name.arguments]
        parts = [
            _null_condition(
                f"tupleElement({value}, {index})", member[2] if member else name.arguments[index - 1], depth
            )
            for index, member in enumerate(members, 1)
        ]
        return " OR ".join(part for part in parts if part)
    return ""
