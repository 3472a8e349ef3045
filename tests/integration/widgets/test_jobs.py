"""The panel of jobs on a real embedded server: the list that lives, one job, cancelling, retrying, failures."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time

import ipywidgets
import pytest

import tinymagic
from tests.integration.file_server import FileServer
from tinymagic.api.jobs import Job
from tinymagic.widgets import Jobs
from tinymagic.widgets.models.jobs import JobsModel
from tinymagic.widgets.work import Work

_numbers = itertools.count()


@pytest.fixture
def files():
    """A web server of files to import."""
    started = FileServer()
    yield started
    started.close()


@pytest.fixture
def imported(api, workspace, files):
    """Start an import by URL into a Data Source of its own; return the id of its job."""

    def start(file):
        name = workspace.datasources.create(f"wjobs_{next(_numbers)}", "a Int32").name
        asked = {"mode": "append", "name": name, "url": f"{files.host}/{file}"}
        return api.post("/v0/datasources", params=asked).json()["id"]

    yield start
    files.released.set()
    for each in workspace.jobs.list(status=["waiting", "working"]):
        with contextlib.suppress(Exception):
            workspace.jobs.wait(each, timeout_s=20)
    for each in workspace.datasources.list():
        if each.name.startswith("wjobs_"):
            workspace.datasources.delete(each.name)


@pytest.fixture
def model(workspace):
    """The model, doing everything at once but the watch."""
    made = JobsModel(workspace, work=Work(at_once=True), every_s=0.05)
    yield made
    made.close()


@pytest.fixture
def panel(model):
    """The panel over it."""
    made = Jobs(model=model)
    yield made
    made.close()


def until(holds, what="it"):
    """Wait until something holds, 20 seconds at most."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)


def shown(panel):
    """All that is to be seen in a panel, as one text."""
    texts = []

    def walk(widget):
        if widget.layout.display == "none":
            return
        texts.append(str(getattr(widget, "value", "")) + str(getattr(widget, "description", "")))
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(panel)
    return "\n".join(texts)


def press(panel, label):
    """Press the visible button of a label."""

    def walk(widget):
        if widget.layout.display == "none":
            return None
        if isinstance(widget, ipywidgets.Button) and widget.description == label:
            return widget
        return next((found for child in getattr(widget, "children", ()) if (found := walk(child))), None)

    found = walk(panel)
    assert found is not None, f"no button {label!r} to be seen"
    found.click()


def watchers():
    return [each for each in threading.enumerate() if each.name == "tinymagic panel"]


def test_list_and_details(panel, model, workspace, imported):
    job = workspace.jobs.wait(imported("good.csv"))
    press(panel, "Reload")
    assert job.id in [each.id for each in model.jobs]
    assert model.line == "%tinybird job ls"
    assert job.datasource_name in shown(panel)
    press(panel, f"import {job.id[:8]}")
    assert model.chosen.id == job.id
    assert model.line == f"%tinybird job show {job.id}"
    assert f"The job {job.id}" in shown(panel)
    assert "Cancel the job ..." not in shown(panel)
    html, words = panel.static()
    assert job.id[:8] in html
    assert f"import {job.id[:8]}: done" in words


def test_watch_ends_by_itself(panel, model, imported, files):
    slow = imported("slow.csv")
    model.load()
    until(lambda: model.watching, "the watch")
    assert "live" in shown(panel)
    first = model.seen_at
    until(lambda: model.seen_at != first, "another look")
    files.released.set()
    until(lambda: next(each for each in model.jobs if each.id == slow).status == "done", "the end of the job")
    until(lambda: not model.watching and not watchers(), "the end of the watch")
    assert ">live<" not in shown(panel)
    assert model.watch


def test_watch_can_be_turned_off(panel, model, imported):
    imported("slow.csv")
    model.load()
    until(lambda: model.watching, "the watch")
    panel._watch.value = False
    until(lambda: not model.watching and not watchers(), "the end of the watch")
    model.load()
    assert not watchers()
    panel._watch.value = True
    until(lambda: model.watching, "the watch")


def test_close_ends_the_watch(workspace, imported):
    imported("slow.csv")
    panel = Jobs(model=JobsModel(workspace, work=Work(at_once=True), every_s=0.05))
    until(lambda: panel.model.watching, "the watch")
    panel.close()
    until(lambda: not watchers(), "the end of the watch")
    assert not panel.model.watching
    panel.model.load()
    assert not watchers()


def test_close_at_once(workspace, imported):
    imported("slow.csv")
    for _ in range(20):
        Jobs(workspace).close()
    until(lambda: not watchers(), "the end of all work")


