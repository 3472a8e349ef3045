"""``/v0/datasources/{name}/...``: alter, rename, truncate, delete rows, exchange, share (``datasources.md`` 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, in_thread_to_write, json_response

from .forms import text_parameters
from .replies import shown_job

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.records import JobRecord
    from tinymagic.local.services import Services


async def update(request: Request, access: Access) -> Response:
    """Rename it, or change its attributes."""
    services, fields = await _asked(request)
    name = request.path_params["name"]
    return json_response(await in_thread_to_write(services.changes.update, access.workspace, name, fields))


async def alter(request: Request, access: Access) -> Response:
    """Change schema, description, TTL or indexes."""
    services, fields = await _asked(request)
    name = request.path_params["name"]
    return json_response(await in_thread_to_write(services.changes.alter, access.workspace, name, fields))


async def truncate(request: Request, access: Access) -> Response:
    """Empty it."""
    services, _ = await _asked(request)
    await in_thread_to_write(services.changes.truncate, access.workspace, request.path_params["name"])
    return Response(status_code=205)


async def delete_rows(request: Request, access: Access) -> Response:
    """Delete rows by condition in a job, or count them (``dry_run``)."""
    services, fields = await _asked(request)
    name, condition = request.path_params["name"], fields.get("delete_condition", "")
    if flag(fields, "dry_run"):
        rows = await in_thread_to_write(services.deletions.count_rows, access.workspace, name, condition)
        return json_response({"rows_to_be_deleted": rows})
    job = await in_thread_to_write(services.deletions.start_deletion, access, name, condition)
    return json_response(_deletion_reply(request, job))


async def delete_rows_lightweight(request: Request, access: Access) -> Response:
    """Mark rows as deleted (``/v1``), at once or in a job."""
    services, fields = await _asked(request)
    name = request.path_params["name"]
    if not flag(fields, "wait", default=True):
        job = await in_thread_to_write(services.deletions.start_lightweight_deletion, access, name, fields)
        return json_response(_deletion_reply(request, job))
    return json_response(
        await in_thread_to_write(services.deletions.delete_lightweight, access.workspace, name, fields)
    )


async def exchange(request: Request, access: Access) -> Response:
    """Swap two."""
    services, fields = await _asked(request)
    first, second = fields.get("datasource_a", ""), fields.get("datasource_b", "")
    if not first or not second:
        raise BadRequest("Give the names of two Data Sources in datasource_a and datasource_b.")
    return json_response(await in_thread_to_write(services.changes.exchange, access.workspace, first, second))


async def share(request: Request, access: Access) -> Response:
    """Share it with another workspace, or (DELETE) no longer."""
    services, fields = await _asked(request)
    shared = request.method != "DELETE"
    name = request.path_params["name"]
    return json_response(await in_thread_to_write(services.changes.share, access, name, fields, shared=shared))


async def dependencies(request: Request, access: Access) -> Response:
    """Say which Pipes read what."""
    services: Services = request.app.state.services
    query = request.query_params
    named = query.get("datasource", "")
    if named:
        record = await in_thread(services.datasources.record, access.workspace, named)
        access.require("DATASOURCES:READ", record.name)
    flags = ("no_deps", "recursive")
    graph = await in_thread(
        services.dependencies.graph,
        access.workspace,
        datasource=named,
        pipe=query.get("pipe", ""),
        match=query.get("match", ""),
        partial_replace=flag(query, "check_for_partial_replace"),
        **{name: flag(query, name) for name in flags},
    )
    seen = {name: pipes for name, pipes in graph["dependencies"].items() if access.allows("DATASOURCES:READ", name)}
    return json_response({**graph, "dependencies": seen})


async def _asked(request: Request) -> tuple[Services, dict[str, str]]:
    return request.app.state.services, await text_parameters(request)


def _deletion_reply(request: Request, job: JobRecord) -> dict[str, Any]:
    view = shown_job(request, job)
    ids = dict.fromkeys(("id", "job_id", "delete_id"), job.id)
    return {**ids, "job_url": view["job_url"], "status": view["status"], "job": view}


_CREATE = ["DATASOURCES:CREATE"]

ROUTES = [
    guarded("/v0/datasources/exchange", exchange, methods=["POST"], needs=_CREATE),
    guarded("/v0/datasources/{name}", update, methods=["PUT"], needs=_CREATE),
    guarded("/v0/datasources/{name}/alter", alter, methods=["POST"], needs=_CREATE),
    guarded("/v0/datasources/{name}/truncate", truncate, methods=["POST"], needs=_CREATE),
    guarded("/v0/datasources/{name}/delete", delete_rows, methods=["POST"], needs=_CREATE),
    guarded("/v1/datasources/{name}/delete", delete_rows_lightweight, methods=["POST"], needs=_CREATE),
    guarded("/v0/datasources/{name}/share", share, methods=["POST", "DELETE"], needs=["ADMIN"]),
    guarded("/v0/dependencies", dependencies, methods=["GET"], needs=["DATASOURCES:READ"]),
]
