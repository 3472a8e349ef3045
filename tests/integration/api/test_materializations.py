"""The client of materialized views: making, filling and unlinking them, and what goes wrong."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()


def new(kind):
    """A name that no other test has."""
    return f"apiviews_{kind}_{next(_numbers)}"


@pytest.fixture
def source(workspace):
    """A Data Source with two rows."""
    name = new("source")
    workspace.datasources.create(name, "day Date, n UInt32", sorting_key="day")
    workspace.datasources.append(name, [{"day": "2024-01-01", "n": 1}, {"day": "2024-01-02", "n": 2}])
    return name


@pytest.fixture
def pipe(workspace, source):
    """A Pipe whose node ``doubled`` reads it."""
    sql = f"SELECT day, n * 2 AS twice FROM {source}"
    return workspace.pipes.create(new("pipe"), {"name": "doubled", "sql": sql}).name


def twice(workspace, target):
    return workspace.sql(f"SELECT twice FROM {target} ORDER BY twice").twice.tolist()


class TestCreate:
    def test_a_new_target(self, workspace, source, pipe):
        target = new("target")
        made = workspace.materializations.create(pipe, "doubled", target, engine="MergeTree", sorting_key="twice")
        assert (made.node.name, made.datasource, made.created_datasource, made.job) == ("doubled", target, True, None)
        assert made.node.node_type == "materialized"
        assert workspace.datasources.get(target).engine["engine_sorting_key"] == "twice"
        workspace.datasources.append(source, [{"day": "2024-01-03", "n": 5}])
        assert twice(workspace, target) == [10]

    def test_a_target_that_is_there(self, workspace, source, pipe):
        target = new("target")
        workspace.datasources.create(target, "day Date, twice UInt64")
        made = workspace.materializations.create(pipe, "doubled", target)
        assert made.created_datasource is False
        workspace.datasources.append(source, [{"day": "2024-01-03", "n": 5}])
        assert twice(workspace, target) == [10]

    def test_populate(self, workspace, pipe):
        target = new("target")
        made = workspace.materializations.create(pipe, "doubled", target, populate=True)
        assert workspace.jobs.wait(made.job, timeout_s=60).kind == "populateview"
        assert twice(workspace, target) == [2, 4]

    def test_a_target_that_does_not_fit(self, workspace, pipe):
        target = new("target")
        workspace.datasources.create(target, "other String")
        workspace.datasources.append(target, [{"other": "x"}])
        with pytest.raises(errors.BadRequest, match="not compatible"):
            workspace.materializations.create(pipe, "doubled", target)
        assert workspace.pipes.get(pipe).type == "default"
        workspace.materializations.create(pipe, "doubled", target, override_datasource=True)
        assert [each.name for each in workspace.datasources.get(target).columns] == ["day", "twice"]

    def test_bad_requests(self, workspace, source, pipe):
        create = workspace.materializations.create
        with pytest.raises(errors.InvalidInput):
            create(pipe, "doubled", " ")
        with pytest.raises(errors.NotFound):
            create(pipe, "none", new("target"))
        with pytest.raises(errors.NotFound):
            create("apiviews_none", "doubled", new("target"))
        workspace.pipes.append_node(pipe, f"%\nSELECT * FROM {source} WHERE n = {{{{Int32(x, 1)}}}}", name="templated")
        with pytest.raises(errors.BadRequest):
            create(pipe, "templated", new("target"))

    def test_a_second_output(self, workspace, pipe):
        workspace.pipes.publish(pipe)
        with pytest.raises(errors.BadRequest, match="Unpublish"):
            workspace.materializations.create(pipe, "doubled", new("target"))

    def test_without_scope(self, server, api, pipe):
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"}).json()["token"]
        mine = tinymagic.connect(token=token, host=server.host)
        with pytest.raises(errors.Forbidden):
            mine.materializations.create(pipe, "doubled", new("target"))
        with pytest.raises(errors.Forbidden):
            mine.materializations.populate(pipe, "doubled")
        with pytest.raises(errors.Forbidden):
            mine.materializations.unlink(pipe, "doubled")
        assert mine.materializations.list() == []


class TestList:
    def test_names(self, workspace, source, pipe):
        target = new("target")
        workspace.materializations.create(pipe, "doubled", target)
        [found] = [each for each in workspace.materializations.list() if each.pipe == pipe]
        assert (found.node, found.datasource, found.reads) == ("doubled", target, (source,))
        assert found.datasource_id == workspace.datasources.get(target).id
        assert "n * 2" in found.sql

    def test_a_token_that_reads_pipes_only(self, workspace, server, api, pipe):
        target = new("target")
        workspace.materializations.create(pipe, "doubled", target)
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"}).json()["token"]
        [found] = tinymagic.connect(token=token, host=server.host).materializations.list()
        assert found.datasource in (found.datasource_id, target)


class TestPopulate:
    @pytest.fixture
    def target(self, workspace, pipe):
        name = new("target")
        workspace.materializations.create(pipe, "doubled", name)
        return name

    def test_all(self, workspace, pipe, target):
        seen = []
        job = workspace.materializations.populate(pipe, "doubled")
        done = workspace.jobs.wait(job, timeout_s=60, on_progress=seen.append)
        assert done.status == "done"
        assert twice(workspace, target) == [2, 4]

    def test_condition(self, workspace, pipe, target):
        job = workspace.materializations.populate(pipe, "doubled", condition="day = '2024-01-02'")
        workspace.jobs.wait(job, timeout_s=60)
        assert twice(workspace, target) == [4]

    def test_truncate(self, workspace, pipe, target):
        for _ in range(2):
            workspace.jobs.wait(workspace.materializations.populate(pipe, "doubled", truncate=True), timeout_s=60)
        assert twice(workspace, target) == [2, 4]

    def test_subset(self, workspace, pipe, target):
        job = workspace.materializations.populate(pipe, "doubled", subset=1.0)
        assert workspace.jobs.wait(job, timeout_s=60).status == "done"
        assert len(twice(workspace, target)) <= 2

    @pytest.mark.parametrize("subset", [0, -1, 1.5, float("nan")])
    def test_a_subset_that_cannot_be(self, workspace, pipe, subset):
        with pytest.raises(errors.InvalidInput):
            workspace.materializations.populate(pipe, "doubled", subset=subset)

    def test_bad_condition(self, workspace, pipe, target):
        with pytest.raises(errors.BadRequest, match="populate_condition"):
            workspace.materializations.populate(pipe, "doubled", condition="no_such_column = 1")

    def test_no_view(self, workspace, pipe):
        with pytest.raises(errors.BadRequest):
            workspace.materializations.populate(pipe, "doubled")
        with pytest.raises(errors.NotFound):
            workspace.materializations.populate(pipe, "none")

    def test_a_job_that_fails(self, workspace, source):
        sql = f"SELECT day, throwIf(n = 2, 'two is too much') AS x FROM {source}"
        name = workspace.pipes.create(new("pipe"), {"name": "failing", "sql": sql}).name
        workspace.materializations.create(name, "failing", new("target"))
        with pytest.raises(errors.JobFailed, match="two is too much"):
            workspace.jobs.wait(workspace.materializations.populate(name, "failing"), timeout_s=60)


class TestUnlink:
    def test_rows_stay(self, workspace, source, pipe):
        target = new("target")
        workspace.materializations.create(pipe, "doubled", target)
        workspace.datasources.append(source, [{"day": "2024-01-03", "n": 5}])
        workspace.materializations.unlink(pipe, "doubled")
        workspace.datasources.append(source, [{"day": "2024-01-04", "n": 6}])
        assert twice(workspace, target) == [10]
        assert workspace.pipes.node(pipe, "doubled").node_type == "standard"

    def test_no_view(self, workspace, pipe):
        with pytest.raises(errors.BadRequest):
            workspace.materializations.unlink(pipe, "doubled")
        with pytest.raises(errors.NotFound):
            workspace.materializations.unlink(pipe, "none")

    def test_analysis(self, workspace, pipe):
        advice = workspace.materializations.analysis(pipe, "doubled", datasource="apiviews_wanted")
        assert "apiviews_wanted" in advice.pipe_datafile
