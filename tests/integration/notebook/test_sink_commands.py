"""``%tinybird sink`` in a real IPython against a real server, which writes into a real S3 protocol server."""

from __future__ import annotations

import itertools
import json

import pytest

from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()
NEVER = "0 0 1 1 *"


def new(kind):
    """A name that no other test has."""
    return f"cmdsinks_{kind}_{next(_numbers)}"


@pytest.fixture
def connection(workspace, bucket):
    return workspace.connections.create(new("s3"), "s3", bucket.settings).name


@pytest.fixture
def plain(workspace):
    sql = "%\nSELECT number AS n FROM numbers({{Int32(m, 3)}})"
    return workspace.pipes.create(new("pipe"), {"name": "exporter", "sql": sql}).name


@pytest.fixture
def pipe(workspace, plain, connection, bucket):
    path = f"s3://{bucket.name}/out"
    workspace.sinks.create(plain, "exporter", connection=connection, path=path, file_template="all")
    return plain


def test_create_and_ls(connected, plain, connection, bucket):
    printed = connected.ok(
        f"%tinybird sink create {plain} exporter --connection {connection} --path s3://{bucket.name}/out "
        f"--file-template all --format ndjson --compression gzip --schedule '{NEVER}' --write-strategy truncate"
    ).printed
    assert printed.strip() == f"exporter of {plain} is written to {connection} at {NEVER} (UTC)."
    row = connected.ok("%tinybird sink ls").value.set_index("pipe").loc[plain]
    assert row.to_dict() == {
        "node": "exporter",
        "connection": connection,
        "writes to": f"s3://{bucket.name}/out/all",
        "format": "ndjson",
        "schedule": NEVER,
        "status": "running",
    }


def test_run(connected, pipe, bucket):
    printed = connected.ok(f"%tinybird sink run {pipe} --param m=1 --wait").printed
    assert f"s3://{bucket.name}/out/all.csv" in printed
    assert bucket.read("out/all.csv") == b'"n"\n0\n'
    connected.ok(f"%tinybird sink run {pipe} --format ndjson --file-template other --wait")
    assert bucket.names() == ["out/all.csv", "out/other.ndjson"]


def test_schedule(connected, workspace, pipe):
    assert f"at {NEVER} (UTC)" in connected.ok(f"%tinybird sink schedule {pipe} '{NEVER}'").printed
    assert workspace.pipes.get(pipe).schedule.cron == NEVER
    assert "only when asked" in connected.ok(f"%tinybird sink schedule {pipe} none").printed


def test_rm(connected, workspace, pipe, monkeypatch):
    def nobody(_=""):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert isinstance(connected.run(f"%tinybird sink rm {pipe}").error, CellProblem)
    connected.ok(f"%tinybird sink rm {pipe} --yes")
    assert workspace.pipes.get(pipe).type == "default"


def test_settings_and_policies(connected):
    assert "arn:aws:iam::" in connected.ok("%tinybird sink settings").printed
    document = json.loads(connected.ok("%tinybird sink policy write-access-policy --bucket mine").printed)
    assert "arn:aws:s3:::mine" in str(document)
    assert "Did you mean trust-policy?" in "\n".join(connected.run("%tinybird sink policy trust-polcy").card)


def test_mistakes(connected, pipe, plain):
    for line, words in (
        (f"create {plain} exporter", "--connection is needed"),
        (f"create {plain} exporterr --connection x", "Did you mean exporter?"),
        (f"run {pipe}x", pipe),
        (f"run {pipe} --format xml", "csv, ndjson or parquet"),
        (f"run {pipe} --param m=many", "validating"),
    ):
        ran = connected.run(f"%tinybird sink {line}")
        assert words in "\n".join(ran.card), (line, ran.card)
