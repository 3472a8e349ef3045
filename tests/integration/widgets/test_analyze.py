"""The panel that turns files into Data Sources: looked at, mended, created, stored, and what went into quarantine."""

from __future__ import annotations

import datetime as dt
import functools
import http.server
import shlex
import threading
import time
import tracemalloc

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
    if NAME in [each.name for each in workspace.datasources.list()]:
        workspace.datasources.delete(NAME)


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
    assert panel._dialect["delimiter"].value == ","
    assert ">Date<" in panel._preview.value  # The types stand above the rows.
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
    assert panel.model.message == f"{NAME} was made. 5 rows are stored, 2 are in quarantine."
    assert "not all stored" in panel._report.value
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


def actions(panel):
    """The buttons of a panel, by what is on them."""
    found, left = {}, [panel]
    while left:
        each = left.pop()
        left += getattr(each, "children", ())
        if isinstance(each, ipywidgets.Button):
            found[each.description] = each
    return found


def test_the_buttons(panel, path, tmp_path, workspace):
    panel._path.value = str(path)
    actions(panel)["Look at it"].click()
    panel._folder.value = str(tmp_path)
    actions(panel)["Write .datasource file"].click()
    assert (tmp_path / "datasources" / f"{NAME}.datasource").is_file()
    actions(panel)["Create and append"].click()
    assert workspace.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [28]
    assert "What became of the rows" in panel._report.value


def test_the_line_does_the_same(panel, path, workspace, monkeypatch):
    monkeypatch.chdir(path.parent)
    look_at(panel, path.name)
    assert panel.model.line == f"%tinybird analyze {path.name}"
    panel._editor._lines[1].included.value = False
    panel.model.create()
    words = shlex.split(panel.model.line)
    assert words[:6] == ["%tinybird", "datasource", "create", NAME, "--file", path.name]
    assert words[words.index("--schema") + 1] == panel.model.draft.schema.replace("\n", " ")
    assert words[words.index("--sorting-key") + 1] == panel.model.draft.sorting_key == "day"
    assert [each.name for each in workspace.datasources.get(NAME).columns] == ["day", "fare", "note"]
    assert workspace.sql(f"SELECT sum(fare) AS n FROM {NAME}").n.tolist() == [sum(range(1, 29)) + 14]


def test_engine_keys_and_ttl(panel, path, workspace):
    look_at(panel, path)
    table = panel._table
    assert table.partition_key.value == "toYear(day)"
    assert "day + toIntervalDay(30)" in table.ttl.options
    table.engine.value = "VersionedCollapsingMergeTree"
    assert "needs a sign column" in panel._problems.value
    panel.model.create()
    assert (panel.model.message_kind, "sign column" in panel.model.message) == ("error", True)
    table.engine.value = "ReplacingMergeTree"
    assert "sign" not in panel._problems.value
    assert table.options["ver"].layout.display is None
    assert table.options["sign"].layout.display == "none"
    table.options["ver"].value = "day"
    table.sorting_key.value = "city"
    table.ttl.value = "day + toIntervalYear(90)"
    panel.model.create()
    assert panel.model.message_kind == "done", panel.model.message
    engine = workspace.datasources.get(NAME).engine
    assert engine["engine"] == "ReplacingMergeTree"
    assert (engine["engine_sorting_key"], engine["engine_partition_key"]) == ("city", "toYear(day)")
    # No option of the line says a TTL or a version: then it is a call in Python.
    assert panel.model.line.startswith("tinymagic.connect().datasources.create_from(")
    assert "'engine_ttl': 'day + toIntervalYear(90)'" in panel.model.line


def test_a_dialect_is_changed(panel, tmp_path, workspace):
    path = tmp_path / "odd.csv"
    path.write_text("a,b;c\n" + "1,5;2\n" * 4)
    look_at(panel, path)
    panel._name.value = NAME
    for delimiter, columns in ((",", ["a", "b_c"]), (";", ["a_b", "c"])):
        panel._dialect["delimiter"].value = delimiter
        actions(panel)["Read it so"].click()
        assert [each.name for each in panel.model.draft.columns] == columns
    panel.model.create()
    assert workspace.sql(f"SELECT * FROM {NAME} LIMIT 1").values.tolist() == [["1,5", 2]]
    panel._dialect["delimiter"].value = ";;"
    actions(panel)["Read it so"].click()
    assert panel.model.message == "The delimiter is one character, or the word tab or space."
    panel._dialect["delimiter"].value = "tab"
    actions(panel)["Read it so"].click()
    assert panel.model.dialect["delimiter"] == "\t"
    assert len(panel.model.draft.columns) == 1


def test_a_file_without_names(panel, tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("1,2\n3,4\n")
    look_at(panel, path)
    panel._editor._lines[0].included.value = False
    assert "none can be left out" in panel._problems.value


def test_a_url(panel, path, workspace):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(path.parent))
    handler.func.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        look_at(panel, f"http://127.0.0.1:{served.server_address[1]}/{path.name}?x=1")
        assert panel._name.value == NAME, panel.model.message
        panel.model.create()
        served.shutdown()
    assert "28 rows are stored" in panel.model.message
    assert workspace.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [28]


