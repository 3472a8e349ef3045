"""Who may talk to the server: tokens, hosts, origins; and ``/v0/tokens``."""

from __future__ import annotations

import base64
import itertools
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tinymagic import local
from tinymagic.local.access import jwt

TOKENS = "/v0/tokens"
ADMIN = "workspace admin token"
_numbers = itertools.count()


@pytest.fixture
def name():
    """A name of a token that no other test uses."""
    return f"token {next(_numbers)}"


@pytest.fixture(scope="module")
def events(api):
    """A Data Source with rows of two countries, and one row in its quarantine; the name is given."""
    ndjson = "".join(
        json.dumps({"country": country, "n": n}) + "\n"
        for country, n in [("ES", 1), ("FR", 2), ("ES", 3), ("x:y", "x")]
    )
    parameters = {
        "name": "tok_events",
        "format": "ndjson",
        "schema": "country String `json:$.country`, n Int32 `json:$.n`",
    }
    reply = api.post("/v0/datasources", params=parameters, files={"ndjson": ("f.ndjson", ndjson)})
    assert reply.status_code == 200, reply.text
    return "tok_events"


def created(api, name, *scopes, **arguments):
    """Create a static token and return it."""
    reply = api.post(TOKENS, params=[("name", name), *(("scope", scope) for scope in scopes)], **arguments)
    assert reply.status_code == 200, reply.text
    return reply.json()


def rows(api, q, token):
    """Return the rows of a query, as text."""
    reply = api.post("/v0/sql", data={"q": q}, token=token)
    return reply.text.splitlines() if reply.status_code == 200 else (reply.status_code, reply.json()["error"])


def workspace_id(api):
    return api.get("/v0/workspace").json()["id"]


def claims(api, *scopes, **more):
    return {
        "workspace_id": workspace_id(api),
        "name": f"jwt {next(_numbers)}",
        "exp": int(time.time()) + 60,
        "scopes": list(scopes),
        **more,
    }


def reading(resource, **more):
    return {"type": "DATASOURCES:READ", "resource": resource, **more}


class TestLocalTokens:
    def test_three_tokens_in_the_vendors_form(self, tokens):
        """Tools for Tinybird Local want all three, and read the host out of one."""
        assert set(tokens) == {"user_token", "admin_token", "workspace_admin_token"}
        assert len(set(tokens.values())) == 3
        for token in tokens.values():
            letter, payload, signature = token.split(".")
            assert (letter, bool(signature)) == ("p", True)
            body = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            assert set(body) == {"u", "id", "host"}
            assert body["host"] == "local"

    def test_each_token_works(self, api, tokens):
        """Header and parameter are both accepted."""
        for token in tokens.values():
            assert api.get("/v0/workspace", token=token).status_code == 200
            assert api.get("/v0/workspace", token=None, params={"token": token}).status_code == 200

    def test_header_and_parameter_together(self, api):
        """The vendor's CLI sends both."""
        assert api.get("/v0/workspace", params={"token": api.token}).status_code == 200


class TestRefusals:
    def test_no_token_is_a_403(self, api):
        """Never 401."""
        reply = api.get("/v0/sql?q=SELECT 1", token=None)
        assert reply.status_code == 403
        assert "no token" in reply.json()["error"]
        assert reply.json()["documentation"].endswith("/api-reference/overview#authentication")

    def test_bad_token_is_a_403_with_the_vendors_text(self, api):
        """The text of the service, with the detail of its decoder."""
        reply = api.get("/v0/sql?q=SELECT 1", token="wrong")
        assert reply.status_code == 403
        assert reply.json()["error"] == "invalid authentication token. Invalid token b'wrong': Not enough segments"

    @pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "", "x" * 5000])
    def test_odd_headers_are_403(self, api, header):
        """Whatever is in the header, the answer is a refusal in JSON."""
        reply = api.get("/v0/workspace", token=None, headers={"Authorization": header})
        assert reply.status_code == 403
        assert reply.json()["error"]

    @pytest.mark.parametrize("path", ["/v0/sql", "/v0/workspace", "/v1/workspace"])
    def test_guarded_paths_need_a_token(self, api, path):
        """Only health, /tokens and the regions are open."""
        assert api.get(path, token=None).status_code == 403

    @pytest.mark.parametrize("path", ["/health/liveness", "/health/readiness", "/tokens", "/v0/regions"])
    def test_open_paths(self, api, path):
        """These answer without a token."""
        assert api.get(path, token=None).status_code == 200


