"""What each documented operation needs to succeed: what is made before, or the call where the usual one will not do.

The usual calls are those of `tests.replay.operations`; they are about the Data Sources ``events``, ``other`` and
``target``, and the Pipe ``by_day`` with the node ``endpoint``, which `prepare` makes in a Workspace of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

import tinymagic
from tinymagic.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = "day Date, n Int64 DEFAULT 0"
KEYS = {"s3_region": "us-east-1", "s3_access_key_id": "right-key-id", "s3_secret_access_key": "right-very-secret"}


def prepare(ws: Any) -> None:
    """Make what the usual calls are about."""
    for name in ("events", "other", "target"):
        ws.datasources.create(name, COLUMNS)
    ws.pipes.create("by_day", [{"name": "endpoint", "sql": "SELECT count() AS n FROM events"}])


# --- before ---------------------------------------------------------------------------------------------------------


def _lake(ws: Any) -> None:
    ws.connections.create("bucket", "s3", KEYS)


def _copy(ws: Any) -> None:
    ws.pipes.create("copying", [{"name": "endpoint", "sql": "SELECT day, n FROM events"}])
    ws.copies.create("copying", "endpoint", "target", schedule_cron="0 5 * * *")


def _materialized(ws: Any) -> None:
    ws.pipes.create("filling", [{"name": "endpoint", "sql": "SELECT day, n FROM events"}])
    ws.materializations.create("filling", "endpoint", "target")


def _sink(ws: Any) -> None:
    _lake(ws)
    ws.sinks.create("by_day", "endpoint", connection="bucket", path="s3://right-bucket/out", file_template="all")


def _branch(ws: Any) -> None:
    ws.branches.create("try")


def _token(ws: Any) -> None:
    ws.tokens.create("reader", ["PIPES:READ:by_day"])


BEFORE: dict[str, Callable[[Any], object]] = {
    "PUT /v0/datasources/{name}": lambda ws: (ws.pipes.delete("by_day"), ws.datasources.delete("other")),
    "DELETE /v0/datasources/{name}": lambda ws: ws.pipes.delete("by_day"),
    **dict.fromkeys(
        ("GET /v0/connectors/{connection}", "PUT /v0/connectors/{connection}", "DELETE /v0/connectors/{connection}"),
        _lake,
    ),
    **dict.fromkeys(
        (
            "GET /v0/tokens/{token}",
            "PUT /v0/tokens/{token}",
            "POST /v0/tokens/{token}/refresh",
            "DELETE /v0/tokens/{token}",
        ),
        _token,
    ),
    **dict.fromkeys(
        ("GET /v0/environments/{id}", "DELETE /v0/environments/{id}", "POST /v0/environments/{id}/data"), _branch
    ),
    **dict.fromkeys(("PUT /v0/tags/{name}", "DELETE /v0/tags/{name}"), lambda ws: ws.tags.create("team")),
    **dict.fromkeys(
        (
            "DELETE /v0/pipes/{pipe}/nodes/{node}/endpoint",
            "GET /v0/pipes/{pipe}.{extension}",
            "POST /v0/pipes/{pipe}.{extension}",
            "GET /v0/pipes/{pipe}/openapi.json",
        ),
        lambda ws: ws.pipes.publish("by_day"),
    ),
    **dict.fromkeys(("DELETE /v0/pipes/{pipe}/nodes/{node}/sink", "POST /v0/pipes/{pipe}/sink"), _sink),
    **dict.fromkeys(
        ("GET /v0/variables/{name}", "PUT /v0/variables/{name}", "DELETE /v0/variables/{name}"),
        lambda ws: ws.variables.create("password", "right-value"),
    ),
}


def fed(ws: Any, token: str, bucket: Any) -> None:
    """Make ``events`` anew, filled from a bucket with one file in it."""
    ws.pipes.delete("by_day")
    ws.datasources.delete("events")
    ws.connections.create("bucket", "s3", bucket.settings)
    bucket.write("days/one.csv", b"day,n\n2026-01-01,7\n")
    settings = {"connector": "bucket", "bucket_uri": f"s3://{bucket.name}/days/*.csv"}
    requests.post(
        f"{ws.host}/v0/datasources",
        data={"name": "events", "schema": "day Date, n Int64", **settings},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    ).raise_for_status()


#: Operations on a Data Source that a connector fills.
OF_CONNECTORS = (
    "GET /v0/datasources/{name}/scheduling/state",
    "PUT /v0/datasources/{name}/scheduling/state",
    "POST /v0/datasources/{name}/scheduling/runs",
    "POST /v0/datasources/{name}/sample",
)

# --- in the place of the usual call ---------------------------------------------------------------------------------


def user_token(ws: Any) -> str:
    """Return the token of the server's only person."""
    return str(requests.get(f"{ws.host}/tokens", timeout=10).json()["user_token"])


def another_workspace(ws: Any) -> str:
    """Make a Workspace beside this one; return its id."""
    return str(ws.workspaces.create(f"{ws.info().name}_beside", user_token=user_token(ws)).id)


def _shared(ws: Any) -> str:
    other = another_workspace(ws)
    person = tinymagic.Workspace(ws.host, user_token(ws))
    with person:
        _share(ws, other)
    return other


