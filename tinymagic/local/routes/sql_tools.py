"""``GET /v0/sql_format``, ``POST /v0/sql_tables`` and ``/v0/sql_replace``: helpers of the vendor's command line.

They look at the text only, so any token may ask.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tinymagic.local.access.permissions import Access, guarded
from tinymagic.local.errors import BadRequest
from tinymagic.local.flags import flag
from tinymagic.local.http import in_thread, json_response
from tinymagic.local.sql.gate import QUERY_PAGE

from .forms import text_parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def format_sql(request: Request, _: Access) -> Response:
    """Give the SQL over several lines; ``with_clickhouse_format`` makes no difference."""
    text = await in_thread(request.app.state.services.sql_tools.formatted, _sql(dict(request.query_params)))
    return json_response({"q": text})


async def find_tables(request: Request, _: Access) -> Response:
    """Give the tables that the SQL reads."""
    parameters = await text_parameters(request)
    tables = await in_thread(
        request.app.state.services.sql_tools.tables,
        _sql(parameters),
        raising=flag(parameters, "raising"),
        table_functions=flag(parameters, "table_functions"),
        copying=flag(parameters, "is_copy"),
    )
    return json_response({"tables": tables})


async def replace_tables(request: Request, _: Access) -> Response:
    """Give the SQL with other names of tables."""
    parameters = await text_parameters(request)
    text = await in_thread(
        request.app.state.services.sql_tools.replaced, _sql(parameters), _replacements(parameters.get("replacements"))
    )
    return json_response({"query": text})


def _sql(parameters: dict[str, str]) -> str:
    if "q" not in parameters:
        raise BadRequest("The request needs the parameter q with the SQL.", documentation=QUERY_PAGE)
    return parameters["q"]


def _replacements(text: str | None) -> dict[str, str]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The parameter replacements is not valid JSON: {error}.", documentation=QUERY_PAGE) from error
    if not isinstance(value, dict) or not all(isinstance(name, str) and name for name in value.values()):
        raise BadRequest(
            'The parameter replacements must be a JSON object from names to names, such as {"old": "new"}.',
            documentation=QUERY_PAGE,
        )
    return value


ROUTES = [
    guarded("/v0/sql_format", format_sql, methods=["GET"], needs=[]),
    guarded("/v0/sql_tables", find_tables, methods=["POST"], needs=[]),
    guarded("/v0/sql_replace", replace_tables, methods=["POST"], needs=[]),
]
