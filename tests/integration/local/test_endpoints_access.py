"""Who may call an endpoint: scopes, filters, JWTs with fixed parameters and rates; and what secrets do not tell."""

from __future__ import annotations

import itertools
import time

import pytest

from tinymagic.local.access import jwt

_numbers = itertools.count()


def make(api, name, sql):
    """Make a Pipe of one node, and publish it."""
    node = {"name": "endpoint", "sql": sql, "type": "endpoint"}
    reply = api.post("/v0/pipes", params={"force": "true"}, json={"name": name, "nodes": [node]})
    assert reply.status_code == 200, reply.text
    return reply.json()


def data(reply):
    """Return the rows of a reply in JSON."""
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def token(api, *scopes):
    """Return the string of a new token."""
    parameters = [("name", f"endpoints {next(_numbers)}"), *(("scope", scope) for scope in scopes)]
    reply = api.post("/v0/tokens", params=parameters)
    assert reply.status_code == 200, reply.text
    return reply.json()["token"]


def signed(api, *scopes, name=None, **claims):
    """Return a JWT with these scopes."""
    workspace = api.get("/v0/workspace").json()["id"]
    name = name or f"endpoint jwt {next(_numbers)}"
    claims = {"workspace_id": workspace, "name": name, "exp": int(time.time()) + 600, "scopes": list(scopes), **claims}
    return jwt.sign(claims, api.token)


def reads(pipe, **more):
    """Return the scope of a JWT that reads a Pipe."""
    return {"type": "PIPES:READ", "resource": pipe, **more}


@pytest.fixture(scope="module", autouse=True)
def pipes(api):
    """Make the Pipes of this module over a Data Source of three organisations."""
    schema = {"name": "acc_rows", "format": "ndjson", "schema": "org Int32 `json:$.org`, secret String `json:$.secret`"}
    body = "\n".join(f'{{"org": {org}, "secret": "s{org}"}}' for org in (1, 1, 2, 3))
    reply = api.post("/v0/datasources", params=schema, data=body)
    assert reply.status_code == 200, reply.text
    return {
        "own": make(api, "acc_own", "%\nSELECT org, secret FROM acc_rows WHERE org = {{Int32(org, 1)}} ORDER BY 1, 2"),
        "all": make(api, "acc_all", "SELECT org, count() AS c FROM acc_rows GROUP BY org ORDER BY org"),
        "reader": make(api, "acc_reader", "SELECT count() AS c FROM acc_own"),
    }


class TestScopes:
    def test_reading_a_pipe_needs_no_rights_below(self, api):
        """A token for the Pipe gets the rows, and neither the table nor other Pipes."""
        own = token(api, "PIPES:READ:acc_own")
        assert data(api.get("/v0/pipes/acc_own.json?org=2", token=own)) == [{"org": 2, "secret": "s2"}]
        assert api.post("/v0/sql", token=own, data={"q": "SELECT count() FROM acc_own", "org": "3"}).text == "1\n"
        assert api.post("/v0/sql", token=own, data={"q": "SELECT 1 FROM acc_rows"}).status_code == 403
        assert api.get("/v0/pipes/acc_all.json", token=own).status_code == 403
        q = {"q": "SELECT * FROM _ JOIN acc_rows USING (org)"}
        assert api.get("/v0/pipes/acc_own.json", token=own, params=q).status_code == 403
        assert api.get("/v0/pipes/acc_own.json", token=own, params={"q": "SELECT * FROM acc_all"}).status_code == 403

    def test_a_pipe_over_another_needs_the_first_only(self, api):
        """What a Pipe reads is read with the rights of its owner."""
        reader = token(api, "PIPES:READ:acc_reader")
        assert data(api.get("/v0/pipes/acc_reader.json", token=reader)) == [{"c": 2}]
        assert api.get("/v0/pipes/acc_own.json", token=reader).status_code == 403

    @pytest.mark.parametrize(
        "path", ["acc_own.json", "acc_own/explain", "acc_own/openapi.json", "acc_own/nodes/endpoint/explain"]
    )
    def test_others_are_refused(self, api, path):
        """No token, a wrong one, or one for something else: 403, never 401."""
        for each in (None, "p.wrong.token", token(api), token(api, "DATASOURCES:READ:acc_rows"), token(api, "TOKENS")):
            assert api.get(f"/v0/pipes/{path}", token=each).status_code == 403
        for scope in ("PIPES:READ:acc_own", "WORKSPACE:READ_ALL", "ADMIN"):
            assert api.get(f"/v0/pipes/{path}", token=token(api, scope)).status_code == 200

    def test_token_as_parameter(self, api):
        """The token may be in the URL; it is no parameter of the template."""
        own = token(api, "PIPES:READ:acc_own")
        assert data(api.get("/v0/pipes/acc_own.json", token=None, params={"token": own}))[0]["org"] == 1

    def test_text_of_a_wrong_token(self, api):
        """As on every API."""
        reply = api.get("/v0/pipes/acc_own.json", token="wrong")
        assert reply.json()["error"] == "invalid authentication token. Invalid token b'wrong': Not enough segments"

    def test_a_token_that_is_gone(self, api):
        """A deleted Pipe grants nothing, also when one of its name comes back."""
        make(api, "acc_again", "SELECT 1 AS a")
        own = token(api, "PIPES:READ:acc_again")
        assert data(api.get("/v0/pipes/acc_again.json", token=own)) == [{"a": 1}]
        assert api.request("DELETE", "/v0/pipes/acc_again").status_code == 204
        make(api, "acc_again", "SELECT 2 AS a")
        assert api.get("/v0/pipes/acc_again.json", token=own).status_code == 403