class TestBrowsers:
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:7181", "", "a:b"])
    def test_foreign_host_is_refused(self, server, host):
        """DNS rebinding reaches the port but not the API."""
        reply = requests.get(server.host + "/tokens", headers={"Host": host}, timeout=10)
        assert reply.status_code in (400, 403)
        assert "user_token" not in reply.text

    @pytest.mark.parametrize("host", ["localhost", "localhost:7181", "127.0.0.1:1", "[::1]:80", "LOCALHOST"])
    def test_loopback_hosts_are_served(self, server, host):
        """Any name of this machine, with any port (people map ports)."""
        assert requests.get(server.host + "/tokens", headers={"Host": host}, timeout=10).status_code == 200

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "file://", "http://localhost.evil.example"])
    def test_foreign_origin_is_refused(self, server, origin):
        """A web page of another site gets nothing, and there is no CORS header for it."""
        reply = requests.get(server.host + "/tokens", headers={"Origin": origin}, timeout=10)
        assert reply.status_code == 403
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


class TestWorkspace:
    @pytest.mark.parametrize("path", ["/v0/workspace", "/v1/workspace", "/v0/workspace/"])
    def test_keys_that_clients_read(self, api, path):
        """The object of the token's workspace."""
        body = api.get(path).json()
        assert body["name"] == "Tinybird_Local_Testing"
        assert {"id", "name", "user_email", "user_id", "scope", "main", "is_forward", "is_branch"} <= set(body)
        assert body["main"] is None
        assert body["scope"]

    def test_regions(self, api, server):
        """All regions, and this server among them."""
        regions = api.get("/v0/regions", token=None).json()["regions"]
        assert {"name", "provider", "api_host", "host"} <= set(regions[0])
        assert server.host in [region["api_host"] for region in regions]
        assert "https://api.tinybird.co" in [region["api_host"] for region in regions]


