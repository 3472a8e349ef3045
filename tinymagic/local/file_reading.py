"""Which `Source` a prepared file is, and what to do when the engine cannot read it as it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .csv_repair import repair_csv
from .engine import EngineError, quote_string
from .errors import BadRequest
from .inference import (
    DELIMITERS,
    SAMPLE_BYTES,
    CsvInference,
    Dialect,
    column_names,
    infer_csv,
    read_records,
)
from .sources import Source, csv_source, ndjson_source, parquet_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .engine import Engine
    from .ingest import Loader, LoadReport, Table
    from .schema import Column
    from .spool import Spool, SpooledFile

#: Next wider type when values after the sample do not fit (and String after the last).
_WIDER = {
    "Int16": "Int32",
    "Int32": "Int64",
    "Int64": "UInt64",
    "Float32": "Float64",
    "Date": "Date32",
    "DateTime": "DateTime64(3)",
}


@dataclass(frozen=True)
class _Layout:
    """Where the columns are in a CSV file."""

    dialect: Dialect
    positions: Mapping[str, int]
    width: int
    header_lines: int


class FileReader:
    """Reads prepared files into staging tables."""

    def __init__(self, engine: Engine, loader: Loader, spool: Spool) -> None:
        self._engine = engine
        self._loader = loader
        self._spool = spool

    def infer(self, file: SpooledFile, parameters: Mapping[str, str]) -> tuple[list[Column], list[str]]:
        """Guess the columns of a CSV file; return them and the header's cells.

        The types come from the sample and are then held against the whole file: a column whose later values do not
        fit is widened, so that a million ids do not land in quarantine because the first thousand fit Int16.

        Raises:
            BadRequest: there is no record, or a dialect parameter is wrong.
        """
        guessed = self._inferred(file, parameters, type_guessing=parameters.get("type_guessing", "").lower() != "false")
        columns = [column.column for column in guessed.columns]
        if file.size_bytes > SAMPLE_BYTES and not _needs_repair(file, guessed.dialect):
            columns = self._widened(file, guessed, columns)
        return columns, list(guessed.header)

    def stage(
        self,
        file: SpooledFile,
        file_format: str,
        columns: Sequence[Column],
        parameters: Mapping[str, str],
        table: Table,
        *,
        keeps_every_row: bool,
    ) -> LoadReport:
        """Fill the staging *table* from the file and remove the file.

        Raises:
            BadRequest: the file is not what *file_format* says, or lacks a column.
            EngineError: anything else that the engine says.
        """
        try:
            if file_format == "csv":
                return self._stage_csv(file, columns, parameters, table, keeps_every_row=keeps_every_row)
            source = ndjson_source(file.path, columns) if file_format == "ndjson" else self._parquet(file, columns)
            return self._loader.stage(source, columns, table, keeps_every_row=keeps_every_row)
        finally:
            file.path.unlink(missing_ok=True)

    def _stage_csv(
        self,
        file: SpooledFile,
        columns: Sequence[Column],
        parameters: Mapping[str, str],
        table: Table,
        *,
        keeps_every_row: bool,
    ) -> LoadReport:
        inserted = [column for column in columns if column.is_inserted]
        layout = self._layout(file, inserted, parameters)
        if not _needs_repair(file, layout.dialect):
            source = csv_source(
                file.path,
                inserted,
                layout.positions,
                width=layout.width,
                dialect=layout.dialect,
                skip_lines=layout.header_lines,
            )
            try:
                return self._loader.stage(source, columns, table, keeps_every_row=keeps_every_row)
            except EngineError:
                # Most likely a record with a wrong number of fields. If it is something else, the engine says so again.
                self._loader.empty(table, table.quarantine)
        clean = self._spool.new_path()
        try:
            repaired = repair_csv(
                file.path, clean, layout.dialect, width=layout.width, skip_records=int(layout.header_lines > 0)
            )
            plain = replace(layout.dialect, delimiter=",", new_line="\n", escape="")
            source = csv_source(clean, inserted, layout.positions, width=layout.width, dialect=plain, skip_lines=0)
            report = self._loader.stage(source, columns, table, keeps_every_row=keeps_every_row)
        finally:
            clean.unlink(missing_ok=True)
        report.invalid += repaired.invalid
        report.messages = [*repaired.messages, *report.messages]
        return report

    def _inferred(self, file: SpooledFile, parameters: Mapping[str, str], *, type_guessing: bool) -> CsvInference:
        delimiter = _character(parameters, "dialect_delimiter", most=1)
        new_line = _character(parameters, "dialect_new_line", most=2)
        escape = _character(parameters, "dialect_escapechar", most=1) or ""
        try:
            return infer_csv(
                file.head(SAMPLE_BYTES),
                whole=file.size_bytes <= SAMPLE_BYTES,
                delimiter=delimiter,
                new_line=new_line,
                escape=escape,
                type_guessing=type_guessing,
            )
        except ValueError as error:
            raise BadRequest(str(error)) from error

    def _layout(self, file: SpooledFile, columns: Sequence[Column], parameters: Mapping[str, str]) -> _Layout:
        """Find out whether there is a header, and which field belongs to which column."""
        dialect = self._inferred(file, parameters, type_guessing=False).dialect
        text = file.head(SAMPLE_BYTES // 4).decode("utf-8", "ignore")
        if dialect.new_line not in ("\n", "\r\n"):
            text = text.replace(dialect.new_line, "\n")
        names = [column.name for column in columns]
        given = "dialect_delimiter" in parameters
        for delimiter in [dialect.delimiter, *(() if given else DELIMITERS)]:
            tried = replace(dialect, delimiter=delimiter)
            first = next((record for record in read_records(text, tried) if record), [])
            positions = _positions(first, names)
            if positions is not None:
                lines = 1 + sum(cell.count("\n") for cell in first)
                return _Layout(tried, positions, len(first), lines)
            if len(first) == len(names):
                dialect = tried
                break
        return _Layout(dialect, {name: index for index, name in enumerate(names)}, len(names), 0)

    def _widened(self, file: SpooledFile, guessed: CsvInference, columns: list[Column]) -> list[Column]:
        positions = {column.name: index for index, column in enumerate(columns)}
        for _ in range(len(_WIDER)):
            source = csv_source(
                file.path,
                columns,
                positions,
                width=len(columns),
                dialect=guessed.dialect,
                skip_lines=1 + sum(cell.count("\n") for cell in guessed.header) if guessed.header else 0,
            )
            try:
                counts = self._loader.misfits(source, columns)
            except EngineError:
                return columns  # Broken records: the load reports them.
            wider = [_wider(column, *counts[column.name]) for column in columns]
            if wider == columns:
                break
            columns = wider
        return columns

    def _parquet(self, file: SpooledFile, columns: Sequence[Column]) -> Source:
        relation = f"file({quote_string(str(file.path))}, 'Parquet')"
        try:
            described = self._engine.rows(f"DESCRIBE {relation}")
        except EngineError as error:
            raise BadRequest(
                "The file is not a Parquet file, or it is damaged or cut off. Nothing was stored."
            ) from error
        source = parquet_source(file.path, columns, {str(row[0]): str(row[1]) for row in described})
        lacking = [
            column.name
            for column in columns
            if column.is_inserted and column.name not in source.cells and not column.nullable and not column.default
        ]
        if lacking:
            raise BadRequest(
                f"The Parquet file has no column for {', '.join(map(repr, lacking))}, which is neither Nullable "
                f"nor has a DEFAULT. The file has {', '.join(str(row[0]) for row in described)}. Nothing was stored."
            )
        return source


def _needs_repair(file: SpooledFile, dialect: Dialect) -> bool:
    """Say whether the engine's reader would not understand the file, or would swallow lines without saying so."""
    odd = dialect.escape or dialect.new_line not in ("\n", "\r\n")
    return bool(odd) or file.quotes % 2 == 1 or file.head(1) in (b"\n", b"\r")


