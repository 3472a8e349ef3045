"""``/health/liveness``, ``/health/readiness`` and ``/version``: open to all (``workspace.md`` section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from tinymagic.local.access.permissions import open_to_all
from tinymagic.local.http import in_thread, json_response
from tinymagic.version import __version__

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def liveness(_: Request) -> Response:
    """Answer that the process runs."""
    return json_response({"status": "ok"})


async def readiness(request: Request) -> Response:
    """Answer that the engine takes queries."""
    version = await in_thread(request.app.state.services.engine.version)
    return json_response({"status": "ok", "clickhouse": version})


async def version(_: Request) -> Response:
    """Answer which server this is, as plain text."""
    return PlainTextResponse(f"tinymagic {__version__}")


ROUTES = [
    open_to_all("/health/liveness", liveness),
    open_to_all("/health/readiness", readiness),
    open_to_all("/version", version),
]