class TestStatic:
    """Making, reading, changing, refreshing and deleting."""

    def test_life(self, api, name, events):
        """A token appears in the list, works, gets a new string, and is gone."""
        token = created(api, name, f"DATASOURCES:READ:{events}", "PIPES:CREATE")
        assert uuid.UUID(token["id"])
        assert (token["name"], token["description"], token["origin"]) == (name, "", {"type": "C"})
        assert token["scopes"] == [{"type": "DATASOURCES:READ", "resource": events}, {"type": "PIPES:CREATE"}]
        letter, payload, _ = token["token"].split(".")
        assert letter == "p"
        assert json.loads(base64.urlsafe_b64decode(payload + "=="))["id"] == token["id"]
        assert token in api.get(TOKENS).json()["tokens"]
        for path in (token["id"], name, token["token"]):
            assert api.get(f"{TOKENS}/{path}").json() == token
        assert rows(api, f"SELECT count() FROM {events}", token["token"]) == ["3"]

        fresh = api.post(f"{TOKENS}/{name}/refresh").json()
        assert fresh == {**token, "token": fresh["token"]}
        assert fresh["token"] != token["token"]
        assert api.get("/v0/workspace", token=token["token"]).status_code == 403
        assert api.get("/v0/workspace", token=fresh["token"]).status_code == 200

        assert api.request("DELETE", f"{TOKENS}/{token['id']}").json() == {"ok": True}
        assert api.get("/v0/workspace", token=fresh["token"]).status_code == 403
        assert api.get(f"{TOKENS}/{name}").status_code == 404

    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize("form", ["query", "form", "json", "untyped json", "multipart", "mixed"])
    def test_parameters_may_be_anywhere(self, api, name, events, form, slash):
        """Query string, form or JSON; scopes repeated or as a list; a path with or without a slash at the end."""
        texts = [f"DATASOURCES:APPEND:{events}", f"DATASOURCES:READ:{events}"]
        body = {"name": name, "description": "what *for*", "scope": texts}
        arguments = {
            "query": {"params": body},
            "form": {"data": body},
            "json": {"json": body},
            "untyped json": {"data": json.dumps(body)},
            "multipart": {
                "files": [(key, (None, each)) for key in body for each in ([body[key]] if key != "scope" else texts)]
            },
            "mixed": {"params": {"name": name, "scope": texts[:1]}, "data": {**body, "scope": texts[1:]}},
        }[form]
        reply = api.post(TOKENS + slash, **arguments)
        assert reply.status_code == 200, reply.text
        assert reply.json()["description"] == "what *for*"
        assert [scope["type"] for scope in reply.json()["scopes"]] == ["DATASOURCES:APPEND", "DATASOURCES:READ"]

    def test_origin(self, api, name):
        """Where it comes from is kept."""
        token = created(api, name, headers={}, data={"origin": "P", "resource_id": "t_1"})
        assert token["origin"] == {"type": "P", "resource_id": "t_1"}
        assert token["scopes"] == []

    def test_resources_by_name_or_id(self, api, name, events):
        """Both are accepted; the reply has the name."""
        identifier = api.get(f"/v0/datasources/{events}").json()["id"]
        token = created(api, name, f"DATASOURCES:READ:{identifier}")
        assert token["scopes"] == [{"type": "DATASOURCES:READ", "resource": events}]

    def test_a_scope_ends_with_its_resource(self, api, name):
        """A later Data Source of the same name is another one."""
        create = {"name": "tok_short_lived", "schema": "a Int32"}
        api.post("/v0/datasources", params=create)
        token = created(api, name, "DATASOURCES:READ:tok_short_lived", "DATASOURCES:APPEND:tok_short_lived")
        assert rows(api, "SELECT count() FROM tok_short_lived", token["token"]) == ["0"]
        assert api.request("DELETE", "/v0/datasources/tok_short_lived").status_code == 204
        assert api.get(f"{TOKENS}/{name}").json()["scopes"] == []
        api.post("/v0/datasources", params=create)
        assert rows(api, "SELECT count() FROM tok_short_lived", token["token"])[0] == 403
        assert api.get("/v0/datasources", token=token["token"]).status_code == 403

    def test_put_replaces_what_is_given(self, api, name, events):
        """And leaves what is not."""
        token = created(api, name, f"DATASOURCES:READ:{events}", "PIPES:CREATE")
        path = f"{TOKENS}/{name}"
        described = api.request("PUT", path, params={"description": "new"}).json()
        assert described == {**token, "description": "new"}
        scoped = api.request("PUT", path, data={"scope": ["TOKENS", f"DATASOURCES:APPEND:{events}"]}).json()
        assert [scope["type"] for scope in scoped["scopes"]] == ["TOKENS", "DATASOURCES:APPEND"]
        assert (scoped["token"], scoped["description"]) == (token["token"], "new")
        assert rows(api, f"SELECT count() FROM {events}", token["token"])[0] == 403
        renamed = api.request("PUT", path, json={"name": name + " x"}).json()
        assert renamed == {**scoped, "name": name + " x"}
        assert api.get(path).status_code == 404
        assert api.request("PUT", f"{TOKENS}/{token['id']}", params={"scope": ""}).json()["scopes"] == []
        assert api.request("PUT", f"{TOKENS}/{token['id']}", json={"scope": []}).json()["scopes"] == []

    def test_many_scopes_in_the_body(self, api, name, events):
        """As the CLI sends them when the URL would be too long; doubled ones are kept once."""
        texts = [f"DATASOURCES:READ:{events}:n = {number}" for number in range(40)]
        created(api, name)
        reply = api.request("PUT", f"{TOKENS}/{name}", data={"scope": texts * 2})
        assert [scope["filter"] for scope in reply.json()["scopes"]] == [f"n = {number}" for number in range(40)]

    def test_datafile(self, api, name, events):
        """A token as text, without its string."""
        token = created(api, name, f"DATASOURCES:READ:{events}:country = 'ES'", "TOKENS", data={"description": "d"})
        reply = api.get(f"{TOKENS}/{name}.token")
        assert reply.headers["Content-Type"] == "text/plain"
        assert f"SCOPE DATASOURCES:READ:{events}:country = 'ES'" in reply.text.splitlines()
        assert token["token"] not in reply.text

    def test_odd_names(self, api):
        """Slashes, at signs, letters of other alphabets; ``refresh`` and ``.token`` are names like others."""
        for number, name in enumerate(["a/b", "me@x.y", "café ☕", "x/refresh", "x.token", "..", "%2F"]):
            name = f"{number} {name}"
            token = created(api, name)
            path = f"{TOKENS}/{requests.utils.quote(name, safe='')}"
            assert api.get(path).json() == token
            assert api.post(path + "/refresh").json()["name"] == name
            assert api.request("DELETE", path).json() == {"ok": True}


