"""``%tbsql`` and ``%%tbsql`` in a real IPython against a real server: each row of the manual."""

from __future__ import annotations

import os
import re
import signal
import threading
import time

import pandas as pd
import psutil
import pytest

from tinymagic.errors import InvalidInput

FOOTER = r"\d+ rows?, [\d,]+ read, [\d.]+ \w+, [\d.,]+ m?s \(wall [\d.,]+ m?s\)"


def shown(ran):
    """Return the displays of a cell: what was published, and what the last expression printed."""
    return len(re.findall(FOOTER, ran.printed)) + len(ran.displays)


class TestResult:
    def test_is_the_value_of_the_cell_and_displayed_once(self, connected):
        ran = connected.ok("%%tbsql\nSELECT number AS n FROM numbers(3)")
        assert ran.value.n.tolist() == [0, 1, 2]
        assert type(ran.value) is pd.DataFrame
        assert shown(ran) == 1
        assert connected["_"] is ran.value
        assert connected["Out"][connected.shell.execution_count - 1] is ran.value

    @pytest.mark.parametrize("line", ["df", "df <<", "df<<", "-o df", "--out=df"])
    def test_goes_into_a_variable_in_silence(self, connected, line):
        ran = connected.ok(f"%%tbsql {line}\nSELECT 1 AS n")
        assert connected["df"].n.tolist() == [1]
        assert (ran.value, ran.printed, ran.displays) == (None, "", [])

    @pytest.mark.parametrize("line", ["df= <<", "df = <<", "df --show", "--show -o df"])
    def test_goes_into_a_variable_and_is_displayed(self, connected, line):
        ran = connected.ok(f"%%tbsql {line}\nSELECT 1 AS n")
        assert connected["df"] is ran.value
        assert shown(ran) == 1

    def test_of_an_assignment_is_not_displayed(self, connected):
        ran = connected.ok("df = %tbsql SELECT 1 AS n")
        assert connected["df"].n.tolist() == [1]
        assert (ran.printed, ran.displays) == ("", [])

    def test_of_an_assignment_with_show_is_displayed_once(self, connected):
        ran = connected.ok("df = %tbsql --show SELECT 1 AS n")
        assert shown(ran) == 1
        assert len(ran.displays) == 1
        assert shown(connected.ok("%tbsql --show SELECT 1 AS n")) == 1

    def test_of_a_line(self, connected):
        ran = connected.ok("%tbsql SELECT 1 AS n")
        assert ran.value.n.tolist() == [1]
        assert shown(ran) == 1

    @pytest.mark.parametrize("cell", ["%%tbsql\nSELECT 1 AS n;", "%%tbsql -q\nSELECT 1 AS n", "%tbsql SELECT 1 AS n;"])
    def test_quiet(self, connected, cell):
        ran = connected.ok(cell)
        assert ran.displays == []
        # A line may be an assignment, so IPython gets its value, and shows no more than the prompt of it.
        prompt = r"(Out\[\d+\]:\s*)?" if cell.startswith("%tbsql") else ""
        assert re.fullmatch(prompt, ran.printed)
        assert connected["_"].n.tolist() == [1]

    def test_shown_again_later_has_no_footer(self, connected):
        connected.ok("df = %tbsql SELECT 1 AS n")
        ran = connected.ok("df")
        assert shown(ran) == 0
        assert "n" in ran.printed
        assert shown(connected.ok("df.head()")) == 0

    def test_facts_are_on_the_frame(self, connected):
        facts = connected.ok("%tbsql SELECT number FROM numbers(5)").value.attrs["tinybird"]
        assert facts["statistics"]["rows_read"] == 5
        assert facts["columns"] == [["number", "UInt64"]]

    def test_sql_may_begin_on_the_magic_line(self, connected):
        assert connected.ok("%%tbsql SELECT 1 AS a,\n  2 AS b").value.columns.tolist() == ["a", "b"]
        assert connected.ok("%%tbsql SELECT 3 AS a").value.a.tolist() == [3]

    def test_html_and_text_are_one_output(self, connected):
        (bundle,) = connected.ok("df = %tbsql --show SELECT 1 AS n, '<b>' AS t").displays
        for kind in ("text/html", "text/plain"):
            assert len(re.findall(FOOTER, bundle[kind])) == 1
        assert "&lt;b&gt;" in bundle["text/html"]
        assert "<table" in bundle["text/html"]

    def test_inside_a_function(self, connected):
        connected.ok("x = 'wrong'\ndef f(x):\n    r = %tbsql SELECT {{ x }} AS v\n    return r")
        assert connected.ok("f(5)").value.v.tolist() == [5]

    def test_inside_a_loop(self, connected):
        connected.ok(
            "found = []\nfor n in range(3):\n    r = %tbsql SELECT {{ n }} AS v\n    found.append(int(r.v[0]))"
        )
        assert connected["found"] == [0, 1, 2]


