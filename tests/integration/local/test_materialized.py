"""Materialized views: rows on every path into a Data Source reach what its views fill."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Api

EVENTS = "at DateTime `json:$.at`, k String `json:$.k`, n Int64 `json:$.n`"
PARTED = {"engine": "MergeTree", "engine_partition_key": "toYYYYMM(at)", "engine_sorting_key": "at"}

_COUNTER = iter(range(10_000))


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"mv_t{next(_COUNTER)}"


def create(api: Api, name: str, schema: str = EVENTS, **engine: str) -> None:
    """Make an empty Data Source."""
    reply = api.post("/v0/datasources", params={"name": name, "schema": schema, "format": "ndjson", **engine})
    assert reply.status_code == 200, reply.text


def materialize(api: Api, pipe: str, sql: str, target: str, **fields: Any) -> Any:
    """Make a Pipe with one materialized node and return the reply."""
    node = {"name": f"{pipe}_node", "sql": sql, "type": "materialized", "datasource": target, **fields}
    return api.post("/v0/pipes", json={"name": pipe, "nodes": [node]})


def made(reply: Any) -> dict[str, Any]:
    """Return the body of a success."""
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def send(api: Api, name: str, *rows: dict[str, Any]) -> Any:
    """Send events."""
    return api.post("/v0/events", params={"name": name, "wait": "true"}, data="\n".join(map(json.dumps, rows)))


def event(month: int, k: str, n: int) -> dict[str, Any]:
    """Return an event of 2024."""
    return {"at": f"2024-{month:02d}-01 00:00:00", "k": k, "n": n}


def append(api: Api, name: str, csv: str, mode: str = "append", **parameters: str) -> Any:
    """Import a CSV file."""
    return api.post("/v0/datasources", params={"name": name, "mode": mode, **parameters}, data=csv)


def rows(api: Api, q: str) -> list[list[Any]]:
    """Return the rows of a query."""
    reply = api.sql(f"{q} FORMAT JSONCompact", output_format_json_quote_64bit_integers=0)
    assert reply.status_code == 200, reply.text
    found: list[list[Any]] = reply.json()["data"]
    return found


def finished(api: Api, job_id: str) -> dict[str, Any]:
    """Wait for the end of a job."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job: dict[str, Any] = api.get(f"/v0/jobs/{job_id}").json()
        if job["status"] in ("done", "error", "cancelled"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job does not end")


class TestPaths:
    """Each way in."""

    @pytest.fixture
    def source(self, api: Api, name: str) -> str:
        create(api, name, **PARTED)
        sql = f"SELECT toStartOfMonth(at) AS m, k, countState() AS c, sumState(n) AS s FROM {name} GROUP BY m, k"
        body = made(materialize(api, f"{name}_mv", sql, f"{name}_t"))
        assert body["type"] == "materialized"
        assert body["created_datasource"] is True
        assert body["datasource"]["engine"] == {"engine": "AggregatingMergeTree", "engine_sorting_key": "m, k"}
        return name

    def merged(self, api: Api, name: str) -> list[list[Any]]:
        """Return the target with its states merged."""
        return rows(api, f"SELECT m, k, countMerge(c), sumMerge(s) FROM {name}_t GROUP BY m, k ORDER BY m, k")

    def expected(self, api: Api, name: str) -> list[list[Any]]:
        """Return the same from the source."""
        return rows(api, f"SELECT toStartOfMonth(at) AS m, k, count(), sum(n) FROM {name} GROUP BY m, k ORDER BY m, k")

    def test_events(self, api: Api, source: str) -> None:
        """Small and large requests, rows of several partitions, and beside rows that do not fit."""
        assert send(api, source, event(1, "a", 1), event(2, "b", 2)).json()["successful_rows"] == 2
        counts = send(api, source, event(1, "a", 10), {"at": "no"}, event(3, "c", 3)).json()
        assert counts == {"successful_rows": 2, "quarantined_rows": 1}
        assert send(api, source, *[event(1 + n % 12, "x", n) for n in range(12_000)]).status_code == 200
        assert self.merged(api, source) == self.expected(api, source)
        assert self.merged(api, source)[0] == ["2024-01-01", "a", 2, 11]

    def test_imports(self, api: Api, source: str) -> None:
        """A body now, in a job, and NDJSON."""
        assert append(api, source, "at,k,n\n2024-01-01 00:00:00,a,1\n2024-02-01 00:00:00,a,2\n").status_code == 200
        body = "\n".join(json.dumps(event(3, "j", n)) for n in range(5))
        job = api.post(f"/v1/datasources/{source}/append", params={"format": "ndjson"}, data=body).json()
        assert finished(api, job["id"])["status"] == "done"
        assert append(api, source, "2024-01-01 00:00:00,a,1\nbad,a,x\n").json()["quarantine_rows"] == 1
        assert self.merged(api, source) == self.expected(api, source)
        assert sum(row[2] for row in self.merged(api, source)) == 8

    def test_replace(self, api: Api, source: str) -> None:
        """The target follows: what the replaced rows made is gone, what the new ones make is there."""
        send(api, source, event(1, "a", 1), event(2, "b", 2))
        assert append(api, source, "2024-02-01 00:00:00,z,5\n2024-03-01 00:00:00,z,6\n", "replace").status_code == 200
        assert self.merged(api, source) == [["2024-02-01", "z", 1, 5], ["2024-03-01", "z", 1, 6]]
        send(api, source, event(3, "z", 1))
        assert self.merged(api, source)[1] == ["2024-03-01", "z", 2, 7]

    def test_truncate_and_delete_do_not_cascade(self, api: Api, source: str) -> None:
        """The target keeps what it has."""
        send(api, source, event(1, "a", 1), event(2, "b", 2))
        job = api.post(f"/v0/datasources/{source}/delete", data={"delete_condition": "n = 1"}).json()
        assert finished(api, job["id"])["status"] == "done"
        assert api.post(f"/v0/datasources/{source}/truncate").status_code == 205
        assert rows(api, f"SELECT count() FROM {source}") == [[0]]
        assert len(self.merged(api, source)) == 2

    def test_copy(self, api: Api, source: str) -> None:
        """A Copy Pipe's target has views like any other."""
        node = {"name": "copied", "sql": "SELECT toDateTime('2024-05-01 00:00:00') AS at, 'c' AS k, toInt64(7) AS n"}
        copying = {**node, "type": "copy", "target_datasource": source}
        made(api.post("/v0/pipes", json={"name": f"{source}_copy", "nodes": [copying]}))
        job = made(api.post(f"/v0/pipes/{source}_copy/copy"))["job"]
        assert finished(api, job["job_id"])["status"] == "done"
        assert self.merged(api, source) == [["2024-05-01", "c", 1, 7]]


class TestReplaceCondition:
    """Conditional replaces and the partitions of targets."""

    CSV = "2024-01-01 00:00:00,new,100\n"

    def test_partitions_follow(self, api: Api, name: str) -> None:
        """Only the partitions that are concerned are made anew; what the source has forgotten stays in the others."""
        create(api, name, **PARTED)
        sql = f"SELECT toDate(at) AS d, k, sum(n) AS s FROM {name} GROUP BY d, k"
        engine = {"engine": "MergeTree", "engine_partition_key": "toYYYYMM(d)", "engine_sorting_key": "d, k"}
        made(materialize(api, f"{name}_mv", sql, f"{name}_t", **engine))
        send(api, name, event(1, "a", 1), event(2, "b", 2), event(3, "c", 3))
        job = api.post(f"/v0/datasources/{name}/delete", data={"delete_condition": "n = 3"}).json()
        assert finished(api, job["id"])["status"] == "done"
        reply = append(api, name, self.CSV, "replace", replace_condition="toYYYYMM(at) = 202401")
        assert reply.status_code == 200, reply.text
        assert rows(api, f"SELECT k, s FROM {name}_t ORDER BY k") == [["b", 2], ["c", 3], ["new", 100]]
        assert rows(api, f"SELECT k FROM {name} ORDER BY k") == [["b"], ["new"]]

    def test_incompatible(self, api: Api, name: str) -> None:
        """Refused with nothing done, or the target is left alone when that is asked for."""
        create(api, name, **PARTED)
        made(materialize(api, f"{name}_mv", f"SELECT k, n FROM {name}", f"{name}_t"))
        send(api, name, event(1, "a", 1), event(2, "b", 2))
        condition = {"replace_condition": "toYYYYMM(at) = 202401"}
        reply = append(api, name, self.CSV, "replace", **condition)
        assert reply.status_code == 400
        assert f"'{name}_t'" in reply.json()["error"]
        assert rows(api, f"SELECT k FROM {name} ORDER BY k") == [["a"], ["b"]]
        reply = append(api, name, self.CSV, "replace", skip_incompatible_partition_key="true", **condition)
        assert reply.status_code == 200
        assert rows(api, f"SELECT k FROM {name} ORDER BY k") == [["b"], ["new"]]
        assert rows(api, f"SELECT k FROM {name}_t ORDER BY k") == [["a"], ["b"]]


class TestShapes:
    """What a view may be."""

    def test_chain_of_three(self, api: Api, name: str) -> None:
        """Each view is evaluated on what the one before it made of the new rows."""
        create(api, name)
        made(materialize(api, f"{name}_m1", f"SELECT k, n * 2 AS n FROM {name}", f"{name}_1"))
        made(materialize(api, f"{name}_m2", f"SELECT k, n + 1 AS n FROM {name}_1 WHERE n > 3", f"{name}_2"))
        made(materialize(api, f"{name}_m3", f"SELECT k, max(n) AS most FROM {name}_2 GROUP BY k", f"{name}_3"))
        send(api, name, event(1, "a", 1), event(1, "a", 2), event(1, "b", 3))
        assert rows(api, f"SELECT n FROM {name}_1 ORDER BY n") == [[2], [4], [6]]
        assert rows(api, f"SELECT k, n FROM {name}_2 ORDER BY n") == [["a", 5], ["b", 7]]
        assert rows(api, f"SELECT k, most FROM {name}_3 ORDER BY k") == [["a", 5], ["b", 7]]

    def test_replacing_in_the_middle_of_a_chain(self, api: Api, name: str) -> None:
        """A view on a ReplacingMergeTree gets the rows as they come, not as the engine merges them."""
        create(api, name)
        engine = {"engine": "ReplacingMergeTree", "engine_sorting_key": "k"}
        made(materialize(api, f"{name}_m1", f"SELECT k, n FROM {name}", f"{name}_1", **engine))
        made(materialize(api, f"{name}_m2", f"SELECT count() AS c FROM {name}_1", f"{name}_2"))
        send(api, name, *[event(1, "same", n) for n in range(10)])
        assert rows(api, f"SELECT n FROM {name}_1 FINAL") == [[9]]
        assert rows(api, f"SELECT sum(c) FROM {name}_2") == [[10]]

    def test_replacing_source(self, api: Api, name: str) -> None:
        """The same holds for the first Data Source, for events and files."""
        create(api, name, engine="ReplacingMergeTree", engine_sorting_key="k")
        made(materialize(api, f"{name}_mv", f"SELECT count() AS c FROM {name}", f"{name}_t"))
        send(api, name, *[event(1, "same", n) for n in range(10)])
        assert append(api, name, "2024-01-01 00:00:00,same,1\n" * 5).status_code == 200
        assert rows(api, f"SELECT count() FROM {name} FINAL") == [[1]]
        assert rows(api, f"SELECT sum(c) FROM {name}_t") == [[15]]

    def test_source_without_rows(self, api: Api, name: str) -> None:
        """A landing Data Source of the engine Null stores nothing, and its views everything."""
        create(api, name, engine="Null")
        made(materialize(api, f"{name}_mv", f"SELECT k, n FROM {name}", f"{name}_t"))
        send(api, name, event(1, "a", 1))
        assert append(api, name, "2024-01-01 00:00:00,b,2\n").status_code == 200
        assert rows(api, f"SELECT count() FROM {name}") == [[0]]
        assert rows(api, f"SELECT k, n FROM {name}_t ORDER BY n") == [["a", 1], ["b", 2]]

    def test_joins_read_their_right_side_whole(self, api: Api, name: str) -> None:
        """The first table is what new rows are taken from; others, and the same one elsewhere, are read whole."""
        create(api, name)
        create(api, f"{name}_names", "k String `json:$.k`, label String `json:$.label`")
        send(api, f"{name}_names", {"k": "a", "label": "A"})
        sql = f"SELECT label, n FROM {name} AS e JOIN {name}_names AS l ON e.k = l.k"
        made(materialize(api, f"{name}_m1", sql, f"{name}_1"))
        sql = f"SELECT k, {name}.n AS n FROM {name} WHERE k IN (SELECT k FROM {name} GROUP BY k HAVING count() > 1)"
        made(materialize(api, f"{name}_m2", sql, f"{name}_2"))
        send(api, name, event(1, "a", 1), event(1, "b", 2))
        send(api, name, event(1, "b", 3))
        send(api, f"{name}_names", {"k": "b", "label": "B"})
        assert rows(api, f"SELECT label, n FROM {name}_1") == [["A", 1]]
        assert rows(api, f"SELECT k, n FROM {name}_2") == [["b", 3]]

    def test_union_of_one_source(self, api: Api, name: str) -> None:
        """Each member gets the new rows; members over different Data Sources are refused with a sentence."""
        create(api, name)
        create(api, f"{name}_b")
        sql = f"SELECT k, n FROM {name} UNION ALL SELECT upper(k) AS k, -n AS n FROM {name}"
        made(materialize(api, f"{name}_mv", sql, f"{name}_t"))
        send(api, name, event(1, "a", 1))
        assert rows(api, f"SELECT k, n FROM {name}_t ORDER BY n") == [["A", -1], ["a", 1]]
        reply = materialize(api, f"{name}_m2", f"SELECT k FROM {name} UNION ALL SELECT k FROM {name}_b", f"{name}_2")
        assert reply.status_code == 400
        assert f"'{name}' and '{name}_b'" in reply.json()["error"]
        assert api.get(f"/v0/datasources/{name}_2").status_code == 404

    def test_nodes_ctes_and_pipes(self, api: Api, name: str) -> None:
        """A view reads nodes of its Pipe and other Pipes; a change of those is a change of the view."""
        create(api, name)
        made(api.post("/v0/pipes", params={"name": f"{name}_p", "sql": f"SELECT k, n + 1 AS n FROM {name}"}))
        api.post(f"/v0/pipes/{name}_p/nodes/{name}_p_0/endpoint")
        nodes = [
            {"name": "first", "sql": f"SELECT k, n * 10 AS n FROM {name}_p"},
            {
                "name": "last",
                "sql": "WITH x AS (SELECT k, n FROM first) SELECT k, n FROM x",
                "type": "materialized",
                "datasource": f"{name}_t",
            },
        ]
        made(api.post("/v0/pipes", json={"name": f"{name}_mv", "nodes": nodes}))
        send(api, name, event(1, "a", 1))
        assert rows(api, f"SELECT n FROM {name}_t") == [[20]]
        path = f"/v0/pipes/{name}_p/nodes/{name}_p_0"
        made(api.request("PUT", path, data={"sql": f"SELECT k, n + 2 AS n FROM {name}"}))
        send(api, name, event(1, "a", 1))
        assert rows(api, f"SELECT n FROM {name}_t ORDER BY n") == [[20], [30]]
        # What would break the view is refused.
        reply = api.request("PUT", path, data={"sql": f"SELECT k, 'text' AS n FROM {name}"})
        assert reply.status_code == 400
        reply = api.request("PUT", f"/v0/pipes/{name}_mv/nodes/first", data={"sql": f"SELECT k, k AS n FROM {name}_p"})
        assert reply.status_code == 400
        assert "column 'n' is String" in reply.json()["error"]
        send(api, name, event(1, "a", 2))
        assert rows(api, f"SELECT max(n) FROM {name}_t") == [[40]]

    def test_columns(self, api: Api, name: str) -> None:
        """Columns are matched by name and converted; what the view does not give gets its default."""
        create(api, name)
        create(api, f"{name}_t", "extra Int8 DEFAULT 3, n Nullable(Float64), k LowCardinality(String), d Date")
        made(materialize(api, f"{name}_mv", f"SELECT toDate(at) AS d, k, n FROM {name}", f"{name}_t"))
        send(api, name, event(1, "a", 1))
        assert rows(api, f"SELECT extra, n, k, d FROM {name}_t") == [[3, 1, "a", "2024-01-01"]]

    def test_two_views_and_an_existing_target(self, api: Api, name: str) -> None:
        """Two Data Sources feed one target, one of them by two views."""
        create(api, name)
        create(api, f"{name}_b")
        create(api, f"{name}_t", "k String, n Int64")
        assert (
            made(materialize(api, f"{name}_m1", f"SELECT k, n FROM {name}", f"{name}_t"))["created_datasource"] is False
        )
        made(materialize(api, f"{name}_m2", f"SELECT 'twice' AS k, n FROM {name}", f"{name}_t"))
        made(materialize(api, f"{name}_m3", f"SELECT k, n FROM {name}_b", f"{name}_t"))
        send(api, name, event(1, "a", 1))
        send(api, f"{name}_b", event(1, "b", 2))
        assert rows(api, f"SELECT k, n FROM {name}_t ORDER BY k") == [["a", 1], ["b", 2], ["twice", 1]]


class TestRefusals:
    """What cannot be materialized leaves nothing behind."""

    BAD = (
        ("SELECT * FROM tinybird.jobs_log", "service Data Source"),
        ("SELECT number FROM numbers(3)", "needs a Data Source"),
        ("%\nSELECT k FROM {name} WHERE k = {{{{String(wanted, 'x')}}}}", "Template parameters cannot be used"),
        ("SELECT nothing FROM {name}", "nothing"),
        ("SELECT k FROM {name} INTERSECT SELECT k FROM {name}", "INTERSECT"),
    )

    @pytest.mark.parametrize(("sql", "words"), BAD)
    def test_sql(self, api: Api, name: str, sql: str, words: str) -> None:
        """400 with what is wrong; neither Pipe nor target is there."""
        create(api, name)
        reply = materialize(api, f"{name}_mv", sql.format(name=name), f"{name}_t")
        assert reply.status_code == 400
        assert words in reply.json()["error"]
        assert api.get(f"/v0/pipes/{name}_mv").status_code == 404
        assert api.get(f"/v0/datasources/{name}_t").status_code == 404

    def test_target(self, api: Api, name: str) -> None:
        """The columns that do not fit are named; override_datasource gives the target other ones."""
        create(api, name)
        create(api, f"{name}_t", "k String, n String")
        reply = materialize(api, f"{name}_mv", f"SELECT k, n, 1 AS more FROM {name}", f"{name}_t")
        assert reply.status_code == 400
        assert "'more' is not in the Data Source" in reply.json()["error"]
        assert "'n' is Int64, and in the Data Source it is String" in reply.json()["error"]
        identity = api.get(f"/v0/datasources/{name}_t").json()["id"]
        fields = {"override_datasource": "true"}
        body = made(materialize(api, f"{name}_mv", f"SELECT k, n, 1 AS more FROM {name}", f"{name}_t", **fields))
        assert body["datasource"]["id"] == identity
        assert [each["name"] for each in body["datasource"]["columns"]] == ["k", "n", "more"]
        send(api, name, event(1, "a", 1))
        assert rows(api, f"SELECT * FROM {name}_t") == [["a", 1, 1]]

    def test_cycles(self, api: Api, name: str) -> None:
        """A view into its own source, directly or around, is refused."""
        create(api, name)
        reply = materialize(api, f"{name}_mv", f"SELECT at, k, n FROM {name}", name)
        assert reply.status_code == 400
        assert "without end" in reply.json()["error"]
        made(materialize(api, f"{name}_m1", f"SELECT at, k, n FROM {name}", f"{name}_1"))
        reply = materialize(api, f"{name}_m2", f"SELECT at, k, n FROM {name}_1", name)
        assert reply.status_code == 400
        assert "without end" in reply.json()["error"]

    def test_no_target(self, api: Api, name: str) -> None:
        """A materialized node says what it fills."""
        create(api, name)
        reply = materialize(api, f"{name}_mv", f"SELECT k FROM {name}", "")
        assert reply.status_code == 400
        assert "'datasource'" in reply.json()["error"]


class TestFailing:
    """A view that fails when rows come."""

    def test_events_are_stored_but_not_everywhere(self, api: Api, name: str) -> None:
        """422: source and other views have the rows."""
        create(api, name)
        sql = f"SELECT k, throwIf(n = 13, 'thirteen') + n AS n FROM {name}"
        made(materialize(api, f"{name}_m1", sql, f"{name}_1"))
        made(materialize(api, f"{name}_m2", f"SELECT k, n FROM {name}", f"{name}_2"))
        assert send(api, name, event(1, "a", 1)).status_code == 200
        reply = send(api, name, event(1, "a", 13), {"at": "no"})
        assert reply.status_code == 422
        assert f"the materialized view '{name}_m1_node' failed: thirteen" in reply.json()["error"]
        assert (reply.json()["successful_rows"], reply.json()["quarantined_rows"]) == (1, 1)
        found = [rows(api, f"SELECT count() FROM {each}") for each in (name, f"{name}_1", f"{name}_2")]
        assert found == [[[2]], [[1]], [[2]]]

    def test_imports_are_refused(self, api: Api, name: str) -> None:
        """400, and nothing is stored anywhere, so that the file can be sent again."""
        create(api, name)
        made(materialize(api, f"{name}_m2", f"SELECT k, n FROM {name}", f"{name}_2"))
        made(materialize(api, f"{name}_m1", f"SELECT throwIf(n = 13, 'thirteen') AS x FROM {name}", f"{name}_1"))
        reply = append(api, name, "2024-01-01 00:00:00,a,1\n2024-01-01 00:00:00,a,13\nbad,a,x\n")
        assert reply.status_code == 400
        assert "thirteen" in reply.json()["error"]
        reply = append(api, name, "2024-01-01 00:00:00,a,13\n", "replace")
        assert reply.status_code == 400
        tables = (name, f"{name}_quarantine", f"{name}_1", f"{name}_2")
        assert [rows(api, f"SELECT count() FROM {each}") for each in tables] == [[[0]]] * 4


class TestLinks:
    """Making and undoing views of nodes that are there."""

    def test_link_and_unlink(self, api: Api, name: str) -> None:
        """The node becomes a view and a plain node again; the target stays and gets no more rows."""
        create(api, name)
        made(api.post("/v0/pipes", params={"name": f"{name}_mv", "sql": f"SELECT k, n FROM {name}"}))
        path = f"/v0/pipes/{name}_mv/nodes/{name}_mv_0/materialization"
        body = made(api.post(path, data={"datasource": f"{name}_t", "engine_sorting_key": "k"}))
        assert body["materialized"] == body["datasource"]["id"]
        assert body["node_type"] == "materialized"
        assert body["datasource"]["engine"]["engine_sorting_key"] == "k"
        send(api, name, event(1, "a", 1))
        assert api.request("DELETE", path).status_code == 204
        send(api, name, event(1, "a", 2))
        assert rows(api, f"SELECT n FROM {name}_t") == [[1]]
        assert api.get(f"/v0/pipes/{name}_mv").json()["type"] == "default"
        assert api.request("DELETE", path).status_code == 400
        api.post(f"/v0/pipes/{name}_mv/nodes/{name}_mv_0/endpoint")
        assert api.post(path, data={"datasource": f"{name}_t"}).status_code == 400

    def test_delete_the_pipe(self, api: Api, name: str) -> None:
        """The target stays."""
        create(api, name)
        made(materialize(api, f"{name}_mv", f"SELECT k, n FROM {name}", f"{name}_t"))
        send(api, name, event(1, "a", 1))
        assert api.request("DELETE", f"/v0/pipes/{name}_mv").status_code == 204
        assert send(api, name, event(1, "a", 2)).status_code == 200
        assert rows(api, f"SELECT n FROM {name}_t") == [[1]]

    def test_analysis(self, api: Api, name: str) -> None:
        """The advice has the datafiles of node and target."""
        create(api, name)
        sql = f"SELECT k, uniqState(n) AS u FROM {name} GROUP BY k"
        made(api.post("/v0/pipes", params={"name": f"{name}_mv", "sql": sql}))
        path = f"/v0/pipes/{name}_mv/nodes/{name}_mv_0/analysis"
        body = made(api.get(path, params={"include_datafile": "true", "datasource": f"{name}_t"}))
        assert "TYPE materialized" in body["analysis"]["pipe"]["datafile"]
        assert 'ENGINE "AggregatingMergeTree"' in body["analysis"]["datasource"]["datafile"]
        assert body["warnings"] == []
        assert api.get(f"/v0/datasources/{name}_t").status_code == 404

    def test_permissions(self, api: Api, name: str) -> None:
        """A token that may not make Data Sources cannot make a target."""
        create(api, name)
        scopes = {"name": f"{name}_token", "scope": "PIPES:CREATE"}
        token = made(api.post("/v0/tokens", params=scopes))["token"]
        node = {"name": "x", "sql": f"SELECT k FROM {name}", "type": "materialized", "datasource": f"{name}_t"}
        reply = api.request("POST", "/v0/pipes", token=token, json={"name": f"{name}_mv", "nodes": [node]})
        assert reply.status_code == 403
        assert api.get(f"/v0/datasources/{name}_t").status_code == 404

    def test_overriding_needs_more_than_appending(self, api: Api, name: str) -> None:
        """Who may only append to a Data Source does not give it other columns, which loses its rows."""
        create(api, name)
        create(api, f"{name}_t", "k String, n String")
        scopes = [("name", f"{name}_token"), ("scope", "PIPES:CREATE"), ("scope", f"DATASOURCES:APPEND:{name}_t")]
        token = made(api.post("/v0/tokens", params=scopes))["token"]
        node = {"name": "x", "sql": f"SELECT n AS number FROM {name}", "type": "materialized"}
        node |= {"datasource": f"{name}_t", "override_datasource": "true"}
        reply = api.request("POST", "/v0/pipes", token=token, json={"name": f"{name}_mv", "nodes": [node]})
        assert reply.status_code == 403
        columns = api.get(f"/v0/datasources/{name}_t").json()["columns"]
        assert [each["name"] for each in columns] == ["k", "n"]


class TestChangesAround:
    """Changes of the Data Sources of a view."""

    @pytest.fixture
    def view(self, api: Api, name: str) -> str:
        create(api, name)
        made(materialize(api, f"{name}_mv", f"SELECT k, n FROM {name}", f"{name}_t", engine_sorting_key="k"))
        return name

    def test_drop(self, api: Api, view: str) -> None:
        """What is read cannot go; what is filled goes by force, and the view with it."""
        reply = api.request("DELETE", f"/v0/datasources/{view}", params={"force": "true"})
        assert reply.status_code == 409
        assert "downstream" in reply.json()["error"]
        assert f"'{view}_mv'" in reply.json()["error"]
        reply = api.request("DELETE", f"/v0/datasources/{view}_t")
        assert reply.status_code == 409
        assert "downstream" not in reply.json()["error"]
        reply = api.request("DELETE", f"/v0/datasources/{view}_t", params={"dry_run": "true"})
        assert reply.json() == {"dependent_pipes": f"{view}_mv"}
        assert api.request("DELETE", f"/v0/datasources/{view}_t", params={"force": "true"}).status_code == 204
        assert api.get(f"/v0/pipes/{view}_mv").json()["type"] == "default"
        assert send(api, view, event(1, "a", 1)).status_code == 200

    def test_pipe_replaced(self, api: Api, view: str) -> None:
        """Another Pipe in the place of the view's leaves the target, which the view had made, with its rows."""
        assert send(api, view, event(1, "a", 1)).status_code == 200
        nodes = [{"name": "other", "sql": "SELECT 1 AS x", "type": "endpoint"}]
        made(api.post("/v0/pipes", params={"force": "true"}, json={"name": f"{view}_mv", "nodes": nodes}))
        assert send(api, view, event(2, "b", 2)).status_code == 200
        assert rows(api, f"SELECT * FROM {view}_t") == [["a", 1]]

    def test_rename(self, api: Api, view: str) -> None:
        """A name that stands in SQL stays; a target may be called otherwise and still gets its rows."""
        reply = api.request("PUT", f"/v0/datasources/{view}", data={"name": f"{view}_x"})
        assert reply.status_code == 409
        assert f"'{view}_mv'" in reply.json()["error"]
        assert api.request("PUT", f"/v0/datasources/{view}_t", data={"name": f"{view}_u"}).status_code == 200
        send(api, view, event(1, "a", 1))
        assert rows(api, f"SELECT k, n FROM {view}_u") == [["a", 1]]

    def test_alter(self, api: Api, view: str) -> None:
        """Columns that the view needs stay on both sides; others come and go."""
        for each, schema in ((view, "at DateTime `json:$.at`, k String `json:$.k`"), (f"{view}_t", "k String")):
            reply = api.post(f"/v0/datasources/{each}/alter", data={"schema": schema})
            assert reply.status_code == 400, each
            assert f"'{view}_mv_node'" in reply.json()["error"]
        reply = api.post(f"/v0/datasources/{view}/alter", data={"schema": f"{EVENTS}, z Int8 `json:$.z`"})
        assert reply.status_code == 200, reply.text
        assert reply.json()["dependencies"] == [f"{view}_mv"]
        reply = api.post(f"/v0/datasources/{view}_t/alter", data={"schema": "k String, n Int64, z Int8 DEFAULT 4"})
        assert reply.status_code == 200, reply.text
        send(api, view, {**event(1, "a", 1), "z": 2})
        assert rows(api, f"SELECT * FROM {view}_t") == [["a", 1, 4]]

    def test_alter_under_an_asterisk(self, api: Api, name: str) -> None:
        """A SELECT * goes on when its source gets a column that the target has not."""
        create(api, name)
        made(materialize(api, f"{name}_mv", f"SELECT * FROM {name}", f"{name}_t"))
        reply = api.post(f"/v0/datasources/{name}/alter", data={"schema": f"{EVENTS}, z Int8 `json:$.z`"})
        assert reply.status_code == 200, reply.text
        assert send(api, name, {**event(1, "a", 1), "z": 2}).status_code == 200
        assert rows(api, f"SELECT k, n FROM {name}_t") == [["a", 1]]

    def test_exchange(self, api: Api, view: str) -> None:
        """The view hangs on the name, whatever table stands behind it."""
        create(api, f"{view}_o")
        send(api, view, event(1, "a", 1))
        reply = api.post("/v0/datasources/exchange", data={"datasource_a": view, "datasource_b": f"{view}_o"})
        assert reply.status_code == 200, reply.text
        send(api, view, event(1, "a", 2))
        send(api, f"{view}_o", event(1, "a", 3))
        assert rows(api, f"SELECT n FROM {view}_t ORDER BY n") == [[1], [2]]

    def test_dependencies(self, api: Api, view: str) -> None:
        """Who reads what is told in three places."""
        pipe = api.get(f"/v0/pipes/{view}_mv").json()
        used = [{"id": pipe["id"], "name": f"{view}_mv"}]
        assert api.get(f"/v0/datasources/{view}").json()["used_by"] == used
        assert api.get(f"/v0/datasources/{view}_t").json()["used_by"] == []
        listed = api.get("/v0/datasources", params={"attrs": "name,used_by"}).json()["datasources"]
        assert {"name": view, "used_by": used} in listed
        graph = api.get("/v0/dependencies").json()["dependencies"]
        mine = {f"{view}_mv": {"id": pipe["id"]}}
        assert (graph[view], graph[f"{view}_t"]) == (mine, {})
        assert api.get("/v0/dependencies", params={"datasource": view}).json() == {"dependencies": {view: mine}}
        asked = {"datasource": view, "check_for_partial_replace": "true"}
        body = api.get("/v0/dependencies", params=asked).json()
        assert body == {"dependencies": {f"{view}_t": mine}, "incompatible_datasources": {}}


def test_no_target_goes_with_its_view(api):
    """A target that a view made stays with its rows when the view gets another one, is unlinked, or deleted."""
    for name, engine in (("stay_source", {}), ("stay_other", {})):
        assert api.post("/v0/datasources", params={"name": name, "schema": "id Int32", **engine}).status_code == 200
    node = {"name": "n", "sql": "SELECT id FROM stay_source", "type": "materialized", "datasource": "stay_made"}
    assert api.post("/v0/pipes", json={"name": "stay", "nodes": [node]}).json()["created_datasource"] is True
    api.post("/v0/events", params={"name": "stay_source", "wait": "true"}, data='{"id": 1}')
    reply = api.post("/v0/pipes/stay/nodes/n/materialization", params={"datasource": "stay_other"})
    assert reply.status_code == 200, reply.text
    assert api.request("DELETE", "/v0/pipes/stay/nodes/n/materialization").status_code == 204
    assert api.request("DELETE", "/v0/pipes/stay").status_code == 204
    assert api.sql("SELECT id FROM stay_made").text == "1\n"
