"""The work on one statement: texts are rendered and checked, and what they read is put in its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from tinymagic.local.access.row_filters import FILTERED_QUERY_SETTINGS
from tinymagic.local.endpoints.parameters import as_text
from tinymagic.local.engine import quote_string
from tinymagic.local.errors import BadRequest, CustomError, PayloadTooLarge
from tinymagic.local.sql.gate import QUERY_PAGE, Statement
from tinymagic.local.sql.names import OPEN_TABLES
from tinymagic.local.template import CustomErrorCalled, Rendered, TemplateError, check, render
from tinymagic.sqltext import split_format

from .meanings import InPlace, Inside, Names, OfNode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.engine import Setting
    from tinymagic.local.records import Node, PipeRecord, Workspace
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sql.gate import SqlGate
    from tinymagic.local.sql.secret_guard import SecretGuard
    from tinymagic.local.sql.shapes import Shapes
    from tinymagic.local.sql.tree import TableName

    from .meanings import Directory, Sharing

#: More threads than this are no wish but a mistake.
_MOST_THREADS = 1_024

#: What the engine has become stricter about since people wrote their Pipes.
_LENIENT_SETTINGS: dict[str, Setting] = {
    "allow_deprecated_error_prone_window_functions": 1,  # runningDifference, neighbor
    "joined_subquery_requires_alias": 0,
}

#: Types of nodes whose rows leave a Pipe: what a token's filter of the Pipe is about.
_GIVING = ("endpoint", "copy", "sink")

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


@dataclass(frozen=True)
class Tools:
    """What the work on statements needs.

    Attributes:
        gate: checks every text.
        shapes: remembers texts that differ in values only.
        directory: what exists.
        sharing: what other workspaces share.
        service_log: the service Data Sources.
        variables: the secrets of templates.
        secret_guard: refuses what would show them.
        mark: begins what stands for a node while a statement is put together; nobody else knows it, so no text of a
            user can hold it.
    """

    gate: SqlGate
    shapes: Shapes
    directory: Directory
    sharing: Sharing
    service_log: ServiceLog
    variables: Secrets
    secret_guard: SecretGuard
    mark: str


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


class Assembly:
    """The work on one statement."""

    def __init__(
        self,
        tools: Tools,
        workspace: Workspace,
        parameters: Mapping[str, Any],
        access: Access | None,
        *,
        now: datetime | None = None,
        copying: bool = False,
        checking: bool = False,
        has_secrets: bool = True,
    ) -> None:
        self._tools = tools
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
        tools = self._tools
        resources = tools.directory.resources(self._workspace)
        names = Inside(self._workspace, resources, tools.sharing, tools.service_log, pipe, node)
        self._names.append(names)
        return names

    def statement(
        self, text: str, name: str | None, *, of_node: bool = True
    ) -> tuple[Rendered, Statement, Mapping[str, str]]:
        """Render and check one text; what comes last is to be put into the statement's SQL by `Shapes.filled`."""
        rendered = self._rendered(text, name, with_secrets=of_node or self._has_secrets)
        shapes = self._tools.shapes
        return rendered, *shapes.check(rendered.sql, rendered.literals, copying=self._copying)

    def part(self, text: str, names: Names, name: str | None) -> _Part:
        """Compose one text whose names mean what *names* says."""
        rendered, statement, values = self.statement(text, name, of_node=isinstance(names, Inside))
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
                mark = f"{self._tools.mark}_{meaning.node.id}"
                inner[mark] = self.of_node(meaning)
                changes[table] = ("", mark)
            elif isinstance(meaning, InPlace):
                tables.add(meaning.table)
                if meaning.table != table:
                    changes[table] = meaning.table
        sql = self._tools.gate.renamed(statement, changes) if changes else statement.sql
        sql = self._tools.shapes.filled(sql, values)
        parts = list(inner.values())
        if any(each.secrets for each in parts):
            self._tools.secret_guard.check_placeholders(statement.sql, rendered.secrets)
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
        condition = self._access.pipe_filter(pipe.name) if self._access and node.type in _GIVING else None
        if condition is not None:
            part = replace(part, sql=f"SELECT * FROM (\n{part.sql}\n) WHERE ({condition})")
            self._hides_rows = True
        self._done[key] = part
        return part

    def finished(self, part: _Part, names: Names) -> Composed:
        """Add what holds for the statement as a whole."""
        every = [names, *self._names]
        filters, hides_table_rows = self._filters(part.tables, set().union(*(each.own_rows_only for each in every)))
        hides_rows = hides_table_rows or self._hides_rows
        settings = {**_LENIENT_SETTINGS, **part.settings}
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
        sql = self._tools.secret_guard.checked(sql, part.secrets)
        reads_log = any(each.reads_service_log for each in every)
        values = {name: self._tools.variables.value(self._workspace, name) or "" for name in part.secrets}
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
            is_free=reads_log and not any(each.reads_others for each in every),
            rendered=part.rendered.sql,
        )

    def _rendered(self, text: str, name: str | None, *, with_secrets: bool) -> Rendered:
        try:
            if self._checking:
                return check(text, now=self._now, name=name)
            parameters = {**self._parameters, **self._forced} if self._forced else self._parameters
            return render(
                text, parameters, secrets=self._secret_check() if with_secrets else None, now=self._now, name=name
            )
        except CustomErrorCalled as error:
            raise CustomError(error.body, error.code) from error
        except TemplateError as error:
            raise BadRequest(error.message, documentation=error.documentation) from error

    def _fixed_parameters(self, pipe: PipeRecord) -> dict[str, str]:
        """Return what the token forces upon the parameters of a Pipe and of all that it reads."""
        fixed = self._access.fixed_parameters(pipe.name) if self._access is not None else None
        return {name: as_text(value) for name, value in fixed.items()} if fixed else {}

    def _secret_check(self) -> Callable[[str], bool]:
        variables, workspace = self._tools.variables, self._workspace
        return lambda name: variables.has(workspace, name)

    def _filters(self, tables: frozenset[TableName], own_rows_only: set[TableName]) -> tuple[dict[str, str], bool]:
        """Return the conditions on rows by ``database.table``, and whether some are the token's."""
        filters = {}
        hides_rows = False
        for database, name in tables:
            if not database and self._access is not None and (condition := self._row_filter(name)):
                filters[f"{self._workspace.database}.{name}"] = condition
                hides_rows = True
        named = {".".join(table) for table in own_rows_only}
        if named:
            own = self._tools.service_log.table_filters(self._workspace.id)
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
