"""The grammar of the magics' lines, without IPython."""

from __future__ import annotations

import pytest

from tinymagic.notebook.cells.arguments import ChartArguments, LiveArguments, PersistArguments, PipeArguments
from tinymagic.notebook.cells.grammar import parse_tbsql
from tinymagic.notebook.cells.options import TBSQL_OPTIONS
from tinymagic.notebook.options import Option, parse_command
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.words import words_of

BODY = "SELECT 1"


def said(line, cell=BODY):
    """Return the options that differ from the default, and the SQL."""
    found, default = parse_tbsql(line, cell), parse_tbsql("", BODY)
    changed = {
        name: getattr(found, name)
        for name in found.__dataclass_fields__
        if name != "source" and getattr(found, name) != getattr(default, name)
    }
    return changed, found.source.sql


def problem(line, cell=BODY):
    with pytest.raises(CellProblem) as caught:
        parse_tbsql(line, cell)
    return caught.value


class TestTarget:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("", {}),
            ("df", {"target": "df"}),
            ("df <<", {"target": "df"}),
            ("df<<", {"target": "df"}),
            ("-o df", {"target": "df"}),
            ("--out df", {"target": "df"}),
            ("--out=df", {"target": "df"}),
            ("df= <<", {"target": "df", "show": True}),
            ("df = <<", {"target": "df", "show": True}),
            ("df=<<", {"target": "df", "show": True}),
            ("df --show", {"target": "df", "show": True}),
            ("--show df", {"target": "df", "show": True}),
            ("--show -o df", {"target": "df", "show": True}),
            ("df << --limit 5", {"target": "df", "limit": 5}),
            ("größe", {"target": "größe"}),
            # The body is SQL, so these are names.
            ("show", {"target": "show"}),
            ("desc", {"target": "desc"}),
        ],
    )
    def test_of_a_cell(self, line, expected):
        assert said(line) == (expected, BODY)

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("SELECT 1", ({}, "SELECT 1")),
            ("  select 1", ({}, "select 1")),
            ("df << SELECT 1", ({"target": "df"}, "SELECT 1")),
            ("df= << SELECT 1", ({"target": "df", "show": True}, "SELECT 1")),
            ("df SELECT 1", ({"target": "df"}, "SELECT 1")),
            ("-o df SELECT 1", ({"target": "df"}, "SELECT 1")),
            ("df << --limit 3 SELECT 1", ({"target": "df", "limit": 3}, "SELECT 1")),
            ("(SELECT 1) UNION ALL SELECT 2", ({}, "(SELECT 1) UNION ALL SELECT 2")),
            ("WITH 1 AS a SELECT a", ({}, "WITH 1 AS a SELECT a")),
            ("FROM t SELECT 1", ({}, "FROM t SELECT 1")),
            ("DESCRIBE t", ({}, "DESCRIBE t")),
            ("% SELECT {{Int8(a)}}", ({}, "% SELECT {{Int8(a)}}")),
            ("/* why */ SELECT 1", ({}, "/* why */ SELECT 1")),
            ("DROP TABLE t", ({}, "DROP TABLE t")),
        ],
    )
    def test_of_a_line(self, line, expected):
        changed, sql = expected
        assert said(line, None) == (changed, sql)

    def test_sql_may_begin_on_the_magic_line(self):
        assert said("SELECT 1,", "  2") == ({}, "SELECT 1,\n  2")
        assert said("--limit 3 SELECT 1,", "  2") == ({"limit": 3}, "SELECT 1,\n  2")
        assert said("DESCRIBE", "t") == ({}, "DESCRIBE\nt")

    @pytest.mark.parametrize("line", ["class", "1x <<", "a.b <<", "a-b= <<", "-o 1x", "-o class"])
    def test_must_be_a_name(self, line):
        assert "variable" in str(problem(line))

    def test_twice(self):
        assert "both 'a' and 'b'" in str(problem("-o a b"))


