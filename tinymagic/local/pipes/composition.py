"""From a text with parameters to one SELECT in which everything that it reads is in place.

A name of a node or Pipe becomes a subquery: its own text, rendered with the same parameters, checked, and composed the
same way. Tables stay names. A statement is written anew through its tree (`SqlGate.renamed`) with a mark that nobody
can guess in the place of each such name, and the mark is then replaced by the subquery. So the engine's parser has seen
every text, and texts which were seen before cost nothing but the replacing.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from tinymagic.local.access.row_filters import FILTERED_QUERY_SETTINGS
from tinymagic.local.endpoints.parameters import as_text
from tinymagic.local.engine import EngineError, quote_string
from tinymagic.local.errors import ApiError, BadRequest, CustomError, Forbidden, PayloadTooLarge
from tinymagic.local.service_datasources.tables import ORGANIZATION, TINYBIRD
from tinymagic.local.sql.failures import query_error
from tinymagic.local.sql.gate import INTERNAL_PREFIX, QUERY_PAGE, Statement
from tinymagic.local.sql.names import COPIES_ONLY, OPEN_TABLES
from tinymagic.local.sql.secret_guard import SecretGuard
from tinymagic.local.sql.shapes import Shapes
from tinymagic.local.template import CustomErrorCalled, Rendered, TemplateError, check, is_template, render
from tinymagic.sqltext import split_format

from .meanings import Caller, Directory, InPlace, Inside, Names, OfNode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog, Node, PipeRecord, Workspace
    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sql.gate import SqlGate
    from tinymagic.local.sql.tree import TableName

    from .meanings import Resources, Sharing

#: More threads than this are no wish but a mistake.
_MOST_THREADS = 1_024

#: Errors about values, which another value of a parameter may not give.
_VALUE_ERRORS = (
    "CANNOT_PARSE_TEXT",
    "CANNOT_PARSE_DATE",
    "CANNOT_PARSE_DATETIME",
    "CANNOT_PARSE_NUMBER",
    "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    "CANNOT_PARSE_QUOTED_STRING",
    "CANNOT_PARSE_ESCAPE_SEQUENCE",
    "CANNOT_PARSE_BOOL",
    "CANNOT_PARSE_UUID",
    "CANNOT_PARSE_IPV4",
    "CANNOT_PARSE_IPV6",
    "CANNOT_COMPILE_REGEXP",
    "CANNOT_READ_ALL_DATA",
    "CANNOT_READ_ARRAY_FROM_TEXT",
    "ARGUMENT_OUT_OF_BOUND",
    "BAD_ARGUMENTS",
    "ILLEGAL_DIVISION",
    "UNKNOWN_ELEMENT_OF_ENUM",
)

#: The name that stands for a parameter which is a name, while a Pipe is checked.
_PLACEHOLDER = "placeholder"

#: Bytes of a statement with everything in place. A node that reads another one twice doubles it.
_MOST_BYTES = 500_000

#: From here on the engine must be told that a long statement is meant.
_LONG_BYTES = 200_000
_LONG_SQL_SETTINGS: dict[str, Setting] = {
    "max_query_size": 2 * _MOST_BYTES,
}


@dataclass(frozen=True)
class Composed:
    """One SELECT or DESCRIBE, ready to run in the workspace's database.

    Attributes:
        sql: without FORMAT.
        output_format: that the text asked for.
        settings: to run it with.
        parameters: values for ClickHouse's query parameters: secrets. They must not be shown.
        readonly: the engine's ``readonly`` that it needs.
        tables: physical tables that are read at any depth, (database, name).
        reads: names in the text itself: of Data Sources, Pipes and nodes.
        pipes: ids of Pipes that are read at any depth.
        shows_tables: it is ``SHOW TABLES``, which the caller answers.
        hides_rows: whether the token may read some rows only; then nothing may tell how many were read.
        reads_service_log: whether service Data Sources are read.
        is_free: whether nothing else is read, which the service neither counts nor logs.
        rendered: the text after the template language, for people.
    """

    sql: str
    output_format: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    readonly: int = 1
    tables: frozenset[TableName] = frozenset()
    reads: frozenset[str] = frozenset()
    pipes: frozenset[str] = frozenset()
    shows_tables: bool = False
    hides_rows: bool = False
    reads_service_log: bool = False
    is_free: bool = False
    rendered: str = ""


class Secrets(Protocol):
    """Where the values of ``tb_secret`` come from."""

    def has(self, workspace: Workspace, name: str) -> bool:
        """Say whether the workspace has an Environment Variable."""

    def value(self, workspace: Workspace, name: str) -> str | None:
        """Return its value."""


class Composer:
    """Composes statements.

    Args:
        engine: tells the columns of what was composed.
        gate: checks every text.
        catalog: what exists.
        sharing: what other workspaces share.
        service_log: the service Data Sources.
        variables: the secrets of templates.
    """

    def __init__(
        self,
        engine: Engine,
        gate: SqlGate,
        catalog: Catalog,
        sharing: Sharing,
        service_log: ServiceLog,
        variables: Secrets,
    ) -> None:
        self._engine = engine
        self._gate = gate
        self._sharing = sharing
        self._service_log = service_log
        self._variables = variables
        self._directory = Directory(catalog)
        self._shapes = Shapes(gate)
        self.secret_guard = SecretGuard(engine)
        # Nobody else knows it, so no text of a user can hold a mark.
        self._mark = f"{INTERNAL_PREFIX}node_{secrets.token_hex(16)}"

    def text(
        self,
        access: Access,
        text: str,
        parameters: Mapping[str, Any],
        *,
        underscore: TableName | OfNode | None = None,
    ) -> Composed:
        """Compose the text of a request with the rights of its token.

        Args:
            access: of who asks.
            text: SQL, a template when it begins with ``%``.
            parameters: of the request.
            underscore: what ``_`` is.

        Raises:
            ApiError: with the service's status and text.
        """
        names = self.caller(access, underscore)
        # Whoever may not see Environment Variables may not read them by a query either.
        work = _Composition(self, access.workspace, parameters, access, has_secrets=access.is_admin)
        return work.finished(work.part(text, names, None), names)

    def caller(self, access: Access, underscore: TableName | OfNode | None = None) -> Caller:
        """Return what names mean in the text of a request."""
        resources = self._directory.resources(access.workspace)
        return Caller(access, resources, self._sharing, self._service_log, underscore)

    def node(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        parameters: Mapping[str, Any] | None = None,
        *,
        access: Access | None = None,
        now: datetime | None = None,
        copying: bool = False,
        checking: bool = False,
    ) -> Composed:
        """Compose a node with the rights of the Pipe's owner.

        Args:
            workspace: of the Pipe.
            pipe: as it is or as it shall become.
            node: of it.
            parameters: of the request or run.
            access: of who asks; filters of rows in it hold.
            now: the value of ``job_timestamp``.
            copying: see `SqlGate.check`.
            checking: whether placeholders stand for the parameters, as when a Pipe is saved.

        Raises:
            ApiError: with the service's status and text.
        """
        work = _Composition(self, workspace, parameters or {}, access, now=now, copying=copying, checking=checking)
        names = work.inside(pipe, node)
        return work.finished(work.of_node(OfNode(pipe, node)), names)

    def check(
        self, workspace: Workspace, pipe: PipeRecord, node: Node, *, copying: bool = False
    ) -> list[tuple[str, str]]:
        """Return the columns of a node, name and type each, or say why it cannot run.

        Placeholders stand for its parameters, as when a Pipe is saved. A node that can run with its defaults passes
        too: not every placeholder is a date where one is wanted.

        Raises:
            BadRequest: a mistake in the template or SQL, a name that means nothing, an unknown column.
        """
        try:
            composed = self.node(workspace, pipe, node, copying=copying, checking=True)
        except Forbidden as error:
            if _PLACEHOLDER not in error.message:
                raise
            # The name of a table comes from a parameter; without a default nobody knows it yet.
            try:
                composed = self.node(workspace, pipe, node, copying=copying)
            except BadRequest:
                return []
        try:
            return self.columns(workspace, composed)
        except EngineError as error:
            if copying and self._reads_elsewhere(workspace, pipe, node):
                return []  # It is kept. A run says that this server reads from nowhere else.
            if is_template(node.sql) or composed.pipes - {pipe.id} or len(pipe.nodes) > 1:
                with suppress(ApiError, EngineError):
                    return self.columns(workspace, self.node(workspace, pipe, node, copying=copying))
                if error.name in _VALUE_ERRORS or _PLACEHOLDER in error.message:
                    return []
            raise query_error(error, "POST") from error

    def _reads_elsewhere(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> bool:
        """Say whether a node uses table functions that the gate lets through for copies only."""
        try:
            self.node(workspace, pipe, node, checking=True)
        except ApiError as error:
            return COPIES_ONLY in error.message
        return False

    def columns(self, workspace: Workspace, composed: Composed) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT.

        Raises:
            EngineError: it cannot run.
        """
        result = self._engine.read(
            f"DESCRIBE TABLE (\n{composed.sql}\n)",
            database=workspace.database,
            output_format="JSONCompactEachRow",
            settings=composed.settings,
            parameters=composed.parameters,
            readonly=composed.readonly,
        )
        return [tuple(json.loads(line)[:2]) for line in result.data.splitlines() if line]

    def reads(self, workspace: Workspace, node: Node) -> list[str]:
        """Return the names in the text of a node, sorted; none when the text cannot be read."""
        work = _Composition(self, workspace, {}, None, copying=True, checking=True)
        try:
            statement = work.statement(node.sql, node.name)[1]
        except ApiError:
            return []
        return sorted(".".join(part for part in table if part) for table in statement.reads)

    def resources(self, workspace: Workspace) -> Resources:
        """Return what exists in a workspace."""
        return self._directory.resources(workspace)


