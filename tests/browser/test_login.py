"""The panels that handle tokens, in a real front end: what is pasted is in no file, and what is shown goes again."""

from __future__ import annotations

import uuid

from tests.browser.test_panels import fill, panel_of, press, saved, says
from tests.browser.test_running import LOAD

_IMPORTS = "import tinymagic\nfrom tinymagic.widgets import Login, Tokens\n"


def pieces_in(text, token):
    """The pieces of a token in a text; its beginning, which names the server, is that of all tokens."""
    secret = token[len("p.") + 60 :]
    return [secret[start : start + 8] for start in range(len(secret) - 7) if secret[start : start + 8] in text]


def test_a_pasted_token_is_in_no_file(open_notebook, pictures, server, workspace):
    token = workspace.tokens.create(f"reader_{uuid.uuid4().hex[:6]}", ["ADMIN"]).token.reveal()
    page = open_notebook(LOAD, f"{_IMPORTS}login = Login()\nlogin", "print(login.workspace.info().name)")
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    panel.get_by_role("button", name="A host").click()
    fill(panel, "Host", server.host)
    fill(panel, "Token", token)
    says(panel, "A static token is here, hidden")
    assert panel.locator("input[type=password]").first.input_value() == ""
    press(panel, "Test")
    says(panel, "everything in the Workspace")
    page.picture(pictures / "panel-login-light.png", 1)
    press(panel, "Connect")
    says(panel, "Connected to")
    page.run(2)
    assert workspace.info().name in page.output(2).inner_text()
    assert pieces_in(saved(page), token) == []


def test_a_token_is_shown_once(open_notebook, pictures, workspace):
    name = f"reader_{uuid.uuid4().hex[:6]}"
    page = open_notebook(LOAD, f"{_IMPORTS}Tokens(tinymagic.connect())")
    page.run(0)
    page.run(1)
    panel = panel_of(page)
    fill(panel, "Name", name)
    panel.locator("select").locator("visible=true").first.select_option("DATASOURCES:READ")
    panel.get_by_placeholder("name", exact=True).fill("flights")
    panel.get_by_placeholder("name", exact=True).press("Tab")
    press(panel, "Add scope")
    says(panel, "read flights")
    press(panel, "Create token")
    says(panel, f"The token {name} was made")
    token = workspace.tokens.get(name).token.reveal()
    assert token not in panel.inner_text()
    press(panel, f"Show {name} once")
    says(panel, token)
    panel.get_by_role("button", name=name, exact=True).click()
    panel.get_by_text(token).wait_for(state="detached")
    page.picture(pictures / "panel-tokens-light.png", 1)
    assert pieces_in(saved(page), token) == []
    workspace.tokens.delete(name)
