"""The client of Data Sources: each operation of ``datasources.md`` section 1 but imports, and what goes wrong."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace

import pytest

import tinymagic
from tests.faults import html_page, reset_after, status
from tinymagic import errors
from tinymagic.api.datasource_changes import LightweightDelete
from tinymagic.api.jobs import Job

_numbers = itertools.count()
ROWS = [{"id": 1, "c": "ES"}, {"id": 2, "c": "FR"}, {"id": 3, "c": "ES"}]
SCHEMA = "id Int32 `json:$.id`, c String `json:$.c`"


def says(code, body):
    """A reply of the proxy in the place of the server's."""
    return replace(status(code), body=body)


def new(kind="ds"):
    """A name that no other test has."""
    return f"apids_{kind}_{next(_numbers)}"


@pytest.fixture
def sources(workspace):
    return workspace.datasources


@pytest.fixture
def name(sources):
    """A Data Source with three rows."""
    made = sources.create(new(), SCHEMA, sorting_key="id", description="for a test")
    assert sources.append(made.name, ROWS).rows == 3
    return made.name


@pytest.fixture
def ids(workspace):
    """Return the ids that are in a Data Source."""
    return lambda source: sorted(workspace.sql(f"SELECT id FROM {source}").id.tolist())


class TestReading:
    def test_list(self, sources, name):
        [found] = [each for each in sources.list() if each.name == name]
        assert found.statistics.row_count == 3
        assert found.engine["engine_sorting_key"] == "id"
        assert [column.name for column in found.columns] == ["id", "c"]

    def test_list_of_some_attributes(self, sources, name):
        [found] = [each for each in sources.list(attrs=["name", "used_by"]) if each.name == name]
        assert set(found.raw) == {"name", "used_by"}
        assert found.columns == ()

    def test_get(self, sources, name):
        found = sources.get(name)
        assert found.description == "for a test"
        assert "json:$.id" in found.schema
        assert sources.get(found.id).name == name

    def test_get_some_attributes(self, sources, name):
        assert set(sources.get(name, attrs=("id", "name")).raw) == {"id", "name"}

    def test_datafile(self, sources, name):
        text = sources.datafile(name)
        assert "SCHEMA >" in text
        assert 'ENGINE_SORTING_KEY "id"' in text

    @pytest.mark.parametrize("call", ["get", "datafile", "truncate", "delete", "deletion_plan"])
    def test_unknown(self, sources, call):
        with pytest.raises(errors.NotFound):
            getattr(sources, call)("apids_none")

    @pytest.mark.parametrize("odd", ["", ".", ".."])
    def test_no_name(self, sources, odd):
        with pytest.raises(errors.InvalidInput):
            sources.get(odd)

    def test_a_token_that_reads_another_one(self, limited, sources, name):
        other = sources.create(new(), "a Int8").name
        workspace = limited(f"DATASOURCES:READ:{other}")
        assert [each.name for each in workspace.datasources.list()] == [other]
        with pytest.raises(errors.Forbidden):
            workspace.datasources.get(name)

    def test_dependencies(self, workspace, sources, name):
        pipe = workspace.pipes.create(new("pipe"), f"SELECT count() AS n FROM {name}").name
        assert sources.dependencies(datasource=name).readers == {name: (pipe,)}
        assert name in sources.dependencies(pipe=pipe).readers
        assert name not in sources.dependencies(no_deps=True).readers
        assert set(sources.dependencies(match=name).readers) >= {name}
        assert sources.dependencies(datasource=name, check_for_partial_replace=True).incompatible == ()
        with pytest.raises(errors.NotFound):
            sources.dependencies(datasource="apids_none")


