"""Which `Source` a prepared file is, and what to do when the engine cannot read it as it stands."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError, quote_string
from tinymagic.local.errors import BadRequest
from tinymagic.local.ingest.sources import Source, csv_source, ndjson_source, parquet_source
from tinymagic.local.tables.definition import check_width

from .csv_repair import repair_csv
from .inference import (
    DELIMITERS,
    SAMPLE_BYTES,
    CsvInference,
    Dialect,
    column_names,
    infer_csv,
    is_blank,
    read_records,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tinymagic.local.engine import Engine
    from tinymagic.local.ingest.loader import Loader, LoadReport, Table
    from tinymagic.local.tables.schema import Column

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


_BLANK_START_RE = re.compile(rb" *[\r\n]")
_BLANK_LINE_RE = re.compile(rb"\n[ \t]*\r?\n")


@dataclass(frozen=True)
class Layout:
    """Where the columns are in a CSV file.

    Attributes:
        dialect: how it is written.
        positions: column name to index of the field, from 0.
        width: number of fields of a record.
        has_header: whether the first record holds names.
    """

    dialect: Dialect
    positions: Mapping[str, int]
    width: int
    has_header: bool

    def source(self, path: Path, columns: Sequence[Column]) -> Source:
        """See a file of this layout as rows of cells for *columns*."""
        return csv_source(
            path,
            columns,
            self.positions,
            width=self.width,
            dialect=self.dialect,
            has_header=self.has_header,
        )


@dataclass(frozen=True)
class InferredFile:
    """What a CSV file says about itself: columns to create, the header's cells (none without one), and the layout."""

    columns: tuple[Column, ...]
    header: tuple[str, ...]
    layout: Layout


