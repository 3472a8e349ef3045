"""``/v0/pipes/{pipe}/nodes/{node}/...`` of materialized views (``pipes.md`` sections 5 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread, in_thread_to_write, json_response

from .forms import text_parameters
from .replies import shown_extra, shown_job

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.services import Services


async def materialize(request: Request, access: Access) -> Response:
    """Make a node a materialized view."""
    services, fields, pipe, node = await _asked(request)
    made, saved = await in_thread_to_write(services.pipes.make_output, access, pipe, node, "materialized", fields)
    shown = await in_thread(services.pipes.describe_node, access.workspace, saved)
    return json_response({**shown, **shown_extra(request, made.extra)})


async def unlink(request: Request, access: Access) -> Response:
    """Let a target get no more rows; node and Data Source stay."""
    services, _, pipe, node = await _asked(request)
    await in_thread_to_write(services.pipes.unmake_output, access.workspace, pipe, node, "materialized")
    return Response(status_code=204)


async def populate(request: Request, access: Access) -> Response:
    """Evaluate a view on the rows that are there, in a job."""
    services, fields, pipe, node = await _asked(request)
    job = await in_thread_to_write(services.populating.start, access.workspace, pipe, node, fields, access=access)
    return json_response({"job": shown_job(request, job)})


async def analyze(request: Request, access: Access) -> Response:
    """Say how a node would be materialized."""
    services, fields, pipe, node = await _asked(request)
    return json_response(await in_thread(services.materializations.advice, access.workspace, pipe, node, fields))


async def _asked(request: Request) -> tuple[Services, dict[str, str], str, str]:
    fields = await text_parameters(request)
    return request.app.state.services, fields, request.path_params["pipe"], request.path_params["node"]


_NODE = "/v0/pipes/{pipe}/nodes/{node}"
_CHANGING = ["PIPES:CREATE"]

ROUTES = [
    guarded(_NODE + "/materialization", materialize, methods=["POST"], needs=_CHANGING),
    guarded(_NODE + "/materialization", unlink, methods=["DELETE"], needs=_CHANGING),
    guarded(_NODE + "/population", populate, methods=["POST"], needs=_CHANGING),
    guarded(_NODE + "/analysis", analyze, methods=["GET"], needs=_CHANGING),
]
