"""Work in the background: imports, deletions, and what later kinds of jobs do (``jobs.md``).

A job is a row of the catalogue and a function that a worker thread runs. Its life is ``waiting``, ``working`` and then
``done``, ``error`` or ``cancelled``; every change is on disk before it can be seen. Jobs wait in a queue, first in,
first out, for one of its `WORKERS` threads; imports by URL have their own, because other machines may stall them.

Cancelling a waiting job ends it at once. A working one is asked: `RunningJob.check` raises, and the statements that the
engine runs for it are stopped (`Engine.cancel_work`), until the work says with `RunningJob.commit` that it is about to
make its result visible. So a cancelled job has changed nothing. A job that a dead server left unfinished is found at
the next start and says so.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import threading
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeAlias

from tinymagic.local.engine import DiskFull, EngineEnding, EngineError
from tinymagic.local.errors import ApiError, BadRequest, NotFound
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.records import JobRecord, now
from tinymagic.local.views.job import describe, log_row

from .running_job import COMMITTING, RETRIED_BY, WHEN_INTERRUPTED, JobCancelled, RunningJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.records import DataSourceRecord, Workspace

logger = logging.getLogger("tinymagic.local")

JOBS_PAGE = "/api-reference/jobs-api"

#: Jobs of one queue that run at the same time; each may use every core.
WORKERS = 4

#: What the list shows, and how long a job can be asked for (``jobs.md`` section 1).
KEPT_HOURS = 48
LISTED = 100

FINAL_STATUSES = ("done", "error", "cancelled")
UNFINISHED_STATUSES = ("waiting", "working", "cancelling")
STATUSES = (*UNFINISHED_STATUSES, *FINAL_STATUSES)

#: Kinds that the ``kind`` filter knows (``jobs.md`` section 3).
KINDS = ("import", "populateview", "copy", "sink", "delete_data", "query", "branch", "deployment")

#: How long a job counts as new, and how long the answer about such a job waits for its end, seconds.
_NEW_S = 0.5
_NEW_WAIT_S = 0.3

#: How long the end of the server waits for jobs that were stopped, seconds.
_CLOSING_S = 1.0

_DISK_FULL = "The disk of the embedded Tinybird is full. Make room on it, and start the job again."

_INTERRUPTED = "The server ended while this job was {}."
_PERHAPS_STORED = "Its rows were about to become visible and may be stored: look before you send them again."
_NOTHING_STORED = "What it had not made visible by then was not stored; start it again."


#: A time, and a zone whose plus was decoded to a blank.
_BLANK_ZONE_RE = re.compile(r"(\d[T ]\d\d:\d\d\S*) (\d\d:?\d\d)$")


#: A job, its work, and what happens instead when it is cancelled before.
_Queued: TypeAlias = "tuple[RunningJob, Callable[[RunningJob], None], Callable[[], None] | None]"


class JobsService:
    """Runs jobs and answers about them.

    Args:
        catalog: where they are written down.
        engine: whose statements a cancellation stops.
        service_log: gets a row of ``tinybird.jobs_log`` for every change of a status; ``None`` in small tests.
    """

    def __init__(self, catalog: Catalog, engine: Engine, service_log: Any = None) -> None:
        self._catalog = catalog
        self._engine = engine
        self._service_log = service_log
        self._queues: dict[str, queue.SimpleQueue[_Queued]] = {}
        self._unfinished: dict[str, RunningJob] = {}
        self._retries: dict[str, Callable[[Access, JobRecord], JobRecord]] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._threads: Counter[str] = Counter()
        self._closed = False
        self._end_interrupted()

    # Starting

    def start(
        self,
        workspace: Workspace,
        kind: str,
        work: Callable[[RunningJob], None],
        *,
        access: Access | None = None,
        datasource: DataSourceRecord | None = None,
        pipe_id: str = "",
        details: Mapping[str, Any] | None = None,
        internals: Mapping[str, Any] | None = None,
        job_id: str = "",
        discard: Callable[[], None] | None = None,
        queue_name: str = "",
    ) -> JobRecord:
        """Put work into the queue and return its job, which is ``waiting``.

        Args:
            workspace: that it belongs to.
            kind: one of `KINDS`.
            work: called in a worker thread; what it raises ends the job with an error.
            access: of whoever asked.
            datasource: that it writes to.
            pipe_id: that it reads from.
            details: fields of the API's object that are known already.
            internals: what a later retry needs.
            job_id: its id; a new one when empty.
            discard: called instead of *work* when the job is cancelled in the queue.
            queue_name: which queue; work that waits for other machines has one of its own.
        """
        self._forget_old()
        moment = now()
        record = JobRecord(
            id=job_id or str(uuid.uuid4()),
            workspace_id=workspace.id,
            created_at=moment,
            updated_at=moment,
            kind=kind,
            details=dict(details or {}),
            internals=dict(internals or {}),
            token_id=access.token.id if access else "",
            datasource_id=datasource.id if datasource else "",
            pipe_id=pipe_id,
        )
        running = RunningJob(record, self._save)
        with self._lock:
            self._catalog.create_job(record)
            self._unfinished[record.id] = running
            line = self._queues.setdefault(queue_name, queue.SimpleQueue())
            line.put((running, work, discard))
            if self._threads[queue_name] < WORKERS:
                self._threads[queue_name] += 1
                name = f"job-{queue_name}-{self._threads[queue_name]}"
                threading.Thread(target=self._run_jobs, args=(line,), name=name, daemon=True).start()
        self._note(record)
        return record

    def retries_with(self, kind: str, retry: Callable[[Access, JobRecord], JobRecord]) -> None:
        """Say how a job of *kind* is started again; *retry* gets the old one and returns the new one.

        Instead of a kind it may be what jobs have as `RETRIED_BY`.
        """
        self._retries[kind] = retry

    # Asking

    def get(self, workspace: Workspace, job_id: str) -> JobRecord:
        """Return a job.

        Raises:
            NotFound: there is none, or it is older than `KEPT_HOURS`.
        """
        record = self._catalog.job(workspace.id, job_id)
        if record is None or record.created_at <= _hours_ago(KEPT_HOURS):
            raise NotFound(
                f"Job {job_id!r} does not exist, or is older than {KEPT_HOURS} hours.", documentation=JOBS_PAGE
            )
        return record

    def list(
        self,
        workspace: Workspace,
        *,
        kind: str = "",
        status: str = "",
        pipe_id: str = "",
        pipe_name: str = "",
        created_after: str = "",
        created_before: str = "",
        may_see: Callable[[JobRecord], bool] = lambda _: True,
    ) -> list[JobRecord]:
        """Return the newest jobs of the last `KEPT_HOURS` first, at most `LISTED`; empty filters let everything pass.

        *may_see* says which jobs the asker may see at all.

        Raises:
            BadRequest: there is no such kind or status, or a time is not ISO 8601.
        """
        for name, value, known in (("kind", kind, KINDS), ("status", status, STATUSES)):
            if value and value not in known:
                raise BadRequest(f"{name} must be one of {', '.join(known)}, not {value!r}.", documentation=JOBS_PAGE)
        after = max(_hours_ago(KEPT_HOURS), _time(created_after, "created_after"))
        before = _time(created_before, "created_before")
        found = [
            job
            for job in reversed(self._catalog.jobs(workspace.id, created_after=after))
            if (not kind or job.kind == kind)
            and (not status or job.status == status)
            and (not pipe_id or job.pipe_id == pipe_id)
            and (not pipe_name or job.details.get("pipe_name") == pipe_name)
            and (not before or job.created_at < before)
            and may_see(job)
        ]
        return found[:LISTED]

    def unfinished(
        self, workspace: Workspace, kind: str, pipe_id: str = "", *, datasource_id: str = ""
    ) -> Sequence[JobRecord]:
        """Return the jobs of one kind of a Pipe, or of a Data Source, that wait or run, oldest first."""
        records = [running.record for running in list(self._unfinished.values())]
        found = [
            each
            for each in records
            if (each.workspace_id, each.kind) == (workspace.id, kind)
            and (not pipe_id or each.pipe_id == pipe_id)
            and (not datasource_id or each.datasource_id == datasource_id)
            and each.status not in FINAL_STATUSES
        ]
        return sorted(found, key=lambda each: each.created_at)

    def view(self, record: JobRecord, base_url: str, *, debug: str = "") -> dict[str, Any]:
        """Return the object of the API.

        Args:
            record: the job.
            base_url: scheme and host of this server as the client calls it.
            debug: see `views.job.describe`.
        """
        running = self._unfinished.get(record.id)
        is_cancellable = running is not None and running.is_cancellable
        return describe(record, url=f"{base_url}/v0/jobs/{record.id}", is_cancellable=is_cancellable, debug=debug)

    def wait(self, job_id: str, timeout_s: float | None = None) -> bool:
        """Wait until a job is finished; say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: job_id not in self._unfinished, timeout_s)

    def wait_while_new(self, record: JobRecord) -> bool:
        """Wait a moment for a job that has just been started, and say whether it was worth it.

        Clients ask at once and then only after two seconds, and most jobs here are done in less than one.
        """
        if record.status in FINAL_STATUSES or record.created_at < _seconds_ago(_NEW_S):
            return False
        self.wait(record.id, _NEW_WAIT_S)
        return True

    # Changing

    def cancel(self, workspace: Workspace, job_id: str) -> JobRecord:
        """Ask for the end of a job and return it, ``cancelled`` or ``cancelling``.

        Raises:
            NotFound: there is no such job.
            BadRequest: it is finished, or so far that it cannot be undone.
        """
        record = self.get(workspace, job_id)
        running = self._unfinished.get(job_id)
        if running is None or not running.cancel():
            record = self.get(workspace, job_id)
            reason = "it is about to finish" if record.status == "working" else f"its status is {record.status!r}"
            raise BadRequest(f"Job {job_id!r} cannot be cancelled: {reason}.", documentation=JOBS_PAGE)
        if running.record.status == "cancelled":
            self._finished(running)
        else:
            self._engine.cancel_work(job_id)
        return running.record

    def retry(self, access: Access, job_id: str) -> JobRecord:
        """Start a failed or cancelled job again, as a new one.

        Raises:
            NotFound: there is no such job.
            BadRequest: it did not fail, or its kind cannot be repeated.
        """
        record = self.get(access.workspace, job_id)
        if record.status not in ("error", "cancelled"):
            raise BadRequest(
                f"Job {job_id!r} has the status {record.status!r}; only those in error or cancelled can be retried.",
                documentation=JOBS_PAGE,
            )
        if record.internals.get(COMMITTING):
            raise BadRequest(
                f"Job {job_id!r} cannot be retried: {_PERHAPS_STORED} If they are not there, start a new import.",
                documentation=JOBS_PAGE,
            )
        again = self._retries.get(record.internals.get(RETRIED_BY, record.kind))
        if again is None:
            raise BadRequest(f"A job of the kind {record.kind!r} cannot be retried.", documentation=JOBS_PAGE)
        return again(access, record)

    def _save(self, record: JobRecord, logged: bool) -> None:
        self._catalog.update_job(record)
        if logged:
            self._note(record)

    def close(self) -> None:
        """Start no more jobs, and stop those that run."""
        self._closed = True
        working = [running for running in list(self._unfinished.values()) if running.record.status != "waiting"]
        for running in working:
            with contextlib.suppress(Exception):  # The engine may be gone already.
                self._engine.cancel_work(running.record.id)
        deadline = time.monotonic() + _CLOSING_S
        for running in working:
            self.wait(running.record.id, max(0.0, deadline - time.monotonic()))

    # Running

    def _run_jobs(self, line: queue.SimpleQueue[_Queued]) -> None:
        while True:
            running, work, discard = line.get()
            if self._closed:
                return
            try:
                if running.begin():
                    self._run(running, work)
                elif discard is not None:
                    discard()
            except Exception:
                logger.exception("A job could not be written down.")
            finally:
                self._finished(running)

    def _run(self, running: RunningJob, work: Callable[[RunningJob], None]) -> None:
        job_id = running.record.id
        try:
            with self._engine.work(job_id):
                work(running)
        except JobCancelled:
            running.end("cancelled")
        except ApiError as error:
            if running.record.status == "cancelling":
                running.end("cancelled")
                return
            errors = error.extra.get("errors") or []
            running.end("error", error.message, [str(each) for each in errors])
        except EngineEnding:
            running.end("error", _interrupted(running.record))
        except EngineError as error:
            if running.record.status == "cancelling":
                running.end("cancelled")
            elif self._closed:
                running.end("error", _interrupted(running.record))
            else:
                running.end("error", f"[Error] {plain_reason(error.message)} ({error.name})")
        except DiskFull:
            running.end("error", _DISK_FULL)
        except Exception:
            logger.exception("job %s failed", job_id)
            running.end(
                "error", f"The job failed by a mistake of tinymagic; the server's log has details under {job_id}."
            )
        else:
            running.end("done")

    def _finished(self, running: RunningJob) -> None:
        with self._changed:
            self._unfinished.pop(running.record.id, None)
            self._changed.notify_all()

    def _end_interrupted(self) -> None:
        for job in self._catalog.unfinished_jobs(FINAL_STATUSES):
            ended = replace(job, status="error", error=_interrupted(job), updated_at=now())
            self._save(ended, True)

    def _forget_old(self) -> None:
        self._catalog.delete_jobs(created_before=_hours_ago(2 * KEPT_HOURS))

    def _note(self, record: JobRecord) -> None:
        if self._service_log is None:
            return
        self._service_log.add("jobs_log", record.workspace_id, log_row(record))


def _interrupted(job: JobRecord) -> str:
    if job.internals.get(COMMITTING) and WHEN_INTERRUPTED not in job.internals:
        return f"{_INTERRUPTED.format(job.status)} {_PERHAPS_STORED}"
    return f"{_INTERRUPTED.format(job.status)} {job.internals.get(WHEN_INTERRUPTED, _NOTHING_STORED)}"


def _hours_ago(hours: int) -> str:
    return _seconds_ago(hours * 3_600)


def _seconds_ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def _time(text: str, what: str) -> str:
    """Read an ISO 8601 time; one without a zone is UTC. Empty stays empty."""
    if not text.strip():
        return ""
    try:
        # Python 3.10 knows no Z. A plus in a query string often arrives as a blank.
        moment = datetime.fromisoformat(_BLANK_ZONE_RE.sub(r"\1+\2", text.strip().replace("Z", "+00:00")))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        moment = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{what} must be a time in ISO 8601 such as 2026-01-31T12:00:00Z, not {text[:40]!r}.",
            documentation=JOBS_PAGE,
        ) from None
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