class TestCreating:
    def test_all_options(self, sources):
        made = sources.create(
            new(),
            "day Date, updated DateTime, n UInt64",
            engine="ReplacingMergeTree",
            sorting_key="day",
            partition_key="toYYYYMM(day)",
            primary_key="day",
            ttl="day + toIntervalMonth(3)",
            engine_options={"ver": "updated"},
            indexes="by_n n TYPE minmax GRANULARITY 4",
            description="all of it",
        )
        text = sources.datafile(made.name)
        for part in ("ReplacingMergeTree", "ENGINE_VER", "ENGINE_TTL", "toYYYYMM(day)", "by_n n TYPE minmax"):
            assert part in text
        assert sources.get(made.name).description == "all of it"

    @pytest.mark.parametrize("schema", ["a Int7", "a Int32 Int32", "a"])
    def test_bad_schema(self, sources, schema):
        with pytest.raises(errors.BadRequest):
            sources.create(new(), schema)

    def test_bad_engine(self, sources):
        with pytest.raises(errors.BadRequest, match="(?i)engine"):
            sources.create(new(), "a Int8", engine="Log")

    def test_nothing_is_sent_without_name_or_schema(self, sources):
        with pytest.raises(errors.InvalidInput):
            sources.create("1 2", "a Int8")
        with pytest.raises(errors.InvalidInput, match="schema"):
            sources.create(new(), " ")

    def test_taken(self, sources, name):
        with pytest.raises(errors.ApiError) as raised:
            sources.create(name, "a Int8")
        assert raised.value.status in (400, 409)

    def test_without_the_scope(self, limited, name):
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{name}").datasources.create(new(), "a Int8")

    def test_too_many_requests(self, behind, proxy):
        proxy.on("POST", "/v0/datasources", status(429, retry_after=1))
        made = behind.datasources.create(new(), "a Int8")
        assert [each.fault for each in proxy.passed("POST", "/v0/datasources")] == ["status 429", None]
        assert made.columns

    def test_too_many_requests_for_longer(self, behind, proxy):
        proxy.on("POST", "/v0/datasources", status(429, retry_after=100), always=True)
        with pytest.raises(errors.RateLimited) as raised:
            behind.datasources.create(new(), "a Int8")
        assert raised.value.retry_after_s == 100

    def test_a_lost_reply_is_not_asked_again(self, behind, proxy, sources):
        made = new()
        proxy.on("POST", "/v0/datasources", reset_after())
        with pytest.raises(errors.ConnectionFailed):
            behind.datasources.create(made, "a Int8")
        assert len(proxy.passed("POST", "/v0/datasources")) == 1
        assert sources.get(made).name == made


class TestDeployments:
    """A Workspace of the generation Forward refuses; the datafile that does the same is in the error."""

    SAYS = b'{"error": "Data Sources can only be changed through deployments. Use `tb deploy`."}'

    @pytest.fixture
    def forward(self, behind, proxy):
        proxy.on("POST", "/v0/datasources", says(400, self.SAYS), always=True)
        proxy.on("POST", "/v0/datasources/*/alter", says(400, self.SAYS), always=True)
        proxy.on("DELETE", "/v0/datasources/*", says(403, self.SAYS), always=True)
        return behind.datasources

    def test_create(self, forward):
        with pytest.raises(errors.DeploymentRequired) as raised:
            forward.create("visits", "day Date, n Int64", sorting_key="day", ttl="day + toIntervalDay(1)")
        assert raised.value.file == "datasources/visits.datasource"
        assert raised.value.datafile == (
            "SCHEMA >\n    day Date,\n    n Int64\n\n"
            'ENGINE "MergeTree"\nENGINE_SORTING_KEY "day"\nENGINE_TTL "day + toIntervalDay(1)"\n'
        )

    def test_alter(self, forward, name):
        with pytest.raises(errors.DeploymentRequired) as raised:
            forward.alter(name, schema=f"{SCHEMA}, more Nullable(String) `json:$.more`", description="new")
        assert "more Nullable(String) `json:$.more`" in raised.value.datafile
        assert "DESCRIPTION >\n    new" in raised.value.datafile
        assert 'ENGINE_SORTING_KEY "id"' in raised.value.datafile

    def test_delete(self, forward, name):
        with pytest.raises(errors.DeploymentRequired) as raised:
            forward.delete(name)
        assert raised.value.datafile is None