class TestHostileData:
    SQL = r"SELECT '<script>x</script>\x1b[31m\u202e$x$' AS `<img onerror=1>`"

    def test_does_not_act(self, connected):
        (bundle,) = connected.ok(
            "df = %tbsql --show SELECT {{ v }} AS `<img>`".replace("{{ v }}", self.value())
        ).displays
        page, text = bundle["text/html"], bundle["text/plain"]
        assert "<script>" not in page
        assert "<img>" not in page
        assert "mathjax_ignore" in page
        for sign in ("\x1b", "\u202e", "\x9b"):
            assert sign not in page + text
        assert "\\x1b[31m" in text

    def value(self):
        return "concat('<script>x</script>', char(27), '[31m', base64Decode('4oCuwps='), '$x$')"

    def test_stays_as_it_is_in_the_frame(self, connected):
        connected.ok(f"df = %tbsql SELECT {self.value()} AS v")
        assert connected["df"].v[0] == "<script>x</script>\x1b[31m\u202e\x9b$x$"


class TestOptions:
    def test_limit_says_that_it_cut(self, connected):
        ran = connected.ok("%%tbsql --limit 2\nSELECT number FROM numbers(10)")
        assert len(ran.value) == 2
        assert "showing 2 of at least" in ran.printed
        assert "showing" not in connected.ok("%tbsql --max-results 10 SELECT number FROM numbers(10)").printed

    def test_limit_from_the_configuration(self, connected):
        connected.ok("%config TinyMagic.limit = 3")
        assert len(connected.ok("%tbsql SELECT number FROM numbers(10)").value) == 3
        assert len(connected.ok("%tbsql --limit 5 SELECT number FROM numbers(10)").value) == 5

    def test_stats(self, connected):
        assert shown(connected.ok("%%tbsql --no-stats\nSELECT 1 AS n")) == 0
        # Cut rows are never passed over in silence.
        assert "showing 1 of at least 2" in connected.ok("%tbsql --no-stats --limit 1 SELECT arrayJoin([1, 2])").printed
        connected.ok("%config TinyMagic.stats = False")
        assert shown(connected.ok("%tbsql SELECT 1")) == 0
        assert shown(connected.ok("%tbsql --stats SELECT 1")) == 1
        # Stored and asked for: the line alone.
        assert re.fullmatch(FOOTER, connected.ok("%%tbsql df --stats\nSELECT 1").printed.strip())

    def test_show_sql(self, connected):
        printed = connected.ok(
            "n = 7\n%tbsql --show-sql --limit 1 SELECT {{ n }} AS v, {{ nothing }}".replace("{{ nothing }}", "2")
        ).printed
        assert "{{Int64(tm_n)}}" in printed
        assert "LIMIT 2" in printed
        assert "-- tm_n = '7' ({{ n }}, Int64)" in printed

    @pytest.mark.parametrize("form", ["auto", "json", "parquet"])
    def test_format_makes_no_difference(self, connected, form):
        frame = connected.ok(
            f"%tbsql --format {form} SELECT toUInt64(5) AS a, 'x' AS b, NULL::Nullable(Int8) AS c"
        ).value
        expected = connected.ok(
            "%tbsql --format json SELECT toUInt64(5) AS a, 'x' AS b, NULL::Nullable(Int8) AS c"
        ).value
        pd.testing.assert_frame_equal(frame, expected)

    def test_timeout(self, connected):
        ran = connected.run(
            "%tbsql --timeout 0.2 SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"
        )
        assert "Timeout" in type(ran.error).__name__

    def test_file(self, connected, clean_settings):
        (clean_settings / "q.sql").write_text("SELECT {{ n }} AS v\n-- done\n")
        connected.ok("n = 4")
        assert connected.ok("%tbsql -f q.sql").value.v.tolist() == [4]
        assert connected.ok("%%tbsql -f q.sql").value.v.tolist() == [4]
        assert "no file 'z.sql'" in str(connected.run("%tbsql -f z.sql").error)

    def test_profile(self, cells, server, tokens):
        from tinymagic.profiles import save_profile

        save_profile("other", server.host, tokens["workspace_admin_token"], keyring=False)
        assert cells.ok("%tbsql --profile other SELECT 1 AS n").value.n.tolist() == [1]
        assert "no saved login 'othr'" in str(cells.run("%tbsql --profile othr SELECT 1").error)

    def test_a_trailing_format_clause_is_dropped(self, connected):
        assert connected.ok("%tbsql SELECT 1 AS n FORMAT CSV").value.n.tolist() == [1]

    def test_describe(self, connected):
        assert connected.ok("%tbsql DESCRIBE (SELECT 1 AS n)").value["name"].tolist() == ["n"]


