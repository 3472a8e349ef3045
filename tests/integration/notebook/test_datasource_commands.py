"""``%tinybird datasource``: each verb but those that bring rows in, in a real IPython on the embedded server."""

from __future__ import annotations

import itertools
import uuid

import pandas as pd
import pytest

_numbers = itertools.count()
SCHEMA = "id Int32 `json:$.id`, c String `json:$.c`"


def new(kind="ds"):
    """A name that no other test has."""
    return f"cmdds_{kind}_{next(_numbers)}"


@pytest.fixture
def name(connected, workspace):
    """A Data Source with three rows."""
    made = workspace.datasources.create(new(), SCHEMA, sorting_key="id", description="for a test").name
    workspace.datasources.append(made, [{"id": 1, "c": "ES"}, {"id": 2, "c": "FR"}, {"id": 3, "c": "ES"}])
    return made


@pytest.fixture
def pipe(workspace, name):
    """A Pipe that reads it."""
    return workspace.pipes.create(new("pipe"), f"SELECT id FROM {name}").name


@pytest.fixture
def answers(monkeypatch):
    """Answer questions, and keep them."""
    asked = []

    def answer(text):
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or text)
        return asked

    return answer


def ids(workspace, source):
    return sorted(workspace.sql(f"SELECT id FROM {source}").id.tolist())


class TestLooking:
    def test_ls(self, connected, name, pipe):
        frame = connected.ok("%tinybird datasource ls").value
        assert frame.columns.tolist() == [
            "name",
            "rows",
            "bytes",
            "engine",
            "columns",
            "quarantine",
            "updated",
            "used by",
        ]
        row = frame[frame.name == name].iloc[0]
        assert (row["rows"], row["columns"], row["engine"], row["quarantine"]) == (3, 2, "MergeTree", 0)
        assert row["bytes"] > 0
        assert row["used by"] == pipe

    def test_show(self, connected, name, pipe):
        ran = connected.ok(f"%tinybird datasource show {name}")
        assert ran.value.column.tolist() == ["id", "c"]
        for part in ("for a test", "3 rows", "sorting_key id", pipe):
            assert part in ran.printed

    def test_sql(self, connected, name):
        ran = connected.ok(f"%tinybird datasource sql {name}")
        assert ran.value is None
        assert 'ENGINE_SORTING_KEY "id"' in ran.printed

    def test_data(self, connected, name):
        assert len(connected.ok(f"%tinybird datasource data {name} --limit 2").value) == 2
        ran = connected.run(f"%tinybird datasource data {name[:-1]}")
        assert name in " ".join(ran.card)

    def test_dependencies(self, connected, name, pipe):
        frame = connected.ok(f"%tinybird datasource dependencies {name}").value
        assert frame.values.tolist() == [[name, pipe]]
        frame = connected.ok(f"%tinybird datasource dependencies --pipe {pipe}").value
        assert frame.name.tolist() == [name]

    @pytest.mark.parametrize(
        "verb",
        ["show", "sql", "truncate", "delete --where 1", "rm", "rename x", "alter --ttl none", "quarantine", "stop"],
    )
    def test_unknown_names_have_near_ones(self, connected, name, verb):
        word, _, rest = verb.partition(" ")
        ran = connected.run(f"%tinybird datasource {word} {name}s {rest}")
        assert f"There is no Data Source '{name}s'" in str(ran.error)
        assert name in ran.error.suggestions


