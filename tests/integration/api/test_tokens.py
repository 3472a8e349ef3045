"""The client of tokens: making, changing, refreshing, ending, JWTs of the service and of ours, and what goes wrong."""

from __future__ import annotations

import itertools
import time
import traceback

import pytest

import tinymagic
from tinymagic import errors
from tinymagic.api.jwt import sign_jwt
from tinymagic.api.scopes import Scope

_numbers = itertools.count()
NOBODY = "There is no such token here"


def new(kind):
    """A name that no other test has."""
    return f"apitokens_{kind}_{next(_numbers)}"


@pytest.fixture(scope="module")
def source(server, tokens):
    workspace = tinymagic.connect(token=tokens["workspace_admin_token"], host=server.host)
    name = new("source")
    workspace.datasources.create(name, "country String, n UInt32")
    workspace.events.send(name, [{"country": "ES", "n": 1}, {"country": "FR", "n": 2}])
    return name


@pytest.fixture(scope="module")
def endpoint(server, tokens, source):
    workspace = tinymagic.connect(token=tokens["workspace_admin_token"], host=server.host)
    sql = f"%\nSELECT n FROM {source} WHERE country = {{{{String(country, 'ES')}}}} ORDER BY n"
    workspace.pipes.create(name := new("pipe"), {"name": "a", "sql": sql})
    workspace.pipes.publish(name)
    return name


@pytest.fixture
def made(workspace, source):
    return workspace.tokens.create(new("token"), [f"DATASOURCES:READ:{source}"], description="reads")


@pytest.fixture
def limited(workspace, server):
    """A Workspace with a token that may only make tokens, and one that may nothing."""
    able = workspace.tokens.create(new("tokens"), ["TOKENS"])
    unable = workspace.tokens.create(new("nothing"), ["PIPES:CREATE"])
    return (
        tinymagic.connect(token=able.token.reveal(), host=server.host),
        tinymagic.connect(token=unable.token.reveal(), host=server.host),
    )


def works(server, token, sql):
    return tinymagic.connect(token=token.reveal(), host=server.host).sql(sql)


class TestCreate:
    def test_static(self, workspace, server, source):
        name = new("static")
        made = workspace.tokens.create(name, [f"DATASOURCES:READ:{source}:country = 'ES'"], description="for **Spain**")
        assert (made.name, made.description, made.origin) == (name, "for **Spain**", "C")
        assert [str(each) for each in made.scopes] == [f"DATASOURCES:READ:{source}:country = 'ES'"]
        assert works(server, made.token, f"SELECT n FROM {source}").n.tolist() == [1]

    def test_several_scopes(self, workspace, source, endpoint):
        made = workspace.tokens.create(new("two"), [f"PIPES:READ:{endpoint}", Scope("DATASOURCES:APPEND", source)])
        assert sorted(map(str, made.scopes)) == [f"DATASOURCES:APPEND:{source}", f"PIPES:READ:{endpoint}"]

    def test_no_scopes(self, workspace):
        assert workspace.tokens.create(new("none"), []).scopes == ()

    def test_name_taken(self, workspace, made):
        with pytest.raises(errors.Conflict, match="already a token"):
            workspace.tokens.create(made.name, ["TOKENS"])

    def test_a_resource_that_is_not_there(self, workspace):
        with pytest.raises(errors.BadRequest, match="nowhere"):
            workspace.tokens.create(new("bad"), ["PIPES:READ:nowhere"])

    def test_a_filter_that_is_not_right(self, workspace, source):
        with pytest.raises(errors.BadRequest):
            workspace.tokens.create(new("bad"), [f"DATASOURCES:READ:{source}:no_such_column = 1"])

    def test_more_than_one_has(self, limited):
        with pytest.raises(errors.Forbidden, match="ADMIN"):
            limited[0].tokens.create(new("admin"), ["ADMIN"])

    @pytest.mark.parametrize(
        ("scope", "said"),
        [
            ("PIPES:RED:top", "Did you mean PIPES:READ"),
            ("PIPES:READ", "needs the name of a Pipe"),
            ("ADMIN:top", "takes no name"),
            ("DATASOURCES:DROP:a:b = 1", "takes no filter"),
            ("", "no scope"),
            (7, "not of the type int"),
        ],
    )
    def test_a_scope_that_cannot_be(self, workspace, scope, said):
        before = len(workspace.tokens.list())
        with pytest.raises(errors.InvalidInput, match=said):
            workspace.tokens.create(new("bad"), [scope])
        assert len(workspace.tokens.list()) == before

    def test_no_name(self, workspace):
        with pytest.raises(errors.InvalidInput, match="needs a name"):
            workspace.tokens.create(" ", ["TOKENS"])


