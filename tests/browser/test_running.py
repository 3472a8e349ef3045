"""Cells that run, fail, are interrupted, or run again and again."""

from __future__ import annotations

import re
import time

import pytest

LOAD = "%load_ext tinymagic"

DELAYS = """%%tbsql
SELECT carrier, count() AS flights, round(avg(delay), 1) AS minutes
FROM flights
GROUP BY carrier ORDER BY minutes DESC"""


@pytest.mark.parametrize("kind", ["lab", "notebook"])
def test_a_query(open_notebook, pictures, kind):
    page = open_notebook(LOAD, DELAYS, kind=kind)
    page.run(0)
    page.run(1)
    rows = page.output(1).locator("tbody tr")
    assert rows.count() == 4
    assert "B6" in rows.first.inner_text()
    footer = page.output(1).locator(".tinymagic-result > p").inner_text()
    assert footer.startswith("4 rows, 1,000 read, ")
    page.picture(pictures / f"query-{kind}.png", 0, 1)


def test_a_failing_cell_shows_a_few_lines_and_stops_run_all(open_notebook, pictures):
    text = "%%tbsql\nSELECT carrier,\n       avg(dellay) AS minutes\nFROM flights GROUP BY carrier"
    page = open_notebook(LOAD, text, "print('went on')")
    page.run_all()
    error = page.output(1).locator('[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type*="error"]')
    error.wait_for()
    lines = error.inner_text().rstrip().splitlines()
    assert len(lines) <= 8
    assert "dellay" in lines[0]
    assert "Traceback" not in "\n".join(lines)
    marked = next(number for number, line in enumerate(lines) if line.endswith("avg(dellay) AS minutes"))
    carets = lines[marked + 1]
    assert carets.count("^") == len("dellay")
    assert carets.index("^") == lines[marked].index("dellay")
    assert "Did you mean delay?" in lines
    page.wait_run(1)
    # What comes after a failure is taken from the queue; a moment shows that it stays so.
    page.page.wait_for_timeout(500)
    assert page.prompt(2) == "[ ]:"
    assert page.output(2).inner_text() == ""
    page.picture(pictures / "failing-cell.png", 1, 2)


def test_an_interrupted_cell_stops_and_says_so(open_notebook, pictures):
    page = open_notebook(LOAD, "%%tbsql\nSELECT sum(cityHash64(number)) FROM numbers(200000000000)", "%tbsql SELECT 7")
    page.run(0)
    page.run(1, wait=False)
    page.page.wait_for_timeout(1500)
    assert page.prompt(1) == "[*]:"
    pressed = time.monotonic()
    page.interrupt()
    page.wait_run(1)
    assert time.monotonic() - pressed < 5
    assert (
        page.output(1).inner_text().strip() == "KeyboardInterrupt: interrupted; the query is cancelled on the server."
    )
    page.run(2)
    assert page.output(2).locator("tbody td").inner_text() == "7"
    page.picture(pictures / "interrupted-cell.png", 1)


def test_a_live_cell_redraws_in_place(open_notebook, pictures, workspace):
    workspace.datasources.create("landings", schema="airport String")
    workspace.events.send("landings", [{"airport": "JFK"}] * 3, wait=True)
    page = open_notebook(LOAD, "%%tbsql --every 2s --for 5m\nSELECT count() AS landings FROM landings")
    page.run(0)
    page.keep_outputs(1)
    page.run(1, wait=False)
    number = page.output(1).locator("tbody td")
    number.get_by_text("3", exact=True).wait_for()
    workspace.events.send("landings", [{"airport": "LGA"}] * 4, wait=True)
    number.get_by_text("7", exact=True).wait_for()
    page.picture(pictures / "live-cell.png", 1)
    # One table, drawn over; the cell still runs.
    assert page.output(1).locator("table").count() == 1
    assert page.prompt(1) == "[*]:"
    assert any("since the last run: landings +4\n" in text for text in page.kept_outputs())
    page.interrupt()
    page.wait_run(1)
    assert re.search(r"Ran \d+ times in .*, every 2\.00 s\.", page.output(1).inner_text())
