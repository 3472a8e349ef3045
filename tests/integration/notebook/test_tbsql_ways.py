"""What a cell of ``%%tbsql`` becomes beside a table, in a real IPython, against the embedded server."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.integration.notebook.interrupts import interrupting
from tinymagic.errors import NotFound, QueryError
from tinymagic.notebook.problems import CellProblem


@pytest.fixture(scope="module")
def trips(server, tokens):
    """A Data Source of six granules."""
    import tinymagic

    with tinymagic.connect(token=tokens["workspace_admin_token"], host=server.host) as workspace:
        workspace.datasources.create("ways_trips", "airport String, n Int32", sorting_key="airport")
        workspace.sql("SELECT 1")
        frame = pd.DataFrame(
            {"airport": ["JFK", "LGA", "EWR"] * 15_000, "n": range(45_000)},
        ).astype({"n": "int32"})
        workspace.datasources.append("ways_trips", frame)
        yield "ways_trips"


class TestDryRun:
    def test_tells_text_values_and_tables_and_runs_nothing(self, connected, trips):
        connected.ok("n = 5")
        ran = connected.ok(f"%%tbsql --dry-run --limit 7\nSELECT * FROM {trips} WHERE n = {{{{ n }}}}")
        assert ran.value is None
        assert "{{Int64(tm_n)}}" in ran.printed
        assert "-- tm_n = '5' ({{ n }}, Int64)" in ran.printed
        assert "-- limit: 7" in ran.printed
        assert f"-- reads: {trips}" in ran.printed
        assert "Nothing was run." in ran.printed

    def test_reads(self, connected, trips):
        ran = connected.ok(f"%%tbsql --dry-run\nSELECT * FROM {trips} JOIN (SELECT 1 AS n) USING n")
        assert f"-- reads: {trips}" in ran.printed

    def test_a_bound_list_is_no_table(self, connected, trips):
        connected.ok(f"airports = ['JFK']\nwhich = '{trips}'")
        ran = connected.ok(f"%%tbsql --dry-run\nSELECT 1 FROM {trips} WHERE airport IN {{{{ airports }}}}")
        assert f"-- reads: {trips}\n" in ran.printed
        ran = connected.ok("%%tbsql --dry-run\nSELECT 1 FROM {{ which | ident }}")
        assert "-- reads: {{ which | ident }}\n" in ran.printed

    def test_saved_cells_in_front(self, connected, trips):
        connected.ok(f"%%tbsql --save ways_some --no-execute\nSELECT * FROM {trips}")
        ran = connected.ok("%%tbsql --dry-run\nSELECT count() FROM ways_some")
        assert "WITH ways_some AS (" in ran.printed
        assert "-- saved cells in front: ways_some" in ran.printed


class TestFmt:
    def test_good_order(self, connected):
        ran = connected.ok("%%tbsql --fmt\nselect a,b from t where {{ n }}=1")
        assert ran.value is None
        assert "SELECT" in ran.printed
        assert "{{ n }}" in ran.printed
        assert len(ran.printed.splitlines()) > 2

    def test_a_mistake_is_marked(self, connected):
        ran = connected.run("%%tbsql --fmt\nselect a from from from where")
        assert isinstance(ran.error, QueryError)
        assert any("^" in line for line in ran.card)
        assert len(ran.card) <= 8


class TestExplain:
    def test_what_the_sorting_key_saves(self, connected, trips):
        plan = connected.ok(f"%%tbsql -e\nSELECT count() FROM {trips} WHERE airport = 'JFK'").value
        text = "\n".join(plan.summary)
        assert f"{trips}: reads about" in text
        assert "of 45,000" in text
        assert "The sorting key (airport) leaves out" in text
        assert plan.reads[0].granules < plan.reads[0].all_granules
        assert "ReadFromMergeTree" in repr(plan)
        assert "<details>" in plan._repr_html_()

    def test_what_it_does_not_save(self, connected, trips):
        plan = connected.ok(f"%%tbsql -e\nSELECT count() FROM {trips} WHERE n = 5").value
        assert "no condition is on airport, its first column" in "\n".join(plan.summary)
        assert "about 45,000 rows of 45,000" in "\n".join(plan.summary)

    def test_nothing_ran(self, connected, trips):
        before = connected.ok("%tbsql SELECT count() AS c FROM tinybird.pipe_stats_rt").value["c"][0]
        connected.ok(f"%%tbsql plan -e\nSELECT throwIf(n > 0) FROM {trips}")
        assert connected["plan"].reads
        assert before >= 0

    def test_hostile_text(self, connected):
        html = connected.ok("%%tbsql -e\nSELECT '<script>alert(1)</script>' AS x").value._repr_html_()
        assert "<script>" not in html

    def test_a_mistake_has_its_place(self, connected):
        ran = connected.run("%%tbsql -e\nSELECT nope FROM ways_none")
        assert isinstance(ran.error, (QueryError, NotFound))
        assert len(ran.card) <= 8


class TestExpect:
    def test_as_expected(self, connected):
        ran = connected.ok("%%tbsql --expect rows=3 rows>=1 cols=number\nSELECT number FROM numbers(3)")
        assert "As expected: rows=3, rows>=1, cols=number." in ran.printed
        assert len(ran.value) == 3

    @pytest.mark.parametrize(
        ("checks", "sql", "words"),
        [
            ("rows=4", "SELECT number FROM numbers(3)", "There are 3 rows, expected 4."),
            ("rows<3", "SELECT number FROM numbers(3)", "There are 3 rows, expected fewer than 3."),
            ("cols=a,b", "SELECT 1 AS a, 2 AS c", "missing b; not expected c"),
            ("cols=b,a", "SELECT 1 AS a, 2 AS b", "expected in the order b, a"),
            ("value=42", "SELECT 41 AS x", "The value is '41', expected '42'."),
            ("value=JFK", "SELECT 'LGA' AS x", "The value is 'LGA', expected 'JFK'."),
            ("value=1", "SELECT 1 AS x, 2 AS y", "value is for one row and one column"),
        ],
    )
    def test_what_differs(self, connected, checks, sql, words):
        ran = connected.run(f"%%tbsql found --expect {checks}\n{sql}")
        assert words in str(ran.error)
        assert len(ran.card) <= 8
        assert len(connected["found"]) >= 1

    def test_the_rows_are_shown_although_they_differ(self, connected):
        ran = connected.run("%%tbsql --expect rows=9\nSELECT 'seen' AS word")
        assert "seen" in ran.displays[0]["text/plain"]

    @pytest.mark.parametrize("check", ["rows=x", "cols>a", "height=1"])
    def test_mistakes(self, connected, check):
        ran = connected.run(f"%%tbsql --expect {check}\nSELECT 1")
        assert isinstance(ran.error, CellProblem)


class TestComparison:
    def test_with_the_last_run_of_much_the_same_text(self, connected, trips):
        first = connected.ok(f"%%tbsql\nSELECT count() AS c FROM {trips} WHERE n >= 0 AND airport != 'x'")
        again = connected.ok(f"%%tbsql\nSELECT count() AS c FROM {trips} WHERE n >= 0 AND airport = 'EWR'")
        assert "than in the last run" not in first.printed
        assert "x fewer rows read than in the last run" in again.printed

    def test_another_query_is_not_compared(self, connected, trips):
        connected.ok(f"%%tbsql\nSELECT count() FROM {trips}")
        ran = connected.ok("%%tbsql\nSELECT number * 2 AS twice, toString(number) AS word FROM numbers(3) LIMIT 1")
        assert "in the last run" not in ran.printed


class TestPlot:
    pytest.importorskip("altair")

    def test_a_chart_and_the_rows(self, connected):
        ran = connected.ok(
            "%%tbsql --plot line\nSELECT toDate('2024-01-01') + number AS day, number * 2 AS n FROM numbers(9)"
        )
        [bundle] = ran.displays
        [spec] = [each for kind, each in bundle.items() if "vegalite" in kind]
        assert spec["mark"]["type"] == "line"
        assert spec["encoding"]["x"]["type"] == "temporal"
        assert len(spec["data"]["values"]) == 9 if "values" in spec["data"] else spec["datasets"]
        assert "image/png" in bundle
        assert len(connected.ok("_").value) == 9

    def test_stored(self, connected):
        ran = connected.ok("%%tbsql df --plot bar\nSELECT 'a' AS x, 1 AS y")
        assert len(ran.displays) == 1
        assert len(connected["df"]) == 1

    @pytest.mark.parametrize(
        ("line", "sql", "words"),
        [
            ("--plot line --y nope", "SELECT 1 AS a, 2 AS b", "no column 'nope'"),
            ("--plot line", "SELECT 'a' AS x", "no column of numbers"),
            ("--plot hist", "SELECT 'a' AS x", "needs a column of numbers"),
            ("--plot bar", "SELECT 1 AS x WHERE 0", "no rows"),
            ("--plot line", "SELECT number AS a, number AS b FROM numbers(30000)", "at most 20,000 marks"),
        ],
    )
    def test_what_cannot_be_drawn(self, connected, line, sql, words):
        ran = connected.run(f"%%tbsql {line}\n{sql}")
        assert isinstance(ran.error, CellProblem)
        assert words in str(ran.error)

    def test_a_histogram_of_many_rows_is_small(self, connected):
        ran = connected.ok("%%tbsql --plot hist\nSELECT number % 1000 AS n FROM numbers(100000)")
        [spec] = [each for kind, each in ran.displays[0].items() if "vegalite" in kind]
        assert len(str(spec)) < 10_000

    def test_names_that_mean_something_elsewhere(self, connected):
        ran = connected.ok("%%tbsql --plot bar\nSELECT 'x' AS `a.b[0]:Q`, 1 AS `datum.y\\u202e`")
        assert ran.displays


class TestBackground:
    def test_the_kernel_is_free_and_the_result_comes(self, connected):
        handle = connected.ok(
            "%%tbsql --background\nSELECT sum(cityHash64(number)) AS n FROM numbers(2000000000)"
        ).value
        assert not handle.done
        assert handle.state == "running"
        assert len(handle.result(timeout_s=60)) == 1
        assert handle.done
        assert "1 row" in repr(handle)

    def test_its_line_is_shown_once(self, connected):
        ran = connected.ok("%%tbsql --background\nSELECT 1")
        assert len(ran.displays) == 1
        assert "query in the background" not in ran.printed

    def test_a_target_gets_the_rows(self, connected):
        handle = connected.ok("%%tbsql later --background\nSELECT 7 AS n").value
        handle.result(timeout_s=20)
        assert connected["later"]["n"][0] == 7

    def test_a_failure_is_raised_where_it_is_asked_for(self, connected):
        connected.ok("h = %tbsql --background SELECT nope")
        ran = connected.run("h.result()")
        assert isinstance(ran.error, QueryError)
        assert len(ran.card) <= 8

    def test_waiting_ends(self, connected):
        connected.ok("h = %tbsql --background SELECT sum(cityHash64(number)) AS n FROM numbers(200000000000)")
        with pytest.raises(TimeoutError, match="still running"):
            connected["h"].result(timeout_s=0.1)
        connected["h"].cancel()


class TestLive:
    def test_redraws_in_place_and_says_what_changed(self, connected):
        ran = connected.ok("%%tbsql --every 300ms --for 1s\nSELECT toUnixTimestamp64Milli(now64()) AS ms")
        assert "Ran " in ran.printed
        assert "times in" in ran.printed
        assert "since the last run: ms +" in str(ran.displays) or len(ran.displays) == 1
        assert len(ran.value) == 1

    def test_an_interrupt_ends_it_and_is_no_failure(self, connected):
        with interrupting(0.8):
            ran = connected.ok("%%tbsql live --every 200ms\nSELECT now() AS t")
        assert ran.error is None
        assert len(connected["live"]) == 1

    def test_a_failing_run_ends_it(self, connected):
        ran = connected.run("%%tbsql --every 1s --for 5s\nSELECT nope")
        assert isinstance(ran.error, QueryError)


class TestPipeline:
    def test_the_pipe_that_an_underscore_stands_for(self, connected, trips):
        connected.ok(f"%tinybird pipe create ways_pipeline --sql 'SELECT n FROM {trips} WHERE n < 3' --publish")
        frame = connected.ok("%%tbsql --pipeline ways_pipeline\nSELECT count() AS c FROM _").value
        assert frame["c"][0] == 3


class TestPipe:
    def test_made_of_the_cell_and_of_saved_cells(self, connected, trips):
        connected.ok("n, word = 3, 'JFK'\n")
        connected.ok(f"%%tbsql --save ways_base --no-execute\nSELECT * FROM {trips} WHERE airport = {{{{ word }}}}")
        ran = connected.ok(
            "%%tbsql --pipe ways_made --node last --publish\nSELECT count() AS c FROM ways_base WHERE n < {{ n }}"
        )
        assert "Made the Pipe ways_made with 2 nodes." in ran.printed
        assert "URL:" in ran.printed
        assert "curl -H" in ran.printed
        assert "%tinybird pipe data ways_made" in ran.printed
        frame = connected.ok("%tinybird pipe data ways_made").value
        assert frame["c"][0] == ran.value["c"][0]
        frame = connected.ok("%tinybird pipe data ways_made --param n=30 --param word=LGA").value
        assert frame["c"][0] == 10
        nodes = connected.ok("%tinybird pipe show ways_made").value
        assert "{{Int64(n, 3)}}" in nodes["sql"][1]
        assert "{{String(word, 'JFK')}}" in nodes["sql"][0]

    def test_one_of_that_name_is_asked_about(self, connected):
        connected.ok("%%tbsql --pipe ways_twice\nSELECT 1 AS n")
        ran = connected.run("%%tbsql --pipe ways_twice\nSELECT 2 AS n")
        assert "add --yes" in str(ran.error)
        connected.ok("%%tbsql --pipe ways_twice --yes\nSELECT 3 AS n")
        assert "3" in connected.ok("%tinybird pipe show ways_twice").value["sql"][0]

    def test_not_run(self, connected, trips):
        ran = connected.ok(f"%%tbsql --pipe ways_unrun --no-execute\nSELECT * FROM {trips}")
        assert ran.value is None
        assert "Made the Pipe ways_unrun" in ran.printed

    def test_a_datafile(self, connected, tmp_path, trips):
        connected.ok("day = __import__('datetime').date(2024, 1, 2)")
        sql = f"SELECT count() AS c FROM {trips} WHERE today() > {{{{ day }}}}"
        ran = connected.ok(f"%%tbsql --pipe ways_file --publish --to project\n{sql}")
        [path] = list((tmp_path / "project").rglob("*.pipe"))
        text = path.read_text()
        assert "toDate({{Date(day, '2024-01-02')}})" in text
        assert "TYPE endpoint" in text
        assert "Wrote" in ran.printed

    @pytest.mark.parametrize(
        ("setup", "words"),
        [("x = None", "has no type"), ("x = []", "empty list"), ("x = ['a,b']", "comma"), ("x = b'a'", "bytes")],
    )
    def test_what_cannot_be_a_parameter(self, connected, setup, words):
        connected.ok(setup)
        ran = connected.run("%%tbsql --pipe ways_never --no-execute\nSELECT {{ x }}")
        assert isinstance(ran.error, CellProblem)
        assert words in str(ran.error)
        assert isinstance(connected.run("%tinybird pipe show ways_never").error, NotFound)

    def test_values_of_every_kind_come_back(self, connected):
        connected.ok(
            "import datetime, decimal, uuid, ipaddress\n"
            "b, i, f, s = True, -5, 0.5, 'it\\'s \"so\"'\n"
            "day = datetime.date(2024, 2, 29); at = datetime.datetime(2024, 2, 29, 1, 2, 3)\n"
            "money = decimal.Decimal('12.50'); key = uuid.UUID(int=7); ns = [1, 2, 3]; words = ['x', 'y']; col = 'i'"
        )
        kinds = "b i f s day at money key ns words".split()
        sql = ", ".join(f"{{{{ {name} }}}} AS {name}" for name in kinds)
        ran = connected.ok(f"%%tbsql --pipe ways_kinds --publish\nSELECT {sql}, {{{{ col | ident }}}} AS c")
        frame = connected.ok("%tinybird pipe data ways_kinds").value
        assert frame.astype(str).to_dict() == ran.value.astype(str).to_dict()


class TestPersist:
    def test_create_append_replace(self, connected):
        connected.ok(
            "import pandas as pd\nways_kept = pd.DataFrame({'a': [1, 2]}, index=pd.Index(['x', 'y'], name='key'))"
        )
        connected.ok("%tbsql --persist ways_kept")
        assert list(connected.ok("%tbsql SELECT * FROM ways_kept").value.columns) == ["key", "a"]
        connected.ok("%tbsql --append ways_kept")
        assert connected.ok("%tbsql SELECT count() AS c FROM ways_kept").value["c"][0] == 4
        ran = connected.run("%tbsql --persist-replace ways_kept")
        assert "add --yes" in str(ran.error)
        connected.ok("%tbsql --persist-replace ways_kept --yes")
        assert connected.ok("%tbsql SELECT count() AS c FROM ways_kept").value["c"][0] == 2

    def test_without_the_index(self, connected):
        connected.ok("import pandas as pd\nways_plain = pd.DataFrame({'a': [1]}, index=pd.Index(['x'], name='key'))")
        connected.ok("%tbsql --persist ways_plain --no-index")
        assert list(connected.ok("%tbsql SELECT * FROM ways_plain").value.columns) == ["a"]

    @pytest.mark.parametrize(
        ("setup", "line", "words"),
        [
            ("", "--persist ways_missing", "no variable 'ways_missing'"),
            ("ways_number = 5", "--persist ways_number", "no DataFrame"),
            ("import pandas as pd\nselect = pd.DataFrame({'a': [1]})", "--persist select", "select"),
        ],
    )
    def test_mistakes(self, connected, setup, line, words):
        connected.ok(setup or "pass")
        ran = connected.run(f"%tbsql {line}")
        assert isinstance(ran.error, CellProblem)
        assert words in str(ran.error)


class TestWhy:
    def test_of_the_last_result(self, connected):
        connected.ok("n = 5")
        connected.ok("%%tbsql\nSELECT {{ n }} AS wanted")
        printed = connected.ok("%tinybird why").printed
        assert "Nothing has failed since the last result: 1 row" in printed
        assert "wanted  Int64" in printed
        assert "tm_n = '5'" in printed
        assert "FORMAT" in printed

    def test_a_failure_that_came_later(self, connected):
        connected.ok("%tbsql SELECT 1")
        connected.run("%tbsql SELECT nope_column")
        assert "nope_column" in connected.ok("%tinybird why").printed

    def test_a_result_that_came_later(self, connected):
        connected.run("%tbsql SELECT nope_column")
        connected.ok("%tbsql SELECT 1 AS seen_after")
        assert "seen_after" in connected.ok("%tinybird why").printed
