"""Tab inside of a SQL cell."""

from __future__ import annotations

import time

import pytest

from tests.browser.test_running import LOAD

#: How long the names of a Workspace may take to be known, seconds.
_KNOWN_S = 15


def press_tab(page):
    """Press Tab behind ``SELECT d`` until a column is offered; return the lines of the popup."""
    page.run(0)
    items = page.page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item")
    end = time.monotonic() + _KNOWN_S
    # Names are fetched in the background: the first time they may be missing.
    while "distance" not in names_of(items) and time.monotonic() < end:
        page.page.keyboard.press("Escape")
        page.editor(1).click()
        for key in ("Control+Home", "ArrowDown", "End", "Tab"):
            page.page.keyboard.press(key)
        items.first.wait_for()
    return items


def names_of(items):
    """Return what is offered."""
    return [name.strip() for name in items.locator(".jp-Completer-match").all_inner_texts()]


@pytest.mark.parametrize("kind", ["lab", "notebook"])
def test_the_popup_shows_columns(open_notebook, pictures, kind):
    page = open_notebook(LOAD, "%%tbsql\nSELECT d\nFROM flights", kind=kind)
    items = press_tab(page)
    # No words of the cell itself: those JupyterLab would offer anyhow.
    assert {"day", "delay", "distance"} <= set(names_of(items))
    page.picture(pictures / f"completion-{kind}.png", 1)
    items.filter(has_text="distance").first.click()
    assert "SELECT distance\n" in page.editor(1).inner_text()


def test_what_stands_beside_an_offer_is_on_its_line(open_notebook):
    page = open_notebook(LOAD, "%%tbsql\nSELECT d\nFROM flights")
    beside = press_tab(page).locator(".jp-Completer-typeExtended")
    lines = beside.evaluate_all(
        """elements => elements.map(element => {
            const range = document.createRange();
            range.selectNodeContents(element);
            return new Set([...range.getClientRects()].map(each => each.top)).size;
        })"""
    )
    assert len(lines) >= 3
    assert set(lines) == {1}
