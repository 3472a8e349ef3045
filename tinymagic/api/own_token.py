"""What a token tells about itself, without asking anybody and without showing it. Pure.

A static token (``p.<payload>.<signature>``) names its id, its user and its region; a JWT its Workspace, its scopes and
when it ends (``tokens.md`` sections 1 and 4). Nothing here is checked: the service decides.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tinymagic.api.reading import mapping, mappings, number, text_or_none


@dataclass(frozen=True)
class OwnToken:
    """What is written in a token.

    Attributes:
        kind: ``static``, ``JWT``, or ``unknown`` for one that cannot be read.
        id: of a static token, or ``None``.
        name: of a JWT, or ``None``.
        workspace_id: of a JWT, or ``None``.
        host: key of the region that a static token names, or ``None``.
        expires_at: of a JWT, in UTC; ``None`` when it does not end.
        scopes: of a JWT, for instance ``PIPES:READ:top``; those of static tokens only the service knows.
    """

    kind: str
    id: str | None = None
    name: str | None = None
    workspace_id: str | None = None
    host: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()

    @property
    def expired(self) -> bool:
        """Whether its time is over, by this machine's clock."""
        return self.expires_at is not None and self.expires_at <= datetime.now(timezone.utc)

    @classmethod
    def of(cls, token: str) -> OwnToken:
        """Read a token of any kind; nothing fails.

        Example:
            >>> OwnToken.of("p.eyJpZCI6ICI3IiwgImhvc3QiOiAibG9jYWwifQ.signature").host
            'local'
            >>> OwnToken.of("no token").kind
            'unknown'
        """
        parts = token.strip().split(".")
        if len(parts) != 3:
            return cls("unknown")
        payload = _payload(parts[1])
        if parts[0] == "p":
            return cls("static", id=text_or_none(payload.get("id")), host=text_or_none(payload.get("host")))
        if not payload:
            return cls("unknown")
        scopes = tuple(
            ":".join(part for part in (str(each.get("type") or ""), str(each.get("resource") or "")) if part)
            for each in mappings(payload.get("scopes"))
        )
        return cls(
            "JWT",
            name=text_or_none(payload.get("name")),
            workspace_id=text_or_none(payload.get("workspace_id")),
            expires_at=_moment(payload.get("exp")),
            scopes=scopes,
        )


def _payload(part: str) -> Any:
    try:
        return mapping(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (ValueError, RecursionError):
        return {}


def _moment(seconds: Any) -> datetime | None:
    found = number(seconds)
    try:
        return None if found is None else datetime.fromtimestamp(found, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None
