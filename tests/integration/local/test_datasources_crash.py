"""Killing the server in the middle of imports: what was acknowledged is there, nothing is half there."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local
from tinymagic.local.access.permissions import Access
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
from tinymagic.local.errors import Conflict
from tinymagic.local.ingest.imports import ImportRequest
from tinymagic.local.ingest.loader import Table
from tinymagic.local.limits import Limits
from tinymagic.local.records import TokenRecord
from tinymagic.local.services.datasource_changes import DataSourceChanges
from tinymagic.local.services.datasources import DataSourcesService
from tinymagic.local.services.deletions import Deletions
from tinymagic.local.services.importing import ImportService
from tinymagic.local.services.jobs import JobsService
from tinymagic.local.services.operations import OperationsLog
from tinymagic.local.services.workspaces import WorkspacesService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tinymagic.local.records import DataSourceRecord

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


class Killed(BaseException):
    """The process ended here."""


class Mortal:
    """Dies after some number of steps that change tables or the catalogue: everything fails from then on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, engine: Engine, catalog: Catalog) -> None:
        self.left: int | None = None
        for owner, name in ((engine, "execute"), (catalog, "update_datasource"), (catalog, "delete_datasource")):
            monkeypatch.setattr(owner, name, self._mortal(getattr(owner, name)))

    def _mortal(self, call: Any) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise Killed
            return call(*arguments, **named)

        return run


@dataclass
class House:
    """The services of a server over one folder, in this process, without HTTP."""

    engine: Engine
    catalog: Catalog
    mortal: Mortal

    def __post_init__(self) -> None:
        WorkspacesService(self.engine, self.catalog).prepare()
        self.workspace = self.catalog.workspaces()[0]
        self.start()

    def start(self) -> None:
        """Begin as after a start: repair what a dead server left."""
        self.mortal.left = None
        self.datasources = DataSourcesService(self.engine, self.catalog, Limits())
        jobs, operations = JobsService(self.catalog, self.engine), OperationsLog(None)
        self.imports = ImportService(self.datasources, jobs, operations)
        self.changes = DataSourceChanges(self.datasources, operations)

    def create(self, name: str, **parameters: str) -> None:
        """Make a Data Source."""
        self.imports.run(self.workspace, "create", ImportRequest({"name": name, **parameters}))

    def load(self, name: str, mode: str, data: bytes, **parameters: str) -> None:
        """Append or replace rows of CSV."""
        upload = self.datasources.spool.new_path()
        upload.write_bytes(data)
        self.imports.run(self.workspace, mode, ImportRequest({"name": name, **parameters}, upload))

    def state(self) -> dict[str, Any]:
        """Return everything that a user can see: catalogue, tables, rows."""
        found: dict[str, Any] = {}
        for record in self.catalog.datasources(self.workspace.id):
            table = Table(self.workspace.database, record.name)
            tables = []
            for each, columns in ((table, "*"), (table.quarantine, "* EXCEPT (c__import_id, insertion_date)")):
                definition = self.engine.execute(f"SHOW CREATE TABLE {each.sql}", output_format="TSVRaw").decode()
                tables.append((definition, self.engine.rows(f"SELECT {columns} FROM {each.sql} ORDER BY ALL")))
            known = {
                key: value for key, value in asdict(record).items() if key not in ("id", "created_at", "updated_at")
            }
            found[record.name] = (known, tables)
        sql = "SELECT name FROM system.tables WHERE database IN ({d:String}, '_tm_staging') ORDER BY name"
        found["tables"] = self.engine.rows(sql, parameters={"d": self.workspace.database})
        return found


