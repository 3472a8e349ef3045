"""Each documented operation is refused when what was asked for cannot be: a sentence and its class, nothing changed."""

from __future__ import annotations

import pytest

import tinymagic
from tests.integration.api.wrong_calls import NOTHING_TO_GET_WRONG, WRONG, prepare
from tests.replay.operations import OPERATIONS
from tinymagic import errors, local
from tinymagic.api.variables import Variables

CASES = [(name, case) for name, cases in WRONG.items() for case in cases]

CLASSES = {400: (errors.BadRequest, errors.QueryError), 409: (errors.Conflict,), 404: (errors.NotFound,)}


@pytest.fixture(scope="module")
def prepared(private_folders):
    """A Workspace with what the calls are about, on a server of its own."""
    started = local.start(memory=True, port=0, with_parent=True)
    workspace = tinymagic.connect(host=started.host)
    workspace.variables = Variables(workspace._transport, requests_per_s=1_000)
    prepare(workspace)
    yield workspace
    local.stop(port=started.port)


def test_every_operation_is_in_a_table():
    """One that is in neither is one whose errors nobody has seen."""
    called = {operation.name for operation in OPERATIONS if operation.call is not None}
    assert called - set(WRONG) - NOTHING_TO_GET_WRONG == set()
    assert not set(WRONG) & NOTHING_TO_GET_WRONG
    assert (set(WRONG) | NOTHING_TO_GET_WRONG) - called == set()


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
    with pytest.raises(errors.TinybirdError) as caught:
        case.call(prepared)
    error = caught.value
    if case.status:
        assert error.status == case.status
        assert isinstance(error, CLASSES[case.status])
    else:
        assert isinstance(error, (errors.InvalidInput, errors.JobFailed))
    assert case.says.lower() in str(error).lower()
    assert len(str(error)) > 20
    assert "Traceback" not in str(error)


def test_refused_calls_change_nothing(prepared):
    before = there(prepared)
    for name, case in CASES:
        if name == "DELETE /v0/pipes/{pipe}":
            continue  # It makes what is refused to be deleted.
        with pytest.raises(errors.TinybirdError):
            case.call(prepared)
    assert there(prepared) == before
