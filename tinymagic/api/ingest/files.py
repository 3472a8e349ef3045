"""Files of lines (CSV, NDJSON), cut between records in constant memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, TYPE_CHECKING, cast

from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.ingest.pieces import Piece, Pieces, Source
from tinymagic.api.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tinymagic.api.upload import FileFormat

#: What stands between the fields of a CSV file, when nobody says it.
DELIMITERS = b",;\t|"

#: Behind the quotation mark that begins a field: up to the one that ends it, or to the end of the line.
_QUOTED = rb'[^"]*(?:""[^"]*)*("(?!")|\Z)'
_CONTINUED_RE = re.compile(_QUOTED)

#: So much of a file is looked at for the kind of its line ends.
_LINE_END_BYTES = 1_000_000

_GZIP_MAGIC = b"\x1f\x8b"

#: Rows that were not sent are counted only as long as this: an interrupt is not to wait for a file of 30 GB.
_LONGEST_COUNT_S = 2.0


@dataclass(frozen=True)
class LineFile:
    """A file of records, each ended by a line end outside of quotes.

    Attributes:
        path: of the file, or ``None``.
        content: of one in memory.
        file_format: ``csv`` or ``ndjson``.
        stamp: size and time of the file: it must not change between two readings.
        packed: whether it is compressed with gzip.
        delimiters: what may stand between the fields of a CSV file.
    """

    file_format: FileFormat
    path: Path | None = None
    content: bytes = b""
    stamp: tuple[int, int] = (0, 0)
    packed: bool = False
    delimiters: bytes = DELIMITERS

    @classmethod
    def at(cls, path: Path, file_format: FileFormat) -> LineFile:
        """Take note of the file at *path*."""
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
        return cls(file_format, path, stamp=stamp_of(path), packed=packed)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name if self.path is not None else f"data.{self.file_format}"

    def open(self, offset: int = 0) -> IO[bytes]:
        """Open it decompressed, at *offset* of what comes out.

        Raises:
            InvalidInput: it has changed since it was first looked at, or is gone.
        """
        if self.path is None:
            plain: IO[bytes] = io.BytesIO(self.content)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=plain)) if self.packed else plain
        else:
            if stamp_of(self.path) != self.stamp:
                raise InvalidInput(
                    f"The file {str(self.path)!r} has changed or gone since its first rows were sent: which of its "
                    "rows are left cannot be told any more."
                )
            file = cast("IO[bytes]", gzip.GzipFile(self.path, "rb")) if self.packed else self.path.open("rb")
        if offset:
            file.seek(offset)
        return file

    @cached_property
    def _ends_with_cr(self) -> bool:
        """Whether the lines of a CSV file end as on the oldest Macs: with CR, and never with LF."""
        if self.file_format != "csv":
            return False
        with contextlib.suppress(OSError, EOFError), self.open() as file:
            begin = file.read(_LINE_END_BYTES)
            return b"\r" in begin[:-1] and b"\n" not in begin
        return False

    def records(self, offset: int, most_bytes: int) -> Iterator[tuple[bytes, bool]]:
        """Give the lines from *offset* on, and with each whether a record ends with it.

        Raises:
            PayloadTooLarge: a line is longer than *most_bytes*.
            InvalidInput: the file cannot be read, or its gzip data is damaged.
        """
        inside = False
        quoted = re.compile(b"(?:^|[" + re.escape(self.delimiters) + b']) *"' + _QUOTED)
        with self.open(offset) as file:
            try:
                read = _reader_of_lines(file) if self._ends_with_cr else file.readline
                while line := read(most_bytes + 1):
                    if len(line) > most_bytes:
                        raise PayloadTooLarge(
                            f"{self.name!r} has a line of more than {most_bytes / 1e6:,.1f} MB, which goes into no "
                            "request."
                        )
                    if self.file_format == "csv" and b'"' in line:
                        inside = _ends_inside(line, quoted, inside=inside)
                    yield line, not inside
            except (OSError, EOFError) as error:
                raise InvalidInput(f"The file {self.name!r} cannot be read: {error}.") from None


def _reader_of_lines(file: IO[bytes]) -> Callable[[int], bytes]:
    """Return what ``file.readline`` is, for lines that end with CR."""
    # In Latin-1 a byte is a character, whatever the encoding of the file.
    text = io.TextIOWrapper(file, encoding="latin-1", newline="\r")
    return lambda size: text.readline(size).encode("latin-1")


def _ends_inside(line: bytes, quoted: re.Pattern[bytes], *, inside: bool) -> bool:
    """Say whether a quoted field goes on behind *line*; a mark within a field (``5" pipe``) begins none."""
    place = 0
    if inside:
        rest = _CONTINUED_RE.match(line)
        if rest is None or not rest[1]:
            return True
        place = rest.end()
    ends = True
    for field in quoted.finditer(line, place):
        ends = bool(field[1])
    return not ends


def stamp_of(path: Path) -> tuple[int, int]:
    """Return size and time of a file, by which a change is noticed; both -1 when it is gone."""
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)


