"""Every documented operation: the client's call, the command of ``%tinybird``, and what the service usually answers.

The operations are those of ``docs/embedded-coverage.md``, spelt as there. Names in the calls are the ones that the
templates stand for: the Data Source ``events``, the Pipe ``by_day`` with the node ``endpoint``, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from unittest.mock import patch

from tests.replay import replies as usual

#: A call of the client: takes a `tinymagic.Workspace`.
Call = Callable[[Any], object]


@dataclass(frozen=True)
class Operation:
    """One documented operation.

    Attributes:
        api: section of the page.
        name: ``METHOD /path/{template}``.
        call: uses the client; ``None`` when *same_as* or *why* says why there is none.
        command: words of the command; ``""`` when *same_as* or *why* says why there is none.
        reply: the usual one: JSON, a text, or bytes.
        same_as: the operation of which this is another spelling.
        why: in one word, why there is no command, or no call.
        others: usual replies to what the call asks besides, where they differ from those of the table.
    """

    api: str
    name: str
    call: Call | None = None
    command: str = ""
    reply: Any = None
    same_as: str = ""
    why: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, line: str) -> bool:
        """Say whether a request, ``METHOD /path``, is this operation."""
        return bool(_pattern(self.name).fullmatch(line))

    @property
    def literal(self) -> int:
        """How much of the name is fixed: of several that match a request, the one with the most is meant."""
        return len(re.sub(r"\{[^}]*\}", "", self.name))


def _pattern(name: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]*\}", name)
    # The service takes most addresses with and without a slash at the end.
    return re.compile("[^/]+".join(re.escape(part) for part in parts) + "/?")


@cache
def operation_of(line: str) -> Operation | None:
    """Return the operation that a request, ``METHOD /path``, is."""
    found = [each for each in OPERATIONS if each.matches(line)]
    return max(found, key=lambda each: each.literal, default=None)


def _same(api: str, name: str, other: str) -> Operation:
    return Operation(api, name, same_as=other)


def _none(api: str, name: str, why: str, reply: Any = None, call: Call | None = None) -> Operation:
    return Operation(api, name, call, reply=reply, why=why)


ROWS = [{"day": "2026-01-01"}]
CSV = b"day\n2026-01-01\n"
NODE = "SELECT count() AS n FROM events"
FILES = {"datasources/events.datasource": usual.DATAFILE, "pipes/by_day.pipe": usual.PIPE_FILE}
LONG = "2026-01-01, " * 600

_QUERY = [
    Operation("Query", "GET /v0/sql", lambda ws: ws.query.run("SELECT 1 AS n"), "", usual.ROWS, why="cell"),
    Operation(
        "Query",
        "POST /v0/sql",
        lambda ws: ws.query.run(f"SELECT '{'x' * 5000}' AS n"),
        "",
        usual.ROWS,
        why="cell",
    ),
    Operation("Query", "GET /v0/sql_format", lambda ws: ws.query.format_sql("select 1"), "fmt", {"q": "SELECT 1"}),
    Operation(
        "Query",
        "POST /v0/sql_tables",
        lambda ws: ws.query.tables("SELECT * FROM events"),
        "fmt",
        {"tables": [["", "events"]]},
    ),
    Operation(
        "Query",
        "POST /v0/sql_replace",
        lambda ws: ws.query.replace_tables("SELECT * FROM events", {"events": "other"}),
        "fmt",
        {"query": "SELECT * FROM other"},
    ),
    Operation(
        "Query",
        "POST /v0/sql_copy",
        lambda ws: ws.query.copy_to("SELECT * FROM events", "target"),
        "copy sql",
        usual.STARTED,
    ),
]

_D = "Data Sources"
_DATASOURCES = [
    Operation(
        _D,
        "GET /v0/datasources",
        lambda ws: ws.datasources.list(),
        "datasource ls",
        {"datasources": [usual.DATASOURCE]},
    ),
    Operation(
        _D,
        "POST /v0/datasources",
        lambda ws: ws.datasources.create("events", "day Date"),
        "datasource create",
        usual.IMPORT,
    ),
    Operation(
        _D, "GET /v0/datasources/{name}", lambda ws: ws.datasources.get("events"), "datasource show", usual.DATASOURCE
    ),
    Operation(
        _D,
        "PUT /v0/datasources/{name}",
        lambda ws: ws.datasources.rename("events", "other"),
        "datasource rename",
        usual.DATASOURCE,
    ),
    Operation(
        _D, "DELETE /v0/datasources/{name}", lambda ws: ws.datasources.delete("events"), "datasource rm", usual.OK
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/alter",
        lambda ws: ws.datasources.alter("events", schema="day Date, n Int64"),
        "datasource alter",
        usual.ALTERATION,
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/truncate",
        lambda ws: ws.datasources.truncate("events"),
        "datasource truncate",
        {},
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/delete",
        lambda ws: ws.datasources.delete_rows("events", "day < today()", wait=False),
        "datasource delete",
        usual.STARTED,
    ),
    Operation(
        _D,
        "POST /v0/datasources/exchange",
        lambda ws: ws.datasources.exchange("events", "other"),
        "datasource exchange",
        usual.OK,
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/share",
        lambda ws: ws.datasources.share("events", usual.UUID),
        "datasource share",
        usual.OK,
    ),
    Operation(
        _D,
        "DELETE /v0/datasources/{name}/share",
        lambda ws: ws.datasources.unshare("events", usual.UUID),
        "datasource unshare",
        usual.OK,
    ),
    Operation(
        _D,
        "POST /v1/datasources/{name}/append",
        lambda ws: ws.datasources.append("events", CSV, via="job", wait=False),
        "datasource append",
        usual.STARTED,
    ),
    Operation(
        _D,
        "POST /v1/datasources/{name}/replace",
        lambda ws: ws.datasources.replace("events", CSV, via="job"),
        "datasource replace",
        usual.STARTED,
    ),
    Operation(
        _D,
        "POST /v1/datasources/{name}/delete",
        lambda ws: ws.datasources.delete_rows_lightweight("events", "day < today()"),
        "datasource delete",
        usual.LIGHTWEIGHT,
    ),
    Operation(
        _D,
        "GET /v0/dependencies",
        lambda ws: ws.datasources.dependencies(),
        "datasource dependencies",
        usual.DEPENDENCIES,
    ),
    Operation(
        _D,
        "GET /v0/datasources/{name}/scheduling/state",
        lambda ws: ws.datasources.scheduling_state("events"),
        "datasource schedule",
        {"state": "running"},
    ),
    Operation(
        _D,
        "PUT /v0/datasources/{name}/scheduling/state",
        lambda ws: ws.datasources.set_scheduling_state("events", "paused"),
        "datasource schedule",
        {"state": "paused"},
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/scheduling/runs",
        lambda ws: ws.datasources.run_scheduling("events"),
        "datasource schedule",
        usual.STARTED,
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/sample",
        lambda ws: ws.datasources.sample("events"),
        "datasource sample",
        usual.STARTED,
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/start",
        lambda ws: ws.datasources.start("events"),
        "datasource start",
        usual.OK,
    ),
    Operation(
        _D,
        "POST /v0/datasources/{name}/stop",
        lambda ws: ws.datasources.stop("events"),
        "datasource stop",
        usual.OK,
    ),
    Operation(
        _D,
        "GET /v0/connectors",
        lambda ws: ws.connections.list(),
        "connection ls",
        {"connectors": [usual.CONNECTION]},
    ),
    Operation(
        _D,
        "POST /v0/connectors",
        lambda ws: ws.connections.create("bucket", "s3", {"s3_region": "us-east-1"}),
        "connection create",
        usual.CONNECTION,
    ),
    Operation(
        _D,
        "GET /v0/connectors/{connection}",
        lambda ws: ws.connections.get("bucket"),
        "connection show",
        usual.CONNECTION,
    ),
    Operation(
        _D,
        "PUT /v0/connectors/{connection}",
        lambda ws: ws.connections.update("bucket", {"s3_region": "us-east-1"}),
        "connection set",
        usual.CONNECTION,
    ),
    Operation(
        _D,
        "DELETE /v0/connectors/{connection}",
        lambda ws: ws.connections.delete("bucket"),
        "connection rm",
        usual.OK,
    ),
]

_ONE_EACH = [
    Operation(
        "Events",
        "POST /v0/events",
        lambda ws: ws.events.send_raw("events", b'{"day": "2026-01-01"}\n'),
        "events send",
        usual.EVENTS,
    ),
    Operation("Analyze", "POST /v0/analyze", lambda ws: ws.analyze.file(CSV), "analyze", usual.ANALYSIS),
    Operation("Jobs", "GET /v0/jobs", lambda ws: ws.jobs.list(status="done"), "job ls", {"jobs": [usual.JOB]}),
    Operation("Jobs", "GET /v0/jobs/{job_id}", lambda ws: ws.jobs.get(usual.UUID, debug=True), "job show", usual.JOB),
    Operation(
        "Jobs",
        "POST /v0/jobs/{job_id}/cancel",
        lambda ws: ws.jobs.cancel(usual.UUID),
        "job cancel",
        {**usual.JOB, "status": "cancelling"},
    ),
    Operation("Jobs", "POST /v0/jobs/{job_id}/retry", lambda ws: ws.jobs.retry(usual.UUID), "job retry", usual.STARTED),
]

_TOKENS = [
    Operation("Tokens", "GET /v0/tokens", lambda ws: ws.tokens.list(), "token ls", {"tokens": [usual.TOKEN]}),
    Operation(
        "Tokens",
        "POST /v0/tokens",
        lambda ws: ws.tokens.create("reader", ["PIPES:READ:by_day"]),
        "token create",
        usual.TOKEN,
    ),
    Operation("Tokens", "GET /v0/tokens/{token}", lambda ws: ws.tokens.get("reader"), "token show", usual.TOKEN),
    Operation(
        "Tokens",
        "PUT /v0/tokens/{token}",
        lambda ws: ws.tokens.update("reader", description="reads"),
        "token set",
        usual.TOKEN,
    ),
    Operation(
        "Tokens",
        "POST /v0/tokens/{token}/refresh",
        lambda ws: ws.tokens.refresh("reader"),
        "token refresh",
        usual.TOKEN,
    ),
    Operation("Tokens", "DELETE /v0/tokens/{token}", lambda ws: ws.tokens.delete("reader"), "token rm", usual.OK),
]

_W = "Workspaces, users, regions"
_WORKSPACES = [
    _none(_W, "GET /tokens", "login", usual.TOKENS_OF_LOCAL, lambda ws: _local_token(ws)),
    _none(_W, "GET /health/liveness", "probe"),
    _none(_W, "GET /health/readiness", "probe"),
    Operation(_W, "GET /v0/regions", lambda ws: ws.regions(), "regions", usual.REGIONS),
    Operation(_W, "GET /v0/workspace", lambda ws: ws.info(), "workspace current", usual.WORKSPACE),
    _same(_W, "GET /v1/workspace", "GET /v0/workspace"),
    Operation(_W, "GET /v0/user/workspaces", lambda ws: ws.workspaces.list(), "workspace ls", usual.USER_WORKSPACES),
    _same(_W, "GET /v1/user/workspaces", "GET /v0/user/workspaces"),
    Operation(
        _W, "GET /v0/workspaces/{id}", lambda ws: ws.workspaces.get(usual.UUID), "workspace show", usual.WORKSPACE
    ),
    _same(_W, "GET /v1/workspaces/{id}", "GET /v0/workspaces/{id}"),
    Operation(
        _W,
        "POST /v0/workspaces",
        lambda ws: ws.workspaces.create("shop", user_token="p.user.token-of-a-person"),
        "workspace create",
        usual.WORKSPACE,
    ),
    _same(_W, "POST /v1/workspaces", "POST /v0/workspaces"),
    Operation(
        _W,
        "DELETE /v0/workspaces/{id}",
        lambda ws: ws.workspaces.delete(usual.UUID, user_token="p.user.token-of-a-person"),
        "workspace rm",
        usual.OK,
    ),
    _same(_W, "DELETE /v1/workspaces/{id}", "DELETE /v0/workspaces/{id}"),
    Operation(
        _W,
        "PUT /v0/workspaces/{id}/users",
        lambda ws: ws.workspaces.members(usual.UUID, add=["me@example.com"]),
        "workspace members",
        usual.OK,
    ),
    Operation(
        _W,
        "GET /v0/workspaces/{id}/releases",
        lambda ws: ws.workspaces.releases(usual.UUID),
        "workspace releases",
        usual.RELEASES,
    ),
    Operation(_W, "GET /v0/environments", lambda ws: ws.branches.list(), "branch ls", {"environments": [usual.BRANCH]}),
    _same(_W, "GET /v1/environments", "GET /v0/environments"),
    Operation(
        _W,
        "POST /v0/environments",
        lambda ws: ws.branches.create("try", wait=False),
        "branch create",
        usual.BRANCH_STARTED,
    ),
    _same(_W, "POST /v1/environments", "POST /v0/environments"),
    Operation(_W, "GET /v0/environments/{id}", lambda ws: ws.branches.get("try"), "branch show", usual.BRANCH),
    Operation(_W, "DELETE /v0/environments/{id}", lambda ws: ws.branches.delete("try"), "branch rm", usual.OK),
    Operation(_W, "GET /v0/auth", lambda ws: ws.workspaces.auth(), "workspace user", usual.AUTH),
    Operation(_W, "GET /v0/user", lambda ws: ws.workspaces.user(), "workspace user", usual.USER),
    Operation(
        _W,
        "GET /v0/organizations/{id}",
        lambda ws: ws.workspaces.organization(usual.UUID),
        "workspace organization",
        usual.ORGANIZATION,
    ),
    Operation(
        _W,
        "POST /v0/environments/{id}/data",
        lambda ws: ws.branches.data("try", wait=False),
        "branch data",
        usual.STARTED,
    ),
    _same(_W, "POST /v1/environments/{id}/data", "POST /v0/environments/{id}/data"),
    _same(_W, "GET /v1/environments/{id}", "GET /v0/environments/{id}"),
    _same(_W, "DELETE /v1/environments/{id}", "DELETE /v0/environments/{id}"),
    _same(_W, "GET /v1/auth", "GET /v0/auth"),
    _same(_W, "GET /v1/user", "GET /v0/user"),
    _same(_W, "GET /v1/organizations/{id}", "GET /v0/organizations/{id}"),
    _same(_W, "PUT /v1/workspaces/{id}/users", "PUT /v0/workspaces/{id}/users"),
    _same(_W, "GET /v1/workspaces/{id}/releases", "GET /v0/workspaces/{id}/releases"),
    Operation(_W, "GET /v0/tags", lambda ws: ws.tags.list(), "tag ls", {"tags": [usual.TAG]}),
    Operation(_W, "POST /v0/tags", lambda ws: ws.tags.create("team"), "tag create", usual.TAG),
    Operation(
        _W,
        "PUT /v0/tags/{name}",
        lambda ws: ws.tags.update("team", resources=[]),
        "tag set",
        usual.TAG,
    ),
    Operation(_W, "DELETE /v0/tags/{name}", lambda ws: ws.tags.delete("team"), "tag rm", usual.OK),
    _none(_W, "GET /version", "probe"),
]

_P = "Pipes"
_PIPES = [
    Operation(_P, "GET /v0/pipes", lambda ws: ws.pipes.list(), "pipe ls", {"pipes": [usual.PIPE]}),
    _same(_P, "GET /v1/pipes", "GET /v0/pipes"),
    Operation(_P, "POST /v0/pipes", lambda ws: ws.pipes.create("by_day", NODE), "pipe create", usual.PIPE),
    Operation(_P, "GET /v0/pipes/{pipe}", lambda ws: ws.pipes.get("by_day"), "pipe show", usual.PIPE),
    _same(_P, "GET /v1/pipes/{pipe}", "GET /v0/pipes/{pipe}"),
    Operation(
        _P,
        "PUT /v0/pipes/{pipe}",
        lambda ws: ws.pipes.update("by_day", description="Per day."),
        "pipe rename",
        usual.PIPE,
    ),
    Operation(_P, "DELETE /v0/pipes/{pipe}", lambda ws: ws.pipes.delete("by_day"), "pipe rm", usual.OK),
    Operation(
        _P,
        "POST /v0/pipes/{pipe}/nodes",
        lambda ws: ws.pipes.append_node("by_day", NODE, name="more"),
        "pipe append-node",
        usual.NODE,
    ),
    _same(_P, "POST /v0/pipes/{pipe}/append", "POST /v0/pipes/{pipe}/nodes"),
    _same(_P, "GET /v0/pipes/{pipe}.pipe", "GET /v1/pipes/{pipe}.pipe"),
    Operation(_P, "GET /v1/pipes/{pipe}.pipe", lambda ws: ws.pipes.datafile("by_day"), "pipe export", usual.PIPE_FILE),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}/nodes",
        lambda ws: ws.pipes.nodes("by_day"),
        "pipe show",
        {"nodes": [usual.NODE]},
    ),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}/nodes/{node}",
        lambda ws: ws.pipes.node("by_day", "endpoint"),
        "pipe show",
        usual.NODE,
    ),
    Operation(
        _P,
        "PUT /v0/pipes/{pipe}/nodes/{node}",
        lambda ws: ws.pipes.update_node("by_day", "endpoint", sql=NODE),
        "pipe set-node",
        usual.NODE,
    ),
    Operation(
        _P,
        "DELETE /v0/pipes/{pipe}/nodes/{node}",
        lambda ws: ws.pipes.delete_node("by_day", "endpoint"),
        "pipe rm-node",
        usual.OK,
    ),
    Operation(
        _P,
        "POST /v0/pipes/{pipe}/nodes/{node}/endpoint",
        lambda ws: ws.pipes.publish("by_day", "endpoint"),
        "pipe publish",
        usual.PIPE,
    ),
    Operation(
        _P,
        "DELETE /v0/pipes/{pipe}/nodes/{node}/endpoint",
        lambda ws: ws.pipes.unpublish("by_day", "endpoint"),
        "pipe unpublish",
        usual.PIPE,
    ),
    _same(_P, "PUT /v0/pipes/{pipe}/endpoint", "POST /v0/pipes/{pipe}/nodes/{node}/endpoint"),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}.{extension}",
        lambda ws: ws.pipes.data("by_day", params={"day": "2026-01-01"}),
        "pipe data",
        usual.NAMED_ROWS,
    ),
    Operation(
        _P,
        "POST /v0/pipes/{pipe}.{extension}",
        lambda ws: ws.pipes.call("by_day", params={"days": LONG}),
        "pipe data",
        usual.NAMED_ROWS,
    ),
    Operation(_P, "GET /v0/pipes/openapi.json", lambda ws: ws.pipes.openapi(), "pipe openapi", usual.OPENAPI),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}/openapi.json",
        lambda ws: ws.pipes.openapi("by_day"),
        "pipe openapi",
        usual.OPENAPI,
    ),
    _none(_P, "GET /endpoint/{pipe}", "page"),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}/explain",
        lambda ws: ws.pipes.explain("by_day"),
        "pipe explain",
        usual.EXPLANATION,
    ),
    _same(_P, "POST /v0/pipes/{pipe}/explain", "GET /v0/pipes/{pipe}/explain"),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}/nodes/{node}/explain",
        lambda ws: ws.pipes.explain("by_day", node="endpoint"),
        "pipe explain",
        usual.EXPLANATION,
    ),
    _same(_P, "POST /v0/pipes/{pipe}/nodes/{node}/explain", "GET /v0/pipes/{pipe}/nodes/{node}/explain"),
    _none(_P, "GET /examples/query.http", "page"),
    Operation(
        _P,
        "GET /v0/pipes/{pipe}/nodes/{node}/analysis",
        lambda ws: ws.pipes.analysis("by_day", "endpoint"),
        "materialization analyze",
        usual.ADVICE,
    ),
    Operation(
        _P,
        "POST /v0/pipes/{pipe}/nodes/{node}/materialization",
        lambda ws: ws.materializations.create("by_day", "endpoint", "by_day_mv"),
        "materialization create",
        usual.MATERIALIZED,
    ),
    Operation(
        _P,
        "DELETE /v0/pipes/{pipe}/nodes/{node}/materialization",
        lambda ws: ws.materializations.unlink("by_day", "endpoint"),
        "materialization unlink",
        usual.OK,
    ),
    Operation(
        _P,
        "POST /v0/pipes/{pipe}/nodes/{node}/population",
        lambda ws: ws.materializations.populate("by_day", "endpoint"),
        "materialization populate",
        {"job": usual.STARTED["job"]},
    ),
    Operation(
        _P,
        "POST /v0/pipes/{pipe}/nodes/{node}/copy",
        lambda ws: ws.copies.create("by_day", "endpoint", "target"),
        "copy create",
        usual.COPY_PIPE,
    ),
    Operation(
        _P,
        "PUT /v0/pipes/{pipe}/nodes/{node}/copy",
        lambda ws: ws.copies.update("by_day", "endpoint", schedule_cron="0 * * * *"),
        "copy schedule",
        usual.COPY_PIPE,
    ),
    Operation(
        _P,
        "DELETE /v0/pipes/{pipe}/nodes/{node}/copy",
        lambda ws: ws.copies.remove("by_day", "endpoint"),
        "copy rm",
        usual.OK,
    ),
    Operation(_P, "POST /v0/pipes/{pipe}/copy", lambda ws: ws.copies.run("by_day"), "copy run", usual.RUN),
    Operation(
        _P, "POST /v0/pipes/{pipe}/copy/pause", lambda ws: ws.copies.pause("by_day"), "copy pause", usual.COPY_PIPE
    ),
    Operation(
        _P, "POST /v0/pipes/{pipe}/copy/resume", lambda ws: ws.copies.resume("by_day"), "copy resume", usual.COPY_PIPE
    ),
    Operation(
        _P, "POST /v0/pipes/{pipe}/copy/cancel", lambda ws: ws.copies.cancel("by_day"), "copy cancel", usual.CANCELLED
    ),
    _none(_P, "DELETE /v0/pipes/{pipe}/nodes/{node}/stream", "streams"),
]

_S = "Sink Pipes"
_SINKS = [
    Operation(
        _S,
        "POST /v0/pipes/{pipe}/nodes/{node}/sink",
        lambda ws: ws.sinks.create("by_day", "endpoint", connection="bucket", path="s3://b/p", file_template="f"),
        "sink create",
        usual.SINK_PIPE,
    ),
    # A schedule is changed by setting the sink again.
    _same(_S, "PUT /v0/pipes/{pipe}/nodes/{node}/sink", "POST /v0/pipes/{pipe}/nodes/{node}/sink"),
    Operation(
        _S,
        "DELETE /v0/pipes/{pipe}/nodes/{node}/sink",
        lambda ws: ws.sinks.remove("by_day", "endpoint"),
        "sink rm",
        usual.OK,
        others={"GET /v0/pipes/{pipe}": usual.SINK_PIPE},
    ),
    Operation(
        _S,
        "POST /v0/pipes/{pipe}/sink",
        lambda ws: ws.sinks.run("by_day"),
        "sink run",
        {**usual.RUN, "job": {**usual.RUN["job"], "kind": "sink"}},
        others={"GET /v0/pipes/{pipe}": usual.SINK_PIPE},
    ),
    Operation(
        _S,
        "GET /v0/integrations/{service}/settings",
        lambda ws: ws.sinks.settings("s3"),
        "sink settings",
        usual.S3_SETTINGS,
    ),
    Operation(
        _S,
        "GET /v0/integrations/{service}/policies/{policy}",
        lambda ws: ws.sinks.policy("s3", "write-access-policy", bucket="b"),
        "sink policy",
        usual.POLICY,
    ),
    Operation(
        _S,
        "GET /v0/datasources-bigquery-credentials",
        lambda ws: ws.sinks.bigquery_credentials(),
        "sink settings",
        {"account": "x@y.iam.gserviceaccount.com"},
    ),
]

_V = "Environment Variables"
_VARIABLES = [
    Operation(_V, "GET /v0/variables", lambda ws: ws.variables.list(), "variable ls", {"variables": [usual.VARIABLE]}),
    Operation(
        _V, "POST /v0/variables", lambda ws: ws.variables.create("password", "x"), "variable set", usual.VARIABLE
    ),
    Operation(_V, "GET /v0/variables/{name}", lambda ws: ws.variables.get("password"), "variable get", usual.VARIABLE),
    Operation(
        _V,
        "PUT /v0/variables/{name}",
        lambda ws: ws.variables.update("password", "x"),
        "variable set",
        usual.VARIABLE,
    ),
    Operation(_V, "DELETE /v0/variables/{name}", lambda ws: ws.variables.delete("password"), "variable rm", usual.OK),
    _same(_V, "GET /v1/variables", "GET /v0/variables"),
    _same(_V, "POST /v1/variables", "POST /v0/variables"),
    _same(_V, "GET /v1/variables/{name}", "GET /v0/variables/{name}"),
    _same(_V, "PUT /v1/variables/{name}", "PUT /v0/variables/{name}"),
    _same(_V, "DELETE /v1/variables/{name}", "DELETE /v0/variables/{name}"),
]

_F = "Deployments"
_DEPLOYMENTS = [
    Operation(_F, "POST /v1/build", lambda ws: ws.deployments.build(FILES), "build", usual.BUILT),
    Operation(_F, "POST /v1/deploy", lambda ws: ws.deployments.deploy(FILES, check=True), "deploy", usual.DEPLOYED),
    Operation(
        _F,
        "GET /v1/deployments",
        lambda ws: ws.deployments.list(),
        "deployment ls",
        {"deployments": [usual.DEPLOYMENT]},
    ),
    Operation(
        _F,
        "GET /v1/deployments/{id}",
        lambda ws: ws.deployments.get("7"),
        "deployment show",
        {"deployment": usual.DEPLOYMENT},
    ),
    Operation(
        _F,
        "DELETE /v1/deployments/{id}",
        lambda ws: ws.deployments.discard("7"),
        "deployment discard",
        usual.DEPLOYED,
    ),
    Operation(
        _F,
        "POST /v1/deployments/{id}/set-live",
        lambda ws: ws.deployments.set_live("7"),
        "deployment promote",
        usual.DEPLOYED,
    ),
]


def _local_token(ws: Any) -> str:
    from tinymagic.api.http.retries import Patience
    from tinymagic.api.workspace import local_token

    # It has a transport of its own, which is to try everything once, too.
    with patch.object(Patience, "wait_s", return_value=None):
        return local_token(ws.host)


OPERATIONS: tuple[Operation, ...] = (
    *_QUERY,
    *_DATASOURCES,
    *_ONE_EACH,
    *_TOKENS,
    *_WORKSPACES,
    *_PIPES,
    *_SINKS,
    *_VARIABLES,
    *_DEPLOYMENTS,
)

_URL = "https://example.com/a.csv"

_BY_NAME = {operation.name: operation for operation in OPERATIONS}


def _again(name: str, call: Call, reply: Any = None) -> Operation:
    operation = _BY_NAME[name]
    return replace(operation, call=call, reply=operation.reply if reply is None else reply)


#: Label -> operation: calls that use an operation of the table in another way. They are replayed, too.
FURTHER: dict[str, Operation] = {
    "a query as a DataFrame": _again("GET /v0/sql", lambda ws: ws.sql("SELECT 1 AS n")),
    "a query as Parquet": _again("GET /v0/sql", lambda ws: ws.sql("SELECT 1 AS n", format="parquet"), usual.parquet()),
    "explain": _again("GET /v0/sql", lambda ws: ws.query.explain("SELECT 1 AS n")),
    "rename a Data Source": _again(
        "PUT /v0/datasources/{name}", lambda ws: ws.datasources.update("events", description="x")
    ),
    "what an alter would do": _again(
        "POST /v0/datasources/{name}/alter",
        lambda ws: ws.datasources.alter("events", description="x", dry_run=True),
    ),
    "what a deletion would take along": _again(
        "DELETE /v0/datasources/{name}",
        lambda ws: ws.datasources.deletion_plan("events"),
        {"dependent_pipes": "by_day, by_week"},
    ),
    "count rows to delete": _again(
        "POST /v0/datasources/{name}/delete",
        lambda ws: ws.datasources.count_rows_to_delete("events", "n = 1"),
        {"rows_to_be_deleted": 3},
    ),
    "delete rows and wait": _again(
        "POST /v0/datasources/{name}/delete",
        lambda ws: ws.datasources.delete_rows("events", "n = 1"),
    ),
    "delete rows lightly in a job": _again(
        "POST /v1/datasources/{name}/delete",
        lambda ws: ws.datasources.delete_rows_lightweight("events", "n = 1", wait=False),
        usual.STARTED,
    ),
    "make a Data Source of a file": _again(
        "POST /v0/datasources",
        lambda ws: ws.datasources.create_from("events", CSV, schema="day Date"),
    ),
    "append a file": _again("POST /v0/datasources", lambda ws: ws.datasources.append("events", CSV)),
    "append a file to what cannot be read": _again(
        "GET /v0/datasources/{name}",
        lambda ws: ws.datasources.append("events", CSV),
    ),
    "append dictionaries": _again("POST /v0/events", lambda ws: ws.datasources.append("events", ROWS)),
    "append by URL": _again(
        "POST /v0/datasources", lambda ws: ws.datasources.append("events", _URL, wait=False), usual.STARTED
    ),
    "append by URL and wait": _again(
        "POST /v0/datasources", lambda ws: ws.datasources.append("events", _URL), usual.STARTED
    ),
    "append in a job and wait": _again(
        "POST /v1/datasources/{name}/append",
        lambda ws: ws.datasources.append("events", CSV, via="job"),
    ),
    "replace with a file": _again("POST /v0/datasources", lambda ws: ws.datasources.replace("events", CSV)),
    "send events": _again("POST /v0/events", lambda ws: ws.events.send("events", ROWS)),
    "send events without waiting": _again("POST /v0/events", lambda ws: ws.events.send("events", ROWS, wait=False)),
    "analyze a URL": _again("POST /v0/analyze", lambda ws: ws.analyze.url(_URL)),
    "wait for a job": _again("GET /v0/jobs/{job_id}", lambda ws: ws.jobs.wait(usual.UUID, timeout_s=0.001)),
    "a Pipe's rows as they are": _again(
        "GET /v0/pipes/{pipe}.{extension}", lambda ws: ws.pipes.call("by_day", format="csv"), CSV
    ),
    "Pipes with some keys": _again("GET /v0/pipes", lambda ws: ws.pipes.list(attrs=["id", "name"], node_attrs=["id"])),
    "rename a Pipe": _again("PUT /v0/pipes/{pipe}", lambda ws: ws.pipes.update("by_day", name="other")),
    "publish the last node": _again("GET /v0/pipes/{pipe}", lambda ws: ws.pipes.publish("by_day")),
    "unpublish what is published": _again("GET /v0/pipes/{pipe}", lambda ws: ws.pipes.unpublish("by_day")),
    "materializations": _again("GET /v0/pipes", lambda ws: ws.materializations.list()),
    "copies": _again("GET /v0/pipes", lambda ws: ws.copies.list()),
    "sinks": _again("GET /v0/pipes", lambda ws: ws.sinks.list()),
    "a JWT": _again(
        "POST /v0/tokens",
        lambda ws: ws.tokens.create_jwt("x", ["PIPES:READ:by_day"], lifetime=60),
        usual.JWT,
    ),
    "set a variable that is there": _again("GET /v0/variables/{name}", lambda ws: ws.variables.set("password", "x")),
    "deploy": _again("POST /v1/deploy", lambda ws: ws.deployments.deploy(FILES)),
    "wait for a deployment": _again("GET /v1/deployments/{id}", lambda ws: ws.deployments.wait("7", timeout_s=0.001)),
}
