"""Group commit: what arrives for one key while a group is being written makes the next group.

One insert of a hundred small requests costs the engine as much as one insert of one. So nobody waits on purpose: the
first request is written at once, those that come meanwhile are written together right after it, and each gets its own
answer. Threads are few and bounded; waiting requests hold none.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence


class Sized(Protocol):
    """What can be put into a group."""

    @property
    def size_bytes(self) -> int:
        """Counts against the size of a group."""


_Item = TypeVar("_Item", bound=Sized)
_Result = TypeVar("_Result")


class GroupCommit(Generic[_Item, _Result]):
    """Writes items in groups, one group of a key at a time.

    Args:
        write: gets a key's group and returns a result or an exception for each item, in order. What it raises is given
            to all of them.
        workers: keys that are written at the same time.
        most_items: in a group.
        most_bytes: in a group; an item that is bigger makes a group of its own.
    """

    def __init__(
        self,
        write: Callable[[Sequence[_Item]], Sequence[_Result | Exception]],
        *,
        workers: int,
        most_items: int,
        most_bytes: int,
    ) -> None:
        self._write = write
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, deque[tuple[_Item, Future[_Result]]]] = {}
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="group-commit")

    def submit(self, key: Hashable, item: _Item) -> Future[_Result]:
        """Have *item* written. Cancelling the future before its turn takes the item out."""
        future: Future[_Result] = Future()
        with self._lock:
            queue = self._waiting.get(key)
            if queue is not None:
                queue.append((item, future))
                return future
            self._waiting[key] = deque([(item, future)])
        self._executor.submit(self._write_next, key)
        return future

    def close(self) -> None:
        """Write what waits, and end the threads."""
        self._executor.shutdown()

    def _write_next(self, key: Hashable) -> None:
        group = self._take(key)
        if group:
            self._settle(group)
        with self._lock:
            if not self._waiting[key]:
                del self._waiting[key]
                return
        # At the end of the line: one busy key must not keep the others waiting.
        try:
            self._executor.submit(self._write_next, key)
        except RuntimeError:  # It closes, and ends only when everything is written.
            self._write_next(key)

    def _take(self, key: Hashable) -> list[tuple[_Item, Future[_Result]]]:
        group: list[tuple[_Item, Future[_Result]]] = []
        size = 0
        with self._lock:
            queue = self._waiting[key]
            while queue and len(group) < self._most_items:
                size += queue[0][0].size_bytes
                if group and size > self._most_bytes:
                    break
                item, future = queue.popleft()
                if future.set_running_or_notify_cancel():
                    group.append((item, future))
        return group

    def _settle(self, group: Sequence[tuple[_Item, Future[_Result]]]) -> None:
        results: Sequence[_Result | BaseException]
        try:
            results = self._write([item for item, _ in group])
        except BaseException as error:  # It belongs to those who wait.
            results = [error] * len(group)
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
