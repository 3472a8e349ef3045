"""Runs at set times: copies, sinks and connectors with a cron schedule (``pipes.md`` section 8, ``sinks.md``).

Theory of operation. The catalogue holds the schedules, in the outputs of nodes and the settings of Data Sources; a
timetable tells those of one kind, and this service holds only when each is due next. One thread sleeps until the
earliest due time, looking now and then whether the catalogue has changed. What is due is fired once and then due again
at the next time *after now*. So of several due times that passed while the machine was asleep only one run is made, and
those that passed while the server was down are not made up.

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
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.local.cron import Cron, CronError, read_cron
from tinymagic.local.errors import BadRequest
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.records import PipeRecord, Workspace

from .pipe_timetable import PipeTimetable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from tinymagic.local.catalog import Catalog

    from .pipe_timetable import Run
    from .timetable import Scheduled

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
    """What is scheduled, by ids, and when: with another cron it is another entry."""

    workspace_id: str
    place: tuple[str, ...]
    cron: str


class Schedules:
    """Fires scheduled runs.

    Args:
        catalog: where the schedules are written.
        defining: holds the definitions of Pipes in a workspace.
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
        self._clock = clock
        self._pipes = PipeTimetable(catalog, defining)
        self._timetables: list[Callable[[Workspace], Iterable[Scheduled]]] = []
        self._kinds: tuple[type[Any], ...] = (Workspace,)
        self._dues: dict[_Key, datetime] = {}
        self._looked_at = clock()
        self._version = -1
        self._woken = False
        self._closed = False
        self._condition = threading.Condition()
        self._ticking = threading.Lock()
        self._thread: threading.Thread | None = None
        self.add(PipeRecord, self._pipes.scheduled)

    def add(self, kind: type[Any], timetable: Callable[[Workspace], Iterable[Scheduled]]) -> None:
        """Follow one more timetable: what it tells of a workspace changes only when records of *kind* do."""
        self._timetables.append(timetable)
        self._kinds = (*self._kinds, kind)
        self._version = -1

    def register(self, type: str, run: Run) -> None:  # noqa: A002 - the API's word
        """Say what runs nodes of *type* (``copy``, ``sink``).

        *run* gets workspace, Pipe and node as they are in the catalogue, and the time when the run was due.
        """
        self._pipes.runs[type] = run
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
        """Read the schedules anew if something has changed. What is the same keeps its due time."""
        version = self._catalog.version_of(*self._kinds)
        if version == self._version:
            return
        self._version = version
        known, self._dues = self._dues, {}
        for workspace in self._catalog.workspaces():
            for each in self._scheduled(workspace):
                key = _Key(workspace.id, each.place, each.cron)
                if key in known:
                    self._dues[key] = known[key]
                else:
                    self._plan(key, moment)

    def _scheduled(self, workspace: Workspace) -> list[Scheduled]:
        if workspace.closing or workspace.main:  # A branch is for trying things; nothing runs there by itself.
            return []
        return [each for timetable in self._timetables for each in timetable(workspace)]

    def _plan(self, key: _Key, moment: datetime) -> None:
        """Work out when *key* is due after *moment*."""
        try:
            self._dues[key] = Cron(key.cron).next_after(moment)
        except CronError as error:
            self._dues.pop(key, None)
            logger.warning("The schedule of %s is not followed. %s", key.place[0], error)

    def _fire(self, key: _Key, due: datetime) -> None:
        """Start the run, unless the catalogue has changed since it was looked at."""
        workspace = self._catalog.workspace(key.workspace_id)
        every = self._scheduled(workspace) if workspace is not None else []
        found = next((each for each in every if (each.place, each.cron) == (key.place, key.cron)), None)
        if found is None:
            self._dues.pop(key, None)
            return
        if Cron(key.cron).is_once:
            # Taken away first: a run that is lost in a crash can be started by hand, one too many not taken back.
            self._dues.pop(key, None)
            found.take_away()
        try:
            found.run(due)
        except Exception:
            logger.exception("The scheduled run of %s could not be started.", key.place[0])


def schedule_object(output: dict[str, Any]) -> dict[str, str] | None:
    """Return the object ``schedule`` of the API, ``None`` without a schedule."""
    if not output.get("schedule_cron"):
        return None
    status = "paused" if output.get("paused") else "running"
    return {"timezone": "Etc/UTC", "cron": str(output["schedule_cron"]), "status": status}