class TestReading:
    def test_list(self, workspace, made):
        listed = {each.name: each for each in workspace.tokens.list()}
        assert listed[made.name].id == made.id
        assert listed["workspace admin token"].is_admin
        assert workspace.tokens.in_use(listed["workspace admin token"])
        assert not workspace.tokens.in_use(made)

    def test_get_by_name_id_and_itself(self, workspace, made):
        ways = (made.name, made.id, made.token.reveal(), made.token, made)
        assert {workspace.tokens.get(way).id for way in ways} == {made.id}

    def test_datafile(self, workspace, made):
        text = workspace.tokens.datafile(made.name)
        assert made.name in text
        assert made.token.reveal() not in text

    @pytest.mark.parametrize("call", ["get", "refresh", "delete", "datafile"])
    def test_unknown(self, workspace, call):
        with pytest.raises(errors.NotFound, match="does not exist"):
            getattr(workspace.tokens, call)(NOBODY)

    def test_forbidden(self, limited):
        with pytest.raises(errors.Forbidden):
            limited[1].tokens.list()

    def test_an_administrators_token_is_not_shown_to_others(self, limited):
        admin = next(each for each in limited[0].tokens.list() if each.name == "workspace admin token")
        assert not admin.token


class TestChange:
    def test_update(self, workspace, made, endpoint):
        name = new("renamed")
        changed = workspace.tokens.update(made.name, name=name, description="other", scopes=[f"PIPES:READ:{endpoint}"])
        assert (changed.id, changed.name, changed.description) == (made.id, name, "other")
        assert [str(each) for each in changed.scopes] == [f"PIPES:READ:{endpoint}"]
        assert changed.token.reveal() == made.token.reveal()

    def test_what_is_not_given_stays(self, workspace, made):
        changed = workspace.tokens.update(made, description="only this")
        assert (changed.name, changed.scopes) == (made.name, made.scopes)

    def test_no_scopes(self, workspace, made):
        assert workspace.tokens.update(made, scopes=[]).scopes == ()

    def test_nothing(self, workspace, made):
        with pytest.raises(errors.InvalidInput, match="nothing to change"):
            workspace.tokens.update(made)

    def test_name_taken(self, workspace, made):
        with pytest.raises(errors.Conflict):
            workspace.tokens.update(made, name="workspace admin token")

    def test_one_that_stays(self, workspace):
        with pytest.raises(errors.Conflict, match="keeps its name"):
            workspace.tokens.update("workspace admin token", scopes=["TOKENS"])
        with pytest.raises(errors.Conflict, match="cannot be deleted"):
            workspace.tokens.delete("workspace admin token")

    def test_refresh(self, workspace, server, made, source):
        fresh = workspace.tokens.refresh(made.name)
        assert (fresh.id, fresh.name, fresh.scopes) == (made.id, made.name, made.scopes)
        with pytest.raises(errors.Forbidden):
            works(server, made.token, f"SELECT n FROM {source}")
        assert len(works(server, fresh.token, f"SELECT n FROM {source}")) == 2

    def test_delete(self, workspace, server, made, source):
        workspace.tokens.delete(made.name)
        with pytest.raises(errors.NotFound):
            workspace.tokens.get(made.id)
        with pytest.raises(errors.Forbidden):
            works(server, made.token, f"SELECT n FROM {source}")


