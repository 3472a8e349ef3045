"""Making nodes materialized views, and undoing it (``pipes.md`` 7)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import BadRequest, Conflict
from tinymagic.local.flags import flag
from tinymagic.local.ingest.feeding import VIEW_SETTINGS, create_like
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.table import Table, staging_table
from tinymagic.local.materializing.target_columns import incompatible, target_engine, view_columns
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.pipes.outputs import MadeOutput
from tinymagic.local.records import DataSourceRecord
from tinymagic.local.tables.definition import define_table
from tinymagic.local.tables.schema import parse_schema, print_schema
from tinymagic.local.views.datasource import datafile

from .materialized_views import ENGINE, POPULATED, SOURCE, TARGET, TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.materializing.view import View
    from tinymagic.local.pipes.assembly import Composed
    from tinymagic.local.records import Node, PipeRecord, Workspace

    from .datasources import DataSourcesService
    from .materialized_views import MaterializedViews
    from .pipes import PipesService
    from .populating import Populating


class Materializations:
    """Makes materialized views.

    Args:
        datasources: the Data Sources.
        pipes: the Pipes.
        views: finds and compiles.
    """

    #: Set when everything is built: it starts jobs.
    populating: Populating

    def __init__(self, datasources: DataSourcesService, pipes: PipesService, views: MaterializedViews) -> None:
        self._datasources = datasources
        self._catalog = datasources.catalog
        self._engine = datasources.engine
        self._pipes = pipes
        self._views = views
        pipes.outputs[TYPE] = self

    # Requests

    def advice(self, workspace: Workspace, pipe_id: str, node_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """Return the object of ``.../analysis``: how the node and a target for it would be written.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: the node cannot be a materialized view.
        """
        pipe = self._pipes.pipe(workspace, pipe_id)
        node = self._pipes.node(pipe, node_id)
        composed = self._views.composed(workspace, pipe, node)
        self._views.source(workspace, node, composed)
        described = self._views.described(workspace, node, composed)
        name = fields.get("datasource", "").strip() or f"{pipe.name}_mv"
        parameters = target_engine(described, self._views.group_keys(composed), fields)
        definition = define_table(view_columns(described), parameters, self._datasources.expressions)
        engine = definition.engine.description()
        record = DataSourceRecord("", workspace.id, name, schema=print_schema(definition.columns), engine=engine)
        sql = "\n".join(f"    {line}" for line in node.sql.splitlines())
        options = "".join(f"{key.upper()} {value!r}\n".replace("'", '"') for key, value in engine.items())
        text = f"NODE {node.name}\nSQL >\n\n{sql}\n\nTYPE materialized\nDATASOURCE {name}\n{options}"
        columns = [{"name": column, "type": type_} for column, type_ in described]
        return {
            "analysis": {
                "pipe": {"id": pipe.id, "name": pipe.name, "node": node.name, "datafile": text},
                "datasource": {"name": name, "columns": columns, "engine": engine, "datafile": datafile(record)},
            },
            "warnings": [],
        }

    # Making (`pipes.outputs.Output`)

    def make(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        fields: Mapping[str, Any],
        *,
        access: Access | None = None,
    ) -> MadeOutput:
        """Make a node a materialized view: find or make its target, and begin to populate it if that is asked.

        Raises:
            BadRequest: the SQL cannot be one, or the target does not fit.
        """
        composed = self._views.composed(workspace, pipe, node)
        source = self._views.source(workspace, node, composed)
        described = self._views.described(workspace, node, composed)
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
            given = {key: value for key, value in text.items() if key.startswith("engine") and value}
            if given:
                output[ENGINE] = given
            made = replace(node, type=TYPE, output=output)
            self._check_insertion(self._views.compiled(workspace, pipe, made, target), made)
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
            return MadeOutput(made, extra, partial(self._datasources.drop, workspace, target.id))
        return MadeOutput(made, extra)

    def remade(self, workspace: Workspace, pipe: PipeRecord, old: Node, new: Node) -> None:
        """Check that a view whose SQL, or what it reads, has changed still fits its target.

        Raises:
            BadRequest: it does not.
        """
        del old
        target = self._catalog.datasource(workspace.id, new.output.get(TARGET, ""))
        if target is None:
            return
        composed = self._views.composed(workspace, pipe, new)
        source = self._views.source(workspace, new, composed)
        self._refuse_misfits(new, target, self._views.described(workspace, new, composed))
        self._check_cycle(workspace, new, source, target)
        self._check_insertion(self._views.compiled(workspace, pipe, new, target), new)

    def describe(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> dict[str, Any]:
        """Return the keys that the API's object of a Pipe has for its view."""
        del workspace, pipe
        return {"materialized_datasource": node.output.get(TARGET)}

    def exported(self, workspace: Workspace, node: Node) -> dict[str, str]:
        """Return target and engine as a datafile has them; the engine only if the request that made it named one."""
        target = self._catalog.datasource(workspace.id, str(node.output.get(TARGET)))
        return {"datasource": target.name if target else "", **node.output.get(ENGINE, {})}

    # Steps

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
                if access is not None:  # It loses its rows and columns, which is more than to append to it.
                    access.require("DATASOURCES:CREATE")
                return self._overridden(workspace, record, described, composed, fields), False
            self._refuse_misfits(node, record, described)
            return record, False
        if access is not None:
            access.require("DATASOURCES:CREATE")
        if self._catalog.pipe(workspace.id, name) is not None:
            raise Conflict(f"There is already a Pipe called {name!r}.", documentation=PIPES_PAGE)
        name = self._datasources.new_name(workspace, name)
        engine = target_engine(described, self._views.group_keys(composed), fields)
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
        engine = target_engine(described, self._views.group_keys(composed), fields)
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
            for view in self._views.on(Table(workspace.database, todo.pop())):
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
