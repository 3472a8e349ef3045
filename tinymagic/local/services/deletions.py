"""Deleting rows by a condition: by rewriting parts in a job, or by marking rows (``datasources.md`` section 4.4)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tinymagic.local.copying.turns import Turns
from tinymagic.local.engine import EngineError, quote_string
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.ingest.imports import DATASOURCES_PAGE, plain_reason
from tinymagic.local.ingest.loader import Table

from .running_job import WHEN_INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import DataSourceRecord, JobRecord, Workspace

    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .operations import OperationsLog
    from .running_job import RunningJob

#: How often a deletion is asked how far it is, seconds.
_POLL_S = 0.05

_PROJECTION_MODES = ("throw", "drop", "rebuild")

_SOME_ARE_GONE = "Some of the rows may be deleted already, and no more of them will be; start it again for the others."


class Deletions:
    """Deletes rows of Data Sources."""

    def __init__(self, datasources: DataSourcesService, jobs: JobsService, operations: OperationsLog) -> None:
        self._datasources = datasources
        self._engine = datasources.engine
        self._expressions = datasources.expressions
        self._jobs = jobs
        self._watched = operations.watched
        self._turns = Turns()

    def count_rows(self, workspace: Workspace, name_or_id: str, condition: str) -> int:
        """Return how many rows a deletion would remove (``dry_run``).

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: the condition cannot be used.
        """
        record = self._datasources.record(workspace, name_or_id)
        return self._count(workspace, record, self._condition(record, condition))

    def start_deletion(self, access: Access, name_or_id: str, condition: str) -> JobRecord:
        """Delete rows in a job, by rewriting the parts that hold them.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: the condition cannot be used.
        """
        workspace = access.workspace
        record = self._datasources.record(workspace, name_or_id)
        checked = self._condition(record, condition)
        self._count(workspace, record, checked)
        return self._deletion_job(
            access, record, condition, lambda job: self._delete(job, workspace, record.id, checked)
        )

    def start_lightweight_deletion(self, access: Access, name_or_id: str, options: Mapping[str, str]) -> JobRecord:
        """Delete rows in a job by marking them (``/v1``). *options* as for `delete_lightweight`."""
        workspace = access.workspace
        record = self._datasources.record(workspace, name_or_id)
        statement = self._lightweight(workspace, record, options)

        def work(job: RunningJob) -> None:
            job.commit()
            reply = self._run_lightweight(workspace, record.id, statement)
            job.update(rows_affected=reply["rows_affected"], mutation=reply["mutation"])

        return self._deletion_job(access, record, options.get("delete_condition", ""), work)

    def delete_lightweight(self, workspace: Workspace, name_or_id: str, options: Mapping[str, str]) -> dict[str, Any]:
        """Delete rows by marking them and return how many.

        Args:
            workspace: where.
            name_or_id: which.
            options: ``delete_condition``; ``partition``, an expression; ``projection_mode``.

        Raises:
            NotFound: there is no such Data Source.
            BadRequest: an option cannot be used.
        """
        record = self._datasources.record(workspace, name_or_id)
        return self._run_lightweight(workspace, record.id, self._lightweight(workspace, record, options))

    # Steps

    def _condition(self, record: DataSourceRecord, text: str) -> str:
        if not text.strip():
            raise BadRequest(
                "The parameter 'delete_condition' is missing: it says which rows to delete, for instance "
                "delete_condition=country='ES'.",
                documentation=DATASOURCES_PAGE,
            )
        if record.engine["engine"] == "Null":
            raise BadRequest("Rows cannot be deleted: the engine Null keeps none.", documentation=DATASOURCES_PAGE)
        return self._expressions.checked(text, "delete_condition")

    def _count(self, workspace: Workspace, record: DataSourceRecord, checked: str) -> int:
        try:
            table = Table(workspace.database, record.name)
            [[count]] = self._engine.rows(f"SELECT countIf(ifNull({checked}, 0)) FROM {table.sql}")
        except EngineError as error:
            raise BadRequest(
                f"The delete_condition cannot be used: {plain_reason(error.message)} ({error.name})",
                documentation=DATASOURCES_PAGE,
            ) from error
        return int(count)

    def _deletion_job(self, access: Access, record: DataSourceRecord, condition: str, work: Any) -> JobRecord:
        return self._jobs.start(
            access.workspace,
            "delete_data",
            work,
            access=access,
            datasource=record,
            details={"datasource": {"id": record.id, "name": record.name}, "delete_condition": condition},
            internals={WHEN_INTERRUPTED: _SOME_ARE_GONE},
        )

    def _delete(self, job: RunningJob, workspace: Workspace, record_id: str, condition: str) -> None:
        """Have the engine rewrite the parts; a mutation cannot be undone, so the job cannot be cancelled from there."""
        # One after the other: of two mutations that are begun at the same moment the engine (26.9) leaves one out in
        # some parts, and says of both that they are done.
        # Appends go on meanwhile. What copies the rows waits, as it would copy those that are not deleted yet.
        with (
            self._turns.turn(record_id, job.check),
            self._datasources.writing(workspace, record_id) as record,
            self._watched(workspace, "delete", record) as note,
        ):
            table = Table(workspace.database, record.name)
            count = self._count(workspace, record, condition)
            note.update(rows=count, job_id=job.record.id)
            job.commit()
            if count:
                self._engine.execute(f"ALTER TABLE {table.sql} DELETE WHERE {condition} SETTINGS mutations_sync = 0")
            while count and (left := self._parts_left(table)) is not None:
                total = max(left, int(job.record.details.get("parts", left)) or 1)
                job.update(parts=total, progress_percentage=round(100 * (total - left) / total, 1))
                time.sleep(_POLL_S)
            described = self._datasources.get(workspace, record_id)
        job.update(rows_affected=count, statistics=described["statistics"])

    def _parts_left(self, table: Table) -> int | None:
        """Return how many parts are to be rewritten; ``None`` when all are done.

        Raises:
            BadRequest: the engine says that it cannot do it. It has been told not to go on trying.
        """
        mine = f"database = {quote_string(table.database)} AND table = {quote_string(table.name)} AND NOT is_done"
        sql = "SELECT parts_to_do, latest_fail_reason FROM system.mutations"
        rows = self._engine.rows(f"{sql} WHERE {mine} ORDER BY latest_fail_reason DESC, create_time DESC LIMIT 1")
        if not rows:
            return None
        left, reason = rows[0]
        if reason:
            self._engine.execute(f"KILL MUTATION WHERE {mine} AND latest_fail_reason != ''")
            raise BadRequest(
                f"The rows could not be deleted, or not all of them: {plain_reason(str(reason))}",
                documentation=DATASOURCES_PAGE,
            )
        return int(left)

    def _lightweight(
        self, workspace: Workspace, record: DataSourceRecord, options: Mapping[str, str]
    ) -> tuple[str, str, str, str]:
        """Check the options; return condition, partition, the partition as a tuple, and settings, as SQL."""
        checked = self._condition(record, options.get("delete_condition", ""))
        if flag(options, "dry_run"):
            raise BadRequest(
                "dry_run cannot be used with a lightweight delete; POST /v0/datasources/{name}/delete has it."
            )
        self._count(workspace, record, checked)
        partition = options.get("partition", "").strip()
        value = ""
        if partition:
            is_tuple = self._expressions.type_of_value(partition, "partition").startswith("Tuple(")
            partition = self._expressions.checked(partition, "partition")
            value = partition if is_tuple else f"tuple({partition})"
        mode = options.get("projection_mode", "").strip().lower()
        if mode and mode not in _PROJECTION_MODES:
            raise BadRequest(f"projection_mode must be one of {', '.join(_PROJECTION_MODES)}, not {mode!r}.")
        settings = "lightweight_deletes_sync = 2, mutations_sync = 2"
        if mode:
            settings += f", lightweight_mutation_projection_mode = {quote_string(mode)}"
        return checked, partition, value, settings

    def _run_lightweight(
        self, workspace: Workspace, record_id: str, statement: tuple[str, str, str, str]
    ) -> dict[str, Any]:
        condition, partition, value, settings = statement
        with (
            self._datasources.changing(workspace, record_id) as record,
            self._watched(workspace, "delete", record) as note,
        ):
            table = Table(workspace.database, record.name)
            where = f"ifNull({condition}, 0)"
            place = f" IN PARTITION {partition}" if partition else ""
            try:
                scope = f" AND _partition_value = {value}" if partition else ""
                sql = f"SELECT count(), uniqExact(_partition_id) FROM {table.sql} WHERE {where}{scope}"
                [[count, partitions]] = self._engine.rows(sql)
                if count:
                    self._engine.execute(f"DELETE FROM {table.sql}{place} WHERE {condition} SETTINGS {settings}")
            except EngineError as error:
                raise BadRequest(
                    f"The rows cannot be deleted: {plain_reason(error.message)} ({error.name})",
                    documentation=DATASOURCES_PAGE,
                ) from error
            note.update(rows=int(count))
        done = int(partitions)
        mutation = {"partitions_scanned": done, "partitions_done": done, "partitions_in_progress": 0}
        return {"rows_affected": int(count), "mutation": mutation}
