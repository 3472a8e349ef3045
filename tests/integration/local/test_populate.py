"""Populate jobs: a view on the rows that were there before it."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Api

SCHEMA = "at Date `json:$.at`, k String `json:$.k`, n Int64 `json:$.n`"
PARTED = {"engine": "MergeTree", "engine_partition_key": "toYYYYMM(at)", "engine_sorting_key": "at"}

#: Keeps the engine busy for long, for each row of the source.
SLOW = "SELECT k, max(cityHash64(number, n)) AS h FROM {name} CROSS JOIN numbers(3000000) AS u GROUP BY k"

_COUNTER = iter(range(10_000))


@pytest.fixture
def name(api: Api) -> str:
    """A Data Source with 120 rows in three partitions; its values are 0 to 119."""
    name = f"populate_t{next(_COUNTER)}"
    parameters = {"name": name, "schema": SCHEMA, "format": "ndjson", **PARTED}
    assert api.post("/v0/datasources", params=parameters).status_code == 200
    lines = [{"at": f"2024-0{1 + n % 3}-01", "k": f"k{n % 4}", "n": n} for n in range(120)]
    assert send(api, name, *lines).status_code == 200
    return name


def send(api: Api, name: str, *rows: dict[str, Any]) -> Any:
    """Send events."""
    return api.post("/v0/events", params={"name": name, "wait": "true"}, data="\n".join(map(json.dumps, rows)))


def materialize(api: Api, name: str, sql: str, **parameters: str) -> dict[str, Any]:
    """Make a Pipe with a view of the Data Source into another one."""
    node = {"name": "view", "sql": sql, "type": "materialized", "datasource": f"{name}_t"}
    reply = api.post("/v0/pipes", params=parameters, json={"name": f"{name}_mv", "nodes": [node]})
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def populate(api: Api, name: str, **parameters: str) -> Any:
    """Ask for a populate job."""
    return api.post(f"/v0/pipes/{name}_mv/nodes/view/population", params=parameters)


def rows(api: Api, q: str) -> list[list[Any]]:
    """Return the rows of a query."""
    reply = api.sql(f"{q} FORMAT JSONCompact", output_format_json_quote_64bit_integers=0)
    assert reply.status_code == 200, reply.text
    found: list[list[Any]] = reply.json()["data"]
    return found


def job_of(api: Api, reply: Any, *statuses: str) -> dict[str, Any]:
    """Wait until the job of a reply has one of some statuses, by default final ones."""
    body = reply if isinstance(reply, dict) else reply.json()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job: dict[str, Any] = api.get(f"/v0/jobs/{body['job']['job_id']}").json()
        if job["status"] in (statuses or ("done", "error", "cancelled")):
            return job
        time.sleep(0.03)
    raise AssertionError("the job does not get there")


class TestPopulate:
    def test_with_the_pipe(self, api: Api, name: str) -> None:
        """Rows of before and rows of after, each once."""
        body = materialize(api, name, f"SELECT k, sumState(n) AS s FROM {name} GROUP BY k", populate="true")
        assert body["job"]["kind"] == "populateview"
        assert body["job"]["status"] == "waiting"
        send(api, name, {"at": "2024-04-01", "k": "k0", "n": 1_000})
        job = job_of(api, body)
        assert job["status"] == "done"
        assert job["progress_percentage"] == 100
        assert (job["pipe_id"], job["pipe_name"], job["datasource"]["name"]) == (body["id"], f"{name}_mv", f"{name}_t")
        assert {query["partition"] for query in job["queries"]} >= {"202401", "202402", "202403"}
        assert {query["status"] for query in job["queries"]} == {"done"}
        found = rows(api, f"SELECT k, sumMerge(s) FROM {name}_t GROUP BY k ORDER BY k")
        assert found == rows(api, f"SELECT k, sum(n) FROM {name} GROUP BY k ORDER BY k")

    def test_rows_that_come_meanwhile(self, api: Api, name: str) -> None:
        """However many come while jobs begin, none is lost or there twice."""
        stop = threading.Event()

        def go_on() -> None:
            number = 1_000
            while not stop.is_set():
                assert send(api, name, {"at": "2024-05-01", "k": "new", "n": number}).status_code == 200
                number += 1

        threads = [threading.Thread(target=go_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        body = materialize(api, name, f"SELECT k, n FROM {name}", populate="true")
        assert job_of(api, body)["status"] == "done"
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join(30)
        found = rows(api, f"SELECT k, n FROM {name}_t ORDER BY k, n")
        assert found == rows(api, f"SELECT k, n FROM {name} ORDER BY k, n")
        assert len(found) > 125

    def test_without_populate(self, api: Api, name: str) -> None:
        """Old rows come when they are asked for, and once more with each job; truncate empties the target first."""
        materialize(api, name, f"SELECT n FROM {name}")
        count = f"SELECT count(), uniqExact(n) FROM {name}_t"
        assert rows(api, count) == [[0, 0]]
        assert job_of(api, populate(api, name))["status"] == "done"
        assert rows(api, count) == [[120, 120]]
        assert job_of(api, populate(api, name))["status"] == "done"
        assert rows(api, count) == [[240, 120]]
        assert job_of(api, populate(api, name, truncate="true"))["status"] == "done"
        assert rows(api, count) == [[120, 120]]

    def test_condition_and_subset(self, api: Api, name: str) -> None:
        """A condition on the source, of which a column need not be in the view; a part of the rows."""
        materialize(api, name, f"SELECT n FROM {name}")
        job = job_of(api, populate(api, name, populate_condition="k = 'k1' AND toYYYYMM(at) = 202402"))
        assert job["status"] == "done"
        expected = rows(api, f"SELECT n FROM {name} WHERE k = 'k1' AND toYYYYMM(at) = 202402 ORDER BY n")
        assert rows(api, f"SELECT n FROM {name}_t ORDER BY n") == expected
        assert 0 < len(expected) < 30
        fields = {"truncate": "true", "populate_subset": "0.25", "populate_condition": "n = 1"}
        assert job_of(api, populate(api, name, **fields))["status"] == "done"
        assert rows(api, f"SELECT count() FROM {name}_t") == [[30]]

    def test_what_hangs_on_the_target(self, api: Api, name: str) -> None:
        """Views on the target get what the job brings."""
        materialize(api, name, f"SELECT k, n FROM {name}")
        node = {"name": "x", "sql": f"SELECT n FROM {name}_t", "type": "materialized", "datasource": f"{name}_u"}
        assert api.post("/v0/pipes", json={"name": f"{name}_mv2", "nodes": [node]}).status_code == 200
        assert job_of(api, populate(api, name))["status"] == "done"
        assert rows(api, f"SELECT count(), sum(n) FROM {name}_u") == [[120, 7_140]]

    @pytest.mark.parametrize(
        "fields",
        [
            {"populate_subset": "2"},
            {"populate_subset": "x"},
            {"populate_condition": "nothing = 1"},
            {"populate_condition": "n = 1; DROP TABLE x"},
            {"populate_condition": "n IN (SELECT 1)"},
            {"truncate": "perhaps"},
        ],
    )
    def test_refused(self, api: Api, name: str, fields: dict[str, str]) -> None:
        """400 at once, and no job."""
        materialize(api, name, f"SELECT n FROM {name}")
        reply = populate(api, name, **fields)
        assert reply.status_code == 400
        assert next(iter(fields)) in reply.json()["error"]
        assert rows(api, f"SELECT count() FROM {name}_t") == [[0]]

    def test_no_view(self, api: Api, name: str) -> None:
        """A plain node cannot be populated, and what is not there either."""
        api.post("/v0/pipes", params={"name": f"{name}_mv", "sql": f"SELECT n FROM {name}"})
        path = f"/v0/pipes/{name}_mv/nodes"
        assert api.post(f"{path}/{name}_mv_0/population").status_code == 400
        assert api.post(f"{path}/nothing/population").status_code == 404
        assert api.post(f"/v0/pipes/{name}_none/nodes/x/population").status_code == 404

    def test_logged(self, api: Api, name: str) -> None:
        """The operations log has both steps."""
        job = job_of(api, materialize(api, name, f"SELECT n FROM {name}", populate="true"))
        sql = (
            "SELECT event_type, result FROM tinybird.datasources_ops_log "
            f"WHERE job_id = '{job['id']}' ORDER BY event_type DESC"
        )
        assert rows(api, sql) == [["populateview-queued", "ok"], ["populateview", "ok"]]

    def test_a_replace_meanwhile(self, api: Api, name: str) -> None:
        """What is replaced while a populate is at work does not come to the target."""
        slow = (
            f"SELECT at, n, max(cityHash64(number, n)) AS h FROM {name} CROSS JOIN numbers(200000) AS u GROUP BY 1, 2"
        )
        node = {"name": "view", "sql": slow, "type": "materialized", "datasource": f"{name}_t", **PARTED}
        reply = api.post("/v0/pipes", params={"populate": "true"}, json={"name": f"{name}_mv", "nodes": [node]})
        job_of(api, reply, "working", "done")
        line = json.dumps({"at": "2024-01-01", "k": "new", "n": 1_000})
        parameters = {"name": name, "mode": "replace", "format": "ndjson"}
        assert api.post("/v0/datasources", params=parameters, data=line).status_code == 200
        assert job_of(api, reply)["status"] == "done"
        assert rows(api, f"SELECT n FROM {name}_t") == rows(api, f"SELECT n FROM {name}") == [[1_000]]


class TestEnds:
    """Jobs that do not come to a good end."""

    def test_cancel(self, api: Api, name: str) -> None:
        """A working job is stopped; the target has nothing of it, and the view goes on."""
        body = materialize(api, name, SLOW.format(name=name), populate="true")
        job_of(api, body, "working")
        time.sleep(0.3)
        begin = time.monotonic()
        reply = api.post(f"/v0/jobs/{body['job']['id']}/cancel")
        assert reply.status_code == 200, reply.text
        assert job_of(api, body)["status"] == "cancelled"
        assert time.monotonic() - begin < 10
        assert rows(api, f"SELECT count() FROM {name}_t") == [[0]]
        assert send(api, name, {"at": "2024-01-01", "k": "late", "n": 1}).status_code == 200
        assert rows(api, f"SELECT k FROM {name}_t") == [["late"]]

    def test_the_first_failure_unlinks(self, api: Api, name: str) -> None:
        """The node is a plain one afterwards; the target stays."""
        sql = f"SELECT throwIf(n = 50, 'fifty') + n AS n FROM {name}"
        job = job_of(api, materialize(api, name, sql, populate="true"))
        assert job["status"] == "error"
        assert "fifty" in job["error"]
        assert "error" in {query["status"] for query in job["queries"]}
        assert api.get(f"/v0/pipes/{name}_mv").json()["type"] == "default"
        assert rows(api, f"SELECT count() FROM {name}_t") == [[0]]
        send(api, name, {"at": "2024-01-01", "k": "late", "n": 1})
        assert rows(api, f"SELECT count() FROM {name}_t") == [[0]]

    @pytest.mark.parametrize("unlinks", [False, True])
    def test_later_failures(self, api: Api, name: str, unlinks: bool) -> None:
        """They unlink only when that is asked for."""
        materialize(api, name, f"SELECT throwIf(n = 50, 'fifty') + n AS n FROM {name}")
        assert job_of(api, populate(api, name, populate_condition="n < 50"))["status"] == "done"
        assert job_of(api, populate(api, name, unlink_on_populate_error=str(unlinks).lower()))["status"] == "error"
        assert api.get(f"/v0/pipes/{name}_mv").json()["type"] == ("default" if unlinks else "materialized")
        assert rows(api, f"SELECT count() FROM {name}_t") == [[50]]

    def test_deleted_meanwhile(self, api: Api, name: str) -> None:
        """A Pipe that is deleted while its view is populated takes the job with it."""
        body = materialize(api, name, SLOW.format(name=name), populate="true")
        job_of(api, body, "working")
        assert api.request("DELETE", f"/v0/pipes/{name}_mv").status_code == 204
        api.post(f"/v0/jobs/{body['job']['id']}/cancel")
        assert job_of(api, body)["status"] == "cancelled"
        assert rows(api, f"SELECT count() FROM {name}_t") == [[0]]
