"""``/v0|v1/environments``: the branches of a workspace (``workspace.md`` section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.services.branches import BranchesService

from .forms import parameters, text
from .replies import shown_job

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route


async def index(request: Request, access: Access) -> Response:
    """List the branches of the token's workspace."""
    workspaces = request.app.state.services.workspaces
    with_token = flag(request.query_params, "with_token")
    found = await in_thread(_service(request).list, access)
    views = [await in_thread(workspaces.view, each, token=with_token) for each in found]
    return json_response({"environments": views})


async def show(request: Request, access: Access) -> Response:
    """Describe one, by name or id."""
    workspaces = request.app.state.services.workspaces
    with_token = flag(request.query_params, "with_token")
    found = await in_thread(_service(request).find, access, request.path_params["branch"])
    return json_response(await in_thread(workspaces.view, found, token=with_token))


async def create(request: Request, access: Access) -> Response:
    """Start to make one."""
    services = request.app.state.services
    asked = await parameters(request)
    ignored = _names(text(asked, "ignore_datasources"))
    branch, job = await in_thread(
        _service(request).create, access, services.jobs, text(asked, "name"), text(asked, "data"), ignored
    )
    view = await in_thread(services.workspaces.view, branch)
    return json_response({**view, "job": shown_job(request, job)})


async def bring_data(request: Request, access: Access) -> Response:
    """Start to copy rows of the workspace into one."""
    services = request.app.state.services
    asked = await parameters(request)
    data, ignored = text(asked, "mode") or text(asked, "data"), _names(text(asked, "ignore_datasources"))
    branch = request.path_params["branch"]
    job = await in_thread(_service(request).bring_data, access, services.jobs, branch, data, ignored)
    return json_response({"job": shown_job(request, job)})


async def delete(request: Request, access: Access) -> Response:
    """Delete one."""
    services = request.app.state.services
    branch = await in_thread(_service(request).find, access, request.path_params["branch"])
    await in_thread(services.workspaces.delete, branch, services.jobs, services.datasources)
    return json_response({"ok": True, "id": branch.id, "name": branch.name})


def _names(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


def _service(request: Request) -> BranchesService:
    services = request.app.state.services
    return BranchesService(services.engine, services.catalog, services.workspaces, services.datasources, services.pipes)


def _routes(version: str) -> list[Route]:
    return [
        guarded(f"/{version}/environments", index, methods=["GET"], needs=["ADMIN"]),
        guarded(f"/{version}/environments", create, methods=["POST"], needs=["ADMIN"]),
        guarded(f"/{version}/environments/{{branch}}", show, methods=["GET"], needs=["ADMIN"]),
        guarded(f"/{version}/environments/{{branch}}", delete, methods=["DELETE"], needs=["ADMIN"]),
        guarded(f"/{version}/environments/{{branch}}/data", bring_data, methods=["POST"], needs=["ADMIN"]),
    ]


ROUTES = [*_routes("v0"), *_routes("v1")]
