"""Columns that were guessed from a file, and how they get their names and jsonpaths. Pure.

Rules: ``analyze.md`` sections 4 and 5.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.local.tables.schema import QUARANTINE_COLUMNS, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Longest name of a column that is made from a key or a header cell.
_MOST_NAME_CHARACTERS = 200

#: Keys that a jsonpath can hold behind a dot, and those that it can hold in ``['...']``.
_DOT_STEP_RE = re.compile(r"[^.\[\]\s`]+")
_BRACKET_STEP_RE = re.compile(r"[^'`]+")


@dataclass(frozen=True)
class InferredColumn:
    """What the sample says about one column.

    Attributes:
        name: a valid column name.
        type: recommended ClickHouse type without ``Nullable``.
        nullable: whether a value was missing or null in the sample.
        path: jsonpath; ``None`` for CSV.
        present_pct: share of records with a value, 0 to 1; for arrays the mean number of elements.
    """

    name: str
    type: str
    nullable: bool
    path: str | None = None
    present_pct: float = 1.0

    @property
    def column(self) -> Column:
        """The column to create.

        Arrays are never Nullable. An absent path needs a DEFAULT then, or its row goes to the quarantine; an empty cell
        of a CSV file is an empty array without it.
        """
        if not self.is_array:
            return Column(self.name, self.type, self.nullable, self.path)
        default = "DEFAULT []" if self.nullable and self.path is not None else None
        return Column(self.name, self.type, False, self.path, default)

    @property
    def is_array(self) -> bool:
        """Whether the type is an array, which has its own rules for nulls, path and `present_pct`."""
        return self.type.startswith("Array(")


def column_names(cells: Sequence[str]) -> list[str]:
    """Make valid, distinct column names out of header cells: other characters become ``_``, a first digit gets ``c_``.

    Names that every quarantine has for itself get a number, as names do that are there twice.

    Example:
        >>> column_names(["Order ID", "2024", "", "Order-ID"])
        ['Order_ID', 'c_2024', 'column_02', 'Order_ID_1']
    """
    taken = set(QUARANTINE_COLUMNS)
    numbers: dict[str, int] = {}
    names: list[str] = []
    for index, cell in enumerate(cells):
        base = name = valid_name(cell) or f"column_{index:02d}"
        while name in taken:
            numbers[base] = numbers.get(base, 0) + 1
            name = f"{base}_{numbers[base]}"
        taken.add(name)
        names.append(name)
    return names


def valid_name(text: str) -> str:
    """Make a column name of a key or header cell; empty when there is nothing in it."""
    name = re.sub(r"[^a-zA-Z0-9_]", "_", text.strip()[:_MOST_NAME_CHARACTERS])
    return "c_" + name if name[:1].isdigit() else name


def json_path(keys: Sequence[str]) -> str | None:
    """Write the way to a value as a jsonpath; ``None`` when one of the keys cannot be written in one.

    Example:
        >>> json_path(["user", "a.b"]), json_path([""])
        ("$.user['a.b']", None)
    """
    path = "$"
    for key in keys:
        if any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in key):
            return None
        if _DOT_STEP_RE.fullmatch(key):
            path += f".{key}"
        elif _BRACKET_STEP_RE.fullmatch(key):
            path += f"['{key}']"
        else:
            return None
    return path
