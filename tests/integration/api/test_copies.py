"""The client of Copy Pipes: making, running, pausing, resuming, cancelling, scheduling, and what goes wrong."""

from __future__ import annotations

import itertools
import time

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()
NEVER = "0 0 1 1 *"


def new(kind):
    """A name that no other test has."""
    return f"apicopies_{kind}_{next(_numbers)}"


@pytest.fixture
def copies(workspace):
    return workspace.copies


@pytest.fixture
def target(workspace):
    name = new("target")
    workspace.datasources.create(name, "n UInt32")
    return name


@pytest.fixture
def plain(workspace):
    """A Pipe with a parameter, and no output."""
    sql = "%\nSELECT toUInt32(number) AS n FROM numbers({{Int32(m, 3)}})"
    return workspace.pipes.create(new("pipe"), {"name": "copier", "sql": sql}).name


@pytest.fixture
def pipe(copies, plain, target):
    """The same, as a copy without a schedule."""
    copies.create(plain, "copier", target)
    return plain


def rows(workspace, target):
    return workspace.sql(f"SELECT n FROM {target} ORDER BY n").n.tolist()


class TestCreate:
    def test_on_demand(self, copies, plain, target, workspace):
        made = copies.create(plain, "copier", target)
        assert (made.type, made.schedule, made.copy_mode) == ("copy", None, "append")
        assert made.copy_target_datasource == workspace.datasources.get(target).id
        assert made.node(made.copy_node).name == "copier"

    def test_schedule_and_mode(self, copies, plain, target):
        made = copies.create(plain, "copier", target, schedule_cron=NEVER, mode="replace")
        assert (made.schedule.cron, made.copy_mode) == (NEVER, "replace")

    def test_what_cannot_be(self, copies, plain, target):
        with pytest.raises(errors.InvalidInput):
            copies.create(plain, "copier", target, mode="upsert")
        with pytest.raises(errors.BadRequest):
            copies.create(plain, "copier", target, schedule_cron="every day")
        with pytest.raises(errors.ApiError, match="apicopies_none") as caught:
            copies.create(plain, "copier", "apicopies_none")
        assert caught.value.status in (400, 404)
        with pytest.raises(errors.NotFound):
            copies.create(plain, "none", target)
        with pytest.raises(errors.NotFound):
            copies.create("apicopies_none", "copier", target)

    def test_columns_that_do_not_fit(self, copies, workspace, plain):
        other = new("target")
        workspace.datasources.create(other, "name String")
        with pytest.raises(errors.BadRequest, match="schema"):
            copies.create(plain, "copier", other)

    def test_a_second_output(self, copies, workspace, plain, target):
        workspace.pipes.publish(plain)
        with pytest.raises(errors.BadRequest, match="Unpublish"):
            copies.create(plain, "copier", target)

    def test_without_scope(self, server, api, plain, target):
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{plain}"}).json()["token"]
        mine = tinymagic.connect(token=token, host=server.host).copies
        for call in (
            lambda: mine.create(plain, "copier", target),
            lambda: mine.pause(plain),
            lambda: mine.resume(plain),
            lambda: mine.cancel(plain),
            lambda: mine.remove(plain, "copier"),
        ):
            with pytest.raises(errors.Forbidden):
                call()


class TestList:
    def test_names(self, copies, pipe, target):
        [found] = [each for each in copies.list() if each.pipe == pipe]
        assert (found.node, found.datasource, found.mode, found.schedule) == ("copier", target, "append", None)


class TestUpdate:
    def test_schedule(self, copies, pipe):
        assert copies.update(pipe, schedule_cron=NEVER).schedule.cron == NEVER
        assert copies.update(pipe, mode="replace").schedule.cron == NEVER
        assert copies.update(pipe, schedule_cron="").schedule is None

    def test_target_and_node(self, copies, workspace, pipe):
        other = new("target")
        workspace.datasources.create(other, "n UInt32")
        made = copies.update(pipe, "copier", datasource=other, mode="replace")
        assert (made.copy_target_datasource, made.copy_mode) == (workspace.datasources.get(other).id, "replace")

    def test_what_cannot_be(self, copies, pipe, workspace):
        with pytest.raises(errors.InvalidInput):
            copies.update(pipe)
        with pytest.raises(errors.BadRequest):
            copies.update(pipe, schedule_cron="61 * * * *")
        other = workspace.pipes.create(new("pipe"), "SELECT 1 AS one").name
        with pytest.raises(errors.InvalidInput, match="no copy"):
            copies.update(other, mode="append")


