"""Data Sources that a connector fills: schedule, runs, samples; Kafka's start and stop (``datasources.md`` 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.http import in_thread, in_thread_to_write, json_response

from .forms import parameters, text_parameters
from .replies import job_reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tinymagic.local.services import Services


async def state(request: Request, access: Access) -> Response:
    """Say whether the schedule runs or rests."""
    services: Services = request.app.state.services
    found = await in_thread(services.connectors.state, access.workspace, request.path_params["name"])
    return json_response({"state": found})


async def set_state(request: Request, access: Access) -> Response:
    """Let the schedule run or rest."""
    services: Services = request.app.state.services
    fields = await parameters(request)
    name, asked = request.path_params["name"], fields.get("state")
    return json_response(
        {"state": await in_thread_to_write(services.connectors.set_state, access.workspace, name, asked)}
    )


async def run(request: Request, access: Access) -> Response:
    """Take the new files now, in a job."""
    services: Services = request.app.state.services
    job = await in_thread_to_write(services.connectors.run, access, request.path_params["name"])
    return json_response(job_reply(request, job))


async def sample(request: Request, access: Access) -> Response:
    """Import a sample, in a job."""
    services: Services = request.app.state.services
    fields = await text_parameters(request)
    job = await in_thread_to_write(services.connectors.sample, access, request.path_params["name"], fields)
    return json_response(job_reply(request, job))


async def kafka(request: Request, access: Access) -> Response:
    """Begin or end to read from Kafka, which this server does not."""
    services: Services = request.app.state.services
    raise await in_thread(services.connectors.kafka_refusal, access.workspace, request.path_params["name"])


_CREATE = ["DATASOURCES:CREATE"]
_NAMED = "/v0/datasources/{name}"

ROUTES = [
    guarded(f"{_NAMED}/scheduling/state", state, methods=["GET"], needs=_CREATE),
    guarded(f"{_NAMED}/scheduling/state", set_state, methods=["PUT"], needs=_CREATE),
    guarded(f"{_NAMED}/scheduling/runs", run, methods=["POST"], needs=_CREATE),
    guarded(f"{_NAMED}/sample", sample, methods=["POST"], needs=_CREATE),
    guarded(f"{_NAMED}/start", kafka, methods=["POST"], needs=_CREATE),
    guarded(f"{_NAMED}/stop", kafka, methods=["POST"], needs=_CREATE),
]
