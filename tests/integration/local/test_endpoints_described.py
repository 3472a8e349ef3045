"""What is told about endpoints: plans, the OpenAPI document, the address for command lines, the page to share."""

from __future__ import annotations

import itertools
import re

import pytest
import requests

_numbers = itertools.count()

PLAIN = "%\nSELECT number AS n, toString(number) AS t FROM numbers({{Int32(size, 3, description='How <many> & why')}})"


@pytest.fixture(scope="module", autouse=True)
def pipes(api):
    """Make the Pipes of this module."""

    def make(name, *nodes, **more):
        reply = api.post("/v0/pipes", json={"name": name, "nodes": list(nodes), **more})
        assert reply.status_code == 200, reply.text
        return reply.json()

    inner = {"name": "first", "sql": PLAIN}
    outer = {
        "name": "second",
        "sql": (
            "%\nSELECT * FROM first WHERE n >= {{UInt8(low, 0)}} "
            "AND t != {{String(other, required=True, enum=['a', '<b>'])}} "
            "AND n NOT IN {{Array(ids, 'Int64', '7,8', example='1,2')}}"
        ),
        "type": "endpoint",
    }
    draft = [{"name": "a", "sql": "SELECT 1 AS a"}, {"name": "b", "sql": "SELECT a + 1 AS b FROM a"}]
    return {
        "own": make("doc_own", inner, outer, description='Rows <script>alert(1)</script> & "more"'),
        "reader": make("doc_reader", {"name": "e", "sql": "SELECT count() AS c FROM doc_own", "type": "endpoint"}),
        "draft": make("doc_draft", *draft),
    }


def reader(api, pipe):
    """Return a token that reads one Pipe."""
    reply = api.post("/v0/tokens", params={"name": f"reads {pipe} {next(_numbers)}", "scope": f"PIPES:READ:{pipe}"})
    assert reply.status_code == 200, reply.text
    return reply.json()["token"]


class TestExplain:
    @pytest.mark.parametrize(
        ("path", "query", "plan"),
        [
            ("doc_own/explain", "SELECT * FROM first WHERE n >= toUInt8('4')", "numbers"),
            ("doc_own/nodes/first/explain", "FROM numbers(toInt32('3'))", "numbers"),
            ("doc_own.json?explain=true", "SELECT * FROM first WHERE n >= toUInt8('4')", "numbers"),
            ("doc_draft/explain", "SELECT a + 1 AS b FROM a", ""),
        ],
    )
    def test_plan(self, api, path, query, plan):
        """The SQL after the template, and the engine's plan; without a published node it is that of the last one."""
        mark = "&" if "?" in path else "?"
        reply = api.get(f"/v0/pipes/{path}{mark}low=4&other=x")
        assert reply.status_code == 200, reply.text
        assert set(reply.json()) == {"debug_query", "query_explain"}
        assert query in reply.json()["debug_query"]
        assert plan in reply.json()["query_explain"].lower()

    def test_by_ids(self, api, pipes):
        """Pipe and node may be called by id."""
        own = pipes["own"]
        assert api.get(f"/v0/pipes/{own['id']}/nodes/{own['nodes'][0]['id']}/explain").status_code == 200

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("doc_ghost/explain", "The pipe 'doc_ghost' does not exist"),
            ("doc_own/nodes/ghost/explain", "The pipe 'doc_own' has no node 'ghost'."),
        ],
    )
    def test_unknown(self, api, path, text):
        """404 and a sentence."""
        reply = api.get(f"/v0/pipes/{path}")
        assert (reply.status_code, reply.json()["error"]) == (404, text)

    def test_missing_parameter(self, api):
        """The plan needs what a call needs."""
        assert "Check the parameters other" in api.get("/v0/pipes/doc_own/explain").json()["error"]


