"""All pieces of a source, one after the other; whatever ends the work, every row is in the report."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tinymagic.api.errors import Cancelled, InvalidInput, PayloadTooLarge, TinybirdError
from tinymagic.api.http.replies import RateLimit
from tinymagic.api.http.retries import asked_wait_s
from tinymagic.api.ingest.fates import fate_of, is_lasting
from tinymagic.api.ingest.pieces import Piece, Pieces, Source
from tinymagic.api.ingest.reasons import moment_of, with_reasons
from tinymagic.api.ingest.report import Batch, IngestReport, folded, numbered
from tinymagic.api.ingest.rows import Rows
from tinymagic.api.ingest.watch import Told, Watch
from tinymagic.api.progress import Progress

if TYPE_CHECKING:
    from datetime import datetime

    from tinymagic.api.datasource_results import ImportReport
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.transport import Transport
    from tinymagic.api.ingest.carriers import Carrier
    from tinymagic.api.ingest.report import Way
    from tinymagic.api.progress import OnProgress

OnFailure = Literal["stop", "continue"]

#: Bytes of failed batches that have no other copy and are kept; beyond, the work stops.
MOST_KEPT_BYTES = 256_000_000

#: A window of requests that is longer than this is not waited for in advance.
_LONGEST_PAUSE_S = 60.0


class Run:
    """Sends pieces and keeps the books.

    Args:
        transport: for waits that are told and for redaction.
        carrier: sends one piece.
        name: of the Data Source.
        via: how the rows travel.
        on_failure: ``stop`` at the first batch that fails, or ``continue`` with the next one where that can help.
        on_progress: told how many rows (``unit="rows"``) or bytes (``unit="B"``) are dealt with.
        unit: which of them.
        cancellation: ends the work from another thread.
    """

    def __init__(
        self,
        transport: Transport,
        carrier: Carrier,
        *,
        name: str,
        via: Way,
        on_failure: OnFailure = "stop",
        on_progress: OnProgress | None = None,
        unit: Literal["rows", "B"] = "rows",
        cancellation: Cancellation | None = None,
        waited: bool = True,
    ) -> None:
        if on_failure not in ("stop", "continue"):
            raise InvalidInput(f"on_failure is 'stop' or 'continue', not {on_failure!r}.")
        self._transport = transport
        self._carrier = carrier
        self._name = name
        self._via: Way = via
        self._goes_on = on_failure == "continue"
        self._on_progress = on_progress
        self._unit = unit
        self._cancellation = cancellation
        self._waited = waited
        self._total: int | None = None
        self._done = 0
        self._kept_bytes = 0
        self._pause_s: float | None = None
        self._started: float | None = None
        self._unfinished = False
        self.batches: list[Batch] = []
        self.reply: ImportReport | None = None
        #: When the first piece set out, by the service's clock; ``None`` until it is known.
        self.since: datetime | None = None

    def run(self, source: Source) -> IngestReport:
        """Send all pieces.

        Raises:
            BaseException: whatever ended the work, with the report in its attribute ``report``.
        """
        if self._on_progress is not None:
            self._total = source.rest_rows() if self._unit == "rows" else source.rest_bytes() or None
        try:
            for piece in source.pieces():
                self.send(piece)
        except BaseException as error:
            self._unfinished = isinstance(source, Rows) and not source.exhausted
            self.set_aside(source)
            carry_report(error, self.report(error))
            raise
        return self.finished()

    def finished(self, error: BaseException | None = None) -> IngestReport:
        """Return the books at the end, with the reasons of rows in the quarantine unless *error* ended the work."""
        report = self.report(error)
        return report if error is not None else with_reasons(report, self._transport, since=self.since)

    def set_aside(self, source: Source) -> None:
        """Note what was not sent, with the way to send it."""
        row = self._next_row()
        rest = source.rest(row)
        if rest is not None:
            self.batches.append(Batch(0, row, rest.rest_rows(), rest.rest_bytes(), "not sent", source=rest))

    def _next_row(self) -> int:
        ends = [batch.first_row + (batch.rows or 0) + (batch.rows is None) for batch in self.batches[-2:]]
        return max(ends, default=0)

    def send(self, piece: Piece) -> None:
        """Send one piece and note what became of it.

        Raises:
            TinybirdError: it failed, and the work is to stop.
        """
        if piece.error is not None:
            # The row cannot be written; there is nothing to send again.
            self._note(Batch(0, piece.first_row, 1, 0, "answered", invalid=1, error=str(piece.error)))
            return
        if self._cancellation is not None:
            self._cancellation.check()
        self._keep_pace()
        if self._started is None:
            self._started = time.monotonic()
        watch = Watch(self._carrier.events, self._transport.redact)
        try:
            told = self._carrier.carry(piece, watch, self._byte_progress())
        except BaseException as error:
            if isinstance(error, PayloadTooLarge) and piece.cut is not None and (piece.rows or 0) > 1:
                self._send_halves(piece)
                return
            self._note_failure(piece, watch, error)
            return
        self._answered(piece, watch, told)

    def _send_halves(self, piece: Piece) -> None:
        """Send a piece that was too large in two, each of them likewise."""
        assert piece.rows is not None  # asked before
        middle = piece.rows // 2
        first, second = piece.part(0, middle), piece.part(middle, piece.rows)
        try:
            self.send(first)
        except BaseException:
            self.batches.append(self._batch(second, "not sent", source=Pieces([second])))
            raise
        self.send(second)

    def _answered(self, piece: Piece, watch: Watch, told: Told) -> None:
        self.reply = told.reply or self.reply
        if self.since is None and self._started is not None:
            self.since = moment_of(watch.headers, time.monotonic() - self._started)
        self._plan_pause(watch)
        batch = self._batch(piece, "answered", attempts=watch.attempts)
        self._note(with_counts(batch, told))

    def _note_failure(self, piece: Piece, watch: Watch, error: BaseException) -> None:
        """Note a failure, and raise it unless the work goes on."""
        if watch.told is not None and isinstance(error, TinybirdError):
            self.reply = watch.told.reply or self.reply
            batch = with_counts(self._batch(piece, "answered", attempts=watch.attempts), watch.told)
            self._note(replace(batch, error=str(error), status=error.status))
            if not self._goes_on:
                raise error
            return
        fate = fate_of(error, events=self._carrier.events, under_way=watch.under_way)
        if watch.job_id is not None:
            # A job was begun: whatever it is that failed, some of its work may be done.
            fate = "unknown"
        batch = self._batch(piece, fate, attempts=watch.attempts, source=Pieces([_kept(piece)]))
        status = getattr(error, "status", None)
        words = self._transport.redact(str(error)) or type(error).__name__
        self._note(replace(batch, rows=piece.counted(), status=status, error=words, job_id=watch.job_id))
        self._kept_bytes += piece.upload.size_bytes if piece.again is None else 0
        stops = not self._goes_on or not isinstance(error, TinybirdError) or is_lasting(error)
        if stops or self._kept_bytes > MOST_KEPT_BYTES:
            raise error

    def _batch(
        self, piece: Piece, outcome: Literal["answered", "failed", "unknown", "not sent"], **more: object
    ) -> Batch:
        made = Batch(0, piece.first_row, piece.rows, piece.upload.size_bytes, outcome)
        return replace(made, **more)  # type: ignore[arg-type]

    def _note(self, batch: Batch) -> None:
        self.batches = folded([*self.batches, batch]) if len(self.batches) > 9_999 else [*self.batches, batch]
        if self._on_progress is None:
            return
        self._done += (batch.rows or 0) if self._unit == "rows" else batch.bytes
        self._on_progress(Progress(min(self._done, self._total or self._done), self._total, self._unit))

    def _byte_progress(self) -> OnProgress | None:
        """Return what a carrier tells its bytes to, counted on behind the pieces before."""
        told = self._on_progress
        if told is None or self._unit == "rows":
            return None
        done, total = self._done, self._total

        def tell(news: Progress) -> None:
            told(Progress(min(done + news.done, total or float("inf")), total, "B"))

        return tell

    # Rate limits

    def _plan_pause(self, watch: Watch) -> None:
        """Remember that the window of requests is used up, so that the next one is not refused."""
        if RateLimit.of(watch.headers).remaining == 0:
            self._pause_s = asked_wait_s(watch.headers)

    def _keep_pace(self) -> None:
        pause, self._pause_s = self._pause_s, None
        if not pause or pause > _LONGEST_PAUSE_S:
            return
        if self._transport.on_wait is not None:
            self._transport.on_wait(pause, "the service takes no more requests until then (X-RateLimit-Remaining: 0)")
        if self._cancellation is not None:
            self._cancellation.wait(pause)
        else:
            time.sleep(pause)

    def report(self, error: BaseException | None = None) -> IngestReport:
        """Return the books as they stand."""
        return IngestReport(
            self._name,
            self._via,
            numbered(self.batches),
            interrupted=isinstance(error, (Cancelled, KeyboardInterrupt)),
            waited=self._waited,
            unfinished=self._unfinished,
            reply=self.reply,
            carrier=self._carrier,
        )


def with_counts(batch: Batch, told: Told) -> Batch:
    """Return *batch* with the counts of the service, as far as they can be.

    A count that is missing and follows from the others is taken from them; counts that are more than there are rows
    are not believed: then it is not known how many rows were stored.
    """
    stored, quarantined, invalid = told.stored, told.quarantined, told.invalid or 0
    rows = batch.rows
    if rows is None and stored is not None:
        rows = stored + (quarantined or 0) + invalid
    if stored is None and rows is not None and quarantined is not None and not told.error:
        stored = rows - quarantined - invalid
    counts = (stored or 0, quarantined or 0, invalid)
    if min(counts) < 0 or (rows is not None and sum(counts) > rows):
        counts = (0, 0, 0)
    return replace(
        batch,
        rows=rows,
        stored=counts[0],
        quarantined=counts[1],
        invalid=counts[2],
        status=told.status,
        error=told.error,
        import_id=told.import_id,
        job_id=told.job_id,
    )


def _kept(piece: Piece) -> Piece:
    """Return the piece as it is kept for later: without data in memory where it can be made anew."""
    if piece.again is None:
        return piece
    return replace(piece, upload=replace(piece.upload, open=_gone, frame=None))


def _gone() -> Any:
    raise InvalidInput("The data of this batch is made anew before it is sent.")


def carry_report(error: BaseException, report: IngestReport) -> None:
    """Put *report* into the attribute ``report`` of *error*."""
    with contextlib.suppress(AttributeError, TypeError):
        error.report = report  # type: ignore[attr-defined]
