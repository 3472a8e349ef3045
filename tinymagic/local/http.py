"""Small HTTP pieces that all routes share: JSON replies, bodies with a limit, work in threads.

The only module beside `routes/`, `app.py` and `access.permissions` that knows Starlette.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tinymagic.local.service_datasources.traffic import RequestFacts
from tinymagic.local.sql.formats import JSON_TYPE

from .errors import BadRequest, LengthRequired, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message

_Result = TypeVar("_Result")

#: Bodies below this are not worth the work of compression.
GZIP_FROM_BYTES = 1_400

#: Imports and changes that are at work or wait for their turn; more wait for a thread.
_WRITER_THREADS = 40

_writers_of_loop: RunVar[anyio.CapacityLimiter | None] = RunVar("writers")

#: A request whose client is looked for this often (seconds) while its query runs.
_DISCONNECT_POLL_S = 0.25


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Make a JSON reply with a blank after ``,`` and ``:``, as the service writes it."""
    content = json.dumps(body, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8", "backslashreplace")
    return Response(content, status, headers=headers, media_type=JSON_TYPE)


def base_url(request: Request) -> str:
    """Return scheme, host and port of this server as the client calls it, without a slash at the end."""
    return str(request.base_url).rstrip("/")


def request_facts(request: Request) -> RequestFacts:
    """Return what is logged about a request."""
    client = request.client
    return RequestFacts(
        request_id=str(request.state.request_id),
        method=request.method,
        url=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        user_agent=request.headers.get("user-agent"),
        client_ip=client.host if client else None,
    )


async def in_thread(call: Callable[..., _Result], *arguments: Any, **named: Any) -> _Result:
    """Run blocking work (engine, catalogue, files) in a thread and wait for it without blocking other requests."""
    return await run_in_threadpool(call, *arguments, **named)


async def in_thread_to_write(call: Callable[..., _Result], *arguments: Any, **named: Any) -> _Result:
    """Like `in_thread`, for work that may wait long for its turn at a Data Source.

    It has threads of its own, so that those who wait do not keep queries from being answered.
    """
    return await anyio.to_thread.run_sync(partial(call, *arguments, **named), limiter=_writers())


def _writers() -> anyio.CapacityLimiter:
    """Return the limit of the running event loop."""
    limiter = _writers_of_loop.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(_WRITER_THREADS)
        _writers_of_loop.set(limiter)
    return limiter


async def in_thread_until_gone(
    request: Request, call: Callable[[], _Result], give_up: Callable[[], None], *, most_s: float | None = None
) -> _Result:
    """Like `in_thread`, and run *give_up* (in a thread) when the client goes away before *call* has returned.

    The request's body must have been read before: that is how Starlette notices the disconnect.

    Args:
        request: whose client is watched.
        call: the work.
        give_up: stops it.
        most_s: seconds after which the caller is not kept waiting any more; the work may need longer to stop.

    Raises:
        ClientDisconnect: the client has gone and the work has ended.
        TimeoutError: it took longer than *most_s*.
    """
    task = asyncio.ensure_future(run_in_threadpool(call))
    gone = False
    deadline = None if most_s is None else time.monotonic() + most_s
    while not task.done():
        await asyncio.wait({task}, timeout=_DISCONNECT_POLL_S)
        if deadline is not None and time.monotonic() > deadline and not task.done():
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            await run_in_threadpool(give_up)
            raise TimeoutError
        if not task.done() and not gone and await request.is_disconnected():
            gone = True
            await run_in_threadpool(give_up)
    if gone:
        task.exception()  # Nobody is left to be told; without this asyncio would complain.
        raise ClientDisconnect
    return task.result()


async def read_body(request: Request, limit_bytes: int | None) -> bytes:
    """Read the whole body.

    Raises:
        PayloadTooLarge: it is longer than *limit_bytes*; the rest is not read.
        LengthRequired: ``Content-Length`` is not a number.
    """
    check_length(request, limit_bytes)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if limit_bytes is not None and size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def media_type(request: Request) -> str:
    """Return the content type in lower case, without what follows a semicolon; empty when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def multipart_fields(request: Request, body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a multipart *body* that has been read, within its limit; files are left out."""
    async with with_body(request, body).form(max_files=1, max_fields=100) as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def with_body(request: Request, body: bytes) -> Request:
    """Return the request as if its *body*, which has been read, were still to be read: Starlette takes it apart."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def json_object(text: str | bytes) -> dict[str, Any]:
    """Read a body that is a JSON object.

    Raises:
        BadRequest: it is not JSON, no object, or has text that is not valid Unicode (JSON can carry halves of
            characters, which could be stored and never shown again).
    """
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequest("The body has text that is not valid Unicode: half of a character.") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}.") from error
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


def check_length(request: Request, limit_bytes: int | None) -> None:
    """Refuse a body by its ``Content-Length``, before any of it is read.

    Raises:
        PayloadTooLarge: it says more than *limit_bytes*.
        LengthRequired: it is not a number.
    """
    declared = request.headers.get("content-length")
    if declared is None:
        return
    if not declared.isascii() or not declared.isdigit():
        raise LengthRequired("The Content-Length header must be the number of bytes of the body.")
    if limit_bytes is not None and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)


def _too_large(limit_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body of the request is over the limit of {limit_bytes} bytes.")


def accepts_gzip(request: Request) -> bool:
    """Say whether the client takes gzip (``gzip;q=0`` refuses it)."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = part.strip().partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def compressed(request: Request, response: Response) -> Response:
    """Compress the body when the client takes gzip and it is worth it.

    Level 1: on loopback the network is faster than any better level.
    """
    if len(response.body) < GZIP_FROM_BYTES or not accepts_gzip(request):
        return response
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    body = await run_in_threadpool(gzip.compress, bytes(response.body), 1)
    headers.update({"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    return Response(body, response.status_code, headers=headers)
