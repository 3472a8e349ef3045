"""Python packages that speak to Tinybird: the vendor's two SDKs, and two of other people."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

EVENTS_SCHEMA = "id Int32 `json:$.id`, name String `json:$.name`, tags Array(String) `json:$.tags[:]`"

SDK = """
import json, sys
import tinybird_sdk as sdk
host, token, url = sys.argv[1:]
api = sdk.create_tinybird_api({"base_url": host, "token": token})
client = sdk.create_client({"base_url": host, "token": token})
told = {}
told["one"] = api.ingest("events", {"id": 1, "name": "one", "tags": ["x"]})
told["batch"] = api.ingest_batch("events", [{"id": 2, "name": "two", "tags": []}, {"id": 3, "name": "b", "tags": []}])
told["client"] = client.ingest("events", {"id": 4, "name": "four", "tags": ["y", "z"]})
api.append_datasource("flights", {"file": "flights.csv"})
told["url"] = api.append_datasource("flights", {"url": url + "/more.csv"})
client.datasources.replace("replaced", {"file": "more.csv"})
told["dry"] = api.delete_datasource("deleted", {"delete_condition": "delay > 0", "dry_run": True})
told["delete"] = api.delete_datasource("deleted", {"delete_condition": "delay > 0"})
api.truncate_datasource("truncated")
told["sql"] = client.sql("SELECT count() AS n FROM events FORMAT JSON")["data"]
told["static"] = api.create_token({"name": "from_sdk", "scope": ["DATASOURCES:READ:events"]})["token"]
scopes = [{"type": "DATASOURCES:READ", "resource": "events", "filter": "id = 1"}]
told["jwt"] = client.tokens.create_jwt({"name": "visitor", "expires_at": 4000000000, "scopes": scopes})["token"]
told["workspace"] = api.request_json("/v1/workspace")["name"]
try:
    api.sql("SELEC 1")
except sdk.TinybirdApiError as error:
    told["error"] = str(error)
print(json.dumps(told))
"""

PYTHON_SDK = """
import json, logging, sys
from tb.api import API
from tb.datasource import Buffer, Datasource
from tb.logger import TinybirdLoggingHandler
host, token = sys.argv[1:]
api = API(token, host)
told = {"names": sorted(found["name"] for found in api.get("/datasources").json()["datasources"])}
told["sql"] = api.post("/sql", data={"q": "SELECT 6 * 7 AS answer FORMAT JSON"}).json()["data"]
with Datasource("measured", token, host) as measured:
    for number in range(5):
        measured << {"id": number, "name": "n" + str(number)}
with Datasource("in_groups", token, host, buffer=Buffer(max_wait_records=2)) as groups:
    for number in range(4):
        groups.append({"id": number})
