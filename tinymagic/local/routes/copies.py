"""Copy Pipes: setting, running, pausing and cancelling them (``pipes.md`` section 8), and ``/v0/sql_copy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest
from tinymagic.local.http import (
    base_url,
    in_thread,
    in_thread_to_write,
    json_object,
    json_response,
    multipart_fields,
    read_body,
)

from .forms import parameters
from .reading import BODY_BYTES, form_fields, joined, template_values, url_parameters

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.records import JobRecord, PipeRecord
    from tinymagic.local.services import Services


async def set_copy(request: Request, access: Access) -> Response:
    """Make a node the copy of its Pipe, or change how it copies."""
    services: Services = request.app.state.services
    path = request.path_params
    fields = await parameters(request)
    pipe = await in_thread_to_write(services.copies.set, access, path["pipe"], path["node"], fields)
    return json_response(await _whole(request, access, pipe))


async def unset_copy(request: Request, access: Access) -> Response:
    """Make it a plain node again."""
    services: Services = request.app.state.services
    path = request.path_params
    await in_thread_to_write(services.copies.unset, access.workspace, path["pipe"], path["node"])
    return Response(status_code=204)


async def run(request: Request, access: Access) -> Response:
    """Start a run."""
    services: Services = request.app.state.services
    values = template_values(await _values(request))
    pipe, node, job = await in_thread_to_write(services.copies.run, access, request.path_params["pipe"], values)
    described = await in_thread(services.pipes.describe_node, access.workspace, node)
    return json_response({**described, "pipe_id": pipe.id, "pipe_name": pipe.name, "job": _job(request, job)})


async def pause(request: Request, access: Access) -> Response:
    """Pause the schedule, or resume it."""
    services: Services = request.app.state.services
    paused = request.url.path.endswith("/pause")
    pipe = await in_thread_to_write(services.copies.pause, access.workspace, request.path_params["pipe"], paused=paused)
    return json_response(await _whole(request, access, pipe))


async def cancel(request: Request, access: Access) -> Response:
    """Cancel the runs that are not finished, and pause the schedule."""
    services: Services = request.app.state.services
    pipe, jobs = await in_thread_to_write(services.copies.cancel, access.workspace, request.path_params["pipe"])
    return json_response({**await _whole(request, access, pipe), "jobs": [_job(request, job) for job in jobs]})


async def copy_sql(request: Request, access: Access) -> Response:
    """Copy what the SELECT in the body gives into a Data Source."""
    services: Services = request.app.state.services
    query = request.query_params
    body = await read_body(request, BODY_BYTES)
    sql = body.decode("utf-8", "replace") or query.get("q", "")
    mode = query.get("_mode") or query.get("mode", "")
    job = await in_thread_to_write(services.copies.copy_sql, access, sql, query.get("copy_to", ""), mode)
    view = _job(request, job)
    return json_response({"id": job.id, "job_id": job.id, "job_url": view["job_url"], "job": view})


async def _values(request: Request) -> dict[str, Any]:
    """Return the parameters of URL and body; what is given several times is a list with commas."""
    found = url_parameters(request)
    body = await read_body(request, BODY_BYTES)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json" or (not kind and body.lstrip()[:1] == b"{"):
        found.update(json_object(body) if body.strip() else {})
    elif kind == "multipart/form-data":
        found.update(joined(await multipart_fields(request, body)))
    elif body.strip():
        try:
            found.update(form_fields(body.decode()))
        except UnicodeDecodeError as error:
            raise BadRequest(f"The body is not UTF-8: {error}.") from error
    return found


async def _whole(request: Request, access: Access, pipe: PipeRecord) -> dict[str, Any]:
    services: Services = request.app.state.services
    return await in_thread(services.pipes.describe, access.workspace, pipe, base_url(request))


def _job(request: Request, job: JobRecord) -> dict[str, Any]:
    services: Services = request.app.state.services
    return services.jobs.view(job, base_url(request))


_CREATE = ["PIPES:CREATE"]
_NODE = "/v0/pipes/{pipe}/nodes/{node}/copy"

ROUTES = [
    guarded(_NODE, set_copy, methods=["POST", "PUT"], needs=_CREATE),
    guarded(_NODE, unset_copy, methods=["DELETE"], needs=_CREATE),
    guarded("/v0/pipes/{pipe}/copy", run, methods=["POST"], needs=["PIPES:READ", "PIPES:CREATE"]),
    guarded("/v0/pipes/{pipe}/copy/pause", pause, methods=["POST"], needs=_CREATE),
    guarded("/v0/pipes/{pipe}/copy/resume", pause, methods=["POST"], needs=_CREATE),
    guarded("/v0/pipes/{pipe}/copy/cancel", cancel, methods=["POST"], needs=_CREATE),
    guarded("/v0/sql_copy", copy_sql, methods=["POST"], needs=["DATASOURCES:APPEND"]),
]
