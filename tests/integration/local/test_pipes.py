"""Pipes and nodes over HTTP: making, reading, changing, deleting, and reading them in SQL (``pipes.md`` 1 to 4)."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Api

READ_EVENTS = "SELECT id, kind FROM pipes_events"


@pytest.fixture(scope="module", autouse=True)
def events(api: Api) -> Iterator[None]:
    """A Data Source with ten rows, ids 0 to 9, kinds a and b in turns."""
    api.post("/v0/datasources", params={"name": "pipes_events", "schema": "id Int32, kind String"})
    rows = "\n".join(f'{{"id": {number}, "kind": "{"ab"[number % 2]}"}}' for number in range(10))
    reply = api.post("/v0/events", params={"name": "pipes_events", "wait": "true"}, data=rows)
    assert reply.json() == {"successful_rows": 10, "quarantined_rows": 0}
    yield
    api.request("DELETE", "/v0/datasources/pipes_events", params={"force": "true"})


@pytest.fixture
def name() -> str:
    """A name for a Pipe that nobody else uses."""
    return f"pipe_{uuid.uuid4().hex[:8]}"


def made(api: Api, name: str, *nodes: dict[str, Any], **parameters: str) -> dict[str, Any]:
    """Make a Pipe, which must go well."""
    reply = api.post("/v0/pipes", json={"name": name, "nodes": list(nodes)}, params=parameters)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def rows(api: Api, q: str, **parameters: str) -> list[Any]:
    """Run SQL, which must go well."""
    reply = api.sql(f"{q} FORMAT JSONCompact", **parameters)
    assert reply.status_code == 200, reply.text
    found: list[Any] = reply.json()["data"]
    return found


def error(reply: Any, status: int) -> str:
    """Return the text of an error."""
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"])


class TestCreate:
    """``POST /v0/pipes``."""

    def test_by_form(self, api, name):
        """Name and SQL as a form make a Pipe with one node, without an endpoint."""
        pipe = api.post("/v0/pipes", data={"name": name, "sql": READ_EVENTS}).json()
        assert (pipe["name"], pipe["type"], pipe["endpoint"]) == (name, "default", None)
        [node] = pipe["nodes"]
        assert (node["name"], node["sql"], node["node_type"]) == (f"{name}_0", READ_EVENTS, "standard")
        assert node["dependencies"] == ["pipes_events"]
        assert pipe["id"].startswith("t_")
        assert len(pipe["id"]) == 34

    def test_by_query_and_raw_body(self, api, name):
        """The SQL may be the body itself, also with the content type of a form."""
        reply = api.post("/v0/pipes", params={"name": name}, data=READ_EVENTS)
        assert reply.json()["nodes"][0]["sql"] == READ_EVENTS
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = api.post("/v0/pipes", params={"name": name + "_2"}, data="SELECT 1 AS a", headers=headers)
        assert reply.json()["nodes"][0]["sql"] == "SELECT 1 AS a"

    def test_by_json(self, api, name):
        """A JSON body has several nodes; the one of the type endpoint is published."""
        pipe = made(
            api,
            name,
            {"name": "few", "sql": f"{READ_EVENTS} WHERE id < 4", "description": "the first"},
            {
                "name": "counted",
                "sql": "SELECT kind, count() AS n FROM few GROUP BY kind ORDER BY kind",
                "type": "endpoint",
            },
        )
        assert pipe["type"] == "endpoint"
        assert pipe["endpoint"] == pipe["nodes"][1]["id"]
        assert pipe["nodes"][0]["description"] == "the first"
        assert rows(api, f"SELECT * FROM {name}") == [["a", 2], ["b", 2]]

    def test_parameters_are_described(self, api, name):
        """A node tells the parameters of its template."""
        pipe = made(api, name, {"name": "n", "sql": "% SELECT {{Int32(low, 3, description='least')}} AS low"})
        [parameter] = pipe["nodes"][0]["params"]
        assert {key: parameter[key] for key in ("name", "type", "default", "description")} == {
            "name": "low",
            "type": "Int32",
            "default": 3,
            "description": "least",
        }

    def test_force_keeps_ids(self, api, name):
        """``force=true`` puts a Pipe in the place of another: same id, and same ids of nodes of the same name."""
        first = made(api, name, {"name": "n", "sql": "SELECT 1 AS a"}, {"name": "old", "sql": "SELECT 2 AS a"})
        second = made(api, name, {"name": "n", "sql": "SELECT 3 AS a"}, force="true")
        assert second["id"] == first["id"]
        assert second["nodes"][0]["id"] == first["nodes"][0]["id"]
        assert [node["name"] for node in second["nodes"]] == ["n"]

    def test_ignore_sql_errors(self, api, name):
        """A node that cannot run is refused, or saved with a note when that is asked for."""
        wrong = {"name": "n", "sql": "SELECT nothing FROM pipes_events"}
        text = error(api.post("/v0/pipes", json={"name": name, "nodes": [wrong]}), 400)
        assert "nothing" in text
        assert api.get(f"/v0/pipes/{name}").status_code == 404
        pipe = made(api, name, wrong, ignore_sql_errors="true")
        assert pipe["nodes"][0]["ignore_sql_errors"] is True

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            ({"name": "1a", "nodes": []}, 400, "not a valid Pipe name"),
            ({"name": "select", "nodes": []}, 400, "reserved"),
            ({"name": "openapi", "nodes": []}, 400, "kept for the API"),
            ({"nodes": []}, 400, "needs the parameter 'name'"),
            ({"name": "pipes_x", "nodes": {}}, 400, "must be a list"),
            ({"name": "pipes_x", "nodes": ["SELECT 1"]}, 400, "must be a list"),
            ({"name": "pipes_x", "nodes": [{"name": "n"}]}, 400, "has no SQL"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": 5}]}, 400, "has no SQL"),
            ({"name": "pipes_x", "nodes": [{"name": "a b", "sql": "SELECT 1"}]}, 400, "not a valid node name"),
            ({"name": "pipes_x", "nodes": [{"name": "pipes_x", "sql": "SELECT 1"}]}, 400, "the name of its pipe"),
            (
                {"name": "pipes_x", "nodes": [{"name": "n", "sql": "SELECT 1", "type": "odd"}]},
                400,
                "There are: standard",
            ),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "SELECT 1"}] * 2}, 400, "two nodes called 'n'"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "DROP TABLE a"}]}, 400, "Only SELECT"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "SELECT 1; SELECT 2"}]}, 400, "Syntax error"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "SELECT * FROM absent"}]}, 403, "'absent' not found"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "SELECT * FROM file('/etc/passwd')"}]}, 400, "file"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "% SELECT {{nope(x)}}"}]}, 400, "nope"),
            ({"name": "pipes_x", "nodes": [{"name": "n", "sql": "SHOW TABLES"}]}, 400, "must be a SELECT"),
            ({"name": "pipes_events", "nodes": []}, 409, "already a Data Source"),
            (
                {
                    "name": "pipes_x",
                    "nodes": [
                        {"name": "a", "sql": "SELECT 1", "type": "endpoint"},
                        {"name": "b", "sql": "SELECT 1", "type": "endpoint"},
                    ],
                },
                400,
                "more than one output",
            ),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_refused(self, api, body, status, said):
        """What cannot be a Pipe gets a sentence, and nothing is made."""
        assert said in error(api.post("/v0/pipes", json=body), status)
        assert api.get("/v0/pipes/pipes_x").status_code == 404

    def test_taken(self, api, name):
        """A name is there once, for Pipes and Data Sources together."""
        made(api, name, {"name": "n", "sql": "SELECT 1 AS a"})
        assert "force=true" in error(api.post("/v0/pipes", data={"name": name, "sql": "SELECT 2"}), 409)
        reply = api.post("/v0/datasources", params={"name": name, "schema": "a Int8"})
        assert "already a Pipe" in error(reply, 409)

    def test_one_of_two_that_are_made_at_once(self, api, name):
        """A Pipe and a Data Source never get the same name, however late each of them is written."""
        rows = "\\n".join(f"{number},{'x' * 50}" for number in range(100_000))
        parameters = {"name": name, "mode": "create", "format": "csv", "schema": "a Int32, b String"}
        with ThreadPoolExecutor(1) as pool:
            imported = pool.submit(api.post, "/v0/datasources", params=parameters, data=rows)
            piped = api.post("/v0/pipes", data={"name": name, "sql": "SELECT 1 AS a"})
            statuses = sorted([imported.result().status_code, piped.status_code])
        assert statuses == [200, 409]


class TestRead:
    """``GET /v0/pipes``."""

    def test_list_with_attributes(self, api, name):
        """Only what is asked for is there, and the URL."""
        pipe = made(api, name, {"name": "n", "sql": "SELECT 1 AS a"})
        listed = api.get("/v0/pipes", params={"attrs": "id,name", "node_attrs": ""}).json()["pipes"]
        [found] = [each for each in listed if each["name"] == name]
        assert found == {"id": pipe["id"], "name": name, "url": pipe["url"]}
        listed = api.get("/v0/pipes", params={"attrs": "name", "node_attrs": "name"}).json()["pipes"]
        [found] = [each for each in listed if each["name"] == name]
        assert found["nodes"] == [{"name": "n"}]

    def test_one_by_id_with_text(self, api, name):
        """A single Pipe carries its text, which another call gives alone."""
        pipe = made(api, name, {"name": "n", "sql": "%\nSELECT 1 AS a", "type": "endpoint"})
        found = api.get(f"/v0/pipes/{pipe['id']}").json()
        assert "NODE n" in found["content"]
        for path in (f"/v0/pipes/{name}.pipe", f"/v1/pipes/{name}.pipe", f"/v0/pipes/{name}?format=pipe"):
            reply = api.get(path)
            assert reply.text == found["content"]
            assert reply.headers["content-type"] == "text/plain"

    def test_unknown(self, api, name):
        """The service's text, and the near name."""
        made(api, name, {"name": "n", "sql": "SELECT 1 AS a"})
        text = error(api.get(f"/v0/pipes/{name}x"), 404)
        assert text.startswith(f"Pipe '{name}x' not found")
        assert f"Did you mean '{name}'" in text

    def test_nodes(self, api, name):
        """Nodes can be listed and read by name or id."""
        pipe = made(api, name, {"name": "n", "sql": "SELECT 1 AS a"}, {"name": "m", "sql": "SELECT 2 AS a"})
        assert [each["name"] for each in api.get(f"/v0/pipes/{name}/nodes").json()["nodes"]] == ["n", "m"]
        by_id = api.get(f"/v0/pipes/{name}/nodes/{pipe['nodes'][1]['id']}").json()
        assert by_id == api.get(f"/v0/pipes/{name}/nodes/m").json()
        assert "'n', 'm'" in error(api.get(f"/v0/pipes/{name}/nodes/x"), 404)


