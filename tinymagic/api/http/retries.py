"""What may be sent again, as a table, and how long to wait before (``errors-and-limits.md`` sections 3 and 6).

The rule behind the table: a request is repeated only when nothing can happen twice that must not.

* A ``read`` may be repeated whatever became of it.
* What is ``idempotent`` may be, too: done twice it is the same as done once. Only the reply can differ: a DELETE that
  was done by an attempt whose reply got lost gets 404 the next time. `.transport.Transport` then says that it is done
  (a 204), since what was asked for is so.
* A ``write`` may be repeated only when the service has said that it did nothing (429), or when the request certainly
  never left this machine. A write whose fate is unknown is reported, never repeated.
* ``events`` are rows for ``/v0/events``: as a write, and 503, by which the Events API says that it took nothing.

Waiting is visible: each wait is told beforehand. It is bounded: `Patience` says how often and how long. And it ends
when the request is cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

#: ``read`` changes nothing at the service, whatever its HTTP method: every GET, and POST ``/v0/sql``.
#: ``idempotent`` changes something, and doing it twice is the same as once: PUT that sets, DELETE, truncate. A PUT that
#: renames is a ``write``: the second time, the old name is not there.
#: ``events`` is ``POST /v0/events``.
#: ``write`` is any other change.
Effect: TypeAlias = Literal["read", "idempotent", "events", "write"]

#: ``not sent``: no connection came to be. ``hung up``: the connection broke before the head of a reply.
#: ``no certificate``: TLS failed. ``no reply in time``: our own time-out. ``broken reply``: the body ended early.
Failure: TypeAlias = Literal["not sent", "hung up", "no certificate", "no reply in time", "broken reply"] | int

#: Statuses that tell of a passing trouble. 408 and 500 are not among them: the same query would fail again.
PASSING_STATUSES = (429, 502, 503, 504, 598, 599)

#: Statuses that may say how long to wait, in ``Retry-After``.
ASKING_STATUSES = (429, 503)

#: Failure -> the effects for which it is tried again. For every other failure nothing is.
RETRIED: dict[Failure, tuple[Effect, ...]] = {
    "not sent": ("read", "idempotent", "events", "write"),
    "hung up": ("read", "idempotent"),
    "no certificate": (),
    # The user's own time-out has passed: waiting on would make it mean something else.
    "no reply in time": (),
    # ClickHouse ends a reply like that when a query fails after its first rows; it would fail again, as slowly.
    "broken reply": (),
    429: ("read", "idempotent", "events", "write"),
    502: ("read", "idempotent"),
    503: ("read", "idempotent", "events"),
    504: ("read", "idempotent"),
    598: ("read", "idempotent"),
    599: ("read", "idempotent"),
}


def may_be_done(failure: Failure) -> bool:
    """Say whether the service may have done the work of an attempt that failed so, and is asked again all the same.

    Example:
        >>> may_be_done("hung up"), may_be_done("not sent"), may_be_done(429)
        (True, False, False)
    """
    return failure not in ("not sent", 429)


@dataclass(frozen=True)
class Patience:
    """How often to try and how long to wait. The defaults give up after four waits and at most two minutes of waiting.

    Time-outs are another matter: they are for one attempt, and an attempt that is too late is not repeated. The longest
    that a call can take is thus ``attempts * timeout_s + total_wait_s``, and it comes to that only when each attempt
    ends just before its time-out.

    Attributes:
        attempts: requests in all, the first one counted; 1: nothing is repeated.
        first_wait_s: seconds before the second attempt; each further wait is twice as long.
        longest_wait_s: no wait of our own choice is longer, in seconds.
        longest_asked_wait_s: a service that asks (``Retry-After``, ``X-RateLimit-Reset``) for a longer wait than this
            is not waited for: the error comes at once and says how long to wait. In seconds.
        total_wait_s: all waits together, in seconds; a wait that would go beyond is not begun.
    """

    attempts: int = 5
    first_wait_s: float = 0.25
    longest_wait_s: float = 8.0
    longest_asked_wait_s: float = 60.0
    total_wait_s: float = 120.0

    def wait_s(
        self, effect: Effect, failure: Failure, *, attempt: int, waited_s: float = 0.0, asked_s: float | None = None
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or ``None`` when there is to be none.

        Args:
            effect: of the request.
            failure: of the attempt that just ended.
            attempt: its number; the first is 1.
            waited_s: seconds waited so far.
            asked_s: seconds that the service asked for, or ``None``.

        Example:
            >>> Patience().wait_s("read", 503, attempt=2), Patience().wait_s("write", 503, attempt=1)
            (0.5, None)
        """
        if attempt >= self.attempts or effect not in RETRIED.get(failure, ()):
            return None
        if asked_s is not None and asked_s > self.longest_asked_wait_s:
            return None
        wait: float = min(self.first_wait_s * 2 ** (attempt - 1), self.longest_wait_s) if asked_s is None else asked_s
        return wait if waited_s + wait <= self.total_wait_s else None


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait: ``Retry-After`` (seconds or a date), else ``X-RateLimit-Reset``.

    A reset that is no small number is taken for a unix time, as older clients of the service do.

    Args:
        headers: of the reply; names in lower case.
    """
    text = headers.get("retry-after", "").strip()
    if text:
        wait = _retry_after_s(text)
        if wait is not None:
            return wait
    return _reset_s(headers.get("x-ratelimit-reset", ""))


def _retry_after_s(text: str) -> float | None:
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    try:
        return max(0.0, float(Retry().parse_retry_after(text)))
    except (InvalidHeader, ValueError, OverflowError):
        return _number(text)


#: Larger numbers of ``X-RateLimit-Reset`` are points in time and no delays: a million seconds are eleven days.
_LONGEST_DELAY_S = 1_000_000


def _reset_s(text: str) -> float | None:
    import time

    reset = _number(text)
    if reset is None or reset < _LONGEST_DELAY_S:
        return reset
    return max(0.0, reset - time.time())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
