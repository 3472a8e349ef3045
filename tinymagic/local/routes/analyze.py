"""``POST /v0/analyze`` (``analyze.md``)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread_to_write, json_response
from tinymagic.local.services.analyze import AnalyzeRequest

from .uploads import receive

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.services.analyze import AnalyzeService


async def analyze(request: Request, _: Access) -> Response:
    """Guess the schema of a file that is sent as a part, as the body, or named by ``url``."""
    service: AnalyzeService = request.app.state.services.analyze
    # The vendor's CLI sends a whole Parquet file as the body, not as a part.
    limits = replace(service.limits, body_bytes=service.limits.parquet_upload_bytes)
    received = await receive(request, service.spool, limits)
    try:
        return json_response(
            await in_thread_to_write(service.analyze, AnalyzeRequest(received.parameters, received.path))
        )
    finally:
        received.discard()


ROUTES = [guarded("/v0/analyze", analyze, methods=["POST"], needs=["DATASOURCES:CREATE"])]
