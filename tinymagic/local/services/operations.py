"""What was done to Data Sources: rows of ``tinybird.datasources_ops_log`` and ``tinybird.block_log``."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError
from tinymagic.local.records import now

from .running_job import JobCancelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.local.ingest.loader import LoadReport
    from tinymagic.local.records import DataSourceRecord, Workspace

#: What a note says in columns of their own; everything else in it becomes an option.
_COLUMNS = ("rows", "job_id", "pipe_id", "pipe_name", "written_rows")


class OperationsLog:
    """Notes operations.

    Args:
        service_log: where rows of service Data Sources go; ``None`` in small tests.
    """

    def __init__(self, service_log: Any) -> None:
        self._service_log = service_log

    def noted(
        self,
        workspace: Workspace,
        event_type: str,
        record: DataSourceRecord | None,
        *,
        name: str = "",
        elapsed_s: float = 0.0,
        error: str = "",
        options: Mapping[str, str] | None = None,
        **columns: Any,
    ) -> None:
        """Note one operation.

        Args:
            workspace: where it happened.
            event_type: ``create``, ``append``, ``append-hfi``, ``replace``, ``delete``, ``truncate``, ``rename``,
                ``alter`` or ``exchange``.
            record: the Data Source, if it exists.
            name: of the Data Source when there is no *record*.
            elapsed_s: seconds that it took.
            error: why it failed; empty when it did not.
            options: names and values for ``Options``.
            **columns: further columns.
        """
        if self._service_log is None:
            return
        chosen = options or {}
        self._service_log.add(
            "datasources_ops_log",
            workspace.id,
            {
                "timestamp": now()[:19],
                "event_type": event_type,
                "datasource_id": record.id if record else "",
                "datasource_name": record.name if record else name,
                "result": "error" if error else "ok",
                "elapsed_time": elapsed_s,
                "error": error or None,
                "Options.Names": list(chosen),
                "Options.Values": list(chosen.values()),
                "operation_id": columns.pop("operation_id", None) or str(uuid.uuid4()),
                **columns,
            },
        )

    @contextmanager
    def watched(self, workspace: Workspace, event_type: str, record: DataSourceRecord) -> Iterator[dict[str, Any]]:
        """Note an operation, and whether it failed. What the block puts into the dict becomes options or columns."""
        begin = time.perf_counter()
        note: dict[str, Any] = {}
        error = ""
        try:
            yield note
        except (ApiError, EngineError) as failure:
            error = failure.message
            raise
        except JobCancelled:
            error = "The job was cancelled."
            raise
        except Exception:
            error = "The server could not do it."
            raise
        finally:
            columns = {key: note.pop(key) for key in _COLUMNS if key in note}
            self.noted(
                workspace,
                event_type,
                record,
                elapsed_s=time.perf_counter() - begin,
                error=error,
                options={key: str(value) for key, value in note.items()},
                **columns,
            )

    def failed(
        self,
        workspace: Workspace,
        mode: str,
        record: DataSourceRecord | None,
        name: str,
        error: str,
        elapsed_s: float,
        import_id: str,
    ) -> None:
        """Note an import that stored nothing."""
        self.noted(workspace, mode, record, name=name, elapsed_s=elapsed_s, error=error, import_id=import_id)

    def imported(
        self,
        workspace: Workspace,
        mode: str,
        record: DataSourceRecord,
        report: LoadReport,
        *,
        elapsed_s: float,
        import_id: str,
        job_id: str | None,
        source: str,
        size_bytes: int,
    ) -> None:
        """Note an import that ended well.

        Args:
            workspace: where it happened.
            mode: ``create``, ``append`` or ``replace``.
            record: the Data Source.
            report: what became of the rows.
            elapsed_s: seconds of the whole.
            import_id: of the import.
            job_id: of its job, when it had one.
            source: URL or name of the file.
            size_bytes: of the file, uncompressed; 0 when there was none.
        """
        self.noted(
            workspace,
            mode,
            record,
            elapsed_s=elapsed_s,
            import_id=import_id,
            job_id=job_id,
            operation_id=import_id,
            rows=report.stored,
            rows_quarantine=report.quarantined,
            written_rows=report.stored,
            written_rows_quarantine=report.quarantined,
            written_bytes=size_bytes,
            blocks_ids=[import_id] if size_bytes else [],
        )
        if self._service_log is None or not size_bytes:
            return
        self._service_log.add(
            "block_log",
            workspace.id,
            {
                "timestamp": now()[:19],
                "import_id": import_id,
                "job_id": job_id,
                "source": source,
                "block_id": import_id,
                "status": "done",
                "datasource_id": record.id,
                "datasource_name": record.name,
                "start_offset": 0,
                "end_offset": size_bytes,
                "rows": min(report.stored, 2**31 - 1),
                "parser": "clickhouse",
                "quarantine_lines": report.quarantined,
                "empty_lines": 0,
                "bytes": min(size_bytes, 2**32 - 1),
                "processing_time": elapsed_s,
            },
        )
