"""The panels in a real front end: what is pressed happens, what is shown is text, and what is left says the same."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest

from tests.browser.panel_steps import (
    fill,
    no_script_ran,
    open_panel,
    portraits,
    press,
    saved,
    says,
    turn_to,
)

EVIL = "<img src=x onerror=window.pwned=1>"


def test_browse(open_notebook, pictures, workspace):
    page, panel = open_panel(open_notebook, "%tinybird browse")
    press(panel, "flights")
    says(panel, "sorting key")
    says(panel, "LowCardinality(String)")
    portraits(page, panel, pictures, "columns")
    turn_to(panel, "Rows")
    says(panel, "LGA")
    portraits(page, panel, pictures, "browse")


def test_browse_in_notebook_7(open_notebook, workspace):
    _, panel = open_panel(open_notebook, "%tinybird browse", kind="notebook")
    panel.get_by_placeholder("Search Data Sources").fill("nothing of this name")
    says(panel, "has this in its name")
    panel.get_by_placeholder("Search Data Sources").fill("flights")
    press(panel, "flights")
    says(panel, "sorting key")


@pytest.fixture
def hostile(workspace):
    """A Data Source whose rows, and whose quarantine, are markup."""
    name = f"hostile_{uuid.uuid4().hex[:8]}"
    workspace.datasources.create(name, schema="word String, fare Int32", description=EVIL)
    rows = [{"word": EVIL, "fare": 7}, {"word": "<script>window.pwned=2</script>", "fare": 8}]
    workspace.events.send(name, [*rows, {"word": EVIL, "fare": EVIL}], wait=True)
    yield name
    workspace.datasources.delete(name)


def test_hostile_rows_are_text(open_notebook, hostile):
    page, panel = open_panel(open_notebook, "%tinybird browse")
    press(panel, hostile)
    says(panel, EVIL)
    turn_to(panel, "Rows")
    says(panel, "<script>window.pwned=2</script>")
    turn_to(panel, "Quarantine (1)")
    panel.get_by_label(f"Quarantine of {hostile}").get_by_text(EVIL).first.wait_for()
    assert panel.locator("img, script").count() == 0
    # The saved form is drawn, too, though hidden.
    assert page.output(1).locator("img, script").count() == 0
    assert no_script_ran(page)


def test_variables_keep_their_secret(open_notebook, pictures, workspace):
    secrets = [f"hidden-{uuid.uuid4().hex}", f"second-{uuid.uuid4().hex}"]
    page, panel = open_panel(open_notebook, "%tinybird variables")
    for secret, label, said in zip(secrets, ("Add", "Change value"), ("was added", "has another value"), strict=True):
        fill(panel, "Name", "password_of_s3")
        fill(panel, "Value", secret)
        press(panel, label)
        says(panel, f"password_of_s3 {said}")
        assert panel.locator("input[type=password]").first.input_value() == ""
        stored = workspace.sql("% SELECT hex(SHA256({{tb_secret('password_of_s3')}})) AS digest").digest[0]
        assert stored.lower() == hashlib.sha256(secret.encode()).hexdigest()
    portraits(page, panel, pictures, "variables")
    text = saved(page)
    for secret in secrets:
        assert [
            secret[start : start + 8] for start in range(7, len(secret) - 7) if secret[start : start + 8] in text
        ] == []
    press(panel, "Delete ...")
    says(panel, "Its value is lost")
    press(panel, "Delete it")
    says(panel, "password_of_s3 was deleted")
    assert "password_of_s3" not in [each.name for each in workspace.variables.list()]


def test_a_reopened_notebook_says_something(open_notebook, workspace):
    """Beside the widget there is HTML that is hidden while it lives, and shown when nobody draws the widget."""
    page, panel = open_panel(open_notebook, "%tinybird browse")
    press(panel, "flights")
    says(panel, "sorting key")
    page.page.wait_for_timeout(500)
    outputs = json.loads(saved(page))["cells"][1]["outputs"]
    texts = ["".join(each.get("data", {}).get("text/html", "")) for each in outputs]
    assert any("flights" in text and "sorting key" in text for text in texts)
    assert page.output(1).locator("[class*=tm-static]").locator("visible=true").count() == 0
