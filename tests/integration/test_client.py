"""The client against a real embedded server: the whole walk of a cell, a frame and a file."""

from __future__ import annotations

import threading
import time
import traceback

import pandas as pd
import pytest

import tinymagic
from tinymagic.api.errors import (
    BadRequest,
    Cancelled,
    Conflict,
    Forbidden,
    InsecureHost,
    NotFound,
    QueryError,
    QueryTimeout,
    Timeout,
    UnknownTable,
)
from tinymagic.api.http.cancelling import Cancellation

FLIGHTS = pd.DataFrame(
    {"carrier": ["UA", "AA", "UA"], "delay": [2, None, -1], "at": pd.to_datetime(["2013-01-01"] * 3)}
)


@pytest.fixture
def ws(server, tokens):
    with tinymagic.Workspace(server.host, tokens["workspace_admin_token"]) as workspace:
        yield workspace


@pytest.fixture
def flights(ws):
    ws.datasources.create_from("client_flights", FLIGHTS, sorting_key="carrier")
    yield "client_flights"
    ws.datasources.delete("client_flights")


class TestConnect:
    def test_finds_the_running_server(self, server, monkeypatch, tmp_path):
        for name in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL", "TINYBIRD_HOST"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TINYMAGIC_CONFIG_HOME", str(tmp_path))
        with tinymagic.connect(folder=tmp_path) as ws:
            assert ws.backend == "embedded"
            assert ws.source == "the running embedded server"
            assert ws.info().scope == "admin"
        with tinymagic.connect(host=server.host) as ws:
            assert (ws.host, ws.backend) == (server.host, "embedded")

    def test_a_wrong_token(self, server):
        with tinymagic.connect("p.wrong.token", server.host) as ws, pytest.raises(Forbidden) as caught:
            ws.info()
        assert "wrong.token" not in str(caught.value)

    def test_the_token_is_in_no_frame_of_an_error(self):
        token = "p.eyJ1IjogIjEifQ.marked-token-of-this-test"
        with pytest.raises(InsecureHost) as caught:
            tinymagic.connect(token=token, host="http://example.com")
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
        assert frames  # The first one is this test's own.
        assert all(token not in repr(value) for frame in frames for value in frame.f_locals.values())


