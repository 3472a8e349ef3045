"""``/v0/sql`` over HTTP: forms of requests, formats, errors, limits, templates."""

from __future__ import annotations

import http.client
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet
import pytest

from tinymagic import local

FORMATS = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TSVWithNames": "text/tab-separated-values; charset=UTF-8",
    "PrettyCompact": "text/plain; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson",
    "Parquet": "application/octet-stream",
    "JSONStrings": "application/json; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinaryWithNamesAndTypes": "application/octet-stream",
    "JSONCompactEachRowWithNamesAndTypes": "application/x-ndjson",
    "JSONCompactEachRow": "application/x-ndjson",
    "JSONStringsEachRowWithProgress": "application/x-ndjson",
    "ODBCDriver2": "application/octet-stream",
}


class TestForms:
    """Where the SQL may be in a request."""

    @pytest.mark.parametrize(
        "arguments",
        [
            {"data": {"q": "SELECT 42"}},
            {"json": {"q": "SELECT 42"}},
            {"data": "SELECT 42", "headers": {"Content-Type": "text/plain"}},
            {"data": b"SELECT 42"},
            {"data": "SELECT 42", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"data": "SELECT 42 = 42 as x, 42", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"params": {"q": "SELECT 42"}},
            {"params": {"q": "SELECT 42"}, "data": "ignored", "headers": {"Content-Type": "text/plain"}},
        ],
        ids=["form", "json", "text", "none", "bare-as-form", "bare-with-equals", "url", "url-wins"],
    )
    def test_post(self, api, arguments):
        """Every form that clients use is understood."""
        reply = api.post("/v0/sql", **arguments)
        assert reply.status_code == 200, reply.text
        assert reply.text.split()[-1] == "42"

    def test_get(self, api):
        """The SQL may be in the URL, also with a trailing slash in the path."""
        assert api.get("/v0/sql", params={"q": "SELECT 42"}).text == "42\n"
        assert api.get("/v0/sql/", params={"q": "SELECT 42"}).text == "42\n"

    def test_unknown_parameters_are_ignored(self, api):
        """Clients send names of their own."""
        parameters = {"q": "SELECT 42", "from": "ui", "cli_version": "1", "release_replacements": "true", "x": "y"}
        assert api.get("/v0/sql", params=parameters).text == "42\n"

    @pytest.mark.parametrize("body", ["[]", "{", '{"q": 5}'])
    def test_wrong_json_is_a_400(self, api, body):
        """A body that says JSON and is none, or has no text in q, is refused in JSON."""
        reply = api.post("/v0/sql", data=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 400
        assert reply.json()["error"]

    def test_body_that_is_not_utf8_is_a_400(self, api):
        """Bytes that are no text are refused."""
        assert api.post("/v0/sql", data=b"SELECT '\xff'").status_code == 400


class TestFormats:
    @pytest.mark.parametrize("name", FORMATS)
    def test_content_type_and_summary(self, api, name):
        """Each format has its content type and tells what was read."""
        reply = api.sql(f"SELECT sum(number) AS total FROM numbers(142) FORMAT {name}")
        assert reply.status_code == 200
        assert reply.headers["Content-Type"] == FORMATS[name]
        summary = json.loads(reply.headers["X-ClickHouse-Summary"])
        assert summary["read_rows"] == "142"
        assert summary["read_bytes"] == str(142 * 8)
        assert int(summary["elapsed_ns"]) > 0

    def test_default_is_tsv_without_header(self, api):
        """Without FORMAT the rows come as TSV, as recorded from the service."""
        reply = api.sql("SELECT 1, 'a\tb'")
        assert reply.text == "1\ta\\tb\n"
        assert reply.headers["Content-Type"] == "text/tab-separated-values; charset=UTF-8"

    def test_json_has_statistics(self, api):
        """SELECT 1 reads one row, and integers are not quoted."""
        body = api.sql("SELECT toUInt64(18446744073709551615) AS n FORMAT JSON").json()
        assert body["data"] == [{"n": 18446744073709551615}]
        assert body["meta"] == [{"name": "n", "type": "UInt64"}]
        assert body["rows"] == 1
        assert body["statistics"]["rows_read"] == 1

    def test_quoting_settings(self, api):
        """The request may ask for quoted integers and denormals."""
        q = "SELECT toUInt64(1) AS n, 1/0 AS i FORMAT JSONEachRow"
        assert api.sql(q).json() == {"n": 1, "i": None}
        quoted = api.sql(q, output_format_json_quote_64bit_integers=1, output_format_json_quote_denormals="1")
        assert quoted.json() == {"n": "1", "i": "inf"}
        assert api.sql(q, output_format_json_quote_denormals="x").status_code == 400

    def test_parquet_strings(self, api):
        """Parquet is Parquet; strings are binary unless the request says otherwise."""
        plain = pyarrow.parquet.read_table(io.BytesIO(api.sql("SELECT 'a' AS s FORMAT Parquet").content))
        text = pyarrow.parquet.read_table(
            io.BytesIO(api.sql("SELECT 'a' AS s FORMAT Parquet", output_format_parquet_string_as_string=1).content)
        )
        assert str(plain.schema.field("s").type) == "binary"
        assert str(text.schema.field("s").type) == "string"

    def test_datetime_means_utc(self, api):
        """A DateTime without a zone is in UTC."""
        assert api.sql("SELECT toUnixTimestamp(toDateTime('1970-01-02 00:00:00'))").text == "86400\n"

    def test_unknown_format_is_a_403(self, api):
        """The error lists the formats and links to authentication, as the service does."""
        reply = api.sql("SELECT 1 FORMAT Vertical")
        assert reply.status_code == 403
        assert reply.json()["error"].startswith("invalid format Vertical, available ones: JSON, CSV, CSVWithNames,")
        assert reply.json()["documentation"].endswith("#authentication")

    def test_large_text_is_gzipped_when_accepted(self, api):
        """Text is compressed for who accepts it, Parquet never."""
        q = "SELECT number FROM numbers(10000) FORMAT"
        gzipped = api.sql(f"{q} JSON")
        assert gzipped.headers["Content-Encoding"] == "gzip"
        assert gzipped.json()["rows"] == 10000
        plain = api.post("/v0/sql", data={"q": f"{q} JSON"}, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        assert plain.json()["data"] == gzipped.json()["data"]
        assert "Content-Encoding" not in api.sql(f"{q} Parquet").headers


ERRORS = [
    ("", 400, "The request body should contain a query"),
    ("   ", 400, "DB::Exception: Empty query"),
    (";", 400, "DB::Exception: Empty query"),
    ("THIS IS NOT SQL", 400, "DB::Exception: Syntax error: failed at position 1 (THIS): THIS IS NOT SQL."),
    ("SELECT 'hello", 400, "Single quoted string is not closed: Syntax error: failed at position 8 ('hello): 'hello."),
    ("SELECT * FROM ghost_table", 403, "Resource 'ghost_table' not found"),
    ("SELECT * FROM (SELECT * FROM ghost_table)", 403, "Resource 'ghost_table' not found"),
    ("SELECT missing", 400, "[Error] Unknown expression identifier `missing`"),
    ("SELECT missing", 400, "(UNKNOWN_IDENTIFIER)"),
    ("SELECT count(1, 2, 3)", 400, "(NUMBER_OF_ARGUMENTS_DOESNT_MATCH)"),
    ("SELECT toUInt8('x')", 400, "(CANNOT_PARSE_TEXT)"),
    ("SELECT nosuch(1)", 400, "DB::Exception: Unknown function nosuch. Contact support@tinybird.co if"),
    ("SELECT sleep(1)", 400, "DB::Exception: Usage of function sleep is restricted. Contact support@tinybird.co if"),
    ("SELECT 1; SELECT 2", 400, "Syntax error (Multi-statements are not allowed): failed at position 9 (end of query)"),
]


class TestGeometryInParquet:
    """The engine of chDB 4.4 does not survive writing a Geometry as Parquet; the server must."""

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT readWKT('POINT(1 2)') AS g",
            "SELECT CAST((1., 2.)::Point, 'Geometry') AS g",
            "SELECT [readWKT('POINT(1 2)')] AS g -- x",
        ],
    )
    def test_is_refused(self, api, sql):
        """A clear 400, and the next query works; in JSON the value comes."""
        reply = api.sql(f"{sql}\nFORMAT Parquet")
        assert (reply.status_code, "Geometry is not supported" in reply.json()["error"]) == (400, True)
        assert api.sql(f"{sql}\nFORMAT JSON").status_code == 200

    def test_the_word_alone_does_no_harm(self, api):
        """A column may be called geometry."""
        assert api.sql("SELECT 1 AS geometry FORMAT Parquet").content.startswith(b"PAR1")


