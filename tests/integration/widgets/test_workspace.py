"""The panel that holds the others: model and view on the embedded server."""

from __future__ import annotations

import pytest

from tests.integration.widgets.states import all_widgets
from tinymagic.api.workspace import Workspace as Connected
from tinymagic.widgets.models.workspace import WorkspaceModel
from tinymagic.widgets.panels.datasources import DataSources
from tinymagic.widgets.panels.login import Login
from tinymagic.widgets.panels.pipes import Pipes
from tinymagic.widgets.panels.workspace import _TABS, Workspace
from tinymagic.widgets.work import Work


@pytest.fixture
def panel(workspace):
    """The panel on the shared server, its head asked for at once."""
    made = Workspace(model=WorkspaceModel(workspace, work=Work(at_once=True)))
    yield made
    made.close()


class Session:
    """What the panel needs of a notebook's session."""

    chosen = None

    def choose(self, workspace):
        self.chosen = workspace

    def forget(self):
        self.chosen = None


def test_the_head_tells_where_one_is(panel, workspace):
    about = panel._facts.value + panel._usage.value
    assert workspace.info().name in about
    assert "Tinybird Local" in about or "embedded" in about
    assert "Today (" in about
    assert "read" in about
    assert workspace.host.split("://")[1] in panel._head.value


def test_a_tab_is_made_when_it_is_opened(panel):
    made = [title for title, place in zip(_TABS, panel._places, strict=True) if place.children]
    assert made == ["Data Sources"]
    assert isinstance(panel.opened, DataSources)
    pipes = panel.go_to("Pipes")
    assert isinstance(pipes, Pipes)
    panel.go_to("Data Sources")
    assert panel.go_to("Pipes") is pipes


@pytest.mark.parametrize("title", _TABS)
def test_each_tab(panel, title):
    opened = panel.go_to(title)
    opened.model.work.wait()
    assert opened._head.layout.display == "none"
    html, words = panel.static()
    assert title in html
    assert title in words


def test_the_saved_form_follows_the_open_tab(panel, workspace):
    workspace.variables.set("workspacepanel_password", "never-to-be-shown")
    try:
        panel.go_to("Variables").model.work.wait()
        html, words = panel.static()
        assert "workspacepanel_password" in html
        assert "workspacepanel_password" in words
        assert "never-to-be-shown" not in html + words + repr([made.get_state() for made in all_widgets()])
    finally:
        workspace.variables.delete("workspacepanel_password")


def test_without_a_connection_it_opens_at_the_login(workspace, tokens):
    session = Session()
    panel = Workspace(notebook_session=session, reason="There is no region 'mars'.")
    try:
        assert isinstance(panel.opened, Login)
        assert "There is no region &#x27;mars&#x27;." in panel._message.value
        assert "not connected" in panel.static()[1]
        login = panel.opened
        other = Connected(workspace.host, tokens["workspace_admin_token"])
        login.model._on_connect(other)
        panel.model.work.wait()
        assert session.chosen is other
        assert panel.model.facts.name == workspace.info().name
        assert "mars" not in panel._message.value
        sources = panel.go_to("Data Sources")
        assert sources.model.workspace is other
        assert panel.go_to("Log in") is login
    finally:
        panel.close()


def test_a_new_login_makes_the_tabs_anew(panel, workspace):
    panel.go_to("Pipes")
    before = panel.go_to("Variables")
    panel.go_to("Log in")
    panel._connect(workspace)
    assert before.model.work._closed
    assert panel.go_to("Variables") is not before


def test_a_token_that_is_none_is_told_inside(server):
    panel = Workspace(model=WorkspaceModel(Connected(server.host, "not-a-token-at-all"), work=Work(at_once=True)))
    try:
        assert panel.model.message_kind == "error"
        assert "token" in panel.model.message
        assert "not-a-token-at-all" not in panel._message.value
    finally:
        panel.close()


def test_nothing_is_left_after_closing(workspace):
    before = set(map(id, all_widgets()))
    panel = Workspace(model=WorkspaceModel(workspace, work=Work(at_once=True)))
    opened = [panel.go_to(title) for title in _TABS]
    for each in opened:
        each.model.work.wait()
    panel.close()
    assert all(each.model.work._closed for each in opened)
    # ipywidgets keeps layouts and styles of what is closed until they are collected.
    left = [made for made in all_widgets() if id(made) not in before]
    assert [made for made in left if not type(made).__name__.endswith(("Layout", "Style"))] == []
