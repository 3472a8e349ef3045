"""Work that takes time, beside the kernel: in a thread, one after the other, with progress and an end on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.http.cancelling import Cancellation

T = TypeVar("T")


@dataclass(frozen=True)
class _Order:
    task: Callable[[Cancellation], Any]
    done: Callable[[Any], object]
    failed: Callable[[BaseException], object]
    cancellation: Cancellation


class Work:
    """Does what a panel orders, one thing after the other. Of orders that wait only the newest is kept.

    Args:
        at_once: do everything in the calling thread, as tests want it.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._present: _Order | None = None
        self._waiting: _Order | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._busy

    def start(
        self,
        task: Callable[[Cancellation], T],
        *,
        done: Callable[[T], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Begin *task*, or keep it until the present one has ended.

        Args:
            task: gets the cancellation to hand on to the client.
            done: gets the result.
            failed: gets whatever was raised.
        """
        from tinymagic.api.http.cancelling import Cancellation

        order = _Order(task, done, failed, Cancellation())
        with self._lock:
            if self._closed:
                return
            if self._busy:
                self._waiting = order
                return
            self._busy, self._present = True, order
        if self._at_once:
            self._run(order)
            return
        self._thread = threading.Thread(target=self._run, args=(order,), name="tinymagic panel", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End what is being done as soon as it looks; what waits is dropped."""
        with self._lock:
            self._waiting = None
            if self._present is not None:
                self._present.cancellation.cancel()

    def close(self) -> None:
        """End everything, and begin nothing any more."""
        self._closed = True
        self.cancel()

    def wait(self, timeout_s: float = 30.0) -> None:
        """Wait until nothing is being done."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self, order: _Order) -> None:
        following: _Order | None = order
        while following is not None:
            self._carry_out(following)
            with self._lock:
                following, self._waiting = (None if self._closed else self._waiting), None
                self._busy, self._present = following is not None, following

    def _carry_out(self, order: _Order) -> None:
        try:
            result = order.task(order.cancellation)
        except BaseException as error:  # Whatever it is, the panel says it.
            tell, what = order.failed, error
        else:
            tell, what = order.done, result
        if not self._closed:
            tell(what)