class TestErrors:
    @pytest.mark.parametrize(("q", "status", "text"), ERRORS)
    def test_text_and_status(self, api, q, status, text):
        """Errors have the service's status and text, and a documentation link."""
        reply = api.post("/v0/sql", json={"q": q})
        assert (reply.status_code, text in reply.json()["error"]) == (status, True), reply.text
        assert reply.json()["documentation"].startswith("https://docs.tinybird.co/")

    def test_serialisation_has_blanks(self, api):
        """The service writes a blank after the comma and the colon."""
        text = api.sql("SELECT * FROM ghost").text
        assert text.startswith('{"error": "Resource \'ghost\' not found", "documentation": ')

    def test_documentation_names_the_method(self, api):
        """The link's fragment follows the route and method."""
        assert api.sql("SELECT x").json()["documentation"].endswith("query-api.html#post--v0-sql")
        assert api.get("/v0/sql?q=SELECT x").json()["documentation"].endswith("query-api.html#get--v0-sql")

    def test_position_counts_in_the_rendered_text(self, api):
        """A syntax error in a template gives the position after rendering, for the user's text only."""
        assert "failed at position 12 (x)" in api.sql("%SELECT 1 x x").json()["error"]

    def test_unknown_path_and_method(self, api):
        """404 and 405 are JSON too."""
        assert api.get("/v0/nothing").status_code == 404
        assert api.request("DELETE", "/v0/sql").status_code == 405
        assert api.get("/v0/nothing").json()["error"] == "There is nothing at /v0/nothing."

    def test_names_of_databases_stay_inside(self, api):
        """An error never shows the workspace's database."""
        reply = api.sql("SELECT * FROM numbers(3) AS n JOIN values('a Int32', 1) AS v ON n.number = v.b")
        assert reply.status_code == 400
        assert "w_" not in reply.json()["error"]


