"""Writing events with the engine in this process: both ways of reading agree, views may fail, room is bounded."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
import uvicorn

from tinymagic.local.app import create_app
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
from tinymagic.local.events.event_bodies import EventBody, read_events
from tinymagic.local.events.event_writer import EventTable, EventWriter, Written
from tinymagic.local.files.spool import Spool
from tinymagic.local.ingest.loader import Loader, Table, quarantine_definition
from tinymagic.local.limits import Limits
from tinymagic.local.records import DataSourceRecord
from tinymagic.local.tables.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE = "writer"

#: Type -> values that may be plain; whether one is, the code says.
VALUES: dict[str, list[str]] = {
    "String": [
        '""',
        '"a"',
        '"ü€😀"',
        '"\\"q\\" \\\\ \\/"',
        '"\\n\\t\\u0001\\u007f\\u2028"',
        '"\\ud83d\\ude00"',
        '"null"',
        '"a\\u0000b"',
        "5",
        "-9223372036854775808",
        "18446744073709551615",
        "1.50",
        "true",
        "[1]",
    ],
    "LowCardinality(String)": ['"a"', '""', "7"],
    "Int8": ["0", "-0", "-128", "127", "128", "-129", "1.0", "true", '"1"'],
    "UInt8": ["0", "255", "256", "-1", "true", "false"],
    "Int64": ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e3"],
    "UInt64": ["18446744073709551615", "18446744073709551616", "0"],
    "Float32": ["0.1", "16777217.0", "1e38", "3.5e38", "-2", "1E5", "18446744073709551615"],
    "Float64": [
        "0.1",
        "-0.0",
        "0.30000000000000004",
        "3.141592653589793238462643",
        "1e-400",
        "1e23",
        "9007199254740993",
    ],
    "Bool": ["true", "false", "1", "0", '"true"'],
    "Date": ['"2024-02-29"', '"2023-02-29"', '"1970-01-01"', '"2099-12-31"', '"2024/01/02"', '"2024-01-02 03:04:05"'],
    "DateTime": [
        '"2024-01-02 03:04:05"',
        '"2024-01-02T03:04:05Z"',
        '"2024-01-02T03:04:05.999Z"',
        '"2024-01-02T03:04:05+02:00"',
        '"2024-01-02 24:00:00"',
        '"2024-01-02 03:04:60"',
        '"2024-02-30 00:00:00"',
        '"2024-01-02"',
        "1704164645",
    ],
    "DateTime64(3)": [
        '"2024-01-02 03:04:05.6"',
        '"2024-01-02T03:04:05.678Z"',
        '"2024-01-02 03:04:05"',
        '"2024-01-02 03:04:05.6789"',
        '"2099-12-31 23:59:59.999"',
        '"1970-01-01 00:00:00"',
    ],
    "UUID": [
        '"61f0c404-5cb3-11e7-907b-a6006ad3dba0"',
        '"61F0C404-5CB3-11E7-907B-A6006AD3DBA0"',
        '"61f0c4045cb311e7907ba6006ad3dba0"',
    ],
    "Array(Int32)": ["[]", "[1,2]", "[1,null]", '["1"]', "[2147483648]", "{}"],
    "Array(Nullable(Int64))": ["[null,1]", "[null]"],
    "Array(Nullable(String))": ['["a"]', '["a",null]'],
    "Array(Array(Float64))": ["[[0.1],[],[1,2]]", "[[-0.0]]"],
    "Map(String, Int64)": ['{"a":1,"ü \\"":-1}', "{}", '{"a":"x"}', '{"a":1,"a":2}', "[]"],
    "Map(LowCardinality(String), Array(String))": ['{"a":["x",""]}'],
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine of this process."""
    return Engine(None)


