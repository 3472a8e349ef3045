"""One server and one Workspace for all replays."""

from __future__ import annotations

import pytest

from tests.replay.operations import operation_of
from tests.replay.server import ReplayServer, Shape
from tinymagic.api.http.retries import Patience
from tinymagic.api.variables import Variables
from tinymagic.api.workspace import Workspace

TOKEN = "p.eyJ1IjogIjEiLCAiaWQiOiAiMiIsICJob3N0IjogImxvY2FsIn0.MARKED-SIGNATURE-0123456789"


def around(operation, shape=None):
    """Answers for a call of *operation*: *shape* for itself, the usual for what the call asks besides."""

    def answer_for(asked):
        found = operation_of(asked.line)
        if found is not None and found.name == operation.name:
            return shape or Shape.of("usual", operation.reply)
        if found is not None and found.name in operation.others:
            return Shape.of("usual", operation.others[found.name])
        return usual_answer(asked)

    return answer_for


def usual_answer(asked):
    """What the service usually says to a request."""
    operation = operation_of(asked.line)
    return (
        Shape("unknown", 404, b'{"error": "no such operation"}')
        if operation is None
        else Shape.of("usual", operation.reply)
    )


@pytest.fixture(scope="session")
def replay():
    """The server."""
    server = ReplayServer()
    server.answer_for = usual_answer
    yield server
    server.close()


@pytest.fixture(scope="session")
def replayed(replay):
    """A Workspace on it, which tries everything once."""
    with Workspace(replay.host, TOKEN, timeout_s=5, patience=Patience(attempts=1)) as workspace:
        # Here nobody counts requests: no turns are to be waited for.
        workspace.variables = Variables(workspace._transport, requests_per_s=100_000)
        yield workspace
