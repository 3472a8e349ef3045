"""Hosts in one spelling, and the TLS rule."""

from __future__ import annotations

import pytest

from tinymagic.api.errors import ConfigurationError, InsecureHost
from tinymagic.api.http.hosts import is_local_host, normalise_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://api.tinybird.co", "https://api.tinybird.co"),
        (" https://API.tinybird.co/ ", "https://api.tinybird.co"),
        ("api.tinybird.co/v0/", "https://api.tinybird.co"),
        ("https://api.tinybird.co:443", "https://api.tinybird.co"),
        ("https://api.tinybird.co:8443", "https://api.tinybird.co:8443"),
        ("https://ui.us-east.tinybird.co", "https://api.us-east.tinybird.co"),
        ("ui.tinybird.co", "https://api.tinybird.co"),
        ("https://cloud.tinybird.co/aws/us-west-2/ws/pipes", "https://api.us-west-2.aws.tinybird.co"),
        ("localhost:7181", "http://localhost:7181"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("http://127.8.9.1:80", "http://127.8.9.1"),
        ("http://[::1]:7181/", "http://[::1]:7181"),
        ("https://localhost:7181", "https://localhost:7181"),
        ("https://api.tinybird.co.", "https://api.tinybird.co"),
        ("HTTPS://x_y.example", "https://x_y.example"),
    ],
)
def test_one_spelling(text, host):
    assert normalise_host(text) == host
    assert normalise_host(host) == host


@pytest.mark.parametrize(
    "text",
    [
        "http://api.tinybird.co",
        "http://10.0.0.1:7181",
        "http://0.0.0.0",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://[::ffff:10.0.0.1]",
        "http://2130706433",
    ],
)
def test_plain_http_is_for_this_machine_only(text):
    with pytest.raises(InsecureHost, match="could be read on the way"):
        normalise_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https://user:secret-pass@api.tinybird.co",
        "https://secret-pass@api.tinybird.co",
        "https://api.tinybird.co/?token=secret-pass",
        "https://api.tinybird.co/v0/sql#secret-pass",
        "https://api.tinybird.co/other",
        "ftp://api.tinybird.co",
        "https://api.tinybird.co:port",
        "https://api.tinybird.co:99999",
        "http://127.0.0.1\\@example.org",
        "https://exa mple.org",
        "https://bücher.example",
        "https://cloud.tinybird.co",
        "https://[::1",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_host_is_refused_without_being_repeated(text):
    with pytest.raises(ConfigurationError) as caught:
        normalise_host(text)
    assert "secret-pass" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("host", "local"), [("http://localhost:1", True), ("http://[::1]", True), ("https://localhost.example", False)]
)
def test_local(host, local):
    assert is_local_host(host) is local
