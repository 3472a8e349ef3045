"""Rules of the embedded Tinybird, one module per resource. They know `Engine` and `Catalog` and no HTTP.

`Services` holds them all; it is built once (`app.create_app`) and handlers reach it as ``request.app.state.services``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.local.pipes.composition import Composer
from tinymagic.local.rates import Rates
from tinymagic.local.secret_box import SecretBox
from tinymagic.local.service_datasources.log import ServiceLog
from tinymagic.local.sql.gate import SqlGate

from .analyze import AnalyzeService
from .connections import ConnectionsService
from .connector_runs import ConnectorRuns
from .connectors import Connectors
from .copies import Copies
from .copy_runs import CopyRuns
from .datasource_changes import DataSourceChanges
from .datasources import DataSourcesService
from .deletions import Deletions
from .dependencies import Dependencies
from .deploying.trial import Surroundings
from .deployments import DeploymentsService
from .endpoints import EndpointsService
from .events import EventsService
from .importing import ImportService
from .jobs import JobsService
from .materializations import Materializations
from .materialized_views import MaterializedViews
from .operations import OperationsLog
from .pipes import PipesService
from .populating import Populating
from .query import QueryService
from .schedules import Schedules
from .sink_runs import SinkRuns
from .sinks import Sinks
from .sql_tools import SqlToolsService
from .taken_files import TakenFiles
from .tokens import TokensService
from .variables import VariablesService
from .workspaces import WorkspacesService

if TYPE_CHECKING:
    from pathlib import Path

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.limits import Limits


@dataclass(frozen=True)
class Services:
    """All services of one server."""

    engine: Engine
    catalog: Catalog
    limits: Limits
    port: int
    tokens: TokensService
    workspaces: WorkspacesService
    secret_box: SecretBox
    variables: VariablesService
    composer: Composer
    pipes: PipesService
    schedules: Schedules
    copies: Copies
    connections: ConnectionsService
    connectors: Connectors
    sinks: Sinks
    query: QueryService
    endpoints: EndpointsService
    datasources: DataSourcesService
    imports: ImportService
    changes: DataSourceChanges
    deletions: Deletions
    dependencies: Dependencies
    materializations: Materializations
    populating: Populating
    jobs: JobsService
    events: EventsService
    analyze: AnalyzeService
    service_log: ServiceLog
    sql_tools: SqlToolsService
    rates: Rates
    deployments: DeploymentsService

    @classmethod
    def build(
        cls, engine: Engine, catalog: Catalog, limits: Limits, *, port: int = 0, spool: Path | None = None
    ) -> Services:
        """Make the services and whatever must exist before the first request.

        *spool* is the folder for uploads; a temporary one when ``None``.
        """
        workspaces = WorkspacesService(engine, catalog)
        workspaces.prepare()
        service_log = ServiceLog(engine, catalog)
        gate = SqlGate(engine)
        jobs = JobsService(catalog, engine, service_log)
        datasources = DataSourcesService(engine, catalog, limits, spool, gate)
        operations = OperationsLog(service_log)
        secret_box = SecretBox(catalog.folder)
        variables = VariablesService(catalog, secret_box)
        composer = Composer(engine, gate, catalog, datasources, service_log, variables)
        pipes = PipesService(catalog, composer)
        views = MaterializedViews(datasources, composer, gate)
        materializations = Materializations(datasources, pipes, views)
        changes = DataSourceChanges(datasources, operations)
        changes.dependencies = Dependencies(datasources, pipes, views)
        query = QueryService(engine, composer, limits, service_log)
        schedules = Schedules(catalog, defining=pipes.defining)
        connections = ConnectionsService(catalog, secret_box, variables)
        sink_runs = SinkRuns(datasources, connections, composer, jobs, service_log)
        imports = ImportService(datasources, jobs, operations)
        taken = TakenFiles(engine, catalog, datasources.loader)
        connector_runs = ConnectorRuns(datasources, connections, imports, jobs, taken)
        connectors = Connectors(datasources, jobs, schedules, connector_runs)
        imports.connector = changes.connector = connectors.given
        copy_runs = CopyRuns(datasources, composer, jobs, operations, service_log)
        populating = Populating(datasources, pipes, views, materializations, jobs, operations)
        around = Surroundings(engine, catalog, gate, limits, datasources, service_log, variables, secret_box, composer)
        services = cls(
            engine=engine,
            catalog=catalog,
            limits=limits,
            port=port,
            tokens=TokensService(catalog, engine, gate),
            workspaces=workspaces,
            secret_box=secret_box,
            variables=variables,
            composer=composer,
            pipes=pipes,
            schedules=schedules,
            copies=Copies(datasources, composer, pipes, jobs, schedules, copy_runs),
            connections=connections,
            connectors=connectors,
            sinks=Sinks(connections, composer, pipes, jobs, schedules, sink_runs),
            query=query,
            endpoints=EndpointsService(composer, query),
            datasources=datasources,
            imports=imports,
            changes=changes,
            deletions=Deletions(datasources, jobs, operations),
            dependencies=changes.dependencies,
            materializations=materializations,
            populating=populating,
            jobs=jobs,
            events=EventsService(engine, catalog, limits, datasources, service_log),
            analyze=AnalyzeService(engine, datasources.spool, limits),
            service_log=service_log,
            sql_tools=SqlToolsService(gate),
            rates=Rates(limits),
            deployments=DeploymentsService(around, pipes, schedules, populating),
        )
        schedules.start()
        return services

    def close(self) -> None:
        """Start nothing more, stop what runs, write down what waits, and remove what lies on disk for a while only."""
        for service in (self.schedules, self.jobs, self.events, self.service_log, self.datasources):
            service.close()
