"""Data Sources that a connector fills from a bucket (``datasources.md`` sections 1 and 3, ``jobs.md``)."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.integration.conftest import Api
from tests.integration.s3_server import KEY_ID, SECRET
from tinymagic import local
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
from tinymagic.local.ingest.imports import ImportRequest
from tinymagic.local.limits import Limits
from tinymagic.local.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.s3_server import Bucket

_numbers = itertools.count()

FINAL = ("done", "error", "cancelled")
SCHEMA = "day Date `json:$.day`, n Int32 `json:$.n`"


def new(kind: str) -> str:
    """A name that no other test has."""
    return f"conn_{kind}_{next(_numbers)}"


def wait(ready: Callable[[], Any], timeout_s: float = 30) -> Any:
    """Return what *ready* says as soon as it says something."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.05)
    raise AssertionError("It did not happen in time.")


class Source:
    """A Data Source that a connector fills from a bucket."""

    def __init__(self, api: Api, bucket: Bucket, pattern: str = "days/*.csv", **fields: str) -> None:
        self.api = api
        self.bucket = bucket
        self.connection = new("s3")
        asked = {"name": self.connection, "service": "s3", **bucket.settings, **fields.pop("connection_fields", {})}
        reply = api.post("/v0/connectors", data=asked)
        assert reply.status_code == 200, reply.text
        self.name = new("ds")
        settings = {"connector": self.connection, "bucket_uri": f"s3://{bucket.name}/{pattern}", **fields}
        reply = api.post("/v0/datasources", data={"name": self.name, "schema": SCHEMA, **settings})
        assert reply.status_code == 200, reply.text
        self.described = reply.json()["datasource"]

    def call(self, method: str, end: str, **arguments: Any) -> Any:
        """Ask for something of the Data Source."""
        return self.api.request(method, f"/v0/datasources/{self.name}/{end}", **arguments)

    def finished(self, job_id: str) -> dict[str, Any]:
        """Return a job when it has ended."""

        def look() -> dict[str, Any] | None:
            job: dict[str, Any] = self.api.get(f"/v0/jobs/{job_id}?debug=blocks").json()
            return job if job["status"] in FINAL else None

        found: dict[str, Any] = wait(look)
        return found

    def run(self) -> dict[str, Any]:
        """Let it fetch now, and return the finished job."""
        reply = self.call("POST", "scheduling/runs")
        assert reply.status_code == 200, reply.text
        return self.finished(reply.json()["job_id"])

    def sample(self, **fields: Any) -> dict[str, Any]:
        """Import a sample, and return the finished job."""
        reply = self.call("POST", "sample", json=fields)
        assert reply.status_code == 200, reply.text
        return self.finished(reply.json()["id"])

    def numbers(self) -> list[int]:
        """Return the column n, sorted."""
        found = self.api.sql(f"SELECT n FROM {self.name} ORDER BY n FORMAT JSON").json()
        return [row["n"] for row in found["data"]]

    def jobs(self) -> list[dict[str, Any]]:
        """Return its jobs."""
        found = self.api.get("/v0/jobs?kind=import").json()["jobs"]
        return [job for job in found if job.get("datasource", {}).get("name") == self.name]


@pytest.fixture
def source(api: Api, bucket: Bucket) -> Source:
    """One that reads CSV files below ``days/``."""
    return Source(api, bucket)


def csv(*numbers: int) -> str:
    """Return a file with these numbers."""
    return "day,n\n" + "".join(f"2026-01-01,{number}\n" for number in numbers)


