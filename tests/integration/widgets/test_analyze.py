"""The panel that turns files into Data Sources: looked at, mended, created, stored, and what went into quarantine."""

from __future__ import annotations

import datetime as dt

import ipywidgets
import pytest

from tests.integration.widgets.states import all_widgets
from tinymagic.widgets.models.analyze import AnalyzeModel
from tinymagic.widgets.panels.analyze import Analyze
from tinymagic.widgets.work import Work

NAME = "widgetanalyze_trips"
CSV = "day,city,fare,note\n" + "".join(
    f"2026-01-{day:02},Rome,{day}.5,<img src=x onerror=alert({day})>\n" for day in range(1, 29)
)


@pytest.fixture
def panel(workspace):
    """The panel, which does everything at once."""
    made = Analyze(model=AnalyzeModel(workspace, work=Work(at_once=True)))
    yield made
    made.close()
    for name in (NAME, f"{NAME}_2"):
        if name in [each.name for each in workspace.datasources.list()]:
            workspace.datasources.delete(name)


@pytest.fixture
def path(tmp_path):
    """A CSV file with hostile cells."""
    made = tmp_path / f"{NAME}.csv"
    made.write_text(CSV)
    return made


def look_at(panel, path):
    panel._path.value = str(path)
    panel._on_path()


def upload(panel, *files):
    """What the front end does when files were chosen."""
    if int(ipywidgets.__version__.split(".")[0]) < 8:
        panel._upload.set_trait("value", {name: {"content": content, "metadata": {}} for name, content in files})
        return
    now = dt.datetime.now(dt.timezone.utc)
    panel._upload.value = tuple(
        {"name": name, "content": memoryview(content), "size": len(content), "type": "", "last_modified": now}
        for name, content in files
    )


def test_from_a_path_to_rows(panel, path, workspace):
    look_at(panel, path)
    assert panel.model.message_kind == "done"
    assert panel._name.value == NAME
    assert "`day` Date" in panel._schema.value
    assert "onerror=alert" not in panel._preview.value.replace("&lt;img src=x onerror=alert", "")
    assert "delimiter" in panel._dialect.value
    panel.model.create()
    assert panel.model.message == f"{NAME} was made. 28 rows are stored."
    assert workspace.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [28]


def test_a_type_is_mended(panel, path, workspace):
    look_at(panel, path)
    fare = next(line for line in panel._editor._lines if "fare" in line.name.value)
    fare.type.value = "Strnig"
    assert "Did you mean String?" in fare.facts.value
    panel.model.create()
    assert panel.model.message_kind == "error"
    assert NAME not in [each.name for each in workspace.datasources.list()]
    fare.type.value = "Decimal(18, 2)"
    panel.model.create()
    types = {each.name: each.type for each in workspace.datasources.get(NAME).columns}
    assert types["fare"] == "Decimal(18, 2)"


def test_quarantine_tells_why(panel, tmp_path, workspace):
    path = tmp_path / "bad.csv"
    path.write_text("day,fare\n" + "2026-01-01,1\n" * 5)
    look_at(panel, path)
    path.write_text("day,fare\n" + "2026-01-01,1\n" * 5 + "2026-01-02,many\n" * 2)
    panel._name.value = NAME
    panel.model.create()
    assert panel.model.message_kind == "warning"
    assert "2 are in quarantine" in panel.model.message
    assert "fare" in panel._report.value
    assert "Why rows are in quarantine" in panel._report.value


def test_uploads_leave_nothing_in_the_widget(panel, workspace):
    upload(
        panel,
        ("<b>up</b>.ndjson", b'{"a": 1, "b": {"c": "x"}}\n{"a": 2, "b": {"c": "y"}}\n'),
        ("more.ndjson", b'{"a": 3, "b": {"c": "z"}}\n'),
    )
    assert not panel._upload.value
    assert "`b_c` String" in panel._schema.value
    assert "<b>" not in panel._message.value
    panel._name.value = NAME
    panel.model.create()
    assert workspace.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [3]


def test_parquet(panel, tmp_path, workspace):
    import pandas as pd

    path = tmp_path / "rows.parquet"
    pd.DataFrame({"n": range(100), "word": ["a", "b"] * 50}).to_parquet(path)
    look_at(panel, path)
    panel._name.value = NAME
    panel.model.create()
    assert workspace.sql(f"SELECT sum(n) AS n FROM {NAME}").n.tolist() == [4_950]


def test_what_is_not_there(panel):
    look_at(panel, "/no/such/file.csv")
    assert (panel.model.message_kind, "/no/such/file.csv" in panel.model.message) == ("error", True)
    look_at(panel, "")
    assert panel.model.message_kind == "error"
    look_at(panel, "http://127.0.0.1:9/nothing.csv")
    assert panel.model.message_kind == "error"
    panel.model.create()
    assert "Look at a file first" in panel.model.message


def test_the_datafile(panel, path, tmp_path):
    look_at(panel, path)
    panel._folder.value = str(tmp_path)
    panel._on_write()
    written = tmp_path / "datasources" / f"{NAME}.datasource"
    assert written.read_text().startswith("SCHEMA >\n    `day` Date,\n")
    written.write_text("mine")
    panel._on_write()
    assert written.read_text() == "mine"
    panel._confirmation._yes.click()
    assert written.read_text() != "mine"


def test_many_columns_are_paged(panel, tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{n}" for n in range(300)) + "\n" + ",".join("1" for _ in range(300)) + "\n")
    look_at(panel, path)
    made = len(all_widgets())
    panel._editor._on.click()
    assert "13 to 24 of 300" in panel._editor._count.value
    assert len(all_widgets()) == made
    panel._editor._lines[0].type.value = "String"
    assert panel.model.draft.columns[12].type == "String"
