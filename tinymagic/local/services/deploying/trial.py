"""A workspace as it shall be: its records in a catalogue in memory, its tables, empty, in a database of their own.

Everything that a deployment wants is tried here first, by the services that also do it for single requests: the engine
makes every table, every node is composed and described, views and copies meet their targets. Nothing of it is seen by
anybody, and what a killed server leaves of it is dropped at the next start (`drop_leftovers`).
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import DiskFull, EngineEnding, EngineError, quote_identifier
from tinymagic.local.ingest.loader import quarantine_definition
from tinymagic.local.ingest.settings import OWN_SQL_SETTINGS
from tinymagic.local.ingest.table import Table
from tinymagic.local.pipes.composition import Composer
from tinymagic.local.services.connections import ConnectionsService
from tinymagic.local.services.copies import Copies
from tinymagic.local.services.copy_runs import CopyRuns
from tinymagic.local.services.datasources import DataSourcesService
from tinymagic.local.services.jobs import JobsService
from tinymagic.local.services.materializations import Materializations
from tinymagic.local.services.materialized_views import MaterializedViews
from tinymagic.local.services.operations import OperationsLog
from tinymagic.local.services.pipes import PipesService
from tinymagic.local.services.schedules import Schedules
from tinymagic.local.services.sink_runs import SinkRuns
from tinymagic.local.services.sinks import Sinks
from tinymagic.local.tables.schema import parse_schema

if TYPE_CHECKING:
    from typing_extensions import Self

    from tinymagic.local.engine import Engine
    from tinymagic.local.limits import Limits
    from tinymagic.local.pipes.outputs import Output
    from tinymagic.local.records import DataSourceRecord, Workspace
    from tinymagic.local.secret_box import SecretBox
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.services.variables import VariablesService
    from tinymagic.local.sql.gate import SqlGate

_PREFIX = "_tm_trial_"


@dataclass(frozen=True)
class Surroundings:
    """What a trial shares with the server.

    Attributes:
        engine: where the tables are.
        catalog: of the server.
        gate: checks SQL.
        limits: sizes.
        datasources: knows what other workspaces share.
        service_log: the service Data Sources.
        variables: the secrets of templates.
        box: seals settings of connections.
        composer: composes statements over what is there now.
    """

    engine: Engine
    catalog: Catalog
    gate: SqlGate
    limits: Limits
    datasources: DataSourcesService
    service_log: ServiceLog
    variables: VariablesService
    box: SecretBox
    composer: Composer


class _TrialDataSources(DataSourcesService):
    """Data Sources of a trial, which makes and drops the tables itself."""

    def repair(self) -> None:
        """Do nothing: staging is the server's, and there are no leftovers."""


class Trial:
    """One trial; use it in a ``with``.

    Attributes:
        catalog: the records as they shall be.
        workspace: with the trial's own database.
        connections: makes their records.
        composer: composes statements over them.
        outputs: makes outputs of nodes.
    """

    def __init__(self, around: Surroundings, workspace: Workspace) -> None:
        self._around = around
        self._engine = around.engine
        self._old_database = ""
        with ExitStack() as leaving:
            self.catalog = Catalog(None)
            leaving.callback(self.catalog.close)
            name = _PREFIX + uuid.uuid4().hex
            self._engine.execute(f"CREATE DATABASE {name} ENGINE = Atomic")
            leaving.callback(self._drop_databases, name)
            self.workspace = self.catalog.create_workspace(replace(workspace, database=name))
            self._datasources = _TrialDataSources(around.engine, self.catalog, around.limits, None, around.gate)
            leaving.callback(self._datasources.close)
            self.composer = Composer(
                around.engine, around.gate, self.catalog, around.datasources, around.service_log, around.variables
            )
            self.connections = ConnectionsService(self.catalog, around.box, around.variables)
            self.outputs: dict[str, Output] = self._make_outputs()
            self._leaving = leaving.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.close()

    def _drop_databases(self, database: str) -> None:
        with self._engine.cleaning():
            for name in (database, self._old_database):
                # What stays is dropped at the next start.
                with suppress(EngineError, DiskFull, EngineEnding):
                    if name:
                        self._engine.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} SYNC")

    def table(self, name: str) -> Table:
        """Return the trial's table of a Data Source."""
        return Table(self.workspace.database, name)

    def add(self, record: DataSourceRecord, definition: str) -> None:
        """Make the table of a Data Source and note its record.

        Raises:
            EngineError: the engine refuses it.
        """
        self._engine.execute(f"CREATE TABLE {self.table(record.name).sql} {definition}", settings=OWN_SQL_SETTINGS)
        self.catalog.create_datasource(record)

    def add_quarantine(self, record: DataSourceRecord) -> None:
        """Make the quarantine of a Data Source.

        Raises:
            EngineError: it cannot be made.
        """
        definition = quarantine_definition(parse_schema(record.schema))
        self._engine.execute(f"CREATE TABLE {self.table(record.name).quarantine.sql} {definition}")

    def add_existing(self, workspace: Workspace, record: DataSourceRecord) -> None:
        """Make an empty table like that of a Data Source that stays as it is.

        Raises:
            EngineError: it cannot be made.
        """
        self.add(record, f"AS {Table(workspace.database, record.name).sql}")

    def old_table(self, workspace: Workspace, name: str) -> Table:
        """Return an empty table like that of a Data Source as it is now, made when it is not there yet.

        Raises:
            EngineError: it cannot be made.
        """
        if not self._old_database:
            database = _PREFIX + uuid.uuid4().hex
            self._engine.execute(f"CREATE DATABASE {database} ENGINE = Atomic")
            self._old_database = database
        table = Table(self._old_database, name)
        self._engine.execute(f"CREATE TABLE IF NOT EXISTS {table.sql} AS {Table(workspace.database, name).sql}")
        return table

    def without_place(self, message: str) -> str:
        """Take the names of the trial's databases, which nobody knows, out of a message."""
        for name in (self.workspace.database, self._old_database):
            if name:
                message = message.replace(f"{name}.", "").replace(f"{quote_identifier(name)}.", "")
        return message

    def _make_outputs(self) -> dict[str, Output]:
        around, datasources = self._around, self._datasources
        # These are given jobs and schedules that nobody starts: a trial runs nothing.
        jobs, schedules = JobsService(self.catalog, self._engine), Schedules(self.catalog)
        pipes = PipesService(self.catalog, self.composer)
        copy_runs = CopyRuns(datasources, self.composer, jobs, OperationsLog(None), around.service_log)
        sink_runs = SinkRuns(datasources, self.connections, self.composer, jobs, around.service_log)
        # Each enters itself there.
        Copies(datasources, self.composer, pipes, jobs, schedules, copy_runs)
        Sinks(self.connections, self.composer, pipes, jobs, schedules, sink_runs)
        Materializations(datasources, pipes, MaterializedViews(datasources, self.composer, around.gate))
        return pipes.outputs


def drop_leftovers(engine: Engine) -> None:
    """Drop the databases of trials that a killed server had begun; call it when no trial runs."""
    sql = "SELECT name FROM system.databases WHERE startsWith(name, {p:String})"
    for [name] in engine.rows(sql, parameters={"p": _PREFIX}):
        engine.execute(f"DROP DATABASE IF EXISTS {quote_identifier(str(name))} SYNC")