class TestRowsOut:
    def test_truncate_asks(self, connected, workspace, name, pipe, answers):
        asked = answers("n")
        assert "Nothing was deleted." in connected.ok(f"%tinybird datasource truncate {name}").printed
        assert ids(workspace, name) == [1, 2, 3]
        assert "3 rows" in asked[0]
        assert pipe in asked[0]
        printed = connected.ok(f"%tinybird datasource truncate {name} --yes").printed
        assert f"Deleted 3 rows of {name}." in printed
        assert ids(workspace, name) == []

    def test_delete_counts_and_asks(self, connected, workspace, name, answers):
        printed = connected.ok(f"""%tinybird datasource delete {name} --where "c = 'ES'" --dry-run""").printed
        assert f"2 rows of {name} would be deleted." in printed
        asked = answers("no")
        connected.ok(f"""%tinybird datasource delete {name} --where "c = 'ES'" """)
        assert f"Delete 2 rows of {name}?" in asked[0]
        assert ids(workspace, name) == [1, 2, 3]
        answers("y")
        printed = connected.ok(f"""%tinybird datasource delete {name} --where "c = 'ES'" """).printed
        assert f"Deleted 2 rows of {name}." in printed
        assert ids(workspace, name) == [2]

    def test_delete_lightweight(self, connected, workspace, name):
        printed = connected.ok(f"%tinybird datasource delete {name} --where 'id = 1' --lightweight --yes").printed
        assert f"Deleted 1 row of {name}." in printed
        assert ids(workspace, name) == [2, 3]

    def test_nothing_fits(self, connected, name):
        printed = connected.ok(f"%tinybird datasource delete {name} --where 'id = 77' --yes").printed
        assert "nothing was deleted" in printed

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ("--yes", "--where is needed"),
            ("--where 'nothing = 1' --yes", "nothing"),
            ("--where 'id = 1' --partition 1", "--lightweight"),
        ],
    )
    def test_what_cannot_be(self, connected, workspace, name, options, words):
        assert words in str(connected.run(f"%tinybird datasource delete {name} {options}").error)
        assert ids(workspace, name) == [1, 2, 3]

    def test_nobody_can_be_asked(self, connected, workspace, name, monkeypatch):
        def nobody(_):
            raise EOFError

        monkeypatch.setattr("builtins.input", nobody)
        for verb in ("truncate", "rm", "delete --where 1"):
            word, _, rest = verb.partition(" ")
            assert "--yes" in str(connected.run(f"%tinybird datasource {word} {name} {rest}").error)
        assert ids(workspace, name) == [1, 2, 3]


class TestQuarantine:
    def test_reasons_and_rows(self, connected, workspace):
        name = workspace.datasources.create(new(), "a Int32, b Date").name
        workspace.datasources.append(name, b"a,b\n1,2024-01-01\nx,2024-01-01\ny,2024-01-01\n3,soon\n", format="csv")
        ran = connected.ok(f"%tinybird datasource quarantine {name} --rows 2")
        assert len(ran.value) == 2
        assert "c__error" in ran.value.columns
        reasons = ran.displays[0]["text/html"]
        assert f"3 rows in {name}_quarantine" in reasons
        # Equal reasons are one line, whatever the value was.
        assert reasons.count("a value on column &#x27;a&#x27;") + reasons.count("a value on column 'a'") == 1
        assert "'x'" not in reasons

    def test_none(self, connected, name):
        ran = connected.ok(f"%tinybird datasource quarantine {name}")
        assert ran.value is None
        assert "No row" in ran.printed


