"""``/v0/tokens`` (``tokens.md``), and ``GET /tokens``: the tokens of the embedded server, open to all who reach it.

`app.FrontDoor` keeps web pages away from ``/tokens``, and the server listens on loopback only (``workspace.md``
section 3). The parameters of the others may be in the query string, in a form or in a JSON object, each of them
repeated or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tinymagic.local.access import jwt_claims
from tinymagic.local.access.jwt_claims import Claims
from tinymagic.local.access.permissions import Access, guarded, open_to_all
from tinymagic.local.access.row_filters import TOKENS_PAGE
from tinymagic.local.access.scopes import GIVEN_SCOPES, ScopeError, check_scope, parse_scope
from tinymagic.local.errors import BadRequest, NotFound
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.services.tokens import TokenRequest, TokensService

from .forms import body_parameters

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST_ORIGIN_CHARACTERS = 64

#: Parameters by name, each with all its values in order: those of the query string, then those of the body.
_Parameters = dict[str, list[Any]]


async def local_tokens(request: Request) -> Response:
    """Give the three tokens that tools for Tinybird Local ask for."""
    return json_response(await in_thread(request.app.state.services.tokens.local_tokens))


async def index(request: Request, access: Access) -> Response:
    """List the workspace's tokens."""
    return json_response({"tokens": await in_thread(_service(request).view_all, access)})


async def create(request: Request, access: Access) -> Response:
    """Make a static token, or sign a JWT when there is an ``expiration_time``."""
    service, parameters = _service(request), await _parameters(request)
    if "expiration_time" in parameters or ("scopes" in parameters and "scope" not in parameters):
        return json_response(await in_thread(service.create_jwt, access, _jwt_request(access, parameters)))
    return json_response(await in_thread(service.create, access, _static_request(parameters)))


async def show(request: Request, access: Access) -> Response:
    """Describe one token, as JSON or (``.token``) as a file."""
    service, token = _service(request), request.path_params["token"]
    try:
        return json_response(await in_thread(service.get, access, token))
    except NotFound:
        if not token.endswith(".token"):
            raise
    text = await in_thread(service.datafile, access, token.removesuffix(".token"))
    return Response(text, headers={"Content-Type": "text/plain"})  # Clients do not expect a charset here.


async def update(request: Request, access: Access) -> Response:
    """Change name, description or scopes."""
    asked = _static_request(await _parameters(request))
    return json_response(await in_thread(_service(request).update, access, request.path_params["token"], asked))


async def refresh(request: Request, access: Access) -> Response:
    """Give one a new string."""
    return json_response(await in_thread(_service(request).refresh, access, request.path_params["token"]))


async def delete(request: Request, access: Access) -> Response:
    """End one."""
    await in_thread(_service(request).delete, access, request.path_params["token"])
    return json_response({"ok": True})


def _service(request: Request) -> TokensService:
    service: TokensService = request.app.state.services.tokens
    return service


async def _parameters(request: Request) -> _Parameters:
    found: _Parameters = {}
    for name, value in [*request.query_params.multi_items(), *await body_parameters(request)]:
        if name == "scope" and isinstance(value, list):
            # An empty list says something too: that there are no scopes.
            found.setdefault(name, []).extend(value or [""])
        elif value is not None:
            found.setdefault(name, []).append(value)
    return found


def _static_request(parameters: _Parameters) -> TokenRequest:
    origin: dict[str, str] | None = None
    if kind := _text(parameters, "origin"):
        origin = {"type": kind}
        if resource_id := _text(parameters, "resource_id"):
            origin["resource_id"] = resource_id
        if any(len(value) > _MOST_ORIGIN_CHARACTERS or not value.isprintable() for value in origin.values()):
            raise BadRequest("origin is C, P or DS, and resource_id an id.", documentation=TOKENS_PAGE)
    return TokenRequest(
        name=_text(parameters, "name"),
        description=_text(parameters, "description"),
        scopes=_scopes(parameters),
        origin=origin,
    )


def _jwt_request(access: Access, parameters: _Parameters) -> Claims:
    if "expiration_time" not in parameters:
        raise BadRequest(
            "A JWT needs the parameter 'expiration_time' (Unix seconds). A static token takes its scopes as texts in "
            "the parameter 'scope'.",
            documentation=TOKENS_PAGE,
        )
    name = _text(parameters, "name")
    if not name:
        raise BadRequest("A JWT needs the parameter 'name'.", documentation=TOKENS_PAGE)
    try:
        return Claims(
            access.workspace.id,
            name,
            jwt_claims.read_time(parameters["expiration_time"][-1], "expiration_time"),
            jwt_claims.read_scopes(parameters["scopes"][-1] if "scopes" in parameters else _scopes(parameters)),
            jwt_claims.read_rps(parameters["limits"][-1] if "limits" in parameters else None),
        )
    except ScopeError as error:
        raise BadRequest(_sentence(error), documentation=TOKENS_PAGE) from error


def _scopes(parameters: _Parameters) -> list[dict[str, Any]] | None:
    """Return the scopes of all ``scope`` parameters; an empty one gives none, and without one nothing is said."""
    if "scope" not in parameters:
        return None
    try:
        return [
            parse_scope(each) if isinstance(each, str) else _scope_object(each)
            for each in parameters["scope"]
            if each != ""
        ]
    except ScopeError as error:
        raise BadRequest(_sentence(error), documentation=TOKENS_PAGE) from error


def _scope_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScopeError("A scope is a text such as PIPES:READ:name")
    return check_scope(value, GIVEN_SCOPES)


def _sentence(error: ScopeError) -> str:
    return f"{str(error).rstrip('.')}."


def _text(parameters: _Parameters, name: str) -> str | None:
    if name not in parameters:
        return None
    value = parameters[name][-1]
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text.", documentation=TOKENS_PAGE)
    return value.strip()


_TOKENS = ["TOKENS"]

# A name may hold a slash, so the place of the token in a path takes all that is left of it.
ROUTES = [
    open_to_all("/tokens", local_tokens),
    guarded("/v0/tokens", index, methods=["GET"], needs=_TOKENS),
    guarded("/v0/tokens", create, methods=["POST"], needs=_TOKENS),
    guarded("/v0/tokens/{token:path}/refresh", refresh, methods=["POST"], needs=_TOKENS),
    guarded("/v0/tokens/{token:path}", show, methods=["GET"], needs=_TOKENS),
    guarded("/v0/tokens/{token:path}", update, methods=["PUT"], needs=_TOKENS),
    guarded("/v0/tokens/{token:path}", delete, methods=["DELETE"], needs=_TOKENS),
]
