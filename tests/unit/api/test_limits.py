"""What is too much is refused before anything is sent, with a sentence."""

from __future__ import annotations

import pytest

from tinymagic.api.errors import InvalidInput, PayloadTooLarge, UriTooLong
from tinymagic.api.http import limits
from tinymagic.api.http.request import Request, form_body

#: errors-and-limits.md section 4.
CONTRACT = {
    "SQL_BYTES": 8192,
    "RAW_BODY_BYTES": 8_000_000,
    "MULTIPART_BYTES": {"csv": 500_000_000, "ndjson": 500_000_000, "parquet": 50_000_000},
    "URL_FILE_BYTES": {"csv": 32_000_000_000, "ndjson": 32_000_000_000, "parquet": 5_000_000_000},
    "EVENTS_BYTES": 10_000_000,
    "EVENTS_REQUESTS_PER_S": 1000,
    "RESULT_BYTES": 100_000_000,
    "QUERY_S": 10,
    "COLUMNS": 500,
    "VARIABLES": 100,
    "VARIABLE_BYTES": 8192,
    "IMPORTS_PER_MINUTE": 5,
    "CREATIONS_PER_MINUTE": 25,
    "PARTITIONS": 12,
    "DATASOURCES": 100,
    "WORKSPACES": 90,
    "STATIC_TOKENS": 100_000,
    "POST_FROM_CHARACTERS": 4096,
    "URL_CHARACTERS": 8192,
}


def test_numbers_are_those_of_the_contract():
    assert {name: getattr(limits, name) for name in CONTRACT} == CONTRACT
    assert {name for name in vars(limits) if name.isupper()} == set(CONTRACT)


CHECKS = [
    (lambda size: limits.check_sql("x" * size), 8192, InvalidInput, r"The SQL has 8,193 bytes; .* at most 8 KB"),
    (
        lambda size: limits.check_sql("ü" * (size // 2) + "x" * (size % 2), "The node 'a'"),
        8192,
        InvalidInput,
        "The node 'a'",
    ),
    (limits.check_raw_body, 8_000_000, PayloadTooLarge, r"The body has 8\.0 MB; .* at most 8 MB at a time"),
    (
        lambda size: limits.check_multipart(size, "parquet", "'x.parquet'"),
        50_000_000,
        PayloadTooLarge,
        r"'x\.parquet' has .* at most 50 MB of parquet at a time.*ndjson\.gz",
    ),
    (lambda size: limits.check_multipart(size, "csv"), 500_000_000, PayloadTooLarge, r"500 MB of csv.*\.gz"),
    (limits.check_events, 10_000_000, PayloadTooLarge, "smaller batches"),
    (lambda size: limits.check_variable("key", "s" * size), 8192, InvalidInput, "'key' has 8,193 bytes"),
    (limits.check_columns, 500, InvalidInput, "501 columns; a Data Source has at most 500"),
    (lambda size: limits.check_url("u" * size, "GET /v0/x"), 8192, UriTooLong, "GET /v0/x: the URL has 8,193"),
]


@pytest.mark.parametrize(("check", "limit", "kind", "text"), CHECKS, ids=[text for *_, text in CHECKS])
def test_the_limit_is_taken_and_one_more_is_not(check, limit, kind, text):
    check(0)
    check(limit)
    with pytest.raises(kind, match=text) as caught:
        check(limit + 1)
    assert "Nothing was sent." in str(caught.value)


def test_a_format_without_a_limit_has_none():
    limits.check_multipart(10**12, "orc")


def test_a_value_is_not_repeated():
    with pytest.raises(InvalidInput) as caught:
        limits.check_variable("key", "secret" * 2000)
    assert "secret" not in str(caught.value)


class TestUrls:
    """The transport knows the whole URL."""

    def test_one_that_is_too_long_is_not_sent(self, server, ws):
        server.on("/v0/x", server.answer())
        with pytest.raises(UriTooLong, match="GET /v0/x: the URL has") as caught:
            ws._transport.send(Request("GET", "/v0/x", {"q": "x" * 8192}))
        assert (server.seen, caught.value.status) == ([], None)

    def test_the_same_in_a_body_is(self, server, ws):
        server.on("/v0/x", server.answer())
        ws._transport.send(Request("POST", "/v0/x", body=form_body({"q": "x" * 8192}), effect="read"))
        assert len(server.seen[0].form["q"]) == 8192

    def test_a_long_query_goes_as_a_post(self, server, ws):
        server.on("/v0/sql", server.rows({"n": "UInt8"}, [[1]]))
        ws.sql("SELECT 1 AS n WHERE '" + "x" * 4096 + "' != ''")
        assert [seen.method for seen in server.seen] == ["POST"]