FIRST = "id Int32 DEFAULT 3, c String CODEC(ZSTD(1)), at DateTime, n Int32"
CHANGES: dict[str, Callable[[House], object]] = {
    "rename": lambda house: house.changes.update(house.workspace, "sales", {"name": "orders"}),
    "exchange": lambda house: house.changes.exchange(house.workspace, "sales", "visits"),
    "truncate": lambda house: house.changes.truncate(house.workspace, "sales"),
    "drop": lambda house: house.changes.drop(house.workspace, "sales", force=False),
    "replace": lambda house: house.load("sales", "replace", b"7,x,2020-01-01 00:00:00,1\n"),
    "replace some": lambda house: house.load(
        "sales", "replace", b"7,x,2020-01-01 00:00:00,1\n", replace_condition="id >= 2"
    ),
    **{
        f"alter {name}": lambda house, fields=fields: house.changes.alter(house.workspace, "sales", fields)  # type: ignore[misc]
        for name, fields in {
            "add and drop": {
                "schema": "id Int32 DEFAULT 3, d Nullable(Int8), c String CODEC(ZSTD(1)), at DateTime",
                "indexes": "0",
            },
            "nullable": {"schema": f"{FIRST.replace('n Int32', 'n Nullable(Int32)')}, e Int8 DEFAULT 1"},
            "no default": {"schema": FIRST.replace(" DEFAULT 3", "")},
            "no codec": {"schema": FIRST.replace(" CODEC(ZSTD(1))", "")},
            "ttl": {"ttl": "at + toIntervalYear(90)"},
            "no ttl": {"ttl": "false"},
            "index": {"indexes": "other n TYPE minmax GRANULARITY 1"},
            "no index": {"indexes": "0", "description": "without"},
        }.items()
    },
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Catalog]]:
    """An engine and a catalogue. In memory: a process has one data path, and other tests are in it too."""
    engine, catalog = Engine(None), Catalog(tmp_path_factory.mktemp("house") / "catalog")
    yield engine, catalog
    engine.close()
    catalog.close()


@pytest.fixture
def house(opened: tuple[Engine, Catalog], monkeypatch: pytest.MonkeyPatch) -> House:
    """The services, with a way to die."""
    return House(*opened, Mortal(monkeypatch, *opened))


@pytest.mark.slow
class TestDeathBetweenSteps:
    """A change of several steps that dies after any of them is whole after the next start, or was not begun."""

    @pytest.mark.parametrize("change", CHANGES)
    def test_every_step(self, house: House, change: str) -> None:
        """There is no third state."""
        self.prepare(house)
        before = house.state()
        CHANGES[change](house)
        after = house.state()
        assert after != before
        found = after
        for step in range(200):
            if found == after:
                self.prepare(house)
                assert house.state() == before
            house.mortal.left = step
            try:
                CHANGES[change](house)
            except Killed:
                house.start()
                found = house.state()
                assert found in (before, after), f"after step {step}"
            else:
                break
        assert step >= 1

    def prepare(self, house: House) -> None:
        """Make two Data Sources with rows and quarantines."""
        house.mortal.left = None
        for record in house.catalog.datasources(house.workspace.id):
            house.datasources.drop(house.workspace, record.id)
        house.create(
            "sales",
            schema=FIRST,
            engine_ttl="at + toIntervalYear(100)",
            engine_sorting_key="c",
            indexes="ix n TYPE minmax GRANULARITY 1",
        )
        house.create("visits", schema="x Float64, y Nullable(String)", description="second")
        rows = b"1,a,2020-01-01 00:00:00,5\n2,b,2021-01-01 00:00:00,6\n"
        house.load("sales", "append", rows + b"bad,c,2022-01-01 00:00:00,7\n")
        house.load("visits", "append", b"1.5,z\nbad,y\n")