def _positions(cells: Sequence[str], names: Sequence[str]) -> dict[str, int] | None:
    """Return which field holds which column when *cells* are a header, else ``None``.

    A header is a record of which at least half of the cells are names of columns, as they are or normalised.
    """
    normalised = column_names(cells)
    positions: dict[str, int] = {}
    for index, (cell, name) in enumerate(zip(cells, normalised, strict=True)):
        found = cell.strip() if cell.strip() in names else name
        if found in names and cell.strip():
            positions.setdefault(found, index)
    return positions if positions and 2 * len(positions) >= len(cells) else None


def _wider(column: Column, misfits: int, missing: int) -> Column:
    nullable = column.nullable or bool(missing and not column.type.startswith("Array("))
    if not misfits:
        return replace(column, nullable=nullable)
    return replace(column, type=_WIDER.get(column.type, "String"), nullable=nullable)


def _character(parameters: Mapping[str, str], name: str, *, most: int) -> str | None:
    value = parameters.get(name)
    if not value:
        return None
    value = {"\\t": "\t", "\\n": "\n", "\\r\\n": "\r\n", "\\r": "\r"}.get(value, value)
    if len(value) > most or (most == 1 and (value in '"\r\n' or not value.isascii())):
        raise BadRequest(f"{name} must be {'one character' if most == 1 else 'one or two characters'}.")
    return value