class TestLimits:
    def test_long_sql_is_a_413(self, api):
        """SQL over 8 KB is refused, 8 KB is not."""
        fits = "SELECT 1 --" + "x" * (8 * 1024 - 11)
        assert api.sql(fits).status_code == 200
        assert api.sql(fits + "x").status_code == 413

    def test_long_url_is_a_414(self, api):
        """A URL over 8 KB is refused."""
        assert api.get("/v0/sql", params={"q": "SELECT 1", "x": "y" * 9000}).status_code == 414

    @pytest.mark.slow
    def test_slow_query_is_a_408(self, api):
        """After ten seconds a query is stopped."""
        started = time.monotonic()
        reply = api.sql("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1")
        assert reply.status_code == 408
        assert "Timeout exceeded" in reply.json()["error"]
        assert time.monotonic() - started < 15

    def test_large_reply_is_a_413(self, api):
        """More than 100 MB of encoded rows are refused; the same rows as Parquet are not."""
        q = "SELECT repeat('x', 1000) AS s FROM numbers(110000) FORMAT"
        assert api.sql(f"{q} TSV").status_code == 413
        assert api.sql(f"{q} Parquet").status_code == 200

    def test_limits_can_be_switched_off(self):
        """With --limits none a long text runs."""
        server = local.start(memory=True, port=0, with_parent=True, limits="none")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", "/tokens")
            token = json.loads(connection.getresponse().read())["admin_token"]
            q = f"SELECT length('{'x' * 400_000}')"
            connection.request("POST", "/v0/sql", q, {"Authorization": f"Bearer {token}"})
            assert connection.getresponse().read() == b"400000\n"
            connection.close()
        finally:
            local.stop(port=server.port)