class TestChange:
    """``PUT`` and ``DELETE``."""

    def test_rename_and_describe(self, api, name):
        """Name and description change; the id stays."""
        pipe = made(api, name, {"name": "n", "sql": "SELECT 1 AS a"})
        changed = api.request("PUT", f"/v0/pipes/{name}", params={"name": name + "_b", "description": "new"}).json()
        assert (changed["id"], changed["name"], changed["description"]) == (pipe["id"], name + "_b", "new")
        assert api.get(f"/v0/pipes/{name}").status_code == 404
        other = api.post("/v0/pipes", data={"name": name, "sql": "SELECT 1"})
        assert other.status_code == 200
        assert error(api.request("PUT", f"/v0/pipes/{name}", data={"name": name + "_b"}), 409)
        assert error(api.request("PUT", f"/v0/pipes/{name}", data={"name": "pipes_events"}), 409)

    def test_used_ones_stay(self, api, name):
        """What others read can be neither renamed, unpublished nor deleted."""
        made(api, name, {"name": "n", "sql": READ_EVENTS, "type": "endpoint"})
        reader = name + "_reader"
        made(api, reader, {"name": "r", "sql": f"SELECT count() AS n FROM {name}", "type": "endpoint"})
        for method, path in (
            ("DELETE", ""),
            ("PUT", "?name=x_y_z"),
            ("DELETE", "/nodes/n/endpoint"),
            ("DELETE", "/nodes/n"),
        ):
            assert reader in error(api.request(method, f"/v0/pipes/{name}{path}"), 409)
        assert rows(api, f"SELECT n FROM {reader}") == [[10]]
        assert api.request("DELETE", f"/v0/pipes/{reader}").status_code == 204
        assert api.request("DELETE", f"/v0/pipes/{name}").status_code == 204
        assert api.get(f"/v0/pipes/{name}").status_code == 404

    def test_nodes(self, api, name):
        """Nodes are added, changed, moved and deleted."""
        made(api, name, {"name": "first", "sql": READ_EVENTS})
        node = api.post(f"/v0/pipes/{name}/nodes", data="SELECT count() AS n FROM first").json()
        assert node["name"] == f"{name}_1"
        assert node["dependencies"] == ["first"]
        third = api.post(f"/v0/pipes/{name}/nodes", data={"name": "third", "sql": "SELECT 3 AS a", "description": "x"})
        assert third.json()["description"] == "x"
        assert "There is already a node" in error(
            api.post(f"/v0/pipes/{name}/nodes", data={"name": "third", "sql": "SELECT 3 AS a"}), 409
        )
        assert "first" in error(api.request("DELETE", f"/v0/pipes/{name}/nodes/first"), 409)
        changed = api.request("PUT", f"/v0/pipes/{name}/nodes/third", params={"name": "zero", "position": "0"}).json()
        assert changed["name"] == "zero"
        listed = api.get(f"/v0/pipes/{name}/nodes").json()["nodes"]
        assert [each["name"] for each in listed] == ["zero", "first", f"{name}_1"]
        assert "position must be" in error(api.request("PUT", f"/v0/pipes/{name}/nodes/zero?position=9"), 400)
        assert "cannot be renamed" in error(api.request("PUT", f"/v0/pipes/{name}/nodes/first?name=other"), 400)
        assert api.request("DELETE", f"/v0/pipes/{name}/nodes/{name}_1").status_code == 204
        assert api.request("DELETE", f"/v0/pipes/{name}/nodes/first").status_code == 204

    def test_new_sql(self, api, name):
        """A node with new SQL gives other rows at once; wrong SQL changes nothing."""
        made(api, name, {"name": "n", "sql": READ_EVENTS, "type": "endpoint"})
        api.request("PUT", f"/v0/pipes/{name}/nodes/n", data="SELECT max(id) AS most FROM pipes_events")
        assert rows(api, f"SELECT most FROM {name}") == [[9]]
        assert error(api.request("PUT", f"/v0/pipes/{name}/nodes/n", data="SELECT x FROM pipes_events"), 400)
        assert rows(api, f"SELECT most FROM {name}") == [[9]]

    def test_endpoint_on_and_off(self, api, name):
        """Publishing a node, another one, and none."""
        pipe = made(api, name, {"name": "n", "sql": "SELECT 1 AS a"}, {"name": "m", "sql": "SELECT 2 AS a"})
        first, second = (node["id"] for node in pipe["nodes"])
        assert "does not have an endpoint" in error(api.sql(f"SELECT * FROM {name}"), 400)
        assert api.post(f"/v0/pipes/{name}/nodes/n/endpoint").json()["endpoint"] == first
        assert rows(api, f"SELECT a FROM {name}") == [[1]]
        assert api.request("PUT", f"/v0/pipes/{name}/endpoint", data=second).json()["endpoint"] == second
        assert rows(api, f"SELECT a FROM {name}") == [[2]]
        assert "not published" in error(api.request("DELETE", f"/v0/pipes/{name}/nodes/n/endpoint"), 400)
        reply = api.request("DELETE", f"/v0/pipes/{name}/nodes/m/endpoint")
        assert (reply.status_code, reply.json()["endpoint"]) == (200, None)
        assert error(api.post(f"/v0/pipes/{name}/nodes/x/endpoint"), 400)
        assert error(api.post(f"/v0/pipes/{name}x/nodes/x/endpoint"), 404)

    def test_publishing_tells_the_only_token(self, api, name):
        """The reply of publishing has the token, when exactly one reads the Pipe."""
        made(api, name, {"name": "n", "sql": "SELECT 1 AS a"})
        token = api.post("/v0/tokens", params={"name": name, "scope": f"PIPES:READ:{name}"}).json()["token"]
        assert api.post(f"/v0/pipes/{name}/nodes/n/endpoint").json()["token"] == token


