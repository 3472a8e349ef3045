"""The inputs of a form for the typed parameters of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from tinymagic.widgets import look
from tinymagic.widgets.panel import field, html, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.widgets.models.parameter_form import Field


class ParameterInputs(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """An input for each field, with what the author says beside it. An empty one means the template's default."""

    children: Any

    def __init__(self) -> None:
        self._inputs: dict[str, ipywidgets.Widget] = {}
        super().__init__([])

    def show(self, fields: Sequence[Field]) -> None:
        """Make the inputs of another endpoint; what was typed into those before is gone."""
        before = self.children
        self._inputs = {each.name: _input(each) for each in fields}
        lines = [row(self._inputs[each.name], html(_about(each))) for each in fields]
        self.children = lines or [html('<div class="tm-quiet">This endpoint has no parameters.</div>')]
        for each in before:
            _close(each)

    def given(self) -> dict[str, Any]:
        """Return what the inputs hold, by name."""
        return {name: made.value for name, made in self._inputs.items()}


def _input(each: Field) -> ipywidgets.Widget:
    left = f"default: {each.default}" if each.default not in (None, "") else "not given"
    if each.choices and each.kind == "array":
        made = ipywidgets.SelectMultiple(options=each.choices, rows=min(len(each.choices), 6))
    elif each.choices:
        made = ipywidgets.Dropdown(options=[(left, ""), *((choice, choice) for choice in each.choices)], value="")
    elif each.kind == "boolean":
        made = ipywidgets.Dropdown(options=[(left, ""), ("true", True), ("false", False)], value="")
    elif each.kind == "date":
        made = ipywidgets.DatePicker()
    elif each.kind == "json":
        made = ipywidgets.Textarea(placeholder=each.hint, rows=3)
    else:
        made = ipywidgets.Text(placeholder=each.hint)
    # Names are letters, digits and underscores only (`fields_of`): older ipywidgets take labels for HTML.
    made = field(f"{each.name}{' *' * (each.required and each.default is None)}", made, width="360px")
    made.style.description_width = "140px"
    return made


def _about(each: Field) -> str:
    words = each.about()
    type_name, _, rest = words.partition(",")
    return f'{look.badge(type_name)} <span class="tm-quiet">{look.text(rest.strip())}</span>'


def _close(widget: ipywidgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()
