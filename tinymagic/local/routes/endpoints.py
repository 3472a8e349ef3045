"""Calling endpoints, and what is told about them (``pipes.md`` sections 5, 6 and 10).

``/v0/pipes/<pipe>.<extension>``, by name or id: everything in the request that the API does not keep for itself is a
parameter of the templates. ``openapi`` cannot be the name of a Pipe here.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.endpoints.example import endpoint_url
from tinymagic.local.endpoints.extensions import format_of
from tinymagic.local.endpoints.page import HEADERS, endpoint_page
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import base_url, compressed, in_thread, json_response, request_facts
from tinymagic.local.pipes.definitions import PIPES_PAGE
from tinymagic.local.service_datasources.traffic import Traffic
from tinymagic.local.services.query import QueryReply, QueryRequest

from .forms import whole_text
from .reading import answer, call_parameters, output_settings, template_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from tinymagic.local.endpoints.openapi import Endpoint
    from tinymagic.local.services import Services

_READ = ["PIPES:READ"]


class _Extension(Convertor[str]):
    """What follows the last dot of a path; ``.pipe`` is the datafile, which is no call."""

    regex = r"(?!pipe$)[A-Za-z0-9_-]+"

    def convert(self, value: str) -> str:
        """Return the text of the path."""
        return value

    def to_string(self, value: str) -> str:
        """Return the text for a path."""
        return value


register_url_convertor("extension", _Extension())


async def call(request: Request, access: Access) -> Response:
    """Give the rows of an endpoint in the format of the extension."""
    services = request.app.state.services
    name = request.path_params["pipe"]
    parameters = await call_parameters(request, documentation=PIPES_PAGE)
    workspace_id = access.workspace.id
    rate = {**services.rates.check("queries", workspace_id), **services.rates.check("queries_of_day", workspace_id)}
    pipe = services.endpoints.find(access, name)
    called = (pipe.id, pipe.name) if pipe is not None else ("", name)
    query_id = uuid.uuid4().hex

    def run() -> QueryReply:
        asked = _asked(request, parameters, query_id)
        if not asked.explain:
            header = flag(parameters, "__tb__csv_header", default=True)
            output_format = format_of(request.path_params["extension"], csv_header=header)
            asked = replace(asked, output_format=output_format)
        reply: QueryReply = services.endpoints.call(access, name, pipe, asked)
        return reply

    return await answer(
        request,
        run,
        query_id=query_id,
        traffic=Traffic(services.service_log, access, request_facts(request), *called),
        parameters={key: value for key, value in parameters.items() if key != "token"},
        headers=rate,
    )


async def explain(request: Request, access: Access) -> Response:
    """Give the plan of a node, by default the published one."""
    services = request.app.state.services
    parameters = await call_parameters(request, documentation=PIPES_PAGE)
    query_id = uuid.uuid4().hex
    path = request.path_params

    def run() -> QueryReply:
        asked = replace(_asked(request, parameters, query_id), sql="")
        reply: QueryReply = services.endpoints.explain(access, path["pipe"], path.get("node"), asked)
        return reply

    return await answer(request, run, query_id=query_id, traffic=None, parameters={}, headers={})


async def openapi(request: Request, access: Access) -> Response:
    """Describe one endpoint, or all that the token may read, as OpenAPI."""
    services = request.app.state.services
    name = request.path_params.get("pipe")
    document = await in_thread(services.endpoints.document, access, base_url(request), name, version="v0")
    return await compressed(request, json_response(document))


async def example(request: Request, access: Access) -> Response:
    """Give the address of a call on one line, as the vendor's command line prints it."""
    asked = request.query_params
    extension = asked.get("format") or "json"
    format_of(extension)
    name = asked.get("pipe", "")
    if not name:
        raise BadRequest("The parameter 'pipe' must name the Pipe.", documentation=PIPES_PAGE)
    endpoint = await in_thread(_described, request.app.state.services, access, name)
    url = endpoint_url(
        base_url(request),
        endpoint.name,
        extension,
        endpoint.parameters,
        q=asked.get("q", ""),
        token=asked.get("token", ""),  # That of the caller, who wants an address that works.
    )
    return Response(url, media_type="text/plain", headers={"Cache-Control": "no-store"})


async def page(request: Request, access: Access) -> Response:
    """Show the page of an endpoint that can be shared."""
    endpoint = await in_thread(_described, request.app.state.services, access, request.path_params["pipe"])
    return Response(endpoint_page(endpoint), headers=HEADERS)


def _described(services: Services, access: Access, name: str) -> Endpoint:
    return services.endpoints.describe(access, services.endpoints.published(access, name))


def _asked(request: Request, parameters: Mapping[str, Any], query_id: str) -> QueryRequest:
    return QueryRequest(
        sql=whole_text(parameters, "q", documentation=PIPES_PAGE),
        parameters=template_values(parameters),
        settings=output_settings(parameters),
        explain=flag(parameters, "explain"),
        method=request.method,
        query_id=query_id,
    )


ROUTES = [
    guarded("/v0/pipes/openapi.json", openapi, methods=["GET"], needs=_READ),
    guarded("/v0/pipes/{pipe}/openapi.json", openapi, methods=["GET"], needs=_READ),
    guarded("/v0/pipes/{pipe}/explain", explain, methods=["GET", "POST"], needs=_READ),
    guarded("/v0/pipes/{pipe}/nodes/{node}/explain", explain, methods=["GET", "POST"], needs=_READ),
    guarded("/v0/pipes/{pipe}.{extension:extension}", call, methods=["GET", "POST"], needs=_READ),
    guarded("/examples/query.http", example, methods=["GET"], needs=_READ),
    guarded("/endpoint/{pipe}", page, methods=["GET"], needs=_READ),
]