class TestChanging:
    def test_rm_names_who_uses_it(self, connected, workspace, name, pipe, answers):
        asked = answers("n")
        connected.ok(f"%tinybird datasource rm {name}")
        assert f"the Data Source {name} with 3 rows" in asked[0]
        assert pipe in asked[0]
        assert "downstream" in str(connected.run(f"%tinybird datasource rm {name} --yes").error)
        workspace.pipes.delete(pipe)
        printed = connected.ok(f"%tinybird datasource rm {name} --yes").printed
        assert f"Deleted the Data Source {name} with 3 rows." in printed
        assert name not in [each.name for each in workspace.datasources.list()]

    def test_rename(self, connected, workspace, name):
        fresh = new()
        assert fresh in connected.ok(f"%tinybird datasource rename {name} {fresh}").printed
        assert ids(workspace, fresh) == [1, 2, 3]

    def test_alter(self, connected, workspace, name, answers):
        connected.ok(f"wanted = '''{SCHEMA}, more Nullable(String) `json:$.more`'''")
        printed = connected.ok(f"%tinybird datasource alter {name} --schema $wanted --dry-run").printed
        assert "ADD COLUMN" in printed
        asked = answers("n")
        assert "Nothing was changed." in connected.ok(f"%tinybird datasource alter {name} --schema $wanted").printed
        assert len(asked) == 1
        assert len(workspace.datasources.get(name).columns) == 2
        assert "Altered" in connected.ok(f"%tinybird datasource alter {name} --schema $wanted --yes").printed
        assert len(workspace.datasources.get(name).columns) == 3
        assert "Nothing to do" in connected.ok(f"%tinybird datasource alter {name} --schema $wanted --yes").printed

    def test_alter_ttl_and_indexes(self, connected, workspace):
        name = workspace.datasources.create(new(), "day Date, n Int32", sorting_key="day").name
        alter = f"%tinybird datasource alter {name} --yes"
        connected.ok(f"{alter} --ttl 'day + toIntervalDay(3)' --indexes 'by_n n TYPE minmax GRANULARITY 1'")
        text = workspace.datasources.datafile(name)
        assert "toIntervalDay(3)" in text
        assert "by_n" in text
        connected.ok(f"{alter} --ttl none --indexes none --description 'in words'")
        text = workspace.datasources.datafile(name)
        assert "toIntervalDay(3)" not in text
        assert "by_n" not in text
        assert "in words" in text
        assert "What is to change" in str(connected.run(alter).error)

    def test_exchange(self, connected, workspace, name, pipe, answers):
        other = workspace.datasources.create(new(), SCHEMA, sorting_key="id").name
        asked = answers("n")
        connected.ok(f"%tinybird datasource exchange {name} {other}")
        assert pipe in asked[0]
        assert ids(workspace, name) == [1, 2, 3]
        connected.ok(f"%tinybird datasource exchange {name} {other} --yes")
        assert (ids(workspace, name), ids(workspace, other)) == ([], [1, 2, 3])

    def test_share(self, connected, workspace, api, tokens, name, monkeypatch):
        made = f"cmdds_{uuid.uuid4().hex[:10]}"
        other = api.post("/v0/workspaces", params={"name": made}, token=tokens["user_token"]).json()
        assert made in connected.ok(f"%tinybird datasource share {name} {made}").printed
        assert other["id"] in workspace.datasources.get(name).raw["shared_with"]
        assert other["id"] in connected.ok(f"%tinybird datasource show {name}").printed
        monkeypatch.setattr("getpass.getpass", lambda prompt: tokens["user_token"])
        ran = connected.ok(f"%tinybird datasource unshare {name} {made} --as-user --yes")
        assert tokens["user_token"] not in ran.printed
        assert workspace.datasources.get(name).raw["shared_with"] == []


class TestConnectors:
    @pytest.mark.parametrize(
        "words", ["schedule {} run", "schedule {} pause", "schedule {} resume", "schedule {}", "start {}", "stop {}"]
    )
    def test_there_is_no_connector_and_it_says_so(self, connected, name, words):
        assert "no connector" in str(connected.run(f"%tinybird datasource {words.format(name)}").error)

    @pytest.fixture
    def filled(self, api, workspace, bucket):
        """One that files of a bucket fill."""
        for number in range(3):
            bucket.write(f"in/{number}.ndjson", f'{{"id": {number}, "c": "ES"}}\n')
        connection = workspace.connections.create(new("s3"), "s3", bucket.settings).name
        fields = {"connector": connection, "bucket_uri": f"s3://{bucket.name}/in/*.ndjson"}
        reply = api.post("/v0/datasources", data={"name": new(), "schema": SCHEMA, **fields})
        return reply.json()["datasource"]["name"]

    def test_schedule(self, connected, workspace, filled):
        assert "running" in connected.ok(f"%tinybird datasource schedule {filled}").printed
        connected.ok(f"%tinybird datasource schedule {filled} pause")
        assert workspace.datasources.scheduling_state(filled) == "paused"
        assert "paused" in connected.ok(f"%tinybird datasource schedule {filled} state").printed
        connected.ok(f"%tinybird datasource schedule {filled} resume")
        assert workspace.datasources.scheduling_state(filled) == "running"
        assert "fetches now" in connected.ok(f"%tinybird datasource schedule {filled} run").printed
        [job] = [each for each in workspace.jobs.list(kind="import") if each.raw["datasource"]["name"] == filled]
        workspace.jobs.wait(job.id)
        assert ids(workspace, filled) == [0, 1, 2]

    def test_sample(self, connected, workspace, filled, name):
        printed = connected.ok(f"%tinybird datasource sample {filled} --max-files 2 --wait").printed
        assert "It read s3://" in printed
        assert ids(workspace, filled) == [0, 1]
        assert "no connector" in str(connected.run(f"%tinybird datasource sample {name} --max-files 2 --wait").error)

    def test_a_verb_that_there_is_not(self, connected, name):
        ran = connected.run(f"%tinybird datasource schedule {name} pauze")
        assert "pause" in ran.error.suggestions


def test_lists_are_frames(connected, name):
    connected.ok("found = %tinybird datasource ls")
    assert isinstance(connected["found"], pd.DataFrame)
