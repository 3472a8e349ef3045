"""The panel of the login in a real front end: what is pasted is in no file."""

from __future__ import annotations

import uuid

from tests.browser.panel_steps import fill, open_panel, pieces_in, portraits, press, saved, says

_SHOW = "from tinymagic.widgets import Login\nlogin = Login()\nlogin"


def test_a_pasted_token_is_in_no_file(open_notebook, pictures, server, workspace):
    token = workspace.tokens.create(f"reader_{uuid.uuid4().hex[:6]}", ["ADMIN"]).token.reveal()
    page, panel = open_panel(open_notebook, _SHOW, "print(login.workspace.info().name)")
    panel.get_by_role("button", name="A host").click()
    fill(panel, "Host", server.host)
    fill(panel, "Token", token)
    says(panel, "A static token is here, hidden")
    assert panel.locator("input[type=password]").first.input_value() == ""
    press(panel, "Test")
    says(panel, "everything in the Workspace")
    portraits(page, panel, pictures, "login")
    press(panel, "Connect")
    says(panel, "Connected to")
    page.run(2)
    assert workspace.info().name in page.output(2).inner_text()
    assert pieces_in(saved(page), token) == []
