"""What a Workspace knows about itself."""

from __future__ import annotations

import pytest

from tinymagic.api.errors import BadReply, Forbidden, InsecureHost
from tinymagic.api.workspace import Workspace, local_token


def test_it_never_shows_its_token(server, ws):
    shown = f"{ws!r} {ws} {vars(ws)} {vars(ws._transport)}"
    assert not any(server.token[place : place + 8] in shown for place in range(2, len(server.token) - 7))


@pytest.mark.parametrize(
    ("host", "region", "backend"),
    [
        ("https://api.us-east.aws.tinybird.co/", "aws-us-east-1", "Tinybird Cloud"),
        ("https://tinybird.example.org", None, "Tinybird Cloud"),
        ("localhost:7181", "local", "Tinybird Local"),
    ],
)
def test_where_it_is(host, region, backend):
    ws = Workspace(host, "t", source="the test", profile="p")
    assert (ws.region.key if ws.region else None) == region
    assert (ws.backend, ws.source, ws.profile) == (backend, "the test", "p")
    assert Workspace(host, "t", embedded=True).backend == "embedded"


def test_tls_rule():
    with pytest.raises(InsecureHost):
        Workspace("http://api.tinybird.co", "t")


def test_info(server, ws):
    reply = {"id": "1", "name": "w", "user_email": "a@b", "user_id": "2", "scope": "admin", "main": None, "extra": 1}
    server.on("/v0/workspace", server.answer(reply), server.answer({}))
    info = ws.info()
    assert (info.id, info.name, info.user_email, info.scope, info.main) == ("1", "w", "a@b", "admin", None)
    assert info.raw["extra"] == 1
    assert ws.info().name == ""


def test_a_bad_token(server, ws):
    server.on("/v0/workspace", server.answer({"error": "invalid authentication token", "documentation": "d"}, 403))
    with pytest.raises(Forbidden, match="%tinybird info"):
        ws.info()


def test_regions(server, ws):
    known = {"name": "x", "provider": "aws", "api_host": "https://api.us-west-2.aws.tinybird.co", "host": "h"}
    new = {"name": "moon-1", "provider": None, "api_host": "https://api.moon.tinybird.co"}
    server.on("/v0/regions", server.answer({"regions": [known, new, None, {}]}))
    first, second, third = ws.regions()
    assert (first.key, first.name, first.host) == ("aws-us-west-2", "x", "h")
    assert (second.key, second.api_host) == ("moon-1", "https://api.moon.tinybird.co")
    assert third.api_host == ""


def test_it_stays_usable_after_closing(server, ws):
    server.on("/v0/workspace", server.answer({"name": "w"}))
    ws.info()
    ws.close()
    assert ws.info().name == "w"


class TestLocalToken:
    def test_is_asked_without_a_token(self, server):
        server.on("/tokens", server.answer({"user_token": "u", "admin_token": "a", "workspace_admin_token": "w"}))
        assert local_token(server.host) == "w"
        assert "authorization" not in server.seen[0].headers

    @pytest.mark.parametrize("reply", [{}, {"workspace_admin_token": None}, {"workspace_admin_token": 5}])
    def test_something_else_listens(self, server, reply):
        server.on("/tokens", server.answer(reply))
        with pytest.raises(BadReply, match="is that a Tinybird server"):
            local_token(server.host)
