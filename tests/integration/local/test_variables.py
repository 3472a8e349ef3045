"""Environment Variables over HTTP: what is kept, what is never shown, and what templates do with them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.integration.conftest import Api
from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUE = 'zx81-spectrum-"quoted"-it\'s'


def api_of(server: local.LocalServer) -> Api:
    """Raw HTTP to a server of a test's own."""
    tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
    return Api(server.host, tokens["workspace_admin_token"])


def create(api: Api, name: str, value: str = VALUE, **fields: str) -> dict[str, Any]:
    """Make a variable."""
    reply = api.post("/v0/variables", data={"name": name, "value": value, **fields})
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[local.LocalServer]:
    """A server with a folder of its own."""
    started = local.start(path=tmp_path / "data", port=0, with_parent=True)
    yield started
    local.stop(port=started.port)


class TestRoutes:
    def test_life(self, api):
        """Create, list, show, change, delete; no reply has the value."""
        made = create(api, "var_life", type="secret")
        assert made["name"] == "var_life"
        assert made["type"] == "secret"
        assert made["edited_by"] == "token: 'workspace admin token'"
        assert made["created_at"][10] == "T"
        assert len(made["created_at"]) == 19
        changed = api.request("PUT", "/v0/variables/var_life", data={"value": "other-value"})
        shown = api.get("/v0/variables/var_life")
        listed = api.get("/v0/variables")
        assert changed.json() == shown.json()
        assert shown.json() in listed.json()["variables"]
        for reply in (changed, shown, listed):
            assert reply.status_code == 200
            assert "other-value" not in reply.text
            assert "value" not in reply.json()
        assert api.request("DELETE", "/v0/variables/var_life").json() == {"ok": True}
        for method in ("GET", "PUT", "DELETE"):
            reply = api.request(method, "/v0/variables/var_life", data={"value": "x"} if method == "PUT" else None)
            assert reply.status_code == 404
            assert set(reply.json()) == {"error", "documentation"}

    def test_json_and_url(self, api):
        """The parameters may be JSON or stand in the URL; blanks of a value stay."""
        assert api.post("/v0/variables", json={"name": "var_json", "value": " a "}).status_code == 200
        assert api.post("/v0/variables", params={"name": "var_url", "value": "b"}).status_code == 200
        reply = api.sql("% SELECT 1 AS x WHERE ' a ' = {{tb_secret('var_json')}} FORMAT JSON")
        assert reply.json()["data"] == [{"x": 1}]

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"value": "v"}, "'name' is missing"),
            ({"name": "var_bad"}, "'value' is missing"),
            ({"name": "var_bad", "value": ""}, "'value' is missing"),
            ({"name": "1a", "value": "v"}, "not a valid name"),
            ({"name": "a-b", "value": "v"}, "not a valid name"),
            ({"name": "a b", "value": "v"}, "not a valid name"),
            ({"name": "x" * 201, "value": "v"}, "not a valid name"),
            ({"name": "var_bad", "value": "v", "type": "plain"}, "type must be 'secret'"),
            ({"name": "var_bad", "value": "v" * 8_193}, "the limit is 8192"),
            ({"name": "var_bad", "value": "\N{SNOWMAN}" * 2_731}, "the limit is 8192"),
        ],
    )
    def test_refused(self, api, fields, text):
        """Wrong parameters get a sentence, and nothing is made."""
        reply = api.post("/v0/variables", data=fields)
        assert reply.status_code == 400
        assert text in reply.json()["error"]
        assert api.get("/v0/variables/var_bad").status_code == 404

    def test_largest(self, api):
        """8 KB are allowed."""
        create(api, "var_large", "v" * 8_192)

    def test_taken(self, api):
        """A name is there once; the value of the first stays."""
        create(api, "var_taken", "first")
        reply = api.post("/v0/variables", data={"name": "var_taken", "value": "second"})
        assert reply.status_code == 400
        assert "already" in reply.json()["error"]
        assert api.sql("% SELECT 1 WHERE 'first' = {{tb_secret('var_taken')}}").text == "1\n"

    def test_administrators_only(self, api):
        """Other tokens are refused with 403, everywhere."""
        scopes = {"name": "var_reader", "scope": ["PIPES:CREATE", "DATASOURCES:CREATE"]}
        token = api.post("/v0/tokens", params=scopes).json()["token"]
        create(api, "var_secret_one")
        for method, path in (
            ("GET", "/v0/variables"),
            ("POST", "/v0/variables"),
            ("GET", "/v0/variables/var_secret_one"),
            ("PUT", "/v0/variables/var_secret_one"),
            ("DELETE", "/v0/variables/var_secret_one"),
        ):
            assert api.request(method, path, token=token, data={"name": "z", "value": "z"}).status_code == 403
        reply = api.request("GET", "/v0/sql", token=token, params={"q": "% SELECT {{tb_secret('var_secret_one')}}"})
        assert reply.status_code == 400
        assert (
            "Cannot access secret 'var_secret_one'. Check the secret exists in the Workspace and the token has the "
            "required scope." in reply.json()["error"]
        )


