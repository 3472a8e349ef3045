"""Scopes as text and value, and the client of tokens against a server that answers as a test says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic import errors
from tinymagic.api.http.redaction import Secret
from tinymagic.api.scopes import JWT_SCOPES, RESOURCE_SCOPES, SCOPES, Scope, read_jwt_scopes, read_scopes
from tinymagic.api.tokens import Token, without_tokens

OTHER = "p.eyJ1IjogIjkiLCAiaWQiOiAiaWQtb2YtaXQiLCAiaG9zdCI6ICJsb2NhbCJ9.OTHER-SIGNATURE-987654321"
OPAQUE = "an-opaque-token-0123456789"


class TestScope:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("ADMIN", ("ADMIN", "", "")),
            (" pipes:read:top ", ("PIPES:READ", "top", "")),
            ("DATASOURCE:APPEND:events", ("DATASOURCES:APPEND", "events", "")),
            ("DATASOURCES:READ:events:a = 'x:y'", ("DATASOURCES:READ", "events", "a = 'x:y'")),
            ("DATASOURCES:READ:other.events", ("DATASOURCES:READ", "other.events", "")),
            ("WORKSPACE:READ_ALL", ("WORKSPACE:READ_ALL", "", "")),
        ],
    )
    def test_parse(self, text, parts):
        scope = Scope.parse(text)
        assert (scope.type, scope.resource, scope.filter) == parts
        assert Scope.parse(str(scope)) == scope

    @given(
        st.sampled_from(["DATASOURCES:READ", "PIPES:READ"]),
        st.from_regex(r"[a-zA-Z_]\w{0,20}", fullmatch=True),
        st.text(max_size=40),
    )
    def test_parse_what_was_printed(self, kind, resource, condition):
        scope = Scope(kind, resource, condition.strip())
        assert Scope.parse(str(scope)) == scope

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "no scope"),
            ("PIPES", "Did you mean"),
            ("PIPES:REED:x", "Did you mean PIPES:READ"),
            ("DATASOURCES:DELETE:x", "DATASOURCES"),
            ("ADMIN_USER", "no scope"),
            ("TOKENS:x", "takes no name"),
            ("DATASOURCES:CREATE::a = 1", "takes no name"),
            ("DATASOURCES:APPEND:x:a = 1", "takes no filter"),
        ],
    )
    def test_what_is_none(self, text, words):
        with pytest.raises(errors.InvalidInput, match=words):
            Scope.parse(text)

    def test_each_known_one(self):
        for kind in SCOPES:
            text = f"{kind}:x" if kind in RESOURCE_SCOPES else kind
            assert str(Scope.parse(text)) == text

    def test_several(self):
        assert [str(each) for each in read_scopes(["ADMIN", Scope("TOKENS"), {"type": "PIPES:CREATE"}])] == [
            "ADMIN",
            "TOKENS",
            "PIPES:CREATE",
        ]
        for one in ("ADMIN", Scope("ADMIN"), {"type": "ADMIN"}):
            assert read_scopes(one) == (Scope("ADMIN"),)

    @pytest.mark.parametrize("given", [None, 5, b"ADMIN", [None], [b"ADMIN"], [["ADMIN"]]])
    def test_other_types(self, given):
        with pytest.raises(errors.InvalidInput):
            read_scopes(given)

    def test_no_filter_is_lost(self):
        """A token must never be allowed more than was written, whatever is misspelt."""
        for odd in (
            {"type": "DATASOURCES:READ", "resource": "x", "filters": "a = 1"},
            {"type": "DATASOURCES:READ", "resource": "x", "Filter": "a = 1"},
            {"type": "PIPES:READ", "resource": "x", "fixed_parameters": {"a": 1}},
            Scope("DATASOURCES:READ", "x:y"),
        ):
            with pytest.raises(errors.InvalidInput):
                read_scopes([odd])

    def test_fixed_parameters(self):
        good = {"a": "x", "b": 1, "c": 1.5, "d": True}
        assert Scope("PIPES:READ", "x", fixed_params=good).document()["fixed_params"] == good
        for bad in ({"a": None}, {"a": [1]}, {"a": float("nan")}, {"a": object()}, {1: "a"}):
            with pytest.raises(errors.InvalidInput, match="fixed parameter"):
                read_scopes(Scope("PIPES:READ", "x", fixed_params=bad))
        with pytest.raises(errors.InvalidInput, match="PIPES:READ"):
            read_scopes(Scope("DATASOURCES:READ", "x", fixed_params=good))

    def test_of_a_jwt(self):
        for kind in JWT_SCOPES:
            assert read_jwt_scopes(f"{kind}:x")[0].type == kind
        for bad in ("ADMIN", "PIPES:DROP:x", []):
            with pytest.raises(errors.InvalidInput):
                read_jwt_scopes(bad)


ODD = [
    {},
    {"id": 1, "name": None, "scopes": None, "token": None, "origin": None},
    {"scopes": "ADMIN", "origin": "C", "description": None},
    {
        "scopes": [1, None, {"type": None}, {"type": "PIPES:READ", "resource": 5, "fixed_params": []}],
        "origin": {"x": 1},
    },
]


@pytest.mark.parametrize("described", ODD)
def test_a_token_of_any_shape(described):
    token = Token.of(described)
    assert isinstance(token.name, str)
    assert isinstance(token.token, Secret)
    assert all(isinstance(each, Scope) for each in token.scopes)
    assert repr(token)


def test_without_tokens():
    reply = {"token": "a", "user_token": "b", "list": [{"token": "c", "x": [{"token": "d"}]}], "kept": 1}
    assert without_tokens(reply) == {"list": [{"x": [{}]}], "kept": 1}


class TestRequests:
    def test_create(self, server, ws):
        server.on("/v0/tokens", server.answer({"name": "n", "token": OTHER}))
        made = ws.tokens.create("n", ["PIPES:READ:a", "DATASOURCES:READ:b:x = 'a:b&c'"], description="d")
        seen = server.seen[0]
        assert seen.method == "POST"
        assert seen.query == {}
        body = seen.body.decode()
        assert body.count("scope=") == 2
        assert "scope=DATASOURCES%3AREAD%3Ab%3Ax+%3D+%27a%3Ab%26c%27" in body
        assert made.token.reveal() == OTHER

    def test_update_replaces_only_what_is_given(self, server, ws):
        server.on("/v0/tokens/n", server.answer({"name": "n"}))
        ws.tokens.update("n", description="")
        assert server.seen[0].form == {"description": ""}
        ws.tokens.update("n", scopes=[])
        assert server.seen[1].form == {"scope": ""}

    def test_jwt(self, server, ws):
        server.on("/v0/tokens", server.answer({"token": "a.jwt.x"}))
        ws.tokens.create_jwt("n", "PIPES:READ:a", lifetime=60, rps=3)
        seen = server.seen[0]
        assert seen.query["name"] == "n"
        assert seen.query["expiration_time"].isdigit()
        assert b'"limits": {"rps": 3}' in seen.body

    def test_no_jwt_in_the_reply(self, server, ws):
        server.on("/v0/tokens", server.answer({}))
        with pytest.raises(errors.BadReply):
            ws.tokens.create_jwt("n", "PIPES:READ:a", lifetime=60)

    def test_a_token_goes_into_no_url(self, server, ws):
        """A token in the vendor's form says its id, by which it is named."""
        server.on("/v0/tokens/id-of-it", server.answer({"name": "n"}))
        for key in (OTHER, Secret(OTHER), Token("id-of-it", "n")):
            ws.tokens.get(key)
        assert [each.path for each in server.seen] == ["/v0/tokens/id-of-it"] * 3

    def test_a_token_in_another_path(self, server, ws):
        """Where somebody takes a token for a name, no error repeats it."""
        server.on(f"/v0/jobs/{OTHER}", server.answer({"error": f"no {OTHER}"}, 404))
        with pytest.raises(errors.NotFound) as caught:
            ws.jobs.get(OTHER)
        assert "OTHER-SI" not in str(caught.value) + caught.value.message + repr(caught.value.answer)

    @pytest.mark.parametrize("how", ["reset", "hang up", "truncated"])
    def test_broken_connections(self, server, ws, how):
        """A write whose fate is unknown is not repeated; no error has a token."""
        server.on("/v0/tokens/n/refresh", server.Answer(200, b'{"token": "p.new.one"}', how=how))
        with pytest.raises(errors.TinybirdError):
            ws.tokens.refresh("n")
        assert len(server.seen) == 1

    def test_what_is_repeated(self, server, ws):
        server.on("/v0/tokens/n", server.answer({"error": "later"}, 503), server.answer({"name": "n"}))
        assert ws.tokens.update("n", description="d").name == "n"
        server.on("/v0/tokens/n", server.answer({"error": "later"}, 503), server.answer({"name": "m"}))
        with pytest.raises(errors.Unavailable):
            ws.tokens.update("n", name="m")

    def test_refused_on_forward(self, server, ws):
        text = "Tokens with resource scopes can only be changed through deployments. Use `tb deploy`."
        server.on("/v0/tokens", server.answer({"error": text}, 400))
        with pytest.raises(errors.DeploymentRequired, match="deploy"):
            ws.tokens.create("n", "DATASOURCES:READ:x")
