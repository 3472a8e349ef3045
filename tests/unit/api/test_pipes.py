"""The clients of Pipes and their outputs against a server that answers as a test says: other shapes, refusals."""

from __future__ import annotations

import json

import pytest

from tinymagic import errors
from tinymagic.api.connections import Connection
from tinymagic.api.copies import Copies
from tinymagic.api.endpoint_frames import composed
from tinymagic.api.materializations import Materializations
from tinymagic.api.pipe_results import Explanation, MaterializationAdvice, Node, Pipe, PipeParameter, Schedule
from tinymagic.api.pipes import Pipes
from tinymagic.api.replacing import replacing
from tinymagic.api.sinks import Sink, Sinks

REFUSAL = {"error": "Pipes can only be created through deployments. Use `tb deploy`."}

CONTENT = """TOKEN reading READ

NODE a
SQL >
    SELECT 1 AS one

NODE b
SQL >
    SELECT one FROM a

TYPE endpoint
"""

PIPE = {
    "id": "t_1",
    "name": "p",
    "type": "endpoint",
    "endpoint": "t_b",
    "nodes": [
        {"id": "t_a", "name": "a", "sql": "SELECT 1 AS one", "node_type": "standard"},
        {"id": "t_b", "name": "b", "sql": "SELECT one FROM a", "node_type": "endpoint"},
    ],
    "content": CONTENT,
}


@pytest.fixture
def transport(ws):
    return ws._transport


@pytest.fixture
def pipes(transport):
    return Pipes(transport)


ODD = [
    {},
    {"id": None, "name": 5, "nodes": {"a": 1}, "schedule": "daily", "endpoint": False, "created_at": 17, "token": None},
    {"nodes": [1, None, {"params": [1, {"name": None}], "tags": [], "dependencies": [{"id": 1}, None], "sql": None}]},
    {"nodes": "x", "schedule": {"cron": None}, "sink": [], "dependent_pipes": {}, "url": 5, "content": 5},
]


class TestShapes:
    @pytest.mark.parametrize("odd", ODD)
    @pytest.mark.parametrize("kind", [Pipe, Node, PipeParameter, Explanation, MaterializationAdvice, Connection])
    def test_anything_can_be_read(self, kind, odd):
        made = kind.of(odd)
        assert isinstance(repr(made), str)
        assert set(made.raw) == set(odd)

    @pytest.mark.parametrize("odd", ODD)
    def test_a_sink_of_anything(self, odd):
        assert Sink.of(Pipe.of(odd)).schedule is None

    def test_an_old_pipe(self):
        """Of before ``endpoint``, ``type`` and ``node_type``."""
        made = Pipe.of({"name": "p", "published_version": "t_a", "nodes": [{"id": "t_a", "node_type": "default"}]})
        assert (made.type, made.endpoint_node.node_type) == ("endpoint", "standard")

    def test_unknown_keys_are_kept(self):
        assert Pipe.of({"new_key": [1]}).raw["new_key"] == [1]
        with pytest.raises(TypeError):
            Pipe.of({}).raw["x"] = 1

    def test_a_token_is_hidden(self):
        token = "p.secret.of-a-pipe"
        made = Pipe.of({"token": token, "url": f"http://h/v0/pipes/p.json?token={token}"})
        assert token not in repr(made) + str(dict(made.raw))
        assert made.token.reveal() == token

    def test_schedule(self):
        assert Schedule.of(None) is None
        assert Schedule.of({"cron": "* * * * *"}).status is None

    def test_plans(self):
        assert Explanation.of({"query_explain": "a\nb", "debug_query": "SELECT 1"}).plan == "a\nb"
        assert Explanation.of({"data": [{"explain": "a"}, {"explain": "b"}]}).plan == "a\nb"
        assert Explanation.of({"query_explain": ["a", "b"]}).plan == "a\nb"

    def test_secrets_of_connections(self):
        made = Connection.of(
            {
                "connector": {
                    "name": "c",
                    "settings": {"kafka_secret": "abc", "kafka_key": "k", "host": "h"},
                    "token": "t",
                }
            }
        )
        assert dict(made.settings) == {"kafka_secret": "[hidden]", "kafka_key": "[hidden]", "host": "h"}
        assert made.raw["token"] == "[hidden]"

    @pytest.mark.parametrize("key", ["pipes", "data"])
    def test_both_lists(self, server, pipes, key):
        server.on("/v0/pipes", server.answer({key: [PIPE, 5]}))
        assert [each.name for each in pipes.list()] == ["p"]

    @pytest.mark.parametrize("reply", [{}, {"pipes": None}, {"pipes": {"p": 1}}])
    def test_no_list(self, server, transport, pipes, reply):
        server.on("/v0/pipes", server.answer(reply))
        assert pipes.list() == Copies(transport).list() == Sinks(transport).list() == []
        assert Materializations(transport).list() == []


