"""What a token tells about itself."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

import pytest

from tinymagic.api.http.replies import Reply
from tinymagic.api.own_token import OwnToken
from tinymagic.api.probing import Probe


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_static():
    own = OwnToken.of(f"p.{part({'u': '1', 'id': 'abc', 'host': 'aws-us-east-1'})}.signature")
    assert (own.kind, own.id, own.host, own.expired) == ("static", "abc", "aws-us-east-1", False)


@pytest.mark.parametrize(("seconds", "expired"), [(1, True), (4_000_000_000, False)])
def test_jwt(seconds, expired):
    scopes = [{"type": "PIPES:READ", "resource": "top"}, {"type": "ADMIN"}, "odd"]
    payload = {"workspace_id": "w", "name": "n", "exp": seconds, "scopes": scopes}
    own = OwnToken.of(f"{part({'alg': 'HS256'})}.{part(payload)}.signature")
    assert (own.kind, own.name, own.workspace_id, own.scopes) == ("JWT", "n", "w", ("PIPES:READ:top", "ADMIN"))
    assert own.expired is expired
    assert own.expires_at == datetime.fromtimestamp(seconds, timezone.utc)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "p.!.c",
        f"p.{part([1])}.c",
        f"x.{part('x')}.c",
        f"x.{part({'exp': 'x'})}.c",
        "p.\u00fc.c",
    ],
)
def test_anything_is_read(token):
    assert OwnToken.of(token).expires_at is None


@pytest.mark.parametrize("exp", [1e30, -1e30, True, None, [1]])
def test_odd_times(exp):
    assert OwnToken.of(f"x.{part({'exp': exp, 'name': 'n'})}.c").expires_at is None


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Wed, 01 Jan 2025 12:00:00 GMT", 0.0),
        ("Wed, 01 Jan 2025 11:58:00 GMT", 119.0),
        ("Wed, 01 Jan 2025 12:02:00 GMT", -120.0),
        ("", None),
        ("tomorrow", None),
        ("Wed, 99 Jan 2025 12:02:00 GMT", None),
    ],
)
def test_skew_of_the_clock(date, skew):
    reply = Reply(200, {"date": date, "x-ratelimit-limit": "10", "x-ratelimit-remaining": "many"}, b"", 0.0)
    found = Probe.of(reply, datetime(2025, 1, 1, 12, tzinfo=timezone.utc))
    assert found.clock_skew_s == skew
    assert (found.rate.limit, found.rate.remaining) == (10, None)
