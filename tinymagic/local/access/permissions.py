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
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from tinymagic.local.errors import ApiError, Forbidden, OfAnotherHost

from .scopes import ADMIN_SCOPES, INCLUDED_IN, RESOURCE_SCOPES, SCOPE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.records import TokenRecord, Workspace


@dataclass(frozen=True)
class Access:
    """What the caller of one request may do.

    Resources are called by their present names, although a stored token holds their ids (`TokenRecord.scopes`). A scope
    whose resource is gone grants nothing.

    Attributes:
        workspace: the workspace that the token belongs to.
        token: the token's record; its ``kind`` is ``user`` for the token that creates workspaces, and ``jwt`` for one
            made from the claims of a JWT.
        names: present name of each resource by what a scope may call it: its id, in a JWT also its name.
        check_filter: turns the text of a JWT's filter into SQL that may be run, ``(text, name of the Data Source)``.
        limit_rps: requests a second that the token may make; ``None`` when it says nothing.
    """

    workspace: Workspace
    token: TokenRecord
    names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    check_filter: Callable[[str, str], str] | None = field(default=None, repr=False, compare=False)
    limit_rps: float | None = None

    @cached_property
    def is_admin(self) -> bool:
        """Whether the token may do everything in its workspace."""
        return any(scope["type"] in ADMIN_SCOPES for scope in self.token.scopes)

    def allows(self, scope: str, resource: str | None = None) -> bool:
        """Say whether the token has *scope*, for *resource* when the scope is about one.

        Reading a Data Source includes its ``<name>_quarantine``, unless it is only some rows that the token may read.
        With *resource* ``None`` any resource will do: use it for routes that list, and filter with the name afterwards.
        """
        if self._has_all(scope):
            return True
        held = [*self._held(scope)]
        if resource is None or scope not in RESOURCE_SCOPES:
            return bool(held)
        if any(name == resource for name, _ in held):
            return True
        base = _quarantined(resource)
        if scope != "DATASOURCES:READ" or base is None:
            return False
        return any(name == base and not each.get("filter") for name, each in held)

    def require(self, scope: str, resource: str | None = None) -> None:
        """Raise `Forbidden` unless `allows`."""
        if not self.allows(scope, resource):
            wanted = scope if resource is None else f"{scope}:{resource}"
            raise Forbidden(f"The token has not enough permissions for this: it needs the scope {wanted} or ADMIN.")

    def row_filter(self, name: str) -> str | None:
        """Return the condition under which the token may read the rows of a Data Source, ``None`` when it may read all.

        The text is written by the engine's parser, without tables and subqueries: it may become part of SQL. It is
        ``0``, no row, for a Data Source or quarantine that the token may not read.

        Raises:
            BadRequest: the filter of a JWT cannot be used.
        """
        if self._has_all("DATASOURCES:READ"):
            return None
        held = [scope for holder, scope in self._held("DATASOURCES:READ") if holder == name]
        if not held:
            return None if self.allows("DATASOURCES:READ", name) else "0"
        return self._any_filter(held, name)

    def pipe_filter(self, name: str) -> str | None:
        """Return the condition under which the token may read the rows that a Pipe gives, ``None`` for all.

        Rights on a Pipe that the token does not have are not looked at: others may read it for the token.

        Raises:
            BadRequest: the filter of a JWT cannot be used.
        """
        if self._has_all("PIPES:READ"):
            return None
        held = [scope for holder, scope in self._held("PIPES:READ") if holder == name]
        return self._any_filter(held, name) if held else None

    def fixed_parameters(self, pipe_name: str) -> dict[str, Any] | None:
        """Return the parameters that a JWT forces upon a Pipe's endpoint; ``None`` when it forces none.

        Several scopes of one Pipe force all of theirs; the first value of a parameter holds.
        """
        fixed: dict[str, Any] = {}
        for name, scope in self._held("PIPES:READ"):
            if name == pipe_name:
                fixed = {**(scope.get("fixed_params") or {}), **fixed}
        return fixed or None

    def _has_all(self, scope: str) -> bool:
        """Say whether the token has *scope* for whatever resource."""
        including = INCLUDED_IN.get(scope, ())
        return self.is_admin or any(held["type"] in including for held in self.token.scopes)

    def _held(self, scope: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give the scopes of one type with the present name of the resource that each is about."""
        for held in self.token.scopes:
            if held["type"] != scope:
                continue
            name = self.names.get(held.get("resource", ""), "")
            if name or scope not in RESOURCE_SCOPES:
                yield name, held

    def _any_filter(self, held: list[dict[str, Any]], name: str) -> str | None:
        if not all(scope.get("filter") for scope in held):
            return None
        conditions = dict.fromkeys(self._filter_sql(scope, name) for scope in held)
        return " OR ".join(f"({condition})" for condition in conditions)

    def _filter_sql(self, scope: dict[str, Any], name: str) -> str:
        if "sql" in scope:
            return str(scope["sql"])
        if self.check_filter is None:
            return "0"
        return self.check_filter(scope["filter"], name)


def _quarantined(name: str) -> str | None:
    """Return the Data Source whose quarantine *name* is."""
    return name[: -len("_quarantine")] if name.endswith("_quarantine") else None


Handler = Callable[["Request", Access], "Awaitable[Response]"]
OpenHandler = Callable[["Request"], "Awaitable[Response]"]


def guarded(
    path: str, handler: Handler, *, methods: Iterable[str], needs: Iterable[str], status_of_another_host: int = 403
) -> Route:
    """Make a route that needs a token with at least one of the scopes *needs* (or ADMIN).

    The ``limits.rps`` of a JWT is enforced here.

    Args:
        path: path template of Starlette, without a trailing slash.
        handler: ``async def handler(request, access) -> Response``.
        methods: HTTP methods.
        needs: scope types; the handler still calls ``access.require(scope, name)`` for scopes about one resource.
            Empty means that any valid token will do, as for ``/v0/workspace``.
        status_of_another_host: for a token that says itself that it was made on another host.
    """
    required = tuple(needs)
    unknown = [scope for scope in required if scope not in SCOPE_TYPES]
    if unknown:
        raise ValueError(f"{path} needs {unknown}, which are no scopes.")

    async def permitted(request: Request, access: Access) -> Response:
        if required and not any(access.allows(scope) for scope in required):
            access.require(required[0])
        return await handler(request, access)

    async def endpoint(request: Request) -> Response:
        services = request.app.state.services
        try:
            access: Access = services.tokens.authenticate(request.headers.get("authorization"), request.query_params)
        except OfAnotherHost as error:
            error.status = status_of_another_host
            raise
        request.state.access = access
        if access.limit_rps is None:
            return await permitted(request, access)
        # Requests are counted before anything is looked at, so that refused ones cost their sender too.
        group = f"{access.workspace.id}/{access.token.name}"
        headers: dict[str, str] = services.rates.check_rps(group, access.limit_rps)
        try:
            response = await permitted(request, access)
        except ApiError as error:
            error.headers = {**headers, **error.headers}
            raise
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    endpoint.__name__ = getattr(handler, "__name__", "endpoint")
    route = Route(path, endpoint, methods=list(methods))
    route.needs = required  # type: ignore[attr-defined]
    return route


def open_to_all(path: str, handler: OpenHandler, *, methods: Iterable[str] = ("GET",)) -> Route:
    """Make a route that needs no token. Only health, ``/tokens`` and the regions are such."""
    route = Route(path, handler, methods=list(methods))
    route.needs = None  # type: ignore[attr-defined]
    return route


OPEN_PATHS = ("/health/liveness", "/health/readiness", "/version", "/tokens", "/v0/regions")


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


#: What the tokens of this server say of the host that made them.
HOST = "local"


def mint_token(*, user_id: str, token_id: str, signing_key: str) -> str:
    """Make a token in the vendor's form: ``p.`` + base64 JSON ``{"u", "id", "host"}`` + ``.`` + HMAC-SHA256."""
    payload = json.dumps({"u": user_id, "id": token_id, "host": HOST})
    # A salt in the signature lets a refreshed token differ although its payload stays.
    salted = f"{payload}{secrets.token_hex(16)}".encode()
    signature = hmac.new(signing_key.encode(), salted, hashlib.sha256).digest()
    encoded = base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")
    return f"p.{encoded}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
