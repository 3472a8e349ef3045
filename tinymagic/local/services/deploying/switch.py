"""Carrying a plan out: all of it or nothing, also when the server is killed.

First everything that takes time or may fail: new tables are made and filled, under names that nobody reads. Then one
transaction of the catalogue writes all records; that is the moment when the deployment happens. What is left to do with
tables of that were there before (an exchange with the new one, an ALTER) is written into their records in the same
transaction (`DataSourcesService.begin` does it alike), done right after it, and at the next start if the server is
killed in between. Whoever adds rows to such a Data Source waits meanwhile.

A server that is killed before the transaction leaves tables that no record knows: `DataSourcesService.repair` and
`drop_leftovers` drop them.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError, quote_identifier
from tinymagic.local.errors import Conflict
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.loader import quarantine_definition
from tinymagic.local.ingest.settings import INSERT_SETTINGS, OWN_SQL_SETTINGS
from tinymagic.local.ingest.table import Table, staging_table
from tinymagic.local.services.datasources import PENDING
from tinymagic.local.tables.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.deployments.plan import Filling, Plan, PlannedDataSource
    from tinymagic.local.engine import Engine
    from tinymagic.local.records import DataSourceRecord, Workspace
    from tinymagic.local.services.datasources import DataSourcesService
    from tinymagic.local.services.operations import OperationsLog

    from .trial import Trial

logger = logging.getLogger("tinymagic.local")

#: How tables begin that wait for their exchange, and those that were exchanged.
_PREFIX = "_tm_deploy_"

#: What a record says about its table, and what is changed together with it.
_OF_THE_TABLE = ("description", "type", "schema", "engine", "indexes")


class Switch:
    """Carries plans out.

    Args:
        datasources: the server's.
        operations: where it is noted.
    """

    def __init__(self, datasources: DataSourcesService, operations: OperationsLog) -> None:
        self._datasources = datasources
        self._operations = operations
        self._engine: Engine = datasources.engine
        self._catalog: Catalog = datasources.catalog
        self._loader = datasources.loader

    def carry_out(self, workspace: Workspace, plan: Plan, trial: Trial, more: Callable[[], None]) -> None:
        """Make the workspace what *plan* says.

        Args:
            workspace: that is deployed to.
            plan: that was tried.
            trial: where it was tried; its tables are the models.
            more: writes what else belongs to the deployment, in the same transaction.

        Raises:
            Conflict: somebody has changed a resource meanwhile; nothing was done.
            EngineError: a table cannot be filled; nothing was done.
        """
        touched = [each for each in plan.datasources.values() if each.old is not None and each.evolution is not None]
        ids = sorted([each.record.id for each in touched] + [each.id for each in plan.deleted_datasources])
        made: list[Table] = []
        with ExitStack() as stack:
            # Always in the order of their ids, as everybody takes more than one.
            for each in ids:
                stack.enter_context(self._datasources.changing(workspace, each))
            self._refuse_changed(workspace, plan)
            try:
                pending = {each.record.id: self._prepared(workspace, each, trial, made) for each in touched}
                self._make_new(workspace, plan, trial, made)
                with self._catalog.transaction():
                    self._refuse_changed(workspace, plan)
                    self._write(plan, pending)
                    more()
            except BaseException:
                self._loader.discard(*made)
                raise
            self._finish(workspace, plan, pending)

    def drop_leftovers(self) -> None:
        """Drop what a killed server has left; call it when no request runs, after `DataSourcesService.repair`."""
        for workspace in self._catalog.workspaces():
            kept = str([each.settings[PENDING] for each in self._records(workspace) if PENDING in each.settings])
            sql = "SELECT name FROM system.tables WHERE database = {d:String} AND startsWith(name, {p:String})"
            for [name] in self._engine.rows(sql, parameters={"d": workspace.database, "p": _PREFIX}):
                if name not in kept:
                    self._loader.discard(Table(workspace.database, str(name)))

    # Steps

    def _records(self, workspace: Workspace) -> Iterator[DataSourceRecord]:
        yield from self._catalog.datasources(workspace.id)

    def _refuse_changed(self, workspace: Workspace, plan: Plan) -> None:
        """Refuse to go on from records that are not there any more."""
        now_datasources = {each.id: each for each in self._catalog.datasources(workspace.id)}
        now_pipes = {each.id: each for each in self._catalog.pipes(workspace.id)}
        olds = [each.old for each in plan.datasources.values() if each.old and each.record != each.old]
        old_pipes = [each.old for each in plan.pipes.values() if each.old and each.record != each.old]
        is_changed = any(now_datasources.get(each.id) != each for each in [*olds, *plan.deleted_datasources])
        if is_changed or any(now_pipes.get(each.id) != each for each in [*old_pipes, *plan.deleted_pipes]):
            raise Conflict("Somebody has changed the workspace during the deployment. Deploy again.")

    def _make_new(self, workspace: Workspace, plan: Plan, trial: Trial, made: list[Table]) -> None:
        """Make the tables of new Data Sources; nobody sees them before the catalogue knows them."""
        deleted = {each.name for each in plan.deleted_datasources}
        for each in plan.datasources.values():
            if each.old is not None:
                continue
            table, staged = Table(workspace.database, each.record.name), staging_table()
            try:
                self._create(staged, trial.table(each.record.name), each.record)
                if each.record.name in deleted:  # Cannot be: a file of this name would keep it.
                    raise Conflict(f"There is already a Data Source called {each.record.name!r}.")
                renames = f"{staged.sql} TO {table.sql}, {staged.quarantine.sql} TO {table.quarantine.sql}"
                with self._datasources.naming(workspace, each.record.name):
                    if self._catalog.datasource(workspace.id, each.record.name) is not None:
                        raise Conflict(f"There is already a Data Source called {each.record.name!r}. Deploy again.")
                    self._engine.execute(f"RENAME TABLE {renames}")
                    made += [table, table.quarantine]
            finally:
                self._loader.discard(staged, staged.quarantine)

    def _create(self, table: Table, model: Table, record: DataSourceRecord) -> None:
        self._engine.execute(f"CREATE TABLE {table.sql} AS {model.sql}", settings=OWN_SQL_SETTINGS)
        quarantine = quarantine_definition(parse_schema(record.schema))
        self._engine.execute(f"CREATE TABLE {table.quarantine.sql} {quarantine}", settings=OWN_SQL_SETTINGS)

    def _prepared(
        self, workspace: Workspace, planned: PlannedDataSource, trial: Trial, made: list[Table]
    ) -> dict[str, Any]:
        """Return what is left to do with a table that is there, having done what can be done before."""
        table = Table(workspace.database, planned.record.name)
        evolution = planned.evolution
        assert evolution is not None
        steps = evolution.alteration
        if steps is not None:
            alters = [
                (each.name, f"ALTER TABLE {each.sql} {', '.join(actions)}", self._datasources.definition(each))
                for each, actions in ((table, steps.actions), (table.quarantine, steps.quarantine_actions))
                if actions
            ]
            return {
                "alters": alters,
                "statements": [f"ALTER TABLE {table.sql} {action}" for action in steps.late_actions],
            }
        new = Table(workspace.database, _PREFIX + uuid.uuid4().hex)
        made += [new, new.quarantine]
        self._create(new, trial.table(planned.record.name), planned.record)
        if planned.filling is not None:
            self._fill(workspace, new, planned.filling)
        elif "Null" not in (_engine(planned.old), _engine(planned.record)) and self._count(table):
            raise Conflict(f"Rows have come into {planned.record.name!r} during the deployment. Deploy again.")
        self._keep_quarantine(table.quarantine, new.quarantine)
        pairs = [(table, new), (table.quarantine, new.quarantine)]
        return {"exchanges": [(old.name, other.name, self._datasources.table_uuid(old)) for old, other in pairs]}

    def _fill(self, workspace: Workspace, table: Table, filling: Filling) -> None:
        names = ", ".join(map(quote_identifier, filling.columns))
        try:
            self._engine.execute(
                f"INSERT INTO {table.sql} ({names}) {filling.sql}",
                database=workspace.database,
                # A deletion that a dead server had begun may still be under way.
                settings={**filling.settings, **OWN_SQL_SETTINGS, **INSERT_SETTINGS, "apply_mutations_on_fly": 1},
                parameters=filling.parameters,
            )
        except EngineError as error:
            raise Conflict(f"The rows cannot be brought into the new shape: {plain_reason(error.message)}") from error

    def _keep_quarantine(self, old: Table, new: Table) -> None:
        """Bring the rows of a quarantine along, as far as there still are columns for them."""
        sql = (
            "SELECT name FROM system.columns WHERE database = {d:String} AND table = {o:String} AND name IN "
            "(SELECT name FROM system.columns WHERE database = {d:String} AND table = {n:String})"
        )
        rows = self._engine.rows(sql, parameters={"d": old.database, "o": old.name, "n": new.name})
        names = ", ".join(quote_identifier(str(name)) for [name] in rows)
        if names:
            self._engine.execute(f"INSERT INTO {new.sql} ({names}) SELECT {names} FROM {old.sql}")

    def _count(self, table: Table) -> int:
        [[count]] = self._engine.rows(f"SELECT count() FROM {table.sql}")
        return int(count)

    def _write(self, plan: Plan, pending: dict[str, dict[str, Any]]) -> None:
        """Write the records; those that are the same stay untouched."""
        catalog = self._catalog
        for pipe in plan.deleted_pipes:
            catalog.delete_pipe(pipe.id)
        for datasource in plan.deleted_datasources:
            catalog.delete_datasource(datasource.id)
        for connection in plan.deleted_connections:
            catalog.delete_connection(connection.id)
        for new, old in plan.connections:
            if old is None:
                catalog.create_connection(new)
            else:
                catalog.update_connection(new)
        for planned in plan.datasources.values():
            record = planned.record
            if planned.old is not None and record.id in pending:
                # Until the table is so, the record says what the table is.
                left = {**pending[record.id], "changes": {key: getattr(record, key) for key in _OF_THE_TABLE}}
                record = replace(planned.old, settings={**record.settings, PENDING: left})
            if planned.old is None:
                catalog.create_datasource(record)
            elif record != planned.old:
                catalog.update_datasource(record)
        for each in plan.pipes.values():
            if each.old is None:
                catalog.create_pipe(each.record)
            elif each.record != each.old:
                catalog.update_pipe(each.record)

    def _finish(self, workspace: Workspace, plan: Plan, pending: dict[str, dict[str, Any]]) -> None:
        """Do what is left with the tables. What fails now, by a full disk, is done when the table is next used."""
        for record_id, left in pending.items():
            record = self._catalog.datasource(workspace.id, record_id)
            if record is None or PENDING not in record.settings:
                continue
            try:
                self._datasources.finish(workspace, record)
            except EngineError as error:
                # It was tried on an empty table; the deployment has happened, so this is all that can be done.
                logger.warning("The table of the Data Source %s could not be changed: %s", record_id, error.name)
                message = f"Its table could not be changed: {plain_reason(error.message)} Deploy again."
                plan.warnings.append((record.name, message))
                continue
            old = [Table(workspace.database, other) for _, other, _ in left.get("exchanges", ())]
            self._loader.discard(*old)
        for each in plan.deleted_datasources:
            table = Table(workspace.database, each.name)
            self._loader.discard(table, table.quarantine)
        self._note(workspace, plan)

    def _note(self, workspace: Workspace, plan: Plan) -> None:
        """Write into the log of operations what was done."""
        for planned in plan.datasources.values():
            if planned.old is None:
                self._operations.noted(workspace, "create", planned.record)
            elif planned.evolution is not None:
                self._operations.noted(workspace, "alter", planned.record)
        for record in plan.deleted_datasources:
            self._operations.noted(workspace, "delete", record)


def _engine(record: DataSourceRecord | None) -> str:
    return str(record.engine.get("engine", "")) if record else ""
