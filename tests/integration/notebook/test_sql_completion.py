"""Tab in SQL cells: through IPython's completer, and through a kernel as a notebook asks; with a real Workspace."""

from __future__ import annotations

import socket
import time

import pytest
from IPython.core.completer import provisionalcompleter
from jupyter_client.manager import start_new_kernel

from tinymagic.notebook import extension

NAME = "sqlcompletion_trips"


@pytest.fixture
def notebook(connected):
    """What the magics share."""
    return extension._loaded[id(connected.shell)].notebook


@pytest.fixture
def trips(connected, workspace):
    """A Data Source, a Pipe that reads it, and an Environment Variable."""
    workspace.datasources.create(NAME, "day Date, fare_amount Float64")
    nodes = [
        {"name": "first", "sql": f"SELECT day, count() AS rides FROM {NAME} GROUP BY day"},
        {"name": "last", "sql": "SELECT day AS ride_day, rides FROM first"},
    ]
    workspace.pipes.create("sqlcompletion_pipe", nodes)
    workspace.pipes.publish("sqlcompletion_pipe", "last")
    workspace.variables.create("sqlcompletion_password", "very-secret-value")
    yield connected
    workspace.pipes.delete("sqlcompletion_pipe")
    workspace.datasources.delete(NAME)
    workspace.variables.delete("sqlcompletion_password")


def pressed(shell, text):
    """Press Tab where the | stands: what is offered, as IPython gives it."""
    place = text.index("|")
    with provisionalcompleter():
        return list(shell.Completer.completions(text[:place] + text[place + 1 :], place))


def texts(shell, text):
    return [each.text for each in pressed(shell, text)]


def known(cells, notebook):
    """Have the names fetched."""
    pressed(cells.shell, "%%tbsql\nSELECT |")
    notebook.names.wait()


