"""Deployments and builds: a whole project in one call (``/v1/deploy``, ``/v1/build``, ``/v1/deployments``).

The steps: read the files, make the records that the workspace shall have, find the difference, try it (`Trial`), carry
it out (`Switch`). A deployment that is not promoted at once is kept as its files, and goes through all of it again when
it is promoted: its Data Sources do not exist until then, so ``__tb__deployment=staging`` reads what is live.

One deployment of a workspace runs at a time, and nobody else defines Pipes there meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.deployments.history import (
    DEPLOYMENTS_PAGE,
    FAILED,
    READY,
    SEED,
    History,
    describe,
    is_live,
    number_of,
    said_of,
)
from tinymagic.local.deployments.problems import Problem, ProjectInvalid
from tinymagic.local.deployments.project import read_project
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest, Conflict, NotFound
from tinymagic.local.ingest.imports import plain_reason

from .deploying.belongings import Belongings
from .deploying.planning import Planning
from .deploying.switch import Switch
from .deploying.trial import Surroundings, Trial, drop_leftovers
from .materialized_views import OWED, SOURCE, TARGET, TYPE, WAITING
from .operations import OperationsLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.deployments.plan import Plan
    from tinymagic.local.records import DeploymentRecord, Workspace

    from .pipes import PipesService
    from .populating import Populating
    from .schedules import Schedules

#: Seconds that a deployment waits for new materialized views to be filled from what is there.
_POPULATED_S = 120.0
_POLL_S = 0.02
_FINAL = ("done", "error", "cancelled")

#: What the engine says of a table that was renamed or dropped while the deployment looked at it.
_GONE = ("CANNOT_GET_CREATE_TABLE_QUERY",)


@dataclass(frozen=True)
class Outcome:
    """What became of a call.

    Attributes:
        result: ``success``, ``no_changes`` or ``failed``.
        deployment: the API's object, for a build too.
        problems: why it failed.
        jobs: that fill new materialized views.
    """

    result: str
    deployment: dict[str, Any]
    problems: tuple[Problem, ...] = ()
    jobs: tuple[str, ...] = ()

    @property
    def errors(self) -> list[dict[str, str]]:
        """The objects of the reply's ``errors``."""
        return [each.reply() for each in self.problems]

    @property
    def message(self) -> str:
        """All errors in one text."""
        return str(ProjectInvalid(self.problems))


@dataclass(frozen=True)
class _Wish:
    """What is asked for.

    Attributes:
        check: only say what would be done.
        destructive: Data Sources may be deleted.
        staged: it waits to be promoted.
        is_build: it is no deployment.
        record: of the deployment that waited and is promoted.
    """

    check: bool = False
    destructive: bool = False
    staged: bool = False
    is_build: bool = False
    record: DeploymentRecord | None = None

    @property
    def is_kept(self) -> bool:
        """Whether it makes a new record."""
        return not self.check and not self.is_build and self.record is None


