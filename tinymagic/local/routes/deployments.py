"""``/v1/build``, ``/v1/deploy``, ``/v1/deployments``: whole projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.deployments.project import MOST_BYTES, MOST_FILES
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, in_thread_to_write, json_response, media_type, read_body, with_body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.services.deployments import DeploymentsService, Outcome

#: What multipart needs around each file, at most.
_MOST_BODY_BYTES = MOST_BYTES + MOST_FILES * 1_000

#: The name that the parts with facts about the caller have, such as the version of a command line.
_CONTEXT = "context://"


async def build(request: Request, access: Access) -> Response:
    """Build a project."""
    service = _service(request)
    files = await _files(request)
    outcome = await in_thread_to_write(service.build, access, files, check=flag(request.query_params, "check"))
    if outcome.result == "failed":
        return json_response(_failure(outcome), 400)
    # The command line takes any other word for an error, and nothing new or changed for "no changes".
    return json_response({"result": "success", "build": outcome.deployment})


async def deploy(request: Request, access: Access) -> Response:
    """Deploy a project, or only check it."""
    service = _service(request)
    files = await _files(request)
    outcome = await in_thread_to_write(
        service.deploy,
        access,
        files,
        check=flag(request.query_params, "check"),
        auto_promote=flag(request.query_params, "auto_promote"),
        destructive=flag(request.query_params, "allow_destructive_operations"),
    )
    reply = {"result": outcome.result, "deployment": outcome.deployment}
    if outcome.result == "failed":
        return json_response({**reply, **_failure(outcome)}, 400)
    return json_response(reply)


async def index(request: Request, access: Access) -> Response:
    """List the live deployment and the one that waits."""
    return json_response({"deployments": await in_thread(_service(request).listed, access.workspace)})


async def show(request: Request, access: Access) -> Response:
    """Describe one deployment."""
    found = await in_thread(_service(request).get, access.workspace, request.path_params["deployment"])
    return json_response({"deployment": found})


async def set_live(request: Request, access: Access) -> Response:
    """Promote a staged deployment."""
    found = await in_thread_to_write(_service(request).promote, access, request.path_params["deployment"])
    return json_response({"result": "success", "deployment": found})


async def discard(request: Request, access: Access) -> Response:
    """Throw a staged deployment away."""
    service = _service(request)
    found = await in_thread_to_write(service.discard, access.workspace, request.path_params["deployment"])
    return json_response({"result": "success", "deployment": found})


def _service(request: Request) -> DeploymentsService:
    service: DeploymentsService = request.app.state.services.deployments
    return service


def _failure(outcome: Outcome) -> dict[str, Any]:
    return {"result": "failed", "errors": outcome.errors, "error": outcome.message}


async def _files(request: Request) -> list[tuple[str, str]]:
    """Read the files of a multipart body: path and text of each.

    Raises:
        BadRequest: the body is something else, or a file is not UTF-8.
    """
    if media_type(request) != "multipart/form-data":
        raise BadRequest("Send the files of the project as multipart/form-data, each with its path as the file name.")
    body = await read_body(request, _MOST_BODY_BYTES)
    files = []
    try:
        # One more than there may be, so that the project's own limit says what is the matter.
        limit = MOST_FILES + 2
        async with with_body(request, body).form(max_files=limit, max_fields=limit) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile) and not name.startswith(_CONTEXT):
                    files.append((value.filename or "", await value.read()))
    except (MultiPartException, HTTPException) as error:
        message = getattr(error, "message", "") or getattr(error, "detail", "")
        raise BadRequest(f"The body is not multipart/form-data that can be read: {message}") from error
    if not files:
        # Everything that was deployed before would be deleted.
        raise BadRequest("The body has no file. Send the project's datafiles, each with its path as the file name.")
    return [(path, _text(path, data)) for path, data in files]


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The file {path!r} is not UTF-8: {error.reason} at byte {error.start}.") from error


_NEEDS = ["WORKSPACE:DEPLOY"]

ROUTES = [
    guarded("/v1/build", build, methods=["POST"], needs=_NEEDS),
    guarded("/v1/deploy", deploy, methods=["POST"], needs=_NEEDS),
    guarded("/v1/deployments", index, methods=["GET"], needs=_NEEDS),
    guarded("/v1/deployments/{deployment}", show, methods=["GET"], needs=_NEEDS),
    guarded("/v1/deployments/{deployment}", discard, methods=["DELETE"], needs=_NEEDS),
    guarded("/v1/deployments/{deployment}/set-live", set_live, methods=["POST"], needs=_NEEDS),
]
