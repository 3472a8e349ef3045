"""Clients in other places than `workspace`: with a token that may little, and behind a proxy that makes faults."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

import tinymagic
from tests.faults import FaultProxy
from tinymagic.api.http.retries import Patience
from tinymagic.api.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Api
    from tinymagic import local

_numbers = itertools.count()


@pytest.fixture
def limited(server: local.LocalServer, api: Api) -> Callable[[str], Workspace]:
    """A Workspace whose token has one scope."""

    def made(scope: str) -> Workspace:
        reply = api.post("/v0/tokens", params={"name": f"limited_{next(_numbers)}", "scope": scope})
        return tinymagic.connect(token=reply.json()["token"], host=server.host)

    return made


@pytest.fixture
def proxy(server: local.LocalServer) -> Iterator[FaultProxy]:
    """A proxy in front of the server; it makes no faults but those that a test orders."""
    with FaultProxy(server.host) as started:
        yield started


@pytest.fixture
def behind(proxy: FaultProxy, tokens: dict[str, str]) -> Iterator[Workspace]:
    """A Workspace behind the proxy: four attempts at each request, quick ones."""
    patience = Patience(attempts=4, first_wait_s=0.01, longest_wait_s=0.02, longest_asked_wait_s=2)
    with Workspace(proxy.host, tokens["workspace_admin_token"], patience=patience) as workspace:
        yield workspace
