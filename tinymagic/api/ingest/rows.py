"""Rows as Python values: a list, written before anything is sent, and a generator, read as it goes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeAlias

from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.ingest.json_lines import json_line
from tinymagic.api.ingest.pieces import Piece, Pieces, Source
from tinymagic.api.upload import Upload
from tinymagic.frames.tables import is_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tinymagic.frames.tables import Table

#: Writes a row, given its place, as a line of NDJSON.
Writer: TypeAlias = "Callable[[int], bytes]"


def ndjson_upload(content: bytes) -> Upload:
    """Return NDJSON in memory as an upload."""
    return Upload("ndjson", "data.ndjson", len(content), lambda: io.BytesIO(content))


def piece_of_lines(first_row: int, lines: Sequence[bytes]) -> Piece:
    """Return the piece of lines of NDJSON, one a row; it keeps them as one text."""
    content, ends = b"".join(lines), [0]
    for line in lines:
        ends.append(ends[-1] + len(line))

    def cut(start: int, stop: int) -> Upload:
        return ndjson_upload(content[ends[start] : ends[stop]])

    return Piece(first_row, len(lines), ndjson_upload(content), cut=cut)


class Buffer:
    """Lines on their way to a piece that is full.

    Args:
        first_row: place of the first row.
        most_rows: of a piece.
        most_bytes: of a piece.
    """

    def __init__(self, first_row: int, most_rows: int | None, most_bytes: int) -> None:
        self.first_row = first_row
        self.lines: list[bytes] = []
        self.size = 0
        self._most_rows = most_rows
        self._most_bytes = most_bytes

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def next_row(self) -> int:
        """Place of the row that comes next."""
        return self.first_row + len(self.lines)

    def has_room(self, line: bytes) -> bool:
        """Say whether *line* goes into the piece as well.

        Raises:
            PayloadTooLarge: it would go into none.
        """
        if len(line) > self._most_bytes:
            raise PayloadTooLarge(
                f"Row {self.next_row} alone has {len(line) / 1e6:,.1f} MB as JSON; a request takes at most "
                f"{self._most_bytes / 1e6:,.1f} MB."
            )
        return self.size + len(line) <= self._most_bytes and (
            self._most_rows is None or len(self.lines) < self._most_rows
        )

    def add(self, line: bytes) -> None:
        """Add a line."""
        self.lines.append(line)
        self.size += len(line)

    def taken(self) -> Piece:
        """Return the lines as a piece, and begin the next one."""
        piece = piece_of_lines(self.first_row, self.lines)
        self.first_row, self.lines, self.size = self.first_row + len(self.lines), [], 0
        return piece

    def passed_over(self, error: Exception) -> Piece:
        """Return a row that cannot be written as a piece without data; there must be no lines."""
        piece = Piece(self.first_row, 1, ndjson_upload(b""), error=error)
        self.first_row += 1
        return piece


def written_out(buffer: Buffer, writers: Iterable[Writer]) -> list[Piece]:
    """Return what is in *buffer*, and the rows behind it, as pieces of the usual size."""
    found: list[Piece] = []
    for write in writers:
        try:
            line = write(buffer.next_row)
            full = not buffer.has_room(line)
        except (InvalidInput, PayloadTooLarge) as error:
            if buffer:
                found.append(buffer.taken())
            found.append(buffer.passed_over(error))
            continue
        if full:
            found.append(buffer.taken())
        buffer.add(line)
    if buffer:
        found.append(buffer.taken())
    return found


def pieces_of_list(rows: Iterable[Any], *, most_rows: int | None, most_bytes: int) -> Pieces:
    """Write the rows of a list; nothing is sent before all of them are written.

    Raises:
        InvalidInput: a row is no dictionary, or holds what JSON has no form for; the sentence names it.
        PayloadTooLarge: a row is too long for any request.
    """
    buffer = Buffer(0, most_rows, most_bytes)
    found: list[Piece] = []
    for place, row in enumerate(rows):
        line = json_line(place, row)
        if not buffer.has_room(line):
            found.append(buffer.taken())
        buffer.add(line)
    if buffer:
        found.append(buffer.taken())
    return Pieces(found)


class Rows(Source):
    """A generator or another iterator of rows, read in constant memory; each item is a dictionary or a table.

    Args:
        rows: where they come from.
        most_rows: of a piece.
        most_bytes: of a piece.
        skips: whether a row that cannot be written becomes a piece of its own with an error, so that the others go on;
            otherwise it ends the work.
    """

    def __init__(self, rows: Iterable[Any], *, most_rows: int | None, most_bytes: int, skips: bool = False) -> None:
        self._rows = iter(rows)
        self._buffer = Buffer(0, most_rows, most_bytes)
        self._given: Piece | None = None
        self._taken: Iterator[Writer] = iter(())
        self._skips = skips
        #: Whether the iterator came to its end.
        self.exhausted = False

    def pieces(self) -> Iterator[Piece]:
        """Read on, and give a piece each time one is full."""
        for item in self._rows:
            self._taken = writers_of(item)
            for write in self._taken:
                full = None
                try:
                    line = write(self._buffer.next_row)
                    if not self._buffer.has_room(line):
                        full = self._buffer.taken()
                except (InvalidInput, PayloadTooLarge) as error:
                    yield from self._give_unwritten(error)
                    if not self._skips:
                        raise
                    continue
                # What was taken is in the books before anything else can go wrong.
                self._given = full
                self._buffer.add(line)
                if full is not None:
                    yield full
                    self._given = None
        self.exhausted = True
        if self._buffer:
            yield from self._give()

    def _give(self) -> Iterator[Piece]:
        self._given = self._buffer.taken()
        yield self._given
        self._given = None

    def _give_unwritten(self, error: Exception) -> Iterator[Piece]:
        """Give what is in front of a row that cannot be written, and the row."""
        if self._buffer:
            yield from self._give()
        self._given = self._buffer.passed_over(error)
        yield self._given
        self._given = None

    def rest(self, row: int) -> Source | None:
        """Return what was read and not dealt with; the generator itself stays with its owner."""
        left = [self._given] if self._given is not None else []
        left += written_out(self._buffer, self._taken)
        return Pieces(left).rest(row) if left else None

    def rest_rows(self) -> int | None:
        """Nobody knows how many will come."""
        return None

    def rest_bytes(self) -> int:
        """Nobody knows how many will come."""
        return 0


def writers_of(item: object) -> Iterator[Writer]:
    """Give a function for each row of *item* that writes its line, given the row's place."""
    if not is_table(item):
        yield lambda place: json_line(place, item)
        return
    for line in _lines_of_table(item):
        yield lambda _, line=line: line  # type: ignore[misc]


def _lines_of_table(table: Table) -> Iterator[bytes]:
    from tinymagic.frames.outgoing import EncodeError
    from tinymagic.frames.planned import PlannedTable
    from tinymagic.frames.tables import collected

    try:
        planned = PlannedTable.of(collected(table))
        planned.check_json()
    except EncodeError as error:
        raise InvalidInput(str(error)) from None
    for start in range(0, planned.rows, 10_000):
        yield from planned.ndjson(start, min(start + 10_000, planned.rows)).splitlines(keepends=True)
