"""From a project to a plan that has been tried.

Every mistake of a project is found in one go where that is possible: files are read, Data Sources defined, and every
node is tried, except those that read what is broken already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.deployments.evolution import EvolutionError
from tinymagic.local.deployments.fingerprint import PATH
from tinymagic.local.deployments.plan import Filling, Plan, PlannedDataSource
from tinymagic.local.deployments.problems import Problem, ProjectInvalid
from tinymagic.local.deployments.project import targets_of
from tinymagic.local.deployments.target import (
    line_of_datasource_error,
    planned_datasource,
    planned_pipe,
    problem_of,
)
from tinymagic.local.engine import EngineError, quote_identifier
from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.settings import INSERT_SETTINGS, OWN_SQL_SETTINGS
from tinymagic.local.records import Node, PipeRecord, new_id
from tinymagic.local.sql.expressions import Expressions
from tinymagic.local.tables.schema import parse_schema
from tinymagic.local.tables.sizes import table_sizes

from .pipe_trial import PipeTrial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.local.datafiles.model import DatasourceFile
    from tinymagic.local.deployments.project import Project
    from tinymagic.local.records import Workspace

    from .trial import Surroundings, Trial


class Planning:
    """The work on one plan.

    Args:
        around: the server.
        workspace: that is deployed to.
        project: the files.
        destructive: whether Data Sources may be deleted.

    Attributes:
        plan: grows.
        problems: what was found wrong.
    """

    def __init__(self, around: Surroundings, workspace: Workspace, project: Project, *, destructive: bool) -> None:
        self._around = around
        self._workspace = workspace
        self._project = project
        self._destructive = destructive
        catalog = around.catalog
        self._datasources = {each.name: each for each in catalog.datasources(workspace.id)}
        self._pipes = {each.name: each for each in catalog.pipes(workspace.id)}
        self.plan = Plan()
        self.problems = list(project.problems)
        #: Names of resources that have a problem; what reads them is not tried.
        self._failed = set(project.broken)

    def records(self) -> None:
        """Make the records of files, and find what the project does not have any more."""
        expressions = Expressions(self._around.engine, self._around.gate)
        sizes = {table.name: size for table, size in table_sizes(self._around.engine, self._workspace.database).items()}
        self._find_deleted()
        for file in self._project.datasources.values():
            if file.name in self._failed:  # Of thousands of columns nobody need look at each.
                continue
            if self._is_taken(file.name, file.file, "Pipe", file.name in self._pipes):
                continue
            rows = sizes.get(file.name, (0, 0))[0]
            old = self._datasources.get(file.name)
            try:
                planned = planned_datasource(
                    self._workspace, file, old, expressions, rows=rows, shared_with=self._shared_with(file)
                )
            except (ApiError, EvolutionError) as error:
                self.problems.append(line_of_datasource_error(file, error))
                self._failed.add(file.name)
            else:
                self.plan.datasources[file.name] = planned
        for name in self._project.implied:
            old = self._datasources.get(name)
            if old is not None:
                self.plan.datasources[name] = PlannedDataSource(old, old)
        for pipe in self._project.pipes.values():
            if self._is_taken(pipe.name, pipe.file, "Data Source", pipe.name in self._datasources):
                continue
            try:
                self.plan.pipes[pipe.name] = planned_pipe(self._workspace, pipe, self._pipes.get(pipe.name))
            except ApiError as error:
                self.problems.append(problem_of(pipe, error))
                self._failed.add(pipe.name)
        self._check_targets()
        self._check_connections()

    def try_out(self, trial: Trial) -> None:
        """Try the plan; outputs of Pipes and Data Sources that they make are put into it.

        Raises:
            ProjectInvalid: the engine, or a service, refuses something.
        """
        self._try_datasources(trial)
        self._try_fillings(trial)
        pipes = PipeTrial(self._around, self._workspace, self._project, trial, self.plan, self._failed)
        pipes.run()
        self.problems = [replace(each, message=trial.without_place(each.message)) for each in self.problems]
        self.problems += [replace(each, message=trial.without_place(each.message)) for each in pipes.problems]
        self.refuse_problems()

    def refuse_problems(self) -> None:
        """End it when something is wrong.

        Raises:
            ProjectInvalid: with all that was found.
        """
        if self.problems:
            raise ProjectInvalid(self.problems)

    # Records

    def _find_deleted(self) -> None:
        """Find what an earlier deployment has made and this one does not have; the rest of a workspace is not ours."""
        project = self._project
        implied = project.implied
        for record in self._datasources.values():
            kept = record.name in project.datasources or record.name in implied or record.name in project.broken
            if PATH in record.settings and not kept:
                self.plan.deleted_datasources.append(record)
                if not self._destructive:
                    message = (
                        f"The Data Source {record.name!r} is not in the project any more. Deleting it deletes its "
                        "rows: allow that with allow_destructive_operations=true (--allow-destructive-operations), or "
                        "put the file back."
                    )
                    self.problems.append(Problem(str(record.settings[PATH]), message))
                    self._failed.add(record.name)
        self.plan.deleted_pipes = [
            record
            for record in self._pipes.values()
            if PATH in record.settings and record.name not in project.pipes and record.name not in project.broken
        ]

    def _is_taken(self, name: str, file: str, kind: str, is_there: bool) -> bool:
        """Report a name that something of the other kind has and keeps."""
        if not is_there:
            return False
        deleted = {each.name for each in self.plan.deleted_datasources}
        if name in deleted | {each.name for each in self.plan.deleted_pipes}:
            return False
        self.problems.append(
            Problem(file, f"There is already a {kind} called {name!r} in the workspace. Choose another name.")
        )
        return True

    def _shared_with(self, file: DatasourceFile) -> list[str]:
        found = []
        for name in file.shared_with:
            other = self._around.catalog.workspace(name)
            if other is None or other.id == self._workspace.id:
                message = f"It is not shared with the Workspace {name!r}, which does not exist here."
                self.plan.warnings.append((file.name, message))
            else:
                found.append(other.id)
        return found

    def _check_connections(self) -> None:
        """Find connectors without their connection."""
        known = {each.name for each in self._around.catalog.connections(self._workspace.id)}
        known |= {*self._project.connections, *self._project.broken}
        for file in self._project.datasources.values():
            name = file.settings.get("import_connection_name")
            if name and name not in known:
                message = f"The connection {name!r} does not exist. Add {name}.connection, or name another one."
                self.problems.append(Problem(file.file, message, file.lines.get("import_connection_name", 0)))

    def _check_targets(self) -> None:
        """Find copies into what is no Data Source."""
        project = self._project
        deleted = {each.name for each in self.plan.deleted_datasources}
        known = {*project.datasources, *project.implied, *project.broken}
        known |= {name for name in self._datasources if name not in deleted}
        for pipe in project.pipes.values():
            for name, line in targets_of(pipe).items():
                if name not in known and name not in {record.id for record in self._datasources.values()}:
                    message = (
                        f"The Data Source {name!r}, which the Pipe writes to, does not exist. Add the file "
                        f"{name}.datasource, or name another one."
                    )
                    self.problems.append(Problem(pipe.file, message, line))

    # Trial of Data Sources

    def _try_datasources(self, trial: Trial) -> None:
        deleted = {each.id for each in self.plan.deleted_datasources}
        for record in self._datasources.values():
            if record.id not in deleted and record.name not in self.plan.datasources:
                trial.add_existing(self._workspace, record)
        for planned in self.plan.datasources.values():
            try:
                if planned.old is not None and planned.evolution is None:
                    trial.add_existing(self._workspace, planned.record)
                    # What the file says may differ from what there is only in words.
                else:
                    trial.add(planned.record, planned.definition)
                    self._try_alteration(trial, planned)
            except EngineError as error:
                assert planned.file is not None
                message = f"The Data Source cannot be created: {plain_reason(error.message)}"
                self.problems.append(problem_of(planned.file, _said(message), "engine", "schema"))
                self._failed.add(planned.record.name)

    def _try_alteration(self, trial: Trial, planned: PlannedDataSource) -> None:
        steps = planned.evolution.alteration if planned.evolution else None
        if steps is None or not steps.statements(""):
            return
        table = trial.old_table(self._workspace, planned.record.name)
        for statement in steps.statements(table.sql):
            self._around.engine.execute(statement, settings=OWN_SQL_SETTINGS)

    def _try_fillings(self, trial: Trial) -> None:
        for planned in self.plan.datasources.values():
            file = planned.file
            if not planned.is_rebuilt or planned.evolution is None or file is None or file.name in self._failed:
                continue
            if file.forward_query.strip():
                self._try_forward_query(trial, planned, file)
            elif planned.evolution.columns:
                columns = planned.evolution.columns
                names = ", ".join(map(quote_identifier, columns))
                planned.filling = Filling(columns, f"SELECT {names} FROM {quote_identifier(file.name)}")

    def _refuse_unknown(self, planned: PlannedDataSource, names: Sequence[str]) -> None:
        """Refuse columns of a FORWARD_QUERY that the Data Source does not take.

        Raises:
            BadRequest: names them.
        """
        known = {column.name for column in parse_schema(planned.record.schema) if column.is_inserted}
        if unknown := [name for name in names if name not in known]:
            raise BadRequest(
                f"it gives {', '.join(map(repr, unknown))}, and the Data Source takes {', '.join(sorted(known))}."
            )

    def _try_forward_query(self, trial: Trial, planned: PlannedDataSource, file: DatasourceFile) -> None:
        composer = self._around.composer
        query = file.forward_query.strip().rstrip(";")
        node = Node(new_id(), "forward_query", query)
        if not composer.reads(self._workspace, node):
            node = replace(node, sql=f"{query}\nFROM {file.name}")
        pipe = PipeRecord(new_id(), self._workspace.id, "forward_query_of", nodes=(node,))
        try:
            composed = composer.node(self._workspace, pipe, node)
            described = composer.columns(self._workspace, composed)
            database = trial.old_table(self._workspace, file.name).database
            for other, name in composed.tables:
                if not other:
                    trial.old_table(self._workspace, name)
            columns = tuple(name for name, _ in described)
            self._refuse_unknown(planned, columns)
            names = ", ".join(map(quote_identifier, columns))
            filling = Filling(
                columns, f"SELECT {names} FROM (\n{composed.sql}\n)", composed.settings, composed.parameters
            )
            self._around.engine.execute(
                f"INSERT INTO {trial.table(file.name).sql} ({names}) {filling.sql}",
                database=database,
                settings={**composed.settings, **OWN_SQL_SETTINGS, **INSERT_SETTINGS},
                parameters=composed.parameters,
            )
        except (ApiError, EngineError) as error:
            message = f"The FORWARD_QUERY cannot be used: {plain_reason(error.message)}"
            self.problems.append(problem_of(file, _said(message), "forward_query"))
        else:
            planned.filling = filling


def _said(message: str) -> Exception:
    return ValueError(message)
