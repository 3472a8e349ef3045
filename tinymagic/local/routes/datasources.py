"""``/v0/datasources``: list, get, create, append, replace, drop; ``/v1`` imports (``datasources.md`` 1 to 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest, NotFound, PayloadTooLarge
from tinymagic.local.files.file_formats import file_format_of
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, in_thread_to_write, json_response
from tinymagic.local.ingest.imports import ImportRequest
from tinymagic.local.services.importing import MODES

from .replies import job_reply
from .uploads import Received, receive

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.limits import Limits
    from tinymagic.local.services import Services
    from tinymagic.local.services.datasources import DataSourcesService


async def index(request: Request, access: Access) -> Response:
    """List the Data Sources that the token may read."""
    service: DataSourcesService = request.app.state.services.datasources
    attrs = request.query_params.get("attrs", "")
    listed = await in_thread(service.list, access.workspace)
    wanted = {name.strip() for name in attrs.split(",") if name.strip()}
    readable = [
        _without_hidden(access, each["name"], each)
        for each in listed
        if access.allows("DATASOURCES:READ", each["name"])
    ]
    picked = [{key: value for key, value in each.items() if not wanted or key in wanted} for each in readable]
    return json_response({"datasources": picked})


async def show(request: Request, access: Access) -> Response:
    """Describe one, as JSON or (``.datasource``) as a datafile."""
    service: DataSourcesService = request.app.state.services.datasources
    name = request.path_params["name"]
    as_datafile = name.endswith(".datasource")
    found = await in_thread(service.get, access.workspace, name.removesuffix(".datasource"))
    access.require("DATASOURCES:READ", found["name"])
    if as_datafile:
        text = await in_thread(service.datafile, access.workspace, found["id"])
        # With a charset the Classic CLI takes it for something else.
        return Response(text.encode(), headers={"Content-Type": "text/plain"})
    attrs = request.query_params.get("attrs", "")
    described = await in_thread(service.get, access.workspace, found["id"], attrs=attrs)
    return json_response(_without_hidden(access, found["name"], described))


async def load(request: Request, access: Access) -> Response:
    """Create, append or replace, as ``mode`` says; from a URL as a job."""
    services: Services = request.app.state.services
    received = await receive(request, services.datasources.spool, services.limits)
    try:
        mode = received.parameters.get("mode") or "create"
        if mode not in MODES:
            raise BadRequest(f"mode must be one of {', '.join(MODES)}, not {mode!r}.")
        mode = await in_thread(_mode, services, access, mode, received.parameters.get("name", ""))
        url = received.parameters.get("url")
        if url and received.path:
            raise BadRequest("The request has a file and the parameter 'url'; send one of them.")
        rule = "imports" if url or received.path or mode != "create" else "creations"
        rate = services.rates.check(rule, access.workspace.id)
        asked = _asked(received, services.limits)
        if url:
            job = await in_thread(services.imports.start, access, mode, asked)
            return json_response(job_reply(request, job), headers=rate)
        return json_response(
            await in_thread_to_write(services.imports.run, access.workspace, mode, asked), headers=rate
        )
    finally:
        received.discard()


async def append_in_job(request: Request, access: Access) -> Response:
    """Append in a job (``/v1``)."""
    return await _load_in_job(request, access, "append")


async def replace_in_job(request: Request, access: Access) -> Response:
    """Replace in a job (``/v1``)."""
    return await _load_in_job(request, access, "replace")


async def _load_in_job(request: Request, access: Access, mode: str) -> Response:
    """Import in a job, the file being the body or at ``url`` (section 3.6)."""
    services: Services = request.app.state.services
    name = request.path_params["name"]
    await in_thread(_mode, services, access, mode, name, exists=True)
    received = await receive(request, services.datasources.spool, services.limits, any_size=True)
    try:
        received.parameters.update(name=name, mode=mode)
        if received.path is not None and received.parameters.get("url"):
            raise BadRequest("The request has a file and the parameter 'url'; send one of them.")
        if received.path is None and not received.parameters.get("url"):
            raise BadRequest("There is no file: send it as the body, or its address in the parameter 'url'.")
        rate = services.rates.check("imports", access.workspace.id)
        job = await in_thread(services.imports.start, access, mode, _asked(received, services.limits))
        received.path = None  # It belongs to the job now.
        return json_response(job_reply(request, job), 202, headers=rate)
    finally:
        received.discard()


async def drop(request: Request, access: Access) -> Response:
    """Drop one; with ``dry_run`` say what depends on it."""
    services: Services = request.app.state.services
    record = await in_thread(services.datasources.record, access.workspace, request.path_params["name"])
    if not access.allows("DATASOURCES:CREATE"):
        access.require("DATASOURCES:DROP", record.name)
    force = flag(request.query_params, "force")
    if flag(request.query_params, "dry_run"):
        named = await in_thread(services.dependencies.dependent_pipes, access.workspace, record)
        return json_response({"dependent_pipes": named})
    await in_thread_to_write(services.changes.drop, access.workspace, record.id, force=force)
    return Response(status_code=204)


def _without_hidden(access: Access, name: str, described: dict[str, Any]) -> dict[str, Any]:
    """Leave out how many rows there are when the token may read only some of them."""
    if access.row_filter(name) is None:
        return described
    hidden = {"statistics": None, "quarantine_rows": None}
    return {key: hidden.get(key, value) for key, value in described.items()}


def _mode(services: Services, access: Access, mode: str, name: str, *, exists: bool = False) -> str:
    """Check the scope; an append to a Data Source that does not exist makes it when the token may (Classic)."""
    if mode != "append":
        access.require("DATASOURCES:CREATE")
        return mode
    record = services.catalog.datasource(access.workspace.id, name) if name else None
    if record is None and name and not exists and access.allows("DATASOURCES:CREATE"):
        return mode if services.datasources.shared(access.workspace, name) else "create"
    if record is None and exists and access.allows("DATASOURCES:CREATE"):
        raise NotFound(f"Data Source {name!r} does not exist.")
    access.require("DATASOURCES:APPEND", record.name if record else name)
    return mode


def _asked(received: Received, limits: Limits) -> ImportRequest:
    parameters = received.parameters
    file_format = file_format_of(
        parameters.get("format", ""), received.content_type, received.file_name, received.start
    )
    if received.multipart:
        limit = limits.parquet_upload_bytes if file_format == "parquet" else limits.csv_upload_bytes
        if limit is not None and received.size_bytes > limit:
            raise PayloadTooLarge(f"The {file_format} file is over the limit of {limit} bytes for an upload.")
    return ImportRequest(parameters, received.path, file_format, received.file_name)


_CHANGING = ["DATASOURCES:CREATE", "DATASOURCES:APPEND"]

ROUTES = [
    guarded("/v0/datasources", index, methods=["GET"], needs=["DATASOURCES:READ"]),
    guarded("/v0/datasources", load, methods=["POST"], needs=_CHANGING),
    guarded("/v0/datasources/{name}", show, methods=["GET"], needs=["DATASOURCES:READ"]),
    guarded("/v1/datasources/{name}/append", append_in_job, methods=["POST"], needs=_CHANGING),
    guarded("/v1/datasources/{name}/replace", replace_in_job, methods=["POST"], needs=["DATASOURCES:CREATE"]),
    guarded("/v0/datasources/{name}", drop, methods=["DELETE"], needs=["DATASOURCES:CREATE", "DATASOURCES:DROP"]),
]