class TestRuns:
    def test_only_new_files_are_taken(self, source: Source) -> None:
        """The first run takes all, the next one what came since, and a changed file again."""
        source.bucket.write("days/a.csv", csv(1, 2))
        source.bucket.write("days/b.csv", csv(3))
        source.bucket.write("days/deep/c.csv", csv(100))
        source.bucket.write("other/d.csv", csv(200))
        job = source.run()
        assert (job["kind"], job["status"]) == ("import", "done"), job
        assert job["datasource"]["name"] == source.name
        paths = [each["path"] for each in job["files"]]
        assert paths == [f"s3://{source.bucket.name}/days/{name}.csv" for name in "ab"]
        assert source.numbers() == [1, 2, 3]
        assert source.run()["files"] == []
        assert source.numbers() == [1, 2, 3]
        source.bucket.write("days/e.csv", csv(4))
        source.bucket.write("days/a.csv", csv(5))
        job = source.run()
        assert (job["files_imported"], job["rows"]) == (2, 2)
        assert job["blocks"][0]["process_return"][0]["lines"] == 2
        assert source.numbers() == [1, 2, 3, 4, 5]

    def test_the_same_content_over_a_file_is_the_same_file(self, source: Source) -> None:
        source.bucket.write("days/a.csv", csv(1))
        source.run()
        source.bucket.write("days/a.csv", csv(1))
        assert source.run()["files_imported"] == 0

    def test_formats(self, api: Api, bucket: Bucket) -> None:
        """The name or the content of each file says what it is."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = Source(api, bucket, "**/*.*")
        bucket.write("a.csv", csv(1))
        bucket.write("x/b.csv.gz", gzip.compress(csv(2).encode()))
        bucket.write("x/y/c.ndjson", '{"day": "2026-01-01", "n": 3}\n')
        bucket.write("x/y/d.ndjson.gz", gzip.compress(b'{"day": "2026-01-01", "n": 4}\n'))
        written = io.BytesIO()
        pq.write_table(pa.table({"day": ["2026-01-01"], "n": pa.array([5], pa.int32())}), written)
        bucket.write("x/e.parquet", written.getvalue())
        bucket.write("x/empty.csv", b"")
        job = source.run()
        assert job["status"] == "done", job
        assert source.numbers() == [1, 2, 3, 4, 5]

    def test_a_format_that_is_set(self, api: Api, bucket: Bucket) -> None:
        source = Source(api, bucket, "*", import_format="ndjson")
        bucket.write("lines", '{"day": "2026-01-01", "n": 3}\n')
        source.run()
        assert source.numbers() == [3]

    def test_from_a_time_on(self, api: Api, bucket: Bucket) -> None:
        source = Source(api, bucket, "*.csv", import_from_timestamp="2100-01-01T00:00:00Z")
        bucket.write("a.csv", csv(1))
        assert source.run()["files_imported"] == 0

    def test_quarantine_and_log(self, source: Source) -> None:
        """Rows that do not fit are kept beside, and what was done is noted for each file."""
        source.bucket.write("days/a.csv", csv(1) + "2026-01-01,many\n")
        job = source.run()
        assert (job["status"], job["rows"], job["quarantine_rows"]) == ("done", 1, 1), job
        kept = source.api.sql(f"SELECT n FROM {source.name}_quarantine FORMAT JSON").json()["data"]
        assert kept == [{"n": "many"}]
        where = f"job_id = '{job['id']}' FORMAT JSON"
        log = source.api.sql(
            f"SELECT event_type, result, rows, rows_quarantine FROM tinybird.datasources_ops_log WHERE {where}"
        ).json()["data"]
        assert log == [{"event_type": "append", "result": "ok", "rows": 1, "rows_quarantine": 1}]
        blocks = source.api.sql(f"SELECT source FROM tinybird.block_log WHERE {where}").json()["data"]
        assert blocks == [{"source": f"s3://{source.bucket.name}/days/a.csv"}]

    def test_a_file_that_cannot_be_read_keeps_none_back(self, source: Source) -> None:
        """The job says which, and runs by hand try it again."""
        source.bucket.write("days/a.csv", csv(1))
        source.bucket.write("days/bad.csv", b"day,n\n\xff\xfe\x00")
        source.bucket.write("days/z.csv", csv(2))
        job = source.run()
        assert job["status"] == "error"
        assert "1 of 3" in job["error"]
        assert f"s3://{source.bucket.name}/days/bad.csv" in job["errors"][0]
        assert source.numbers() == [1, 2]
        source.bucket.write("days/bad.csv", csv(3))
        assert source.run()["status"] == "done"
        assert source.numbers() == [1, 2, 3]

    def test_a_failed_job_can_be_retried(self, source: Source) -> None:
        source.bucket.write("days/bad.csv", b"day,n\n\x00")
        job = source.run()
        source.bucket.write("days/bad.csv", csv(7))
        reply = source.api.post(f"/v0/jobs/{job['id']}/retry")
        assert reply.status_code == 200, reply.text
        assert source.finished(reply.json()["id"])["status"] == "done"
        assert source.numbers() == [7]

    def test_views_get_the_rows_in_the_same_step(self, source: Source) -> None:
        target = new("target")
        node = {
            "name": "each",
            "sql": f"SELECT n * 10 AS n FROM {source.name}",
            "type": "materialized",
            "datasource": target,
            "engine": "MergeTree",
        }
        reply = source.api.post("/v0/pipes", json={"name": new("pipe"), "nodes": [node]})
        assert reply.status_code == 200, reply.text
        source.bucket.write("days/a.csv", csv(1, 2))
        assert source.run()["status"] == "done"
        found = source.api.sql(f"SELECT n FROM {target} ORDER BY n FORMAT JSON").json()["data"]
        assert [row["n"] for row in found] == [10, 20]

    def test_many_files_over_several_pages(self, source: Source) -> None:
        """Lists of files have pages of a thousand."""
        for number in range(1_010):
            source.bucket.write(f"days/none-{number}.txt", b"x")
        source.bucket.write("days/z.csv", csv(1))
        assert source.run()["files_imported"] == 1

    @pytest.mark.parametrize(
        "key",
        ["days/../../etc/passwd.csv", "days/a b+c%20d&e=f#g?.csv", "days/ñ 日本 '\";--.csv", "days/{a}[b]\\.csv"],
    )
    def test_hostile_keys(self, api: Api, bucket: Bucket, key: str) -> None:
        """A key is a name in the bucket and nothing else."""
        source = Source(api, bucket, "**")
        bucket.write(key, csv(1))
        job = source.run()
        assert job["status"] == "done", job
        assert job["files"][0]["path"] == f"s3://{bucket.name}/{key}"
        assert source.numbers() == [1]
        assert source.run()["files_imported"] == 0


class TestWhatGoesWrong:
    def test_a_bucket_that_is_not_there(self, api: Api, bucket: Bucket) -> None:
        source = Source(api, bucket)
        reply = api.request("PUT", f"/v0/datasources/{source.name}", data={"bucket_uri": "s3://no-such-bucket/*.csv"})
        assert reply.status_code == 200, reply.text
        job = source.run()
        assert (job["status"], job["error"]) == ("error", "The bucket s3://no-such-bucket does not exist.")

    def test_a_key_that_is_not_let_in(self, api: Api, bucket: Bucket) -> None:
        """The sentence names the connection, and neither the key nor what the other side says."""
        with refusing() as endpoint:
            source = Source(api, bucket, connection_fields={"s3_endpoint": endpoint})
            job = source.run()
        assert job["status"] == "error"
        assert source.connection in job["error"]
        assert "403" in job["error"]
        text = json.dumps([job, source.jobs()])
        assert KEY_ID not in text
        assert SECRET not in text
        assert "Signature" not in text

    def test_nobody_answers(self, api: Api, bucket: Bucket) -> None:
        source = Source(api, bucket, connection_fields={"s3_endpoint": "http://127.0.0.1:9"})
        job = source.run()
        assert job["status"] == "error"
        assert "refused" in job["error"]
        assert "Signature" not in job["error"]

    def test_a_second_run_while_one_works(self, api: Api, bucket: Bucket) -> None:
        with silent() as (endpoint, let_go):
            source = Source(api, bucket, connection_fields={"s3_endpoint": endpoint})
            first = source.call("POST", "scheduling/runs").json()
            second = source.call("POST", "scheduling/runs")
            assert second.status_code == 409
            assert "running" in second.json()["error"]
            assert source.call("POST", "sample", json={}).status_code == 409
            assert api.post(f"/v0/jobs/{first['id']}/cancel").status_code == 200
            assert source.finished(first["id"])["status"] == "cancelled"
            let_go.set()

    def test_a_cancelled_run_has_taken_what_it_finished(self, api: Api, bucket: Bucket) -> None:
        """Nothing of the file under way, and the next run takes it."""
        bucket.write("days/a.csv", csv(1))
        bucket.write("days/b.csv", csv(2))
        with silent(bucket.endpoint, holds="/b.csv") as (endpoint, let_go):
            source = Source(api, bucket, connection_fields={"s3_endpoint": endpoint})
            job_id = source.call("POST", "scheduling/runs").json()["id"]
            wait(lambda: api.get(f"/v0/jobs/{job_id}").json().get("files_imported") == 1)
            assert api.post(f"/v0/jobs/{job_id}/cancel").status_code == 200
            job = source.finished(job_id)
            assert (job["status"], job["files_imported"]) == ("cancelled", 1)
            assert source.numbers() == [1]
            let_go.set()
            assert source.run()["files_imported"] == 1
            assert source.numbers() == [1, 2]

    def test_a_file_that_is_not_given_out(self, api: Api, bucket: Bucket) -> None:
        """Keeps the others not back."""
        for name in ("a", "b", "c"):
            bucket.write(f"days/{name}.csv", csv(ord(name)))

        def answer(path: str, host: str) -> tuple[int, bytes]:
            if "/b.csv" in path:
                return 403, b""
            reply = requests.get(bucket.endpoint + path, headers={"Host": host}, timeout=20)
            return reply.status_code, reply.content

        with serving(answer) as endpoint:
            source = Source(api, bucket, connection_fields={"s3_endpoint": endpoint})
            job = source.run()
        assert job["status"] == "error"
        assert "1 of 3" in job["error"]
        assert "/days/b.csv" in job["error"]
        assert source.numbers() == [ord("a"), ord("c")]

    def test_no_file_is_given_out(self, api: Api, bucket: Bucket) -> None:
        """The run ends soon."""
        for number in range(9):
            bucket.write(f"days/{number}.csv", csv(number))

        def answer(path: str, host: str) -> tuple[int, bytes]:
            if ".csv" in path.partition("?")[0]:
                return 403, b""
            reply = requests.get(bucket.endpoint + path, headers={"Host": host}, timeout=20)
            return reply.status_code, reply.content

        with serving(answer) as endpoint:
            source = Source(api, bucket, connection_fields={"s3_endpoint": endpoint})
            job = source.run()
        assert (job["status"], job["files_failed"]) == ("error", 3)
        assert "403" in job["error"]

    def test_the_same_key_in_another_bucket_is_another_file(self, source: Source, s3: str) -> None:
        from tests.integration.s3_server import Bucket

        other = Bucket(s3)
        source.bucket.write("days/a.csv", csv(1))
        other.write("days/a.csv", csv(1))
        source.run()
        settings = {"bucket_uri": f"s3://{other.name}/days/*.csv"}
        assert source.api.request("PUT", f"/v0/datasources/{source.name}", data=settings).status_code == 200
        assert source.run()["files_imported"] == 1

    def test_what_answers_is_no_bucket(self, api: Api, bucket: Bucket) -> None:
        with refusing(200, b"<html>hello</html>") as endpoint:
            job = Source(api, bucket, connection_fields={"s3_endpoint": endpoint}).run()
        assert job["status"] == "error"
        assert "did not answer with a list of files" in job["error"]

    def test_a_list_with_entities(self, api: Api, bucket: Bucket) -> None:
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult><Name>&a;</Name></ListBucketResult>'
        with refusing(200, bomb) as endpoint:
            job = Source(api, bucket, connection_fields={"s3_endpoint": endpoint}).run()
        assert "document type" in job["error"]

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"bucket_uri": "file:///etc/*"}, "import_bucket_uri"),
            ({"bucket_uri": "s3://b/"}, "import_bucket_uri"),
            ({"bucket_uri": "s3://../x"}, "import_bucket_uri"),
            ({"connector": "nobody"}, "nobody"),
            ({"connector": ""}, "import_connection_name"),
            ({"cron": "whenever"}, "import_schedule"),
            ({"import_format": "xml"}, "import_format"),
            ({"import_from_timestamp": "yesterday"}, "import_from_timestamp"),
            ({"import_strategy": "replace"}, "import_strategy"),
            ({"service": "dynamodb"}, "import_service"),
            ({"import_format": '{{ tb_secret("x") }}'}, "Environment Variables"),
        ],
    )
    def test_settings_that_cannot_be(self, source: Source, fields: dict[str, str], said: str) -> None:
        name = new("bad")
        settings = {"connector": source.connection, "bucket_uri": f"s3://{source.bucket.name}/*.csv", **fields}
        reply = source.api.post("/v0/datasources", data={"name": name, "schema": SCHEMA, **settings})
        assert reply.status_code == 400, reply.text
        assert said in reply.json()["error"]
        assert source.api.get(f"/v0/datasources/{name}").status_code == 404


class TestSchedule:
    def test_state(self, source: Source) -> None:
        assert source.call("GET", "scheduling/state").json() == {"state": "running"}
        assert source.call("PUT", "scheduling/state", json={"state": "paused"}).json() == {"state": "paused"}
        assert source.call("GET", "scheduling/state").json() == {"state": "paused"}
        assert source.call("PUT", "scheduling/state", json={"state": "asleep"}).status_code == 400
        assert source.call("GET", "scheduling/state").json() == {"state": "paused"}
        assert source.call("PUT", "scheduling/state", json={"state": "running"}).json() == {"state": "running"}

    def test_once(self, api: Api, bucket: Bucket) -> None:
        """The clock starts a run, which then is not scheduled any more."""
        bucket.write("days/a.csv", csv(1))
        source = Source(api, bucket, cron="@once")
        wait(lambda: source.numbers() == [1])
        job = source.finished(source.jobs()[0]["id"])
        assert job["execution_type"] == "scheduled"
        text = api.get(f"/v0/datasources/{source.name}.datasource").text
        assert "@on-demand" in text

    def test_pause_holds_and_running_lets_go(self, source: Source) -> None:
        source.bucket.write("days/a.csv", csv(1))
        source.call("PUT", "scheduling/state", json={"state": "paused"})
        source.api.request("PUT", f"/v0/datasources/{source.name}", data={"cron": "@once"})
        time.sleep(2.5)  # The clock is looked at every second.
        assert source.jobs() == []
        source.call("PUT", "scheduling/state", json={"state": "running"})
        wait(lambda: source.numbers() == [1])

    def test_a_file_that_failed_is_left_alone_by_the_clock(self, source: Source) -> None:
        """Until it changes."""
        source.bucket.write("days/bad.csv", b"day,n\n\x00")
        source.run()
        for content, failed in ((None, 0), (b"day,n\n\x00\x00", 1)):
            if content:
                source.bucket.write("days/bad.csv", content)
            before = len(source.jobs())
            source.api.request("PUT", f"/v0/datasources/{source.name}", data={"cron": "@once"})
            wait(lambda: len(source.jobs()) > before)  # noqa: B023 - called in the loop
            assert source.finished(source.jobs()[0]["id"])["files_failed"] == failed


class TestClock:
    """With a clock of the test's own, on the services of a server without HTTP."""

    @pytest.mark.parametrize("schedule", ["@auto", "*/1 * * * *"])
    def test_every_minute(self, bucket: Bucket, schedule: str) -> None:
        engine, catalog = Engine(None), Catalog(None)
        services = Services.build(engine, catalog, Limits())
        try:
            [workspace, *_] = catalog.workspaces()
            services.schedules.close()  # No thread of its own from now on.
            moment = datetime(2030, 1, 1, 10, 0, 30, tzinfo=timezone.utc)
            services.schedules._clock = lambda: moment
            services.connections.create(workspace, "lake", "s3", bucket.settings)
            settings = {"connector": "lake", "bucket_uri": f"s3://{bucket.name}/*.csv", "cron": schedule}
            asked = ImportRequest({"name": "timed", "schema": "day Date, n Int32", **settings})
            services.imports.run(workspace, "create", asked)
            services.schedules.tick()
            taken = []
            for number in range(3):
                bucket.write(f"{number}.csv", csv(number))
                moment += timedelta(minutes=1)
                services.schedules.tick()
                jobs = services.jobs.list(workspace, kind="import")
                assert len(jobs) == number + 1
                assert services.jobs.wait(jobs[0].id, 30)
                taken.append(services.jobs.get(workspace, jobs[0].id).details["files_imported"])
            assert taken == [1, 1, 1]
            services.connectors.set_state(workspace, "timed", "paused")
            moment += timedelta(minutes=1)
            services.schedules.tick()
            assert len(services.jobs.list(workspace, kind="import")) == 3
        finally:
            services.close()
            catalog.close()
            engine.close()