class TestChanging:
    def test_rename(self, sources, name, ids):
        fresh = new()
        assert sources.rename(name, fresh).name == fresh
        assert ids(fresh) == [1, 2, 3]
        with pytest.raises(errors.NotFound):
            sources.get(name)

    def test_rename_to_what_cannot_be(self, sources, name):
        with pytest.raises(errors.InvalidInput):
            sources.rename(name, "select")
        other = sources.create(new(), "a Int8").name
        with pytest.raises(errors.ApiError) as raised:
            sources.rename(name, other)
        assert raised.value.status in (400, 409)
        with pytest.raises(errors.NotFound):
            sources.rename("apids_none", new())

    def test_a_lost_renaming_is_not_asked_again(self, behind, proxy, sources, name):
        fresh = new()
        proxy.on("PUT", f"/v0/datasources/{name}", reset_after())
        with pytest.raises(errors.ConnectionFailed):
            behind.datasources.rename(name, fresh)
        assert sources.get(fresh).name == fresh

    def test_update(self, sources, name, behind, proxy):
        proxy.on("PUT", f"/v0/datasources/{name}", reset_after())
        assert behind.datasources.update(name, description="else").description == "else"
        assert sources.update(name, backfill_column="id").raw["tags"] == {"backfill_column": "id"}
        with pytest.raises(errors.InvalidInput):
            sources.update(name)
        with pytest.raises(errors.NotFound):
            sources.update("apids_none", description="x")

    def test_alter_in_steps(self, sources, name, ids):
        schema = f"{SCHEMA}, more Nullable(String) `json:$.more`"
        plan = sources.alter(name, schema=schema, dry_run=True)
        assert len(plan.operations) == 1
        assert "ADD COLUMN" in plan.operations[0]
        assert "more" not in sources.get(name).schema
        done = sources.alter(name, schema=schema)
        assert done.operations == plan.operations
        assert [column.name for column in done.datasource.columns] == ["id", "c", "more"]
        assert sources.alter(name, schema=schema).operations == ()
        assert ids(name) == [1, 2, 3]

    def test_alter_ttl_indexes_description(self, sources):
        name = sources.create(new(), "day Date, n Int32", sorting_key="day").name
        assert sources.alter(name, ttl="day + toIntervalDay(7)").operations
        assert "toIntervalDay(7)" in sources.datafile(name)
        assert sources.alter(name, ttl=False).operations
        assert "toIntervalDay" not in sources.datafile(name)
        assert sources.alter(name, indexes=["by_n n TYPE minmax GRANULARITY 1"]).operations
        assert "by_n n TYPE minmax" in sources.datafile(name)
        assert sources.alter(name, indexes=()).operations
        assert "by_n" not in sources.datafile(name)
        assert sources.alter(name, description="words").operations
        assert sources.get(name).description == "words"

    def test_alter_tells_who_reads_it(self, workspace, sources, name):
        pipe = workspace.pipes.create(new("pipe"), f"SELECT id FROM {name}").name
        assert sources.alter(name, description="x", dry_run=True).dependencies == (pipe,)

    def test_alter_what_cannot_be(self, sources, name):
        with pytest.raises(errors.BadRequest):
            sources.alter(name, schema="id String `json:$.id`, c String `json:$.c`")
        with pytest.raises(errors.BadRequest):
            sources.alter(name, ttl="nothing + 1")
        with pytest.raises(errors.InvalidInput):
            sources.alter(name)
        with pytest.raises(errors.NotFound):
            sources.alter("apids_none", description="x")

    def test_alter_without_the_scope(self, limited, name):
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{name}").datasources.alter(name, description="x")

    def test_exchange(self, sources, name, ids):
        other = sources.create(new(), SCHEMA, sorting_key="id").name
        sources.exchange(name, other)
        assert (ids(name), ids(other)) == ([], [1, 2, 3])

    def test_exchange_what_cannot_be(self, sources, name):
        with pytest.raises(errors.BadRequest):
            sources.exchange(name, name)
        with pytest.raises(errors.NotFound):
            sources.exchange(name, "apids_none")


class TestSharing:
    @pytest.fixture
    def other(self, api, tokens):
        """Another Workspace: id, name and token."""
        made = f"apids_{uuid.uuid4().hex[:10]}"
        reply = api.post("/v0/workspaces", params={"name": made}, token=tokens["user_token"])
        return reply.json()

    @pytest.mark.parametrize("by_user", [False, True])
    def test_share_and_unshare(self, server, sources, name, other, tokens, by_user):
        token = tokens["user_token"] if by_user else None
        shared = sources.share(name, other["id"], user_token=token)
        assert shared.name == name
        assert other["id"] in shared.raw["shared_with"]
        there = tinymagic.connect(token=other["token"], host=server.host)
        [seen] = [each for each in there.datasources.list() if each.name.endswith(f".{name}")]
        assert there.sql(f"SELECT count() AS n FROM {seen.name}").n[0] == 3
        sources.unshare(name, other["id"], user_token=token)
        with pytest.raises(errors.Forbidden):
            there.sql(f"SELECT count() AS n FROM {seen.name}")

    def test_what_cannot_be(self, workspace, sources, name, other, limited):
        with pytest.raises(errors.NotFound):
            sources.share(name, str(uuid.uuid4()))
        with pytest.raises(errors.NotFound):
            sources.share("apids_none", other["id"])
        with pytest.raises(errors.BadRequest):
            sources.share(name, workspace.info().id)
        with pytest.raises(errors.BadRequest, match="not shared"):
            sources.unshare(name, other["id"])
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{name}").datasources.share(name, other["id"], origin_workspace_id="x")


