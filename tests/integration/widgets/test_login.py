"""The panel that connects, on a real embedded server: tokens, regions, test, connect, save, the server's button."""

from __future__ import annotations

import base64
import json
import threading
from types import SimpleNamespace

import pytest

from tests.integration.widgets.states import all_widgets
from tinymagic import local, profiles
from tinymagic.notebook.session import Session
from tinymagic.regions import REGIONS, Region
from tinymagic.widgets import Login
from tinymagic.widgets.models.login import LoginModel
from tinymagic.widgets.work import Work

HOSTILE = "<img src=x onerror=alert(1)>"


def token_of(region):
    """A token of nobody that names a region."""
    payload = base64.b64encode(json.dumps({"u": "1", "id": "wlogin", "host": region}).encode()).decode()
    return f"p.{payload}.signature-of-nobody-at-all"


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """No setting of whoever runs the tests counts."""
    for name in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL", "TINYBIRD_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TINYMAGIC_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def session():
    made = Session(SimpleNamespace(timeout_s=20.0, host="", region="", profile=""))
    yield made
    made.forget()


@pytest.fixture
def panel(server, session):
    """The panel of a session, which does everything at once."""
    model = LoginModel(
        connections=session,
        on_connect=session.choose,
        on_disconnect=session.forget,
        work=Work(at_once=True),
        beside=Work(at_once=True),
    )
    made = Login(model=model)
    yield made
    made.close()


@pytest.fixture
def reader(workspace):
    made = workspace.tokens.create("wlogin_reader", ["DATASOURCES:CREATE"])
    yield made.token.reveal()
    workspace.tokens.delete(made)


def states():
    return repr([made.get_state() for made in all_widgets()])


def paste(panel, token):
    panel._token.value = token


def at_host(panel, server, token):
    panel._place.value = "host"
    panel._host.value = server.host
    paste(panel, token)


def hidden(panel, token):
    """Whether no piece of the token is anywhere."""
    everywhere = states() + repr(panel._static_bundle()) + repr(panel.model.trait_values())
    pieces = {token[place : place + 8] for place in range(len(token) - 7)}
    # The beginning of all tokens of one server is the same and tells nothing.
    return not any(piece in everywhere for piece in pieces)


class TestToken:
    def test_it_leaves_the_field_at_once(self, panel):
        token = token_of("aws-us-east-1")
        paste(panel, token)
        assert panel._token.value == ""
        assert "aws-us-east-1" in panel._state.value
        assert hidden(panel, token)

    def test_its_region_is_chosen(self, panel):
        paste(panel, token_of("aws-us-east-1"))
        assert panel._region.value == "aws-us-east-1"
        paste(panel, token_of("gcp-europe-west2"))
        assert panel._region.value == "gcp-europe-west2"
        assert panel.model.mismatch == ""

    def test_another_region_is_explained_and_nothing_sent(self, panel):
        panel._region.value = "aws-us-west-2"
        paste(panel, token_of("gcp-europe-west2"))
        assert panel._region.value == "aws-us-west-2"
        assert "of the region gcp-europe-west2" in panel._mismatch.value
        assert "not of aws-us-west-2" in panel._mismatch.value
        panel._test.click()
        assert "Nothing was sent" in panel.model.message
        panel._adopt.click()
        assert panel._region.value == "gcp-europe-west2"
        assert (panel.model.mismatch, panel._adopt.layout.display) == ("", "none")

    def test_one_of_the_cloud_is_not_sent_to_this_machine(self, panel, server):
        at_host(panel, server, token_of("aws-us-east-1"))
        panel._test.click()
        assert "Nothing was sent" in panel.model.message

    def test_one_of_this_machine_chooses_the_embedded_server(self, panel, tokens):
        paste(panel, tokens["workspace_admin_token"])
        assert panel._place.value == "embedded"
        panel._place.value = "region"
        assert "a server on this machine" in panel.model.mismatch

    def test_one_that_tells_no_region_needs_a_choice(self, panel):
        paste(panel, "a-token-that-tells-nothing")
        panel._test.click()
        assert "Choose the one" in panel.model.message

    def test_forget(self, panel):
        paste(panel, token_of("aws-us-east-1"))
        panel._forget.click()
        panel._test.click()
        assert "Paste a token" in panel.model.message
        assert panel.model.token == ""

    def test_closing_lets_it_go(self, server, session):
        panel = Login(model=LoginModel(connections=session, work=Work(at_once=True), beside=Work(at_once=True)))
        paste(panel, token_of("aws-us-east-1"))
        panel.close()
        assert panel.model._secret is None


