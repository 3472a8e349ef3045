"""From the start of a file to columns: names, types, nullability, CSV dialect.

Pure and deterministic: the first `SAMPLE_BYTES` are read, an incomplete last record is left out, and the same bytes
always give the same answer (the service samples at random). Rules: ``analyze.md`` sections 4, 5 and 8.

What the values of a column have in common is the business of `value_summary.py`; here are the records, the header, the
names and the paths.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .schema import Column
from .value_summary import ValueSummary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: How much of a file is looked at.
SAMPLE_BYTES = 1 << 20

DELIMITERS = (",", ";", "\t", "|")

_HEADER_CELL_RE = re.compile(r"[^\W\d][\w .\-/()%#&:+*'\[\]]{0,99}")


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
class InferredColumn:
    """What the sample says about one column.

    Attributes:
        name: a valid column name.
        type: recommended ClickHouse type without ``Nullable``.
        nullable: whether a value was missing in the sample.
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
        """The column to create; arrays are never Nullable."""
        nullable = self.nullable and not self.type.startswith("Array(")
        return Column(self.name, self.type, nullable, self.path)


@dataclass(frozen=True)
class CsvInference:
    """A CSV sample understood: its dialect, header record (empty when there is none) and columns."""

    dialect: Dialect
    header: tuple[str, ...]
    columns: tuple[InferredColumn, ...]


def complete_records(sample: bytes, *, whole: bool) -> bytes:
    """Cut *sample* after its last line end, unless it is the *whole* file; at most `SAMPLE_BYTES`."""
    if len(sample) > SAMPLE_BYTES:
        sample, whole = sample[:SAMPLE_BYTES], False
    end = max(sample.rfind(b"\n"), sample.rfind(b"\r"))
    return sample if whole or end < 0 else sample[: end + 1]


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
    text = complete_records(sample, whole=whole).decode("utf-8", "ignore").lstrip("\ufeff")
    if new_line is None:
        new_line = "\r\n" if "\r\n" in text else "\n" if "\n" in text or "\r" not in text else "\r"
    if new_line not in ("\n", "\r\n"):
        text = text.replace(new_line, "\n")
    dialect = Dialect(delimiter or _guess_delimiter(text, escape), new_line, False, escape)
    records = [record for record in read_records(text, dialect) if not is_blank(record)]
    if not records:
        raise ValueError("The file has no records.")
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
    return CsvInference(dialect, header, tuple(columns))


def infer_ndjson(sample: bytes, *, whole: bool = True) -> list[InferredColumn]:
    """Understand the start of an NDJSON file: one column per leaf, sorted by name.

    Lines that are no JSON object are ignored. Objects are flattened, arrays of scalars are columns, arrays of objects
    and of arrays become ``Array(String)`` of their JSON text.

    Raises:
        ValueError: no line is a JSON object.
    """
    text = complete_records(sample, whole=whole).decode("utf-8", "ignore").lstrip("\ufeff")
    leaves: dict[tuple[str, ...], ValueSummary] = {}
    rows = 0
    for line in text.split("\n"):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows += 1
            for path, value in _leaves(row, ()):
                summary = leaves.setdefault(path, ValueSummary(fractions=False))
                if value is not None:
                    summary.add_json(value)
    if not rows:
        raise ValueError("The file has no line that is a JSON object.")
    return _json_columns(leaves, rows)


def column_names(cells: Sequence[str]) -> list[str]:
    """Make valid, distinct column names out of header cells: other characters become ``_``, a first digit gets ``c_``.

    Example:
        >>> column_names(["Order ID", "2024", "", "Order-ID"])
        ['Order_ID', 'c_2024', 'column_02', 'Order_ID_1']
    """
    names: list[str] = []
    for index, cell in enumerate(cells):
        name = re.sub(r"[^a-zA-Z0-9_]", "_", cell.strip()) or f"column_{index:02d}"
        if name[0].isdigit():
            name = "c_" + name
        base, number = name, 0
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return names


def read_records(text: str, dialect: Dialect) -> Iterator[list[str]]:
    r"""Read CSV text with ``\\n`` between records; a broken end gives what was read until then."""
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
    for cell in cells:
        if cell not in ("", "\\N"):
            summary.add_text(cell)
            if "text" in summary.kinds:
                break
    return summary


def _csv_column(name: str, cells: list[str], type_guessing: bool) -> InferredColumn:
    missing = sum(cell in ("", "\\N") for cell in cells)
    present = 1.0 if not cells else (len(cells) - missing) / len(cells)
    type_ = _summary(cells).type() if type_guessing else "String"
    return InferredColumn(name, type_, bool(missing) and type_guessing, None, present)


def _leaves(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, item in value.items():
        if isinstance(item, dict) and item and len(path) < 50:
            yield from _leaves(item, (*path, key))
        elif not isinstance(item, dict):
            yield (*path, key), item


def _json_columns(leaves: dict[tuple[str, ...], ValueSummary], rows: int) -> list[InferredColumn]:
    found = []
    for path in sorted(leaves, key="_".join):
        summary = leaves[path]
        type_ = summary.type()
        array = type_.startswith("Array(")
        steps = "".join(f".{step}" if re.fullmatch(r"[^.\[\]\s'`]+", step) else f"['{step}']" for step in path)
        present = (summary.elements if array else summary.count) / rows
        found.append((path, type_, summary.count < rows, f"${steps}" + ("[:]" if array else ""), present))
    names = column_names(["_".join(path) for path, *_ in found])
    return [
        InferredColumn(name, type_, nullable, path, round(present, 6))
        for name, (_, type_, nullable, path, present) in zip(names, found, strict=True)
    ]
