"""A proxy on loopback in front of a real server, that breaks what passes through it as a test says.

::

    with FaultProxy(server.host) as proxy:
        proxy.on("POST", "/v0/events", None, reset_after(), status(429, retry_after=1))
        workspace = Workspace(proxy.host, token)
        ...
        assert [each.fault for each in proxy.passed("POST", "/v0/events")] == [None, "reset after", "status 429"]

``proxy.on(method, path, *faults)`` gives the requests that match one fault each, in order; ``None`` lets one pass. When
the faults are used up, everything passes; with ``always=True`` the last fault stays. *method* may be ``"*"``; *path* is
without the query and may have ``*`` in it (as in file names). Of several rules that match, the latest counts.
``proxy.clear()`` takes all rules away.

The faults (each is made by a function below):

=============================  ========================================================================================
``reset_before()``             the connection is reset when the head has arrived; the server sees nothing
``reset_during(share)``        ... when this share of the body has arrived; the server sees nothing
``reset_after()``              the server gets the request and answers; the client's connection is reset instead
``hang_up_after()``            likewise, but the connection is closed politely
``status(code, ...)``          this status, in place of the server (``when="before"``), or in place of the server's
                               reply to a request that it has worked on (``when="after"``); ``retry_after=`` seconds,
                               or ``as_date=True`` for a date; ``body=`` ``"json"``, ``"text"``, ``"html"``, ``""``
``html_page(code, when)``      the error page of a front, ``status`` with an HTML body
``slow(seconds, when)``        waits before the request goes on, or before its reply does
``drip(seconds)``              the reply's body comes byte by byte, with so many seconds in between
``truncated(share)``           the head is right, of the body this share arrives, then the connection is closed
``wrong_type(content_type)``   the server's reply under another Content-Type
``html_success()``             the server works; the client gets 200 with an HTML page
``damaged_gzip()``             the server's reply compressed, with bytes in the middle changed
``cut_gzip()``                 the server's reply compressed, without its end; the length is that of what is sent
=============================  ========================================================================================

``proxy.seen`` is the list of what passed, as `Passed`: method, path, query, number of bytes of the body, the fault's
name or ``None``, whether the server got it (``reached``), and the status that the *server* gave (``None`` when it was
not asked).
"""

from __future__ import annotations

import fnmatch
import gzip
import http.client
import json
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

When = Literal["before", "after"]

#: Headers that are about one connection and not about the message.
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}

_PAGE = (
    "<!DOCTYPE html><html><head><title>{status} {reason}</title></head>"
    "<body><center><h1>{status} {reason}</h1></center><hr><center>front</center></body></html>"
)


@dataclass(frozen=True)
class Fault:
    """What happens to a request; made by the functions of this module."""

    name: str
    how: str
    when: When = "after"
    code: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    share: float = 0.5


def reset_before() -> Fault:
    """Reset the connection before the body is read; the server sees nothing."""
    return Fault("reset before", "reset", "before", share=0.0)


def reset_during(share: float = 0.5) -> Fault:
    """Reset the connection after this share of the body; the server sees nothing."""
    return Fault("reset during", "reset", "before", share=share)


def reset_after() -> Fault:
    """Let the server do its work, then reset the connection instead of answering."""
    return Fault("reset after", "reset")


def hang_up_after() -> Fault:
    """Let the server do its work, then close the connection instead of answering."""
    return Fault("hang up after", "hang up")


def status(
    code: int,
    *,
    when: When = "before",
    retry_after: float | None = None,
    as_date: bool = False,
    body: str = "json",
) -> Fault:
    """Answer with a status of our own: before the server sees the request, or after it has done the work."""
    reason = http.client.responses.get(code, "No Reason")
    content = {
        "json": (json.dumps({"error": f"{reason} (by the proxy)"}), "application/json; charset=utf-8"),
        "text": (f"{reason} (by the proxy)", "text/plain; charset=utf-8"),
        "html": (_PAGE.format(status=code, reason=reason), "text/html"),
        "": ("", ""),
    }[body]
    headers = {"Content-Type": content[1]} if content[1] else {}
    if retry_after is not None:
        # Dates have whole seconds: rounded up, so that the wait is not shorter than asked.
        date = formatdate(time.time() + retry_after + 0.999, usegmt=True) if as_date else ""
        headers["Retry-After"] = date or f"{retry_after:g}"
    return Fault(f"status {code}", "status", when, code, headers, content[0].encode())


