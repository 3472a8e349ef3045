"""Killing the server in the middle of deployments: all of a project is there, or nothing of it; rows are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine, EngineEnding
from tinymagic.local.ingest.table import Table
from tinymagic.local.limits import Limits
from tinymagic.local.services import Services
from tinymagic.local.services.datasources import PENDING, DataSourcesService
from tinymagic.local.services.deploying.switch import Switch
from tinymagic.local.services.populating import Populating

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROWS = 200_000
ROUNDS = 8

#: Two versions of one project: another type and sorting key of one Data Source, another column of a second one, other
#: names in Pipes, and a Data Source and a Pipe that only one of them has.
EVEN = {
    "moved.datasource": "SCHEMA >\n    `n` UInt64,\n    `version` String DEFAULT 'even'\n\nENGINE_SORTING_KEY n\n"
    "\nFORWARD_QUERY >\n    SELECT toUInt64(n) AS n, 'even' AS version\n",
    "altered.datasource": "SCHEMA >\n    `n` UInt64,\n    `even` Int8 DEFAULT 2\n\nFORWARD_QUERY >\n    SELECT n\n",
    "only_even.datasource": "SCHEMA >\n    `a` Int32\n",
    "says.pipe": "NODE n\nSQL >\n    SELECT 'even' AS version, any(version) AS stored, count() AS rows FROM moved\n"
    "TYPE endpoint\n",
    "only_even_pipe.pipe": "NODE n\nSQL >\n    SELECT count() AS c, any(even) AS e FROM altered\nTYPE endpoint\n",
}
ODD = {
    "moved.datasource": "SCHEMA >\n    `n` String,\n    `version` String DEFAULT 'odd'\n\nENGINE_SORTING_KEY version\n"
    "\nFORWARD_QUERY >\n    SELECT toString(n) AS n, 'odd' AS version\n",
    "altered.datasource": "SCHEMA >\n    `n` UInt64,\n    `odd` Int8 DEFAULT 1\n\nFORWARD_QUERY >\n    SELECT n\n",
    "only_odd.datasource": "SCHEMA >\n    `a` Int32\n",
    "says.pipe": EVEN["says.pipe"].replace("'even'", "'odd'"),
    "only_odd_pipe.pipe": "NODE n\nSQL >\n    SELECT count() AS c, any(odd) AS o FROM altered\nTYPE endpoint\n",
}


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

    def get(self, path: str) -> dict[str, Any]:
        """Get a JSON object."""
        reply = requests.get(self.server.host + path, headers=self.headers, timeout=60)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def deploy(self, files: Mapping[str, str]) -> dict[str, Any]:
        """Deploy a project."""
        parts = [("data_project://", (name, text, "text/plain")) for name, text in files.items()]
        parameters = {"auto_promote": "true", "allow_destructive_operations": "true"}
        url = f"{self.server.host}/v1/deploy"
        reply = requests.post(url, params=parameters, files=parts, headers=self.headers, timeout=60)
        found: dict[str, Any] = reply.json()
        return found

    def fill(self, name: str) -> None:
        """Append ROWS rows."""
        rows = b"n\n" + b"".join(b"%d\n" % number for number in range(ROWS))
        url = f"{self.server.host}/v0/datasources"
        parameters = {"name": name, "mode": "append"}
        reply = requests.post(url, params=parameters, files={"csv": rows}, headers=self.headers, timeout=60)
        assert reply.status_code == 200, reply.text

    def names(self, kind: str) -> set[str]:
        """Return the names of Data Sources or Pipes."""
        return {each["name"] for each in self.get(f"/v0/{kind}")[kind]}

    def kill(self) -> None:
        """End the server at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        while any(each.pid == self.server.pid for each in local.running()):
            time.sleep(0.02)


def version_of(client: Client) -> str:
    """Return which version is there, having seen that it is all of it."""
    [said] = client.get("/v0/pipes/says.json")["data"]
    version, other = said["version"], "odd" if said["version"] == "even" else "even"
    assert said == {"version": version, "stored": version, "rows": ROWS}
    assert client.names("datasources") == {"moved", "altered", f"only_{version}"}
    assert client.names("pipes") == {"says", f"only_{version}_pipe"}
    [counted] = client.get(f"/v0/pipes/only_{version}_pipe.json")["data"]
    assert counted["c"] == ROWS
    assert other not in str(client.get("/v0/datasources/altered")["columns"])
    [live] = client.get("/v1/deployments")["deployments"]
    assert live["live"]
    return str(version)