def test_one_of_several_files_fails(panel, workspace):
    good, bad = b'{"a": 1}\n', b"PAR1 this is no Parquet"
    upload(panel, ("one.ndjson", good), ("two.parquet", bad), ("three.ndjson", good))
    panel._name.value = NAME
    panel.model.create()
    assert panel.model.message_kind == "error"
    assert panel.model.message.startswith("two.parquet: ")
    assert f"{NAME} was made. 1 row is stored." in panel.model.message
    assert panel.model.message.endswith("Not sent: three.ndjson.")
    assert panel._report.value.count("<tr>") == 3
    assert workspace.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [1]


def test_a_name_that_cannot_be(panel, path, workspace):
    look_at(panel, path)
    for name, said in (("select", "reserved"), ("a b", "valid")):
        panel._name.value = name
        assert said in panel._name_problem.value
        panel.model.create()
        assert panel.model.message_kind == "error"
    panel._name.value = NAME
    assert panel._name_problem.value == ""
    workspace.datasources.create(NAME, "a Int32")
    panel.model.create()
    assert "There is already a Data Source" in panel.model.message
    assert "was made" not in panel.model.message


def test_the_next_file_gets_its_own_name(panel, path, tmp_path):
    look_at(panel, path)
    other = tmp_path / "2024 other.csv"
    other.write_text(CSV)
    look_at(panel, other)
    assert panel._name.value == "c_2024_other"
    panel._name.value = "mine"
    look_at(panel, path)
    assert panel._name.value == "mine"


def test_a_format_that_no_name_tells(panel, tmp_path):
    path = tmp_path / "rows"
    path.write_text('{"a": 1}\n')
    look_at(panel, path)
    assert "does not tell the format" in panel.model.message
    panel._format.value = "ndjson"
    look_at(panel, path)
    assert panel.model.message_kind == "done"
    assert panel.model.line.endswith("--format ndjson")


@pytest.mark.parametrize("given", ["~nobody-like-this/x.csv", "x" * 5_000 + ".csv", "a\0b.csv", ".", "http://"])
def test_paths_that_cannot_be(panel, given):
    look_at(panel, given)
    assert panel.model.message_kind == "error"
    assert "Error:" not in panel.model.message


def test_a_type_with_null(panel, path):
    look_at(panel, path)
    line = next(line for line in panel._editor._lines if "fare" in line.name.value)
    line.type.value = "Nullable(Decimal(18, 2))"
    assert (line.type.value, line.nullable.value) == ("Decimal(18, 2)", True)
    line.type.value = "LowCardinality(String)"
    assert "`fare` LowCardinality(Nullable(String))" in panel._schema.value


def test_hostile_names_are_text(panel, workspace):
    tag = "<img src=x onerror=alert(1)>"
    upload(panel, (f"{tag}.ndjson", f'{{"{tag}": "{tag}", "n": 1}}\n'.encode()))
    panel._name.value = NAME
    panel.model.create()
    shown = "".join(each.value for each in all_widgets() if isinstance(each, ipywidgets.HTML))
    assert "&lt;img src=x" in shown
    assert "<img" not in shown + panel.static()[0]
    assert workspace.sql(f"SELECT count() AS n FROM {NAME}").n.tolist() == [1]


def test_no_content_and_no_token_in_the_state(panel, workspace, tokens):
    upload(panel, ("up.csv", b"secret_of_row\n" + b"".join(b"cell-%d\n" % n for n in range(500))))
    panel._name.value = NAME
    panel.model.create()
    states = repr([each.get_state() for each in all_widgets()])
    assert "cell-400" not in states
    assert not any(token in states for token in tokens.values() if isinstance(token, str) and token.startswith("p."))


def test_cancel_and_close(workspace, tmp_path):
    path = tmp_path / "large.csv"
    line = "2026-01-01,Rome," + "x" * 200 + "\n"
    with path.open("w") as file:
        file.write("day,city,note\n")
        for _ in range(60):
            file.write(line * 5_000)
    panel = Analyze(model=AnalyzeModel(workspace))
    try:
        look_at(panel, path)
        panel.model.work.wait()
        panel._name.value = NAME
        # Cancel as soon as something was sent.
        panel.model.observe(lambda change: panel.model.cancel() if change["new"] else None, "percent")
        panel.model.create()
        panel.model.work.wait()
        assert panel.model.message.startswith("Cancelled.")
        assert "cancelled" in panel._report.value
        assert not panel.model.busy
    finally:
        panel.close()
        for _ in range(100):
            if "tinymagic panel" not in [each.name for each in threading.enumerate()]:
                break
            time.sleep(0.1)
        if NAME in [each.name for each in workspace.datasources.list()]:
            workspace.datasources.delete(NAME)
    assert "tinymagic panel" not in [each.name for each in threading.enumerate()]


def test_a_large_file_streams(panel, tmp_path, workspace):
    path = tmp_path / "large.csv"
    line = "2026-01-01,Rome," + "x" * 200 + "\n"
    with path.open("w") as file:
        file.write("day,city,note\n")
        for _ in range(40):
            file.write(line * 5_000)
    tracemalloc.start()
    look_at(panel, path)
    panel._name.value = NAME
    panel.model.create()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "200,000 rows are stored" in panel.model.message
    assert most < 20_000_000 < path.stat().st_size
