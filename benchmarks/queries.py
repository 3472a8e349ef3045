"""P2 and P3: a large result and many small ones through the embedded server, beside what users write and the floor.

The floor is the same engine in this process: no HTTP, no gate, no copy.
"""

from __future__ import annotations

import http.client
import io
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tinymagic
from benchmarks.contest import Result, compare
from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = """
SELECT number AS id, number / 7 AS ratio, concat('name ', toString(number % 1000)) AS name,
       toDateTime('2024-01-01 00:00:00') + number AS moment, if(number % 10 = 0, NULL, toInt32(number)) AS maybe
FROM numbers(1000000)
"""
#: What the server asks of the engine for replies: half of the floor's time goes into filters that no frame uses.
WITHOUT_FILTERS = "SETTINGS output_format_parquet_write_bloom_filter = 0"
SMALL = "SELECT number, toString(number) AS text FROM numbers(10)"


@contextmanager
def embedded() -> Iterator[tuple[local.LocalServer, str]]:
    """A server in memory that ends with this process, and its token. Without limits: JSON of P2 is over 100 MB."""
    server = local.start(memory=True, port=0, with_parent=True, limits="none")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/tokens")
        yield server, json.loads(connection.getresponse().read())["workspace_admin_token"]
    finally:
        local.stop(port=server.port)


def run() -> list[Result]:
    """Measure P2 and P3."""
    import chdb

    engine = chdb.connect(":memory:")
    with embedded() as (server, token):
        return [*_large(engine, server, token), *_small(engine, server, token)]


def _large(engine: Any, server: local.LocalServer, token: str) -> list[Result]:
    import pandas as pd
    import pyarrow.parquet as pq
    import requests

    workspace = tinymagic.connect(host=server.host, token=token)
    workspace.sql("SELECT 1")
    headers = {"Authorization": f"Bearer {token}"}

    def by_hand() -> object:
        reply = requests.post(f"{server.host}/v0/sql", data={"q": f"{LARGE} FORMAT JSON"}, headers=headers, timeout=60)
        return pd.DataFrame(reply.json()["data"])

    def floor() -> object:
        return pq.read_table(io.BytesIO(engine.query(LARGE, "Parquet").bytes())).to_pandas()

    def lean_floor() -> object:
        return pq.read_table(io.BytesIO(engine.query(f"{LARGE} {WITHOUT_FILTERS}", "Parquet").bytes())).to_pandas()

    contestants = {
        "tinymagic": lambda: workspace.sql(LARGE),
        "by hand": by_hand,
        "floor": floor,
        "floor without Bloom filters": lean_floor,
    }
    timings = compare(contestants, rounds=5)
    ours = timings["tinymagic"].median
    gain, over = timings["by hand"].median / ours, ours / timings["floor"].median
    work = "1,000,000 rows x 5 columns to a DataFrame"
    lean = ours / timings["floor without Bloom filters"].median
    medians = ", ".join(f"{name} {timing.text()}" for name, timing in timings.items())
    leaner = f"of a floor that writes no Bloom filters: {lean:.2f} x"
    limit = "at most 1.25 x"
    return [
        Result("P2a", work, "requests, FORMAT JSON, pd.DataFrame", f"{gain:.1f} x faster", "8 x", gain >= 8, medians),
        Result("P2b", work, "chDB in process, Parquet, pyarrow", f"{over:.2f} x", limit, over <= 1.25, leaner),
    ]


def _small(engine: Any, server: local.LocalServer, token: str) -> list[Result]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}

    def ask(method: str, path: str, body: str | None = None) -> bytes:
        connection.request(method, path, body=body, headers=headers)
        return connection.getresponse().read()

    sql = f"{SMALL} FORMAT JSONCompact"
    contestants = {
        "server": lambda: ask("POST", "/v0/sql", sql),
        "engine": lambda: engine.query(SMALL, "JSONCompact").bytes(),
        "round trip": lambda: ask("GET", "/health/liveness"),
    }
    timings = compare(contestants, rounds=1_000, warm_up=50)
    ours = timings["server"]
    over = ours.median / (timings["engine"].median + timings["round trip"].median)
    tail = ours.p99 / ours.median
    medians = ", ".join(f"{name} {timing.text()}" for name, timing in timings.items())
    against = "the engine in process plus a round trip that answers a constant"
    return [
        Result("P3", "1,000 small queries", against, f"{over:.2f} x", "at most 1.5 x", over <= 1.5, medians),
        Result("P3", "their p99", "their median", f"{tail:.1f} x", "at most 3 x", tail <= 3, ""),
    ]
