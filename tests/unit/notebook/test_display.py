"""Footers, sizes, hostile signs, and the card of a failure, without IPython."""

from __future__ import annotations

import pandas as pd
import pytest

from tinymagic.errors import QueryError, TinybirdError
from tinymagic.notebook.display import (
    footer_text,
    human_bytes,
    human_seconds,
    left_out,
    visible,
    with_footer_html,
    with_footer_text,
)
from tinymagic.notebook.failures import MOST_LINES, card, near, query_card, shown_as_card
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Place, Source

COST = {"rows_read": 142, "bytes_read": 10_100, "elapsed": 0.0041}


class TestFooter:
    @pytest.mark.parametrize(
        ("facts", "text"),
        [
            ({"rows": 3, "statistics": COST, "wall_s": 0.009}, "3 rows, 142 read, 10.1 KB, 4 ms (wall 9 ms)"),
            ({"rows": 1, "statistics": None, "wall_s": 0.009}, "1 row, wall 9 ms"),
            ({"rows": 0, "statistics": {"rows_read": 0}, "wall_s": 1.5}, "0 rows, 0 read, wall 1.50 s"),
            ({"rows": 1_234, "statistics": None, "wall_s": 12.0}, "1,234 rows, wall 12 s"),
            (
                {"rows": 2, "truncated": True, "statistics": COST},
                "showing 2 of at least 3 rows, 142 read, 10.1 KB, 4 ms",
            ),
            ({"rows": 2, "truncated": True, "rows_before_limit": 9_000}, "showing 2 of at least 9,000 rows"),
            ({"rows": 0, "truncated": True}, "showing 0 of at least 1 row"),
            ({"rows": 1, "notices": ["a \x1b[31m note"]}, "1 row\na \\x1b[31m note"),
        ],
    )
    def test_says_what_it_cost(self, facts, text):
        assert footer_text(facts) == text

    @pytest.mark.parametrize(
        ("size", "text"),
        [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (999_949, "999.9 KB"),
            (999_950, "1.0 MB"),
            (5e15, "5.0 PB"),
            (5e18, "5000.0 PB"),
        ],
    )
    def test_bytes(self, size, text):
        assert human_bytes(size) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0.0 ms"),
            (0.00094, "0.9 ms"),
            (0.001, "1 ms"),
            (0.9994, "999 ms"),
            (0.9996, "1.00 s"),
            (3600, "3,600 s"),
        ],
    )
    def test_seconds(self, seconds, text):
        assert human_seconds(seconds) == text

    def test_stands_under_the_table_and_is_escaped(self):
        page = with_footer_html("<table></table>", "1 row <b>")
        assert page.index("<table>") < page.index("1 row &lt;b&gt;")
        assert "color" not in page
        assert with_footer_text("   x\n0  1", "1 row") == "   x\n0  1\n1 row"
        assert "<p" not in with_footer_html("<table></table>", None)


class TestVisible:
    @pytest.mark.parametrize("sign", ["\x00", "\x1b", "\x7f", "\x9b", "\r", "\x08", "\u202e", "\u2066", "\u2028"])
    def test_signs_that_act_are_written_out(self, sign):
        shown = visible(f"a{sign}b")
        assert sign not in shown
        assert shown.startswith("a\\")

    @pytest.mark.parametrize("text", ["plain", "line\nbreak\ttab", "日本 🎉 עברית", "é"])
    def test_others_are_not_touched(self, text):
        assert visible(text) == text


