"""What several routes answer with: a Pipe, a job, and what a change of a Pipe says beside the Pipe itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.http import base_url, in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import JobRecord, Node, PipeRecord
    from tinymagic.local.services import Services


async def shown_pipe(request: Request, access: Access, pipe: PipeRecord) -> dict[str, Any]:
    """Return the object of a Pipe, with its nodes and without its text."""
    services: Services = request.app.state.services
    return await in_thread(services.pipes.describe, access.workspace, pipe, base_url(request))


async def shown_run(request: Request, access: Access, pipe: PipeRecord, node: Node, job: JobRecord) -> dict[str, Any]:
    """Return what answers the start of a run: the node that runs, its Pipe and the job (``pipes.md`` section 8.1)."""
    services: Services = request.app.state.services
    described = await in_thread(services.pipes.describe_node, access.workspace, node)
    return {**described, "pipe_id": pipe.id, "pipe_name": pipe.name, "job": shown_job(request, job)}


def shown_job(request: Request, job: JobRecord) -> dict[str, Any]:
    """Return the object of a job."""
    services: Services = request.app.state.services
    return services.jobs.view(job, base_url(request))


def job_reply(request: Request, job: JobRecord) -> dict[str, Any]:
    """Return what answers the start of an import: its ids at the top, and the job (``datasources.md`` 3.5 c)."""
    view = shown_job(request, job)
    return {
        "id": job.id,
        "job_id": job.id,
        "import_id": job.id,
        "job_url": view["job_url"],
        "status": view["status"],
        "job": view,
    }


def shown_extra(request: Request, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a change of a Pipe adds to the reply, with the job as the API shows it."""
    job = extra.get("job")
    if job is None or isinstance(job, dict):
        return dict(extra)
    return {**extra, "job": shown_job(request, job)}