class FileReader:
    """Reads prepared files into staging tables."""

    def __init__(self, engine: Engine, loader: Loader, spool: Spool) -> None:
        self._engine = engine
        self._loader = loader
        self._spool = spool

    def infer(self, file: SpooledFile, parameters: Mapping[str, str]) -> InferredFile:
        """Guess the columns of a CSV file.

        The types come from the sample and are then held against the whole file: a column whose later values do not
        fit is widened, so that a million ids do not land in quarantine because the first thousand fit Int16.

        Raises:
            BadRequest: there is no record, there are too many columns, or a dialect parameter is wrong.
        """
        guessed = self._inferred(file, parameters, type_guessing=parameters.get("type_guessing", "").lower() != "false")
        check_width(len(guessed.columns), "The CSV file cannot be imported")
        columns = [column.column for column in guessed.columns]
        layout = Layout(
            guessed.dialect,
            {column.name: index for index, column in enumerate(columns)},
            len(columns),
            guessed.dialect.has_header,
        )
        if file.size_bytes > SAMPLE_BYTES and not _needs_repair(file, guessed.dialect):
            columns = self._widened(file, layout, columns)
        return InferredFile(tuple(columns), guessed.header, layout)

    def stage(
        self,
        file: SpooledFile,
        file_format: str,
        columns: Sequence[Column],
        parameters: Mapping[str, str],
        table: Table,
        *,
        keeps_every_row: bool,
        layout: Layout | None = None,
        import_id: str = "",
        most_rows: int | None = None,
    ) -> LoadReport:
        """Fill the staging *table* from the file and remove the file.

        Args:
            file: prepared.
            file_format: ``csv``, ``ndjson`` or ``parquet``.
            columns: of the Data Source.
            parameters: of the request.
            table: made by the caller, as is its quarantine.
            keeps_every_row: see `Loader.stage`.
            layout: of a CSV file whose columns were guessed from it; otherwise the header, if any, is held against
                the names of *columns*.
            import_id: of the load; a new one when empty.
            most_rows: of the file, from its start; ``None`` reads all.

        Raises:
            BadRequest: the file is not what *file_format* says, or lacks a column.
            EngineError: anything else that the engine says.
        """
        try:
            if file_format == "csv":
                if layout is None:
                    layout = self._layout(file, [column for column in columns if column.is_inserted], parameters)
                return self._stage_csv(
                    file,
                    columns,
                    layout,
                    table,
                    keeps_every_row=keeps_every_row,
                    import_id=import_id,
                    most_rows=most_rows,
                )
            source = ndjson_source(file.path, columns) if file_format == "ndjson" else self._parquet(file, columns)
            source = source.limited(most_rows)
            return self._loader.stage(source, columns, table, keeps_every_row=keeps_every_row, import_id=import_id)
        finally:
            file.path.unlink(missing_ok=True)

    def _stage_csv(
        self,
        file: SpooledFile,
        columns: Sequence[Column],
        layout: Layout,
        table: Table,
        *,
        keeps_every_row: bool,
        import_id: str,
        most_rows: int | None,
    ) -> LoadReport:
        inserted = [column for column in columns if column.is_inserted]
        # The engine stops at a blank line unless there is one column: then it takes it for a row with an empty value.
        if not _needs_repair(file, layout.dialect) and not (layout.width == 1 and _has_blank_line(file)):
            source = layout.source(file.path, inserted).limited(most_rows)
            try:
                return self._loader.stage(source, columns, table, keeps_every_row=keeps_every_row, import_id=import_id)
            except EngineError as error:
                if error.name == "QUERY_WAS_CANCELLED":
                    raise
                # Most likely a record with a wrong number of fields. If it is something else, the engine says so again.
                self._loader.empty(table, table.quarantine)
        clean = self._spool.new_path()
        try:
            repaired = repair_csv(
                file.path, clean, layout.dialect, width=layout.width, skip_records=int(layout.has_header)
            )
            plain = replace(layout.dialect, delimiter=",", new_line="\n", escape="")
            source = replace(layout, dialect=plain, has_header=False).source(clean, inserted).limited(most_rows)
            report = self._loader.stage(source, columns, table, keeps_every_row=keeps_every_row, import_id=import_id)
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

    def _layout(self, file: SpooledFile, columns: Sequence[Column], parameters: Mapping[str, str]) -> Layout:
        """Find out whether there is a header, and which field belongs to which column."""
        dialect = self._inferred(file, parameters, type_guessing=False).dialect
        text = file.head(SAMPLE_BYTES // 4).decode("utf-8", "ignore")
        if dialect.new_line not in ("\n", "\r\n"):
            text = text.replace(dialect.new_line, "\n")
        names = [column.name for column in columns]
        given = "dialect_delimiter" in parameters
        for delimiter in [dialect.delimiter, *(() if given else DELIMITERS)]:
            tried = replace(dialect, delimiter=delimiter)
            first = next((record for record in read_records(text, tried) if not is_blank(record)), [])
            positions = _positions(first, names)
            if positions is not None:
                return Layout(tried, positions, len(first), True)
            if len(first) == len(names):
                dialect = tried
                break
        return Layout(dialect, {name: index for index, name in enumerate(names)}, len(names), False)

    def _widened(self, file: SpooledFile, layout: Layout, columns: list[Column]) -> list[Column]:
        for _ in range(len(_WIDER)):
            source = layout.source(file.path, columns)
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
    return bool(odd) or file.quotes % 2 == 1 or _BLANK_START_RE.match(file.head(1024)) is not None


def _positions(cells: Sequence[str], names: Sequence[str]) -> dict[str, int] | None:
    """Return which field holds which column when *cells* are a header, else ``None``.

    A header is a record of which at least half of the cells are names of columns, as they are or normalised. When the
    names that a new Data Source would get from these cells are all there, they count before a cell that happens to be
    a name itself: ``a b,a_b`` made the columns ``a_b`` and ``a_b_1``. An empty cell is no sign of a header.
    """
    raw = [cell.strip() for cell in cells]
    normalised = column_names(cells)
    given = {cell for cell in raw if cell}
    if given <= set(names) and len(given) == len(raw):
        return {cell: index for index, cell in enumerate(raw)}
    if given and set(normalised) <= set(names):
        return {name: index for index, name in enumerate(normalised)}
    positions: dict[str, int] = {}
    for index, cell in enumerate(raw):
        if cell and cell in names:
            positions.setdefault(cell, index)
    taken = set(positions.values())
    for index, name in enumerate(normalised):
        if raw[index] and name in names and index not in taken:
            positions.setdefault(name, index)
    return positions if positions and 2 * len(positions) >= len(cells) else None


def _has_blank_line(file: SpooledFile) -> bool:
    if not file.size_bytes:
        return False
    with file.path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _BLANK_LINE_RE.search(content) is not None


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