class TestFilters:
    def test_over_the_result(self, api):
        """``PIPES:READ:<pipe>:<filter>`` keeps rows of the result back, whatever way it is read."""
        some = token(api, "PIPES:READ:acc_all:org > 1")
        expected = [{"org": 2, "c": 1}, {"org": 3, "c": 1}]
        assert data(api.get("/v0/pipes/acc_all.json", token=some)) == expected
        q = {"q": "SELECT * FROM _ ORDER BY org"}
        assert data(api.get("/v0/pipes/acc_all.json", token=some, params=q)) == expected
        assert api.post("/v0/sql", token=some, data={"q": "SELECT org FROM acc_all ORDER BY org"}).text == "2\n3\n"
        assert api.get("/v0/pipes/acc_all.json?explain=true", token=some).status_code == 400
        assert api.get("/v0/pipes/acc_all/explain", token=some).status_code == 400

    @pytest.mark.parametrize(
        "q",
        [
            "SELECT toUInt8OrZero(secret), throwIf(secret = 's1') FROM _",
            "SELECT 1 FROM _ WHERE throwIf(secret = 's1')",
            "SELECT 1 FROM _ WHERE toUInt32(substring(secret, 2)) + throwIf(org = 1) > 0",
            "SELECT 1 FROM _ AS a JOIN (SELECT 1 AS k) AS b ON throwIf(a.org = 1) = b.k - 1",
        ],
    )
    def test_hidden_rows_cannot_be_asked_about(self, api, q):
        """No expression over the result is evaluated for a row that the filter keeps back."""
        make(api, "acc_raw", "SELECT org, secret FROM acc_rows")
        some = token(api, "PIPES:READ:acc_raw:org = 2")
        reply = api.get("/v0/pipes/acc_raw.json", token=some, params={"q": q})
        assert reply.status_code == 200, reply.text
        assert "X-ClickHouse-Summary" in reply.headers
        assert '"read_rows":"4"' not in reply.headers["X-ClickHouse-Summary"]

    def test_of_a_table_below(self, api):
        """A filter on a Data Source holds where a Pipe reads it."""
        some = token(api, "PIPES:READ:acc_all", "DATASOURCES:READ:acc_rows:org = 1")
        assert data(api.get("/v0/pipes/acc_all.json", token=some)) == [{"org": 1, "c": 2}]


