"""``%tinybird deployment`` in a real IPython against a real server."""

from __future__ import annotations

import itertools

import pytest

from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()
TRIPS = "SCHEMA >\n    n UInt32\n"


@pytest.fixture
def main(connected, workspace, tokens, monkeypatch):
    """A Workspace of its own, in which the notebook works, with a deployed project."""
    name = f"cmddeployments_{next(_numbers)}"
    entry = workspace.workspaces.create(name, user_token=tokens["user_token"])
    monkeypatch.setenv("TB_TOKEN", entry.token.reveal())
    own = workspace.with_token(entry.token.reveal())
    own.deployments.deploy({"datasources/trips.datasource": TRIPS})
    yield own
    workspace.workspaces.delete(entry.id, user_token=tokens["user_token"])


@pytest.fixture
def waiting(main):
    """The id of a deployment that waits."""
    files = {"datasources/trips.datasource": TRIPS, "datasources/later.datasource": TRIPS}
    return main.deployments.deploy(files, auto_promote=False).deployment.id


def test_ls_and_show(connected, main, waiting):
    rows = connected.ok("%tinybird deployment ls").value.set_index("id")
    assert rows.live.to_dict()[waiting] is False
    assert rows.live.sum() == 1
    for line in ("deployment show", f"deployment show {waiting}"):
        ran = connected.ok(f"%tinybird {line}")
        assert waiting in ran.printed
        assert ran.value.values.tolist() == [["Data Source", "later", "new"]]


@pytest.mark.parametrize("named", [True, False])
def test_promote(connected, main, waiting, named):
    ran = connected.ok(f"%tinybird deployment promote {waiting if named else ''}")
    assert ran.printed == f"The deployment {waiting} is live.\n"
    assert "later" in [each.name for each in main.datasources.list()]
    assert "live already" in connected.ok(f"%tinybird deployment promote {waiting}").printed
    with pytest.raises(CellProblem, match="No deployment waits"):
        connected.ok("%tinybird deployment promote")


def test_discard(connected, main, waiting, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert "Nothing was changed" in connected.ok("%tinybird deployment discard").printed
    connected.ok("%tinybird deployment discard --yes")
    assert "later" not in [each.name for each in main.datasources.list()]
    live = next(each.id for each in main.deployments.list() if each.live)
    with pytest.raises(CellProblem, match="cannot be discarded"):
        connected.ok(f"%tinybird deployment discard {live} --yes")


@pytest.mark.parametrize("verb", ["show", "promote", "discard"])
def test_unknown(connected, main, verb):
    ran = connected.run(f"%tinybird deployment {verb} 999")
    assert isinstance(ran.error, errors.NotFound)
    assert "There is no deployment '999'." in ran.card[0]
