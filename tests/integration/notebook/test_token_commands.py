"""``%tinybird token`` in a real IPython against a real server: a token is nowhere unless it was asked for."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tests.integration.notebook.test_magics_secrets import remembered
from tests.integration.notebook.test_tree import text_of
from tinymagic import errors
from tinymagic.api.http.redaction import Secret
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()


def new():
    """A name that no other test has."""
    return f"cmdtokens_{next(_numbers)}"


@pytest.fixture
def source(workspace):
    name = new()
    workspace.datasources.create(name, "country String, n UInt32")
    return name


@pytest.fixture
def endpoint(workspace):
    name = new()
    workspace.pipes.create(name, {"name": "a", "sql": "%\nSELECT {{String(country, 'ES')}} AS country"})
    workspace.pipes.publish(name)
    return name


@pytest.fixture
def made(workspace, source):
    return workspace.tokens.create(new(), [f"DATASOURCES:READ:{source}"], description="reads")


def hidden(ran, token, cells):
    """Say whether a token is in nothing that is shown or remembered."""
    value = token.reveal() if isinstance(token, Secret) else token
    return value not in text_of(ran) + remembered(cells.shell)


def test_create_static(connected, workspace, source):
    name = new()
    ran = connected.ok(
        f"%tinybird token create static {name} --scope \"DATASOURCES:READ:{source}:country = 'ES'\" "
        f"--scope DATASOURCES:APPEND:{source} --description 'for Spain'"
    )
    assert f"Created the token {name}" in ran.printed
    stored = workspace.tokens.get(name)
    assert sorted(map(str, stored.scopes)) == [
        f"DATASOURCES:APPEND:{source}",
        f"DATASOURCES:READ:{source}:country = 'ES'",
    ]
    assert stored.description == "for Spain"
    assert hidden(ran, stored.token, connected)


def test_create_and_keep_or_show(connected, workspace, source):
    name = new()
    ran = connected.ok(f"%tinybird token create static {name} --scope DATASOURCES:READ:{source} --to kept")
    stored = workspace.tokens.get(name)
    assert connected["kept"].reveal() == stored.token.reveal()
    assert hidden(ran, stored.token, connected)
    assert stored.token.reveal() in connected.ok(f"%tinybird token show {name} --show").printed


def test_create_errors(connected, workspace, made):
    with pytest.raises(errors.InvalidInput, match="Did you mean PIPES:READ"):
        connected.ok(f"%tinybird token create static {new()} --scope PIPES:RED:top")
    with pytest.raises(errors.BadRequest):
        connected.ok(f"%tinybird token create static {new()} --scope PIPES:READ:nowhere")
    with pytest.raises(errors.Conflict):
        connected.ok(f"%tinybird token create static {made.name} --scope TOKENS")
    for line, said in (
        ("token create some x", "no kind of token"),
        ("token create static x --ttl 1h", "--ttl is not for a static token"),
        ("token create jwt x --scope PIPES:READ:a", "stored nowhere"),
        ("token create jwt x --show", "needs a scope"),
        ("token create jwt x --scope PIPES:READ:a --show --ttl soon", "--ttl takes a time"),
        ("token create jwt x --scope DATASOURCES:READ:a --show --fixed a=1", "PIPES:READ"),
        ("token create jwt x --scope PIPES:READ:a --show --fixed a", "--fixed takes NAME=VALUE"),
        ("token create static x --to 'no name'", "no name of a variable"),
    ):
        with pytest.raises(CellProblem, match=said):
            connected.ok(f"%tinybird {line}")


@pytest.mark.parametrize("local", ["", "--local"])
def test_create_jwt(connected, server, endpoint, local):
    connected.ok("land = 'FR'")
    ran = connected.ok(
        f"%tinybird token create jwt page --scope PIPES:READ:{endpoint} --ttl 2h --rps 9 --fixed country=$land "
        f"--to jwt {local}"
    )
    assert "at most 9 requests a second" in ran.printed
    token = connected["jwt"]
    assert hidden(ran, token, connected)
    reader = tinymagic.connect(token=token.reveal(), host=server.host)
    assert reader.pipes.data(endpoint, params={"country": "ES"}).country.tolist() == ["FR"]


def test_ls_show_scopes(connected, workspace, made, source):
    ran = connected.ok("%tinybird token ls")
    row = ran.value.set_index("name").loc[made.name]
    assert (row.scopes, row.description, row.here) == (f"DATASOURCES:READ:{source}", "reads", "")
    assert ran.value.set_index("name").here["workspace admin token"] == "in use"
    assert all(hidden(ran, each.token, connected) for each in workspace.tokens.list())
    ran = connected.ok(f"%tinybird token show {made.name}")
    assert "[hidden]" in ran.printed
    assert hidden(ran, made.token, connected)
    assert connected.ok(f"%tinybird token scopes {made.name}").value.values.tolist() == [
        ["DATASOURCES:READ", source, ""]
    ]


@pytest.mark.parametrize("verb", ["show", "scopes", "refresh", "rm", "set"])
def test_near_names(connected, made, verb):
    more = "--description x" if verb == "set" else ""
    ran = connected.run(f"%tinybird token {verb} {made.name}x {more}")
    assert ran.card[0] == f"NotFound: There is no token '{made.name}x'."
    assert made.name in ran.card[1]


def test_a_token_itself_as_the_name(connected, workspace, made):
    value = made.token.reveal()
    assert made.name in connected.ok(f"%tinybird token show {value}").printed
    workspace.tokens.delete(made)
    ran = connected.run(f"%tinybird token show {value}")
    connected.run("1")
    assert isinstance(ran.error, errors.NotFound)
    assert hidden(ran, value, connected)


def test_set(connected, workspace, made, endpoint):
    name = new()
    connected.ok(f"%tinybird token set {made.name} --name {name} --scope PIPES:READ:{endpoint}")
    stored = workspace.tokens.get(made.id)
    assert (stored.name, [str(each) for each in stored.scopes]) == (name, [f"PIPES:READ:{endpoint}"])
    with pytest.raises(CellProblem, match="Nothing is to be changed"):
        connected.ok(f"%tinybird token set {name}")


def test_refresh_and_rm_ask(connected, workspace, made, monkeypatch):
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    connected.ok(f"%tinybird token refresh {made.name}")
    connected.ok(f"%tinybird token rm {made.name}")
    assert workspace.tokens.get(made.name).token.reveal() == made.token.reveal()
    assert len(asked) == 2
    monkeypatch.setattr("builtins.input", lambda question: "y")
    ran = connected.ok(f"%tinybird token refresh {made.name}")
    fresh = workspace.tokens.get(made.name).token
    assert fresh.reveal() != made.token.reveal()
    assert hidden(ran, fresh, connected)
    connected.ok(f"%tinybird token rm {made.name}")
    with pytest.raises(errors.NotFound):
        workspace.tokens.get(made.name)


def test_the_token_in_use(connected, workspace, monkeypatch):
    """Refreshing it says what that means, and the notebook goes on; after deleting it nothing goes."""
    own = workspace.tokens.create(new(), ["ADMIN"])
    monkeypatch.setenv("TB_TOKEN", own.token.reveal())
    ran = connected.ok(f"%tinybird token refresh {own.name} --yes")
    assert "the token that this notebook uses" in ran.printed
    fresh = workspace.tokens.get(own.name).token
    assert hidden(ran, fresh, connected)
    assert connected.ok("%tinybird token ls").value.set_index("name").here[own.name] == "in use"
    ran = connected.ok(f"%tinybird token rm {own.name} --yes")
    assert ran.printed.index("the token that this notebook uses") < ran.printed.index("Deleted")
    with pytest.raises(errors.Forbidden):
        connected.ok("%tinybird token ls")
