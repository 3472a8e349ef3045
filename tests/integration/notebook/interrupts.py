"""Ctrl-C in the middle of a cell."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interrupting(after_s: float, when: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Press Ctrl-C while the block runs: after that time, and once *when* is so."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # What a shell starts in the background ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    over = threading.Event()

    def press() -> None:
        if over.wait(after_s):
            return
        while not when():
            if over.wait(0.02):
                return
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    try:
        yield
    finally:
        over.set()
        presser.join(5)


def comes_about(condition: Callable[[], bool], within_s: float) -> bool:
    """Wait until *condition* is so, at most that long; return whether it is."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
