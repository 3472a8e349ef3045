"""Work in the background that must not speak up in the middle of somebody's cell."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_here = threading.local()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let nothing be said about waits of the requests that this thread makes in the block."""
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False


def is_quiet() -> bool:
    """Say whether this thread is inside `quietly`."""
    return bool(getattr(_here, "quiet", False))
