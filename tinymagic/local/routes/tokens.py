"""``GET /tokens``: the tokens of the embedded server, open to all who reach it (``workspace.md`` section 3).

`app.FrontDoor` keeps web pages away from it, and the server listens on loopback only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.http import in_thread, json_response
from tinymagic.local.permissions import open_to_all

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def local_tokens(request: Request) -> Response:
    """Give the three tokens that tools for Tinybird Local ask for."""
    return json_response(await in_thread(request.app.state.services.tokens.local_tokens))


ROUTES = [open_to_all("/tokens", local_tokens)]
