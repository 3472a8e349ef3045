"""Connections, secrets and Sink Pipes by the vendor's command lines, with files in the bucket of an S3 server."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

KEY_ID, SECRET = "vendor-key-id", "vendor-secret-key"

SINK = """NODE exporter
SQL >
    %
    SELECT carrier, day, delay FROM {source} WHERE delay > {{{{Int32(least, -100)}}}} ORDER BY day

TYPE sink
EXPORT_SERVICE s3
EXPORT_CONNECTION_NAME {connection}
EXPORT_SCHEDULE @on-demand
EXPORT_BUCKET_URI s3://vendor-bucket/{folder}
EXPORT_FILE_TEMPLATE {template}
EXPORT_FORMAT csv
EXPORT_COMPRESSION gz
"""


@pytest.fixture(scope="module", autouse=True)
def bucket() -> Iterator[Any]:
    """A bucket, at the place that servers which start now take for S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="vendor-bucket")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        yield client
    server.stop()


def keys(bucket: Any, prefix: str) -> list[str]:
    """Names of the files below a prefix."""
    listed = bucket.list_objects_v2(Bucket="vendor-bucket", Prefix=prefix)
    return sorted(each["Key"] for each in listed.get("Contents", []))


def test_classic_connections(tb_classic: Any, server: Any) -> None:
    """A connection is made, listed and removed; the list does not have its key."""
    arguments = ["--key", KEY_ID, "--secret", SECRET, "--region", "us-east-1", "--connection-name"]
    tb_classic("connection", "create", "s3", *arguments, "classic_s3")
    [made] = server.request("GET", "/v0/connectors").json()["connectors"]
    assert (made["name"], made["service"], made["settings"]) == ("classic_s3", "s3", {"s3_region": "us-east-1"})
    listed = tb_classic("connection", "ls")
    assert "classic_s3" in listed
    assert SECRET not in listed
    tb_classic("connection", "rm", "classic_s3", "--force", code=None)
    if server.request("GET", "/v0/connectors").json()["connectors"]:
        tb_classic("connection", "rm", "classic_s3")
    assert server.request("GET", "/v0/connectors").json()["connectors"] == []


def test_classic_sink(tb_classic: Any, server: Any, bucket: Any) -> None:
    """A Sink Pipe is pushed, run with a parameter, and pushed again."""
    server.create("classic_source")
    server.fill("classic_source")
    arguments = ["--key", KEY_ID, "--secret", SECRET, "--region", "us-east-1", "--connection-name"]
    tb_classic("connection", "create", "s3", *arguments, "classic_out", "--no-validate")
    text = SINK.format(source="classic_source", connection="classic_out", folder="classic", template="all")
    tb_classic("push", tb_classic.write("pipes/classic_sink.pipe", text))
    pipe = server.request("GET", "/v0/pipes/classic_sink").json()
    assert pipe["type"] == "sink"
    assert pipe["sink"]["compression"] == "gzip"
    output = tb_classic("pipe", "sink", "run", "classic_sink", "--param", "least=0", "--wait", "--yes")
    assert re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", output), output
    [job] = server.request("GET", "/v0/jobs", params={"kind": "sink"}).json()["jobs"]
    assert (job["status"], job["rows_written"]) == ("done", 2)
    assert keys(bucket, "classic") == ["classic/all.csv.gz"]
    changed = text.replace("all", "{carrier}")
    tb_classic("push", tb_classic.write("pipes/classic_sink.pipe", changed), "--force", "--yes")
    tb_classic("pipe", "sink", "run", "classic_sink", "--wait", "--yes")
    assert keys(bucket, "classic/") == [
        "classic/AA.csv.gz",
        "classic/DL.csv.gz",
        "classic/UA.csv.gz",
        "classic/all.csv.gz",
    ]


def test_forward_secrets(tb_forward: Any, server: Any) -> None:
    """A secret is set, set again, listed and removed."""
    tb_forward("secret", "set", "forward_secret", "first-value")
    tb_forward("secret", "set", "forward_secret", "second-value")
    listed = tb_forward("secret", "ls")
    assert "forward_secret" in listed
    assert "-value" not in listed
    q = "% SELECT {{tb_secret('forward_secret')}} = 'second-value'"
    assert server.request("POST", "/v0/sql", data={"q": q}).text == "1\n"
    tb_forward("secret", "rm", "forward_secret")
    assert server.request("GET", "/v0/variables/forward_secret").status_code == 404


def test_forward_sink(tb_forward: Any, server: Any, bucket: Any) -> None:
    """A project with a connection that uses a secret and a Sink Pipe is deployed and the sink run."""
    tb_forward("secret", "set", "forward_s3_secret", SECRET)
    tb_forward.write(
        "connections/forward_out.connection",
        f'TYPE s3\nS3_REGION us-east-1\nS3_ACCESS_KEY {KEY_ID}\nS3_SECRET {{{{ tb_secret("forward_s3_secret") }}}}\n',
    )
    schema = 'SCHEMA >\n    `carrier` String,\n    `day` Date,\n    `delay` Int16\n\nENGINE "MergeTree"\n'
    tb_forward.write("datasources/forward_source.datasource", schema + 'ENGINE_SORTING_KEY "day"\n')
    text = SINK.format(
        source="forward_source", connection="forward_out", folder="forward", template="\"{carrier}_{day, '%Y'}\""
    )
    tb_forward.write("pipes/forward_sink.pipe", text)
    tb_forward("deploy", "--wait", "--auto")
    server.fill("forward_source")
    assert "forward_sink" in tb_forward("sink", "ls")
    tb_forward("sink", "run", "forward_sink", "--wait")
    assert keys(bucket, "forward") == [
        "forward/AA_2026.csv.gz",
        "forward/DL_2026.csv.gz",
        "forward/UA_2026.csv.gz",
    ]
    assert "forward_out" in tb_forward("connection", "ls")
