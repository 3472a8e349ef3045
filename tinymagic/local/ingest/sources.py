"""A file seen as rows of raw cells, ready to be converted: one `Source` for each of CSV, NDJSON and Parquet.

Pure: a source is the text after FROM, an expression for each cell, and engine settings. Rows that are no records
at all (NDJSON lines that are no JSON object) are told apart by `Source.is_record`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tinymagic.local.engine import Setting, quote_identifier, quote_string
from tinymagic.local.tables.schema import Column, jsonpath_steps, split_at_objects
from tinymagic.local.tables.type_names import type_name, without_nullable

from .conversion import Conversion, converted, converted_column, from_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tinymagic.local.files.inference import Dialect


@dataclass(frozen=True)
class Cell:
    """What is known of a column's value in one row, as expressions.

    Attributes:
        missing: true when there is no value.
        conversion: about the value that is there.
        text: the value as text, NULL when missing; for the quarantine.
    """

    missing: str
    conversion: Conversion
    text: str


@dataclass(frozen=True)
class Source:
    """Rows of a file.

    Attributes:
        relation: what to write after FROM.
        cells: column name to cell; columns that the file does not have are absent.
        is_record: expression that is false for rows that could not be parsed at all.
        empty_fits: whether an empty cell of a column that is not Nullable gives the type's default (CSV).
        settings: for the session that reads.
    """

    relation: str
    cells: Mapping[str, Cell]
    is_record: str = "1"
    empty_fits: bool = False
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def limited(self, most_rows: int | None) -> Source:
        """Return the source of the first rows only; ``None`` means all."""
        if most_rows is None:
            return self
        # It is read several times, and with several threads another time it may be other rows.
        settings = {**self.settings, "max_threads": 1, "max_parsing_threads": 1}
        return replace(self, relation=f"(SELECT * FROM {self.relation} LIMIT {most_rows:d})", settings=settings)


def csv_source(
    path: Path,
    columns: Sequence[Column],
    positions: Mapping[str, int],
    *,
    width: int,
    dialect: Dialect,
    has_header: bool,
) -> Source:
    """See a CSV file.

    Args:
        path: UTF-8 text.
        columns: to be filled.
        positions: column name to index of the field, from 0.
        width: number of fields of a record.
        dialect: its delimiter counts here; other oddities are undone by `csv_repair`.
        has_header: whether the first record holds names.
    """
    structure = ", ".join(f"f{index} Nullable(String)" for index in range(width))
    cells = {}
    for column in columns:
        if column.name not in positions:
            continue
        raw = f"f{positions[column.name]}"
        is_string = _innermost(column.type) in ("String", "FixedString")
        missing = f"isNull({raw})" if is_string else f"(ifNull({raw}, '') = '')"
        cells[column.name] = Cell(missing, converted(raw, column.type, "text"), raw)
    settings: dict[str, Setting] = {
        "format_csv_delimiter": dialect.delimiter,
        "input_format_csv_skip_first_lines": int(has_header),  # It counts records: a quoted name may have lines.
        "input_format_csv_skip_trailing_empty_lines": 1,
        "input_format_csv_trim_whitespaces": int(dialect.delimiter not in ("\t", " ")),
    }
    relation = f"file({quote_string(str(path))}, 'CSV', {quote_string(structure)})"
    return Source(relation, cells, empty_fits=True, settings=settings)


def ndjson_source(path: Path, columns: Sequence[Column]) -> Source:
    """See an NDJSON file; every column is found by its jsonpath."""
    cells = {}
    for column in columns:
        array, inside = split_at_objects(column.jsonpath or f"$['{column.name}']")
        raw = _json_value("line", array)
        if inside:
            # One value per object, as the text of an array; what is no array stays what it is and does not fit.
            each = _json_value("object_", inside)
            values = f"arrayMap(object_ -> if({each} = '', 'null', {each}), JSONExtractArrayRaw({raw}))"
            raw = f"if(startsWith({raw}, '['), concat('[', arrayStringConcat({values}, ','), ']'), {raw})"
        missing = f"({raw} IN ('', 'null'))"
        text = f"if({missing}, NULL, if(startsWith({raw}, '\"'), JSONExtractString({raw}), {raw}))"
        cells[column.name] = Cell(missing, converted(raw, column.type, "json"), text)
    lines = f"file({quote_string(str(path))}, 'LineAsString', 'line String')"
    relation = f"(SELECT line FROM {lines} WHERE match(line, '[^[:space:]]'))"
    return Source(relation, cells, is_record="(isValidJSON(line) AND JSONType(line) = 'Object')")


def parquet_source(path: Path, columns: Sequence[Column], file_types: Mapping[str, str]) -> Source:
    """See a Parquet file.

    Args:
        path: the file.
        columns: found by jsonpath, else by name.
        file_types: column of the file to its ClickHouse type, as the engine describes it.
    """
    cells = {}
    for column in columns:
        steps = jsonpath_steps(column.jsonpath or "") or [column.name]
        found = _parquet_value([str(step) for step in steps], file_types)
        if found is None:
            continue
        raw, full_type = found
        type_, nullable = without_nullable(full_type)
        missing = f"isNull({raw})" if nullable or type_.startswith("LowCardinality(Nullable(") else "0"
        # Bytes that are no UTF-8 are stored as they are where they fit, but the quarantine and its reasons are text.
        readable = from_bytes(raw, full_type, column.type) or raw
        text = f"CAST(toValidUTF8(toString({readable})), 'Nullable(String)')"
        cells[column.name] = Cell(missing, converted_column(raw, full_type, column.type), text)
    return Source(f"file({quote_string(str(path))}, 'Parquet')", cells)


def _parquet_value(steps: Sequence[str], file_types: Mapping[str, str]) -> tuple[str, str] | None:
    if steps[0] not in file_types:
        return None
    raw, full_type = quote_identifier(steps[0]), file_types[steps[0]]
    for step in steps[1:]:
        outer = type_name(without_nullable(full_type)[0])
        members = dict(each.split(" ", 1) for each in outer.arguments if " " in each)
        inner = members.get(step) or members.get(quote_identifier(step))
        if outer.family != "Tuple" or inner is None:
            return None
        raw, full_type = f"tupleElement({raw}, {quote_string(step)})", inner
    return raw, full_type


def _json_value(text: str, path: str) -> str:
    steps = jsonpath_steps(path)
    arguments = [text] + [quote_string(step) if isinstance(step, str) else str(step + 1) for step in steps]
    return f"JSONExtractRaw({', '.join(arguments)})" if steps else text


def _innermost(type_: str) -> str:
    name = type_name(type_)
    return _innermost(name.arguments[0]) if name.family in ("LowCardinality", "Nullable") else name.family
