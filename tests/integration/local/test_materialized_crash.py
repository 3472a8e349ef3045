"""Killing the server while rows arrive in a Data Source with views: afterwards each target is what its view makes."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local
from tinymagic.local.engine import Engine, EngineError, quote_string
from tinymagic.local.ingest.loader import STAGING_DATABASE, Loader, Table
from tinymagic.local.ingest.moves import Moves, Unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 12
WRITERS = 3
SCHEMA = "batch Int64 `json:$.batch`, n Int32 `json:$.n`"

#: Rows of a batch; those for "parts" go to eight partitions.
SIZES = (1, 30, 3_000)

#: Pipe -> source, SQL, target. "sums" is filled by two of them, and "chained" hangs on it.
VIEWS = {
    "crash_flat_mv": ("SELECT batch, count() AS c, sum(n) AS s FROM flat GROUP BY batch", "sums"),
    "crash_parts_mv": ("SELECT batch, count() AS c, sum(n) AS s FROM parts GROUP BY batch", "sums"),
    "crash_odd_mv": ("SELECT batch, n FROM flat WHERE n % 2 = 1", "odd"),
    "crash_chain_mv": ("SELECT batch, c * 2 AS double FROM sums", "chained"),
}


class Client:
    """Raw HTTP to a server with its administrator token."""

    def __init__(self, folder: Path) -> None:
        self.server = local.start(path=folder, port=0, with_parent=True)
        token = requests.get(f"{self.server.host}/tokens", timeout=10).json()["workspace_admin_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """Send a POST; any answer but a success is an error."""
        reply = requests.post(f"{self.server.host}{path}", headers=self.headers, timeout=60, **arguments)
        reply.raise_for_status()
        return reply

    def define(self) -> None:
        """Make the Data Sources and views."""
        self.post("/v0/datasources", params={"name": "flat", "schema": SCHEMA, "format": "ndjson"})
        engine = {"engine": "MergeTree", "engine_partition_key": "n % 8", "engine_sorting_key": "batch"}
        self.post("/v0/datasources", params={"name": "parts", "schema": SCHEMA, "format": "ndjson", **engine})
        for pipe, (sql, target) in VIEWS.items():
            node = {"name": f"{pipe}_node", "sql": sql, "type": "materialized", "datasource": target}
            self.post("/v0/pipes", json={"name": pipe, "nodes": [node]})

    def rows(self, q: str) -> list[list[Any]]:
        """Return the rows of a query."""
        data = {"q": f"{q} FORMAT JSONCompact", "output_format_json_quote_64bit_integers": 0}
        found: list[list[Any]] = self.post("/v0/sql", data=data).json()["data"]
        return found

    def kill(self) -> None:
        """End the server at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        while any(each.pid == self.server.pid for each in local.running()):
            time.sleep(0.02)

    def check(self) -> None:
        """Hold each target against its view over the source, row by row."""
        both = "(SELECT * FROM flat UNION ALL SELECT * FROM parts)"
        pairs = [
            (f"SELECT batch, count() AS c, sum(n) AS s FROM {both} GROUP BY batch", "SELECT batch, c, s FROM sums"),
            ("SELECT batch, n FROM flat WHERE n % 2 = 1", "SELECT batch, n FROM odd"),
            ("SELECT batch, c * 2 FROM sums", "SELECT batch, double FROM chained"),
        ]
        for view, target in pairs:
            assert sorted(self.rows(view)) == sorted(self.rows(target)), target


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server is stopped after the test."""
    path = tmp_path / "data"
    yield path
    local.stop(path)


class Batches:
    """What was sent by Events and by imports, and what of it was acknowledged."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.sent: dict[int, tuple[str, int]] = {}
        self.acknowledged: set[int] = set()

    def send_until_killed(self, client: Client, chance: random.Random) -> None:
        """Send batch after batch."""
        for _ in range(10_000):
            number, name, size = next(self._numbers), chance.choice(("flat", "parts")), chance.choice(SIZES)
            body = "\n".join(json.dumps({"batch": number, "n": n}) for n in range(size)).encode()
            self.sent[number] = name, size
            try:
                if chance.random() < 0.7:
                    client.post("/v0/events", params={"name": name}, data=body)
                else:
                    client.post(
                        "/v0/datasources", params={"name": name, "mode": "append", "format": "ndjson"}, data=body
                    )
            except requests.RequestException:
                return
            self.acknowledged.add(number)

    def check(self, client: Client) -> None:
        """Hold the sources against what was sent."""
        for name in ("flat", "parts"):
            found = dict(client.rows(f"SELECT batch, count() FROM {name} GROUP BY batch"))
            mine = {number: size for number, (target, size) in self.sent.items() if target == name}
            broken = {number: count for number, count in found.items() if count != mine[number]}
            assert not broken, f"{name}: batches that are not whole, or there twice: {broken}"
            assert not self.acknowledged & set(mine) - set(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_while_rows_arrive(folder: Path) -> None:
    """After every kill whole batches are there once, and each target is the view over its source, also of a chain."""
    chance = random.Random(4)
    client = Client(folder)
    client.define()
    batches = Batches()
    for _ in range(ROUNDS):
        threads = [
            threading.Thread(target=batches.send_until_killed, args=(client, random.Random(chance.random())))
            for _ in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3 + 0.7 * chance.random())
        client.kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        client = Client(folder)
        batches.check(client)
        client.check()
    assert len(batches.acknowledged) > ROUNDS
    assert len(batches.sent) > len(batches.acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kill_while_the_source_is_replaced(folder: Path) -> None:
    """After every kill source and targets are those before or those after a replace, together."""
    client = Client(folder)
    client.define()
    for round_number in range(6):

        def replace_until_killed(client: Client = client, first: int = 1_000 * round_number) -> None:
            for version in range(first, first + 1_000):
                data = b"batch,n\n" + b"".join(b"%d,%d\n" % (version, n) for n in range(200))
                with contextlib.suppress(requests.RequestException):
                    client.post("/v0/datasources", params={"name": "parts", "mode": "replace"}, data=data)
                    continue
                return

        thread = threading.Thread(target=replace_until_killed)
        thread.start()
        time.sleep(0.5 + 0.13 * round_number)
        client.kill()
        thread.join(30)
        assert not thread.is_alive()
        client = Client(folder)
        [[versions, count]] = client.rows("SELECT uniqExact(batch), count() FROM parts")
        assert (versions, count) in ((0, 0), (1, 200))
        client.check()
    assert client.rows("SELECT count() FROM parts") == [[200]]


@pytest.mark.slow
def test_kill_while_a_view_is_populated(folder: Path) -> None:
    """A populate that dies with its server has put nothing into the target, and the view goes on with new rows."""
    client = Client(folder)
    client.post("/v0/datasources", params={"name": "old", "schema": SCHEMA, "format": "ndjson"})
    data = b"batch,n\n" + b"".join(b"%d,1\n" % n for n in range(2_000))
    client.post("/v0/datasources", params={"name": "old", "mode": "append"}, data=data)
    node = {
        "name": "slow",
        "sql": "SELECT batch, max(cityHash64(number, n)) AS h FROM old CROSS JOIN numbers(1000000) AS u GROUP BY batch",
        "type": "materialized",
        "datasource": "slowly",
    }
    reply = client.post("/v0/pipes", params={"populate": "true"}, json={"name": "slow_mv", "nodes": [node]}).json()
    time.sleep(0.5)
    client.kill()
    client = Client(folder)
    url = f"{client.server.host}/v0/jobs/{reply['job']['id']}"
    job = requests.get(url, headers=client.headers, timeout=60).json()
    assert job["status"] == "error"
    assert client.rows("SELECT count() FROM slowly") == [[0]]
    client.post("/v0/events", params={"name": "old"}, data=b'{"batch": -1, "n": 1}')
    assert client.rows("SELECT batch FROM slowly") == [[-1]]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine of this process."""
    return Engine(None)


class TestTogether:
    """Changes of several tables that were begun and not ended."""

    @pytest.fixture
    def loader(self, engine: Engine) -> Loader:
        """Two tables with a row each, and staged ones with two rows in two partitions."""
        loader = Loader(engine)
        loader.prepare()
        engine.execute("CREATE DATABASE IF NOT EXISTS together ENGINE = Atomic")
        for name in ("a", "b"):
            engine.execute(f"DROP TABLE IF EXISTS together.{name} SYNC")
            definition = "(n Int64) ENGINE = MergeTree PARTITION BY n % 4 ORDER BY n"
            engine.execute(f"CREATE TABLE together.{name} {definition}")
            engine.execute(f"INSERT INTO together.{name} VALUES (100)")
            engine.execute(f"CREATE TABLE {STAGING_DATABASE}.new_{name} AS together.{name}")
            engine.execute(f"INSERT INTO {STAGING_DATABASE}.new_{name} VALUES (1), (2)")
        return loader

    def note(self, engine: Engine, kind: str) -> None:
        """Leave what a server leaves that is killed after it has noted its steps."""
        steps = []
        for name in ("a", "b"):
            sql = f"max(max_block_number) FROM system.parts WHERE database = 'together' AND table = '{name}'"
            if kind == "exchange":
                sql = f"toString(uuid) FROM system.tables WHERE database = 'together' AND name = '{name}'"
            [[before]] = engine.rows(f"SELECT {sql}")
            steps.append([kind, f"new_{name}", "together", name, before])
        comment = quote_string(json.dumps({"steps": steps}))
        engine.execute(f"CREATE TABLE {STAGING_DATABASE}.note_x (x UInt8) ENGINE = Memory COMMENT {comment}")

    def found(self, engine: Engine) -> list[list[int]]:
        """Return the values in both tables."""
        return [[row[0] for row in engine.rows(f"SELECT n FROM together.{name} ORDER BY n")] for name in ("a", "b")]

    @pytest.mark.parametrize("done", [0, 1, 2])
    def test_attach(self, engine: Engine, loader: Loader, done: int) -> None:
        """However far it came, each row is there once after the next start."""
        self.note(engine, "attach")
        for name in ("a", "b")[:done]:
            engine.execute(f"ALTER TABLE together.{name} ATTACH PARTITION ALL FROM {STAGING_DATABASE}.new_{name}")
        Loader(engine).prepare()
        assert self.found(engine) == [[1, 2, 100]] * 2
        Loader(engine).prepare()
        assert self.found(engine) == [[1, 2, 100]] * 2

    def test_a_part_of_an_attach(self, engine: Engine, loader: Loader) -> None:
        """The parts that did not arrive follow."""
        self.note(engine, "attach")
        engine.execute(f"ALTER TABLE together.a ATTACH PARTITION ID '1' FROM {STAGING_DATABASE}.new_a")
        Loader(engine).prepare()
        assert self.found(engine) == [[1, 2, 100]] * 2

    @pytest.mark.parametrize("done", [0, 1, 2])
    def test_the_same_twice(self, engine: Engine, loader: Loader, done: int) -> None:
        """Two steps that bring one table the same content are two, however far it came."""
        [[block]] = engine.rows(
            "SELECT max(max_block_number) FROM system.parts WHERE database = 'together' AND table = 'a'"
        )
        steps = [["attach", f"new_{name}", "together", "a", block] for name in ("a", "b")]
        comment = quote_string(json.dumps({"steps": steps}))
        engine.execute(f"CREATE TABLE {STAGING_DATABASE}.note_x (x UInt8) ENGINE = Memory COMMENT {comment}")
        for name in ("a", "b")[:done]:
            engine.execute(f"ALTER TABLE together.a ATTACH PARTITION ALL FROM {STAGING_DATABASE}.new_{name}")
        Loader(engine).prepare()
        assert self.found(engine)[0] == [1, 1, 2, 2, 100]

    @pytest.mark.parametrize("done", [0, 1, 2])
    def test_exchange(self, engine: Engine, loader: Loader, done: int) -> None:
        """All tables have changed their places after the next start, once."""
        self.note(engine, "exchange")
        for name in ("a", "b")[:done]:
            engine.execute(f"EXCHANGE TABLES together.{name} AND {STAGING_DATABASE}.new_{name}")
        Loader(engine).prepare()
        assert self.found(engine) == [[1, 2]] * 2

    def test_nothing_was_noted(self, engine: Engine, loader: Loader) -> None:
        """What was only staged is gone."""
        Loader(engine).prepare()
        assert self.found(engine) == [[100]] * 2

    @pytest.mark.parametrize("kind", ["attach", "exchange"])
    def test_a_step_that_was_done_and_says_that_it_was_stopped(
        self, engine: Engine, loader: Loader, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The engine says so of what it did when a KILL comes at the end; the other steps follow."""
        execute = engine.execute
        stopped: list[str] = []

        def stop(sql: str, **arguments: Any) -> bytes:
            done = execute(sql, **arguments)
            if not stopped and (" ATTACH " in sql or sql.startswith("EXCHANGE")):
                stopped.append(sql)
                raise EngineError(394, "QUERY_WAS_CANCELLED", "Query was cancelled")
            return done

        monkeypatch.setattr(engine, "execute", stop)
        pairs = [(Table(STAGING_DATABASE, f"new_{name}"), Table("together", name)) for name in ("a", "b")]
        moves = Moves(engine, STAGING_DATABASE)
        if kind == "attach":
            moves.together(pairs)
        else:
            moves.together((), pairs)
        assert stopped
        assert self.found(engine) == [[1, 2, 100] if kind == "attach" else [1, 2]] * 2

    def test_a_stopped_question(self, engine: Engine) -> None:
        """A SELECT that is stopped may give no rows and no error; nobody is told so."""
        told = threading.Event()

        def ask() -> None:
            with engine.work("stopped"):
                while not told.is_set():
                    found = engine.rows("SELECT count() FROM system.one")
                    assert found == [[1]]

        failures: list[BaseException] = []

        def run() -> None:
            try:
                ask()
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.1)
        engine.cancel_work("stopped")
        thread.join(5)
        told.set()
        [failure] = failures
        assert isinstance(failure, EngineError)
        assert failure.name == "QUERY_WAS_CANCELLED"

    def test_a_step_that_cannot_be_done(self, engine: Engine, loader: Loader) -> None:
        """The first: nothing was done. A later one: it is said, and the staged rows stay noted."""
        moves = Moves(engine, STAGING_DATABASE)
        gone, there = Table("together", "gone"), Table("together", "b")
        staged = [Table(STAGING_DATABASE, f"new_{name}") for name in ("a", "b")]
        with pytest.raises(EngineError):
            moves.together([(staged[0], gone), (staged[1], there)])
        assert self.found(engine)[1] == [100]
        with pytest.raises(Unfinished):
            moves.together([(staged[1], there), (staged[0], gone)])
        assert self.found(engine)[1] == [1, 2, 100]
        [[notes]] = engine.rows(
            f"SELECT count() FROM system.tables WHERE database = '{STAGING_DATABASE}' AND startsWith(name, 'note_')"
        )
        assert notes == 1
        # What has arrived is staged no more: once it is merged, nobody could tell it from what has not.
        sql = f"SELECT name FROM system.tables WHERE database = '{STAGING_DATABASE}' AND startsWith(name, 'new_')"
        assert engine.rows(sql) == [["new_a"]]
        engine.execute("CREATE TABLE together.gone AS together.b")
        Loader(engine).prepare()
        assert self.found(engine)[1] == [1, 2, 100]
        assert engine.rows("SELECT n FROM together.gone ORDER BY n") == [[1], [2]]
        engine.execute("DROP TABLE together.gone SYNC")