class TestHalfDoneChanges:
    """What cannot be brought to its end is told, and keeps nothing else from working."""

    def prepared(self, house: House) -> DataSourceRecord:
        """Make ``sales`` with three rows."""
        for record in house.catalog.datasources(house.workspace.id):
            house.datasources.drop(house.workspace, record.id)
        house.create("sales", schema="id Int32")
        house.load("sales", "append", b"1\n2\n3\n")
        return house.datasources.record(house.workspace, "sales")

    def count(self, house: House) -> int:
        """Return the rows of ``sales``."""
        [[count]] = house.engine.rows(f"SELECT count() FROM {Table(house.workspace.database, 'sales').sql}")
        return int(count)

    def test_a_plan_that_fails_at_once_is_forgotten(self, house: House) -> None:
        """Nothing has happened, so nothing need be finished."""
        record = self.prepared(house)
        house.datasources.begin(record, statements=["ALTER TABLE nosuch DROP COLUMN x"])
        house.start()
        assert house.datasources.record(house.workspace, "sales").settings == {}
        house.changes.truncate(house.workspace, "sales")
        assert self.count(house) == 0

    def test_a_plan_that_fails_later_stays(self, house: House) -> None:
        """The server starts, rows may be read and appended, changes say what is in their way; it can be dropped."""
        record = self.prepared(house)
        house.datasources.begin(record, statements=["SELECT 1", "ALTER TABLE nosuch DROP COLUMN x"])
        for _ in range(2):
            house.start()
            house.load("sales", "append", b"4\n")
            with pytest.raises(Conflict, match="half-way"):
                house.changes.truncate(house.workspace, "sales")
        assert self.count(house) == 5
        house.changes.drop(house.workspace, "sales", force=False)
        house.create("sales", schema="id Int32")
        house.changes.truncate(house.workspace, "sales")

    def test_a_deletion_that_fails_ends(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """The job has the reason, the engine does not go on trying, and later deletions work."""
        self.prepared(house)
        jobs = JobsService(house.catalog, house.engine)
        deletions = Deletions(house.datasources, jobs, OperationsLog(None))
        access = Access(house.workspace, TokenRecord("x", house.workspace.id, "x", "x", [{"type": "ADMIN"}]))
        with monkeypatch.context() as patch:
            # A row that makes the condition fail came after it was counted.
            patch.setattr(deletions, "_count", lambda *_: 1)
            job = deletions.start_deletion(access, "sales", "intDiv(1, id - 2) = 7")
            assert jobs.wait(job.id, 20)
        failed = jobs.get(house.workspace, job.id)
        assert failed.status == "error"
        assert "division by zero" in failed.error.lower()
        job = deletions.start_deletion(access, "sales", "id = 3")
        assert jobs.wait(job.id, 20)
        assert jobs.get(house.workspace, job.id).status == "done"
        assert self.count(house) == 2

    # The thread of the job ends as that of a killed server.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_deletions_of_a_dead_server_are_not_resumed(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error of such a job is true: from the start on no row is deleted that nobody asks for."""
        self.prepared(house)
        jobs = JobsService(house.catalog, house.engine)
        deletions = Deletions(house.datasources, jobs, OperationsLog(None))
        access = Access(house.workspace, TokenRecord("x", house.workspace.id, "x", "x", [{"type": "ADMIN"}]))
        table = Table(house.workspace.database, "sales").sql

        def die(*_: object) -> None:
            raise Killed

        house.engine.execute(f"SYSTEM STOP MERGES {table}")
        with monkeypatch.context() as patch:
            patch.setattr(deletions, "_parts_left", die)
            dead = deletions.start_deletion(access, "sales", "id = 1")
            assert jobs.wait(dead.id, 20)
        house.engine.execute(f"DELETE FROM {table} WHERE id = 2 SETTINGS lightweight_deletes_sync = 0")
        unfinished = (
            f"SELECT count() FROM system.mutations WHERE database = '{house.workspace.database}' AND NOT is_done"
        )
        assert house.engine.rows(unfinished) == [[2]]
        house.start()
        assert house.engine.rows(unfinished) == [[0]]
        failed = jobs.get(house.workspace, dead.id)
        assert failed.status == "error"
        assert "start it again" in failed.error
        house.engine.execute(f"SYSTEM START MERGES {table}")
        # The engine does mutations in their order.
        job = deletions.start_deletion(access, "sales", "id = 3")
        assert jobs.wait(job.id, 20)
        assert jobs.get(house.workspace, job.id).status == "done"
        assert house.engine.rows(f"SELECT id FROM {table} ORDER BY id") == [[1], [2]]

    def test_other_mutations_of_a_dead_server_are_finished(self, house: House) -> None:
        """The engine needs them: the definition of the table has changed already."""
        self.prepared(house)
        table = Table(house.workspace.database, "sales").sql
        house.engine.execute(f"ALTER TABLE {table} ADD COLUMN x Int8 DEFAULT 3")
        house.engine.execute(f"INSERT INTO {table} VALUES (4, 5)")
        house.engine.execute(f"SYSTEM STOP MERGES {table}")
        house.engine.execute(f"ALTER TABLE {table} MODIFY COLUMN x String SETTINGS alter_sync = 0")
        house.start()
        house.engine.execute(f"SYSTEM START MERGES {table}")
        house.engine.execute(f"ALTER TABLE {table} DELETE WHERE id = 1 SETTINGS mutations_sync = 2")
        assert house.engine.rows(f"SELECT id, x FROM {table} ORDER BY id") == [[2, "3"], [3, "3"], [4, "5"]]


#: Begins to delete every row of a Data Source, a second for each, and dies.
DIES_WHILE_DELETING = """
import os, signal, sys
from pathlib import Path
from tinymagic.local.engine import Engine

engine = Engine(Path(sys.argv[1]))
[[database]] = engine.rows("SELECT database FROM system.tables WHERE name = 'v' AND startsWith(database, 'w_')")
engine.execute(f"ALTER TABLE {database}.v DELETE WHERE sleepEachRow(1) = 0 SETTINGS mutations_sync = 0")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_deletion_under_way_is_ended(folder: Path) -> None:
    """When the server answers, no part is being rewritten any more: the rows that it lists stay."""
    count = 20
    client = Client(folder)
    url = f"{client.server.host}/v0/datasources"
    # In partitions of their own, so that each row is a part and takes its second.
    parameters = {"name": "v", "schema": "v Int32", "engine_partition_key": "v"}
    assert requests.post(url, params=parameters, headers=client.headers, timeout=60).status_code == 200
    data = b"".join(b"%d\n" % each for each in range(count))
    parameters = {"name": "v", "mode": "append"}
    assert requests.post(url, params=parameters, data=data, headers=client.headers, timeout=60).status_code == 200
    local.stop(folder)
    arguments = [sys.executable, "-c", DIES_WHILE_DELETING, str(folder / "clickhouse")]
    assert subprocess.run(arguments, check=False, timeout=60).returncode == -signal.SIGKILL
    client = Client(folder)
    url = f"{client.server.host}/v0/datasources/v"
    for _ in range(2):
        shown = requests.get(url, headers=client.headers, timeout=60).json()["statistics"]["row_count"]
        time.sleep(2.5)
        assert client.rows("SELECT count() FROM v") == [[shown]]


ROUND_ROWS = 50
#: Enough for some twenty rounds; TINYMAGIC_CRASH_SECONDS asks for more.
CRASH_SECONDS = 30.0


class Mischief:
    """Clients that keep a server busy with every kind of change, and know what they were told."""

    def __init__(self, client: Client, versions: Iterator[int], web: str) -> None:
        self.client = client
        self.versions = versions
        self.web = web
        self.added: dict[int, str] = {}
        self.unsure: dict[int, str] = {}
        self.replaced: list[tuple[int, bool]] = []
        self.problems: list[str] = []

    def send(self, method: str, path: str, **arguments: Any) -> requests.Response | None:
        """Send a request; ``None`` when the server died meanwhile."""
        try:
            with requests.Session() as session:
                reply = session.request(
                    method, self.client.server.host + path, headers=self.client.headers, timeout=60, **arguments
                )
        except requests.RequestException:
            return None
        if reply.status_code >= 500 and reply.status_code != 503:
            self.problems.append(f"{method} {path}: {reply.text}")
        return reply

    def job(self, reply: requests.Response | None) -> str | None:
        """Follow a job to its end."""
        if reply is None or reply.status_code not in (200, 202):
            return None if reply is None else "refused"
        while True:
            shown = self.send("GET", f"/v0/jobs/{reply.json()['id']}")
            if shown is None:
                return None
            if (status := str(shown.json().get("status"))) in ("done", "error"):
                return status
            time.sleep(0.01)

    def append(self, way: str) -> bool:
        """Append a new version to ``log``; ``False`` when the server is gone."""
        version = next(self.versions)
        self.unsure[version] = way
        data = b"version,part\n" + b"%d,%d\n" % (version, version % 3) * ROUND_ROWS
        parameters = {"name": "log", "mode": "append"}
        if way == "body":
            reply = self.send("POST", "/v0/datasources", params=parameters, data=data)
            outcome = None if reply is None else "done" if reply.status_code == 200 else "refused"
        elif way == "url":
            outcome = self.job(
                self.send("POST", "/v0/datasources", params={**parameters, "url": f"{self.web}/{version}.csv"})
            )
        elif way == "v1":
            outcome = self.job(self.send("POST", "/v1/datasources/log/append?format=csv", data=data))
        else:
            events = b'{"version": %d, "part": %d}\n' % (version, version % 3) * ROUND_ROWS
            reply = self.send("POST", "/v0/events", params={"name": "log", "wait": "true"}, data=events)
            outcome = None if reply is None else "done" if reply.status_code in (200, 202) else "refused"
        if outcome == "done":
            self.added[version] = way
        if outcome is not None:
            del self.unsure[version]
        return outcome is not None

    def replace(self, way: str) -> bool:
        """Replace all of ``now``, or its part 1, with a new version."""
        version = next(self.versions)
        part = version % 2
        data = b"version,part\n" + b"%d,%d\n" % (version, part) * ROUND_ROWS
        parameters = {"name": "now", "mode": "replace", "replace_condition": f"part = {part}"}
        if way == "v1":
            path = f"/v1/datasources/now/replace?format=csv&replace_condition=part%20%3D%20{part}"
            outcome = self.job(self.send("POST", path, data=data))
        else:
            reply = self.send("POST", "/v0/datasources", params=parameters, data=data)
            outcome = None if reply is None else "done" if reply.status_code == 200 else "refused"
        if outcome != "refused":
            self.replaced.append((version, outcome == "done"))
        return outcome is not None

    def change(self, kind: str, turn: int) -> bool:
        """Change something that takes several steps, and rows that are sure to be deleted."""
        if kind == "exchange":
            data = {"datasource_a": "left_one", "datasource_b": "right_one"}
            reply = self.send("POST", "/v0/datasources/exchange", data=data)
        elif kind == "rename":
            names = ["moved", "moving"]
            reply = self.send("PUT", f"/v0/datasources/{names[turn % 2]}", data={"name": names[(turn + 1) % 2]})
        elif kind == "alter":
            extra = [", x Nullable(Int8)", ", x Nullable(Int8), y Int8 DEFAULT 4", ", y Int8", ""][turn % 4]
            reply = self.send("POST", "/v0/datasources/shape/alter", data={"schema": f"id Int32, v Int8{extra}"})
        elif kind == "delete":
            self.send("POST", "/v0/datasources", params={"name": "waste", "mode": "append"}, data=b"1\n2\n")
            reply = self.send("POST", "/v0/datasources/waste/delete", data={"delete_condition": "v = 1"})
        else:
            reply = self.send("POST", "/v1/datasources/waste/delete", data={"delete_condition": "v = 1"})
        return reply is not None

    def run(self, work: Callable[..., bool], *arguments: Any, turns: bool = False) -> None:
        """Do one thing over and over until the server dies."""
        for turn in range(10_000):
            if not work(*arguments, *([turn] if turns else [])):
                return


class VersionFiles(BaseHTTPRequestHandler):
    """Serves ``/<version>.csv``."""

    def do_GET(self) -> None:
        version = int(self.path.strip("/").partition(".")[0])
        body = b"version,part\n" + b"%d,%d\n" % (version, version % 3) * ROUND_ROWS
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def version_files() -> Iterator[str]:
    """The address of the web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), VersionFiles)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def prepare(mischief: Mischief) -> None:
    """Make the Data Sources that the rounds change."""
    versions = "version Int32 `json:$.version`, part Int8 `json:$.part`"
    made = {
        "log": {"schema": versions, "engine_partition_key": "part"},
        "now": {"schema": versions},
        "left_one": {"schema": "a Int32, b String"},
        "right_one": {"schema": "c Float64"},
        "moved": {"schema": "id Int32"},
        "shape": {"schema": "id Int32, v Int8"},
        "waste": {"schema": "v Int32"},
    }
    for name, parameters in made.items():
        reply = mischief.send("POST", "/v0/datasources", params={"name": name, **parameters})
        assert reply is not None
        assert reply.status_code == 200, reply.text
    rows = {
        "left_one": b"1,x\nbad,y\n",
        "right_one": b"1.5\n2.5\nbad\n",
        "moved": b"1\nbad\n",
        "shape": b"1,2\nbad,3\n",
    }
    for name, data in rows.items():
        mischief.send("POST", "/v0/datasources", params={"name": name, "mode": "append"}, data=data)
    for part in (0, 1):
        data = b"%d,%d\n" % (-part, part) * ROUND_ROWS
        mischief.send("POST", "/v0/datasources", params={"name": "now", "mode": "append"}, data=data)