class TestRegions:
    def test_the_built_in_ones_by_provider(self, panel):
        labels = [label for label, _ in panel._region.options]
        assert labels[0] == "found from the token"
        assert labels[1:] == sorted(labels[1:], key=lambda each: each.split(":")[0])
        assert len(labels) == len(REGIONS)

    def test_those_of_the_service_take_their_place(self, panel, workspace):
        panel.model.workspace = workspace
        panel.model.regions = []
        panel.model.load()
        assert {each.key for each in panel.model.regions} == {each.key for each in REGIONS if each.key != "local"}

    def test_a_new_one_is_found_in_its_tokens(self, panel):
        new = Region("aws-mars-1", HOSTILE, "aws", "mars-1", "https://api.mars-1.aws.example", "")
        panel.model._show_regions([new])
        paste(panel, token_of("aws-mars-1"))
        assert panel._region.value == "aws-mars-1"
        assert panel.model._host() == "https://api.mars-1.aws.example"


class TestTest:
    def test_an_administrators_token(self, panel, server, tokens, session):
        token = tokens["workspace_admin_token"]
        at_host(panel, server, token)
        panel._test.click()
        facts = panel.model.facts
        assert (facts.is_admin, facts.host) == (True, server.host)
        assert panel.model.message_kind == "warning"
        assert "a token is enough that may read" in panel.model.message
        assert "everything in the Workspace" in panel._facts.value
        assert facts.name in panel._facts.value
        assert session.chosen is None
        assert token not in states()

    def test_a_smaller_token(self, panel, server, reader):
        at_host(panel, server, reader)
        panel._test.click()
        assert panel.model.message_kind == "done"
        assert panel.model.facts.scopes is None
        assert "only to tokens that may list tokens" in panel._facts.value

    def test_a_jwt(self, panel, server, workspace):
        workspace.datasources.create("wlogin_source", "a Int32")
        try:
            jwt = workspace.tokens.create_jwt(HOSTILE, ["DATASOURCES:READ:wlogin_source"], lifetime=600).reveal()
            at_host(panel, server, jwt)
            panel._test.click()
        finally:
            workspace.datasources.delete("wlogin_source")
        assert panel.model.message_kind == "done"
        assert "read wlogin_source" in panel._facts.value
        assert "expires 20" in panel._facts.value
        assert "<img" not in panel._state.value + panel._facts.value + panel._static_bundle()["text/html"]
        assert jwt not in states()

    def test_one_that_is_over_is_not_sent(self, panel, server):
        parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({}, {"exp": 1})]
        at_host(panel, server, ".".join([*parts, "signature"]))
        panel._test.click()
        assert "expired 1970" in panel.model.message

    def test_a_wrong_token(self, panel, server):
        token = token_of("local")
        at_host(panel, server, token)
        panel._test.click()
        assert panel.model.message_kind == "error"
        assert "does not take this token" in panel.model.message
        assert hidden(panel, token)

    def test_what_a_change_makes_old_goes(self, panel, server, tokens):
        at_host(panel, server, tokens["workspace_admin_token"])
        panel._test.click()
        panel._host.value = "localhost:1"
        assert panel.model.facts is None
        assert panel._facts.value == ""

    @pytest.mark.parametrize(
        ("host", "said"),
        [
            ("", "Write the host"),
            ("http://example.org", "without TLS"),
            (f"https://{HOSTILE}", "host"),
            ("https://me:word@example.org", "must not carry"),
            ("https://example.org", "Paste a token first"),
            ("http://127.0.0.1:1", "127.0.0.1:1"),
        ],
    )
    def test_hosts_that_cannot_be(self, panel, host, said):
        panel._place.value = "host"
        panel._host.value = host
        panel._test.click()
        assert panel.model.message_kind == "error"
        assert said in panel.model.message
        assert "<img" not in panel._message.value


