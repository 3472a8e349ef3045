"""The run of a copy: rows of a SELECT into a Data Source, all of them or none (``pipes.md`` section 8.1).

The SELECT fills a staging table of the target's shape, by one statement and without holding anything, so that events go
on arriving however long it takes. Then its rows are appended to the target, or it takes the target's place. Up to that
step a run that is cancelled, fails or dies with the server has changed nothing.

What was composed has passed the gate as SQL that reads tables only: the statement runs on a connection that may write,
where the engine itself would not stop ``url()`` or ``s3()``.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.local.copying.columns import incompatible, problems
from tinymagic.local.copying.turns import Turns
from tinymagic.local.engine import EngineError, quote_identifier, quote_string
from tinymagic.local.errors import ApiError, BadRequest, Conflict
from tinymagic.local.ingest.feeding import create_like, unfinished_sentence
from tinymagic.local.ingest.moves import Unfinished
from tinymagic.local.ingest.rebuilding import IncompatiblePartitions
from tinymagic.local.ingest.settings import INSERT_SETTINGS, OWN_SQL_SETTINGS
from tinymagic.local.ingest.table import Table, staging_table
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.sql.failures import query_error
from tinymagic.local.sql.names import COPIES_ONLY
from tinymagic.local.tables.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.pipes.assembly import Composed
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import DataSourceRecord, JobRecord, PipeRecord, Workspace
    from tinymagic.local.service_datasources.log import ServiceLog

    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .operations import OperationsLog
    from .running_job import RunningJob

#: Jobs of copies have workers of their own: a few long ones do not hold up imports and deletions.
_QUEUE = "copy"

#: How often the engine is asked how far a statement is, seconds.
_POLL_S = 0.3

#: What the gate says of a table function that it lets through for copies.
_ELSEWHERE_RE = re.compile(rf"Usage of function (\w+) {COPIES_ONLY}")


@dataclass(frozen=True)
class Source:
    """Where the rows of a copy come from.

    Attributes:
        compose: makes the SELECT; called when the run begins, so that it sees what is there then.
        pipe: ``None`` for the SQL of a request.
    """

    compose: Callable[[], Composed]
    pipe: PipeRecord | None = None


class CopyRuns:
    """Starts and carries out runs."""

    def __init__(
        self,
        datasources: DataSourcesService,
        composer: Composer,
        jobs: JobsService,
        operations: OperationsLog,
        service_log: ServiceLog,
    ) -> None:
        self._datasources = datasources
        self._engine: Engine = datasources.engine
        self._loader = datasources.loader
        self._composer = composer
        self._jobs = jobs
        self._operations = operations
        self._service_log = service_log
        self._turns = Turns()

    def start(
        self,
        workspace: Workspace,
        target: DataSourceRecord,
        mode: str,
        source: Source,
        *,
        access: Access | None = None,
        now: str = "",
    ) -> JobRecord:
        """Start a run and return its job, waiting.

        Args:
            workspace: of both.
            target: gets the rows.
            mode: ``append`` or ``replace``.
            source: of the rows.
            access: of whoever asked; ``None`` for a scheduled run.
            now: the run's time as the job tells it.
        """
        pipe = source.pipe
        details: dict[str, Any] = {"pipe_id": pipe.id, "pipe_name": pipe.name} if pipe else {}
        details.update(datasource={"id": target.id, "name": target.name}, mode=mode)
        if now:
            details["job_timestamp"] = now
        return self._jobs.start(
            workspace,
            "copy",
            lambda job: self._work(job, workspace, target.id, mode, source),
            access=access,
            datasource=target,
            pipe_id=pipe.id if pipe else "",
            details=details,
            queue_name=_QUEUE,
        )

    def check(self, workspace: Workspace, target: DataSourceRecord, composed: Composed) -> list[str]:
        """Return the names of the columns that are copied, in their order.

        Raises:
            BadRequest: the SELECT cannot run, or the target cannot take its columns.
        """
        try:
            described = self._composer.columns(workspace, composed)
        except EngineError as error:
            raise query_error(error, "POST") from error
        self.check_columns(described, target)
        return [name for name, _ in described]

    def check_columns(self, described: Sequence[tuple[str, str]], target: DataSourceRecord) -> None:
        """Refuse columns, name and type each, that the target cannot take.

        Raises:
            BadRequest: with the vendor's text, and what is the matter with which column.
        """
        found = problems(described, parse_schema(target.schema), self._converts)
        if found:
            raise BadRequest(incompatible(found, target.name), documentation=PIPES_PAGE)

    def unfinished(self, workspace: Workspace, pipe: PipeRecord) -> Sequence[JobRecord]:
        """Return the jobs of a Pipe's copies that wait or run."""
        return self._jobs.unfinished(workspace, "copy", pipe.id)

    # The work of a job

    def _work(self, job: RunningJob, workspace: Workspace, target_id: str, mode: str, source: Source) -> None:
        pipe = source.pipe
        job.update(query_id=job.record.id)
        target = self._datasources.record(workspace, target_id)
        with self._operations.watched(workspace, "copy", target) as note:
            note.update(job_id=job.record.id, mode=mode)
            if pipe is not None:
                note.update(pipe_id=pipe.id, pipe_name=pipe.name)
            if pipe is not None and mode == "replace":
                # An older run must not take the place of what a newer one gave.
                with self._turns.turn(pipe.id, job.check):
                    rows = self._copy(job, workspace, target, mode, source)
            else:
                rows = self._copy(job, workspace, target, mode, source)
            note.update(rows=rows, written_rows=rows)
        described = self._datasources.get(workspace, target_id)
        job.update(statistics=described["statistics"], rows_written=rows)

    def _copy(self, job: RunningJob, workspace: Workspace, target: DataSourceRecord, mode: str, source: Source) -> int:
        with said_for_copies():
            composed = source.compose()
        columns = self.check(workspace, target, composed)
        if composed.reads_service_log:
            self._service_log.flush()
        table, staged = Table(workspace.database, target.name), staging_table()
        keeps_rows = target.engine["engine"] != "Null"
        unfinished = False
        try:
            create_like(self._engine, staged, table, keeps_rows=keeps_rows)
            before = self._datasources.definition(table)
            self._fill(job, workspace, table, staged, composed, columns)
            [[rows]] = self._engine.rows(f"SELECT count() FROM {staged.sql}")
            if mode == "append" or not keeps_rows:
                self._append(job, workspace, target, staged, before, int(rows))
            else:
                self._replace(job, workspace, target, staged, before)
        except Unfinished as error:
            unfinished = True  # The staged rows are needed at the next start.
            raise ApiError(
                f"Do not run the copy again: {unfinished_sentence()}.", status=500, documentation=PIPES_PAGE
            ) from error
        finally:
            if not unfinished:
                self._loader.discard(staged)
        return int(rows)

    def _fill(
        self,
        job: RunningJob,
        workspace: Workspace,
        table: Table,
        staged: Table,
        composed: Composed,
        columns: Sequence[str],
    ) -> None:
        names = ", ".join(map(quote_identifier, columns))
        settings: dict[str, Setting] = {**OWN_SQL_SETTINGS, **composed.settings, **INSERT_SETTINGS}
        if self._loader.views(table):
            settings["optimize_on_insert"] = 0  # Views get the rows as they come.
        try:
            with self._watched(job):
                self._engine.execute(
                    f"INSERT INTO {staged.sql} ({names}) SELECT {names} FROM (\n{composed.sql}\n)",
                    database=workspace.database,
                    settings=settings,
                    parameters=composed.parameters or None,
                )
        except EngineError as error:
            if error.name == "QUERY_WAS_CANCELLED":
                raise
            raise query_error(error, "POST") from error

    def _append(
        self,
        job: RunningJob,
        workspace: Workspace,
        target: DataSourceRecord,
        staged: Table,
        before: str,
        rows: int,
    ) -> None:
        """Add the rows to the target, with what views make of them; a view that fails refuses them all."""
        with self._datasources.writing(workspace, target.id) as record:
            table = Table(workspace.database, record.name)
            self._refuse_changed(table, before, target, record)
            if not rows or not self._loader.views(table):
                job.commit()
                if rows:
                    self._loader.move(staged, table)
                return
            with self._loader.feeding(staged, table) as feeding:
                job.commit()
                feeding.move()

    def _replace(
        self, job: RunningJob, workspace: Workspace, target: DataSourceRecord, staged: Table, before: str
    ) -> None:
        """Put the rows in the place of the target's, and bring what its views fill up to date."""
        with self._datasources.replacing(workspace, target.id) as record:
            table = Table(workspace.database, record.name)
            self._refuse_changed(table, before, target, record)
            try:
                with self._loader.rebuilding(staged, table) as rebuilding:
                    job.commit()
                    rebuilding.exchange()
            except IncompatiblePartitions as error:
                raise BadRequest(
                    f"Nothing was replaced: materialized views fill '{error.table.name}', whose partitions have rows "
                    "both of those that would be replaced and of others, so it cannot follow. Give it the partition "
                    "key of the Data Source.",
                    documentation=PIPES_PAGE,
                ) from error

    def _refuse_changed(self, table: Table, before: str, target: DataSourceRecord, record: DataSourceRecord) -> None:
        """Refuse to go on when the target was altered while the rows were selected: they have its old shape."""
        if record.schema != target.schema or (
            record.name == target.name and self._datasources.definition(table) != before
        ):
            raise Conflict(
                f"The Data Source {target.name!r} was changed while the rows for it were selected, so nothing was "
                "copied. Run the copy again.",
                documentation=PIPES_PAGE,
            )

    @contextmanager
    def _watched(self, job: RunningJob) -> Iterator[None]:
        """Tell the job meanwhile how far the engine is with its statement."""
        done, telling = threading.Event(), threading.Lock()

        def watch() -> None:
            sql = (
                "SELECT max(least(read_rows / total_rows_approx, 1)) FROM system.processes "
                "WHERE endsWith(Settings['log_comment'], {job:String}) AND total_rows_approx > 0 "
                "AND query_kind = 'Insert'"
            )
            while not done.wait(_POLL_S):
                try:
                    [[part]] = self._engine.rows(sql, parameters={"job": job.record.id})
                except Exception:  # The engine ends, or the disk is full: the statement itself will say so.
                    return
                with telling:
                    if part and not done.is_set():
                        job.progress(90.0 * float(part))

        threading.Thread(target=watch, name="copy-progress", daemon=True).start()
        try:
            yield
        finally:
            with telling:  # A busy engine may be slow to tell; nobody waits for that.
                done.set()

    def _converts(self, found: str, wanted: str) -> bool:
        """Ask the engine whether an INSERT would make values of one type out of those of another."""
        if found in ("Nothing", "Nullable(Nothing)"):
            return True
        value = f"materialize(defaultValueOfTypeName({quote_string(found)}))"
        try:
            self._engine.parse(f"DESCRIBE TABLE (SELECT CAST({value}, {quote_string(wanted)}))")
        except EngineError:
            return False
        return True


@contextmanager
def said_for_copies() -> Iterator[None]:
    """Say of a table function that reads from elsewhere that it is not the place but this server that is in the way."""
    try:
        yield
    except ApiError as error:
        found = _ELSEWHERE_RE.search(error.message)
        if found is None:
            raise
        raise BadRequest(
            f"The table function {found[1]} reads from another server or from files elsewhere. The embedded Tinybird "
            "keeps such Copy Pipes but does not run them: load those rows with POST /v0/datasources (url=...) or the "
            "Events API and copy from there.",
            documentation=PIPES_PAGE,
        ) from error