class TestStaticRefusals:
    @pytest.mark.parametrize(
        ("scope", "reason"),
        [
            ("EAT", "DATASOURCES:READ, "),
            ("DATASOURCES:READ", "needs a resource"),
            ("DATASOURCES:READ:nothing_here", "'nothing_here', which does not exist"),
            ("PIPES:READ:nothing_here", "Pipe 'nothing_here'"),
            ("ADMIN_USER", "not a scope"),
            ("DATASOURCES:APPEND:tok_events:n = 1", "takes no filter"),
            ("DATASOURCES:READ:tok_events:nosuch = 1", "nosuch"),
            ("DATASOURCES:READ:tok_events:country", "not a condition"),
            ("DATASOURCES:READ:tok_events:n = ", "not an expression"),
            ("DATASOURCES:READ:tok_events:n = 1) OR (1 = 1", "parenthesis"),
            ("DATASOURCES:READ:tok_events:n IN (SELECT 1)", "without other tables"),
            ("DATASOURCES:READ:tok_events:n IN tok_events", "without other tables"),
            ("DATASOURCES:READ:tok_events:count() > 1", "Aggregate"),
            ("DATASOURCES:READ:tok_events:n = 1; DROP TABLE tok_events", "not an expression"),
            ("DATASOURCES:READ:tok_events:currentUser() = 'a'", "restricted"),
            ("DATASOURCES:READ:tok_events:n = 1 SETTINGS max_threads = 1", "not an expression"),
            ("DATASOURCES:READ:tok_events:n, 1", "not a condition"),
        ],
    )
    def test_bad_scopes(self, api, name, events, scope, reason):
        """400 with a sentence, and nothing is made."""
        reply = api.post(TOKENS, params={"name": name, "scope": ["PIPES:CREATE", scope]})
        assert reply.status_code == 400
        assert reason in reply.json()["error"]
        assert "w_" not in reply.json()["error"]
        assert api.get(f"{TOKENS}/{name}").status_code == 404
        created(api, name, "PIPES:CREATE")
        assert api.request("PUT", f"{TOKENS}/{name}", params={"scope": scope}).status_code == 400
        assert api.get(f"{TOKENS}/{name}").json()["scopes"] == [{"type": "PIPES:CREATE"}]

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"params": {"name": ""}},
            {"params": {"name": "a\nb"}},
            {"params": {"name": "a" * 300}},
            {"json": {"name": 5}},
            {"json": {"name": "tok", "scope": [5]}},
            {"json": {"name": "tok", "scope": [{"type": "PIPES:READ"}]}},
            {"json": ["name"]},
            {"data": "{", "headers": {"Content-Type": "application/json"}},
            {"params": {"name": "tok", "origin": "x" * 100}},
        ],
    )
    def test_bad_requests(self, api, arguments):
        """400 in JSON."""
        reply = api.post(TOKENS, **arguments)
        assert reply.status_code == 400
        assert reply.json()["error"]

    def test_taken_names(self, api, name):
        """409, also when renaming and also by many at once."""
        created(api, name)
        assert api.post(TOKENS, params={"name": name}).status_code == 409
        assert api.post(TOKENS, params={"name": "user token"}).status_code == 409
        assert api.post(TOKENS, params={"name": api.get(f"{TOKENS}/{name}").json()["id"]}).status_code == 409
        created(api, name + " b")
        assert api.request("PUT", f"{TOKENS}/{name} b", params={"name": name}).status_code == 409
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: api.post(TOKENS, params={"name": name + " c"}).status_code, range(8)))
        assert sorted(replies) == [200] + [409] * 7

    @pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/refresh")])
    def test_unknown_tokens(self, api, tokens, method, tail):
        """404; a person's token is not among the workspace's; what was asked is not repeated."""
        for asked in ("nothing here", str(uuid.uuid4()), tokens["user_token"], "user token"):
            reply = api.request(method, f"{TOKENS}/{asked}{tail}")
            assert reply.status_code == 404
            assert asked not in reply.text
            assert "does not exist" in reply.json()["error"]

    def test_a_large_body(self, api):
        """Bounded like any other."""
        assert api.post(TOKENS, data={"name": "x", "scope": ["y" * 1000] * 2000}).status_code == 413


