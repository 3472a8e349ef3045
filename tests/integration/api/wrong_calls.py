"""Calls that each documented operation refuses although the token may do everything: what was asked for cannot be.

What a token may not do (403) and what is not there (404) is tried for all operations alike, in `test_every_resource`.
The transport's own errors (405, 408, 411, 429, 500, gateways) do not depend on the operation; they are in
`test_transport`. Source of the statuses: the error tables of the contract's pages; where a page names none,
``errors-and-limits.md`` section 2: 400 for a bad value, 409 for a conflict with what is there.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

import tinymagic
from tinymagic.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = "x" * 5_000
TOO_LONG = "x" * 10_000
SLOW = "SELECT count() AS n FROM numbers(100000000000) WHERE cityHash64(number) = 1"
ROWS = b"day,n\n2026-01-01,1\n"
KEYS = {"s3_region": "us-east-1", "s3_access_key_id": "wrong-key-id", "s3_secret_access_key": "wrong-very-secret"}
NOWHERE = {"connection": "wrong_lake", "path": "nowhere", "file_template": "f"}
BAD_FILES = {"pipes/wrong_file.pipe": "NODE n\nSQL >\n    SELECT nope_column\n"}


@dataclass(frozen=True)
class Wrong:
    """A call that is refused.

    Attributes:
        status: documented for what is wrong.
        call: takes a `tinymagic.Workspace` that `prepare` has been over.
        says: words of the sentence.
        how: who says so: the service with the status; the client, which knows and sends nothing (``"client"``); a job
            or a deployment that fails (``"later"``).
        first: the operation that meets the refusal, when another one is asked before.
    """

    status: int
    call: Callable[[Any], object]
    says: str = ""
    how: str = "status"
    first: str = ""


def prepare(ws: Any, token: str) -> None:
    """Make what the calls are about."""
    ws.datasources.create("wrong_events", "day Date, n Int64", sorting_key="day")
    ws.datasources.create("wrong_other", "day Date, n Int64")
    ws.datasources.create("wrong_target", "n UInt64")
    ws.pipes.create("wrong_reader", [{"name": "reading", "sql": "SELECT * FROM wrong_events"}])
    ws.pipes.create(
        "wrong_free", [{"name": "first", "sql": "SELECT 1 AS n"}, {"name": "last", "sql": "SELECT * FROM first"}]
    )
    ws.pipes.create("wrong_asking", [{"name": "asks", "sql": "%\nSELECT {{Int32(n)}} AS n"}])
    ws.pipes.publish("wrong_asking")
    ws.pipes.create("wrong_copy", [{"name": "copies", "sql": "SELECT count() AS n FROM wrong_events"}])
    ws.copies.create("wrong_copy", "copies", "wrong_target")
    ws.pipes.create("wrong_plain", [{"name": "plain", "sql": "SELECT toUInt64(1) AS n"}])
    ws.connections.create("wrong_lake", "s3", KEYS)
    ws.pipes.create("wrong_sinking", [{"name": "sinks", "sql": "SELECT 1 AS n"}])
    ws.sinks.create("wrong_sinking", "sinks", connection="wrong_lake", path="s3://wrong-bucket/out", file_template="f")
    fields = {
        "name": "wrong_fed",
        "schema": "day Date",
        "connector": "wrong_lake",
        "bucket_uri": "s3://wrong-bucket/*.csv",
    }
    requests.post(
        f"{ws.host}/v0/datasources",
        data={**fields, "cron": "0 0 1 1 *", "format": "csv"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    ).raise_for_status()
    ws.pipes.create("wrong_read", [{"name": "given", "sql": "SELECT 1 AS n"}])
    ws.pipes.publish("wrong_read")
    ws.pipes.create("wrong_reads", [{"name": "taking", "sql": "SELECT * FROM wrong_read"}])
    ws.pipes.create("wrong_slow", [{"name": "counts", "sql": SLOW}])
    ws.pipes.publish("wrong_slow")
    ws.datasources.create("wrong_fragile", "n Int32 `json:$.n`")
    ws.pipes.create(
        "wrong_breaking", {"name": "breaks", "sql": "SELECT throwIf(n = 13, 'thirteen') + n AS n FROM wrong_fragile"}
    )
    ws.materializations.create("wrong_breaking", "breaks", "wrong_broken", engine="MergeTree", sorting_key="n")
    ws.variables.set("wrong_key", "value")
    ws.tokens.create("wrong_token", ["PIPES:READ:wrong_asking"])
    ws.tags.create("wrong_tag")
    ws.tags.create("wrong_tagged")
    ws.branches.create("wrong_branch")


NO_TYPE = "day Nonsense"

WRONG: dict[str, tuple[Wrong, ...]] = {
    "GET /v0/sql": (
        Wrong(400, lambda ws: ws.query.run("SELECT nope_column"), "nope_column"),
        Wrong(408, lambda ws: ws.query.run(SLOW), "time"),
    ),
    "POST /v0/sql": (
        Wrong(400, lambda ws: ws.query.run(f"SELECT nope_column, '{LONG}'"), "nope_column"),
        Wrong(413, lambda ws: ws.query.run(f"SELECT '{TOO_LONG}'"), "bytes"),
    ),
    "GET /v0/sql_format": (Wrong(400, lambda ws: ws.query.format_sql("SELECT (")),),
    "POST /v0/sql_tables": (Wrong(400, lambda ws: ws.query.tables("SELECT (")),),
    "POST /v0/sql_replace": (Wrong(400, lambda ws: ws.query.replace_tables("SELECT (", {"a": "b"})),),
    "POST /v0/sql_copy": (Wrong(400, lambda ws: ws.query.copy_to("SELECT 'x' AS other", "wrong_events"), "other"),),
    "POST /v0/datasources": (
        Wrong(400, lambda ws: ws.datasources.create("wrong_new", NO_TYPE), "Nonsense"),
        Wrong(409, lambda ws: ws.datasources.create("wrong_events", "day Date"), "wrong_events"),
    ),
    "PUT /v0/datasources/{name}": (
        Wrong(409, lambda ws: ws.datasources.rename("wrong_events", "wrong_other"), "wrong_other"),
        Wrong(400, lambda ws: ws.datasources.update("wrong_fed", cron="61 * * * *"), "61"),
    ),
    "DELETE /v0/datasources/{name}": (Wrong(409, lambda ws: ws.datasources.delete("wrong_events"), "wrong_reader"),),
    "POST /v0/datasources/{name}/alter": (
        Wrong(400, lambda ws: ws.datasources.alter("wrong_events", schema="day Date, n Nonsense"), "Nonsense"),
    ),
    "POST /v0/datasources/{name}/delete": (
        Wrong(400, lambda ws: ws.datasources.delete_rows("wrong_events", "nope > 1", wait=False), "nope"),
    ),
    "POST /v0/datasources/exchange": (Wrong(400, lambda ws: ws.datasources.exchange("wrong_events", "wrong_events")),),
    "POST /v0/datasources/{name}/share": (Wrong(400, lambda ws: ws.datasources.share("wrong_events", ws.info().id)),),
    "DELETE /v0/datasources/{name}/share": (
        Wrong(400, lambda ws: ws.datasources.unshare("wrong_events", ws.info().id)),
    ),
    "POST /v1/datasources/{name}/append": (
        Wrong(
            400,
            lambda ws: ws.datasources.append("wrong_events", ROWS, via="job", dialect={"delimiter": "ab"}),
            "one character",
            "client",
        ),
        Wrong(
            400,
            lambda ws: ws.datasources.append("wrong_events", b"PAR1 no", format="parquet", via="job"),
            "failed",
            "later",
        ),
    ),
    "POST /v1/datasources/{name}/replace": (
        Wrong(
            400,
            lambda ws: ws.datasources.replace("wrong_events", ROWS, condition="nope > 1", via="job"),
            "nope",
            "later",
        ),
        Wrong(400, lambda ws: ws.datasources.replace("wrong_events", ROWS, condition="no = (", via="job"), "no = ("),
    ),
    "POST /v1/datasources/{name}/delete": (
        Wrong(400, lambda ws: ws.datasources.delete_rows_lightweight("wrong_events", "nope > 1"), "nope"),
    ),
    "POST /v0/connectors": (
        Wrong(400, lambda ws: ws.connections.create("wrong_bucket", "s3", {}), "s3_access_key_id"),
        Wrong(409, lambda ws: ws.connections.create("wrong_lake", "s3", KEYS), "wrong_lake"),
    ),
    "PUT /v0/connectors/{connection}": (
        Wrong(400, lambda ws: ws.connections.update("wrong_lake", {"s3_endpoint": "no url"})),
    ),
    "PUT /v0/datasources/{name}/scheduling/state": (
        Wrong(400, lambda ws: ws.datasources.set_scheduling_state("wrong_events", "resting"), "resting", "client"),
    ),
    "POST /v0/datasources/{name}/sample": (
        Wrong(400, lambda ws: ws.datasources.sample("wrong_events", max_files=99), "1 to 10 files", "client"),
        Wrong(400, lambda ws: ws.datasources.sample("wrong_fed", rows=-1), "rows"),
    ),
    "POST /v0/datasources/{name}/start": (Wrong(400, lambda ws: ws.datasources.start("wrong_fed"), "Kafka"),),
    "POST /v0/datasources/{name}/stop": (Wrong(400, lambda ws: ws.datasources.stop("wrong_fed"), "Kafka"),),
    "DELETE /v0/connectors/{connection}": (
        Wrong(409, lambda ws: ws.connections.delete("wrong_lake"), "wrong_sinking"),
    ),
    "POST /v0/events": (
        Wrong(400, lambda ws: ws.events.send_raw("wrong_events", b"no json\n")),
        Wrong(413, lambda ws: ws.events.send_raw("wrong_events", b" " * 10_000_001), "10", "client"),
        Wrong(404, lambda ws: of_another_region(ws).events.send_raw("wrong_events", b'{"n": 1}\n'), "region"),
        Wrong(422, lambda ws: ws.events.send_raw("wrong_fragile", b'{"n": 13}\n'), "thirteen"),
    ),
    "POST /v0/analyze": (Wrong(400, lambda ws: ws.analyze.file(b"\x00\x01\x02", format="parquet")),),
    "GET /v0/jobs": (Wrong(400, lambda ws: ws.jobs.list(kind="nothing_known")),),
    "POST /v0/jobs/{job_id}/cancel": (Wrong(400, lambda ws: ws.jobs.cancel(done_job(ws))),),
    "POST /v0/jobs/{job_id}/retry": (Wrong(400, lambda ws: ws.jobs.retry(done_job(ws))),),
    "POST /v0/tokens": (
        Wrong(400, lambda ws: ws.tokens.create("wrong_new", ["PIPES:READ:not_there"]), "not_there"),
        Wrong(409, lambda ws: ws.tokens.create("wrong_token", ["ADMIN"])),
    ),
    "PUT /v0/tokens/{token}": (
        Wrong(400, lambda ws: ws.tokens.update("wrong_token", scopes=["PIPES:READ:not_there"])),
    ),
    "POST /v0/workspaces": (
        Wrong(409, lambda ws: ws.workspaces.create(ws.info().name, user_token=user_token(ws))),
        Wrong(400, lambda ws: ws.workspaces.create("x" * 300, user_token=user_token(ws)), "characters"),
    ),
    "PUT /v0/workspaces/{id}/users": (
        Wrong(
            400,
            lambda ws: ws.workspaces.members(ws.info().id, remove=["nobody@example.org"]),
        ),
    ),
    "POST /v0/environments": (
        Wrong(400, lambda ws: ws.branches.create("not a name!"), "not a name!", "client"),
        Wrong(409, lambda ws: ws.branches.create("wrong_branch")),
        Wrong(400, lambda ws: ws.branches.create("x" * 300), "characters"),
    ),
    "POST /v0/tags": (
        Wrong(400, lambda ws: ws.tags.create("wrong_new", ["not_there"]), "a resource of a tag", "client"),
        Wrong(409, lambda ws: ws.tags.create("wrong_tag"), "wrong_tag"),
        Wrong(400, lambda ws: ws.tags.create("x" * 1_000), "characters"),
    ),
    "PUT /v0/tags/{name}": (
        Wrong(409, lambda ws: ws.tags.update("wrong_tag", new_name="wrong_tagged"), "wrong_tagged"),
        Wrong(400, lambda ws: ws.tags.update("wrong_tag", new_name="x" * 1_000), "characters"),
    ),
    "POST /v0/pipes": (
        Wrong(400, lambda ws: ws.pipes.create("wrong_new", "SELECT nope_column"), "nope_column"),
        Wrong(409, lambda ws: ws.pipes.create("wrong_free", "SELECT 1"), "wrong_free"),
    ),
    "PUT /v0/pipes/{pipe}": (
        Wrong(409, lambda ws: ws.pipes.update("wrong_free", name="wrong_reader"), "wrong_reader"),
        Wrong(400, lambda ws: ws.pipes.update("wrong_free", name="x" * 300), "characters"),
    ),
    "DELETE /v0/pipes/{pipe}": (Wrong(409, lambda ws: ws.pipes.delete("wrong_read"), "wrong_reads"),),
    "POST /v0/pipes/{pipe}/nodes": (
        Wrong(400, lambda ws: ws.pipes.append_node("wrong_free", "SELECT nope_column"), "nope_column"),
    ),
    "PUT /v0/pipes/{pipe}/nodes/{node}": (
        Wrong(400, lambda ws: ws.pipes.update_node("wrong_free", "first", sql="SELECT nope_column"), "nope_column"),
    ),
    "DELETE /v0/pipes/{pipe}/nodes/{node}": (
        Wrong(409, lambda ws: ws.pipes.delete_node("wrong_free", "first"), "last"),
    ),
    "POST /v0/pipes/{pipe}/nodes/{node}/endpoint": (Wrong(400, lambda ws: ws.pipes.publish("wrong_copy", "copies")),),
    "DELETE /v0/pipes/{pipe}/nodes/{node}/endpoint": (
        Wrong(400, lambda ws: ws.pipes.unpublish("wrong_free", "first")),
        Wrong(409, lambda ws: ws.pipes.unpublish("wrong_read", "given"), "wrong_reads"),
    ),
    "GET /v0/pipes/{pipe}.{extension}": (
        Wrong(400, lambda ws: ws.pipes.call("wrong_asking"), "n"),
        Wrong(408, lambda ws: ws.pipes.call("wrong_slow"), "time"),
    ),
    "POST /v0/pipes/{pipe}.{extension}": (
        Wrong(400, lambda ws: ws.pipes.call("wrong_asking", params={"n": "many", "long": LONG}), "many"),
    ),
    "GET /v0/pipes/{pipe}/explain": (Wrong(400, lambda ws: ws.pipes.explain("wrong_asking"), "n"),),
    "GET /v0/pipes/{pipe}/nodes/{node}/explain": (
        Wrong(400, lambda ws: ws.pipes.explain("wrong_asking", node="asks"), "n"),
    ),
    "GET /v0/pipes/{pipe}/nodes/{node}/analysis": (Wrong(400, lambda ws: ws.pipes.analysis("wrong_asking", "asks")),),
    "POST /v0/pipes/{pipe}/nodes/{node}/materialization": (
        Wrong(400, lambda ws: ws.materializations.create("wrong_plain", "plain", "wrong_events")),
    ),
    "DELETE /v0/pipes/{pipe}/nodes/{node}/materialization": (
        Wrong(400, lambda ws: ws.materializations.unlink("wrong_free", "first")),
    ),
    "POST /v0/pipes/{pipe}/nodes/{node}/population": (
        Wrong(400, lambda ws: ws.materializations.populate("wrong_free", "first")),
    ),
    "POST /v0/pipes/{pipe}/nodes/{node}/copy": (
        Wrong(400, lambda ws: ws.copies.create("wrong_plain", "plain", "wrong_target", schedule_cron="never"), "never"),
    ),
    "PUT /v0/pipes/{pipe}/nodes/{node}/copy": (
        Wrong(400, lambda ws: ws.copies.update("wrong_copy", "copies", schedule_cron="never"), "never"),
    ),
    "DELETE /v0/pipes/{pipe}/nodes/{node}/copy": (Wrong(400, lambda ws: ws.copies.remove("wrong_free", "first")),),
    "POST /v0/pipes/{pipe}/copy": (Wrong(400, lambda ws: ws.copies.run("wrong_free")),),
    "POST /v0/pipes/{pipe}/copy/pause": (Wrong(400, lambda ws: ws.copies.pause("wrong_free")),),
    "POST /v0/pipes/{pipe}/copy/resume": (Wrong(400, lambda ws: ws.copies.resume("wrong_free")),),
    "POST /v0/pipes/{pipe}/copy/cancel": (Wrong(400, lambda ws: ws.copies.cancel("wrong_free")),),
    "POST /v0/pipes/{pipe}/nodes/{node}/sink": (
        Wrong(
            400,
            lambda ws: ws.sinks.create(
                "wrong_plain", "plain", connection="wrong_lake", path="nowhere", file_template="f"
            ),
        ),
    ),
    "DELETE /v0/pipes/{pipe}/nodes/{node}/sink": (Wrong(400, lambda ws: ws.sinks.remove("wrong_free", "first")),),
    "POST /v0/pipes/{pipe}/sink": (Wrong(400, lambda ws: ws.sinks.run("wrong_free")),),
    "GET /v0/integrations/{service}/settings": (
        Wrong(400, lambda ws: ws.sinks.settings("nothing_known"), "nothing_known"),
    ),
    "GET /v0/integrations/{service}/policies/{policy}": (
        Wrong(404, lambda ws: ws.sinks.policy("s3", "nothing_known")),
    ),
    "GET /v0/datasources-bigquery-credentials": (Wrong(400, lambda ws: ws.sinks.bigquery_credentials()),),
    "POST /v0/variables": (Wrong(400, lambda ws: ws.variables.create("wrong_key", "again"), "wrong_key"),),
    "PUT /v0/variables/{name}": (Wrong(400, lambda ws: ws.variables.update("wrong_key", ""), "wrong_key", "client"),),
    "POST /v0/environments/{id}/data": (
        Wrong(400, lambda ws: ws.branches.data("wrong_branch", data="some"), "some", "client"),
    ),
    "POST /v1/build": (Wrong(400, lambda ws: undone(ws.deployments.build(BAD_FILES)), "nope_column", "later"),),
    "POST /v1/deploy": (Wrong(400, lambda ws: undone(ws.deployments.deploy(BAD_FILES)), "nope_column", "later"),),
}


def done_job(ws: Any) -> str:
    """Return the id of a job that has ended well."""
    job = ws.query.copy_to("SELECT toUInt64(1) AS n", "wrong_target")
    return str(ws.jobs.wait(job).id)


def of_another_region(ws: Any) -> tinymagic.Workspace:
    """Return a client with a token that another host made."""
    payload = base64.urlsafe_b64encode(b'{"u": "somebody", "id": "a-token", "host": "eu_shared"}').decode().rstrip("=")
    return tinymagic.Workspace(ws.host, f"p.{payload}.{'s' * 43}")


def undone(result: Any) -> None:
    """Raise what a deployment says that could not be made."""
    if result.result != "failed":
        raise AssertionError(f"It was made: {result.result}.")
    raise InvalidInput(f"{result.error} {result.deployment}")


def user_token(ws: Any) -> str:
    """Return the token of the server's only person."""
    return str(requests.get(f"{ws.host}/tokens", timeout=10).json()["user_token"])


