"""Who may do what: tokens, scopes, and the rule that no route forgets to ask.

A route is made with `guarded` (needs a token, states its scopes) or `open_to_all` (health, ``/tokens``, regions). The
application refuses to start with a route that is neither (`check_routes`), so a forgotten permission is a failing start
and not a hole. A guarded handler receives an `Access`; where the scope depends on the resource (``DATASOURCES:APPEND``
on *this* one) it declares the scope type in *needs* and calls `Access.require` with the name.

Scopes and what they grant: ``tokens.md`` section 3. Texts: ``query.md`` sections 5 and 6. Tokens are opaque texts;
they are compared in constant time (by their digest) and never logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import Route

from .errors import Forbidden

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from .catalog import TokenRecord, Workspace

#: Scopes that grant everything in the workspace.
ADMIN_SCOPES = ("ADMIN", "ADMIN_USER")

#: Scopes that another scope includes, beside ADMIN (``tokens.md`` section 3).
_INCLUDED_IN = {
    "DATASOURCES:APPEND": ("DATASOURCES:CREATE",),
    "DATASOURCES:READ": ("WORKSPACE:READ_ALL",),
    "PIPES:READ": ("WORKSPACE:READ_ALL",),
}

SCOPE_TYPES = (
    *ADMIN_SCOPES,
    "TOKENS",
    "DATASOURCES:CREATE",
    "DATASOURCES:APPEND",
    "DATASOURCES:DROP",
    "DATASOURCES:READ",
    "PIPES:CREATE",
    "PIPES:DROP",
    "PIPES:READ",
    "ORG_DATASOURCES:READ",
    "WORKSPACE:READ_ALL",
    "WORKSPACE:DEPLOY",
)


@dataclass(frozen=True)
class Access:
    """What the caller of one request may do.

    Attributes:
        workspace: the workspace that the token belongs to.
        token: the token's record; its ``kind`` is ``user`` for the token that creates workspaces.
    """

    workspace: Workspace
    token: TokenRecord

    @property
    def is_admin(self) -> bool:
        """Whether the token may do everything in its workspace."""
        return any(scope["type"] in ADMIN_SCOPES for scope in self.token.scopes)

    def allows(self, scope: str, resource: str | None = None) -> bool:
        """Say whether the token has *scope*, for *resource* when the scope is about one.

        Reading a Data Source includes its ``<name>_quarantine``. With *resource* ``None`` any resource will do: use it
        for routes that list, and filter with the name afterwards.
        """
        if self.is_admin:
            return True
        names = {resource}
        if resource and scope == "DATASOURCES:READ" and resource.endswith("_quarantine"):
            names.add(resource[: -len("_quarantine")])
        for held in self.token.scopes:
            if held["type"] in _INCLUDED_IN.get(scope, ()):
                return True
            if held["type"] == scope and (resource is None or not held.get("resource") or held["resource"] in names):
                return True
        return False

    def require(self, scope: str, resource: str | None = None) -> None:
        """Raise `Forbidden` unless `allows`."""
        if not self.allows(scope, resource):
            wanted = scope if resource is None else f"{scope}:{resource}"
            raise Forbidden(f"The token has not enough permissions for this: it needs the scope {wanted} or ADMIN.")


Handler = Callable[["Request", Access], "Awaitable[Response]"]
OpenHandler = Callable[["Request"], "Awaitable[Response]"]


def guarded(path: str, handler: Handler, *, methods: Iterable[str], needs: Iterable[str]) -> Route:
    """Make a route that needs a token with at least one of the scopes *needs* (or ADMIN).

    Args:
        path: path template of Starlette, without a trailing slash.
        handler: ``async def handler(request, access) -> Response``.
        methods: HTTP methods.
        needs: scope types; the handler still calls ``access.require(scope, name)`` for scopes about one resource.
            Empty means that any valid token will do, as for ``/v0/workspace``.
    """
    required = tuple(needs)
    unknown = [scope for scope in required if scope not in SCOPE_TYPES]
    if unknown:
        raise ValueError(f"{path} needs {unknown}, which are no scopes.")

    async def endpoint(request: Request) -> Response:
        services = request.app.state.services
        access: Access = services.tokens.authenticate(request.headers.get("authorization"), request.query_params)
        if required and not any(access.allows(scope) for scope in required):
            access.require(required[0])
        request.state.access = access
        return await handler(request, access)

    endpoint.__name__ = getattr(handler, "__name__", "endpoint")
    route = Route(path, endpoint, methods=list(methods))
    route.needs = required  # type: ignore[attr-defined]
    return route


def open_to_all(path: str, handler: OpenHandler, *, methods: Iterable[str] = ("GET",)) -> Route:
    """Make a route that needs no token. Only health, ``/tokens`` and the regions are such."""
    route = Route(path, handler, methods=list(methods))
    route.needs = None  # type: ignore[attr-defined]
    return route


OPEN_PATHS = ("/health/liveness", "/health/readiness", "/tokens", "/v0/regions")


def check_routes(routes: Iterable[Route]) -> None:
    """Refuse routes that do not say who may call them.

    Raises:
        RuntimeError: a route was made without `guarded` or `open_to_all`, or is open though it may not be.
    """
    for route in routes:
        if not hasattr(route, "needs"):
            raise RuntimeError(f"The route {route.path} does not declare its scopes; make it with guarded().")
        if route.needs is None and route.path not in OPEN_PATHS:
            raise RuntimeError(f"The route {route.path} is open to all, and only {', '.join(OPEN_PATHS)} may be.")


def mint_token(*, user_id: str, token_id: str, signing_key: str) -> str:
    """Make a token in the vendor's form: ``p.`` + base64 JSON ``{"u", "id", "host"}`` + ``.`` + HMAC-SHA256."""
    payload = json.dumps({"u": user_id, "id": token_id, "host": "local"})
    # A salt in the signature lets a refreshed token differ although its payload stays.
    salted = f"{payload}{secrets.token_hex(16)}".encode()
    signature = hmac.new(signing_key.encode(), salted, hashlib.sha256).digest()
    encoded = base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")
    return f"p.{encoded}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