class TestNobodyLocksThemselvesOut:
    def test_lasting_tokens(self, api):
        """The admin tokens cannot be deleted, renamed or weakened; their description is free."""
        listed = {token["name"]: token for token in api.get(TOKENS).json()["tokens"]}
        assert "user token" not in listed
        lasting = [each for each in listed if each == ADMIN or each.startswith("admin ")]
        assert len(lasting) == 2
        for each in lasting:
            path = f"{TOKENS}/{each}"
            for reply in (
                api.request("DELETE", path),
                api.request("PUT", path, params={"name": "x"}),
                api.request("PUT", path, params={"scope": "TOKENS"}),
                api.request("PUT", path, params={"scope": ""}),
            ):
                assert reply.status_code == 409
                assert "locked out" in reply.json()["error"]
            assert api.request("PUT", path, params={"description": "d"}).json()["description"] == "d"
        assert api.request("PUT", f"{TOKENS}/{ADMIN}", params={"scope": "ADMIN"}).status_code == 200
        assert api.get("/v0/workspace").status_code == 200

    def test_refreshing_the_admin_token(self, api, events):
        """Works, /tokens gives the new one, and every JWT ends; in a server of its own."""
        server = local.start(memory=True, port=0, with_parent=True)
        try:
            own = type(api)(
                server.host, requests.get(f"{server.host}/tokens", timeout=10).json()["workspace_admin_token"]
            )
            own.post("/v0/datasources", params={"name": "e", "schema": "a Int32"})
            signed = jwt.sign(claims(own, reading("e")), own.token)
            assert rows(own, "SELECT count() FROM e", signed) == ["0"]
            fresh = own.post(f"{TOKENS}/{ADMIN}/refresh").json()["token"]
            assert own.get("/v0/workspace").status_code == 403
            assert requests.get(f"{server.host}/tokens", timeout=10).json()["workspace_admin_token"] == fresh
            status, error = rows(own, "SELECT count() FROM e", signed)
            assert status == 403
            assert error.endswith("Signature verification failed")
            signed = jwt.sign(jwt.read_claims(signed), fresh)
            assert rows(own, "SELECT count() FROM e", signed) == ["0"]
        finally:
            local.stop(port=server.port)


