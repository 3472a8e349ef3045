"""Materialized views: nodes whose SELECT is evaluated on the rows that come into a Data Source (``pipes.md`` 7).

A view is a node of the catalogue and nothing else; `ingest.feeding` evaluates it on every insert. So what has a view in
it can be renamed, exchanged and altered like anything else, and a view is what its node says.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import DataSourceRecord, PipeRecord, VariableRecord
from tinymagic.local.catalog import Workspace as WorkspaceRecord
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest, Conflict
from tinymagic.local.flags import flag
from tinymagic.local.ingest.feeding import VIEW_SETTINGS, create_like
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.table import STAGING_DATABASE, Table, staging_table
from tinymagic.local.materializing.target_columns import incompatible, target_engine, view_columns
from tinymagic.local.materializing.trigger import NoTriggerError, group_keys, mark_trigger, trigger_of
from tinymagic.local.materializing.view import View
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.sql.gate import INTERNAL_PREFIX
from tinymagic.local.tables.definition import define_table
from tinymagic.local.tables.schema import parse_schema
from tinymagic.local.template import is_template, parameter_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Node, Workspace
    from tinymagic.local.pipes.composition import Composed, Composer
    from tinymagic.local.sql.gate import SqlGate
    from tinymagic.local.sql.tree import TableName

    from .datasources import DataSourcesService
    from .populating import Populating

TYPE = "materialized"

#: Keys of a materialized node's output: ids of its target and, as it was when it was made, of its source; whether rows
#: of before were put into the target; and the job that does this and makes the view begin.
TARGET, SOURCE, POPULATED, WAITING = "datasource", "source", "populated", "waiting"


class Materializations:
    """Makes and finds materialized views.

    Args:
        datasources: the Data Sources.
        composer: composes nodes.
        gate: whose parser finds what a view hangs on.
    """

    #: Set when everything is built; it starts jobs, and asks here about views.
    populating: Populating

    def __init__(self, datasources: DataSourcesService, composer: Composer, gate: SqlGate) -> None:
        self._datasources = datasources
        self._catalog = datasources.catalog
        self._engine = datasources.engine
        self._composer = composer
        self._gate = gate
        self._lock = threading.RLock()
        # Nobody else knows them, so no text of a user can hold one.
        self._rows_mark = f"{INTERNAL_PREFIX}rows_{secrets.token_hex(16)}"
        self._all_mark = f"{INTERNAL_PREFIX}all_{secrets.token_hex(16)}"
        self._known: tuple[int, dict[str, list[View]]] = (-1, {})
        self._compiled: dict[str, tuple[Any, View]] = {}
        self._made_targets: dict[str, str] = {}
        datasources.loader.views = self.on
        datasources.loader.views_into = self.into
        datasources.downstream = self.downstream
        self.repair()

    def repair(self) -> None:
        """Let the views begin whose populate job ended with its server; call it when no request runs."""
        for workspace in self._catalog.workspaces():
            for pipe, node in self.nodes(workspace):
                if WAITING in node.output:
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
        return self._view(workspace, pipe, node, target)

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

    # Making (`pipes.outputs.Output`)

    def make(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        fields: Mapping[str, Any],
        *,
        access: Access | None = None,
    ) -> tuple[Node, dict[str, Any]]:
        """Make a node a materialized view: find or make its target, and begin to populate it if that is asked.

        Raises:
            BadRequest: the SQL cannot be one, or the target does not fit.
        """
        composed = self._composed(workspace, pipe, node)
        source = self._source(workspace, node, composed)
        described = self._described(workspace, node, composed)
        text = {key: "" if value is None else str(value).strip() for key, value in fields.items()}
        name = text.get("datasource", "")
        if not name:
            raise BadRequest(
                f"The materialized node '{node.name}' does not say which Data Source it fills: add the parameter "
                "'datasource'.",
                documentation=PIPES_PAGE,
            )
        target, created = self._target(workspace, node, name, described, composed, text, access)
        try:
            self._check_cycle(workspace, node, source, target)
            before = self._catalog.pipe(workspace.id, pipe.id)
            old = before.node(node.id) if before else None
            same = old is not None and old.type == TYPE and old.output.get(TARGET) == target.id
            output: dict[str, Any] = {TARGET: target.id, SOURCE: source.id}
            if same and old is not None and old.output.get(POPULATED):
                output[POPULATED] = True
            made = replace(node, type=TYPE, output=output)
            self._check_insertion(self._view(workspace, pipe, made, target), made)
            extra: dict[str, Any] = {
                "datasource": self._datasources.get(workspace, target.id),
                "created_datasource": created,
            }
            if flag(text, "populate"):
                made, extra["job"] = self.populating.start_with_view(workspace, pipe, made, text, access=access)
        except BaseException:
            if created:
                self._datasources.drop(workspace, target.id)
            raise
        if created:
            self._made_targets[node.id] = target.id
        return made, extra

    def unmake(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> None:
        """Unlink a view: its target keeps its rows and gets no more. Taken back in the making, a new target goes."""
        self._compiled.pop(node.id, None)
        made = self._made_targets.pop(node.id, None)
        now = self._catalog.pipe(workspace.id, pipe.id)
        kept = now.node(node.id) if now else None
        if made and (kept is None or kept.output.get(TARGET) != made):
            self._datasources.drop(workspace, made)

    def remade(self, workspace: Workspace, pipe: PipeRecord, old: Node, new: Node) -> None:
        """Check that a view whose SQL, or what it reads, has changed still fits its target.

        Raises:
            BadRequest: it does not.
        """
        del old
        target = self._catalog.datasource(workspace.id, new.output.get(TARGET, ""))
        if target is None:
            return
        composed = self._composed(workspace, pipe, new)
        source = self._source(workspace, new, composed)
        self._refuse_misfits(new, target, self._described(workspace, new, composed))
        self._check_cycle(workspace, new, source, target)
        self._check_insertion(self._view(workspace, pipe, new, target), new)

    def describe(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> dict[str, Any]:
        """Return the keys that the API's object of a Pipe has for its view."""
        del workspace, pipe
        return {"materialized_datasource": node.output.get(TARGET)}

    def analysis(
        self, workspace: Workspace, pipe: PipeRecord, node: Node, fields: Mapping[str, str]
    ) -> tuple[dict[str, str], str, list[tuple[str, str]]]:
        """Say how a target of a node would be made.

        Returns:
            The engine parameters, the name of the target, and its columns (name and type).

        Raises:
            BadRequest: the node cannot be a materialized view.
        """
        composed = self._composed(workspace, pipe, node)
        self._source(workspace, node, composed)
        described = self._described(workspace, node, composed)
        name = fields.get("datasource", "").strip() or f"{pipe.name}_mv"
        return target_engine(described, self._group_keys(composed), fields), name, described

    # Steps

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
                yield self._view(workspace, pipe, node, target)
            except (ApiError, EngineError) as error:
                source = self._catalog.datasource(workspace.id, node.output.get(SOURCE, ""))
                if source is not None:
                    yield replace(
                        _bare_view(workspace, pipe, node, source.name, target),
                        problem=plain_reason(getattr(error, "message", str(error))),
                    )

    def _view(self, workspace: Workspace, pipe: PipeRecord, node: Node, target: DataSourceRecord) -> View:
        composed = self._composed(workspace, pipe, node)
        schemas = [
            record.schema for record in self._catalog.datasources(workspace.id) if ("", record.name) in composed.tables
        ]
        key = (composed, pipe.name, node.name, workspace.database, target.name, target.engine.get("engine"), schemas)
        with self._lock:
            known = self._compiled.get(node.id)
        if known is not None and known[0] == key:
            return known[1]
        source = self._source(workspace, node, composed)
        described = self._described(workspace, node, composed)
        sql = self._gate.rewritten(composed.sql, self._marked)
        view = replace(
            _bare_view(workspace, pipe, node, source.name, target),
            columns=tuple(name for name, _ in described),
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

    def _composed(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> Composed:
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

    def _source(self, workspace: Workspace, node: Node, composed: Composed) -> DataSourceRecord:
        """Return the Data Source that a view hangs on."""
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

    def _group_keys(self, composed: Composed) -> list[str]:
        found: list[str] = []

        def look(tree: dict[str, Any]) -> dict[TableName, TableName]:
            found.extend(group_keys(tree))
            return {}

        self._gate.rewritten(composed.sql, look)
        return found

    def _described(self, workspace: Workspace, node: Node, composed: Composed) -> list[tuple[str, str]]:
        try:
            return self._composer.columns(workspace, composed)
        except EngineError as error:
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized. [Error] {plain_reason(error.message)} ({error.name})",
                documentation=PIPES_PAGE,
            ) from error

    def _target(
        self,
        workspace: Workspace,
        node: Node,
        name: str,
        described: Sequence[tuple[str, str]],
        composed: Composed,
        fields: Mapping[str, str],
        access: Access | None,
    ) -> tuple[DataSourceRecord, bool]:
        """Return the target, and whether it was made."""
        record = self._catalog.datasource(workspace.id, name)
        if record is not None:
            if access is not None and not access.allows("DATASOURCES:CREATE"):
                access.require("DATASOURCES:APPEND", record.name)
            if flag(fields, "override_datasource") and incompatible(described, parse_schema(record.schema)):
                return self._overridden(workspace, record, described, composed, fields), False
            self._refuse_misfits(node, record, described)
            return record, False
        if access is not None:
            access.require("DATASOURCES:CREATE")
        if self._catalog.pipe(workspace.id, name) is not None:
            raise Conflict(f"There is already a Pipe called {name!r}.", documentation=PIPES_PAGE)
        name = self._datasources.new_name(workspace, name)
        engine = target_engine(described, self._group_keys(composed), fields)
        definition = define_table(view_columns(described), engine, self._datasources.expressions)
        description = fields.get("description_datasource", "")
        return self._datasources.create(workspace, name, definition, description=description), True

    def _overridden(
        self,
        workspace: Workspace,
        record: DataSourceRecord,
        described: Sequence[tuple[str, str]],
        composed: Composed,
        fields: Mapping[str, str],
    ) -> DataSourceRecord:
        """Give a Data Source, which loses its rows, the columns of a view."""
        engine = target_engine(described, self._group_keys(composed), fields)
        definition = define_table(view_columns(described), engine, self._datasources.expressions)
        return self._datasources.redefine(workspace, record.id, definition)

    def _refuse_misfits(self, node: Node, target: DataSourceRecord, described: Sequence[tuple[str, str]]) -> None:
        problems = incompatible(described, parse_schema(target.schema))
        if problems:
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized into the Data Source '{target.name}', whose schema is "
                f"not compatible: {'; '.join(problems)}. Change the SQL, or add override_datasource=true to give the "
                "Data Source the columns of the node; it loses its rows then.",
                documentation=PIPES_PAGE,
            )

    def _check_insertion(self, view: View, node: Node) -> None:
        """Have the engine refuse what it will refuse, with no rows."""
        rows, fresh = staging_table(), staging_table()
        try:
            create_like(self._engine, rows, view.source, keeps_rows=self._datasources.loader.keeps_rows(view.source))
            create_like(self._engine, fresh, view.target, keeps_rows=view.keeps_rows)
            self._engine.execute(
                view.insertion(fresh, rows, every=rows),
                database=view.source.database,
                settings={**VIEW_SETTINGS, **view.settings},
                parameters=view.parameters,
            )
        except EngineError as error:
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized into the Data Source '{view.target.name}'. [Error] "
                f"{plain_reason(error.message)} ({error.name})",
                documentation=PIPES_PAGE,
            ) from error
        finally:
            self._datasources.loader.discard(rows, fresh)

    def _check_cycle(
        self, workspace: Workspace, node: Node, source: DataSourceRecord, target: DataSourceRecord
    ) -> None:
        names = {record.name: record.id for record in self._catalog.datasources(workspace.id)}
        seen, todo = {target.id}, [target.name]
        while todo:
            for view in self.on(Table(workspace.database, todo.pop())):
                following = names.get(view.target.name)
                if view.node_id != node.id and following is not None and following not in seen:
                    seen.add(following)
                    todo.append(view.target.name)
        if source.id in seen:
            through = "" if source.id == target.id else f" through '{target.name}' and other materialized views"
            raise BadRequest(
                f"The node '{node.name}' cannot be materialized: its rows would come back to '{source.name}', the Data "
                f"Source that it reads{through}, without end.",
                documentation=PIPES_PAGE,
            )


def _bare_view(workspace: Workspace, pipe: PipeRecord, node: Node, source: str, target: DataSourceRecord) -> View:
    return View(
        node_id=node.id,
        pipe_id=pipe.id,
        name=node.name,
        source=Table(workspace.database, source),
        target=Table(workspace.database, target.name),
        keeps_rows=target.engine.get("engine") != "Null",
    )
