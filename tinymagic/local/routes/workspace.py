"""``GET /v0/workspace`` and ``/v1/workspace``: the workspace of the token (``workspace.md`` section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread, json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def current(request: Request, access: Access) -> Response:
    """Describe the workspace that the token belongs to."""
    return json_response(await in_thread(request.app.state.services.workspaces.describe, access))


# Any valid token may ask: that is how clients check one.
ROUTES = [
    guarded("/v0/workspace", current, methods=["GET"], needs=[]),
    guarded("/v1/workspace", current, methods=["GET"], needs=[]),
]
