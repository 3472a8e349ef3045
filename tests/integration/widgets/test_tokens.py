"""The panel of tokens on a real embedded server: made, shown, refreshed, deleted; none is shown unasked."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

import tinymagic
from tests.integration.widgets.states import all_widgets
from tinymagic.api.own_token import OwnToken
from tinymagic.errors import Forbidden
from tinymagic.widgets import Tokens
from tinymagic.widgets.models.tokens import TokensModel
from tinymagic.widgets.scope_words import words_of
from tinymagic.widgets.work import Work

HOSTILE = "<img src=x onerror=alert(1)>"
PREFIX = "wtok"
_numbers = itertools.count()


@pytest.fixture
def name():
    return f"{PREFIX}_{next(_numbers)}"


@pytest.fixture
def resources(workspace):
    """A Data Source and a Pipe that scopes can be about."""
    workspace.datasources.create("wtok_source", "country String")
    sql = "%SELECT {{String(country, 'none')}} AS country"
    workspace.pipes.create("wtok_pipe", [{"name": "endpoint", "sql": sql, "type": "endpoint"}])
    yield
    workspace.pipes.delete("wtok_pipe")
    workspace.datasources.delete("wtok_source")


@pytest.fixture(autouse=True)
def clean(workspace):
    yield
    for each in workspace.tokens.list():
        if each.name.startswith((PREFIX, HOSTILE)):
            workspace.tokens.delete(each)


@pytest.fixture
def model(workspace):
    made = TokensModel(workspace, work=Work(at_once=True))
    yield made
    made.close()


@pytest.fixture
def panel(resources, model):
    """The panel, which does everything at once."""
    made = Tokens(model=model)
    yield made
    made.close()


def states():
    return repr([made.get_state() for made in all_widgets()])


def add(panel, kind, resource="", condition=""):
    panel._scope.value = kind
    panel._resource.value, panel._filter.value = resource, condition
    panel._add.click()


def create(panel, name, *scopes):
    panel._kind.value, panel._name.value = "static", name
    for scope in scopes or (("DATASOURCES:READ", "wtok_source"),):
        add(panel, *scope)
    panel._create.click()


def create_jwt(panel, name, fixed="", lasts=2, unit="h", rps=0):
    panel._kind.value, panel._name.value = "jwt", name
    panel._lasts.value, panel._unit.value, panel._rps.value, panel._fixed.value = lasts, unit, rps, fixed
    panel._create.click()


def choose(panel, name):
    panel._on_choose(name)


def find(workspace, name):
    return next((each for each in workspace.tokens.list() if each.name == name), None)


class TestList:
    def test_scopes_in_words(self, panel, workspace, name):
        workspace.tokens.create(name, ["DATASOURCES:READ:wtok_source:country = 'ES'", "TOKENS"])
        panel.model.load()
        assert panel.model.line == "%tinybird token ls"
        choose(panel, name)
        assert "list, make and end tokens" in panel._details.value
        assert "read wtok_source, only rows where country = &#x27;ES&#x27;" in panel._details.value
        html, words = panel.static()
        assert "list, make and end tokens" in html
        assert f"{name}: " in words

    def test_the_one_in_use_is_marked(self, panel, workspace, tokens):
        own = next(each for each in panel.model.tokens if each.id == panel.model.in_use)
        assert workspace.tokens.in_use(own)
        assert own.is_admin
        assert panel.static()[0].count("in use here") == 1

    def test_no_token_is_anywhere(self, panel, workspace):
        everywhere = states() + repr(panel._static_bundle()) + repr(panel.model.trait_values())
        for each in workspace.tokens.list():
            assert each.token.reveal() not in everywhere
        assert not any(each.token for each in panel.model.tokens)

    def test_without_a_workspace(self):
        panel = Tokens(model=TokensModel(None, work=Work(at_once=True)))
        assert "%tinybird login" in panel._message.value
        panel.close()

    def test_with_a_token_that_may_not(self, workspace, server, name):
        small = workspace.tokens.create(name, ["DATASOURCES:CREATE"]).token.reveal()
        panel = Tokens(model=TokensModel(tinymagic.connect(small, server.host), work=Work(at_once=True)))
        assert panel.model.message_kind == "error"
        assert small not in states()
        panel.close()


class TestScopes:
    def test_names_to_choose_from(self, panel):
        panel._scope.value = "DATASOURCES:READ"
        assert "wtok_source" in panel._resource.options
        panel._scope.value = "PIPES:READ"
        assert "wtok_pipe" in panel._resource.options
        panel._scope.value = "TOKENS"
        assert (panel._resource.layout.display, panel._filter.layout.display) == ("none", "none")

    def test_add_and_take_away(self, panel):
        add(panel, "PIPES:READ", "wtok_pipe")
        add(panel, "PIPES:READ", "wtok_pipe")
        add(panel, "DATASOURCES:READ", "wtok_source", "country = 'ES'")
        assert [str(each) for each in panel.model.scopes] == [
            "PIPES:READ:wtok_pipe",
            "DATASOURCES:READ:wtok_source:country = 'ES'",
        ]
        assert panel._resource.value == panel._filter.value == ""
        panel._scopes.children[0].children[0].click()
        assert [each.type for each in panel.model.scopes] == ["DATASOURCES:READ"]

    def test_what_does_not_belong_together_is_told(self, panel):
        add(panel, "PIPES:READ", "")
        assert "needs the name of a Pipe" in panel.model.message
        add(panel, "DATASOURCES:READ", "a:b")
        assert panel.model.message_kind == "error"
        assert panel.model.scopes == []
        # What was left in the fields of another scope does not come along.
        add(panel, "TOKENS", "wtok_source", "country = 'ES'")
        assert [str(each) for each in panel.model.scopes] == ["TOKENS"]

    def test_the_meaning_is_shown(self, panel):
        panel._scope.value, panel._resource.value = "DATASOURCES:APPEND", "wtok_source"
        assert "append rows to wtok_source" in panel._meaning.value

    def test_every_scope_has_words(self):
        from tinymagic.api.scopes import SCOPES, Scope

        assert all(words_of(Scope(kind, "x")) != str(Scope(kind, "x")) for kind in SCOPES)


class TestStatic:
    def test_create(self, panel, workspace, server, name):
        panel._description.value = "of a test"
        create(panel, name, ("DATASOURCES:READ", "wtok_source", "country = 'ES'"), ("TOKENS",))
        made = find(workspace, name)
        assert [str(each) for each in made.scopes] == ["DATASOURCES:READ:wtok_source:country = 'ES'", "TOKENS"]
        assert made.description == "of a test"
        assert panel.model.line == (
            f"%tinybird token create static {name} --scope \"DATASOURCES:READ:wtok_source:country = 'ES'\" "
            "--scope TOKENS --description 'of a test'"
        )
        assert panel.model.scopes == []
        assert made.token.reveal() not in states() + repr(panel.model.trait_values())
        assert panel.model.fresh.reveal() == made.token.reveal()

    def test_without_name_or_scope(self, panel):
        panel._name.value = " "
        panel._create.click()
        assert "a name" in panel.model.message
        panel._name.value = "wtok_x"
        panel._create.click()
        assert "Add a scope first" in panel.model.message
        assert panel.model.message_kind == "error"

    def test_a_name_that_is_taken(self, panel, name):
        create(panel, name)
        create(panel, name)
        assert panel.model.message_kind == "error"
        assert name in panel.model.message
        assert [str(each) for each in panel.model.scopes] == ["DATASOURCES:READ:wtok_source"]

    def test_a_source_that_is_not_there(self, panel, workspace, name):
        create(panel, name, ("DATASOURCES:READ", "wtok_nothing"))
        assert panel.model.message_kind == "error"
        assert find(workspace, name) is None

    def test_a_hostile_name_is_text(self, panel, workspace):
        workspace.tokens.create(HOSTILE, ["TOKENS"], description=HOSTILE)
        panel.model.load()
        choose(panel, HOSTILE)
        panel._delete.click()
        bundle = panel._static_bundle()["text/html"]
        made = [bundle, panel._details.value, panel._confirmation._question.value, panel._list._cells.value]
        assert not any("<img" in each for each in made)
        panel._show.click()
        assert "<img" not in panel._value.value
        panel._confirmation._yes.click()


class TestJwt:
    def test_create_and_use(self, panel, server, name):
        add(panel, "PIPES:READ", "wtok_pipe")
        create_jwt(panel, name, fixed='{"country": "ES"}', rps=10)
        assert panel.model.message_kind == "done"
        assert panel.model.line == (
            f"%tinybird token create jwt {name} --scope PIPES:READ:wtok_pipe --fixed country=ES --ttl 2h --rps 10 "
            "--to my_token"
        )
        jwt = panel.model.fresh.reveal()
        assert jwt not in states()
        own = OwnToken.of(jwt)
        assert own.scopes == ("PIPES:READ:wtok_pipe",)
        assert 7_100 < own.expires_at.timestamp() - time.time() < 7_300
        answer = tinymagic.connect(jwt, server.host).pipes.data("wtok_pipe", params={"country": "FR"})
        assert answer.country.tolist() == ["ES"]

    def test_only_its_scopes_are_offered(self, panel):
        panel._kind.value = "jwt"
        assert tuple(panel._scope.options) == ("PIPES:READ", "DATASOURCES:READ", "DATASOURCES:APPEND")

    @pytest.mark.parametrize(
        ("scope", "fixed", "said"),
        [
            (None, "", "Add a scope first"),
            (("TOKENS",), "", "cannot have the scope TOKENS"),
            (("PIPES:READ", "wtok_pipe"), "{", "not JSON"),
            (("PIPES:READ", "wtok_pipe"), "[1]", "an object"),
            (("PIPES:READ", "wtok_pipe"), '{"a": [1]}', "must be a text"),
            (("DATASOURCES:READ", "wtok_source"), '{"a": 1}', "those of Pipes"),
        ],
    )
    def test_what_cannot_be(self, panel, name, scope, fixed, said):
        panel._kind.value = "static"
        if scope:
            add(panel, *scope)
        create_jwt(panel, name, fixed=fixed)
        assert panel.model.message_kind == "error"
        assert said in panel.model.message
        assert panel.model.made == ""

    def test_a_parameter_that_a_line_would_read_as_a_variable(self, panel, name):
        add(panel, "PIPES:READ", "wtok_pipe")
        create_jwt(panel, name, fixed='{"country": "$price"}')
        assert (panel.model.message_kind, panel.model.line) == ("done", "")


class TestShow:
    def test_once_and_not_in_the_saved_form(self, panel, workspace, name):
        create(panel, name)
        token = find(workspace, name).token.reveal()
        choose(panel, name)
        panel._show.click()
        assert token in panel._value.value
        assert "copies" in panel._value.value
        assert panel.model.line == f"%tinybird token show {name} --show"
        assert token not in repr(panel._static_bundle()) + repr(panel.model.trait_values())
        panel._hide.click()
        assert token not in states()

    @pytest.mark.parametrize(
        "action",
        [
            lambda panel: panel.model.load(),
            lambda panel: add(panel, "TOKENS"),
            lambda panel: choose(panel, "something else"),
            lambda panel: panel._delete.click(),
            lambda panel: panel._create.click(),
        ],
    )
    def test_the_next_action_takes_it_away(self, panel, workspace, name, action):
        create(panel, name)
        token = find(workspace, name).token.reveal()
        choose(panel, name)
        panel._show.click()
        assert token in states()
        action(panel)
        assert token not in states()

    def test_time_takes_it_away(self, resources, workspace, name):
        token = workspace.tokens.create(name, ["TOKENS"]).token.reveal()
        panel = Tokens(model=TokensModel(workspace, work=Work(at_once=True), shown_s=1.0))
        choose(panel, name)
        panel._show.click()
        assert token in panel._value.value
        end = time.monotonic() + 10
        while panel.model.showing and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.05)
        assert token not in states()
        assert not panel.model.value
        panel.close()

    def test_a_jwt_can_be_shown_again_until_another_is_made(self, panel, name):
        add(panel, "PIPES:READ", "wtok_pipe")
        create_jwt(panel, name)
        jwt = panel.model.fresh.reveal()
        for _ in range(2):
            panel._show_made.click()
            assert jwt in panel._value.value
            panel._hide.click()
        create(panel, f"{name}_static")
        assert panel.model.fresh.reveal() != jwt

    def test_closing_takes_everything_away(self, resources, workspace, name):
        token = workspace.tokens.create(name, ["TOKENS"]).token.reveal()
        panel = Tokens(model=TokensModel(workspace, work=Work(at_once=True)))
        choose(panel, name)
        panel._show.click()
        clock = panel.model._clock
        panel.close()
        clock.join(5)
        assert not clock.is_alive()
        assert token not in states()
        assert not panel.model.fresh
        assert not [each for each in threading.enumerate() if each.name == "tinymagic panel"]

    def test_without_a_choice(self, model):
        model.show("")
        assert "Choose a token" in model.message


class TestChange:
    def test_refresh(self, panel, workspace, server, name):
        create(panel, name)
        old = find(workspace, name).token.reveal()
        choose(panel, name)
        panel._refresh.click()
        assert find(workspace, name).token.reveal() == old
        panel._confirmation._yes.click()
        fresh = find(workspace, name).token.reveal()
        assert fresh != old
        assert panel.model.fresh.reveal() == fresh
        assert panel.model.line == f"%tinybird token refresh {name} --yes"
        assert fresh not in states()
        with pytest.raises(Forbidden):
            tinymagic.connect(old, server.host).datasources.list()

    def test_refresh_of_the_one_in_use(self, resources, workspace, server, name):
        own = workspace.tokens.create(name, ["ADMIN"]).token.reveal()
        told = []
        model = TokensModel(tinymagic.connect(own, server.host), on_connect=told.append, work=Work(at_once=True))
        panel = Tokens(model=model)
        choose(panel, name)
        panel._refresh.click()
        assert "This notebook uses it" in panel._confirmation._question.value
        panel._confirmation._yes.click()
        assert model.message_kind == "done"
        assert "goes on with it" in model.message
        assert told == [model.workspace]
        panel.model.load()
        assert model.message_kind == ""
        assert find(model.workspace, name) is not None
        panel.close()

    def test_delete(self, panel, workspace, name):
        create(panel, name)
        choose(panel, name)
        panel._delete.click()
        panel._confirmation._no.click()
        assert find(workspace, name) is not None
        panel._delete.click()
        panel._confirmation._yes.click()
        assert find(workspace, name) is None
        assert panel.model.line == f"%tinybird token rm {name} --yes"
        assert "was deleted" in panel.model.message
        assert (panel.model.made, panel._details.value) == ("", "")

    def test_delete_of_the_one_in_use(self, resources, workspace, server, name):
        own = workspace.tokens.create(name, ["ADMIN"]).token.reveal()
        panel = Tokens(model=TokensModel(tinymagic.connect(own, server.host), work=Work(at_once=True)))
        choose(panel, name)
        panel._delete.click()
        assert "cut off" in panel._confirmation._question.value
        panel._confirmation._yes.click()
        assert "log in again" in panel.model.message
        panel.close()

    def test_one_that_the_workspace_always_has(self, panel, workspace):
        choose(panel, "workspace admin token")
        panel._delete.click()
        panel._confirmation._yes.click()
        assert panel.model.message_kind == "error"
        assert find(workspace, "workspace admin token") is not None

    def test_one_that_is_gone(self, panel, workspace, name):
        create(panel, name)
        choose(panel, name)
        workspace.tokens.delete(name)
        panel._show.click()
        assert panel.model.message_kind == "error"
        panel.model.refresh("wtok_never")
        assert "Reload" in panel.model.message