class TestSample:
    def test_files(self, source: Source) -> None:
        """So many files; a later run takes the others only."""
        for number in range(4):
            source.bucket.write(f"days/{number}.csv", csv(number))
        job = source.sample(max_files=3)
        assert (job["kind"], job["status"], job["files_imported"]) == ("import", "done", 3), job
        assert source.numbers() == [0, 1, 2]
        source.run()
        assert source.numbers() == [0, 1, 2, 3]

    def test_rows(self, source: Source) -> None:
        """What a sample has cut is whole after a run."""
        source.bucket.write("days/a.csv", csv(*range(10)))
        source.bucket.write("days/b.csv", csv(*range(10, 20)))
        assert source.sample(max_files=5, rows=12)["rows"] == 12
        assert source.numbers() == list(range(12))
        source.run()
        assert set(source.numbers()) == set(range(20))

    def test_rows_of_every_format(self, api: Api, bucket: Bucket) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = Source(api, bucket, "*")
        written = io.BytesIO()
        days = ["2026-01-01"] * 1000
        pq.write_table(pa.table({"day": days, "n": pa.array(range(1000), pa.int32())}), written, row_group_size=10)
        bucket.write("a.parquet", written.getvalue())
        assert source.sample(rows=25)["rows"] == 25
        assert source.numbers() == list(range(25))
        other = Source(api, bucket, "b/*.ndjson")
        bucket.write("b/x.ndjson", "".join(f'{{"day": "2026-01-01", "n": {n}}}\n' for n in range(50)))
        assert other.sample(rows=7)["rows"] == 7

    def test_bytes(self, source: Source) -> None:
        source.bucket.write("days/a.csv", csv(*range(1000)))
        job = source.sample(max_bytes=500)
        assert job["status"] == "done", job
        assert source.numbers() == list(range(job["rows"]))
        assert 0 < job["rows"] < 50

    def test_bytes_of_a_compressed_file(self, source: Source) -> None:
        source.bucket.write("days/a.csv", gzip.compress(csv(*range(100_000)).encode()))
        job = source.sample(max_bytes=500)
        assert job["status"] == "error"
        assert "max_bytes" in job["error"]
        assert source.numbers() == []

    def test_everything(self, source: Source) -> None:
        for number in range(12):
            source.bucket.write(f"days/{number:02}.csv", csv(number))
        assert source.sample(full_export=True)["files_imported"] == 12

    @pytest.mark.parametrize(
        "fields",
        [
            {"max_files": 0},
            {"max_files": 11},
            {"max_files": "many"},
            {"max_files": 1.5},
            {"max_files": True},
            {"rows": 0},
            {"rows": -1},
            {"max_bytes": 0},
            {"max_bytes": 10**30},
            {"full_export": "perhaps"},
            {"full_export": True, "rows": 5},
        ],
    )
    def test_values_that_cannot_be(self, source: Source, fields: dict[str, Any]) -> None:
        reply = source.call("POST", "sample", json=fields)
        assert reply.status_code == 400, reply.text
        assert list(fields)[-1] in reply.json()["error"]
        assert source.jobs() == []