class TestTokensScope:
    """TOKENS without ADMIN."""

    def test_hands_out_what_others_need(self, api, name, events):
        """A backend with this scope alone makes tokens and JWTs for its customers, also with filters."""
        keeper = created(api, name, "TOKENS")["token"]
        for scope in ("TOKENS", f"DATASOURCES:READ:{events}:country = 'ES'", f"DATASOURCES:APPEND:{events}"):
            created(api, f"{name} {scope[:15]}", scope, token=keeper)
        parameters = {"name": "x", "expiration_time": int(time.time()) + 60}
        whole = {"scopes": [reading(events, filter="country = 'ES'")]}
        assert api.post(TOKENS, params=parameters, json=whole, token=keeper).status_code == 200

    def test_makes_no_administrators(self, api, name):
        """Nobody becomes one by a token that is none, nor sees what all workspaces do."""
        keeper = created(api, name, "TOKENS")["token"]
        for scope in ("ADMIN", "ORG_DATASOURCES:READ"):
            reply = api.post(TOKENS, params={"name": f"{name} x", "scope": ["TOKENS", scope]}, token=keeper)
            assert reply.status_code == 403, scope
            reply = api.request("PUT", f"{TOKENS}/{name}", params={"scope": scope}, token=keeper)
            assert reply.status_code == 403, scope

    @pytest.mark.parametrize("condition", [False, 0, [], {}])
    def test_a_filter_that_is_no_text_is_refused(self, api, name, events, condition):
        """A mistake in a program must not make a token that reads everything."""
        parameters = {"name": name, "expiration_time": int(time.time()) + 60}
        body = {"scopes": [reading(events, filter=condition)]}
        assert api.post(TOKENS, params=parameters, json=body).status_code == 400

    def test_deletes_no_administrator(self, api, name):
        """As it may not change one either."""
        admin = created(api, f"{name} admin", "ADMIN")
        keeper = created(api, name, "TOKENS")["token"]
        assert api.request("DELETE", f"{TOKENS}/{admin['id']}", token=keeper).status_code == 403
        assert api.get("/v0/workspace", token=admin["token"]).status_code == 200

    def test_does_not_get_stronger_strings(self, api, name):
        """Neither from the list nor from a refresh."""
        keeper = created(api, name, "TOKENS")
        listed = {token["name"]: token for token in api.get(TOKENS, token=keeper["token"]).json()["tokens"]}
        assert listed[name] == keeper
        assert "token" not in listed[ADMIN]
        assert "token" not in api.get(f"{TOKENS}/{ADMIN}", token=keeper["token"]).json()
        assert api.token not in api.get(TOKENS, token=keeper["token"]).text
        for reply in (
            api.post(f"{TOKENS}/{ADMIN}/refresh", token=keeper["token"]),
            api.request("PUT", f"{TOKENS}/{ADMIN}", params={"description": "x"}, token=keeper["token"]),
        ):
            assert reply.status_code == 403
        assert api.get("/v0/workspace").status_code == 200

    @pytest.mark.parametrize(
        ("method", "tail"), [("GET", ""), ("POST", ""), ("PUT", "/x"), ("DELETE", "/x"), ("GET", "/x")]
    )
    def test_needed(self, api, name, method, tail):
        """Without it nothing works, even with a token that creates everything else."""
        other = created(api, name, "DATASOURCES:CREATE", "PIPES:CREATE", "WORKSPACE:READ_ALL")["token"]
        reply = api.request(method, TOKENS + tail, params={"name": "x"}, token=other)
        assert reply.status_code == 403
        assert "TOKENS" in reply.json()["error"]


