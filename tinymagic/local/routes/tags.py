"""``/v0/tags``: names under which resources are found (``workspace.md`` section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.services.tags import TagsService

from .forms import parameters, text

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def index(request: Request, access: Access) -> Response:
    """List them."""
    return json_response({"tags": await in_thread(_service(request).list, access.workspace)})


async def create(request: Request, access: Access) -> Response:
    """Make one."""
    asked = await parameters(request)
    name, resources = text(asked, "name"), asked.get("resources")
    return json_response(await in_thread(_service(request).create, access.workspace, name, resources))


async def update(request: Request, access: Access) -> Response:
    """Change one."""
    asked = await parameters(request)
    name, new_name, resources = request.path_params["tag"], text(asked, "name"), asked.get("resources")
    return json_response(await in_thread(_service(request).update, access.workspace, name, new_name, resources))


async def delete(request: Request, access: Access) -> Response:
    """Take one away."""
    await in_thread(_service(request).delete, access.workspace, request.path_params["tag"])
    return json_response({"ok": True})


def _service(request: Request) -> TagsService:
    return TagsService(request.app.state.services.catalog)


ROUTES = [
    guarded("/v0/tags", index, methods=["GET"], needs=["ADMIN"]),
    guarded("/v0/tags", create, methods=["POST"], needs=["ADMIN"]),
    guarded("/v0/tags/{tag}", update, methods=["PUT"], needs=["ADMIN"]),
    guarded("/v0/tags/{tag}", delete, methods=["DELETE"], needs=["ADMIN"]),
]
