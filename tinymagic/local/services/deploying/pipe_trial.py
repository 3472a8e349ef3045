"""Pipes of a plan, tried one after the other in an order in which each finds what it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.deployments.fingerprint import RUNNING
from tinymagic.local.deployments.order import Cycle, ordered
from tinymagic.local.deployments.plan import PlannedDataSource, PlannedPipe
from tinymagic.local.deployments.problems import Problem
from tinymagic.local.deployments.project import targets_of
from tinymagic.local.deployments.target import finished_pipe, implied_datasource
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.names import QUARANTINE_SUFFIX

if TYPE_CHECKING:
    from tinymagic.local.datafiles.model import NodeFile
    from tinymagic.local.deployments.plan import Plan
    from tinymagic.local.deployments.project import Project
    from tinymagic.local.records import Node, PipeRecord, Workspace

    from .trial import Surroundings, Trial


class PipeTrial:
    """The trial of the Pipes of one plan.

    Args:
        around: the server.
        workspace: that is deployed to.
        project: the files.
        trial: has the Data Sources.
        plan: gets what the Pipes make.
        failed: names of resources that have a problem; what reads them is not tried.

    Attributes:
        problems: what was found wrong.
    """

    def __init__(
        self,
        around: Surroundings,
        workspace: Workspace,
        project: Project,
        trial: Trial,
        plan: Plan,
        failed: set[str],
    ) -> None:
        self._around = around
        self._workspace = workspace
        self._project = project
        self._trial = trial
        self._plan = plan
        self._failed = failed
        catalog = around.catalog
        self._datasources = {each.name: each for each in catalog.datasources(workspace.id)}
        self._pipes = {each.name: each for each in catalog.pipes(workspace.id)}
        self.problems: list[Problem] = []

    def run(self) -> None:
        """Try all Pipes; outputs, and Data Sources that they make, are put into the plan."""
        trial = self._trial
        deleted = {each.id for each in self._plan.deleted_pipes}
        strangers = [
            each for each in self._pipes.values() if each.id not in deleted and each.name not in self._plan.pipes
        ]
        for stranger in strangers:
            trial.catalog.create_pipe(stranger)
        needs, reads = self._needs(trial)
        self._make_quarantines(set().union(*reads.values()))
        try:
            order = ordered(self._plan.pipes, needs)
        except Cycle as cycle:
            file = self._plan.pipes[cycle.names[0]].file
            self.problems.append(Problem(file.file, f"The Pipes read each other in a circle: {cycle}."))
            return
        # All of them are there from the beginning, for a name must mean something; outputs are made one by one.
        for name in order:
            trial.catalog.create_pipe(_without_outputs(self._plan.pipes[name]))
        dirty = {each.record.name for each in self._plan.datasources.values() if each.is_new or each.evolution}
        dirty |= {each.name for each in self._plan.deleted_datasources}
        dirty |= {each.name for each in self._plan.deleted_pipes}
        dirty |= {name for name in self._project.implied if name not in self._datasources}
        failed = self._failed
        for name in order:
            planned = self._plan.pipes[name]
            if planned.is_changed or reads[name] & dirty or set(targets_of(planned.file)) & dirty:
                dirty.add(name)
                blocked = (reads[name] | set(targets_of(planned.file))) & failed
                if blocked or not self._try_pipe(trial, planned):
                    failed |= {name, *targets_of(planned.file)} - {*self._project.datasources}
                    continue
            # Each change makes the composer look at everything again.
            if planned.record.nodes != _without_outputs(planned).nodes:
                trial.catalog.update_pipe(planned.record)
        if not self.problems:
            self._try_strangers(trial, strangers, dirty)

    def _make_quarantines(self, names: set[str]) -> None:
        """Make the quarantines that Pipes read."""
        for name in names:
            base = name[: -len(QUARANTINE_SUFFIX)] if name.endswith(QUARANTINE_SUFFIX) else ""
            record = self._trial.catalog.datasource(self._workspace.id, base) if base else None
            if record is not None and record.name not in self._failed:
                self._trial.add_quarantine(record)

    def _needs(self, trial: Trial) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
        """Return for each Pipe the Pipes that come before it, and all names that it reads."""
        writers: dict[str, list[str]] = {}
        for name, planned in self._plan.pipes.items():
            for node in planned.file.nodes:
                if node.type == "materialized":
                    writers.setdefault(node.settings.get("datasource", ""), []).append(name)
        needs: dict[str, list[str]] = {}
        reads: dict[str, set[str]] = {}
        for name, planned in self._plan.pipes.items():
            own = {node.name for node in planned.record.nodes}
            reads[name] = {
                each
                for node in planned.record.nodes
                for each in self._around.composer.reads(trial.workspace, node)
                if each not in own
            }
            before = [each for each in sorted(reads[name]) if each in self._plan.pipes]
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
        made = service.make(trial.workspace, planned.record, node, fields).node
        planned.record = planned.record.with_node(_still_running(made, planned.old))
        record = trial.catalog.datasource(trial.workspace.id, target) if type_ == "materialized" else None
        if record is not None and target not in self._plan.datasources:
            record = implied_datasource(record, planned.file.file)
            definition = f"AS {trial.table(target).sql}"
            self._plan.datasources[target] = PlannedDataSource(
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


def _still_running(made: Node, pipe: PipeRecord | None) -> Node:
    """Keep what a view of before says about its populate job, which may be at work."""
    old = pipe.node(made.id) if pipe else None
    if old is None or (old.type, made.type) != ("materialized", "materialized"):
        return made
    if old.output.get("datasource") != made.output.get("datasource"):
        return made
    kept = {key: old.output[key] for key in RUNNING if key in old.output}
    return replace(made, output={**made.output, **kept})


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
