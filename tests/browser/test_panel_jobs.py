"""The panel of jobs in a real front end: it follows a job by itself, and ends one."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.panel_steps import open_panel, portraits, press, says


@pytest.fixture
def slow_files():
    """A web server whose files wait until the event that comes with it is set: their host, and the event."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                released.wait(90)
                self.send_response(200)
                self.send_header("Content-Length", "6")
                self.end_headers()
                self.wfile.write(b"a\n1\n2\n")

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", released
    released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def imported(server, token, workspace, slow_files):
    """Start an import of a slow file into a Data Source of its own; return the job's id."""
    import requests

    names = []

    def start(name):
        workspace.datasources.create(name, "a Int32")
        names.append(name)
        asked = {"mode": "append", "name": name, "url": f"{slow_files[0]}/{name}.csv", "token": token}
        return requests.post(f"{server.host}/v0/datasources", params=asked, timeout=10).json()["id"]

    yield start
    slow_files[1].set()
    for each in workspace.jobs.list(status=["waiting", "working"]):
        with contextlib.suppress(Exception):
            workspace.jobs.wait(each, timeout_s=20)
    for name in names:
        workspace.datasources.delete(name)


def test_watch_and_end_jobs(open_notebook, pictures, workspace, slow_files, imported):
    ended, finished = imported("arrivals"), imported("departures")
    page, panel = open_panel(open_notebook, "%tinybird jobs")
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
    slow_files[1].set()
    # Nobody presses anything: the list lives until nothing is at work any more.
    panel.get_by_label("jobs", exact=True).get_by_text("done", exact=True).first.wait_for(timeout=20_000)
    panel.get_by_text("live", exact=True).wait_for(state="detached", timeout=20_000)
    assert workspace.jobs.get(ended).status == "cancelled"
    assert workspace.jobs.get(finished).status == "done"
    assert workspace.sql("SELECT count() AS n FROM departures").n.tolist() == [2]
