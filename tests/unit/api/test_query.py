"""Queries: what is sent, what is read, and where an error is."""

from __future__ import annotations

import io
import json
import threading

import pytest

from tinymagic.api.errors import (
    BadReply,
    Cancelled,
    Forbidden,
    InvalidInput,
    QueryError,
    QueryTimeout,
    TinybirdError,
    UnknownTable,
)
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.reply_statistics import header_statistics
from tinymagic.api.statement import TYPES_COLUMN

STATISTICS = {"elapsed": 0.5, "rows_read": 4, "bytes_read": 32}
SUMMARY = json.dumps({"read_rows": "4", "read_bytes": "32", "elapsed_ns": "500000000"})


@pytest.fixture
def sql(server):
    """Put answers on /v0/sql."""
    return lambda *answers: server.on("/v0/sql", *answers)


def parquet(server, columns, types):
    import pyarrow as pa
    from pyarrow import parquet as writer

    length = len(next(iter(columns.values())))
    table = pa.table({**columns, TYPES_COLUMN: pa.array([types] * length, pa.string())})
    sink = io.BytesIO()
    writer.write_table(table, sink)
    return server.Answer(
        200, sink.getvalue(), {"Content-Type": "application/octet-stream", "X-ClickHouse-Summary": SUMMARY}
    )


class TestFrames:
    def test_rows_and_what_is_told_about_them(self, server, ws, sql):
        sql(
            server.rows({"n": "UInt8", "s": "String"}, [[1, "a"], [2, "b"]], statistics=STATISTICS),
        )
        frame = ws.sql("SELECT n, s FROM t;", params={"a": [1, 2], "b": None})
        assert frame.to_dict("list") == {"n": [1, 2], "s": ["a", "b"]}
        told = frame.attrs["tinybird"]
        assert told == json.loads(json.dumps(told))
        assert {**told, "wall_s": 0, "bytes_received": 0} == {
            "sql": "(\nSELECT n, s FROM t\n)\nFORMAT JSONCompact",
            "parameters": {"a": "1,2"},
            "columns": [["n", "UInt8"], ["s", "String"]],
            "statistics": STATISTICS,
            "rows": 2,
            "rows_before_limit": None,
            "wall_s": 0,
            "bytes_received": 0,
            "format": "JSONCompact",
            "truncated": False,
            "limit": None,
            "host": server.host,
            "request_id": None,
            "notices": [],
        }
        assert told["wall_s"] > 0
        assert told["bytes_received"] > 100
        assert server.seen[0].query == {
            "q": "(\nSELECT n, s FROM t\n)\nFORMAT JSONCompact",
            "output_format_json_quote_denormals": "1",
            "a": "1,2",
        }

    @pytest.mark.parametrize(("arrived", "kept", "truncated"), [(0, 0, False), (2, 2, False), (3, 2, True)])
    def test_a_limit_asks_for_one_more(self, server, ws, sql, arrived, kept, truncated):
        sql(server.rows({"n": "UInt8"}, [[n] for n in range(arrived)], rows_before_limit_at_least=9))
        frame = ws.sql("SELECT n FROM t", limit=2)
        told = frame.attrs["tinybird"]
        assert server.seen[0].query["q"].endswith(") LIMIT 3\nFORMAT JSONCompact")
        assert (len(frame), told["rows"], told["truncated"], told["limit"]) == (kept, kept, truncated, 2)
        assert told["rows_before_limit"] == 9
        assert frame.index.tolist() == list(range(kept))

    def test_a_statement_that_cannot_be_wrapped_is_cut_here(self, server, ws, sql):
        sql(server.rows({"name": "String"}, [["a"], ["b"], ["c"]]))
        frame = ws.sql("DESCRIBE t", limit=2)
        assert (server.seen[0].query["q"], len(frame)) == ("DESCRIBE t\nFORMAT JSONCompact", 2)
        assert frame.attrs["tinybird"]["truncated"] is True

    @pytest.mark.parametrize(("length", "method"), [(100, "GET"), (4050, "POST"), (9000, "POST")])
    def test_a_long_query_is_posted(self, server, ws, sql, length, method):
        sql(server.rows({"n": "UInt8"}, [[1]]))
        query = f"SELECT '{'x' * length}' AS n"
        ws.sql(query, params={"p": "v"}, pipeline="pipe")
        seen = server.seen[0]
        assert seen.method == method
        assert seen.parameters["q"] == f"(\n{query}\n)\nFORMAT JSONCompact"
        assert (seen.parameters["p"], seen.parameters["pipeline"]) == ("v", "pipe")
        assert (seen.query == {}) is (method == "POST")

    def test_a_posted_query_is_repeated(self, server, ws, sql, waits):
        sql(server.answer(status=503), server.Answer(how="reset"), server.rows({"n": "UInt8"}, [[1]]))
        assert len(ws.sql(f"SELECT '{'x' * 5000}' AS n")) == 1
        assert [seen.method for seen in server.seen] == ["POST"] * 3
        assert len(waits) == 2

    def test_numbers_stay_exact_and_damage_is_told(self, server, ws, sql):
        sql(server.rows({"n": "UInt64"}, [[2**64 - 1]]))
        assert ws.sql("SELECT n").n[0] == 2**64 - 1

    @pytest.mark.parametrize("bad", [5, None, b"SELECT 1", "SELECT '\ud800'"])
    def test_a_query_is_a_text(self, ws, bad):
        with pytest.raises(InvalidInput):
            ws.sql(bad)

    @pytest.mark.parametrize(
        "options", [{"limit": -1}, {"limit": True}, {"limit": 1.5}, {"format": "csv"}, {"params": {"q": 1}}]
    )
    def test_arguments_are_checked_before_anything_is_sent(self, server, ws, options):
        with pytest.raises(InvalidInput):
            ws.sql("SELECT 1", **options)
        assert server.seen == []