def html_page(code: int = 502, *, when: When = "before") -> Fault:
    """Answer with the error page of a front."""
    return status(code, when=when, body="html")


def slow(seconds: float, *, when: When = "after") -> Fault:
    """Wait before the request goes on to the server, or before its reply goes back."""
    return Fault("slow", "slow", when, seconds=seconds)


def drip(seconds: float) -> Fault:
    """Send the reply's body byte by byte."""
    return Fault("drip", "drip", seconds=seconds)


def truncated(share: float = 0.5) -> Fault:
    """Send only this share of the reply's body."""
    return Fault("truncated", "truncated", share=share)


def wrong_type(content_type: str = "text/html") -> Fault:
    """Send the server's reply under another Content-Type."""
    return Fault("wrong type", "wrong type", headers={"Content-Type": content_type})


def html_success() -> Fault:
    """Let the server work, and answer 200 with a page of HTML."""
    page = _PAGE.format(status=200, reason="Log in").encode()
    return Fault("html success", "status", "after", 200, {"Content-Type": "text/html"}, page)


def damaged_gzip() -> Fault:
    """Compress the server's reply and change bytes in its middle."""
    return Fault("damaged gzip", "gzip", share=1.0)


def cut_gzip(share: float = 0.5) -> Fault:
    """Compress the server's reply and leave its end out."""
    return Fault("cut gzip", "gzip", share=share)


@dataclass
class Passed:
    """A request that came by.

    Attributes:
        method: of the request.
        path: without the query.
        query: as it was written.
        size: bytes of the body that were read.
        fault: name of the fault, or ``None``.
        reached: whether the server got it.
        status: that the server answered, or ``None``.
    """

    method: str
    path: str
    query: str
    size: int = 0
    fault: str | None = None
    reached: bool = False
    status: int | None = None


@dataclass
class _Rule:
    method: str
    path: str
    faults: deque[Fault | None]
    always: bool

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and fnmatch.fnmatchcase(path, self.path)


