"""Copy Pipes: what a run does to the rows of its target, who may start it, and what is left when it does not end."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Api

FINAL = ("done", "error", "cancelled")
INCOMPATIBLE = "Cannot create copy job. Destination data source doesn't have a compatible schema."
_numbers = itertools.count()

#: A SELECT that would take hours, and that a cancellation stops.
ENDLESS = (
    "SELECT toInt32(number % 7) AS id, toString(number) AS name FROM numbers(1000000000000) "
    "WHERE sipHash64(toString(number)) = 1"
)

#: One that takes seconds, on most machines.
SLOW = "SELECT toInt32(1) AS id, toString(max(sipHash64(toString(number)))) AS name FROM numbers(40000000)"


def new(kind: str) -> str:
    """A name that no other test has."""
    return f"copies_{kind}_{next(_numbers)}"


class Shop:
    """One server, and short ways to make what a copy needs."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def source(self, schema: str = "id Int32, name String", rows: str = "1,a\n2,b\n3,c\n", **engine: str) -> str:
        name = new("ds")
        reply = self.api.post("/v0/datasources", data={"name": name, "schema": schema, **engine})
        assert reply.status_code == 200, reply.text
        if rows:
            self.append(name, rows)
        return name

    def append(self, name: str, rows: str) -> None:
        parameters = {"name": name, "mode": "append", "format": "csv"}
        reply = self.api.post("/v0/datasources", params=parameters, data=rows)
        assert reply.status_code == 200, reply.text

    def pipe(self, sql: str, target: str, *, node: str = "copier", **fields: Any) -> str:
        name = new("pipe")
        reply = self.api.post("/v0/pipes", json={"name": name, "nodes": [{"name": node, "sql": sql}]})
        assert reply.status_code == 200, reply.text
        reply = self.api.post(f"/v0/pipes/{name}/nodes/{node}/copy", data={"target_datasource": target, **fields})
        assert reply.status_code == 200, reply.text
        return name

    def start(self, pipe: str, **arguments: Any) -> dict[str, Any]:
        reply = self.api.post(f"/v0/pipes/{pipe}/copy", **arguments)
        assert reply.status_code == 200, reply.text
        return reply.json()["job"]

    def job(self, job_id: str) -> dict[str, Any]:
        return self.api.get(f"/v0/jobs/{job_id}").json()

    def wait(self, job_id: str, seconds: float = 60) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while (job := self.job(job_id))["status"] not in FINAL:
            assert time.monotonic() < end, job
            time.sleep(0.02)
        return job

    def run(self, pipe: str, **arguments: Any) -> dict[str, Any]:
        job = self.wait(self.start(pipe, **arguments)["job_id"])
        assert job["status"] == "done", job
        return job

    def rows(self, q: str) -> list[list[Any]]:
        reply = self.api.sql(f"{q} FORMAT JSONCompact")
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    def all(self, name: str) -> list[list[Any]]:
        return self.rows(f"SELECT * FROM {name} ORDER BY ALL")


@pytest.fixture
def shop(api: Api) -> Shop:
    return Shop(api)


