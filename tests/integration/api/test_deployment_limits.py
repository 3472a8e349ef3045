"""Deployments that are refused, cancelled or too large: nothing is changed, mistakes are told by file and line."""

from __future__ import annotations

import itertools

import pytest

import tinymagic
from tinymagic import errors
from tinymagic.api.deployments import Change
from tinymagic.api.http.cancelling import Cancellation

_numbers = itertools.count()

SOURCE = """SCHEMA >
    `day` Date,
    `n` Int32

ENGINE "MergeTree"
ENGINE_SORTING_KEY "day"
"""
PIPE = """NODE endpoint
SQL >
    SELECT count() AS rows FROM events

TYPE endpoint
"""
PROJECT = {"datasources/events.datasource": SOURCE, "endpoints/total.pipe": PIPE}


@pytest.fixture
def home(server, tokens, workspace):
    """An empty Workspace."""
    user_token = tokens["user_token"]
    made = workspace.workspaces.create(f"apideploymentlimits_{next(_numbers)}", user_token=user_token)
    yield tinymagic.connect(token=made.token.reveal(), host=server.host)
    workspace.workspaces.delete(made.id, user_token=user_token)


def names(client):
    return {each.name for each in client.datasources.list()}, {each.name for each in client.pipes.list()}


def test_a_line_of_a_file(home):
    done = home.deployments.deploy({"datasources/events.datasource": SOURCE + "\nNO_SUCH_WORD 1\n"})
    problem = done.deployment.problems[0]
    assert (problem.file, problem.line) == ("datasources/events.datasource", 8)
    assert str(problem).startswith("datasources/events.datasource:8: ")
    done = home.deployments.deploy({**PROJECT, "endpoints/total.pipe": PIPE.replace("events", "evnts")})
    assert str(done.deployment.problems[0]) == (
        "endpoints/total.pipe:3: node 'endpoint' of the pipe 'total': Resource 'evnts' not found"
    )
    assert names(home) == (set(), set())


def test_several_mistakes(home):
    files = {f"endpoints/p{number}.pipe": PIPE.replace("events", f"missing_{number}") for number in range(3)}
    for call in (home.deployments.deploy, home.deployments.build):
        assert {each.file for each in call(files).deployment.problems} == set(files)


def test_rows_are_deleted_only_when_allowed(home):
    home.deployments.deploy(PROJECT)
    less = {"endpoints/other.pipe": PIPE.replace("count() AS rows FROM events", "1 AS rows")}
    refused = home.deployments.deploy(less)
    assert (refused.failed, names(home)) == (True, ({"events"}, {"total"}))
    assert "events" in str(refused.deployment.problems[0])
    done = home.deployments.deploy(less, allow_destructive=True)
    assert done.deployment.destroys == (Change("Data Source", "events", "deleted"),)
    assert names(home) == (set(), {"other"})


def test_cancelled_before_it_began(home):
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(errors.Cancelled):
        home.deployments.deploy(PROJECT, cancellation=cancellation)
    assert names(home) == (set(), set())


def test_too_many_files(home):
    """What the service says of the whole, and of no file, is told all the same."""
    files = {f"pipes/p{number}.pipe": PIPE for number in range(2_010)}
    with pytest.raises(errors.ApiError) as caught:
        home.deployments.deploy(files)
    assert caught.value.status in (400, 413)
    assert names(home) == (set(), set())


def test_the_scope_is_enough(home):
    mine = home.with_token(home.tokens.create("deployer", "WORKSPACE:DEPLOY").token.reveal())
    assert mine.deployments.deploy(PROJECT).result == "success"
    with pytest.raises(errors.Forbidden):
        mine.tokens.list()
