"""``GET`` and ``POST /v0/sql`` (``query.md`` section 1).

Where ``q`` may be: in the URL, in a JSON object, in a form, or as the body itself. ``curl --data "SELECT 1"`` sends
bare SQL with the content type of a form: a body that has no field ``q`` is taken as SQL.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import json_object, media_type, read_body, request_facts
from tinymagic.local.service_datasources.traffic import Traffic
from tinymagic.local.services.query import QueryRequest
from tinymagic.local.sql.gate import QUERY_PAGE

from .forms import BODY_BYTES, form_pairs, whole_text
from .reading import answer, joined, output_settings, template_values, url_parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

#: What the service calls this API in its logs.
QUERY_API = "query_api"


async def run_sql(request: Request, access: Access) -> Response:
    """Run a query and give its rows in the format that it asks for."""
    services = request.app.state.services
    parameters = await _parameters(request, None if services.limits.sql_bytes is None else BODY_BYTES)
    workspace_id = access.workspace.id
    rate = {**services.rates.check("queries", workspace_id), **services.rates.check("queries_of_day", workspace_id)}
    query_id = uuid.uuid4().hex
    asked = QueryRequest(
        sql=whole_text(parameters, "q", documentation=QUERY_PAGE),
        parameters=template_values(parameters),
        settings=output_settings(parameters),
        pipeline=whole_text(parameters, "pipeline", documentation=QUERY_PAGE),
        explain=flag(parameters, "explain"),
        method=request.method,
        query_id=query_id,
    )
    return await answer(
        request,
        lambda: services.query.run(access, asked),
        query_id=query_id,
        traffic=Traffic(services.service_log, access, request_facts(request), QUERY_API, QUERY_API),
        parameters=asked.parameters,
        headers=rate,
    )


async def _parameters(request: Request, limit_bytes: int | None) -> dict[str, Any]:
    """Put the parameters of URL and body together; the body's win, but a raw body only when the URL has no ``q``."""
    parameters = url_parameters(request)
    if request.method != "POST":
        return parameters
    body = await read_body(request, limit_bytes)
    if not body:
        return parameters
    content_type = media_type(request)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: {error}.", documentation=QUERY_PAGE) from error
    if content_type == "application/json":
        # As with URL parameters, "not given" is how a template's default is asked for.
        return {**parameters, **{name: item for name, item in json_object(text).items() if item is not None}}
    if content_type == "application/x-www-form-urlencoded":
        form = joined(form_pairs(text, documentation=QUERY_PAGE))
        if "q" in form or "q" in parameters:
            return {**parameters, **form}
    parameters.setdefault("q", text)
    return parameters


ROUTES = [
    # Any token may ask; which tables it may read is decided table by table.
    guarded("/v0/sql", run_sql, methods=["GET", "POST"], needs=[])
]
