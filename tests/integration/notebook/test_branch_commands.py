"""``%tinybird branch`` in a real IPython against a real server."""

from __future__ import annotations

import itertools

import pytest

from tests.integration.notebook.test_magics_secrets import remembered
from tests.integration.notebook.test_tree import text_of
from tinymagic import errors

_numbers = itertools.count()


def new():
    """A name that no other test has."""
    return f"cmdbranches_{next(_numbers)}"


@pytest.fixture
def main(connected, workspace, tokens, monkeypatch):
    """A Workspace of its own, in which the notebook works."""
    entry = workspace.workspaces.create(new(), user_token=tokens["user_token"])
    monkeypatch.setenv("TB_TOKEN", entry.token.reveal())
    own = workspace.with_token(entry.token.reveal())
    own.datasources.create("trips", "n UInt32")
    own.events.send("trips", [{"n": 1}])
    yield own
    workspace.workspaces.delete(entry.id, user_token=tokens["user_token"])


def test_create_use_and_leave(connected, main):
    name = new()
    assert "with rows" in connected.ok(f"%tinybird branch create {name} --data all_partitions").printed
    assert connected.ok("%tinybird branch ls").value.name.tolist() == [name]
    assert main.info().id in connected.ok(f"%tinybird branch show {name}").printed
    ran = connected.ok(f"%tinybird branch use {name}")
    assert f"works in the branch {name}" in ran.printed
    token = main.branches.get(name, with_token=True).token.reveal()
    assert token not in text_of(ran) + remembered(connected.shell)
    connected.ok("%tinybird datasource truncate trips --yes")
    assert main.sql("SELECT count() AS c FROM trips").c[0] == 1
    assert connected.ok("%tinybird branch ls").value.here.tolist() == ["in use"]
    ran = connected.ok(f"%tinybird branch rm {name} --yes")
    assert "the settings decide again" in ran.printed
    assert main.info().name in connected.ok("%tinybird workspace current").printed


def test_create_without_rows_and_data(connected, main):
    name = new()
    assert "without rows" in connected.ok(f"%tinybird branch create {name} --use").printed
    assert connected.ok("%tbsql SELECT count() AS c FROM trips").value.c.tolist() == [0]
    connected.ok(f"%tinybird branch data {name} --data all_partitions --yes")
    assert connected.ok("%tbsql SELECT count() AS c FROM trips").value.c.tolist() == [1]


def test_create_errors(connected, main):
    connected.ok(f"%tinybird branch create {(name := new())}")
    with pytest.raises(errors.Conflict, match="already a branch"):
        connected.ok(f"%tinybird branch create {name}")
    with pytest.raises(errors.InvalidInput, match="not a valid branch name"):
        connected.ok("%tinybird branch create a-b")


@pytest.mark.parametrize("verb", ["show", "use", "rm", "data"])
def test_near_names(connected, main, verb):
    connected.ok(f"%tinybird branch create {(name := new())}")
    ran = connected.run(f"%tinybird branch {verb} {name}x")
    assert ran.card[0] == f"NotFound: There is no branch '{name}x'."
    assert name in ran.card[1]


def test_rm_and_data_ask(connected, main, monkeypatch):
    connected.ok(f"%tinybird branch create {(name := new())}")
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert "Nothing was deleted" in connected.ok(f"%tinybird branch rm {name}").printed
    assert "Nothing was changed" in connected.ok(f"%tinybird branch data {name}").printed
    assert name in [each.name for each in main.branches.list()]
