"""The part of the panel of Pipes that calls an endpoint: form, rows, chart, the call written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look
from tinymagic.widgets.frame_table import table_of
from tinymagic.widgets.models.pipes import LIMIT, can_draw
from tinymagic.widgets.panel import button, field, html, row
from tinymagic.widgets.panels.parameter_inputs import ParameterInputs

if TYPE_CHECKING:
    from tinymagic.widgets.models.pipes import Outcome, PipesModel

_MARKS = ("line", "bar", "area", "scatter", "hist")

#: Rows that are shown.
_SHOWN = 20

#: More columns than this are no choice.
_COLUMNS = 200

_NO_CHARTS = "Charts need Altair and vl-convert: pip install 'tinymagic[plot]'."


class EndpointRun(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """Call the endpoint that the model has chosen.

    Args:
        model: of the panel.
    """

    def __init__(self, model: PipesModel) -> None:
        self._model = model
        self.inputs = ParameterInputs()
        self.limit = field("Rows at most", ipywidgets.BoundedIntText(value=LIMIT, min=1, max=1_000_000), width="260px")
        self._facts, self._rows, self._calls = html(), html(), html()
        self.mark = field("Chart", ipywidgets.Dropdown(options=_MARKS), width="170px")
        self.x = field("x", ipywidgets.Dropdown(options=[("a column that suits", "")]), width="220px")
        self.y = field("y", ipywidgets.Dropdown(options=[("all numbers", "")]), width="220px")
        for axis in (self.x, self.y):
            axis.style.description_width = "20px"
        self.mark.style.description_width = "50px"
        draw = button("Draw", self._on_draw, icon="bar-chart", tip="Draw the rows of the last run")
        self._chart_row = row(self.mark, self.x, self.y, draw)
        self._no_charts = html(f'<div class="tm-quiet">{look.text(_NO_CHARTS)}</div>')
        (self._no_charts if can_draw() else self._chart_row).layout.display = "none"
        self._image_place = ipywidgets.VBox([])
        run = button("Run", self._on_run, icon="play", kind="primary", tip="Call the endpoint with these values")
        self._result = ipywidgets.VBox(
            [
                self._facts,
                self._rows,
                html(look.section("Chart")),
                self._chart_row,
                self._no_charts,
                self._image_place,
                self._calls,
            ]
        )
        self._form = ipywidgets.VBox([self.inputs, row(run, self.limit), self._result])
        self._nothing = html(look.empty("Only endpoints can be called: publish a node of this Pipe first."))
        super().__init__([self._form, self._nothing])
        model.observe(lambda _: self._draw_form(), "details")
        model.observe(lambda _: self._draw_outcome(), "outcome")
        model.observe(lambda _: self._draw_picture(), "picture")
        self._draw_form()
        self._draw_outcome()

    def static(self) -> str:
        """Return what a saved notebook shows of the last call, HTML."""
        return "" if self._model.outcome is None else self._facts.value + self._rows.value + self._picture_html()

    def _draw_form(self) -> None:
        details = self._model.details
        is_endpoint = details is not None and bool(details.pipe.endpoint)
        self._form.layout.display = None if is_endpoint else "none"
        self._nothing.layout.display = "none" if is_endpoint else None
        self.inputs.show(details.fields if details is not None else ())

    def _draw_outcome(self) -> None:
        outcome = self._model.outcome
        self._result.layout.display = "none" if outcome is None else None
        if outcome is None:
            self._facts.value = self._rows.value = self._calls.value = ""
            return
        from tinymagic.notebook.display import footer_text

        self._facts.value = look.section("Rows") + look.note(footer_text(outcome.facts), "done")
        self._rows.value = (
            table_of(outcome.frame, most=_SHOWN, label="Rows of the endpoint")
            if len(outcome.frame)
            else look.empty("The endpoint gave no rows for these values.")
        )
        self._calls.value = _calls(outcome)
        names = [str(name) for name in outcome.frame.columns[:_COLUMNS]]
        for axis, first in ((self.x, "a column that suits"), (self.y, "all numbers")):
            before = axis.value
            axis.options = [(first, ""), *((name, name) for name in names)]
            axis.value = before if before in names else ""

    def _draw_picture(self) -> None:
        before = self._image_place.children
        picture = self._model.picture
        # An image without bytes would be shown as a broken one.
        self._image_place.children = [ipywidgets.Image(value=picture, format="png", width=620)] if picture else []
        for each in before:
            each.close()

    def _picture_html(self) -> str:
        import base64

        picture = self._model.picture
        if not picture:
            return ""
        data = base64.b64encode(picture).decode()
        return f'<img width="620" alt="Chart of the rows" src="data:image/png;base64,{data}">'

    def _on_run(self) -> None:
        self._model.call(self.inputs.given(), limit=self.limit.value)

    def _on_draw(self) -> None:
        y = (self.y.value,) if self.y.value else ()
        self._model.draw(self.mark.value, self.x.value, y)


def _calls(outcome: Outcome) -> str:
    hint = "The token is not in them: set TB_TOKEN to one that may read this Pipe."
    parts = [look.section("Call it from elsewhere"), f'<div class="tm-quiet">{look.text(hint)}</div>']
    for what, words in (("URL:", outcome.url), ("Shell:", outcome.curl), ("Python:", outcome.python)):
        parts.append(look.code(words, what))
    return "".join(parts)
