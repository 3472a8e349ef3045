"""One look at the service: does it answer, how fast, what time is it there, and how many requests are left?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tinymagic.api.http.replies import RateLimit
from tinymagic.api.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.http.replies import Reply
    from tinymagic.api.http.transport import Transport


@dataclass(frozen=True)
class Probe:
    """What a reply tells besides its body.

    Attributes:
        wall_s: seconds from sending to the last byte.
        clock_skew_s: seconds that this machine's clock is ahead of the service's (whole seconds: the ``Date`` header
            has no more); ``None`` when the service tells no time.
        rate: the ``X-RateLimit-*`` headers.
        headers: all of them, names in lower case.
    """

    wall_s: float
    clock_skew_s: float | None
    rate: RateLimit
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, reply: Reply, now: datetime) -> Probe:
        """Read the headers of a reply that came at *now*."""
        return cls(reply.wall_s, _skew_s(reply, now), RateLimit.of(reply.headers), reply.headers)


def probe(transport: Transport) -> Probe:
    """Ask for the token's Workspace (``GET /v0/workspace``) and look at how the answer came.

    Raises:
        TinybirdError: whatever went wrong.
    """
    reply = transport.send(Request("GET", "/v0/workspace"))
    return Probe.of(reply, datetime.now(timezone.utc))


def _skew_s(reply: Reply, now: datetime) -> float | None:
    try:
        there = parsedate_to_datetime(reply.headers.get("date", ""))
    except (TypeError, ValueError, IndexError):
        return None
    if there.tzinfo is None:
        there = there.replace(tzinfo=timezone.utc)
    # The answer was written half-way, and its clock is cut to the second: it may be up to one second behind.
    ahead = (now - there).total_seconds() - reply.wall_s / 2
    return max(0.0, ahead - 1) if ahead > 0 else ahead
