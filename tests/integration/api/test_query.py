"""The client of the Query API: what it does with SQL besides giving rows, and what goes wrong."""

from __future__ import annotations

import itertools

import pytest

from tests.faults import html_page, status
from tinymagic import errors

_numbers = itertools.count()


def new(kind="ds"):
    """A name that no other test has."""
    return f"apiquery_{kind}_{next(_numbers)}"


@pytest.fixture
def query(workspace):
    return workspace.query


@pytest.fixture
def name(workspace):
    made = workspace.datasources.create(new(), "n Int32 `json:$.n`", sorting_key="n")
    workspace.datasources.append(made.name, [{"n": 1}, {"n": 2}])
    return made.name


class TestRun:
    def test_run(self, query, name):
        assert query.run(f"SELECT sum(n) AS s FROM {name} FORMAT CSVWithNames").text() == '"s"\n3\n'

    def test_errors(self, query, name, limited, workspace):
        for sql, kind in (
            ("SELECT nothing FROM numbers(1)", errors.QueryError),
            ("SELEC 1", errors.QueryError),
            ("SELECT * FROM apiquery_none", errors.UnknownTable),
            ("DROP TABLE x", errors.QueryError),
            ("SELECT 1 FORMAT Nothing", errors.Forbidden),
        ):
            with pytest.raises(kind):
                query.run(sql)
        other = workspace.datasources.create(new(), "a Int8").name
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{other}").query.run(f"SELECT * FROM {name}")

    def test_time_out(self, behind, proxy):
        proxy.on("*", "/v0/sql", status(408))
        with pytest.raises(errors.RequestTimeout):
            behind.query.run("SELECT 1")


class TestFormat:
    def test_format(self, query):
        assert query.format_sql("select a,b from t where x=1").splitlines()[0] == "SELECT"
        assert "\n" in query.format_sql("select a from t", with_clickhouse_format=True)

    def test_odd_text_stays(self, query):
        assert "'é\\'{{ x }}'" in query.format_sql("select 'é\\'{{ x }}' as a")

    def test_errors(self, query):
        with pytest.raises(errors.QueryError):
            query.format_sql("select from where")
        with pytest.raises(errors.InvalidInput):
            query.format_sql("  ")

    def test_too_long(self, query):
        with pytest.raises(errors.UriTooLong):
            query.format_sql("select " + "1, " * 20_000 + "1")


class TestTables:
    def test_tables(self, query, name):
        sql = f"SELECT * FROM {name} JOIN other USING n WHERE n IN (SELECT number FROM numbers(3))"
        assert {each.name for each in query.tables(sql)} == {name, "other"}
        functions = [each.function for each in query.tables(sql, table_functions=True) if each.function]
        assert functions == ["numbers"]
        assert all(each.database == "" for each in query.tables(sql))
        [service] = query.tables("SELECT * FROM tinybird.jobs_log")
        assert (service.database, service.name) == ("tinybird", "jobs_log")

    def test_what_cannot_be_read(self, query):
        with pytest.raises(errors.QueryError):
            query.tables("SELECT FROM WHERE")
        assert query.tables("SELECT FROM WHERE", raising=False)[0].name == "SELECT FROM WHERE"

    def test_for_a_copy(self, query):
        sql = "SELECT * FROM url('https://example.com/a.csv', 'CSV', 'a Int8')"
        assert query.tables(sql, is_copy=True) == ()
        with pytest.raises(errors.QueryError):
            query.tables(sql)

    def test_any_token_may_ask(self, limited, name):
        assert limited(f"DATASOURCES:READ:{name}").query.tables("SELECT * FROM x")[0].name == "x"

    def test_long_sql(self, query, name):
        assert query.tables(f"SELECT {'1, ' * 20_000} 1 FROM {name}")[0].name == name


class TestReplace:
    def test_replace(self, query, name):
        text = query.replace_tables(f"SELECT * FROM {name} WHERE note = '{name}'", {name: "another"})
        assert "FROM another" in text
        assert f"'{name}'" in text

    def test_errors(self, query):
        with pytest.raises(errors.QueryError):
            query.replace_tables("SELECT * FROM a WHERE (", {})
        with pytest.raises(errors.QueryError, match="circle"):
            query.replace_tables("SELECT * FROM a", {"a": "b", "b": "a"})


class TestCopy:
    def test_append_and_replace(self, workspace, query, name):
        job = query.copy_to("SELECT toInt32(number) AS n FROM numbers(3, 4)", name)
        assert job.id
        workspace.jobs.wait(job)
        assert sorted(workspace.sql(f"SELECT n FROM {name}").n) == [1, 2, 3, 4, 5, 6]
        workspace.jobs.wait(query.copy_to("SELECT toInt32(9) AS n", name, mode="replace"))
        assert workspace.sql(f"SELECT n FROM {name}").n.tolist() == [9]

    def test_errors(self, workspace, query, name, limited):
        with pytest.raises(errors.ApiError) as raised:
            query.copy_to("SELECT 1 AS n", "apiquery_none")
        assert raised.value.status in (400, 404)
        with pytest.raises(errors.QueryError, match="other"):
            query.copy_to("SELECT 'x' AS other", name)
        with pytest.raises(errors.QueryError):
            query.copy_to("SELECT FROM", name)
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{name}").query.copy_to("SELECT toInt32(1) AS n", name)
        assert len(workspace.sql(f"SELECT n FROM {name}")) == 2


class TestExplain:
    def test_plan(self, query, name):
        found = query.explain(f"%\nSELECT * FROM {name} WHERE n < {{{{Int32(most, 5)}}}}", params={"most": 2})
        assert "ReadFromMergeTree" in found.plan
        assert "2" in found.query

    def test_errors(self, query):
        with pytest.raises(errors.QueryError):
            query.explain("SELECT nothing FROM numbers(1)")

    def test_where_there_is_no_plan(self, behind, proxy):
        from dataclasses import replace

        proxy.on("*", "/v0/sql", replace(status(200), body=b"1\tx\n"))
        with pytest.raises(errors.BadReply, match="no plan"):
            behind.query.explain("SELECT 1")


class TestStatuses:
    CALLS = {
        "format_sql": lambda query: query.format_sql("select 1"),
        "tables": lambda query: query.tables("SELECT 1"),
        "replace_tables": lambda query: query.replace_tables("SELECT 1", {}),
    }

    @pytest.mark.parametrize("call", CALLS)
    def test_what_passes_is_tried_again(self, behind, proxy, call):
        proxy.on("*", "/v0/sql_*", status(429, retry_after=0.01), html_page(502))
        self.CALLS[call](behind.query)
        assert len(proxy.passed("*", "/v0/sql_*")) == 3

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("code", [403, 404, 405, 500])
    def test_others_are_not(self, behind, proxy, call, code):
        proxy.on("*", "/v0/sql_*", status(code), status(code))
        with pytest.raises(errors.ApiError) as raised:
            self.CALLS[call](behind.query)
        assert raised.value.status == code
        assert len(proxy.passed("*", "/v0/sql_*")) == 1
