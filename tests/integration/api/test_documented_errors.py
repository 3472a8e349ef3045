"""Each documented error of each documented operation, provoked: a sentence and its class, nothing changed."""

from __future__ import annotations

import pytest
import requests

import tinymagic
from tests.integration.api.documented_statuses import FURTHER, OUT_OF_REACH, documented
from tests.integration.api.wrong_calls import WRONG, prepare
from tests.integration.api.wrong_names import NOT_THERE
from tests.replay.operations import FILES, OPERATIONS, operation_of
from tinymagic import errors, local
from tinymagic.api.http.retries import Patience
from tinymagic.api.variables import Variables

CALLED = {operation.name: operation for operation in OPERATIONS if operation.call is not None}
CASES = [(name, case) for table in (WRONG, NOT_THERE) for name, cases in table.items() for case in cases]

CLASSES = {
    400: (errors.BadRequest, errors.QueryError),
    404: (errors.NotFound,),
    408: (errors.QueryTimeout, errors.RequestTimeout),
    409: (errors.Conflict,),
    413: (errors.PayloadTooLarge,),
    422: (errors.UnprocessableRows,),
    429: (errors.RateLimited,),
    503: (errors.Unavailable,),
}

#: Statuses that a server gives when it has too much to do: here one that is told to.
BUSY = {429: "creations:429,imports:429,events:429,queries:429,variables:429", 503: "events:503"}
BUSY_CASES = [(name, status) for name, statuses in FURTHER.items() for status in statuses if status in BUSY]


def opened(host, token):
    """A client that asks once and takes no turns."""
    workspace = tinymagic.Workspace(host, token, patience=Patience(attempts=1))
    workspace.variables = Variables(workspace._transport, requests_per_s=1_000)
    return workspace


def administrator(host):
    """The token of the server's first Workspace."""
    return requests.get(f"{host}/tokens", timeout=10).json()["workspace_admin_token"]


@pytest.fixture(scope="module")
def prepared(private_folders):
    """A Workspace with what the calls are about, on a server of its own."""
    started = local.start(memory=True, port=0, with_parent=True)
    token = administrator(started.host)
    workspace = opened(started.host, token)
    prepare(workspace, token)
    yield workspace
    local.stop(port=started.port)


@pytest.fixture(scope="module")
def busy(request, private_folders):
    """A server that has too much to do, with a project deployed before; and its status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYMAGIC_LOCAL_FORCE_STATUS", BUSY[request.param])
        started = local.start(memory=True, port=0, with_parent=True)
    workspace = opened(started.host, administrator(started.host))
    assert workspace.deployments.deploy(FILES).result == "success"
    yield workspace, request.param
    local.stop(port=started.port)


def test_every_documented_status_is_provoked():
    """403, and 404 of a path's first name, are tried for all operations alike in `test_every_resource`."""
    provoked = {(name, case.status) for name, case in CASES} | set(BUSY_CASES)
    owed = {(name, status) for name in CALLED for status in documented(name) - {403}}
    owed -= {(name, 404) for name in CALLED if "{" in name}
    assert owed - provoked - set(OUT_OF_REACH) == set()
    assert not provoked & set(OUT_OF_REACH) - {("POST /v1/datasources/{name}/append", 400)}
    assert set(WRONG) | set(NOT_THERE) | set(FURTHER) <= set(CALLED)


def there(ws):
    """What a refused call must leave as it is."""
    return (
        [(each.name, [column.name for column in each.columns]) for each in ws.datasources.list()],
        [(each.name, each.type, [(node.name, node.sql) for node in each.nodes]) for each in ws.pipes.list()],
        sorted(each.name for each in ws.connections.list()),
        sorted((each.name, each.scopes) for each in ws.tokens.list()),
        sorted(each.name for each in ws.tags.list()),
        sorted(each.name for each in ws.branches.list()),
        ws.query.run("SELECT count() FROM wrong_events").text(),
    )


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{case.status} {name}" for name, case in CASES])
def test_what_cannot_be_is_refused(prepared, name, case):
    before = there(prepared)
    with pytest.raises(errors.TinybirdError) as caught:
        case.call(prepared)
    error = caught.value
    if case.how == "status":
        assert (error.status, operation_of(error.answer.asked)) == (case.status, CALLED[case.first or name])
        assert isinstance(error, CLASSES[case.status])
    else:
        assert isinstance(error, (errors.InvalidInput, errors.JobFailed, errors.PayloadTooLarge))
    assert case.says.lower() in str(error).lower()
    assert len(str(error)) > 20
    assert "Traceback" not in str(error)
    assert there(prepared) == before


@pytest.mark.parametrize(("busy", "name"), [(status, name) for name, status in BUSY_CASES], indirect=["busy"])
def test_a_busy_server_says_when_to_try_again(busy, name):
    workspace, status = busy
    with pytest.raises(CLASSES[status][0]) as caught:
        CALLED[name].call(workspace)
    assert caught.value.status == status
    assert operation_of(caught.value.answer.asked) is CALLED[name]
    assert "again" in str(caught.value)
