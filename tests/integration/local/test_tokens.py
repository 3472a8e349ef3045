"""Who may talk to the server: tokens, hosts, origins."""

from __future__ import annotations

import base64
import json

import pytest
import requests


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
