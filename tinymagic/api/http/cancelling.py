"""Cancel a running request from another thread.

A thread that waits for a reply sleeps in the operating system, and closing its socket from elsewhere would not wake
it: shutting the socket down does. The service sees the connection go and ends the query. So the connections of our
pool tell the `Cancellation` of the calling thread which socket they are about to use.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests.adapters import HTTPAdapter

#: Per thread: the cancellation of the request that this thread is making, and the longest silence.
_current = threading.local()


class Cancellation:
    """A switch that ends requests: hand it to a call, then call `cancel` from any thread.

    One switch may be given to many calls, also to calls of several threads at once: `cancel` ends all of them, and
    those that begin later do not begin. It cannot be switched back: make a new one.

    What cannot be ended at once is the connecting itself (10 seconds at most); nothing is sent after it.

    Example:
        >>> cancellation = Cancellation()
        >>> cancellation.cancel()
        >>> cancellation.cancelled
        True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Of each thread that makes a request with this switch: the connection in use.
        self._connections: dict[int, Any] = {}
        self._event = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` has been called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """End the requests that use this switch, now; a request that has not begun does not begin."""
        self._event.set()
        with self._lock:
            connections = list(self._connections.values())
            for connection in connections:
                _shut_down(connection)

    def hang_up(self, thread: int) -> None:
        """Shut the connection down that a thread uses, so that the thread wakes up; it may then try again.

        Args:
            thread: as `threading.get_ident` gives it.
        """
        with self._lock:
            _shut_down(self._connections.get(thread))

    def check(self) -> None:
        """Raise when `cancel` has been called.

        Raises:
            Cancelled: it has.
        """
        if self.cancelled:
            raise Cancelled("The request was cancelled.")

    def wait(self, seconds: float) -> None:
        """Sleep that long, or until cancelled.

        Raises:
            Cancelled: in the meantime.
        """
        self._event.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def watching(self, silence_s: float | None = None) -> Iterator[None]:
        """Make this the cancellation of the requests that this thread makes inside the block.

        Blocks may be nested: a callback that is told of progress may make a request of its own.

        Args:
            silence_s: seconds for which the other side may take or send nothing. The libraries below would give a
                body only as long as a connection may take to come about, and a busy server is slower than that.

        Raises:
            Cancelled: `cancel` has been called before.
        """
        self.check()
        thread = threading.get_ident()
        before = getattr(_current, "watched", None)
        with self._lock:
            connection_before = self._connections.get(thread)
        _current.watched = (self, silence_s)
        try:
            yield
        finally:
            _current.watched = before
            with self._lock:
                self._connections[thread] = connection_before
                if connection_before is None:
                    del self._connections[thread]

    def use(self, connection: Any) -> None:
        """Remember the connection that is about to carry this thread's request.

        Raises:
            Cancelled: `cancel` has been called before.
        """
        with self._lock:
            self._connections[threading.get_ident()] = connection
        self.check()


def _shut_down(connection: Any) -> None:
    sock = getattr(connection, "sock", None)
    if sock is not None:
        # Already closed is as good as shut down. (Not sock.shutdown: TLS would say goodbye first and wait.)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def cancellable_adapter(pool_size: int) -> HTTPAdapter:
    """Make a requests adapter whose connections can be cancelled; it keeps *pool_size* connections open."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class WatchedConnection(HTTPConnection):
        def request(self, *args: Any, **options: Any) -> None:
            _tell(self)
            super().request(*args, **options)

        def connect(self) -> None:
            super().connect()
            # While it connected there was no socket to shut down.
            _tell(self)

    class WatchedTlsConnection(HTTPSConnection):
        def request(self, *args: Any, **options: Any) -> None:
            _tell(self)
            super().request(*args, **options)

        def connect(self) -> None:
            super().connect()
            _tell(self)

    class WatchedPool(HTTPConnectionPool):
        ConnectionCls = WatchedConnection

    class WatchedTlsPool(HTTPSConnectionPool):
        ConnectionCls = WatchedTlsConnection

    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=pool_size, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": WatchedPool, "https": WatchedTlsPool}
    return adapter


def _tell(connection: Any) -> None:
    watched: tuple[Cancellation, float | None] | None = getattr(_current, "watched", None)
    if watched is None:
        return
    cancellation, silence_s = watched
    cancellation.use(connection)
    if silence_s is not None and connection.sock is not None:
        # Both: a connection that is used again sets its socket's time from its own.
        connection.timeout = silence_s
        connection.sock.settimeout(silence_s)