class TestOptions:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("-q", {"quiet": True}),
            ("--quiet", {"quiet": True}),
            ("--limit 10", {"limit": 10}),
            ("--limit=10", {"limit": 10}),
            ("--limit 1_000", {"limit": 1000}),
            ("--limit 1,000", {"limit": 1000}),
            ("--max-results 10", {"limit": 10}),
            ("--rows-limit 0", {"limit": 0}),
            ("--stats", {"stats": True}),
            ("--no-stats", {"stats": False}),
            ("--show-sql", {"show_sql": True}),
            ("--format json", {"format": "json"}),
            ("--timeout 2.5", {"timeout_s": 2.5}),
            ("--profile work", {"profile": "work"}),
            ("-p a=1", {"params": (("a", "1"),)}),
            ("-p a=1 --param b=x=y", {"params": (("a", "1"), ("b", "x=y"))}),
            ("--param=a=1", {"params": (("a", "1"),)}),
            ("-p 'a=two words'", {"params": (("a", "two words"),)}),
            ('-p a="say \\"hi\\""', {"params": (("a", 'say "hi"'),)}),
            ("-p a=", {"params": (("a", ""),)}),
            ("-p a=-1", {"params": (("a", "-1"),)}),
            ("""--params '{"a": {"b": [1, "x y"]}}'""", {"param_sets": ('{"a": {"b": [1, "x y"]}}',)}),
            ("--params $values", {"param_sets": ("$values",)}),
            ("-t polars", {"type": "polars"}),
            ("--type=dicts", {"type": "dicts"}),
            ("--dtypes numpy", {"dtypes": "numpy"}),
            ("-e", {"instead": "explain"}),
            ("--explain", {"instead": "explain"}),
            ("--dry-run", {"instead": "dry-run"}),
            ("--fmt", {"instead": "fmt"}),
            ("--pipeline top", {"pipeline": "top"}),
            ("--pipe top", {"pipe": PipeArguments("top")}),
            (
                "--pipe top --node last --publish --to here",
                {"pipe": PipeArguments("top", "last", publish=True, folder="here")},
            ),
            ("--plot line", {"chart": ChartArguments("line")}),
            (
                "--plot bar --x day --y a,b --color c",
                {"chart": ChartArguments("bar", "day", ("a", "b"), "c")},
            ),
            ("--every 5s", {"live": LiveArguments(5.0)}),
            (
                "--every 500ms --for 2m --plot line",
                {"live": LiveArguments(0.5, 120.0), "chart": ChartArguments("line")},
            ),
            ("--background", {"background": True}),
            ("--cache 10m", {"cache_s": 600.0}),
            ("--freeze", {"cache_s": float("inf")}),
            ("--to-file out.parquet --yes", {"to_file": "out.parquet", "yes": True}),
            ("--expect rows=10", {"expectations": ("rows=10",)}),
            (
                "--expect rows=10 cols=a,b value>=3 --limit 1",
                {"expectations": ("rows=10", "cols=a,b", "value>=3"), "limit": 1},
            ),
            ("--expect rows=1 --expect 'value=a b'", {"expectations": ("rows=1", "value=a b")}),
        ],
    )
    def test_each(self, line, expected):
        assert said(line) == (expected, BODY)
        assert said(f"{line} SELECT 2", None) == (expected, "SELECT 2")

    def test_file(self):
        assert said("-f q.sql", None) == ({"file": "q.sql"}, "")
        assert said("--file 'my query.sql'", "\n") == ({"file": "my query.sql"}, "\n")
        assert "in the file 'q.sql'" in str(problem("-f q.sql"))

    @pytest.mark.parametrize(
        ("line", "words", "near"),
        [
            ("--limt 3", "no option --limt", "--limit"),
            ("--explane", "no option --explane", "--explain"),
            ("-x", "no option -x", "--x"),
            ("--plot pie", "line, bar, area, scatter or hist, not 'pie'", None),
            ("--type panda", "pandas, polars, arrow or dicts, not 'panda'", "pandas"),
            ("--dtypes exact --type polars", "--dtypes is for pandas", None),
            ("--every soon", "a time such as 5s, 10m, 2h or 1d, not 'soon'", None),
            ("--every 0s", "a time such as", None),
            ("--for 2m", "only together with --every TIME", None),
            ("--x day", "only together with --plot", None),
            ("--publish", "only together with --pipe PIPE", None),
            ("--to folder", "only together with --pipe PIPE", None),
            ("--no-execute", "only together with --save NAME or --pipe PIPE", None),
            ("--no-index", "only together with --persist DF or --persist-replace DF or --append DF", None),
            ("--explain --dry-run", "contradict", None),
            ("--explain --to-file a.csv", "contradict", None),
            ("--background --every 1s", "contradict", None),
            ("--background --plot line", "contradict", None),
            ("--cache 1m --freeze", "contradict", None),
            ("--freeze --to-file a.csv", "contradict", None),
            ("--expect", "needs a value: --expect CHECKS", None),
            ("--persist df", "write %tbsql --persist df on a line of its own", None),
            ("-5", "no option -5", None),
            ("--parms '{}'", "no option --parms", "--params"),
            ("--limit x", "whole number of rows, not 'x'", None),
            ("--limit -1", "whole number of rows, not '-1'", None),
            ("--limit", "needs a value: --limit N", None),
            ("--limit --stats", "needs a value", None),
            ("--timeout 0", "seconds above 0", None),
            ("--timeout nan", "seconds above 0", None),
            ("--format jsn", "auto, parquet or json, not 'jsn'", "json"),
            ("--quiet=1", "takes no value", None),
            ("--stats --no-stats", "contradict", None),
            ("--show --quiet", "contradict", None),
            ("df= << --quiet", "take one of them away", None),
            ("--limit 1 --rows-limit 2", "given twice", None),
            ("-p airport", "NAME=VALUE", None),
            ("-p 'not a name=1'", "NAME=VALUE", None),
            ("-p 'open", "not closed", None),
            ("a b", "'a' is not understood", None),
            ("limit 5", "'limit' is no SQL", "--limit"),
            ("selct 1", "'selct' is not understood", "SELECT"),
        ],
    )
    def test_mistakes(self, line, words, near):
        caught = problem(line)
        assert words in str(caught)
        assert near is None or near in caught.suggestions
        assert not caught.suggestions or near is not None

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("--persist df", PersistArguments("df", "create")),
            ("--persist df --no-index", PersistArguments("df", "create", index=False)),
            ("--persist-replace df", PersistArguments("df", "replace")),
            ("--append df", PersistArguments("df", "append")),
        ],
    )
    def test_persisting(self, line, expected):
        assert parse_tbsql(line).persist == expected

    def test_persisting_two_ways(self):
        with pytest.raises(CellProblem, match="--persist and --append contradict each other"):
            parse_tbsql("--persist df --append df")

    @pytest.mark.parametrize("line", ["--limt 3", "df --limt 3", "--show --limt=3"])
    def test_position_of_a_mistake(self, line):
        caught = problem(line)
        assert line[caught.position :].startswith("--limt")
        assert (caught.length, caught.in_line) == (6, True)

    def test_every_option_has_a_help_line(self):
        assert all(option.help and option.names for option in TBSQL_OPTIONS)
        names = [name for option in TBSQL_OPTIONS for name in option.names]
        assert len(names) == len(set(names))


