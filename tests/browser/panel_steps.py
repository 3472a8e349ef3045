"""What a person does in a panel, with Playwright."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.browser.test_running import LOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.notebook_page import NotebookPage

_WAIT_MS = 20_000

#: CSS pixels around a panel in its picture, and beside it for the rest of JupyterLab.
_MARGIN, _LAB = 3, 340

#: The code of a cell that opens a panel by its class.
SHOW = "import tinymagic\nfrom tinymagic.widgets import {name}\n{name}(tinymagic.connect())"


def open_panel(open_notebook: Callable[..., NotebookPage], cell: str, *cells: str, **options: Any) -> Any:
    """Open a notebook, load the extension, run a cell that shows a panel; return the page and the panel."""
    page = open_notebook(LOAD, cell, *cells, **options)
    page.run(0)
    page.run(1)
    return page, panel_of(page)


def panel_of(page: NotebookPage, number: int = 1) -> Any:
    """Return the panel in the output of a cell."""
    panel = page.output(number).locator(".tm-panel").first
    panel.wait_for(timeout=_WAIT_MS)
    return panel


def fill(panel: Any, label: str, text: str) -> None:
    """Write into the input with this label, and leave it."""
    words = re.compile(rf"^\s*{re.escape(label)}\s*$")
    kinds = ".widget-text, .widget-password, .widget-combobox, .widget-textarea"
    line = panel.locator(kinds).filter(has=panel.page.locator("label", has_text=words))
    made = line.locator("input, textarea").locator("visible=true").first
    made.fill(text)
    made.press("Tab")


def choose(panel: Any, label: str, option: str) -> None:
    """Choose of the list with this label."""
    words = re.compile(rf"^\s*{re.escape(label)}\s*$")
    line = panel.locator(".widget-dropdown").filter(has=panel.page.locator("label", has_text=words))
    line.locator("select").locator("visible=true").first.select_option(option)


def press(panel: Any, label: str) -> None:
    """Press a button by its label, or a part of it."""
    panel.get_by_role("button", name=re.compile(re.escape(label))).locator("visible=true").first.click()


def turn_to(panel: Any, tab: str) -> None:
    """Open a tab by its title."""
    panel.get_by_role("tab", name=re.compile(f"^{re.escape(tab)}")).locator("visible=true").first.click()


def says(panel: Any, text: str) -> None:
    """Wait until the panel says something."""
    panel.get_by_text(text).locator("visible=true").first.wait_for(timeout=_WAIT_MS)


def upload(panel: Any, *paths: Path) -> None:
    """Choose files in the window that the button opens."""
    with panel.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="Upload").click()
    chooser.value.set_files([str(each) for each in paths])


def saved(page: NotebookPage) -> str:
    """Save the notebook; return its text, JSON."""
    page.page.keyboard.press("Control+s")
    page.page.wait_for_timeout(1_500)
    model = page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.toJSON()")
    return json.dumps(model, ensure_ascii=False)


def pieces_in(text: str, token: str) -> list[str]:
    """Return the pieces of a token in a text; its beginning, which names the server, is that of all tokens."""
    secret = token[len("p.") + 60 :]
    return [secret[start : start + 8] for start in range(len(secret) - 7) if secret[start : start + 8] in text]


def no_script_ran(page: NotebookPage) -> bool:
    """Return whether ``window.pwned`` is not there, which the hostile texts of the tests set."""
    found: str = page.page.evaluate("typeof window.pwned")
    return found == "undefined"


def portraits(page: NotebookPage, panel: Any, folder: Path, name: str) -> None:
    """Keep pictures of a whole panel: ``panel-NAME-light.png`` and ``-dark.png``; the page is light again then."""
    folder.mkdir(parents=True, exist_ok=True)
    page.page.evaluate("document.activeElement.blur()")
    with _tall(page, panel):
        for theme in ("dark", "light"):
            _use_theme(page, theme)
            page.page.mouse.move(0, 0)
            box = panel.bounding_box()
            around = {"x": box["x"] - _MARGIN, "y": box["y"] - _MARGIN}
            around |= {"width": box["width"] + 2 * _MARGIN, "height": box["height"] + 2 * _MARGIN}
            page.page.screenshot(path=str(folder / f"panel-{name}-{theme}.png"), clip=around)


@contextmanager
def _tall(page: NotebookPage, panel: Any) -> Iterator[None]:
    """Make the window so tall that the whole panel is in it."""
    size = page.page.viewport_size
    page.page.set_viewport_size({**size, "height": max(size["height"], round(panel.bounding_box()["height"]) + _LAB)})
    panel.evaluate("panel => panel.closest('.jp-Cell').scrollIntoView({block: 'start'})")
    page.page.wait_for_timeout(300)
    try:
        yield
    finally:
        page.page.set_viewport_size(size)


def _use_theme(page: NotebookPage, theme: str) -> None:
    named = f"JupyterLab {theme.capitalize()}"
    page.page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
        named,
    )
    page.page.locator(f'body[data-jp-theme-name="{named}"]').wait_for(state="attached", timeout=_WAIT_MS)
    # The colours of the new style sheet come a moment after its name.
    page.page.wait_for_timeout(700)