class FaultProxy:
    """Passes HTTP on to *upstream* and injects faults by rule; see the text at the top of the module.

    Args:
        upstream: base URL of the server behind, on this machine.

    Attributes:
        host: base URL to give to the client.
        seen: what passed, in the order in which it came.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.seen: list[Passed] = []
        proxy = self

        class Handler(_Handler):
            owner = proxy

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing: broken connections are what this is for."""

        self._http = Listener(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> FaultProxy:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on(self, method: str, path: str, *faults: Fault | None, always: bool = False) -> FaultProxy:
        """Add a rule: the requests that match get one fault each, in order; ``None`` lets one pass."""
        with self._lock:
            self._rules.insert(0, _Rule(method, path, deque(faults), always))
        return self

    def clear(self) -> None:
        """Take all rules away; what is under way goes on as it began."""
        with self._lock:
            self._rules.clear()

    def passed(self, method: str = "*", path: str = "*") -> list[Passed]:
        """Return those of `seen` that match."""
        rule = _Rule(method, path, deque(), always=False)
        with self._lock:
            return [each for each in self.seen if rule.matches(each.method, each.path)]

    def wait_for(self, method: str = "*", path: str = "*", *, count: int = 1, seconds: float = 10.0) -> None:
        """Wait until so many matching requests have come."""
        deadline = time.monotonic() + seconds
        while len(self.passed(method, path)) < count:
            assert time.monotonic() < deadline, f"no {method} {path} came"
            time.sleep(0.005)

    def close(self) -> None:
        """Stop listening; slow replies end at once."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def enter(self, method: str, path: str, query: str) -> tuple[Passed, Fault | None]:
        """Note a request, and say what is to happen to it."""
        with self._lock:
            fault = self._fault(method, path)
            passed = Passed(method, path, query, fault=fault.name if fault else None)
            self.seen.append(passed)
            return passed, fault

    def _fault(self, method: str, path: str) -> Fault | None:
        rule = next((each for each in self._rules if each.faults and each.matches(method, path)), None)
        if rule is None:
            return None
        return rule.faults[0] if rule.always and len(rule.faults) == 1 else rule.faults.popleft()

    def ask_server(self, method: str, target: str, headers: dict[str, str], body: bytes) -> _Answer:
        """Send the request on; a connection for each, so that no fault disturbs another request."""
        connection = http.client.HTTPConnection(*self._upstream, timeout=120)
        try:
            connection.request(method, target, body=body, headers=headers)
            reply = connection.getresponse()
            return _Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            connection.close()


@dataclass
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    # Head and body in one packet: else every request waits for the other side's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    owner: FaultProxy

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _pass(self) -> None:
        url = urlsplit(self.path)
        passed, fault = self.owner.enter(self.command, url.path, url.query)
        if fault is not None and fault.when == "before" and fault.how == "reset":
            length = int(self.headers.get("Content-Length") or 0)
            passed.size = len(self.rfile.read(int(length * fault.share)))
            self._reset()
            return
        if (self.headers.get("Expect") or "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self._body()
        passed.size = len(body)
        if fault is not None and fault.when == "before":
            if fault.how == "status":
                self._answer(_Answer(fault.code, list(fault.headers.items()), fault.body))
                return
            self.owner.stopping.wait(fault.seconds)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _OF_THE_CONNECTION | {"host", "content-length", "expect"}
        }
        if body or self.command not in ("GET", "HEAD"):
            headers["Content-Length"] = str(len(body))
        passed.reached = True
        reply = self.owner.ask_server(self.command, self.path, headers, body)
        passed.status = reply.status
        if fault is None or fault.when == "before":
            self._answer(reply)
        else:
            self._break(reply, fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _pass

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                # The client is gone. Half a request is not passed on: the server never gets to see one either.
                raise ConnectionAbortedError
            return body
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _break(self, reply: _Answer, fault: Fault) -> None:
        """Send the server's reply back, broken."""
        if fault.how == "reset":
            self._reset()
        elif fault.how == "hang up":
            self.close_connection = True
        elif fault.how == "status":
            self._answer(_Answer(fault.code, list(fault.headers.items()), fault.body))
        elif fault.how == "slow":
            self.owner.stopping.wait(fault.seconds)
            self._answer(reply)
        elif fault.how == "drip":
            self._head(reply, len(reply.body))
            for place in range(len(reply.body)):
                self.wfile.flush()
                if self.owner.stopping.wait(fault.seconds):
                    break
                self.wfile.write(reply.body[place : place + 1])
        elif fault.how == "truncated":
            # An empty reply is cut short too: it announces a byte that does not come.
            self._head(reply, max(len(reply.body), 1))
            self.wfile.write(reply.body[: int(len(reply.body) * fault.share)])
            self.close_connection = True
        elif fault.how == "wrong type":
            kept = [(name, value) for name, value in reply.headers if name.lower() != "content-type"]
            self._answer(_Answer(reply.status, [*kept, *fault.headers.items()], reply.body))
        else:
            packed = bytearray(gzip.compress(reply.body))
            if fault.share < 1:
                del packed[int(len(packed) * fault.share) :]
            else:
                middle = range(len(packed) // 2, min(len(packed) // 2 + 8, len(packed)))
                for place in middle:
                    packed[place] ^= 0xFF
            self._answer(_Answer(reply.status, [*reply.headers, ("Content-Encoding", "gzip")], bytes(packed)))

    def _answer(self, reply: _Answer) -> None:
        bodyless = self.command == "HEAD" or reply.status in (204, 205, 304)
        self._head(reply, 0 if bodyless else len(reply.body))
        if not bodyless:
            self.wfile.write(reply.body)

    def _head(self, reply: _Answer, length: int) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in _OF_THE_CONNECTION | {"content-length"}:
                self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # The files over the socket would keep it open.
        self.rfile.close()
        self.connection.close()
