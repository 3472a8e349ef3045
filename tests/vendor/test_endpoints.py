"""Endpoints called by programs of other people: both command lines, the vendor's SDKs, verdin."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SDK = """
import json, sys
import tinybird_sdk as sdk
host, token = sys.argv[1:]
api = sdk.create_tinybird_api({"base_url": host, "token": token})
client = sdk.create_client({"base_url": host, "token": token})
told = {
    "plain": client.query("busiest")["data"],
    "given": client.query("busiest", {"least": 2, "carriers": ["AA", "UA"], "none": None})["data"],
    "api": api.query("busiest", {"least": 100})["rows"],
}
try:
    api.query("busiest", {"least": "many"})
except sdk.TinybirdApiError as error:
    told["error"] = str(error)
print(json.dumps(told))
"""

VERDIN = """
import json, sys
from verdin.client import Client
host, token = sys.argv[1:]
client = Client(token, api=host)
told = {
    "query": client.pipe("busiest").query({"least": "2"}).data,
    "sql": client.pipe("busiest").sql("SELECT count() AS c FROM busiest").data,
    "pages": [row for page in client.pipe("paged").pages(page_size=2) for row in page.data],
    "by name": client.api.query.query("SELECT count() AS c FROM _", pipeline="busiest").data,
    "csv": client.api.pipes.query("busiest", parameters={"least": "2", "carriers": None}, format="csv").data,
    "ndjson": client.api.pipes.query("busiest", query="SELECT carrier FROM _", format="ndjson").data,
    "parquet": client.api.pipes.query("busiest", format="parquet").content[:4].decode(),
}
try:
    client.api.pipes.query("nothing")
except Exception as error:
    told["error"] = str(error)
