"""The client of deployments against a server that answers as a test says: shapes, forms, waiting."""

from __future__ import annotations

import email

import pytest

from tinymagic import errors
from tinymagic.api.deployments import Change, Deployment, DeploymentProblem, DeploymentResult
from tinymagic.api.http.cancelling import Cancellation

FILES = {"connections/c.connection": "TYPE s3", "pipes/p.pipe": "NODE a", "datasources/é 'x'.datasource": "SCHEMA >\n"}

ODD = [
    {},
    {"deployment": None, "errors": None, "result": None},
    {"result": "failed", "error": ["a", "b"], "errors": "no"},
    {
        "result": "failed",
        "errors": [None, "text", {"filename": None, "error": None}, {"error": "x", "filename": "a.pipe"}],
    },
    {"result": "success", "deployment": {"id": 7, "live": "true", "new_pipe_names": "p", "feedback": ["x", {}]}},
    {"deployment": {"errors": [5], "new_datasource_names": [None, {"a": 1}, "x"], "created_at": "no"}},
]


@pytest.mark.parametrize("reply", ODD)
def test_any_shape(reply):
    done = DeploymentResult.of(reply)
    assert done.result in ("success", "failed", "no_changes")
    assert isinstance(done.failed, bool)
    assert repr(done)
    assert all(str(each) is not None for each in done.deployment.problems)


class TestProblems:
    @pytest.mark.parametrize(
        ("described", "shown"),
        [
            ({"filename": "a.pipe", "error": "line 3: no"}, "a.pipe:3: no"),
            ({"filename": "a.pipe", "error": "Line: 12, no"}, "a.pipe:12: no"),
            ({"filename": "a.pipe", "error": "no column at line 4"}, "a.pipe:4: no column at line 4"),
            ({"filename": "a.pipe", "error": "no"}, "a.pipe: no"),
            ({"error": "line 3: no"}, "line 3: no"),
            ({"resource": "a", "message": "no"}, "a: no"),
            ("no", "no"),
        ],
    )
    def test_of(self, described, shown):
        assert str(DeploymentProblem.of(described)) == shown

    @pytest.mark.parametrize("path", ["/v1/deploy", "/v1/build"])
    @pytest.mark.parametrize("status", [200, 400])
    def test_they_are_no_exception(self, server, ws, path, status):
        """Whether the service says it with 200 or 400."""
        answer = {"result": "failed", "errors": [{"filename": "a.pipe", "error": "line 2: no"}], "error": "a.pipe: no"}
        server.on(path, server.answer(answer, status))
        call = ws.deployments.deploy if path == "/v1/deploy" else ws.deployments.build
        done = call(FILES)
        assert (done.failed, str(done.deployment.problems[0])) == (True, "a.pipe:2: no")

    def test_an_error_without_files_is_an_exception(self, server, ws):
        server.on("/v1/deploy", server.answer({"error": "The body is odd."}, 400))
        with pytest.raises(errors.BadRequest, match="odd"):
            ws.deployments.deploy(FILES)

    @pytest.mark.parametrize(
        ("status", "kind"), [(403, errors.Forbidden), (409, errors.Conflict), (413, errors.PayloadTooLarge)]
    )
    def test_other_errors(self, server, ws, status, kind):
        server.on("/v1/deploy", server.answer({"error": "no", "errors": ["no"]}, status))
        with pytest.raises(kind):
            ws.deployments.deploy(FILES)