class TestComposition:
    """Pipes and nodes that read each other, in ``/v0/sql``."""

    def test_parameters_reach_everything(self, api, name):
        """A parameter of the request is seen in every node of every Pipe that is read."""
        made(
            api,
            name,
            {"name": "low", "sql": "% SELECT id, kind FROM pipes_events WHERE id >= {{Int32(low, 0)}} -- to the end"},
            {"name": "out", "sql": "% SELECT * FROM low WHERE kind = {{String(kind, 'a')}}", "type": "endpoint"},
        )
        made(api, name + "_2", {"name": "n", "sql": f"SELECT sum(id) AS s FROM {name}", "type": "endpoint"})
        assert rows(api, f"SELECT s FROM {name}_2") == [[20]]
        assert rows(api, f"SELECT s FROM {name}_2", low="3", kind="b") == [[24]]
        assert "Error validating 'x' to type Int32" in error(api.sql(f"SELECT s FROM {name}_2", low="x"), 400)

    @pytest.mark.parametrize(
        ("q", "expected"),
        [
            ("SELECT count() FROM {0}", [[10]]),
            ("SELECT {0}.id FROM {0} WHERE {0}.id > 8", [[9]]),
            ("SELECT e.id FROM {0} AS e JOIN pipes_events AS p ON p.id = e.id WHERE p.id = 4", [[4]]),
            ("SELECT count() FROM pipes_events WHERE id IN (SELECT id FROM {0} WHERE id < 3)", [[3]]),
            ("WITH x AS (SELECT * FROM {0}) SELECT max(id) FROM x", [[9]]),
            ("WITH {0} AS (SELECT 5 AS id) SELECT id FROM {0}", [[5]]),
            ("SELECT id FROM {0} WHERE id = 1 UNION ALL SELECT id FROM {0} WHERE id = 1", [[1], [1]]),
            ("SELECT id FROM (SELECT * FROM {0} ORDER BY id DESC LIMIT 1)", [[9]]),
            ("SELECT sum(id) FROM {0}, numbers(2) AS twice", [[90]]),
            ("SELECT id FROM {0} ARRAY JOIN [1, 2] AS i WHERE id = 7", [[7], [7]]),
        ],
    )
    def test_places(self, api, q, expected):
        """A Pipe may stand wherever a table may."""
        api.post(
            "/v0/pipes", json={"name": "pipes_places", "nodes": [{"name": "n", "sql": READ_EVENTS, "type": "endpoint"}]}
        )
        assert rows(api, q.format("pipes_places")) == expected

    def test_nodes_of_the_same_name_in_two_pipes(self, api, name):
        """A node is looked for in its own Pipe first."""
        made(
            api,
            name,
            {"name": "one", "sql": "SELECT 1 AS a"},
            {"name": "out", "sql": "SELECT * FROM one", "type": "endpoint"},
        )
        made(
            api,
            name + "_2",
            {"name": "one", "sql": f"SELECT a + 10 AS a FROM {name}"},
            {"name": "out", "sql": "SELECT a FROM one", "type": "endpoint"},
        )
        assert rows(api, f"SELECT a FROM {name}_2") == [[11]]

    def test_a_pipe_that_is_not_published(self, api, name):
        """Other Pipes may read the last node of a Pipe without an output; requests may not."""
        made(api, name, {"name": "one", "sql": "SELECT 1 AS a"}, {"name": "two", "sql": "SELECT a + 1 AS a FROM one"})
        made(api, name + "_2", {"name": "out", "sql": f"SELECT a FROM {name}", "type": "endpoint"})
        assert rows(api, f"SELECT a FROM {name}_2") == [[2]]
        assert "does not have an endpoint" in error(api.sql(f"SELECT a FROM {name}"), 400)

    def test_circles(self, api, name):
        """Nodes and Pipes that read each other in a circle are refused."""
        nodes = [{"name": "a", "sql": "SELECT * FROM b"}, {"name": "b", "sql": "SELECT * FROM a"}]
        assert "reads itself" in error(api.post("/v0/pipes", json={"name": name, "nodes": nodes}), 400)
        made(api, name, {"name": "n", "sql": "SELECT 1 AS a", "type": "endpoint"})
        made(api, name + "_2", {"name": "n", "sql": f"SELECT * FROM {name}", "type": "endpoint"})
        reply = api.request("PUT", f"/v0/pipes/{name}/nodes/n", data=f"SELECT * FROM {name}_2")
        assert "reads itself" in error(reply, 400)
        assert rows(api, f"SELECT a FROM {name}_2") == [[1]]

    def test_a_text_cannot_hold_a_mark(self, api, name):
        """Texts that look like the marks of the server stay texts, and tables of that kind are refused."""
        pipe = made(api, name, {"name": "n", "sql": "SELECT 'in' AS a", "type": "endpoint"})
        text = f"_tm_node_0123456789abcdef0123456789abcdef_{pipe['endpoint']}"
        assert rows(api, f"SELECT '{text}' AS t, a FROM {name}") == [[text, "in"]]
        assert error(api.sql(f"SELECT * FROM {text}"), 403)

    def test_too_much(self, api, name):
        """Nodes that double each other end in a sentence, and quickly."""
        nodes = [{"name": "n0", "sql": "SELECT 1 AS a"}]
        nodes += [
            {"name": f"n{number + 1}", "sql": f"SELECT * FROM n{number} UNION ALL SELECT * FROM n{number}"}
            for number in range(40)
        ]
        reply = api.post("/v0/pipes", json={"name": name, "nodes": nodes})
        assert reply.status_code in (400, 413)
        assert "SQL" in reply.json()["error"] or "too big" in reply.json()["error"]

    def test_format_and_semicolons_in_nodes(self, api, name):
        """A node that was written with FORMAT or a semicolon can be read all the same."""
        made(api, name, {"name": "n", "sql": "SELECT 1 AS a FORMAT JSON;", "type": "endpoint"})
        assert rows(api, f"SELECT a FROM {name}") == [[1]]