class TestRuns:
    def test_append_adds_the_rows_each_time(self, shop):
        source, target = shop.source(), shop.source(rows="9,old\n")
        pipe = shop.pipe(f"SELECT id, upper(name) AS name FROM {source} WHERE id < 3", target)
        shop.run(pipe)
        assert shop.all(target) == [[1, "A"], [2, "B"], [9, "old"]]
        shop.run(pipe)
        assert shop.all(target) == [[1, "A"], [1, "A"], [2, "B"], [2, "B"], [9, "old"]]

    def test_replace_takes_the_place_of_the_rows(self, shop):
        source, target = shop.source(), shop.source(rows="9,old\n")
        pipe = shop.pipe(f"SELECT * FROM {source}", target, mode="replace")
        shop.run(pipe)
        shop.run(pipe)
        assert shop.all(target) == [[1, "a"], [2, "b"], [3, "c"]]

    def test_replace_with_nothing_empties(self, shop):
        source, target = shop.source(), shop.source()
        shop.run(shop.pipe(f"SELECT * FROM {source} WHERE 0", target, mode="replace"))
        assert shop.all(target) == []

    @pytest.mark.parametrize(("stored", "asked", "left"), [("append", "replace", 3), ("replace", "append", 4)])
    def test_the_mode_of_a_run_goes_first(self, shop, stored, asked, left):
        source, target = shop.source(), shop.source(rows="9,old\n")
        pipe = shop.pipe(f"SELECT * FROM {source}", target, mode=stored)
        job = shop.run(pipe, params={"_mode": asked})
        assert job["mode"] == asked
        assert len(shop.all(target)) == left

    def test_nodes_and_pipes_in_between(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        inner = new("pipe")
        nodes = [
            {"name": "all", "sql": f"SELECT * FROM {source}"},
            {"name": "big", "sql": "SELECT * FROM all WHERE id > 1"},
        ]
        assert api.post("/v0/pipes", json={"name": inner, "nodes": nodes}).status_code == 200
        assert api.post(f"/v0/pipes/{inner}/nodes/big/endpoint").status_code == 200
        shop.run(shop.pipe(f"SELECT id, concat(name, '!') AS name FROM {inner}", target))
        assert shop.all(target) == [[2, "b!"], [3, "c!"]]

    def test_columns_go_by_name_and_missing_ones_get_defaults(self, shop):
        source = shop.source()
        target = shop.source("name String, more Int32 DEFAULT 42, id Int32, none Nullable(String)", rows="")
        shop.run(shop.pipe(f"SELECT id, name FROM {source}", target))
        assert shop.rows(f"SELECT id, name, more, none FROM {target} ORDER BY id LIMIT 1") == [[1, "a", 42, None]]

    def test_types_are_converted_as_an_insert_does(self, shop):
        source = shop.source("id String, day String", rows='"7","2026-01-02"\n')
        target = shop.source("id Int64, day Date", rows="")
        shop.run(shop.pipe(f"SELECT id, day FROM {source}", target))
        assert shop.all(target) == [[7, "2026-01-02"]]

    def test_many_partitions(self, shop):
        target = shop.source("id Int32, day Date", rows="", engine="MergeTree", engine_partition_key="day")
        shop.run(
            shop.pipe("SELECT toInt32(number) AS id, toDate('2020-01-01') + number AS day FROM numbers(300)", target)
        )
        assert shop.rows(f"SELECT count(), uniq(day) FROM {target}") == [[300, 300]]

    def test_a_million_rows(self, shop):
        target = shop.source(rows="")
        job = shop.run(
            shop.pipe(
                "SELECT toInt32(number) AS id, toString(number) AS name FROM numbers(1000000)", target, mode="replace"
            )
        )
        assert shop.rows(f"SELECT count(), sum(id) FROM {target}") == [[1_000_000, 499_999_500_000]]
        assert job["statistics"]["row_count"] == 1_000_000
        assert job["rows_written"] == 1_000_000

    def test_into_what_it_reads(self, shop):
        source = shop.source()
        shop.run(shop.pipe(f"SELECT id + 10 AS id, name FROM {source}", source))
        assert [row[0] for row in shop.all(source)] == [1, 2, 3, 11, 12, 13]

    def test_several_runs_at_once_append_all(self, shop):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        jobs = [shop.start(pipe)["job_id"] for _ in range(6)]
        assert {shop.wait(job)["status"] for job in jobs} == {"done"}
        assert shop.rows(f"SELECT count() FROM {target}") == [[18]]

    def test_several_replacing_runs_go_one_after_the_other(self, shop):
        target = shop.source(rows="")
        sql = (
            "%\nSELECT toInt32({{Int32(round)}}) AS id, toString(max(sipHash64(toString(number)))) AS name "
            "FROM numbers({{Int64(size)}})"
        )
        pipe = shop.pipe(sql, target, mode="replace")
        slow = shop.start(pipe, data={"round": "1", "size": "40000000"})["job_id"]
        fast = shop.start(pipe, data={"round": "2", "size": "1"})["job_id"]
        first, second = shop.wait(slow), shop.wait(fast)
        assert (first["status"], second["status"]) == ("done", "done")
        assert shop.rows(f"SELECT DISTINCT id FROM {target}") == [[2]]

    def test_rows_arrive_while_a_long_copy_runs(self, shop, api):
        target = shop.source(rows="1,a\n")
        pipe = shop.pipe(ENDLESS, target)
        job = shop.start(pipe)["job_id"]
        wait_for(lambda: shop.job(job)["status"] == "working")
        begin = time.monotonic()
        shop.append(target, "2,b\n")
        assert time.monotonic() - begin < 10
        assert shop.all(target) == [[1, "a"], [2, "b"]]
        api.post(f"/v0/jobs/{job}/cancel")
        assert shop.wait(job)["status"] == "cancelled"
        assert shop.all(target) == [[1, "a"], [2, "b"]]


class TestParameters:
    SQL = (
        "%\nSELECT id, name FROM {source} WHERE id >= {{{{Int32(least, 2)}}}} "
        "AND name IN {{{{Array(names, default='a,b,c')}}}}"
    )

    @pytest.mark.parametrize(
        ("arguments", "left"),
        [
            ({}, [2, 3]),
            ({"params": {"least": "3"}}, [3]),
            ({"data": {"least": "1"}}, [1, 2, 3]),
            ({"json": {"least": 1, "names": ["a"]}}, [1]),
            ({"params": {"least": "3"}, "data": {"least": "1", "names": "c"}}, [3]),
            ({"data": {"least": "1", "names": ["a", "c"]}}, [1, 3]),
            ({"data": {"on_demand_compute": "true", "unknown": "x"}}, [2, 3]),
        ],
    )
    def test_reach_the_template(self, shop, arguments, left):
        source, target = shop.source(), shop.source(rows="")
        shop.run(shop.pipe(self.SQL.format(source=source), target), **arguments)
        assert [row[0] for row in shop.all(target)] == left

    def test_a_missing_one_is_told_at_once(self, shop, api):
        source, target = shop.source(), shop.source()
        pipe = shop.pipe(f"%\nSELECT * FROM {source} WHERE id = {{{{Int32(wanted)}}}}", target)
        reply = api.post(f"/v0/pipes/{pipe}/copy")
        assert reply.status_code == 400
        assert "wanted" in reply.json()["error"]
        assert len(shop.all(target)) == 3

    def test_job_timestamp_is_the_time_of_the_run(self, shop):
        target = shop.source("at DateTime", rows="")
        pipe = shop.pipe("%\nSELECT {{DateTime(job_timestamp)}} AS at", target)
        before = int(time.time())
        job = shop.run(pipe)
        [[at, text]] = shop.rows(f"SELECT toUnixTimestamp(at), toString(at) FROM {target}")
        assert before <= at <= int(time.time())
        assert job["job_timestamp"] == text


class TestJobs:
    def test_the_reply_of_a_run(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        reply = api.post(f"/v0/pipes/{pipe}/copy").json()
        described = api.get(f"/v0/datasources/{target}").json()
        assert reply["node_type"] == "copy"
        assert reply["name"] == "copier"
        assert reply["tags"]["copy_target_datasource"] == described["id"]
        assert reply["tags"]["copy_target_workspace"] == api.get("/v0/workspace").json()["id"]
        job = reply["job"]
        assert job["id"] == job["job_id"]
        assert job["kind"] == "copy"
        assert job["job_url"] == f"{api.host}/v0/jobs/{job['id']}"
        done = shop.wait(job["id"])
        assert done["pipe_name"] == pipe
        assert done["pipe_id"] == api.get(f"/v0/pipes/{pipe}").json()["id"]
        assert done["datasource"] == {"id": described["id"], "name": target}
        assert done["mode"] == "append"
        assert done["query_id"]
        assert done["statistics"] == {"bytes": done["statistics"]["bytes"], "row_count": 3}
        listed = api.get("/v0/jobs", params={"kind": "copy", "pipe_name": pipe}).json()["jobs"]
        assert [each["id"] for each in listed] == [job["id"]]

    def test_an_error_leaves_the_target_as_it_was(self, shop):
        source = shop.source("id String, name String", rows='"1","a"\n"x","b"\n')
        for mode in ("append", "replace"):
            target = shop.source(rows="9,old\n")
            pipe = shop.pipe(f"SELECT id, name FROM {source}", target, mode=mode)
            job = shop.wait(shop.start(pipe)["job_id"])
            assert job["status"] == "error"
            assert "Cannot parse" in job["error"]
            assert "w_" not in job["error"]
            assert shop.all(target) == [[9, "old"]]

    def test_a_target_that_is_altered_meanwhile_is_left_alone(self, shop, api):
        target = shop.source(rows="9,old\n")
        pipe = shop.pipe(SLOW, target, mode="replace")
        job = shop.start(pipe)["job_id"]
        wait_for(lambda: shop.job(job)["status"] == "working")
        time.sleep(0.3)
        altered = api.post(
            f"/v0/datasources/{target}/alter", data={"schema": "id Int32, name String, more Nullable(Int8)"}
        )
        assert altered.status_code == 200, altered.text
        ended = shop.wait(job)
        assert ended["status"] == "error"
        assert "was changed" in ended["error"]
        assert shop.all(target) == [[9, "old", None]]

    def test_a_target_that_is_renamed_is_found(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        renamed = new("renamed")
        assert api.request("PUT", f"/v0/datasources/{target}", data={"name": renamed}).status_code == 200
        shop.run(pipe)
        assert len(shop.all(renamed)) == 3

    def test_a_target_that_is_gone(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        assert api.request("DELETE", f"/v0/datasources/{target}").status_code == 409
        assert api.request("DELETE", f"/v0/datasources/{target}", params={"force": "true"}).status_code == 204
        assert api.get(f"/v0/pipes/{pipe}").json()["type"] == "default"
        reply = api.post(f"/v0/pipes/{pipe}/copy")
        assert reply.status_code == 400
        assert "is not a Copy Pipe" in reply.json()["error"]

    def test_progress_is_told(self, shop, api):
        source = shop.source("id Int32", rows="")
        target = shop.source("id Int32", rows="")
        shop.run(shop.pipe("SELECT toInt32(number) AS id FROM numbers(2000000)", source))
        slow = "arraySum(arrayMap(x -> sipHash64(id, x), range(12)))"
        pipe = shop.pipe(f"SELECT id FROM {source} WHERE NOT ignore({slow})", target)
        job = shop.start(pipe)["job_id"]
        seen = set()
        while (found := shop.job(job))["status"] not in FINAL:
            seen.add(found.get("progress_percentage", 0))
            time.sleep(0.05)
        assert found["status"] == "done", found
        assert max(seen) > 0
        assert found["progress_percentage"] == 100

    def test_what_is_noted(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        job = shop.run(pipe)
        rows = shop.rows(
            "SELECT event_type, result, rows, pipe_id, pipe_name, datasource_id, Options.Values "
            f"FROM tinybird.datasources_ops_log WHERE job_id = '{job['id']}'"
        )
        described = api.get(f"/v0/datasources/{target}").json()
        assert rows == [["copy", "ok", 3, job["pipe_id"], pipe, described["id"], ["append"]]]
        assert shop.rows(f"SELECT DISTINCT job_type FROM tinybird.jobs_log WHERE job_id = '{job['id']}'") == [["copy"]]


class TestCancel:
    def test_a_long_copy_is_stopped_and_has_changed_nothing(self, shop, api):
        for mode in ("append", "replace"):
            target = shop.source(rows="9,old\n")
            pipe = shop.pipe(ENDLESS, target, mode=mode)
            job = shop.start(pipe)["job_id"]
            wait_for(lambda job=job: shop.job(job)["status"] == "working")
            begin = time.monotonic()
            assert api.post(f"/v0/jobs/{job}/cancel").json()["status"] in ("cancelling", "cancelled")
            assert shop.wait(job)["status"] == "cancelled"
            assert time.monotonic() - begin < 10
            assert shop.all(target) == [[9, "old"]]

    def test_by_the_pipe(self, shop, api):
        target = shop.source(rows="9,old\n")
        pipe = shop.pipe(ENDLESS, target, schedule_cron="0 0 1 1 *")
        jobs = {shop.start(pipe)["job_id"] for _ in range(2)}
        reply = api.post(f"/v0/pipes/{pipe}/copy/cancel")
        assert reply.status_code == 200
        assert {job["id"] for job in reply.json()["jobs"]} == jobs
        assert reply.json()["schedule"]["status"] == "paused"
        assert {shop.wait(job)["status"] for job in jobs} == {"cancelled"}
        assert shop.all(target) == [[9, "old"]]
        assert api.post(f"/v0/pipes/{pipe}/copy/cancel").json()["jobs"] == []

    def test_one_that_waits_for_its_turn(self, shop, api):
        target = shop.source(rows="9,old\n")
        pipe = shop.pipe(ENDLESS, target, mode="replace")
        first, second = (shop.start(pipe)["job_id"] for _ in range(2))
        wait_for(lambda: shop.job(second)["status"] == "working")
        api.post(f"/v0/jobs/{second}/cancel")
        assert shop.wait(second, 5)["status"] == "cancelled"
        assert shop.job(first)["status"] == "working"
        api.post(f"/v0/jobs/{first}/cancel")
        assert shop.wait(first)["status"] == "cancelled"


class TestViews:
    """Materialized views on the target get what is copied."""

    def viewed(self, shop, api) -> tuple[str, str]:
        target = shop.source(rows="9,old\n")
        totals = shop.source(
            "name String, number UInt64", rows="", engine="SummingMergeTree", engine_sorting_key="name"
        )
        name = new("pipe")
        node = {
            "name": "n",
            "sql": f"SELECT name, count() AS number FROM {target} GROUP BY name",
            "type": "materialized",
            "datasource": totals,
        }
        reply = api.post("/v0/pipes", json={"name": name, "nodes": [node]})
        assert reply.status_code == 200, reply.text
        shop.append(target, "8,a\n")
        return target, totals

    def totals(self, shop, totals: str) -> list[list[Any]]:
        return shop.rows(f"SELECT name, toInt32(sum(number)) FROM {totals} GROUP BY name ORDER BY name")

    def test_append(self, shop, api):
        source = shop.source()
        target, totals = self.viewed(shop, api)
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        shop.run(pipe)
        assert self.totals(shop, totals) == [["a", 2], ["b", 1], ["c", 1]]
        shop.run(pipe)
        assert self.totals(shop, totals) == [["a", 3], ["b", 2], ["c", 2]]

    def test_replace(self, shop, api):
        source = shop.source()
        target, totals = self.viewed(shop, api)
        shop.run(shop.pipe(f"SELECT * FROM {source}", target, mode="replace"))
        assert self.totals(shop, totals) == [["a", 1], ["b", 1], ["c", 1]]

    def test_one_that_fails_refuses_the_rows(self, shop, api):
        target = shop.source(rows="")
        numbers = shop.source("number Int32", rows="")
        name = new("pipe")
        sql = f"SELECT toInt32(name) AS number FROM {target}"
        node = {"name": "n", "sql": sql, "type": "materialized", "datasource": numbers}
        assert api.post("/v0/pipes", json={"name": name, "nodes": [node]}).status_code == 200
        job = shop.wait(shop.start(shop.pipe(f"SELECT * FROM {shop.source()}", target))["job_id"])
        assert job["status"] == "error"
        assert name in job["error"] or "view" in job["error"]
        assert shop.all(target) == []


class TestSetting:
    def test_the_pipe_tells_of_its_copy(self, shop, api):
        source, target = shop.source(), shop.source()
        pipe = shop.pipe(f"SELECT * FROM {source}", target, schedule_cron=" 0  * * * * ", mode="replace")
        found = api.get(f"/v0/pipes/{pipe}").json()
        [node] = found["nodes"]
        assert found["type"] == node["node_type"] == "copy"
        assert found["endpoint"] is None
        assert found["copy_node"] == node["id"]
        assert found["copy_target_datasource"] == api.get(f"/v0/datasources/{target}").json()["id"]
        assert found["copy_target_workspace"] == found["workspace_id"]
        assert found["schedule"] == {"timezone": "Etc/UTC", "cron": "0 * * * *", "status": "running"}
        assert found["copy_mode"] == "replace"

    def test_put_changes_what_it_names(self, shop, api):
        source, target, other = shop.source(), shop.source(rows=""), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target, schedule_cron="0 * * * *")
        path = f"/v0/pipes/{pipe}/nodes/copier/copy"
        assert api.request("PUT", path, data={"mode": "replace"}).json()["schedule"]["cron"] == "0 * * * *"
        changed = api.request("PUT", path, data={"schedule_cron": "None", "target_datasource": other}).json()
        assert changed["schedule"] is None
        assert changed["copy_mode"] == "replace"
        shop.run(pipe)
        assert (len(shop.all(target)), len(shop.all(other))) == (0, 3)
        assert api.request("PUT", path, data={"schedule_cron": "@on-demand"}).json()["schedule"] is None

    def test_delete_makes_a_plain_pipe(self, shop, api):
        source, target = shop.source(), shop.source()
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        path = f"/v0/pipes/{pipe}/nodes/copier/copy"
        assert api.request("DELETE", path).status_code == 204
        found = api.get(f"/v0/pipes/{pipe}").json()
        assert found["type"] == "default"
        assert "copy_target_datasource" not in found["nodes"][0]["tags"]
        assert api.post(f"/v0/pipes/{pipe}/copy").status_code == 400
        assert api.request("DELETE", path).status_code == 400

    def test_in_one_request_with_the_pipe(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        name = new("pipe")
        node = {
            "name": "n",
            "sql": f"SELECT * FROM {source}",
            "type": "copy",
            "target_datasource": target,
            "copy_schedule": "@daily",
            "mode": "replace",
        }
        body = {"name": name, "nodes": [node], "target_datasource": target, "schedule_cron": None}
        made = api.post("/v0/pipes", json=body)
        assert made.status_code == 200, made.text
        assert made.json()["type"] == "copy"
        assert made.json()["schedule"]["cron"] == "@daily"
        assert made.json()["datasource"]["name"] == target
        assert made.json()["created_datasource"] is False
        shop.run(name)
        assert len(shop.all(target)) == 3

    def test_what_is_paused_stays_so_until_its_schedule_changes(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target, schedule_cron="@daily")
        assert api.post(f"/v0/pipes/{pipe}/copy/pause").json()["schedule"]["status"] == "paused"
        path = f"/v0/pipes/{pipe}/nodes/copier/copy"
        assert api.request("PUT", path, data={"mode": "replace"}).json()["schedule"]["status"] == "paused"
        node = {"name": "copier", "sql": f"SELECT * FROM {source} LIMIT 1", "type": "copy", "target_datasource": target}
        for schedule, status in [("@daily", "paused"), ("@hourly", "running")]:
            body = {"name": pipe, "nodes": [{**node, "copy_schedule": schedule}]}
            again = api.post("/v0/pipes", params={"force": "true"}, json=body)
            assert again.json()["schedule"]["status"] == status, again.text
        assert api.post(f"/v0/pipes/{pipe}/copy/pause").json()["schedule"]["status"] == "paused"
        assert api.post(f"/v0/pipes/{pipe}/copy/resume").json()["schedule"]["status"] == "running"
        plain = shop.pipe(f"SELECT * FROM {source}", target)
        assert api.post(f"/v0/pipes/{plain}/copy/pause").status_code == 400

    def test_the_datafile(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target, schedule_cron="0 3 * * *", mode="replace")
        text = api.get(f"/v0/pipes/{pipe}.pipe").text
        lines = text.splitlines()
        assert "TYPE COPY" in lines
        assert f"TARGET_DATASOURCE {target}" in lines
        assert "COPY_SCHEDULE 0 3 * * *" in lines
        assert "COPY_MODE replace" in lines

    def test_a_pipe_has_one_output(self, shop, api):
        source, target = shop.source(), shop.source()
        name = new("pipe")
        api.post(
            "/v0/pipes", json={"name": name, "nodes": [{"name": n, "sql": f"SELECT * FROM {source}"} for n in "ab"]}
        )
        assert api.post(f"/v0/pipes/{name}/nodes/a/endpoint").status_code == 200
        reply = api.post(f"/v0/pipes/{name}/nodes/b/copy", data={"target_datasource": target})
        assert reply.status_code == 400
        assert api.get(f"/v0/pipes/{name}").json()["type"] == "endpoint"
        api.request("DELETE", f"/v0/pipes/{name}/nodes/a/endpoint")
        assert api.post(f"/v0/pipes/{name}/nodes/b/copy", data={"target_datasource": target}).status_code == 200
        assert api.post(f"/v0/pipes/{name}/nodes/a/copy", data={"target_datasource": target}).status_code == 400

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"target_datasource": ""}, "Destination Data Source is required."),
            ({"target_datasource": "copies_nowhere"}, "Destination Data Source 'copies_nowhere' does not exist"),
            ({"mode": "upsert"}, "Invalid MODE expression: 'upsert'. Valid modes are: 'append', 'replace'"),
            ({"schedule_cron": "* * *"}, "Invalid cron expression: '* * *'"),
            ({"schedule_cron": "* * * * * *"}, "Invalid cron expression: '* * * * * *'"),
        ],
    )
    def test_what_cannot_be(self, shop, api, fields, message):
        source, target = shop.source(), shop.source()
        name = new("pipe")
        api.post("/v0/pipes", json={"name": name, "nodes": [{"name": "n", "sql": f"SELECT * FROM {source}"}]})
        reply = api.post(f"/v0/pipes/{name}/nodes/n/copy", data={"target_datasource": target, **fields})
        assert reply.status_code == 400
        assert reply.json()["error"].startswith(message)
        assert api.get(f"/v0/pipes/{name}").json()["type"] == "default"

    @pytest.mark.parametrize(
        ("sql", "named"),
        [
            ("SELECT id, name, 1 AS extra FROM {source}", "'extra' is not in the Data Source"),
            ("SELECT [id] AS id, name FROM {source}", "'id' is Array(Int32), and in the Data Source it is Int32"),
            ("SELECT generateUUIDv4() AS id, name FROM {source}", "'id' is UUID"),
            ("SELECT id, name, 2 AS doubled FROM {source}", "'doubled' is computed"),
        ],
    )
    def test_a_schema_that_does_not_fit(self, shop, api, sql, named):
        source = shop.source()
        target = shop.source("id Int32, name String, doubled Int32 MATERIALIZED id * 2", rows="")
        name = new("pipe")
        api.post("/v0/pipes", json={"name": name, "nodes": [{"name": "n", "sql": sql.format(source=source)}]})
        reply = api.post(f"/v0/pipes/{name}/nodes/n/copy", data={"target_datasource": target})
        assert reply.status_code == 400
        assert reply.json()["error"].startswith(INCOMPATIBLE)
        assert named in reply.json()["error"]

    def test_new_sql_must_fit_too(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        path = f"/v0/pipes/{pipe}/nodes/copier"
        reply = api.request("PUT", path, data={"sql": f"SELECT id, name, 1 AS extra FROM {source}"})
        assert reply.status_code == 400
        assert reply.json()["error"].startswith(INCOMPATIBLE)
        assert api.request("PUT", path, data={"sql": f"SELECT id, name FROM {source} LIMIT 1"}).status_code == 200
        shop.run(pipe)
        assert len(shop.all(target)) == 1

    def test_unknown_names_are_404(self, shop, api):
        pipe = shop.pipe("SELECT toInt32(1) AS id", shop.source())
        for path in ("/v0/pipes/copies_no/copy", "/v0/pipes/copies_no/copy/pause", f"/v0/pipes/{pipe}/nodes/no/copy"):
            assert api.post(path, data={"target_datasource": "x"}).status_code == 404, path

    @pytest.mark.parametrize(
        "call",
        [
            "url('{host}/rows.csv', 'CSV', 'id Int32, name String')",
            "s3('{host}/bucket/rows.csv', 'CSV')",
            "iceberg('{host}/bucket/table', 'key', 'secret')",
            "postgresql('{place}', 'd', 't', 'u', 'p')",
        ],
    )
    def test_reading_from_elsewhere_is_kept_and_not_run(self, shop, api, call):
        target = shop.source()
        connections: list[object] = []
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(0.5)
            port = listening.getsockname()[1]
            call = call.format(host=f"http://127.0.0.1:{port}", place=f"127.0.0.1:{port}")
            name = new("pipe")
            node = {"name": "n", "sql": f"SELECT * FROM {call}", "type": "copy", "target_datasource": target}
            made = api.post("/v0/pipes", json={"name": name, "nodes": [node]})
            assert made.status_code == 200, made.text
            reply = api.post(f"/v0/pipes/{name}/copy")
            with contextlib.suppress(TimeoutError):
                connections.append(listening.accept())
        assert reply.status_code == 400
        assert "reads from another server" in reply.json()["error"]
        assert connections == []
        assert len(shop.all(target)) == 3

    @pytest.mark.parametrize(
        "read",
        [
            "file('/etc/passwd')",
            "executable('x', 'CSV', 'id Int32')",
            "remote('127.0.0.1', 'system.one')",
            "merge('system', 'users')",
            "system.users",
            "system.tables",
            "_tm_staging.x",
            "default.x",
            "dictionary('x')",
            "input('id Int32')",
            "view(SELECT * FROM file('/etc/passwd'))",
            "(SELECT file('/etc/passwd') AS name)",
            "(SELECT 1 AS id) SETTINGS readonly = 0",
            "numbers(1) INTO OUTFILE '/tmp/copied'",
            "numbers(1); DROP TABLE x",
            "numbers(1)) SELECT * FROM (SELECT 1",
        ],
    )
    def test_nothing_but_what_a_query_may_read(self, shop, api, read):
        target = shop.source()
        name = new("pipe")
        node = {"name": "n", "sql": f"SELECT * FROM {read}", "type": "copy", "target_datasource": target}
        reply = api.post("/v0/pipes", params={"ignore_sql_errors": "true"}, json={"name": name, "nodes": [node]})
        if reply.status_code == 200:
            reply = api.post(f"/v0/pipes/{name}/copy")
        assert reply.status_code in (400, 403), reply.text
        assert api.post("/v0/sql_copy", params={"copy_to": target}, data=node["sql"]).status_code in (400, 403)
        assert len(shop.all(target)) == 3

    def test_it_stays_in_its_workspace(self, shop, api):
        source, target = shop.source(), shop.source()
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        path = f"/v0/pipes/{pipe}/nodes/copier/copy"
        own = api.get("/v0/workspace").json()["id"]
        assert api.request("PUT", path, data={"copy_target_workspace": own}).status_code == 200
        reply = api.request("PUT", path, data={"copy_target_workspace": "another"})
        assert reply.status_code == 400
        assert "stays in its workspace" in reply.json()["error"]

    def test_a_secret_is_not_copied(self, shop, api):
        target = shop.source(rows="")
        secret, name = new("secret"), new("pipe")
        assert api.post("/v0/variables", data={"name": secret, "value": "treasure-123"}).status_code == 200
        sql = f"%\nSELECT toInt32(1) AS id, {{{{tb_secret('{secret}')}}}} AS name"
        node = {"name": "n", "sql": sql, "type": "copy", "target_datasource": target}
        reply = api.post("/v0/pipes", json={"name": name, "nodes": [node]})
        if reply.status_code == 200:
            reply = api.post(f"/v0/pipes/{name}/copy")
        assert reply.status_code == 400
        assert "treasure" not in reply.text
        assert shop.all(target) == []

    def test_a_secret_may_be_in_a_condition(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        secret = new("secret")
        assert api.post("/v0/variables", data={"name": secret, "value": "b"}).status_code == 200
        shop.run(shop.pipe(f"%\nSELECT * FROM {source} WHERE name = {{{{tb_secret('{secret}')}}}}", target))
        assert shop.all(target) == [[2, "b"]]


class TestRights:
    def token(self, api, *scopes: str) -> str:
        reply = api.post("/v0/tokens", params=[("name", new("token")), *(("scope", scope) for scope in scopes)])
        assert reply.status_code == 200, reply.text
        return reply.json()["token"]

    def test_to_run(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        read, append = f"PIPES:READ:{pipe}", f"DATASOURCES:APPEND:{target}"
        for scopes, status in [
            ((read, append), 200),
            (("PIPES:CREATE",), 200),
            ((read,), 403),
            ((append,), 403),
            ((f"DATASOURCES:READ:{source}", append), 403),
            ((f"PIPES:READ:{shop.pipe(f'SELECT * FROM {source}', target)}", append), 403),
        ]:
            reply = api.post(f"/v0/pipes/{pipe}/copy", token=self.token(api, *scopes))
            assert reply.status_code == status, (scopes, reply.text)
            if status == 200:
                shop.wait(reply.json()["job"]["id"])
        assert len(shop.all(target)) == 6

    def test_to_replace_what_the_pipe_appends(self, shop, api):
        """Who may only append does not empty a Data Source by the mode of a run; a Pipe that replaces may be run."""
        source, target = shop.source(), shop.source()
        appending, replacing = (
            shop.pipe(f"SELECT * FROM {source}", target, mode=mode) for mode in ("append", "replace")
        )
        for pipe, scopes, status in [
            (appending, (f"PIPES:READ:{appending}", f"DATASOURCES:APPEND:{target}"), 403),
            (appending, (f"PIPES:READ:{appending}", "DATASOURCES:CREATE"), 200),
            (appending, ("PIPES:CREATE",), 200),
            (replacing, (f"PIPES:READ:{replacing}", f"DATASOURCES:APPEND:{target}"), 200),
        ]:
            reply = api.post(f"/v0/pipes/{pipe}/copy?_mode=replace", token=self.token(api, *scopes))
            assert reply.status_code == status, (scopes, reply.text)
            if status == 200:
                shop.wait(reply.json()["job"]["id"])
        read = f"DATASOURCES:READ:{source}"
        for scopes, status in [((read, f"DATASOURCES:APPEND:{target}"), 403), ((read, "DATASOURCES:CREATE"), 200)]:
            sql, parameters = f"SELECT * FROM {source} WHERE 0", {"copy_to": target, "_mode": "replace"}
            reply = api.post("/v0/sql_copy", params=parameters, data=sql, token=self.token(api, *scopes))
            assert reply.status_code == status, (scopes, reply.text)

    def test_to_set(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        path = f"/v0/pipes/{pipe}/nodes/copier/copy"
        for scopes, status in [
            (("PIPES:CREATE", f"DATASOURCES:APPEND:{target}"), 200),
            (("PIPES:CREATE",), 403),
            ((f"PIPES:READ:{pipe}", f"DATASOURCES:APPEND:{target}"), 403),
        ]:
            reply = api.post(path, token=self.token(api, *scopes), data={"target_datasource": target})
            assert reply.status_code == status, (scopes, reply.text)

    def test_row_filters_of_the_caller_hold(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        token = self.token(
            api, f"PIPES:READ:{pipe}", f"DATASOURCES:APPEND:{target}", f"DATASOURCES:READ:{source}:id = 2"
        )
        reply = api.post(f"/v0/pipes/{pipe}/copy", token=token)
        assert reply.status_code == 200, reply.text
        assert shop.wait(reply.json()["job"]["id"])["status"] == "done"
        assert shop.all(target) == [[2, "b"]]

    def test_whoever_starts_a_run_sees_its_job(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"SELECT * FROM {source}", target)
        scopes = (f"PIPES:READ:{pipe}", f"DATASOURCES:APPEND:{target}")
        mine, other = self.token(api, *scopes), self.token(api, *scopes)
        job = api.post(f"/v0/pipes/{pipe}/copy", token=mine).json()["job"]["id"]
        assert api.get(f"/v0/jobs/{job}", token=mine).status_code == 200
        assert api.get(f"/v0/jobs/{job}", token=other).status_code == 403
        shop.wait(job)

    def test_a_jwt_forces_its_parameters(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        pipe = shop.pipe(f"%\nSELECT * FROM {source} WHERE id = {{{{Int32(wanted, 1)}}}}", target)
        scopes = [
            {"type": "PIPES:READ", "resource": pipe, "fixed_params": {"wanted": "2"}},
            {"type": "DATASOURCES:APPEND", "resource": target},
        ]
        parameters = {"name": new("jwt"), "expiration_time": str(int(time.time()) + 600)}
        made = api.post("/v0/tokens", params=parameters, json={"scopes": scopes})
        assert made.status_code == 200, made.text
        reply = api.post(f"/v0/pipes/{pipe}/copy", token=made.json()["token"], params={"wanted": "3"})
        assert reply.status_code == 200, reply.text
        shop.wait(reply.json()["job"]["id"])
        assert shop.all(target) == [[2, "b"]]

    def test_another_workspace_does_not_see_it(self, shop, api, tokens):
        pipe = shop.pipe("SELECT toInt32(1) AS id", shop.source())
        made = api.post("/v0/workspaces", params={"name": new("ws")}, token=tokens["user_token"])
        assert made.status_code == 200, made.text
        assert api.post(f"/v0/pipes/{pipe}/copy", token=made.json()["token"]).status_code == 404


class TestSqlCopy:
    def test_copies_without_a_pipe(self, shop, api):
        source, target = shop.source(), shop.source(rows="9,old\n")
        reply = api.post("/v0/sql_copy", params={"copy_to": target}, data=f"SELECT * FROM {source} WHERE id = 1")
        assert reply.status_code == 200, reply.text
        assert shop.wait(reply.json()["job"]["job_id"])["status"] == "done"
        assert shop.all(target) == [[1, "a"], [9, "old"]]

    @pytest.mark.parametrize(
        ("sql", "status"),
        [
            ("SELECT * FROM copies_no", 403),
            ("SELECT 1 AS extra", 400),
            ("DROP TABLE x", 400),
            ("SELECT 1 AS id; SELECT 2 AS id", 400),
            ("SHOW TABLES", 400),
            ("DESCRIBE TABLE numbers(1)", 400),
            ("SELECT toInt32(1) AS id FROM url('http://127.0.0.1:1/')", 400),
            ("", 400),
        ],
    )
    def test_refused(self, shop, api, sql, status):
        target = shop.source()
        reply = api.post("/v0/sql_copy", params={"copy_to": target}, data=sql)
        assert reply.status_code == status, reply.text
        assert reply.json()["error"]
        assert len(shop.all(target)) == 3

    def test_the_token_must_read_and_append(self, shop, api):
        source, target = shop.source(), shop.source(rows="")
        rights = TestRights()
        read, append = f"DATASOURCES:READ:{source}", f"DATASOURCES:APPEND:{target}"
        for scopes, status in [((read, append), 200), ((append,), 403), ((read,), 403)]:
            token = rights.token(api, *scopes)
            reply = api.post("/v0/sql_copy", params={"copy_to": target}, data=f"SELECT * FROM {source}", token=token)
            assert reply.status_code == status, (scopes, reply.text)


def wait_for(condition: Any, seconds: float = 20) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


ROUNDS = 6


@pytest.mark.slow
def test_a_killed_server_leaves_all_rows_of_a_run_or_none(tmp_path: Path, api: Api) -> None:
    """Killed at any moment of a run, the target has whole runs only, and the job says that it was interrupted."""
    folder, chance, each = tmp_path / "data", random.Random(7), 60_000
    partitions = "toDate('2026-01-01') + number % 12"
    sql = f"%\nSELECT toInt32({{{{Int32(round)}}}}) AS id, {partitions} AS day FROM numbers({each})"
    interrupted = 0

    def start() -> tuple[local.LocalServer, Shop]:
        server = local.start(path=folder, port=0, with_parent=True)
        token = requests.get(f"{server.host}/tokens", timeout=10).json()["workspace_admin_token"]
        return server, Shop(replace(api, host=server.host, token=token))

    try:
        server, shop = start()
        targets = {
            mode: shop.source("id Int32, day Date", rows="", engine="MergeTree", engine_partition_key="day")
            for mode in ("append", "replace")
        }
        pipes = {mode: shop.pipe(sql, target, mode=mode) for mode, target in targets.items()}
        shop.run(pipes["replace"], data={"round": "0"})
        for number in range(1, ROUNDS + 1):
            mode = "append" if number % 2 else "replace"
            job = shop.start(pipes[mode], data={"round": str(number)})["job_id"]
            time.sleep(chance.uniform(0, 0.25))
            os.kill(server.pid, signal.SIGKILL)
            server, shop = start()
            rows = shop.rows(f"SELECT id, toInt32(count()) FROM {targets['append']} GROUP BY id")
            assert all(count == each for _, count in rows), rows
            [[ids, count]] = shop.rows(f"SELECT groupUniqArray(id), toInt32(count()) FROM {targets['replace']}")
            assert (len(ids), count) == (1, each)
            ended = shop.job(job)
            assert ended["status"] in ("done", "error"), ended
            present = number in ([row[0] for row in rows] if mode == "append" else ids)
            if ended["status"] == "done":
                assert present
            else:
                interrupted += 1
                assert "server ended" in ended["error"]
        assert interrupted
        shop.run(pipes["replace"], data={"round": "99"})
        assert shop.rows(f"SELECT DISTINCT id FROM {targets['replace']}") == [[99]]
    finally:
        local.stop(folder)
