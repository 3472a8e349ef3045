"""What is cancelled here ends there. The server runs in this process, so that its engine can be asked."""

from __future__ import annotations

import threading

import pytest
import requests
import uvicorn

from tests.integration.notebook.interrupts import comes_about, interrupting
from tinymagic.errors import Cancelled
from tinymagic.local.app import create_app
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
from tinymagic.local.limits import Limits

pytestmark = pytest.mark.alone

#: How long a query may go on after it was cancelled, seconds.
SOON_S = 1.0


class Observed:
    """A server of this process."""

    def __init__(self, engine: Engine, host: str) -> None:
        self._engine = engine
        self.host = host

    def runs(self, word: str) -> bool:
        """Whether a query with *word* in it is at work."""
        found = self._engine.rows("SELECT query FROM system.processes")
        return any(word in str(row) and "system.processes" not in str(row) for row in found)


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    engine = Engine(None)
    app = create_app(engine, Catalog(None), Limits(), spool=tmp_path_factory.mktemp("spool"))
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert comes_about(lambda: server.started, 30)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Observed(engine, f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(20)
    app.state.services.close()
    engine.close()


@pytest.fixture
def there(cells, observed, monkeypatch):
    """Cells, connected to that server."""
    token = requests.get(f"{observed.host}/tokens", timeout=10).json()["workspace_admin_token"]
    monkeypatch.setenv("TB_TOKEN", token)
    monkeypatch.setenv("TB_HOST", observed.host)
    return cells


def slow(word):
    return f"SELECT sum(cityHash64(number)) AS n, '{word}' AS word FROM numbers(200000000000)"


def test_an_interrupted_cell(there, observed):
    with interrupting(0.1, lambda: observed.runs("stopped_cell")):
        ran = there.run(f"%%tbsql\n{slow('stopped_cell')}")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert ran.card == ["KeyboardInterrupt: interrupted; the query is cancelled on the server."]
    assert comes_about(lambda: not observed.runs("stopped_cell"), SOON_S)
    assert there.ok("%tbsql SELECT 1 AS n").value["n"][0] == 1


def test_a_query_in_the_background(there, observed):
    there.ok(f"h = %tbsql --background {slow('stopped_later')}")
    handle = there["h"]
    assert comes_about(lambda: observed.runs("stopped_later"), 10)
    handle.cancel()
    assert handle.state == "cancelled"
    with pytest.raises(Cancelled):
        handle.result()
    assert comes_about(lambda: not observed.runs("stopped_later"), SOON_S)


def test_the_first_run_of_a_live_cell(there, observed):
    with interrupting(0.1, lambda: observed.runs("stopped_live")):
        ran = there.run(f"%%tbsql --every 200ms\n{slow('stopped_live')}")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert comes_about(lambda: not observed.runs("stopped_live"), SOON_S)


def test_a_time_out(there, observed):
    ran = there.run(f"%%tbsql --timeout 0.5\n{slow('stopped_late')}")
    assert ran.error is not None
    assert len(ran.card) <= 8
    assert comes_about(lambda: not observed.runs("stopped_late"), SOON_S)


def test_waiting_for_the_background_may_be_interrupted_and_the_query_goes_on(there, observed):
    there.ok(f"h = %tbsql --background {slow('goes_on')}")
    with interrupting(0.1, lambda: observed.runs("goes_on")):
        ran = there.run("h.result()")
    assert isinstance(ran.error, KeyboardInterrupt)
    assert "the query goes on" in ran.card[0]
    assert observed.runs("goes_on")
    there["h"].cancel()
