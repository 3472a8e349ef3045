"""Rows that come slowly: one thread takes them, another sends them, so that none waits for the next one to come."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import Cancelled, InvalidInput, PayloadTooLarge
from tinymagic.api.ingest.pieces import Piece, Pieces
from tinymagic.api.ingest.rows import Buffer, Writer, writers_of, written_out
from tinymagic.api.ingest.run import Run, carry_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.ingest.report import IngestReport

#: Full pieces that may wait: the generator is not asked for more rows until one of them is gone.
_MOST_WAITING = 4

#: Seconds in which an interrupt lets the rows that were taken go out; after that they are reported as not sent.
GRACE_S = 5.0


class Stream:
    """Takes rows in the caller's thread and sends them in one of its own.

    Args:
        run: sends and keeps the books; its cancellation is *cancellation*.
        cancellation: ends the request under way.
        flush_rows: a piece is sent when it has so many rows,
        flush_bytes: or so many bytes,
        flush_s: or when its first row is so many seconds old.
        skips: whether a row that cannot be written is passed over and counted as invalid.
    """

    def __init__(
        self,
        run: Run,
        cancellation: Cancellation,
        *,
        flush_rows: int,
        flush_bytes: int,
        flush_s: float,
        skips: bool = False,
    ) -> None:
        self._run = run
        self._cancellation = cancellation
        self._flush_s = flush_s
        self._skips = skips
        self._buffer = Buffer(0, flush_rows, flush_bytes)
        self._since = 0.0
        self._waiting: deque[Piece] = deque()
        self._changed = threading.Condition()
        self._over = False
        self._error: BaseException | None = None
        self._taken: Iterator[Writer] = iter(())
        self._write: Writer | None = None
        self._sender = threading.Thread(target=self._send_all, name="tinymagic-stream", daemon=True)

    def take(self, rows: Iterable[Any]) -> IngestReport:
        """Take rows until there are no more, and wait until the last one is sent.

        Raises:
            BaseException: what ended it (an interrupt, an error of the generator, a batch that failed), with the
                report in its attribute ``report``.
        """
        self._sender.start()
        unfinished = True
        try:
            for item in rows:
                self._taken = writers_of(item)
                for write in self._taken:
                    self._write = write
                    self._put(write)
            unfinished = False
            self._finish(None)
        except BaseException as error:
            try:
                self._finish(GRACE_S if error is not self._error else 0.0)
            except BaseException as another:  # A second interrupt: do not wait.
                self._give_up()
                error = another
            report = replace(self._books(error), unfinished=unfinished)
            carry_report(error, report)
            raise error from error.__cause__
        report = self._books(None)
        if self._error is not None:
            carry_report(self._error, report)
            raise self._error
        return report

    # In the caller's thread

    def _put(self, write: Writer) -> None:
        with self._changed:
            while len(self._waiting) >= _MOST_WAITING and self._error is None:
                self._changed.wait(0.2)
                self._cancellation.check()
            self._check()
            try:
                line = write(self._buffer.next_row)
                full = not self._buffer.has_room(line)
            except (InvalidInput, PayloadTooLarge) as error:
                self._flush()
                self._waiting.append(self._buffer.passed_over(error))
                self._write = None
                self._changed.notify_all()
                if not self._skips:
                    raise
                return
            if full:
                self._flush()
            if not self._buffer:
                self._since = time.monotonic()
                self._changed.notify_all()
            self._buffer.add(line)
            self._write = None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        self._cancellation.check()

    def _flush(self) -> None:
        if self._buffer:
            self._waiting.append(self._buffer.taken())
            self._changed.notify_all()

    def _finish(self, seconds: float | None) -> None:
        """Let what was taken go out, for so many seconds at most."""
        with self._changed:
            if seconds != 0.0 and self._error is None:
                self._flush()
            self._over = True
            self._changed.notify_all()
        late = None if seconds is None else time.monotonic() + seconds
        while self._sender.is_alive() and (late is None or time.monotonic() < late):
            # In small steps: a thread that is waited for without end cannot be interrupted everywhere.
            self._sender.join(0.2)
        if self._sender.is_alive():
            self._give_up()

    def _give_up(self) -> None:
        self._cancellation.cancel()
        self._sender.join(GRACE_S)

    def _books(self, error: BaseException | None) -> IngestReport:
        with self._changed:
            # The row that was about to go into a batch, and those behind it of the same table.
            taken = itertools.chain([self._write] if self._write is not None else [], self._taken)
            left = [*self._waiting, *written_out(self._buffer, taken)]
            self._waiting.clear()
        if left:
            self._run.set_aside(Pieces(left))
        report = self._run.finished(error)
        return replace(report, interrupted=report.interrupted or isinstance(error, (KeyboardInterrupt, Cancelled)))

    # In the sender's thread

    def _send_all(self) -> None:
        while (piece := self._next()) is not None:
            try:
                self._run.send(piece)
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return

    def _next(self) -> Piece | None:
        """Wait for a piece that is full or old enough; ``None`` when there will be none."""
        with self._changed:
            while True:
                if self._waiting:
                    self._changed.notify_all()
                    return self._waiting.popleft()
                if self._over:
                    return None
                age = time.monotonic() - self._since if self._buffer else 0.0
                if self._buffer and age >= self._flush_s:
                    return self._buffer.taken()
                self._changed.wait(self._flush_s - age if self._buffer else None)
