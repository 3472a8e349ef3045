"""The client of deployments: build, check, deploy, promote, discard, wait, and what goes wrong in which file."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors

_numbers = itertools.count()
TRIPS = "SCHEMA >\n    day Date,\n    n UInt32\n"
TOP = "NODE a\nSQL >\n    SELECT day, sum(n) AS total FROM trips GROUP BY day\n\nTYPE endpoint\n"
FILES = {"datasources/trips.datasource": TRIPS, "endpoints/top.pipe": TOP}
MORE = {**FILES, "datasources/later.datasource": TRIPS}


@pytest.fixture
def workspace(server, tokens):
    """A Workspace of its own: a deployment is about everything that is there."""
    first = tinymagic.connect(token=tokens["workspace_admin_token"], host=server.host)
    entry = first.workspaces.create(f"apideployments_{next(_numbers)}", user_token=tokens["user_token"])
    yield tinymagic.connect(token=entry.token.reveal(), host=server.host)
    first.workspaces.delete(entry.id, user_token=tokens["user_token"])


@pytest.fixture
def deployments(workspace):
    return workspace.deployments


def sources(workspace):
    return sorted(each.name for each in workspace.datasources.list())


def changes(result):
    return sorted((each.kind, each.name, each.change) for each in result.changes)


NEW = [("Data Source", "trips", "new"), ("Pipe", "top", "new")]


def test_check_changes_nothing(deployments, workspace):
    result = deployments.deploy(FILES, check=True)
    assert (result.failed, changes(result)) == (False, NEW)
    assert sources(workspace) == []


def test_deploy(deployments, workspace):
    result = deployments.deploy(FILES)
    assert (result.failed, changes(result)) == (False, NEW)
    assert deployments.wait(result.deployment.id, timeout_s=30).live
    workspace.events.send("trips", [{"day": "2024-01-01", "n": 2}])
    assert workspace.pipes.data("top").total.tolist() == [2]
    again = deployments.deploy(FILES)
    assert (again.result, again.changes) == ("no_changes", ())


def test_build(deployments, workspace):
    result = deployments.build(FILES)
    assert (result.failed, changes(result)) == (False, NEW)
    assert sources(workspace) == ["trips"]


def test_what_has_no_file_any_more(deployments, workspace):
    deployments.deploy(MORE)
    refused = deployments.deploy(FILES)
    assert refused.failed
    assert sources(workspace) == ["later", "trips"]
    result = deployments.deploy(FILES, allow_destructive=True)
    assert [each.name for each in result.deployment.destroys] == ["later"]
    assert sources(workspace) == ["trips"]


def test_promote(deployments, workspace):
    deployments.deploy(FILES)
    waits = deployments.deploy(MORE, auto_promote=False).deployment
    ready = deployments.wait(waits.id, live=False, timeout_s=30)
    assert (ready.live, sources(workspace)) == (False, ["trips"])
    assert waits.id in [each.id for each in deployments.list()]
    deployments.set_live(waits.id)
    assert deployments.wait(waits.id, timeout_s=30).live
    assert sources(workspace) == ["later", "trips"]
    # What is live already stays so.
    assert deployments.set_live(waits.id).id == waits.id


def test_discard(deployments, workspace):
    deployments.deploy(FILES)
    waits = deployments.deploy(MORE, auto_promote=False).deployment
    deployments.discard(waits.id)
    assert sources(workspace) == ["trips"]
    live = next(each for each in deployments.list() if each.live)
    with pytest.raises(errors.BadRequest):
        deployments.discard(live.id)


def test_waiting_in_vain(deployments):
    deployments.deploy(FILES)
    waits = deployments.deploy(MORE, auto_promote=False).deployment
    with pytest.raises(errors.Timeout, match="It goes on"):
        deployments.wait(waits.id, timeout_s=0.2)


def test_a_mistake_is_told_by_file(deployments, workspace):
    wrong = {**FILES, "endpoints/top.pipe": TOP.replace("FROM trips", "FROM trisp")}
    for result in (deployments.deploy(wrong), deployments.deploy(wrong, check=True), deployments.build(wrong)):
        assert result.failed
        problem = result.deployment.problems[0]
        assert problem.file.endswith("top.pipe")
        assert "trisp" in problem.sentence
    assert sources(workspace) == []


@pytest.mark.parametrize("call", ["get", "set_live", "discard"])
def test_unknown(deployments, call):
    with pytest.raises(errors.NotFound):
        getattr(deployments, call)("999")


def test_no_files(deployments):
    for call in (deployments.deploy, deployments.build):
        with pytest.raises(errors.InvalidInput, match="no datafiles"):
            call({})


def test_forbidden(workspace):
    token = workspace.tokens.create("nothing", ["PIPES:CREATE"]).token
    with pytest.raises(errors.Forbidden):
        workspace.with_token(token.reveal()).deployments.deploy(FILES)
    able = workspace.tokens.create("deploys", ["WORKSPACE:DEPLOY"]).token
    assert not workspace.with_token(able.reveal()).deployments.deploy(FILES).failed