class TestQueries:
    @pytest.mark.parametrize(
        "q",
        [
            "SELECT number AS n, toString(number) AS s, n / 0 AS f FROM numbers(5)",
            "SELECT * FROM client_flights ORDER BY ALL",
            "SELECT toUInt64(18446744073709551615) AS n, toDecimal64('1.10', 4) AS d, ['a'] AS a",
            "SELECT 1 AS n WHERE 0",
            "DESCRIBE client_flights",
        ],
    )
    @pytest.mark.parametrize("limit", [None, 1, 2, 100])
    def test_the_frame_is_the_same_whatever_the_wire(self, ws, flights, q, limit):
        by_json, by_parquet = (ws.sql(q, limit=limit, format=wire) for wire in ("json", "parquet"))
        pd.testing.assert_frame_equal(by_json, by_parquet)
        told, other = by_json.attrs["tinybird"], by_parquet.attrs["tinybird"]
        for key in ("columns", "rows", "truncated", "limit"):
            assert told[key] == other[key]
        assert set(other["statistics"]) == {"elapsed", "rows_read", "bytes_read"}

    def test_auto_takes_parquet_from_the_second_query_on(self, ws):
        assert [ws.sql("SELECT 1 AS n").attrs["tinybird"]["format"] for _ in range(2)] == ["JSONCompact", "Parquet"]

    def test_parameters_reach_a_template(self, ws):
        q = "%\nSELECT {{Int32(n, 4)}} AS n, {{Array(ids, 'Int32')}} AS ids, {{String(s)}} AS s, {{DateTime(at)}} AS at"
        hostile = "it's \\ -- ; {{x}}"
        values = {"n": None, "ids": [3, 1], "s": hostile, "at": pd.Timestamp("2024-01-02 03:04:05")}
        for limit in (None, 5):
            row = ws.sql(q, params=values, limit=limit).iloc[0]
            assert (row.n, list(row.ids), row.s, row["at"]) == (4, [3, 1], hostile, "2024-01-02 03:04:05")

    @pytest.mark.parametrize("wire", ["json", "parquet", "auto"])
    @pytest.mark.parametrize("limit", [None, 3])
    @pytest.mark.parametrize(
        ("q", "kind", "word"),
        [
            ("SELECT 'é' AS s,\n  x y z FROM numbers(1)", QueryError, "z FROM"),
            ("SELECT 1, missing", QueryError, "missing"),
            ("SELECT ghost FROM ghost", UnknownTable, "ghost"),
            ("SELECT nosuch(1)", QueryError, "nosuch"),
            ("%\nSELECT 'é', x y z {{Int32(n, 1)}}", QueryError, "z {{"),
            ("%\nSELECT {{Int32(n, 1)}} AS a, 'é', x y z", QueryError, "z"),
            ("SELECT (1", QueryError, ""),
            ("SELECT 1 -- note\n, 'open", QueryError, "'open"),
            ("SELECT 1 +", QueryError, ""),
            ("SELECT 1,", QueryError, ""),
            ("SELECT 1 FROM", QueryError, ""),
        ],
    )
    def test_errors_tell_the_place_in_the_users_text(self, ws, q, kind, word, limit, wire):
        ws.sql("SELECT 1")
        with pytest.raises(kind) as caught:
            ws.sql(q, limit=limit, format=wire)
        error = caught.value
        assert q[error.position :].startswith(word)
        assert error.sql == q
        assert error.request_id
        assert "__tinymagic" not in str(error)
        assert "FORMAT " not in error.message.partition("Expected one of")[0]

    @pytest.mark.parametrize("q", ["SELECT NULL AS n", "SELECT [] AS a", "SELECT toIntervalDay(1) AS i"])
    def test_types_without_a_parquet_form_come_by_json(self, ws, q):
        frame = ws.sql(q, format="parquet")
        assert frame.attrs["tinybird"]["format"] == "JSONCompact"
        pd.testing.assert_frame_equal(frame, ws.sql(q, format="json"))

    def test_a_long_query(self, ws):
        assert ws.sql(f"SELECT length('{'x' * 6000}') AS n").n.tolist() == [6000]

    def test_raw_formats(self, ws):
        assert ws.query.run("SELECT 1, 'a' FORMAT CSVWithNames").text() == '"1","\'a\'"\n1,"a"\n'
        assert ws.query.run("SELECT 1").statistics["rows_read"] == 1

    def test_time_limits_of_both_sides(self, ws):
        slow = "SELECT sum(cityHash64(number)) AS n FROM numbers(100000000000)"
        with pytest.raises(Timeout):
            ws.sql(slow, timeout_s=0.5)
        assert ws.sql("SELECT 1 AS n").n[0] == 1

    def test_the_servers_limit_is_a_query_timeout(self, ws):
        with pytest.raises(QueryTimeout):
            ws.sql("SELECT sum(cityHash64(number)) AS n FROM numbers(100000000000)", timeout_s=30)

    def test_cancelling(self, ws):
        cancellation = Cancellation()
        threading.Timer(0.3, cancellation.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            ws.sql("SELECT sum(cityHash64(number)) AS n FROM numbers(100000000000)", cancellation=cancellation)
        assert time.monotonic() - started < 3
        assert ws.sql("SELECT 1 AS n").n[0] == 1


class TestDataSources:
    def test_a_frame_comes_back_as_it_went(self, ws, flights):
        back = ws.sql("SELECT * FROM client_flights ORDER BY ALL")
        assert back.carrier.tolist() == ["AA", "UA", "UA"]
        assert back.delay.isna().tolist() == [True, False, False]
        source = ws.datasources.get(flights)
        assert [(column.name, column.type, column.nullable) for column in source.columns] == [
            ("carrier", "String", False),
            ("delay", "Float64", True),
            ("at", "DateTime64(6)", False),
        ] or source.columns[2].type.startswith("DateTime")
        assert (source.statistics.row_count, source.quarantine_rows) == (3, 0)
        assert flights in [each.name for each in ws.datasources.list()]
        assert "SCHEMA >" in ws.datasources.datafile(flights)

    def test_every_row_is_accounted_for(self, ws, flights, tmp_path):
        rows = [
            {"carrier": "DL", "delay": 1, "at": "2013-01-02 00:00:00"},
            {"carrier": "B6", "delay": "late", "at": "x"},
        ]
        report = ws.datasources.append(flights, rows)
        assert (report.rows, report.quarantined, report.invalid_lines, report.complete) == (1, 1, 0, False)
        assert report.sentence().startswith("1 row stored, 1 row in quarantine.")
        (tmp_path / "more.csv").write_text("carrier,delay,at\nEV,5,2013-01-03 00:00:00\n")
        assert ws.datasources.append(flights, tmp_path / "more.csv").rows == 1
        assert ws.sql(f"SELECT count() AS n FROM {flights}").n[0] == 5
        assert ws.datasources.get(flights).quarantine_rows == 1

    def test_columns_that_the_data_source_lacks_are_named(self, ws):
        ws.datasources.create("lacking", "`a` Int64 `json:$.a`, `b` Int64 `json:$.b`")
        report = ws.datasources.append("lacking", pd.DataFrame({"a": [1], "b": [2], "c d": [3]}))
        assert (report.rows, report.ignored_columns) == (1, ("c d",))
        assert report.sentence() == "1 row stored. Not in the Data Source, so not stored: c d."

    def test_replace(self, ws, flights):
        ws.datasources.replace(flights, FLIGHTS.head(1), condition="carrier = 'UA'")
        assert ws.sql(f"SELECT count() AS n FROM {flights}").n[0] == 2
        assert ws.datasources.replace(flights, FLIGHTS).rows == 3

    def test_a_large_file_streams(self, ws, tmp_path):
        path = tmp_path / "large.csv"
        path.write_text("n,s\n" + "".join(f"{n},text of row {n}\n" for n in range(300_000)))
        report = ws.datasources.create_from("client_large", path)
        assert (report.rows, report.complete) == (300_000, True)
        ws.datasources.delete("client_large")

    def test_create_and_what_goes_wrong(self, ws):
        source = ws.datasources.create("client_empty", "a Int32, b String", sorting_key="a", description="empty")
        assert (source.name, source.description, source.engine["engine_sorting_key"]) == ("client_empty", "empty", "a")
        with pytest.raises(Conflict, match="client_empty"):
            ws.datasources.create("client_empty", "a Int32")
        ws.datasources.delete("client_empty")
        with pytest.raises(NotFound):
            ws.datasources.get("client_empty")
        with pytest.raises(BadRequest):
            ws.datasources.create("client_other", "a NoSuchType")
        with pytest.raises(NotFound):
            ws.datasources.append("client_other", b"a\n1\n")


def test_regions(ws):
    assert ws.regions()[-1].api_host == ws.host


class TestProbe:
    """How the service answers, and what the token tells about itself."""

    def test_clock_and_time(self, workspace):
        found = workspace.probe()
        assert found.clock_skew_s is not None
        assert abs(found.clock_skew_s) < 2
        assert 0 < found.wall_s < 30
        assert found.headers["content-type"].startswith("application/json")

    def test_a_wrong_token(self, server):
        with pytest.raises(Forbidden):
            tinymagic.connect(token="p.e30.wrong-signature", host=server.host).probe()

    def test_own_token(self, workspace, api, tokens):
        listed = {each["id"]: each for each in api.get("/v0/tokens").json()["tokens"]}
        assert listed[workspace.own_token.id]["token"] == tokens["workspace_admin_token"]
        assert tokens["workspace_admin_token"].split(".")[2][:8] not in repr(workspace.own_token)

    def test_an_error_keeps_the_reply(self, workspace):
        with pytest.raises(NotFound) as caught:
            workspace.datasources.get("nothing_of_that_name")
        answer = caught.value.answer
        assert (answer.status, answer.asked) == (404, "GET /v0/datasources/nothing_of_that_name")
        assert "nothing_of_that_name" in answer.body
        with pytest.raises(QueryError) as caught:
            workspace.sql("SELECT nothing_of_that_name")
        assert caught.value.answer.status == 400

    def test_a_token_is_not_kept_in_the_reply(self, server, tokens):
        """A service that repeats what it was sent."""
        secret = tokens["workspace_admin_token"]
        with pytest.raises(QueryError) as caught:
            tinymagic.connect(token=secret, host=server.host).sql(f"SELECT no_such_function_at_all('{secret}')")
        signature = secret.split(".")[2]
        assert not [
            place for place in range(len(signature) - 7) if signature[place : place + 8] in caught.value.answer.body
        ]
