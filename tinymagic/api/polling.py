"""Looking at something again and again until it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from tinymagic.api.errors import Timeout
from tinymagic.api.http.cancelling import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable

Seen = TypeVar("Seen")

#: Seconds between two looks: the first pause, by how much it grows, the longest.
_FIRST_PAUSE_S, _GROWTH, _LONGEST_PAUSE_S = 0.1, 1.5, 2.0


def poll(
    look: Callable[[Cancellation], Seen],
    is_over: Callable[[Seen], bool],
    late: Callable[[Seen], str],
    *,
    timeout_s: float | None = None,
    cancellation: Cancellation | None = None,
) -> Seen:
    """Look until it is over, in pauses that grow from 0.1 to 2 seconds.

    Args:
        look: asks how it stands; the switch ends its request.
        is_over: whether that is the end.
        late: says in a sentence that it is not over in time, and how it stands.
        timeout_s: the longest wait; ``None`` for any. No pause begins that would end after it.
        cancellation: ends the waiting from another thread.

    Returns:
        What was seen last.

    Raises:
        Timeout: it is not over in time.
        Cancelled: through *cancellation*.
    """
    cancellation = cancellation or Cancellation()
    end = None if timeout_s is None else time.monotonic() + timeout_s
    pause = _FIRST_PAUSE_S
    while True:
        seen = look(cancellation)
        if is_over(seen):
            return seen
        if end is not None and time.monotonic() + pause > end:
            raise Timeout(late(seen))
        cancellation.wait(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_S)
