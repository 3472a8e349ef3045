"""Each documented operation succeeds against the embedded server, in a Workspace of its own."""

from __future__ import annotations

import itertools

import pytest
import requests

import tinymagic
from tests.integration.api.right_calls import BEFORE, ELSEWHERE, OF_CONNECTORS, RIGHT, fed, prepare
from tests.replay.operations import OPERATIONS, operation_of
from tinymagic import local
from tinymagic.api.variables import Variables

CALLED = {operation.name: operation for operation in OPERATIONS if operation.call is not None}

_numbers = itertools.count()


@pytest.fixture(scope="module")
def house(private_folders):
    """A server for these tests."""
    started = local.start(memory=True, port=0, with_parent=True)
    yield started
    local.stop(port=started.port)


@pytest.fixture
def token(house):
    """Of the administrator of a Workspace that is new."""
    person = requests.get(f"{house.host}/tokens", timeout=10).json()["user_token"]
    with tinymagic.Workspace(house.host, person) as owner:
        made = owner.workspaces.create(f"every_success_{next(_numbers)}", user_token=person)
        return owner.workspaces.get(made.id, with_token=True).token.reveal()


@pytest.fixture
def ws(house, token):
    """That Workspace, with what the usual calls are about, and what went over the wire among its attributes."""
    with tinymagic.Workspace(house.host, token) as workspace:
        workspace.variables = Variables(workspace._transport, requests_per_s=1_000)
        prepare(workspace)
        yield workspace


def test_tables_name_operations():
    assert set(BEFORE) | set(RIGHT) | set(ELSEWHERE) | set(OF_CONNECTORS) <= set(CALLED)
    assert len(CALLED) - len(ELSEWHERE) > 105


@pytest.mark.parametrize("name", [name for name in CALLED if name not in ELSEWHERE])
def test_succeeds(ws, token, request, monkeypatch, name):
    """The operation is asked for, and answered well."""
    if name in OF_CONNECTORS:
        fed(ws, token, request.getfixturevalue("bucket"))
    BEFORE.get(name, lambda _: None)(ws)
    seen = recorded(ws, monkeypatch)
    RIGHT.get(name, CALLED[name].call)(ws)
    assert any(operation_of(line) is CALLED[name] and status < 400 for line, status in seen), seen


def recorded(ws, monkeypatch):
    """Write down what goes over the wire from now on: ``METHOD /path``, and the status of the reply."""
    from tinymagic.api.http.wire import Wire

    seen: list[tuple[str, int]] = []
    attempt = Wire.attempt

    def attempted(self, request, *arguments):
        reply = attempt(self, request, *arguments)
        seen.append((f"{request.method} {request.path}", reply.status))
        return reply

    monkeypatch.setattr(Wire, "attempt", attempted)
    return seen
