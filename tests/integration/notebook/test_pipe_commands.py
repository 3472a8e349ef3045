"""``%tinybird pipe`` in a real IPython against a real server."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()


def new(kind="pipe"):
    """A name that no other test has."""
    return f"cmdpipes_{kind}_{next(_numbers)}"


@pytest.fixture
def answers(monkeypatch):
    """Answer the questions of `input` in turn, and keep them; without answers nobody is there."""

    class Answers(list):
        asked = []

    given = Answers()

    def answer(question=""):
        given.asked.append(question)
        if not given:
            raise EOFError
        return given.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    return given


@pytest.fixture
def name(workspace):
    """A Pipe with two nodes; the second one is published."""
    return workspace.pipes.create(
        new(),
        [
            {"name": "numbers_node", "sql": "SELECT number AS n, 'x' AS t FROM numbers(10)"},
            {
                "name": "top",
                "sql": "%\nSELECT * FROM numbers_node WHERE n < {{Int32(m, 5)}}",
                "type": "endpoint",
                "description": "the top",
            },
        ],
        description="for a test",
    ).name


class TestReading:
    def test_ls(self, connected, name):
        frame = connected.ok("%tinybird pipe ls").value
        row = frame.set_index("name").loc[name]
        assert row.to_dict() | {"updated at": None} == {
            "type": "endpoint",
            "nodes": 2,
            "published node": "top",
            "schedule": "",
            "description": "for a test",
            "updated at": None,
        }
        assert str(row["updated at"].tz) == "UTC"

    def test_show(self, connected, name, server):
        ran = connected.ok(f"%tinybird pipe show {name}")
        assert f"{server.host}/v0/pipes/{name}.json" in ran.printed
        assert ran.value.node.tolist() == ["numbers_node", "top"]
        assert ran.value.reads.tolist() == ["", "numbers_node"]
        assert ran.value.parameters.tolist() == ["", "m Int32 = 5"]

    def test_near_names(self, connected, name):
        ran = connected.run(f"%tinybird pipe show {name}x")
        assert isinstance(ran.error, errors.NotFound)
        assert f"There is no Pipe '{name}x'" in "\n".join(ran.card)
        assert name in "\n".join(ran.card)

    def test_alias(self, connected, name):
        assert name in connected.ok("%tinybird endpoint ls").value.name.tolist()


class TestCreate:
    def test_sql(self, connected, workspace):
        wanted = new()
        printed = connected.ok(f"""%tinybird pipe create {wanted} --sql "SELECT 1 AS one" --node first""").printed
        assert printed.strip() == f"Created the Pipe {wanted} with 1 node."
        assert workspace.pipes.get(wanted).node("first").sql == "SELECT 1 AS one"

    def test_sql_of_a_variable(self, connected, workspace):
        wanted = new()
        connected.ok("q = '''SELECT 'it''s' AS \"a b\" -- done'''")
        connected.ok(f"%tinybird pipe create {wanted} --sql $q --publish --description 'two words'")
        assert workspace.pipes.data(wanted).columns.tolist() == ["a b"]
        assert workspace.pipes.get(wanted).description == "two words"

    def test_a_node_of_another(self, connected, workspace, name):
        wanted = new()
        connected.ok(f"%tinybird pipe create {wanted} --from-node {name}.numbers_node")
        assert workspace.pipes.get(wanted).node("numbers_node")
        ran = connected.run(f"%tinybird pipe create {new()} --from-node {name}.numbers_nod")
        assert "numbers_node" in "\n".join(ran.card)

    def test_a_file(self, connected, workspace, tmp_path, name):
        file = tmp_path / "x.pipe"
        file.write_text(workspace.pipes.datafile(name))
        wanted = new()
        printed = connected.ok(f"%tinybird pipe create {wanted} {file}").printed
        assert f"%tinybird pipe data {wanted}" in printed
        made, first = workspace.pipes.get(wanted), workspace.pipes.get(name)
        assert made.description == first.description
        assert [(node.name, node.sql) for node in made.nodes] == [(node.name, node.sql) for node in first.nodes]
        assert made.endpoint_node.name == "top"

    def test_a_file_of_a_copy(self, connected, workspace, tmp_path):
        target = new("target")
        workspace.datasources.create(target, "n UInt64")
        file = tmp_path / "x.pipe"
        file.write_text(
            "NODE a\nSQL >\n    SELECT number AS n FROM numbers(3)\n\nTYPE COPY\n"
            f"TARGET_DATASOURCE {target}\nCOPY_MODE replace\nCOPY_SCHEDULE 0 0 1 1 *\n"
        )
        wanted = new()
        connected.ok(f"%tinybird pipe create {wanted} {file}")
        made = workspace.pipes.get(wanted)
        assert (made.type, made.copy_mode, made.schedule.cron) == ("copy", "replace", "0 0 1 1 *")

    def test_force_asks(self, connected, workspace, name, answers):
        ran = connected.run(f"%tinybird pipe create {name} --sql 'SELECT 1 AS one' --force")
        assert isinstance(ran.error, CellProblem)
        answers.append("n")
        assert "Nothing was changed." in connected.ok(f"%tinybird pipe create {name} --sql 'SELECT 1' --force").printed
        assert len(workspace.pipes.get(name).nodes) == 2
        connected.ok(f"%tinybird pipe create {name} --sql 'SELECT 1 AS one' --force --yes")
        assert len(workspace.pipes.get(name).nodes) == 1

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("cmdpipes_x", "one of these"),
            ("cmdpipes_x --sql 'SELECT 1' --from-node a.b", "one of these"),
            ("cmdpipes_x --from-node a", "PIPE.NODE"),
            ("cmdpipes_x none.pipe", "cannot be read"),
            ("cmdpipes_x --sql $no_such_variable", "no_such_variable"),
            ("1a --sql 'SELECT 1'", "not a valid Pipe name"),
            ("cmdpipes_x --sql ''", "needs SQL"),
        ],
    )
    def test_mistakes(self, connected, line, words):
        ran = connected.run(f"%tinybird pipe create {line}")
        assert words in "\n".join(ran.card)
        assert len(ran.card) <= 8

    def test_bad_sql(self, connected):
        ran = connected.run("%tinybird pipe create cmdpipes_bad --sql 'SELECT * FROM cmdpipes_no_table'")
        assert isinstance(ran.error, errors.UnknownTable)
        assert "cmdpipes_no_table" in "\n".join(ran.card)


class TestRename:
    def test_rename(self, connected, workspace, name):
        wanted = new()
        assert "another address" in connected.ok(f"%tinybird pipe rename {name} {wanted}").printed
        assert workspace.pipes.get(wanted).endpoint
        assert wanted in "\n".join(connected.run(f"%tinybird pipe rename {wanted}x other").card)
        assert "not a valid Pipe name" in "\n".join(connected.run(f"%tinybird pipe rename {wanted} 1a").card)

    def test_describe(self, connected, workspace, name):
        connected.ok(f"%tinybird pipe describe {name} 'what it is for'")
        assert workspace.pipes.get(name).description == "what it is for"


class TestNodes:
    def test_append(self, connected, workspace, name):
        printed = connected.ok(f"%tinybird pipe append-node {name} --sql 'SELECT 1 AS one' --name last").printed
        assert printed.strip() == f"Added the node last to the Pipe {name}."
        assert workspace.pipes.node(name, "last").sql == "SELECT 1 AS one"

    def test_append_without_sql(self, connected, name):
        assert "--sql is missing" in "\n".join(connected.run(f"%tinybird pipe append-node {name}").card)

    def test_set(self, connected, workspace, name):
        connected.ok(f"%tinybird pipe set-node {name} top --name best --description d --position 1")
        connected.ok(f"%tinybird pipe set-node {name} best --sql 'SELECT n FROM numbers_node'")
        node = workspace.pipes.node(name, "best")
        assert (node.sql, node.description) == ("SELECT n FROM numbers_node", "d")
        assert "top" not in "\n".join(connected.run(f"%tinybird pipe set-node {name} beest --name x").card)

    def test_rm(self, connected, workspace, name, answers):
        workspace.pipes.append_node(name, "SELECT 1 AS one", name="last")
        answers += ["n", "y"]
        assert "Nothing was deleted." in connected.ok(f"%tinybird pipe rm-node {name} last").printed
        assert "Deleted the node last" in connected.ok(f"%tinybird pipe rm-node {name} last").printed
        assert [node.name for node in workspace.pipes.nodes(name)] == ["numbers_node", "top"]

    def test_near_names(self, connected, name):
        assert "Did you mean top?" in "\n".join(connected.run(f"%tinybird pipe rm-node {name} topp --yes").card)


class TestPublishing:
    def test_publish(self, connected, workspace, server, tokens):
        wanted = new()
        workspace.pipes.create(wanted, "%\nSELECT {{Int32(needed, required=True)}} AS n")
        printed = connected.ok(f"%tinybird pipe publish {wanted}").printed
        assert f"URL:   {server.host}/v0/pipes/{wanted}.json" in printed
        assert 'curl -H "Authorization: Bearer $TB_TOKEN"' in printed
        assert f"%tinybird pipe data {wanted}" in printed
        assert tokens["workspace_admin_token"][:12] not in printed

    def test_another_node(self, connected, workspace, name):
        connected.ok(f"%tinybird pipe publish {name} numbers_node")
        assert workspace.pipes.get(name).endpoint_node.name == "numbers_node"

    def test_unpublish(self, connected, workspace, name, answers):
        reader = workspace.pipes.create(new(), f"SELECT * FROM {name}").name
        answers.append("y")
        ran = connected.run(f"%tinybird pipe unpublish {name}")
        assert isinstance(ran.error, errors.Conflict)
        assert reader in answers.asked[-1]
        workspace.pipes.delete(reader)
        assert "not published any more" in connected.ok(f"%tinybird pipe unpublish {name} --yes").printed
        assert workspace.pipes.get(name).endpoint is None


class TestData:
    def test_frame(self, connected, name):
        connected.ok(f"df = %tinybird pipe data {name} --param m=2")
        assert connected["df"].n.tolist() == [0, 1]
        assert str(connected["df"].n.dtype) == "uint64"

    def test_footer(self, connected, name):
        ran = connected.ok(f"%tinybird pipe data {name} --limit 2")
        assert "showing 2 of at least" in str(ran.displays) + ran.printed

    def test_parameters(self, connected, name):
        connected.ok("top = 3; several = {'m': 4}")
        assert len(connected.ok(f"%tinybird pipe data {name} --param m=$top").value) == 3
        assert len(connected.ok(f"%tinybird pipe data {name} --params $several").value) == 4
        assert len(connected.ok(f"""%tinybird pipe data {name} --params '{{"m": 1}}'""").value) == 1

    def test_q(self, connected, name):
        frame = connected.ok(f"%tinybird pipe data {name} --q 'SELECT sum(n) AS s FROM _' --format parquet").value
        assert frame.s.tolist() == [10]
        assert connected.ok(f"%tinybird pipe data {name} --sql 'SELECT 1 AS o'").value.o.tolist() == [1]

    def test_text(self, connected, name):
        ran = connected.ok(f"%tinybird pipe data {name} --param m=1 --format csv")
        assert ran.printed.splitlines() == ['"n","t"', '0,"x"']
        assert ran.value is None
        assert connected.ok(f"%tinybird pipe data {name} --format ndjson --limit 2").printed.count("\n") == 2

    def test_text_with_signs_that_act(self, connected, workspace):
        wanted = workspace.pipes.create(
            new(), {"name": "a", "sql": r"SELECT '\x1b[31mred' AS t", "type": "endpoint"}
        ).name
        assert "\x1b" not in connected.ok(f"%tinybird pipe data {wanted} --format csv").printed

    def test_file(self, connected, name, tmp_path):
        target = tmp_path / "rows.csv"
        printed = connected.ok(f"%tinybird pipe data {name} --param m=1 --to-file {target}").printed
        assert "Wrote 14 B" in printed
        assert target.read_text() == '"n","t"\n0,"x"\n'
        assert "names no format" in "\n".join(connected.run(f"%tinybird pipe data {name} --to-file rows").card)
        assert "cannot be written" in "\n".join(connected.run(f"%tinybird pipe data {name} --to-file no/r.csv").card)

    def test_failures(self, connected, name):
        assert "validating 'x'" in "\n".join(connected.run(f"%tinybird pipe data {name} --param m=x").card)
        ran = connected.run(f"%tinybird pipe data {name} --q 'SELECT nn FROM _'")
        assert isinstance(ran.error, errors.QueryError)
        assert len(ran.card) <= 8
        assert name in "\n".join(connected.run(f"%tinybird pipe data {name}x").card)

    def test_link(self, connected, name, answers, tokens):
        token = tokens["workspace_admin_token"]
        ran = connected.run(f"%tinybird pipe link {name}")
        assert isinstance(ran.error, CellProblem)
        answers.append("")
        assert "No link was made." in connected.ok(f"%tinybird pipe link {name}").printed
        with pytest.warns(UserWarning, match="token"):
            ran = connected.run(f"%tinybird pipe link {name} --param m=2 --format csv --yes")
        assert ran.error is None
        assert f"/v0/pipes/{name}.csv?m=2&token={token}" in ran.printed

    def test_link_of_what_is_not_published(self, connected, workspace):
        wanted = workspace.pipes.create(new(), "SELECT 1 AS one").name
        assert "not published" in "\n".join(connected.run(f"%tinybird pipe link {wanted} --yes").card)


class TestDescriptions:
    def test_stats(self, connected, workspace, name):
        for _ in range(3):
            workspace.pipes.data(name)
        with pytest.raises(errors.BadRequest):
            workspace.pipes.data(name, params={"m": "x"})
        deadline = time.monotonic() + 20
        while True:
            frame = connected.ok(f"%tinybird pipe stats {name}").value
            if len(frame) and frame.calls[0] == 4:
                break
            assert time.monotonic() < deadline, frame
            time.sleep(0.2)
        assert frame.columns.tolist() == ["pipe", "calls", "errors", "p50 ms", "p95 ms", "rows read", "last call"]
        assert (frame["pipe"][0], frame["errors"][0]) == (name, 1)
        by_day = connected.ok("%tinybird pipe stats --by day --days 2").value
        assert by_day[by_day["pipe"] == name].calls.tolist() == [4]

    def test_stats_of_an_unknown_one(self, connected, name):
        assert name in "\n".join(connected.run(f"%tinybird pipe stats {name}x").card)

    def test_explain(self, connected, name):
        printed = connected.ok(f"%tinybird pipe explain {name} --param m=3").printed
        assert "toInt32('3')" in printed
        assert "Numbers" in printed
        assert "top" not in connected.ok(f"%tinybird pipe explain {name} numbers_node").printed

    def test_openapi(self, connected, name, tmp_path):
        document = json.loads(connected.ok(f"%tinybird pipe openapi {name}").printed)
        assert list(document["paths"]) == [f"/v0/pipes/{name}.json"]
        connected.ok(f"%tinybird pipe openapi --to-file {tmp_path}/all.json")
        assert f"/v0/pipes/{name}.json" in json.loads((tmp_path / "all.json").read_text())["paths"]


class TestRm:
    def test_asks(self, connected, workspace, name, answers):
        reader = workspace.pipes.create(new(), f"SELECT * FROM {name}").name
        answers.append("n")
        assert "Nothing was deleted." in connected.ok(f"%tinybird pipe rm {name}").printed
        assert "Its endpoint goes with it" in answers.asked[-1]
        assert reader in answers.asked[-1]
        ran = connected.run(f"%tinybird pipe rm {name} --yes")
        assert isinstance(ran.error, errors.Conflict)
        connected.ok(f"%tinybird pipe rm {reader} --yes")
        connected.ok(f"%tinybird pipe rm {name} --yes")
        with pytest.raises(errors.NotFound):
            workspace.pipes.get(name)

    def test_nobody_to_ask(self, connected, name, answers):
        assert "add --yes" in "\n".join(connected.run(f"%tinybird pipe rm {name}").card)