class TestParameters:
    def test_variables(self, connected):
        connected.ok("cfg = {'limit': 2, 'by': ['a']}\ncolumn_name = 'number'")
        sql = "SELECT {{ column_name | ident }} FROM numbers(10) LIMIT {{ cfg.limit }}"
        assert connected.ok(f"%tbsql {sql}").value.number.tolist() == [0, 1]

    def test_lists_in_in(self, connected):
        connected.ok("ids = [1, 3]\nnames = ['2', \"it's, 4\"]\nnone = []")
        run = connected.ok
        assert run("%tbsql SELECT number FROM numbers(5) WHERE number IN {{ ids }}").value.number.tolist() == [1, 3]
        assert run("%tbsql SELECT number FROM numbers(5) WHERE number IN ({{ ids }})").value.number.tolist() == [1, 3]
        assert run(
            "%tbsql SELECT number FROM numbers(5) WHERE toString(number) IN {{ names }}"
        ).value.number.tolist() == [2]
        assert len(run("%tbsql SELECT number FROM numbers(5) WHERE number NOT IN {{ none }}").value) == 5

    def test_given_ones_win(self, connected):
        connected.ok("n = 1")
        assert connected.ok("%tbsql -p n=5 SELECT {{ n }} AS v").value.v.tolist() == [5]
        assert connected.ok("%tbsql --param s=JFK SELECT {{ s }} AS v").value.v.tolist() == ["JFK"]
        assert connected.ok("""%tbsql --params '{"n": [1, 2]}' SELECT {{ n }} AS v""").value.v[0] == [1, 2]
        connected.ok("values = {'n': 8}\nm = 9")
        assert connected.ok("%tbsql --params $values SELECT {{ n }} AS v").value.v.tolist() == [8]
        assert connected.ok("%tbsql --params $values -p n=$m SELECT {{ n }} AS v").value.v.tolist() == [9]

    def test_of_a_template(self, connected):
        connected.ok("n = 5\nunused = object()")
        cell = "%%tbsql\n%\nSELECT {{Int32(n, 1)}} AS v, {{String(missing, 'd')}} AS d"
        assert connected.ok(cell).value.to_dict("list") == {"v": [5], "d": ["d"]}
        assert connected.ok(cell.replace("%%tbsql", "%%tbsql -p n=6")).value.v.tolist() == [6]

    def test_braces_of_ipython_are_not_expanded(self, connected):
        connected.ok("x = 'wrong'")
        assert connected.ok("%tbsql SELECT '{x}' AS a, '$x' AS b").value.iloc[0].tolist() == ["{x}", "$x"]

    def test_cannot_change_the_query(self, connected):
        connected.ok("x = \"'; DROP TABLE t -- \\\\' /* {{ y }} {% z %}\"")
        assert connected.ok("%tbsql SELECT {{ x }} AS v, 1 AS one").value.v[0] == connected["x"]


class TestMistakes:
    @pytest.mark.parametrize(
        ("cell", "words"),
        [
            ("%%tbsql\n\n", "no SQL"),
            ("%%tbsql", "no SQL"),
            ("%%tbsql df", "no SQL"),
            ("%%tbsql df\n-- only this", "only comments"),
            ("%tbsql", "no SQL"),
            ("%%tbsql\nSELECT 1; SELECT 2", "second statement"),
            ("%%tbsql --explane\nSELECT 1", "no option --explane"),
            ("%%tbsql --params $nope\nSELECT 1", "no variable 'nope'"),
            ("%%tbsql --params '[1]'\nSELECT 1", "object of names"),
            ("%%tbsql --params '{x'\nSELECT 1", "JSON object"),
            ("%%tbsql -p token=x\nSELECT 1", "belongs to the API"),
            ("%%tbsql\nSELECT {{ nope }}", "no variable 'nope'"),
        ],
    )
    def test_are_one_sentence_and_no_traceback(self, connected, cell, words):
        ran = connected.run(cell)
        assert isinstance(ran.error, InvalidInput)
        assert words in str(ran.error)
        assert len(ran.card) <= 8
        assert "Traceback" not in ran.printed + ran.stderr


class TestInterrupt:
    SQL = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"

    def test_ends_cell_and_query(self, connected, server):
        """KeyboardInterrupt at once, in one line; the server stops working; the next cell works."""
        connected.ok("%tbsql SELECT 1;")
        threading.Timer(0.7, os.kill, [os.getpid(), signal.SIGINT]).start()
        ran = connected.run(f"%tbsql {self.SQL}")
        assert isinstance(ran.error, KeyboardInterrupt)
        assert len(ran.card) == 1
        process = psutil.Process(server.pid)
        time.sleep(0.5)
        before = sum(process.cpu_times()[:2])
        time.sleep(1)
        assert sum(process.cpu_times()[:2]) - before < 0.5
        assert connected.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]