class TestParquet:
    def test_is_taken_once_the_service_has_told_statistics_in_a_header(self, server, ws, sql):
        pa = pytest.importorskip("pyarrow")
        first = server.rows({"n": "UInt8"}, [[1]])
        first.headers["X-ClickHouse-Summary"] = SUMMARY
        sql(first, parquet(server, {"n": pa.array([1, 2], pa.uint8())}, "Tuple(n UInt8)"))
        by_json, by_parquet = ws.sql("SELECT 1 AS n"), ws.sql("SELECT n FROM t", limit=1)
        assert by_json.attrs["tinybird"]["format"] == "JSONCompact"
        told = by_parquet.attrs["tinybird"]
        assert (told["format"], told["truncated"], told["columns"]) == ("Parquet", True, [["n", "UInt8"]])
        assert told["statistics"] == STATISTICS
        assert list(by_parquet.columns) == ["n"]
        assert by_parquet.n.dtype == by_json.n.dtype
        assert server.seen[1].query["output_format_parquet_string_as_string"] == "1"

    def test_no_rows_cost_one_more_request_for_the_types(self, server, ws, sql):
        pa = pytest.importorskip("pyarrow")
        sql(parquet(server, {"n": pa.array([], pa.uint8())}, ""), server.rows({"n": "IPv4"}, []))
        frame = ws.sql("SELECT n FROM t", format="parquet")
        assert frame.attrs["tinybird"]["columns"] == [["n", "IPv4"]]
        assert frame.attrs["tinybird"]["format"] == "Parquet"
        assert server.seen[1].query["q"] == "SELECT * FROM (\nSELECT n FROM t\n) LIMIT 0\nFORMAT JSONCompact"

    def test_what_parquet_cannot_carry_comes_as_json(self, server, ws, sql):
        pytest.importorskip("pyarrow")
        first = server.rows({"n": "UInt8"}, [[1]])
        first.headers["X-ClickHouse-Summary"] = SUMMARY
        refused = server.answer({"error": "[Error] Internal type 'UUID' (UNKNOWN_TYPE)"}, 400)
        sql(first, refused, server.rows({"n": "UInt8"}, [[7]]), refused)
        ws.sql("SELECT 1 AS n")
        assert ws.sql("SELECT n").n.tolist() == [7]
        with pytest.raises(QueryError, match="UNKNOWN_TYPE"):
            ws.sql("SELECT n", format="parquet")

    def test_a_damaged_file_is_a_bad_reply(self, server, ws, sql):
        pytest.importorskip("pyarrow")
        sql(server.Answer(200, b"PAR1 and no more", {}))
        with pytest.raises(BadReply, match="damaged"):
            ws.sql("SELECT 1", format="parquet")


