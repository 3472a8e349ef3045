"""The panel that holds the others, and the login that opens from its command, in a real front end."""

from __future__ import annotations

import pytest

from tests.browser.panel_steps import fill, open_panel, portraits, press, saved, says, turn_to


@pytest.mark.parametrize("kind", ["lab", "notebook"])
def test_all_in_one(open_notebook, pictures, workspace, kind):
    page, panel = open_panel(open_notebook, "%tinybird ui", kind=kind)
    says(panel, workspace.info().name)
    says(panel, "Today (")
    press(panel, "flights")
    says(panel, "sorting key")
    turn_to(panel, "Variables")
    says(panel, "Add or change")
    turn_to(panel, "Tokens")
    says(panel, "workspace admin token")
    turn_to(panel, "Data Sources")
    says(panel, "sorting key")
    if kind == "lab":
        portraits(page, panel, pictures, "workspace")
    # What a reopened notebook shows is there too: head, tab and list.
    notebook = saved(page)
    assert "tm-static" in notebook
    assert "flights" in notebook


def test_login_by_its_command(open_notebook, pictures, server):
    page, panel = open_panel(open_notebook, "%tinybird login", "%tinybird info")
    panel.get_by_role("button", name="A host").click()
    fill(panel, "Host", server.host)
    fill(panel, "Token", "p.a-wrong-token-of-nobody")
    press(panel, "Connect")
    panel.locator(".tm-note.tm-error").wait_for()
    assert "p.a-wrong-token-of-nobody" not in saved(page)
    assert "p.a-wrong-token-of-nobody" not in panel.inner_text()
    portraits(page, panel, pictures, "login-refused")
