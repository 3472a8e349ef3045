"""``/v0|v1/user/workspaces`` and ``/v0|v1/workspaces``: list, show, create, delete, members (``workspace.md``).

Also the small routes that command lines call about whoever asks: ``/v0/auth``, ``/v0/user``, ``/v0/organizations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.services.workspaces import require_user_token

from .forms import parameters, text

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from tinymagic.local.services.workspaces import WorkspacesService


async def index(request: Request, access: Access) -> Response:
    """List the workspaces of the person, with their tokens."""
    listed = await in_thread(
        _service(request).view_all,
        access,
        branches=flag(request.query_params, "with_environments"),
        only_branches=flag(request.query_params, "only_environments"),
        people=flag(request.query_params, "with_members_and_owner", default=True),
    )
    return json_response(listed)


async def show(request: Request, access: Access) -> Response:
    """Describe one."""
    service = _service(request)
    workspace = await in_thread(service.find, access, request.path_params["workspace"])
    token = flag(request.query_params, "with_token") and access.is_admin
    return json_response(await in_thread(service.view, workspace, token=token))


async def create(request: Request, access: Access) -> Response:
    """Make one."""
    service = _service(request)
    asked = await parameters(request)
    workspace = await in_thread(service.create_checked, access, text(asked, "name"))
    return json_response(await in_thread(service.view, workspace, token=True))


async def delete(request: Request, access: Access) -> Response:
    """Delete one. The CLIs ask the person themselves and send no confirmation; one that is sent must be right."""
    service = _service(request)
    asked = await parameters(request)
    require_user_token(access, "Deleting a workspace")
    workspace = await in_thread(service.find, access, request.path_params["workspace"])
    # The command line confirms with "yes" what it addresses by name.
    if text(asked, "confirmation") not in ("", workspace.name, "yes"):
        raise BadRequest(
            f"The parameter confirmation does not say the workspace's name, {workspace.name!r}. Nothing was deleted."
        )
    services = request.app.state.services
    await in_thread(service.delete, workspace, services.jobs, services.datasources)
    return json_response({"ok": True, "id": workspace.id, "name": workspace.name})


async def change_members(request: Request, access: Access) -> Response:
    """Add, remove or change members."""
    service = _service(request)
    asked = await parameters(request)
    workspace = await in_thread(service.find, access, request.path_params["workspace"])
    emails = [each.strip() for each in text(asked, "users").split(",") if each.strip()]
    role = text(asked, "new_role") or text(asked, "role")
    changed = await in_thread(service.change_members, access, workspace, text(asked, "operation"), emails, role)
    return json_response(await in_thread(service.view, changed))


async def releases(request: Request, access: Access) -> Response:
    """List the releases: there are none here."""
    await in_thread(_service(request).find, access, request.path_params["workspace"])
    return json_response({"releases": []})


async def auth(_: Request, access: Access) -> Response:
    """Say that the token is good, and whether it is the user token."""
    return json_response({"is_valid": True, "is_user": access.token.kind == "user"})


async def user(request: Request, _: Access) -> Response:
    """Describe the person who owns the token's workspace."""
    return json_response(await in_thread(_service(request).view_user))


async def organization(request: Request, access: Access) -> Response:
    """Describe the organization."""
    identifier = request.path_params["organization"]
    return json_response(await in_thread(_service(request).view_organization, access, identifier))


def _service(request: Request) -> WorkspacesService:
    service: WorkspacesService = request.app.state.services.workspaces
    return service


def _routes(version: str) -> list[Route]:
    # Whose token it must be is decided with the token's kind, not by scopes: services.workspaces.
    one = f"/{version}/workspaces/{{workspace}}"
    return [
        guarded(f"/{version}/user/workspaces", index, methods=["GET"], needs=["ADMIN"]),
        guarded(f"/{version}/workspaces", create, methods=["POST"], needs=[]),
        guarded(one, show, methods=["GET"], needs=[]),
        guarded(one, delete, methods=["DELETE"], needs=[]),
        guarded(f"{one}/users", change_members, methods=["PUT"], needs=["ADMIN"]),
        guarded(f"{one}/releases", releases, methods=["GET"], needs=[]),
        guarded(f"/{version}/auth", auth, methods=["GET"], needs=[]),
        guarded(f"/{version}/user", user, methods=["GET"], needs=["ADMIN"]),
        guarded(f"/{version}/organizations/{{organization}}", organization, methods=["GET"], needs=["ADMIN"]),
    ]


ROUTES = [*_routes("v0"), *_routes("v1")]
