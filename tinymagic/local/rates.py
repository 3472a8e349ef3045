"""How often something may be asked: the service's request rates (``errors-and-limits.md`` sections 3 and 4).

`Rates.check` counts one request of a rule and a key (a workspace, a Data Source). The rules hold with ``--limits
service``; the ``limits.rps`` of a JWT holds always (`Rates.check_rps`). Counting takes microseconds and is safe from
any thread; the memory is bounded, because the keys that were idle longest are forgotten.

Programs meet refusals seldom, so they can be forced: the environment variable ``TINYMAGIC_LOCAL_FORCE_STATUS``, read
when the server starts, says which rule is refused how, and how often for each key (always when left out)::

    TINYMAGIC_LOCAL_FORCE_STATUS=events:503:2,imports:429
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from .errors import ApiError, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .limits import Limits

LIMITS_PAGE = "/support/limits"

#: Keys that are remembered, over all rules.
MOST_KEYS = 10_000

#: Faster than this server answers; such a limit never holds anybody up, so it is not counted.
MOST_RPS = 10_000

FORCE_VARIABLE = "TINYMAGIC_LOCAL_FORCE_STATUS"

_FORCED_STATUS = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Spent:
    """What a limit says to one request.

    Attributes:
        allowed: whether the request may go on.
        limit: requests in one window.
        remaining: how many of them are left.
        reset_s: seconds until there are more, for a refused request until there is one.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_s: float

    def headers(self) -> dict[str, str]:
        """Return the three headers; all or none, because a client reads the second when it sees the first."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(max(1, math.ceil(self.reset_s))),
        }


class Counter(Protocol):
    """Counts the requests of one key."""

    def spend(self, now: float) -> Spent:
        """Count a request at *now* (seconds) unless it is one too many."""
        ...


@dataclass
class SlidingWindow:
    """At most *limit* requests in any *seconds*; refused ones do not count."""

    limit: int
    seconds: float
    _times: deque[float] = field(default_factory=deque)

    def spend(self, now: float) -> Spent:
        """Count a request."""
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        allowed = len(self._times) < self.limit
        if allowed:
            self._times.append(now)
        return Spent(allowed, self.limit, self.limit - len(self._times), self._times[0] + self.seconds - now)


@dataclass
class TokenBucket:
    """*rate* requests a second for ever, and up to *burst* at once after a rest."""

    rate: float
    burst: int
    _left: float = -1
    _at: float = 0

    def spend(self, now: float) -> Spent:
        """Count a request."""
        self._left = self.burst if self._left < 0 else min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        allowed = self._left >= 1
        if allowed:
            self._left -= 1
        missing = 1 - self._left if not allowed else self.burst - self._left
        return Spent(allowed, self.burst, int(self._left), missing / self.rate)


@dataclass(frozen=True)
class Rule:
    """A rate: how to count, and what a refusal says."""

    counter: Callable[[], Counter]
    sentence: str


#: The service's rates: those of the free plan where plans differ.
RULES = {
    "creations": Rule(lambda: SlidingWindow(25, 60), "25 Data Sources may be created from a schema in a minute."),
    "imports": Rule(
        lambda: SlidingWindow(5, 60),
        "5 imports (create from a file or URL, append, replace) may be made in a minute.",
    ),
    "events": Rule(lambda: SlidingWindow(1_000, 1), "The Events API takes 1000 requests in a second."),
    "events_of_datasource": Rule(
        lambda: SlidingWindow(100, 1), "The Events API takes 100 requests in a second for one Data Source."
    ),
    "queries": Rule(lambda: TokenBucket(10, 20), "10 queries may be made in a second, 20 at once after a rest."),
    "queries_of_day": Rule(lambda: SlidingWindow(1_000, 86_400), "1000 queries may be made in a day."),
    "variables": Rule(lambda: SlidingWindow(5, 1), "5 requests about variables may be made in a second."),
}


class Rates:
    """Counts requests.

    Args:
        limits: whether the rules hold.
        clock: seconds that never run backwards.
        environment: where `FORCE_VARIABLE` may be.

    Raises:
        ValueError: the variable does not name rules and statuses.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._hold = limits.rates
        self._clock = clock
        self._forced = forced_statuses((os.environ if environment is None else environment).get(FORCE_VARIABLE, ""))
        self._forcings: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._counters: OrderedDict[tuple[str, str], Counter] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, rule: str, key: str) -> dict[str, str]:
        """Count a request, and return the headers that its reply should have: ``X-RateLimit-*``, or none.

        Args:
            rule: one of `RULES`.
            key: whose requests are counted together, for instance the id of a workspace.

        Raises:
            TooManyRequests: it is one too many; carries the headers and ``Retry-After`` (seconds).
            ApiError: `FORCE_VARIABLE` asks for it.
        """
        asked = RULES[rule]
        if rule in self._forced:
            self._force(rule, key)
        return self._count((rule, key), asked.counter, asked.sentence) if self._hold else {}

    def check_rps(self, name: str, rps: float) -> dict[str, str]:
        """Count a request of a JWT that may make *rps* a second; *name* is what its requests are grouped by.

        Raises:
            TooManyRequests: it is one too many.
        """
        if rps > MOST_RPS:
            return {}
        # Less than one a second is one in several; the limit is part of the key, for it may change with a new JWT.
        limit, seconds = (int(rps), 1.0) if rps >= 1 else (1, 1 / rps)
        sentence = f"This JWT may make {rps:g} requests in a second (limits.rps)."
        return self._count((f"rps {rps:g}", name), lambda: SlidingWindow(limit, seconds), sentence)

    def _count(self, key: tuple[str, str], make: Callable[[], Counter], sentence: str) -> dict[str, str]:
        with self._lock:
            counter = self._counters.get(key)
            if counter is None:
                counter = self._counters[key] = make()
                if len(self._counters) > MOST_KEYS:
                    self._counters.popitem(last=False)
            self._counters.move_to_end(key)
            spent = counter.spend(self._clock())
        headers = spent.headers()
        if spent.allowed:
            return headers
        retry = headers["X-RateLimit-Reset"]
        raise TooManyRequests(
            f"Too many requests. {sentence} Try again in {retry} s.",
            documentation=LIMITS_PAGE,
            headers={**headers, "Retry-After": retry},
        )

    def _force(self, rule: str, key: str) -> None:
        status, times = self._forced[rule]
        with self._lock:
            done = self._forcings.get((rule, key), 0)
            if times is not None and done >= times:
                return
            self._forcings[rule, key] = done + 1
            if len(self._forcings) > MOST_KEYS:
                self._forcings.popitem(last=False)
        headers = {"Retry-After": "1"}
        if status == 429:
            headers.update(Spent(False, 1, 0, 1).headers())
        raise ApiError(
            f"{FORCE_VARIABLE} of the server's environment asks for this answer.", status=status, headers=headers
        )


def forced_statuses(text: str) -> dict[str, tuple[int, int | None]]:
    """Read the value of `FORCE_VARIABLE`: by rule the status and how often, ``None`` for always.

    Raises:
        ValueError: it cannot be read; the message is a sentence.

    Example:
        >>> forced_statuses("events:503:2,imports:429")
        {'events': (503, 2), 'imports': (429, None)}
    """
    forced: dict[str, tuple[int, int | None]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        rule, _, rest = part.partition(":")
        status, colon, times = rest.partition(":")
        good = status in map(str, _FORCED_STATUS) and (times.isdecimal() or not colon)
        if rule not in RULES or not good:
            raise ValueError(
                f"{FORCE_VARIABLE}: {part!r} is not '<rule>:<status>' or '<rule>:<status>:<times>' with a rule of "
                f"{', '.join(RULES)} and a status of {', '.join(map(str, _FORCED_STATUS))}."
            )
        forced[rule] = (int(status), int(times) if colon else None)
    return forced
