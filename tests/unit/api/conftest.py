"""A real HTTP server in a thread that answers as a test says: slowly, wrongly, not at all."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tinymagic.api.http.retries import Patience
from tinymagic.api.workspace import Workspace

#: A static token in the vendor's form, with pieces that are easy to look for.
TOKEN = "p.eyJ1IjogIjEiLCAiaWQiOiAiMiIsICJob3N0IjogImF3cy11cy1lYXN0LTEifQ.MARKED-SIGNATURE-0123456789"


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def parameters(self):
        return {**self.query, **(self.form if b"=" in self.body and b"\r\n" not in self.body else {})}


@dataclass
class Answer:
    """What to answer. *how*: plain, reset, hang up, truncated, chunk cut, drip, slow, unread."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict = field(default_factory=dict)
    how: str = "plain"
    seconds: float = 0.0


def answer(value=None, status=200, **headers):
    """An answer in JSON."""
    body = json.dumps({} if value is None else value).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def rows(meta, data, **more):
    """A reply in FORMAT JSONCompact; *meta* is name=type, ..."""
    columns = [{"name": name, "type": kind} for name, kind in meta.items()]
    return answer({"meta": columns, "data": data, "rows": len(data), **more})


def gzipped(given, keep=None):
    """The answer compressed; *keep* cuts the compressed bytes."""
    packed = gzip.compress(given.body)
    return Answer(given.status, packed[:keep], {**given.headers, "Content-Encoding": "gzip"})


class Server:
    """Answers on loopback. ``server.on("/v0/sql", a, b)``: first a, then b for ever."""

    token = TOKEN
    Answer = Answer
    answer = staticmethod(answer)
    rows = staticmethod(rows)
    gzipped = staticmethod(gzipped)

    def __init__(self):
        self.seen: list[Seen] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._answers = defaultdict(deque)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def setup(self):
                server.connections += 1
                super().setup()

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def answer_it(self):
                server.answer_one(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer_it

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def on(self, path, *answers):
        self._answers[path] = deque(answers)
        return self

    def answer_one(self, handler):
        url = urlsplit(handler.path)
        if url.query in ("attrs=name", "attrs=name%2Ccolumns") and url.path not in self._answers:
            # What an append asks first. It is no part of what the tests are about, so it is not among `seen`.
            self._give(handler, answer({"name": url.path.rsplit("/", 1)[1]}))
            return
        queue = self._answers[url.path]
        given = (queue.popleft() if len(queue) > 1 else queue[0]) if queue else answer({"error": "no path"}, 404)
        length = int(handler.headers.get("Content-Length") or 0)
        body = b"" if given.how == "unread" else handler.rfile.read(length)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.seen.append(Seen(handler.command, url.path, query, headers, body))
        self._give(handler, given)

    def _give(self, handler, given):
        if given.how in ("reset", "unread"):
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.shutdown(socket.SHUT_RD)
            handler.close_connection = True
            handler.connection.close()
            return
        if given.how == "hang up":
            handler.close_connection = True
            return
        if given.how == "slow":
            self.stopping.wait(given.seconds)
        handler.send_response(given.status)
        for name, value in given.headers.items():
            handler.send_header(name, value)
        if given.how == "chunk cut":
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"%x\r\n" % (len(given.body) + 100) + given.body)
            handler.close_connection = True
            return
        if given.status not in (204, 304):
            handler.send_header("Content-Length", str(len(given.body)))
        handler.end_headers()
        if given.how == "truncated":
            handler.wfile.write(given.body[:-5])
            handler.close_connection = True
            return
        if given.how == "drip":
            for place in range(len(given.body)):
                if self.stopping.wait(given.seconds):
                    return
                handler.wfile.write(given.body[place : place + 1])
            return
        handler.wfile.write(given.body if given.status != 204 else b"")

    def close(self):
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait_for_request(self, count=1):
        deadline = time.monotonic() + 5
        while len(self.seen) < count:
            assert time.monotonic() < deadline, "no request came"
            time.sleep(0.005)


@contextmanager
def running():
    server = Server()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def server():
    """A server of the test's own."""
    with running() as started:
        yield started


@pytest.fixture
def other_server():
    """A second one: another host, since its port differs."""
    with running() as started:
        yield started


@pytest.fixture
def waits():
    """The waits that the client announced."""
    return []


@pytest.fixture
def ws(server, waits):
    """A Workspace on the server, quick to lose patience."""
    patience = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, longest_asked_wait_s=1)
    with Workspace(
        server.host, TOKEN, timeout_s=5, on_wait=lambda *wait: waits.append(wait), patience=patience
    ) as workspace:
        yield workspace
