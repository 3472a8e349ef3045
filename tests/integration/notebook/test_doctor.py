"""``%tinybird doctor``, ``usage``, ``why``, ``fmt``, and where the connection comes from."""

from __future__ import annotations

import base64
import json
import stat
import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType

import nbformat
import pytest

from tests.integration.notebook.test_magics_secrets import JWT, STATIC, pieces
from tinymagic import errors, profiles
from tinymagic.notebook.problems import CellProblem


def jwt(**payload):
    """Return a JWT that nobody has signed."""

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(payload)}.bm9ib2R5LXNpZ25lZC10aGlz"


@pytest.fixture
def admin(tokens):
    """The Workspace administrator's token."""
    return tokens["workspace_admin_token"]


class TestChecks:
    def test_all_is_well(self, connected, server, admin):
        printed = connected.ok("%tinybird doctor").printed
        assert "✗" not in printed
        assert "All is well." in printed
        for words in (server.host, "TB_TOKEN", "pyarrow", "agrees with the service's", "ADMIN", "generation:"):
            assert words in printed
        assert not [piece for piece in pieces(admin.split(".")[2]) if piece in printed]

    def test_nothing_configured(self, cells, monkeypatch):
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
        printed = cells.ok("%tinybird doctor").printed
        assert "✗ connection:" in printed
        assert "%tinybird local start" in printed

    def test_a_host_that_does_not_answer(self, connected, monkeypatch):
        monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
        assert "✗ host:" in connected.ok("%tinybird doctor").printed

    def test_a_wrong_token(self, connected, monkeypatch):
        monkeypatch.setenv("TB_TOKEN", STATIC)
        printed = connected.ok("%tinybird doctor").printed
        assert "✓ host:" in printed
        assert "✗ token:" in printed
        assert not [piece for piece in pieces(STATIC.split(".")[2]) if piece in printed]

    def test_an_expired_jwt(self, connected, monkeypatch):
        monkeypatch.setenv("TB_TOKEN", jwt(workspace_id="w", name="n", exp=1_700_000_000, scopes=[]))
        assert "this JWT expired 2023-11-14 22:13 UTC" in connected.ok("%tinybird doctor").printed

    def test_a_file_of_logins_that_others_can_read(self, connected, server, admin):
        profiles.save_profile("work", server.host, admin, keyring=False)
        file = profiles.config_folder() / "profiles.json"
        assert "mode 0600" in connected.ok("%tinybird doctor").printed
        file.chmod(0o644)
        printed = connected.ok("%tinybird doctor").printed
        assert "✗ saved logins:" in printed
        assert f"chmod 600 {file}" in printed

    def test_shadowed_and_broken_settings(self, connected, clean_settings):
        (clean_settings / ".tinyb").write_text("{")
        (clean_settings / ".env").write_text("TB_TOKEN=a-token-of-nobody-else\nTB_HOST=https://api.tinybird.co\n")
        printed = connected.ok("%tinybird doctor").printed
        assert "✗ settings:" in printed
        assert "this is not JSON" in printed
        assert "TB_TOKEN in " in printed
        assert "a-token-of-nobody-else" not in printed


class TestInfo:
    """`info` says which source won, and which did not count."""

    @pytest.mark.parametrize("source", [".tinyb", ".env.local", ".env", "profile", "TINYBIRD_TOKEN", "TB_TOKEN"])
    def test_each_source_alone_connects(self, cells, server, admin, clean_settings, monkeypatch, source):
        if source == ".tinyb":
            (clean_settings / source).write_text(json.dumps({"token": admin, "host": server.host}))
        elif source.startswith(".env"):
            (clean_settings / source).write_text(f"export TB_TOKEN='{admin}'\nTB_HOST={server.host}\n")
        elif source == "profile":
            profiles.save_profile("profile", server.host, admin, keyring=False)
        else:
            monkeypatch.setenv(source, admin)
            monkeypatch.setenv("TB_HOST" if source == "TB_TOKEN" else "TINYBIRD_URL", server.host)
        printed = cells.ok("%tinybird info").printed
        (line,) = [each for each in printed.splitlines() if each.startswith("Chosen by:")]
        assert source in line
        assert "Not used" not in printed
        assert "ADMIN" in printed
        assert cells.ok("%tbsql SELECT 1 AS n").value.attrs["tinybird"]["host"] == server.host

    def test_shadowed(self, connected, clean_settings, server, admin):
        (clean_settings / ".tinyb").write_text(json.dumps({"token": "of-the-file-itself", "host": server.host}))
        profiles.save_profile("work", "https://api.tinybird.co", "of-the-saved-login", keyring=False)
        printed = connected.ok("%tinybird info").printed
        unused = [each for each in printed.splitlines() if each.startswith("Not used:")]
        assert ".tinyb" in unused[0]
        assert "the saved login 'work' (a token and the host https://api.tinybird.co)" in unused[1]
        assert "of-the" not in printed

    def test_a_choice_of_the_session_shadows_the_environment(self, connected, server):
        connected.ok(f"%tinybird login --host {server.host}")
        printed = connected.ok("%tinybird info").printed
        assert "Chosen by:    %tinybird login" in printed
        assert "TB_TOKEN" in printed
        assert "this session has chosen otherwise" in printed

    def test_scopes_of_a_token_that_is_no_administrator(self, connected, api, monkeypatch):
        made = api.post("/v0/tokens", data={"name": "doctor_reader", "scope": "DATASOURCES:CREATE"}).json()["token"]
        monkeypatch.setenv("TB_TOKEN", made)
        printed = connected.ok("%tinybird info").printed
        assert "Token:        static" in printed
        assert "Jobs" not in printed
        api.request("DELETE", "/v0/tokens/doctor_reader")

    def test_status_tells_what_runs(self, connected):
        printed = connected.ok("%tinybird").printed
        assert "Token:        static, 'workspace admin token', ADMIN" in printed
        assert "Jobs:" in printed