@pytest.mark.slow
def test_kill_during_deployments(folder: Path) -> None:
    """Each kill leaves one of two versions, whole; acknowledged ones stay."""
    client = Client(folder)
    assert client.deploy(EVEN)["result"] == "success"
    client.fill("moved")
    client.fill("altered")
    begin = time.monotonic()
    assert client.deploy(ODD)["result"] == "success"
    takes_s = time.monotonic() - begin
    version = version_of(client)
    for number in range(ROUNDS):
        wanted = EVEN if version == "odd" else ODD
        acknowledged: list[str] = []

        def deploy(client: Client = client, wanted: Mapping[str, str] = wanted, said: list[str] = acknowledged) -> None:
            try:
                said.append(client.deploy(wanted)["result"])
            except (requests.RequestException, ValueError):
                return

        thread = threading.Thread(target=deploy)
        thread.start()
        time.sleep(takes_s * (number + 1) / ROUNDS)
        client.kill()
        thread.join(60)
        client = Client(folder)
        before, version = version, version_of(client)
        if acknowledged:
            assert version != before
    local.stop(folder)
    # In a process of its own: one process has one data path, and other tests have theirs in memory.
    found = subprocess.run([sys.executable, "-c", NAMES, str(folder / "clickhouse")], capture_output=True, check=True)
    names = found.stdout.decode().split()
    assert "system" in names
    left = [name for name in names if "_tm_deploy" in name or "_tm_trial" in name]
    assert not left


#: Prints the names of all databases and tables in a data folder.
NAMES = """
import pathlib, sys
from tinymagic.local.engine import Engine
engine = Engine(pathlib.Path(sys.argv[1]))
for sql in ("SELECT name FROM system.databases", "SELECT database || '.' || name FROM system.tables"):
    for [name] in engine.rows(sql):
        print(name)
engine.close()
"""


class Stop(BaseException):
    """Stands for the end of the process."""


