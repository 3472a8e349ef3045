"""The Query API: from a text and parameters to rows in a format (``query.md``).

Template, gate, names, format, run. Errors of the engine get the service's texts and status here (section 6).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.access.row_filters import FILTERED_QUERY_SETTINGS
from tinymagic.local.engine import EngineError, QueryResult, quote_string
from tinymagic.local.errors import ApiError, BadRequest, CustomError, PayloadTooLarge, QueryTimeout
from tinymagic.local.service_datasources.tables import ORGANIZATION, TINYBIRD
from tinymagic.local.sql.formats import DEFAULT_FORMAT, JSON_TYPE, content_type
from tinymagic.local.sql.gate import QUERY_PAGE, SqlGate, Statement, not_found
from tinymagic.local.sql.names import SYNTAX_PAGE
from tinymagic.local.sql.vocabulary import unknown_function
from tinymagic.local.template import CustomErrorCalled, Rendered, TemplateError, render
from tinymagic.names import QUARANTINE_SUFFIX
from tinymagic.sqltext import split_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog, DataSourceRecord
    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.limits import Limits
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sql.tree import TableName

    from .datasources import DataSourcesService

#: Databases of service Data Sources.
SERVICE_DATABASES = (TINYBIRD, ORGANIZATION)

#: Settings that a request may choose, with the service's defaults (``query.md`` section 1.2).
OUTPUT_SETTINGS = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "output_format_parquet_string_as_string": 0,
}

#: The engine counts uncompressed bytes in memory; an encoded reply under the limit can come from this many times more.
_UNCOMPRESSED_FACTOR = 10

#: More threads than this are no wish but a mistake.
_MOST_THREADS = 1_024

#: What a text must hold to make a value of the type Geometry; Data Sources cannot have such a column.
_GEOMETRY_RE = re.compile(r"geometry|readwk[tb]", re.IGNORECASE)

_QUOTED_NAME_RE = re.compile(r"[`']([^`']+)[`']")
_WORKSPACE_DATABASE_RE = re.compile(r"`?\bw_[0-9a-f]{32}`?\.")


@dataclass(frozen=True)
class QueryRequest:
    """What one call of ``/v0/sql`` asks.

    Attributes:
        sql: the text of ``q``.
        parameters: values for the template; text, or what a JSON body gave.
        settings: the members of `OUTPUT_SETTINGS` that the request sets.
        pipeline: name of what ``_`` stands for in the text.
        explain: whether the plan is asked for and not the rows.
        method: ``GET`` or ``POST``; the documentation link of errors depends on it.
        query_id: by which the query can be cancelled.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)
    pipeline: str = ""
    explain: bool = False
    method: str = "GET"
    query_id: str | None = None


@dataclass(frozen=True)
class QueryReply:
    """Rows in *output_format*, its *content_type*, and what the engine read for them.

    *is_free* tells that the query read service Data Sources only, which the service neither counts nor logs.
    """

    output_format: str
    content_type: str
    result: QueryResult
    is_free: bool = False


