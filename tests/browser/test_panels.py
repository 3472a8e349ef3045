"""The panels in a real front end: what is pressed happens, what is shown is text, and what is left says the same."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from tests.browser.test_running import LOAD

_WAIT_MS = 20_000


def panel_of(page, number=1):
    """The panel in the output of a cell."""
    panel = page.output(number).locator(".tm-panel").first
    panel.wait_for(timeout=_WAIT_MS)
    return panel


def fill(panel, label, text):
    """Write into the input with this label."""
    made = panel.locator(".widget-text, .widget-password", has_text=label).locator("input").first
    made.fill(text)
    made.press("Tab")


def press(panel, label):
    """Press a button by its label."""
    panel.get_by_role("button", name=re.compile(re.escape(label))).locator("visible=true").first.click()


def says(panel, text):
    """Wait until the panel says something."""
    panel.get_by_text(text).locator("visible=true").first.wait_for(timeout=_WAIT_MS)


def saved(page):
    """Save the notebook; return its text."""
    page.page.keyboard.press("Control+s")
    page.page.wait_for_timeout(1_500)
    return page.page.evaluate(
        """async () => JSON.stringify(window.jupyterapp.shell.currentWidget.context.model.toJSON())"""
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_browse(open_notebook, pictures, workspace, dark):
    page = open_notebook(LOAD, "%tinybird browse", dark=dark)
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    panel.get_by_role("button", name="flights").first.click()
    says(panel, "sorting key")
    panel.get_by_role("tab", name="Rows").click()
    says(panel, "LGA")
    page.picture(pictures / f"panel-browse-{'dark' if dark else 'light'}.png", 1)
    panel.get_by_role("tab", name="Columns").click()
    says(panel, "LowCardinality(String)")
    page.picture(pictures / f"panel-columns-{'dark' if dark else 'light'}.png", 1)


def test_browse_in_notebook_7(open_notebook, workspace):
    page = open_notebook(LOAD, "%tinybird browse", kind="notebook")
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    panel.get_by_placeholder("Search Data Sources").fill("nothing of this name")
    says(panel, "has this in its name")
    panel.get_by_placeholder("Search Data Sources").fill("flights")
    panel.get_by_role("button", name="flights").first.click()
    says(panel, "sorting key")


def test_variables_keep_their_secret(open_notebook, pictures, workspace):
    secret = f"hidden-{uuid.uuid4().hex}"
    page = open_notebook(LOAD, "%tinybird variables")
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    fill(panel, "Name", "password_of_s3")
    fill(panel, "Value", secret)
    press(panel, "Add")
    says(panel, "password_of_s3 was added")
    page.picture(pictures / "panel-variables-light.png", 1)
    assert "password_of_s3" in [each.name for each in workspace.variables.list()]
    text = saved(page)
    assert [start for start in range(len(secret) - 7) if secret[start : start + 8] in text and start > 6] == []
    assert secret not in text
    press(panel, "Delete ...")
    says(panel, "Its value is lost")
    press(panel, "Delete it")
    says(panel, "password_of_s3 was deleted")
    assert "password_of_s3" not in [each.name for each in workspace.variables.list()]


def test_from_a_file_to_rows(open_notebook, pictures, workspace, tmp_path):
    path = tmp_path / "trips.csv"
    rows = [f"2026-03-{day:02},Rome,{day}.5,<img src=x onerror=window.pwned=1>" for day in range(1, 29)]
    path.write_text("day,city,fare,note\n" + "\n".join(rows) + "\n")
    name = f"trips_{uuid.uuid4().hex[:8]}"
    page = open_notebook(LOAD, "from tinymagic.widgets import Analyze\nimport tinymagic\nAnalyze(tinymagic.connect())")
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    with page.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="Upload").click()
    chooser.value.set_files(str(path))
    says(panel, "columns were found")
    fill(panel, "Name", name)
    page.picture(pictures / "panel-analyze-light.png", 1)
    fare = panel.locator(".widget-hbox", has_text="fare").locator("input[type=text]").first
    fare.fill("Decimal(18, 2)")
    fare.press("Tab")
    panel.get_by_role("tab", name="Rows").click()
    says(panel, "<img src=x onerror=window.pwned=1>")
    press(panel, "Create and append")
    says(panel, "28 rows are stored")
    assert {each.name: each.type for each in workspace.datasources.get(name).columns}["fare"] == "Decimal(18, 2)"
    assert workspace.sql(f"SELECT count() AS n FROM {name}").n.tolist() == [28]
    assert page.page.evaluate("typeof window.pwned") == "undefined"
    workspace.datasources.delete(name)


def test_a_reopened_notebook_says_something(open_notebook, workspace):
    """Beside the widget there is HTML that is hidden while it lives, and shown when nobody draws the widget."""
    page = open_notebook(LOAD, "%tinybird browse")
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    panel.get_by_role("button", name="flights").first.click()
    says(panel, "sorting key")
    page.page.wait_for_timeout(500)
    outputs = json.loads(saved(page))["cells"][1]["outputs"]
    texts = ["".join(each.get("data", {}).get("text/html", "")) for each in outputs]
    assert any("flights" in text and "sorting key" in text for text in texts)
    assert page.output(1).locator("[class*=tm-static]").locator("visible=true").count() == 0
