"""Rows on their way into a file: which format the name means, how many rows went by, whether the end is there. Pure."""

from __future__ import annotations

import contextlib
import gzip
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from tinymagic.api.errors import BadReply, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Ending of a file's name, and name of a format -> ClickHouse's format (``query.md`` section 3).
FILE_FORMATS = {
    "parquet": "Parquet",
    "csv": "CSVWithNames",
    "ndjson": "JSONEachRow",
    "jsonl": "JSONEachRow",
    "tsv": "TSVWithNames",
    "json": "JSON",
}

#: What is sent with each: texts are texts in Parquet, and NaN and NULL are kept apart in JSON.
FILE_SETTINGS: dict[str, dict[str, str]] = {
    "Parquet": {"output_format_parquet_string_as_string": "1"},
    "JSON": {"output_format_json_quote_denormals": "1"},
    "JSONEachRow": {"output_format_json_quote_denormals": "1"},
}

#: So many bytes of the end tell whether a reply is whole, and how many rows a JSON has.
_TAIL_BYTES = 4_000
_ROWS_RE = re.compile(rb'^\t?"rows": (\d+)', re.MULTILINE)
#: What an engine writes behind the rows when the query fails after the first of them have been sent.
_FAILED_RE = re.compile(rb"(?:^|\n)(?:__exception__|Code: \d+\. DB::Exception: )[^\n]*")


@dataclass(frozen=True)
class SavedResult:
    """A file that a query wrote.

    Attributes:
        path: where it is.
        format: ClickHouse's name of its format, for instance ``CSVWithNames``.
        bytes: its size.
        rows: how many are in it; ``None`` for Parquet without pyarrow.
        wall_s: seconds from sending to the last byte.
        statistics: ``elapsed`` (seconds), ``rows_read`` and ``bytes_read`` where the service tells them; else ``None``.
    """

    path: Path
    format: str
    bytes: int
    rows: int | None
    wall_s: float
    statistics: Mapping[str, float] | None


@dataclass(frozen=True)
class FileKind:
    """What a file is to hold.

    Attributes:
        wire_format: ClickHouse's name of the format.
        gzipped: whether the text is compressed.
    """

    wire_format: str
    gzipped: bool

    @classmethod
    def of(cls, path: Path, chosen: str | None) -> FileKind:
        """Return what the file *path* is to hold.

        Args:
            path: its ending names the format, with ``.gz`` behind it the compressed text.
            chosen: the format (``parquet``, ``csv``, ``ndjson``, ``jsonl``, ``tsv``, ``json``); ``None``: the ending's.

        Raises:
            InvalidInput: neither names one, or a Parquet file is to be compressed once more.

        Example:
            >>> from pathlib import Path
            >>> FileKind.of(Path("rows.csv.gz"), None)
            FileKind(wire_format='CSVWithNames', gzipped=True)
        """
        endings = [ending[1:].lower() for ending in path.suffixes]
        gzipped = endings[-1:] == ["gz"]
        ending = next(iter(endings[:-1][-1:] if gzipped else endings[-1:]), "")
        named = ending if chosen is None else str(chosen).lower().lstrip(".")
        if named not in FILE_FORMATS:
            wanted = f"The name {path.name!r} tells no format" if chosen is None else f"There is no format {chosen!r}"
            *others, last = FILE_FORMATS
            raise InvalidInput(
                f"{wanted}: use an ending out of .{', .'.join(others)} and .{last}, behind the text ones also .gz; "
                "or say format='parquet', 'csv', 'ndjson', 'tsv' or 'json'."
            )
        if gzipped and named == "parquet":
            raise InvalidInput(f"{path.name!r}: Parquet is compressed already. Leave the .gz out.")
        return cls(FILE_FORMATS[named], gzipped)

    @contextlib.contextmanager
    def opened(self, file: BinaryIO) -> Iterator[BinaryIO]:
        """Give the block what takes the text; its end makes *file* complete."""
        if not self.gzipped:
            yield file
            return
        # Without name and time in it, equal rows make equal files.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield cast("BinaryIO", packed)


class RowCounter:
    """Stands between a download and its file: hands the bytes on, counts the rows in them, keeps the end.

    Args:
        target: takes the bytes.
        wire_format: of the text.
    """

    def __init__(self, target: BinaryIO, wire_format: str) -> None:
        self._target = target
        self._format = wire_format
        self._lines = 0
        self._quoted = 0
        self._tail = b""

    def write(self, piece: bytes | memoryview) -> int:
        """Hand *piece* on, whole."""
        data = bytes(piece)
        view = memoryview(data)
        while view:
            view = view[self._target.write(view) :]
        self._tail = (self._tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        if self._format == "CSVWithNames" and (self._quoted or b'"' in data):
            # A line break between quotes is part of a text. A quote inside of one is written twice, which is even too.
            parts = data.split(b'"')
            self._lines += sum(part.count(b"\n") for part in parts[self._quoted :: 2])
            self._quoted = (self._quoted + len(parts) - 1) % 2
        else:
            self._lines += data.count(b"\n")
        return len(data)

    def rows(self) -> int | None:
        """Return the number of rows that went by; ``None`` for Parquet, whose rows are not in lines."""
        if self._format == "Parquet":
            return None
        if self._format == "JSON":
            found = _ROWS_RE.findall(self._tail)
            return int(found[-1]) if found else None
        return self._lines if self._format == "JSONEachRow" else max(self._lines - 1, 0)

    def check_end(self) -> None:
        """Look at the end, once all has arrived.

        Raises:
            BadReply: the rows break off.
        """
        end = self._tail.rstrip(b"\r\n")
        whole = {
            "Parquet": end.endswith(b"PAR1"),
            "JSON": end.endswith(b"}"),
            "JSONEachRow": not end or end.endswith(b"}"),
            "CSVWithNames": not self._quoted,
        }.get(self._format, True)
        if whole and not (self._format == "CSVWithNames" and _FAILED_RE.search(self._tail)):
            return
        failed = _FAILED_RE.search(self._tail)
        reason = failed[0].decode("utf-8", "replace").strip()[:500] if failed else "the end is missing"
        raise BadReply(f"The query failed while its rows were being sent: {reason}")


def parquet_rows(file: BinaryIO) -> int | None:
    """Return the number of rows that the footer of a Parquet file tells, or ``None`` without pyarrow."""
    try:
        from pyarrow import parquet
    except ImportError:
        return None
    file.seek(0)
    return int(parquet.read_metadata(file).num_rows)


def checked_place(path: Path, *, overwrite: bool) -> Path:
    """Return *path* when a file may be written there.

    Raises:
        InvalidInput: it is a folder, its folder is not there, or there is a file and *overwrite* is off.
    """
    if path.is_dir():
        raise InvalidInput(f"{str(path)!r} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise InvalidInput(f"There is no folder {str(path.parent)!r} to put {path.name!r} into.")
    if path.exists() and not overwrite:
        raise InvalidInput(f"{str(path)!r} is there already. Choose another name, or say overwrite=True.")
    return path
