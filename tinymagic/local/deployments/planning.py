"""From a project to a plan that has been tried.

Every mistake of a project is found in one go where that is possible: files are read, Data Sources defined, and every
node is tried, except those that read what is broken already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.catalog import Node, PipeRecord, new_id
from tinymagic.local.engine import EngineError, quote_identifier
from tinymagic.local.errors import ApiError
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.settings import INSERT_SETTINGS, OWN_SQL_SETTINGS
from tinymagic.local.sql.expressions import Expressions
from tinymagic.local.tables.sizes import table_sizes

from .evolution import EvolutionError
from .fingerprint import PATH
from .order import Cycle, ordered
from .plan import Filling, Plan, PlannedDataSource, PlannedPipe
from .problems import Problem, ProjectInvalid
from .project import targets_of
from .target import (
    finished_pipe,
    implied_datasource,
    line_of_datasource_error,
    planned_datasource,
    planned_pipe,
    problem_of,
)

if TYPE_CHECKING:
    from tinymagic.local.catalog import DataSourceRecord, Workspace
    from tinymagic.local.datafiles.model import DatasourceFile, NodeFile

    from .project import Project
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

    def try_out(self, trial: Trial) -> None:
        """Try the plan; outputs of Pipes and Data Sources that they make are put into it.

        Raises:
            ProjectInvalid: the engine, or a service, refuses something.
        """
        self._try_datasources(trial)
        self._try_fillings(trial)
        self._try_pipes(trial)
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

    # Trial of Pipes

    def _try_pipes(self, trial: Trial) -> None:
        deleted = {each.id for each in self.plan.deleted_pipes}
        strangers = [
            each for each in self._pipes.values() if each.id not in deleted and each.name not in self.plan.pipes
        ]
        for stranger in strangers:
            trial.catalog.create_pipe(stranger)
        needs, reads = self._needs(trial)
        try:
            order = ordered(self.plan.pipes, needs)
        except Cycle as cycle:
            file = self.plan.pipes[cycle.names[0]].file
            self.problems.append(Problem(file.file, f"The Pipes read each other in a circle: {cycle}."))
            return
        # All of them are there from the beginning, for a name must mean something; outputs are made one by one.
        for name in order:
            trial.catalog.create_pipe(_without_outputs(self.plan.pipes[name]))
        dirty = {each.record.name for each in self.plan.datasources.values() if each.is_new or each.evolution}
        dirty |= {each.name for each in self.plan.deleted_datasources}
        dirty |= {each.name for each in self.plan.deleted_pipes}
        dirty |= {name for name in self._project.implied if name not in self._datasources}
        failed = self._failed
        for name in order:
            planned = self.plan.pipes[name]
            if planned.is_changed or reads[name] & dirty or set(targets_of(planned.file)) & dirty:
                dirty.add(name)
                blocked = (reads[name] | set(targets_of(planned.file))) & failed
                if blocked or not self._try_pipe(trial, planned):
                    failed |= {name, *targets_of(planned.file)} - {*self._project.datasources}
                    continue
            trial.catalog.update_pipe(planned.record)
        if not self.problems:
            self._try_strangers(trial, strangers, dirty)

    def _needs(self, trial: Trial) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
        """Return for each Pipe the Pipes that come before it, and all names that it reads."""
        writers: dict[str, list[str]] = {}
        for name, planned in self.plan.pipes.items():
            for node in planned.file.nodes:
                if node.type == "materialized":
                    writers.setdefault(node.settings.get("datasource", ""), []).append(name)
        needs: dict[str, list[str]] = {}
        reads: dict[str, set[str]] = {}
        for name, planned in self.plan.pipes.items():
            own = {node.name for node in planned.record.nodes}
            reads[name] = {
                each
                for node in planned.record.nodes
                for each in self._around.composer.reads(trial.workspace, node)
                if each not in own
            }
            before = [each for each in sorted(reads[name]) if each in self.plan.pipes]
            before += [writer for each in sorted(reads[name]) for writer in writers.get(each, ())]
            needs[name] = [each for each in before if each != name]
        return needs, reads

    def _try_pipe(self, trial: Trial, planned: PlannedPipe) -> bool:
        """Try the nodes of a Pipe and make its outputs; say whether all went well."""
        failed: set[str] = set()
        for file in planned.file.nodes:
            node = planned.record.node(file.name)
            assert node is not None
            if failed & set(self._around.composer.reads(trial.workspace, node)):
                failed.add(node.name)
                continue
            try:
                trial.composer.check(trial.workspace, planned.record, node, copying=file.type in ("copy", "sink"))
                if planned.is_changed:
                    self._make_output(trial, planned, node)
                elif node.type in trial.outputs:
                    trial.outputs[node.type].remade(trial.workspace, planned.record, node, node)
            except (ApiError, EngineError) as error:
                failed.add(node.name)
                self.problems.append(_node_problem(planned, file, error))
        if failed:
            return False
        if planned.is_changed:
            finished_pipe(planned)
        return True

    def _make_output(self, trial: Trial, planned: PlannedPipe, node: Node) -> None:
        type_, fields = planned.outputs.get(node.name, ("", {}))
        service = trial.outputs.get(type_)
        if service is None:
            return
        target = str(fields.get("datasource", ""))
        made, _ = service.make(trial.workspace, planned.record, node, fields)
        planned.record = planned.record.with_node(made)
        record = trial.catalog.datasource(trial.workspace.id, target) if type_ == "materialized" else None
        if record is not None and target not in self.plan.datasources:
            record = implied_datasource(record, planned.file.file)
            definition = f"AS {trial.table(target).sql}"
            self.plan.datasources[target] = PlannedDataSource(
                replace(record, created_at="", updated_at=""), None, None, None, definition, is_changed=True
            )

    def _try_strangers(self, trial: Trial, strangers: list[PipeRecord], dirty: set[str]) -> None:
        """Find Pipes beside the project that would break."""
        for pipe in strangers:
            for node in pipe.nodes:
                read = set(self._around.composer.reads(trial.workspace, node)) & dirty
                if not read or node.ignore_sql_errors:
                    continue
                try:
                    trial.composer.check(trial.workspace, pipe, node, copying=True)
                except (ApiError, EngineError) as error:
                    if self._is_broken(pipe, node):
                        continue
                    message = (
                        f"The Pipe {pipe.name!r}, which is not part of the project, reads {', '.join(sorted(read))} "
                        f"and would not work any more: {plain_reason(error.message)}"
                    )
                    self.problems.append(Problem("", message))

    def _is_broken(self, pipe: PipeRecord, node: Node) -> bool:
        try:
            self._around.composer.check(self._workspace, pipe, node, copying=True)
        except (ApiError, EngineError):
            return True
        return False


def _said(message: str) -> Exception:
    return ValueError(message)


def _without_outputs(planned: PlannedPipe) -> PipeRecord:
    if not planned.is_changed:
        return planned.record
    nodes = tuple(
        node if node.type in ("standard", "endpoint") else replace(node, type="standard", output={})
        for node in planned.record.nodes
    )
    return replace(planned.record, nodes=nodes)


def _node_problem(planned: PlannedPipe, file: NodeFile, error: ApiError | EngineError) -> Problem:
    message = plain_reason(error.message) if isinstance(error, EngineError) else error.message
    return Problem(planned.file.file, f"node '{file.name}' of the pipe '{planned.file.name}': {message}", file.sql_line)


def is_unchanged(old: DataSourceRecord | PipeRecord | None, new: DataSourceRecord | PipeRecord) -> bool:
    """Say whether nothing has to be written."""
    return old is not None and old == new
