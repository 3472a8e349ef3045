"""An interrupt (Ctrl-C, the stop button) ends the request that is on its way, and the work behind it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinymagic.api.http.cancelling import Cancellation


@contextlib.contextmanager
def interruptible() -> Iterator[Cancellation]:
    """Give the block a `Cancellation` for its calls; a KeyboardInterrupt in the block cancels it, and goes on.

    Example:
        >>> with interruptible() as cancellation:
        ...     cancellation.cancelled
        False
    """
    from tinymagic.api.http.cancelling import Cancellation

    cancellation = Cancellation()
    try:
        yield cancellation
    except KeyboardInterrupt:
        cancellation.cancel()
        raise