class TestDefinitions:
    def test_what_get_tells(self, source: Source) -> None:
        found = source.api.get(f"/v0/datasources/{source.name}").json()
        assert (found["type"], found["service"], found["connector"]) == ("s3", "s3", source.connection)
        linkers = source.api.get(f"/v0/connectors/{source.connection}").json()["linkers"]
        assert linkers == [{"id": found["id"], "name": source.name}]

    def test_a_deployed_one(self, api: Api, bucket: Bucket) -> None:
        """Its datafile says everything; an Environment Variable in it is filled in when it runs, and never shown."""
        secret = new("bucket_secret")
        assert api.post("/v0/variables", data={"name": secret, "value": bucket.name}).status_code == 200
        name, connection = new("deployed"), new("lake")
        key = f'{{{{ tb_secret("{secret}") }}}}'
        files = {
            f"datasources/{name}.datasource": (
                "SCHEMA >\n    `day` Date `json:$.day`,\n    `n` Int32 `json:$.n`\n\nENGINE MergeTree\n"
                f"IMPORT_CONNECTION_NAME '{connection}'\nIMPORT_BUCKET_URI 's3://{key}/**/*.ndjson'\n"
                "IMPORT_SCHEDULE '@auto'\nIMPORT_FORMAT ndjson\n"
            ),
            f"connections/{connection}.connection": (
                f"TYPE s3\nS3_REGION us-east-1\nS3_ACCESS_KEY {KEY_ID}\nS3_SECRET {SECRET}\n"
                f"S3_ENDPOINT {bucket.endpoint}\n"
            ),
        }
        deploy(api, files)
        bucket.write("x/a.ndjson", '{"day": "2026-01-01", "n": 1}\n')
        source = object.__new__(Source)
        source.api, source.bucket, source.name, source.connection = api, bucket, name, connection
        found = api.get(f"/v0/datasources/{name}").json()
        assert (found["type"], found["service"], found["connector"]) == ("s3", "s3", connection)
        job = source.run()
        assert job["status"] == "done", job
        assert source.numbers() == [1]
        assert bucket.name not in json.dumps(job)
        text = api.get(f"/v0/datasources/{name}.datasource").text
        assert "IMPORT_SCHEDULE" in text
        assert "@auto" in text
        assert bucket.name not in text
        source.call("PUT", "scheduling/state", json={"state": "paused"})
        # What somebody changed meanwhile is put back, and the schedule rests on.
        assert api.request("PUT", f"/v0/datasources/{name}", data={"cron": "@hourly"}).status_code == 200
        deploy(api, files)
        assert "@auto" in api.get(f"/v0/datasources/{name}.datasource").text
        assert source.call("GET", "scheduling/state").json() == {"state": "paused"}
        assert source.run()["files_imported"] == 0

    def test_a_deployment_with_a_wrong_setting(self, api: Api) -> None:
        text = "SCHEMA >\n    `n` Int32\nIMPORT_CONNECTION_NAME x\nIMPORT_BUCKET_URI 's3://b/x'\nIMPORT_SCHEDULE soon\n"
        reply = build(api, {f"datasources/{new('wrong')}.datasource": text})
        assert reply.status_code == 400
        assert "import_schedule" in reply.text

    def test_a_deployment_without_the_connection(self, api: Api) -> None:
        text = "SCHEMA >\n    `n` Int32\nIMPORT_CONNECTION_NAME nobody\nIMPORT_BUCKET_URI 's3://b/x'\n"
        name = new("wrong")
        reply = build(api, {f"datasources/{name}.datasource": text})
        assert reply.status_code == 400
        assert "nobody" in reply.text
        assert api.get(f"/v0/datasources/{name}").status_code == 404

    def test_a_connection_in_use_is_not_deleted(self, source: Source) -> None:
        reply = source.api.request("DELETE", f"/v0/connectors/{source.connection}")
        assert reply.status_code == 409
        assert source.name in reply.json()["error"]
        assert source.api.request("DELETE", f"/v0/connectors/{source.connection}?force=true").status_code < 300
        reply = source.call("POST", "scheduling/runs")
        assert reply.status_code == 400
        assert source.connection in reply.json()["error"]

    def test_kafka_is_not_read(self, api: Api) -> None:
        name, connection = new("kafka"), new("bus")
        deploy(
            api,
            {
                f"datasources/{name}.datasource": (
                    f"SCHEMA >\n    `n` Int32 `json:$.n`\nKAFKA_CONNECTION_NAME {connection}\nKAFKA_TOPIC t\n"
                    "KAFKA_GROUP_ID g\n"
                ),
                f"connections/{connection}.connection": "TYPE kafka\nKAFKA_BOOTSTRAP_SERVERS localhost:9092\n",
            },
        )
        for end in ("start", "stop"):
            reply = api.post(f"/v0/datasources/{name}/{end}")
            assert reply.status_code == 400
            assert "no Kafka broker" in reply.json()["error"]

    def test_kafka_by_fields_of_a_request(self, api: Api) -> None:
        name, connection = new("kafka"), new("bus")
        settings = {"kafka_bootstrap_servers": "localhost:9092"}
        made = api.post("/v0/connectors", params={"name": connection, "service": "kafka"}, data=settings)
        assert made.status_code == 200, made.text
        fields = {"name": name, "schema": "n Int32 `json:$.n`", "connector": connection}
        reply = api.post("/v0/datasources", data={**fields, "kafka_topic": "t", "kafka_group_id": "g"})
        assert reply.status_code == 200, reply.text
        described = api.get(f"/v0/datasources/{name}").json()
        assert (described["service"], described["connector"]) == ("kafka", connection)
        assert f"KAFKA_CONNECTION_NAME {connection}" in api.get(f"/v0/datasources/{name}.datasource").text
        reply = api.post(f"/v0/datasources/{name}/start")
        assert (reply.status_code, "no Kafka broker" in reply.text) == (400, True)
        nowhere = {**fields, "name": new("kafka"), "connector": "no_such", "kafka_topic": "t"}
        assert api.post("/v0/datasources", data=nowhere).status_code == 400

    def test_start_and_stop_are_not_for_buckets(self, source: Source) -> None:
        for end in ("start", "stop"):
            reply = source.call("POST", end)
            assert reply.status_code == 400
            assert "scheduling/state" in reply.json()["error"]

    def test_without_the_scope(self, source: Source) -> None:
        token = source.api.post("/v0/tokens", data={"name": new("t"), "scope": f"DATASOURCES:READ:{source.name}"})
        for method, end in (("GET", "scheduling/state"), ("POST", "scheduling/runs"), ("POST", "sample")):
            assert source.call(method, end, token=token.json()["token"]).status_code == 403

    def test_google_with_an_hmac_key(self, api: Api, bucket: Bucket) -> None:
        """The same requests, signed alike; the endpoint is one that speaks both."""
        bucket.write("a.csv", csv(1))
        source = Source(api, bucket)
        connection = new("gcs")
        fields = {"gcs_hmac_access_id": KEY_ID, "gcs_hmac_secret": SECRET, "endpoint": bucket.endpoint}
        reply = api.post("/v0/connectors", data={"name": connection, "service": "gcs_hmac", **fields})
        assert reply.status_code == 200, reply.text
        settings = {"connector": connection, "bucket_uri": f"gs://{bucket.name}/*.csv"}
        assert api.request("PUT", f"/v0/datasources/{source.name}", data=settings).status_code == 200
        assert source.run()["status"] == "done"
        assert source.numbers() == [1]
        assert api.get(f"/v0/datasources/{source.name}").json()["type"] == "gcs"


