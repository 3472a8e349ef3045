"""The view that all panels share: head, message, progress, the same as a line, and what a saved notebook shows.

A panel leaves two outputs in its cell: the widget, and beside it plain HTML and text that say the same. While the
widget lives its style sheet hides the second one, so that only a notebook that is reopened, exported or shown on a page
shows it. It is written anew whenever something changes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import ipywidgets
from traitlets import Unicode

from tinymagic.api.http.redaction import Secret
from tinymagic.widgets import look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.widgets.models.panel_model import PanelModel

_numbers = itertools.count(1)

#: Seconds that a cell waits for a panel's first answer, at most.
_SETTLE_S = 1.0


class Panel(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """A panel. Show it by ending a cell with it.

    Args:
        model: what it shows; the panel closes it with itself.
        title: of the head.
        parts: the panel's own widgets, from top to bottom.
    """

    def __init__(self, model: PanelModel, title: str, parts: Sequence[ipywidgets.Widget]) -> None:
        self.model = model
        self._title = title
        self._number = f"tm-static-{next(_numbers)}-{id(model):x}"
        self._shown: Any = None
        self._holder: Panel | None = None
        self._head = ipywidgets.HTML()
        self._message = ipywidgets.HTML()
        self._progress = ipywidgets.HTML()
        self._line = ipywidgets.HTML()
        self._cancel = button("Cancel", self.model.cancel, icon="stop", tip="End what is being done")
        style = ipywidgets.HTML(f"<style>{look.STYLE}\n.{self._number} {{ display: none; }}</style>")
        style.layout.display = "block"
        style.layout.height = "0"
        style.layout.margin = "0"
        bottom = row(self._progress, self._cancel)
        bottom.layout.justify_content = "flex-start"
        super().__init__([style, self._head, *parts, bottom, self._message, self._line])
        self.add_class("tm-panel")
        model.observe(self._on_change, ["busy", "percent", "message", "message_kind", "line"])
        self._on_change(None)

    # To be said by each panel

    def about(self) -> str:
        """Return what stands beside the title; the name of the Workspace's host by default."""
        workspace = self.model.workspace
        return workspace.host.split("://")[-1] if workspace is not None else "not connected"

    def static(self) -> tuple[str, str]:
        """Return what a saved notebook shows of the panel's content: HTML, and the same as text."""
        return "", ""

    # What all do

    def changed(self) -> None:
        """Write the saved form anew; panels call it when their content has changed."""
        self._head.value = look.head(self._title, self.about())
        if self._shown is not None:
            self._shown.update(self._static_bundle(), raw=True)
        if self._holder is not None:
            self._holder.changed()

    def stand_in(self, holder: Panel) -> None:
        """Stand inside another panel, which has the head and tells the saved form."""
        self._holder = holder
        self._head.layout.display = "none"
        holder.changed()

    def settle(self) -> None:
        """Wait a moment for what is being asked, so that the saved form begins with the answer."""
        self.model.work.wait(_SETTLE_S)

    def close(self) -> None:
        """Take the panel away; what it is doing ends. Its saved form stays."""
        self.model.close()
        for child in self.children:
            _close(child)
        super().close()

    def _ipython_display_(self, **_: Any) -> None:
        from IPython.display import display

        version = {"version_major": 2, "version_minor": 0}
        view = {"application/vnd.jupyter.widget-view+json": {**version, "model_id": self.model_id}}
        show: Any = display
        show({**view, "text/plain": f"tinymagic: {self._title}"}, raw=True)
        # What runs cells without a front end keeps only what was there when the cell ended.
        self.settle()
        self._shown = show(self._static_bundle(), raw=True, display_id=True)

    def _static_bundle(self) -> dict[str, str]:
        content, words = self.static()
        line = self.model.line
        parts = [look.head(self._title, self.about()), content, look.note(self.model.message, self.model.message_kind)]
        parts.append(look.code(line, "The same as a line:"))
        texts = [f"{self._title} ({self.about()})", words, self.model.message, line]
        return {
            "text/html": f'<div class="tm-panel {self._number}">{"".join(parts)}</div>',
            "text/plain": "\n".join(text for text in texts if text),
        }

    def _on_change(self, _: Any) -> None:
        model = self.model
        self._progress.value = look.bar(model.percent) if model.busy else ""
        self._progress.layout.width = "220px" if model.busy else "0"
        self._cancel.layout.display = None if model.busy else "none"
        self._message.value = look.note(model.message, model.message_kind)
        self._line.value = look.code(model.line, "The same as a line:")
        self.changed()


