"""A real JupyterLab, a real Notebook 7 and a real Chromium; skipped, with the reason, where one is missing.

``TINYMAGIC_PICTURES=docs/images pytest tests/browser`` makes the pictures of the documentation.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browser.jupyter import Jupyter
    from tests.browser.notebook_page import NotebookPage
    from tinymagic import Workspace
    from tinymagic.local import LocalServer

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

#: What a person sees of a notebook in the pictures: CSS pixels, and how many dots each has.
_VIEWPORT = {"width": 1280, "height": 800}
_DOTS = 2

FLIGHTS = "day Date, carrier LowCardinality(String), origin String, delay Int16, distance UInt32"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and leave them out where something is missing."""
    missing = _missing()
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("browser")
            # Beside others on two cores a page may take longer than anybody would wait for it.
            item.add_marker("alone")
            if missing:
                item.add_marker(pytest.mark.skip(reason=missing))


def _missing() -> str | None:
    for package in ("jupyterlab", "notebook", "playwright"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    return None if _CHROMIUM else "there is no chromium: apt-get install chromium"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """An embedded Tinybird in memory."""
    from tinymagic import local

    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        started = local.start(memory=True, port=0, with_parent=True)
        yield started
        local.stop(port=started.port)


@pytest.fixture(scope="session")
def token(server: LocalServer) -> str:
    """The Workspace's administrator token."""
    import requests

    found: str = requests.get(f"{server.host}/tokens", timeout=10).json()["workspace_admin_token"]
    return found


@pytest.fixture(scope="session")
def workspace(server: LocalServer, token: str) -> Workspace:
    """The client on the server, which has the Data Source ``flights``: 1,000 of a winter, always the same."""
    from tinymagic import connect

    found = connect(host=server.host, token=token)
    found.datasources.create("flights", schema=FLIGHTS, sorting_key="day, carrier")
    found.events.send("flights", list(_flights(1_000)), wait=True)
    return found


def _flights(count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    lateness = {"AA": 6, "B6": 14, "DL": 3, "UA": 9}
    first = datetime.date(2026, 1, 1)
    for _ in range(count):
        day = chance.randrange(90)
        carrier = chance.choice(list(lateness))
        yield {
            "day": str(first + datetime.timedelta(days=day)),
            "carrier": carrier,
            "origin": chance.choice(["JFK", "LGA", "EWR"]),
            "delay": round(chance.gauss(lateness[carrier] + (12 if 30 <= day < 45 else 0), 10)),
            "distance": chance.randrange(200, 2600),
        }


@pytest.fixture(scope="session")
def jupyter(
    server: LocalServer, token: str, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    """One Jupyter server for JupyterLab and Notebook 7, whose kernels are connected to the embedded Tinybird."""
    from tests.browser.jupyter import running

    with running(tmp_path_factory.mktemp("jupyter"), {"TB_HOST": server.host, "TB_TOKEN": token}) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A window without a screen. What pages have loaded stays, so that the next one opens quickly."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Containers run as root, and have little shared memory.
        started = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started.new_context(viewport=_VIEWPORT, device_scale_factor=_DOTS)
        started.close()


@pytest.fixture
def open_notebook(jupyter: Jupyter, browser: Any) -> Iterator[Callable[..., NotebookPage]]:
    """Open new notebooks: ``open_notebook("%%tbsql\\nSELECT 1", ("markdown", "a text"), kind="notebook", dark=True)``.

    A text is a cell of code. The kernels end with the test.
    """
    from tests.browser.notebook_page import NotebookPage

    pages = []

    def opened(*cells: str | tuple[str, str], kind: str = "lab", dark: bool = False) -> NotebookPage:
        jupyter.use_theme("JupyterLab Dark" if dark else "JupyterLab Light")
        name = jupyter.write_notebook([("code", cell) if isinstance(cell, str) else cell for cell in cells])
        page = browser.new_page()
        pages.append(page)
        found = NotebookPage(page, kind)
        found.open(jupyter.address(kind, name))
        return found

    yield opened
    for page in pages:
        page.close()
    jupyter.end_kernels()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Folder for pictures: the one that ``TINYMAGIC_PICTURES`` names, else a temporary one."""
    return Path(os.environ.get("TINYMAGIC_PICTURES") or tmp_path)