class TestRights:
    """Tokens."""

    def test_read_scope_is_enough(self, api, name):
        """A token for a Pipe reads it without rights on the Data Sources below, and nothing else."""
        made(api, name, {"name": "n", "sql": READ_EVENTS, "type": "endpoint"})
        made(api, name + "_2", {"name": "n", "sql": READ_EVENTS, "type": "endpoint"})
        token = api.post("/v0/tokens", params={"name": name, "scope": f"PIPES:READ:{name}"}).json()["token"]
        q = f"SELECT count() FROM {name}"
        assert api.request("GET", "/v0/sql", params={"q": q}, token=token).text == "10\n"
        for other in (f"{name}_2", "pipes_events"):
            reply = api.request("GET", "/v0/sql", params={"q": f"SELECT count() FROM {other}"}, token=token)
            assert f"'{other}' not found" in error(reply, 403)
        assert [each["name"] for each in api.get("/v0/pipes", token=token).json()["pipes"]] == [name]
        assert error(api.get(f"/v0/pipes/{name}_2", token=token), 403)
        assert error(api.request("DELETE", f"/v0/pipes/{name}", token=token), 403)
        api.request("PUT", f"/v0/pipes/{name}", params={"name": name + "_new"})
        q = f"SELECT count() FROM {name}_new"
        assert api.request("GET", "/v0/sql", params={"q": q}, token=token).text == "10\n"

    def test_filters(self, api, name):
        """A filter on a Pipe holds for its rows; one on a Data Source holds also below a Pipe."""
        made(api, name, {"name": "n", "sql": READ_EVENTS, "type": "endpoint"})
        token = api.post("/v0/tokens", params={"name": name, "scope": f"PIPES:READ:{name}:id < 3"}).json()["token"]
        q = f"SELECT count() FROM {name}"
        assert api.request("GET", "/v0/sql", params={"q": q}, token=token).text == "3\n"
        scopes = [f"PIPES:READ:{name}", "DATASOURCES:READ:pipes_events:kind = 'a'"]
        token = api.post("/v0/tokens", params={"name": name + "_2", "scope": scopes}).json()["token"]
        assert api.request("GET", "/v0/sql", params={"q": q}, token=token).text == "5\n"

    def test_filters_hold_for_copies_and_plans(self, api, name):
        """A filter on a Pipe holds for what its copy writes, and there is no plan of its nodes for such a token."""
        api.post("/v0/datasources", params={"name": f"{name}_t", "schema": "id Int32"})
        copy = {"name": "n", "sql": "SELECT id FROM pipes_events", "type": "copy", "target_datasource": f"{name}_t"}
        made(api, name, {"name": "low", "sql": "SELECT 1 AS a"}, copy)
        scopes = [f"PIPES:READ:{name}:id < 3", f"DATASOURCES:APPEND:{name}_t"]
        token = api.post("/v0/tokens", params={"name": name, "scope": scopes}).json()["token"]
        job = api.post(f"/v0/pipes/{name}/copy", token=token).json()["job"]["job_id"]
        for _ in range(200):
            status = api.get(f"/v0/jobs/{job}").json()["status"]
            if status in ("done", "error"):
                break
            time.sleep(0.05)
        assert status == "done"
        assert rows(api, f"SELECT count() FROM {name}_t") == [[3]]
        assert "no plan" in error(api.get(f"/v0/pipes/{name}/nodes/low/explain", token=token), 400)

    def test_drop_scope(self, api, name):
        """``PIPES:DROP`` deletes the one Pipe."""
        made(api, name, {"name": "n", "sql": "SELECT 1 AS a"})
        token = api.post("/v0/tokens", params={"name": name, "scope": f"PIPES:DROP:{name}"}).json()["token"]
        assert api.request("DELETE", f"/v0/pipes/{name}", token=token).status_code == 204


