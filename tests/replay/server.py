"""A server on loopback that gives each operation an answer as a test says, and notes what it was asked.

It is made for thousands of small requests: a socket and a thread for each connection, which stays open, and no library
in between.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Shape:
    """One answer.

    Attributes:
        name: of the shape, for messages.
        status: HTTP status.
        body: of the reply.
        content_type: ``""`` sends none.
    """

    name: str
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"

    @classmethod
    def of(cls, name: str, value: Any, status: int = 200) -> Shape:
        """Make one of a text (as it is), bytes (as they are) or anything else (as JSON)."""
        if isinstance(value, bytes):
            return cls(name, status, value, "application/octet-stream")
        if isinstance(value, str):
            return cls(name, status, value.encode(), "text/plain; charset=utf-8")
        return cls(name, status, json.dumps(value).encode())


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    body: bytes

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


class ReplayServer:
    """Answers with what `answer_for` says.

    Attributes:
        host: base URL.
        seen: requests, in the order in which they came; emptied by whoever reads it.
        answer_for: request -> shape.
    """

    def __init__(self) -> None:
        self.seen: list[Asked] = []
        self.answer_for: Callable[[Asked], Shape] = lambda _: Shape("nothing", 404)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and close all connections."""
        # Closing alone would not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError, ValueError):
            while line := reader.readline():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                length, chunked = 0, False
                while (header := reader.readline()).strip():
                    name, _, value = header.decode("latin-1").partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                    chunked = chunked or (name.lower() == "transfer-encoding" and "chunked" in value)
                body = _chunks(reader) if chunked else reader.read(length)
                asked = Asked(method, urlsplit(target).path, body)
                self.seen.append(asked)
                connection.sendall(_reply(self.answer_for(asked)))
        self._open.discard(connection)


def _chunks(reader: Any) -> bytes:
    parts = []
    while size := int(reader.readline(), 16):
        parts.append(reader.read(size))
        reader.readline()
    reader.readline()
    return b"".join(parts)


def _reply(shape: Shape) -> bytes:
    bodyless = shape.status in (204, 304)
    head = [f"HTTP/1.1 {shape.status} X"]
    if shape.content_type:
        head.append(f"Content-Type: {shape.content_type}")
    if not bodyless:
        head.append(f"Content-Length: {len(shape.body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + (b"" if bodyless else shape.body)
