"""The run of a connector: new files of a bucket into a Data Source, one after the other.

A file is known by its key and its content (size and ETag): one that changes is taken again, which adds its rows, as the
service does. Each file is an import of its own, whole or not there, and the note that it was taken becomes visible
together with its rows (`taken_files`). So a run that is cancelled, fails or dies with the server has taken the files
that it had finished, and the next run goes on with the others.

A file that cannot be imported keeps none of the others back; the job ends with an error that names it. Runs by the
clock leave it alone until it changes or the server starts anew, and a run that somebody asks for tries it again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.connectors import CONNECTORS_PAGE
from tinymagic.local.connectors.settings import connector_of, read_files
from tinymagic.local.errors import ApiError, BadRequest, NotFound
from tinymagic.local.files.file_formats import file_format_of
from tinymagic.local.ingest.imports import ImportRequest

from .bucket_access import GCS_SERVICES, access_to
from .connections import S3_SERVICES
from .importing import ImportUnfinished
from .remote_buckets import FileGone, RemoteBucket
from .running_job import RETRIED_BY, WHEN_INTERRUPTED
from .sink_targets import masked

if TYPE_CHECKING:
    from pathlib import Path

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.connectors.listing import RemoteObject
    from tinymagic.local.ingest.loader import LoadReport
    from tinymagic.local.records import ConnectionRecord, DataSourceRecord, JobRecord, Workspace

    from .connections import ConnectionsService
    from .datasources import DataSourcesService
    from .importing import ImportService
    from .jobs import JobsService
    from .running_job import RunningJob
    from .taken_files import TakenFiles

#: What starts a job of a connector again, and how its jobs are told from other imports.
CONNECTOR_JOB = "connector"

#: Files that a job names, and sentences about those that could not be imported.
_MOST_NAMED = 100
_MOST_ERRORS = 20

_CHUNK_BYTES = 1 << 16

#: So many files one after the other that cannot be fetched end a run: then it is not the files.
_MOST_UNREACHED = 3

#: Services of connections, by how the addresses of their buckets begin.
_SERVICES = {"s3": S3_SERVICES, "gs": GCS_SERVICES}


@dataclass(frozen=True)
class SampleLimits:
    """How much a sample takes.

    Attributes:
        max_files: files.
        rows: of all files together; ``None`` means any number.
        max_bytes: of all files together, as they lie in the bucket; ``None`` means any number.
    """

    max_files: int = 1
    rows: int | None = None
    max_bytes: int | None = None


@dataclass
class _Progress:
    """What a run has done so far; *unreached* are the last files if they could not be fetched."""

    bucket: RemoteBucket
    files: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    taken: int = 0
    failed: int = 0
    unreached: int = 0
    stored: int = 0
    quarantined: int = 0
    invalid: int = 0
    read: int = 0
    size_bytes: int = 0

    def add(self, found: RemoteObject, report: LoadReport) -> None:
        """Count a file that was imported."""
        self.taken += 1
        self.stored += report.stored
        self.quarantined += report.quarantined
        self.invalid += report.invalid
        self.read += report.stored + report.quarantined + report.invalid
        if len(self.files) < _MOST_NAMED:
            rows = {"rows": report.stored, "quarantine_rows": report.quarantined, "invalid_lines": report.invalid}
            self.files.append({"path": self.bucket.shown(found.key), "bytes": found.size_bytes, **rows})

    def fail(self, found: RemoteObject, reason: str) -> None:
        """Count a file that could not be imported."""
        self.failed += 1
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(f"{self.bucket.shown(found.key)}: {masked(reason, self.bucket.hidden)}")

    def details(self, job_id: str) -> dict[str, Any]:
        """Return what the job tells."""
        lines = {"lines": self.stored, "quarantine": self.quarantined, "bytes": self.size_bytes, "parser": "clickhouse"}
        return {
            "files": list(self.files),
            "files_imported": self.taken,
            "files_failed": self.failed,
            "rows": self.stored,
            "quarantine_rows": self.quarantined,
            "invalid_lines": self.invalid,
            "blocks": [{"block_id": job_id, "process_return": [lines]}],
        }


class ConnectorRuns:
    """Starts and carries out runs."""

    def __init__(
        self,
        datasources: DataSourcesService,
        connections: ConnectionsService,
        imports: ImportService,
        jobs: JobsService,
        taken: TakenFiles,
    ) -> None:
        self._datasources = datasources
        self._connections = connections
        self.imports = imports
        self._jobs = jobs
        self._taken = taken
        #: Addresses and versions of files that could not be imported, by Data Source.
        self._refused: dict[str, set[tuple[str, str]]] = defaultdict(set)
        #: Data Sources with rows that are not everywhere yet, and maybe without the note that they were taken.
        self._unfinished: set[str] = set()

    def start(
        self,
        workspace: Workspace,
        record: DataSourceRecord,
        access: Access | None = None,
        limits: SampleLimits | None = None,
    ) -> JobRecord:
        """Start a run, or with *limits* a sample, and return its job, waiting.

        *access* is of who asked; ``None`` for a scheduled run.
        """
        settings = connector_of(record)
        way = "sample" if limits else "manual" if access else "scheduled"
        return self._jobs.start(
            workspace,
            "import",
            lambda job: self._work(job, workspace, record.id, limits),
            access=access,
            datasource=record,
            queue_name=CONNECTOR_JOB,
            details={
                "mode": "append",
                "service": record.type,
                "connection": settings.get("import_connection_name", ""),
                "execution_type": way,
                "datasource": {"id": record.id, "name": record.name},
            },
            internals={
                RETRIED_BY: CONNECTOR_JOB,
                "limits": vars(limits) if limits else None,
                WHEN_INTERRUPTED: "The files that it had imported by then are stored; the next run takes the others.",
            },
        )

    def is_at_work(self, workspace: Workspace, record: DataSourceRecord) -> bool:
        """Say whether a run of a Data Source waits or works."""
        return any(
            job.internals.get(RETRIED_BY) == CONNECTOR_JOB
            for job in self._jobs.unfinished(workspace, "import", datasource_id=record.id)
        )

    def needs_restart(self, record: DataSourceRecord) -> bool:
        """Say whether the rows of a file are still on their way, until the server starts anew."""
        return record.id in self._unfinished

    def bucket(self, workspace: Workspace, record: DataSourceRecord) -> RemoteBucket:
        """Return the files that a Data Source is filled from.

        Raises:
            BadRequest: they cannot be reached with what the Data Source and its connection say.
        """
        settings = connector_of(record)
        connection = self.connection(workspace, settings.get("import_connection_name", ""))
        hidden = self._connections.values_named(workspace, settings.values(), connection)
        filled = {key: self._connections.filled(workspace, value) for key, value in settings.items()}
        try:
            files = read_files(filled)
        except ApiError as error:
            error.message = masked(error.message, hidden, "The settings of the connector cannot be used.")
            raise
        if connection.service not in _SERVICES[files.scheme]:
            raise BadRequest(
                f"The connection {connection.name!r} is one to {connection.service}, and import_bucket_uri begins with "
                f"{files.scheme}://.",
                documentation=CONNECTORS_PAGE,
            )
        access = access_to(connection, self._connections.values(workspace, connection), CONNECTORS_PAGE)
        return RemoteBucket(files, access, connection.name, self._datasources.spool, hidden)

    def connection(self, workspace: Workspace, name: str) -> ConnectionRecord:
        """Return the connection of this name, or with this id.

        Raises:
            BadRequest: there is none.
        """
        try:
            return self._connections.find(workspace, name)
        except NotFound as error:
            raise BadRequest(error.message, documentation=CONNECTORS_PAGE) from None

    # The work of a job

    def _work(self, job: RunningJob, workspace: Workspace, datasource_id: str, limits: SampleLimits | None) -> None:
        record = self._datasources.record(workspace, datasource_id)
        progress = _Progress(self.bucket(workspace, record))
        try:
            new = self._new_files(job, record, progress.bucket, limits)
            for number, each in enumerate(new):
                if limits and limits.rows is not None and progress.read >= limits.rows:
                    break
                job.check()
                job.progress(100 * number / len(new))
                self._take(job, workspace, record, each, progress, limits)
                job.update(**progress.details(job.record.id))
        except ImportUnfinished:
            self._unfinished.add(record.id)
            raise
        finally:
            job.update(**progress.details(job.record.id))
        if progress.errors:
            raise BadRequest(
                f"{progress.failed} of {progress.failed + progress.taken} files could not be imported, the others "
                f"were. {progress.errors[0]}",
                errors=progress.errors,
                documentation=CONNECTORS_PAGE,
            )

    def _new_files(
        self, job: RunningJob, record: DataSourceRecord, bucket: RemoteBucket, limits: SampleLimits | None
    ) -> list[RemoteObject]:
        """List the files that were not taken, oldest first; for a sample only so many."""
        known = self._taken.versions(record)
        if job.record.details["execution_type"] == "scheduled":
            known |= self._refused[record.id]
        found = [each for each in bucket.objects(job) if (bucket.files.uri(each.key), each.version) not in known]
        found.sort(key=lambda each: (each.modified_at, each.key))
        return found[: limits.max_files] if limits else found

    def _take(
        self,
        job: RunningJob,
        workspace: Workspace,
        record: DataSourceRecord,
        found: RemoteObject,
        progress: _Progress,
        limits: SampleLimits | None,
    ) -> None:
        """Import one file."""
        bucket, uri = progress.bucket, progress.bucket.files.uri(found.key)
        room = found.size_bytes
        if limits is not None and limits.max_bytes is not None:
            room = min(room, limits.max_bytes - progress.size_bytes)
        if not room:
            return
        is_cut = room < found.size_bytes
        try:
            remote = bucket.fetch(job, found.key, sample_bytes=room if is_cut else None)
        except FileGone:
            return
        except ApiError as error:
            # It may be this file alone, such as one in an archive.
            progress.fail(found, error.message)
            progress.unreached += 1
            if progress.unreached >= _MOST_UNREACHED:
                raise
            return
        progress.unreached = 0
        try:
            with remote.path.open("rb") as file:
                start = file.read(64)
            format_ = bucket.files.format or file_format_of("", remote.content_type, found.key, start)
            if is_cut:
                _cut_at_line(remote.path, format_, start)
            progress.size_bytes += remote.path.stat().st_size
            rows = None if limits is None or limits.rows is None else limits.rows - progress.read
            request = ImportRequest({"name": record.id}, remote.path, format_, bucket.shown(found.key))
            if is_cut or rows is not None:
                # Only a part may be stored: a run has to take the file still.
                report = self.imports.append_file(job, workspace, request, most_rows=rows)
            else:
                with self._taken.noted(record, uri, found.version) as note:
                    report = self.imports.append_file(job, workspace, request, beside=[note])
        except (ImportUnfinished, NotFound):  # The Data Source was deleted meanwhile.
            raise
        except ApiError as error:
            self._refused[record.id].add((uri, found.version))
            progress.fail(found, error.message)
        else:
            progress.add(found, report)
        finally:
            remote.path.unlink(missing_ok=True)


def _cut_at_line(path: Path, format_: str, start: bytes) -> None:
    """Take the last line, which is not complete, off the first bytes of a file.

    Raises:
        BadRequest: a file of this kind can be read only whole, or there is no whole line.
    """
    if format_ == "parquet" or start.startswith(b"\x1f\x8b"):
        raise BadRequest("It has more than max_bytes, and a compressed or Parquet file cannot be read in part.")
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end > 0:
            begin = max(0, end - _CHUNK_BYTES)
            file.seek(begin)
            at = file.read(end - begin).rfind(b"\n")
            if at >= 0:
                file.truncate(begin + at + 1)
                return
            end = begin
    raise BadRequest("Its first line has more than max_bytes.")
