"""P9: an endpoint beside the same SQL on ``/v0/sql``, over HTTP with one connection kept open.

Both run the same engine with the same limits, so what is measured is what a Pipe costs: finding it, rendering, putting
nodes together. Where a parameter changes, the SQL of the other contestant changes with it, as a program that writes its
own SQL would do it. Where the text of both stays, both are remembered.
"""

from __future__ import annotations

import http.client
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from benchmarks.contest import Result, compare
from benchmarks.queries import embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.local import LocalServer

ROWS = 100_000
GOAL = 1.2

ROUNDS = 300

#: Makes parameters that were never used before, in any case.
_NUMBERS = itertools.count()

CREATE = """
id UInt32 `json:$.id`, at DateTime `json:$.at`, kind LowCardinality(String) `json:$.kind`,
amount Float64 `json:$.amount`
"""

STATIC = "SELECT kind, count() AS events, sum(amount) AS total FROM bench_events GROUP BY kind ORDER BY kind"

FILTERED = """
SELECT kind, count() AS events, sum(amount) AS total FROM bench_events
WHERE amount > {least} GROUP BY kind ORDER BY kind
"""

FIRST = "SELECT id, at, kind, amount FROM bench_events WHERE amount > {least}"
SECOND = "SELECT toStartOfHour(at) AS hour, kind, sum(amount) AS total FROM {first} GROUP BY hour, kind"
THIRD = "SELECT kind, max(total) AS most, count() AS hours FROM {second} GROUP BY kind ORDER BY kind"
OVER = "SELECT max(most) AS most FROM {third}"

PARAMETER = "{{Float64(least, 10)}}"


@dataclass(frozen=True)
class Case:
    """What is compared: a call of *pipe*, with *q* over its result, and the *sql* that gives the same rows.

    ``{least}`` in *sql* is the parameter, different in every round; without it nothing changes.
    """

    work: str
    pipe: str
    sql: str
    q: str = ""

    @property
    def changes(self) -> bool:
        """Whether there is a parameter."""
        return "{least}" in self.sql


def _nested() -> tuple[str, str]:
    first = f"({FIRST})"
    third = THIRD.format(second=f"({SECOND.format(first=first)})")
    return third, OVER.format(third=f"({third})")


THREE, OUTER = _nested()

#: Conditions that are always true, but not the same text twice.
MORE, HAVING = "WHERE amount < 1000 + {least}", "HAVING most > -{least}"
ALL_SECOND = SECOND.replace("GROUP BY", f"{MORE} GROUP BY")
ALL_THIRD = THIRD.replace("ORDER BY", f"{HAVING} ORDER BY")
ALL = ALL_THIRD.replace("{second}", f"({ALL_SECOND.replace('{first}', f'({FIRST})')})")

CASES = (
    Case("an endpoint without parameters", "bench_static", STATIC),
    Case("an endpoint, its parameter new at every call", "bench_filtered", FILTERED),
    Case("three nodes, parameter in the first", "bench_three", THREE),
    Case("three nodes, parameters in all", "bench_all", ALL),
    Case("a Pipe that reads that of three nodes", "bench_outer", OUTER),
    Case("`q` over that of three nodes", "bench_three", OUTER, OVER.format(third="_")),
)

PIPES: dict[str, Sequence[tuple[str, str]]] = {
    "bench_static": [("endpoint", STATIC)],
    "bench_filtered": [("endpoint", f"%{FILTERED.format(least=PARAMETER)}")],
    "bench_three": [
        ("first", f"%\n{FIRST.format(least=PARAMETER)}"),
        ("second", SECOND.format(first="first")),
        ("third", THIRD.format(second="second")),
    ],
    "bench_all": [
        ("first", f"%\n{FIRST.format(least=PARAMETER)}"),
        ("second", f"%\n{ALL_SECOND.format(first='first', least=PARAMETER)}"),
        ("third", f"%\n{ALL_THIRD.format(second='second', least=PARAMETER)}"),
    ],
    "bench_outer": [("endpoint", OVER.format(third="bench_three"))],
}


class _Client:
    """One connection that stays open."""

    def __init__(self, server: LocalServer, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: str | None = None, kind: str = "text/plain") -> Any:
        """Send a request and return the object of the reply."""
        self._connection.request(method, path, body=body, headers={**self._headers, "Content-Type": kind})
        reply = self._connection.getresponse()
        text = reply.read()
        if reply.status >= 300:
            raise SystemExit(f"{path} answered {reply.status}: {text[:300]!r}")
        return json.loads(text) if text else None


def run() -> list[Result]:
    """Measure P9."""
    with embedded() as (server, token):
        client = _Client(server, token)
        _fill(client)
        return [_measured(client, case) for case in CASES]


def _fill(client: _Client) -> None:
    client.ask("POST", f"/v0/datasources?{urlencode({'name': 'bench_events', 'format': 'ndjson', 'schema': CREATE})}")
    lines = (
        json.dumps(
            {
                "id": number,
                "at": f"2026-01-{number % 28 + 1:02} {number % 24:02}:00:00",
                "kind": f"kind {number % 7}",
                "amount": number % 1000 / 10,
            }
        )
        for number in range(ROWS)
    )
    client.ask("POST", "/v0/events?name=bench_events&wait=true", "\n".join(lines), "application/x-ndjson")
    for name, nodes in PIPES.items():
        made = [{"name": node, "sql": sql, "type": "standard"} for node, sql in nodes]
        made[-1]["type"] = "endpoint"
        client.ask("POST", "/v0/pipes", json.dumps({"name": name, "nodes": made}), "application/json")


def _measured(client: _Client, case: Case) -> Result:
    def value() -> float:
        return 10 + next(_NUMBERS) / 1e6

    def endpoint() -> Any:
        parameters = {"q": case.q} if case.q else {}
        if case.changes:
            parameters["least"] = repr(value())
        return client.ask("GET", f"/v0/pipes/{case.pipe}.json?{urlencode(parameters)}")

    def sql() -> Any:
        least = f"toFloat64('{value()!r}')"
        return client.ask("POST", "/v0/sql", f"{case.sql.format(least=least)} FORMAT JSON")

    if endpoint()["data"] != sql()["data"]:
        raise SystemExit(f"{case.pipe} does not give the rows of its SQL.")
    contestants: dict[str, Callable[[], object]] = {"endpoint": endpoint, "/v0/sql": sql}
    timings = compare(contestants, rounds=ROUNDS, warm_up=20)
    ratio = timings["endpoint"].median / timings["/v0/sql"].median
    medians = ", ".join(f"{name} {timing.text()}" for name, timing in timings.items())
    against = "the same SQL on /v0/sql"
    return Result("P9", case.work, against, f"{ratio:.2f} x", f"at most {GOAL} x", ratio <= GOAL, medians)
