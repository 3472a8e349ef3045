"""How one piece travels, and what the service said about its rows: the three ways as three classes."""

from __future__ import annotations

import contextlib
import gzip
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from tinymagic.api.datasource_results import ImportReport, Mode
from tinymagic.api.errors import BadReply, JobFailed, MethodNotAllowed, NotFound, TinybirdError
from tinymagic.api.http.request import Request
from tinymagic.api.ingest.watch import Told, Watch, told_of
from tinymagic.api.reading import count, text
from tinymagic.api.upload import CONTENT_TYPES, multipart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.transport import Transport
    from tinymagic.api.ingest.pieces import Piece
    from tinymagic.api.jobs import Job
    from tinymagic.api.progress import OnProgress

EVENTS_PATH = "/v0/events"
DATASOURCES_PATH = "/v0/datasources"

#: An import is answered when its rows are stored, which for a file of 500 MB takes longer than a query may.
IMPORT_TIMEOUT_S = 600.0


class Carrier(Protocol):
    """Sends a piece."""

    #: Whether it goes to the Events API.
    events: bool

    def carry(self, piece: Piece, watch: Watch, on_progress: OnProgress | None) -> Told:
        """Send *piece*, and return what the service said.

        Raises:
            TinybirdError: it said something else, or nothing.
        """
        ...


@dataclass
class EventsCarrier:
    """``POST /v0/events`` (``events.md``)."""

    transport: Transport
    name: str
    wait: bool = True
    compress: bool = False
    timeout_s: float | None = None
    cancellation: Cancellation | None = None
    events: bool = True

    def carry(self, piece: Piece, watch: Watch, on_progress: OnProgress | None) -> Told:  # noqa: ARG002 - rows are told
        """Send the lines of *piece* in one request."""
        with piece.upload.open() as file:
            content = file.read()
        if self.compress and not content.startswith(b"\x1f\x8b"):
            # Without a time in its head the data stays the same, byte for byte, however often it is made.
            content = gzip.compress(content, compresslevel=3, mtime=0)
        packed = content.startswith(b"\x1f\x8b")
        request = Request(
            "POST",
            EVENTS_PATH,
            {"name": self.name, "wait": "true" if self.wait else None},
            body=watch.body(lambda: content),
            content_type="application/x-ndjson",
            content_encoding="gzip" if packed else None,
            effect="events",
        )
        reply = self.transport.send(
            request, timeout_s=self.timeout_s, cancellation=self.cancellation, failure=watch.failure
        )
        watch.headers = reply.headers
        said = reply.json_object()
        error = text(said.get("error")) if isinstance(said.get("error"), str) else ""
        return Told(
            count(said.get("successful_rows")), count(said.get("quarantined_rows")), 0, reply.status, error or None
        )


@dataclass
class MultipartCarrier:
    """``POST /v0/datasources`` with the data as a file of a form (``datasources.md`` section 3).

    A *mode* of ``create`` holds for the first piece; the others are appended to what it made.
    """

    transport: Transport
    mode: Mode
    name: str
    fields: Mapping[str, str | None]
    timeout_s: float | None = None
    cancellation: Cancellation | None = None
    events: bool = False

    def carry(self, piece: Piece, watch: Watch, on_progress: OnProgress | None) -> Told:
        """Upload *piece*, and wait until its rows are stored."""
        given = {key: value for key, value in self.fields.items() if value is not None}
        upload = piece.upload
        body, content_type = multipart(given, upload)
        request = Request(
            "POST",
            DATASOURCES_PATH,
            # The counts of stored and quarantined rows come with debug=blocks only.
            {"mode": self.mode, "name": self.name, "format": upload.file_format, "debug": "blocks"},
            body=watch.body(body),
            content_type=content_type,
            effect="write",
            length="long",
        )
        reply = self.transport.send(
            request,
            timeout_s=_import_timeout(self.transport, self.timeout_s),
            cancellation=self.cancellation,
            failure=watch.failure,
            on_progress=on_progress,
        )
        watch.headers = reply.headers
        told = told_of(ImportReport.of(reply.json_object(), mode=self.mode), reply.status)
        if self.mode == "create":
            self.mode = "append"
            self.fields = {key: value for key, value in self.fields.items() if key.startswith("dialect_")}
        return told


