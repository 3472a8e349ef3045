"""The client of ``/v0/pipes``: Pipes, nodes, publishing; each operation, and what goes wrong."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()


def new(kind="pipe"):
    """A name that no other test has."""
    return f"apipipes_{kind}_{next(_numbers)}"


@pytest.fixture
def pipes(workspace):
    return workspace.pipes


@pytest.fixture
def name(pipes):
    """A Pipe with two nodes, the second one not published."""
    made = pipes.create(
        new(),
        [
            {"name": "numbers_node", "sql": "SELECT number AS n FROM numbers(10)"},
            {"name": "top", "sql": "%\nSELECT * FROM numbers_node WHERE n < {{Int32(m, 5)}}", "description": "the top"},
        ],
        description="for a test",
    )
    return made.name


@pytest.fixture
def reader(server, api):
    """A Workspace whose token may read one Pipe only."""

    def made(pipe):
        reply = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{pipe}"})
        return tinymagic.connect(token=reply.json()["token"], host=server.host)

    return made


class TestReading:
    def test_list(self, pipes, name):
        [found] = [each for each in pipes.list() if each.name == name]
        assert found.description == "for a test"
        assert [node.name for node in found.nodes] == ["numbers_node", "top"]
        assert found.created_at.tzinfo is not None
        assert found.type == "default"

    def test_list_of_some_attributes(self, pipes, name):
        [found] = [each for each in pipes.list(attrs=["id", "name"]) if each.name == name]
        assert found.id.startswith("t_")
        assert (found.description, found.nodes, found.created_at) == ("", (), None)
        assert set(found.raw) == {"id", "name", "url"}

    def test_list_of_some_attributes_of_nodes(self, pipes, name):
        found = pipes.list(attrs=["name"], node_attrs=["name"], dependencies=True)
        [one] = [each for each in found if each.name == name]
        assert [dict(node.raw) for node in one.nodes] == [{"name": "numbers_node"}, {"name": "top"}]

    def test_list_shows_what_the_token_may_see(self, reader, pipes, name):
        assert [each.name for each in reader(name).pipes.list()] == [name]

    def test_get_by_name_and_id(self, pipes, name):
        found = pipes.get(name)
        assert pipes.get(found.id) == found
        assert found.node("top").params[0].name == "m"
        assert found.node("top").params[0].default == 5
        assert found.node("top").dependencies == ("numbers_node",)
        assert found.node("none") is None

    def test_get_unknown(self, pipes):
        with pytest.raises(errors.NotFound, match="apipipes_none"):
            pipes.get("apipipes_none")

    def test_get_without_scope(self, reader, pipes, name):
        other = pipes.create(new(), "SELECT 1")
        with pytest.raises(errors.Forbidden):
            reader(name).pipes.get(other.name)

    @pytest.mark.parametrize("odd", ["a/b", "a b", "%2e", "ä", "a?b=c", "a#b", "x" * 300])
    def test_names_are_quoted(self, pipes, odd):
        with pytest.raises(errors.NotFound):
            pipes.get(odd)

    @pytest.mark.parametrize("odd", ["", ".", ".."])
    def test_names_that_are_none(self, pipes, odd):
        with pytest.raises(errors.InvalidInput):
            pipes.get(odd)

    def test_datafile(self, pipes, name):
        text = pipes.datafile(name)
        assert "NODE top" in text
        assert text == pipes.get(name).content

    def test_datafile_unknown(self, pipes):
        with pytest.raises(errors.NotFound):
            pipes.datafile("apipipes_none")


class TestCreating:
    def test_sql(self, pipes):
        made = pipes.create(new(), "SELECT 1 AS one")
        assert [node.sql for node in made.nodes] == ["SELECT 1 AS one"]
        assert made.nodes[0].name == f"{made.name}_0"

    def test_a_node_of_another_pipe(self, pipes, name):
        nodes = pipes.get(name).nodes
        made = pipes.create(new(), nodes)
        assert [(node.name, node.sql, node.description) for node in made.nodes] == [
            (node.name, node.sql, node.description) for node in nodes
        ]
        assert {node.id for node in made.nodes}.isdisjoint(node.id for node in nodes)

    def test_an_endpoint_is_published(self, pipes):
        made = pipes.create(new(), {"sql": "SELECT 1 AS one", "name": "only", "type": "endpoint"})
        assert made.type == "endpoint"
        assert made.endpoint_node.name == "only"
        assert pipes.data(made.name).one.tolist() == [1]

    def test_a_copy_of_an_endpoint_is_one(self, pipes):
        first = pipes.create(new(), {"sql": "SELECT 1 AS one", "name": "only", "type": "endpoint"})
        assert pipes.create(new(), first.nodes).endpoint

    def test_a_view(self, pipes, workspace):
        source, target = new("source"), new("target")
        workspace.datasources.create(source, "n UInt32")
        made = pipes.create(
            new(),
            {"name": "double", "sql": f"SELECT n * 2 AS n FROM {source}", "type": "materialized", "datasource": target},
        )
        assert made.type == "materialized"
        assert made.raw["created_datasource"] is True
        workspace.datasources.append(source, [{"n": 2}])
        assert workspace.sql(f"SELECT * FROM {target}").n.tolist() == [4]

    def test_force(self, pipes, name):
        with pytest.raises(errors.Conflict):
            pipes.create(name, "SELECT 2 AS two")
        assert len(pipes.get(name).nodes) == 2
        made = pipes.create(name, "SELECT 2 AS two", force=True)
        assert [node.sql for node in made.nodes] == ["SELECT 2 AS two"]

    def test_bad_sql(self, pipes):
        wanted = new()
        with pytest.raises(errors.UnknownTable, match="apipipes_missing_table") as caught:
            pipes.create(wanted, "SELECT * FROM apipipes_missing_table")
        assert (caught.value.named, caught.value.position) == ("apipipes_missing_table", 14)
        with pytest.raises(errors.NotFound):
            pipes.get(wanted)

    def test_bad_sql_that_is_wanted(self, pipes):
        made = pipes.create(new(), "SELECT * FROM apipipes_missing_table", ignore_sql_errors=True)
        assert made.nodes[0].sql == "SELECT * FROM apipipes_missing_table"

    def test_no_scope(self, reader, name):
        with pytest.raises(errors.Forbidden):
            reader(name).pipes.create(new(), "SELECT 1")

    @pytest.mark.parametrize(
        ("wanted", "nodes"),
        [("1a", "SELECT 1"), ("select", "SELECT 1"), ("", "SELECT 1"), ("ok", ""), ("ok", []), ("ok", [{"name": "x"}])],
    )
    def test_nothing_is_sent(self, pipes, wanted, nodes):
        with pytest.raises(errors.InvalidInput):
            pipes.create(wanted, nodes)

    def test_hostile_sql_is_kept_as_it_is(self, pipes):
        sql = "SELECT 'a&b=c;\"%\\'\N{SNOWMAN}\n' AS x -- name=3&sql=4"
        made = pipes.create(new(), sql)
        assert pipes.get(made.name).nodes[0].sql == sql
        assert pipes.append_node(made.name, sql).sql == sql


class TestChanging:
    def test_update(self, pipes, name):
        wanted = new()
        changed = pipes.update(name, name=wanted, description="another")
        assert (changed.name, changed.description) == (wanted, "another")
        assert pipes.get(wanted).id == changed.id
        assert pipes.update(wanted, description="").description == ""

    def test_update_unknown(self, pipes):
        with pytest.raises(errors.NotFound):
            pipes.update("apipipes_none", description="x")

    def test_update_to_a_name_that_is_taken(self, pipes, name):
        other = pipes.create(new(), "SELECT 1")
        with pytest.raises(errors.Conflict):
            pipes.update(name, name=other.name)

    def test_update_of_nothing(self, pipes, name):
        with pytest.raises(errors.InvalidInput):
            pipes.update(name)

    def test_delete(self, pipes, name):
        pipes.delete(name)
        with pytest.raises(errors.NotFound):
            pipes.get(name)
        with pytest.raises(errors.NotFound):
            pipes.delete(name)

    def test_delete_what_is_read(self, pipes, name):
        pipes.publish(name)
        pipes.create(new(), f"SELECT * FROM {name}")
        with pytest.raises(errors.Conflict):
            pipes.delete(name)
        with pytest.raises(errors.Conflict):
            pipes.unpublish(name)
        assert pipes.get(name).endpoint

    def test_delete_without_scope(self, reader, name):
        with pytest.raises(errors.Forbidden):
            reader(name).pipes.delete(name)


class TestNodes:
    def test_list_and_get(self, pipes, name):
        nodes = pipes.nodes(name)
        assert [node.name for node in nodes] == ["numbers_node", "top"]
        assert pipes.node(name, "top") == nodes[1]
        assert pipes.node(name, nodes[1].id) == nodes[1]

    def test_unknown(self, pipes, name):
        with pytest.raises(errors.NotFound):
            pipes.nodes("apipipes_none")
        for call in (
            lambda: pipes.node(name, "none"),
            lambda: pipes.update_node(name, "none", sql="SELECT 1"),
            lambda: pipes.delete_node(name, "none"),
        ):
            with pytest.raises(errors.NotFound):
                call()

    def test_append(self, pipes, name):
        node = pipes.append_node(name, "SELECT count() AS c FROM top", name="counted", description="how many")
        assert (node.name, node.description, node.dependencies) == ("counted", "how many", ("top",))
        assert [each.name for each in pipes.nodes(name)] == ["numbers_node", "top", "counted"]

    def test_append_without_name(self, pipes, name):
        assert pipes.append_node(name, "SELECT 1").name == f"{name}_2"

    def test_append_bad_sql(self, pipes, name):
        with pytest.raises(errors.QueryError) as caught:
            pipes.append_node(name, "SELECT missing_column FROM top")
        assert (caught.value.named, caught.value.position) == ("missing_column", 7)
        assert len(pipes.nodes(name)) == 2
        assert pipes.append_node(name, "SELECT missing_column FROM top", ignore_sql_errors=True)

    def test_append_a_name_that_is_taken(self, pipes, name):
        with pytest.raises(errors.ApiError) as caught:
            pipes.append_node(name, "SELECT 1", name="top")
        assert caught.value.status in (400, 409)

    @pytest.mark.parametrize("sql", ["", "  ", None])
    def test_append_nothing(self, pipes, name, sql):
        with pytest.raises(errors.InvalidInput):
            pipes.append_node(name, sql)

    def test_update(self, pipes, name):
        node = pipes.update_node(name, "top", sql="SELECT n + 1 AS n FROM numbers_node", name="more", description="d")
        assert (node.name, node.sql, node.description) == ("more", "SELECT n + 1 AS n FROM numbers_node", "d")

    def test_update_position(self, pipes, name):
        pipes.append_node(name, "SELECT 1 AS one", name="last")
        pipes.update_node(name, "last", position=0)
        assert [each.name for each in pipes.nodes(name)] == ["last", "numbers_node", "top"]

    def test_update_bad_sql(self, pipes, name):
        with pytest.raises(errors.QueryError):
            pipes.update_node(name, "top", sql="SELEC 1")
        assert "WHERE n <" in pipes.node(name, "top").sql

    def test_update_a_name_that_is_read(self, pipes, name):
        with pytest.raises(errors.ApiError, match="cannot be renamed") as caught:
            pipes.update_node(name, "numbers_node", name="other")
        assert caught.value.status in (400, 409)

    def test_update_nothing(self, pipes, name):
        with pytest.raises(errors.InvalidInput):
            pipes.update_node(name, "top")

    def test_delete(self, pipes, name):
        pipes.delete_node(name, "top")
        assert [each.name for each in pipes.nodes(name)] == ["numbers_node"]

    def test_delete_what_is_read(self, pipes, name):
        with pytest.raises(errors.Conflict):
            pipes.delete_node(name, "numbers_node")

    def test_without_scope(self, reader, name):
        mine = reader(name).pipes
        for call in (
            lambda: mine.append_node(name, "SELECT 1"),
            lambda: mine.update_node(name, "top", sql="SELECT 1"),
            lambda: mine.delete_node(name, "top"),
            lambda: mine.publish(name, "top"),
            lambda: mine.unpublish(name, "top"),
        ):
            with pytest.raises(errors.Forbidden):
                call()


class TestPublishing:
    def test_the_last_node(self, pipes, name):
        made = pipes.publish(name)
        assert made.endpoint_node.name == "top"
        assert made.type == "endpoint"
        assert pipes.get(name).endpoint == made.endpoint

    def test_a_node(self, pipes, name):
        assert pipes.publish(name, "numbers_node").endpoint_node.name == "numbers_node"
        assert pipes.publish(name, "top").endpoint_node.name == "top"

    def test_the_token_is_hidden(self, pipes, name, api):
        token = api.post("/v0/tokens", params={"name": new("token"), "scope": f"PIPES:READ:{name}"}).json()["token"]
        made = pipes.publish(name)
        assert made.token.reveal() == token
        assert token not in repr(made)
        assert token not in str(dict(made.raw))

    def test_no_token(self, pipes, name):
        assert pipes.publish(name).token is None

    def test_unknown(self, pipes, name):
        with pytest.raises(errors.NotFound):
            pipes.publish("apipipes_none")
        with pytest.raises(errors.ApiError) as caught:
            pipes.publish(name, "none")
        assert caught.value.status in (400, 404)

    def test_a_second_output(self, pipes, workspace):
        source, target = new("source"), new("target")
        workspace.datasources.create(source, "n UInt32")
        made = pipes.create(
            new(), {"name": "a", "sql": f"SELECT n FROM {source}", "type": "materialized", "datasource": target}
        )
        pipes.append_node(made.name, "SELECT 1 AS one", name="b")
        for node in ("a", "b"):
            with pytest.raises(errors.BadRequest):
                pipes.publish(made.name, node)
        assert pipes.get(made.name).type == "materialized"

    def test_unpublish(self, pipes, name):
        pipes.publish(name)
        assert pipes.unpublish(name).endpoint is None
        with pytest.raises(errors.InvalidInput, match="not published"):
            pipes.unpublish(name)
        with pytest.raises(errors.NotFound):
            pipes.data(name)

    def test_analysis(self, pipes, workspace):
        source = new("source")
        workspace.datasources.create(source, "n UInt32")
        made = pipes.create(new(), {"name": "a", "sql": f"SELECT n, count() AS c FROM {source} GROUP BY n"})
        advice = pipes.analysis(made.name, "a", datasource="apipipes_wanted", engine="AggregatingMergeTree")
        assert "TYPE materialized" in advice.pipe_datafile
        assert "apipipes_wanted" in advice.pipe_datafile
        assert "AggregatingMergeTree" in advice.datasource_datafile
        assert advice.warnings == ()

    def test_analysis_of_what_cannot_be(self, pipes, name):
        with pytest.raises(errors.BadRequest):
            pipes.analysis(name, "top")
        with pytest.raises(errors.NotFound):
            pipes.analysis(name, "none")
