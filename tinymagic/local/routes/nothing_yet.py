"""Lists of what this server does not have yet: connectors.

Clients ask for them before they do anything with Data Sources. The lists are empty, which is the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route


def _empty_list(path: str, key: str, needs: Iterable[str]) -> Route:
    async def index(_: Request, __: Access) -> Response:
        return json_response({key: []})

    return guarded(path, index, methods=["GET"], needs=needs)


ROUTES = [
    _empty_list("/v0/connectors", "connectors", ["DATASOURCES:READ", "DATASOURCES:CREATE"]),
]
