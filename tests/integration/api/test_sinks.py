"""The client of Sink Pipes: they write into a bucket of a real S3 protocol server; and what goes wrong."""

from __future__ import annotations

import gzip
import itertools

import pytest

import tinymagic
from tinymagic import errors

pytest.importorskip("boto3")
pytest.importorskip("moto.server")

from tests.integration.s3_server import SECRET

_numbers = itertools.count()
NEVER = "0 0 1 1 *"


def new(kind):
    """A name that no other test has."""
    return f"apisinks_{kind}_{next(_numbers)}"


@pytest.fixture
def sinks(workspace):
    return workspace.sinks


@pytest.fixture
def connection(workspace, bucket):
    return workspace.connections.create(new("s3"), "s3", bucket.settings).name


@pytest.fixture
def plain(workspace):
    """A Pipe with a parameter, and no output."""
    sql = "%\nSELECT number AS n, if(number < 2, 'a', 'b') AS part FROM numbers({{Int32(m, 3)}})"
    return workspace.pipes.create(new("pipe"), {"name": "exporter", "sql": sql}).name


@pytest.fixture
def pipe(sinks, plain, connection, bucket):
    """The same, as a sink without a schedule."""
    sinks.create(plain, "exporter", connection=connection, path=f"s3://{bucket.name}/out", file_template="all")
    return plain


class TestCreate:
    def test_settings(self, sinks, plain, connection, bucket, workspace):
        made = sinks.create(
            plain,
            "exporter",
            connection=connection,
            path=f"s3://{bucket.name}/out",
            file_template="{part}",
            format="ndjson",
            compression="gzip",
            schedule_cron=NEVER,
            write_strategy="truncate",
        )
        assert (made.type, made.schedule.cron) == ("sink", NEVER)
        assert made.node(made.sink_node).name == "exporter"
        [found] = [each for each in sinks.list() if each.pipe == plain]
        assert (found.node, found.connection, found.service) == ("exporter", connection, "s3")
        assert (found.path, found.file_template) == (f"s3://{bucket.name}/out", "{part}")
        assert (found.format, found.compression, found.write_strategy) == ("ndjson", "gzip", "truncate")
        assert found.schedule.cron == NEVER

    def test_kafka(self, sinks, plain, workspace):
        kafka = workspace.connections.create(new("kafka"), "kafka", {"kafka_bootstrap_servers": "127.0.0.1:1"}).name
        sinks.create(plain, "exporter", connection=kafka, kafka_topic="rows", service="kafka")
        [found] = [each for each in sinks.list() if each.pipe == plain]
        assert (found.kafka_topic, found.service) == ("rows", "kafka")
        with pytest.raises(errors.BadRequest):
            sinks.run(plain)

    def test_what_cannot_be(self, sinks, plain, connection, bucket):
        good = {"connection": connection, "path": f"s3://{bucket.name}/out", "file_template": "all"}
        for bad in (
            {"connection": "apisinks_none"},
            {"path": "http://somewhere"},
            {"file_template": "{no_such_column}"},
            {"format": "xml"},
            {"compression": "rar"},
            {"write_strategy": "perhaps"},
            {"schedule_cron": "every day"},
            {"path": None},
        ):
            with pytest.raises(errors.BadRequest):
                sinks.create(plain, "exporter", **{**good, **bad})
        with pytest.raises(errors.NotFound):
            sinks.create(plain, "none", **good)
        with pytest.raises(errors.NotFound):
            sinks.create("apisinks_none", "exporter", **good)

    def test_a_second_output(self, sinks, workspace, plain, connection, bucket):
        workspace.pipes.publish(plain)
        with pytest.raises(errors.BadRequest, match="Unpublish"):
            sinks.create(plain, "exporter", connection=connection, path=f"s3://{bucket.name}", file_template="all")

    def test_without_scope(self, server, api, pipe, connection):
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"}).json()["token"]
        mine = tinymagic.connect(token=token, host=server.host)
        with pytest.raises(errors.Forbidden):
            mine.sinks.create(pipe, "exporter", connection=connection)
        with pytest.raises(errors.Forbidden):
            mine.sinks.remove(pipe, "exporter")
        with pytest.raises(errors.Forbidden):
            mine.sinks.run(pipe, path="s3://elsewhere")
        with pytest.raises(errors.Forbidden):
            mine.sinks.settings()