def _close(made: ipywidgets.Widget) -> None:
    """Close a widget and what is in it; a panel ends its own work as well."""
    if not isinstance(made, Panel):
        for child in getattr(made, "children", ()):
            _close(child)
    made.close()


# --- the widgets that panels are made of ------------------------------------------------------------------------------


def button(
    label: str, on_click: Callable[[], object], *, icon: str = "", kind: str = "", tip: str = ""
) -> ipywidgets.Button:
    """Return a button.

    Args:
        label: on it.
        on_click: called without arguments.
        icon: of Font Awesome, for instance ``plus``.
        kind: ``primary`` or ``danger``.
        tip: what it does, for the mouse and for screen readers.
    """
    made = ipywidgets.Button(description=label, icon=icon, button_style=kind, tooltip=tip or label)
    made.layout.width = "auto"
    made.on_click(lambda _: on_click())
    return made


def row(*parts: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return widgets side by side; they wrap where the notebook is narrow."""
    made = ipywidgets.HBox(list(parts))
    made.layout.flex_flow = "row wrap"
    made.layout.align_items = "center"
    return made


def field(label: str, made: ipywidgets.Widget, *, width: str = "320px") -> ipywidgets.Widget:
    """Label an input; labels of all panels have the same width."""
    made.description = label
    made.style.description_width = "110px"
    made.layout.width = width
    return made


def toggles(label: str, options: Sequence[tuple[str, str]]) -> tuple[ipywidgets.HBox, ipywidgets.ToggleButtons]:
    """Return a choice of a few as buttons: the line with its label, and the buttons that have the value."""
    made = ipywidgets.ToggleButtons(options=options)
    made.style.button_width = "auto"
    made.tooltips = [f"{label}: {words}" for words, _ in options]
    # Their own label would stand above them.
    name = ipywidgets.Label(label)
    name.layout.width = "110px"
    name.layout.display = "flex"
    name.layout.justify_content = "flex-end"
    return row(name, made), made


class SecretInput(ipywidgets.Password):  # type: ignore[misc] # ipywidgets ships no types.
    """A field for a token: what is pasted comes when the field is left or Enter pressed, and is taken out at once.

    Args:
        on_secret: gets it; the field is empty by then.
        placeholder: in the empty field.
    """

    # ipywidgets 8 sends what comes from the browser to all front ends once more, unless it is told not to.
    value = Unicode("", help="what was typed").tag(sync=True, echo_update=False)

    def __init__(self, on_secret: Callable[[Secret], object], *, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, continuous_update=False)
        self._on_secret = on_secret
        self.observe(lambda _: self.take(), "value")

    def take(self) -> None:
        """Hand over what is in the field, and empty it."""
        secret = Secret(self.value.strip())
        if secret or self.value:
            self.value = ""
        if secret:
            self._on_secret(secret)


def html(value: str = "") -> ipywidgets.HTML:
    """Return a place for HTML that `look` has made."""
    return ipywidgets.HTML(value)


class Confirmation(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """A question with two buttons, which appears before something is lost."""

    def __init__(self) -> None:
        self._question = html()
        self._yes = ipywidgets.Button(button_style="danger")
        self._yes.layout.width = "auto"
        self._no = button("Keep it", self.hide)
        self._then: Callable[[], object] | None = None
        self._yes.on_click(lambda _: self._on_yes())
        super().__init__([self._question, row(self._yes, self._no)])
        self.hide()

    def ask(self, question: str, answer: str, then: Callable[[], object]) -> None:
        """Ask; *then* is called when the button *answer* is pressed."""
        self._question.value = look.note(question, "warning")
        self._yes.description = self._yes.tooltip = answer
        self._then = then
        self.layout.display = None

    def hide(self) -> None:
        """Take the question away."""
        self._then = None
        self.layout.display = "none"

    def _on_yes(self) -> None:
        then = self._then
        self.hide()
        if then is not None:
            then()