def check(folder: Path, client: Client, mischief: Mischief, known: set[int], now: dict[int, set[int]]) -> None:
    """Look at everything after a start.

    Args:
        folder: of the server.
        client: of the new server.
        mischief: what the clients of the dead one were told.
        known: versions that ``log`` must have; gets those that it has.
        now: versions that may be there for each part of ``now``; gets those that are.
    """
    listed = requests.get(f"{client.server.host}/v0/datasources", headers=client.headers, timeout=60).json()
    shown = {each["name"]: each for each in listed["datasources"]}
    assert set(shown) in (
        {"log", "now", "left_one", "right_one", "shape", "waste", each} for each in ("moved", "moving")
    )
    for name, each in shown.items():
        columns = [column["name"] for column in each["columns"]]
        assert [row[0] for row in client.rows(f"DESCRIBE TABLE {name}")] == columns
        assert [row[0] for row in client.rows(f"DESCRIBE TABLE {name}_quarantine")][: len(columns)] == columns
        assert client.rows(f"SELECT count() FROM {name}") == [[each["statistics"]["row_count"]]]
        assert client.rows(f"SELECT count() FROM {name}_quarantine") == [[each["quarantine_rows"]]]
    found = dict(client.rows("SELECT version, count() FROM log GROUP BY version"))
    assert set(found.values()) <= {ROUND_ROWS}
    known |= set(mischief.added)
    assert known <= set(found), {each: mischief.added[each] for each in known - set(found)}
    assert set(found) - known <= set(mischief.unsure)
    known |= set(found)
    for part, (count, versions) in {
        part: (count, versions)
        for part, count, versions in client.rows("SELECT part, count(), groupUniqArray(version) FROM now GROUP BY part")
    }.items():
        mine = [(version, sure) for version, sure in mischief.replaced if version % 2 == part]
        # Several clients replace, so any of those after the last one that was answered, or that one.
        may = {version for version, _ in mine} | (set() if any(sure for _, sure in mine) else now[part])
        assert count == ROUND_ROWS
        assert len(versions) == 1
        assert versions[0] in may
        now[part] = set(versions)
    one, two = client.rows("SELECT count() FROM left_one"), client.rows("SELECT count() FROM right_one")
    assert (one, two) in (([[1]], [[2]]), ([[2]], [[1]]))
    moved = "moved" if "moved" in shown else "moving"
    assert client.rows(f"SELECT id FROM {moved}") == [[1]]
    assert client.rows(f"SELECT id FROM {moved}_quarantine") == [["bad"]]
    assert client.rows("SELECT id, v FROM shape") == [[1, 2]]
    tables = [each.name for each in folder.glob("**/metadata/**/*.sql") if each.name.startswith(("load_", "trial_"))]
    assert tables == []
    assert list((folder / "spool").iterdir()) == []
    assert mischief.problems == []


