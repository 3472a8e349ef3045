"""JWTs that are made on this machine, read back by another implementation of the format."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from tinymagic import errors
from tinymagic.api.http.redaction import Secret
from tinymagic.api.jwt import ends_at, moment_of, sign_jwt
from tinymagic.api.own_token import OwnToken
from tinymagic.api.scopes import Scope

KEY = "p.eyJ1IjogIjEifQ.SIGNATURE-OF-THE-ADMIN"


def opened(token, key=KEY):
    """Check the signature of a JWT and return header and claims."""
    head, claims, signature = token.split(".")
    expected = hmac.new(key.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)) == expected
    assert "=" not in token

    def read(part):
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    return read(head), read(claims)


def made(**changes):
    """A JWT with usual arguments."""
    arguments = {"workspace_id": "w", "name": "n", "scopes": "PIPES:READ:top", "lifetime": 60, **changes}
    return sign_jwt(KEY, **arguments)


def test_claims():
    before = time.time()
    scopes = [
        Scope("PIPES:READ", "top", fixed_params={"n": 1, "who": "é"}),
        {"type": "DATASOURCES:READ", "resource": "events", "filter": "a = 'b'"},
    ]
    jwt = made(scopes=scopes, rps=5)
    head, claims = opened(jwt.reveal())
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert before + 60 <= claims.pop("exp") <= time.time() + 61
    assert claims == {
        "workspace_id": "w",
        "name": "n",
        "scopes": [
            {"type": "PIPES:READ", "resource": "top", "fixed_params": {"n": 1, "who": "é"}},
            {"type": "DATASOURCES:READ", "resource": "events", "filter": "a = 'b'"},
        ],
        "limits": {"rps": 5},
    }
    assert (jwt.name, jwt.rps, len(jwt.scopes)) == ("n", 5, 2)


def test_a_known_one():
    """The result of another library (PyJWT 2.10) for the same claims in the same order."""
    jwt = made(lifetime=None, expires_at=4_000_000_000)
    _, claims, _ = jwt.reveal().split(".")
    assert claims == (
        "eyJ3b3Jrc3BhY2VfaWQiOiJ3IiwibmFtZSI6Im4iLCJleHAiOjQwMDAwMDAwMDAsInNjb3BlcyI6W3sidHlwZSI6IlBJUEVTOlJFQUQiLCJy"
        "ZXNvdXJjZSI6InRvcCJ9XX0"
    )
    opened(jwt.reveal())


def test_the_key_may_be_a_secret():
    opened(sign_jwt(Secret(KEY), workspace_id="w", name="n", scopes="PIPES:READ:top", lifetime=60).reveal())


def test_it_tells_about_itself():
    jwt = made()
    own = OwnToken.of(jwt.reveal())
    assert (own.kind, own.name, own.workspace_id, own.expires_at) == ("JWT", "n", "w", jwt.expires_at)


def test_it_does_not_show_itself():
    jwt = made()
    assert jwt.reveal()[-20:] not in repr(jwt) + str(jwt) + f"{jwt.token}"


class TestEnd:
    def test_points_in_time(self):
        at = datetime(2090, 1, 1, tzinfo=timezone.utc)
        seconds = int(at.timestamp())
        east = timezone(timedelta(hours=5))
        for given in (at, at.replace(tzinfo=None), at.astimezone(east), seconds, float(seconds)):
            assert ends_at(given, None) == seconds
        assert moment_of(seconds) == at

    def test_never_before_its_lifetime_is_over(self):
        assert ends_at(None, 0.2) >= time.time() + 0.1

    def test_a_lifetime_is_seconds_or_a_timedelta(self):
        assert abs(ends_at(None, timedelta(hours=1)) - ends_at(None, 3600)) <= 1

    @pytest.mark.parametrize(
        ("expires_at", "lifetime"),
        [
            (None, None),
            (None, timedelta(0)),
            (None, timedelta.max),
            (timedelta(hours=1), None),
            (1, 1),
            (None, 0),
            (None, -5),
            (1000, None),
            (None, float("inf")),
            (float("nan"), None),
            (None, 1e300),
            ("soon", None),
            (None, "1h"),
            (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), None),
        ],
    )
    def test_what_is_no_end(self, expires_at, lifetime):
        with pytest.raises(errors.InvalidInput):
            ends_at(expires_at, lifetime)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"workspace_id": ""},
        {"scopes": []},
        {"scopes": "ADMIN"},
        {"rps": 0},
        {"rps": -1},
        {"rps": True},
        {"rps": float("inf")},
        {"scopes": Scope("PIPES:READ", "x", fixed_params={"a": datetime.now(timezone.utc)})},
    ],
)
def test_what_cannot_be(changes):
    with pytest.raises(errors.InvalidInput):
        made(**changes)


def test_a_key_that_is_none():
    for key in ("", made().reveal()):
        with pytest.raises(errors.InvalidInput) as caught:
            sign_jwt(key, workspace_id="w", name="n", scopes="PIPES:READ:top", lifetime=60)
        assert not key or key not in str(caught.value)
