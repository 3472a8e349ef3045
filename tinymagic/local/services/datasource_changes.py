"""Changes of Data Sources that exist: alter, rename, truncate, exchange, share, drop (``datasources.md`` section 4)."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.connectors.settings import CONNECTOR, connector_of, service_of
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import BadRequest, Conflict, Forbidden, NotFound
from tinymagic.local.flags import flag
from tinymagic.local.ingest.feeding import VIEW_SETTINGS, create_like
from tinymagic.local.ingest.imports import DATASOURCES_PAGE, plain_reason
from tinymagic.local.ingest.loader import Table, staging_table
from tinymagic.local.tables.alteration import AlterationError, alter_columns, alter_indexes
from tinymagic.local.tables.definition import check_columns, index_definition, read_indexes, read_schema
from tinymagic.local.tables.schema import parse_schema, print_schema

from .datasources import SHARED_WITH
from .importing import no_connector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import DataSourceRecord, Workspace
    from tinymagic.local.tables.alteration import Alteration

    from .datasources import DataSourcesService
    from .dependencies import Dependencies
    from .operations import OperationsLog

_EXCHANGED = ("schema", "engine", "indexes", "type", "headers")


class DataSourceChanges:
    """Changes Data Sources, each change whole or not at all."""

    #: Set when everything is built.
    dependencies: Dependencies | None = None

    def __init__(self, datasources: DataSourcesService, operations: OperationsLog) -> None:
        self._datasources = datasources
        self._engine = datasources.engine
        self._catalog = datasources.catalog
        self._expressions = datasources.expressions
        self._watched = operations.watched
        #: Returns the settings of the connector after a request, given those before.
        self.connector: Callable[[Workspace, Mapping[str, str], Mapping[str, str]], dict[str, str]] = no_connector

    # Attributes and schema

    def update(self, workspace: Workspace, name_or_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """Rename it, or set its description, tags or connector (``PUT``), and describe it.

        Raises:
            NotFound: there is none.
            BadRequest, Conflict: the new name cannot be one, or is taken; the settings of the connector cannot be used.
        """
        record = self._datasources.record(workspace, name_or_id)
        name = fields.get("name", "").strip()
        if name and name != record.name:
            record = self._rename(workspace, record, name)
        changes: dict[str, Any] = {}
        if "description" in fields:
            changes["description"] = fields["description"]
        if "backfill_column" in fields:
            changes["tags"] = {**record.tags, "backfill_column": fields["backfill_column"]}
        before = connector_of(record)
        connector = self.connector(workspace, fields, before)
        if connector != before:
            changes.update(settings={}, type=service_of(connector))
        if changes:
            with self._datasources.changing(workspace, record.id) as record:
                if "tags" in changes:
                    changes["tags"] = {**record.tags, "backfill_column": fields["backfill_column"]}
                if "settings" in changes:
                    changes["settings"] = {**record.settings, CONNECTOR: connector}
                self._catalog.update_datasource(replace(record, **changes))
        return self._datasources.get(workspace, record.id)

    def alter(self, workspace: Workspace, name_or_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """Change columns, description, TTL or indexes; with ``dry`` only say how.

        Returns:
            ``operations`` (texts for people), ``dependencies`` (names of Pipes), and ``datasource`` unless dry.

        Raises:
            NotFound: there is none.
            BadRequest: nothing changes, or it cannot be done in place; nothing was done.
        """
        dry = flag(fields, "dry")
        with (
            self._datasources.changing(workspace, name_or_id) as record,
            nullcontext() if dry else self._watched(workspace, "alter", record),
        ):
            steps, changes = self._alteration(record, fields)
            if not steps.operations:
                raise BadRequest("There were no operations to perform", documentation=DATASOURCES_PAGE)
            used_by = [each["name"] for each in self._datasources.used_by(workspace, record)]
            reply: dict[str, Any] = {"operations": steps.operations, "dependencies": used_by}
            table = Table(workspace.database, record.name)
            self._try_alteration(table, steps)
            if dry:
                return reply
            alters = [
                (each.name, f"ALTER TABLE {each.sql} {', '.join(actions)}", self._datasources.definition(each))
                for each, actions in ((table, steps.actions), (table.quarantine, steps.quarantine_actions))
                if actions
            ]
            late = [f"ALTER TABLE {table.sql} {action}" for action in steps.late_actions]
            self._carry_out(workspace, record, alters=alters, statements=late, changes=changes)
        return {**reply, "datasource": self._datasources.get(workspace, record.id)}

    def drop(self, workspace: Workspace, name_or_id: str, *, force: bool) -> None:
        """Drop it with its rows and its quarantine.

        Raises:
            NotFound: there is none.
            Conflict: other workspaces read it or nodes fill it, and *force* is not set; or Pipes read it.
        """
        record = self._datasources.record(workspace, name_or_id)
        readers = self.readers(record)
        if readers and not force:
            raise Conflict(
                f"Data Source {record.name!r} cannot be deleted: it is shared with {', '.join(readers)}. Stop sharing "
                "it first, or add force=true.",
                documentation=DATASOURCES_PAGE,
            )
        with self._watched(workspace, "delete", record):
            if self.dependencies is not None:
                self.dependencies.unlink(workspace, record, force=force)
            self._datasources.drop(workspace, record.id)

    def readers(self, record: DataSourceRecord) -> list[str]:
        """Return the names of the workspaces that it is shared with."""
        workspaces = [self._catalog.workspace(each) for each in record.settings.get(SHARED_WITH, [])]
        return [each.name for each in workspaces if each is not None]

    def exchange(self, workspace: Workspace, first: str, second: str) -> dict[str, Any]:
        """Swap what stands behind two names: rows, quarantine, schema and engine. Names, ids and tokens stay.

        Raises:
            NotFound: one of them does not exist.
            BadRequest: they are the same, or cannot be exchanged.
        """
        records = [self._datasources.record(workspace, name) for name in (first, second)]
        if records[0].id == records[1].id:
            raise BadRequest(f"{first!r} and {second!r} are the same Data Source.", documentation=DATASOURCES_PAGE)
        # Always in the same order, so that two exchanges do not wait for each other.
        low, high = sorted(records, key=lambda each: each.id)
        with (
            self._datasources.changing(workspace, low.id) as low,
            self._datasources.changing(workspace, high.id) as high,
            self._watched(workspace, "exchange", low),
            self._watched(workspace, "exchange", high),
        ):
            self._swap(workspace, low, high)
        names = [self._datasources.get(workspace, each.id)["name"] for each in records]
        return {"ok": True, "datasource_a": names[0], "datasource_b": names[1]}

    # Rows

    def truncate(self, workspace: Workspace, name_or_id: str) -> None:
        """Remove all rows; the quarantine stays.

        Raises:
            NotFound: there is none.
        """
        with (
            self._datasources.changing(workspace, name_or_id) as record,
            self._watched(workspace, "truncate", record),
        ):
            if record.engine["engine"] != "Null":  # It keeps no rows, and the engine would refuse.
                table = Table(workspace.database, record.name)
                self._engine.execute(f"TRUNCATE TABLE {table.sql} SETTINGS alter_sync = 2")

    # Sharing

    def share(self, access: Access, name_or_id: str, fields: Mapping[str, str], *, shared: bool) -> dict[str, Any]:
        """Let another workspace read a Data Source, or no longer, and describe it.

        Args:
            access: of an administrator of the workspace that it belongs to, or of a user.
            name_or_id: the Data Source.
            fields: ``destination_workspace_id`` (id or name), and ``origin_workspace_id`` when the token is a user's.
            shared: whether it shall be shared.

        Raises:
            NotFound: there is no such Data Source or workspace.
            BadRequest: the destination is missing, is the workspace itself, or has no part in it.
        """
        workspace = self._origin(access, fields.get("origin_workspace_id", ""))
        destination = fields.get("destination_workspace_id", "")
        if not destination:
            message = "The parameter 'destination_workspace_id' is missing: the id or name of the other workspace."
            raise BadRequest(message, documentation=DATASOURCES_PAGE)
        other = self._workspace(destination)
        if other.id == workspace.id:
            raise BadRequest("A Data Source cannot be shared with its own workspace.", documentation=DATASOURCES_PAGE)
        with self._datasources.changing(workspace, name_or_id) as record:
            ids = list(record.settings.get(SHARED_WITH, []))
            if shared:
                ids = [*ids, other.id] if other.id not in ids else ids
            elif other.id in ids:
                ids.remove(other.id)
            else:
                message = f"Data Source {record.name!r} is not shared with the workspace {other.name!r}."
                raise BadRequest(message, documentation=DATASOURCES_PAGE)
            self._catalog.update_datasource(replace(record, settings={**record.settings, SHARED_WITH: ids}))
        return self._datasources.get(workspace, record.id)

    def _origin(self, access: Access, origin: str) -> Workspace:
        if not origin or origin in (access.workspace.id, access.workspace.name):
            return access.workspace
        if access.token.kind != "user":
            raise Forbidden("The token belongs to another workspace than origin_workspace_id; use the user's token.")
        return self._workspace(origin)

    def _workspace(self, id_or_name: str) -> Workspace:
        found = self._catalog.workspace(id_or_name)
        if found is None:
            raise NotFound(f"Workspace {id_or_name!r} does not exist.", documentation=DATASOURCES_PAGE)
        return found

    # Steps

    def _rename(self, workspace: Workspace, record: DataSourceRecord, name: str) -> DataSourceRecord:
        self._datasources.new_name(workspace, name)
        with (
            self._datasources.changing(workspace, record.id) as record,
            self._watched(workspace, "rename", record) as note,
            self._datasources.naming(workspace, name),
        ):
            if name == record.name:
                return record
            self._datasources.new_name(workspace, name)  # Once more: somebody may have taken it meanwhile.
            if self.dependencies is not None:
                self.dependencies.refuse_rename(workspace, record)
            note.update(old_name=record.name, new_name=name)
            old, new = Table(workspace.database, record.name), Table(workspace.database, name)
            renames = [(old.name, new.name), (old.quarantine.name, new.quarantine.name)]
            return self._carry_out(workspace, record, renames=renames, changes={"name": name})

    def _alteration(self, record: DataSourceRecord, fields: Mapping[str, str]) -> tuple[Alteration, dict[str, Any]]:
        """Return the steps, and what changes in the record."""
        old = parse_schema(record.schema)
        new = (
            check_columns(read_schema(fields["schema"]), self._expressions) if fields.get("schema", "").strip() else old
        )
        try:
            steps = alter_columns(old, new)
        except AlterationError as error:
            raise BadRequest(str(error), documentation=DATASOURCES_PAGE) from error
        changes: dict[str, Any] = {"schema": print_schema(new)}
        ttl = fields.get("ttl", "").strip()
        if ttl:
            changes["engine"] = self._alter_ttl(steps, record, ttl)
        if "indexes" in fields:
            text = fields["indexes"].strip()
            indexes = () if text in ("", "0") else read_indexes(text, self._expressions)
            definitions = [index_definition(each) for each in indexes]
            alter_indexes(steps, record.indexes, indexes, definitions)
            changes["indexes"] = list(indexes)
        if "description" in fields and fields["description"] != record.description:
            steps.operations.append("MODIFY DESCRIPTION")
            changes["description"] = fields["description"]
        if steps.statements("") and record.engine["engine"] == "Null":
            raise BadRequest("The engine Null cannot be altered.", documentation=DATASOURCES_PAGE)
        return steps, changes

    def _alter_ttl(self, steps: Alteration, record: DataSourceRecord, ttl: str) -> dict[str, Any]:
        engine = dict(record.engine)
        before = engine.pop("engine_ttl", "")
        if ttl.lower() == "false":
            if before:
                steps.add("REMOVE TTL")
            return engine
        if ttl != before:
            steps.add(f"MODIFY TTL {self._expressions.checked(ttl, 'ttl')}", late=True)
        return {**engine, "engine_ttl": ttl}

    def _try_alteration(self, table: Table, steps: Alteration) -> None:
        """Have the engine refuse what it will refuse on an empty table of the same shape, before anything is done."""
        if not steps.statements(""):
            return
        trial = Table("_tm_staging", f"trial_{time.monotonic_ns():x}")
        try:
            self._engine.execute(f"CREATE TABLE {trial.sql} AS {table.sql}")
            for statement in steps.statements(trial.sql):
                self._engine.execute(statement)
            self._try_views(table, trial)
        except EngineError as error:
            raise BadRequest(
                f"The Data Source cannot be altered: {plain_reason(error.message)} ({error.name})",
                documentation=DATASOURCES_PAGE,
            ) from error
        finally:
            self._datasources.loader.discard(trial)

    def _try_views(self, table: Table, trial: Table) -> None:
        """Have the engine refuse what the views on a table, and those that fill it, could not do any more."""
        loader = self._datasources.loader
        for view in [*loader.views(table), *loader.views_into(table)]:
            if view.problem:
                continue
            into, rows = staging_table(), staging_table()
            keeps_rows = loader.keeps_rows(view.source)
            try:
                create_like(self._engine, into, view.target if view.source == table else trial)
                create_like(self._engine, rows, trial if view.source == table else view.source, keeps_rows=keeps_rows)
                self._engine.execute(
                    view.insertion(into, rows, every=rows),
                    database=table.database,
                    settings={**VIEW_SETTINGS, **view.settings},
                    parameters=view.parameters,
                )
            except EngineError as error:
                reason = f"the materialized view '{view.name}' would fail. {plain_reason(error.message)}"
                raise EngineError(error.code, error.name, reason) from error
            finally:
                loader.discard(into, rows)

    def _carry_out(self, workspace: Workspace, record: DataSourceRecord, **pending: Any) -> DataSourceRecord:
        begun = self._datasources.begin(record, **pending)
        try:
            return self._datasources.finish(workspace, begun)
        except NameTaken as error:
            raise Conflict(str(error), documentation=DATASOURCES_PAGE) from error
        except EngineError as error:
            raise BadRequest(
                f"The Data Source cannot be changed: {plain_reason(error.message)} ({error.name})",
                documentation=DATASOURCES_PAGE,
            ) from error

    def _swap(self, workspace: Workspace, low: DataSourceRecord, high: DataSourceRecord) -> None:
        one, two = Table(workspace.database, low.name), Table(workspace.database, high.name)
        pairs = [(one, two), (one.quarantine, two.quarantine)]
        self._carry_out(
            workspace,
            low,
            exchanges=[(first.name, second.name, self._datasources.table_uuid(first)) for first, second in pairs],
            changes={key: getattr(high, key) for key in _EXCHANGED},
            other={"id": high.id, "changes": {key: getattr(low, key) for key in _EXCHANGED}},
        )
