"""Tab in lines of ``%tinybird``: through IPython's completer, and through a kernel as a notebook asks."""

from __future__ import annotations

import time

import pytest
from IPython.core.completer import provisionalcompleter
from jupyter_client.manager import start_new_kernel

from tinymagic.notebook import extension
from tinymagic.notebook.tab import TabKey, offers_for

NAME = "completion_trips"


@pytest.fixture
def notebook(connected):
    """What the magics share."""
    return extension._loaded[id(connected.shell)].notebook


@pytest.fixture
def trips(connected, workspace):
    """A Data Source."""
    workspace.datasources.create(NAME, "day Date, amount Float64")
    yield connected
    if NAME in [each.name for each in workspace.datasources.list()]:
        workspace.datasources.delete(NAME)


@pytest.fixture
def resources(trips, workspace, api):
    """One of each kind."""
    workspace.pipes.create("completion_pipe", [{"name": "completion_node", "sql": "SELECT 1 AS one"}])
    workspace.pipes.publish("completion_pipe", "completion_node")
    api.post("/v0/tokens", data={"name": "completion_token", "scope": "DATASOURCES:CREATE"})
    api.post("/v0/variables", data={"name": "completion_variable", "value": "x"})
    yield trips
    workspace.pipes.delete("completion_pipe")
    api.request("DELETE", "/v0/tokens/completion_token")
    api.request("DELETE", "/v0/variables/completion_variable")


def complete(shell, text):
    """Return what the line *text* becomes with each proposal, as a front end puts it there."""
    with provisionalcompleter():
        return [text[: each.start] + each.text for each in shell.Completer.completions(text, len(text))]


class TestIpython:
    def test_words(self, cells):
        assert complete(cells.shell, "%tinybird datas") == ["%tinybird datasource"]
        assert complete(cells.shell, "x = %tinybird datasource sho") == ["x = %tinybird datasource show"]
        assert complete(cells.shell, "a = 1\n%tinybird local start --mem") == ["a = 1\n%tinybird local start --memory"]

    def test_choices_files_variables_profiles(self, cells, clean_settings):
        from tinymagic import profiles

        (clean_settings / "taxi.csv").write_text("a\n1\n")
        (clean_settings / "taxi rides.csv").write_text("a\n1\n")
        (clean_settings / "taxis").mkdir()
        profiles.save_profile("work", "https://api.tinybird.co", "a-token-of-nobody", keyring=False)
        cells.ok("import pandas as pd\ntaxi_frame = pd.DataFrame({'a': [1]})\ntaxi_number = 5\ntaxi_list = [{'a': 1}]")
        line = "%tinybird datasource append x "
        found = complete(cells.shell, f"{line}tax")
        assert [each.removeprefix(line) for each in found] == [
            "'taxi rides.csv'",
            "taxi.csv",
            "taxis/",
            "taxi_frame",
            "taxi_list",
        ]
        assert complete(cells.shell, f"{line}taxi.csv --format nd") == [f"{line}taxi.csv --format ndjson"]
        assert complete(cells.shell, f"{line}'taxi ri") == [f"{line}'taxi rides.csv"]
        assert complete(cells.shell, "%tinybird use w") == ["%tinybird use work"]
        assert complete(cells.shell, "%tinybird login --region aws/us-e") == ["%tinybird login --region aws/us-east-1"]

    def test_names_come_from_the_workspace_and_go_with_what_changes(self, trips, notebook):
        line = f"%tinybird datasource show {NAME[:8]}"
        complete(trips.shell, line)
        notebook.names.wait()
        assert complete(trips.shell, line) == [f"%tinybird datasource show {NAME}"]
        trips.ok(f"%tinybird datasource rm {NAME} --yes")
        notebook.names.wait()
        assert f"%tinybird datasource show {NAME}" not in complete(trips.shell, line)

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ("pipe show", "completion_pipe"),
            ("pipe data", "completion_pipe"),
            ("pipe set-node completion_pipe", "completion_node"),
            ("pipe publish completion_pipe", "completion_node"),
            ("pipe create other --from-node", "completion_pipe"),
            ("materialization create completion_pipe completion_node", NAME),
            ("copy create completion_pipe completion_node", NAME),
            ("token show", "completion_token"),
            ("token show", "'workspace admin token'"),
            ("variable rm", "completion_variable"),
            ("secret rm", "completion_variable"),
            ("workspace show", "Tinybird_Local_Testing"),
            ("tag create x --add", NAME),
            ("datasource create x --sorting-key", ""),
        ],
    )
    def test_names_of_every_kind(self, resources, notebook, line, name):
        written = f"%tinybird {line} "
        for _ in range(2):
            found = offers_for(notebook, written)
            notebook.names.wait()
        assert name in [text for each in found for text in each.texts] or not name

    def test_columns(self, trips, notebook):
        for _ in range(2):
            found = notebook.names.names("column", NAME)
            notebook.names.wait()
        assert found == ("day", "amount")

    def test_ids_of_jobs(self, trips, notebook, workspace):
        job = workspace.datasources.delete_rows(NAME, "amount > 1")
        for _ in range(2):
            found = notebook.names.names("job")
            notebook.names.wait()
        assert job.id in found

    def test_a_command_that_looks_keeps_the_names(self, trips, notebook):
        complete(trips.shell, "%tinybird datasource show ")
        notebook.names.wait()
        trips.ok("%tinybird datasource ls")
        assert NAME in notebook.names._known["datasource"]

    def test_names_of_another_connection_are_not_offered(self, trips, notebook, monkeypatch):
        complete(trips.shell, "%tinybird datasource show ")
        notebook.names.wait()
        monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
        assert notebook.names.names("datasource") == ()
        notebook.names.wait()
        assert notebook.names.names("datasource") == ()

    def test_before_login(self, cells, monkeypatch):
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
        assert complete(cells.shell, "%tinybird datasource sho") == ["%tinybird datasource show"]
        assert complete(cells.shell, "%tinybird datasource show ") == ["%tinybird datasource show --help"]

    def test_a_service_that_cannot_be_reached_does_not_hold_a_key(self, cells, monkeypatch):
        """The names are fetched elsewhere: a host that never answers costs nothing here."""
        import socket

        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            monkeypatch.setenv("TB_HOST", f"http://127.0.0.1:{deaf.getsockname()[1]}")
            monkeypatch.setenv("TB_TOKEN", "a-token-of-nobody")
            shared = extension._loaded[id(cells.shell)].notebook
            offers_for(shared, "%tinybird datasource show ")
            begun = time.perf_counter()
            for _ in range(20):
                offers_for(shared, "%tinybird datasource show ")
            assert (time.perf_counter() - begun) / 20 < 0.05

    def test_an_answer_takes_no_time(self, trips, notebook):
        offers_for(notebook, "%tinybird datasource show ")
        notebook.names.wait()
        notebook.names._known["datasource"] = tuple(f"{NAME}_{number}" for number in range(5000))
        begun = time.perf_counter()
        for _ in range(20):
            assert len(offers_for(notebook, "%tinybird datasource show ")[0].texts) == 5000
        assert (time.perf_counter() - begun) / 20 < 0.05

    def test_other_lines_are_left_alone(self, cells):
        cells.ok("datasource_of_mine = 1")
        assert complete(cells.shell, "datasource_of_m") == ["datasource_of_mine"]
        assert complete(cells.shell, "print('%tinybird ', datasource_of_m") != []

    def test_nothing_is_printed_in_the_background(self, cells, monkeypatch, capfd):
        monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
        monkeypatch.setenv("TB_TOKEN", "a-token-of-nobody")
        shared = extension._loaded[id(cells.shell)].notebook
        offers_for(shared, "%tinybird datasource show ")
        shared.names.wait()
        assert capfd.readouterr() == ("", "")

    def test_unload_takes_it_away(self, cells):
        before = list(cells.shell.Completer.custom_matchers)
        assert len(before) == 1
        extension.unload(cells.shell)
        assert cells.shell.Completer.custom_matchers == []
        assert "%tinybird datasource" not in complete(cells.shell, "%tinybird datas")