class TestCard:
    def test_has_line_caret_suggestion_link_and_id(self):
        error = QueryError(
            "x",
            message="[Error] Unknown expression identifier `dy`. In scope SELECT dy FROM t. (UNKNOWN_IDENTIFIER)",
            documentation="https://docs.tinybird.co/x",
            request_id="abc",
        )
        lines = card(error, place=Place(3, 7, "SELECT dy"), length=2, suggestions=("day", "d"))()
        assert lines == [
            "QueryError: Unknown expression identifier `dy` (UNKNOWN_IDENTIFIER)",
            "   3 | SELECT dy",
            "     |        ^^",
            "Did you mean day or d?",
            "Documentation: https://docs.tinybird.co/x",
            "Request id: abc",
        ]

    @pytest.mark.parametrize(
        ("message", "headline"),
        [
            (
                "DB::Exception: Syntax error: failed at position 8 (x) (line 1, col 8): x. Expected one of: a, b",
                "Syntax error at 'x'.",
            ),
            (
                "DB::Exception: Syntax error: failed at position 9 (end of query). Unmatched parentheses.",
                "Syntax error at the end. A bracket is not closed.",
            ),
            ("Resource 'a' not found", "Resource 'a' not found."),
            (
                (
                    "[Error] Unknown expression identifier `a`. Maybe you meant: ['b']. "
                    "In scope SELECT a. (UNKNOWN_IDENTIFIER)"
                ),
                "Unknown expression identifier `a` (UNKNOWN_IDENTIFIER)",
            ),
            (
                (
                    "DB::Exception: Syntax error (Multi-statements are not allowed): failed at position 9 (end "
                    "of query) (line 1, col 9): ; SELECT 2. "
                ),
                "Syntax error (Multi-statements are not allowed) at the end.",
            ),
        ],
    )
    def test_headline_leaves_out_what_repeats_the_query(self, message, headline):
        assert card(QueryError("x", message=message))()[0] == f"QueryError: {headline}"

    def test_never_has_more_than_eight_lines(self):
        error = TinybirdError("\n".join(f"line {n}" for n in range(50)), documentation="https://x", request_id="1")
        lines = card(error, place=Place(1, 0, "x"), suggestions=("a",))()
        assert len(lines) == MOST_LINES
        assert lines[-1] == "Request id: 1"

    def test_a_long_line_is_cut_around_the_caret(self):
        text = "x" * 500 + "HERE" + "y" * 500
        marked, carets = card(TinybirdError("no"), place=Place(1, 500, text), length=4)()[1:3]
        assert len(marked) < 130
        assert marked[carets.index("^") : carets.rindex("^") + 1] == "HERE"

    def test_caret_stands_under_wide_signs_and_behind_tabs(self):
        marked, carets = card(TinybirdError("no"), place=Place(1, 4, "\t日本 x"), length=1)()[1:3]
        assert marked == "   1 |     日本 x"
        # Four for the tab, two for each wide sign, one for the blank.
        assert carets == "     | " + " " * 9 + "^"

    def test_hostile_text_does_not_act(self):
        lines = card(TinybirdError("a \x1b[2J b"), place=Place(1, 0, "\x1b]0;x\x07 \u202e"))()
        assert not any(sign in "".join(lines) for sign in "\x1b\x07\u202e")

    def test_a_problem_of_the_cell_is_no_service_error(self):
        assert card(CellProblem("No SQL."))() == ["tinymagic: No SQL."]

    def test_place_beyond_the_end_is_the_last_line(self):
        lines = query_card(QueryError("x", message="m"), Source("SELECT (\n1\n\n", 2), 11, None)()
        assert lines[1:3] == ["   3 | 1", "     |  ^"]

    def test_is_attached_and_the_error_stays_itself(self):
        with pytest.raises(CellProblem, match="no") as caught, shown_as_card(Source("--x", 1, "%tbsql ")):
            raise CellProblem("no", position=0, length=3, in_line=True)
        assert caught.value._render_traceback_()[1:] == ["   1 | %tbsql --x", "     |        ^^^"]

    def test_names_are_looked_up_among_the_tables_of_the_query(self):
        class Column:
            def __init__(self, name):
                self.name = name

        class Table:
            def __init__(self, name, *columns):
                self.name, self.columns = name, [Column(each) for each in columns]

        class Workspace:
            class datasources:
                @staticmethod
                def list():
                    return [Table("flights", "dep_delay", "carrier"), Table("other", "dep_dely_x")]

        def meant(kind, name):
            error = QueryError("x", message="x", named=name, named_kind=kind)
            return near(error, "SELECT dep_dely FROM flights", Workspace())

        assert meant("table", "flihgts") == ("flights",)
        assert meant("column", "dep_dely") == ("dep_delay",)
        assert meant("function", "conut") == ()


class TestLeftOut:
    def test_small_tables_say_nothing(self):
        assert left_out(pd.DataFrame({"a": range(60)})) is None

    def test_rows_and_columns(self):
        wide = pd.DataFrame({f"c{place}": range(1_000) for place in range(30)})
        with pd.option_context("display.max_columns", 20):
            assert left_out(wide) == (
                "Shown are the first and last 5 of 1,000 rows and the first and last 10 of 30 columns; the result has "
                "all of them."
            )

    def test_everything_is_shown_when_pandas_is_told_to(self):
        with pd.option_context("display.max_rows", None):
            assert left_out(pd.DataFrame({"a": range(1_000)})) is None

    def test_other_results(self):
        assert left_out([{"a": 1}] * 1_000) is None