class TestLogin:
    def test_an_expired_jwt_is_not_sent(self, cells, server):
        token = jwt(workspace_id="w", name="n", exp=int(time.time()) - 60, scopes=[])
        ran = cells.run(f"%tinybird login {token} --host {server.host}")
        assert isinstance(ran.error, errors.ConfigurationError)
        assert "expired" in str(ran.error)
        assert profiles.list_profiles() == []

    def test_a_region_that_is_not_there(self, cells):
        ran = cells.run(f"%tinybird login {STATIC} --region aws/us-eats-1")
        assert "no region 'aws/us-eats-1'" in str(ran.error)

    def test_an_unsafe_host(self, cells):
        ran = cells.run(f"%tinybird login {STATIC} --host http://example.org")
        assert isinstance(ran.error, errors.InsecureHost)

    def test_saved_in_a_keyring(self, cells, server, admin, monkeypatch):
        """A store of the system, as the package keyring shows it."""
        kept = {}
        store = ModuleType("keyring")
        store.__spec__ = ModuleSpec("keyring", None)
        store.set_password = lambda service, name, password: kept.update({(service, name): password})
        store.get_password = lambda service, name: kept.get((service, name))
        store.delete_password = lambda service, name: kept.pop((service, name))
        store.errors = ModuleType("keyring.errors")
        store.errors.KeyringError = type("KeyringError", (Exception,), {})
        monkeypatch.setitem(sys.modules, "keyring", store)
        monkeypatch.setitem(sys.modules, "keyring.errors", store.errors)
        ran = cells.ok(f"%tinybird login {admin} --host {server.host} --profile kept --keyring")
        assert "the system's credential store" in ran.printed
        assert kept == {("tinymagic", "kept"): admin}
        assert admin not in (profiles.config_folder() / "profiles.json").read_text()
        cells.ok("%tinybird use kept")
        assert cells.ok("%tbsql SELECT 1 AS n").value.n.tolist() == [1]
        cells.ok("%tinybird logout")
        assert kept == {}

    def test_the_file_is_for_its_owner_only(self, cells, server, admin):
        cells.ok(f"%tinybird login {admin} --host {server.host} --profile mine")
        file = profiles.config_folder() / "profiles.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