@dataclass(frozen=True)
class _Part:
    """A piece of the final statement, with all that goes with it."""

    sql: str
    statement: Statement
    rendered: Rendered
    settings: dict[str, Setting]
    readonly: int
    tables: frozenset[TableName]
    pipes: frozenset[str]
    has_prewhere: bool
    virtual_columns: frozenset[str]
    secrets: frozenset[str]


class _Composition:
    """The work on one statement."""

    def __init__(
        self,
        composer: Composer,
        workspace: Workspace,
        parameters: Mapping[str, Any],
        access: Access | None,
        *,
        now: datetime | None = None,
        copying: bool = False,
        checking: bool = False,
        has_secrets: bool = True,
    ) -> None:
        self._composer = composer
        self._workspace = workspace
        self._parameters = parameters
        self._access = access
        self._now = now
        self._copying = copying
        self._checking = checking
        self._has_secrets = has_secrets
        self._done: dict[tuple[str, tuple[tuple[str, str], ...]], _Part] = {}
        self._forced: dict[str, str] = {}
        self._hides_rows = False
        self._under_way: list[str] = []
        self._names: list[Names] = []

    def inside(self, pipe: PipeRecord, node: Node) -> Inside:
        """Return what names mean in a node."""
        composer = self._composer
        resources = composer.resources(self._workspace)
        names = Inside(self._workspace, resources, composer._sharing, composer._service_log, pipe, node)
        self._names.append(names)
        return names

    def statement(self, text: str, name: str | None) -> tuple[Rendered, Statement, Mapping[str, str]]:
        """Render and check one text; what comes last is to be put into the statement's SQL by `Shapes.filled`."""
        rendered = self._rendered(text, name)
        shapes = self._composer._shapes
        return rendered, *shapes.check(rendered.sql, rendered.literals, copying=self._copying)

    def part(self, text: str, names: Names, name: str | None) -> _Part:
        """Compose one text whose names mean what *names* says."""
        rendered, statement, values = self.statement(text, name)
        if statement.shows_tables:
            return _Part(
                statement.sql, statement, rendered, {}, 1, frozenset(), frozenset(), False, frozenset(), frozenset()
            )
        statement.require(names.may_read)
        inner: dict[str, _Part] = {}
        changes: dict[TableName, TableName] = {}
        tables: set[TableName] = set()
        for table in (statement.tables | statement.optional_tables) - OPEN_TABLES:
            meaning = names.meaning(table)
            if isinstance(meaning, OfNode):
                if table not in statement.reads:  # A CTE has this name, or a column.
                    continue
                mark = f"{self._composer._mark}_{meaning.node.id}"
                inner[mark] = self.of_node(meaning)
                changes[table] = ("", mark)
            elif isinstance(meaning, InPlace):
                tables.add(meaning.table)
                if meaning.table != table:
                    changes[table] = meaning.table
        sql = self._composer._gate.renamed(statement, changes) if changes else statement.sql
        sql = self._composer._shapes.filled(sql, values)
        parts = list(inner.values())
        if any(each.secrets for each in parts):
            self._composer.secret_guard.check_placeholders(statement.sql, rendered.secrets)
        return _Part(
            sql=_filled(sql, inner),
            statement=statement,
            rendered=rendered,
            settings=_merged([*(each.settings for each in parts), statement.settings, _template_settings(rendered)]),
            readonly=max([statement.readonly, *(each.readonly for each in parts)]),
            tables=frozenset(tables).union(*(each.tables for each in parts)),
            pipes=frozenset().union(*(each.pipes for each in parts)),
            has_prewhere=statement.has_prewhere or any(each.has_prewhere for each in parts),
            virtual_columns=statement.virtual_columns.union(*(each.virtual_columns for each in parts)),
            secrets=frozenset(rendered.secrets).union(*(each.secrets for each in parts)),
        )

    def of_node(self, meant: OfNode) -> _Part:
        """Compose a node, once for each request."""
        node, pipe = meant.node, meant.pipe
        outer = self._forced
        self._forced = {**self._fixed_parameters(pipe), **outer}
        try:
            return self._of_node(pipe, node)
        finally:
            self._forced = outer

    def _of_node(self, pipe: PipeRecord, node: Node) -> _Part:
        key = (node.id, tuple(sorted(self._forced.items())))
        if key in self._done:
            return self._done[key]
        if node.id in self._under_way:
            raise BadRequest(
                f"The node '{node.name}' of the pipe '{pipe.name}' reads itself, directly or through others.",
                documentation=QUERY_PAGE,
            )
        self._under_way.append(node.id)
        try:
            part = self.part(node.sql, self.inside(pipe, node), node.name)
        except RecursionError:
            raise BadRequest("The Pipes are nested too deeply.", documentation=QUERY_PAGE) from None
        finally:
            self._under_way.pop()
        if part.statement.shows_tables or part.sql.startswith("DESCRIBE "):
            raise BadRequest(
                f"The node '{node.name}' of the pipe '{pipe.name}' must be a SELECT.", documentation=QUERY_PAGE
            )
        part = replace(part, sql=_without_format(part), pipes=part.pipes | {pipe.id})
        condition = self._access.pipe_filter(pipe.name) if self._access and node.type == "endpoint" else None
        if condition is not None:
            part = replace(part, sql=f"SELECT * FROM (\n{part.sql}\n) WHERE ({condition})")
            self._hides_rows = True
        self._done[key] = part
        return part

    def finished(self, part: _Part, names: Names) -> Composed:
        """Add what holds for the statement as a whole."""
        filters, hides_table_rows = self._filters(part.tables)
        hides_rows = hides_table_rows or self._hides_rows
        settings = dict(part.settings)
        if hides_table_rows:
            self._check_filtered(part)
        if self._hides_rows:
            settings.update(FILTERED_QUERY_SETTINGS)
        if filters:
            settings.update(FILTERED_QUERY_SETTINGS)
            settings["additional_table_filters"] = map_literal(filters)
        if hides_rows:
            settings["output_format_write_statistics"] = 0
        if len(part.sql) > _LONG_BYTES:
            settings.update(_LONG_SQL_SETTINGS)
        sql = part.sql if part.statement.shows_tables else _without_format(part)
        sql = self._composer.secret_guard.checked(sql, part.secrets)
        reads_log = any(each.reads_service_log for each in [names, *self._names])
        values = {name: self._composer._variables.value(self._workspace, name) or "" for name in part.secrets}
        return Composed(
            sql=sql,
            output_format=part.statement.output_format,
            settings=settings,
            parameters=values,
            readonly=part.readonly,
            tables=part.tables,
            reads=frozenset(".".join(each for each in table if each) for table in part.statement.reads),
            pipes=part.pipes,
            shows_tables=part.statement.shows_tables,
            hides_rows=hides_rows,
            reads_service_log=reads_log,
            is_free=reads_log and not any(each.reads_others for each in [names, *self._names]),
            rendered=part.rendered.sql,
        )

    def _rendered(self, text: str, name: str | None) -> Rendered:
        try:
            if self._checking:
                return check(text, now=self._now, name=name)
            parameters = {**self._parameters, **self._forced} if self._forced else self._parameters
            return render(text, parameters, secrets=self._secret_check(), now=self._now, name=name)
        except CustomErrorCalled as error:
            raise CustomError(error.body, error.code) from error
        except TemplateError as error:
            raise BadRequest(error.message, documentation=error.documentation) from error

    def _fixed_parameters(self, pipe: PipeRecord) -> dict[str, str]:
        """Return what the token forces upon the parameters of a Pipe and of all that it reads."""
        fixed = self._access.fixed_parameters(pipe.name) if self._access is not None else None
        return {name: as_text(value) for name, value in fixed.items()} if fixed else {}

    def _secret_check(self) -> Callable[[str], bool]:
        variables, workspace = self._composer._variables, self._workspace
        if not self._has_secrets:
            return lambda _: False
        return lambda name: variables.has(workspace, name)

    def _filters(self, tables: frozenset[TableName]) -> tuple[dict[str, str], bool]:
        """Return the conditions on rows by ``database.table``, and whether some are the token's."""
        filters = {}
        hides_rows = False
        for database, name in tables:
            if not database and self._access is not None and (condition := self._row_filter(name)):
                filters[f"{self._workspace.database}.{name}"] = condition
                hides_rows = True
        named = {f"{ORGANIZATION}.{name}" for database, name in tables if database == TINYBIRD}
        if named:
            own = self._composer._service_log.table_filters(self._workspace.id)
            filters.update((table, own[table]) for table in named if table in own)
        return filters, hides_rows

    def _row_filter(self, name: str) -> str | None:
        """Return the token's condition on a Data Source; below a Pipe it may have no right there at all."""
        access = self._access
        if access is None or not access.allows("DATASOURCES:READ", name):
            return None
        return access.row_filter(name)

    def _check_filtered(self, part: _Part) -> None:
        """Refuse what would tell about rows that a filter keeps from the caller.

        Raises:
            BadRequest: a PREWHERE, which the engine evaluates before the filter, or virtual columns.
        """
        if part.virtual_columns:
            message = f"{', '.join(sorted(part.virtual_columns))} cannot be read with a token for some rows only."
            raise BadRequest(message, documentation=QUERY_PAGE)
        if part.has_prewhere:
            message = "PREWHERE cannot be used where the token may read only some rows. Write WHERE."
            raise BadRequest(message, documentation=QUERY_PAGE)


