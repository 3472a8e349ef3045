"""Data Sources: what exists, and getting rows in (``datasources.md``).

A Data Source is a row of the catalogue, a table of its name in the workspace's database, and ``<name>_quarantine``
beside it. New tables are made and filled in the staging database and renamed into the workspace when they are complete;
then the catalogue is told. Deleting goes the other way round. So a crash leaves at most a table that the
catalogue does not know, and `DataSourcesService.repair` drops it at the next start.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import DataSourceRecord, NameTaken, new_id
from tinymagic.local.datasource_view import datafile, describe, pick
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import BadRequest, Conflict, NotFound
from tinymagic.local.expressions import Expressions
from tinymagic.local.file_reading import FileReader, Layout
from tinymagic.local.imports import DATASOURCES_PAGE, ImportRequest, check_jsonpaths, import_reply, plain_reason
from tinymagic.local.ingest import (
    OWN_SQL_SETTINGS,
    Loader,
    LoadReport,
    Table,
    quarantine_definition,
    staging_table,
)
from tinymagic.local.locks import SharedLocks
from tinymagic.local.schema import Column, parse_schema, print_schema
from tinymagic.local.spool import Spool, SpooledFile, UploadError
from tinymagic.local.table_definition import (
    MOST_NAME_CHARACTERS,
    TableDefinition,
    define_table,
    read_schema,
    table_name_problem,
)
from tinymagic.names import name_problem, near_names, valid_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tinymagic.local.catalog import Catalog, Workspace
    from tinymagic.local.engine import Engine
    from tinymagic.local.limits import Limits


#: Names made from file names leave room for a number at the end.
_MOST_GUESSED = MOST_NAME_CHARACTERS - 8


class DataSourcesService:
    """Rules about Data Sources.

    Args:
        engine: where the tables are.
        catalog: what exists.
        limits: sizes.
        spool: folder for uploads; a temporary one when ``None``.
    """

    def __init__(self, engine: Engine, catalog: Catalog, limits: Limits, spool: Path | None = None) -> None:
        self._engine = engine
        self._catalog = catalog
        self.limits = limits
        self.spool = Spool(spool)
        self._loader = Loader(engine)
        self._expressions = Expressions(engine)
        self._reader = FileReader(engine, self._loader, self.spool)
        self._locks = SharedLocks()
        self.repair()

    def close(self) -> None:
        """Remove the folder of uploads."""
        self.spool.close()

    def repair(self) -> None:
        """Make catalogue and tables agree after a crash; call it when no request runs."""
        self._loader.prepare()
        for workspace in self._catalog.workspaces():
            rows = self._engine.rows(
                "SELECT name, endsWith(engine, 'MergeTree') OR engine = 'Null' FROM system.tables "
                "WHERE database = {d:String}",
                parameters={"d": workspace.database},
            )
            tables = {str(name): bool(ours) for name, ours in rows}
            known: set[str] = set()
            for record in self._catalog.datasources(workspace.id):
                if record.name not in tables:
                    self._catalog.delete_datasource(record.id)
                    continue
                table = Table(workspace.database, record.name)
                known |= {record.name, table.quarantine.name}
                if table.quarantine.name not in tables:
                    columns = parse_schema(record.schema)
                    self._engine.execute(f"CREATE TABLE {table.quarantine.sql} {quarantine_definition(columns)}")
            for name, ours in tables.items():
                if ours and name not in known and not name.startswith("_tm_"):
                    self._loader.drop(Table(workspace.database, name))

    # Reading

    def list(self, workspace: Workspace, *, attrs: str = "") -> list[dict[str, Any]]:
        """Describe every Data Source of the workspace."""
        sizes = self._sizes(workspace)
        return [pick(describe(record, sizes), attrs) for record in self._catalog.datasources(workspace.id)]

    def get(self, workspace: Workspace, name_or_id: str, *, attrs: str = "") -> dict[str, Any]:
        """Describe one Data Source.

        Raises:
            NotFound: there is none; the message names the likely ones.
        """
        record = self.record(workspace, name_or_id)
        return pick(describe(record, self._sizes(workspace), whole=True), attrs)

    def datafile(self, workspace: Workspace, name_or_id: str) -> str:
        """Return the Data Source as the text of a ``.datasource`` file."""
        return datafile(self.record(workspace, name_or_id))

    def record(self, workspace: Workspace, name_or_id: str) -> DataSourceRecord:
        """Return the catalogue's record.

        Raises:
            NotFound: there is none; the message names the likely ones.
        """
        record = self._catalog.datasource(workspace.id, name_or_id)
        if record is None:
            near = near_names(name_or_id, [each.name for each in self._catalog.datasources(workspace.id)])
            hint = f" Did you mean {' or '.join(repr(each) for each in near)}?" if near else ""
            raise NotFound(f"Data Source {name_or_id!r} does not exist.{hint}", documentation=DATASOURCES_PAGE)
        return record

    # Writing

    def create(self, workspace: Workspace, request: ImportRequest) -> dict[str, Any]:
        """Make a Data Source, from a schema, a file, or both.

        Raises:
            BadRequest: name, schema, engine or file cannot be used; nothing was made.
            Conflict: the name is taken.
        """
        name = self._new_name(workspace, request)
        schema = request.parameters.get("schema", "")
        if not schema.strip() and request.upload is None:
            raise BadRequest("A new Data Source needs a schema or a file.", documentation=DATASOURCES_PAGE)
        if not schema.strip() and request.file_format != "csv":
            raise BadRequest(
                f"A Data Source from {request.file_format} needs the parameter 'schema' with a jsonpath for each "
                "column; only CSV is guessed. POST /v0/analyze makes a schema from a file.",
                documentation=DATASOURCES_PAGE,
            )
        file = self._prepared(request)
        headers: Sequence[str] = ()
        layout: Layout | None = None
        columns: Sequence[Column]
        if schema.strip():
            columns = read_schema(schema)
        else:
            assert file is not None
            inferred = self._reader.infer(file, request.parameters)
            columns, headers, layout = inferred.columns, inferred.header, inferred.layout
        definition = define_table(columns, request.parameters, self._expressions)
        check_jsonpaths(definition.columns, request)
        with self._locks.exclusive(f"{workspace.id}/{name}"):
            return self._create(workspace, name, definition, request, file, headers, layout)

    def append(self, workspace: Workspace, request: ImportRequest) -> dict[str, Any]:
        """Add the rows of a file.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: the file cannot be read; nothing was stored.
        """
        record = self._target(workspace, request, "append")
        file = self._needed_file(request)
        with self._locks.shared(f"{workspace.id}/{record.name}"):
            record = self.record(workspace, record.id)
            target, staged = Table(workspace.database, record.name), staging_table()
            try:
                report, seconds = self._stage(record, target, staged, file, request)
                if report.stored:
                    self._loader.move(staged, target)
                if report.quarantined:
                    self._loader.move(staged.quarantine, target.quarantine)
            except EngineError as error:
                raise _not_imported(error) from error
            finally:
                self._loader.drop(staged, staged.quarantine)
        return self._reply(workspace, record, report, file, seconds)

    def replace(self, workspace: Workspace, request: ImportRequest) -> dict[str, Any]:
        """Put the rows of a file in the place of all rows, or of those that ``replace_condition`` names.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: the file cannot be read, or has no rows; the old rows are still there.
        """
        record = self._target(workspace, request, "replace")
        text = request.parameters.get("replace_condition", "").strip()
        condition = self._expressions.checked(text, "replace_condition") if text else ""
        file = self._needed_file(request)
        with self._locks.exclusive(f"{workspace.id}/{record.name}"):
            record = self.record(workspace, record.id)
            target, staged, fresh = Table(workspace.database, record.name), staging_table(), staging_table()
            try:
                report, seconds = self._stage(record, target, staged, file, request)
                if not report.stored and not condition and not request.is_true("replace_truncate_when_empty"):
                    raise BadRequest(
                        "No row of the file fits, so nothing was replaced. Add replace_truncate_when_empty=true "
                        f"to empty the Data Source. {'; '.join(report.messages)}".strip(),
                        errors=report.messages,
                    )
                if condition:
                    self._merge(target, staged, fresh, condition, report)
                self._engine.execute(f"EXCHANGE TABLES {(fresh if condition else staged).sql} AND {target.sql}")
                if report.quarantined:
                    self._loader.move(staged.quarantine, target.quarantine)
            except EngineError as error:
                raise _not_imported(error) from error
            finally:
                self._loader.drop(staged, staged.quarantine, fresh)
        return self._reply(workspace, record, report, file, seconds)

    def delete(self, workspace: Workspace, name_or_id: str) -> None:
        """Drop a Data Source with its rows and its quarantine.

        Raises:
            NotFound: there is none.
        """
        record = self.record(workspace, name_or_id)
        with self._locks.exclusive(f"{workspace.id}/{record.name}"):
            record = self.record(workspace, record.id)
            table = Table(workspace.database, record.name)
            self._catalog.delete_datasource(record.id)
            self._loader.drop(table, table.quarantine)

    # Steps

    def _new_name(self, workspace: Workspace, request: ImportRequest) -> str:
        name = request.name
        taken = {record.name for record in self._catalog.datasources(workspace.id)}
        if not name:
            base = (
                valid_name(request.file_name.split(".")[0])[:_MOST_GUESSED]
                if request.file_name
                else f"ds_{uuid.uuid4().hex[:8]}"
            )
            name, number = base, 1
            while name in taken:
                name, number = f"{base}_{number}", number + 1
        if problem := name_problem(name) or table_name_problem(name):
            raise BadRequest(problem, documentation=DATASOURCES_PAGE)
        if name in taken:
            raise Conflict(
                f"There is already a Data Source called {name!r}. Use mode=append to add rows to it, mode=replace to "
                "replace them, or another name.",
                documentation=DATASOURCES_PAGE,
            )
        return name

    def _target(self, workspace: Workspace, request: ImportRequest, mode: str) -> DataSourceRecord:
        if not request.name:
            raise BadRequest(f"mode={mode} needs the parameter 'name'.", documentation=DATASOURCES_PAGE)
        try:
            return self.record(workspace, request.name)
        except NotFound as error:
            message = f"{error.message} mode=create makes a new one."
            raise NotFound(message, documentation=DATASOURCES_PAGE) from error

    def _needed_file(self, request: ImportRequest) -> SpooledFile:
        file = self._prepared(request)
        if file is None:
            raise BadRequest("There is no file in the request: send the rows as the body or as a multipart part.")
        return file

    def _prepared(self, request: ImportRequest) -> SpooledFile | None:
        if request.upload is None:
            return None
        try:
            return self.spool.prepare(request.upload, text=request.file_format != "parquet")
        except UploadError as error:
            raise BadRequest(str(error), documentation=DATASOURCES_PAGE) from error

    def _create(
        self,
        workspace: Workspace,
        name: str,
        definition: TableDefinition,
        request: ImportRequest,
        file: SpooledFile | None,
        headers: Sequence[str],
        layout: Layout | None,
    ) -> dict[str, Any]:
        target, staged = Table(workspace.database, name), staging_table()
        record = DataSourceRecord(
            id=new_id(),
            workspace_id=workspace.id,
            name=name,
            description=request.parameters.get("description", ""),
            type=request.file_format,
            schema=print_schema(definition.columns),
            engine=definition.engine.description(),
            indexes=list(definition.indexes),
            headers={"header": [*headers]} if headers else {},
        )
        report, seconds = LoadReport(str(uuid.uuid4())), 0.0
        try:
            self._create_tables(staged, definition)
            if file is not None and definition.engine.is_merge_tree:
                report, seconds = self._fill(record, staged, file, request, layout)
            rename = f"{staged.sql} TO {target.sql}, {staged.quarantine.sql} TO {target.quarantine.sql}"
            self._engine.execute(f"RENAME TABLE {rename}")
            try:
                record = self._catalog.create_datasource(record)
            except NameTaken as error:
                self._loader.drop(target, target.quarantine)
                raise Conflict(str(error)) from error
        except EngineError as error:
            if error.name == "TABLE_ALREADY_EXISTS":
                raise Conflict(f"There is already something called {name!r}.") from error
            raise _not_imported(error) from error
        finally:
            self._loader.drop(staged, staged.quarantine)
        if file is None:
            return {"datasource": self.get(workspace, record.id)}
        return self._reply(workspace, record, report, file, seconds)

    def _create_tables(self, table: Table, definition: TableDefinition) -> None:
        try:
            self._engine.execute(f"CREATE TABLE {table.sql} {definition.sql}", settings=OWN_SQL_SETTINGS)
        except EngineError as error:
            reason = f"The Data Source cannot be created: {plain_reason(error.message)}"
            raise BadRequest(reason, documentation=DATASOURCES_PAGE) from error
        quarantine = f"CREATE TABLE {table.quarantine.sql} {quarantine_definition(definition.columns)}"
        self._engine.execute(quarantine, settings=OWN_SQL_SETTINGS)

    def _stage(
        self, record: DataSourceRecord, target: Table, staged: Table, file: SpooledFile, request: ImportRequest
    ) -> tuple[LoadReport, float]:
        """Make tables like those of *target* and fill them."""
        shape = "" if record.engine["engine"] != "Null" else " ENGINE = MergeTree ORDER BY tuple()"
        self._engine.execute(f"CREATE TABLE {staged.sql} AS {target.sql}{shape}")
        self._engine.execute(f"CREATE TABLE {staged.quarantine.sql} AS {target.quarantine.sql}")
        return self._fill(record, staged, file, request)

    def _fill(
        self,
        record: DataSourceRecord,
        staged: Table,
        file: SpooledFile,
        request: ImportRequest,
        layout: Layout | None = None,
    ) -> tuple[LoadReport, float]:
        begin = time.perf_counter()
        columns: list[Column] = parse_schema(record.schema)
        exact = record.engine["engine"] in ("MergeTree", "Null") and "engine_ttl" not in record.engine
        stage: Callable[..., LoadReport] = self._reader.stage
        report = stage(
            file, request.file_format, columns, request.parameters, staged, keeps_every_row=exact, layout=layout
        )
        return report, time.perf_counter() - begin

    def _merge(self, target: Table, staged: Table, fresh: Table, condition: str, report: LoadReport) -> None:
        """Fill *fresh* with the rows to keep and the new rows that meet the condition."""
        self._engine.execute(f"CREATE TABLE {fresh.sql} AS {target.sql}")
        self._engine.execute(f"INSERT INTO {fresh.sql} SELECT * FROM {target.sql} WHERE NOT ifNull({condition}, 0)")
        [[left_out]] = self._engine.rows(f"SELECT countIf(NOT ifNull({condition}, 0)) FROM {staged.sql}")
        self._engine.execute(f"INSERT INTO {fresh.sql} SELECT * FROM {staged.sql} WHERE ifNull({condition}, 0)")
        report.left_out = int(left_out)
        report.stored -= report.left_out

    def _reply(
        self, workspace: Workspace, record: DataSourceRecord, report: LoadReport, file: SpooledFile, seconds: float
    ) -> dict[str, Any]:
        return import_reply(self.get(workspace, record.id), report, size_bytes=file.size_bytes, seconds=seconds)

    def _sizes(self, workspace: Workspace) -> dict[str, tuple[int, int]]:
        """Return table name to (rows, bytes on disk)."""
        sql = (
            "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = {d:String} GROUP BY table"
        )
        rows = self._engine.rows(sql, parameters={"d": workspace.database})
        return {str(table): (int(count), int(size)) for table, count, size in rows}


def _not_imported(error: EngineError) -> BadRequest:
    reason = plain_reason(error.message)
    return BadRequest(
        f"The rows could not be imported, and nothing was stored. [Error] {reason} ({error.name})",
        documentation=DATASOURCES_PAGE,
        headers={"X-DB-Exception-Code": str(error.code)},
    )