class TestOpenApi:
    def test_one(self, api):
        """Parameters with type, default, description, values; rows with the columns' types."""
        found = api.get("/v0/pipes/doc_own/openapi.json").json()
        assert found["openapi"].startswith("3.0.")
        operation = found["paths"]["/v0/pipes/doc_own.json"]["get"]
        parameters = {each["name"]: each for each in operation["parameters"]}
        assert set(parameters) == {"size", "low", "other", "ids", "q"}
        assert parameters["size"]["description"] == "How <many> & why"
        assert parameters["size"]["schema"] == {"type": "integer", "format": "int32", "default": 3}
        assert parameters["low"]["schema"] == {"type": "integer", "minimum": 0, "format": "int32", "default": 0}
        assert (parameters["other"]["required"], parameters["other"]["schema"]["enum"]) == (True, ["a", "<b>"])
        assert parameters["ids"]["schema"]["default"] == [7, 8]
        assert (parameters["ids"]["example"], parameters["ids"]["explode"]) == ([1, 2], False)
        row = found["components"]["schemas"]["doc_own_row"]["properties"]
        assert row == {"n": {"type": "integer", "minimum": 0}, "t": {"type": "string"}}

    def test_parameters_of_pipes_below(self, api):
        """A Pipe that reads another takes the other's parameters too."""
        found = api.get("/v0/pipes/doc_reader/openapi.json").json()
        names = {each["name"] for each in found["paths"]["/v0/pipes/doc_reader.json"]["get"]["parameters"]}
        assert names == {"size", "low", "other", "ids", "q"}

    def test_all_that_the_token_may_read(self, api):
        """The administrator sees every published Pipe, others theirs; nobody sees drafts."""
        everything = set(api.get("/v0/pipes/openapi.json").json()["paths"])
        assert {"/v0/pipes/doc_own.json", "/v0/pipes/doc_reader.json"} <= everything
        assert "/v0/pipes/doc_draft.json" not in everything
        own = requests.get(
            f"{api.host}/v0/pipes/openapi.json", params={"token": reader(api, "doc_reader")}, timeout=30
        ).json()
        assert set(own["paths"]) == {"/v0/pipes/doc_reader.json"}

    def test_what_it_says_is_so(self, api):
        """A call made from the document succeeds, and its rows have the columns of the document."""
        found = api.get("/v0/pipes/doc_own/openapi.json").json()
        (path,) = found["paths"]
        parameters = found["paths"][path]["get"]["parameters"]
        values = {each["name"]: each["schema"]["enum"][0] for each in parameters if each["required"]}
        headers = {"Authorization": f"Bearer {api.token}"}
        reply = requests.get(found["servers"][0]["url"] + path, params=values, headers=headers, timeout=30)
        assert set(reply.json()["data"][0]) == set(found["components"]["schemas"]["doc_own_row"]["properties"])

    def test_references_lead_somewhere(self, api):
        """Every ``$ref`` of the whole document is there."""
        reply = api.get("/v0/pipes/openapi.json")
        schemas = reply.json()["components"]["schemas"]
        references = re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', reply.text)
        assert references
        assert set(references) <= set(schemas)

    def test_not_published(self, api):
        """404, as when it is called."""
        assert api.get("/v0/pipes/doc_draft/openapi.json").status_code == 404


class TestExample:
    def test_address(self, api):
        """One line that can be called as it is."""
        own = reader(api, "doc_reader")
        parameters = {"format": "csv", "pipe": "doc_reader", "q": "SELECT c FROM _", "token": own}
        reply = api.get("/examples/query.http", token=None, params=parameters)
        assert reply.headers["content-type"].startswith("text/plain")
        url = reply.text
        assert url.startswith(f"{api.host}/v0/pipes/doc_reader.csv?size=3&")
        assert "\n" not in url
        answer = requests.get(url.replace("other=", "other=x"), timeout=30)
        assert answer.text == '"c"\n1\n'

    @pytest.mark.parametrize(
        ("parameters", "status"),
        [
            ({"pipe": "doc_ghost"}, 404),
            ({}, 400),
            ({"pipe": "doc_own", "format": "xml"}, 400),
            ({"pipe": "doc_draft"}, 404),
        ],
    )
    def test_errors(self, api, parameters, status):
        """What cannot be called has no address."""
        assert api.get("/examples/query.http", params=parameters).status_code == status


class TestPage:
    def test_users_texts_are_text(self, api, pipes):
        """Nothing that a user wrote is markup, and the token is not in the page."""
        own = reader(api, "doc_own")
        reply = api.get(f"/endpoint/{pipes['own']['id']}", token=None, params={"token": own})
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert own not in reply.text
        assert "<script>alert" not in reply.text
        assert "Rows &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;" in reply.text
        assert "How &lt;many&gt; &amp; why" in reply.text

    def test_policy(self, api):
        """Only the page's own script and style run, nothing comes from elsewhere, and the address goes nowhere."""
        reply = api.get("/endpoint/doc_own")
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert not re.search(r"(?:src|href)=", reply.text)
        assert reply.headers["referrer-policy"] == "no-referrer"

    def test_needs_the_token(self, api):
        """Of the Pipe."""
        assert api.get("/endpoint/doc_own", token=None).status_code == 403
        assert api.get("/endpoint/doc_own", token=reader(api, "doc_reader")).status_code == 403
        assert api.get("/endpoint/doc_draft").status_code == 404
