"""Endpoints under load: many at once, clients that leave, slow ones; statistics of calls; sixty with their defaults."""

from __future__ import annotations

import http.client
import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

SLOW = "SELECT count() AS c FROM numbers(1000000000000) WHERE sipHash64(number) = 77"


def make(api, name, *nodes):
    """Make a Pipe from the SQL of its nodes; the last one is published."""
    last = len(nodes) - 1
    body = [
        {"name": f"n{number}", "sql": sql, "type": "endpoint" if number == last else "standard"}
        for number, sql in enumerate(nodes)
    ]
    reply = api.post("/v0/pipes", params={"force": "true"}, json={"name": name, "nodes": body})
    assert reply.status_code == 200, reply.text
    return reply.json()


def data(reply):
    """Return the rows of a reply in JSON."""
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def rows(api, q):
    """Return the rows of a query as lists."""
    reply = api.sql(f"{q} FORMAT JSONCompact")
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def cpu_seconds(pid):
    """Return how long a process has used processors."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class TestConcurrency:
    def test_eight_clients(self, api):
        """Five hundred calls with parameters of their own in eight threads: every answer is that of its question."""
        make(
            api,
            "load_sum",
            "%\nSELECT number AS n FROM numbers({{UInt32(size, 10)}})",
            "%\nSELECT sum(n) + {{Int64(more, 0)}} AS s, {{String(who, '')}} AS who FROM n0",
        )
        make(api, "load_outer", "SELECT s * 2 AS s, who FROM load_sum")
        random.seed(4)
        asked = [(random.randrange(1, 300), random.randrange(-9, 9), f"it's {number}") for number in range(500)]

        def call(number):
            size, more, who = asked[number]
            name, factor = ("load_outer", 2) if number % 3 == 0 else ("load_sum", 1)
            parameters = {"size": size, "more": more, "who": who}
            if number % 5 == 0:
                parameters["q"] = "SELECT s, who FROM _"
            reply = api.post(f"/v0/pipes/{name}.json", data=parameters)
            return data(reply) == [{"s": (size * (size - 1) // 2 + more) * factor, "who": who}]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(call, range(500)))

    def test_while_the_pipe_changes(self, api):
        """A call gets the rows of one version of the Pipe, never an error or a mixture."""
        make(api, "load_changing", "SELECT 0 AS a", "SELECT a, 0 AS b FROM n0")
        stop = time.monotonic() + 3

        def call(_):
            seen = set()
            while time.monotonic() < stop:
                row = data(api.get("/v0/pipes/load_changing.json"))[0]
                assert row["a"] == row["b"]
                seen.add(row["a"])
            return seen

        with ThreadPoolExecutor(3) as pool:
            calls = pool.map(call, range(3))
            number = 0
            while time.monotonic() < stop:
                number += 1
                make(api, "load_changing", f"SELECT {number} AS a", f"SELECT a, {number} AS b FROM n0")
            assert len(set.union(*calls)) > 2


class TestLimits:
    def test_a_client_that_left_stops_its_query(self, api, server):
        """Closing the connection cancels the query in the engine."""
        make(api, "load_slow", f"%\n{SLOW} + {{{{Int8(a, 0)}}}}")
        for path, body in [("/v0/pipes/load_slow.json", ""), ("/v0/pipes/load_slow.csv", "q=SELECT+c+FROM+_")]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("POST", path, body, {"Authorization": f"Bearer {api.token}"})
            time.sleep(0.5)
            busy = cpu_seconds(server.pid)
            connection.close()
            time.sleep(1.5)
            settled = cpu_seconds(server.pid)
            time.sleep(1.0)
            assert settled > busy
            assert cpu_seconds(server.pid) - settled < 0.5

    @pytest.mark.slow
    def test_too_slow_is_a_408(self, api):
        """After ten seconds a call is stopped; it is in the statistics."""
        made = make(api, "load_endless", SLOW)
        started = time.monotonic()
        reply = api.get("/v0/pipes/load_endless.json")
        assert reply.status_code == 408
        assert "Timeout exceeded" in reply.json()["error"]
        assert time.monotonic() - started < 15
        found = rows(api, f"SELECT status_code, error FROM tinybird.pipe_stats_rt WHERE pipe_id = '{made['id']}'")
        assert found == [[408, 1]]

    def test_too_large_is_a_413(self, api):
        """More than 100 MB of rows are refused; the same rows as Parquet are not."""
        make(api, "load_large", "SELECT repeat('x', 1000) AS s FROM numbers(110000)")
        assert api.get("/v0/pipes/load_large.csv").status_code == 413
        assert api.get("/v0/pipes/load_large.parquet").status_code == 200

    def test_long_q_is_a_413(self, api):
        """``q`` may have 8 KB, as on ``/v0/sql``."""
        make(api, "load_one", "SELECT 1 AS a")
        assert api.post("/v0/pipes/load_one.json", data={"q": f"SELECT a FROM _ --{'x' * 9000}"}).status_code == 413


class TestStatistics:
    def test_calls_are_noted(self, api):
        """Each call is a row with Pipe, parameters, status and time, but without the token."""
        made = make(api, "load_noted", "%\nSELECT {{Int32(a, 1)}} AS a FROM numbers({{Int32(n, 3)}})")
        agent = {"User-Agent": "tests/1"}
        data(api.get("/v0/pipes/load_noted.json", params={"a": "5", "n": "2", "from": "ui"}, headers=agent))
        data(api.post("/v0/pipes/load_noted.json", data={"a": "6", "q": "SELECT max(a) AS m FROM _"}))
        api.get("/v0/pipes/load_noted.json", token=None, params={"a": "x", "token": api.token})
        columns = "pipe_name, parameters, method, status_code, error, result_rows, read_rows, user_agent = 'tests/1'"
        found = rows(
            api, f"SELECT {columns} FROM tinybird.pipe_stats_rt WHERE pipe_id = '{made['id']}' ORDER BY parameters['a']"
        )
        assert found == [
            ["load_noted", {"a": "5", "n": "2", "from": "ui"}, "GET", 200, 0, 2, 2, 1],
            ["load_noted", {"a": "6", "q": "SELECT max(a) AS m FROM _"}, "POST", 200, 0, 1, 3, 0],
            ["load_noted", {"a": "x"}, "GET", 400, 1, 0, 0, 0],
        ]
        own = f"FROM tinybird.pipe_stats_rt WHERE pipe_id = '{made['id']}'"
        assert api.token not in json.dumps(rows(api, f"SELECT * {own}"))
        assert all(0 < duration < 5 for (duration,) in rows(api, f"SELECT duration {own}"))

    def test_errors_are_noted(self, api):
        """Failed calls are in ``endpoint_errors`` too, also when the Pipe may not be read or is not published."""
        made = make(api, "load_bad", "%\nSELECT {{Int32(a)}} AS a")
        other = api.post("/v0/tokens", params={"name": "load bad", "scope": "PIPES:READ:load_bad"}).json()["token"]
        api.get("/v0/pipes/load_bad.json")
        api.get("/v0/pipes/load_bad.xml", token=other)
        path = f"/v0/pipes/load_bad/nodes/{made['nodes'][0]['id']}/endpoint"
        assert api.request("DELETE", path).status_code == 200
        api.get("/v0/pipes/load_bad.json?a=4")
        q = "SELECT pipe_name, status_code, params, error FROM tinybird.endpoint_errors"
        found = rows(api, f"{q} WHERE pipe_id = '{made['id']}' ORDER BY error")
        assert [(name, status) for name, status, _, _ in found] == [
            ("load_bad", 400),
            ("load_bad", 400),
            ("load_bad", 404),
        ]
        assert found[1][3].startswith("Template Syntax Error: Required parameter is not defined.")
        assert json.loads(found[2][2]) == {"a": "4"}

    def test_daily_sums(self, api):
        """``pipe_stats`` adds the calls of a day up."""
        made = make(api, "load_daily", "%\nSELECT {{Int32(a, 1)}} AS a")
        for value in ("1", "2", "x"):
            api.get(f"/v0/pipes/load_daily.json?a={value}")
        rows(api, "SELECT count() FROM tinybird.pipe_stats_rt")
        q = "SELECT sum(view_count), sum(error_count), avgMerge(avg_duration_state) > 0 FROM tinybird.pipe_stats"
        assert rows(api, f"{q} WHERE pipe_id = '{made['id']}'") == [[3, 1, 1]]


#: Endpoints of many kinds, each with what it answers without parameters.
KINDS = [
    ("SELECT 1 AS a", [{"a": 1}]),
    ("SELECT {{Int8(a, 1)}} AS a", [{"a": 1}]),
    ("SELECT {{UInt64(a, 18446744073709551615)}} AS a", [{"a": 18446744073709551615}]),
    ("SELECT {{Float32(a, 0.5)}} AS a", [{"a": 0.5}]),
    ("SELECT {{Float64(a, -1e3)}} AS a", [{"a": -1000}]),
    ("SELECT {{String(a, 'x')}} AS a", [{"a": "x"}]),
    ("SELECT {{Boolean(a, True)}} AS a", [{"a": 1}]),
    ("SELECT toDate({{Date(a, '2024-02-29')}}) AS a", [{"a": "2024-02-29"}]),
    ("SELECT toDateTime({{DateTime(a, '2024-02-29 01:02:03')}}) AS a", [{"a": "2024-02-29 01:02:03"}]),
    ("SELECT toDateTime64({{DateTime64(a, '2024-02-29 01:02:03.004')}}, 1) AS a", [{"a": "2024-02-29 01:02:03.0"}]),
    ("SELECT {{Array(a, 'Int32', '1,2')}} AS a", [{"a": [1, 2]}]),
    ("SELECT {{Array(a, 'String', 'x,y')}} AS a", [{"a": ["x", "y"]}]),
    ("SELECT number AS a FROM numbers(5) LIMIT {{Int32(limit, 2)}}", [{"a": 0}, {"a": 1}]),
    ("SELECT number AS a FROM numbers(5) ORDER BY a DESC LIMIT 1 OFFSET {{Int32(page, 1) * 2}}", [{"a": 2}]),
    ("SELECT {{column(c, 'number')}} AS a FROM numbers(1)", [{"a": 0}]),
    ("SELECT {{columns(c, 'number')}} FROM numbers(1)", [{"number": 0}]),
    ("{% if defined(a) %} SELECT 1 AS a {% else %} SELECT 2 AS a {% end %}", [{"a": 2}]),
    ("SELECT 1 AS a {% for i in [2, 3] %}, {{i}} AS a{{i}}{% end %}", None),
    ("{% set n = 3 %} SELECT {{n}} AS a", [{"a": 3}]),
    ("SELECT number AS a FROM numbers(4) WHERE {{sql_and(number__gte=Int32(low, 3))}}", [{"a": 3}]),
    ("SELECT a FROM (SELECT 'x%y' AS a) WHERE a LIKE {{String(p, 'x')}} || '%'", [{"a": "x%y"}]),
    ("SELECT count() AS a FROM numbers(10) WHERE number IN {{Array(ids, 'Int64', '1,2,30')}}", [{"a": 2}]),
    ("{{max_threads(1)}} SELECT 1 AS a", [{"a": 1}]),
    ("SELECT {{day_diff('2024-01-01', '2024-01-11')}} AS a", [{"a": 10}]),
    ("{% comment nothing %}SELECT {# here #} 1 AS a", [{"a": 1}]),
    ("WITH x AS (SELECT 1 AS a) SELECT a FROM x", [{"a": 1}]),
    ("SELECT 1 AS a UNION ALL SELECT 1 AS a", [{"a": 1}, {"a": 1}]),
    ("SELECT sum(number) AS a FROM numbers(4) GROUP BY number % 2 ORDER BY a", [{"a": 2}, {"a": 4}]),
    ("SELECT quantile(0.5)(number) AS a FROM numbers(3)", [{"a": 1}]),
    ("SELECT NULL AS a, 1 / 0 AS b", [{"a": None, "b": None}]),
    ("SELECT map('k', 1) AS a, (1, 'x') AS b", [{"a": {"k": 1}, "b": [1, "x"]}]),
    ("SELECT groupArray(number) AS a FROM numbers(3)", [{"a": [0, 1, 2]}]),
]


@pytest.mark.parametrize("plain", [True, False], ids=["alone", "through another node"])
def test_sixty_endpoints_answer_with_their_defaults(api, plain):
    """Whatever the templates have in them, a call without parameters gives what the defaults say."""
    for number, (sql, expected) in enumerate(KINDS):
        name = f"load_kind_{number}_{int(plain)}"
        make(api, name, f"%\n{sql}", *([] if plain else ["SELECT * FROM n0"]))
        found = data(api.get(f"/v0/pipes/{name}.json"))
        assert found == expected if expected is not None else found, sql
        assert api.get(f"/v0/pipes/{name}.csv").text.count("\n") >= len(found) + 1