class TestRun:
    def test_files(self, sinks, workspace, pipe, bucket):
        job = sinks.run(pipe, params={"m": 2})
        done = workspace.jobs.wait(job, timeout_s=60)
        assert (done.kind, done.status) == ("sink", "done")
        assert bucket.read("out/all.csv") == b'"n","part"\n0,"a"\n1,"a"\n'

    def test_other_settings_for_one_run(self, sinks, workspace, pipe, bucket):
        job = sinks.run(
            pipe,
            path=f"s3://{bucket.name}/other",
            file_template="{part}",
            format="ndjson",
            compression="gzip",
            write_strategy="truncate",
        )
        workspace.jobs.wait(job, timeout_s=60)
        assert bucket.names() == ["other/a.ndjson.gz", "other/b.ndjson.gz"]
        assert gzip.decompress(bucket.read("other/b.ndjson.gz")) == b'{"n":2,"part":"b"}\n'
        [found] = [each for each in sinks.list() if each.pipe == pipe]
        assert (found.format, found.path) == ("csv", f"s3://{bucket.name}/out")

    def test_what_cannot_be(self, sinks, workspace, pipe, bucket):
        with pytest.raises(errors.InvalidInput, match="compression"):
            sinks.run(pipe, params={"compression": "gzip"})
        with pytest.raises(errors.BadRequest):
            sinks.run(pipe, params={"m": "many"})
        with pytest.raises(errors.NotFound):
            sinks.run("apisinks_none")
        with pytest.raises(errors.BadRequest):
            sinks.run(workspace.pipes.create(new("pipe"), "SELECT 1 AS one").name)
        assert bucket.names() == []

    def test_a_second_run(self, sinks, workspace, connection, bucket):
        sql = "SELECT number AS n FROM numbers(1000000000000) WHERE sipHash64(toString(number)) = 1"
        name = workspace.pipes.create(new("pipe"), {"name": "exporter", "sql": sql}).name
        sinks.create(name, "exporter", connection=connection, path=f"s3://{bucket.name}/out", file_template="all")
        job = sinks.run(name)
        with pytest.raises(errors.Conflict):
            sinks.run(name)
        workspace.jobs.cancel(job.id)
        with pytest.raises(errors.JobFailed):
            workspace.jobs.wait(job, timeout_s=60)

    def test_a_bucket_that_is_not_there(self, sinks, workspace, pipe):
        with pytest.raises((errors.JobFailed, errors.ApiError)) as caught:
            workspace.jobs.wait(sinks.run(pipe, path="s3://bucket-none/out"), timeout_s=60)
        assert SECRET not in str(caught.value)


class TestUpdate:
    def test_keeps_the_rest(self, sinks, pipe, bucket):
        assert sinks.update(pipe, schedule_cron=NEVER).schedule.cron == NEVER
        sinks.update(pipe, format="ndjson")
        [found] = [each for each in sinks.list() if each.pipe == pipe]
        assert (found.format, found.file_template, found.schedule.cron) == ("ndjson", "all", NEVER)
        assert sinks.update(pipe, schedule_cron="").schedule is None

    def test_what_cannot_be(self, sinks, plain, pipe, workspace):
        with pytest.raises(errors.InvalidInput):
            sinks.update(pipe)
        other = workspace.pipes.create(new("pipe"), "SELECT 1 AS one").name
        with pytest.raises(errors.InvalidInput, match="no sink"):
            sinks.update(other, format="csv")
        with pytest.raises(errors.BadRequest):
            sinks.update(pipe, schedule_cron="every day")


class TestRemove:
    def test_files_stay(self, sinks, workspace, pipe, bucket):
        workspace.jobs.wait(sinks.run(pipe), timeout_s=60)
        sinks.remove(pipe)
        assert workspace.pipes.get(pipe).type == "default"
        assert bucket.names() == ["out/all.csv"]
        with pytest.raises(errors.InvalidInput, match="no sink"):
            sinks.remove(pipe)
        with pytest.raises(errors.BadRequest):
            sinks.remove(pipe, "exporter")
        with pytest.raises(errors.NotFound):
            sinks.remove("apisinks_none")


class TestIntegrations:
    def test_settings(self, sinks):
        assert sinks.settings()["principal"].startswith("arn:aws:iam::")
        with pytest.raises(errors.BadRequest):
            sinks.settings("kafka")

    def test_policy(self, sinks):
        assert "sts:AssumeRole" in str(sinks.policy("s3", "trust-policy", external_id_seed="x"))
        assert "s3:PutObject" in str(sinks.policy("s3", "write-access-policy", bucket="mine"))
        assert "arn:aws:s3:::mine/*" in str(sinks.policy("s3", "read-access-policy", bucket="mine"))
        with pytest.raises(errors.NotFound):
            sinks.policy("s3", "other-policy")
        with pytest.raises(errors.BadRequest):
            sinks.policy("gcs", "trust-policy")

    def test_bigquery(self, sinks):
        with pytest.raises(errors.BadRequest):
            sinks.bigquery_credentials()
