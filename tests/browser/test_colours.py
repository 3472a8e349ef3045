"""SQL in cells has its colours, and only there."""

from __future__ import annotations

import pytest

CELL = "%%tbsql df --limit 5\n-- the longest\nSELECT carrier, count() FROM flights WHERE distance > {{ least }}"

SHOWN = """%%tbsql late --limit 5
-- who is late most
SELECT carrier, count() AS flights, round(avg(delay), 1) AS minutes
FROM flights
WHERE day >= toDate('2026-02-01') AND distance > {{ least }}
GROUP BY carrier ORDER BY minutes DESC"""


@pytest.mark.parametrize("kind", ["lab", "notebook"])
def test_a_sql_cell_is_coloured(open_notebook, kind):
    page = open_notebook(CELL, kind=kind)
    keyword, comment = page.theme_colour("keyword"), page.theme_colour("comment")
    assert page.has_colour(0, "SELECT", keyword)
    assert page.has_colour(0, "WHERE", keyword)
    assert page.has_colour(0, "the longest", comment)
    assert page.colour(0, "--limit") not in (comment, keyword)
    assert page.colour(0, "carrier") not in (comment, keyword)


@pytest.mark.parametrize("kind", ["lab", "notebook"])
def test_other_cells_are_not(open_notebook, kind):
    page = open_notebook(("markdown", CELL), ("raw", CELL), "# %%tbsql\nSELECT", CELL, kind=kind)
    keyword = page.theme_colour("keyword")
    page.cell(0).dblclick()
    page.editor(0).wait_for()
    assert page.has_colour(3, "SELECT", keyword)
    assert all(page.colour(number, "SELECT") != keyword for number in range(3))


def test_the_first_line_decides_while_it_is_typed(open_notebook):
    page = open_notebook("")
    keyword = page.theme_colour("keyword")
    page.type(0, "SELECT 1 as one")
    assert page.colour(0, "SELECT") != keyword
    page.editor(0).press("Control+Home")
    page.page.keyboard.type("\n%%tbsql\n")
    assert page.has_colour(0, "SELECT", keyword)
    page.editor(0).press("Control+Home")
    page.page.keyboard.type("# no magic")
    assert page.colour(0, "SELECT") != keyword


def test_sql_in_a_line_of_python(open_notebook):
    page = open_notebook("for x in y: SELECT = 3\ndf = %tbsql WITH 1 AS one FROM flights PREWHERE 1")
    keyword = page.theme_colour("keyword")
    assert page.has_colour(0, "for", keyword)
    assert page.has_colour(0, "PREWHERE", keyword)
    assert page.colour(0, "SELECT") != keyword


def test_the_comment_key_writes_sql(open_notebook):
    page = open_notebook("%%tbsql\nSELECT 1")
    page.editor(0).click()
    page.page.keyboard.press("Control+End")
    page.page.keyboard.press("Control+/")
    assert page.editor(0).inner_text() == "%%tbsql\n-- SELECT 1"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_both_themes(open_notebook, pictures, dark):
    page = open_notebook(SHOWN, dark=dark)
    page.picture(pictures / f"colours-{'dark' if dark else 'light'}.png")
    assert page.has_colour(0, "SELECT", page.theme_colour("keyword"))
    assert page.has_colour(0, "who is late", page.theme_colour("comment"))
