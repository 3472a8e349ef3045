"""The Query API: from a text and parameters to rows in a format (``query.md``).

Compose (template, gate, names: `pipes.composition`), format, run. What a Pipe's endpoint gives comes out of here too,
so that limits, settings and errors are the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError, QueryResult, quote_string
from tinymagic.local.errors import BadRequest, PayloadTooLarge
from tinymagic.local.pipes.meanings import OfNode
from tinymagic.local.sql.failures import query_error, without_database
from tinymagic.local.sql.formats import DEFAULT_FORMAT, JSON_TYPE, content_type
from tinymagic.local.sql.gate import QUERY_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.limits import Limits
    from tinymagic.local.pipes.assembly import Composed
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import Node, PipeRecord
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sql.tree import TableName

#: Settings that a request may choose, with the service's defaults (``query.md`` section 1.2).
OUTPUT_SETTINGS = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "output_format_parquet_string_as_string": 0,
}

#: Bloom filters serve who looks for one value in a file of many; a reply is read whole. Writing them took as long as
#: the query itself and made the reply twice as large.
_REPLY_SETTINGS = {"output_format_parquet_write_bloom_filter": 0}

#: The engine counts uncompressed bytes in memory; an encoded reply under the limit can come from this many times more.
_UNCOMPRESSED_FACTOR = 10

#: What a text must hold to make a value of the type Geometry; Data Sources cannot have such a column.
_GEOMETRY_RE = re.compile(r"geometry|readwk[tb]", re.IGNORECASE)


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
        output_format: of the reply, whatever the text says; ``None`` leaves it to the text.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)
    pipeline: str = ""
    explain: bool = False
    method: str = "GET"
    query_id: str | None = None
    output_format: str | None = None


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

    def __init__(self, engine: Engine, composer: Composer, limits: Limits, service_log: ServiceLog) -> None:
        self._engine = engine
        self._composer = composer
        self._limits = limits
        self._service_log = service_log

    def run(self, access: Access, request: QueryRequest) -> QueryReply:
        """Run one query with the rights of *access*.

        Raises:
            ApiError: with the service's status and text.
        """
        self._check_text(request.sql)
        underscore = _underscore(request.pipeline)
        return self._run(
            access, self._composer.text(access, request.sql, request.parameters, underscore=underscore), request
        )

    def run_node(self, access: Access, pipe: PipeRecord, node: Node, request: QueryRequest) -> QueryReply:
        """Run a node, or *request*'s SQL over it with ``_`` for the node, with the rights of the Pipe's owner.

        The caller has asked whether *access* may read the Pipe. Filters of rows in it hold.

        Raises:
            ApiError: with the service's status and text.
        """
        if request.sql:
            self._check_text(request.sql)
            meant = OfNode(pipe, node)
            composed = self._composer.text(access, request.sql, request.parameters, underscore=meant)
        else:
            composed = self._composer.node(access.workspace, pipe, node, request.parameters, access=access)
        return self._run(access, composed, request)

    def _run(self, access: Access, composed: Composed, request: QueryRequest) -> QueryReply:
        output_format = request.output_format or composed.output_format or DEFAULT_FORMAT
        media_type = content_type(output_format)
        if composed.shows_tables:
            return QueryReply(output_format, media_type, self._show_tables(access, output_format))
        if output_format == "Parquet" and _GEOMETRY_RE.search(composed.sql):
            self._refuse_geometry(composed, access)
        if composed.reads_service_log:
            self._service_log.flush()
        sql, parameters = composed.sql, composed.parameters
        if request.explain:
            if composed.hides_rows:  # It quotes the filter.
                message = "There is no plan for a token that may read only some rows. Ask with another token."
                raise BadRequest(message, documentation=QUERY_PAGE)
            sql, output_format, media_type = f"EXPLAIN indexes = 1 {sql}", "JSONCompact", JSON_TYPE
            parameters = self._composer.secret_guard.masked(parameters)  # A plan quotes values.
        try:
            result = self._engine.read(
                sql,
                database=access.workspace.database,
                output_format=output_format,
                settings={**self._settings(request), **composed.settings},
                parameters=parameters,
                timeout_s=self._limits.query_timeout_s,
                query_id=request.query_id,
                readonly=composed.readonly,
            )
        except EngineError as error:
            raise query_error(error, request.method) from error
        if composed.hides_rows:
            # How much was read tells about the rows that the filter hides: search for a value, and it shows.
            result = replace(result, rows_read=result.rows, bytes_read=0)
        if request.explain:
            result = _explained(composed.rendered, result)
        if self._limits.reply_bytes is not None and len(result.data) > self._limits.reply_bytes:
            raise self._too_large()
        self._composer.secret_guard.check_reply(result.data, composed.parameters)
        return QueryReply(output_format, media_type, result, is_free=composed.is_free)

    def cancel(self, query_id: str) -> None:
        """Stop a running query."""
        self._engine.cancel(query_id)

    def _check_text(self, sql: str) -> None:
        if not sql:
            raise BadRequest("The request body should contain a query", documentation=QUERY_PAGE)
        limit = self._limits.sql_bytes
        try:
            size_bytes = len(sql.encode())
        except UnicodeEncodeError as error:  # JSON can carry halves of characters.
            raise BadRequest("The SQL is not valid Unicode.", documentation=QUERY_PAGE) from error
        if limit is not None and size_bytes > limit:
            raise PayloadTooLarge(f"The SQL is over the limit of {limit} bytes.", documentation=QUERY_PAGE)

    def _show_tables(self, access: Access, output_format: str) -> QueryResult:
        """Answer ``SHOW TABLES`` with the names that the caller may read; the engine would show them all."""
        names = sorted(self._composer.caller(access).readable())
        return self._engine.read(
            "SELECT arrayJoin({names:Array(String)}) AS name",
            database=access.workspace.database,
            output_format=output_format,
            parameters={"names": "[" + ", ".join(quote_string(name) for name in names) + "]"},
        )

    def _refuse_geometry(self, composed: Composed, access: Access) -> None:
        """Refuse a result with a column of the type Geometry: writing it as Parquet ends or hangs the engine (26.9)."""
        if composed.sql.startswith("DESCRIBE "):
            return
        try:
            columns = self._composer.columns(access.workspace, composed)
        except EngineError:
            return  # Running it says why.
        if any("Geometry" in type_ for _, type_ in columns):
            raise BadRequest(
                "[Error] The type Geometry is not supported in FORMAT Parquet. Ask for FORMAT JSON. (NOT_IMPLEMENTED)",
                documentation=QUERY_PAGE,
            )

    def _settings(self, request: QueryRequest) -> dict[str, Setting]:
        settings: dict[str, Setting] = {**_REPLY_SETTINGS, **OUTPUT_SETTINGS, **request.settings}
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


def _underscore(pipeline: str) -> TableName | None:
    """Return what ``_`` stands for in the text of a request with ``pipeline=``."""
    database, _, name = pipeline.rpartition(".")
    return (database, name) if pipeline and (database, name) != ("", "_") else None


def _explained(sql: str, result: QueryResult) -> QueryResult:
    """Turn the lines of a plan into the object that ``explain=true`` answers with."""
    lines = [str(row[0]) for row in json.loads(result.data)["data"]]
    plan = without_database("\n".join(lines))
    body = json.dumps({"debug_query": sql, "query_explain": plan}, ensure_ascii=False)
    return replace(result, data=body.encode())
