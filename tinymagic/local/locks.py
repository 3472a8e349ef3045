"""Locks by name, shared or exclusive: appends to one Data Source run together, replacing or dropping it runs alone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class SharedLocks:
    """One reader-writer lock for each key, made when needed. Waiting writers go before new readers."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._shared: dict[str, int] = {}
        self._exclusive: set[str] = set()
        self._waiting: dict[str, int] = {}

    @contextmanager
    def shared(self, key: str) -> Iterator[None]:
        """Hold *key* together with others that share it."""
        with self._condition:
            self._condition.wait_for(lambda: key not in self._exclusive and not self._waiting.get(key))
            self._shared[key] = self._shared.get(key, 0) + 1
        try:
            yield
        finally:
            with self._condition:
                self._shared[key] -= 1
                if not self._shared[key]:
                    del self._shared[key]
                self._condition.notify_all()

    @contextmanager
    def exclusive(self, key: str) -> Iterator[None]:
        """Hold *key* alone."""
        with self._condition:
            self._waiting[key] = self._waiting.get(key, 0) + 1
            try:
                self._condition.wait_for(lambda: key not in self._exclusive and key not in self._shared)
                self._exclusive.add(key)
            finally:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key]
        try:
            yield
        finally:
            with self._condition:
                self._exclusive.discard(key)
                self._condition.notify_all()