class DeploymentsService:
    """Rules about deployments.

    Args:
        around: what a trial shares with the server.
        pipes: whose definitions are held meanwhile.
        schedules: told about changed Copy and Sink Pipes.
        populating: fills new materialized views.
    """

    def __init__(self, around: Surroundings, pipes: PipesService, schedules: Schedules, populating: Populating) -> None:
        self._around = around
        self._catalog = around.catalog
        self._pipes = pipes
        self._schedules = schedules
        self._populating = populating
        self._history = History(around.catalog)
        self._switch = Switch(around.datasources, OperationsLog(around.service_log))
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._locks_lock = threading.Lock()
        drop_leftovers(around.engine)
        self._switch.drop_leftovers()
        populating.resume()

    # Deploying

    def build(self, access: Access, files: Sequence[tuple[str, str]], *, check: bool = False) -> Outcome:
        """Make the workspace what the project says, as ``tb build`` wants it: Data Sources may go.

        Args:
            access: of who asks.
            files: path and text of each.
            check: only say what would be done.
        """
        with self._alone(access.workspace):
            outcome = self._deploy(access, files, _Wish(check=check, destructive=True, is_build=True))
        return self._settled(access.workspace, outcome)

    def deploy(
        self,
        access: Access,
        files: Sequence[tuple[str, str]],
        *,
        check: bool = False,
        auto_promote: bool = False,
        destructive: bool = False,
    ) -> Outcome:
        """Deploy a project.

        Args:
            access: of who asks.
            files: path and text of each.
            check: only say what would be done.
            auto_promote: make it live at once; else it waits for `promote`.
            destructive: Data Sources that the project does not have any more are deleted with their rows.
        """
        with self._alone(access.workspace):
            wish = _Wish(check=check, destructive=destructive, staged=not auto_promote)
            outcome = self._deploy(access, files, wish)
        return self._settled(access.workspace, outcome)

    def promote(self, access: Access, deployment_id: str) -> dict[str, Any]:
        """Make a staged deployment live.

        Raises:
            NotFound: there is none of this id.
            BadRequest: it is not staged any more, or cannot be deployed any more; nothing was changed.
        """
        workspace = access.workspace
        with self._alone(workspace):
            record = self._history.get(workspace, deployment_id)
            if is_live(record):
                return describe(record)
            if record.status != READY:
                raise BadRequest(
                    f"The deployment {deployment_id} is {record.status} and cannot be promoted.",
                    documentation=DEPLOYMENTS_PAGE,
                )
            files = [(str(path), str(text)) for path, text in record.details["files"]]
            wish = _Wish(destructive=bool(record.details.get("destructive")), record=record)
            outcome = self._deploy(access, files, wish)
            if outcome.result == "failed":
                raise BadRequest(
                    f"The deployment {deployment_id} cannot be promoted: {outcome.message}",
                    documentation=DEPLOYMENTS_PAGE,
                    errors=outcome.errors,
                )
        self._settled(workspace, outcome)
        return describe(self._history.get(workspace, deployment_id))

    def discard(self, workspace: Workspace, deployment_id: str) -> dict[str, Any]:
        """Throw a staged deployment away. One that is gone already may be thrown away again.

        Raises:
            NotFound: there is none of this id.
            BadRequest: it is live.
        """
        with self._alone(workspace):
            record = self._history.get(workspace, deployment_id)
            if is_live(record) and deployment_id != SEED:
                raise BadRequest(
                    f"The deployment {deployment_id} is live and cannot be discarded. Promote another one first.",
                    documentation=DEPLOYMENTS_PAGE,
                )
            if record.status == READY and deployment_id != SEED:
                record = self._history.end(record)
            return describe(record)

    # Reading

    def listed(self, workspace: Workspace) -> list[dict[str, Any]]:
        """Return the live deployment, then the one that waits. Clients wait for whatever else stands here to go."""
        return [describe(each) for each in self._history.listed(workspace)]

    def get(self, workspace: Workspace, deployment_id: str) -> dict[str, Any]:
        """Return a deployment, also one that is over.

        Raises:
            NotFound: there is none of this id.
        """
        return describe(self._history.get(workspace, deployment_id))

    # Steps

    @contextmanager
    def _alone(self, workspace: Workspace) -> Iterator[None]:
        with self._locks_lock:
            lock = self._locks[workspace.id]
        with lock, self._pipes.defining(workspace):
            yield

    def _deploy(self, access: Access, files: Sequence[tuple[str, str]], wish: _Wish) -> Outcome:
        """Do what is asked for, or say why not; nothing is changed then."""
        workspace = self._catalog.workspace(access.workspace.id) or access.workspace
        try:
            return self._deployed(access, workspace, files, wish)
        except ProjectInvalid as error:
            problems = error.problems
        except (Conflict, BadRequest, NotFound) as error:
            problems = [Problem("", error.message)]
        except NameTaken as error:
            problems = [Problem("", f"{error} Deploy again.")]
        except EngineError as error:
            if error.name in _GONE:
                problems = [Problem("", "Somebody has changed the workspace during the deployment. Deploy again.")]
            else:
                problems = [Problem("", f"The deployment was stopped: {plain_reason(error.message)} ({error.name})")]
        errors = [each.reply() for each in problems]
        present = self._catalog.workspace(workspace.id)
        if present is None or present.closing:
            raise NotFound("The workspace was deleted during the deployment.", documentation=DEPLOYMENTS_PAGE)
        if wish.is_kept:
            record = self._history.add_failed(workspace, errors)
        else:
            record = self._history.new(workspace, FAILED, {"errors": errors})
        return Outcome("failed", describe(record), tuple(problems))

    def _deployed(self, access: Access, workspace: Workspace, files: Sequence[tuple[str, str]], wish: _Wish) -> Outcome:
        project = read_project(files)
        belongings = Belongings(self._around, workspace, project, self._history.state(workspace))
        planning = Planning(self._around, workspace, project, destructive=wish.destructive)
        plan = planning.plan
        planning.records()
        with Trial(self._around, workspace) as trial:
            belongings.plan_connections(trial, planning)
            planning.problems += belongings.plan_grants(plan, trial)
            if plan.has_changes or planning.problems:
                planning.try_out(trial)
                planning.problems += belongings.plan_grants(plan, trial)
                planning.refuse_problems()
            elif wish.record is None:
                return Outcome("no_changes", self._draft(workspace, plan))
            if wish.check:
                return Outcome("success", self._draft(workspace, plan))
            if wish.staged:
                staged = self._history.stage(workspace, plan, files, destructive=wish.destructive)
                return Outcome("success", describe(staged))
            record = None if wish.is_build else (wish.record or self._history.new(workspace, READY, said_of(plan)))
            views = _let_wait(plan)

            def write() -> None:
                self._history.save_state(workspace, belongings.write(plan))
                if record is not None:
                    self._history.go_live(workspace, record, plan)

            self._switch.carry_out(workspace, plan, trial, write)
        jobs = self._populate(access, workspace, views, plan)
        self._schedules.changed()
        live = (
            self._draft(workspace, plan)
            if record is None
            else describe(self._history.get(workspace, number_of(record)))
        )
        return Outcome("success", {**live, "feedback": said_of(plan)["feedback"]}, jobs=tuple(jobs))

    def _draft(self, workspace: Workspace, plan: Plan) -> dict[str, Any]:
        """Return the object of a deployment that is not kept."""
        return describe(self._history.new(workspace, READY, said_of(plan)))

    # Views

    def _populate(self, access: Access, workspace: Workspace, views: list[tuple[str, str]], plan: Plan) -> list[str]:
        """Start the jobs that fill new views, which begin with them, and return the ids of the jobs."""
        jobs = []
        for pipe_id, node_id in views:
            pipe = self._pipes.pipe(workspace, pipe_id)
            node = self._pipes.node(pipe, node_id)
            plain = replace(node, output={key: value for key, value in node.output.items() if key != WAITING})
            pipe = pipe.with_node(plain)
            try:
                waiting, job = self._populating.start_with_view(workspace, pipe, plain, {}, access=access)
            except ApiError as error:
                # The view begins without: the deployment has happened.
                begun = {key: value for key, value in plain.output.items() if key != OWED}
                self._catalog.update_pipe(pipe.with_node(replace(plain, output=begun)))
                plan.warnings.append((pipe.name, f"It was not filled with the rows that are there: {error.message}"))
                continue
            self._catalog.update_pipe(pipe.with_node(waiting))
            jobs.append(job.id)
        return jobs

    def _settled(self, workspace: Workspace, outcome: Outcome) -> Outcome:
        """Wait for the jobs of a deployment, which need the definitions that it held."""
        end = time.monotonic() + _POPULATED_S
        jobs = list(outcome.jobs)
        while jobs and time.monotonic() < end:
            jobs = [each for each in jobs if not self._has_ended(workspace, each)]
            if jobs:
                time.sleep(_POLL_S)
        return outcome

    def _has_ended(self, workspace: Workspace, job_id: str) -> bool:
        job = self._catalog.job(workspace.id, job_id)
        return job is None or job.status in _FINAL


def _let_wait(plan: Plan) -> list[tuple[str, str]]:
    """Let new views with a new target wait until they are filled from what is there; return ids of Pipe and node."""
    new_ids = {each.record.id for each in plan.datasources.values() if each.old is None}
    found = []
    for planned in plan.pipes.values():
        old_ids = {node.id for node in planned.old.nodes} if planned.old else set()
        for node in planned.record.nodes:
            source, target = node.output.get(SOURCE), node.output.get(TARGET)
            # Where the source is new too there are no rows yet.
            if node.type == TYPE and node.id not in old_ids and target in new_ids and source not in new_ids:
                found.append((planned.record.id, node.id))
                waiting = replace(node, output={**node.output, WAITING: "deployment", OWED: True})
                planned.record = planned.record.with_node(waiting)
    return found
