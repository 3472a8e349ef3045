"""The Events API: small and large batches of JSON into Data Sources (``events.md``).

A request is answered when its rows are written, with ``wait`` and without. Requests for one Data Source that arrive
together are written together (`group_commit.py`, `event_writer.py`). What waits is bounded by requests and by bytes;
whoever comes when the room is full is told to come again (503).
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import ApiError, BadRequest, Conflict, Forbidden, NotFound
from tinymagic.local.events.event_bodies import EVENTS_PAGE, EventBody
from tinymagic.local.events.event_fields import MOST_FIELDS
from tinymagic.local.events.event_writer import EventTable, EventWriter, Written
from tinymagic.local.events.group_commit import GroupCommit
from tinymagic.local.events.intake import Intake, NoRoom, Share
from tinymagic.local.files.inference import SAMPLE_BYTES, infer_ndjson
from tinymagic.local.ingest.loader import Table
from tinymagic.local.tables.definition import check_width, define_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.limits import Limits
    from tinymagic.local.records import DataSourceRecord, Workspace
    from tinymagic.local.tables.schema import Column

    from .datasources import DataSourcesService

#: What may be in the server's hands at a time.
MOST_REQUESTS = 1_000
MOST_BYTES = 200_000_000

#: What one insert takes, and for how many Data Sources at a time: most of them may be waiting for a replace to end.
_GROUP_REQUESTS = 500
_GROUP_BYTES = 10_000_000
_WORKERS = 32

#: How often a Data Source is looked for, or made, that others make and drop.
_TRIES = 5

#: Data Sources whose schema is kept in its derived form.
_MOST_TABLES = 500

#: Key of a record's settings.
NEW_COLUMNS = "new_columns_detected"


@dataclass(frozen=True)
class _Batch:
    """One request on its way."""

    access: Access
    datasource_id: str
    body: EventBody

    @property
    def size_bytes(self) -> int:
        return len(self.body.lines)


class EventsService:
    """Rules of the Events API.

    Args:
        engine: where the tables are.
        catalog: what exists.
        limits: ``events_bytes`` holds before and after decompression.
        datasources: makes what is missing, and keeps away who replaces or drops.
        service_log: gets a row for each write; ``None`` for none.
    """

    def __init__(
        self, engine: Engine, catalog: Catalog, limits: Limits, datasources: DataSourcesService, service_log: Any
    ) -> None:
        self.limits = limits
        self._catalog = catalog
        self._datasources = datasources
        self._service_log = service_log
        self._writer = EventWriter(engine, datasources.loader, datasources.spool)
        self._groups: GroupCommit[_Batch, Written] = GroupCommit(
            self._write, workers=_WORKERS, most_items=_GROUP_REQUESTS, most_bytes=_GROUP_BYTES
        )
        self._intake = Intake(MOST_REQUESTS, MOST_BYTES)
        self._tables: dict[str, tuple[str, EventTable]] = {}

    def close(self) -> None:
        """Write what waits."""
        self._groups.close()

    @contextmanager
    def room(self, size_bytes: int) -> Iterator[Share]:
        """Keep room for a request while it is received and written.

        Raises:
            ApiError: 503, there is none (any more).
        """
        try:
            with self._intake.share(size_bytes) as share:
                yield share
        except NoRoom:
            raise ApiError(
                "The server has as many events in hand as it can hold, so these were not taken. Send them again in a "
                "moment.",
                status=503,
                documentation=EVENTS_PAGE,
                headers={"Retry-After": "1"},
            ) from None

    def target(self, access: Access, name_or_id: str) -> DataSourceRecord | None:
        """Find the Data Source, or ``None`` when the token may have it made.

        Raises:
            BadRequest: there is no name, or a new Data Source cannot be called so.
            Forbidden: the token may not append to it.
            NotFound: it does not exist, and the token may not create it.
        """
        if not name_or_id:
            raise BadRequest(
                "The request does not say which Data Source the events are for: add the parameter 'name'.",
                documentation=EVENTS_PAGE,
            )
        record = self._catalog.datasource(access.workspace.id, name_or_id)
        if record is not None:
            access.require("DATASOURCES:APPEND", record.name)
            return record
        if self._datasources.shared(access.workspace, name_or_id):
            raise Forbidden(
                f"Data Source {name_or_id!r} belongs to another workspace: it can be read here, not written."
            )
        if access.allows("DATASOURCES:CREATE"):
            try:
                self._datasources.new_name(access.workspace, name_or_id)
            except Conflict:  # Another request has just made it.
                return self._catalog.datasource(access.workspace.id, name_or_id)
            return None
        if access.allows("DATASOURCES:APPEND", name_or_id):
            raise NotFound(
                f"Data Source {name_or_id!r} does not exist, and the token may not create it: that needs the scope "
                "DATASOURCES:CREATE or ADMIN.",
                documentation=EVENTS_PAGE,
            )
        raise Forbidden(
            f"The token has not enough permissions for this: it needs the scope DATASOURCES:APPEND:{name_or_id[:200]}, "
            "DATASOURCES:CREATE or ADMIN."
        )

    def send(self, access: Access, name_or_id: str, body: EventBody) -> Future[Written]:
        """Have the rows of a request written; the future is done when they are.

        Raises:
            BadRequest: there is no JSON object to make a new Data Source from.
            Forbidden, NotFound: see `target`.
        """
        if not body.rows:
            # The vendor's older Python SDK sends its buffer every second, full or empty.
            self.target(access, name_or_id)
            return _done(Written(0))
        for _ in range(_TRIES):
            record = self.target(access, name_or_id)
            if record is not None:
                return self._groups.submit(record.id, _Batch(access, record.id, body))
            try:
                return self._created(access, name_or_id, body)
            except Conflict:  # Another request was quicker.
                continue
        raise NotFound(
            f"Data Source {name_or_id!r} is made and dropped by others all the time. Nothing was stored; send the "
            "events again.",
            documentation=EVENTS_PAGE,
        )

    def note_refusal(self, access: Access, name_or_id: str, *, received_bytes: int, status: int) -> None:
        """Note a request that was not carried out; nothing happens when its Data Source is not known."""
        record = self._catalog.datasource(access.workspace.id, name_or_id) if name_or_id else None
        if record is not None and self._service_log is not None:
            row = {"datasource_id": record.id, "error_requests": 1, "bytes_received": received_bytes}
            self._note("hfi_requests", access.workspace, {**row, "rate_limited": int(status == 429)})

    def _created(self, access: Access, name: str, body: EventBody) -> Future[Written]:
        """Make a Data Source that the events fit, with the events in it."""
        begin = time.perf_counter()
        definition = define_table(_columns(name, body), {}, self._datasources.expressions)
        results: list[Written | Exception] = []

        def fill(record: DataSourceRecord, staged: Table) -> None:
            written, _ = self._writer.write(staged, EventTable(record), [body])
            results.extend(written)
            if isinstance(written[0], Exception):
                raise written[0]

        record = self._datasources.create(access.workspace, name, definition, type="ndjson", fill=fill)
        self._note_group(record, [_Batch(access, record.id, body)], results, time.perf_counter() - begin)
        assert isinstance(results[0], Written)
        return _done(results[0])

    def _write(self, batches: Sequence[_Batch]) -> list[Written | Exception]:
        """Write one group; all of its batches are for one Data Source."""
        begin = time.perf_counter()
        access = batches[0].access
        with self._datasources.writing(access.workspace, batches[0].datasource_id) as record:
            table = self._table(record)
            target = Table(access.workspace.database, record.name)
            results, fields = self._writer.write(target, table, [batch.body for batch in batches])
            if fields:
                self._remember(record, fields)
        self._note_group(record, batches, results, time.perf_counter() - begin)
        return results

    def _table(self, record: DataSourceRecord) -> EventTable:
        kept = self._tables.pop(record.id, None)
        shape = f"{record.engine} {record.schema}"  # An exchange changes both.
        if kept is None or kept[0] != shape:
            kept = (shape, EventTable(record))
        self._tables[record.id] = kept
        while len(self._tables) > _MOST_TABLES:
            self._tables.pop(next(iter(self._tables)), None)
        return kept[1]

    def _remember(self, record: DataSourceRecord, fields: dict[str, str]) -> None:
        """Add new fields to what the Data Source tells about itself, if they are new to it."""
        with self._catalog.transaction():
            now = self._catalog.datasource(record.workspace_id, record.id)
            if now is None:
                return
            known = dict(now.settings.get(NEW_COLUMNS, {}))
            new = {name: type_ for name, type_ in fields.items() if name not in known}
            if new and len(known) < MOST_FIELDS:
                settings = {**now.settings, NEW_COLUMNS: {**known, **new}}
                self._catalog.update_datasource(replace(now, settings=settings))

    # Notes

    def _note_group(
        self,
        record: DataSourceRecord,
        batches: Sequence[_Batch],
        results: Sequence[Written | Exception],
        seconds: float,
    ) -> None:
        if self._service_log is None:
            return
        workspace = batches[0].access.workspace
        written = [result for result in results if isinstance(result, Written)]
        rows = sum(each.successful for each in written)
        quarantined = sum(each.quarantined for each in written)
        stored = [batch for batch, result in zip(batches, results, strict=True) if isinstance(result, Written)]
        size = sum(batch.body.size_bytes for batch in stored)
        view_error = next((each.view_error for each in written if each.view_error), "")
        failed = [result for result in results if isinstance(result, Exception)]
        error = view_error or (str(failed[0]) if failed else None)
        self._note(
            "hfi_requests",
            workspace,
            {
                "datasource_id": record.id,
                "successful_requests": len(written),
                "rows_total": rows + quarantined,
                "rows_successful": rows,
                "rows_quarantined": quarantined,
                # A request that failed is noted when it is answered (`note_refusal`).
                "bytes_received": sum(batch.body.received_bytes for batch in stored),
                "bytes_decompressed": size,
                "ch_written_rows": rows,
                "ch_written_bytes": size,
                "tokens": sorted({batch.access.token.name for batch in batches}),
            },
        )
        self._note(
            "datasources_ops_log",
            workspace,
            {
                "event_type": "append-hfi",
                "datasource_id": record.id,
                "datasource_name": record.name,
                "result": "error" if error else "ok",
                "elapsed_time": seconds,
                "error": error,
                "rows": rows,
                "rows_quarantine": quarantined,
                "written_rows": rows,
                "written_bytes": size,
                "written_rows_quarantine": quarantined,
            },
        )

    def _note(self, table: str, workspace: Workspace, row: dict[str, Any]) -> None:
        self._service_log.add(table, workspace.id, row)


def _done(written: Written) -> Future[Written]:
    future: Future[Written] = Future()
    future.set_result(written)
    return future


def _columns(name: str, body: EventBody) -> list[Column]:
    """Guess the columns of a new Data Source.

    Raises:
        BadRequest: there is nothing to guess from.
    """
    trouble = f"The Data Source {name!r} does not exist, and it cannot be created"
    try:
        inferred = infer_ndjson(body.lines[:SAMPLE_BYTES], whole=len(body.lines) <= SAMPLE_BYTES)
    except ValueError as error:
        raise BadRequest(
            f"{trouble}: no line of the body is a JSON object with fields. Send one object a line, or add format=json "
            "for an object that spans lines.",
            documentation=EVENTS_PAGE,
        ) from error
    check_width(len(inferred), trouble)
    return [column.column for column in inferred]