class Restarts:
    """A server on a folder that is started and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start it."""
        self.server = local.start(path=self.folder, port=0, with_parent=True)
        tokens = requests.get(f"{self.server.host}/tokens", timeout=10).json()
        self.api = Api(self.server.host, tokens["workspace_admin_token"])

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        wait(lambda: all(each.pid != self.server.pid for each in local.running()))


@pytest.fixture
def restarts(tmp_path: Path) -> Iterator[Restarts]:
    """One whose server is stopped after the test."""
    made = Restarts(tmp_path / "data")
    yield made
    local.stop(made.folder)


def test_another_server_on_the_folder_knows_what_was_taken(bucket: Bucket, restarts: Restarts) -> None:
    bucket.write("days/a.csv", csv(1))
    source = Source(restarts.api, bucket)
    assert source.run()["files_imported"] == 1
    restarts.kill()
    restarts.start()
    source.api = restarts.api
    bucket.write("days/b.csv", csv(2))
    assert source.run()["files_imported"] == 1
    assert source.numbers() == [1, 2]


@pytest.mark.slow
@pytest.mark.alone
def test_kill_during_runs(bucket: Bucket, restarts: Restarts) -> None:
    """Whenever the server is killed, no file is taken twice and none is lost, nor what a view makes of them."""
    source = Source(restarts.api, bucket)
    target = new("target")
    node = {"name": "each", "sql": f"SELECT n FROM {source.name}", "type": "materialized", "datasource": target}
    reply = source.api.post("/v0/pipes", json={"name": new("pipe"), "nodes": [{**node, "engine": "MergeTree"}]})
    assert reply.status_code == 200, reply.text
    chance = Random(4)
    count = 0
    for _ in range(8):
        for _ in range(6):
            # Of two months and one row that does not fit: several parts in several tables for each file.
            rows = f"2026-01-01,{count}\n2026-02-01,{count + 1}\n2026-02-01,bad\n"
            bucket.write(f"days/{count:04}.csv", f"day,n\n{rows}")
            count += 2
        assert source.call("POST", "scheduling/runs").status_code == 200
        time.sleep(chance.uniform(0.02, 0.5))
        restarts.kill()
        restarts.start()
        source.api = restarts.api
    assert source.run()["status"] == "done"
    assert source.numbers() == list(range(count))
    found = source.api.sql(f"SELECT n FROM {target} ORDER BY n FORMAT JSON").json()["data"]
    assert [row["n"] for row in found] == list(range(count))
    [kept] = source.api.sql(f"SELECT count() AS rows FROM {source.name}_quarantine FORMAT JSON").json()["data"]
    assert kept["rows"] == count // 2


