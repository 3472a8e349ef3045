"""What a JWT of the API says: its claims, as the server and users who sign their own write them. Pure.

The claims are those of ``tokens.md`` section 5; others, such as ``iat``, are ignored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .scopes import JWT_SCOPES, ScopeError, check_scope


@dataclass(frozen=True)
class Claims:
    """The claims of one JWT.

    Attributes:
        workspace_id: the workspace that it is for.
        name: label; what ``limits.rps`` counts together.
        expires_at: Unix seconds.
        scopes: each ``{"type", "resource", "filter"?, "fixed_params"?}``; the resource is a name or an id.
        rps: requests a second that are allowed; ``None`` when there is no limit.
    """

    workspace_id: str
    name: str
    expires_at: int
    scopes: list[dict[str, Any]]
    rps: float | None = None

    def payload(self) -> dict[str, Any]:
        """Return the claims as they stand in the token."""
        payload = {
            "workspace_id": self.workspace_id,
            "name": self.name,
            "exp": self.expires_at,
            "scopes": self.scopes,
        }
        return payload if self.rps is None else {**payload, "limits": {"rps": self.rps}}


def read(payload: dict[str, Any]) -> Claims:
    """Read the claims of a verified JWT.

    Raises:
        ScopeError: a claim is missing or wrong; the message is a sentence.
    """
    for claim in ("workspace_id", "name", "exp", "scopes"):
        if payload.get(claim) in (None, ""):
            raise ScopeError(f'Token is missing the "{claim}" claim')
    workspace_id, name = payload["workspace_id"], payload["name"]
    if not isinstance(workspace_id, str) or not isinstance(name, str):
        raise ScopeError("The claims workspace_id and name must be texts")
    if any(0xD800 <= ord(char) < 0xE000 for char in workspace_id + name):
        raise ScopeError("The claims workspace_id and name must be valid Unicode")
    return Claims(
        workspace_id,
        name,
        read_time(payload["exp"], "The exp claim"),
        read_scopes(payload["scopes"]),
        read_rps(payload.get("limits")),
    )


def read_time(value: Any, what: str) -> int:
    """Return a time in Unix seconds.

    Raises:
        ScopeError: it is none.
    """
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise ScopeError(f"{what} must be a time in Unix seconds")


def read_scopes(value: Any) -> list[dict[str, Any]]:
    """Return the checked scopes of a JWT.

    Raises:
        ScopeError: there is none, or one that a JWT cannot hold.
    """
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise ScopeError('scopes must be a list of objects such as {"type": "PIPES:READ", "resource": "name"}')
    return [check_scope(each, JWT_SCOPES) for each in value]


def read_rps(limits: Any) -> float | None:
    """Return ``limits.rps``, ``None`` when there is no limit.

    Raises:
        ScopeError: it is no number over 0.
    """
    if limits is not None and not isinstance(limits, dict):
        raise ScopeError('limits must be an object such as {"rps": 10}')
    rps = (limits or {}).get("rps")
    if rps is None:
        return None
    if isinstance(rps, bool) or not isinstance(rps, (int, float)) or not math.isfinite(rps) or rps <= 0:
        raise ScopeError("limits.rps must be a number over 0")
    return rps