def count_rows(file: LineFile, *, header: bool = False, offset: int = 0) -> int | None:
    """Count the records that are not blank; ``None`` when that takes longer than a few seconds or cannot be done."""
    late = time.monotonic() + _LONGEST_COUNT_S
    rows, seen, some = 0, 0, False
    try:
        for line, ends in file.records(offset, 1 << 30):
            seen += 1
            some = some or not line.isspace()
            if ends:
                rows, some = rows + some, False
            if not seen % 65_536 and time.monotonic() > late:
                return None
    except (InvalidInput, PayloadTooLarge):
        return None
    return max(0, rows + some - header)


class Lines(Source):
    """The records of a file from *offset* on, in pieces of whole records.

    Args:
        file: the file.
        most_bytes: of a piece, the header included.
        most_rows: of a piece.
        header: the line with the names of the columns, which every piece of a CSV file begins with.
        offset: where the first record begins, in the decompressed data.
        first_row: its place among the rows in.
    """

    def __init__(
        self,
        file: LineFile,
        *,
        most_bytes: int,
        most_rows: int | None = None,
        header: bytes = b"",
        offset: int = 0,
        first_row: int = 0,
    ) -> None:
        self._file = file
        self._most_bytes = most_bytes
        self._most_rows = most_rows
        self._header = header
        self._offset = offset
        self._first_row = first_row
        self._offsets: dict[int, int] = {first_row: offset}

    def pieces(self) -> Iterator[Piece]:
        """Read on, and give a piece each time one is full."""
        row, start = self._first_row, self._offset
        rows, size = 0, len(self._header)
        lines: list[bytes] = []
        record: list[bytes] = []
        length = 0
        for line, ends in self._file.records(start, self._most_bytes):
            record.append(line)
            length += len(line)
            if not ends:
                if length > self._most_bytes:
                    raise PayloadTooLarge(
                        f"{self._file.name!r}: the record that begins in row {row + rows} does not end within "
                        f"{self._most_bytes / 1e6:,.1f} MB. Is a quotation mark not closed?"
                    )
                continue
            blank = len(record) == 1 and line.isspace()
            if length + len(self._header) > self._most_bytes:
                raise PayloadTooLarge(
                    f"{self._file.name!r}: row {row + rows} alone has {length / 1e6:,.1f} MB; a request takes at most "
                    f"{self._most_bytes / 1e6:,.1f} MB."
                )
            if rows and (size + length > self._most_bytes or (self._most_rows is not None and rows >= self._most_rows)):
                end = start + size - len(self._header)
                # What comes next is known before anything can go wrong.
                self._offsets[row + rows] = end
                yield self._piece(row, rows, start, lines)
                row, start, rows, size, lines = row + rows, end, 0, len(self._header), []
            lines += record
            rows, size, record, length = rows + (not blank), size + length, [], 0
        lines += record
        rows += any(not line.isspace() for line in record)
        if rows:
            self._offsets[row + rows] = start + sum(map(len, lines))
            yield self._piece(row, rows, start, lines)

    def _piece(self, row: int, rows: int, start: int, lines: list[bytes]) -> Piece:
        content = self._header + b"".join(lines)
        size = len(content) - len(self._header)
        name = f"data.{self._file.file_format}"
        upload = Upload(self._file.file_format, name, len(content), lambda: io.BytesIO(content))

        def again() -> Upload:
            with self._file.open(start) as file:
                same = self._header + file.read(size)
            return replace(upload, open=lambda: io.BytesIO(same))

        def cut(first: int, last: int) -> Upload:
            part = Lines(self._file, most_bytes=1 << 40, header=self._header, offset=start, first_row=0)
            kept = self._header + part.between(first, last)
            return Upload(self._file.file_format, name, len(kept), lambda: io.BytesIO(kept))

        return Piece(row, rows, upload, again=again, cut=cut)

    def between(self, first: int, last: int) -> bytes:
        """Return the records from *first* to before *last*, counted from the offset."""
        found: list[bytes] = []
        row, some = 0, False
        for line, ends in self._file.records(self._offset, self._most_bytes):
            if row >= last:
                break
            if row >= first:
                found.append(line)
            some = some or not line.isspace()
            if ends:
                row, some = row + some, False
        return b"".join(found)

    def rest(self, row: int) -> Source | None:
        """Return the records from *row* on."""
        offset = self._offsets[row]
        rest = Lines(
            self._file,
            most_bytes=self._most_bytes,
            most_rows=self._most_rows,
            header=self._header,
            offset=offset,
            first_row=row,
        )
        return rest if rest.rest_rows() != 0 else None

    def rest_rows(self) -> int | None:
        """Count the records, if that is quick."""
        return count_rows(self._file, offset=self._offset)

    def rest_bytes(self) -> int:
        """Return how long the rest of a plain file is."""
        if self._file.packed:
            return 0
        size = self._file.stamp[0] if self._file.path is not None else len(self._file.content)
        return max(0, size - self._offset)


def whole(upload: Upload, count: Callable[[], int | None]) -> Pieces:
    """Return the one piece of a file that travels as it is; its rows are counted when the service does not tell."""
    return Pieces([Piece(0, None, upload, count=count)])
