"""What a resource asks for: one request, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias
from urllib.parse import urlencode

from tinymagic.api.http.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.api.http.retries import Effect

FORM_TYPE = "application/x-www-form-urlencoded"

#: A body that can be sent.
Body: TypeAlias = "bytes | SizedReader"


class SizedReader(Protocol):
    """What a body read from disk must offer; `tinymagic.api.upload.MultipartBody` is one."""

    def read(self, size: int = -1) -> bytes:
        """Return at most *size* bytes; ``b""`` at the end."""

    def __len__(self) -> int:
        """Return how many bytes there are in all."""

    def close(self) -> None:
        """Let go of what is open."""


@dataclass(frozen=True)
class Request:
    """What a resource asks for.

    Attributes:
        method: ``GET``, ``POST`` ...
        path: from ``/v0/`` on, its parts already quoted.
        query: parameters in the URL. Values of ``None`` are left out.
        body: makes the body, anew for each attempt; ``None`` for none.
        content_type: of the body.
        content_encoding: ``gzip`` for a body that is compressed; ``None`` for one as it is.
        effect: ``read`` when the call changes nothing at the service; ``idempotent`` when doing it twice is the same as
            once; ``events`` for rows to the Events API; ``write`` otherwise (the table is in `.retries`).
        token: whether the token goes with it.
        length: ``long`` for uploads: their time-out is for each silence of the connection and not for the whole.
    """

    method: str
    path: str
    query: Mapping[str, str | None] = field(default_factory=dict)
    body: Callable[[], Body] | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    effect: Effect = "read"
    token: bool = True
    length: Literal["short", "long"] = "short"

    @property
    def asked(self) -> str:
        """The request in words for errors: method and path, without parameters; a token in the path is hidden."""
        return Secret("").redact(f"{self.method} {self.path}")


def form_body(fields: Mapping[str, str | None]) -> Callable[[], bytes]:
    """Return a body for `Request` that is a URL-encoded form; fields of ``None`` are left out."""
    encoded = urlencode(pairs_of(fields)).encode()
    return lambda: encoded


def pairs_of(query: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Return the pairs of *query* that have a value."""
    return [(name, value) for name, value in query.items() if value is not None]
