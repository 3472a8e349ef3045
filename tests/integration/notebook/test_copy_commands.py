"""``%tinybird copy`` in a real IPython against a real server."""

from __future__ import annotations

import itertools

import pytest

from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()
NEVER = "0 0 1 1 *"


def new(kind):
    """A name that no other test has."""
    return f"cmdcopies_{kind}_{next(_numbers)}"


@pytest.fixture
def target(workspace):
    name = new("target")
    workspace.datasources.create(name, "n UInt32")
    return name


@pytest.fixture
def plain(workspace):
    sql = "%\nSELECT toUInt32(number) AS n FROM numbers({{Int32(m, 3)}})"
    return workspace.pipes.create(new("pipe"), {"name": "copier", "sql": sql}).name


@pytest.fixture
def pipe(workspace, plain, target):
    workspace.copies.create(plain, "copier", target)
    return plain


def rows(workspace, target):
    return workspace.sql(f"SELECT n FROM {target} ORDER BY n").n.tolist()


def test_create_and_ls(connected, plain, target):
    printed = connected.ok(f"%tinybird copy create {plain} copier {target} --schedule '{NEVER}' --mode replace").printed
    assert printed.strip() == f"copier of {plain} is copied into {target} at {NEVER} (UTC)."
    row = connected.ok("%tinybird copy ls").value.set_index("pipe").loc[plain]
    assert row.to_dict() == {
        "node": "copier",
        "into": target,
        "mode": "replace",
        "schedule": NEVER,
        "status": "running",
    }


def test_run(connected, workspace, pipe, target):
    assert "is done" in connected.ok(f"%tinybird copy run {pipe} --wait").printed
    connected.ok(f"%tinybird copy run {pipe} --param m=1 --mode replace --wait --yes")
    assert rows(workspace, target) == [0]
    assert "%tinybird job wait" in connected.ok(f"%tinybird copy run {pipe}").printed


def test_schedule_pause_resume(connected, workspace, pipe):
    assert f"at {NEVER} (UTC)" in connected.ok(f"%tinybird copy schedule {pipe} '{NEVER}'").printed
    assert "rests" in connected.ok(f"%tinybird copy pause {pipe}").printed
    assert workspace.pipes.get(pipe).schedule.status == "paused"
    assert "runs again" in connected.ok(f"%tinybird copy resume {pipe}").printed
    assert "only when asked" in connected.ok(f"%tinybird copy schedule {pipe} none").printed
    assert workspace.pipes.get(pipe).schedule is None
    assert "no schedule" in "\n".join(connected.run(f"%tinybird copy pause {pipe}").card)


def test_cancel(connected, workspace, target):
    sql = "SELECT toUInt32(number) AS n FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    name = workspace.pipes.create(new("pipe"), {"name": "copier", "sql": sql}).name
    workspace.copies.create(name, "copier", target)
    job = workspace.copies.run(name)
    assert "Cancelled 1 run" in connected.ok(f"%tinybird copy cancel {name}").printed
    with pytest.raises(errors.JobFailed):
        workspace.jobs.wait(job, timeout_s=60)
    assert "no run" in connected.ok(f"%tinybird copy cancel {name}").printed


def test_rm(connected, workspace, pipe, monkeypatch):
    def nobody(_=""):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert isinstance(connected.run(f"%tinybird copy rm {pipe}").error, CellProblem)
    connected.ok(f"%tinybird copy rm {pipe} --yes")
    assert workspace.pipes.get(pipe).type == "default"


def test_mistakes(connected, pipe, plain, target):
    for line, words in (
        (f"run {pipe}x", pipe),
        (f"run {pipe} --param m=many", "validating"),
        (f"run {pipe} --mode upsert", "append or replace"),
        (f"create {pipe} copierr {target}", "Did you mean copier?"),
        (f"create {pipe} copier cmdcopies_none", "cmdcopies_none"),
        (f"schedule {pipe} 'every day'", "every day"),
    ):
        ran = connected.run(f"%tinybird copy {line}")
        assert words in "\n".join(ran.card), (line, ran.card)
