"""Runs of Pipes at set times: copies and sinks with a cron schedule (``pipes.md`` section 8, ``sinks.md``).

Theory of operation. The catalogue holds the schedules, in the outputs of nodes; this service holds only when each is
due next. One thread sleeps until the earliest due time, looking now and then whether the Pipes of the catalogue have
changed. What is due is fired once and then due again at the next time *after now*. So of several due times that passed
while the machine was asleep only one run is made, and those that passed while the server was down are not made up.

The clock may jump. Forward is like sleep. Back by up to `_SMALL_JUMP` (somebody corrects the time): due times that
were fired already are not fired again. Back by more: the earlier time was plainly wrong, and every due time is worked
out anew.

What fires starts a job and returns; it must not wait. Whether a run that is still at work stands in the way is decided
there, too.
"""

from __future__ import annotations

import logging
import threading
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.local.cron import Cron, CronError, read_cron
from tinymagic.local.errors import BadRequest
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.records import PipeRecord, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import Node

    Run: TypeAlias = Callable[[Workspace, PipeRecord, Node, datetime], None]

logger = logging.getLogger("tinymagic.local")

#: A clock that is set back by no more than this does not make a run happen twice.
_SMALL_JUMP = timedelta(hours=3)

#: The thread looks at least this often, seconds: nobody tells it that the clock was set or a Pipe deployed.
_LONGEST_SLEEP_S = 1.0


