"""Sink Pipes: what they write into a bucket of a real S3 protocol server, when, and what is left when they fail."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.integration.conftest import Api
from tinymagic import local

pytest.importorskip("boto3")
pytest.importorskip("moto.server")

from tests.integration.s3_server import KEY_ID, SECRET, Bucket, running

if TYPE_CHECKING:
    from pathlib import Path

FINAL = ("done", "error", "cancelled")
_numbers = itertools.count()

ROWS = "ES,2026-01-01,1\nES,2026-01-31,2\nFR,2026-02-05,3\na/b,2026-02-06,4\n"

#: A SELECT that would take hours, and that a cancellation stops.
ENDLESS = "SELECT number, 'x' AS part FROM numbers(1000000000000) WHERE sipHash64(toString(number)) = 1"


def new(kind: str) -> str:
    """A name that no other test has."""
    return f"sinks_{kind}_{next(_numbers)}"


class Exports:
    """One server with a bucket, and short ways to make and run sinks."""

    def __init__(self, api: Api, bucket: Bucket, **connection: str) -> None:
        self.api = api
        self.bucket = bucket
        self.connection = new("s3")
        fields = {
            "name": self.connection,
            "service": "s3",
            **bucket.settings,
            **connection,
        }
        reply = api.post("/v0/connectors", data=fields)
        assert reply.status_code == 200, reply.text
        self.source = new("ds")
        schema = "country String, day Date, n Int32"
        assert api.post("/v0/datasources", data={"name": self.source, "schema": schema}).status_code == 200
        parameters = {"name": self.source, "mode": "append", "format": "csv"}
        assert api.post("/v0/datasources", params=parameters, data=ROWS).status_code == 200

    def settings(self, **fields: str) -> dict[str, str]:
        """Settings of a sink, good ones unless *fields* say otherwise."""
        return {
            "connection": self.connection,
            "path": f"s3://{self.bucket.name}/out",
            "file_template": "all",
            **fields,
        }

    def pipe(self, sql: str = "", **fields: str) -> str:
        """Make a Sink Pipe; its node is called ``exporter``."""
        name = new("pipe")
        sql = sql or f"SELECT * FROM {self.source} ORDER BY n"
        reply = self.api.post("/v0/pipes", json={"name": name, "nodes": [{"name": "exporter", "sql": sql}]})
        assert reply.status_code == 200, reply.text
        reply = self.api.post(f"/v0/pipes/{name}/nodes/exporter/sink", data=self.settings(**fields))
        assert reply.status_code == 200, reply.text
        return name

    def start(self, pipe: str, **parameters: Any) -> str:
        """Start a run; returns its job."""
        reply = self.api.post(f"/v0/pipes/{pipe}/sink", data=parameters)
        assert reply.status_code == 200, reply.text
        job = reply.json()["job"]
        assert job["kind"] == "sink"
        assert job["id"] == job["job_id"]
        assert job["job_url"].endswith(f"/v0/jobs/{job['id']}")
        return str(job["id"])

    def wait(self, job_id: str, patience_s: float = 60) -> dict[str, Any]:
        """Wait for the end of a job."""
        deadline = time.monotonic() + patience_s
        while True:
            reply = self.api.get(f"/v0/jobs/{job_id}")
            assert SECRET not in reply.text
            assert KEY_ID not in reply.text
            job: dict[str, Any] = reply.json()
            if job["status"] in FINAL:
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.05)

    def run(self, pipe: str, **parameters: Any) -> dict[str, Any]:
        """Run and wait for the end, which must be good."""
        job = self.wait(self.start(pipe, **parameters))
        assert job["status"] == "done", job
        return job

    def log(self, pipe: str) -> list[dict[str, Any]]:
        """Rows of ``tinybird.sinks_ops_log`` about a Pipe."""
        q = f"SELECT * FROM tinybird.sinks_ops_log WHERE pipe_name = '{pipe}' ORDER BY timestamp FORMAT JSON"
        reply = self.api.sql(q)
        assert SECRET not in reply.text
        found: list[dict[str, Any]] = reply.json()["data"]
        return found


@pytest.fixture
def exports(api: Api, bucket: Bucket) -> Exports:
    """The server with an empty bucket."""
    return Exports(api, bucket)


class TestFiles:
    def test_csv(self, exports):
        """One file with a header; the job tells rows and files, and so does the log."""
        pipe = exports.pipe()
        job = exports.run(pipe)
        [key] = exports.bucket.names()
        assert key == "out/all.csv"
        assert exports.bucket.read(key) == (
            b'"country","day","n"\n"ES","2026-01-01",1\n"ES","2026-01-31",2\n"FR","2026-02-05",3\n"a/b","2026-02-06",4\n'
        )
        assert job["rows_written"] == job["statistics"]["row_count"] == 4
        assert [(each["path"], each["rows"]) for each in job["files"]] == [(f"s3://{exports.bucket.name}/{key}", 4)]
        [row] = exports.log(pipe)
        assert (row["result"], row["written_rows"], row["output"], row["job_id"]) == ("ok", 4, 1, job["id"])
        assert (row["read_rows"], row["service"], row["error"]) == (4, "s3", None)
        assert row["token_name"] == "workspace admin token"

    @pytest.mark.parametrize("compression", ["none", "gz", "gzip", "zstd", "lz4", "br", "xz"])
    @pytest.mark.parametrize("form", ["csv", "ndjson"])
    def test_text(self, exports, form, compression):
        """Every compression of text, with its ending; the engine and Python read it back."""
        exports.run(exports.pipe(format=form, compression=compression))
        [key] = exports.bucket.names()
        ending = {"none": "", "gz": ".gz", "gzip": ".gz", "zstd": ".zst"}.get(compression, f".{compression}")
        assert key == f"out/all.{form}{ending}"
        data = exports.bucket.read(key)
        if compression == "none":
            text = data.decode()
        elif ending == ".gz":
            text = gzip.decompress(data).decode()
        else:
            assert b"2026-01-31" not in data
            return
        lines = text.splitlines()
        if form == "ndjson":
            assert json.loads(lines[2]) == {"country": "FR", "day": "2026-02-05", "n": 3}
        assert len(lines) == 4 + (form == "csv")

    @pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "br"])
    def test_parquet(self, exports, compression):
        """Parquet is compressed inside, with the method that was asked for."""
        parquet = pytest.importorskip("pyarrow.parquet")
        exports.run(exports.pipe(format="Parquet", compression=compression))
        [key] = exports.bucket.names()
        assert key == "out/all.parquet"
        file = parquet.ParquetFile(io.BytesIO(exports.bucket.read(key)))
        assert file.read().to_pydict()["n"] == [1, 2, 3, 4]
        method = {"none": "UNCOMPRESSED", "br": "BROTLI"}.get(compression, compression.upper())
        assert file.metadata.row_group(0).column(0).compression in (method, f"{method}_RAW")

    def test_partitions(self, exports):
        """A file for each country and month; what cannot be in a name becomes an underscore."""
        job = exports.run(exports.pipe(file_template="{country}/{day, '%Y-%m'}"))
        assert exports.bucket.names() == ["out/ES/2026-01.csv", "out/FR/2026-02.csv", "out/a_b/2026-02.csv"]
        assert exports.bucket.read("out/ES/2026-01.csv").decode().splitlines()[1:] == [
            '"ES","2026-01-01",1',
            '"ES","2026-01-31",2',
        ]
        assert [each["rows"] for each in job["files"]] == [2, 1, 1]
        assert job["progress_percentage"] == 100

    def test_date_folders(self, exports):
        """A format may make folders."""
        exports.run(exports.pipe(file_template="{day, '%Y/%m'}/x", format="ndjson"))
        assert exports.bucket.names() == ["out/2026/01/x.ndjson", "out/2026/02/x.ndjson"]

    def test_awkward_values(self, exports):
        """Values with dots, slashes, quotes, nothing and other alphabets stay inside of the prefix."""
        values = ["..", "", "a'b", "../../etc", "\N{SNOWMAN}", "\N{LATIN SMALL LETTER E WITH ACUTE}t", "{x}*?", "a b"]
        listed = ", ".join("unhex('" + value.encode().hex() + "')" for value in values)
        sql = f"SELECT arrayJoin([{listed}]) AS v, NULL AS nothing"
        job = exports.run(exports.pipe(sql, file_template="{v}/{nothing}"))
        keys = exports.bucket.names()
        assert all(key.startswith("out/") and ".." not in key.split("/") for key in keys), keys
        assert "out/\N{LATIN SMALL LETTER E WITH ACUTE}t/null.csv" in keys
        assert "out/a b/null.csv" in keys
        assert sum(len(exports.bucket.read(key).splitlines()) - 1 for key in keys) == len(values) == job["rows_written"]

    def test_order(self, exports):
        """The rows of a file stand in the order of the query."""
        sql = "SELECT number % 3 AS part, number AS n FROM numbers(300000) ORDER BY n DESC"
        for template in ("all", "{part}"):
            exports.run(exports.pipe(sql, file_template=template))
        for key in exports.bucket.names():
            numbers = [int(line.split(b",")[1]) for line in exports.bucket.read(key).splitlines()[1:]]
            assert len(numbers) in (100_000, 300_000)
            assert numbers == sorted(numbers, reverse=True), key

    @pytest.mark.parametrize("strategy", ["new", "truncate"])
    def test_one_name_twice(self, exports, strategy):
        """Values that come to the same name share a file; nothing is written over."""
        sql = "SELECT arrayJoin(['a', 'a.csv', '/a', 'b/c', 'b_c']) AS v"
        job = exports.run(exports.pipe(sql, file_template="{v}", write_strategy=strategy))
        assert {each["path"].rpartition("/")[2]: each["rows"] for each in job["files"]} == {
            "a.csv": 2,
            "_a.csv": 1,
            "b_c.csv": 2,
        }

    def test_split(self, exports):
        """A number in braces deals the rows out between so many files."""
        job = exports.run(exports.pipe("SELECT number AS n FROM numbers(10)", file_template="part_{3}"))
        assert exports.bucket.names() == ["out/part_0.csv", "out/part_1.csv", "out/part_2.csv"]
        assert sorted(each["rows"] for each in job["files"]) == [3, 3, 4]
        rows = [line for key in exports.bucket.names() for line in exports.bucket.read(key).splitlines()[1:]]
        assert sorted(map(int, rows)) == list(range(10))

    def test_nothing(self, exports):
        """Without rows a plain name gives a file with a header, and a partition none."""
        job = exports.run(exports.pipe("SELECT 1 AS a WHERE 0"))
        assert exports.bucket.read("out/all.csv") == b'"a"\n'
        assert job["rows_written"] == 0
        assert exports.run(exports.pipe("SELECT 1 AS a WHERE 0", file_template="{a}"))["files"] == []

    def test_new_and_truncate(self, exports):
        """An existing file is not touched by ``new``, and is written over by ``truncate``."""
        pipe = exports.pipe("% SELECT {{Int32(v, 0)}} AS v", compression="gz")
        for value in ("1", "2", "3"):
            exports.run(pipe, v=value)
        assert exports.bucket.names() == ["out/all.1.csv.gz", "out/all.2.csv.gz", "out/all.csv.gz"]
        exports.run(pipe, v="9", write_strategy="truncate")
        assert len(exports.bucket.names()) == 3
        contents = {key: gzip.decompress(exports.bucket.read(key)) for key in exports.bucket.names()}
        assert [contents[key].split()[1] for key in sorted(contents)] == [b"2", b"3", b"9"]

    def test_large(self, exports):
        """More than one part of an upload arrives whole."""
        sql = "SELECT number, sipHash64(number) AS h, toString(h) AS t FROM numbers(1500000)"
        job = exports.run(exports.pipe(sql))
        assert job["rows_written"] == 1_500_000
        data = exports.bucket.read("out/all.csv")
        assert len(data) > 40_000_000
        assert data.count(b"\n") == 1_500_001


class TestRuns:
    def test_parameters(self, exports):
        """Template parameters in a form, URL or JSON; settings of the run do not change the Pipe."""
        pipe = exports.pipe("% SELECT {{Int32(a, 1)}} AS a, {{String(b, 'x')}} AS b")
        exports.run(pipe, a="2", file_template="form")
        reply = exports.api.post(f"/v0/pipes/{pipe}/sink", params={"a": "3", "file_template": "url"})
        exports.wait(reply.json()["job"]["id"])
        body = {"a": 4, "b": "it's", "file_template": "json", "format": "ndjson", "compression": "gzip"}
        reply = exports.api.post(f"/v0/pipes/{pipe}/sink", json=body)
        exports.wait(reply.json()["job"]["id"])
        assert exports.bucket.read("out/form.csv") == b'"a","b"\n2,"x"\n'
        assert exports.bucket.read("out/url.csv") == b'"a","b"\n3,"x"\n'
        assert json.loads(gzip.decompress(exports.bucket.read("out/json.ndjson.gz"))) == {"a": 4, "b": "it's"}
        assert exports.api.get(f"/v0/pipes/{pipe}").json()["sink"]["file_template"] == "all"
        assert exports.log(pipe)[0]["parameters"] == {"a": "2"}

    def test_wrong_parameters(self, exports):
        """What can be known before the run is told at once."""
        pipe = exports.pipe("% SELECT {{Int32(a)}} AS a")
        for fields, text in (
            ({"a": "x"}, "a"),
            ({"a": "1", "format": "xml"}, "format must be"),
            ({"a": "1", "path": "nowhere"}, "path must be"),
            ({"a": "1", "file_template": "{b}"}, "no column 'b'"),
            ({"a": "1", "connection": "sinks_none"}, "'sinks_none' does not exist"),
        ):
            reply = exports.api.post(f"/v0/pipes/{pipe}/sink", data=fields)
            assert reply.status_code == 400, reply.text
            assert text in reply.json()["error"]
        assert exports.bucket.names() == []

    def test_cancel(self, exports):
        """A cancelled run writes nothing, with one file or several; another run is refused meanwhile."""
        for template in ("all", "{part}"):
            pipe = exports.pipe(ENDLESS, file_template=template)
            job = exports.start(pipe)
            again = exports.api.post(f"/v0/pipes/{pipe}/sink")
            assert again.status_code == 409
            assert "running job" in again.json()["error"]
            time.sleep(0.3)
            assert exports.api.post(f"/v0/jobs/{job}/cancel").status_code == 200
            assert exports.wait(job)["status"] == "cancelled"
            assert exports.log(pipe)[0]["error"] == "The job was cancelled."
        assert exports.bucket.names() == []

    def test_partly(self, exports):
        """A run that fails on the way names what it has written."""
        sql = "SELECT arrayJoin(['a', 'b', repeat('c', 1100)]) AS v"
        pipe = exports.pipe(sql, file_template="{v}")
        job = exports.wait(exports.start(pipe))
        assert job["status"] == "error"
        assert job["error"].endswith(
            f"These files were written before and are whole: s3://{exports.bucket.name}/out/a.csv, "
            f"s3://{exports.bucket.name}/out/b.csv."
        )
        assert [each["rows"] for each in job["files"]] == [1, 1]
        assert exports.bucket.names() == ["out/a.csv", "out/b.csv"]
        [row] = exports.log(pipe)
        assert (row["result"], row["written_rows"], row["output"]) == ("error", 2, 2)

    def test_failing_query(self, exports):
        """A query that fails half-way leaves no file."""
        pipe = exports.pipe("SELECT throwIf(number = 900000) FROM numbers(1000000)")
        job = exports.wait(exports.start(pipe))
        assert job["status"] == "error"
        assert "throwIf" in job["error"]
        assert job["error"].endswith("No file was written.")
        assert exports.bucket.names() == []

    def test_once(self, exports):
        """A schedule runs without anybody asking, and the run counts as scheduled."""
        pipe = exports.pipe(schedule_cron="@once")
        deadline = time.monotonic() + 30
        while not exports.log(pipe):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        [row] = exports.log(pipe)
        assert (row["result"], row["options"]["execution_type"], row["token_name"]) == ("ok", "scheduled", "")
        assert exports.bucket.names() == ["out/all.csv"]

    @pytest.mark.slow
    def test_cron(self, exports):
        """A cron schedule fires at its minute, with that minute as ``job_timestamp``."""
        pipe = exports.pipe("% SELECT {{DateTime(job_timestamp)}} AS at", schedule_cron="* * * * *")
        shown = exports.api.get(f"/v0/pipes/{pipe}").json()
        assert shown["schedule"] == {"timezone": "Etc/UTC", "cron": "* * * * *", "status": "running"}
        deadline = time.monotonic() + 75
        while not exports.bucket.names():
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert exports.bucket.read("out/all.csv").strip().endswith(b':00"')
        assert exports.api.request("DELETE", f"/v0/pipes/{pipe}/nodes/exporter/sink").status_code == 204

    def test_secret(self, exports):
        """Environment Variables work in the query, in the settings and in the connection, and are not written."""
        api = exports.api
        names = {"sinks_word": "FR", "sinks_bucket": exports.bucket.name, "sinks_secret_key": SECRET}
        for name, value in names.items():
            assert api.post("/v0/variables", data={"name": name, "value": value}).status_code == 200
        connection = new("s3")
        fields = {
            "name": connection,
            "service": "s3",
            "s3_access_key_id": KEY_ID,
            "s3_secret_access_key": '{{ tb_secret("sinks_secret_key") }}',
            "s3_endpoint": exports.bucket.endpoint,
        }
        assert api.post("/v0/connectors", data=fields).status_code == 200
        sql = f"% SELECT n FROM {exports.source} WHERE country = {{{{tb_secret('sinks_word')}}}}"
        pipe = exports.pipe(sql, connection=connection, path='s3://{{ tb_secret("sinks_bucket") }}/secret')
        assert exports.run(pipe)["rows_written"] == 1
        assert exports.bucket.read("secret/all.csv") == b'"n"\n3\n'
        assert api.get(f"/v0/pipes/{pipe}").json()["sink"]["path"] == 's3://{{ tb_secret("sinks_bucket") }}/secret'
        assert pipe in api.get("/v0/variables/sinks_word").json()["used_by"]

    def test_variables_are_not_told(self, exports):
        """Neither job nor log nor error shows what stands in the settings; a token for reading cannot name others."""
        api, value = exports.api, "never-to-be-seen-anywhere-in-a-reply-of-the-server"
        assert api.post("/v0/variables", data={"name": "sinks_hidden", "value": value}).status_code == 200
        named = '{{ tb_secret("sinks_hidden") }}'
        pipe = exports.pipe(path=f"s3://{exports.bucket.name}/{named}/x")
        job = exports.run(pipe)
        assert exports.bucket.names() == [f"{value}/x/all.csv"]
        assert [each["path"] for each in job["files"]] == [f"s3://{exports.bucket.name}/[secret]/x/all.csv"]
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"}).json()["token"]
        for key in ("format", "path", "compression", "write_strategy", "file_template"):
            mine = api.post(f"/v0/pipes/{pipe}/sink", data={key: named})
            changing = api.post(f"/v0/pipes/{pipe}/nodes/exporter/sink", data={key: f"{named}{{{named}}}"})
            weak = api.post(f"/v0/pipes/{pipe}/sink", data={key: named}, token=token)
            if mine.status_code == 200:
                exports.wait(mine.json()["job"]["id"])
            if key in ("path", "write_strategy"):
                assert (weak.status_code, "PIPES:CREATE" in weak.json()["error"]) == (403, True)
            else:
                assert (weak.status_code, weak.json()["error"][:34]) == (
                    400,
                    "Cannot access secret 'sinks_hidden'"[:34],
                )
            for reply in (mine, changing, weak):
                assert not any(value[at : at + 5] in reply.text for at in range(len(value) - 5)), (key, reply.text)
        log = api.sql("SELECT * FROM tinybird.sinks_ops_log FORMAT JSON").text
        assert pipe in log
        assert value not in log + api.get("/v0/jobs").text + api.sql("SELECT * FROM tinybird.jobs_log").text


class TestFailures:
    def test_bucket(self, exports):
        """A bucket that is not there is named."""
        job = exports.wait(exports.start(exports.pipe(path="s3://no-such-bucket/x")))
        assert job["status"] == "error"
        assert "The specified bucket does not exist" in job["error"]

    def test_endpoint(self, api, bucket):
        """A service that does not answer is told within seconds."""
        exports = Exports(api, bucket, s3_endpoint="http://127.0.0.1:1")
        begin = time.monotonic()
        job = exports.wait(exports.start(exports.pipe()))
        assert job["status"] == "error"
        assert "Connection refused" in job["error"]
        assert "Stack trace" not in job["error"]
        assert time.monotonic() - begin < 30

    def test_credentials(self, api):
        """Wrong credentials are refused by the service; the message does not have them."""
        with running() as url:
            exports = Exports(api, Bucket(url))
            pipe = exports.pipe()
            assert requests.post(f"{url}/moto-api/reset-auth", data="0", timeout=10).ok
            try:
                job = exports.wait(exports.start(pipe))
            finally:
                requests.post(f"{url}/moto-api/reset-auth", data="inf", timeout=10)
            assert job["status"] == "error"
            assert "ACCESS_DENIED" in job["error"]
            assert exports.log(pipe)[0]["result"] == "error"

    @pytest.mark.parametrize(
        ("connection", "sink", "text"),
        [
            (
                {"service": "kafka", "kafka_bootstrap_servers": "b:9092"},
                {"kafka_topic": "t", "path": "", "file_template": ""},
                "is one to kafka",
            ),
            ({"service": "gcs_hmac", "gcs_hmac_secret": "x"}, {"path": "gs://bucket/x"}, "is one to gcs_hmac"),
            ({"service": "s3_iamrole", "s3_iamrole_arn": "arn:x"}, {}, "cannot take on a role"),
        ],
    )
    def test_elsewhere(self, exports, connection, sink, text):
        """Sinks to other services are kept and shown, and not run."""
        name = new("other")
        assert exports.api.post("/v0/connectors", data={"name": name, **connection}).status_code == 200
        pipe = exports.pipe(connection=name, **sink)
        shown = exports.api.get(f"/v0/pipes/{pipe}").json()
        assert (shown["type"], shown["sink"]["connection"]) == ("sink", name)
        reply = exports.api.post(f"/v0/pipes/{pipe}/sink")
        assert reply.status_code == 400
        assert text in reply.json()["error"]

    def test_nowhere_else(self, exports):
        """The SQL of a sink reaches no URL, file or bucket; that is for its connection."""
        for function in (
            f"s3('{exports.bucket.endpoint}/{exports.bucket.name}/x.csv')",
            f"url('{exports.bucket.endpoint}/')",
            "file('/etc/passwd', 'LineAsString')",
        ):
            nodes = [{"name": "exporter", "sql": f"SELECT * FROM {function}"}]
            name = new("evil")
            if exports.api.post("/v0/pipes", json={"name": name, "nodes": nodes}).status_code != 200:
                continue
            reply = exports.api.post(f"/v0/pipes/{name}/nodes/exporter/sink", data=exports.settings())
            if reply.status_code == 200:
                assert exports.api.post(f"/v0/pipes/{name}/sink").status_code == 400
        assert exports.bucket.names() == []


class TestDefinition:
    def test_shown(self, exports):
        """The Pipe says what it is, and the connection which sinks use it and so cannot go."""
        pipe = exports.pipe(schedule_cron="0 */1 * * *", compression="gzip")
        shown = exports.api.get(f"/v0/pipes/{pipe}").json()
        [node] = shown["nodes"]
        assert (shown["type"], shown["sink_node"], node["node_type"]) == ("sink", node["id"], "sink")
        assert shown["schedule"] == {"timezone": "Etc/UTC", "cron": "0 */1 * * *", "status": "running"}
        connection = exports.api.get(f"/v0/connectors/{exports.connection}").json()
        assert [each["name"] for each in connection["sinks"]] == [pipe]
        assert exports.api.request("DELETE", f"/v0/connectors/{exports.connection}").status_code == 409
        assert exports.api.request("DELETE", f"/v0/pipes/{pipe}/nodes/exporter/sink").status_code == 204
        plain = exports.api.get(f"/v0/pipes/{pipe}").json()
        assert plain["type"] == "default"
        assert "sink_node" not in plain
        assert exports.api.post(f"/v0/pipes/{pipe}/sink").status_code == 400
        assert exports.api.request("DELETE", f"/v0/pipes/{pipe}/nodes/exporter/sink").status_code == 400

    def test_changed(self, exports):
        """Posting again changes what is given and keeps the rest."""
        pipe = exports.pipe(compression="gzip")
        reply = exports.api.post(f"/v0/pipes/{pipe}/nodes/exporter/sink", params={"format": "ndjson"})
        assert reply.status_code == 200, reply.text
        assert reply.json()["sink"]["compression"] == "gzip"
        exports.run(pipe)
        assert exports.bucket.names() == ["out/all.ndjson.gz"]

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"connection": ""}, "'connection' is missing"),
            ({"connection": "sinks_nowhere"}, "does not exist"),
            ({"path": ""}, "'path' is missing"),
            ({"file_template": ""}, "'file_template' is missing"),
            ({"file_template": "{nope}"}, "no column 'nope'"),
            ({"schedule_cron": "every day"}, "Invalid cron expression: 'every day'"),
            ({"service": "kafka"}, "is one to s3"),
            ({"write_strategy": "append"}, "write_strategy must be"),
        ],
    )
    def test_refused(self, exports, fields, text):
        """What cannot be used is said, and the Pipe stays as it was."""
        name = new("pipe")
        nodes = [{"name": "exporter", "sql": "SELECT 1 AS a"}]
        assert exports.api.post("/v0/pipes", json={"name": name, "nodes": nodes}).status_code == 200
        reply = exports.api.post(f"/v0/pipes/{name}/nodes/exporter/sink", data=exports.settings(**fields))
        assert reply.status_code == 400, reply.text
        assert text in reply.json()["error"]
        assert exports.api.get(f"/v0/pipes/{name}").json()["type"] == "default"

    def test_one_output(self, exports):
        """An endpoint has to be unpublished before."""
        name = new("pipe")
        nodes = [{"name": "exporter", "sql": "SELECT 1 AS a", "type": "endpoint"}, {"name": "b", "sql": "SELECT 1"}]
        assert exports.api.post("/v0/pipes", json={"name": name, "nodes": nodes}).status_code == 200
        for node in ("b", "exporter"):
            reply = exports.api.post(f"/v0/pipes/{name}/nodes/{node}/sink", data=exports.settings())
            assert reply.status_code == 400, reply.text
        assert exports.api.get(f"/v0/pipes/{name}").json()["type"] == "endpoint"

    def test_datafile(self, exports):
        """The text of the Pipe has the settings under the names of datafiles."""
        pipe = exports.pipe(file_template="{country}", compression="gz", schedule_cron="0 1 * * *")
        text = exports.api.get(f"/v0/pipes/{pipe}.pipe").text
        for line in (
            "TYPE SINK",
            "EXPORT_SERVICE s3",
            f"EXPORT_CONNECTION_NAME {exports.connection}",
            "EXPORT_SCHEDULE 0 1 * * *",
            f"EXPORT_BUCKET_URI s3://{exports.bucket.name}/out",
            "EXPORT_FILE_TEMPLATE {country}",
            "EXPORT_FORMAT csv",
            "EXPORT_COMPRESSION gzip",
        ):
            assert line in text.replace('"', ""), (line, text)

    def test_scopes(self, exports):
        """Reading the Pipe is enough to run it and to say how files look; not to change it, or where they go."""
        pipe = exports.pipe()
        token = exports.api.post("/v0/tokens", params={"name": pipe, "scope": f"PIPES:READ:{pipe}"}).json()["token"]
        reply = exports.api.post(f"/v0/pipes/{pipe}/sink", token=token)
        assert reply.status_code == 200, reply.text
        exports.wait(reply.json()["job"]["id"])
        reply = exports.api.post(f"/v0/pipes/{pipe}/sink", data={"format": "ndjson"}, token=token)
        exports.wait(reply.json()["job"]["id"])
        written = exports.bucket.names()
        for key, value in (
            ("connection", "x"),
            ("path", f"s3://{exports.bucket.name}/y"),
            ("write_strategy", "truncate"),
        ):
            reply = exports.api.post(f"/v0/pipes/{pipe}/sink", data={key: value}, token=token)
            assert (reply.status_code, "PIPES:CREATE" in reply.json()["error"]) == (403, True)
        assert exports.bucket.names() == written
        path = f"/v0/pipes/{pipe}/nodes/exporter/sink"
        assert exports.api.post(path, token=token, data=exports.settings()).status_code == 403
        other = exports.pipe()
        assert exports.api.post(f"/v0/pipes/{other}/sink", token=token).status_code == 403


def test_crash(bucket: Bucket, tmp_path: Path) -> None:
    """A run that dies with the server is an error afterwards, and the next one is not held up."""
    server = local.start(path=tmp_path / "data", port=0, with_parent=True)
    tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
    exports = Exports(Api(server.host, tokens["workspace_admin_token"]), bucket)
    pipe = exports.pipe(f"% {{% if defined(endless) %}} {ENDLESS} {{% else %}} SELECT 1 AS part {{% end %}}")
    job_id = exports.start(pipe, endless="1", file_template="{part}")
    time.sleep(0.5)
    os.kill(server.pid, signal.SIGKILL)
    again = local.start(path=tmp_path / "data", port=0, with_parent=True)
    try:
        exports.api = Api(again.host, tokens["workspace_admin_token"])
        job = exports.wait(job_id)
        assert job["status"] == "error"
        assert "Files that it had written by then are in the bucket." in job["error"]
        assert exports.run(pipe)["rows_written"] == 1
        assert bucket.names() == ["out/all.csv"]
    finally:
        local.stop(port=again.port)


def test_credentials_in_no_file(bucket: Bucket, tmp_path: Path, private_folders: Path) -> None:
    """After good and bad runs neither data folder nor logs have the secret key in clear."""
    server = local.start(path=tmp_path / "data", port=0, with_parent=True)
    try:
        tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
        exports = Exports(Api(server.host, tokens["workspace_admin_token"]), bucket)
        exports.run(exports.pipe())
        exports.run(exports.pipe(file_template="{country}"))
        assert exports.wait(exports.start(exports.pipe(path="s3://no-such-bucket/x")))["status"] == "error"
        exports.api.sql("SELECT * FROM tinybird.jobs_log")
    finally:
        local.stop(port=server.port)
    files = [each for folder in (tmp_path, private_folders) for each in folder.rglob("*") if each.is_file()]
    assert len(files) > 5
    for file in files:
        content = file.read_bytes()
        assert SECRET.encode() not in content, file
        assert KEY_ID.encode() not in content, file
