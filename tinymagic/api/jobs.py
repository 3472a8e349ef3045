"""Jobs, ``/v0/jobs``: what runs in the background at the service, and waiting for it (``jobs.md``)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.api.datasource_results import Statistics
from tinymagic.api.errors import JobFailed
from tinymagic.api.http.request import Request
from tinymagic.api.polling import poll
from tinymagic.api.progress import OnProgress, Progress
from tinymagic.api.reading import count, flag, frozen, mapping, mappings, moment, number, text, text_or_none, texts
from tinymagic.api.resource import Resource, path

if TYPE_CHECKING:
    import builtins

    from tinymagic.api.http.cancelling import Cancellation

#: Statuses after which nothing happens; one that is not known here is taken for one in between.
FINAL_STATUSES = ("done", "error", "cancelled")

#: Other spellings that clients of the service have met.
_SPELLINGS = {"canceled": "cancelled", "canceling": "cancelling"}

#: Asks for the blocks of an import, which tell how far it is.
_BLOCKS = {"debug": "blocks,block_log"}


@dataclass(frozen=True)
class Job:
    """A job as the service described it at one moment. What it does not say is empty or ``None``.

    Attributes:
        id: uuid.
        kind: for instance ``import``, ``populateview``, ``copy``, ``sink``, ``delete_data``.
        status: ``waiting``, ``working``, ``done``, ``error``, ``cancelling`` or ``cancelled``.
        created_at: aware, UTC; waiting in the queue counts from here.
        started_at: when it left the queue.
        updated_at: of the last change of its status.
        url: where it can be asked for.
        is_cancellable: whether `Jobs.cancel` is of use.
        error: the service's sentence of a failed one.
        errors: further sentences.
        progress_percentage: 0 to 100.
        statistics: bytes and rows; for imports those of the whole Data Source.
        pipe_name: whose copy, sink or population it is.
        datasource_name: that it fills or changes.
        quarantine_rows: rows that went to the quarantine.
        invalid_lines: lines that could not be read.
        raw: the whole description.
    """

    id: str
    kind: str = ""
    status: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    url: str = ""
    is_cancellable: bool | None = None
    error: str | None = None
    errors: tuple[str, ...] = ()
    progress_percentage: float | None = None
    statistics: Statistics = field(default_factory=Statistics)
    pipe_name: str = ""
    datasource_name: str = ""
    quarantine_rows: int | None = None
    invalid_lines: int | None = None
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> Job:
        """Read a job, also one inside of a reply that started it (``{"job": {...}}``).

        Example:
            >>> Job.of({"id": "t_node", "job": {"job_id": "1", "status": "waiting"}}).id
            '1'
        """
        inner = mapping(reply.get("job"))
        described = {**reply, **inner} if inner else reply
        known = inner or reply
        datasource = mapping(described.get("datasource"))
        size = mapping(described.get("statistics"))
        status = text(known.get("status")).lower()
        status = _SPELLINGS.get(status, status)
        return cls(
            id=text(known.get("job_id") or known.get("id") or reply.get("job_id") or reply.get("import_id")),
            kind=text(known.get("kind") or known.get("job_type")),
            status=status,
            created_at=moment(known.get("created_at")),
            started_at=moment(known.get("started_at")),
            updated_at=moment(known.get("updated_at")),
            url=text(known.get("job_url") or reply.get("job_url")),
            is_cancellable=flag(known.get("is_cancellable")),
            error=text_or_none(described.get("error")) or ("it did not say why" if status == "error" else None),
            errors=_sentences(described.get("errors")),
            progress_percentage=number(known.get("progress_percentage")),
            statistics=Statistics(count(size.get("bytes")), count(size.get("row_count"))),
            pipe_name=text(known.get("pipe_name")),
            datasource_name=text(datasource.get("name") or known.get("datasource_name")),
            quarantine_rows=count(known.get("quarantine_rows")),
            invalid_lines=count(known.get("invalid_lines")),
            raw=frozen(known),
        )

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in FINAL_STATUSES

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well."""
        return self.finished and self.status != "done"

    @property
    def share_done(self) -> float | None:
        """How much of it is done, 0 to 100: what the service says, else by the blocks of an import; else ``None``."""
        if self.status == "done":
            return 100.0
        if self.progress_percentage is not None:
            return min(max(self.progress_percentage, 0.0), 100.0)
        blocks = [text(each.get("status")) for each in mappings(self.raw.get("block_log"))]
        return 100.0 * blocks.count("done") / len(blocks) if blocks else None

    def sentence(self) -> str:
        """Say in words how it stands."""
        what = f"The job {self.id}" + (f" ({self.kind})" if self.kind else "")
        if self.status == "error":
            more = "; ".join(each for each in self.errors if each not in (self.error or ""))
            return f"{what} failed: {self.error}" + (f" ({more})" if more else "")
        return f"{what} is {self.status or 'in an unknown state'}."