class TestIpython:
    def test_columns_tables_pipes(self, trips, notebook):
        known(trips, notebook)
        offered = pressed(trips.shell, f"%%tbsql df\nSELECT t.fa| FROM {NAME} AS t")
        assert [(each.text, each.type) for each in offered] == [("fare_amount", "Float64")]
        line = f"%%tbsql df\nSELECT t.fa FROM {NAME} AS t"
        assert line[offered[0].start : offered[0].end] == "fa"
        assert NAME in texts(trips.shell, "%%tbsql\nSELECT * FROM sqlcompletion_|")
        assert "sqlcompletion_pipe" in texts(trips.shell, "%%tbsql\nSELECT * FROM sqlcompletion_|")
        assert texts(trips.shell, "%%tbsql\nSELECT p.| FROM sqlcompletion_pipe AS p") == ["ride_day", "rides"]
        assert texts(trips.shell, f"df = %tbsql SELECT fare| FROM {NAME}") == ["fare_amount"]

    def test_functions_have_signatures(self, trips):
        offered = pressed(trips.shell, "%%tbsql\nSELECT toStartOfHou|")
        assert [(each.text, each.type, each.signature) for each in offered] == [
            ("toStartOfHour", "function", "(datetime)")
        ]

    def test_saved_cells_variables_secrets(self, trips, notebook):
        trips.ok(f"%%tbsql --save sqlcompletion_saved -N\nSELECT day AS saved_day FROM {NAME}")
        trips.ok("carrier_of_mine = 5")
        known(trips, notebook)
        assert texts(trips.shell, "%%tbsql\nSELECT sav| FROM sqlcompletion_saved")[0] == "saved_day"
        assert texts(trips.shell, "%%tbsql --with sqlcompletion_s|\nSELECT 1") == ["sqlcompletion_saved"]
        assert texts(trips.shell, "%%tbsql\nSELECT {{ carrier_of|") == ["carrier_of_mine"]
        assert texts(trips.shell, "%%tbsql\n%\nSELECT {{ tb_secret('sqlcompletion|") == ["sqlcompletion_password"]

    def test_options_of_the_line(self, trips):
        assert texts(trips.shell, "%%tbsql --to-f|\nSELECT 1") == ["--to-file"]
        assert texts(trips.shell, "%%tbsql --type po|\nSELECT 1") == ["polars"]

    def test_python_is_left_to_ipython(self, trips):
        trips.ok("number_of_mine = 1")
        assert texts(trips.shell, "number_of_m|") == ["number_of_mine"]
        assert "%tinybird datasource" in ["%tinybird " + each for each in texts(trips.shell, "%tinybird datas|")]
        assert texts(trips.shell, "df = %tbsql SELECT 1\nnumber_of_m|") == ["number_of_mine"]

    def test_before_login(self, cells, monkeypatch):
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
        assert "toStartOfDay" in texts(cells.shell, "%%tbsql\nSELECT toStartOf|")
        assert texts(cells.shell, "%%tbsql\nselect 1 uni|") == ["union"]

    def test_a_service_that_is_deaf_does_not_hold_a_key(self, cells, monkeypatch):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            monkeypatch.setenv("TB_HOST", f"http://127.0.0.1:{deaf.getsockname()[1]}")
            monkeypatch.setenv("TB_TOKEN", "a-token-of-nobody")
            pressed(cells.shell, "%%tbsql\nSELECT |")
            begun = time.perf_counter()
            for _ in range(20):
                pressed(cells.shell, "%%tbsql\nSELECT toSta|")
            assert (time.perf_counter() - begun) / 20 < 0.25

    def test_a_key_asks_nothing(self, trips, notebook, monkeypatch):
        """With names at hand no request is sent, on whatever place."""
        known(trips, notebook)
        asked = []
        monkeypatch.setattr(notebook.names, "_fetch", lambda *given: asked.append(given))
        for _ in range(10):
            pressed(trips.shell, f"%%tbsql\nSELECT | FROM {NAME}")
        notebook.names.wait()
        assert asked == []

    def test_alias(self, connected):
        connected.ok("%config TinyMagic.alias_sql = True")
        assert "toStartOfDay" in texts(connected.shell, "%%sql\nSELECT toStartOfD|")
        assert connected.ok("%%sql df\nSELECT 1 AS one") is not None
        assert connected.shell.user_ns["df"].one.tolist() == [1]
        connected.ok("%%sql SELECT 2 AS two")
        connected.ok("%config TinyMagic.alias_sql = False")
        assert "sql" not in connected.shell.magics_manager.magics["cell"]

    def test_unload_takes_it_away(self, cells):
        extension.unload(cells.shell)
        assert "completions" not in vars(cells.shell.Completer)
        assert "toStartOfDay" not in texts(cells.shell, "%%tbsql\nSELECT toStartOfD|")


def test_a_kernel_answers_a_notebook(server, tokens, trips, clean_settings, monkeypatch):
    """``complete_request``, as JupyterLab, Notebook and VS Code send it."""
    monkeypatch.setenv("TB_TOKEN", tokens["workspace_admin_token"])
    monkeypatch.setenv("TB_HOST", server.host)
    monkeypatch.setenv("IPYTHONDIR", str(clean_settings / "ipython"))
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive("%load_ext tinymagic", timeout=30)
        cell = f"%%tbsql\nSELECT fare\nFROM {NAME}"
        place = cell.index("fare") + 4

        def ask():
            reply = client.complete(cell, place, reply=True, timeout=30)["content"]
            assert reply["status"] == "ok"
            return reply

        end = time.monotonic() + 20
        while "fare_amount" not in ask()["matches"] and time.monotonic() < end:
            time.sleep(0.1)
        reply = ask()
        assert reply["matches"] == ["fare_amount"]
        assert cell[reply["cursor_start"] : reply["cursor_end"]] == "fare"
        assert reply["metadata"]["_jupyter_types_experimental"][0]["type"] == "Float64"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
