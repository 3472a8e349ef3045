"""``%tinybird workspace`` and ``%tinybird tag`` in a real IPython against a real server."""

from __future__ import annotations

import contextlib
import itertools

import pytest

from tests.integration.notebook.test_magics_secrets import remembered
from tests.integration.notebook.test_tree import text_of
from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()


def new():
    """A name that no other test has."""
    return f"cmdworkspaces_{next(_numbers)}"


@pytest.fixture
def other(workspace, tokens):
    """Another Workspace of the same person."""
    entry = workspace.workspaces.create(new(), user_token=tokens["user_token"])
    yield entry
    with contextlib.suppress(errors.NotFound):
        workspace.workspaces.delete(entry.id, user_token=tokens["user_token"])


def test_ls_and_current(connected, workspace):
    here = workspace.info()
    rows = connected.ok("%tinybird workspace ls").value.set_index("name")
    assert rows.here[here.name] == "in use"
    assert here.id in connected.ok("%tinybird workspace current").printed
    assert here.id in connected.ok(f"%tinybird workspace show {here.name}").printed
    assert "branch of" in connected.ok("%tinybird workspace ls --branches").value.columns


def test_use(connected, workspace, tokens, other):
    ran = connected.ok(f"%tinybird workspace use {other.name}")
    assert ran.printed == f"This notebook works in the Workspace {other.name} from here on, until its session ends.\n"
    assert other.name in connected.ok("%tinybird workspace current").printed
    connected.ok("%tinybird datasource create only_there --schema 'n UInt32'")
    assert "only_there" not in [each.name for each in workspace.datasources.list()]
    for secret in (other.token.reveal(), tokens["user_token"]):
        assert secret not in text_of(ran) + remembered(connected.shell)
    # And back.
    connected.ok(f"%tinybird workspace use {workspace.info().name}")
    assert "only_there" not in connected.ok("%tinybird datasource ls").value.name.tolist()


def test_use_unknown(connected, other):
    with pytest.raises(CellProblem, match="There is no Workspace") as caught:
        connected.ok(f"%tinybird workspace use {other.name}x")
    assert other.name in caught.value.suggestions


def test_use_where_the_service_does_not_tell_its_token(connected, workspace, monkeypatch):
    from tinymagic.api.workspaces import WorkspaceEntry, Workspaces

    entry = WorkspaceEntry(id="1", name="closed")
    monkeypatch.setattr(Workspaces, "list", lambda self, **_: [entry])
    monkeypatch.setattr(Workspaces, "get", lambda self, *_, **__: entry)
    with pytest.raises(CellProblem, match="login connects"):
        connected.ok("%tinybird workspace use closed")
    monkeypatch.undo()


def test_create_and_rm(connected, workspace, tokens, monkeypatch):
    name = new()
    asked = []
    # As if the host were not on this machine, where nobody hands the user token out.
    monkeypatch.setattr("tinymagic.notebook.commands.changing.known_user_token", lambda call: None)
    monkeypatch.setattr("getpass.getpass", lambda prompt="": asked.append(prompt) or tokens["user_token"])
    ran = connected.ok(f"%tinybird workspace create {name}")
    assert asked == ["Your user token: "]
    assert tokens["user_token"] not in text_of(ran) + remembered(connected.shell)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert "Nothing was deleted" in connected.ok(f"%tinybird workspace rm {name}").printed
    connected.ok(f"%tinybird workspace rm {name} --yes")
    with pytest.raises(CellProblem, match="There is no Workspace"):
        connected.ok(f"%tinybird workspace rm {name} --yes")


def test_create_with_a_token_that_is_none(connected, tokens, monkeypatch):
    monkeypatch.setattr("tinymagic.notebook.commands.changing.known_user_token", lambda call: None)
    monkeypatch.setattr("getpass.getpass", lambda prompt="": tokens["workspace_admin_token"])
    with pytest.raises(errors.Forbidden, match="user token"):
        connected.ok(f"%tinybird workspace create {new()}")


def test_the_token_for_the_cloud_does_not_go_to_a_server_here(connected, tokens, monkeypatch):
    monkeypatch.setenv("TB_USER_TOKEN", tokens["workspace_admin_token"])
    name = new()
    connected.ok(f"%tinybird workspace create {name}")
    connected.ok(f"%tinybird workspace rm {name} --yes")


def test_create_and_use(connected, workspace, tokens):
    name = new()
    connected.ok(f"%tinybird workspace create {name} --use")
    assert name in connected.ok("%tinybird workspace current").printed
    ran = connected.ok(f"%tinybird workspace rm {name} --yes")
    assert "this notebook works in" in ran.printed


def test_members(connected, workspace, other):
    connected.ok(f"%tinybird workspace use {other.name}")
    connected.ok("%tinybird workspace members --add a@example.com --add b@example.com --role viewer")
    roles = connected.ok("%tinybird workspace members").value.set_index("email").role
    assert roles["a@example.com"] == roles["b@example.com"] == "viewer"
    connected.ok(f"%tinybird workspace members {other.name} --change a@example.com --role admin")
    connected.ok("%tinybird workspace members --remove b@example.com --yes")
    roles = connected.ok("%tinybird workspace members").value.set_index("email").role
    assert roles["a@example.com"] == "admin"
    assert "b@example.com" not in roles
    with pytest.raises(CellProblem, match="--change needs the role"):
        connected.ok("%tinybird workspace members --change a@example.com")
    with pytest.raises(CellProblem, match="--role goes with"):
        connected.ok("%tinybird workspace members --role admin")
    with pytest.raises(errors.BadRequest, match="Not a member"):
        connected.ok("%tinybird workspace members --remove nobody@example.com --yes")


def test_tags(connected, workspace):
    source, pipe, tag, other = new(), new(), new(), new()
    workspace.datasources.create(source, "n UInt32")
    workspace.pipes.create(pipe, {"name": "a", "sql": "SELECT 1 AS one"})
    connected.ok(f"%tinybird tag create {tag} --add {source}")
    connected.ok(f"%tinybird tag set {tag} --add {pipe} --name {other}")
    assert connected.ok("%tinybird tag ls").value.set_index("name").resources[other] == f"{source}, {pipe}"
    connected.ok(f"%tinybird tag set {other} --remove {source}")
    found = next(each for each in workspace.tags.list() if each.name == other)
    assert [(each.name, each.type) for each in found.resources] == [(pipe, "pipe")]
    with pytest.raises(CellProblem, match="There is no Data Source, Pipe or connection") as caught:
        connected.ok(f"%tinybird tag set {other} --add {pipe}x")
    assert pipe in caught.value.suggestions
    with pytest.raises(CellProblem, match="does not have the tag"):
        connected.ok(f"%tinybird tag set {other} --remove {source}")
    ran = connected.run(f"%tinybird tag set {other}x --add {pipe}")
    assert ran.card[0] == f"NotFound: There is no tag '{other}x'."
    connected.ok(f"%tinybird tag rm {other} --yes")
    assert other not in [each.name for each in workspace.tags.list()]
    assert isinstance(connected.run(f"%tinybird tag rm {other} --yes").error, errors.NotFound)
