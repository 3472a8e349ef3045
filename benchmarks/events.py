"""P5: the Events API beside its floor: the same rows inserted by chDB in process, and a round trip that does nothing.

Small requests: eight clients at once, one row and a hundred rows each. Large ones: 10 MB, one after the other.
What the server has to do beside inserting is to hold every value against its column and to count every row.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contest import Result, compare
from benchmarks.queries import embedded

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic import local

CLIENTS = 8
REQUESTS = 25
LARGE_BYTES = 10_000_000

SCHEMA = (
    "at DateTime64(3) `json:$.at`, id String `json:$.id`, n Int64 `json:$.n`, ratio Float64 `json:$.ratio`, "
    "page String `json:$.page`, maybe Nullable(Int32) `json:$.maybe`"
)
COLUMNS = "at DateTime64(3), id String, n Int64, ratio Float64, page String, maybe Nullable(Int32)"


def event(number: int) -> bytes:
    """Return one event, about 130 bytes."""
    return json.dumps(
        {
            "at": f"2024-01-{1 + number % 28:02} 10:20:{number % 60:02}.{number % 1000:03}",
            "id": f"user-{number:08}",
            "n": number,
            "ratio": number / 7,
            "page": f"/products/{number % 100}",
            "maybe": number if number % 10 else None,
        }
    ).encode()


def run() -> list[Result]:
    """Measure P5."""
    import chdb

    with tempfile.TemporaryDirectory() as folder, embedded() as (server, token):
        engine = chdb.connect(f"{folder}/engine")
        engine.query(f"CREATE DATABASE d ENGINE = Atomic; CREATE TABLE d.t ({COLUMNS}) ENGINE = MergeTree ORDER BY at")
        _ask(server, token, "POST", "/v0/datasources?name=events&format=ndjson", {"schema": SCHEMA})
        floor = _Floor(engine, Path(folder) / "rows.ndjson")
        results = [result for rows in (1, 100) for result in _small(server, token, floor, rows)]
        return [*results, *_large(server, token, floor)]


class _Floor:
    """The same engine in this process: no HTTP, no checks, no counts."""

    def __init__(self, engine: Any, path: Path) -> None:
        self._engine = engine
        self._path = path

    def insert(self, body: bytes) -> None:
        self._path.write_bytes(body)
        self._engine.query(f"INSERT INTO d.t SELECT * FROM file('{self._path}', 'JSONEachRow', '{COLUMNS}')")


def _small(server: local.LocalServer, token: str, floor: _Floor, rows: int) -> list[Result]:
    body = b"\n".join(event(number) for number in range(rows))
    sender = _senders(server, token, "POST", "/v0/events?name=events&wait=true", body)
    idle = _senders(server, token, "GET", "/health/liveness", None)

    def inserted() -> None:
        for _ in range(CLIENTS * REQUESTS):
            floor.insert(body)

    timings = compare({"events": sender, "engine": inserted, "round trips": idle}, rounds=5)
    total = CLIENTS * REQUESTS
    gain = timings["engine"].median / timings["events"].median
    over = timings["events"].median / timings["round trips"].median
    medians = ", ".join(f"{name} {total / timing.median:,.0f} a second" for name, timing in timings.items())
    work = f"requests with {rows} row{'s' * (rows > 1)}, {CLIENTS} clients"
    return [
        Result("P5", work, "one insert a request in process", f"{gain:.1f} x faster", "1 x", gain >= 1, medians),
        Result("P5", work, "round trips that answer a constant", f"{over:.1f} x", "at most 6 x", over <= 6, ""),
    ]


def _large(server: local.LocalServer, token: str, floor: _Floor) -> list[Result]:
    lines, size, number = [], 0, 0
    while size < LARGE_BYTES - 200:
        lines.append(event(number))
        size += len(lines[-1]) + 1
        number += 1
    body = b"\n".join(lines)
    contestants = {
        "events": lambda: _ask(server, token, "POST", "/v0/events?name=events&wait=true", body),
        "engine": lambda: floor.insert(body),
    }
    timings = compare(contestants, rounds=7)
    over = timings["events"].median / timings["engine"].median
    rates = ", ".join(f"{name} {number / timing.median:,.0f} rows a second" for name, timing in timings.items())
    work = f"10 MB of events ({number:,} rows)"
    against = "chDB in process, JSONEachRow, unchecked"
    return [
        Result("P5", work, against, f"{over:.1f} x", "at most 4 x", over <= 4, rates),
        Result("P5", "most memory of that server", "", f"{_most_memory(server.pid):,.0f} MB", "1,000 MB",
               _most_memory(server.pid) <= 1_000, ""),
    ]  # fmt: skip


def _senders(server: local.LocalServer, token: str, method: str, path: str, body: bytes | None) -> Callable[[], None]:
    """Return what sends REQUESTS requests from each of CLIENTS threads, on connections that stay open."""
    connections = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(CLIENTS)]

    def send(connection: http.client.HTTPConnection) -> None:
        for _ in range(REQUESTS):
            connection.request(method, path, body=body, headers={"Authorization": f"Bearer {token}"})
            reply = connection.getresponse()
            text = reply.read()
            assert reply.status == 200, text

    def run_all() -> None:
        threads = [threading.Thread(target=send, args=(connection,)) for connection in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run_all


def _ask(server: local.LocalServer, token: str, method: str, path: str, body: bytes | dict[str, str]) -> None:
    from urllib.parse import urlencode

    headers = {"Authorization": f"Bearer {token}"}
    data = body
    if isinstance(body, dict):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        data = urlencode(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body=data, headers=headers)
    reply = connection.getresponse()
    text = reply.read()
    assert reply.status == 200, text


def _most_memory(pid: int) -> float:
    """Return the most resident memory that a process had, in megabytes; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return float(status.split("VmHWM:")[1].split()[0]) / 1_000


if __name__ == "__main__":
    begin = time.perf_counter()
    print("\n".join(result.row() for result in run()))
    print(f"{time.perf_counter() - begin:.0f} s")