class TestUse:
    def test_equal(self, api):
        """A value with quotes and backslashes arrives as it is."""
        for number, value in enumerate([VALUE, "a\\b\\'c", "tab\tline\nend", "\N{SNOWMAN}{{x}}%", "x" * 3_000]):
            name = f"var_equal_{number}"
            create(api, name, value)
            written = value.encode().hex()
            reply = api.post("/v0/sql", json={"q": f"% SELECT unhex('{written}') = {{{{tb_secret('{name}')}}}}"})
            assert reply.text == "1\n", reply.text

    def test_not_shown(self, api):
        """Neither as a column nor in an error, a plan or the log of endpoint errors."""
        create(api, "var_hidden", "the-hidden-value")
        for q in (
            "% SELECT {{tb_secret('var_hidden')}}",
            "% SELECT upper({{tb_secret('var_hidden')}}) AS a FORMAT JSON",
            "% SELECT toUInt8({{tb_secret('var_hidden')}}) = 1 FORMAT JSON",
            "% SELECT 1 WHERE toDate({{tb_secret('var_hidden')}}) = today() FORMAT JSON",
            "% SELECT {{tb_secret('var_hidden')}} = 'x' AS ok, 'the-hidden-value' AS own FORMAT JSON",
        ):
            reply = api.sql(q)
            assert reply.status_code == 400, reply.text
            assert "hidden-value" not in reply.text
        plan = api.sql(
            "% SELECT 1 FROM numbers(3) WHERE toString(number) = {{tb_secret('var_hidden')}}", explain="true"
        )
        assert plan.status_code == 200
        assert "hidden-value" not in plan.text
        assert "tb_secret" not in plan.text

    def test_default(self, api):
        """A missing secret has its default, which is no secret."""
        assert api.sql("% SELECT {{tb_secret('var_none', 'plain')}}").text == "plain\n"
        reply = api.sql("% SELECT {{tb_secret('var_none')}}")
        assert reply.status_code == 400
        assert "Cannot access secret 'var_none'." in reply.json()["error"]

    def test_endpoint(self, api):
        """Whoever may call an endpoint uses its secret without seeing it, also by ``q`` over it."""
        create(api, "var_key", "the-endpoint-key")
        sql = "% SELECT hex(SHA256(concat('a', {{tb_secret('var_key')}}))) AS digest, 1 AS one"
        assert api.post("/v0/pipes", params={"name": "var_pipe"}, data={"sql": sql}).status_code == 200
        assert api.post("/v0/pipes/var_pipe/nodes/var_pipe_0/endpoint").status_code == 200
        token = api.post("/v0/tokens", params={"name": "var_caller", "scope": "PIPES:READ:var_pipe"}).json()["token"]
        reply = api.get("/v0/pipes/var_pipe.json", token=token)
        assert reply.status_code == 200, reply.text
        assert len(reply.json()["data"][0]["digest"]) == 64
        assert "endpoint-key" not in reply.text
        for q in (
            "SELECT {var_key: String} AS x FROM _",
            "SELECT one FROM _ WHERE startsWith({var_key: String}, 't')",
            "% SELECT one FROM _ WHERE startsWith({{tb_secret('var_key')}}, 't')",
        ):
            tried = api.get("/v0/pipes/var_pipe.json", token=token, params={"q": q})
            assert tried.status_code == 400, tried.text
            assert "endpoint-key" not in tried.text
        assert api.get("/v0/variables/var_key").json()["used_by"] == ["var_pipe"]

    def test_exposing_node(self, api):
        """A node that would show a secret is not even saved."""
        create(api, "var_open", "the-open-value")
        sql = "% SELECT {{tb_secret('var_open')}} AS a"
        reply = api.post("/v0/pipes", params={"name": "var_exposing"}, data={"sql": sql})
        assert reply.status_code == 400
        assert "would show the value of an Environment Variable" in reply.json()["error"]
        assert api.get("/v0/pipes/var_exposing").status_code == 404

    def test_changed_value(self, api):
        """The next query has the new value; a deleted one is gone."""
        q = "% SELECT {{tb_secret('var_changing')}} = 'one', {{tb_secret('var_changing')}} = 'two'"
        create(api, "var_changing", "one")
        assert api.sql(q).text == "1\t0\n"
        api.request("PUT", "/v0/variables/var_changing", data={"value": "two"})
        assert api.sql(q).text == "0\t1\n"
        api.request("DELETE", "/v0/variables/var_changing")
        assert api.sql(q).status_code == 400

    def test_branch(self, api, server, tokens):
        """A new branch has the values of its workspace, and from then on its own."""
        create(api, "var_branched", "of-main")
        made = api.post("/v0/environments", params={"name": "var_branch"}).json()
        for _ in range(600):
            job = api.get(f"/v0/jobs/{made['job']['id']}").json()
            if job["status"] not in ("waiting", "working"):
                break
            time.sleep(0.05)
        assert job["status"] == "done", job
        token = api.get("/v0/environments/var_branch", params={"with_token": "true"}).json()["token"]
        branch = Api(api.host, token)
        q = "% SELECT {{tb_secret('var_branched')}} = 'of-main'"
        assert branch.sql(q).text == "1\n"
        branch.request("PUT", "/v0/variables/var_branched", data={"value": "of-branch"})
        assert (branch.sql(q).text, api.sql(q).text) == ("0\n", "1\n")
        api.request("DELETE", "/v0/environments/var_branch")


