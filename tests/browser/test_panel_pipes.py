"""The panel of Pipes in a real front end: an endpoint is called from the form of its parameters, and drawn."""

from __future__ import annotations

import pytest

from tests.browser.panel_steps import choose, fill, open_panel, portraits, press, says

LATENESS = """%
SELECT day, round(avg(delay), 1) AS delay, count() AS flights
FROM flights
WHERE origin = {{String(origin, 'JFK', enum=['JFK', 'LGA', 'EWR'], description='airport of departure')}}
  AND day >= {{Date(since, '2026-01-01', description='first day')}}
  AND distance >= {{Int32(distance, 0, description='miles at least')}}
GROUP BY day ORDER BY day"""


@pytest.fixture
def lateness(workspace):
    """An endpoint with an enumeration, a date and a number."""
    name = "lateness_by_day"
    workspace.pipes.create(name, [{"name": "by_day", "sql": LATENESS, "type": "endpoint"}])
    yield name
    workspace.pipes.delete(name)


def test_an_endpoint_from_its_form(open_notebook, pictures, workspace, lateness):
    page, panel = open_panel(open_notebook, "%tinybird pipes")
    press(panel, lateness)
    says(panel, "airport of departure")
    choose(panel, "origin", "LGA")
    panel.locator("input[type=date]").fill("2026-03-15")
    fill(panel, "distance", "many")
    press(panel, "Run")
    says(panel, "distance")
    panel.locator(".tm-note.tm-error").wait_for()
    fill(panel, "distance", "500")
    press(panel, "Run")
    expected = workspace.pipes.data(lateness, params={"origin": "LGA", "since": "2026-03-15", "distance": 500})
    says(panel, f"{len(expected)} rows, ")
    rows = panel.get_by_label("Rows of the endpoint").locator("tbody tr")
    first = [each.strip() for each in rows.first.locator("td").all_inner_texts()]
    assert first == [f"{expected.day[0]:%Y-%m-%d}", str(expected.delay[0]), str(expected.flights[0])]
    press(panel, "Draw")
    image = panel.locator("img.widget-image")
    image.wait_for()
    page.page.wait_for_function("image => image.complete && image.naturalWidth > 300", arg=image.element_handle())
    says(panel, "origin=LGA")
    portraits(page, panel, pictures, "pipes")
