"""The panel of tokens in a real front end: scoped tokens and JWTs, which are shown when asked for and go again."""

from __future__ import annotations

import pytest

from tests.browser.panel_steps import choose, fill, open_panel, pieces_in, portraits, press, saved, says


@pytest.fixture
def endpoint(workspace):
    """An endpoint that a JWT may call."""
    name = "flights_of_an_airport"
    sql = "% SELECT count() AS n FROM flights WHERE origin = {{String(origin, 'JFK')}}"
    workspace.pipes.create(name, [{"name": "counted", "sql": sql, "type": "endpoint"}])
    yield name
    workspace.pipes.delete(name)


def _add_scope(panel, scope, resource, condition=""):
    choose(panel, "Scope", scope)
    fill(panel, "of", resource)
    if condition:
        fill(panel, "only rows where", condition)
    press(panel, "Add scope")


def test_a_scoped_token_is_shown_once(open_notebook, pictures, server, workspace):
    import tinymagic

    name = "reader_of_jfk"
    page, panel = open_panel(open_notebook, "%tinybird tokens")
    fill(panel, "Name", name)
    fill(panel, "Description", "the dashboard")
    _add_scope(panel, "DATASOURCES:READ", "flights", "origin = 'JFK'")
    says(panel, "read flights")
    press(panel, "Create token")
    says(panel, f"The token {name} was made")
    token = workspace.tokens.get(name).token.reveal()
    assert token not in panel.inner_text()
    press(panel, f"Show {name} once")
    says(panel, token)
    panel.get_by_role("button", name=name, exact=True).click()
    panel.get_by_text(token).wait_for(state="detached")
    portraits(page, panel, pictures, "tokens")
    assert pieces_in(saved(page), token) == []
    reader = tinymagic.connect(host=server.host, token=token)
    assert reader.sql("SELECT DISTINCT origin FROM flights").origin.tolist() == ["JFK"]
    workspace.tokens.delete(name)


def test_a_jwt(open_notebook, pictures, server, endpoint):
    import tinymagic

    page, panel = open_panel(open_notebook, "%tinybird tokens")
    press(panel, "JWT")
    fill(panel, "Name", "page_of_lga")
    fill(panel, "Ends after", "30")
    choose(panel, "", "minutes")
    fill(panel, "Fixed params", '{"origin": "LGA"}')
    _add_scope(panel, "PIPES:READ", endpoint)
    portraits(page, panel, pictures, "jwt")
    press(panel, "Create JWT")
    says(panel, "It is stored nowhere")
    press(panel, "Show page_of_lga once")
    shown = panel.locator(".tm-code", has_text="eyJ").locator("visible=true").first
    shown.wait_for()
    token = shown.inner_text().strip()
    press(panel, "Hide it now")
    shown.wait_for(state="detached")
    assert pieces_in(saved(page), token) == []
    counts = [
        tinymagic.connect(host=server.host, token=token).pipes.data(endpoint, params=params).n[0]
        for params in ({}, {"origin": "JFK"})
    ]
    assert counts[0] == counts[1] < 1_000