class Jobs(Resource):
    """``workspace.jobs``: list, look at, wait for, cancel and retry jobs. They are kept for 48 hours."""

    def list(
        self,
        *,
        kind: str | Sequence[str] | None = None,
        status: str | Sequence[str] | None = None,
        pipe_id: str | None = None,
        pipe_name: str | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
    ) -> builtins.list[Job]:
        """Return the jobs of the last 48 hours, newest first; at most 100 for each pair of *kind* and *status*.

        Args:
            kind: one or several; the service takes one, so each is a request.
            status: likewise.
            pipe_id: of the Pipe.
            pipe_name: of the Pipe.
            created_after: point in time; without a zone UTC.
            created_before: likewise.
        """
        common = {
            "pipe_id": pipe_id,
            "pipe_name": pipe_name,
            "created_after": _iso(created_after),
            "created_before": _iso(created_before),
        }
        found: dict[str, Job] = {}
        for one_kind, one_status in itertools.product(_each(kind), _each(status)):
            reply = self._get("/v0/jobs", {**common, "kind": one_kind, "status": one_status})
            found.update({job.id: job for job in map(Job.of, mappings(reply.get("jobs")))})
        return sorted(found.values(), key=_age)

    def get(self, job_id: str, *, debug: bool = False) -> Job:
        """Return one job.

        Args:
            job_id: uuid.
            debug: ask for ``blocks`` and ``block_log`` too; they are in ``raw``.

        Raises:
            NotFound: there is none, or it is older than 48 hours.
        """
        return Job.of(self._get(path("/v0/jobs/", job_id), _BLOCKS if debug else None))

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; it may take a moment (status ``cancelling``).

        Raises:
            NotFound: there is none.
            BadRequest: it is over, or of a kind that cannot be cancelled.
        """
        return _with_id(Job.of(self._change("POST", path("/v0/jobs/", job_id, "/cancel"), effect="idempotent")), job_id)

    def retry(self, job_id: str) -> Job:
        """Start an import that failed or was cancelled anew; the result is another job.

        Raises:
            NotFound: there is none.
            BadRequest: it cannot be repeated: another kind, not over, or its file was in the request.
        """
        return Job.of(self._change("POST", path("/v0/jobs/", job_id, "/retry")))

    def wait(
        self,
        job: Job | str,
        *,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> Job:
        """Look at a job until it is over, in pauses that grow from 0.1 to 2 seconds.

        Args:
            job: or its id.
            timeout_s: the longest wait; ``None`` for any. The job goes on after it.
            on_progress: told the percentage whenever the service says one, and 100 at the end.
            cancellation: ends the waiting, not the job, from another thread.

        Returns:
            The job, ``done``.

        Raises:
            JobFailed: it ended with an error or was cancelled; the sentence says why.
            Timeout: it is not over in time.
            Cancelled: through *cancellation*.
            NotFound: there is no such job.
        """
        job_id = job if isinstance(job, str) else job.id
        request = Request("GET", path("/v0/jobs/", job_id), _BLOCKS)

        def look(switch: Cancellation) -> Job:
            now = Job.of(self._ask(request, cancellation=switch).json_object())
            if on_progress is not None and (done := now.share_done) is not None:
                on_progress(Progress(done, 100.0, "%"))
            return now

        def late(now: Job) -> str:
            return (
                f"The job {job_id} is not over after {timeout_s:g} s (status {now.status or 'unknown'}). It goes on; "
                "wait for it again, or cancel it."
            )

        last = poll(look, lambda now: now.finished, late, timeout_s=timeout_s, cancellation=cancellation)
        if last.failed:
            raise JobFailed(last.sentence(), job=last, message=last.error, errors=last.errors)
        return last


def _each(values: str | Sequence[str] | None) -> Sequence[str | None]:
    return [values] if values is None or isinstance(values, str) else list(values)


def _iso(when: datetime | str | None) -> str | None:
    if not isinstance(when, datetime):
        return when
    aware = when.replace(tzinfo=timezone.utc) if when.tzinfo is None else when.astimezone(timezone.utc)
    return aware.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _age(job: Job) -> float:
    return -job.created_at.timestamp() if job.created_at else 0.0


def _with_id(job: Job, job_id: str) -> Job:
    return job if job.id else replace(job, id=job_id)


def _sentences(value: Any) -> tuple[str, ...]:
    """Read ``errors``: sentences, or objects that have one."""
    items = value if isinstance(value, list) else [value]
    flat = [text(each.get("error") or dict(each)) if isinstance(each, Mapping) else each for each in items]
    return texts([each for each in flat if not isinstance(each, bool)])
