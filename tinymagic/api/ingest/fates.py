"""An error came instead of counts: are the rows of the request stored, are they not, or is that not known? Pure.

The contract's words (``events.md`` section 5, ``errors-and-limits.md`` section 6): a refusal stores nothing; 503 of
the Events API inserts nothing; 500 and the statuses of fronts tell nothing; 422 stored rows; no reply, or one that
cannot be read, tells nothing. In doubt the answer is "not known", because then nothing is sent twice unasked.
"""

from __future__ import annotations

from typing import Literal

from tinymagic.api.errors import (
    ApiError,
    BadReply,
    Cancelled,
    ConfigurationError,
    ConnectionFailed,
    InvalidInput,
    PayloadTooLarge,
    RequestTimeout,
    UnprocessableRows,
)

Fate = Literal["failed", "unknown"]


def fate_of(error: BaseException, *, events: bool, under_way: bool) -> Fate:
    """Say what became of the rows of a request that ended with *error*.

    Args:
        error: what the transport raised.
        events: whether it was a request to the Events API.
        under_way: whether the last attempt had begun and no refusal of it has been read.

    Example:
        >>> fate_of(PayloadTooLarge("", status=413), events=True, under_way=True)
        'failed'
        >>> fate_of(KeyboardInterrupt(), events=True, under_way=False)
        'failed'
    """
    if isinstance(error, (InvalidInput, ConfigurationError, PayloadTooLarge)):
        return "failed"
    if isinstance(error, ConnectionFailed):
        return "unknown" if error.sent else "failed"
    if isinstance(error, BadReply):
        # A redirect that was not followed stored nothing.
        return "failed" if error.status is not None and 300 <= error.status < 400 else "unknown"
    if isinstance(error, ApiError):
        return "failed" if is_refusal(error, events=events) else "unknown"
    if isinstance(error, Cancelled) or not isinstance(error, Exception):
        return "unknown" if under_way else "failed"
    return "unknown" if under_way else "failed"


def is_refusal(error: ApiError, *, events: bool) -> bool:
    """Say whether a status means that nothing was stored."""
    if isinstance(error, (RequestTimeout, UnprocessableRows)) or error.status is None:
        return False
    return error.status < 500 or (events and error.status == 503)


#: Statuses that every further request of the same kind would get as well.
_LASTING = (401, 403, 404, 405, 410, 411, 415)


def is_lasting(error: BaseException) -> bool:
    """Say whether the next batch would end the same way, so that going on is of no use."""
    return isinstance(error, (ConfigurationError, Cancelled)) or (
        isinstance(error, ApiError) and error.status in _LASTING
    )