class TestJwt:
    def test_calls(self, api, pipes):
        """By the name of the Pipe or its id; other Pipes are refused."""
        for resource in ("acc_own", pipes["own"]["id"]):
            own = signed(api, reads(resource))
            assert len(data(api.get("/v0/pipes/acc_own.json", token=own))) == 2
            assert api.get("/v0/pipes/acc_all.json", token=own).status_code == 403

    @pytest.mark.parametrize("value", [2, "2"])
    def test_fixed_parameters_win(self, api, value):
        """What a JWT fixes cannot be chosen, on whatever way the Pipe is read."""
        own = signed(api, reads("acc_own", fixed_params={"org": value}))
        expected = [{"org": 2, "secret": "s2"}]
        path = "/v0/pipes/acc_own.json"
        assert data(api.get(path, token=own)) == expected
        assert data(api.get(f"{path}?org=1", token=own)) == expected
        assert data(api.post(path, token=own, data={"org": "1"})) == expected
        assert data(api.post(path, token=own, json={"org": 1})) == expected
        assert data(api.get(path, token=own, params={"q": "SELECT * FROM _", "org": "1"})) == expected
        assert data(api.get(path, token=own, params={"q": "SELECT * FROM acc_own", "org": "1"})) == expected
        assert api.post("/v0/sql", token=own, data={"q": "SELECT org FROM acc_own", "org": "1"}).text == "2\n"

    def test_fixed_parameters_of_one_pipe_through_another(self, api):
        """Neither another Pipe's endpoint nor a Pipe that reads it leads around them."""
        own = signed(api, reads("acc_own", fixed_params={"org": 3}), reads("acc_all"), reads("acc_reader"))
        q = {"q": "SELECT org FROM acc_own", "org": "1"}
        assert data(api.get("/v0/pipes/acc_all.json", token=own, params=q)) == [{"org": 3}]
        assert data(api.get("/v0/pipes/acc_reader.json?org=1", token=own)) == [{"c": 1}]
        outer = signed(api, reads("acc_reader", fixed_params={"org": 2}))
        assert data(api.get("/v0/pipes/acc_reader.json?org=1", token=outer)) == [{"c": 1}]

    def test_fixed_parameters_are_not_documented(self, api):
        """Who cannot choose a parameter is not told to."""
        own = signed(api, reads("acc_own", fixed_params={"org": 3}))
        found = api.get("/v0/pipes/acc_own/openapi.json", token=own).json()
        names = [each["name"] for each in found["paths"]["/v0/pipes/acc_own.json"]["get"]["parameters"]]
        assert names == ["q"]

    def test_expired(self, api):
        """403, as for every bad token."""
        assert api.get("/v0/pipes/acc_own.json", token=signed(api, reads("acc_own"), exp=1)).status_code == 403

    def test_rate(self, api):
        """``limits.rps`` holds for calls too, with the headers that clients wait by."""
        slow = signed(api, reads("acc_own"), limits={"rps": 2})
        replies = [api.get("/v0/pipes/acc_own.json", token=slow) for _ in range(6)]
        codes = [reply.status_code for reply in replies]
        assert codes[0] == 200
        assert 429 in codes
        assert replies[0].headers["X-RateLimit-Limit"] == "2"
        refused = replies[codes.index(429)]
        assert {"Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining"} <= {*refused.headers} | {
            name.title().replace("Ratelimit", "RateLimit") for name in refused.headers
        }


class TestSecrets:
    def test_used_and_not_told(self, api):
        """A template compares with a secret; neither plan, statistics nor errors have its value."""
        value = "hunter2-very-secret"
        assert api.post("/v0/variables", data={"name": "acc_key", "value": value}).status_code == 200
        make(api, "acc_secret", "%\nSELECT {{String(guess, '')}} = {{tb_secret('acc_key')}} AS same")
        assert data(api.get("/v0/pipes/acc_secret.json", params={"guess": value})) == [{"same": 1}]
        assert data(api.get("/v0/pipes/acc_secret.json", params={"guess": "x"})) == [{"same": 0}]
        for path in ("acc_secret/explain", "acc_secret.json?explain=true", "acc_secret/openapi.json", "acc_secret"):
            reply = api.get(f"/v0/pipes/{path}")
            assert reply.status_code == 200, reply.text
            assert value not in reply.text

    def test_unknown(self, api):
        """The text that clients match on."""
        make(api, "acc_ghost", "%\nSELECT {{tb_secret('acc_ghost', 'none')}} = 'none' AS x")
        assert data(api.get("/v0/pipes/acc_ghost.json")) == [{"x": 1}]
