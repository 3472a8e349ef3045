"""The Query API: from a text and parameters to rows in a format (``query.md``).

Template, gate, names, format, run. Errors of the engine get the service's texts and status here (section 6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError, QueryResult
from tinymagic.local.errors import ApiError, BadRequest, CustomError, PayloadTooLarge, QueryTimeout
from tinymagic.local.formats import DEFAULT_FORMAT, content_type
from tinymagic.local.sql_gate import QUERY_PAGE, SqlGate, TableName, not_found
from tinymagic.local.sql_names import SYNTAX_PAGE
from tinymagic.local.template import CustomErrorCalled, Rendered, TemplateError, render
from tinymagic.sqltext import split_format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.catalog import Catalog, DataSourceRecord
    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.limits import Limits
    from tinymagic.local.permissions import Access

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
_HINT_RE = re.compile(r"Maybe you meant: \[(.*?)\]")


@dataclass(frozen=True)
class QueryRequest:
    """What one call of ``/v0/sql`` asks.

    Attributes:
        sql: the text of ``q``.
        parameters: values for the template; text, or what a JSON body gave.
        settings: the members of `OUTPUT_SETTINGS` that the request sets.
        method: ``GET`` or ``POST``; the documentation link of errors depends on it.
        query_id: by which the query can be cancelled.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)
    method: str = "GET"
    query_id: str | None = None


@dataclass(frozen=True)
class QueryReply:
    """Rows in *output_format*, its *content_type*, and what the engine read for them."""

    output_format: str
    content_type: str
    result: QueryResult


class QueryService:
    """Runs the SQL of users."""

    def __init__(self, engine: Engine, catalog: Catalog, limits: Limits) -> None:
        self._engine = engine
        self._catalog = catalog
        self._limits = limits
        self._gate = SqlGate(engine)

    def run(self, access: Access, request: QueryRequest) -> QueryReply:
        """Run one query with the rights of *access*.

        Raises:
            ApiError: with the service's status and text.
        """
        rendered = self._rendered(request)
        statement = self._gate.check(rendered.sql)
        output_format = statement.output_format or DEFAULT_FORMAT
        media_type = content_type(output_format)
        datasources = {record.name: record for record in self._catalog.datasources(access.workspace.id)}
        statement.require(lambda table: _may_read(access, datasources, table))
        if output_format == "Parquet" and _GEOMETRY_RE.search(statement.sql):
            self._refuse_geometry(statement.sql, access)
        try:
            result = self._engine.read(
                statement.sql,
                database=access.workspace.database,
                output_format=output_format,
                settings={**self._settings(request), **statement.settings, **_template_settings(rendered)},
                timeout_s=self._limits.query_timeout_s,
                query_id=request.query_id,
                readonly=statement.readonly,
            )
        except EngineError as error:
            raise query_error(error, request.method) from error
        if self._limits.reply_bytes is not None and len(result.data) > self._limits.reply_bytes:
            raise self._too_large()
        return QueryReply(output_format, media_type, result)

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


def _may_read(access: Access, datasources: Mapping[str, DataSourceRecord], table: TableName) -> bool | None:
    database, name = table
    if database:
        return None
    record = datasources.get(name)
    if record is None and name.endswith("_quarantine"):
        record = datasources.get(name[: -len("_quarantine")])
    if record is None:
        return None
    return access.allows("DATASOURCES:READ", record.name)


def query_error(error: EngineError, method: str) -> ApiError:
    """Translate an error of the engine into the service's status, text and documentation link."""
    message = _WORKSPACE_DATABASE_RE.sub("", error.message).strip()
    page = f"{QUERY_PAGE}#{method.lower()}--v0-sql"
    code = {"X-DB-Exception-Code": str(error.code)}
    if error.name in ("UNKNOWN_TABLE", "UNKNOWN_DATABASE"):
        named = _QUOTED_NAME_RE.search(message)
        return not_found(("", named[1] if named else "?"))
    if error.name == "UNKNOWN_FUNCTION":
        return BadRequest(_unknown_function(message), documentation=SYNTAX_PAGE, headers=code)
    if error.name == "SYNTAX_ERROR":
        return BadRequest(f"DB::Exception: {message}", documentation=SYNTAX_PAGE, headers=code)
    text = f"[Error] {message} ({error.name})"
    if error.name in ("TIMEOUT_EXCEEDED", "TOO_SLOW"):
        return QueryTimeout(text, documentation=page, headers=code)
    if error.name == "TOO_MANY_ROWS_OR_BYTES":
        return PayloadTooLarge(text, documentation=page, headers=code)
    return BadRequest(text, documentation=page, headers=code)


def _unknown_function(message: str) -> str:
    named = _QUOTED_NAME_RE.search(message)
    hint = _HINT_RE.search(message)
    middle = f" Maybe you meant: [{hint[1].replace(', ', ',')}]." if hint else ""
    return (
        f"DB::Exception: Unknown function {named[1] if named else '?'}.{middle} "
        "Contact support@tinybird.co if you require access to this feature"
    )