print(json.dumps(told))
"""

TYPESCRIPT = """
import { createClient } from "@tinybirdco/sdk";
const [baseUrl, token] = process.argv.slice(2);
const client = createClient({ baseUrl, token });
const found = await client.query("busiest", { least: 2, carriers: ["AA", "UA"] });
console.log(JSON.stringify(found.data));
"""

BUSIEST = """%
SELECT carrier, sum(delay) AS delays FROM flights
WHERE delay >= {{Int32(least, -100, description='Smallest delay')}}
{% if defined(carriers) %} AND carrier IN {{Array(carriers)}} {% end %}
GROUP BY carrier ORDER BY carrier
"""

PAGED = """%
SELECT number FROM numbers(5) LIMIT {{Int32(limit, 10)}} OFFSET {{Int32(offset, 0)}}
"""


@pytest.fixture(autouse=True, scope="module")
def pipes(server: Any) -> None:
    """A Data Source with three flights, a Pipe over it, and one that can be read page by page."""
    server.create("flights")
    server.fill("flights")
    for name, sql in (("busiest", BUSIEST), ("paged", PAGED)):
        body = {"name": name, "nodes": [{"name": f"{name}_node", "sql": sql, "type": "endpoint"}]}
        reply = server.request("POST", "/v0/pipes", json=body)
        assert reply.status_code == 200, reply.text


def calls(server: Any, agent: str = "") -> int:
    """Return how many calls of the Pipe have been answered."""
    where = f"pipe_name = 'busiest' AND error = 0 AND user_agent LIKE '%{agent}%'"
    (row,) = server.rows(f"SELECT count() FROM tinybird.pipe_stats_rt WHERE {where}")
    return int(row[0])


def test_classic_data(tb_classic: Any, server: Any) -> None:
    """``tb pipe data`` prints the rows; parameters and SQL over the result go along."""
    before = calls(server)
    printed = tb_classic("pipe", "data", "busiest", "--least", "2")
    assert "AA" in printed
    assert "DL" not in printed
    printed = tb_classic("pipe", "data", "busiest", "--format", "csv")
    assert printed.split() == ['"carrier","delays"', '"AA",5', '"DL",-3', '"UA",7']
    counted = ["--format", "json", "--query", "SELECT count() AS c FROM _"]
    found = json.loads(tb_classic("pipe", "data", "busiest", *counted))
    assert found["data"] == [{"c": 3}]
    assert calls(server) == before + 3
    assert "does not exist" in tb_classic("pipe", "data", "nothing", code=None)
    assert "Error validating 'x' to type Int32" in tb_classic("pipe", "data", "busiest", "--least", "x", code=None)


def test_classic_long_parameters(tb_classic: Any) -> None:
    """Longer than a URL may be, it sends them as a form."""
    long = ",".join(["AA"] * 2000)
    assert "AA" in tb_classic("pipe", "data", "busiest", "--carriers", long)


def test_classic_lists(tb_classic: Any, server: Any) -> None:
    """``tb pipe ls``, ``stats`` and ``token_read`` know the endpoint and its calls."""
    server.request("GET", "/v0/pipes/busiest.json")
    assert calls(server) > 0
    assert "busiest" in tb_classic("pipe", "ls")
    assert "busiest" in tb_classic("pipe", "stats")
    assert "busiest" in tb_classic("pipe", "stats", "busiest")


def test_forward_data(tb_forward: Any, server: Any) -> None:
    """``tb endpoint data`` the same way."""
    before = calls(server)
    printed = tb_forward("endpoint", "data", "busiest", "--least", "2")
    assert "UA" in printed
    assert "DL" not in printed
    csv = tb_forward("endpoint", "data", "busiest", "--format", "csv")
    assert '"AA",5' in csv
    printed = tb_forward("endpoint", "data", "busiest", "--query", "SELECT sum(delays) AS s FROM _")
    assert "9" in printed
    assert calls(server) == before + 3
    assert "does not exist" in tb_forward("endpoint", "data", "nothing", code=None)


def test_forward_lists(tb_forward: Any, server: Any, clipboard: Any) -> None:
    """``tb endpoint ls``, ``url``, ``stats``, ``token``: an address that can be called, and the calls of it."""
    reply = server.request("POST", "/v0/tokens", params={"name": "reads busiest", "scope": "PIPES:READ:busiest"})
    assert reply.status_code == 200, reply.text
    address = f"{server.host}/v0/pipes/busiest.json?least=-100"
    assert address in tb_forward("endpoint", "ls")
    assert address in tb_forward("endpoint", "url", "busiest")
    tb_forward("endpoint", "url", "busiest", "--language", "curl")
    assert address in clipboard.read_text(encoding="utf-8")
    assert calls(server) > 0
    assert "busiest" in tb_forward("endpoint", "stats", "busiest")
    assert "busiest" in tb_forward("pipe", "ls")


def test_forward_local(tb_local: Any, server: Any) -> None:
    """With ``--local`` it has a workspace of its own, where the endpoint is not."""
    assert "does not exist" in tb_local("--local", "endpoint", "data", "busiest", code=None)


def test_python_sdk(python_program: Any, server: Any) -> None:
    """Lists are repeated parameters; ``None`` is not sent; errors carry the server's text."""
    program = python_program("sdk")
    told = json.loads(program(program.write("calls.py", SDK), server.host, server.workspace_token).splitlines()[-1])
    assert [row["carrier"] for row in told["plain"]] == ["AA", "DL", "UA"]
    assert told["given"] == [{"carrier": "AA", "delays": 5}, {"carrier": "UA", "delays": 7}]
    assert told["api"] == 0
    assert "Error validating 'many' to type Int32" in told["error"]


def test_verdin(python_program: Any, server: Any) -> None:
    """Pipes as objects: rows, SQL, pages."""
    program = python_program("third")
    told = json.loads(program(program.write("calls.py", VERDIN), server.host, server.workspace_token).splitlines()[-1])
    assert told["query"] == [{"carrier": "AA", "delays": 5}, {"carrier": "UA", "delays": 7}]
    assert told["sql"] == told["by name"] == [{"c": 3}]
    assert [row["number"] for row in told["pages"]] == [0, 1, 2, 3, 4]
    assert told["csv"] == [{"carrier": "AA", "delays": "5"}, {"carrier": "UA", "delays": "7"}]
    assert told["ndjson"] == [{"carrier": "AA"}, {"carrier": "DL"}, {"carrier": "UA"}]
    assert told["parquet"] == "PAR1"
    assert "The pipe 'nothing' does not exist" in told["error"]


def test_typescript_sdk(node: Any, server: Any) -> None:
    """The SDK of TypeScript sends lists as it does in browsers."""
    printed = node(node.write("calls.mjs", TYPESCRIPT), server.host, server.workspace_token)
    assert json.loads(printed.splitlines()[-1]) == [{"carrier": "AA", "delays": 5}, {"carrier": "UA", "delays": 7}]