class TestOlderSql:
    """What people wrote for engines that were less strict."""

    @pytest.mark.parametrize(
        ("q", "expected"),
        [
            (
                "SELECT runningDifference(id) AS d FROM (SELECT id FROM pipes_events WHERE id < 3 ORDER BY id)",
                [[0], [1], [1]],
            ),
            (
                "SELECT neighbor(id, 1) AS n FROM (SELECT id FROM pipes_events WHERE id < 3 ORDER BY id)",
                [[1], [2], [0]],
            ),
            (
                "SELECT id FROM pipes_events ANY LEFT JOIN (SELECT id, 1 x FROM pipes_events) USING (id) WHERE id = 3",
                [[3]],
            ),
            ("SELECT id, one FROM pipes_events CROSS JOIN (SELECT 1 AS one) WHERE id = 3", [[3, 1]]),
        ],
    )
    def test_in_pipes_and_queries(self, api, name, q, expected):
        """It runs, by itself and as a node."""
        assert rows(api, q) == expected
        made(api, name, {"name": "n", "sql": q, "type": "endpoint"})
        assert rows(api, f"SELECT * FROM {name}") == expected


class TestServiceDataSources:
    """Pipes over the logs."""

    def test_logs_of_all_workspaces(self, api, tokens, name):
        """A Pipe that reads ``organization`` sees the rows of its own workspace, whoever asks."""
        other = api.post("/v1/workspaces", params={"name": name, "token": tokens["user_token"]}, token=None).json()
        reply = api.post("/v0/datasources", params={"name": "elsewhere", "schema": "a Int8"}, token=other["token"])
        assert reply.status_code == 200
        counts = "uniqExact(workspace_id) AS n, countIf(datasource_name = 'elsewhere') AS e"
        q = f"SELECT {counts} FROM organization.datasources_ops_log"
        made(api, name, {"name": "n", "sql": q, "type": "endpoint"})
        assert rows(api, f"SELECT n, e FROM {name}") == [[1, 0]]
        everything = api.request("GET", "/v0/sql", params={"q": q}, token=tokens["admin_token"]).text.split()
        assert int(everything[0]) > 1
        assert int(everything[1]) > 0
