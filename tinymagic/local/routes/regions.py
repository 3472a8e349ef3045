"""``GET /v0/regions``: where Tinybird runs (``workspace.md`` section 1). Open to all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import open_to_all
from tinymagic.local.http import json_response
from tinymagic.regions import REGIONS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def regions(request: Request) -> Response:
    """List the regions, this server as the last one."""
    here = str(request.base_url).rstrip("/")
    found = [
        {
            "name": region.name,
            "provider": region.provider,
            "provider_region": region.provider_region,
            "key": region.key,
            "api_host": here if region.key == "local" else region.api_host,
            "host": region.host,
        }
        for region in REGIONS
    ]
    return json_response({"regions": found})


ROUTES = [open_to_all("/v0/regions", regions)]