class TestDeletingRows:
    def test_truncate(self, sources, name, ids):
        assert sources.truncate(name) is None
        assert ids(name) == []

    def test_truncate_is_asked_again(self, behind, proxy, name, ids):
        proxy.on("POST", f"/v0/datasources/{name}/truncate", reset_after())
        behind.datasources.truncate(name)
        assert ids(name) == []

    def test_count(self, sources, name, ids):
        assert sources.count_rows_to_delete(name, "c = 'ES'") == 2
        assert ids(name) == [1, 2, 3]

    def test_delete(self, sources, name, ids):
        told = []
        job = sources.delete_rows(name, "c = 'ES'", on_progress=told.append)
        assert (job.status, job.kind, job.datasource_name) == ("done", "delete_data", name)
        assert job.raw["rows_affected"] == 2
        assert told[-1].done == 100
        assert told[-1].unit == "%"
        assert ids(name) == [2]

    def test_delete_without_waiting(self, workspace, sources, name, ids):
        job = sources.delete_rows(name, "id < 3", wait=False)
        assert not job.finished
        workspace.jobs.wait(job)
        assert ids(name) == [3]

    def test_lightweight(self, sources, name, ids):
        done = sources.delete_rows_lightweight(name, "id = 2")
        assert isinstance(done, LightweightDelete)
        assert (done.rows_affected, done.partitions_in_progress) == (1, 0)
        assert ids(name) == [1, 3]

    def test_lightweight_in_a_job(self, workspace, sources, name, ids):
        job = sources.delete_rows_lightweight(name, "id = 2", wait=False)
        assert workspace.jobs.wait(job).raw["rows_affected"] == 1
        assert ids(name) == [1, 3]

    def test_lightweight_in_a_partition(self, sources, ids):
        name = sources.create(new(), SCHEMA, sorting_key="id", partition_key="c").name
        sources.append(name, ROWS)
        assert sources.delete_rows_lightweight(name, "1", partition="'ES'", projection_mode="drop").rows_affected == 2
        assert ids(name) == [2]

    @pytest.mark.parametrize("call", ["delete_rows", "count_rows_to_delete", "delete_rows_lightweight"])
    def test_what_cannot_be(self, sources, name, ids, call):
        delete = getattr(sources, call)
        with pytest.raises(errors.InvalidInput, match="condition"):
            delete(name, " ")
        with pytest.raises(errors.BadRequest):
            delete(name, "nothing = 1")
        with pytest.raises(errors.BadRequest):
            delete(name, "id = ")
        with pytest.raises(errors.NotFound):
            delete("apids_none", "1")
        assert ids(name) == [1, 2, 3]

    def test_a_bad_projection_mode(self, sources, name):
        with pytest.raises(errors.BadRequest, match="projection_mode"):
            sources.delete_rows_lightweight(name, "1", projection_mode="away")

    def test_without_the_scope(self, limited, name):
        limited_sources = limited(f"DATASOURCES:READ:{name}").datasources
        for call in (lambda: limited_sources.truncate(name), lambda: limited_sources.delete_rows(name, "1")):
            with pytest.raises(errors.Forbidden):
                call()

    def test_a_lost_reply_is_not_asked_again(self, behind, proxy, name):
        proxy.on("POST", f"/v0/datasources/{name}/delete", reset_after())
        with pytest.raises(errors.ConnectionFailed):
            behind.datasources.delete_rows(name, "1")
        assert len(proxy.passed("POST", f"/v0/datasources/{name}/delete")) == 1

    def test_a_count_that_is_not_told(self, behind, proxy, name):
        proxy.on("POST", f"/v0/datasources/{name}/delete", says(200, b"{}"))
        with pytest.raises(errors.BadReply):
            behind.datasources.count_rows_to_delete(name, "1")