@pytest.mark.slow
def test_kill_during_everything(folder: Path, version_files: str) -> None:
    """Killed again and again at random moments with every kind of change under way, it never shows a half one."""
    random = Random(20_260_131)
    versions: Iterator[int] = itertools.count(1)
    known: set[int] = set()
    now: dict[int, set[int]] = {0: {0}, 1: {-1}}
    client = Client(folder)
    prepare(Mischief(client, versions, version_files))
    rounds = 0
    stop = time.monotonic() + float(os.environ.get("TINYMAGIC_CRASH_SECONDS", CRASH_SECONDS))
    while time.monotonic() < stop or rounds < 3:
        rounds += 1
        mischief = Mischief(client, versions, version_files)
        works: list[tuple[Any, ...]] = [(mischief.append, way) for way in ("body", "url", "v1", "events")]
        works += [(mischief.replace, way) for way in ("body", "v1")]
        kinds = random.sample(("exchange", "rename", "alter", "delete", "lightweight"), 3)
        threads = [threading.Thread(target=mischief.run, args=work) for work in works]
        threads += [
            threading.Thread(target=mischief.run, args=(mischief.change, kind), kwargs={"turns": True})
            for kind in kinds
        ]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 0.7))
        client.kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        client = Client(folder)
        check(folder, client, mischief, known, now)
    assert known
