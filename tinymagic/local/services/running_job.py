"""One job while it runs: its state, and how it is cancelled. What the work of a job may do with it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.records import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.local.records import JobRecord

#: Progress is written down at most this often (seconds): each time is a write to disk.
_PROGRESS_EVERY_S = 0.3


#: Key of a job's internals: its result was about to become visible.
COMMITTING = "committing"

#: Key of a job's internals: whose work it is to start it again, when the kind of the job does not tell.
RETRIED_BY = "retried_by"

#: Key of a job's internals: what to expect when the server ends meanwhile, for work that is not simply undone by that.
WHEN_INTERRUPTED = "when_interrupted"


class JobCancelled(Exception):  # noqa: N818 - says what happened
    """Somebody asked for the end of this job, and it has changed nothing yet."""


class RunningJob:
    """What the work of a job may do with its job; one thread at a time.

    Args:
        record: the job.
        save: writes it down, and says whether its status changed.
    """

    def __init__(self, record: JobRecord, save: Callable[[JobRecord, bool], None]) -> None:
        self._write = save
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._committed = False
        self._written_at = 0.0
        self.record = record

    @property
    def is_cancellable(self) -> bool:
        """Whether asking for its end still can end it."""
        return not self._committed and self.record.status in ("waiting", "working")

    def update(self, **details: Any) -> None:
        """Change fields of the API's object."""
        with self._lock:
            self._save(details={**self.record.details, **details})

    def progress(self, percent: float) -> None:
        """Say how much is done, 0 to 100; written down now and then only."""
        moment = time.monotonic()
        if moment - self._written_at >= _PROGRESS_EVERY_S:
            self._written_at = moment
            self.update(progress_percentage=round(min(100.0, max(0.0, percent)), 1))

    def check(self) -> None:
        """Stop here when the end of the job was asked for.

        Raises:
            JobCancelled: it was.
        """
        if self._cancelled.is_set():
            raise JobCancelled

    def commit(self) -> None:
        """Say that the result becomes visible now: from here on the job goes to its end.

        Raises:
            JobCancelled: its end was asked for before.
        """
        with self._lock:
            self.check()
            # Written down first: after a crash in this moment nobody can say for sure that nothing was stored.
            self._save(internals={**self.record.internals, COMMITTING: True})
            self._committed = True

    def reopen(self) -> None:
        """Say that what became visible is complete and that more comes: the job can be cancelled again."""
        with self._lock:
            self._save(internals={key: value for key, value in self.record.internals.items() if key != COMMITTING})
            self._committed = False

    def cancel(self) -> bool:
        """Ask for the end; ``False`` when it is too late."""
        with self._lock:
            if not self.is_cancellable:
                return self.record.status == "cancelling"
            self._cancelled.set()
            self._save(status="cancelled" if self.record.status == "waiting" else "cancelling")
        return True

    def begin(self) -> bool:
        """Leave the queue; ``False`` when it was cancelled there."""
        with self._lock:
            if self.record.status != "waiting":
                return False
            self._save(status="working", started_at=now())
        return True

    def end(self, status: str, error: str = "", errors: list[str] | None = None) -> None:
        """Reach a final status."""
        with self._lock:
            details = {key: value for key, value in self.record.details.items() if key != "progress_percentage"}
            if status == "done" and "progress_percentage" in self.record.details:
                details["progress_percentage"] = 100
            self._save(status=status, error=error, errors=errors or [], details=details)

    def _save(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes, updated_at=now())
        self._write(self.record, "status" in changes)
