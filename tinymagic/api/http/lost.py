"""Requests without a reply: which failure of the table in `.retries` was it, and what is said about it.

requests wraps urllib3's errors, and urllib3 those of the socket; what happened is found by walking down to the cause.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from tinymagic.api.errors import BadReply, ConnectionFailed, Timeout
from tinymagic.api.http.hosts import is_local_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.request import Request
    from tinymagic.api.http.retries import Failure

#: Seconds to wait for a connection; less when the whole reply has less time.
CONNECT_TIMEOUT_S = 10.0


class NotAnswered(Exception):  # noqa: N818 - never leaves the transport
    """An attempt that brought no reply: which failure of the table it was, and the error to raise if it is the last."""

    def __init__(self, failure: Failure, error: TinybirdError) -> None:
        super().__init__(str(error))
        self.failure = failure
        self.error = error


def sort_out(
    error: Exception, request: Request, host: str, timeout_s: float, redact: Callable[[str], str]
) -> NotAnswered:
    """Sort an error of the libraries below, from before a reply began, into the table's failures, with a sentence."""
    import requests
    import urllib3

    kinds = urllib3.exceptions
    causes = list(_causes(error))

    def caused_by(*types: type[BaseException]) -> bool:
        return any(isinstance(cause, types) for cause in causes)

    asked = request.asked
    # First: a refused connection is a kind of ConnectTimeoutError to urllib3.
    if caused_by(kinds.NewConnectionError, kinds.LocationValueError, ConnectionRefusedError):
        return NotAnswered("not sent", ConnectionFailed(f"{asked}: {host} cannot be reached. {_unreached(host)}"))
    if caused_by(requests.exceptions.ConnectTimeout, kinds.ConnectTimeoutError):
        wait = min(timeout_s, CONNECT_TIMEOUT_S)
        text = f"{asked}: {host} did not take the connection within {wait:g} s. Check the host and the network."
        return NotAnswered("not sent", ConnectionFailed(text))
    if is_timeout(error):
        return too_late(request, host, timeout_s)
    if caused_by(requests.exceptions.SSLError, kinds.SSLError) and not caused_by(ssl.SSLEOFError):
        reason = redact(str(causes[-1]))
        text = f"{asked}: no secure connection to {host}: {reason}. Check the host, or the network's certificates."
        return NotAnswered("no certificate", ConnectionFailed(text))
    if caused_by(requests.exceptions.ProxyError, kinds.ProxyError):
        text = f"{asked}: the proxy on the way to {host} failed. Check HTTPS_PROXY and NO_PROXY."
        return NotAnswered("not sent", ConnectionFailed(text))
    text = f"{asked}: {host} closed the connection before it answered.{_fate(request, 'have been')}"
    return NotAnswered("hung up", ConnectionFailed(text, sent=True))


def too_late(request: Request, host: str, timeout_s: float) -> NotAnswered:
    """Return what a request becomes whose time is over."""
    text = f"{request.asked}: no whole reply from {host} within {timeout_s:g} s.{_fate(request, 'still be')}"
    error = Timeout(text)
    return NotAnswered("no reply in time", error)


def cut_short(request: Request, received: int | None = None, announced: str = "") -> NotAnswered:
    """Return what a reply becomes that ended too early, with the bytes that arrived if they are known."""
    fate = " Try again." if request.effect == "read" else _fate(request, "be")
    arrived = "" if received is None else f" ({received} {announced} arrived)"
    return NotAnswered("broken reply", BadReply(f"{request.asked}: the reply was cut short{arrived}.{fate}"))


def too_much(request: Request, most: int) -> NotAnswered:
    """Return what a reply becomes that is larger than is held in memory."""
    text = f"{request.asked}: the reply has more than {most // 1_000_000:,} MB, which is more than is held in memory."
    advice = " Ask for fewer rows or columns, or write them to a file." if request.effect == "read" else ""
    return NotAnswered("broken reply", BadReply(f"{text}{advice}{_fate(request, 'be')}"))


def _fate(request: Request, may: str) -> str:
    """Return what is to be said about work whose fate is not known; nothing for reads."""
    if request.effect == "read":
        return ""
    if request.effect == "idempotent":
        return f" It may {may} done; doing it again does no harm."
    return f" It may {may} done: look before you repeat it."


def _causes(error: BaseException) -> Iterable[BaseException]:
    """Walk from an error of requests down to the first cause, by all the ways in which it may be kept."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        cause = queue.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = [getattr(cause, "reason", None), cause.__cause__, *cause.args]
        queue += [each for each in inner if isinstance(each, BaseException)]


def is_timeout(error: BaseException) -> bool:
    """Say whether a time-out is what caused *error*."""
    import requests
    import urllib3

    types = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return any(isinstance(cause, types) for cause in _causes(error))


def _unreached(host: str) -> str:
    if is_local_host(host):
        return "Is the server running? %tinybird local start starts the embedded one."
    return "Check the host and the network."