class TestEndOfOptions:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1 -- note",
            "SELECT '--limit 5'",
            "SELECT 1 --5",
            "SELECT 5 - -3",
            'SELECT "--stats"',
            'SELECT \'{"a": {{"b": 1}}}\'',
            "SELECT {'a': 1}",
            "SELECT {x:UInt8}",
            "SELECT 'it''s' AS \"a b\"",
            "SELECT $$ -- $$",
            "SELECT 'a",
            "-- SELECT 1",
            "SELECT a<<1",
        ],
    )
    def test_nothing_in_sql_is_an_option(self, sql):
        assert said(f"--limit 3 {sql}", None) == ({"limit": 3}, sql)

    def test_a_comment_begins_with_two_dashes_and_a_blank(self):
        assert said("-- note --limit 5", "SELECT 1") == ({}, "-- note --limit 5\nSELECT 1")

    @pytest.mark.parametrize("line", ["SELECT 1 --limit 5", "SELECT 1 --limit=5", "df << SELECT 1 --show"])
    def test_an_option_behind_the_sql_is_refused(self, line):
        assert "behind the SQL" in str(problem(line, None))

    def test_in_the_body_two_dashes_are_always_a_comment(self):
        assert said("", "SELECT 1 --limit 5") == ({}, "SELECT 1 --limit 5")


class TestSemicolon:
    @pytest.mark.parametrize("sql", ["SELECT 1;", "SELECT 1 ; -- done", "SELECT 1;;", "%\nSELECT 1;"])
    def test_at_the_end_means_quiet(self, sql):
        assert parse_tbsql("", sql).quiet
        assert parse_tbsql(sql).quiet

    @pytest.mark.parametrize("sql", ["SELECT ';'", "SELECT 1 -- ;", "SELECT 1; SELECT 2"])
    def test_elsewhere_does_not(self, sql):
        assert not parse_tbsql("", sql).quiet


class TestSource:
    def test_of_a_body(self):
        place = parse_tbsql("df", "SELECT\n  x").source.place(9)
        assert (place.line, place.column, place.text) == (3, 2, "  x")

    def test_of_a_line(self):
        place = parse_tbsql("--limit 3 SELECT x").source.place(7)
        assert (place.line, place.text[place.column]) == (1, "x")
        assert place.text == "%tbsql --limit 3 SELECT x"

    def test_on_the_magic_line(self):
        source = parse_tbsql("SELECT x,", "  y").source
        assert source.place(7).text == "%%tbsql SELECT x,"
        assert (source.place(12).line, source.place(12).text) == (2, "  y")

    def test_of_a_line_inside_a_cell(self):
        place = parse_tbsql("SELECT x", first_line=4, before="df = %tbsql ").source.place(7)
        assert (place.line, place.column, place.text) == (4, 19, "df = %tbsql SELECT x")


class TestCommands:
    OPTIONS = (Option(("--yes", "-y"), "do not ask"), Option(("--limit",), "rows", "N", "count"))

    def test_options_stand_anywhere(self):
        line = "--yes trips 'a b.csv' --limit 5"
        found = parse_command(words_of(line), self.OPTIONS, line)
        assert [word.text for word in found.words] == ["trips", "a b.csv"]
        assert dict(found.options) == {"yes": "", "limit": "5"}

    def test_unknown_option(self):
        line = "trips --yess"
        with pytest.raises(CellProblem, match="no option --yess") as caught:
            parse_command(words_of(line), self.OPTIONS, line)
        assert caught.value.suggestions == ("--yes",)
        assert caught.value.position == 6