logger = logging.getLogger("program")
logger.addHandler(TinybirdLoggingHandler(token, host, "program", "log_lines"))
logger.error("something happened")
print(json.dumps(told))
"""

VERDIN = """
import json, sys
from verdin.client import Client
host, token = sys.argv[1:]
client = Client(token, api=host)
client.datasource("events").send_events([{"id": 1, "name": "one", "tags": []}], wait=True)
client.api.events.send("events", [{"id": 2, "name": "two", "tags": ["x"]}], wait=True, compress=True)
client.datasource("events").append_ndjson([{"id": 3, "name": "three", "tags": []}])
flights = client.datasource("flights")
flights.append([("AA", "2026-01-01", 3), ("BB", "2026-01-02", 4)])
flights.append_csv([("CC", "2026-01-03", 5)], delimiter=";")
client.api.datasources.append("flights", iter([b"DD,2026-01-04,6\\n", b"EE,2026-01-05,7\\n"]), format="csv")
client.datasource("truncated").truncate()
told = {"rows": client.sql("SELECT id, name FROM events ORDER BY id").json().data}
told["template"] = client.api.query.query("% SELECT {{Int32(x, 3)}} AS a", parameters={"x": "9"}).data
told["names"] = sorted(found["name"] for found in client.api.datasources.list().datasources)
told["info"] = client.api.datasources.get_information("flights").info["name"]
told["tokens"] = sorted(found["name"] for found in client.api.tokens.list().tokens)
print(json.dumps(told))
"""


@pytest.fixture(autouse=True, scope="module")
def data_sources(server: Any) -> None:
    """The Data Sources that the programs write to."""
    server.create("events", EVENTS_SCHEMA, format="ndjson")
    for name in ("flights", "replaced", "deleted", "truncated"):
        server.create(name)
        if name != "flights":
            server.fill(name)


def run(program: Any, text: str, *arguments: str) -> Any:
    """Run a script and return the JSON of the last line that it printed."""
    return json.loads(program(program.write("script.py", text), *arguments).splitlines()[-1])


def test_tinybird_sdk(python_program: Any, server: Any, web: Any) -> None:
    """The SDK of Tinybird Forward: events, files, URLs, deletes, truncate, SQL, tokens."""
    told = run(python_program("sdk"), SDK, server.host, server.workspace_token, web.url)
    assert told["one"] == {"successful_rows": 1, "quarantined_rows": 0}
    assert told["batch"]["successful_rows"] == 2
    assert told["sql"] == [{"n": 4}]
    assert server.rows("SELECT id, tags FROM events WHERE id IN (1, 4) ORDER BY id") == [[1, ["x"]], [4, ["y", "z"]]]
    assert server.job(told["url"]["job_id"])["status"] == "done"
    assert server.rows("SELECT carrier FROM flights ORDER BY carrier") == [["AA"], ["DL"], ["UA"], ["WN"]]
    assert server.rows("SELECT carrier FROM replaced") == [["WN"]]
    assert told["dry"]["rows_to_be_deleted"] == 2
    assert server.job(told["delete"]["job_id"])["status"] == "done"
    assert server.rows("SELECT carrier FROM deleted") == [["DL"]]
    assert server.rows("SELECT count() FROM truncated") == [[0]]
    assert server.rows("SELECT count() FROM events", token=told["static"]) == [[4]]
    assert server.rows("SELECT name FROM events", token=told["jwt"]) == [["one"]]
    assert told["workspace"] == server.request("GET", "/v0/workspace").json()["name"]
    assert "Syntax error" in told["error"]


def test_tinybird_python_sdk(python_program: Any, server: Any) -> None:
    """The older SDK: any call, rows through a buffer, log lines."""
    told = run(python_program("pysdk"), PYTHON_SDK, server.host, server.workspace_token)
    assert "events" in told["names"]
    assert told["sql"] == [{"answer": 42}]
    assert server.rows("SELECT id, name FROM measured ORDER BY id") == [[n, f"n{n}"] for n in range(5)]
    assert server.rows("SELECT count(), max(id) FROM in_groups") == [[4, 3]]
    assert server.rows("SELECT levelname, message FROM log_lines") == [["ERROR", "something happened"]]


def test_verdin(python_program: Any, server: Any) -> None:
    """The client of another company: events, raw CSV and NDJSON bodies, a chunked body, templates, listings."""
    for name in ("events", "flights"):
        server.request("POST", f"/v0/datasources/{name}/truncate")
    told = run(python_program("third"), VERDIN, server.host, server.workspace_token)
    assert told["rows"] == [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}, {"id": 3, "name": "three"}]
    assert told["template"] == [{"a": 9}]
    assert {"events", "flights"} <= set(told["names"])
    assert told["info"] == "flights"
    assert "workspace admin token" in told["tokens"]
    rows = [["AA", 3], ["BB", 4], ["CC", 5], ["DD", 6], ["EE", 7]]
    assert server.rows("SELECT carrier, delay FROM flights ORDER BY carrier") == rows
    assert server.rows("SELECT count() FROM truncated") == [[0]]


def test_pytest_tinybird(python_program: Any, server: Any) -> None:
    """The pytest plugin reports the results of a test run into a Data Source that it makes."""
    python = python_program("third")
    python.write("suite/test_two.py", "def test_good():\n    pass\n\n\ndef test_bad():\n    assert False\n")
    settings = {
        "TINYBIRD_URL": server.host,
        "TINYBIRD_TOKEN": server.workspace_token,
        "TINYBIRD_DATASOURCE": "test_results",
        "TINYBIRD_WAIT": "true",
    }
    arguments = ["-m", "pytest", "--report-to-tinybird", "-p", "no:cacheprovider", "suite"]
    assert "1 failed, 1 passed" in python(*arguments, code=1, **settings)
    assert server.rows("SELECT DISTINCT test_name FROM test_results ORDER BY test_name") == [
        ["test_bad"],
        ["test_good"],
    ]
