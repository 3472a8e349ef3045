"""A reply as the rest of the client sees it, and the ways to read one. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import BadReply

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names under which services and their fronts send the id of a request; the first one found counts.
_REQUEST_ID_HEADERS = ("x-request-id", "x-tinybird-request-id", "x-tb-request-id", "x-amzn-requestid", "cf-ray")


@dataclass(frozen=True)
class Reply:
    """One reply of the service, its body read to the end.

    Attributes:
        status: HTTP status.
        headers: names in lower case.
        body: decompressed.
        wall_s: seconds from sending to the last byte, without waits between attempts.
        bytes_received: length of the body on the wire, that is before decompression.
        asked: the request in words, for errors: method and path.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    wall_s: float = 0.0
    bytes_received: int = 0
    asked: str = ""

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; ``""`` when the reply names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def request_id(self) -> str | None:
        """The id under which the service knows the request."""
        return next((self.headers[name] for name in _REQUEST_ID_HEADERS if self.headers.get(name)), None)

    def text(self) -> str:
        """Return the body as text; bytes that are not UTF-8 are marked."""
        return self.body.decode("utf-8", "replace")

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty body of a success is an empty object.

        Raises:
            BadReply: the body is something else.
        """
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadReply(self._not_json(), status=self.status, request_id=self.request_id) from error
        if not isinstance(value, dict):
            raise BadReply(
                f"{self.asked} answered {self.status} with JSON that is no object but a {type(value).__name__}. "
                "Is the host right?",
                status=self.status,
                request_id=self.request_id,
            )
        return value

    def _not_json(self) -> str:
        if self.body.lstrip()[:1] in (b"{", b"["):
            return (
                f"{self.asked} answered {self.status} with JSON that breaks off or is damaged "
                f"({len(self.body)} bytes arrived). Try again."
            )
        return (
            f"{self.asked} answered {self.status} with {self.content_type or 'a body without a type'} where JSON was "
            "expected. Is the host an API host, and does no proxy answer for it?"
        )


@dataclass(frozen=True)
class RateLimit:
    """The ``X-RateLimit-*`` headers of a reply (``errors-and-limits.md`` section 3); ``None`` for what is absent.

    Attributes:
        limit: requests allowed in the window.
        remaining: requests left in it.
        reset_s: seconds until it starts again.
    """

    limit: int | None
    remaining: int | None
    reset_s: float | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimit:
        """Read the headers (names in lower case); what is not a number counts as absent."""

        def whole(name: str) -> int | None:
            text = headers.get(name, "").strip()
            return int(text) if text.isascii() and text.isdigit() else None

        return cls(
            whole("x-ratelimit-limit"), whole("x-ratelimit-remaining"), asked_reset(headers.get("x-ratelimit-reset"))
        )


def asked_reset(text: str | None) -> float | None:
    """Return ``X-RateLimit-Reset`` as it stands, or ``None`` when it is no number."""
    try:
        return float(text or "")
    except ValueError:
        return None
