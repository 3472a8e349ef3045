"""JWTs: signing, verifying, reading claims."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from tinymagic.local.access import jwt, jwt_claims
from tinymagic.local.access.scopes import ScopeError

KEY = "p.key.key"
CLAIMS = {
    "workspace_id": "w",
    "name": "n",
    "exp": 2_000_000_000,
    "scopes": [{"type": "PIPES:READ", "resource": "top", "fixed_params": {"a": "1"}}],
    "limits": {"rps": 10},
}

#: RFC 7515, appendix A.1: a token signed with HS256, and its key.
RFC_TOKEN = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(header, payload, key=KEY):
    content = f"{encoded(header)}.{encoded(payload)}"
    digest = hmac.new(key.encode(), content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


class TestSignature:
    def test_what_was_signed_verifies(self):
        """With its own key and with no other."""
        text = jwt.sign(CLAIMS, KEY)
        assert jwt.looks_like_jwt(text)
        assert jwt.read_claims(text) == CLAIMS
        assert jwt.verify(text, KEY)
        assert not jwt.verify(text, KEY + "x")
        assert not jwt.verify(text, "")

    def test_others_sign_the_same_way(self):
        """A token by another implementation of the standard is understood, blanks and all."""
        assert jwt.verify(signed({"alg": "HS256", "typ": "JWT"}, CLAIMS), KEY)
        assert jwt.read_claims(RFC_TOKEN)["iss"] == "joe"

    def test_every_change_is_noticed(self):
        """Any other character anywhere makes the signature wrong (or the text unreadable)."""
        text = jwt.sign(CLAIMS, KEY)
        for index, letter in enumerate(text):
            for other in "Ab.=\u00e9 ":
                changed = text[:index] + other + text[index + 1 :]
                last_bits = index == len(text) - 1 and other.isalnum()  # The last character has two unused bits.
                if other != letter and not last_bits:
                    assert not jwt.verify(changed, KEY)

    @pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS512"}, {"alg": "RS256"}, {"alg": ["HS256"]}, {}])
    def test_other_algorithms_do_not_exist(self, header):
        """Whatever the signature says."""
        with pytest.raises(jwt.JwtError, match="HS256"):
            jwt.read_claims(signed(header, CLAIMS))

    def test_no_signature_is_a_wrong_one(self):
        """An empty third part verifies with no key."""
        text = jwt.sign(CLAIMS, KEY).rpartition(".")[0] + "."
        assert not jwt.verify(text, KEY)
        assert not jwt.verify(text, "")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a",
            "a.b",
            "..",
            "a.b.c",
            "a.b.c.d",
            "e30.e30",
            "W10.W10.x",
            "e30.!.x",
            "\u00e9.\u00e9.\u00e9",
            "[[.e30.x",
        ],
    )
    def test_other_texts(self, text):
        """Nothing but a JwtError comes out of rubbish."""
        with pytest.raises(jwt.JwtError):
            jwt.read_claims(text)
        assert not jwt.verify(text, KEY)

    def test_deep_and_long_ones(self):
        """Neither recursion nor size does any harm."""
        deep = base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
        assert not jwt.looks_like_jwt(f"{deep}.e30.x")
        assert not jwt.looks_like_jwt("e30." + "A" * 100_000 + ".x")
        assert not jwt.looks_like_jwt("p.e30.x")


class TestClaims:
    def test_read_and_written(self):
        """What is read is what stands in the token; others are ignored."""
        claims = jwt_claims.read({**CLAIMS, "iat": 1, "sub": None})
        assert (claims.workspace_id, claims.name, claims.expires_at, claims.rps) == ("w", "n", 2_000_000_000, 10)
        assert claims.payload() == CLAIMS

    @pytest.mark.parametrize("claim", ["workspace_id", "name", "exp", "scopes"])
    def test_missing_ones(self, claim):
        """The message names the claim."""
        with pytest.raises(ScopeError, match=claim):
            jwt_claims.read({key: value for key, value in CLAIMS.items() if key != claim})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"exp": "soon"},
            {"exp": True},
            {"exp": float("inf")},
            {"exp": [1]},
            {"name": 5},
            {"workspace_id": {"a": 1}},
            {"scopes": "PIPES:READ:a"},
            {"scopes": ["PIPES:READ:a"]},
            {"scopes": [{"type": "ADMIN"}]},
            {"scopes": [{"type": "TOKENS"}]},
            {"scopes": [{"type": "PIPES:READ"}]},
            {"scopes": []},
            {"limits": 5},
            {"limits": {"rps": "x"}},
            {"limits": {"rps": 0}},
            {"limits": {"rps": -1}},
            {"limits": {"rps": True}},
            {"limits": {"rps": float("nan")}},
        ],
    )
    def test_wrong_ones(self, wrong):
        """Nothing is guessed."""
        with pytest.raises(ScopeError):
            jwt_claims.read({**CLAIMS, **wrong})

    @pytest.mark.parametrize("limits", [None, {}, {"rps": None}])
    def test_no_limit(self, limits):
        """A limit that says nothing is none."""
        assert jwt_claims.read({**CLAIMS, "limits": limits}).rps is None
