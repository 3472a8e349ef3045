"""What the service answered to a request that failed, word for word, for whoever has to find out why. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.api.http.replies import Reply

#: The longest body that is kept, in characters.
_LONGEST_BODY = 10_000


@dataclass(frozen=True)
class Answer:
    """A reply with an error status, without tokens.

    Attributes:
        asked: the request in words: method and path.
        status: HTTP status.
        headers: names in lower case.
        body: as text, cut after 10,000 characters.
        wall_s: seconds it took.
    """

    asked: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    wall_s: float

    @classmethod
    def of(cls, reply: Reply, redact: Callable[[str], str]) -> Answer:
        """Keep what is worth keeping of a reply.

        Args:
            reply: as it came.
            redact: takes tokens out of a text.
        """
        headers = {name: redact(value) for name, value in reply.headers.items() if name != "set-cookie"}
        return cls(redact(reply.asked), reply.status, headers, redact(reply.text()[:_LONGEST_BODY]), reply.wall_s)
