"""JWTs made on this machine, without asking the service (``tokens.md`` section 5).

A JWT of the service is signed with HS256; the key is the Workspace's administrator token, the whole text of it.
Nothing is verified here: that is for the service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.http.redaction import Secret
from tinymagic.api.scopes import Scope, read_jwt_scopes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEADER = {"alg": "HS256", "typ": "JWT"}

#: The last second that `datetime` knows, 9999-12-31 23:59:59 UTC.
_LAST_S = 253_402_300_799


@dataclass(frozen=True)
class Jwt:
    """A JWT that was made. It is not stored anywhere: keep it now, or make another one.

    Attributes:
        token: the JWT, which does not show itself; ``.reveal()`` gives it.
        name: label that it has in the service's logs; ``limits.rps`` counts by it.
        expires_at: aware, UTC.
        scopes: what it may do.
        rps: requests a second that it is allowed; ``None`` when there is no limit.
    """

    token: Secret
    name: str
    expires_at: datetime
    scopes: tuple[Scope, ...]
    rps: float | None = None

    def reveal(self) -> str:
        """Return the JWT itself."""
        return self.token.reveal()


def sign_jwt(
    key: str | Secret,
    *,
    workspace_id: str,
    name: str,
    scopes: Iterable[str | Scope | Mapping[str, Any]] | str,
    expires_at: datetime | float | None = None,
    lifetime: timedelta | float | None = None,
    rps: float | None = None,
) -> Jwt:
    """Make a JWT with the claims ``workspace_id``, ``name``, ``exp``, ``scopes`` and, with *rps*, ``limits``.

    Args:
        key: the Workspace's administrator token.
        workspace_id: id of the Workspace.
        name: label, need not be unique.
        scopes: what it may do, for instance ``["PIPES:READ:top"]``; a `Scope` may have ``fixed_params``.
        expires_at: when it ends: a point in time (without a zone: UTC), or Unix seconds.
        lifetime: from now: seconds or a `datetime.timedelta`, instead of *expires_at*.
        rps: requests a second that are allowed.

    Raises:
        InvalidInput: something is missing or cannot be.

    Example:
        >>> sign_jwt("p.a.b", workspace_id="1", name="me", scopes=["PIPES:READ:top"], lifetime=60).token
        [hidden]
    """
    secret = key.reveal() if isinstance(key, Secret) else key
    if not secret or not workspace_id:
        raise InvalidInput("A JWT is signed with the Workspace's administrator token, and needs the Workspace's id.")
    if secret.count(".") == 2 and secret.startswith("eyJ"):
        raise InvalidInput("A JWT cannot sign another JWT: use the Workspace's administrator token.")
    made = read_jwt_scopes(scopes)
    end = ends_at(expires_at, lifetime)
    check_jwt(name, rps)
    claims: dict[str, Any] = {
        "workspace_id": workspace_id,
        "name": name,
        "exp": end,
        "scopes": [scope.document() for scope in made],
    }
    if rps is not None:
        claims["limits"] = {"rps": rps}
    signed = f"{_encoded(_HEADER)}.{_encoded(claims)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return Jwt(Secret(f"{signed}.{_base64(signature)}"), name, moment_of(end), made, rps)


def check_jwt(name: str, rps: float | None) -> None:
    """See that a JWT can have this name and this limit.

    Raises:
        InvalidInput: it cannot.
    """
    if not name.strip():
        raise InvalidInput("A JWT needs a name: it is what the service's logs call it.")
    if rps is not None and (isinstance(rps, bool) or not math.isfinite(rps) or rps <= 0):
        raise InvalidInput("The requests a second that a JWT is allowed are a number over 0.")


def ends_at(expires_at: datetime | float | None, lifetime: timedelta | float | None) -> int:
    """Return in Unix seconds when a JWT ends.

    Raises:
        InvalidInput: neither is given, or both, or it is over already.
    """
    if (expires_at is None) == (lifetime is None):
        raise InvalidInput("A JWT must end: give expires_at (a point in time) or lifetime (seconds), one of them.")
    now = time.time()
    try:
        if isinstance(lifetime, timedelta):
            end = now + lifetime.total_seconds()
        elif lifetime is not None:
            end = now + float(lifetime)
        elif isinstance(expires_at, datetime):
            aware = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=timezone.utc)
            end = aware.timestamp()
        else:
            end = float(expires_at)  # type: ignore[arg-type] # it is not None: see above
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(
            "expires_at is a point in time or Unix seconds, lifetime seconds or a timedelta; this is neither."
        ) from None
    if not math.isfinite(end) or end > _LAST_S:
        raise InvalidInput("That is no time at which a JWT can end.")
    if end <= now:
        raise InvalidInput("A JWT that is over already is of no use: give a time to come.")
    # Whole seconds, and never one that is over before its lifetime is.
    return math.ceil(end)


def moment_of(seconds: int) -> datetime:
    """Return Unix seconds as a point in time, UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
