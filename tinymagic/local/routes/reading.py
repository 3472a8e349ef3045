"""What the Query API and endpoints share: parameters of a request, and running it until its rows are there.

Both take their parameters from the URL, a form or a JSON object, watch the time and the client, note what became of the
request, and answer with rows in some format.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tinymagic.local.errors import ApiError, BadRequest, QueryTimeout
from tinymagic.local.http import accepts_gzip, compressed, in_thread_until_gone
from tinymagic.local.services.query import OUTPUT_SETTINGS, QueryReply
from tinymagic.local.sql.formats import is_binary
from tinymagic.local.sql.gate import QUERY_PAGE

from .forms import body_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.requests import Request

    from tinymagic.local.service_datasources.traffic import Traffic

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


async def call_parameters(request: Request, *, documentation: str | None = None) -> dict[str, Any]:
    """Return the parameters of URL and, for a POST, body; the body's win. *documentation* is for errors.

    Raises:
        BadRequest: the body says that it is JSON or a form and is not.
        PayloadTooLarge: it is over a megabyte.
    """
    found = url_parameters(request)
    if request.method == "POST":
        given = await body_parameters(request, documentation=documentation)
        # As with URL parameters, "not given" is how a template's default is asked for.
        found.update(joined((name, value) for name, value in given if value is not None))
    return found


def joined(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return parameters by name; what was given several times is one list with commas, as templates read arrays.

    Names that belong to the API have one value, the last.

    Example:
        >>> joined([("a", "1"), ("a", "2"), ("q", "x"), ("q", "y")])
        {'a': '1,2', 'q': 'y'}
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found and name not in RESERVED_PARAMETERS else value
    return found


def url_parameters(request: Request) -> dict[str, Any]:
    """Return the parameters of the URL."""
    return joined(request.query_params.multi_items())


def template_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a request's parameters is for templates."""
    return {name: value for name, value in parameters.items() if name not in RESERVED_PARAMETERS}


def output_settings(parameters: Mapping[str, Any]) -> dict[str, int]:
    """Return the settings of the output format that a request asks for.

    Raises:
        BadRequest: one is neither 0 nor 1.
    """
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


async def answer(
    request: Request,
    run: Callable[[], QueryReply],
    *,
    query_id: str,
    traffic: Traffic | None,
    parameters: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response:
    """Run a query in a thread, until the client goes away or the time is over, and answer with its rows.

    Args:
        request: whose body has been read.
        run: does the work; its query has *query_id*, by which it is stopped.
        query_id: of the query.
        traffic: gets a note about what came of it; ``None`` when nobody shall know.
        parameters: for that note.
        headers: of the reply, beside those of the rows.

    Raises:
        ApiError: *run* raised it, or there was no time left.
        ClientDisconnect: nobody is left to answer.
    """
    services = request.app.state.services
    limit_s = services.limits.query_timeout_s
    begin = time.perf_counter()
    try:
        reply = await in_thread_until_gone(
            request,
            run,
            lambda: services.query.cancel(query_id),
            most_s=None if limit_s is None else limit_s + _STOPPING_S,
        )
    except TimeoutError:
        late = QueryTimeout(
            f"[Error] Timeout exceeded: the query took longer than {limit_s} seconds. (TIMEOUT_EXCEEDED)"
        )
        if traffic is not None:
            traffic.failed(late, parameters, time.perf_counter() - begin)
        raise late from None
    except ApiError as error:
        if traffic is not None:
            traffic.failed(error, parameters, time.perf_counter() - begin)
        raise
    if traffic is not None and not reply.is_free:
        traffic.answered(reply.result, parameters, time.perf_counter() - begin)
    response = Response(reply.result.data, headers={**_headers(reply), **headers})
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
