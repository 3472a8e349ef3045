"""Killing the server while events arrive: what was acknowledged is there once, and no request is half there."""

from __future__ import annotations

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
from tinymagic.local.engine import Engine
from tinymagic.local.ingest.loader import STAGING_DATABASE, Loader, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 25
WRITERS = 3

#: Data Source -> schema and engine; the rows of each batch for the second go to eight partitions.
TARGETS = {
    "flat": ("batch Int64 `json:$.batch`, n Int32 `json:$.n`, t String `json:$.t`", {}),
    "parts": (
        "batch Int64 `json:$.batch`, n Int32 `json:$.n`, t String `json:$.t`",
        {"engine": "MergeTree", "engine_partition_key": "n % 8", "engine_sorting_key": "batch"},
    ),
}

#: Rows of a batch; the larger ones are read in another way than the smaller ones.
SIZES = (1, 1, 40, 8_000)


class Client:
    """Raw HTTP to a server with its administrator token."""

    def __init__(self, folder: Path) -> None:
        self.server = local.start(path=folder, port=0, with_parent=True)
        token = requests.get(f"{self.server.host}/tokens", timeout=10).json()["workspace_admin_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def create(self, name: str, schema: str, engine: dict[str, str]) -> None:
        """Make an empty Data Source."""
        url, parameters = f"{self.server.host}/v0/datasources", {"name": name, "schema": schema, "format": "ndjson"}
        reply = requests.post(url, params={**parameters, **engine}, headers=self.headers, timeout=60)
        assert reply.status_code == 200, reply.text

    def send(self, name: str, body: bytes) -> dict[str, int]:
        """Send events; any answer but an acknowledgement is an error."""
        url = f"{self.server.host}/v0/events"
        reply = requests.post(url, params={"name": name}, data=body, headers=self.headers, timeout=60)
        reply.raise_for_status()
        counts: dict[str, int] = reply.json()
        return counts

    def rows(self, q: str) -> list[list[Any]]:
        """Return the rows of a query."""
        url = f"{self.server.host}/v0/sql"
        data = {"q": f"{q} FORMAT JSONCompact", "output_format_json_quote_64bit_integers": 0}
        reply = requests.post(url, data=data, headers=self.headers, timeout=60)
        assert reply.status_code == 200, reply.text
        found: list[list[Any]] = reply.json()["data"]
        return found

    def kill(self) -> None:
        """End the server at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        while any(each.pid == self.server.pid for each in local.running()):
            time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder whose server is stopped after the test."""
    path = tmp_path / "data"
    yield path
    local.stop(path)


class Batches:
    """What was sent, and what of it was acknowledged."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.sent: dict[int, tuple[str, int, int]] = {}
        self.acknowledged: set[int] = set()

    def send_until_killed(self, client: Client, chance: random.Random) -> None:
        """Send batch after batch, every fourth with a row that does not fit."""
        for _ in range(10_000):
            number, name, size = next(self._numbers), chance.choice(tuple(TARGETS)), chance.choice(SIZES)
            misfits = int(number % 4 == 3)
            rows = [{"batch": number, "n": n, "t": "ü"} for n in range(size)]
            lines = [json.dumps(row) for row in rows] + [json.dumps({"batch": number, "n": "no"})] * misfits
            self.sent[number] = name, size, misfits
            try:
                counts = client.send(name, "\n".join(lines).encode())
            except requests.RequestException:
                return
            assert counts == {"successful_rows": size, "quarantined_rows": misfits}
            self.acknowledged.add(number)

    def check(self, client: Client) -> None:
        """Hold the tables against what was sent."""
        for name in TARGETS:
            found = {batch: (count, different) for batch, count, different in client.rows(
                f"SELECT batch, count(), uniqExact(n) FROM {name} GROUP BY batch"
            )}  # fmt: skip
            mine = {number: size for number, (target, size, _) in self.sent.items() if target == name}
            broken = {number: each for number, each in found.items() if each != (mine[number], mine[number])}
            assert not broken, f"{name}: batches that are not whole, or there twice: {broken}"
            lost = self.acknowledged & set(mine) - set(found)
            assert not lost, f"{name}: acknowledged batches that are not there: {lost}"
            bad = dict(client.rows(f"SELECT toInt64(batch), count() FROM {name}_quarantine GROUP BY 1"))
            kept = {number for number in self.acknowledged & set(mine) if self.sent[number][2]}
            assert kept <= set(bad)
            assert set(bad.values()) <= {1}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_while_events_arrive(folder: Path) -> None:
    """After every kill there are whole batches only, once, and at least those that were acknowledged."""
    chance = random.Random(20)
    client = Client(folder)
    for name, (schema, engine) in TARGETS.items():
        client.create(name, schema, engine)
    batches = Batches()
    for _ in range(ROUNDS):
        before = len(batches.acknowledged)
        threads = [
            threading.Thread(target=batches.send_until_killed, args=(client, random.Random(chance.random())))
            for _ in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.1 + 0.5 * chance.random())
        client.kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        client = Client(folder)
        batches.check(client)
        assert len(batches.sent) > before
    assert len(batches.acknowledged) > ROUNDS
    assert len(batches.sent) > len(batches.acknowledged)


@pytest.mark.slow
def test_kill_while_a_data_source_is_made(folder: Path) -> None:
    """Events for a new name are there with their Data Source, or the name is free."""
    client = Client(folder)
    made = 0
    for number in range(6):
        killer = threading.Timer(0.05 + 0.03 * number, client.kill)
        killer.start()
        acknowledged = []
        for each in range(1_000):
            try:
                client.send(f"new_{number}_{each}", b'{"a":1,"b":"x"}\n' * 10)
            except requests.RequestException:
                break
            acknowledged.append(f"new_{number}_{each}")
        killer.join()
        client = Client(folder)
        url = f"{client.server.host}/v0/datasources"
        listed = {each["name"] for each in requests.get(url, headers=client.headers, timeout=60).json()["datasources"]}
        assert set(acknowledged) <= listed
        for name in listed:
            assert client.rows(f"SELECT count() FROM {name}") == [[10]]
        made += len(acknowledged)
    assert made


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine of this process."""
    return Engine(None)


class TestMoves:
    """Moves of several parts that were begun and not ended."""

    @pytest.fixture
    def loader(self, engine: Engine) -> Loader:
        engine.execute("CREATE DATABASE IF NOT EXISTS moves ENGINE = Atomic")
        engine.execute("DROP TABLE IF EXISTS moves.t SYNC")
        engine.execute("CREATE TABLE moves.t (n Int64) ENGINE = MergeTree PARTITION BY n % 4 ORDER BY n")
        engine.execute("INSERT INTO moves.t SELECT number + 100 FROM numbers(8)")
        loader = Loader(engine)
        loader.prepare()
        return loader

    @pytest.mark.parametrize("arrived", [(), ("0",), ("1", "3"), ("0", "1", "2", "3")])
    def test_what_is_missing_is_attached(self, engine: Engine, loader: Loader, arrived: tuple[str, ...]) -> None:
        """Whatever part of a move had been done, afterwards every row is there once."""
        staged = Table(STAGING_DATABASE, "load_x")
        engine.execute(f"CREATE TABLE {staged.sql} AS moves.t")
        # Some rows are those that are there already: only their block tells them apart.
        engine.execute(f"INSERT INTO {staged.sql} SELECT number + 100 FROM numbers(8)")
        [[block]] = engine.rows("SELECT max(max_block_number) FROM system.parts WHERE database = 'moves'")
        note = json.dumps({"move to": ["moves", "t"], "block": block})
        engine.execute(f"ALTER TABLE {staged.sql} MODIFY COMMENT '{note}'")
        for partition in arrived:
            engine.execute(f"ALTER TABLE moves.t ATTACH PARTITION ID '{partition}' FROM {staged.sql}")
        loader.prepare()
        assert engine.rows("SELECT n, count() FROM moves.t GROUP BY n ORDER BY n") == [[n, 2] for n in range(100, 108)]
        assert engine.rows(f"SELECT count() FROM system.tables WHERE database = '{STAGING_DATABASE}'") == [[0]]

    def test_a_move_without_a_note_is_forgotten(self, engine: Engine, loader: Loader) -> None:
        staged = Table(STAGING_DATABASE, "load_y")
        engine.execute(f"CREATE TABLE {staged.sql} AS moves.t")
        engine.execute(f"INSERT INTO {staged.sql} SELECT number FROM numbers(8)")
        loader.prepare()
        assert engine.rows("SELECT count() FROM moves.t") == [[8]]

    def test_a_target_that_is_gone(self, engine: Engine, loader: Loader) -> None:
        """Nothing can be finished, and the server starts."""
        staged = Table(STAGING_DATABASE, "load_z")
        engine.execute(f"CREATE TABLE {staged.sql} AS moves.t")
        engine.execute(f"INSERT INTO {staged.sql} SELECT number FROM numbers(8)")
        engine.execute(f"""ALTER TABLE {staged.sql} MODIFY COMMENT '{{"move to": ["moves", "gone"], "block": 0}}'""")
        loader.prepare()
        assert engine.rows("SELECT count() FROM moves.t") == [[8]]

    def test_a_whole_move(self, engine: Engine, loader: Loader) -> None:
        staged = Table(STAGING_DATABASE, "load_w")
        engine.execute(f"CREATE TABLE {staged.sql} AS moves.t")
        engine.execute(f"INSERT INTO {staged.sql} SELECT number FROM numbers(8)")
        loader.move(staged, Table("moves", "t"))
        loader.drop(staged)
        loader.prepare()
        assert engine.rows("SELECT count(), uniq(n) FROM moves.t") == [[16, 16]]
