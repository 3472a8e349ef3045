"""One after the other, in the order in which they came."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: How often those who wait are asked whether they still want to, seconds.
_ASK_S = 0.1


class Turns:
    """A line for each key."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[str, list[object]] = {}

    @contextmanager
    def turn(self, key: str, check: Callable[[], None]) -> Iterator[None]:
        """Wait for the turn and hold it during the block; what *check* raises meanwhile ends the waiting."""
        me = object()
        with self._changed:
            self._lines.setdefault(key, []).append(me)
        try:
            with self._changed:
                while self._lines[key][0] is not me:
                    self._changed.wait(_ASK_S)
                    check()
            yield
        finally:
            with self._changed:
                self._lines[key].remove(me)
                if not self._lines[key]:
                    del self._lines[key]
                self._changed.notify_all()