def test_watch_that_fails_says_so(workspace, server, imported):
    token = workspace.tokens.create("wjobs_token", scopes=["ADMIN"])
    other = tinymagic.connect(token=token.token.reveal(), host=server.host)
    imported("slow.csv")
    model = JobsModel(other, work=Work(at_once=True), every_s=0.05)
    panel = Jobs(model=model)
    until(lambda: model.watching, "the watch")
    workspace.tokens.delete("wjobs_token")
    until(lambda: not model.watching and not watchers(), "the end of the watch")
    assert "The jobs are not watched any more" in shown(panel)
    assert model.message_kind == "error"
    assert not panel._watch.value
    panel.close()


def test_cancel_asks_first(panel, model, workspace, imported):
    slow = imported("slow.csv")
    until(lambda: workspace.jobs.get(slow).status == "working", "the start")
    model.load()
    model.select(slow)
    press(panel, "Cancel the job ...")
    assert f"End the job {slow}" in shown(panel)
    press(panel, "Keep it")
    assert workspace.jobs.get(slow).status == "working"
    press(panel, "Cancel the job ...")
    press(panel, "End it")
    assert model.line == f"%tinybird job cancel {slow}"
    until(lambda: model.chosen.status == "cancelled", "the end of the job")
    assert workspace.jobs.get(slow).status == "cancelled"
    assert "Retry" in shown(panel)


def test_question_goes_with_its_job(panel, model, workspace, imported):
    done = workspace.jobs.wait(imported("good.csv")).id
    slow = imported("slow.csv")
    model.load()
    model.select(slow)
    press(panel, "Cancel the job ...")
    model.select(done)
    assert "End the job" not in shown(panel)


def test_failure_and_retry(panel, model, workspace, imported, files):
    broken = imported("broken.csv")
    with contextlib.suppress(Exception):
        workspace.jobs.wait(broken)
    model.load()
    model.select(broken)
    assert "404" in panel._details.value
    assert 'role="alert"' in panel._details.value
    files.mended = True
    press(panel, "Retry")
    assert model.line == f"%tinybird job retry {broken}"
    assert model.chosen.id != broken
    assert model.message_kind == "done"
    until(lambda: model.chosen.status == "done", "the end of the job")
    assert "Retry" not in shown(panel)


def test_filters(panel, model, workspace, imported):
    done = workspace.jobs.wait(imported("good.csv")).id
    broken = imported("broken.csv")
    with contextlib.suppress(Exception):
        workspace.jobs.wait(broken)
    panel._state.value = "error"
    assert model.line == "%tinybird job ls --status error"
    assert {each.status for each in model.jobs} == {"error"}
    assert broken in [each.id for each in model.jobs]
    panel._kind.value = "copy"
    assert model.line == "%tinybird job ls --kind copy --status error"
    assert {each.kind for each in model.jobs} <= {"copy"}
    panel._kind.value, panel._state.value = "branch", "cancelling"
    assert model.jobs == []
    assert "No job of the last 48 hours is of this kind and state" in shown(panel)
    panel._kind.value, panel._state.value = "import", "done"
    assert done in [each.id for each in model.jobs]


def test_job_that_is_gone(model):
    model.select("00000000-0000-0000-0000-000000000000")
    assert model.message_kind == "error"
    assert "00000000" in model.message
    assert model.chosen is None


def test_not_connected():
    panel = Jobs()
    assert "not connected" in panel._message.value
    panel.close()


def test_hostile_words(panel, model):
    evil = "<img src=x onerror=alert(1)>\x1b[31m\u202eabc"
    model.watch = False
    described = {
        "id": evil,
        "kind": evil,
        "status": "error",
        "error": evil,
        "errors": [evil, evil + "2"],
        "pipe_name": evil,
        "datasource": {"name": evil},
    }
    model.jobs = [Job.of(described), Job.of({"id": evil + "2", "status": evil})]
    model.chosen = Job.of(described)
    everything = "".join(each.value for each in panel_html(panel)) + panel.static()[0]
    assert "<img" not in everything
    assert "\x1b" not in everything
    assert "\u202e" not in everything


def panel_html(panel):
    found = []

    def walk(widget):
        if isinstance(widget, ipywidgets.HTML):
            found.append(widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(panel)
    return found


def test_all_inputs_have_words(panel):
    def walk(widget):
        if widget.layout.display == "none":
            return
        if isinstance(widget, ipywidgets.Button):
            assert widget.tooltip
        if isinstance(widget, (ipywidgets.Dropdown, ipywidgets.Checkbox)):
            assert widget.description
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(panel)