class TestJwt:
    @pytest.mark.parametrize("typed", [True, False])
    @pytest.mark.parametrize("where", ["query", "body"])
    def test_signed_by_the_server(self, api, events, where, typed):
        """With the name in the URL or in the body, with the content type of JSON or none; it is not in the list."""
        body = {"scopes": [reading(events, filter="country = 'ES'")], "limits": {"rps": 50}}
        parameters = {"expiration_time": int(time.time()) + 60}
        (parameters if where == "query" else body)["name"] = "by server"
        arguments = {"json": body} if typed else {"data": json.dumps(body)}
        reply = api.post(TOKENS, params=parameters, **arguments)
        assert reply.status_code == 200, reply.text
        token = reply.json()["token"]
        assert jwt.verify(token, api.token)
        read = jwt.read_claims(token)
        assert read.pop("name") == "by server"
        body.pop("name", None)
        assert read == {
            "workspace_id": workspace_id(api),
            "exp": parameters["expiration_time"],
            **body,
        }
        assert rows(api, f"SELECT n FROM {events} ORDER BY n", token) == ["1", "3"]
        assert "by server" not in [each["name"] for each in api.get(TOKENS).json()["tokens"]]

    @pytest.mark.parametrize("key", ["name", "id"])
    def test_signed_by_the_user(self, api, events, key):
        """With the admin token as the key; resources by name or id, claims of others are ignored."""
        resource = api.get(f"/v0/datasources/{events}").json()[key]
        token = jwt.sign(claims(api, reading(resource), iat=1, sub="someone"), api.token)
        assert rows(api, f"SELECT count() FROM {events}", token) == ["3"]
        assert (
            api.get("/v0/sql", params={"q": f"SELECT count() FROM {events}", "token": token}, token=None).text == "3\n"
        )
        assert api.get("/v0/workspace", token=token).status_code == 200
        assert api.get(TOKENS, token=token).status_code == 403
        appended = api.post("/v0/datasources", params={"name": events, "mode": "append"}, data="ES,1", token=token)
        assert appended.status_code == 403

    def test_append(self, api):
        """A JWT may append, to the Data Source that it names."""
        for each in ("tok_appended", "tok_not_appended"):
            api.post("/v0/datasources", params={"name": each, "schema": "a Int32"})
        token = jwt.sign(claims(api, {"type": "DATASOURCES:APPEND", "resource": "tok_appended"}), api.token)
        for each, status in (("tok_appended", 200), ("tok_not_appended", 403)):
            parameters = {"name": each, "mode": "append", "format": "csv"}
            assert api.post("/v0/datasources", params=parameters, data="1\n2\n", token=token).status_code == status
            assert rows(api, f"SELECT count() FROM {each}", api.token) == ["2" if status == 200 else "0"]
        assert rows(api, "SELECT count() FROM tok_appended", token)[0] == 403

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"exp": 1}, "Signature has expired"),
            ({"exp": None}, '"exp" claim'),
            ({"name": None}, '"name" claim'),
            ({"scopes": None}, '"scopes" claim'),
            ({"scopes": []}, "scopes"),
            ({"scopes": [{"type": "ADMIN"}]}, "not a scope"),
            ({"scopes": [{"type": "TOKENS"}]}, "not a scope"),
            ({"workspace_id": None}, "Signature verification failed"),
            ({"workspace_id": "nowhere"}, "Signature verification failed"),
            ({"workspace_id": {"a": 1}}, "Signature verification failed"),
            ({"limits": {"rps": "many"}}, "limits.rps"),
        ],
    )
    def test_claims_that_do_not_hold(self, api, events, change, reason):
        """403 in the service's form."""
        signed = jwt.sign({**claims(api, reading(events)), **change}, api.token)
        for _ in range(2):
            status, error = rows(api, f"SELECT count() FROM {events}", signed)
            assert status == 403
            assert error.startswith(f"invalid authentication token. Invalid token b'{signed}': ")
            assert reason in error

    def test_signatures_that_do_not_hold(self, api, tokens, events):
        """Another key, another algorithm, none at all, a changed payload."""
        good = jwt.sign(claims(api, reading(events)), api.token)
        assert rows(api, f"SELECT count() FROM {events}", good) == ["3"]
        header, payload, signature = good.split(".")

        def encoded(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        stronger = encoded({**jwt.read_claims(good), "scopes": [reading("tok_appended"), reading(events)]})
        bad = [
            jwt.sign(jwt.read_claims(good), tokens["admin_token"]),
            jwt.sign(jwt.read_claims(good), tokens["user_token"]),
            jwt.sign(jwt.read_claims(good), ""),
            f"{encoded({'alg': 'none'})}.{payload}.",
            f"{encoded({'alg': 'none'})}.{payload}.{signature}",
            f"{encoded({'alg': 'RS256'})}.{payload}.{signature}",
            f"{header}.{stronger}.{signature}",
            f"{header}.{payload}.{signature[:-3]}",
            f"{header}.{payload}.",
            f"{header}..{signature}",
            f"{header}.{payload}",
            f"{header}.{encoded([1])}.{signature}",
        ]
        for token in bad:
            status, error = rows(api, f"SELECT count() FROM {events}", token)
            assert status == 403, token
            assert error.startswith("invalid authentication token. Invalid token b'")

    def test_ends_in_time(self, api, events):
        """Also when it was used before."""
        token = jwt.sign(claims(api, reading(events), exp=int(time.time()) + 2), api.token)
        assert rows(api, f"SELECT count() FROM {events}", token) == ["3"]
        time.sleep(2.1)
        assert rows(api, f"SELECT count() FROM {events}", token)[0] == 403

    @pytest.mark.parametrize(
        "condition", ["n = ", "nosuch = 1", "1) OR (1=1", "n IN (SELECT 1)", "1; DROP TABLE x", "'a'"]
    )
    def test_bad_filters_of_users(self, api, events, condition):
        """A filter that nobody checked before is checked when it is used, and refused with a sentence."""
        token = jwt.sign(claims(api, reading(events, filter=condition)), api.token)
        for _ in range(2):
            status, error = rows(api, f"SELECT count() FROM {events}", token)
            assert status in (400, 403)
            assert condition in error
        parameters = {"name": "x", "expiration_time": int(time.time()) + 60}
        body = {"scopes": [reading(events, filter=condition)]}
        assert api.post(TOKENS, params=parameters, json=body).status_code == 400

    @pytest.mark.parametrize(
        ("parameters", "body"),
        [
            ({"name": "x"}, {"scopes": [reading("tok_events")]}),
            ({"name": "x", "expiration_time": 1}, {"scopes": [reading("tok_events")]}),
            ({"name": "x", "expiration_time": "soon"}, {"scopes": [reading("tok_events")]}),
            ({"expiration_time": 4_000_000_000}, {"scopes": [reading("tok_events")]}),
            ({"name": "x", "expiration_time": 4_000_000_000}, {}),
            ({"name": "x", "expiration_time": 4_000_000_000}, {"scopes": []}),
            ({"name": "x", "expiration_time": 4_000_000_000}, {"scopes": ["PIPES:READ:a"]}),
            ({"name": "x", "expiration_time": 4_000_000_000}, {"scopes": [{"type": "ADMIN"}]}),
            ({"name": "x", "expiration_time": 4_000_000_000}, {"scopes": [reading("nothing_here")]}),
            (
                {"name": "x", "expiration_time": 4_000_000_000},
                {"scopes": [reading("tok_events")], "limits": {"rps": 0}},
            ),
        ],
    )
    def test_bad_requests(self, api, events, parameters, body):
        """400 with a sentence."""
        reply = api.post(TOKENS, params=parameters, json=body)
        assert reply.status_code == 400
        assert reply.json()["error"].endswith(".")


class TestRps:
    def test_is_counted_by_name(self, api, events):
        """Over the limit it is 429 with all headers; JWTs of one name share it, other names have their own."""
        asked = claims(api, reading(events), limits={"rps": 3})
        token = jwt.sign(asked, api.token)
        again = jwt.sign({**asked, "exp": asked["exp"] + 5}, api.token)
        replies = [api.get("/v0/workspace", token=each) for each in (token, again, token, again, token)]
        assert [reply.status_code for reply in replies[:3]] == [200] * 3
        assert [reply.headers["X-RateLimit-Remaining"] for reply in replies[:3]] == ["2", "1", "0"]
        limited = replies[-1]
        assert limited.status_code == 429
        assert limited.json()["error"]
        assert limited.headers["X-RateLimit-Limit"] == "3"
        assert limited.headers["X-RateLimit-Remaining"] == "0"
        assert limited.headers["X-RateLimit-Reset"] == limited.headers["Retry-After"] == "1"
        assert api.get("/v0/workspace", token=jwt.sign({**asked, "name": "free"}, api.token)).status_code == 200
        time.sleep(1)
        assert api.get("/v0/workspace", token=token).status_code == 200

    def test_refusals_have_the_headers_too(self, api, events):
        """All three, whatever the answer is."""
        token = jwt.sign(claims(api, reading(events), limits={"rps": 100}), api.token)
        reply = api.get(TOKENS, token=token)
        assert reply.status_code == 403
        assert reply.headers["X-RateLimit-Limit"] == "100"
        assert "Retry-After" not in reply.headers


class TestHeaderAndParameter:
    def test_the_header_wins(self, api, name, events):
        """When they differ; a header of another scheme is none."""
        weak = created(api, name)["token"]
        asked = {"q": f"SELECT count() FROM {events}"}
        assert api.get("/v0/sql", params={**asked, "token": weak}).status_code == 200
        assert api.get("/v0/sql", params={**asked, "token": api.token}, token=weak).status_code == 403
        basic = {"Authorization": "Basic abc"}
        assert api.get("/v0/sql", params={**asked, "token": api.token}, token=None, headers=basic).status_code == 200
