"""The client of ``/v0/tokens``: making, changing and ending tokens, and JWTs; no value shows itself anywhere."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import time
import traceback
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

import tinymagic
from tinymagic import errors
from tinymagic.api.jwt import sign_jwt
from tinymagic.api.own_token import OwnToken
from tinymagic.api.scopes import Scope

_numbers = itertools.count()


def new(kind="token"):
    """A name that no other test has."""
    return f"apitokens_{kind}_{next(_numbers)}"


@pytest.fixture
def tokens(workspace):
    return workspace.tokens


@pytest.fixture
def source(workspace):
    """A Data Source with rows of two countries."""
    name = new("source")
    workspace.datasources.create(name, "country String, amount Int32")
    workspace.events.send(name, [{"country": "ES", "amount": 1}, {"country": "PT", "amount": 2}], wait=True)
    return name


@pytest.fixture
def endpoint(workspace):
    """A published Pipe with a parameter."""
    name = new("pipe")
    workspace.pipes.create(name, {"name": "a", "sql": "%\nSELECT {{Int32(n, 1)}} AS n"})
    workspace.pipes.publish(name)
    return name


def client(server, token):
    """The client with another token."""
    value = token if isinstance(token, str) else token.reveal()
    return tinymagic.connect(token=value, host=server.host)


class TestStatic:
    def test_create_and_use(self, tokens, server, source):
        made = tokens.create(new(), [f"DATASOURCES:READ:{source}:country = 'ES'"], description="Reads *Spain*.")
        assert [str(each) for each in made.scopes] == [f"DATASOURCES:READ:{source}:country = 'ES'"]
        assert (made.description, made.origin, made.is_admin) == ("Reads *Spain*.", "C", False)
        mine = client(server, made.token)
        assert mine.sql(f"SELECT amount FROM {source}").amount.tolist() == [1]
        with pytest.raises(errors.Forbidden):
            mine.datasources.delete(source)

    def test_what_the_token_says_of_itself(self, tokens, server):
        made = tokens.create(new(), "TOKENS")
        own = client(server, made.token).own_token
        assert (own.kind, own.id, own.host) == ("static", made.id, "local")

    def test_several_scopes(self, tokens, source, endpoint):
        asked = [Scope("PIPES:READ", endpoint), {"type": "DATASOURCES:APPEND", "resource": source}, "TOKENS"]
        made = tokens.create(new(), asked)
        assert [str(each) for each in made.scopes] == [
            f"PIPES:READ:{endpoint}",
            f"DATASOURCES:APPEND:{source}",
            "TOKENS",
        ]

    def test_no_scopes(self, tokens):
        assert tokens.create(new(), []).scopes == ()

    def test_list_and_get(self, tokens):
        name = new("a name with blanks and a/slash")
        made = tokens.create(name, ["PIPES:CREATE"])
        assert made.id in {each.id for each in tokens.list()}
        for key in (name, made.id, made, made.token, made.token.reveal()):
            assert tokens.get(key).id == made.id

    def test_datafile(self, tokens, source):
        made = tokens.create(new(), [f"DATASOURCES:READ:{source}"])
        text = tokens.datafile(made.name)
        assert source in text
        assert made.token.reveal() not in text

    def test_update(self, tokens, source):
        made = tokens.create(new(), ["TOKENS", "PIPES:CREATE"])
        assert len(tokens.update(made.name, description="new words").scopes) == 2
        name = new()
        changed = tokens.update(made.name, name=name, scopes=[f"DATASOURCES:READ:{source}"])
        assert (changed.id, changed.name, changed.description) == (made.id, name, "new words")
        assert [str(each) for each in tokens.get(name).scopes] == [f"DATASOURCES:READ:{source}"]
        assert changed.token.reveal() == made.token.reveal()

    def test_update_takes_all_scopes_away(self, tokens):
        made = tokens.create(new(), ["TOKENS"])
        assert tokens.update(made.name, scopes=[]).scopes == ()
        assert tokens.get(made.name).scopes == ()

    def test_refresh(self, tokens, server):
        made = tokens.create(new(), ["TOKENS"])
        fresh = tokens.refresh(made.name)
        assert (fresh.id, fresh.name) == (made.id, made.name)
        assert fresh.token.reveal() != made.token.reveal()
        assert client(server, fresh.token).info().id
        with pytest.raises(errors.Forbidden):
            client(server, made.token).info()

    def test_delete(self, tokens, server):
        made = tokens.create(new(), ["TOKENS"])
        tokens.delete(made.name)
        with pytest.raises(errors.Forbidden):
            client(server, made.token).info()
        with pytest.raises(errors.NotFound):
            tokens.delete(made.name)

    def test_in_use(self, tokens, server):
        made = tokens.create(new(), ["TOKENS"])
        assert not tokens.in_use(made)
        assert client(server, made.token).tokens.in_use(made)


class TestStaticErrors:
    def test_a_bad_scope_is_not_sent(self, tokens):
        for scopes, words in (
            ("DATASOURCE:REED:x", "DATASOURCES:READ"),
            ("PIPES:READ", "needs the name of a Pipe"),
            ("ADMIN:x", "takes no name"),
            ("ADMIN_USER", "no scope that can be given"),
            ("PIPES:DROP:x:a = 1", "takes no filter"),
            ([Scope("PIPES:READ", "x", fixed_params={"a": 1})], "JWTs only"),
            ({"type": "DATASOURCES:READ", "resource": "x", "fliter": "a = 1"}, "fliter"),
            (5, "list of texts"),
        ):
            with pytest.raises(errors.InvalidInput, match=words):
                tokens.create(new(), scopes)

    def test_a_name(self, tokens):
        with pytest.raises(errors.InvalidInput):
            tokens.create(" ", "TOKENS")

    def test_an_unknown_resource(self, tokens, source):
        with pytest.raises(errors.BadRequest, match="apitokens_none"):
            tokens.create(new(), "PIPES:READ:apitokens_none")
        with pytest.raises(errors.BadRequest):
            tokens.create(new(), f"DATASOURCES:READ:{source}:no_such_column = 1")

    def test_a_name_that_is_taken(self, tokens):
        made = tokens.create(new(), "TOKENS")
        with pytest.raises(errors.Conflict, match=made.name):
            tokens.create(made.name, "TOKENS")
        other = tokens.create(new(), "TOKENS")
        with pytest.raises(errors.Conflict):
            tokens.update(other.name, name=made.name)

    def test_one_that_does_not_exist(self, tokens):
        for call in (
            lambda: tokens.get("apitokens_none"),
            lambda: tokens.datafile("apitokens_none"),
            lambda: tokens.update("apitokens_none", description="x"),
            lambda: tokens.refresh("apitokens_none"),
            lambda: tokens.delete("apitokens_none"),
        ):
            with pytest.raises(errors.NotFound):
                call()

    def test_nothing_to_change(self, tokens):
        with pytest.raises(errors.InvalidInput, match="nothing to change"):
            tokens.update("whatever")

    def test_one_that_stays(self, tokens):
        for call in (
            lambda: tokens.delete("workspace admin token"),
            lambda: tokens.update("workspace admin token", scopes=[]),
        ):
            with pytest.raises(errors.Conflict):
                call()

    def test_without_the_scope(self, tokens, server):
        mine = client(server, tokens.create(new(), "PIPES:CREATE").token).tokens
        for call in (
            mine.list,
            lambda: mine.get("workspace admin token"),
            lambda: mine.create(new(), "TOKENS"),
            lambda: mine.create_jwt(new(), "PIPES:READ:x", lifetime=60),
            lambda: mine.update("x", description="y"),
            lambda: mine.refresh("x"),
            lambda: mine.delete("x"),
        ):
            with pytest.raises(errors.Forbidden):
                call()

    def test_more_than_its_own_rights(self, tokens, server):
        mine = client(server, tokens.create(new(), "TOKENS").token).tokens
        with pytest.raises(errors.Forbidden):
            mine.create(new(), "ADMIN")
        admin = next(each for each in mine.list() if each.name == "workspace admin token")
        assert not admin.token
        with pytest.raises(errors.InvalidInput, match="cannot be seen"):
            mine.sign_jwt(new(), "PIPES:READ:x", lifetime=60)

    def test_a_wrong_token(self, server):
        with pytest.raises(errors.Forbidden):
            client(server, "p.not-a-token").tokens.list()


class TestJwt:
    @pytest.mark.parametrize("way", ["create_jwt", "sign_jwt"])
    def test_make_and_use(self, tokens, server, endpoint, way):
        made = getattr(tokens, way)(new(), [Scope("PIPES:READ", endpoint, fixed_params={"n": 7})], lifetime=60)
        mine = client(server, made.token)
        assert mine.pipes.data(endpoint, params={"n": 3}).n.tolist() == [7]
        with pytest.raises(errors.Forbidden):
            mine.datasources.create(new("no"), "a Int32")
        assert OwnToken.of(made.reveal()).scopes == (f"PIPES:READ:{endpoint}",)

    @pytest.mark.parametrize("way", ["create_jwt", "sign_jwt"])
    def test_a_filter(self, tokens, server, source, way):
        made = getattr(tokens, way)(new(), f"DATASOURCES:READ:{source}:country = 'PT'", lifetime=60)
        assert client(server, made.token).sql(f"SELECT amount FROM {source}").amount.tolist() == [2]

    def test_signed_without_asking_anybody(self, tokens, workspace, server, endpoint):
        admin = tokens.get("workspace admin token")
        made = sign_jwt(
            admin.token,
            workspace_id=workspace.info().id,
            name=new(),
            scopes=[f"PIPES:READ:{endpoint}"],
            expires_at=datetime.now(timezone.utc) + timedelta(minutes=1),
        )
        assert client(server, made.token).pipes.data(endpoint).n.tolist() == [1]

    def test_it_ends(self, tokens, server, endpoint):
        made = tokens.create_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=1.5)
        mine = client(server, made.token)
        assert mine.pipes.data(endpoint).n.tolist() == [1]
        time.sleep(max(0.0, (made.expires_at - datetime.now(timezone.utc)).total_seconds()) + 0.05)
        with pytest.raises(errors.Forbidden):
            mine.pipes.data(endpoint)
        assert datetime.now(timezone.utc) >= made.expires_at
        assert mine.own_token.expired

    def test_the_limit(self, tokens, server, endpoint):
        made = tokens.create_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=60, rps=1)
        from tinymagic.api.retries import Patience

        mine = tinymagic.Workspace(server.host, made.reveal(), patience=Patience(attempts=1))
        with pytest.raises(errors.RateLimited) as caught:
            [mine.pipes.data(endpoint) for _ in range(5)]
        assert caught.value.limit == 1

    def test_it_is_stored_nowhere(self, tokens, endpoint):
        name = new()
        tokens.create_jwt(name, f"PIPES:READ:{endpoint}", lifetime=60)
        assert name not in {each.name for each in tokens.list()}

    def test_errors(self, tokens):
        for arguments, words in (
            ({"scopes": "TOKENS", "lifetime": 60}, "no scope that can be given here"),
            ({"scopes": [], "lifetime": 60}, "needs a scope"),
            ({"scopes": "PIPES:READ:x"}, "must end"),
            ({"scopes": "PIPES:READ:x", "lifetime": 60, "expires_at": 1}, "must end"),
            ({"scopes": "PIPES:READ:x", "lifetime": -1}, "over already"),
            ({"scopes": "PIPES:READ:x", "expires_at": datetime(2020, 1, 1, tzinfo=timezone.utc)}, "over already"),
            ({"scopes": "PIPES:READ:x", "lifetime": float("nan")}, "no time"),
            ({"scopes": "PIPES:READ:x", "expires_at": "tomorrow"}, "point in time"),
            ({"scopes": "PIPES:READ:x", "lifetime": 60, "rps": 0}, "over 0"),
        ):
            for way in (tokens.create_jwt, tokens.sign_jwt):
                with pytest.raises(errors.InvalidInput, match=words):
                    way("a name", **arguments)
        with pytest.raises(errors.InvalidInput, match="needs a name"):
            tokens.create_jwt(" ", "PIPES:READ:x", lifetime=60)
        with pytest.raises(errors.BadRequest, match="apitokens_none"):
            tokens.create_jwt(new(), "PIPES:READ:apitokens_none", lifetime=60)

    def test_a_jwt_signs_no_other(self, tokens, endpoint):
        made = tokens.create_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=60)
        with pytest.raises(errors.InvalidInput, match="cannot sign"):
            sign_jwt(made.token, workspace_id="1", name="x", scopes="PIPES:READ:x", lifetime=60)


def pieces(value):
    """All eight-character pieces of the part of a token that no other token has."""
    secret = value.rpartition(".")[2]
    return {secret[place : place + 8] for place in range(len(secret) - 7)}


def shows(text, value):
    """Say whether a text holds a piece of a token."""
    return any(piece in text for piece in pieces(value))


class TestNoValueShowsItself:
    def test_results(self, tokens, workspace, endpoint):
        made = tokens.create(new(), ["TOKENS"])
        jwt = tokens.create_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=60)
        signed = tokens.sign_jwt(new(), f"PIPES:READ:{endpoint}", lifetime=60)
        entry = next(each for each in workspace.workspaces.list() if each.token)
        for result in (made, tokens.get(made), tokens.refresh(made.id), jwt, signed, entry):
            value = result.token.reveal()
            frame = pd.DataFrame([vars(result)])
            for text in (
                repr(result),
                str(result),
                f"{result.token} {result.token!r} {result.token:}",
                str(dict(getattr(result, "raw", {}))),
                frame.to_string() + frame.to_html() + frame.to_csv(),
                str(dataclasses.replace(result)),
            ):
                assert not shows(text, value), text
            with pytest.raises(TypeError):
                pickle.dumps(result)
        assert not shows(repr(tokens.list()) + repr(workspace.workspaces.list()), made.token.reveal())

    def test_errors(self, tokens, server, workspace):
        """Also those of calls that name a token by its value, which may be another Workspace's."""
        gone = tokens.create(new(), ["TOKENS"])
        tokens.delete(gone)
        value = gone.token.reveal()
        dead = tinymagic.Workspace("http://127.0.0.1:1", workspace._transport._secret.reveal())
        for call in (
            lambda: tokens.get(value),
            lambda: tokens.get(gone.token),
            lambda: tokens.datafile(value),
            lambda: tokens.update(value, description="x"),
            lambda: tokens.refresh(value),
            lambda: tokens.delete(value),
            lambda: client(server, value).tokens.list(),
            lambda: tokens.create(new(), f"PIPES:READ:{value}"),
            lambda: tokens.create_jwt(new(), f"PIPES:READ:{value}", lifetime=60),
            lambda: dead.tokens.get(value),
        ):
            with pytest.raises(errors.TinybirdError) as caught:
                call()
            error = caught.value
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            assert not shows(text + repr(error) + str(vars(error)) + error.message, value), text
            assert not shows(repr(error.answer), value)