@dataclass
class JobCarrier:
    """``POST /v1/datasources/NAME/append`` or ``/replace``: the data as the body, or at a URL, imported by a job.

    A URL goes the older way, which every service has: ``POST /v0/datasources`` with ``url``.
    """

    transport: Transport
    mode: Mode
    name: str
    fields: Mapping[str, str | None]
    url: str | None = None
    timeout_s: float | None = None
    cancellation: Cancellation | None = None
    on_progress: OnProgress | None = None
    events: bool = False

    def carry(self, piece: Piece, watch: Watch, on_progress: OnProgress | None) -> Told:
        """Start the job, and follow it to its end."""
        self.start(piece, watch, on_progress)
        assert watch.job_id is not None  # start() raises without one
        return self.follow(watch.job_id, watch)

    def start(self, piece: Piece, watch: Watch, on_progress: OnProgress | None) -> Job:
        """Start the job; return it (`tinymagic.api.jobs.Job`)."""
        from tinymagic.api.jobs import Job

        try:
            reply = self.transport.send(
                self._request(piece, watch),
                timeout_s=_import_timeout(self.transport, self.timeout_s),
                cancellation=self.cancellation,
                failure=watch.failure,
                on_progress=on_progress,
            )
        except (NotFound, MethodNotAllowed) as error:
            if self.url is None and self.name not in error.message:
                error.args = (f"{error} This service may have no import jobs for files (/v1): leave via out.",)
            raise
        watch.headers = reply.headers
        said = reply.json_object()
        found = text(said.get("id") or said.get("job_id") or said.get("import_id"))
        if not found:
            raise BadReply(
                f"{reply.asked} answered {reply.status} without the id of a job. The work may be done: look before you "
                "repeat it.",
                status=reply.status,
            )
        watch.job_id = found
        return Job.of({**said, "id": found})

    def _request(self, piece: Piece, watch: Watch) -> Request:
        upload = piece.upload
        given: dict[str, str | None] = {"format": upload.file_format, **self.fields}
        if self.url is not None:
            query = {"mode": self.mode, "name": self.name, **given, "url": self.url}
            return Request("POST", DATASOURCES_PATH, query, body=watch.body(lambda: b""), effect="write", length="long")
        from tinymagic.api.resource import path

        packed = upload.file_name.endswith(".gz")
        return Request(
            "POST",
            path("/v1/datasources/", self.name, f"/{self.mode}"),
            given,
            body=watch.body(lambda: FileBody(upload)),
            content_type=CONTENT_TYPES[upload.file_format],
            content_encoding="gzip" if packed else None,
            effect="write",
            length="long",
        )

    def follow(self, job_id: str, watch: Watch) -> Told:
        """Wait for the job, and read its counts.

        Raises:
            JobFailed: it ended with an error.
        """
        from tinymagic.api.jobs import Jobs

        jobs = Jobs(self.transport)
        watch.job_id = job_id
        try:
            job = jobs.wait(job_id, on_progress=self.on_progress, cancellation=self.cancellation)
        except JobFailed as failed:
            watch.told = _told_of_job(getattr(failed.job, "raw", {}), job_id)
            raise
        except (KeyboardInterrupt, TinybirdError) as error:
            if isinstance(error, KeyboardInterrupt) or (self.cancellation and self.cancellation.cancelled):
                self._cancel(job_id)
            raise
        said = job.raw
        if "blocks" not in said:
            # Without them the counts are missing, and the report says so.
            with contextlib.suppress(TinybirdError):
                said = {**said, **jobs.get(job_id, debug=True).raw}
        return _told_of_job(said, job_id) or Told(None, None, None, None, None, None, job_id)

    def _cancel(self, job_id: str) -> None:
        """End the work behind an interrupt; what became of it is not known then."""
        from tinymagic.api.jobs import Jobs

        with contextlib.suppress(TinybirdError):
            Jobs(self.transport).cancel(job_id)


def _told_of_job(said: Mapping[str, Any], job_id: str) -> Told | None:
    report = ImportReport.of(said)
    if report.rows is None and report.quarantined is None and report.invalid_lines is None:
        return None
    told = told_of(report, None, job_id)
    return replace(told, import_id=report.import_id or job_id)


class FileBody:
    """A file as the body of a request."""

    def __init__(self, upload: Any) -> None:
        self._size = upload.size_bytes
        self._file = upload.open()

    def __len__(self) -> int:
        return int(self._size)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        piece: bytes = self._file.read(size)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _import_timeout(transport: Transport, timeout_s: float | None) -> float:
    return max(transport.timeout_s, IMPORT_TIMEOUT_S) if timeout_s is None else timeout_s
