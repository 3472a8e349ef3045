"""``/v0/jobs``: list, show, cancel, retry (``jobs.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import Forbidden
from tinymagic.local.http import base_url, in_thread, json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.records import JobRecord
    from tinymagic.local.services.jobs import JobsService

_FILTERS = ("kind", "status", "pipe_id", "pipe_name", "created_after", "created_before")


async def index(request: Request, access: Access) -> Response:
    """List the jobs that the token may see."""
    service: JobsService = request.app.state.services.jobs
    filters = {name: request.query_params[name] for name in _FILTERS if request.query_params.get(name)}
    found = await in_thread(service.list, access.workspace, **filters, may_see=lambda job: _may_see(access, job))
    debug, base = request.query_params.get("debug", ""), base_url(request)
    return json_response({"jobs": [service.view(job, base, debug=debug) for job in found]})


async def show(request: Request, access: Access) -> Response:
    """Describe one."""
    service: JobsService = request.app.state.services.jobs
    record = await in_thread(_record, service, request, access)
    if await in_thread(service.wait_while_new, record):
        record = await in_thread(_record, service, request, access)
    return json_response(service.view(record, base_url(request), debug=request.query_params.get("debug", "")))


async def cancel(request: Request, access: Access) -> Response:
    """Ask for the end of one."""
    service: JobsService = request.app.state.services.jobs
    record = await in_thread(_record, service, request, access)
    cancelled = await in_thread(service.cancel, access.workspace, record.id)
    return json_response(service.view(cancelled, base_url(request)))


async def retry(request: Request, access: Access) -> Response:
    """Start a failed one again."""
    service: JobsService = request.app.state.services.jobs
    record = await in_thread(_record, service, request, access)
    again = await in_thread(service.retry, access, record.id)
    return json_response(service.view(again, base_url(request)))


def _record(service: JobsService, request: Request, access: Access) -> JobRecord:
    record = service.get(access.workspace, request.path_params["job_id"])
    if not _may_see(access, record):
        raise Forbidden("The token may see only the jobs that it started itself.")
    return record


def _may_see(access: Access, job: JobRecord) -> bool:
    """Who creates Data Sources sees all jobs, who creates Pipes those of Pipes, who appends what it started itself."""
    if access.allows("DATASOURCES:CREATE"):
        return True
    if job.kind in ("import", "copy") and job.token_id == access.token.id:
        return True
    return job.kind in _JOBS_OF_PIPES and access.allows("PIPES:CREATE")


_JOBS_OF_PIPES = ("populateview", "copy", "sink")

_SEEING = ["DATASOURCES:CREATE", "PIPES:CREATE", "DATASOURCES:APPEND"]

ROUTES = [
    guarded("/v0/jobs", index, methods=["GET"], needs=_SEEING),
    guarded("/v0/jobs/{job_id}", show, methods=["GET"], needs=_SEEING),
    guarded("/v0/jobs/{job_id}/cancel", cancel, methods=["POST"], needs=_SEEING),
    guarded("/v0/jobs/{job_id}/retry", retry, methods=["POST"], needs=_SEEING),
]
