"""What holds for every resource alike: a token that is none is refused, and long requests travel in a body."""

from __future__ import annotations

import pytest

import tinymagic
from tests.integration.api import right_calls
from tests.replay.operations import OPERATIONS
from tinymagic import errors, local
from tinymagic.api.variables import Variables

LONG = "x" * 5_000

#: Calls that name no resource, so a refused token is all that can go wrong with them.
READING = {
    "connections.list": lambda ws: ws.connections.list(),
    "deployments.list": lambda ws: ws.deployments.list(),
    "info": lambda ws: ws.info(),
    "jobs.list": lambda ws: ws.jobs.list(),
    "pipes.list": lambda ws: ws.pipes.list(),
    "pipes.openapi": lambda ws: ws.pipes.openapi(),
    "datasources.list": lambda ws: ws.datasources.list(),
    "tags.list": lambda ws: ws.tags.list(),
    "tokens.list": lambda ws: ws.tokens.list(),
    "variables.list": lambda ws: ws.variables.list(),
    "branches.list": lambda ws: ws.branches.list(),
    "workspaces.list": lambda ws: ws.workspaces.list(),
    "workspaces.user": lambda ws: ws.workspaces.user(),
}


#: Every documented operation that the client has; two of them need no token.
CALLS = {
    operation.name: operation.call
    for operation in OPERATIONS
    if operation.call is not None and operation.name not in ("GET /tokens", "GET /v0/regions")
}


@pytest.mark.parametrize("name", CALLS)
def test_every_operation_refuses_a_token_that_is_none(server, name):
    stranger = tinymagic.Workspace(server.host, "p.eyJ1IjogIm5vYm9keSJ9.c2lnbmF0dXJl")
    stranger.variables = Variables(stranger._transport, requests_per_s=1_000)
    with pytest.raises(errors.TinybirdError) as caught:
        CALLS[name](stranger)
    assert caught.value.status == 403
    assert "c2lnbmF0" not in str(caught.value)


#: What any token may ask: about itself, about SQL that reads nothing, and lists of what it sees.
OF_ANY_TOKEN = {
    "GET /v0/sql",
    "POST /v0/sql",
    "GET /v0/sql_format",
    "POST /v0/sql_tables",
    "POST /v0/sql_replace",
    "GET /v0/datasources",
    "GET /v0/pipes",
    "GET /v0/pipes/openapi.json",
    "GET /v0/auth",
    "GET /v0/workspace",
}
#: A token sees that other Workspaces are not there.
UNSEEN = {"GET /v0/workspaces/{id}", "GET /v0/workspaces/{id}/releases"}


@pytest.mark.parametrize("name", [name for name in CALLS if name not in OF_ANY_TOKEN])
def test_every_operation_refuses_a_token_that_may_little(of_little_right, name):
    with pytest.raises(errors.TinybirdError) as caught:
        CALLS[name](of_little_right)
    assert caught.value.status == (404 if name in UNSEEN else 403)


@pytest.fixture(scope="module")
def of_little_right(private_folders):
    """A client whose token may read one Pipe, where everything that calls name is there."""
    started = local.start(memory=True, port=0, with_parent=True)
    owner = tinymagic.connect(host=started.host)
    right_calls.prepare(owner)
    owner.pipes.create("of_little_right", "SELECT 1 AS n")
    token = owner.tokens.create("little", ["PIPES:READ:of_little_right"]).token
    workspace = tinymagic.Workspace(started.host, token.reveal())
    workspace.variables = Variables(workspace._transport, requests_per_s=1_000)
    yield workspace
    local.stop(port=started.port)


#: Operations on something that is named, but those that describe another service and need nothing here.
NAMED = [name for name in CALLS if "{" in name and "/integrations/" not in name]


@pytest.fixture(scope="module")
def empty(private_folders):
    """A Workspace without anything in it, on a server of its own."""
    started = local.start(memory=True, port=0, with_parent=True)
    workspace = tinymagic.connect(host=started.host)
    workspace.variables = Variables(workspace._transport, requests_per_s=1_000)
    yield workspace
    local.stop(port=started.port)


@pytest.mark.parametrize("name", NAMED)
def test_every_operation_says_what_is_not_there(empty, name):
    with pytest.raises(errors.TinybirdError) as caught:
        CALLS[name](empty)
    # To delete a Workspace takes a user token, which is looked at first.
    assert caught.value.status == (403 if name == "DELETE /v0/workspaces/{id}" else 404)


def test_a_pipe_whose_sql_cannot_run(workspace):
    with pytest.raises(errors.QueryError, match="nothing_of_this_name"):
        workspace.pipes.create("every_resource_bad", "SELECT nothing_of_this_name FROM numbers(1)")
    with pytest.raises(errors.NotFound):
        workspace.pipes.get("every_resource_bad")


@pytest.mark.parametrize("name", READING)
def test_a_token_that_is_none_is_refused(workspace, name):
    READING[name](workspace)
    stranger = tinymagic.Workspace(workspace.host, "p.eyJ1IjogIm5vYm9keSJ9.c2lnbmF0dXJl")
    with pytest.raises(errors.Forbidden) as caught:
        READING[name](stranger)
    assert caught.value.status == 403
    assert "c2lnbmF0" not in str(caught.value)


def test_releases_of_a_workspace_that_is_not_there(workspace):
    assert workspace.workspaces.releases(workspace.info().id) == []
    with pytest.raises(errors.TinybirdError) as caught:
        workspace.workspaces.releases("00000000-0000-4000-8000-000000000000")
    assert caught.value.status in (403, 404)


def test_a_long_query_travels_in_the_body(workspace):
    assert workspace.query.run(f"SELECT length('{LONG}') AS n FORMAT CSV").text() == "5000\n"
    with pytest.raises(errors.QueryError):
        workspace.query.run(f"SELECT nothing_of_this_name, '{LONG}'")


def test_long_parameters_of_an_endpoint_travel_in_the_body(workspace):
    name = "every_resource_long"
    workspace.pipes.create(name, "%\nSELECT length({{String(word, 'a')}}) AS n, {{Int32(n, 1)}} AS m")
    workspace.pipes.publish(name)
    assert workspace.pipes.data(name, params={"word": LONG}).n.tolist() == [5000]
    with pytest.raises(errors.BadRequest, match="n"):
        workspace.pipes.data(name, params={"word": LONG, "n": "many"})


def test_regions(workspace):
    assert all(region.api_host.startswith("http") for region in workspace.regions())
    assert workspace.regions()
