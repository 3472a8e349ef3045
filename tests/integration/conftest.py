"""A real embedded server for the integration tests: its own process, in memory, on a free port of loopback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

import tinymagic
from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.s3_server import Bucket


@dataclass(frozen=True)
class Api:
    """Raw HTTP to one server: no client code of ours between the test and the wire."""

    host: str
    token: str

    def request(self, method: str, path: str, *, token: str | None = "", **arguments: Any) -> requests.Response:
        """Send a request; *token* ``None`` sends none, empty sends that of the workspace's administrator."""
        headers = dict(arguments.pop("headers", None) or {})
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.token}")
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.host + path, headers=headers, timeout=60, **arguments)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """Send a GET."""
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """Send a POST."""
        return self.request("POST", path, **arguments)

    def sql(self, q: str, **parameters: Any) -> requests.Response:
        """Run a query."""
        return self.post("/v0/sql", data={"q": q, **parameters})


@pytest.fixture(scope="session", autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the servers of the tests away from those of the user who runs them."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("HOME", str(folder))
        yield folder
        for left in local.running():
            local.stop(port=left.port)


@pytest.fixture(scope="session")
def server(private_folders: Path) -> Iterator[local.LocalServer]:
    """One embedded server in memory for all tests."""
    started = local.start(memory=True, port=0, with_parent=True)
    yield started
    local.stop(port=started.port)


@pytest.fixture(scope="session")
def tokens(server: local.LocalServer) -> dict[str, str]:
    """What GET /tokens gives."""
    found: dict[str, str] = requests.get(f"{server.host}/tokens", timeout=10).json()
    return found


@pytest.fixture(scope="session")
def api(server: local.LocalServer, tokens: dict[str, str]) -> Api:
    """Raw HTTP to the server, with the workspace's administrator token."""
    return Api(server.host, tokens["workspace_admin_token"])


@pytest.fixture
def workspace(server: local.LocalServer, tokens: dict[str, str]) -> tinymagic.Workspace:
    """The client on the server, with the workspace's administrator token."""
    return tinymagic.connect(token=tokens["workspace_admin_token"], host=server.host)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of an S3 server on loopback; tests that need it are left out where moto is not installed."""
    pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    from tests.integration.s3_server import running

    with running() as url:
        yield url


@pytest.fixture
def bucket(s3: str) -> Bucket:
    """An empty bucket."""
    from tests.integration.s3_server import Bucket

    return Bucket(s3)
