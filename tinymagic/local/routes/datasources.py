"""``/v0/datasources``: list, get, create, append, replace, delete (``datasources.md`` sections 1 to 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

from tinymagic.local.errors import BadRequest, PayloadTooLarge
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.imports import ImportRequest
from tinymagic.local.permissions import Access, guarded

from .uploads import Received, receive

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.limits import Limits
    from tinymagic.local.services.datasources import DataSourcesService

MODES = ("create", "append", "replace")
FORMATS = ("csv", "ndjson", "parquet")

_FORMAT_OF_ENDING = {"csv": "csv", "ndjson": "ndjson", "json": "ndjson", "jsonl": "ndjson", "parquet": "parquet"}
_FORMAT_OF_TYPE = {
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}


async def index(request: Request, access: Access) -> Response:
    """List the Data Sources that the token may read."""
    service: DataSourcesService = request.app.state.services.datasources
    attrs = request.query_params.get("attrs", "")
    listed = await in_thread(service.list, access.workspace)
    wanted = {name.strip() for name in attrs.split(",") if name.strip()}
    readable = [each for each in listed if access.allows("DATASOURCES:READ", each["name"])]
    picked = [{key: value for key, value in each.items() if not wanted or key in wanted} for each in readable]
    return json_response({"datasources": picked})


async def show(request: Request, access: Access) -> Response:
    """Describe one, as JSON or (``.datasource``) as a datafile."""
    service: DataSourcesService = request.app.state.services.datasources
    name = request.path_params["name"]
    as_datafile = name.endswith(".datasource")
    record = await in_thread(service.record, access.workspace, name.removesuffix(".datasource"))
    access.require("DATASOURCES:READ", record.name)
    if as_datafile:
        return PlainTextResponse(await in_thread(service.datafile, access.workspace, record.id))
    attrs = request.query_params.get("attrs", "")
    return json_response(await in_thread(service.get, access.workspace, record.id, attrs=attrs))


async def load(request: Request, access: Access) -> Response:
    """Create, append or replace, as ``mode`` says."""
    service: DataSourcesService = request.app.state.services.datasources
    received = await receive(request, service.spool, service.limits)
    try:
        parameters = received.parameters
        mode = parameters.get("mode") or "create"
        if mode not in MODES:
            raise BadRequest(f"mode must be one of {', '.join(MODES)}, not {mode!r}.")
        _require(access, mode, parameters.get("name", ""))
        if parameters.get("url"):
            raise BadRequest(
                "Importing from a URL is not in this version of the embedded Tinybird: it needs jobs, which come with "
                "a later version. Download the file and send it in the request."
            )
        file_format = _format(received)
        _check_size(received, file_format, service.limits)
        asked = ImportRequest(parameters, received.path, file_format, received.file_name)
        action = {"create": service.create, "append": service.append, "replace": service.replace}[mode]
        return json_response(await in_thread(action, access.workspace, asked))
    finally:
        received.discard()


async def drop(request: Request, access: Access) -> Response:
    """Delete one."""
    service: DataSourcesService = request.app.state.services.datasources
    record = await in_thread(service.record, access.workspace, request.path_params["name"])
    if not access.allows("DATASOURCES:CREATE"):
        access.require("DATASOURCES:DROP", record.name)
    await in_thread(service.delete, access.workspace, record.id)
    return Response(status_code=204)


def _require(access: Access, mode: str, name: str) -> None:
    if mode == "append":
        access.require("DATASOURCES:APPEND", name)
    else:
        access.require("DATASOURCES:CREATE")


def _format(received: Received) -> str:
    """Take the ``format`` parameter, else what content type, file name or first bytes say, else CSV."""
    given = received.parameters.get("format", "").strip().lower()
    if given:
        if given not in FORMATS:
            raise BadRequest(f"format must be one of {', '.join(FORMATS)}, not {given!r}.")
        return given
    endings = received.file_name.lower().removesuffix(".gz").rsplit(".", 1)
    ending = _FORMAT_OF_ENDING.get(endings[-1]) if len(endings) > 1 else None
    if received.start.startswith(b"PAR1"):
        return "parquet"
    return _FORMAT_OF_TYPE.get(received.content_type) or ending or "csv"


def _check_size(received: Received, file_format: str, limits: Limits) -> None:
    if not received.multipart:
        return
    limit = limits.parquet_upload_bytes if file_format == "parquet" else limits.csv_upload_bytes
    if limit is not None and received.size_bytes > limit:
        raise PayloadTooLarge(f"The {file_format} file is over the limit of {limit} bytes for an upload.")


_CHANGING = ["DATASOURCES:CREATE", "DATASOURCES:APPEND"]

ROUTES = [
    guarded("/v0/datasources", index, methods=["GET"], needs=["DATASOURCES:READ"]),
    guarded("/v0/datasources", load, methods=["POST"], needs=_CHANGING),
    guarded("/v0/datasources/{name}", show, methods=["GET"], needs=["DATASOURCES:READ"]),
    guarded("/v0/datasources/{name}", drop, methods=["DELETE"], needs=["DATASOURCES:CREATE", "DATASOURCES:DROP"]),
]
