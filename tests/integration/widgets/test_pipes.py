"""The panel of Pipes on a real embedded server: list, details, publishing, the form of an endpoint, calls, charts."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import threading
from datetime import date

import ipywidgets
import pytest

import tinymagic
from tinymagic.api.pipe_results import Pipe
from tinymagic.widgets import Pipes
from tinymagic.widgets.models.parameter_form import fields_of
from tinymagic.widgets.models.pipes import Details, PipesModel
from tinymagic.widgets.work import Work

_numbers = itertools.count()

EVIL = "<img src=x onerror=alert(1)>"

TYPED = """%
SELECT
    {{Int32(n, 3, description='how many')}} AS n,
    {{Date(day, '2026-01-31')}} AS day,
    {{String(color, 'red', enum=['red', 'green'])}} AS color,
    {{Array(ids, 'Int32', '1,2')}} AS ids,
    {{Boolean(flag, True)}} AS flag,
    {{String(word, required=True)}} AS word,
    number
FROM numbers_node LIMIT {{Int32(n, 3)}}
"""


def new(kind="pipe"):
    """A name that no other test has."""
    return f"wpipes_{kind}_{next(_numbers)}"


@pytest.fixture(autouse=True)
def clean(workspace):
    """Take away what the tests of this file made."""
    yield
    for each in sorted(workspace.pipes.list(), key=lambda each: each.name, reverse=True):
        if each.name.startswith("wpipes_"):
            workspace.pipes.delete(each.name)


@pytest.fixture
def name(workspace):
    """An endpoint with parameters of many types, over a further node."""
    nodes = [
        {"name": "numbers_node", "sql": "SELECT number FROM numbers(100)"},
        {"name": "typed", "sql": TYPED, "type": "endpoint", "description": "the end"},
    ]
    return workspace.pipes.create(new(), nodes, description="for a test").name


@pytest.fixture
def model(workspace):
    """The model, doing everything at once."""
    made = PipesModel(workspace, work=Work(at_once=True))
    yield made
    made.close()


@pytest.fixture
def panel(model):
    """The panel over it."""
    made = Pipes(model=model)
    yield made
    made.close()


def walk(widget):
    """All widgets of a panel that are to be seen."""
    if widget.layout.display == "none":
        return
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def everything(widget):
    """All widgets of a panel, those out of sight too."""
    yield widget
    for part in (*getattr(widget, "children", ()), widget.layout, getattr(widget, "style", None)):
        if isinstance(part, ipywidgets.DOMWidget):
            yield from everything(part)
        elif part is not None:
            yield part


def shown(panel):
    """All that is to be seen in a panel, as one text."""
    return "\n".join(f"{getattr(each, 'value', '')} {getattr(each, 'description', '')}" for each in walk(panel))


def press(panel, label):
    """Press the visible button of a label."""
    found = [each for each in walk(panel) if isinstance(each, ipywidgets.Button) and each.description == label]
    assert found, f"no button {label!r} to be seen"
    found[0].click()


def inputs(panel):
    """The inputs of the form, by name."""
    return panel.run.inputs._inputs


class TestLooking:
    def test_list_and_search(self, panel, model, name, workspace):
        plain = workspace.pipes.create(new("plain"), "SELECT 1 AS one").name
        press(panel, "Reload")
        assert model.line == "%tinybird pipe ls"
        kinds = {each.name: each.type for each in model.pipes}
        assert (kinds[name], kinds[plain]) == ("endpoint", "default")
        panel._list.search.value = plain
        assert "endpoint" not in panel._list._cells.value
        assert ">none<" in panel._list._cells.value
        press(panel, plain)
        assert model.details.pipe.name == plain
        assert model.line == f"%tinybird pipe show {plain}"
        assert "publish a node of this Pipe first" in shown(panel)
        assert "Unpublish ..." not in shown(panel)

    def test_nodes_and_dependencies(self, panel, model, name, workspace):
        reader = workspace.pipes.create(new("reader"), f"SELECT count() AS c FROM {name}").name
        model.select(name)
        text = shown(panel)
        assert "SELECT number FROM numbers(100)" in text
        assert "the end" in text
        assert "for a test" in text
        assert model.details.readers == (reader,)
        assert reader in panel._facts.value
        model.select(reader)
        assert name in panel._facts.value
        assert "read by</span> no Pipe" in panel._facts.value

    def test_types(self, model, panel, workspace):
        source = new("target")
        workspace.datasources.create(source, "n UInt64")
        copy = workspace.pipes.create(
            new("copy"),
            [{"name": "c", "sql": "SELECT number AS n FROM numbers(2)", "type": "copy", "target_datasource": source}],
        ).name
        model.load()
        assert next(each.type for each in model.pipes if each.name == copy) == "copy"
        model.select(copy)
        assert "Publish ..." not in shown(panel)
        workspace.pipes.delete(copy)
        workspace.datasources.delete(source)

    def test_what_is_not_there(self, panel, model):
        model.select("wpipes_none")
        assert model.message_kind == "error"
        assert "wpipes_none" in model.message
        assert model.details is None

    def test_static(self, panel, model, name):
        model.load()
        model.select(name)
        html, words = panel.static()
        assert "numbers(100)" in html
        assert name in html
        assert ": endpoint" in words

    def test_not_connected(self):
        panel = Pipes()
        assert "not connected" in panel._message.value
        panel.close()


class TestPublishing:
    def test_both(self, panel, model, workspace):
        name = workspace.pipes.create(
            new("two"), [{"name": "a", "sql": "SELECT 1 AS x"}, {"sql": "SELECT 2 AS x"}]
        ).name
        model.select(name)
        panel._node.value = "a"
        press(panel, "Publish ...")
        assert "Publish the node a of" in shown(panel)
        press(panel, "Keep it")
        assert not workspace.pipes.get(name).endpoint
        press(panel, "Publish ...")
        press(panel, "Publish it")
        assert model.line == f"%tinybird pipe publish {name} a"
        assert workspace.pipes.get(name).endpoint_node.name == "a"
        assert "a is the endpoint of" in model.message
        press(panel, "Run")
        assert model.outcome.frame.x.tolist() == [1]
        press(panel, "Unpublish ...")
        assert "Calls of it fail then" in shown(panel)
        press(panel, "Unpublish it")
        assert model.line == f"%tinybird pipe unpublish {name} --yes"
        assert not workspace.pipes.get(name).endpoint
        assert model.outcome is None

    def test_question_goes_with_its_pipe(self, panel, model, name, workspace):
        other = workspace.pipes.create(new("other"), "SELECT 1 AS one").name
        model.select(name)
        press(panel, "Unpublish ...")
        model.select(other)
        assert "Unpublish it" not in shown(panel)


class TestCalling:
    def test_form_has_an_input_for_each_type(self, panel, model, name):
        model.select(name)
        found = inputs(panel)
        assert list(found) == ["n", "day", "color", "ids", "flag", "word"]
        assert isinstance(found["day"], ipywidgets.DatePicker)
        assert isinstance(found["color"], ipywidgets.Dropdown)
        assert isinstance(found["flag"], ipywidgets.Dropdown)
        assert found["n"].placeholder == "3"
        text = shown(panel)
        assert "how many" in text
        assert "word *" in text
        assert "Array(Int32)" in text

    def test_run_with_defaults_and_values(self, panel, model, name):
        model.select(name)
        inputs(panel)["word"].value = "it's"
        press(panel, "Run")
        assert model.message_kind == ""
        row = model.outcome.frame.iloc[0]
        assert (int(row["n"]), str(row["color"]), str(row["word"])) == (3, "red", "it's")
        assert len(model.outcome.frame) == 3
        assert model.line == f"%tinybird pipe data {name} --limit 1000 --params " + shlex.quote('{"word": "it\'s"}')
        given = {"n": "5", "day": date(2020, 2, 29), "color": "green", "ids": "7, 8", "flag": False}
        for key, value in given.items():
            inputs(panel)[key].value = value
        press(panel, "Run")
        row = model.outcome.frame.iloc[0]
        assert (int(row["n"]), str(row["color"]), str(row["day"])[:10]) == (5, "green", "2020-02-29")
        assert [int(each) for each in row["ids"]] == [7, 8]
        assert not row["flag"]
        assert len(model.outcome.frame) == 5
        text = shown(panel)
        assert "5 rows" in text
        assert 'class="tm-number"' in panel.run._rows.value

    def test_limit(self, panel, model, workspace):
        name = workspace.pipes.create(
            new("many"), [{"sql": "SELECT number FROM numbers(5000)", "type": "endpoint"}]
        ).name
        model.select(name)
        panel.run.limit.value = 50
        press(panel, "Run")
        assert len(model.outcome.frame) == 50
        assert "30 more rows are not shown" in panel.run._rows.value
        assert "showing 50 of at least" in shown(panel)

    def test_what_was_typed_is_checked_before(self, panel, model, name):
        model.select(name)
        inputs(panel)["n"].value = "many"
        press(panel, "Run")
        assert model.outcome is None
        assert "n is an Int32" in model.message
        assert "word is needed" in model.message
        assert model.line == f"%tinybird pipe show {name}"

    def test_error_of_the_service(self, panel, model, workspace):
        sql = "%\nSELECT throwIf({{Int32(n, 0)}} > 0, 'too much') AS x"
        name = workspace.pipes.create(new("fails"), [{"sql": sql, "type": "endpoint"}]).name
        model.select(name)
        inputs(panel)["n"].value = "1"
        press(panel, "Run")
        assert model.message_kind == "error"
        assert "too much" in model.message
        inputs(panel)["n"].value = "0"
        press(panel, "Run")
        assert model.message_kind == ""

    def test_snippets_work_and_hold_no_token(self, panel, model, name, workspace, tokens):
        model.select(name)
        inputs(panel)["word"].value = "a&b $c"
        press(panel, "Run")
        outcome = model.outcome
        environment = {"TB_TOKEN": tokens["workspace_admin_token"], "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(["sh", "-c", outcome.curl], env=environment, capture_output=True, check=False)
        if ran.returncode != 127:  # There is a curl.
            assert b"a&b $c" in ran.stdout
        names = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TB_TOKEN", tokens["workspace_admin_token"])
            exec(outcome.python, names)
        assert names["frame"].word.tolist()[0] == "a&b $c"
        state = str([each.get_state() for each in everything(panel)]) + str(panel.static()) + model.line
        for token in tokens.values():
            assert token not in state
            assert token[-12:] not in state

    def test_another_pipe_clears_what_was_called(self, panel, model, name, workspace):
        other = workspace.pipes.create(new("other"), [{"sql": "SELECT 1 AS one", "type": "endpoint"}]).name
        model.select(name)
        inputs(panel)["word"].value = "x"
        press(panel, "Run")
        model.select(other)
        assert model.outcome is None
        assert list(inputs(panel)) == []
        assert "This endpoint has no parameters" in shown(panel)
        press(panel, "Run")
        assert model.outcome.frame.one.tolist() == [1]

    def test_no_rows(self, panel, model, workspace):
        name = workspace.pipes.create(new("none"), [{"sql": "SELECT 1 AS x WHERE 0", "type": "endpoint"}]).name
        model.select(name)
        press(panel, "Run")
        assert "gave no rows" in shown(panel)


class TestCharts:
    def test_draw(self, panel, model, workspace):
        pytest.importorskip("altair")
        pytest.importorskip("vl_convert")
        sql = "SELECT number AS n, number * number AS square, 'c' AS t FROM numbers(9)"
        name = workspace.pipes.create(new("chart"), [{"sql": sql, "type": "endpoint"}]).name
        model.select(name)
        press(panel, "Run")
        panel.run.mark.value, panel.run.x.value, panel.run.y.value = "bar", "n", "square"
        press(panel, "Draw")
        assert model.message == ""
        assert model.picture.startswith(b"\x89PNG")
        pictures = [each for each in walk(panel) if isinstance(each, ipywidgets.Image)]
        assert [each.value for each in pictures] == [model.picture]
        assert "data:image/png;base64," in panel.static()[0]
        panel.run.y.value = "t"
        press(panel, "Run")
        assert model.picture == b""
        assert panel.run.y.value == "t"
        panel.run.mark.value, panel.run.x.value = "hist", "t"
        press(panel, "Draw")
        assert model.message_kind == "error"
        assert "no number in the column" in model.message

    def test_draw_before_a_run(self, model):
        model.draw("line")
        assert "Run the endpoint first" in model.message


class TestStatistics:
    def test_requests_are_counted(self, panel, model, workspace):
        sql = "%\nSELECT throwIf({{Int32(n, 0)}} > 0, 'too much') AS x"
        name = workspace.pipes.create(new("asked"), [{"sql": sql, "type": "endpoint"}]).name
        model.select(name)
        assert "no requests" in panel._facts.value
        for _ in range(3):
            workspace.pipes.data(name)
        with pytest.raises(tinymagic.errors.TinybirdError):
            workspace.pipes.data(name, params={"n": 1})
        model.select(name)
        found = model.details.statistics
        assert (found.requests, found.errors) == (4, 1)
        assert found.p95_s > 0
        assert "4 requests" in panel._facts.value
        assert "1 (25.0 %)" in panel._facts.value

    def test_not_allowed(self, workspace, server, name):
        token = workspace.tokens.create(new("token"), scopes=[f"PIPES:READ:{name}"])
        model = PipesModel(tinymagic.connect(token=token.token.reveal(), host=server.host), work=Work(at_once=True))
        panel = Pipes(model=model)
        model.select(name)
        assert model.details.statistics is None
        assert "Nothing can be told about requests" in panel._facts.value
        inputs(panel)["word"].value = "x"
        press(panel, "Run")
        assert len(model.outcome.frame) == 3
        panel.close()
        workspace.tokens.delete(token.name)


class TestCells:
    def test_text_to_copy(self, panel, model, name):
        model.select(name)
        press(panel, "Back into cells")
        assert "%%tbsql --save numbers_node" in panel._cells.value
        assert "%%tbsql --save typed" in panel._cells.value

    def test_new_cells(self, workspace, name):
        cells = []
        panel = Pipes(on_new_cell=cells.append, model=PipesModel(workspace, work=Work(at_once=True)))
        panel.model.select(name)
        press(panel, "Back into cells")
        assert cells[0] == "%%tbsql --save numbers_node\nSELECT number FROM numbers(100)"
        assert cells[1].startswith("%%tbsql --save typed\n%\nSELECT")
        panel.close()


class TestSafety:
    def test_hostile_words(self, panel, model, workspace):
        sql = f"%\nSELECT '{EVIL}' AS `{EVIL}`, {{{{String(a, '{EVIL}', description='{EVIL}', enum=['{EVIL}'])}}}} AS a"
        name = workspace.pipes.create(
            new("evil"), [{"sql": sql, "type": "endpoint", "description": EVIL}], description=EVIL
        ).name
        model.load()
        model.select(name)
        press(panel, "Run")
        assert model.message == ""
        press(panel, "Back into cells")
        every = [each for each in walk(panel) if isinstance(each, ipywidgets.HTML)]
        text = "".join(each.value for each in every) + panel.static()[0]
        assert "&lt;img" in text
        assert EVIL not in text

    def test_hostile_replies(self, panel, model):
        described = {
            "id": "t_1",
            "name": EVIL,
            "type": EVIL,
            "endpoint": "t_2",
            "description": "\u202e\x1b" + EVIL,
            "nodes": [
                {
                    "id": "t_2",
                    "name": EVIL,
                    "sql": EVIL,
                    "node_type": EVIL,
                    "materialized": EVIL,
                    "dependencies": [EVIL],
                    "params": [{"name": EVIL, "type": EVIL}, {"name": "p", "type": EVIL, "description": EVIL}],
                }
            ],
            "schedule": {"cron": EVIL, "status": EVIL},
        }
        pipe = Pipe.of(described)
        model.pipes = [pipe]
        model.details = Details(pipe, tuple(fields_of(pipe.nodes)), (EVIL,), None, EVIL)
        every = [each for each in walk(panel) if isinstance(each, ipywidgets.HTML)]
        text = "".join(each.value for each in every) + panel.static()[0]
        assert "<img" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert list(inputs(panel)) == ["p"]

    def test_nothing_runs_after_close(self, workspace, name):
        for _ in range(5):
            panel = Pipes(workspace)
            panel.model.select(name)
            panel.close()
        for each in threading.enumerate():
            if each.name == "tinymagic panel":
                each.join(10)
                assert not each.is_alive()

    def test_all_inputs_have_words(self, panel, model, name):
        model.select(name)
        inputs(panel)["word"].value = "x"
        press(panel, "Run")
        for each in walk(panel):
            if isinstance(each, ipywidgets.Button):
                assert each.tooltip
            elif isinstance(each, (ipywidgets.Text, ipywidgets.Dropdown, ipywidgets.DatePicker)):
                assert each.description or each.tooltip