class TestScan:
    @pytest.fixture
    def folder(self, clean_settings, admin):
        made = nbformat.v4.new_notebook()
        cell = nbformat.v4.new_code_cell(f"# login\n%tinybird login {STATIC}")
        cell.outputs = [nbformat.v4.new_output("stream", text=f"ok\n{JWT}\n")]
        made.cells = [nbformat.v4.new_markdown_cell("# Title"), cell]
        folder = clean_settings / "work"
        folder.mkdir()
        nbformat.write(made, folder / "a.ipynb")
        (folder / "notes.txt").write_text(f"nothing\nhere is {admin[60:80]} of it\n")
        (folder / "clean.py").write_text("print('clean')\n")
        (folder / ".env").write_text(f"TB_TOKEN={STATIC}\n")
        (folder / "binary.bin").write_bytes(b"\xff\xfe" + STATIC.encode())
        (folder / ".git").mkdir()
        (folder / ".git" / "config").write_text(STATIC)
        return folder

    def test_tells_where_and_never_what(self, connected, folder, admin):
        ran = connected.ok(f"%tinybird doctor --scan {folder}")
        rows = ran.value[["file", "line", "place", "what"]]
        assert list(rows.itertuples(index=False, name=None)) == [
            (".env", 1, "text", "static token"),
            ("a.ipynb", 2, "source", "static token"),
            ("a.ipynb", 2, "output", "JWT"),
            ("notes.txt", 2, "text", "piece of an own token"),
        ]
        assert ran.value.cell.tolist()[1:3] == [2, 2]
        assert "3 places with a token in 2 files (4 files looked at)" in ran.printed
        shown = ran.printed + ran.value.to_string()
        assert not [piece for token in (STATIC, JWT, admin) for piece in pieces(token) if piece in shown]

    def test_one_notebook(self, connected, folder):
        assert len(connected.ok(f"%tinybird doctor --scan {folder}/a.ipynb").value) == 2

    def test_clean(self, connected, folder):
        ran = connected.ok(f"df = %tinybird doctor --scan {folder}/clean.py")
        assert ran.printed.strip() == "No token found in 1 file."
        assert connected["df"].empty

    def test_without_a_login(self, cells, folder, monkeypatch):
        monkeypatch.setattr("tinymagic.local.find", lambda path=None: None)
        assert len(cells.ok(f"%tinybird doctor --scan {folder}/a.ipynb").value) == 2

    def test_no_such_folder(self, connected, folder):
        ran = connected.run(f"%tinybird doctor --scan {folder}/b.ipynb")
        assert isinstance(ran.error, CellProblem)
        assert "Did you mean a.ipynb?" in "\n".join(ran.card)

    def test_fix(self, connected, folder):
        before = (folder / "a.ipynb").read_text()
        printed = connected.ok(f"%tinybird doctor --scan {folder} --fix --yes").printed
        assert "a.ipynb is mended" in printed
        mended = nbformat.read(folder / "a.ipynb", as_version=4)
        assert mended.cells[1].source == "# login\n%tinybird login [hidden]"
        assert mended.cells[1].outputs[0].text == "ok\n[hidden]\n"
        backup = folder / "a.ipynb.with-token"
        assert backup.read_text() == before
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        assert (folder / ".env").read_text() == f"TB_TOKEN={STATIC}\n"
        assert connected.ok(f"%tinybird doctor --scan {folder}").value["settings file"].all()

    def test_fix_asks(self, connected, folder, monkeypatch):
        before = (folder / "a.ipynb").read_text()
        assert "--yes" in str(connected.run(f"%tinybird doctor --scan {folder} --fix").error)
        monkeypatch.setattr("builtins.input", lambda question: "n")
        assert "Nothing was changed." in connected.ok(f"%tinybird doctor --scan {folder} --fix").printed
        assert (folder / "a.ipynb").read_text() == before

    def test_a_backup_is_not_overwritten(self, connected, folder):
        (folder / "a.ipynb.with-token").write_text("older")
        ran = connected.run(f"%tinybird doctor --scan {folder}/a.ipynb --fix --yes")
        assert "is there already" in str(ran.error)
        assert STATIC in (folder / "a.ipynb").read_text()


class TestWhy:
    def test_the_whole_reply_without_tokens(self, connected, admin):
        connected.run("%tbsql SELECT missing_column_of_mine")
        printed = connected.ok("%tinybird why").printed
        assert printed.startswith("QueryError:")
        assert "/v0/sql was answered 400" in printed
        assert '"error":' in printed
        assert "content-type: application/json" in printed
        assert not [piece for piece in pieces(admin.split(".")[2]) if piece in printed]

    def test_of_a_command_and_of_the_client(self, connected, server):
        connected.run("%tinybird datasource show not_there_at_all")
        assert "/v0/datasources/not_there_at_all was answered 404" in connected.ok("%tinybird why").printed
        connected.run("import tinymagic\ntinymagic.connect().sql('SELECT other_column')")
        assert "other_column" in connected.ok("%tinybird why").printed

    def test_without_a_reply(self, connected, monkeypatch):
        monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
        connected.run("%tbsql SELECT 1")
        assert "No reply of the service is known" in connected.ok("%tinybird why").printed

    def test_what_was_written_wrong_is_no_failure_of_the_service(self, connected):
        connected.run("%tbsql SELECT earlier_column")
        connected.run("%tinybird datasource shwo x")
        assert "earlier_column" in connected.ok("%tinybird why").printed


class TestUsage:
    def test_counts_requests_by_pipe_and_token(self, connected):
        for _ in range(3):
            connected.ok("%tbsql SELECT number FROM numbers(10);")
        ran = connected.ok("%tinybird usage --days 2")
        assert ran.value.columns.tolist() == ["day", "pipe", "token", "requests", "errors", "rows_read", "bytes_read"]
        assert ran.value.requests.sum() >= 3
        assert ran.value.token.tolist()[0]
        assert ran.printed.startswith("Today (")

    def test_a_token_that_may_not_read_it(self, connected, api, monkeypatch):
        made = api.post("/v0/tokens", data={"name": "usage_reader", "scope": "DATASOURCES:CREATE"}).json()["token"]
        monkeypatch.setenv("TB_TOKEN", made)
        ran = connected.ok("%tinybird usage")
        assert ran.value is None
        assert "tinybird.pipe_stats_rt" in ran.printed
        api.request("DELETE", "/v0/tokens/usage_reader")


class TestFmt:
    def test_a_line_and_a_variable(self, connected):
        printed = connected.ok("%tinybird fmt select a,'x y' from t where a>1").printed
        assert "SELECT" in printed
        assert "'x y'" in printed
        assert len(printed.splitlines()) > 1
        connected.ok("query = 'select 1'")
        assert "SELECT 1" in connected.ok("%tinybird fmt query").printed

    def test_no_sql(self, connected):
        assert "SQL|NAME... is missing" in str(connected.run("%tinybird fmt").error)
