"""``POST /v0/events`` (``events.md``)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import ApiError, BadRequest, PayloadTooLarge
from tinymagic.local.events.event_bodies import EVENTS_PAGE, FORMATS, read_events
from tinymagic.local.http import check_length, in_thread, in_thread_to_write, json_response

if TYPE_CHECKING:
    from concurrent.futures import Future

    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.events.event_writer import Written
    from tinymagic.local.events.intake import Share
    from tinymagic.local.services.events import EventsService

#: Whether a longer request may come is asked before its body is read; a shorter one costs one thread instead of two.
_SMALL_BYTES = 20_000

#: What is read of a body that is too large, so that its sender can read the answer instead of a broken connection.
_MOST_DRAINED_BYTES = 100_000_000

#: What a reply says while no rate holds: clients read these headers whenever they are there.
_NO_RATE = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "1000", "X-RateLimit-Reset": "1"}

_TRUE = ("true", "1", "yes")


async def send(request: Request, access: Access) -> Response:
    """Store the events of the body; the reply tells how many rows went where."""
    asked = _Request(request, access)
    try:
        written = await asked.stored()
    except ApiError as error:
        error.headers = {**asked.rate_headers, **error.headers}
        await in_thread(asked.note_refusal, error.status)
        raise
    counts = {"successful_rows": written.successful, "quarantined_rows": written.quarantined}
    if written.view_error:
        raise ApiError(
            f"The events were stored, but not everywhere: {written.view_error}. Sending them again would store them "
            "twice.",
            status=422,
            documentation=EVENTS_PAGE,
            headers=asked.rate_headers,
            successful_rows=written.successful,
            quarantined_rows=written.quarantined,
        )
    waits = request.query_params.get("wait", "").lower() in _TRUE
    return json_response(counts, 200 if waits else 202, asked.rate_headers)


class _Request:
    """One request on its way to the service."""

    def __init__(self, request: Request, access: Access) -> None:
        services = request.app.state.services
        self.rate_headers: dict[str, str] = {}
        self._request = request
        self._access = access
        self._service: EventsService = services.events
        self._rates: Any = services.rates
        self._limit = self._service.limits.events_bytes
        self._name = request.query_params.get("name", "").strip()
        self._format = request.query_params.get("format", "").strip().lower() or FORMATS[0]
        self._encoding = request.headers.get("content-encoding", "")
        self._received_bytes = 0

    async def stored(self) -> Written:
        """Have the rows stored."""
        if self._format not in FORMATS:
            raise BadRequest(
                f"format must be one of {', '.join(FORMATS)}, not {self._format[:50]!r}.", documentation=EVENTS_PAGE
            )
        declared = self._request.headers.get("content-length", "")
        size = int(declared) if declared.isascii() and declared.isdigit() else _SMALL_BYTES
        small = size <= _SMALL_BYTES
        if not small:
            await in_thread(self._admit)
        with self._service.room(size if self._limit is None else min(size, self._limit)) as share:
            body = await _body(self._request, self._limit, share)
            self._received_bytes = len(body)
            return await asyncio.wrap_future(await in_thread_to_write(self._submit, body, share, admit=small))

    def note_refusal(self, status: int) -> None:
        """Note that the request was not carried out."""
        self._service.note_refusal(self._access, self._name, received_bytes=self._received_bytes, status=status)

    def _admit(self) -> None:
        """Refuse the request when its token may not do it, or when it is one too many."""
        workspace = self._access.workspace
        headers = self._rates.check("events", workspace.id) if self._rates else {}
        self.rate_headers = headers or _NO_RATE
        record = self._service.target(self._access, self._name)
        key = record.id if record else f"{workspace.id}/{self._name}"
        headers = self._rates.check("events_of_datasource", key) if self._rates else {}
        self.rate_headers = headers or self.rate_headers

    def _submit(self, body: bytes, share: Share, *, admit: bool) -> Future[Written]:
        if admit:
            self._admit()
        events = read_events(body, encoding=self._encoding, file_format=self._format, most_bytes=self._limit)
        share.grow(events.size_bytes)
        return self._service.send(self._access, self._name, events)


async def _body(request: Request, limit: int | None, share: Share) -> bytes:
    """Read the body, raw whatever its content type.

    Raises:
        PayloadTooLarge: over *limit*.
    """
    refusal: PayloadTooLarge | None = None
    try:
        check_length(request, limit)
    except PayloadTooLarge as error:
        refusal = error
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if limit is not None and size > limit and refusal is None:
            refusal = PayloadTooLarge(f"The body of the request is over the limit of {limit} bytes.")
        if refusal is None:
            share.grow(size)
            chunks.append(chunk)
            continue
        chunks.clear()
        if size > _MOST_DRAINED_BYTES:
            break
    if refusal is not None:
        raise PayloadTooLarge(
            f"{refusal.message} Split it and send the parts. Nothing was stored.", documentation=EVENTS_PAGE
        )
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


ROUTES = [
    guarded(
        "/v0/events",
        send,
        methods=["POST"],
        needs=["DATASOURCES:APPEND", "DATASOURCES:CREATE"],
        status_of_another_host=404,
    ),
]
