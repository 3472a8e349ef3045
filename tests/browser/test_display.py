"""What a result looks like: charts, hostile data, both themes."""

from __future__ import annotations

import pytest

from tests.browser.contrast import READABLE, contrast
from tests.browser.test_running import DELAYS, LOAD

HOSTILE = r"""%%tbsql
SELECT '<script>window.pwned = 1</script>' AS script,
       '<img src="x" onerror="window.pwned = 2">' AS image,
       '</td></table><svg onload="window.pwned = 3">' AS `<b onmouseover="window.pwned = 4">name`"""


@pytest.mark.parametrize(("kind", "dark"), [("lab", False), ("lab", True), ("notebook", False)])
def test_a_chart_draws(open_notebook, pictures, kind, dark):
    text = (
        "%%tbsql --plot line --color carrier\n"
        "SELECT toStartOfWeek(day) AS week, carrier, avg(delay) AS minutes\n"
        "FROM flights GROUP BY week, carrier ORDER BY week"
    )
    page = open_notebook(LOAD, text, kind=kind, dark=dark)
    page.run(0)
    page.run(1)
    chart = page.output(1).locator(".vega-embed canvas")
    chart.wait_for()
    colours = chart.evaluate(
        """canvas => {
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )
    assert colours > 4  # A line for each of the four carriers.
    page.picture(pictures / f"chart-{'dark' if dark else kind}.png", 1)


def test_hostile_data_does_nothing(open_notebook, pictures):
    control = 'from IPython.display import HTML\nHTML(\'<img src="x" onerror="window.acted = 1">\')'
    page = open_notebook(LOAD, HOSTILE, HOSTILE.replace("%%tbsql", "%%tbsql --type polars"), control)
    for number in range(4):
        page.run(number)
    # The last cell shows that such a tag acts in this page when nobody escapes it.
    page.page.wait_for_function("window.acted === 1")
    assert page.page.evaluate("typeof window.pwned") == "undefined"
    shown = page.output(1).inner_text()
    assert "<script>window.pwned = 1</script>" in shown
    assert '<img src="x" onerror="window.pwned = 2">' in shown
    assert '<b onmouseover="window.pwned = 4">name' in shown
    for number in (1, 2):
        made = page.output(number).locator(".jp-RenderedHTML").locator("img, svg, script, b")
        assert made.evaluate_all("elements => elements.map(each => each.outerHTML)") == []
    page.picture(pictures / "hostile-data.png", 1)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_texts_are_readable(open_notebook, pictures, dark):
    cut = "%%tbsql --limit 100\nSELECT * FROM flights ORDER BY day, carrier, origin, distance"
    page = open_notebook(LOAD, DELAYS, cut, "%%tbsql\nSELECT carier FROM flights", dark=dark)
    for number in range(4):
        page.run(number)
    page.output(3).locator("pre").wait_for()
    footer = page.output(1).locator(".tinymagic-result > p")
    notice = page.output(2).locator(".tinymagic-result > p")
    assert "showing 100 of at least" in notice.inner_text()
    texts = {
        "footer": footer,
        "notice": notice,
        "head": page.output(1).locator("th").nth(1),
        "value": page.output(1).locator("td").first,
        "greeting": page.output(0).locator("pre"),
    }
    unreadable = {name: value for name, text in texts.items() if (value := contrast(text)) < READABLE}
    assert not unreadable
    page.picture(pictures / f"result-{'dark' if dark else 'light'}.png", 1)
    page.picture(pictures / f"notice-{'dark' if dark else 'light'}.png", 2, 3)