class TestConnect:
    def test_with_a_token(self, panel, server, reader, session):
        at_host(panel, server, reader)
        panel._connect.click()
        assert session.chosen is panel.workspace
        assert session.workspace().host == server.host
        assert "Connected to" in panel.model.message
        assert server.host.split("://")[1] in panel._head.value
        assert reader not in states() + repr(panel._static_bundle())

    def test_a_server_that_hands_its_token_out(self, panel, server, session):
        panel._place.value = "host"
        panel._host.value = server.host
        panel._connect.click()
        assert session.workspace().info().name
        assert panel.model.message_kind == "done"
        assert panel.model.line == f"%tinybird login --host {server.host}"

    def test_without_a_session(self, server, tokens):
        panel = Login(model=LoginModel(work=Work(at_once=True), beside=Work(at_once=True)))
        at_host(panel, server, tokens["workspace_admin_token"])
        panel._connect.click()
        assert panel.workspace.info().name
        panel.close()

    def test_a_failure_changes_nothing(self, panel, server, session):
        at_host(panel, server, token_of("local"))
        panel._connect.click()
        assert session.chosen is None
        assert panel.workspace is None

    def test_with_threads(self, server, tokens, session):
        panel = Login(session)
        at_host(panel, server, tokens["workspace_admin_token"])
        panel._connect.click()
        panel.model.work.wait()
        assert session.chosen is panel.workspace
        panel.close()
        panel.model._beside.wait()
        assert not [each for each in threading.enumerate() if each.name == "tinymagic panel"]

    def test_a_saved_notebook(self, panel, server, tokens):
        assert "Run the cell again" in panel._static_bundle()["text/plain"]
        at_host(panel, server, tokens["workspace_admin_token"])
        panel._connect.click()
        bundle = panel._static_bundle()
        assert panel.model.facts.name in bundle["text/html"]
        assert f"Host: {server.host}" in bundle["text/plain"]
        assert tokens["workspace_admin_token"] not in repr(bundle)


class TestSave:
    def test_it_is_found_by_itself_then(self, panel, server, reader, session):
        at_host(panel, server, reader)
        panel._profile.value = "wlogin work"
        panel._save.click()
        assert "saved as wlogin work" in panel.model.message
        saved = profiles.load_profile("wlogin work")
        assert (saved.host, saved.token, saved.current) == (server.host, reader, True)
        assert session.chosen.profile == "wlogin work"
        assert reader not in states() + repr(panel._static_bundle()) + panel.model.message

    def test_the_workspaces_name_by_default(self, panel, server, reader):
        at_host(panel, server, reader)
        panel._save.click()
        assert [each.name for each in profiles.list_profiles()] == [panel.model.facts.name]

    def test_one_that_is_refused_is_not_saved(self, panel, server):
        at_host(panel, server, token_of("local"))
        panel._save.click()
        assert panel.model.message_kind == "error"
        assert profiles.list_profiles() == []

    def test_without_a_token(self, panel):
        panel._save.click()
        assert "nothing to save" in panel.model.message
        assert profiles.list_profiles() == []

    def test_line(self, panel):
        paste(panel, token_of("aws-us-east-1"))
        assert panel.model._login_line() == "%tinybird login --host https://api.us-east.aws.tinybird.co"


@pytest.fixture
def no_server(tmp_path, monkeypatch):
    """A home where no embedded server runs; what was started there is stopped."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield
    for left in local.running():
        local.stop(port=left.port)


class TestServer:
    def test_start_connect_stop(self, no_server, session):
        model = LoginModel(
            connections=session,
            on_connect=session.choose,
            on_disconnect=session.forget,
            work=Work(at_once=True),
            beside=Work(at_once=True),
        )
        panel = Login(model=model)
        panel._place.value = "embedded"
        assert "not running" in panel._server.value
        panel._test.click()
        assert "does not run" in panel.model.message
        panel._start.click()
        assert model.line == "%tinybird local start"
        running = local.find()
        assert running == model.server
        assert running.host in panel._server.value
        panel._connect.click()
        assert session.chosen.backend == "embedded"
        assert (model.line, model.facts.warning) == ("%tinybird local start", "")
        panel._start.click()
        assert local.find() == running
        assert "Its data stay" in panel._confirmation._question.value
        panel._confirmation._yes.click()
        assert local.find() is None
        assert (model.server, model.workspace, session.chosen) == (None, None, None)
        assert model.line == f"%tinybird local stop --port {running.port}"
        assert panel._start.description == "Start it"
        panel.close()

    def test_connecting_starts_it(self, no_server, session):
        model = LoginModel(connections=session, on_connect=session.choose, work=Work(at_once=True))
        panel = Login(model=model)
        panel._place.value = "embedded"
        panel._connect.click()
        assert session.chosen.host == local.find().host
        panel.close()

    def test_a_start_that_fails_is_told(self, no_server, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
        panel = Login(model=LoginModel(work=Work(at_once=True), beside=Work(at_once=True)))
        panel._place.value = "embedded"
        panel._start.click()
        assert panel.model.message_kind == "error"
        assert str(tmp_path / "file") in panel.model.message
        panel.close()