def files_of(project: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the files as the service wants them."""
    return list(project.items())


@pytest.mark.parametrize("where", ["finish", "_write", "_fill", "_make_new"])
def test_stopped_at_every_step(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the transaction nothing has happened; after it the next start brings it to its end."""
    engine, catalog = Engine(None), Catalog(tmp_path / "catalog")
    services = Services.build(engine, catalog, Limits.named("none"))
    token = services.tokens.local_tokens()["workspace_admin_token"]
    access = services.tokens.authenticate(f"Bearer {token}", {})
    workspace = access.workspace

    def deploy(project: Mapping[str, str]) -> str:
        service = services.deployments
        return service.deploy(access, files_of(project), auto_promote=True, destructive=True).result

    assert deploy(EVEN) == "success"
    for name in ("moved", "altered"):
        engine.execute(f"INSERT INTO {name} (n) SELECT number FROM numbers(1000)", database=workspace.database)
    before = [catalog.datasources(workspace.id), catalog.pipes(workspace.id), catalog.deployments(workspace.id)]

    def stop(*_: object, **__: object) -> None:
        raise Stop

    monkeypatch.setattr(DataSourcesService if where == "finish" else Switch, where, stop)
    with pytest.raises(Stop):
        deploy(ODD)
    monkeypatch.undo()
    services.close()
    is_there = where == "finish"
    if not is_there:
        assert before == [
            catalog.datasources(workspace.id),
            catalog.pipes(workspace.id),
            catalog.deployments(workspace.id),
        ]
    services = Services.build(engine, catalog, Limits.named("none"))
    version = "odd" if is_there else "even"
    found = engine.rows("SELECT any(version), count() FROM moved", database=workspace.database)
    assert found == [[version, 1000]]
    assert engine.rows(f"SELECT any({version}), count() FROM altered", database=workspace.database)[0][1] == 1000
    assert {each.name for each in catalog.datasources(workspace.id)} == {"moved", "altered", f"only_{version}"}
    assert not any(PENDING in each.settings for each in catalog.datasources(workspace.id))
    tables = {str(name) for [name] in engine.rows("SELECT name FROM system.tables WHERE database LIKE 'd_%'")}
    assert not any(name.startswith("_tm_deploy") for name in tables)
    assert not engine.rows("SELECT name FROM system.databases WHERE name LIKE '\\\\_tm\\\\_trial%'")
    # And it goes on from there.
    assert deploy(ODD) == ("no_changes" if is_there else "success")
    assert engine.rows("SELECT any(version), count() FROM moved", database=workspace.database) == [["odd", 1000]]
    services.close()
    catalog.close()
    engine.close()


@pytest.mark.parametrize("is_begun", [False, True])
def test_stopped_before_a_view_is_filled(is_begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start fills it, each row once, also when the view had begun and got rows; and nothing is left to do."""
    engine, catalog = Engine(None), Catalog(tmp_path / "catalog")
    services = Services.build(engine, catalog, Limits.named("none"))
    token = services.tokens.local_tokens()["workspace_admin_token"]
    access = services.tokens.authenticate(f"Bearer {token}", {})
    database = access.workspace.database
    project = {"rows.datasource": "SCHEMA >\n    `n` UInt64\n"}
    assert services.deployments.deploy(access, files_of(project), auto_promote=True).result == "success"
    engine.execute("INSERT INTO rows SELECT number FROM numbers(1000)", database=database)
    project["seen.datasource"] = "SCHEMA >\n    `n` UInt64\n"
    project["seen_mv.pipe"] = "NODE n\nSQL >\n    SELECT n FROM rows\nTYPE materialized\nDATASOURCE seen\n"

    def stop(*_: object, **__: object) -> None:
        raise EngineEnding("The server ends.")

    monkeypatch.setattr(Populating, "_evaluate" if is_begun else "_snapshot", stop)
    assert services.deployments.deploy(access, files_of(project), auto_promote=True).result == "success"
    monkeypatch.undo()
    if is_begun:
        view = Table(database, "seen")
        engine.execute(f"INSERT INTO {view.sql} VALUES (1000)")  # What the view has made of the next line.
        engine.execute("INSERT INTO rows VALUES (1000)", database=database)
    services.close()
    services = Services.build(engine, catalog, Limits.named("none"))
    for job in catalog.jobs(access.workspace.id, created_after=""):
        assert services.jobs.wait(job.id, 30)
    found = engine.rows("SELECT count(), uniqExact(n) FROM seen", database=database)
    assert found == [[1000 + is_begun, 1000 + is_begun]]
    assert services.deployments.deploy(access, files_of(project), auto_promote=True).result == "no_changes"
    services.close()
    services = Services.build(engine, catalog, Limits.named("none"))
    assert engine.rows("SELECT count() FROM seen", database=database) == [[1000 + is_begun]]
    services.close()
    catalog.close()
    engine.close()


def test_rows_that_come_in_meanwhile(tmp_path: Path) -> None:
    """Appends during deployments that make the table anew lose nothing and double nothing."""
    engine, catalog = Engine(None), Catalog(tmp_path / "catalog")
    services = Services.build(engine, catalog, Limits.named("none"))
    token = services.tokens.local_tokens()["workspace_admin_token"]
    access = services.tokens.authenticate(f"Bearer {token}", {})
    assert services.deployments.deploy(access, files_of(EVEN), auto_promote=True).result == "success"
    over = threading.Event()
    sent = 0

    def send() -> None:
        nonlocal sent
        while not over.is_set():
            with services.datasources.writing(access.workspace, "moved") as record:
                table = Table(access.workspace.database, record.name)
                engine.execute(f"INSERT INTO {table.sql} (n) VALUES ('{sent}')")
                sent += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        for project in (ODD, EVEN, ODD, EVEN):
            outcome = services.deployments.deploy(access, files_of(project), auto_promote=True, destructive=True)
            assert outcome.result == "success", outcome.message
    finally:
        over.set()
        thread.join(30)
    found = engine.rows("SELECT count(), uniqExact(n) FROM moved", database=access.workspace.database)
    assert found == [[sent, sent]]
    assert sent > 10
    services.close()
    catalog.close()
    engine.close()