class QueryService:
    """Runs the SQL of users."""

    def __init__(
        self,
        engine: Engine,
        gate: SqlGate,
        catalog: Catalog,
        limits: Limits,
        datasources: DataSourcesService,
        service_log: ServiceLog,
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._limits = limits
        self._gate = gate
        self._datasources = datasources
        self._service_log = service_log

    def run(self, access: Access, request: QueryRequest) -> QueryReply:
        """Run one query with the rights of *access*.

        Raises:
            ApiError: with the service's status and text.
        """
        rendered = self._rendered(request)
        statement = self._gate.check(rendered.sql)
        output_format = statement.output_format or DEFAULT_FORMAT
        media_type = content_type(output_format)
        names = _Names(access, self._catalog, self._datasources, self._service_log, request.pipeline)
        if statement.shows_tables:
            return QueryReply(output_format, media_type, self._show_tables(names, output_format))
        statement.require(names.may_read)
        tables = statement.tables | statement.optional_tables
        renames = {table: place for table in tables if (place := names.place_of(table)) is not None}
        if renames:
            statement = replace(statement, sql=self._gate.renamed(statement, renames))
        if output_format == "Parquet" and _GEOMETRY_RE.search(statement.sql):
            self._refuse_geometry(statement.sql, access)
        if names.reads_service_log:
            self._service_log.flush()
        settings = {**self._settings(request), **statement.settings, **_template_settings(rendered)}
        filters = names.filters(tables)
        if filters:
            self._check_filtered(statement, request)
            settings.update(FILTERED_QUERY_SETTINGS)
            if names.hides_rows:
                settings["output_format_write_statistics"] = 0
            settings["additional_table_filters"] = map_literal(filters)
        sql = statement.sql
        if request.explain:
            sql, output_format, media_type = f"EXPLAIN indexes = 1 {split_format(sql)[0]}", "JSONCompact", JSON_TYPE
        try:
            result = self._engine.read(
                sql,
                database=access.workspace.database,
                output_format=output_format,
                settings=settings,
                timeout_s=self._limits.query_timeout_s,
                query_id=request.query_id,
                readonly=statement.readonly,
            )
        except EngineError as error:
            raise query_error(error, request.method) from error
        if names.hides_rows:
            # How much was read tells about the rows that the filter hides: search for a value, and it shows.
            result = replace(result, rows_read=result.rows, bytes_read=0)
        if request.explain:
            result = _explained(rendered.sql, result)
        if self._limits.reply_bytes is not None and len(result.data) > self._limits.reply_bytes:
            raise self._too_large()
        return QueryReply(output_format, media_type, result, is_free=names.reads_service_log_only)

    def cancel(self, query_id: str) -> None:
        """Stop a running query."""
        self._engine.cancel(query_id)

    def _rendered(self, request: QueryRequest) -> Rendered:
        if not request.sql:
            raise BadRequest("The request body should contain a query", documentation=QUERY_PAGE)
        limit = self._limits.sql_bytes
        try:
            size_bytes = len(request.sql.encode())
        except UnicodeEncodeError as error:  # JSON can carry halves of characters.
            raise BadRequest("The SQL is not valid Unicode.", documentation=QUERY_PAGE) from error
        if limit is not None and size_bytes > limit:
            raise PayloadTooLarge(f"The SQL is over the limit of {limit} bytes.", documentation=QUERY_PAGE)
        try:
            return render(request.sql, request.parameters)
        except CustomErrorCalled as error:
            raise CustomError(error.body, error.code) from error
        except TemplateError as error:
            raise BadRequest(error.message, documentation=error.documentation) from error

    def _check_filtered(self, statement: Statement, request: QueryRequest) -> None:
        """Refuse what would tell about rows that a filter keeps from the caller.

        Raises:
            BadRequest: a PREWHERE, which the engine evaluates before the filter; or the plan, which quotes it.
        """
        if statement.virtual_columns:
            message = f"{', '.join(sorted(statement.virtual_columns))} cannot be read with a token for some rows only."
            raise BadRequest(message, documentation=QUERY_PAGE)
        if statement.has_prewhere:
            message = "PREWHERE cannot be used where the token may read only some rows. Write WHERE."
            raise BadRequest(message, documentation=QUERY_PAGE)
        if request.explain:
            message = "There is no plan for a token that may read only some rows. Ask with another token."
            raise BadRequest(message, documentation=QUERY_PAGE)

    def _show_tables(self, names: _Names, output_format: str) -> QueryResult:
        """Answer ``SHOW TABLES`` with the names that the caller may read; the engine would show them all."""
        return self._engine.read(
            "SELECT arrayJoin({names:Array(String)}) AS name",
            database=names.workspace.database,
            output_format=output_format,
            parameters={"names": "[" + ", ".join(quote_string(name) for name in sorted(names.readable())) + "]"},
        )

    def _refuse_geometry(self, sql: str, access: Access) -> None:
        """Refuse a result with a column of the type Geometry: writing it as Parquet ends or hangs the engine (26.9)."""
        described = self._engine.read(
            f"DESCRIBE TABLE ({split_format(sql)[0]}\n)",
            database=access.workspace.database,
            timeout_s=self._limits.query_timeout_s,
        )
        if b"Geometry" in described.data:
            raise BadRequest(
                "[Error] The type Geometry is not supported in FORMAT Parquet. Ask for FORMAT JSON. (NOT_IMPLEMENTED)",
                documentation=QUERY_PAGE,
            )

    def _settings(self, request: QueryRequest) -> dict[str, Setting]:
        settings: dict[str, Setting] = {**OUTPUT_SETTINGS, **request.settings}
        if self._limits.reply_bytes is not None:
            settings["max_result_bytes"] = self._limits.reply_bytes * _UNCOMPRESSED_FACTOR
            settings["result_overflow_mode"] = "throw"
        if self._limits.query_memory_bytes is not None:
            settings["max_memory_usage"] = self._limits.query_memory_bytes
        return settings

    def _too_large(self) -> PayloadTooLarge:
        limit = self._limits.reply_bytes or 0
        return PayloadTooLarge(
            f"The result is over the limit of {limit // 1_000_000} MB. Select fewer rows or columns, add a LIMIT, "
            "or ask for FORMAT Parquet, which takes less space.",
            documentation=QUERY_PAGE,
        )


def _template_settings(rendered: Rendered) -> dict[str, Setting]:
    """Return what the template asked of the engine. Hints about caches and replicas mean nothing on one machine."""
    threads = rendered.settings.get("max_threads")
    return {"max_threads": threads} if isinstance(threads, int) and 0 < threads <= _MOST_THREADS else {}


class _Names:
    """What the names in one request's SQL mean: Data Sources, their quarantines, shared and service Data Sources."""

    def __init__(
        self,
        access: Access,
        catalog: Catalog,
        datasources: DataSourcesService,
        service_log: ServiceLog,
        pipeline: str,
    ) -> None:
        self._access = access
        self._datasources = datasources
        self._service_log = service_log
        self._underscore: TableName | None = None
        if pipeline:
            database, _, name = pipeline.rpartition(".")
            self._underscore = (database, name) if (database, name) != ("", "_") else None
        self._own = {record.name: record for record in catalog.datasources(access.workspace.id)}
        self.workspace = access.workspace
        self.reads_service_log = False
        self._reads_others = False
        self.hides_rows = False

    @property
    def reads_service_log_only(self) -> bool:
        """Whether nothing but service Data Sources was asked about."""
        return self.reads_service_log and not self._reads_others

    def may_read(self, table: TableName) -> bool | None:
        """Say whether there is such a resource, and whether the caller may read it."""
        database, name = table
        access = self._access
        if database in SERVICE_DATABASES:
            if not self._service_log.has(database, name):
                return None
            self.reads_service_log = True
            if database == TINYBIRD:
                return access.allows("WORKSPACE:READ_ALL")
            # They show all workspaces, so a workspace's own administrator is not enough.
            return any(scope["type"] in ("ADMIN_USER", "ORG_DATASOURCES:READ") for scope in access.token.scopes)
        if name == "_" and not database and self._underscore:
            return self.may_read(self._underscore)
        self._reads_others = True
        if database:
            shared = self._datasources.shared(access.workspace, f"{database}.{name}")
            return None if shared is None else access.allows("DATASOURCES:READ", shared.name)
        if self._base(name) is None:
            return None
        return access.allows("DATASOURCES:READ", name)

    def place_of(self, table: TableName) -> TableName | None:
        """Return database and table when they are others than the text says."""
        database, name = table
        if table == ("", "_") and self._underscore:
            return self.place_of(self._underscore) or self._underscore
        if not database or database in SERVICE_DATABASES:
            return None
        shared = self._datasources.shared(self.workspace, f"{database}.{name}")
        return None if shared is None else (shared.origin.database, shared.record.name)

    def filters(self, tables: Iterable[TableName]) -> dict[str, str]:
        """Return the conditions on the rows of tables, by ``database.table``."""
        filters = {}
        meant = {self._underscore if table == ("", "_") and self._underscore else table for table in tables}
        for database, name in meant:
            if not database and self._base(name) is not None and (condition := self._access.row_filter(name)):
                filters[f"{self.workspace.database}.{name}"] = condition
                self.hides_rows = True
        named = {f"{ORGANIZATION}.{name}" for database, name in meant if database == TINYBIRD}
        if named:
            own = self._service_log.table_filters(self.workspace.id)
            filters.update((table, own[table]) for table in named if table in own)
        return filters

    def readable(self) -> Iterator[str]:
        """Give the names of the Data Sources that the caller may read."""
        shared = (each.name for each in self._datasources.shared_with(self.workspace))
        for name in (*self._own, *shared):
            if self._access.allows("DATASOURCES:READ", name):
                yield name

    def _base(self, name: str) -> DataSourceRecord | None:
        found = self._own.get(name)
        if found is None and name.endswith(QUARANTINE_SUFFIX):
            found = self._own.get(name[: -len(QUARANTINE_SUFFIX)])
        return found


def map_literal(filters: Mapping[str, str]) -> str:
    """Write the value of a setting that is a map of texts."""
    return "{" + ", ".join(f"{quote_string(name)}: {quote_string(text)}" for name, text in filters.items()) + "}"


def _explained(sql: str, result: QueryResult) -> QueryResult:
    """Turn the lines of a plan into the object that ``explain=true`` answers with."""
    lines = [str(row[0]) for row in json.loads(result.data)["data"]]
    plan = _WORKSPACE_DATABASE_RE.sub("", "\n".join(lines))
    body = json.dumps({"debug_query": sql, "query_explain": plan}, ensure_ascii=False)
    return replace(result, data=body.encode())


def query_error(error: EngineError, method: str) -> ApiError:
    """Translate an error of the engine into the service's status, text and documentation link."""
    message = _WORKSPACE_DATABASE_RE.sub("", error.message).strip()
    page = f"{QUERY_PAGE}#{method.lower()}--v0-sql"
    code = {"X-DB-Exception-Code": str(error.code)}
    if error.name in ("UNKNOWN_TABLE", "UNKNOWN_DATABASE"):
        named = _QUOTED_NAME_RE.search(message)
        return not_found(("", named[1] if named else "?"))
    if error.name == "UNKNOWN_FUNCTION":
        named = _QUOTED_NAME_RE.search(message)
        return unknown_function(named[1] if named else "?", message)
    if error.name == "SYNTAX_ERROR":
        return BadRequest(f"DB::Exception: {message}", documentation=SYNTAX_PAGE, headers=code)
    text = f"[Error] {message} ({error.name})"
    if error.name in ("TIMEOUT_EXCEEDED", "TOO_SLOW"):
        return QueryTimeout(text, documentation=page, headers=code)
    if error.name == "TOO_MANY_ROWS_OR_BYTES":
        return PayloadTooLarge(text, documentation=page, headers=code)
    return BadRequest(text, documentation=page, headers=code)
