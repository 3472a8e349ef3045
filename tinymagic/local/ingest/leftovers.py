"""Staging tables that are not needed any more, dropped in the background: nobody waits for files to be removed."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .table import Table

#: Groups of tables that may wait; whoever brings more drops them itself.
_MOST = 50

#: How long the end of the server waits, seconds. What is left then is dropped at the next start.
_CLOSING_S = 5.0


class Leftovers:
    """Drops tables with *drop* in a thread of its own, one group after the other."""

    def __init__(self, drop: Callable[..., None]) -> None:
        self._drop = drop
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Sequence[Table] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, *tables: Table) -> None:
        """Have tables dropped soon."""
        with self._lock:
            takes = not self._closed and self._waiting.qsize() < _MOST
            if takes:
                self._waiting.put(tables)
            if takes and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leftovers", daemon=True)
                self._thread.start()
        if not takes:
            self._drop(*tables)

    def close(self) -> None:
        """Drop what waits and take no more."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join(_CLOSING_S)

    def _run(self) -> None:
        while (tables := self._waiting.get()) is not None:
            self._drop(*tables)
