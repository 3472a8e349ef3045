"""Sink Pipes: setting and running them (``sinks.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread_to_write, json_response

from .forms import parameters
from .reading import call_parameters, template_values
from .replies import shown_pipe, shown_run

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinymagic.local.services import Services


async def set_sink(request: Request, access: Access) -> Response:
    """Make a node the sink of its Pipe, or change it."""
    services: Services = request.app.state.services
    path = request.path_params
    fields = await parameters(request)
    made, _ = await in_thread_to_write(services.pipes.make_output, access, path["pipe"], path["node"], "sink", fields)
    return json_response(await shown_pipe(request, access, made.pipe))


async def unset_sink(request: Request, access: Access) -> Response:
    """Make it a plain node again."""
    services: Services = request.app.state.services
    path = request.path_params
    await in_thread_to_write(services.pipes.unmake_output, access.workspace, path["pipe"], path["node"], "sink")
    return Response(status_code=204)


async def run(request: Request, access: Access) -> Response:
    """Start a run."""
    services: Services = request.app.state.services
    given = await call_parameters(request)
    values = template_values(given)
    if given.get("format"):  # Of the files. Elsewhere it is the API's own word for that of the reply.
        values["format"] = given["format"]
    pipe, node, job = await in_thread_to_write(services.sinks.run, access, request.path_params["pipe"], values)
    return json_response(await shown_run(request, access, pipe, node, job))


_NODE = "/v0/pipes/{pipe}/nodes/{node}/sink"

ROUTES = [
    guarded(_NODE, set_sink, methods=["POST", "PUT"], needs=["PIPES:CREATE"]),
    guarded(_NODE, unset_sink, methods=["DELETE"], needs=["PIPES:CREATE"]),
    guarded("/v0/pipes/{pipe}/sink", run, methods=["POST"], needs=["PIPES:READ", "PIPES:CREATE"]),
]
