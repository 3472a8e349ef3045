"""Which errors the contract documents for each operation.

Sources: the tables of the operations' own pages (``datasources.md`` 10, ``jobs.md`` 10, ``tokens.md`` 6, ``pipes.md``
2 to 8, ``variables.md``, ``events.md`` 5, ``analyze.md`` 7, ``query.md`` 6) and ``errors-and-limits.md`` 2. Two rules
of the latter hold for all operations:

- 403: every operation that takes a token refuses one that is none, and one that may not do it;
- 404: every operation whose path names something says so when it is not there.

405, 411, 414, 408 of a gateway and 500 to 599 are of the transport, the same whatever is asked: ``test_transport`` and
``tests/unit/api`` have them. 429 is listed where the service has a limit of its own for the operation.
"""

from __future__ import annotations

#: Operations that take no token.
OPEN = frozenset({"GET /tokens", "GET /v0/regions"})

#: Paths that name a kind of service, not something that may be there.
NOT_NAMED = frozenset({"GET /v0/integrations/{service}/settings", "GET /v0/integrations/{service}/policies/{policy}"})

_D = "/v0/datasources"
_N = "/v0/pipes/{pipe}/nodes/{node}"

#: Operation -> statuses that are documented for it besides 403 and the 404 of the rule.
FURTHER: dict[str, tuple[int, ...]] = {
    "GET /v0/sql": (400, 408, 429),
    "POST /v0/sql": (400, 413, 429),
    "GET /v0/sql_format": (400,),
    "POST /v0/sql_tables": (400,),
    "POST /v0/sql_replace": (400,),
    "POST /v0/sql_copy": (400,),
    f"POST {_D}": (400, 404, 409, 413, 429),
    f"PUT {_D}/{{name}}": (400, 409),
    f"DELETE {_D}/{{name}}": (409,),
    f"POST {_D}/{{name}}/alter": (400,),
    f"POST {_D}/{{name}}/delete": (400,),
    f"POST {_D}/exchange": (400, 404),
    f"POST {_D}/{{name}}/share": (400, 404),
    f"DELETE {_D}/{{name}}/share": (400, 404),
    f"POST {_D}/{{name}}/sample": (400,),
    f"PUT {_D}/{{name}}/scheduling/state": (400,),
    f"POST {_D}/{{name}}/start": (400,),
    f"POST {_D}/{{name}}/stop": (400,),
    "POST /v1/datasources/{name}/append": (400, 429),
    "POST /v1/datasources/{name}/replace": (400, 429),
    "POST /v1/datasources/{name}/delete": (400,),
    "POST /v0/connectors": (400, 409),
    "PUT /v0/connectors/{connection}": (400,),
    "DELETE /v0/connectors/{connection}": (409,),
    "POST /v0/events": (400, 404, 413, 422, 429, 503),
    "POST /v0/analyze": (400,),
    "GET /v0/jobs": (400,),
    "POST /v0/jobs/{job_id}/cancel": (400,),
    "POST /v0/jobs/{job_id}/retry": (400,),
    "POST /v0/tokens": (400, 409),
    "PUT /v0/tokens/{token}": (400,),
    "POST /v0/workspaces": (400, 409),
    "PUT /v0/workspaces/{id}/users": (400,),
    "POST /v0/environments": (400, 409),
    "POST /v0/environments/{id}/data": (400,),
    "POST /v0/tags": (400, 409),
    "PUT /v0/tags/{name}": (400, 409),
    "POST /v0/pipes": (400, 409),
    "PUT /v0/pipes/{pipe}": (400, 409),
    "DELETE /v0/pipes/{pipe}": (409,),
    "POST /v0/pipes/{pipe}/nodes": (400,),
    f"PUT {_N}": (400,),
    f"DELETE {_N}": (409,),
    f"POST {_N}/endpoint": (400,),
    f"DELETE {_N}/endpoint": (400, 409),
    "GET /v0/pipes/{pipe}.{extension}": (400, 408, 429),
    "POST /v0/pipes/{pipe}.{extension}": (400, 429),
    "GET /v0/pipes/{pipe}/explain": (400,),
    f"GET {_N}/explain": (400,),
    f"POST {_N}/materialization": (400,),
    f"POST {_N}/population": (400,),
    f"POST {_N}/copy": (400,),
    f"PUT {_N}/copy": (400,),
    "POST /v0/pipes/{pipe}/copy": (400,),
    f"POST {_N}/sink": (400,),
    "POST /v0/pipes/{pipe}/sink": (400,),
    "GET /v0/integrations/{service}/settings": (400,),
    "GET /v0/integrations/{service}/policies/{policy}": (404,),
    "GET /v0/datasources-bigquery-credentials": (400,),
    "POST /v0/variables": (400, 429),
    "GET /v0/variables": (429,),
    "GET /v0/variables/{name}": (429,),
    "PUT /v0/variables/{name}": (400, 429),
    "DELETE /v0/variables/{name}": (429,),
    "POST /v1/build": (400,),
    "POST /v1/deploy": (400,),
}

#: What cannot be had from this client, and why.
OUT_OF_REACH: dict[tuple[str, int], str] = {
    ("POST /v1/datasources/{name}/append", 400): "what it could refuse becomes a job that fails, with the reason",
    (f"POST {_D}", 413): "what is over the limit goes as events or in parts; `test_transport` has the status",
}


def documented(operation: str) -> set[int]:
    """Return the error statuses that the contract documents for an operation."""
    found = set(FURTHER.get(operation, ()))
    if operation not in OPEN:
        found.add(403)
    if "{" in operation and operation not in NOT_NAMED:
        found.add(404)
    return found
