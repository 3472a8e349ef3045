"""The panel of Data Sources with very many of them, in a real front end: to search, to turn pages, to look at one."""

from __future__ import annotations

import time

import pytest

from tests.browser.panel_steps import open_panel, portraits, press, says

_COUNT = 5_000

#: Seconds in which the panel has answered whatever is typed or pressed; the search itself is in the kernel.
_PROMPT_S = 3

_SHOW = "import tinymagic\nfrom tinymagic.widgets import DataSources\nDataSources(tinymagic.connect())"

#: Making so many takes an embedded server minutes: the list that came from it is made longer.
_LENGTHEN = f"""from dataclasses import replace
panel = Out[2]
real = panel.model.sources
panel.model.sources = [*real, *(replace(real[n % len(real)], name=f"import_{{n:04}}") for n in range({_COUNT}))]
print(len(panel.model.sources))"""


@pytest.fixture
def orders(workspace):
    """A Data Source that is there."""
    name = "orders_of_february"
    workspace.datasources.create(name, schema="at DateTime, amount Float64", sorting_key="at")
    yield name
    workspace.datasources.delete(name)


def test_search_among_many(open_notebook, pictures, orders):
    page, panel = open_panel(open_notebook, _SHOW, _LENGTHEN)
    says(panel, "1 to ")
    page.run(2)
    count = int(page.output(2).inner_text())
    assert count > _COUNT
    says(panel, f"1 to 12 of {count:,}")
    buttons = panel.locator(".tm-row-button").locator("visible=true")
    assert buttons.count() == 12
    panel.locator("button[title='Next page']").click()
    says(panel, f"13 to 24 of {count:,}")
    search = panel.get_by_placeholder("Search Data Sources")
    _answers_soon(search, "import_02", panel, "1 to 12 of 100")
    assert buttons.first.inner_text().strip() == "import_0200"
    portraits(page, panel, pictures, "search")
    _answers_soon(search, "ders feb", panel, "1 to 1 of 1")
    press(panel, orders)
    says(panel, "sorting key")
    # What a page draws does not grow with the number of Data Sources.
    assert page.output(1).locator("*").count() < 2_000
    # One that is gone by now is a sentence.
    search.fill("import_0042")
    press(panel, "import_0042")
    panel.locator(".tm-note.tm-error", has_text="import_0042").wait_for()


def _answers_soon(search, words, panel, said):
    search.fill("")
    started = time.monotonic()
    search.press_sequentially(words, delay=30)
    says(panel, said)
    assert search.input_value() == words
    assert time.monotonic() - started < _PROMPT_S
