"""The panel of Data Sources: list, details, append, quarantine, deletions; hostile names and rows."""

from __future__ import annotations

import pytest

from tests.integration.widgets.states import all_widgets
from tinymagic.widgets.models.datasources import DataSourcesModel
from tinymagic.widgets.panels.datasources import DataSources
from tinymagic.widgets.work import Work

NAME = "widgetsources_trips"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def trips(workspace):
    """A Data Source with two rows, one of them hostile."""
    workspace.datasources.create(NAME, "day Date, fare Float64, note Nullable(String)", sorting_key="day")
    workspace.datasources.append(
        NAME, [{"day": "2026-01-01", "fare": 1.5, "note": HOSTILE}, {"day": "2026-01-02", "fare": 2}]
    )
    yield workspace
    if NAME in [each.name for each in workspace.datasources.list()]:
        workspace.datasources.delete(NAME)


@pytest.fixture
def panel(trips):
    """The panel, which does everything at once, with the Data Source chosen."""
    made = DataSources(model=DataSourcesModel(trips, work=Work(at_once=True)))
    made.model.select(NAME)
    yield made
    made.close()


def test_the_list(panel):
    panel._list.search.value = "widgetsources"
    assert [each.description for each in panel._list._buttons if each.layout.display != "none"] == [NAME]
    assert "MT" in panel._list._cells.value
    panel._list.search.value = "nothing of this name"
    assert "has this in its name" in panel._list._nothing.value


def test_details(panel):
    assert "sorting key" in panel._facts.value
    assert "Nullable(String)" in panel._columns.value
    assert '<span class="tm-quiet">key</span>' in panel._columns.value
    assert "&lt;img src=x" in panel._preview.value
    assert HOSTILE not in panel._preview.value
    assert "No row is in quarantine" in panel._quarantine.value
    assert panel.model.line == f"%tinybird datasource show {NAME}"


def test_append_and_quarantine(panel, trips, tmp_path):
    path = tmp_path / "more.csv"
    path.write_text("day,fare,note\n2026-01-03,3,a\nnonsense,4,b\n")
    panel._path.value = str(path)
    panel.model.append(panel._path.value)
    assert panel.model.message_kind == "warning"
    assert "1 row in quarantine" in panel.model.message
    assert "nonsense" in panel._quarantine.value
    assert trips.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [3]
    panel.model.append("/no/such/file.csv")
    assert panel.model.message_kind == "error"
    assert "/no/such/file.csv" in panel.model.message


def test_deletions_ask(panel, trips):
    panel._condition.value = "fare > 1.9"
    panel._ask_delete()
    assert "1 row" in panel._confirmation._question.value
    assert trips.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [2]
    panel._confirmation._yes.click()
    assert trips.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [1]
    panel._ask_truncate()
    panel._confirmation._no.click()
    assert trips.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [1]
    panel._ask_truncate()
    panel._confirmation._yes.click()
    assert trips.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [0]
    panel._ask_drop()
    panel._confirmation._yes.click()
    assert NAME not in [each.name for each in trips.datasources.list()]
    assert panel._details.layout.display == "none"


def test_what_depends_on_it_is_told_before(panel, trips):
    trips.pipes.create("widgetsources_reader", f"SELECT * FROM {NAME}")
    try:
        panel._ask_drop()
        assert "widgetsources_reader" in panel._confirmation._question.value
        panel._confirmation._yes.click()
        assert panel.model.message_kind == "error"
        assert NAME in [each.name for each in trips.datasources.list()]
    finally:
        trips.pipes.delete("widgetsources_reader")


def test_a_bad_condition(panel):
    panel._condition.value = "nope > 1"
    panel._ask_delete()
    assert panel.model.message_kind == "error"
    assert "nope" in panel.model.message
    panel._condition.value = ""
    panel._ask_delete()
    assert "condition" in panel.model.message


def test_datafile_and_cell(panel):
    panel._tabs.selected_index = 4
    assert "SCHEMA &gt;" in panel._datafile.value
    given = []
    panel._on_new_cell = given.append
    panel._new_cell()
    assert given == [f"%%tbsql\nSELECT day, fare, note\nFROM {NAME}\nLIMIT 100"]


def test_a_saved_notebook_says_something(panel):
    bundle = panel._static_bundle()
    assert NAME in bundle["text/html"]
    assert "Nullable(String)" in bundle["text/html"]
    assert NAME in bundle["text/plain"]


def test_five_thousand(workspace, monkeypatch):
    """P10: a key in the search asks nothing and makes no widget."""
    panel = DataSources(model=DataSourcesModel(workspace, work=Work(at_once=True)))
    sources = list(panel.model.sources) or [workspace.datasources.create("widgetsources_one", "n Int8")]
    from dataclasses import replace

    panel.model.sources = [replace(sources[0], name=f"many_{n}") for n in range(5_000)]
    asked = []
    monkeypatch.setattr(panel.model, "run", lambda *given, **more: asked.append(given))
    made = len(all_widgets())
    for text in ("m", "ma", "many_49", "many_4999"):
        panel._list.search.value = text
    assert panel._list._buttons[0].description == "many_4999"
    assert (asked, len(all_widgets())) == ([], made)
    panel.close()