class TestConcurrency:
    def test_slow_query_does_not_block_others(self, api):
        """While one query runs for seconds others answer at once."""
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(api.sql, "SELECT count() FROM numbers(3000000000) WHERE sipHash64(number) = 1")
            time.sleep(0.3)
            started = time.monotonic()
            assert api.sql("SELECT 1").text == "1\n"
            assert time.monotonic() - started < 1.5
            assert not slow.done()

    def test_query_of_a_client_that_left_is_stopped(self, api, server):
        """Closing the connection cancels the query in the engine."""
        mark = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 77"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/v0/sql", mark, {"Authorization": f"Bearer {api.token}"})
        time.sleep(0.5)
        busy = _cpu_seconds(server.pid)
        connection.close()
        time.sleep(1.5)
        settled = _cpu_seconds(server.pid)
        time.sleep(1.0)
        assert settled > busy
        assert _cpu_seconds(server.pid) - settled < 0.5

    def test_settings_of_one_query_do_not_reach_the_next(self, api):
        """A SETTINGS clause is gone with its query."""
        q = "SELECT b FROM (SELECT 1 AS a) AS l LEFT JOIN (SELECT 2 AS a, 3 AS b) AS r USING (a)"
        assert api.sql(f"{q} SETTINGS join_use_nulls = 1").text == "\\N\n"
        assert api.sql(q).text == "0\n"


class TestTemplates:
    def test_parameters_from_every_place(self, api):
        """Values come from URL, form and JSON, numbers and lists too."""
        q = "% SELECT {{Int32(n, 1)}} + 1, {{String(s, 'd')}}, {{Array(l, 'Int32', '1')}}"
        assert api.get("/v0/sql", params={"q": q, "n": "5"}).text == "6\td\t[1]\n"
        assert api.sql(q, s="it's").text == "2\tit\\'s\t[1]\n"
        assert api.post("/v0/sql", json={"q": q, "n": 7, "l": [1, 2]}).text == "8\td\t[1,2]\n"

    def test_hostile_values_come_back_equal(self, api):
        """What a value holds is data: quotes, backslashes, comments, braces, statements."""
        for value in [
            "'",
            "\\",
            "\\'",
            "'; DROP TABLE x; --",
            "{{ q }}",
            "/* */",
            "é€😀",
            '"`',
            "a\nb\tc",
            "x' OR 1=1",
        ]:
            reply = api.sql("% SELECT {{String(v)}} AS v FORMAT JSONEachRow", v=value)
            assert reply.json() == {"v": value}

    def test_missing_parameter_is_a_400(self, api):
        """The error names the parameters that have no default."""
        reply = api.sql("% SELECT {{Int32(a)}}, {{String(b)}}, {{String(c, 'd')}}")
        assert reply.status_code == 400
        assert reply.json()["error"] == (
            "Template Syntax Error: Required parameter is not defined. Check the parameters a and b. "
            "Please provide a value or set a default value in the pipe code."
        )
        assert "/cli/advanced-templates.html" in reply.json()["documentation"]


def _cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize("q", [r"SELECT '\xff'", r"DESCRIBE (SELECT '\xff' AS a)", r"%SELECT '\xff'"])
def test_an_escape_that_is_no_utf8(api, q):
    """It is a 400 that says how to write such bytes."""
    reply = api.sql(q)
    assert reply.status_code == 400, reply.text
    assert "unhex" in reply.json()["error"]
    assert api.sql("SELECT hex(unhex('ff'))").text == "FF\n"


def test_columns_that_tell_about_the_server(api):
    """No token needs the internal name of a database."""
    reply = api.sql("SELECT _database FROM numbers(1)")
    assert reply.status_code == 400
    assert "_database" in reply.json()["error"]


def test_pipeline_may_not_mean_itself(api):
    """A name that stands for nothing is not found."""
    reply = api.sql("SELECT * FROM _", pipeline="_")
    assert reply.status_code == 403
    assert reply.json()["error"] == "Resource '_' not found"