@pytest.fixture
def writer(engine: Engine, tmp_path: Path) -> EventWriter:
    """A writer, with an empty database."""
    loader = Loader(engine)
    loader.prepare()
    engine.execute(f"DROP DATABASE IF EXISTS {DATABASE} SYNC")
    engine.execute(f"CREATE DATABASE {DATABASE} ENGINE = Atomic")
    return EventWriter(engine, loader, Spool(tmp_path / "spool"))


def made(engine: Engine, name: str, schema: str) -> tuple[Table, EventTable]:
    """Make a Data Source's tables."""
    columns = parse_schema(schema)
    table = Table(DATABASE, name)
    text = ", ".join(f"`{column.name}` {column.full_type} {column.default or ''}" for column in columns)
    engine.execute(f"CREATE TABLE {table.sql} ({text}) ENGINE = MergeTree ORDER BY tuple()")
    engine.execute(f"CREATE TABLE {table.quarantine.sql} {quarantine_definition(columns)}")
    record = DataSourceRecord(id="t_1", workspace_id="w", name=name, schema=schema, engine={"engine": "MergeTree"})
    return table, EventTable(record)


def body(text: str) -> EventBody:
    return read_events(text.encode(), encoding="", file_format="ndjson", most_bytes=None)


class TestBothWays:
    """`plain_events.py` takes nothing that the expressions would not take, and writes what they would write."""

    @pytest.mark.parametrize("type_", VALUES)
    @pytest.mark.parametrize("wrapped", ["{}", "Nullable({})", "{} DEFAULT"])
    def test_values(self, engine: Engine, writer: EventWriter, type_: str, wrapped: str) -> None:
        if wrapped.startswith("Nullable") and "(" in type_ and not type_.startswith("DateTime64"):
            pytest.skip("cannot be Nullable")
        schema = "n Int32 `json:$.n`, v " + wrapped.format(type_).replace(" DEFAULT", "") + " `json:$.o.v`"
        schema += f" DEFAULT defaultValueOfTypeName('{type_}')" if wrapped.endswith("DEFAULT") else ""
        plain_table, table = made(engine, "plain", schema)
        any_table, _ = made(engine, "any", schema)
        assert table.plain is not None
        values = [*VALUES[type_], "null", "", '{"x":1}', '"x"']
        events = [f'{{"n":{n},"o":{{"v":{value}}}}}' if value else f'{{"n":{n}}}' for n, value in enumerate(values)]
        plain = [event for event in events if table.plain.rows(event.encode())]
        assert plain, "none of the values is plain"
        fields: dict[str, str] = {}
        for event in plain:
            [result], _ = writer.write(plain_table, table, [body(event)])
            assert result == Written(1)
        [result] = EventWriter._write_any(writer, any_table, table, [body("\n".join(plain))], fields)
        assert result == Written(len(plain))
        q = "SELECT n, toString(v), toTypeName(v) FROM {} ORDER BY n"
        assert engine.rows(q.format(plain_table.sql)) == engine.rows(q.format(any_table.sql))

    def test_one_odd_request_does_not_drag_others(self, engine: Engine, writer: EventWriter) -> None:
        """Each request of a group has its own counts, whichever way it was read."""
        target, table = made(engine, "mixed", "a Int8 `json:$.a`")
        bodies = [body(text) for text in ('{"a":1}', '{"a":300}\n{"a":2}', "nope", '{"a":3}\nnope', '{"x":NaN}')]
        results, fields = writer.write(target, table, bodies)
        assert results[:2] == [Written(1), Written(1, 1)]
        assert isinstance(results[2], Exception)
        assert results[3] == Written(1, 1)
        assert isinstance(results[4], Exception)
        assert fields == {}
        assert engine.rows(f"SELECT groupArraySorted(10)(a) FROM {target.sql}") == [[[1, 2, 3]]]
        assert engine.rows(f"SELECT count() FROM {target.quarantine.sql}") == [[2]]

    def test_rows_that_the_table_cannot_take(self, engine: Engine, writer: EventWriter) -> None:
        """When the insert itself fails, each request is tried once more by itself, and no row is doubled anywhere."""
        table, target = made(engine, "refusing", "a Int32, b Int32 MATERIALIZED throwIf(a = 13, 'unlucky')")
        texts = ['{"a": 1}\n{"a": "x"}', '{"a": 13}\n{"a": "y"}', '{"a": 2}']
        results, _ = writer.write(table, target, [body(text) for text in texts])
        assert isinstance(results[1], Exception)
        assert [(result.successful, result.quarantined) for result in (results[0], results[2])] == [(1, 1), (1, 0)]
        assert engine.rows(f"SELECT a FROM {table.sql} ORDER BY a") == [[1], [2]]
        [[misfits]] = engine.rows(f"SELECT count() FROM {table.quarantine.sql} WHERE a = 'x'")
        assert misfits == 1

    def test_blocks_are_bounded(self, engine: Engine, writer: EventWriter, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rows that would not fit into memory as one block are written in several, and appear at once."""
        for module in ("events.event_writer", "ingest.insertion"):
            monkeypatch.setattr(f"tinymagic.local.{module}.BLOCK_BYTES", 100_000)
        target, table = made(engine, "blocks", "a Int32 `json:$.a`")
        events = "\n".join(json.dumps({"a": n}) for n in range(50_000))
        assert writer.write(target, table, [body(events)])[0] == [Written(50_000)]
        assert engine.rows(f"SELECT count(), uniq(a), sum(a) FROM {target.sql}")[0][::2] == [50_000, 1_249_975_000]
        assert engine.rows("SELECT count() FROM system.tables WHERE database = '_tm_staging'") == [[0]]


class Served:
    """An application of this process, and how to reach it."""

    def __init__(self, services: Any, port: int) -> None:
        self.services = services
        self.database = services.catalog.workspaces()[0].database
        self._url = f"http://127.0.0.1:{port}/v0/events"
        self._headers = {"Authorization": f"Bearer {services.tokens.local_tokens()['workspace_admin_token']}"}

    def send(self, name: str, *events: Any) -> requests.Response:
        """Send events."""
        text = "\n".join(json.dumps(event) for event in events)
        parameters = {"name": name, "wait": "true"}
        return requests.post(self._url, params=parameters, data=text.encode(), headers=self._headers, timeout=30)


@pytest.mark.alone
class TestService:
    """The whole application in this process, so that the engine can be tampered with."""

    @pytest.fixture
    def client(self, engine: Engine, tmp_path: Path) -> Iterator[Served]:
        app = create_app(engine, Catalog(None), replace(Limits(), rates=True), spool=tmp_path / "spool")
        config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Served(app.state.services, server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(20)
            app.state.services.close()

    @pytest.mark.parametrize("rows", [1, 5_000])
    def test_a_view_fails(self, engine: Engine, client: Served, rows: int) -> None:
        """422: the rows are stored, the view did not get them; the counts are told."""
        assert client.send("viewed", {"a": 1}).status_code == 200
        database = client.database
        engine.execute(f"CREATE TABLE {database}.sums (a Int64) ENGINE = MergeTree ORDER BY a")
        engine.execute(
            f"CREATE MATERIALIZED VIEW {database}.adder TO {database}.sums AS "
            f"SELECT throwIf(a = 13, 'thirteen') + a AS a FROM {database}.viewed"
        )
        assert client.send("viewed", *[{"a": 2}] * rows).status_code == 200
        assert engine.rows(f"SELECT count() FROM {database}.sums") == [[rows]]
        reply = client.send("viewed", *[{"a": 13}] * rows, {"a": "x"})
        assert reply.status_code == 422
        assert "the materialized view 'adder' failed: thirteen" in reply.json()["error"]
        assert (reply.json()["successful_rows"], reply.json()["quarantined_rows"]) == (rows, 1)
        assert engine.rows(f"SELECT count() FROM {database}.viewed") == [[2 * rows + 1]]
        assert engine.rows(f"SELECT count() FROM {database}.sums") == [[rows]]

    def test_a_view_without_a_target(self, engine: Engine, client: Served) -> None:
        """503: nothing is stored while a view is broken altogether."""
        assert client.send("broken", {"a": 1}).status_code == 200
        database = client.database
        engine.execute(f"CREATE TABLE {database}.sums (a Int64) ENGINE = MergeTree ORDER BY a")
        engine.execute(
            f"CREATE MATERIALIZED VIEW {database}.adder TO {database}.sums AS SELECT a FROM {database}.broken"
        )
        engine.execute(f"DROP TABLE {database}.sums SYNC")
        reply = client.send("broken", {"a": 2})
        assert reply.status_code == 503
        assert "A materialized view on the Data Source is broken, so nothing was stored" in reply.json()["error"]
        assert database not in reply.text
        assert engine.rows(f"SELECT count() FROM {database}.broken") == [[1]]

    def test_rates(self, client: Served) -> None:
        """With the service's rates on, one Data Source takes 100 requests a second."""
        replies = [client.send("rated", {"a": 1})]
        with ThreadPoolExecutor(8) as pool:
            replies += pool.map(lambda _: client.send("rated"), range(300))
        assert replies[0].headers["X-RateLimit-Limit"] == "100"
        assert replies[0].headers["X-RateLimit-Remaining"] == "99"
        late = [reply for reply in replies if reply.status_code == 429]
        assert late
        for reply in late:
            assert int(reply.headers["Retry-After"]) >= 1
            assert reply.headers["X-RateLimit-Remaining"] == "0"

    def test_no_room(self, engine: Engine, client: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        """503 at once while too much waits for the engine; what waits is written when it can be."""
        assert client.send("crowded", {"a": 1}).status_code == 200
        service = client.services.events
        monkeypatch.setattr(service._intake, "_most_requests", 5)
        hold, begun = threading.Event(), threading.Event()
        write = service._writer.write

        def slow(*arguments: Any) -> Any:
            begun.set()
            assert hold.wait(20)
            return write(*arguments)

        monkeypatch.setattr(service._writer, "write", slow)
        with ThreadPoolExecutor(5) as pool:
            waiting = [pool.submit(client.send, "crowded", {"a": 2}) for _ in range(5)]
            assert begun.wait(10)
            while service._intake._requests < 5:
                pass
            reply = client.send("crowded", {"a": 3})
            hold.set()
            assert [each.result().status_code for each in waiting] == [200] * 5
        assert reply.status_code == 503
        assert reply.headers["Retry-After"] == "1"
        assert client.send("crowded", {"a": 4}).status_code == 200
        assert engine.rows(f"SELECT count() FROM {client.database}.crowded WHERE a != 3") == [[7]]

    def test_what_is_noted(self, engine: Engine, client: Served) -> None:
        """The service Data Sources tell about the requests."""
        services = client.services
        client.send("noted", {"a": 1})
        client.send("noted", {"a": 1}, {"a": "x"})
        client.send("noted", 5)
        services.service_log.flush()
        id_ = services.catalog.datasource(services.catalog.workspaces()[0].id, "noted").id
        q = (
            "SELECT sum(successful_requests), sum(error_requests), sum(rows_total), sum(rows_successful), "
            f"sum(rows_quarantined) FROM tinybird.hfi_requests WHERE datasource_id = '{id_}'"
        )
        assert engine.rows(q) == [[2, 1, 3, 2, 1]]
        q = (
            "SELECT event_type, result, rows, rows_quarantine FROM tinybird.datasources_ops_log "
            f"WHERE datasource_id = '{id_}' AND result = 'ok' AND rows > 0 ORDER BY rows_quarantine"
        )
        assert engine.rows(q) == [["append-hfi", "ok", 1, 0], ["append-hfi", "ok", 1, 1]]