class TestRun:
    def test_appends(self, copies, workspace, pipe, target):
        job = copies.run(pipe)
        assert job.kind == "copy"
        assert workspace.jobs.wait(job, timeout_s=60).status == "done"
        workspace.jobs.wait(copies.run(pipe, params={"m": 2}), timeout_s=60)
        assert rows(workspace, target) == [0, 0, 1, 1, 2]

    def test_mode_of_one_run(self, copies, workspace, pipe, target):
        workspace.jobs.wait(copies.run(pipe), timeout_s=60)
        workspace.jobs.wait(copies.run(pipe, params={"m": 1}, mode="replace"), timeout_s=60)
        assert rows(workspace, target) == [0]
        assert workspace.pipes.get(pipe).copy_mode == "append"

    def test_long_parameters(self, copies, workspace, target):
        sql = "%\nSELECT toUInt32(length({{String(t, '')}})) AS n"
        name = workspace.pipes.create(new("pipe"), {"name": "copier", "sql": sql}).name
        copies.create(name, "copier", target)
        workspace.jobs.wait(copies.run(name, params={"t": "a" * 50_000}), timeout_s=60)
        assert rows(workspace, target) == [50_000]

    def test_what_cannot_be(self, copies, workspace, pipe, target):
        with pytest.raises(errors.BadRequest):
            copies.run(pipe, params={"m": "many"})
        with pytest.raises(errors.InvalidInput):
            copies.run(pipe, mode="upsert")
        with pytest.raises(errors.NotFound):
            copies.run("apicopies_none")
        other = workspace.pipes.create(new("pipe"), "SELECT 1 AS one").name
        with pytest.raises(errors.BadRequest):
            copies.run(other)
        assert rows(workspace, target) == []

    def test_without_scope_on_the_target(self, server, api, pipe):
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"}).json()["token"]
        with pytest.raises(errors.Forbidden):
            tinymagic.connect(token=token, host=server.host).copies.run(pipe)

    def test_a_run_that_fails(self, copies, workspace, target):
        sql = "SELECT toUInt32(throwIf(number = 1, 'one is too much')) AS n FROM numbers(2)"
        name = workspace.pipes.create(new("pipe"), {"name": "copier", "sql": sql}).name
        copies.create(name, "copier", target)
        with pytest.raises(errors.JobFailed, match="one is too much"):
            workspace.jobs.wait(copies.run(name), timeout_s=60)


class TestSchedule:
    def test_pause_and_resume(self, copies, workspace, pipe):
        copies.update(pipe, schedule_cron=NEVER)
        assert copies.pause(pipe).schedule.status == "paused"
        assert workspace.pipes.get(pipe).schedule.status == "paused"
        assert copies.resume(pipe).schedule.status == "running"

    def test_without_schedule(self, copies, pipe, workspace):
        for call in (copies.pause, copies.resume):
            with pytest.raises(errors.BadRequest, match="no schedule"):
                call(pipe)
            with pytest.raises(errors.NotFound):
                call("apicopies_none")
        other = workspace.pipes.create(new("pipe"), "SELECT 1 AS one").name
        with pytest.raises(errors.BadRequest):
            copies.pause(other)

    def test_cancel(self, copies, workspace, target):
        sql = "SELECT toUInt32(number) AS n FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
        name = workspace.pipes.create(new("pipe"), {"name": "copier", "sql": sql}).name
        copies.create(name, "copier", target, schedule_cron=NEVER)
        job = copies.run(name)
        cancelled = copies.cancel(name)
        assert [each.id for each in cancelled] == [job.id]
        with pytest.raises(errors.JobFailed) as caught:
            workspace.jobs.wait(job, timeout_s=60)
        assert caught.value.job.status == "cancelled"
        assert workspace.pipes.get(name).schedule.status == "paused"
        deadline = time.monotonic() + 20
        while copies.cancel(name):
            assert time.monotonic() < deadline
        with pytest.raises(errors.NotFound):
            copies.cancel("apicopies_none")


class TestRemove:
    def test_rows_stay(self, copies, workspace, pipe, target):
        workspace.jobs.wait(copies.run(pipe), timeout_s=60)
        copies.remove(pipe)
        found = workspace.pipes.get(pipe)
        assert (found.type, found.copy_node) == ("default", None)
        assert rows(workspace, target) == [0, 1, 2]

    def test_what_cannot_be(self, copies, plain):
        with pytest.raises(errors.InvalidInput, match="no copy"):
            copies.remove(plain)
        with pytest.raises(errors.BadRequest):
            copies.remove(plain, "copier")
        with pytest.raises(errors.NotFound):
            copies.remove("apicopies_none")