class TestAtRest:
    def test_files(self, own_server):
        """After all kinds of use no file of the data folder has the value, and the key is private."""
        api = api_of(own_server)
        value = "needle-in-a-haystack-4711"
        create(api, "k", value)
        api.sql("% SELECT 1 WHERE 'x' = {{tb_secret('k')}}")
        api.sql("% SELECT toUInt8({{tb_secret('k')}}) = 1")
        api.sql("SELECT * FROM tinybird.pipe_stats_rt")
        api.sql("SELECT * FROM tinybird.endpoint_errors")
        folder = own_server.path
        assert folder is not None
        assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
        with closing(sqlite3.connect(folder / "catalog.sqlite")) as catalog:
            [[kept]] = catalog.execute("SELECT body FROM variables").fetchall()
        assert value not in kept
        local.stop(port=own_server.port)
        files = [each for each in folder.rglob("*") if each.is_file()]
        assert len(files) > 5
        for file in files:
            assert value.encode() not in file.read_bytes(), file

    def test_restart(self, own_server):
        """A value outlives the server; with another key there is a sentence, and a new value mends it."""
        create(api_of(own_server), "k", "kept-value")
        folder = own_server.path
        assert folder is not None
        local.stop(port=own_server.port)
        q = "% SELECT {{tb_secret('k')}} = 'kept-value'"
        again = local.start(path=folder, port=0, with_parent=True)
        assert api_of(again).sql(q).text == "1\n"
        local.stop(port=again.port)
        (folder / "secret.key").unlink()
        lost = local.start(path=folder, port=0, with_parent=True)
        try:
            api = api_of(lost)
            reply = api.sql(q)
            assert reply.status_code == 400
            assert "Environment Variable 'k': The secret cannot be decrypted" in reply.json()["error"]
            assert api.get("/v0/variables").status_code == 200
            assert api.request("PUT", "/v0/variables/k", data={"value": "kept-value"}).status_code == 200
            assert api.sql(q).text == "1\n"
        finally:
            local.stop(port=lost.port)


def test_limits(tmp_path: Path) -> None:
    """100 variables in a workspace; with the service's limits 5 requests a second."""
    server = local.start(memory=True, port=0, with_parent=True, limits="service")
    try:
        api = api_of(server)
        replies = [api.get("/v0/variables") for _ in range(8)]
        assert 429 in {reply.status_code for reply in replies}
        limited = next(reply for reply in replies if reply.status_code == 429)
        assert limited.headers["Retry-After"] == "1"
        assert replies[0].headers["X-RateLimit-Limit"] == "5"
    finally:
        local.stop(port=server.port)
    server = local.start(memory=True, port=0, with_parent=True)
    try:
        api = api_of(server)
        for number in range(100):
            create(api, f"v{number}", "x")
        reply = api.post("/v0/variables", data={"name": "one_more", "value": "x"})
        assert reply.status_code == 403
        assert "100 Environment Variables" in reply.json()["error"]
    finally:
        local.stop(port=server.port)
