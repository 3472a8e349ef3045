"""The panel that turns files into Data Sources, in a real front end: chosen, looked at, mended, stored."""

from __future__ import annotations

import uuid

import pytest

from tests.browser.panel_steps import SHOW, fill, no_script_ran, open_panel, portraits, press, says, turn_to, upload

_EVIL = "<img src=x onerror=window.pwned=1>"

_TRIPS = [
    {"day": f"2026-03-{day:02}", "city": city, "fare": day + 0.5, "note": note}
    for day in range(1, 29)
    for city, note in (("Rome", "by the bridge"), ("Madrid", _EVIL))
]


def _csv(path):
    lines = [",".join(map(str, each.values())) for each in _TRIPS]
    path.write_text("\n".join(["day,city,fare,note", *lines, ""]))


def _ndjson(path):
    import json

    path.write_text("".join(json.dumps(each) + "\n" for each in _TRIPS))


def _parquet(path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(_TRIPS), path)


@pytest.fixture
def name(workspace):
    """The name of a Data Source that is not there yet, and goes with the test."""
    made = f"trips_{uuid.uuid4().hex[:8]}"
    yield made
    if made in [each.name for each in workspace.datasources.list()]:
        workspace.datasources.delete(made)


def _types(workspace, name):
    return {each.name: each.type for each in workspace.datasources.get(name).columns}


@pytest.mark.parametrize(
    ("write", "file"), [(_csv, "trips.csv"), (_ndjson, "trips.ndjson"), (_parquet, "trips.parquet")]
)
def test_from_a_file_to_rows(open_notebook, workspace, tmp_path, name, write, file):
    write(tmp_path / file)
    page, panel = open_panel(open_notebook, SHOW.format(name="Analyze"))
    upload(panel, tmp_path / file)
    says(panel, "columns were found")
    fill(panel, "Name", name)
    fare = panel.locator("input[title='Type of fare'], [title='Type of fare'] input").first
    fare.fill("Decimal(18, 2)")
    fare.press("Tab")
    turn_to(panel, "Rows")
    says(panel, _EVIL)
    turn_to(panel, "Schema")
    says(panel, "`fare` Decimal(18, 2)")
    press(panel, "Create and append")
    says(panel, "56 rows are stored")
    assert _types(workspace, name)["fare"] == "Decimal(18, 2)"
    assert workspace.sql(f"SELECT count() AS n, sum(fare) AS fares FROM {name}").n.tolist() == [56]
    assert panel.locator("img, script").count() == 0
    assert no_script_ran(page)


def test_several_files_and_their_quarantine(open_notebook, pictures, workspace, tmp_path):
    """What fits is stored, and the panel tells why the rest is not."""
    _csv(tmp_path / "trips.csv")
    more = [
        "day,city,fare,note",
        "2026-04-01,Oslo,12.5,by bus",
        "2026-04-02,Oslo,a lot,by taxi",
        "soon,Oslo,3.5,on foot",
    ]
    (tmp_path / "more.csv").write_text("\n".join([*more, ""]))
    name = "trips_in_march"
    page, panel = open_panel(open_notebook, SHOW.format(name="Analyze"))
    upload(panel, tmp_path / "trips.csv", tmp_path / "more.csv")
    says(panel, "columns were found")
    fill(panel, "Name", name)
    press(panel, "Create and append")
    says(panel, "57 rows are stored, 2 are in quarantine")
    reasons = panel.get_by_label("Reasons", exact=True)
    reasons.get_by_text("a lot").wait_for()
    reasons.get_by_text("soon").wait_for()
    assert reasons.locator("tbody tr").count() == 2
    portraits(page, panel, pictures, "analyze")
    assert workspace.sql(f"SELECT count() AS n FROM {name}_quarantine").n.tolist() == [2]
    workspace.datasources.delete(name)
