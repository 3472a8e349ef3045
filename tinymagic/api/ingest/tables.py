"""A DataFrame or Arrow table, cut into pieces of NDJSON or Parquet: planned once, written piece by piece."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.ingest.pieces import Piece, Source
from tinymagic.api.upload import FileFormat, Upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.frames.planned import PlannedTable
    from tinymagic.frames.tables import Table

#: Rows that are written to find out how long a row is.
_PROBE_ROWS = 20_000

#: Pieces are made to fill so much of their limit: rows are not all of one length.
_FILLING = 0.8


def planned_table(table: Table, *, as_json: bool) -> PlannedTable:
    """Plan *table*, and find what cannot be sent.

    Raises:
        InvalidInput: a column cannot be stored, or not be said in NDJSON when *as_json*.
    """
    from tinymagic.frames.outgoing import EncodeError
    from tinymagic.frames.planned import PlannedTable
    from tinymagic.frames.tables import collected

    try:
        planned = PlannedTable.of(collected(table))
        if as_json:
            planned.check_json()
    except EncodeError as error:
        raise InvalidInput(str(error)) from None
    except ImportError as error:
        raise InvalidInput(str(error)) from None
    return planned


class TableSource(Source):
    """The rows of a planned table from *start* to before *stop*.

    Args:
        planned: the table.
        file_format: ``ndjson`` or ``parquet``.
        most_bytes: of a piece.
        most_rows: of a piece.
        nullable: whether columns of the Data Source take NULL, as far as that is known.
        start: first row.
        stop: behind the last row; ``None``: all.
        even_empty: whether no rows make a piece without rows, for calls that do something besides.
    """

    def __init__(
        self,
        planned: PlannedTable,
        file_format: FileFormat,
        *,
        most_bytes: int,
        most_rows: int | None = None,
        nullable: Mapping[str, bool] | None = None,
        start: int = 0,
        stop: int | None = None,
        even_empty: bool = False,
    ) -> None:
        self.planned = planned
        self.file_format: FileFormat = file_format
        self._most_bytes = most_bytes
        self._most_rows = most_rows
        self.nullable = nullable
        self._start = start
        self._stop = planned.rows if stop is None else stop
        self._even_empty = even_empty

    def pieces(self) -> Iterator[Piece]:
        """Write piece after piece; only one is in memory."""
        row, step = self._start, self._first_step()
        if row == self._stop and self._even_empty:
            yield self._piece(row, row, self._content(row, row))
        while row < self._stop:
            end = min(row + step, self._stop)
            content = self._content(row, end)
            while len(content) > self._most_bytes and end - row > 1:
                end = row + max(1, int((end - row) * _FILLING * self._most_bytes / len(content)))
                content = self._content(row, end)
            if len(content) > self._most_bytes:
                raise PayloadTooLarge(
                    f"Row {row} alone has {len(content) / 1e6:,.1f} MB as {self.file_format}; a request takes at most "
                    f"{self._most_bytes / 1e6:,.1f} MB."
                )
            step = self._bounded(int((end - row) * _FILLING * self._most_bytes / len(content)))
            yield self._piece(row, end, content)
            row = end

    def all(self) -> Piece:
        """Write all rows as one piece, however large."""
        return self._piece(self._start, self._stop, self._content(self._start, self._stop))

    def _first_step(self) -> int:
        rows = self._stop - self._start
        if rows <= _PROBE_ROWS:
            return self._bounded(rows)
        size = len(self._content(self._start, self._start + _PROBE_ROWS))
        return self._bounded(int(_PROBE_ROWS * _FILLING * self._most_bytes / size))

    def _bounded(self, rows: int) -> int:
        return max(1, rows if self._most_rows is None else min(rows, self._most_rows))

    def _content(self, start: int, stop: int) -> bytes:
        if self.file_format == "ndjson":
            return self.planned.ndjson(start, stop)
        return self.planned.parquet(start, stop, self.nullable)

    def _upload(self, content: bytes) -> Upload:
        return Upload(self.file_format, f"data.{self.file_format}", len(content), lambda: io.BytesIO(content))

    def _piece(self, start: int, stop: int, content: bytes) -> Piece:
        def cut(first: int, last: int) -> Upload:
            return self._upload(self._content(start + first, start + last))

        return Piece(start, stop - start, self._upload(content), again=lambda: cut(0, stop - start), cut=cut)

    def rest(self, row: int) -> Source | None:
        """Return the rows from *row* on."""
        if row >= self._stop:
            return None
        return TableSource(
            self.planned,
            self.file_format,
            most_bytes=self._most_bytes,
            most_rows=self._most_rows,
            nullable=self.nullable,
            start=max(row, self._start),
            stop=self._stop,
        )

    def rest_rows(self) -> int | None:
        """Return how many rows there are."""
        return self._stop - self._start

    def rest_bytes(self) -> int:
        """Nobody knows before they are written."""
        return 0