def build(api: Api, files: dict[str, str], path: str = "/v1/build") -> Any:
    """Send a project."""
    parts = [("data_project://", (name, text, "text/plain")) for name, text in files.items()]
    return api.post(path, files=parts)


def deploy(api: Api, files: dict[str, str]) -> None:
    """Deploy a project, which must go well."""
    reply = build(api, files)
    assert reply.status_code == 200, reply.text
    assert reply.json()["result"] in ("success", "no_changes"), reply.text


@contextmanager
def refusing(status: int = 403, body: bytes = b"<Error><Code>SignatureDoesNotMatch</Code></Error>") -> Iterator[str]:
    """Run a server that gives everybody the same answer; gives its URL."""
    with serving(lambda path, host: (status, body)) as url:
        yield url


@contextmanager
def silent(behind: str = "", holds: str = "") -> Iterator[tuple[str, threading.Event]]:
    """Run a server that says nothing to requests for *holds* until it is let go, and passes the others on."""
    let_go = threading.Event()

    def answer(path: str, host: str) -> tuple[int, bytes]:
        if holds in path.partition("?")[0]:
            let_go.wait(30)
        if not behind:
            return 500, b""
        reply = requests.get(behind + path, headers={"Host": host}, timeout=20)
        return reply.status_code, reply.content

    with serving(answer) as url:
        try:
            yield url, let_go
        finally:
            let_go.set()


@contextmanager
def serving(answer: Callable[[str, str], tuple[int, bytes]]) -> Iterator[str]:
    """Run a server that answers to path and host with status and body; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path, str(self.headers["Host"]))
            with suppress(OSError):  # Nobody may be there any more.
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
