"""The pieces of the panels: data is never markup, numbers are short, times are relative."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from tinymagic.widgets import look, units
from tinymagic.widgets.frame_table import table_of

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "a\u202eb",
    "\x1b[31m",
    "&lt;",
    "' onclick='x",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_data_is_text(value):
    for html in (
        look.text(value),
        look.head(value, value),
        look.note(value, "error"),
        look.code(value, value),
        look.badge(value),
        look.table([value], [[look.text(value)]], label=value),
        table_of(pd.DataFrame({value: [value]})),
    ):
        assert "<script" not in html
        assert "<img" not in html
        assert "\u202e" not in html
        assert "\x1b" not in html
        assert "onclick='" not in html


def test_tables_have_numbers_at_the_right():
    html = table_of(pd.DataFrame({"n": [1, 2], "word": ["a", None]}), label="Rows")
    assert '<th scope="col" class="tm-number">n</th>' in html
    assert "NULL" in html
    assert 'aria-label="Rows"' in html


def test_what_is_left_out_is_said():
    assert "30 more rows" in table_of(pd.DataFrame({"n": range(50)}))
    assert "40 more columns" in table_of(pd.DataFrame([range(100)]))


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, ""), (0, "0"), (9_999, "9,999"), (10_000, "10 K"), (1_234_567, "1.2 M"), (999_999, "1 M")],
)
def test_rows(count, shown):
    assert units.rows(count) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(None, ""), (0, "0 B"), (999, "999 B"), (1_500, "1.5 KB"), (10**15, "1 PB")]
)
def test_sizes(count, shown):
    assert units.size(count) == shown


def test_times():
    now = dt.datetime(2026, 5, 1, tzinfo=dt.timezone.utc)
    before = {
        1: "now",
        30: "30 s ago",
        3_000: "50 min ago",
        80_000: "22 h ago",
        86_400: "1 day ago",
        86_400 * 90: "3 months ago",
    }
    for seconds, shown in before.items():
        assert units.ago(now - dt.timedelta(seconds=seconds), now=now) == shown
    assert units.ago(None) == ""


def test_progress():
    assert 'aria-valuenow="50"' in look.bar(50)
    assert "tm-going" in look.bar(None)
