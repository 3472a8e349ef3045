"""The helper paths of the vendor's command line, over HTTP; what is expected is what the vendor's parser gives."""

from __future__ import annotations

import json

import pytest

SYNTAX_PAGE = "https://docs.tinybird.co/query/query-parameters.html"


def tables(api, q, **parameters):
    """Ask for tables as the command line does."""
    return api.post("/v0/sql_tables", data={"q": q, **parameters})


class TestFormat:
    def test_lines(self, api):
        """The parser writes one clause a line."""
        for flag in ("true", "false"):
            reply = api.get(
                "/v0/sql_format", params={"q": "select 1 from t where a=1;", "with_clickhouse_format": flag}
            )
            assert reply.json() == {"q": "SELECT 1\nFROM t\nWHERE a = 1"}

    def test_any_statement(self, api):
        """What may not run can be formatted all the same."""
        assert api.get("/v0/sql_format", params={"q": "drop table t"}).json() == {"q": "DROP TABLE t"}
        assert api.get("/v0/sql_format", params={"q": "select foo(1)"}).json() == {"q": "SELECT foo(1)"}

    @pytest.mark.parametrize("q", ["not sql", "", " ;", "select 1; select 2", "select '"])
    def test_refused(self, api, q):
        """A syntax error is told with the parser's text."""
        reply = api.get("/v0/sql_format", params={"q": q})
        assert (reply.status_code, reply.json()["documentation"]) == (400, SYNTAX_PAGE)
        assert reply.json()["error"].startswith("DB::Exception: ")

    def test_without_sql(self, api):
        """The parameter q is needed, and so is a token."""
        assert api.get("/v0/sql_format").status_code == 400
        assert api.get("/v0/sql_format", params={"q": "select 1"}, token=None).status_code == 403


class TestTables:
    @pytest.mark.parametrize(
        ("q", "expected"),
        [
            ("SELECT 1", []),
            ("SELECT * FROM t, ws.u, t", [["", "t"], ["ws", "u"]]),
            ("WITH x AS (SELECT * FROM t) SELECT * FROM x", [["", "t"]]),
            ("SELECT 1 IN t", [["", "t"]]),
            ("SELECT joinGet('ws.j', 'a', 1)", [["ws", "j"]]),
            ("SELECT * FROM numbers(3), t", [["", "t"]]),
            ("SELECT * FROM system.tables;", [["system", "tables"]]),
            ("DESCRIBE t", [["", "t"]]),
        ],
    )
    def test_found(self, api, q, expected):
        """Tables are sorted pairs; an empty database means the workspace."""
        for raising in ("true", "false"):
            assert tables(api, q, raising=raising, table_functions="false", is_copy="false").json() == {
                "tables": expected
            }

    def test_table_functions(self, api):
        """They come as a third text when asked for."""
        reply = tables(api, "SELECT * FROM numbers(3), t", table_functions="true")
        assert reply.json() == {"tables": [["", "", "numbers"], ["", "t", ""]]}

    @pytest.mark.parametrize("q", ["not sql", "drop table t", "SHOW TABLES", "select foo(1) from t", ""])
    def test_unreadable(self, api, q):
        """Unless an error is asked for, a text that is no query is taken for the name of a table."""
        assert tables(api, q).json() == {"tables": [["", q]]}
        assert tables(api, q, table_functions="true").json() == {"tables": [["", q, ""]]}
        reply = tables(api, q, raising="true")
        assert (reply.status_code, reply.json()["documentation"]) == (400, SYNTAX_PAGE)

    def test_copy(self, api):
        """A Copy Pipe may read from elsewhere, other SQL may not, and nobody may read files."""
        reply = tables(api, "SELECT * FROM url('http://localhost/'), t", raising="true", is_copy="true")
        assert reply.json() == {"tables": [["", "t"]]}
        reply = tables(api, "SELECT * FROM url('http://localhost/')", raising="true")
        assert reply.json()["error"] == (
            "DB::Exception: Usage of function url is restricted to Copy Pipes. "
            "Contact support@tinybird.co if you require access to this feature"
        )
        assert tables(api, "SELECT * FROM file('x')", raising="true", is_copy="true").status_code == 400

    def test_copy_does_not_let_others_run_it(self, api):
        """What was read for a Copy Pipe is not remembered for queries."""
        q = "SELECT * FROM url('http://localhost/', 'CSV', 'a String')"
        assert tables(api, q, raising="true", is_copy="true").status_code == 200
        assert tables(api, q, raising="true").status_code == 400
        assert api.sql(q).status_code == 400

    def test_flags_are_checked(self, api):
        """A flag is true or false."""
        assert tables(api, "SELECT 1", raising="maybe").status_code == 400

    def test_half_a_character(self, api):
        """JSON can carry text that is not Unicode."""
        reply = api.post("/v0/sql_tables", json={"q": "SELECT '\ud800'", "raising": "true"})
        assert reply.status_code == 400


class TestReplace:
    @pytest.mark.parametrize(
        ("q", "replacements", "expected"),
        [
            ("select * from t", {"t": "u"}, "SELECT *\nFROM u AS t"),
            ("select t.a from t", {"t": "u"}, "SELECT t.a\nFROM u AS t"),
            ("select * from t as q", {"t": "u"}, "SELECT *\nFROM u AS q"),
            ("select t.a from (select 1 as a) as t", {"t": "u"}, "SELECT t.a\nFROM\n(\n    SELECT 1 AS a\n) AS t"),
            ("select * from t", {"x": "y"}, "SELECT *\nFROM t"),
            ("select * from t", {}, "SELECT *\nFROM t"),
            ("select 1 in t", {"t": "u"}, "SELECT 1 IN (u)"),
            ("describe t", {"t": "u"}, "DESCRIBE TABLE u AS t"),
            ("select joinGet('t', 'a', 1)", {"t": "u"}, "SELECT joinGet('u', 'a', 1)"),
            ("select * from t", {"t": "u", "u": "v"}, "SELECT *\nFROM v AS t"),
            ("select * from t", {"t": "we ird"}, "SELECT *\nFROM `we ird` AS t"),
            ("select * from t format JSON", {"t": "u"}, "SELECT *\nFROM u AS t\nFORMAT JSON"),
            ("select * from t, ws.t", {"t": "u"}, "SELECT *\nFROM u AS t, ws.t"),
        ],
    )  # fmt: skip
    def test_replaced(self, api, q, replacements, expected):
        """Tables change their names, everything else stays."""
        reply = api.post("/v0/sql_replace", data={"q": q, "replacements": json.dumps(replacements)})
        assert reply.json() == {"query": expected}

    @pytest.mark.parametrize("q", ["not sql", "drop table t", "select foo(1) from t", "select * from url('x')"])
    def test_refused(self, api, q):
        """Only what may run is rewritten."""
        reply = api.post("/v0/sql_replace", data={"q": q, "replacements": '{"t": "u"}'})
        assert (reply.status_code, reply.json()["documentation"]) == (400, SYNTAX_PAGE)

    @pytest.mark.parametrize("replacements", ["no json", "[]", '{"t": 1}', '{"t": ""}', '{"t": "u", "u": "t"}'])
    def test_bad_replacements(self, api, replacements):
        """Replacements are an object of names without a circle."""
        reply = api.post("/v0/sql_replace", data={"q": "select * from t", "replacements": replacements})
        assert reply.status_code == 400
        assert reply.json()["error"]
