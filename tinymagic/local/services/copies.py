"""Copy Pipes: the rows of a node go into a Data Source, when asked or by a schedule (``pipes.md`` section 8).

A copy is a node of the type ``copy``; its output names the target, the mode and the schedule. Nothing of it exists
beside the catalogue. How a run goes is told in `copy_runs`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import BadRequest, NotFound
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.pipes.outputs import MadeOutput
from tinymagic.local.records import now

from .copy_runs import Source, said_for_copies
from .schedules import schedule_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.pipes.assembly import Composed
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import DataSourceRecord, JobRecord, Node, PipeRecord, Workspace

    from .copy_runs import CopyRuns
    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .pipes import PipesService
    from .schedules import Schedules

logger = logging.getLogger("tinymagic.local")

MODES = ("append", "replace")

#: Names by which requests and datafiles call the same thing.
_TARGET = ("target_datasource", "copy_target_datasource")
_SCHEDULE = ("schedule_cron", "copy_schedule")
_MODE = ("mode", "copy_mode")
_WORKSPACE = ("target_workspace", "copy_target_workspace")

_ON_DEMAND = "@on-demand"

#: Parameters of a run that are not for the template.
_OWN_PARAMETERS = ("_mode", "token", "on_demand_compute", "_execution_type", "from", "cli_version")


class Copies:
    """Rules about copies; also the `Output` for nodes of the type ``copy``."""

    def __init__(
        self,
        datasources: DataSourcesService,
        composer: Composer,
        pipes: PipesService,
        jobs: JobsService,
        schedules: Schedules,
        runs: CopyRuns,
    ) -> None:
        self._datasources = datasources
        self._composer = composer
        self._pipes = pipes
        self._jobs = jobs
        self._schedules = schedules
        self._runs = runs
        pipes.outputs["copy"] = self
        schedules.register("copy", self.run_scheduled)

    # What nodes of this type are for: `pipes.outputs.Output`

    def make(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        fields: Mapping[str, Any],
        *,
        access: Access | None = None,
    ) -> MadeOutput:
        """Make *node* a copy; see `Output.make`.

        What the fields leave out stays as it is when the node is a copy already.

        Raises:
            BadRequest: target, mode or schedule cannot be; the target's columns are others.
            Forbidden: the token may not append to the target.
        """
        old = node.output if node.type == "copy" else {}
        place = _given(fields, _WORKSPACE)
        if place and place not in (workspace.id, workspace.name):
            raise BadRequest(
                f"A copy stays in its workspace: {place[:80]!r} is not {workspace.name!r}.", documentation=PIPES_PAGE
            )
        target = self._target(workspace, _given(fields, _TARGET), old)
        if access is not None:
            access.require("DATASOURCES:APPEND", target.name)
        output = {
            "datasource": target.id,
            "workspace": workspace.id,
            "mode": _checked_mode(_given(fields, _MODE) or str(old.get("mode", MODES[0]))),
            **self._schedule(workspace, pipe, node, _given(fields, _SCHEDULE), old),
        }
        self._check_node(workspace, pipe, node, target)
        made = replace(node, type="copy", output=output)
        described = self._datasources.get(workspace, target.id)
        return MadeOutput(made, {"datasource": described, "created_datasource": False})

    def remade(self, workspace: Workspace, pipe: PipeRecord, old: Node, new: Node) -> None:
        """Check that the target can take the columns of the new SQL; see `Output.remade`.

        Raises:
            BadRequest: it cannot.
        """
        del old
        target = self._datasources.catalog.datasource(workspace.id, str(new.output.get("datasource")))
        if target is not None:  # Without it the runs say so.
            self._check_node(workspace, pipe, new, target)

    def exported(self, workspace: Workspace, node: Node) -> dict[str, str]:
        """Return target, schedule and mode as a datafile has them; what is usual is left out."""
        target = self._datasources.catalog.datasource(workspace.id, str(node.output.get("datasource")))
        mode = str(node.output.get("mode") or MODES[0])
        on_demand = _ON_DEMAND if node.output.get("on_demand") else ""
        found = {
            "target_datasource": target.name if target else "",
            "copy_schedule": str(node.output.get("schedule_cron") or on_demand),
            "mode": mode if mode != MODES[0] else "",
        }
        return {key: value for key, value in found.items() if value}

    def describe(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> dict[str, Any]:
        """Return the keys of the Pipe's object that are about its copy."""
        del pipe
        return {
            "copy_node": node.id,
            "copy_target_datasource": node.output.get("datasource"),
            "copy_target_workspace": workspace.id,
            "copy_mode": node.output.get("mode", MODES[0]),
            "copy_schedule": node.output.get("schedule_cron") or None,
            "schedule": schedule_object(node.output),
        }

    # The schedule

    def pause(self, workspace: Workspace, pipe_name: str, *, paused: bool) -> PipeRecord:
        """Pause the schedule, or let it run again from now on.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe, or has no schedule.
        """
        with self._pipes.changing(workspace, pipe_name) as pipe:
            node = self._copy_node(pipe)
            if not node.output.get("schedule_cron"):
                raise BadRequest(
                    f"The Copy Pipe '{pipe.name}' has no schedule that could be {'paused' if paused else 'resumed'}.",
                    documentation=PIPES_PAGE,
                )
            written = self._pipes.set_output(workspace, pipe, node, "copy", {**node.output, "paused": paused})
        self._schedules.changed()
        return written

    def cancel(self, workspace: Workspace, pipe_name: str) -> tuple[PipeRecord, list[JobRecord]]:
        """Cancel the runs that wait or are at work, and pause the schedule; returns the Pipe and the cancelled jobs.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe.
        """
        pipe = self._pipes.pipe(workspace, pipe_name)
        if self._copy_node(pipe).output.get("schedule_cron"):
            pipe = self.pause(workspace, pipe.id, paused=True)
        cancelled = []
        for job in self._runs.unfinished(workspace, pipe):
            try:
                cancelled.append(self._jobs.cancel(workspace, job.id))
            except (BadRequest, NotFound):  # It has just ended, or is about to.
                continue
        return pipe, cancelled

    # Running

    def run(self, access: Access, pipe_name: str, parameters: Mapping[str, Any]) -> tuple[PipeRecord, Node, JobRecord]:
        """Start a run because somebody asked.

        Args:
            access: of who asks: its row filters hold, and the parameters that a JWT forces.
            pipe_name: name or id.
            parameters: for the template; ``_mode`` goes before the mode of the Pipe.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe; a parameter is missing or wrong; the columns of the target are others.
            Forbidden: the token may not read the Pipe or append to the target, or may not make it a replace.
        """
        workspace = access.workspace
        pipe = self._pipes.pipe(workspace, pipe_name)
        makes_pipes = access.allows("PIPES:CREATE")
        if not makes_pipes:
            access.require("PIPES:READ", pipe.name)
        node = self._copy_node(pipe)
        target = self._target(workspace, None, node.output)
        if not makes_pipes:
            access.require("DATASOURCES:APPEND", target.name)
        stored = str(node.output.get("mode") or MODES[0])
        mode = _checked_mode(str(parameters.get("_mode") or stored))
        if mode != stored and not makes_pipes:
            _require_mode(access, mode)
        moment = datetime.now(timezone.utc)
        given = {key: value for key, value in parameters.items() if key not in _OWN_PARAMETERS}
        given.update(access.fixed_parameters(pipe.name) or {})

        def compose() -> Composed:
            return self._compose(workspace, pipe.id, given, moment, access)

        with said_for_copies():
            self._runs.check(workspace, target, compose())
        job = self._runs.start(
            workspace, target, mode, Source(compose, pipe), access=access, now=f"{moment:%Y-%m-%d %H:%M:%S}"
        )
        return pipe, node, job

    def run_scheduled(self, workspace: Workspace, pipe: PipeRecord, node: Node, due: datetime) -> None:
        """Start a run because it is due, unless the one before is still at work."""
        if self._runs.unfinished(workspace, pipe):
            logger.warning(
                "The scheduled copy of the Pipe %s was left out at %s: the run before it is still at work.",
                pipe.id,
                due.strftime("%Y-%m-%d %H:%M"),
            )
            return
        target = self._datasources.catalog.datasource(workspace.id, str(node.output.get("datasource")))
        if target is None:
            logger.warning("The scheduled copy of the Pipe %s has no Data Source to copy to.", pipe.id)
            return

        def compose() -> Composed:
            return self._compose(workspace, pipe.id, {}, due, None)

        mode = str(node.output.get("mode") or MODES[0])
        self._runs.start(workspace, target, mode, Source(compose, pipe), now=f"{due:%Y-%m-%d %H:%M:%S}")

    def copy_sql(self, access: Access, sql: str, target_name: str, mode: str) -> JobRecord:
        """Copy what a SELECT gives, without a Pipe (``query.md`` section 1: ``POST /v0/sql_copy``).

        Raises:
            BadRequest: the SELECT cannot run, or the columns of the target are others.
            Forbidden: the token may not read what it reads, or append to the target.
        """
        workspace = access.workspace
        target = self._target(workspace, target_name, {})
        access.require("DATASOURCES:APPEND", target.name)
        checked = _checked_mode(mode or MODES[0])
        _require_mode(access, checked)

        def compose() -> Composed:
            composed = self._composer.text(access, sql, {})
            if composed.shows_tables or composed.sql.startswith("DESCRIBE "):
                raise BadRequest("Only a SELECT can be copied.", documentation=PIPES_PAGE)
            return composed

        with said_for_copies():
            self._runs.check(workspace, target, compose())
        return self._runs.start(workspace, target, checked, Source(compose), access=access, now=now()[:19])

    # Steps

    def _compose(
        self,
        workspace: Workspace,
        pipe_id: str,
        parameters: Mapping[str, Any],
        moment: datetime,
        access: Access | None,
    ) -> Composed:
        """Make the SELECT of a run from the Pipe as it is now."""
        pipe = self._pipes.pipe(workspace, pipe_id)
        node = self._copy_node(pipe)
        return self._composer.node(workspace, pipe, node, parameters, access=access, now=moment)

    def _schedule(
        self, workspace: Workspace, pipe: PipeRecord, node: Node, given: str | None, old: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the keys of the output that are about the schedule; without a *given* one, those of *old*.

        A new schedule runs. The same one stays paused when it is, also when the whole Pipe is put anew.
        """
        if given is None:
            kept = {key: old[key] for key in ("schedule_cron", "paused", "on_demand") if key in old}
            return {"schedule_cron": "", "paused": False, **kept}
        cron = self._schedules.check(given)
        known = self._datasources.catalog.pipe(workspace.id, pipe.id)
        before = known.node(node.id) if known else None
        same = before is not None and before.type == "copy" and before.output.get("schedule_cron") == cron
        found: dict[str, Any] = {"schedule_cron": cron, "paused": same and bool(before and before.output.get("paused"))}
        # It means no schedule, but a datafile that says so shall be given back as it was.
        return {**found, "on_demand": True} if given.lower() == _ON_DEMAND else found

    def _copy_node(self, pipe: PipeRecord) -> Node:
        node = pipe.output_node
        if node is None or node.type != "copy":
            raise BadRequest(
                f"The pipe '{pipe.name}' is not a Copy Pipe. Make one of its nodes a copy: "
                f"POST /v0/pipes/{pipe.name}/nodes/<node>/copy with target_datasource.",
                documentation=PIPES_PAGE,
            )
        return node

    def _target(self, workspace: Workspace, given: str | None, output: Mapping[str, Any]) -> DataSourceRecord:
        name = (given or "").strip() or str(output.get("datasource") or "")
        if not name:
            raise BadRequest("Destination Data Source is required.", documentation=PIPES_PAGE)
        try:
            return self._datasources.record(workspace, name)
        except NotFound as error:
            if self._datasources.shared(workspace, name) is not None:
                message = f"Data Source {name!r} belongs to another workspace: it can be read here, not written."
            elif not (given or "").strip():
                message = (
                    "The destination Data Source of this copy does not exist any more. Set another target_datasource."
                )
            else:
                message = f"Destination {error.message}"
            raise BadRequest(message, documentation=PIPES_PAGE) from error

    def _check_node(self, workspace: Workspace, pipe: PipeRecord, node: Node, target: DataSourceRecord) -> None:
        """Refuse a node whose columns the target cannot take."""
        if node.ignore_sql_errors:
            return
        described = self._composer.check(workspace, pipe, node, copying=True)
        if described:  # It is empty when nobody can say before there are values for the parameters.
            self._runs.check_columns(described, target)


def _given(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the text of the first field that is there; ``None`` without one, and for JSON's null."""
    found = next((fields[name] for name in names if fields.get(name) is not None), None)
    return None if found is None else str(found).strip()


def _checked_mode(mode: str) -> str:
    if mode.lower() not in MODES:
        raise BadRequest(
            f"Invalid MODE expression: '{mode[:80]}'. Valid modes are: 'append', 'replace'", documentation=PIPES_PAGE
        )
    return mode.lower()


def _require_mode(access: Access, mode: str) -> None:
    """Refuse a replace, which loses rows, to whoever may only append; replacing by an import needs the same scope."""
    if mode == "replace":
        access.require("DATASOURCES:CREATE")
