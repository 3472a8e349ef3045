"""Killing the server in the middle of imports: what was acknowledged is there, nothing is half there."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 20_000
ROUNDS = 6


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server is stopped after the test."""
    path = tmp_path / "data"
    yield path
    local.stop(path)


class Client:
    """Raw HTTP to a server with its administrator token."""

    def __init__(self, folder: Path) -> None:
        self.server = local.start(path=folder, port=0, with_parent=True)
        token = requests.get(f"{self.server.host}/tokens", timeout=10).json()["workspace_admin_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def load(self, version: int, **parameters: str) -> int:
        """Import ROWS rows that all hold *version*."""
        data = b"version\n" + b"%d\n" % version * ROWS
        url = f"{self.server.host}/v0/datasources"
        files = {"csv": ("v.csv", data)}
        return requests.post(url, params=parameters, files=files, headers=self.headers, timeout=60).status_code

    def rows(self, q: str) -> list[list[Any]]:
        """Return the rows of a query."""
        url = f"{self.server.host}/v0/sql"
        reply = requests.get(url, params={"q": f"{q} FORMAT JSONCompact"}, headers=self.headers, timeout=60)
        assert reply.status_code == 200, reply.text
        found: list[list[Any]] = reply.json()["data"]
        return found

    def kill(self) -> None:
        """End the server at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        while any(each.pid == self.server.pid for each in local.running()):
            time.sleep(0.02)


def load_until_killed(client: Client, mode: str, first: int, acknowledged: list[int]) -> None:
    """Import one version after the other and note those that were answered with 200."""
    for version in range(first, first + 1000):
        try:
            if client.load(version, name="v", mode=mode) == 200:
                acknowledged.append(version)
        except requests.RequestException:
            return


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["replace", "append"])
def test_kill_during_imports(folder: Path, mode: str) -> None:
    """After every kill the table holds whole imports only, and at least those that were acknowledged."""
    client = Client(folder)
    assert client.load(0, name="v") == 200
    acknowledged = [0]
    for round_number in range(1, ROUNDS + 1):
        loads = (client, mode, round_number * 1000, acknowledged)
        thread = threading.Thread(target=load_until_killed, args=loads)
        thread.start()
        time.sleep(0.05 + 0.07 * round_number)
        client.kill()
        thread.join(30)
        assert not thread.is_alive()
        client = Client(folder)
        found = dict(client.rows("SELECT version, count() FROM v GROUP BY version"))
        assert set(found.values()) == {ROWS}
        if mode == "replace":
            assert len(found) == 1
            assert next(iter(found)) in (acknowledged[-1], acknowledged[-1] + 1, round_number * 1000)
            acknowledged = [next(iter(found))]
        else:
            assert set(acknowledged) <= set(found)


def test_half_created_data_sources_are_gone(folder: Path) -> None:
    """A server killed while it makes Data Sources starts again, and what is listed can be read."""
    client = Client(folder)
    killer = threading.Timer(0.25, client.kill)
    killer.start()
    for number in range(1000):
        try:
            client.load(number, name=f"d{number}")
        except requests.RequestException:
            break
    killer.join()
    client = Client(folder)
    url = f"{client.server.host}/v0/datasources"
    listed = requests.get(url, headers=client.headers, timeout=60).json()["datasources"]
    for each in listed:
        assert client.rows(f"SELECT count() FROM {each['name']}") == [[ROWS]]
    # The name that was being made when the server died is free, or taken by a whole Data Source.
    assert client.load(1, name=f"d{len(listed)}") == 200


def test_uploads_of_a_killed_server_are_removed(folder: Path) -> None:
    """Uploads lie in the data folder for the user only, and the next start empties their place."""
    client = Client(folder)
    spool = folder / "spool"
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700

    def endless() -> Iterator[bytes]:
        yield b"version\n"
        while True:
            time.sleep(0.01)
            yield b"1\n" * 10_000

    def upload() -> None:
        url = f"{client.server.host}/v0/datasources"
        with contextlib.suppress(requests.RequestException):
            requests.post(url, params={"name": "v"}, data=endless(), headers=client.headers, timeout=60)

    thread = threading.Thread(target=upload, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not list(spool.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    client.kill()
    thread.join(30)
    assert list(spool.iterdir())
    Client(folder)
    assert list(spool.iterdir()) == []


def test_memory_server_leaves_no_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary spool goes with its server; that of a killed one goes at the next start, a living one's stays."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    killed = local.start(memory=True, port=0, with_parent=True)
    [left] = tmp_path.glob("tinymagic-spool-*")
    os.kill(killed.pid, signal.SIGKILL)
    while any(each.pid == killed.pid for each in local.running()):
        time.sleep(0.02)
    assert left.exists()
    servers = [local.start(memory=True, port=0, with_parent=True)]
    try:
        assert not left.exists()
        servers.append(local.start(memory=True, port=0, with_parent=True))
        assert len(list(tmp_path.glob("tinymagic-spool-*"))) == 2
    finally:
        for server in servers:
            local.stop(port=server.port)
    assert list(tmp_path.glob("tinymagic-spool-*")) == []


@pytest.mark.parametrize("name", ["a{b,c}", "a*", "a?", "a.zip :: b", "it's [1] \\"])
def test_uploads_are_read_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    """Names that the engine would take for a pattern are served as well."""
    path = tmp_path / name
    try:
        client = Client(path)
        assert client.load(1, name="v") == 200
        assert client.rows("SELECT count() FROM v") == [[ROWS]]
    finally:
        local.stop(path)