def _share(ws: Any, other: str) -> None:
    ws.datasources.share("events", other)


def _done_job(ws: Any) -> str:
    return str(ws.jobs.wait(ws.query.copy_to("SELECT today() AS day, 1 AS n", "target")).id)


def _running_job(ws: Any) -> str:
    ws.datasources.create("slow_target", "n UInt64")
    q = "SELECT toUInt64(sum(cityHash64(number))) AS n FROM numbers(200000000000)"
    return str(ws.query.copy_to(q, "slow_target").id)


def _failed_import(ws: Any) -> str:
    job = ws.datasources.append("events", "http://127.0.0.1:9/nobody_listens.csv", wait=False)
    with pytest.raises(JobFailed):
        ws.jobs.wait(job)
    return str(job.id)


def _waiting_deployment(ws: Any) -> str:
    files = {"datasources/deployed.datasource": "SCHEMA >\n    `day` Date\n"}
    done = ws.deployments.deploy(files, auto_promote=False, allow_destructive=True)
    assert done.result == "success", done
    return str(done.deployment.id)


RIGHT: dict[str, Callable[[Any], object]] = {
    "POST /v0/datasources": lambda ws: ws.datasources.create("made", COLUMNS),
    "POST /v0/datasources/{name}/share": lambda ws: ws.datasources.share("events", another_workspace(ws)),
    "DELETE /v0/datasources/{name}/share": lambda ws: ws.datasources.unshare("events", _shared(ws)),
    "PUT /v0/connectors/{connection}": lambda ws: ws.connections.update("bucket", {**KEYS, "s3_region": "eu-west-1"}),
    "POST /v0/connectors": lambda ws: ws.connections.create("bucket", "s3", KEYS),
    "GET /v0/jobs/{job_id}": lambda ws: ws.jobs.get(_done_job(ws), debug=True),
    "POST /v0/jobs/{job_id}/cancel": lambda ws: ws.jobs.cancel(_running_job(ws)),
    "POST /v0/jobs/{job_id}/retry": lambda ws: ws.jobs.retry(_failed_import(ws)),
    "GET /v0/workspaces/{id}": lambda ws: ws.workspaces.get(ws.info().id),
    "POST /v0/workspaces": another_workspace,
    "DELETE /v0/workspaces/{id}": lambda ws: ws.workspaces.delete(another_workspace(ws), user_token=user_token(ws)),
    "PUT /v0/workspaces/{id}/users": lambda ws: ws.workspaces.members(ws.info().id, add=["new@example.org"]),
    "GET /v0/workspaces/{id}/releases": lambda ws: ws.workspaces.releases(ws.info().id),
    "GET /v0/organizations/{id}": lambda ws: ws.workspaces.organization(ws.workspaces.user().raw["organization_id"]),
    "POST /v0/pipes": lambda ws: ws.pipes.create("made", "SELECT 1 AS n"),
    "DELETE /v0/pipes/{pipe}/nodes/{node}/materialization": lambda ws: (
        _materialized(ws),
        ws.materializations.unlink("filling", "endpoint"),
    ),
    "POST /v0/pipes/{pipe}/nodes/{node}/population": lambda ws: (
        _materialized(ws),
        ws.materializations.populate("filling", "endpoint"),
    ),
    "PUT /v0/pipes/{pipe}/nodes/{node}/copy": lambda ws: (
        _copy(ws),
        ws.copies.update("copying", "endpoint", schedule_cron="0 6 * * *"),
    ),
    "DELETE /v0/pipes/{pipe}/nodes/{node}/copy": lambda ws: (_copy(ws), ws.copies.remove("copying", "endpoint")),
    "POST /v0/pipes/{pipe}/copy": lambda ws: (_copy(ws), ws.copies.run("copying")),
    "POST /v0/pipes/{pipe}/copy/pause": lambda ws: (_copy(ws), ws.copies.pause("copying")),
    "POST /v0/pipes/{pipe}/copy/resume": lambda ws: (
        _copy(ws),
        ws.copies.pause("copying"),
        ws.copies.resume("copying"),
    ),
    "POST /v0/pipes/{pipe}/copy/cancel": lambda ws: (_copy(ws), ws.copies.run("copying"), ws.copies.cancel("copying")),
    "POST /v0/pipes/{pipe}/nodes/{node}/sink": _sink,
    "GET /v1/deployments/{id}": lambda ws: ws.deployments.get(_waiting_deployment(ws)),
    "DELETE /v1/deployments/{id}": lambda ws: ws.deployments.discard(_waiting_deployment(ws)),
    "POST /v1/deployments/{id}/set-live": lambda ws: ws.deployments.set_live(_waiting_deployment(ws)),
}

#: What the embedded Tinybird cannot do, and why; these are tried with the replies of `tests/replay`.
ELSEWHERE = {
    "POST /v0/datasources/{name}/start": "there is no Kafka broker to read from",
    "POST /v0/datasources/{name}/stop": "there is no Kafka broker to read from",
    "GET /v0/datasources-bigquery-credentials": "there is no account at Google Cloud",
}
