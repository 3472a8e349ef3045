"""One column of a reply, still as the wire carries it: what a result of any kind is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.base import ClickHouseType, Column, Notes


@dataclass(frozen=True)
class JsonSource:
    """The values of a column of a parsed JSON reply."""

    values: Sequence[Any]

    def column(self, kind: ClickHouseType, notes: Notes) -> Column:
        """Return the column of the exact dtype, for pandas."""
        return kind.column_from_json(self.values, notes)

    def cells(self, kind: ClickHouseType, notes: Notes) -> list[Any]:
        """Return Python values, ``None`` for NULL."""
        return kind.cells_from_json(self.values, notes)


@dataclass(frozen=True)
class ArrowSource:
    """A column of a Parquet reply, as an Arrow chunked array."""

    chunked: Any

    def column(self, kind: ClickHouseType, notes: Notes) -> Column:
        """Return the column of the exact dtype, for pandas."""
        return kind.column_from_arrow(self.chunked, notes)

    def cells(self, kind: ClickHouseType, notes: Notes) -> list[Any]:
        """Return Python values, ``None`` for NULL."""
        return [cell for chunk in self.chunked.chunks for cell in kind.cells_from_arrow(chunk, notes)]


Source: TypeAlias = "JsonSource | ArrowSource"
