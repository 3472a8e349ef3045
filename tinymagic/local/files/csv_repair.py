"""CSV that the engine's reader does not take: other dialects, and files with broken records.

The engine stops at the first record with a wrong number of fields and does not say which bytes it was. So a file that
it refuses is read once more here, in constant memory, and written as plain CSV (comma, ``"``, line feed) with the
broken records left out and counted. A quote that is not closed must not swallow the rest of the file: when a record
over several lines does not come out right, only its first line is broken and reading goes on with the next line.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .inference import Dialect

#: A quoted field may go over this many lines; more is taken for a quote that was forgotten.
_MOST_LINES = 1_000
_CHUNK_CHARACTERS = 1 << 20
_MOST_MESSAGES = 10

csv.field_size_limit(1 << 30)  # The limit is per process; uploads are limited as a whole.


@dataclass
class RepairReport:
    """How many records are good and broken (*invalid*), and sentences about the first broken ones."""

    good: int = 0
    invalid: int = 0
    messages: list[str] = field(default_factory=list)

    def add_invalid(self, line: int, reason: str) -> None:
        """Count a broken record that begins at *line*, from 1."""
        self.invalid += 1
        if len(self.messages) < _MOST_MESSAGES:
            self.messages.append(f"line {line}: {reason}")


def repair_csv(source: Path, target: Path, dialect: Dialect, *, width: int, skip_records: int) -> RepairReport:
    """Write *source* to *target* as plain CSV without its broken records.

    Args:
        source: UTF-8 text.
        target: file to make.
        dialect: how *source* is written.
        width: number of fields of a good record.
        skip_records: records at the start that are no rows (a header: 1).
    """
    report = RepairReport()
    lines = _Lines(source, dialect.new_line)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(_PlainEnds(file), lineterminator="\r\n")
        while (record := _next_record(lines, dialect, width, report, heads=skip_records > 0)) is not None:
            if skip_records:
                skip_records -= 1
                continue
            report.good += 1
            # A lone empty field must not become an empty line.
            file.write('""\n') if record == [""] else writer.writerow(record)
    return report


class _PlainEnds:
    r"""Ends records with LF that come with CRLF: Python puts a lone ``\r`` in quotes only for that end."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, record: str) -> int:
        return self._file.write(record.removesuffix("\r\n") + "\n")


class _Lines:
    """Lines of a file with a number, which can be put back."""

    def __init__(self, path: Path, new_line: str) -> None:
        #: What ends a line; a ``\r`` before it stays, since within quotes it is part of the value.
        self.separator = "\n" if new_line == "\r\n" else new_line
        self._source = _split(path, self.separator)
        self._back: deque[str] = deque()
        self.number = 0

    def take(self) -> str | None:
        line = self._back.popleft() if self._back else next(self._source, None)
        self.number += line is not None
        return line

    def put_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


def _split(path: Path, separator: str) -> Iterator[str]:
    rest = ""
    with path.open(encoding="utf-8", newline="") as file:
        while chunk := file.read(_CHUNK_CHARACTERS):
            pieces = (rest + chunk).split(separator)
            rest = pieces.pop()
            yield from pieces
    if rest:
        yield rest


def _next_record(lines: _Lines, dialect: Dialect, width: int, report: RepairReport, *, heads: bool) -> list[str] | None:
    """Return the next good record, or ``None`` at the end; broken ones are reported on the way."""
    while (first := lines.take()) is not None:
        if not first.strip():
            continue
        start = lines.number
        more: list[str] = []
        quotes = first.count('"') if _opens_quote(first, dialect.delimiter) else 0
        while quotes % 2 and len(more) < _MOST_LINES and (line := lines.take()) is not None:
            more.append(line)
            quotes += line.count('"')
        text = lines.separator.join([first, *more])
        records = _parse(text, dialect, strict=bool(more)) if quotes % 2 == 0 else []
        if more and (len(records) != 1 or len(records[0]) != width):
            # Either the quote is an ordinary character of the first line, or it is never closed.
            lines.put_back(more)
            records = _parse(first, dialect) if len(records) > 1 else []
        if len(records) == 1 and (len(records[0]) == width or heads):
            return records[0]
        if records:
            report.add_invalid(start, f"{len(records[0])} fields instead of {width}")
        else:
            report.add_invalid(start, "a quote is not closed")
    return None


def _opens_quote(line: str, delimiter: str) -> bool:
    """Say whether a field of *line* begins with a quote; other quotes are ordinary characters."""
    return line.startswith('"') or f'{delimiter}"' in line


def _parse(text: str, dialect: Dialect, *, strict: bool = False) -> list[list[str]]:
    reader = csv.reader(
        io.StringIO(text.removesuffix("\r"), newline=""),
        delimiter=dialect.delimiter,
        escapechar=dialect.escape or None,
        strict=strict,
    )
    try:
        return list(reader)
    except csv.Error:
        return []