def map_literal(filters: Mapping[str, str]) -> str:
    """Write the value of a setting that is a map of texts."""
    return "{" + ", ".join(f"{quote_string(name)}: {quote_string(text)}" for name, text in filters.items()) + "}"


def _without_format(part: _Part) -> str:
    """Return the text without its FORMAT clause. Looking for one takes longer than all the rest of the composing."""
    return split_format(part.sql)[0] if part.statement.output_format else part.sql


def _filled(sql: str, inner: Mapping[str, _Part]) -> str:
    """Put subqueries in the place of marks."""
    for mark, part in inner.items():
        if f"'{mark}" in sql:
            raise BadRequest(
                "A Pipe or node cannot stand where a function wants the name of a table. Read it in FROM.",
                documentation=QUERY_PAGE,
            )
        if len(sql) + sql.count(mark) * len(part.sql) > _MOST_BYTES:
            raise PayloadTooLarge(
                f"With all that it reads in its place the SQL is over {_MOST_BYTES:,} characters.",
                documentation=QUERY_PAGE,
            )
        sql = sql.replace(mark, f"(\n{part.sql}\n)")
    return sql


def _merged(every: list[Mapping[str, Setting]]) -> dict[str, Setting]:
    merged: dict[str, Setting] = {}
    for each in every:
        merged.update(each)
    return merged


def _template_settings(rendered: Rendered) -> dict[str, Setting]:
    """Return what the template asked of the engine. Hints about caches and replicas mean nothing on one machine."""
    threads = rendered.settings.get("max_threads")
    return {"max_threads": threads} if isinstance(threads, int) and 0 < threads <= _MOST_THREADS else {}
