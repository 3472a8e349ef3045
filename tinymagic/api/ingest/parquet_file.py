"""Parquet files, cut between rows in constant memory."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from tinymagic.api.errors import InvalidInput
from tinymagic.api.ingest.files import stamp_of
from tinymagic.api.ingest.pieces import Piece, Source
from tinymagic.api.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def parquet_rows(upload: Upload) -> int | None:
    """Read from a Parquet file how many rows it has; ``None`` without pyarrow, or when it cannot be read."""
    from tinymagic.api.upload import parquet_is_available

    if not parquet_is_available():
        return None
    from pyarrow import ArrowException, parquet

    try:
        with upload.open() as file:
            rows: int = parquet.ParquetFile(file).metadata.num_rows
    except (ArrowException, OSError):
        return None
    return rows


class ParquetParts(Source):
    """The rows of a Parquet file that is too big for one request, as smaller Parquet files.

    Args:
        path: of the file.
        most_bytes: of a piece.
        start: first row.
    """

    def __init__(self, path: Path, *, most_bytes: int, start: int = 0) -> None:
        from pyarrow import parquet

        self._path = path
        self._most_bytes = most_bytes
        self._start = start
        with parquet.ParquetFile(path) as file:
            self._rows: int = file.metadata.num_rows
        self._stamp = stamp_of(path)
        # Groups of rows may be as large as the file: batches are smaller.
        share = most_bytes / max(1, os.path.getsize(path))
        self._batch_rows = max(1, int(self._rows * share * 0.6))

    def pieces(self) -> Iterator[Piece]:
        """Read on, and give a piece for each so many rows."""
        row = self._start
        for table in self._tables(row):
            yield from self._of_table(table, row)
            row += table.num_rows  # type: ignore[attr-defined]

    def _tables(self, start: int) -> Iterator[object]:
        import pyarrow as pa
        from pyarrow import parquet

        if stamp_of(self._path) != self._stamp:
            raise InvalidInput(f"The file {str(self._path)!r} has changed since its first rows were sent.")
        row, held, size = 0, [], 0
        with parquet.ParquetFile(self._path) as file:
            for batch in file.iter_batches(batch_size=min(self._batch_rows, 65_536)):
                skipped = min(max(0, start - row), batch.num_rows)
                row += batch.num_rows
                part = batch.slice(skipped)
                while part.num_rows:
                    taken = part.slice(0, self._batch_rows - size)
                    held.append(taken)
                    size += taken.num_rows
                    part = part.slice(taken.num_rows)
                    if size == self._batch_rows:
                        yield pa.Table.from_batches(held)
                        held, size = [], 0
        if held:
            yield pa.Table.from_batches(held)

    def _of_table(self, table: object, row: int) -> Iterator[Piece]:
        from tinymagic.frames.tables import row_count

        rows, content = row_count(table), _parquet(table)
        if len(content) > self._most_bytes and rows > 1:
            middle = rows // 2
            yield from self._of_table(table.slice(0, middle), row)  # type: ignore[attr-defined]
            yield from self._of_table(table.slice(middle), row + middle)  # type: ignore[attr-defined]
            return
        upload = _upload(content)
        yield Piece(row, rows, upload, again=lambda: self._again(row, rows))

    def _again(self, row: int, rows: int) -> Upload:
        import pyarrow as pa

        found: list[object] = []
        left = rows
        for table in self._tables(row):
            found.append(table.slice(0, left))  # type: ignore[attr-defined]
            left -= found[-1].num_rows  # type: ignore[attr-defined]
            if not left:
                break
        return _upload(_parquet(pa.concat_tables(found)))

    def rest(self, row: int) -> Source | None:
        """Return the rows from *row* on."""
        return ParquetParts(self._path, most_bytes=self._most_bytes, start=row) if row < self._rows else None

    def rest_rows(self) -> int | None:
        """Return how many rows there are."""
        return self._rows - self._start

    def rest_bytes(self) -> int:
        """Return about how long their part of the file is."""
        return int(self._stamp[0] * (self._rows - self._start) / max(1, self._rows))


def _parquet(table: object) -> bytes:
    from pyarrow import parquet

    body = io.BytesIO()
    parquet.write_table(table, body)
    return body.getvalue()


def _upload(content: bytes) -> Upload:
    return Upload("parquet", "data.parquet", len(content), lambda: io.BytesIO(content))
