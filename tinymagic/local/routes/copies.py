"""Copy Pipes: setting, running, pausing and cancelling them (``pipes.md`` section 8), and ``/v0/sql_copy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread_to_write, json_response

from .forms import parameters, text, whole_text
from .reading import call_parameters, template_values
from .replies import shown_job, shown_pipe, shown_run

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.services import Services


async def set_copy(request: Request, access: Access) -> Response:
    """Make a node the copy of its Pipe, or change how it copies."""
    services: Services = request.app.state.services
    path = request.path_params
    fields = await parameters(request)
    made, _ = await in_thread_to_write(services.pipes.make_output, access, path["pipe"], path["node"], "copy", fields)
    return json_response(await shown_pipe(request, access, made.pipe))


async def unset_copy(request: Request, access: Access) -> Response:
    """Make it a plain node again."""
    services: Services = request.app.state.services
    path = request.path_params
    await in_thread_to_write(services.pipes.unmake_output, access.workspace, path["pipe"], path["node"], "copy")
    return Response(status_code=204)


async def run(request: Request, access: Access) -> Response:
    """Start a run."""
    services: Services = request.app.state.services
    values = template_values(await call_parameters(request))
    pipe, node, job = await in_thread_to_write(services.copies.run, access, request.path_params["pipe"], values)
    return json_response(await shown_run(request, access, pipe, node, job))


async def pause(request: Request, access: Access) -> Response:
    """Pause the schedule."""
    return await _paused(request, access, paused=True)


async def resume(request: Request, access: Access) -> Response:
    """Let the schedule run again."""
    return await _paused(request, access, paused=False)


async def _paused(request: Request, access: Access, *, paused: bool) -> Response:
    services: Services = request.app.state.services
    pipe = await in_thread_to_write(services.copies.pause, access.workspace, request.path_params["pipe"], paused=paused)
    return json_response(await shown_pipe(request, access, pipe))


async def cancel(request: Request, access: Access) -> Response:
    """Cancel the runs that are not finished, and pause the schedule."""
    services: Services = request.app.state.services
    pipe, jobs = await in_thread_to_write(services.copies.cancel, access.workspace, request.path_params["pipe"])
    return json_response({**await shown_pipe(request, access, pipe), "jobs": [shown_job(request, job) for job in jobs]})


async def copy_sql(request: Request, access: Access) -> Response:
    """Copy what the SELECT in the body gives into a Data Source."""
    services: Services = request.app.state.services
    asked = await parameters(request, raw="q")
    sql, target, mode = whole_text(asked, "q"), text(asked, "copy_to"), text(asked, "_mode") or text(asked, "mode")
    job = await in_thread_to_write(services.copies.copy_sql, access, sql, target, mode)
    view = shown_job(request, job)
    return json_response({"id": job.id, "job_id": job.id, "job_url": view["job_url"], "job": view})


_CREATE = ["PIPES:CREATE"]
_NODE = "/v0/pipes/{pipe}/nodes/{node}/copy"

ROUTES = [
    guarded(_NODE, set_copy, methods=["POST", "PUT"], needs=_CREATE),
    guarded(_NODE, unset_copy, methods=["DELETE"], needs=_CREATE),
    guarded("/v0/pipes/{pipe}/copy", run, methods=["POST"], needs=["PIPES:READ", "PIPES:CREATE"]),
    guarded("/v0/pipes/{pipe}/copy/pause", pause, methods=["POST"], needs=_CREATE),
    guarded("/v0/pipes/{pipe}/copy/resume", resume, methods=["POST"], needs=_CREATE),
    guarded("/v0/pipes/{pipe}/copy/cancel", cancel, methods=["POST"], needs=_CREATE),
    guarded("/v0/sql_copy", copy_sql, methods=["POST"], needs=["DATASOURCES:APPEND"]),
]
