"""The Events API, ``/v0/events``: rows as JSON, small or many, a batch a request (``events.md``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tinymagic.api.errors import InvalidInput
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.limits import check_events
from tinymagic.api.http.request import Request
from tinymagic.api.ingest.carriers import EVENTS_PATH, EventsCarrier
from tinymagic.api.ingest.fields import compresses
from tinymagic.api.ingest.plan import EVENTS_BATCH_BYTES, is_url, plan_of
from tinymagic.api.ingest.resume import resumed
from tinymagic.api.ingest.run import OnFailure, Run
from tinymagic.api.ingest.stream import Stream
from tinymagic.api.reading import count, frozen
from tinymagic.api.resource import Resource

if TYPE_CHECKING:
    from tinymagic.api.ingest.report import IngestReport
    from tinymagic.api.progress import OnProgress

#: ``auto``: gzip, except to this machine.
Compression = Literal["auto", "gzip", "none"]


@dataclass(frozen=True)
class EventsReply:
    """The reply to one request (``events.md`` section 4); ``None`` for a count that it does not tell.

    Attributes:
        successful_rows: stored; without ``wait`` only read.
        quarantined_rows: that do not fit the schema.
        status: 200 when the rows are stored, 202 when they will be.
        raw: the whole reply.
    """

    successful_rows: int | None
    quarantined_rows: int | None
    status: int
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, reply: Mapping[str, Any], status: int = 200) -> EventsReply:
        """Read a reply.

        Example:
            >>> EventsReply.of({"successful_rows": 2, "quarantined_rows": 0})
            EventsReply(successful_rows=2, quarantined_rows=0, status=200)
        """
        return cls(count(reply.get("successful_rows")), count(reply.get("quarantined_rows")), status, frozen(reply))


class Events(Resource):
    """``workspace.events``: send rows to Data Sources as they happen, or by the million."""

    def send_raw(
        self,
        name: str,
        body: bytes | str,
        *,
        wait: bool = True,
        format: Literal["ndjson", "json"] = "ndjson",  # noqa: A002 - the API's own word
        compress: Compression = "none",
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> EventsReply:
        """Send one body as it is, in one request.

        429 and 503 store nothing and are tried again (`tinymagic.api.http.retries`); nothing else is.

        Args:
            name: of the Data Source, or its id.
            body: NDJSON, or with *format* ``json`` one object that may span lines. Bytes that begin like gzip are sent
                as gzip.
            wait: answer when the rows are stored (200); otherwise when they are read (202), and they may still be lost.
            format: of *body*.
            compress: ``gzip`` compresses it; ``auto`` too, except to this machine.
            timeout_s: seconds for the reply; ``None``: the Workspace's.
            cancellation: ends the request from another thread.

        Raises:
            InvalidInput: there is no name; nothing was sent.
            PayloadTooLarge: over 10 MB; nothing was sent.
            UnprocessableRows: stored, but a materialized view failed: do not send it again.
            ConnectionFailed, Timeout, ServerError: it may be stored.
        """
        import gzip

        _check_name(name)
        if format not in ("ndjson", "json"):
            raise InvalidInput(f"format is 'ndjson' or 'json', not {format!r}.")
        content = body.encode() if isinstance(body, str) else bytes(body)
        check_events(len(content))
        if _packs(compress, self._transport.host) and not content.startswith(b"\x1f\x8b"):
            content = gzip.compress(content, compresslevel=3, mtime=0)
        reply = self._ask(
            Request(
                "POST",
                EVENTS_PATH,
                {"name": name, "wait": "true" if wait else None, "format": None if format == "ndjson" else format},
                body=lambda: content,
                content_type="application/x-ndjson" if format == "ndjson" else "application/json",
                content_encoding="gzip" if content.startswith(b"\x1f\x8b") else None,
                effect="events",
            ),
            timeout_s=timeout_s,
            cancellation=cancellation,
        )
        return EventsReply.of(reply.json_object(), reply.status)

    def send(
        self,
        name: str,
        rows: Any,
        *,
        wait: bool = True,
        batch_rows: int | None = None,
        batch_bytes: int = EVENTS_BATCH_BYTES,
        compress: Compression = "auto",
        on_failure: OnFailure = "stop",
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport:
        """Send rows in batches, in their order, and account for each.

        Args:
            name: of the Data Source, or its id. In Classic one that does not exist is made from the rows.
            rows: a dictionary, dictionaries as a list (all of them are written before the first is sent) or a generator
                (constant memory; it may give tables too), a DataFrame (pandas, polars), an Arrow table or record batch,
                the path of an NDJSON file (also ``.gz``), or the bytes of one.
            wait: ask for an answer when the rows are stored; otherwise the service answers when it has read them, and
                they may still be lost.
            batch_rows: most rows of a request; default: what goes in.
            batch_bytes: most bytes of a request, before compression; default 8 MB, and the limit is 10 MB.
            compress: ``auto``: gzip, except to this machine.
            on_failure: ``stop`` at the first batch that fails and raise, or ``continue`` with the next one where that
                can help; then what failed is in the report.
            on_progress: told how many rows are dealt with; of a file, bytes.
            timeout_s: seconds for the reply to a batch; ``None``: the Workspace's.
            cancellation: ends the work from another thread.

        Returns:
            What became of every row. Rows in quarantine are no error.

        Raises:
            InvalidInput: name or rows cannot be used; of a list or table nothing was sent.
            NotFound, Forbidden, BadRequest, RateLimited ...: as the service says.
            TinybirdError: each of them has the report in its attribute ``report``, as has a KeyboardInterrupt.

        Example:
            >>> print(ws.events.send("visits", [{"page": "/"}, {"page": "/about"}]))  # doctest: +SKIP
            2 rows stored.
        """
        _check_name(name)
        if is_url(rows):
            raise InvalidInput("The Events API takes no URL: ws.datasources.append does.")
        check_events(batch_bytes, "A batch")
        plan = plan_of(
            rows, via="events", batch_rows=batch_rows, batch_bytes=batch_bytes, skips=on_failure == "continue"
        )
        run = self._run(name, wait, compress, on_failure, on_progress, timeout_s, cancellation, unit=plan.unit)
        return run.run(plan.source)

    def stream(
        self,
        name: str,
        generator: Iterable[Any],
        *,
        wait: bool = True,
        flush_rows: int = 10_000,
        flush_bytes: int = 1_000_000,
        flush_s: float = 1.0,
        compress: Compression = "auto",
        on_failure: OnFailure = "stop",
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport:
        """Send rows as they come: a batch goes out when it is full, or when its first row has waited long enough.

        The generator runs in the calling thread, the requests in one of their own; the generator waits when four full
        batches are on their way. An interrupt lets the rows that were taken go out, for five seconds at most.

        Args:
            name: of the Data Source, or its id.
            generator: gives dictionaries, or tables; it may be endless.
            wait: as for `send`.
            flush_rows: a batch is full with so many rows,
            flush_bytes: or with so many bytes.
            flush_s: seconds that the first row of a batch waits at most.
            compress: as for `send`.
            on_failure: as for `send`.
            on_progress: told how many rows are dealt with, in the thread of the requests.
            timeout_s: as for `send`.
            cancellation: ends the work from another thread.

        Raises:
            TinybirdError: as `send`.
            Exception: what the generator raises. Each of them has the report in its attribute ``report``, as has a
                KeyboardInterrupt; its *unfinished* says that the generator has more.
        """
        _check_name(name)
        if isinstance(generator, (str, bytes, Mapping)) or not isinstance(generator, Iterable):
            raise InvalidInput(f"A stream takes a generator of dictionaries, not {type(generator).__name__}.")
        if flush_rows < 1 or flush_s <= 0:
            raise InvalidInput("flush_rows is a whole number from 1 up, flush_s a number of seconds above 0.")
        check_events(flush_bytes, "A batch")
        ended = cancellation or Cancellation()
        run = self._run(name, wait, compress, on_failure, on_progress, timeout_s, ended)
        stream = Stream(
            run,
            ended,
            flush_rows=flush_rows,
            flush_bytes=flush_bytes,
            flush_s=flush_s,
            skips=on_failure == "continue",
        )
        return stream.take(generator)

    def retry(
        self,
        report: IngestReport,
        *,
        include_unknown: bool = False,
        on_failure: OnFailure = "stop",
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport:
        """Send again what *report* says was not stored, and nothing else; return the report of all rows.

        Args:
            report: of `send`, `stream` or `datasources.append`, also the ``report`` of their errors.
            include_unknown: also send the batches of which it is not known whether they were stored: they could be
                there twice.
            on_failure: as for `send`.
            on_progress: told how many rows are dealt with.
            cancellation: ends the work from another thread.

        Raises:
            InvalidInput: the report does not know its rows any more, or the file has changed; nothing was sent.
            TinybirdError: as `send`; the report in ``report`` is that of all rows.
        """
        return resumed(
            self._transport,
            report,
            include_unknown=include_unknown,
            on_failure=on_failure,
            on_progress=on_progress,
            cancellation=cancellation,
        )

    def _run(
        self,
        name: str,
        wait: bool,
        compress: Compression,
        on_failure: OnFailure,
        on_progress: OnProgress | None,
        timeout_s: float | None,
        cancellation: Cancellation | None,
        *,
        unit: Literal["rows", "B"] = "rows",
    ) -> Run:
        packs = _packs(compress, self._transport.host)
        carrier = EventsCarrier(self._transport, name, wait, packs, timeout_s, cancellation)
        return Run(
            self._transport,
            carrier,
            name=name,
            via="events",
            on_failure=on_failure,
            on_progress=on_progress,
            unit=unit,
            cancellation=cancellation,
            waited=wait,
        )


def _packs(compress: str, host: str) -> bool:
    if compress not in ("auto", "gzip", "none"):
        raise InvalidInput(f"compress is 'auto', 'gzip' or 'none', not {compress!r}.")
    return compress == "gzip" or (compress == "auto" and compresses(host))


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInput("The name of the Data Source is missing.")