class TestRequest:
    @pytest.fixture
    def sent(self, server, ws):
        def send(**options):
            server.on("/v1/deploy", server.answer({"result": "success", "deployment": {}}))
            ws.deployments.deploy(FILES, **options)
            return server.seen[-1]

        return send

    def test_the_files(self, sent):
        """Data Sources, then Pipes, then connections; paths as file names, text unchanged."""
        seen = sent()
        head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + seen.body).get_payload()
        assert [each.get_param("name", header="content-disposition") for each in parts] == ["data_project://"] * 3
        names = [each.get_param("filename", header="content-disposition") for each in parts]
        assert [each.rpartition(".")[2] for each in names] == ["datasource", "pipe", "connection"]
        assert names[1:] == ["pipes/p.pipe", "connections/c.connection"]
        assert parts[0].get_payload(decode=True) == b"SCHEMA >\n"
        assert {each.get_content_type() for each in parts} == {"text/plain"}

    def test_options(self, sent):
        assert sent().query == {"auto_promote": "true"}
        assert sent(auto_promote=False).query == {}
        assert sent(check=True).query == {"check": "true"}
        assert sent(allow_destructive=True).query == {"auto_promote": "true", "allow_destructive_operations": "true"}

    def test_what_is_not_sent(self, server, ws):
        for files in ({}, {"a.pipe": None}, {"a.pipe": b"x"}, {5: "x"}):
            for call in (ws.deployments.deploy, ws.deployments.build):
                with pytest.raises(errors.InvalidInput):
                    call(files)
        assert not server.seen

    @pytest.mark.parametrize("how", ["reset", "hang up"])
    def test_it_is_not_repeated(self, server, ws, how):
        """Nobody knows whether it was done."""
        server.on("/v1/deploy", server.Answer(how=how))
        with pytest.raises(errors.ConnectionFailed) as caught:
            ws.deployments.deploy(FILES)
        assert caught.value.sent
        assert len(server.seen) == 1


def test_changes():
    deployment = Deployment.of(
        {
            "new_datasource_names": ["a"],
            "deleted_datasource_names": ["b"],
            "changed_pipe_names": ["p"],
            "new_data_connector_names": ["c"],
        }
    )
    assert deployment.changes == (
        Change("Data Source", "a", "new"),
        Change("Data Source", "b", "deleted"),
        Change("Pipe", "p", "changed"),
        Change("connection", "c", "new"),
    )
    assert deployment.destroys == (Change("Data Source", "b", "deleted"),)


class TestWait:
    def test_until_it_is_live(self, server, ws):
        states = [{"status": "calculating"}, {"status": "data_ready"}, {"status": "data_ready", "live": True}]
        server.on("/v1/deployments/7", *[server.answer({"deployment": each}) for each in states])
        assert ws.deployments.wait("7").live
        assert len(server.seen) == 3

    @pytest.mark.parametrize("state", [{"status": "live"}, {"status": "failed"}, {"status": "deleted"}])
    def test_what_ends_it(self, server, ws, state):
        server.on("/v1/deployments/7", server.answer(state))
        assert ws.deployments.wait("7", timeout_s=5).status == state["status"]
        assert len(server.seen) == 1

    def test_not_until_it_is_live(self, server, ws):
        server.on("/v1/deployments/7", server.answer({"deployment": {"status": "data_ready", "live": False}}))
        assert not ws.deployments.wait("7", live=False).live

    def test_too_long(self, server, ws):
        server.on("/v1/deployments/7", server.answer({"deployment": {"status": "creating_schema"}}))
        with pytest.raises(errors.Timeout, match="creating_schema"):
            ws.deployments.wait("7", timeout_s=0.05)

    def test_cancelled_while_the_service_is_silent(self, server, ws):
        import threading

        server.on("/v1/deployments/7", server.Answer(how="slow", seconds=5))
        cancellation = Cancellation()
        threading.Timer(0.2, cancellation.cancel).start()
        with pytest.raises(errors.Cancelled):
            ws.deployments.wait("7", cancellation=cancellation)


def test_replies_to_promoting_and_discarding(server, ws):
    """The service may answer with the deployment or with nothing."""
    server.on(
        "/v1/deployments/7/set-live", server.answer({"result": "success", "deployment": {"id": "7", "live": True}})
    )
    server.on("/v1/deployments/7", server.Answer(204, b""))
    assert ws.deployments.set_live("7").live
    assert ws.deployments.discard("7").id == "7"
    with pytest.raises(errors.InvalidInput):
        ws.deployments.get("")