class TestOlderIpython:
    """IPython before 8.6 has custom completers only; they are still there in later ones."""

    @pytest.fixture
    def old(self, cells, monkeypatch):
        extension._loaded[id(cells.shell)].notebook.tab_key.close()
        key = TabKey(extension._loaded[id(cells.shell)].notebook)
        monkeypatch.delattr("IPython.core.completer.context_matcher")
        key.register()
        yield cells
        key.close()
        assert "%tinybird" not in cells.shell.Completer.custom_completers.strs

    def test_words(self, old):
        assert complete(old.shell, "%tinybird datas")[0] == "%tinybird datasource"
        assert complete(old.shell, "x = %tinybird datasource sho")[0] == "x = %tinybird datasource show"
        assert "%tinybird local start --memory" in complete(old.shell, "%tinybird local start --mem")

    def test_values_behind_an_equals_sign(self, old):
        line = "%tinybird datasource append x y --format="
        assert f"{line}ndjson" in complete(old.shell, f"{line}nd")


def test_a_kernel_answers_a_notebook(server, tokens, workspace, clean_settings, monkeypatch):
    """``complete_request``, as JupyterLab sends it."""
    monkeypatch.setenv("TB_TOKEN", tokens["workspace_admin_token"])
    monkeypatch.setenv("TB_HOST", server.host)
    monkeypatch.setenv("IPYTHONDIR", str(clean_settings / "ipython"))
    workspace.datasources.create(f"{NAME}_kernel", "a Int8")
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive("%load_ext tinymagic", timeout=30)

        def ask(line):
            reply = client.complete(line, len(line), reply=True, timeout=30)["content"]
            assert reply["status"] == "ok"
            return [line[: reply["cursor_start"]] + match for match in reply["matches"]], reply

        assert ask("%tinybird datas")[0] == ["%tinybird datasource"]
        line = f"df = %tinybird datasource show {NAME}_k"
        end = time.monotonic() + 20
        while f"{line}ernel" not in ask(line)[0] and time.monotonic() < end:
            time.sleep(0.1)
        matches, reply = ask(line)
        assert matches == [f"{line}ernel"]
        assert reply["metadata"]["_jupyter_types_experimental"][0]["type"] == "datasource"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        workspace.datasources.delete(f"{NAME}_kernel")
