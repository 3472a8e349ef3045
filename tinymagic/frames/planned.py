"""A table that is planned once and written in parts: every part has the types of the whole.

A part planned by itself would get types of its own: a column of decimals fewer digits, one without a missing value no
Nullable. And what cannot be stored is to be found before the first part is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.ndjson_out import check_json, ndjson_of
from tinymagic.frames.outgoing import OutgoingColumn, outgoing_columns
from tinymagic.frames.tables import row_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.frames.tables import Table


#: Rows of one row group of a Parquet file.
ROW_GROUP = 250_000


@dataclass(frozen=True)
class PlannedTable:
    """The columns of a table on their way out.

    Attributes:
        columns: all of them, in the plain form of their kinds.
        rows: number of rows.
    """

    columns: tuple[OutgoingColumn, ...]
    rows: int
    _offsets: dict[int, np.ndarray[Any, Any]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, table: Table) -> PlannedTable:
        """Plan a DataFrame of pandas or polars, or an Arrow table.

        Raises:
            EncodeError: a column cannot be stored, or there is none.
        """
        return cls(tuple(outgoing_columns(table)), row_count(table))

    def check_json(self) -> None:
        """Find what NDJSON cannot say.

        Raises:
            EncodeError: a column holds NaN that is no missing value, or an infinity.
        """
        check_json(self.columns)

    def ndjson(self, start: int, stop: int) -> bytes:
        """Write the rows from *start* to before *stop* as NDJSON (`tinymagic.frames.ndjson_out.to_ndjson`)."""
        return ndjson_of(self.part(start, stop))

    def parquet(self, start: int, stop: int, nullable: Mapping[str, bool] | None = None) -> bytes:
        """Write the rows from *start* to before *stop* as a Parquet file.

        Args:
            start: first row.
            stop: the row behind the last one.
            nullable: of the columns of the Data Source, as `tinymagic.frames.schema.nullable_columns` gives it.

        Raises:
            ImportError: pyarrow is not installed (extra ``fast``).
        """
        from tinymagic.frames.parquet_out import parquet_of

        ends = [*range(start + ROW_GROUP, stop, ROW_GROUP), stop]
        return parquet_of(
            (self.part(begin, end) for begin, end in zip([start, *ends[:-1]], ends, strict=True)), nullable or {}
        )

    def part(self, start: int, stop: int) -> list[OutgoingColumn]:
        """Return the columns with the rows from *start* to before *stop*."""
        if (start, stop) == (0, self.rows):
            return list(self.columns)
        return [self._cut(column, start, stop) for column in self.columns]

    def _cut(self, column: OutgoingColumn, start: int, stop: int) -> OutgoingColumn:
        values = _slice(column.values, start, stop)
        missing = None if column.missing is None else column.missing[start:stop]
        if column.elements is None:
            return replace(column, values=values, missing=missing)
        ends = self._offsets.get(id(column))
        if ends is None:
            # How many elements stand before each row; once for all parts.
            ends = self._offsets[id(column)] = np.concatenate([[0], np.cumsum(column.values)])
        first, last = int(ends[start]), int(ends[stop])
        keys = None if column.keys is None else self._cut(column.keys, first, last)
        return replace(
            column, values=values, missing=missing, elements=self._cut(column.elements, first, last), keys=keys
        )


def _slice(values: Any, start: int, stop: int) -> Any:
    if hasattr(values, "iloc"):
        return values.iloc[start:stop]
    return values[start:stop]
