"""How much is in the server's hands: requests and bytes that were begun and are not finished.

Whoever comes when there is no room is told so at once. That is better than a server which takes everything and ends
for want of memory.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoRoom(Exception):  # noqa: N818 - says what happened
    """There is too much in hand."""


class Intake:
    """Bounds requests by number and by bytes.

    Args:
        most_requests: at a time.
        most_bytes: of all of them; one that is bigger is taken when it is alone.
    """

    def __init__(self, most_requests: int, most_bytes: int) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def share(self, size_bytes: int) -> Iterator[Share]:
        """Hold room for one request of about *size_bytes*.

        Raises:
            NoRoom: there is none.
        """
        with self._lock:
            if self._requests >= self._most_requests:
                raise NoRoom
            self._requests += 1
        share = Share(self)
        try:
            share.grow(size_bytes)
            yield share
        finally:
            with self._lock:
                self._requests -= 1
                self._bytes -= share.size_bytes

    def add(self, size_bytes: int) -> None:
        """Count more bytes.

        Raises:
            NoRoom: they are too many, and are not counted.
        """
        with self._lock:
            if self._bytes + size_bytes > self._most_bytes and self._requests > 1:
                raise NoRoom
            self._bytes += size_bytes


class Share:
    """The room of one request; made by `Intake.share`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """Hold room for *size_bytes* instead, when that is more.

        Raises:
            NoRoom: there is none.
        """
        if size_bytes > self.size_bytes:
            self._intake.add(size_bytes - self.size_bytes)
            self.size_bytes = size_bytes
