"""The panel of Environment Variables: model and view on the embedded server; no value stays in a widget."""

from __future__ import annotations

import pytest

from tests.integration.widgets.states import all_widgets
from tinymagic.widgets.models.variables import VariablesModel
from tinymagic.widgets.panels.variables import Variables
from tinymagic.widgets.work import Work

SECRET = "hidden-word-of-a-widget"
NAME = "widgetvariables_password"


@pytest.fixture
def panel(workspace):
    """The panel, which does everything at once."""
    made = Variables(model=VariablesModel(workspace, work=Work(at_once=True)))
    yield made
    made.close()
    for name in (NAME, f"{NAME}_2"):
        if name in [each.name for each in workspace.variables.list()]:
            workspace.variables.delete(name)


def add(panel, name=NAME, value=SECRET):
    panel._name.value, panel._value.value = name, value
    panel._save.click()


def texts():
    """Everything that is in the state of any widget, as text."""
    return repr([made.get_state() for made in all_widgets()])


def test_add_change_delete(panel, workspace):
    add(panel)
    assert panel.model.message_kind == "done"
    assert NAME in [each.name for each in workspace.variables.list()]
    assert panel.model.line == f"%tinybird variable set {NAME}"
    assert panel._save.description == "Change value"
    assert "{{tb_secret(&#x27;" + NAME in panel._snippet.value
    before = workspace.variables.get(NAME).updated_at
    add(panel, value="another-hidden-word")
    assert "has another value" in panel.model.message
    assert workspace.variables.get(NAME).updated_at >= before
    panel._delete.click()
    assert NAME in [each.name for each in workspace.variables.list()]
    panel._confirmation._yes.click()
    assert NAME not in [each.name for each in workspace.variables.list()]
    assert "was deleted" in panel._message.value


def test_the_value_leaves_at_once(panel):
    add(panel)
    assert panel._value.value == ""
    assert SECRET not in texts()
    assert SECRET not in repr(panel._static_bundle())
    assert SECRET not in repr(panel.model.trait_values())


def test_what_cannot_be(panel, workspace):
    add(panel, name="")
    assert (panel.model.message_kind, "name" in panel.model.message) == ("error", True)
    add(panel, value="")
    assert "a value" in panel.model.message
    add(panel, name="1 2")
    assert panel.model.message_kind == "error"
    assert SECRET not in panel.model.message
    assert "1 2" not in [each.name for each in workspace.variables.list()]


def test_to_keep_it_is_to_keep_it(panel, workspace):
    add(panel)
    panel._delete.click()
    panel._confirmation._no.click()
    assert NAME in [each.name for each in workspace.variables.list()]


def test_a_saved_notebook_says_something(panel):
    add(panel)
    bundle = panel._static_bundle()
    assert NAME in bundle["text/html"]
    assert NAME in bundle["text/plain"]
    assert "%tinybird variable set" in bundle["text/plain"]


def test_without_a_workspace():
    panel = Variables(model=VariablesModel(None, work=Work(at_once=True)))
    assert "%tinybird login" in panel._message.value
    panel.close()