#: Operations that take nothing from the caller which could be wrong, but a name: whose absence is a 404.
NOTHING_TO_GET_WRONG = frozenset(
    {
        "GET /v0/datasources",
        "GET /v0/datasources/{name}",
        "POST /v0/datasources/{name}/truncate",
        "GET /v0/dependencies",
        "GET /v0/datasources/{name}/scheduling/state",
        "POST /v0/datasources/{name}/scheduling/runs",
        "GET /v0/connectors",
        "GET /v0/connectors/{connection}",
        "GET /v0/jobs/{job_id}",
        "GET /v0/tokens",
        "GET /v0/tokens/{token}",
        "POST /v0/tokens/{token}/refresh",
        "DELETE /v0/tokens/{token}",
        "GET /tokens",
        "GET /v0/regions",
        "GET /v0/workspace",
        "GET /v0/user/workspaces",
        "GET /v0/workspaces/{id}",
        "DELETE /v0/workspaces/{id}",
        "GET /v0/workspaces/{id}/releases",
        "GET /v0/environments",
        "GET /v0/environments/{id}",
        "DELETE /v0/environments/{id}",
        "GET /v0/auth",
        "GET /v0/user",
        "GET /v0/organizations/{id}",
        "GET /v0/tags",
        "DELETE /v0/tags/{name}",
        "GET /v0/pipes",
        "GET /v0/pipes/{pipe}",
        "GET /v1/pipes/{pipe}.pipe",
        "GET /v0/pipes/{pipe}/nodes",
        "GET /v0/pipes/{pipe}/nodes/{node}",
        "GET /v0/pipes/openapi.json",
        "GET /v0/pipes/{pipe}/openapi.json",
        "GET /v0/variables",
        "GET /v0/variables/{name}",
        "DELETE /v0/variables/{name}",
        "GET /v1/deployments",
        "GET /v1/deployments/{id}",
        "DELETE /v1/deployments/{id}",
        "POST /v1/deployments/{id}/set-live",
    }
)