def utc_now() -> datetime:
    """Return the present time, with its zone."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class _Key:
    """Which node of which Pipe, and its schedule: with another one it is another entry."""

    workspace_id: str
    pipe_id: str
    node_id: str
    cron: str


class Schedules:
    """Fires scheduled runs.

    Args:
        catalog: where the schedules are written.
        defining: holds the definitions of a workspace.
        clock: gives the present time in UTC.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        defining: Callable[[Workspace], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._catalog = catalog
        self._defining = defining
        self._clock = clock
        self._runs: dict[str, Run] = {}
        self._dues: dict[_Key, datetime] = {}
        self._looked_at = clock()
        self._version = -1
        self._woken = False
        self._closed = False
        self._condition = threading.Condition()
        self._ticking = threading.Lock()
        self._thread: threading.Thread | None = None

    def register(self, type: str, run: Run) -> None:  # noqa: A002 - the API's word
        """Say what runs nodes of *type* (``copy``, ``sink``).

        *run* gets workspace, Pipe and node as they are in the catalogue, and the time when the run was due.
        """
        self._runs[type] = run
        self._version = -1

    def start(self) -> None:
        """Begin to fire."""
        self._thread = threading.Thread(target=self._loop, name="schedules", daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Look at the catalogue now: a schedule was set, changed, paused, resumed or taken away."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    @staticmethod
    def check(cron: str) -> str:
        """Return a cron expression as it is to be stored; empty when it means no schedule.

        Raises:
            BadRequest: ``Invalid cron expression: '<cron>'``.
        """
        try:
            found = read_cron(cron)
        except CronError as error:
            raise BadRequest(str(error), documentation=PIPES_PAGE) from error
        return found.text if found else ""

    def close(self) -> None:
        """Fire no more."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def tick(self) -> float | None:
        """Fire what is due; return the seconds until the next due time, ``None`` when there is no schedule."""
        with self._ticking:
            moment = self._clock()
            self._heed_clock(moment)
            self._look(moment)
            for key, due in list(self._dues.items()):
                if due <= moment:
                    # Worked out before the run: whatever it does, this due time does not come again.
                    self._plan(key, moment)
                    self._fire(key, Cron(key.cron).last_until(moment))
            self._look(moment)  # What was fired had changed meanwhile, or changed something.
            dues = self._dues.values()
            return max(0.0, (min(dues) - moment).total_seconds()) if dues else None

    # Steps

    def _loop(self) -> None:
        while True:
            try:
                wait_s = self.tick()
            except Exception:  # Such as a full disk. The next round may go better.
                logger.exception("The schedules could not be looked at.")
                wait_s = _LONGEST_SLEEP_S
            with self._condition:
                if not (self._woken or self._closed):
                    self._condition.wait(_LONGEST_SLEEP_S if wait_s is None else min(wait_s, _LONGEST_SLEEP_S))
                self._woken = False
                if self._closed:
                    return

    def _heed_clock(self, moment: datetime) -> None:
        if self._looked_at - moment > _SMALL_JUMP:
            logger.warning("The clock was set back by hours; every schedule is worked out anew.")
            self._dues, self._version = {}, -1
        self._looked_at = moment

    def _look(self, moment: datetime) -> None:
        """Read the schedules anew if a Pipe has changed. What is the same keeps its due time."""
        version = self._catalog.version_of(PipeRecord, Workspace)
        if version == self._version:
            return
        self._version = version
        known, self._dues = self._dues, {}
        for workspace, pipe, node in self._scheduled():
            key = _Key(workspace.id, pipe.id, node.id, str(node.output["schedule_cron"]))
            if key in known:
                self._dues[key] = known[key]
            else:
                self._plan(key, moment)

    def _scheduled(self) -> Iterator[tuple[Workspace, PipeRecord, Node]]:
        for workspace in self._catalog.workspaces():
            if workspace.closing or workspace.main:  # A branch is for trying things; nothing runs there by itself.
                continue
            for pipe in self._catalog.pipes(workspace.id):
                for node in pipe.nodes:
                    if node.type in self._runs and is_running(node.output):
                        yield workspace, pipe, node

    def _plan(self, key: _Key, moment: datetime) -> None:
        """Work out when *key* is due after *moment*."""
        try:
            self._dues[key] = Cron(key.cron).next_after(moment)
        except CronError as error:
            self._dues.pop(key, None)
            logger.warning("The schedule of the Pipe %s is not followed. %s", key.pipe_id, error)

    def _fire(self, key: _Key, due: datetime) -> None:
        """Start the run, unless the catalogue has changed since it was looked at."""
        workspace = self._catalog.workspace(key.workspace_id)
        pipe = self._catalog.pipe(key.workspace_id, key.pipe_id)
        node = pipe.node(key.node_id) if pipe else None
        if workspace is None or workspace.closing or pipe is None or node is None:
            self._dues.pop(key, None)
            return
        if node.type not in self._runs or not is_running(node.output) or node.output["schedule_cron"] != key.cron:
            self._dues.pop(key, None)
            return
        if Cron(key.cron).is_once:
            # Taken away first: a run that is lost in a crash can be started by hand, one too many not taken back.
            self._dues.pop(key, None)
            self._take_away(workspace, pipe, node)
        try:
            self._runs[node.type](workspace, pipe, node, due)
        except Exception:
            logger.exception("The scheduled run of the Pipe %s could not be started.", pipe.id)

    def _take_away(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> None:
        # Under way may be a change of the Pipe that has read the old schedule and would bring it back.
        with self._defining(workspace):
            present = self._catalog.pipe(workspace.id, pipe.id)
            kept = present.node(node.id) if present else None
            if present is not None and kept is not None:
                self._catalog.update_pipe(present.with_node(replace(kept, output={**kept.output, "schedule_cron": ""})))


def is_running(output: dict[str, Any]) -> bool:
    """Say whether the output of a node has a schedule that is not paused."""
    return bool(output.get("schedule_cron")) and not output.get("paused")


def schedule_object(output: dict[str, Any]) -> dict[str, str] | None:
    """Return the object ``schedule`` of the API, ``None`` without a schedule."""
    if not output.get("schedule_cron"):
        return None
    status = "paused" if output.get("paused") else "running"
    return {"timezone": "Etc/UTC", "cron": str(output["schedule_cron"]), "status": status}
