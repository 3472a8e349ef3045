"""What a person does in a notebook of JupyterLab or Notebook 7, with Playwright."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_START_MS = 60_000
_RUN_S = 30
_COLOUR_S = 10

#: CSS pixels around what is in a picture; more would show a piece of the next cell.
_MARGIN = 3


@dataclass(frozen=True)
class NotebookPage:
    """An open notebook.

    Attributes:
        page: Playwright's.
        kind: ``lab`` or ``notebook``.
    """

    page: Any
    kind: str

    def open(self, address: str) -> None:
        """Go to *address* and wait until the kernel is ready."""
        self.page.goto(address)
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=_START_MS)
        # A cell that is run before the kernel is there is forgotten.
        self.page.wait_for_function(
            """() => {
                const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
                return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
            }""",
            timeout=_START_MS,
        )

    def cell(self, number: int) -> Any:
        """Return the cell, from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def editor(self, number: int) -> Any:
        """Return the text area of a cell."""
        return self.cell(number).locator(".cm-content").first

    def output(self, number: int) -> Any:
        """Return what a cell gave."""
        return self.cell(number).locator(".jp-Cell-outputArea")

    def prompt(self, number: int) -> str:
        """Return what stands before a cell: ``[1]:``, ``[*]:`` while it runs, ``[ ]:`` when it never ran."""
        text: str = self.cell(number).locator(".jp-InputPrompt").inner_text()
        return text

    def type(self, number: int, text: str) -> None:
        """Put *text* in place of a cell's, key by key."""
        self.editor(number).click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.type(text)

    def run(self, number: int, *, wait: bool = True) -> None:
        """Run a cell, and wait until it ends."""
        before = self.prompt(number)
        self.editor(number).click()
        self.page.keyboard.press("Control+Enter")
        if wait:
            self.wait_run(number, before)

    def wait_run(self, number: int, before: str = "") -> None:
        """Wait until a cell that was started has its number, another than that in the prompt *before*."""
        end = time.monotonic() + _RUN_S
        while (prompt := self.prompt(number)) == before or not re.fullmatch(r"\[\d+\]:", prompt):
            assert time.monotonic() < end, f"cell {number} has not ended: {prompt}"
            self.page.wait_for_timeout(50)

    def run_all(self) -> None:
        """Run all cells, by the menu."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def interrupt(self) -> None:
        """Press the button of the toolbar that stops the kernel's work."""
        self.page.locator('[data-jp-item-name="interrupt"]').first.click()

    def has_colour(self, number: int, word: str, colour: str) -> bool:
        """Return whether *word* in the text of a cell has a CSS colour, or gets it within a few seconds."""
        end = time.monotonic() + _COLOUR_S
        # Languages are loaded when a cell needs them first.
        while self.colour(number, word) != colour and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        return self.colour(number, word) == colour

    def keep_outputs(self, number: int) -> None:
        """From now on keep every text that a cell's output has for a moment; `kept_outputs` returns them."""
        self.cell(number).evaluate(
            """cell => {
                window.kept = [];
                const keep = () => window.kept.push(cell.querySelector('.jp-Cell-outputArea')?.innerText ?? '');
                new MutationObserver(keep).observe(cell, {childList: true, subtree: true, characterData: true});
            }"""
        )

    def kept_outputs(self) -> list[str]:
        """Return the texts that `keep_outputs` kept, in order."""
        found: list[str] = self.page.evaluate("window.kept")
        return found

    def colour(self, number: int, word: str) -> str:
        """Return the CSS colour of *word* in the text of a cell; waits until the text is drawn."""
        self.editor(number).get_by_text(word).first.wait_for()
        found: str = self.editor(number).evaluate(
            """(content, word) => {
                const walker = document.createTreeWalker(content, NodeFilter.SHOW_TEXT);
                while (walker.nextNode() && !walker.currentNode.data.includes(word)) {}
                return getComputedStyle(walker.currentNode.parentElement).color;
            }""",
            word,
        )
        return found

    def theme_colour(self, name: str) -> str:
        """Return the colour that CodeMirror's theme has for something, for instance ``keyword``."""
        found: str = self.page.evaluate(
            """name => {
                const probe = document.body.appendChild(document.createElement('span'));
                probe.style.color = `var(--jp-mirror-editor-${name}-color)`;
                const colour = getComputedStyle(probe).color;
                probe.remove();
                return colour;
            }""",
            name,
        )
        return found

    def picture(self, path: Path, first: int = 0, last: int | None = None) -> None:
        """Keep a picture of the cells from *first* to *last*, with what they gave; the mouse is out of the way."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)
        self.cell(first).evaluate("cell => cell.scrollIntoView({block: 'start'})")
        panel = self.page.locator(".jp-Notebook").bounding_box()
        top = self.cell(first).bounding_box()
        popups = self.page.locator(".jp-Completer:not(.lm-mod-hidden)").all()
        boxes = [each.bounding_box() for each in (self.cell(first if last is None else last), *popups)]
        bottom = max(box["y"] + box["height"] for box in boxes)
        y = max(top["y"] - _MARGIN, panel["y"])
        height = min(bottom + _MARGIN, panel["y"] + panel["height"]) - y
        self.page.screenshot(path=str(path), clip={**top, "y": y, "height": height})
