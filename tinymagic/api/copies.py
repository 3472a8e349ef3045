"""Copy Pipes: the rows of a node go into a Data Source, when asked or by a schedule (``pipes.md`` section 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tinymagic.api.errors import InvalidInput
from tinymagic.api.parameters import request_parameters
from tinymagic.api.pipe_results import Pipe, Schedule
from tinymagic.api.pipes import Pipes
from tinymagic.api.reading import mapping, mappings, text
from tinymagic.api.resource import Resource, path
from tinymagic.api.running import asked_in_url, job_of

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping

    from tinymagic.api.http.transport import Transport
    from tinymagic.api.jobs import Job

CopyMode: TypeAlias = Literal["append", "replace"]
COPY_MODES: tuple[str, ...] = ("append", "replace")

#: Takes a schedule away (``pipes.md`` section 8).
_NO_SCHEDULE = "None"


@dataclass(frozen=True)
class Copy:
    """A Copy Pipe.

    Attributes:
        pipe: name.
        node: name of the node whose rows are copied.
        datasource: name of the Data Source that gets them; its id where the token may not read names.
        mode: ``append`` or ``replace``; ``None`` when the service does not say.
        schedule: when it runs by itself, or ``None``.
        raw: the object of the Pipe.
    """

    pipe: str
    node: str
    datasource: str
    mode: str | None
    schedule: Schedule | None
    raw: Mapping[str, Any] = field(repr=False)


class Copies(Resource):
    """``workspace.copies``: make, list, run, pause and cancel Copy Pipes. *pipe* and *node* are names or ids."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._pipes = Pipes(transport)

    def list(self) -> builtins.list[Copy]:
        """Return the Copy Pipes that the token may see."""
        pipes = [pipe for pipe in self._pipes.list() if pipe.type == "copy" or pipe.copy_node]
        names = self._pipes.datasource_names() if pipes else {}
        found = []
        for pipe in pipes:
            node = next((each for each in pipe.nodes if each.id == pipe.copy_node or each.node_type == "copy"), None)
            tags = node.tags if node is not None else {}
            target = pipe.copy_target_datasource or text(tags.get("copy_target_datasource"))
            name = node.name if node is not None else pipe.copy_node or ""
            mode = pipe.copy_mode or text(tags.get("mode")) or None
            found.append(Copy(pipe.name, name, names.get(target, target), mode, pipe.schedule, pipe.raw))
        return found

    def create(
        self,
        pipe: str,
        node: str,
        datasource: str,
        *,
        schedule_cron: str | None = None,
        mode: CopyMode | None = None,
    ) -> Pipe:
        """Make a node the copy of its Pipe.

        Args:
            pipe: name or id; it can have no other output.
            node: name or id.
            datasource: name or id of the Data Source that gets the rows. It must be there, and its columns must fit.
            schedule_cron: five fields, UTC; ``None``: only when asked. A scheduled run has no parameters, so each
                parameter needs a default.
            mode: ``append`` (default) or ``replace``: whether a run adds rows or puts them in the place of all.

        Raises:
            InvalidInput: *mode* is neither; nothing was sent.
            BadRequest: there is no such Data Source, its columns do not fit, *schedule_cron* cannot be read, or the
                Pipe has another output.
            Forbidden: the token needs ``PIPES:CREATE``, and ``DATASOURCES:APPEND`` on the target.
            DeploymentRequired: only deployments may; ``datafile`` is the Pipe with the copy.
        """
        return self._set("POST", pipe, node, datasource, schedule_cron, mode)

    def update(
        self,
        pipe: str,
        node: str | None = None,
        *,
        datasource: str | None = None,
        schedule_cron: str | None = None,
        mode: CopyMode | None = None,
    ) -> Pipe:
        """Change a copy; what is ``None`` stays.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the node that is the copy.
            datasource: another target.
            schedule_cron: another schedule; ``""`` takes it away.
            mode: ``append`` or ``replace``.

        Raises:
            InvalidInput: nothing is to be changed, or the Pipe has no copy.
            BadRequest: as for `create`.
        """
        if datasource is None and schedule_cron is None and mode is None:
            raise InvalidInput("Nothing is to be changed: give datasource, schedule_cron or mode.")
        # Before the Pipe is asked for its node.
        _check_mode(mode)
        schedule = _NO_SCHEDULE if schedule_cron is not None and not schedule_cron.strip() else schedule_cron
        return self._set("PUT", pipe, node or self._copy_node(pipe), datasource, schedule, mode)

    def run(self, pipe: str, *, params: Mapping[str, object] | None = None, mode: CopyMode | None = None) -> Job:
        """Start a run.

        Args:
            pipe: name or id.
            params: for the template, see `tinymagic.api.parameters`.
            mode: for this run only, in the place of the copy's own.

        Returns:
            The job as it begins; `tinymagic.api.jobs.Jobs.wait` waits for it.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe, or a parameter is missing or wrong.
            Forbidden: the token needs ``PIPES:READ``, and ``DATASOURCES:APPEND`` on the target.
        """
        _check_mode(mode)
        given = request_parameters(params)
        sent = given if mode is None else {**given, "_mode": mode}
        address = path("/v0/pipes/", pipe, "/copy")
        return job_of(self._change("POST", address, **asked_in_url(self._transport.host, address, sent)))

    def pause(self, pipe: str) -> Pipe:
        """Let the schedule rest; runs that are at work go on.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe, or has no schedule.
        """
        return self._changed(pipe, "/copy/pause")

    def resume(self, pipe: str) -> Pipe:
        """Let the schedule run again from now on; what was due in between is not made up.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe, or has no schedule.
        """
        return self._changed(pipe, "/copy/resume")

    def cancel(self, pipe: str) -> tuple[Job, ...]:
        """Cancel the runs that are not done, and let the schedule rest.

        Returns:
            The jobs that are cancelled, where the service lists them.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: it is no Copy Pipe.
        """
        reply = self._change("POST", path("/v0/pipes/", pipe, "/copy/cancel"), effect="idempotent")
        jobs = mappings(reply.get("jobs")) or ([mapping(reply.get("job"))] if mapping(reply.get("job")) else [])
        return tuple(job_of(each) for each in jobs)

    def remove(self, pipe: str, node: str | None = None) -> None:
        """Make the copy a plain node again; the Pipe and the Data Source with its rows stay.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the node that is the copy.

        Raises:
            InvalidInput: the Pipe has no copy.
            NotFound: there is no such Pipe or node.
        """
        node = node or self._copy_node(pipe)
        self._change(
            "DELETE",
            path("/v0/pipes/", pipe, "/nodes/", node, "/copy"),
            effect="idempotent",
            datafile=self._pipes.output_datafile(pipe, node, "standard"),
        )

    def _set(
        self, method: str, pipe: str, node: str, datasource: str | None, schedule: str | None, mode: str | None
    ) -> Pipe:
        """Make (``POST``) or change (``PUT``) a copy; after a change the datafile keeps what is ``None``."""
        _check_mode(mode)
        is_change = method == "PUT"
        unscheduled = schedule == _NO_SCHEDULE or not (schedule or is_change)
        keywords = {
            "target_datasource": datasource,
            "copy_schedule": "@on-demand" if unscheduled else schedule,
            "copy_mode": mode,
        }
        return Pipe.of(
            self._change(
                method,
                path("/v0/pipes/", pipe, "/nodes/", node, "/copy"),
                form={"target_datasource": datasource, "schedule_cron": schedule, "mode": mode},
                effect="idempotent",
                datafile=self._pipes.output_datafile(pipe, node, "copy", keywords, keep=is_change),
            )
        )

    def _changed(self, pipe: str, what: str) -> Pipe:
        reply = self._change("POST", path("/v0/pipes/", pipe, what), effect="idempotent")
        # What these answer with is not sure; the Pipe is what callers want to see.
        return Pipe.of(reply) if reply.get("name") and reply.get("type") else self._pipes.get(pipe)

    def _copy_node(self, pipe: str) -> str:
        found = self._pipes.get(pipe)
        node = found.copy_node or next((each.id for each in found.nodes if each.node_type == "copy"), None)
        if node is None:
            raise InvalidInput(f"The Pipe {pipe!r} has no copy: none of its nodes is one.")
        return node


def _check_mode(mode: str | None) -> None:
    if mode is not None and mode not in COPY_MODES:
        raise InvalidInput(f"The mode of a copy is 'append' or 'replace', not {mode!r}.")
