"""The run of a sink: the rows of a node into files of an S3 bucket (``sinks.md``).

A template without columns makes one file, which the engine's ``s3()`` writes from the query as it runs. Otherwise the
rows are staged with the name of the file that each goes into, so that the query runs once, and the files are written
one after the other. A file of S3 is whole or not there. So what a failed or cancelled run leaves are whole files, which
its job lists; the files of a run are not one transaction, because S3 has none.

Credentials travel to the engine as query parameters: they stand in no text of SQL, and errors are searched for them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError, quote_identifier, quote_string
from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.ingest.loader import OWN_SQL_SETTINGS, staging_table
from tinymagic.local.records import now
from tinymagic.local.sinks import SINKS_PAGE
from tinymagic.local.sinks.buckets import key_problem
from tinymagic.local.sinks.file_names import (
    engine_compression,
    engine_format,
    engine_settings,
    numbered,
    with_ending,
)
from tinymagic.local.sinks.settings import FILLED
from tinymagic.local.sql.failures import query_error

from .running_job import WHEN_INTERRUPTED, JobCancelled
from .sink_targets import NOT_TOLD, Order, SinkTarget, masked, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.engine import Engine, ExportSummary, Setting
    from tinymagic.local.pipes.assembly import Composed
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import JobRecord, PipeRecord, Workspace
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sinks.settings import SinkSettings

    from .connections import ConnectionsService
    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .running_job import RunningJob

_QUEUE = "sink"

#: Files of one run.
MOST_FILES = 10_000

#: Names that are tried for a file before the run gives up.
_MOST_SUFFIXES = 10_000

#: Columns of a staged row: the name of its file, and its number.
_FILE = "_tm_file"
_ROW = "_tm_row"

#: The engine tries again 500 times by default, which takes minutes.
_S3_SETTINGS: dict[str, Setting] = {
    "s3_retry_attempts": 3,
    "s3_connect_timeout_ms": 5_000,
    "s3_request_timeout_ms": 30_000,
}

_EXISTS = "already exists"


class SinkRuns:
    """Starts and carries out runs."""

    def __init__(
        self,
        datasources: DataSourcesService,
        connections: ConnectionsService,
        composer: Composer,
        jobs: JobsService,
        service_log: ServiceLog,
    ) -> None:
        self._engine: Engine = datasources.engine
        self._loader = datasources.loader
        self._connections = connections
        self._composer = composer
        self._jobs = jobs
        self._service_log = service_log

    def start(self, workspace: Workspace, order: Order) -> JobRecord:
        """Start a run and return its job, waiting."""
        pipe = order.pipe
        details: dict[str, Any] = {
            "pipe_id": pipe.id,
            "pipe_name": pipe.name,
            "node_id": order.node.id,
            "service": order.connection.service,
            "connection": order.connection.name,
            "job_timestamp": f"{order.moment:%Y-%m-%d %H:%M:%S}",
            "execution_type": "manual" if order.access else "scheduled",
            "files": [],
        }
        return self._jobs.start(
            workspace,
            "sink",
            lambda job: self._work(job, workspace, order),
            access=order.access,
            pipe_id=pipe.id,
            details=details,
            internals={WHEN_INTERRUPTED: "Files that it had written by then are in the bucket."},
            queue_name=_QUEUE,
        )

    def unfinished(self, workspace: Workspace, pipe: PipeRecord) -> Sequence[JobRecord]:
        """Return the jobs of a Pipe's sink that wait or run."""
        return self._jobs.unfinished(workspace, "sink", pipe.id)

    def composed(self, workspace: Workspace, order: Order) -> Composed:
        """Return the SELECT of a run.

        Raises:
            ApiError: template or SQL are wrong.
        """
        return self._composer.node(
            workspace, order.pipe, order.node, order.parameters, access=order.access, now=order.moment
        )

    def check(self, workspace: Workspace, composed: Composed, settings: SinkSettings) -> list[tuple[str, str]]:
        """Return name and type of the columns.

        Raises:
            BadRequest: the SELECT cannot run, or the file template names a column that is not there.
        """
        try:
            columns = self._composer.columns(workspace, composed)
        except EngineError as error:
            raise query_error(error, "POST") from error
        if not settings.template.is_plain:
            settings.template.expression(columns)
        return columns

    def check_target(self, workspace: Workspace, order: Order) -> None:
        """Refuse what this server cannot write to.

        Raises:
            BadRequest: with the reason.
        """
        target_of(self._connections, workspace, order)

    # The work of a job

    def _work(self, job: RunningJob, workspace: Workspace, order: Order) -> None:
        begin = time.perf_counter()
        target: SinkTarget | None = None
        error = ""
        try:
            if order.fill is not None:
                order = self._filled(workspace, order)
            target = target_of(self._connections, workspace, order)
            try:
                self._write(job, workspace, order, target)
            except EngineError as failure:
                if job.record.status == "cancelling":
                    raise JobCancelled from None
                raise BadRequest(self._reason(failure, target), documentation=SINKS_PAGE) from None
            job.update(**target.statistics())
        except JobCancelled:
            error = "The job was cancelled."
            raise
        except ApiError as failure:
            message = masked(failure.message, order.hidden, NOT_TOLD)
            error = failure.message = message + (target.written() if target else "")
            raise
        except Exception:
            error = "The server could not do it."
            raise
        finally:
            if target is not None and error:
                job.update(**target.statistics())
            self._note(workspace, order, job, target, error, time.perf_counter() - begin)

    def _write(self, job: RunningJob, workspace: Workspace, order: Order, target: SinkTarget) -> None:
        composed = self.composed(workspace, order)
        columns = self.check(workspace, composed, order.settings)
        if composed.reads_service_log:
            self._service_log.flush()
        template = order.settings.template
        if template.is_plain:
            name = with_ending(template.plain_name, order.settings)
            # Not as a subquery: the engine leaves out its ORDER BY.
            done = self._put(job, workspace, order, target, name, composed.sql, composed.settings, composed.parameters)
            target.read_rows, target.read_bytes = done.rows_read, done.bytes_read
            return
        staged = staging_table()
        try:
            expression = template.expression(columns)
            staging = self._engine.export(
                f"CREATE TABLE {staged.sql} ENGINE = MergeTree ORDER BY ({_FILE}, {_ROW}) AS "
                f"SELECT *{_storable(columns)}, toLowCardinality({expression}) AS {_FILE}, "
                f"rowNumberInAllBlocks() AS {_ROW} FROM (\n{composed.sql}\n)",
                database=workspace.database,
                settings={**OWN_SQL_SETTINGS, **composed.settings, "query_plan_remove_redundant_sorting": 0},
                parameters=composed.parameters,
            )
            target.read_rows, target.read_bytes = staging.rows_read, staging.bytes_read
            self._write_staged(job, workspace, order, target, staged.sql, columns)
        finally:
            with self._engine.cleaning():
                self._loader.discard(staged)

    def _write_staged(
        self,
        job: RunningJob,
        workspace: Workspace,
        order: Order,
        target: SinkTarget,
        table: str,
        columns: Sequence[tuple[str, str]],
    ) -> None:
        found = self._engine.rows(
            f"SELECT {_FILE}, count() FROM {table} GROUP BY {_FILE} ORDER BY {_FILE} LIMIT {MOST_FILES + 1}"
        )
        if len(found) > MOST_FILES:
            raise BadRequest(
                f"The file template makes more than {MOST_FILES} files of these rows, which is the limit of a run. "
                "Name the files by columns with fewer values.",
                documentation=SINKS_PAGE,
            )
        # Two names may be one file: with and without its ending.
        files: dict[str, list[str]] = {}
        for name, _ in found:
            files.setdefault(with_ending(str(name), order.settings), []).append(str(name))
        total, done = sum(int(count) for _, count in found), 0
        names = ", ".join(quote_identifier(column) for column, _ in columns)
        job.progress(30)
        for file, members in files.items():
            listed = ", ".join(map(quote_string, members))
            select = f"SELECT {names} FROM {table} WHERE {_FILE} IN ({listed}) ORDER BY {_FILE}, {_ROW}"
            done += self._put(job, workspace, order, target, file, select, {}, {}).rows
            job.progress(30 + 70 * done / max(1, total))

    def _put(
        self,
        job: RunningJob,
        workspace: Workspace,
        order: Order,
        target: SinkTarget,
        name: str,
        select: str,
        settings: Mapping[str, Setting],
        parameters: Mapping[str, object],
    ) -> ExportSummary:
        """Write one file; under another name when it is there already and the strategy is ``new``."""
        bucket = order.settings.bucket
        problem = key_problem(bucket.key(name))
        if problem:
            raise BadRequest(f"The name of a file cannot be used: {problem}", documentation=SINKS_PAGE)
        for number in range(_MOST_SUFFIXES):
            job.check()
            key = bucket.key(numbered(name, number))
            try:
                done = self._insert(workspace, order, target, key, select, settings, parameters)
            except EngineError as error:
                if error.name == "BAD_ARGUMENTS" and _EXISTS in error.message:
                    continue
                raise
            target.files.append({"path": target.hidden(bucket.uri(key)), "rows": done.rows, "bytes": done.size_bytes})
            job.update(**target.statistics())
            return done
        raise BadRequest(
            f"There are {_MOST_SUFFIXES} files called {bucket.uri(bucket.key(name))!r} already. "
            "Use write_strategy=truncate, or a column in the file template.",
            documentation=SINKS_PAGE,
        )

    def _insert(
        self,
        workspace: Workspace,
        order: Order,
        target: SinkTarget,
        key: str,
        select: str,
        settings: Mapping[str, Setting],
        parameters: Mapping[str, object],
    ) -> ExportSummary:
        own = {
            "_tm_sink_url": target.url(key),
            "_tm_sink_id": target.key_id,
            "_tm_sink_secret": target.secret,
            "_tm_sink_format": engine_format(order.settings),
            "_tm_sink_compression": engine_compression(order.settings),
        }
        places = ", ".join(f"{{{name}:String}}" for name in list(own)[:4])
        return self._engine.export(
            f"INSERT INTO FUNCTION s3({places}, 'auto', {{_tm_sink_compression:String}}) {select}",
            database=workspace.database,
            settings={**OWN_SQL_SETTINGS, **settings, **engine_settings(order.settings), **_S3_SETTINGS},
            parameters={**parameters, **own},
        )

    def _filled(self, workspace: Workspace, order: Order) -> Order:
        fill = order.fill
        if fill is None:
            return order
        settings = order.settings
        changed = {name: fill(workspace, getattr(settings, name)) for name in FILLED}
        return replace(order, settings=replace(settings, **changed))

    def _reason(self, error: EngineError, target: SinkTarget) -> str:
        """Return what the engine says, without its stack and without credentials."""
        message = error.message.partition(", Stack trace")[0].partition("\n")[0].strip()
        return f"[Error] {target.hidden(message)} ({error.name})"

    def _note(
        self,
        workspace: Workspace,
        order: Order,
        job: RunningJob,
        target: SinkTarget | None,
        error: str,
        elapsed_s: float,
    ) -> None:
        settings = order.settings
        options = {name: masked(value, order.hidden) for name, value in settings.as_output().items() if value}
        options.update(connection=order.connection.name, execution_type=str(job.record.details["execution_type"]))
        self._service_log.add(
            "sinks_ops_log",
            workspace.id,
            {
                "timestamp": now()[:19],
                "job_id": job.record.id,
                "service": order.connection.service,
                "pipe_name": order.pipe.name,
                "pipe_id": order.pipe.id,
                "result": "error" if error else "ok",
                "error": error or None,
                "elapsed_time": elapsed_s,
                "read_rows": target.read_rows if target else 0,
                "written_rows": target.rows if target else 0,
                "read_bytes": target.read_bytes if target else 0,
                "written_bytes": target.size_bytes if target else 0,
                "output": len(target.files) if target else 0,
                "parameters": {key: value for key, value in order.parameters.items() if key != "token"},
                "options": options,
                "token_name": order.access.token.name if order.access else "",
            },
        )
        if target is not None and target.size_bytes:
            self._service_log.add(
                "data_transfer",
                workspace.id,
                {
                    "timestamp": now()[:19],
                    "event": "sink",
                    "origin_provider": "local",
                    "destination_provider": "aws",
                    "kind": "inter",
                    "bytes": target.size_bytes,
                },
            )


def _storable(columns: Sequence[tuple[str, str]]) -> str:
    """Return what makes columns of nothing but NULL, which no table takes, columns of text."""
    casts = [
        f"CAST({quote_identifier(name)}, {quote_string(kind.replace('Nothing', 'String'))}) AS {quote_identifier(name)}"
        for name, kind in columns
        if "Nothing" in kind and "'" not in kind
    ]
    return f" REPLACE ({', '.join(casts)})" if casts else ""