class TestErrors:
    @pytest.mark.parametrize("options", [{}, {"limit": 2}, {"format": "json"}])
    def test_a_position_is_one_in_the_users_text(self, server, ws, options):
        given = "SELECT 'é',\n  wrong wrong2 FROM t"

        def refuse(handler):
            seen = server.seen[-1].parameters["q"]
            byte = len(seen[: seen.index("wrong2")].encode())
            error = f"DB::Exception: Syntax error: failed at position {byte + 1} (wrong2): wrong2. Expected one of: AS"
            return server.answer({"error": error, "documentation": "https://d"}, 400)

        server.on("/v0/sql", server.answer({"error": "x"}, 400))
        with pytest.raises(QueryError):
            ws.sql(given, **options)
        server.on("/v0/sql", refuse(None))
        with pytest.raises(QueryError) as caught:
            ws.sql(given, **options)
        error = caught.value
        assert given[error.position :].startswith("wrong2")
        assert f"failed at position {error.position + 1} (wrong2)" in str(error)
        assert (error.sql, error.documentation, error.status) == (given, "https://d", 400)

    def test_an_unknown_name_is_found(self, server, ws, sql):
        sql(server.answer({"error": "Resource 'ghost' not found"}, 403))
        with pytest.raises(UnknownTable) as caught:
            ws.sql("SELECT ghost FROM ghost", limit=1)
        assert (caught.value.position, caught.value.named_kind) == (18, "table")

    def test_a_bad_token_is_no_query_error(self, server, ws, sql):
        sql(server.answer({"error": f"invalid authentication token. Invalid token b'{server.token}'"}, 403))
        with pytest.raises(Forbidden, match=r"%tinybird info") as caught:
            ws.sql("SELECT 1")
        assert not isinstance(caught.value, QueryError)
        assert "MARKED" not in str(caught.value)

    def test_the_services_time_limit(self, server, ws, sql):
        sql(server.answer({"error": "Timeout exceeded"}, 408))
        with pytest.raises(QueryTimeout):
            ws.sql("SELECT 1")
        assert len(server.seen) == 1

    @pytest.mark.parametrize(
        ("body", "content_type", "text"),
        [
            (b"", "application/json", "empty"),
            (b"<html>", "text/html", "web page"),
            (b"1\ta\n", "text/tab-separated-values", "not JSON"),
            (b'{"meta": [{"name": "n", "type": "UInt8"}], "data": [[1', "application/json", "breaks off"),
            (b'{"meta": [], "rows": 0}', "application/json", "'meta' or 'data'"),
            (
                b'{"meta": [{"name": "n", "type": "UInt8"}], "data": [[1], Code: 241. DB::Exception: Memory',
                "x/y",
                "failed while",
            ),
        ],
    )
    def test_a_reply_that_is_no_rows(self, server, ws, sql, body, content_type, text):
        sql(server.Answer(200, body, {"Content-Type": content_type}))
        with pytest.raises(BadReply, match=text):
            ws.sql("SELECT 1")

    def test_a_failed_query_never_looks_like_an_empty_one(self, server, ws, sql):
        for status in (400, 403, 404, 408, 413, 429, 500, 503, 599):
            sql(server.rows({"n": "UInt8"}, []))
            assert len(ws.sql("SELECT n")) == 0
            failed = server.rows({"n": "UInt8"}, [])
            failed.status = status
            sql(failed)
            with pytest.raises(TinybirdError):
                ws.sql("SELECT n")

    def test_cancelled_from_another_thread(self, server, ws, sql):
        sql(server.Answer(how="slow", seconds=9))
        cancellation = Cancellation()
        thread = threading.Thread(target=lambda: (server.wait_for_request(), cancellation.cancel()))
        thread.start()
        with pytest.raises(Cancelled):
            ws.sql("SELECT 1", cancellation=cancellation)
        thread.join()


class TestRaw:
    def test_text_goes_as_it_is(self, server, ws, sql):
        sql(
            server.Answer(
                200, b"1\n", {"Content-Type": "text/tab-separated-values; charset=UTF-8", "X-Request-Id": "r"}
            )
        )
        result = ws.query.run("SELECT 1;", params={"a": 1}, pipeline="p", explain=None)
        assert server.seen[0].query == {"q": "SELECT 1;", "a": "1", "pipeline": "p"}
        assert (result.text(), result.content_type, result.request_id) == ("1\n", "text/tab-separated-values", "r")
        assert result.statistics is None

    def test_statistics_of_json(self, server, ws, sql):
        reply = server.rows({"n": "UInt8"}, [['"statistics": {"elapsed": 9}}']], statistics=STATISTICS)
        sql(reply)
        assert ws.query.run("SELECT 1 FORMAT JSONCompact").statistics == STATISTICS

    def test_the_position_is_one_in_the_text(self, server, ws, sql):
        sql(server.answer({"error": "Syntax error: failed at position 13 (x): x"}, 400))
        with pytest.raises(QueryError) as caught:
            ws.query.run("SELECT 'é' x x")
        assert caught.value.position == 11


@pytest.mark.parametrize(
    ("headers", "statistics"),
    [
        ({}, None),
        ({"x-clickhouse-summary": SUMMARY}, STATISTICS),
        ({"x-clickhouse-summary": "no json"}, None),
        ({"x-clickhouse-summary": "[]"}, None),
        ({"x-clickhouse-summary": '{"read_rows": "x", "read_bytes": true}'}, {}),
    ],
)
def test_statistics_in_headers(headers, statistics):
    assert header_statistics(headers) == statistics