class TestJwt:
    @pytest.mark.parametrize("way", ["create_jwt", "sign_jwt"])
    def test_what_it_may(self, workspace, server, endpoint, way):
        scope = Scope("PIPES:READ", endpoint, fixed_params={"country": "FR"})
        jwt = getattr(workspace.tokens, way)("page", [scope], lifetime=60, rps=50)
        reader = tinymagic.connect(token=jwt.reveal(), host=server.host)
        # The parameter of the URL does not win.
        assert reader.pipes.data(endpoint, params={"country": "ES"}).n.tolist() == [2]
        with pytest.raises(errors.Forbidden):
            reader.tokens.list()
        assert jwt.token.reveal() not in repr(jwt)
        assert (reader.own_token.kind, reader.own_token.name) == ("JWT", "page")
        assert abs(jwt.expires_at.timestamp() - time.time() - 60) < 10

    def test_it_is_not_stored(self, workspace, endpoint):
        name = new("jwt")
        workspace.tokens.create_jwt(name, f"PIPES:READ:{endpoint}", lifetime=60)
        assert name not in [each.name for each in workspace.tokens.list()]

    def test_it_ends(self, workspace, server, endpoint):
        jwt = workspace.tokens.sign_jwt("short", [f"PIPES:READ:{endpoint}"], lifetime=3)
        reader = tinymagic.connect(token=jwt.reveal(), host=server.host)
        time.sleep(max(jwt.expires_at.timestamp() - time.time(), 0) + 1.1)
        with pytest.raises(errors.Forbidden):
            reader.pipes.data(endpoint)

    def test_a_limit_of_requests(self, workspace, server, endpoint):
        jwt = workspace.tokens.create_jwt(new("slow"), [f"PIPES:READ:{endpoint}"], lifetime=60, rps=1)
        waits = []
        reader = tinymagic.connect(token=jwt.reveal(), host=server.host, on_wait=lambda s, why: waits.append(why))
        for _ in range(3):
            reader.pipes.data(endpoint)
        assert any("too many requests" in each for each in waits)

    def test_a_wrong_key(self, workspace, server, endpoint):
        jwt = sign_jwt(
            "p.some.key", workspace_id=workspace.info().id, name="x", scopes=[f"PIPES:READ:{endpoint}"], lifetime=60
        )
        with pytest.raises(errors.Forbidden):
            tinymagic.connect(token=jwt.reveal(), host=server.host).pipes.data(endpoint)

    def test_a_pipe_that_is_not_there(self, workspace):
        with pytest.raises(errors.BadRequest, match="nowhere"):
            workspace.tokens.create_jwt("x", ["PIPES:READ:nowhere"], lifetime=60)

    def test_who_may_not_sign(self, limited, endpoint):
        with pytest.raises(errors.InvalidInput, match="cannot be seen"):
            limited[0].tokens.sign_jwt("x", [f"PIPES:READ:{endpoint}"], lifetime=60)
        with pytest.raises(errors.Forbidden):
            limited[1].tokens.create_jwt("x", [f"PIPES:READ:{endpoint}"], lifetime=60)


def test_a_token_is_in_no_repr_and_no_traceback(workspace, made):
    """Neither its own, nor in those of what holds it, nor when it was given to a call that fails."""
    value = made.token.reveal()
    texts = [repr(made), str(made), repr(made.raw), repr(workspace.tokens.list()), repr(workspace.info().raw)]
    texts += [repr(vars(each)) for each in (made, *workspace.tokens.list())]
    workspace.tokens.delete(made)
    for call in (workspace.tokens.get, workspace.tokens.refresh, workspace.tokens.delete):
        with pytest.raises(errors.NotFound) as caught:
            call(value)
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=False)
        texts += [str(caught.value), repr(caught.value), repr(vars(caught.value)), "".join(shown.format())]
    for text in texts:
        assert value not in text
        assert value.split(".")[2] not in text
