"""From a file to a table, nothing half-done, with every row accounted for.

A load never writes to the table that people read. Rows are staged in a table of the same shape in a database of its own
(`STAGING_DATABASE`, dropped as a whole at start) and then moved in one step: their parts are attached to the target,
which takes milliseconds and is one change for readers. When materialized views hang on the target, what they make of
the rows is moved with them (`feeding.py`).

Theory of operation. `Loader.stage` first tries the fast way: one INSERT SELECT whose WHERE throws at the first row that
does not fit. Almost always none does, and the file was read once. When it throws, the same expressions sort the rows:
those that fit are staged, those that do not go to a second table with the reasons, and lines that are no records are
counted. Both ways use the expressions of `ingest.sources`, so they cannot disagree about what fits.
"""

from __future__ import annotations

import json
import logging
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import DiskFull, EngineEnding, EngineError, quote_identifier, quote_string
from tinymagic.local.tables.schema import QUARANTINE_COLUMNS, Column
from tinymagic.local.tables.type_names import type_name

from .feeding import Feeding, keeps_rows
from .leftovers import Leftovers
from .moves import Moves
from .rebuilding import Rebuilding
from .settings import ANY_PARTITIONS as ANY_PARTITIONS
from .settings import INSERT_SETTINGS as INSERT_SETTINGS
from .settings import ONE_BLOCK as ONE_BLOCK
from .settings import OWN_SQL_SETTINGS as OWN_SQL_SETTINGS
from .table import STAGING_DATABASE as STAGING_DATABASE
from .table import Table as Table
from .table import staging_table as staging_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.materializing.view import View

    from .sources import Cell, Source

logger = logging.getLogger("tinymagic.local")

MISFIT = "tinymagic: a row does not fit"
_MOST_MESSAGES = 10


@dataclass
class LoadReport:
    """What became of the rows of one file: rows in = *stored* + *quarantined* + *invalid* + *left_out*.

    Attributes:
        import_id: names the load, also in the quarantine.
        stored: rows that fit.
        quarantined: rows that were read but do not fit.
        invalid: lines that are no records.
        left_out: rows of a conditional replace that its condition excludes.
        messages: sentences about the first rows that were not stored.
    """

    import_id: str
    stored: int = 0
    quarantined: int = 0
    invalid: int = 0
    left_out: int = 0
    messages: list[str] = field(default_factory=list)


def quarantine_definition(columns: Sequence[Column]) -> str:
    """Return columns and engine of a quarantine table (``datasources.md`` section 5)."""
    own = [f"{quote_identifier(column.name)} Nullable(String)" for column in columns if column.is_inserted]
    error_column, error, import_id, insertion_date = QUARANTINE_COLUMNS
    own += [f"{error_column} Array(String)", f"{error} Array(String)", f"{import_id} Nullable(String)"]
    own.append(f"{insertion_date} DateTime")
    return f"({', '.join(own)}) ENGINE = MergeTree ORDER BY {insertion_date}"


def _no_views(table: Table) -> Sequence[View]:
    del table
    return ()


