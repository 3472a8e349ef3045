"""The panel of jobs in a real front end: it follows a job by itself, and ends one."""

from __future__ import annotations

import contextlib

import pytest

from tests.browser.panel_steps import panel_of, portraits, press, says
from tests.browser.test_running import LOAD
from tests.integration.file_server import FileServer


@pytest.fixture
def files():
    """A web server of files to import."""
    started = FileServer()
    yield started
    started.close()


@pytest.fixture
def imported(server, token, workspace, files):
    """Start an import of a slow file into a Data Source of its own; return the job's id."""
    import requests

    names = []

    def start(name):
        workspace.datasources.create(name, "a Int32")
        names.append(name)
        asked = {"mode": "append", "name": name, "url": f"{files.host}/slow.csv", "token": token}
        return requests.post(f"{server.host}/v0/datasources", params=asked, timeout=10).json()["id"]

    yield start
    files.released.set()
    for each in workspace.jobs.list(status=["waiting", "working"]):
        with contextlib.suppress(Exception):
            workspace.jobs.wait(each, timeout_s=20)
    for name in names:
        workspace.datasources.delete(name)


def test_watch_and_end_jobs(open_notebook, pictures, workspace, files, imported):
    page = open_notebook(LOAD, "%tinybird jobs")
    page.run(0)
    # Only now: to open a notebook may take longer than the server waits for a file.
    ended, finished = imported("arrivals"), imported("departures")
    page.run(1)
    panel = panel_of(page)
    says(panel, "live")
    panel.get_by_role("button", name=f"import {ended[:8]}").click()
    says(panel, f"The job {ended}")
    press(panel, "Cancel the job")
    says(panel, "What it has not done by then is not done")
    portraits(page, panel, pictures, "jobs")
    press(panel, "End it")
    says(panel, "cancelled")
    panel.get_by_role("button", name=f"import {finished[:8]}").click()
    says(panel, f"The job {finished}")
    files.released.set()
    # Nobody presses anything: the list lives until nothing is at work any more.
    panel.get_by_label("jobs", exact=True).get_by_text("done", exact=True).first.wait_for(timeout=20_000)
    panel.get_by_text("live", exact=True).wait_for(state="detached", timeout=20_000)
    assert workspace.jobs.get(ended).status == "cancelled"
    assert workspace.jobs.get(finished).status == "done"
    assert workspace.sql("SELECT count() AS n FROM departures").n.tolist() == [2]
