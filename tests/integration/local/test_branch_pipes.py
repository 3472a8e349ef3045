"""A branch gets the Pipes of its workspace: endpoints, views and copies that work on its own rows."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.integration.conftest import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = {"engine": "MergeTree", "engine_sorting_key": "id"}


@pytest.fixture
def main(server: Any, tokens: dict[str, str]) -> Iterator[Api]:
    """A workspace with two rows, an endpoint over a view's target, and a copy every hour."""
    name = f"branched_{uuid.uuid4().hex[:8]}"
    reply = requests.post(
        f"{server.host}/v1/workspaces", params={"name": name, "token": tokens["user_token"]}, timeout=30
    ).json()
    api = Api(server.host, reply["token"])
    for each in ("source", "target", "copied"):
        assert api.post("/v0/datasources", params={"name": each, "schema": "id Int32", **TARGET}).status_code == 200
    view = {"name": "v", "sql": "SELECT id * 10 AS id FROM source", "type": "materialized", "datasource": "target"}
    copy = {"name": "c", "sql": "SELECT id FROM target", "type": "copy", "target_datasource": "copied"}
    for pipe, node in (("view", view), ("copy", {**copy, "copy_schedule": "0 * * * *"})):
        reply = api.post("/v0/pipes", json={"name": pipe, "nodes": [node]})
        assert reply.status_code == 200, reply.text
    node = {"name": "n", "sql": "SELECT sum(id) AS total FROM target", "type": "endpoint"}
    assert api.post("/v0/pipes", json={"name": "total", "nodes": [node]}).status_code == 200
    api.post("/v0/events", params={"name": "source", "wait": "true"}, data='{"id": 1}\n{"id": 2}')
    yield api
    requests.delete(
        f"{server.host}/v1/workspaces/{name}",
        params={"token": tokens["user_token"], "confirmation": name},
        timeout=30,
    )


def branch_of(api: Api, data: str) -> Api:
    """Make a branch and return its API."""
    job = api.post("/v0/environments", params={"name": "b", "data": data}).json()["job"]["job_id"]
    for _ in range(200):
        found = api.get(f"/v0/jobs/{job}").json()
        if found["status"] in ("done", "error"):
            break
        time.sleep(0.05)
    assert found["status"] == "done", found
    return Api(api.host, api.get("/v0/environments/b", params={"with_token": "true"}).json()["token"])


def total(api: Api) -> int:
    """Ask the endpoint."""
    reply = api.get("/v0/pipes/total.json")
    assert reply.status_code == 200, reply.text
    return int(reply.json()["data"][0]["total"])


def test_a_branch_works_on_its_own_rows(main: Api) -> None:
    """What goes into a branch fills the targets of its own views, and nobody else's."""
    branch = branch_of(main, "all_partitions")
    assert (total(main), total(branch)) == (30, 30)
    branch.post("/v0/events", params={"name": "source", "wait": "true"}, data='{"id": 5}')
    assert (total(main), total(branch)) == (30, 80)
    main.post("/v0/events", params={"name": "source", "wait": "true"}, data='{"id": 7}')
    assert (total(main), total(branch)) == (100, 80)


def test_what_runs_by_the_clock_is_paused(main: Api) -> None:
    """Ids differ, texts are the same, and a copy by the clock does not run twice."""
    branch = branch_of(main, "")
    ours, theirs = ({pipe["name"]: pipe for pipe in api.get("/v0/pipes").json()["pipes"]} for api in (main, branch))
    assert list(ours) == list(theirs) == ["total", "copy", "view"]
    assert not {pipe["id"] for pipe in ours.values()} & {pipe["id"] for pipe in theirs.values()}
    assert (ours["copy"]["schedule"]["status"], theirs["copy"]["schedule"]["status"]) == ("running", "paused")
    targets = [api.get("/v0/datasources/copied").json()["id"] for api in (main, branch)]
    assert [pipes["copy"]["copy_target_datasource"] for pipes in (ours, theirs)] == targets
    assert total(branch) == 0
