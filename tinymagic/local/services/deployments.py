"""Deployments and builds: a whole project in one call (``/v1/deploy``, ``/v1/build``, ``/v1/deployments``).

The steps: read the files, make the records that the workspace shall have, find the difference, try it (`Trial`), carry
it out (`Switch`). A deployment that is not promoted at once is kept as its files, and goes through all of it again when
it is promoted: its Data Sources do not exist until then, so ``__tb__deployment=staging`` reads what is live.

One deployment of a workspace runs at a time, and nobody else defines Pipes there meanwhile.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import mint_token
from tinymagic.local.access.row_filters import RowFilters
from tinymagic.local.catalog import DeploymentRecord, NameTaken, TokenRecord
from tinymagic.local.deployments.granting import tags_of, token_changes, wanted_grants
from tinymagic.local.deployments.planning import Planning
from tinymagic.local.deployments.problems import Problem, ProjectInvalid
from tinymagic.local.deployments.project import read_project
from tinymagic.local.deployments.switch import Switch
from tinymagic.local.deployments.trial import Surroundings, Trial, drop_leftovers
from tinymagic.local.errors import ApiError, BadRequest, Conflict, NotFound

from .materialized_views import TARGET, TYPE, WAITING
from .tokens import is_lasting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Workspace
    from tinymagic.local.deployments.plan import Plan
    from tinymagic.local.deployments.project import Project

    from .pipes import PipesService
    from .populating import Populating
    from .schedules import Schedules

DEPLOYMENTS_PAGE = "/forward/test-and-deploy/deployments"

#: States of a deployment. What is live is ``data_ready`` too, and says so in ``live``.
READY, DELETED, FAILED = "data_ready", "deleted", "failed"

#: The record that is no deployment but what the next one has to know of the last, builds among them.
_STATE = "state"

#: The deployment that every workspace has before its first one: nothing.
SEED = "0"

#: Seconds that a deployment waits for new materialized views to be filled from what is there.
_POPULATED_S = 120.0
_POLL_S = 0.02
_FINAL = ("done", "error", "cancelled")


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


class DeploymentsService:
    """Rules about deployments.

    Args:
        around: what a trial shares with the server.
        pipes: whose definitions are held meanwhile, and whose outputs are made.
        schedules: told about changed Copy and Sink Pipes.
        populating: fills new materialized views.
    """

    def __init__(
        self,
        around: Surroundings,
        pipes: PipesService,
        schedules: Schedules,
        populating: Populating,
    ) -> None:
        self._around = around
        self._catalog = around.catalog
        self._pipes = pipes
        self._schedules = schedules
        self._populating = populating
        self._switch = Switch(around.datasources)
        self._filters = RowFilters(around.engine, around.gate)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._locks_lock = threading.Lock()
        drop_leftovers(around.engine)
        self._switch.drop_leftovers()

    # Deploying

    def build(self, access: Access, files: Sequence[tuple[str, str]], *, check: bool = False) -> Outcome:
        """Make the workspace what the project says, as ``tb build`` wants it: Data Sources may go.

        Args:
            access: of who asks.
            files: path and text of each.
            check: only say what would be done.
        """
        with self._alone(access.workspace):
            outcome = self._deploy(access, files, check=check, destructive=True, is_build=True)
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
            outcome = self._deploy(access, files, check=check, destructive=destructive, staged=not auto_promote)
        return self._settled(access.workspace, outcome)

    def promote(self, access: Access, deployment_id: str) -> dict[str, Any]:
        """Make a staged deployment live.

        Raises:
            NotFound: there is none of this id.
            BadRequest: it is not staged any more, or cannot be deployed any more; nothing was changed.
        """
        workspace = access.workspace
        with self._alone(workspace):
            record = self._record(workspace, deployment_id)
            if record.details.get("live"):
                return describe(record)
            if record.status != READY or "files" not in record.details:
                raise BadRequest(
                    f"The deployment {deployment_id} is {record.status} and cannot be promoted.",
                    documentation=DEPLOYMENTS_PAGE,
                )
            files = [(str(path), str(text)) for path, text in record.details["files"]]
            destructive = bool(record.details.get("destructive"))
            outcome = self._deploy(access, files, destructive=destructive, record=record)
            if outcome.result == "failed":
                raise BadRequest(
                    f"The deployment {deployment_id} cannot be promoted: {outcome.message}",
                    documentation=DEPLOYMENTS_PAGE,
                    errors=outcome.errors,
                )
        self._settled(workspace, outcome)
        return describe(self._record(workspace, deployment_id))

    def discard(self, workspace: Workspace, deployment_id: str) -> dict[str, Any]:
        """Throw a staged deployment away. One that is gone already may be thrown away again.

        Raises:
            NotFound: there is none of this id.
            BadRequest: it is live.
        """
        with self._alone(workspace):
            if deployment_id == SEED and self._live(workspace) is not None:
                return describe(self._seed(workspace))
            record = self._record(workspace, deployment_id)
            if record.details.get("live"):
                raise BadRequest(
                    f"The deployment {deployment_id} is live and cannot be discarded. Promote another one first.",
                    documentation=DEPLOYMENTS_PAGE,
                )
            if record.status == READY:
                record = self._catalog.update_deployment(_ended(record))
            return describe(record)

    # Reading

    def listed(self, workspace: Workspace) -> list[dict[str, Any]]:
        """Return the live deployment, then the one that waits. Clients wait for whatever else stands here to go."""
        live = self._live(workspace)
        staged = [each for each in self._records(workspace) if each.status == READY and not each.details.get("live")]
        return [describe(each) for each in [live or self._seed(workspace), *staged]]

    def get(self, workspace: Workspace, deployment_id: str) -> dict[str, Any]:
        """Return a deployment, also one that is over.

        Raises:
            NotFound: there is none of this id.
        """
        return describe(self._record(workspace, deployment_id))

    # Steps

    @contextmanager
    def _alone(self, workspace: Workspace) -> Iterator[None]:
        with self._locks_lock:
            lock = self._locks[workspace.id]
        with lock, self._pipes.defining(workspace):
            yield

    def _deploy(
        self,
        access: Access,
        files: Sequence[tuple[str, str]],
        *,
        check: bool = False,
        destructive: bool = False,
        staged: bool = False,
        is_build: bool = False,
        record: DeploymentRecord | None = None,
    ) -> Outcome:
        """Do the work; *record* is a staged deployment that becomes live."""
        workspace = self._catalog.workspace(access.workspace.id) or access.workspace
        saves = not check and not is_build
        try:
            project = read_project(files)
            planning = Planning(self._around, workspace, project, destructive=destructive)
            planning.records()
            state = self._state(workspace)
            with Trial(self._around, workspace) as trial:
                plan = planning.plan
                self._plan_connections(trial, workspace, project, state, planning)
                self._plan_grants(workspace, state, plan, trial)
                is_same = not plan.has_changes and not planning.problems
                if is_same and record is None:
                    return Outcome("no_changes", self._draft(workspace, plan))
                if plan.has_changes or planning.problems:
                    planning.try_out(trial)
                    self._plan_grants(workspace, state, plan, trial)
                if check:
                    return Outcome("success", self._draft(workspace, plan))
                if staged:
                    return Outcome("success", describe(self._stage(workspace, plan, files, destructive=destructive)))
                new = None if is_build else (record or self._new(workspace, plan))
                populated = self._views_to_fill(plan)
                self._switch.carry_out(
                    workspace, plan, trial, lambda: self._written(workspace, plan, project, state, new)
                )
            jobs = self._populate(access, workspace, populated)
            self._schedules.changed()
            made = self._draft(workspace, plan) if new is None else describe(self._record(workspace, _number(new)))
            return Outcome("success", made, jobs=tuple(jobs))
        except ProjectInvalid as error:
            return self._failed(workspace, error.problems, saves=saves and record is None)
        except (Conflict, BadRequest) as error:
            return self._failed(workspace, [Problem("", error.message)], saves=saves and record is None)
        except NameTaken as error:
            return self._failed(workspace, [Problem("", f"{error} Deploy again.")], saves=saves and record is None)

    def _failed(self, workspace: Workspace, problems: Sequence[Problem], *, saves: bool) -> Outcome:
        draft = self._blank(workspace, FAILED, {"errors": [each.reply() for each in problems]})
        if saves:
            draft = self._catalog.create_deployment(draft)
        return Outcome("failed", describe(draft), tuple(problems))

    # Connections, tokens, tags

    def _plan_connections(
        self, trial: Trial, workspace: Workspace, project: Project, state: dict[str, Any], planning: Planning
    ) -> None:
        """Have connections checked and sealed, and note the changed ones."""
        plan = planning.plan
        known: dict[str, str] = state.get("connections", {})
        for each in self._catalog.connections(workspace.id):
            if each.name in project.connections or each.name not in known:
                trial.catalog.create_connection(each)
            else:
                plan.deleted_connections.append(each)
        for name, file in project.connections.items():
            old = self._catalog.connection(workspace.id, name)
            if old is not None and known.get(name) == self._digest(file.type, file.settings):
                continue
            try:
                # Forward calls both kinds of access to S3 by one name.
                type_ = "s3_iamrole" if file.type == "s3" and "s3_arn" in file.settings else file.type
                sealed = trial.connections.put(trial.workspace, name, type_, file.settings)
            except ApiError as error:
                planning.problems.append(Problem(file.file, error.message, file.lines.get("type", 0)))
            else:
                plan.connections.append((replace(sealed, created_at=old.created_at if old else ""), old))

    def _digest(self, type_: str, settings: Any) -> str:
        """Return a digest of a connection's settings that tells nothing about them."""
        key = (self._catalog.meta("signing_key") or "").encode()
        return hmac.new(key, json.dumps([type_, dict(settings)], sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def _plan_grants(self, workspace: Workspace, state: dict[str, Any], plan: Plan, trial: Trial) -> None:
        """Compare tokens and tags; again when the trial has made resources."""
        wanted = wanted_grants(plan)
        tokens = {each.name: each for each in self._catalog.tokens(workspace.id) if each.kind == "workspace"}
        problems = [
            Problem("", f"The token {name!r} is one that the workspace always has; files cannot give it rights.")
            for name in wanted
            if name in tokens and is_lasting(tokens[name])
        ]
        if problems:
            raise ProjectInvalid(problems)
        names = self._catalog.resource_names(workspace.id)
        names = {**names, **{each.record.id: name for name, each in plan.datasources.items()}}
        names = {**names, **{each.record.id: name for name, each in plan.pipes.items()}}
        conditions = {}
        for grant in (each for grants in wanted.values() for each in grants):
            if grant[2]:
                is_table = grant[0].startswith("DATASOURCES") and trial.catalog.datasource(workspace.id, grant[1])
                conditions[grant] = self._filters.checked(
                    trial.workspace, names[grant[1]], grant[2], of_table=bool(is_table)
                )
        made = set(state.get("made_tokens", ()))
        plan.tokens = token_changes(wanted, state.get("tokens", {}), made, tokens, names, conditions)
        plan.granted = {name: [list(each) for each in grants] for name, grants in wanted.items()}
        added = {each.name for each in plan.tokens if each.kind == "added"}
        plan.made_tokens = sorted((made | added) & set(wanted))
        plan.tags = tags_of(plan, workspace.tags, state.get("tagged", ()))

    def _written(
        self,
        workspace: Workspace,
        plan: Plan,
        project: Project,
        state: dict[str, Any],
        new: DeploymentRecord | None,
    ) -> None:
        """Write tokens, tags, and what is known of the deployment; runs in the transaction of the change."""
        catalog = self._catalog
        for change in plan.tokens:
            token = next((each for each in catalog.tokens(workspace.id) if each.name == change.name), None)
            if token is None:
                self._make_token(workspace, change.name, change.scopes, change.origin)
            elif change.kind == "removed":
                catalog.delete_token(token.id)
            else:
                catalog.update_token(replace(token, scopes=change.scopes))
        if plan.tags is not None:
            present = catalog.workspace(workspace.id) or workspace
            catalog.update_workspace(replace(present, tags=plan.tags))
        tagged = [each.record.id for each in plan.datasources.values() if each.file and each.file.tags]
        tagged += [each.record.id for each in plan.pipes.values() if each.file.tags]
        self._save_state(
            workspace,
            {
                **state,
                "tokens": plan.granted,
                "made_tokens": plan.made_tokens,
                "tagged": tagged,
                "connections": {
                    name: self._digest(file.type, file.settings) for name, file in project.connections.items()
                },
            },
        )
        if new is None:
            return
        for each in self._records(workspace):
            if each.status == READY and each.id != new.id:
                catalog.update_deployment(_ended(each))
        details = {key: value for key, value in new.details.items() if key != "files"}
        live = replace(new, status=READY, details={**details, **_said_of(plan), "live": True})
        if catalog.deployment(workspace.id, new.id) is None:
            catalog.create_deployment(live)
        else:
            catalog.update_deployment(live)

    def _make_token(
        self, workspace: Workspace, name: str, scopes: list[dict[str, Any]], origin: dict[str, str]
    ) -> None:
        token_id = str(uuid.uuid4())
        signing_key = self._catalog.meta("signing_key") or ""
        text = mint_token(user_id=workspace.id, token_id=token_id, signing_key=signing_key)
        self._catalog.create_token(
            TokenRecord(token_id, workspace.id, name, text, scopes, origin=origin or {"type": "C"})
        )

    # Views

    def _views_to_fill(self, plan: Plan) -> list[tuple[str, str]]:
        """Let new views on old rows wait until they are filled; return ids of their Pipes and nodes."""
        new_ids = {each.record.id for each in plan.datasources.values() if each.old is None}
        found = []
        for planned in plan.pipes.values():
            old_ids = {node.id for node in planned.old.nodes} if planned.old else set()
            for node in planned.record.nodes:
                output = node.output
                if node.type != TYPE or node.id in old_ids or output.get(TARGET) not in new_ids:
                    continue
                if output.get("source") in new_ids:
                    continue  # There are no rows yet.
                found.append((planned.record.id, node.id))
                waiting = replace(node, output={**output, WAITING: "deployment"})
                planned.record = planned.record.with_node(waiting)
        return found

    def _populate(self, access: Access, workspace: Workspace, views: list[tuple[str, str]]) -> list[str]:
        jobs = []
        for pipe_id, node_id in views:
            pipe = self._pipes.pipe(workspace, pipe_id)
            node = self._pipes.node(pipe, node_id)
            plain = replace(node, output={key: value for key, value in node.output.items() if key != WAITING})
            try:
                waiting, job = self._populating.start_with_view(
                    workspace, pipe.with_node(plain), plain, {}, access=access
                )
            except ApiError:
                self._catalog.update_pipe(pipe.with_node(plain))
                raise
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

    # Records

    def _stage(
        self, workspace: Workspace, plan: Plan, files: Sequence[tuple[str, str]], *, destructive: bool
    ) -> DeploymentRecord:
        """Keep a deployment for later, in the place of the one that waits."""
        with self._catalog.transaction():
            for each in self._records(workspace):
                if each.status == READY and not each.details.get("live"):
                    self._catalog.update_deployment(_ended(each))
            new = self._new(workspace, plan)
            details = {**new.details, "files": [list(each) for each in files], "destructive": destructive}
            return self._catalog.create_deployment(replace(new, details=details))

    def _new(self, workspace: Workspace, plan: Plan) -> DeploymentRecord:
        return self._blank(workspace, READY, _said_of(plan))

    def _blank(self, workspace: Workspace, status: str, details: dict[str, Any]) -> DeploymentRecord:
        number = 1 + max([0, *(int(_number(each)) for each in self._records(workspace))])
        return DeploymentRecord(f"{workspace.id}/{number}", workspace.id, status, details)

    def _draft(self, workspace: Workspace, plan: Plan) -> dict[str, Any]:
        """Return the object of a deployment that is not kept."""
        return describe(self._blank(workspace, READY, _said_of(plan)))

    def _records(self, workspace: Workspace) -> list[DeploymentRecord]:
        return [each for each in self._catalog.deployments(workspace.id) if _number(each).isdigit()]

    def _live(self, workspace: Workspace) -> DeploymentRecord | None:
        live = [each for each in self._records(workspace) if each.status == READY and each.details.get("live")]
        return live[-1] if live else None

    def _seed(self, workspace: Workspace) -> DeploymentRecord:
        is_live = self._live(workspace) is None
        moment = workspace.created_at
        return DeploymentRecord(
            f"{workspace.id}/{SEED}", workspace.id, READY if is_live else DELETED, {"live": is_live}, moment, moment
        )

    def _record(self, workspace: Workspace, deployment_id: str) -> DeploymentRecord:
        if deployment_id == SEED:
            return self._seed(workspace)
        record = self._catalog.deployment(workspace.id, f"{workspace.id}/{deployment_id}")
        if record is None or not deployment_id.isdigit():
            raise NotFound(f"The deployment {deployment_id[:40]!r} does not exist.", documentation=DEPLOYMENTS_PAGE)
        return record

    def _state(self, workspace: Workspace) -> dict[str, Any]:
        found = self._catalog.deployment(workspace.id, f"{workspace.id}/{_STATE}")
        return found.details if found else {}

    def _save_state(self, workspace: Workspace, details: dict[str, Any]) -> None:
        record = DeploymentRecord(f"{workspace.id}/{_STATE}", workspace.id, _STATE, details)
        if self._catalog.deployment(workspace.id, record.id) is None:
            self._catalog.create_deployment(record)
        else:
            self._catalog.update_deployment(record)


def describe(record: DeploymentRecord) -> dict[str, Any]:
    """Return the API's object of a deployment."""
    own = ("files", "destructive")
    details = {key: value for key, value in record.details.items() if key not in own}
    return {
        "id": _number(record),
        "status": record.status,
        "live": False,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "errors": [],
        "feedback": [],
        "token_changes": [],
        **details,
    }


def _said_of(plan: Plan) -> dict[str, Any]:
    return {
        **plan.changes(),
        "token_changes": [each.reply() for each in plan.tokens],
        "feedback": [
            {"level": "WARNING", "resource": resource, "message": message} for resource, message in plan.warnings
        ],
        "errors": [],
    }


def _number(record: DeploymentRecord) -> str:
    return record.id.rpartition("/")[2]


def _ended(record: DeploymentRecord) -> DeploymentRecord:
    """Return a deployment that is over; of its files nothing is kept."""
    return replace(record, status=DELETED, details={"live": False, "errors": record.details.get("errors", [])})