class Loader:
    """Loads files with the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._moves = Moves(engine, STAGING_DATABASE)
        self._leftovers = Leftovers(self.discard)
        self._unmerged: set[Table] = set()
        #: Tells the materialized views that hang on a table.
        self.views: Callable[[Table], Sequence[View]] = _no_views
        #: Tells those that fill a table.
        self.views_into: Callable[[Table], Sequence[View]] = _no_views

    def prepare(self) -> None:
        """Finish the moves that a killed server had begun, drop what else it left in staging, and make the database."""
        self._moves.finish()
        self._engine.execute(f"DROP DATABASE IF EXISTS {STAGING_DATABASE} SYNC")
        self._engine.execute(f"CREATE DATABASE {STAGING_DATABASE} ENGINE = Atomic")

    def drop(self, *tables: Table) -> None:
        """Drop tables that may or may not be there."""
        with self._engine.cleaning():
            for table in tables:
                self._engine.execute(f"DROP TABLE IF EXISTS {table.sql} SYNC")

    def discard(self, *tables: Table) -> None:
        """Drop staging tables after the fact: that it cannot be done changes nothing of what happened before.

        What stays is dropped at the next start.
        """
        for table in tables:
            try:
                self.drop(table)
            except (EngineError, DiskFull, EngineEnding) as error:
                logger.warning("A staging table could not be dropped: %s", type(error).__name__)

    def discard_soon(self, *tables: Table) -> None:
        """Like `discard`, without waiting for it."""
        if tables:
            self._leftovers.add(*tables)

    def close(self) -> None:
        """End what goes on in the background."""
        self._leftovers.close()

    def empty(self, *tables: Table) -> None:
        """Remove all rows."""
        for table in tables:
            self._engine.execute(f"TRUNCATE TABLE {table.sql}")

    def stage(
        self,
        source: Source,
        columns: Sequence[Column],
        table: Table,
        *,
        keeps_every_row: bool,
        import_id: str = "",
    ) -> LoadReport:
        """Fill the empty *table* and, when rows do not fit, its quarantine.

        Args:
            source: the file.
            columns: of the Data Source.
            table: made by the caller, as is its quarantine.
            keeps_every_row: whether its engine keeps as many rows as are inserted; if not, the file is counted.
            import_id: of the load; a new one when empty.

        Raises:
            EngineError: the file cannot be read, for instance because it is no Parquet file.
        """
        report = LoadReport(import_id or str(uuid.uuid4()))
        plan = Plan(source, [column for column in columns if column.is_inserted])
        strict = f"NOT throwIf(NOT ({plan.fits} AND {source.is_record}), {quote_string(MISFIT)})"
        try:
            self._insert(table, plan, strict)
        except EngineError as error:
            if MISFIT not in error.message:
                raise
        else:
            counted = table.sql if keeps_every_row else source.relation
            report.stored = self._count(source, counted)
            return report
        self.empty(table)
        self._insert(table, plan, f"{source.is_record} AND {plan.fits}")
        self.quarantine(table, plan, report)
        self._account(source, plan, report)
        return report

    def misfits(self, source: Source, columns: Sequence[Column]) -> dict[str, tuple[int, int]]:
        """Return for each column how many values do not fit its type, and how many are missing."""
        plan = Plan(source, [column for column in columns if column.is_inserted])
        parts = []
        for column in plan.columns:
            cell = source.cells[column.name]
            parts.append(f"countIf(NOT {plan.fits_of(column)})")
            parts.append(f"countIf({cell.missing})")
        [counts] = self._rows(source, f"SELECT {', '.join(parts)} FROM {source.relation} WHERE {source.is_record}")
        pairs = zip(counts[::2], counts[1::2], strict=True)
        return {column.name: pair for column, pair in zip(plan.columns, pairs, strict=True)}

    def move(self, staged: Table, target: Table) -> None:
        """Move all rows of *staged* to *target*, in one step for whoever reads it; views get what they make of them.

        Raises:
            EngineError: nothing was moved, for instance because a view failed.
            Unfinished: not all of it is where it belongs.
        """
        if not self.views(target):
            self._attach(staged, target)
            return
        with self.feeding(staged, target) as feeding:
            feeding.move()

    def keeps_rows(self, table: Table) -> bool:
        """Say whether a table stores rows; the engine Null does not."""
        return keeps_rows(self._engine, table)

    @contextmanager
    def feeding(self, staged: Table, target: Table, *, lenient: bool = False) -> Iterator[Feeding]:
        """Evaluate the views on *target* on the rows of *staged*; `Feeding.move` in the block moves all together.

        *lenient*: a view that fails does not keep the rows from being moved; `Feeding.errors` says so.

        Raises:
            EngineError: a view failed.
        """
        feeding = Feeding(self._engine, self._moves, staged, target, self.views)
        try:
            feeding.evaluate(lenient=lenient)
            yield feeding
        finally:
            self.discard_soon(*feeding.staged_by_views)

    @contextmanager
    def rebuilding(
        self, fresh: Table, table: Table, *, condition: str = "", skip_incompatible: bool = False
    ) -> Iterator[Rebuilding]:
        """Evaluate the views on *table* anew for *fresh*; `Rebuilding.exchange` in the block makes all visible.

        Args:
            fresh: takes the place of *table*.
            table: held alone, with what is downstream (`DataSourcesService.replacing`).
            condition: of the rows that are replaced; empty when all are.
            skip_incompatible: leave alone the targets whose partitions do not follow those of *table*.

        Raises:
            EngineError: a view failed.
            IncompatiblePartitions: there is such a target, and it is not to be left alone.
        """
        rebuilding = Rebuilding(self._engine, self._moves, fresh, table, self.views, self.views_into)
        try:
            rebuilding.evaluate(condition, skip_incompatible=skip_incompatible)
            yield rebuilding
        finally:
            self.discard(*rebuilding.staged_by_views)

    def exchange(self, *pairs: tuple[Table, Table]) -> None:
        """Put staged tables in the place of others, each (staged, other): all in one step, or none.

        Raises:
            EngineError: nothing was exchanged.
            Unfinished: some of them are.
        """
        self._moves.together((), pairs)

    def _attach(self, staged: Table, target: Table) -> None:
        if self._can_attach(target):
            self._moves.attach(staged.name, target.database, target.name)
        else:
            self._engine.execute(f"INSERT INTO {target.sql} SELECT * FROM {staged.sql}", settings=ANY_PARTITIONS)

    def _can_attach(self, target: Table) -> bool:
        sql = (
            "SELECT endsWith(engine, 'MergeTree') AND empty(dependencies_table) FROM system.tables "
            "WHERE database = {d:String} AND name = {n:String}"
        )
        rows = self._engine.rows(sql, parameters={"d": target.database, "n": target.name})
        return bool(rows and rows[0][0])  # When it is gone, the INSERT says so.

    @contextmanager
    def unmerged(self, table: Table) -> Iterator[None]:
        """Stage rows as they come in the block, also those of one key that the engine would make one: for views."""
        self._unmerged.add(table)
        try:
            yield
        finally:
            self._unmerged.discard(table)

    def _insert(self, table: Table, plan: Plan, where: str) -> None:
        settings: dict[str, Setting] = {**plan.source.settings, **OWN_SQL_SETTINGS, **INSERT_SETTINGS}
        if table in self._unmerged:
            settings["optimize_on_insert"] = 0
        self._engine.execute(plan.insert_statement(table, where), settings=settings)

    def quarantine(self, table: Table, plan: Plan, report: LoadReport) -> None:
        """Put the rows that do not fit into the quarantine of *table*."""
        names = ", ".join(quote_identifier(column.name) for column in plan.columns)
        values = ", ".join(plan.source.cells[column.name].text for column in plan.columns)
        bad_columns = ", ".join(
            f"if({plan.fits_of(column)}, '', {quote_string(column.name)})" for column in plan.columns
        )
        reasons = ", ".join(f"if({plan.fits_of(column)}, '', {plan.reason_of(column)})" for column in plan.columns)
        sql = (
            f"INSERT INTO {table.quarantine.sql} ({names}, {', '.join(QUARANTINE_COLUMNS)}) "
            f"SELECT {values}, arrayFilter(x -> x != '', [{bad_columns}]), arrayFilter(x -> x != '', [{reasons}]), "
            f"{quote_string(report.import_id)}, now() "
            f"FROM {plan.source.relation} WHERE {plan.source.is_record} AND NOT {plan.fits}"
        )
        self._engine.execute(sql, settings={**plan.source.settings, **OWN_SQL_SETTINGS})

    def _account(self, source: Source, plan: Plan, report: LoadReport) -> None:
        """Count what became of the rows and describe the first that were not stored."""
        sql = (
            f"SELECT countIf({source.is_record} AND {plan.fits}), countIf({source.is_record} AND NOT {plan.fits}), "
            f"countIf(NOT {source.is_record}) FROM {source.relation}"
        )
        [[report.stored, report.quarantined, report.invalid]] = self._rows(source, sql)
        reasons = ", ".join(f"if({plan.fits_of(column)}, '', {plan.reason_of(column)})" for column in plan.columns)
        sql = (
            f"SELECT DISTINCT arrayStringConcat(arrayFilter(x -> x != '', [{reasons}]), '; ') FROM {source.relation} "
            f"WHERE {source.is_record} AND NOT {plan.fits} LIMIT {_MOST_MESSAGES}"
        )
        report.messages = [str(row[0]) for row in self._rows(source, sql)]
        if report.invalid:
            sql = (
                f"SELECT substring(line, 1, 80) FROM {source.relation} WHERE NOT {source.is_record} "
                f"LIMIT {_MOST_MESSAGES}"
            )
            report.messages += [f"not a JSON object: {row[0]}" for row in self._rows(source, sql)]

    def _count(self, source: Source, relation: str) -> int:
        [[count]] = self._rows(source, f"SELECT count() FROM {relation}")
        return int(count)

    def _rows(self, source: Source, sql: str) -> list[list[Any]]:
        settings: Mapping[str, Setting] = {
            **source.settings,
            **OWN_SQL_SETTINGS,
            "output_format_json_quote_64bit_integers": 0,
        }
        data = self._engine.execute(sql, settings=settings, output_format="JSONCompactEachRow")
        return [json.loads(line.decode("utf-8", "replace")) for line in data.splitlines() if line]


class Plan:
    """The expressions of one load."""

    def __init__(self, source: Source, columns: Sequence[Column]) -> None:
        self.source = source
        self.columns = [column for column in columns if column.name in source.cells]
        self.fits = "(" + (" AND ".join(self.fits_of(column) for column in self.columns) or "1") + ")"

    def fits_of(self, column: Column) -> str:
        """Return whether a row has a value that fits the column."""
        cell: Cell = self.source.cells[column.name]
        fits = f"ifNull({cell.conversion.fits}, 0)"
        if column.nullable or column.default or self.source.empty_fits or "(Nullable(" in column.type[:24]:
            return f"({cell.missing} OR {fits})"
        return f"(NOT {cell.missing} AND {fits})"

    def insert_statement(self, table: Table, where: str) -> str:
        """Return the statement that stores the rows that *where* keeps."""
        names = ", ".join(quote_identifier(column.name) for column in self.columns)
        values = ", ".join(self.value_of(column) for column in self.columns)
        return f"INSERT INTO {table.sql} ({names}) SELECT {values} FROM {self.source.relation} WHERE {where}"

    def value_of(self, column: Column) -> str:
        """Return the value to store; NULL stands for none."""
        cell: Cell = self.source.cells[column.name]
        if not type_name(column.type).is_composite:
            return f"if({cell.missing}, NULL, {cell.conversion.value})"
        absent = f"CAST({column.default_expression or 'defaultValueOfTypeName(' + quote_string(column.type) + ')'}, "
        return f"if({cell.missing}, {absent}{quote_string(column.type)}), {cell.conversion.value})"

    def reason_of(self, column: Column) -> str:
        """Return the sentence about a value that does not fit."""
        cell: Cell = self.source.cells[column.name]
        name, type_ = quote_string(column.name), quote_string(column.full_type)
        return (
            f"if({cell.missing}, concat('value is missing on column \\'', {name}, '\\', which is not Nullable'), "
            f"concat('value \\'', substringUTF8(ifNull({cell.text}, ''), 1, 200), '\\' on column \\'', {name}, "
            f"'\\' is not ', {type_}))"
        )