class TestCalls:
    def test_datafile_of_an_older_host(self, server, pipes):
        server.on("/v1/pipes/p.pipe", server.answer({"error": "no"}, 404))
        server.on("/v0/pipes/p.pipe", server.Answer(200, b"NODE a"))
        assert pipes.datafile("p") == "NODE a"
        assert [each.path for each in server.seen] == ["/v1/pipes/p.pipe", "/v0/pipes/p.pipe"]

    def test_an_endpoint_that_was_only_noted(self, server, pipes):
        """Some generations want publishing as a call of its own."""
        server.on("/v0/pipes", server.answer({**PIPE, "type": "default", "endpoint": None}))
        server.on("/v0/pipes/p/nodes/b/endpoint", server.answer(PIPE))
        assert pipes.create("p", {"name": "b", "sql": "SELECT 1", "type": "endpoint"}).endpoint == "t_b"
        assert json.loads(server.seen[0].body)["nodes"][0]["type"] == "endpoint"
        assert server.seen[0].query == {"name": "p"}

    def test_the_form_of_a_call(self, server, pipes):
        """GET as long as the URL has 4,096 characters at most, then POST with a form."""
        server.on("/v0/pipes/p.json", server.answer({}))
        beside = len(pipes.url("p", params={"v": ""}))
        for length, method in ((4096 - beside, "GET"), (4096 - beside + 1, "POST")):
            pipes.call("p", params={"v": "a" * length})
            assert server.seen[-1].method == method
            assert len(server.seen[-1].parameters["v"]) == length
        assert server.seen[-1].query == {}

    def test_the_token_is_in_the_header_only(self, server, pipes):
        server.on("/v0/pipes/p.json", server.answer({}))
        pipes.call("p", q="SELECT 1")
        assert server.token not in str(server.seen[0].query)
        assert server.seen[0].headers["authorization"] == f"Bearer {server.token}"

    def test_a_web_page(self, server, pipes):
        server.on("/v0/pipes/p.json", server.Answer(200, b"<html>", {"Content-Type": "text/html"}))
        with pytest.raises(errors.BadReply, match="web page"):
            pipes.data("p")

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"meta": 1}', b'{"meta": [], "data": 5}', b'{"data": ['])
    def test_no_rows(self, server, pipes, body):
        server.on("/v0/pipes/p.json", server.Answer(200, body, {"Content-Type": "application/json"}))
        with pytest.raises(errors.BadReply):
            pipes.data("p")

    def test_a_schedule_is_taken_away_with_a_word(self, server, transport):
        server.on("/v0/pipes/p/nodes/b/copy", server.answer(PIPE))
        Copies(transport).update("p", "b", schedule_cron=" ")
        assert server.seen[0].form == {"schedule_cron": "None"}
        assert server.seen[0].method == "PUT"

    @pytest.mark.parametrize("reply", [{}, {"ok": True}])
    def test_a_pause_that_says_nothing(self, server, transport, reply):
        server.on("/v0/pipes/p/copy/pause", server.answer(reply))
        server.on("/v0/pipes/p", server.answer(PIPE))
        assert Copies(transport).pause("p").name == "p"

    def test_a_removal_without_a_body(self, server, transport):
        server.on("/v0/pipes/p/nodes/b/sink", server.Answer(204, b""))
        Sinks(transport).remove("p", "b")
        server.on("/v0/pipes/p/nodes/b/endpoint", server.Answer(204, b""))
        server.on("/v0/pipes/p", server.answer(PIPE))
        assert Pipes(transport).unpublish("p", "b").name == "p"

    def test_a_run_without_a_job(self, server, transport):
        server.on("/v0/pipes/p/copy", server.answer({}))
        assert Copies(transport).run("p").id == ""

    def test_a_page_in_the_place_of_a_custom_error(self, server, pipes):
        server.on("/v0/pipes/p.json", server.answer({"reason": {"n": 5}}, 418))
        with pytest.raises(errors.ApiError) as caught:
            pipes.data("p")
        assert json.loads(caught.value.message) == {"reason": {"n": 5}}


class TestRefusals:
    """A Forward Workspace refuses; the datafile that does the same is in the error."""

    @pytest.fixture
    def refusing(self, server):
        def made(path):
            server.on(path, server.answer(REFUSAL, 403))
            server.on("/v0/pipes/p", server.answer(PIPE))

        return made

    @staticmethod
    def datafile(call):
        with pytest.raises(errors.DeploymentRequired) as caught:
            call()
        return caught.value.file, caught.value.datafile

    def test_create(self, refusing, pipes):
        refusing("/v0/pipes")
        nodes = [{"sql": "SELECT 1 AS one"}, {"name": "b", "sql": "SELECT one FROM p_0", "type": "endpoint"}]
        file, text = self.datafile(lambda: pipes.create("p", nodes, description="what for"))
        assert file == "endpoints/p.pipe"
        assert "what for" in text
        assert "NODE p_0" in text
        assert text.index("NODE b") < text.index("TYPE endpoint")

    def test_update(self, refusing, server, pipes):
        server.on("/v0/pipes/p", *[server.answer(REFUSAL, 403), server.answer(PIPE)] * 2)
        file, text = self.datafile(lambda: pipes.update("p", name="q", description="what for"))
        assert (file, "what for" in text) == ("endpoints/q.pipe", True)
        assert self.datafile(lambda: pipes.update("p", description=""))[0] == "endpoints/p.pipe"

    def test_append(self, refusing, pipes):
        refusing("/v0/pipes/p/nodes")
        file, text = self.datafile(lambda: pipes.append_node("p", "SELECT 2 AS two", name="c"))
        assert file == "endpoints/p.pipe"
        assert "NODE c\nSQL >\n    SELECT 2 AS two" in text
        assert "TOKEN" in text

    def test_update_node(self, refusing, pipes):
        refusing("/v0/pipes/p/nodes/t_a")
        _, text = self.datafile(lambda: pipes.update_node("p", "t_a", sql="SELECT 5 AS one", position=1))
        assert text.index("NODE b") < text.index("NODE a")
        assert "SELECT 5 AS one" in text

    def test_delete_node(self, refusing, pipes):
        refusing("/v0/pipes/p/nodes/b")
        file, text = self.datafile(lambda: pipes.delete_node("p", "b"))
        assert (file, "NODE b" in text, "NODE a" in text) == ("pipes/p.pipe", False, True)

    def test_publish(self, refusing, pipes):
        refusing("/v0/pipes/p/nodes/a/endpoint")
        _, text = self.datafile(lambda: pipes.publish("p", "a"))
        assert text.lower().count("type endpoint") == 1
        assert text.lower().index("type endpoint") < text.index("NODE b")

    def test_copy(self, refusing, transport):
        refusing("/v0/pipes/p/nodes/a/copy")
        _, text = self.datafile(lambda: Copies(transport).create("p", "a", "target", mode="replace"))
        for line in ("TYPE copy", "TARGET_DATASOURCE target", "COPY_MODE replace", "COPY_SCHEDULE @on-demand"):
            assert line in text

    def test_view(self, refusing, transport):
        refusing("/v0/pipes/p/nodes/a/materialization")
        _, text = self.datafile(lambda: Materializations(transport).create("p", "a", "target", sorting_key="one"))
        assert "TYPE materialized" in text
        assert "DATASOURCE target" in text
        assert 'ENGINE_SORTING_KEY "one"' in text

    def test_sink(self, refusing, transport):
        refusing("/v0/pipes/p/nodes/a/sink")
        _, text = self.datafile(
            lambda: Sinks(transport).create("p", "a", connection="lake", path="s3://b/out", file_template="all")
        )
        for line in ("TYPE sink", "EXPORT_CONNECTION_NAME lake", "EXPORT_BUCKET_URI s3://b/out"):
            assert line in text.replace('"', "")

    def test_connection(self, server, ws):
        server.on("/v0/connectors", server.answer(REFUSAL, 403))
        settings = {"s3_region": "eu", "s3_secret_access_key": "not-to-be-seen-anywhere"}
        file, text = self.datafile(lambda: ws.connections.create("lake", "s3", settings))
        assert file == "connections/lake.connection"
        assert 'tb_secret("lake_s3_secret_access_key")' in text
        assert "not-to-be-seen" not in text

    def test_a_pipe_that_cannot_be_read(self, server, pipes):
        server.on("/v0/pipes/p/nodes/a/endpoint", server.answer(REFUSAL, 403))
        server.on("/v0/pipes/p", server.answer({"error": "no"}, 404))
        assert self.datafile(lambda: pipes.publish("p", "a")) == (None, None)

    def test_a_pipe_without_content(self, server, pipes):
        server.on("/v0/pipes/p/nodes", server.answer(REFUSAL, 403))
        server.on("/v0/pipes/p", server.answer({**PIPE, "content": None}))
        _, text = self.datafile(lambda: pipes.append_node("p", "SELECT 2"))
        assert "NODE p_2" in text
        assert text.lower().count("type endpoint") == 1


class TestSecrets:
    def test_of_an_error(self, server, ws):
        secret = "a-long-secret-of-a-service"
        server.on("/v0/connectors", server.answer({"error": f"bad value {secret}"}, 400))
        with pytest.raises(errors.BadRequest) as caught:
            ws.connections.create("c", "kafka", {"kafka_secret": secret})
        error = caught.value
        assert secret not in str(error) + error.message + error.answer.body


class TestComposed:
    @pytest.mark.parametrize(
        ("q", "options", "sent"),
        [
            (None, {}, None),
            ("SELECT 1; -- x", {}, "SELECT 1"),
            (None, {"limit": 2}, "SELECT * FROM (\nSELECT * FROM _\n) LIMIT 3"),
            ("SELECT 1 FORMAT CSV", {"limit": 0}, "SELECT * FROM (\nSELECT 1\n) LIMIT 1"),
            ("% SELECT 1", {}, "% SELECT 1"),
            (None, {"only_types": True}, "SELECT * FROM (\nSELECT * FROM _\n) LIMIT 0"),
        ],
    )
    def test_text(self, q, options, sent):
        assert composed(q, **options) == sent


class TestReplacing:
    def test_rights_stay(self, tmp_path):
        file = tmp_path / "x"
        file.write_text("old")
        file.chmod(0o640)
        with replacing(file) as new:
            new.write(b"new")
            assert file.read_text() == "old"
        assert file.read_text() == "new"
        assert file.stat().st_mode & 0o777 == 0o640

    def test_a_failure_leaves_nothing(self, tmp_path):
        def interrupted():
            with replacing(tmp_path / "x") as new:
                new.write(b"new")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert list(tmp_path.iterdir()) == []
