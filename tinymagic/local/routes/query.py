"""``GET`` and ``POST /v0/sql`` (``query.md`` section 1).

Where ``q`` may be: in the URL, in a JSON object, in a form, or as the body itself. ``curl --data "SELECT 1"`` sends
bare SQL with the content type of a form: a body that has no field ``q`` is taken as SQL.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import ApiError, BadRequest, QueryTimeout
from tinymagic.local.flags import flag
from tinymagic.local.http import accepts_gzip, compressed, in_thread_until_gone, json_object, read_body, request_facts
from tinymagic.local.service_datasources.traffic import Traffic
from tinymagic.local.services.query import OUTPUT_SETTINGS, QueryReply, QueryRequest
from tinymagic.local.sql.formats import is_binary
from tinymagic.local.sql.gate import QUERY_PAGE

if TYPE_CHECKING:
    from starlette.requests import Request

from starlette.responses import Response

#: Names that belong to the API and are no values of a template (``query.md`` section 1.2).
RESERVED_PARAMETERS = {
    "q",
    "token",
    "pipeline",
    "format",
    "template_parameters",
    "explain",
    "finalize_aggregations",
    "playground",
    "release_replacements",
    "query_id",
    "tag",
    "debug",
    "debug_source_tables",
    "from",
    "cli_version",
    "__tb__client",
    "__tb__semver",
    "__tb__deployment",
    "__tb__csv_header",
    *OUTPUT_SETTINGS,
}

#: What the engine gets, over the limit, to stop a query: it looks only between blocks.
_STOPPING_S = 3.0

#: What the service calls this API in its logs.
QUERY_API = "query_api"

#: Beside ``q`` a body may carry parameters, so it gets this much more room than ``q``.
_BODY_BYTES = 1_000_000


async def run_sql(request: Request, access: Access) -> Response:
    """Run a query and give its rows in the format that it asks for."""
    services = request.app.state.services
    parameters = await _parameters(request, None if services.limits.sql_bytes is None else _BODY_BYTES)
    workspace_id = access.workspace.id
    rate = {**services.rates.check("queries", workspace_id), **services.rates.check("queries_of_day", workspace_id)}
    query_id = uuid.uuid4().hex
    asked = QueryRequest(
        sql=_text(parameters.get("q")),
        parameters={name: value for name, value in parameters.items() if name not in RESERVED_PARAMETERS},
        settings=_output_settings(parameters),
        pipeline=_text(parameters.get("pipeline"), "pipeline"),
        explain=flag(parameters, "explain"),
        method=request.method,
        query_id=query_id,
    )
    traffic = Traffic(services.service_log, access, request_facts(request), QUERY_API, QUERY_API)
    begin = time.perf_counter()
    limit_s = services.limits.query_timeout_s
    try:
        reply = await in_thread_until_gone(
            request,
            lambda: services.query.run(access, asked),
            lambda: services.query.cancel(query_id),
            most_s=None if limit_s is None else limit_s + _STOPPING_S,
        )
    except TimeoutError:
        late = QueryTimeout(
            f"[Error] Timeout exceeded: the query took longer than {limit_s} seconds. (TIMEOUT_EXCEEDED)"
        )
        traffic.failed(late, asked.parameters, time.perf_counter() - begin)
        raise late from None
    except ApiError as error:
        traffic.failed(error, asked.parameters, time.perf_counter() - begin)
        raise
    if not reply.is_free:
        traffic.answered(reply.result, asked.parameters, time.perf_counter() - begin)
    response = Response(reply.result.data, headers={**_headers(reply), **rate})
    if is_binary(reply.output_format) or not accepts_gzip(request):
        return response
    return await compressed(request, response)


def _headers(reply: QueryReply) -> dict[str, str]:
    """Return the headers of a reply: its type, and ClickHouse's own summary so that any format tells what was read."""
    summary = {
        "read_rows": str(reply.result.rows_read),
        "read_bytes": str(reply.result.bytes_read),
        "elapsed_ns": str(int(reply.result.elapsed_s * 1e9)),
    }
    return {"Content-Type": reply.content_type, "X-ClickHouse-Summary": json.dumps(summary, separators=(",", ":"))}


async def _parameters(request: Request, limit_bytes: int | None) -> dict[str, Any]:
    """Put the parameters of URL and body together; the body's win, but a raw body only when the URL has no ``q``."""
    parameters: dict[str, Any] = dict(request.query_params)
    if request.method != "POST":
        return parameters
    body = await read_body(request, limit_bytes)
    if not body:
        return parameters
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: {error}.", documentation=QUERY_PAGE) from error
    if content_type == "application/json":
        # As with URL parameters, "not given" is how a template's default is asked for.
        return {**parameters, **{name: item for name, item in json_object(text).items() if item is not None}}
    if content_type == "application/x-www-form-urlencoded":
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1_000))
        if "q" in form or "q" in parameters:
            return {**parameters, **form}
    parameters.setdefault("q", text)
    return parameters


def _text(value: Any, name: str = "q") -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"The value of {name} must be a text.", documentation=QUERY_PAGE)
    return value


def _output_settings(parameters: dict[str, Any]) -> dict[str, int]:
    settings = {}
    for name in OUTPUT_SETTINGS:
        value = parameters.get(name)
        if value is None or value == "":
            continue
        word = str(value).lower()
        if word not in ("0", "1", "true", "false"):
            raise BadRequest(f"The value of {name} must be 0 or 1, not {word[:40]!r}.", documentation=QUERY_PAGE)
        settings[name] = int(word in ("1", "true"))
    return settings


ROUTES = [
    # Any token may ask; which tables it may read is decided table by table.
    guarded("/v0/sql", run_sql, methods=["GET", "POST"], needs=[])
]