class TestDeleting:
    def test_delete(self, sources, name):
        sources.delete(name)
        with pytest.raises(errors.NotFound):
            sources.get(name)

    def test_a_lost_reply_is_asked_again(self, behind, proxy, sources, name):
        proxy.on("DELETE", f"/v0/datasources/{name}", reset_after())
        behind.datasources.delete(name)
        assert name not in [each.name for each in sources.list()]

    def test_plan_and_conflict(self, workspace, sources, name):
        pipe = workspace.pipes.create(new("pipe"), f"SELECT id FROM {name}").name
        assert sources.deletion_plan(name).dependent_pipes == (pipe,)
        for force in (False, True):
            with pytest.raises(errors.Conflict, match="downstream"):
                sources.delete(name, force=force)
        assert sources.get(name).used_by == (pipe,)

    def test_force_unlinks_what_fills_it(self, workspace, sources, name):
        target = sources.create(new(), "id Int32", sorting_key="id").name
        pipe = workspace.pipes.create(new("pipe"), f"SELECT id FROM {name}")
        workspace.materializations.create(pipe.name, pipe.nodes[0].name, target)
        assert sources.deletion_plan(target).dependent_pipes == (pipe.name,)
        with pytest.raises(errors.Conflict, match="force"):
            sources.delete(target)
        sources.delete(target, force=True)
        with pytest.raises(errors.NotFound):
            sources.get(target)

    def test_without_the_scope(self, limited, sources, name):
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{name}").datasources.delete(name)
        assert sources.get(name)

    def test_a_page_of_the_front(self, behind, proxy, name):
        proxy.on("DELETE", f"/v0/datasources/{name}", html_page(502), always=True)
        with pytest.raises(errors.BadGateway) as raised:
            behind.datasources.delete(name)
        assert "<" not in str(raised.value)

    @pytest.mark.parametrize("code", [405, 411, 413, 500])
    def test_statuses(self, behind, proxy, name, code):
        proxy.on("POST", f"/v0/datasources/{name}/alter", status(code))
        with pytest.raises(errors.ApiError) as raised:
            behind.datasources.alter(name, description="x")
        assert raised.value.status == code


class TestConnectors:
    """Data Sources that a connector fills from a bucket; Kafka's start and stop, which the embedded server has not."""

    CALLS = {
        "scheduling_state": lambda s, n: s.scheduling_state(n),
        "set_scheduling_state": lambda s, n: s.set_scheduling_state(n, "paused"),
        "run_scheduling": lambda s, n: s.run_scheduling(n),
        "start": lambda s, n: s.start(n),
        "stop": lambda s, n: s.stop(n),
        "sample": lambda s, n: s.sample(n, max_files=2),
    }

    @pytest.fixture
    def filled(self, api, workspace, bucket):
        """One that NDJSON files of a bucket fill, of which there are three with one row each."""
        for number in range(3):
            bucket.write(f"in/{number}.ndjson", f'{{"id": {number}, "c": "ES"}}\n')
        connection = workspace.connections.create(new("s3"), "s3", bucket.settings).name
        fields = {"connector": connection, "bucket_uri": f"s3://{bucket.name}/in/*.ndjson"}
        reply = api.post("/v0/datasources", data={"name": new(), "schema": SCHEMA, **fields})
        return reply.json()["datasource"]["name"]

    @pytest.mark.parametrize("call", CALLS)
    def test_there_is_no_connector(self, sources, name, call):
        with pytest.raises(errors.NotFound, match="no connector"):
            self.CALLS[call](sources, name)
        with pytest.raises(errors.NotFound, match="apids_none"):
            self.CALLS[call](sources, "apids_none")

    def test_the_schedule_rests_and_runs(self, sources, filled):
        assert sources.scheduling_state(filled) == "running"
        assert sources.set_scheduling_state(filled, "paused") == "paused"
        assert sources.scheduling_state(filled) == "paused"
        assert sources.set_scheduling_state(filled, "running") == "running"

    def test_a_run(self, workspace, sources, filled, ids):
        done = workspace.jobs.wait(Job.of(sources.run_scheduling(filled)).id)
        assert done.kind == "import"
        assert ids(filled) == [0, 1, 2]

    def test_a_sample(self, workspace, sources, filled, ids):
        done = workspace.jobs.wait(sources.sample(filled, max_files=2).id)
        assert len(done.raw["files"]) == 2
        assert ids(filled) == [0, 1]
        assert workspace.jobs.wait(sources.sample(filled, full_export=True).id).raw["files_imported"] == 1
        assert ids(filled) == [0, 1, 2]

    @pytest.mark.parametrize("end", ["start", "stop"])
    def test_kafka(self, behind, proxy, name, end):
        proxy.on("POST", f"/v0/datasources/{name}/{end}", says(200, b'{"status": "ok"}'))
        assert self.CALLS[end](behind.datasources, name) == {"status": "ok"}

    def test_what_cannot_be_is_not_sent(self, sources, name):
        with pytest.raises(errors.InvalidInput):
            sources.set_scheduling_state(name, "asleep")
        with pytest.raises(errors.InvalidInput):
            sources.sample(name, max_files=11)

    def test_without_the_scope(self, limited, name):
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{name}").datasources.scheduling_state(name)
