"""From the start of a CSV file to columns: names, types, nullability, dialect.

Pure and deterministic: the first `SAMPLE_BYTES` are read, an incomplete last record is left out, and the same bytes
always give the same answer (the service samples at random). Rules: ``analyze.md`` sections 4, 5 and 8.

What the values of a column have in common is the business of `value_summary.py`, NDJSON that of `json_inference.py`;
here are the records, the dialect and the header.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .inferred_columns import InferredColumn, column_names
from .json_inference import infer_ndjson
from .sample import SAMPLE_BYTES, sample_text
from .value_summary import ValueSummary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "DELIMITERS",
    "SAMPLE_BYTES",
    "CsvInference",
    "Dialect",
    "InferredColumn",
    "column_names",
    "infer_csv",
    "infer_ndjson",
    "is_blank",
    "read_records",
]

DELIMITERS = (",", ";", "\t", "|")

_HEADER_CELL_RE = re.compile(r"[^\W\d][\w .\-/()%#&:+*'\[\]]{0,99}")


#: Cells of a CSV file without a value.
_MISSING = ("", "\\N")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        delimiter: one character between the fields.
        new_line: one or two characters between the records.
        has_header: whether the first record holds names.
        escape: a character that takes the next one literally; empty when there is none.
    """

    delimiter: str = ","
    new_line: str = "\n"
    has_header: bool = False
    escape: str = ""


@dataclass(frozen=True)
class CsvInference:
    r"""A CSV sample understood.

    Attributes:
        dialect: how it is written.
        header: the first record when it holds names, else empty.
        columns: one for each field.
        text: the complete records that were looked at, header included, with ``\n`` between them unless they end in
            ``\r\n``.
    """

    dialect: Dialect
    header: tuple[str, ...]
    columns: tuple[InferredColumn, ...]
    text: str = field(default="", repr=False)


def infer_csv(
    sample: bytes,
    *,
    whole: bool = True,
    delimiter: str | None = None,
    new_line: str | None = None,
    escape: str = "",
    type_guessing: bool = True,
) -> CsvInference:
    """Understand the start of a CSV file.

    Args:
        sample: bytes from the start, UTF-8, with or without a byte order mark.
        whole: whether that is the whole file; if not, the last record may be cut and is ignored.
        delimiter: given by the user; guessed among `DELIMITERS` when ``None``.
        new_line: given by the user; guessed when ``None``.
        escape: the escape character, if any.
        type_guessing: ``False`` makes every column String.

    Raises:
        ValueError: there is no record.
    """
    text, whole = sample_text(sample, whole)
    if new_line is None:
        new_line = "\r\n" if "\r\n" in text else "\n" if "\n" in text or "\r" not in text else "\r"
    if new_line not in ("\n", "\r\n"):
        text = text.replace(new_line, "\n")
    dialect = Dialect(delimiter or _guess_delimiter(text, escape), new_line, False, escape)
    if not whole:
        text = _without_last_record(text, dialect)
    records = [record for record in read_records(text, dialect) if len(record) > 1 or not is_blank(record)]
    if not records:
        reason = "has no records" if whole else "has no complete record in its first MiB"
        raise ValueError(f"The file {reason}.")
    has_header = _is_header(records)
    dialect = replace(dialect, has_header=has_header)
    header = tuple(cell.strip() for cell in records[0]) if has_header else ()
    body = records[1:] if has_header else records
    width = len(records[0])
    names = column_names(header) if has_header else [f"column_{index:02d}" for index in range(width)]
    columns = []
    for index, name in enumerate(names):
        cells = [record[index] for record in body if len(record) == width]
        columns.append(_csv_column(name, cells, type_guessing))
    return CsvInference(dialect, header, tuple(columns), text)


def read_records(text: str, dialect: Dialect) -> Iterator[list[str]]:
    r"""Read CSV text with ``\n`` between records; a broken end gives what was read until then."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=dialect.delimiter, escapechar=dialect.escape or None, strict=False
    )
    try:
        yield from reader
    except csv.Error:
        return


def is_blank(record: Sequence[str]) -> bool:
    """Say whether a line held nothing or only spaces; an empty field in quotes is a value."""
    return not record or (len(record) == 1 and record[0].isspace())


def _without_last_record(text: str, dialect: Dialect) -> str:
    """Take the last record off: the sample may end inside of it, also in a field in quotes that has line ends."""
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, delimiter=dialect.delimiter, escapechar=dialect.escape or None)
    start = end = 0
    try:
        for _ in reader:
            start, end = end, reader.line_num
    except csv.Error:
        start = end
    return "".join(lines[:start])


def _guess_delimiter(text: str, escape: str) -> str:
    """Take the delimiter with which most records have the same number of fields, above one."""
    start = text[: SAMPLE_BYTES // 8]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        records = read_records(start, Dialect(delimiter, escape=escape))
        widths = [len(record) for record, _ in zip(records, range(500), strict=False) if record]
        width = max(set(widths), key=lambda each: (widths.count(each), each), default=1)
        share = widths.count(width) / len(widths) if widths else 0.0
        score = share * share * (width - 1)
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _is_header(records: list[list[str]]) -> bool:
    first = [cell.strip() for cell in records[0]]
    named = [cell for cell in first if cell]
    if 2 * len(named) < len(first) or any(_summary([cell]).type() != "String" for cell in named):
        return False
    body = records[1:1001]
    usual = len(set(named)) == len(named) and all(_HEADER_CELL_RE.fullmatch(cell) for cell in named)
    if not usual and not _stands_above_values(first, body):
        return False
    # A name does not come back as a value of its own column.
    return not any(
        cell and any(index < len(row) and row[index] == cell for row in body) for index, cell in enumerate(first)
    )


def _stands_above_values(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Say whether words stand above numbers or times: then even ``a,a`` or ``1x`` are names and not values."""
    if not all(any(char.isalpha() for char in cell) and cell != "\\N" for cell in first if cell):
        return False
    rows = [row for row in body if len(row) == len(first)]
    return any(cell and _summary(row[index] for row in rows).type() != "String" for index, cell in enumerate(first))


def _summary(cells: Iterable[str]) -> ValueSummary:
    summary = ValueSummary()
    summary.add_cells([cell for cell in cells if cell not in _MISSING])
    return summary


def _csv_column(name: str, cells: list[str], type_guessing: bool) -> InferredColumn:
    missing = sum(map(cells.count, _MISSING))
    summary = _summary(cells)
    type_ = summary.type() if type_guessing else "String"
    there = summary.elements if type_.startswith("Array(") else len(cells) - missing
    present = round(there / len(cells), 6) if cells else 1.0
    return InferredColumn(name, type_, bool(missing) and type_guessing, None, present)
