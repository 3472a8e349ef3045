"""The materialized views of the catalogue, found and made ready to be evaluated.

A view is a node of the catalogue and nothing else; `ingest.feeding` evaluates it on every insert. So what has a view in
it can be renamed, exchanged and altered like anything else, and a view is what its node says.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.table import STAGING_DATABASE, Table
from tinymagic.local.materializing.trigger import NoTriggerError, group_keys, mark_trigger, trigger_of
from tinymagic.local.materializing.view import View
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.records import DataSourceRecord, PipeRecord, VariableRecord
from tinymagic.local.records import Workspace as WorkspaceRecord
from tinymagic.local.sql.gate import INTERNAL_PREFIX
from tinymagic.local.tables.schema import parse_schema
from tinymagic.local.template import is_template, parameter_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinymagic.local.pipes.assembly import Composed
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import Node, Workspace
    from tinymagic.local.sql.gate import SqlGate
    from tinymagic.local.sql.tree import TableName

    from .datasources import DataSourcesService

TYPE = "materialized"

#: Keys of a materialized node's output: ids of its target and, as it was when it was made, of its source; whether rows
#: of before were put into the target; the job that does this and makes the view begin; and that a deployment promised
#: it, so that the next start of a server that ended meanwhile does it (`Populating.resume`).
TARGET, SOURCE, POPULATED, WAITING, ENGINE = "datasource", "source", "populated", "waiting", "engine"
OWED = "owed"


class MaterializedViews:
    """Finds materialized views.

    Args:
        datasources: the Data Sources.
        composer: composes nodes.
        gate: whose parser finds what a view hangs on.
    """

    def __init__(self, datasources: DataSourcesService, composer: Composer, gate: SqlGate) -> None:
        self._catalog = datasources.catalog
        self._composer = composer
        self._gate = gate
        self._lock = threading.RLock()
        # Nobody else knows them, so no text of a user can hold one.
        self._rows_mark = f"{INTERNAL_PREFIX}rows_{secrets.token_hex(16)}"
        self._all_mark = f"{INTERNAL_PREFIX}all_{secrets.token_hex(16)}"
        self._known: tuple[int, dict[str, list[View]]] = (-1, {})
        self._compiled: dict[str, tuple[Any, View]] = {}
        datasources.loader.views = self.on
        datasources.loader.views_into = self.into
        datasources.downstream = self.downstream
        self.repair()

    def repair(self) -> None:
        """Let the views begin whose populate job ended with its server; call it when no request runs."""
        for workspace in self._catalog.workspaces():
            for pipe, node in self.nodes(workspace):
                if WAITING in node.output and OWED not in node.output:
                    output = {key: value for key, value in node.output.items() if key != WAITING}
                    self._catalog.update_pipe(pipe.with_node(replace(node, output=output)))

    # Finding

    def on(self, table: Table) -> Sequence[View]:
        """Return the views that hang on a table."""
        if table.database == STAGING_DATABASE:
            return ()
        return [view for view in self._views(table.database) if view.source == table]

    def into(self, table: Table) -> Sequence[View]:
        """Return the views that fill a table."""
        return [view for view in self._views(table.database) if view.target == table]

    def view(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> View:
        """Return the view that a materialized node is, as the catalogue has it or as it shall become.

        Raises:
            BadRequest: it cannot be one.
        """
        target = self._catalog.datasource(workspace.id, node.output.get(TARGET, ""))
        if target is None:
            raise BadRequest(f"The target of the node '{node.name}' does not exist any more.", documentation=PIPES_PAGE)
        return self.compiled(workspace, pipe, node, target)

    def nodes(self, workspace: Workspace) -> Iterator[tuple[PipeRecord, Node]]:
        """Give the materialized nodes of a workspace, each with its Pipe."""
        for pipe in self._catalog.pipes(workspace.id):
            for node in pipe.nodes:
                if node.type == TYPE:
                    yield pipe, node

    def writers(self, workspace: Workspace, record: DataSourceRecord) -> list[tuple[PipeRecord, Node]]:
        """Return the materialized nodes whose target a Data Source is."""
        return [(pipe, node) for pipe, node in self.nodes(workspace) if node.output.get(TARGET) == record.id]

    def downstream(self, workspace: Workspace, record_id: str) -> set[str]:
        """Return the ids of the Data Sources that get rows when a Data Source does, at any depth."""
        if not self._views(workspace.database):
            return set()
        record = self._catalog.datasource(workspace.id, record_id)
        if record is None:
            return set()
        names = {each.name: each.id for each in self._catalog.datasources(workspace.id)}
        found: set[str] = set()
        todo = [record.name]
        while todo:
            for view in self.on(Table(workspace.database, todo.pop())):
                target = names.get(view.target.name)
                if target is not None and target not in found:
                    found.add(target)
                    todo.append(view.target.name)
        return found

    # Compiling

    def _views(self, database: str) -> list[View]:
        version = self._catalog.version_of(WorkspaceRecord, DataSourceRecord, PipeRecord, VariableRecord)
        with self._lock:
            if self._known[0] != version:
                self._known = (version, {})
            known = self._known[1]
            if database not in known:
                found = [each for each in self._catalog.workspaces() if each.database == database]
                known[database] = [view for workspace in found for view in self._of_workspace(workspace)]
            return known[database]

    def _of_workspace(self, workspace: Workspace) -> Iterator[View]:
        for pipe, node in self.nodes(workspace):
            target = self._catalog.datasource(workspace.id, node.output.get(TARGET, ""))
            if target is None or WAITING in node.output:
                continue
            try:
                yield self.compiled(workspace, pipe, node, target)
            except (ApiError, EngineError) as error:
                source = self._catalog.datasource(workspace.id, node.output.get(SOURCE, ""))
                if source is not None:
                    yield replace(
                        _bare_view(workspace, pipe, node, source.name, target),
                        problem=plain_reason(getattr(error, "message", str(error))),
                    )

    def compiled(self, workspace: Workspace, pipe: PipeRecord, node: Node, target: DataSourceRecord) -> View:
        """Return the view that a node is when it fills *target*.

        Raises:
            BadRequest: it cannot be one.
        """
        composed = self.composed(workspace, pipe, node)
        schemas = [
            record.schema for record in self._catalog.datasources(workspace.id) if ("", record.name) in composed.tables
        ]
        key = (composed, pipe.name, node.name, workspace.database, target.name, target.engine.get("engine"), schemas)
        with self._lock:
            known = self._compiled.get(node.id)
        if known is not None and known[0] == key:
            return known[1]
        source = self.source(workspace, node, composed)
        described = self.described(workspace, node, composed)
        taken = {column.name for column in parse_schema(target.schema)}
        sql = self._gate.rewritten(composed.sql, self._marked)
        # Of a SELECT * there may be columns that the source got after the view was made.
        view = replace(
            _bare_view(workspace, pipe, node, source.name, target),
            columns=tuple(name for name, _ in described if name in taken),
            sql=sql,
            rows_mark=self._rows_mark,
            all_mark=self._all_mark if self._all_mark in sql else "",
            settings=dict(composed.settings),
            parameters=dict(composed.parameters),
        )
        with self._lock:
            self._compiled[node.id] = (key, view)
        return view

    def _marked(self, tree: dict[str, Any]) -> dict[TableName, TableName]:
        trigger = trigger_of(tree)
        mark_trigger(tree, self._rows_mark)
        return {trigger: ("", self._all_mark)}

    def composed(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> Composed:
        """Compose a node that shall be a view.

        Raises:
            BadRequest: it has template parameters, or reads service Data Sources.
        """
        self._refuse_parameters(workspace, pipe, node, set())
        composed = self._composer.node(workspace, pipe, node)
        if composed.reads_service_log:
            raise BadRequest(
                f"The materialized node '{node.name}' reads a service Data Source; a materialized view cannot do that. "
                "Copy its rows with a Copy Pipe.",
                documentation=PIPES_PAGE,
            )
        return composed

    def _refuse_parameters(self, workspace: Workspace, pipe: PipeRecord, node: Node, seen: set[str]) -> None:
        if node.id in seen:
            return
        seen.add(node.id)
        if is_template(node.sql) and (parameters := parameter_metadata(node.sql)):
            names = ", ".join(repr(str(each["name"])) for each in parameters)
            raise BadRequest(
                f"Template parameters cannot be used in materialized nodes: the node '{node.name}' has {names}. A view "
                "is evaluated when rows come in, and nobody gives values then.",
                documentation=PIPES_PAGE,
            )
        names_read = self._composer.reads(workspace, node)
        for other in pipe.nodes:
            if other.name in names_read and other.id != node.id:
                self._refuse_parameters(workspace, pipe, other, seen)

    def source(self, workspace: Workspace, node: Node, composed: Composed) -> DataSourceRecord:
        """Return the Data Source that a view hangs on.

        Raises:
            BadRequest: there is none in this workspace.
        """
        found: list[TableName] = []

        def look(tree: dict[str, Any]) -> dict[TableName, TableName]:
            found.append(trigger_of(tree))
            return {}

        try:
            self._gate.rewritten(composed.sql, look)
        except NoTriggerError as error:
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized: {error}.", documentation=PIPES_PAGE
            ) from error
        [(database, name)] = found
        record = self._catalog.datasource(workspace.id, name) if not database else None
        if record is None or record.name != name:
            shown = f"{database}.{name}" if database else name
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized: it hangs on '{shown}', which is no Data Source of "
                "this workspace.",
                documentation=PIPES_PAGE,
            )
        return record

    def group_keys(self, composed: Composed) -> list[str]:
        """Return the names by which the SELECT groups."""
        found: list[str] = []

        def look(tree: dict[str, Any]) -> dict[TableName, TableName]:
            found.extend(group_keys(tree))
            return {}

        self._gate.rewritten(composed.sql, look)
        return found

    def described(self, workspace: Workspace, node: Node, composed: Composed) -> list[tuple[str, str]]:
        """Return the columns of a view, name and type.

        Raises:
            BadRequest: it cannot run.
        """
        try:
            return self._composer.columns(workspace, composed)
        except EngineError as error:
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized. [Error] {plain_reason(error.message)} ({error.name})",
                documentation=PIPES_PAGE,
            ) from error


def _bare_view(workspace: Workspace, pipe: PipeRecord, node: Node, source: str, target: DataSourceRecord) -> View:
    return View(
        node_id=node.id,
        pipe_id=pipe.id,
        name=node.name,
        source=Table(workspace.database, source),
        target=Table(workspace.database, target.name),
        keeps_rows=target.engine.get("engine") != "Null",
    )
