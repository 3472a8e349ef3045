"""``/v0/variables``: Environment Variables (``variables.md``). No reply has a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.services.variables import VARIABLES_PAGE

from .forms import parameters, text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from tinymagic.local.services.variables import VariablesService


async def index(request: Request, access: Access) -> Response:
    """List them."""
    return json_response({"variables": await in_thread(_service(request).list, access.workspace)})


async def show(request: Request, access: Access) -> Response:
    """Describe one."""
    return json_response(await in_thread(_service(request).get, access.workspace, request.path_params["name"]))


async def create(request: Request, access: Access) -> Response:
    """Add one."""
    asked = await parameters(request)
    name, value, kind = text(asked, "name"), _value(asked), text(asked, "type")
    editor = await in_thread(_editor, request, access)
    return json_response(await in_thread(_service(request).create, access, name, value, kind, editor))


async def update(request: Request, access: Access) -> Response:
    """Give one another value."""
    asked = await parameters(request)
    name, value = request.path_params["name"], _value(asked)
    editor = await in_thread(_editor, request, access)
    return json_response(await in_thread(_service(request).update, access, name, value, editor))


async def delete(request: Request, access: Access) -> Response:
    """Delete one."""
    await in_thread(_service(request).delete, access.workspace, request.path_params["name"])
    return json_response({"ok": True})


def _service(request: Request) -> VariablesService:
    service: VariablesService = request.app.state.services.variables
    return service


def _value(asked: dict[str, Any]) -> str | None:
    """Return the value as it was sent, blanks and all; ``None`` when there is none."""
    value = asked.get("value")
    if value is not None and not isinstance(value, str):
        raise BadRequest("value must be a text.", documentation=VARIABLES_PAGE)
    return value


def _editor(request: Request, access: Access) -> str:
    """Return what ``edited_by`` says: the person's address, else the name of the token."""
    if access.token.kind == "user":
        return str(request.app.state.services.workspaces.user.email)
    return f"token: '{access.token.name}'"


def _rated(
    handler: Callable[[Request, Access], Awaitable[Response]],
) -> Callable[[Request, Access], Awaitable[Response]]:
    """Count the requests of a workspace before anything is looked at."""

    async def counted(request: Request, access: Access) -> Response:
        headers = request.app.state.services.rates.check("variables", access.workspace.id)
        try:
            response = await handler(request, access)
        except ApiError as error:
            error.headers = {**headers, **error.headers}
            raise
        response.headers.update(headers)
        return response

    counted.__name__ = getattr(handler, "__name__", "counted")
    return counted


def _routes(version: str) -> list[Route]:
    one, every = f"/{version}/variables/{{name}}", f"/{version}/variables"
    return [
        guarded(every, _rated(index), methods=["GET"], needs=["ADMIN"]),
        guarded(every, _rated(create), methods=["POST"], needs=["ADMIN"]),
        guarded(one, _rated(show), methods=["GET"], needs=["ADMIN"]),
        guarded(one, _rated(update), methods=["PUT"], needs=["ADMIN"]),
        guarded(one, _rated(delete), methods=["DELETE"], needs=["ADMIN"]),
    ]


ROUTES = [*_routes("v0"), *_routes("v1")]
