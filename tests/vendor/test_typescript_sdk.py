"""Packages for Node that speak to Tinybird: the vendor's SDK, its generator of test data, and zod-bird."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parent
EVENTS_SCHEMA = "id Int32 `json:$.id`, name String `json:$.name`, tags Array(String) `json:$.tags[:]`"


def run(node: Any, script: str, *arguments: str) -> Any:
    """Run a script of this folder and return the JSON of the last line that it printed."""
    text = (SCRIPTS / script).read_text(encoding="utf-8")
    return json.loads(node(node.write(script, text), *arguments).splitlines()[-1])


def test_sdk(node: Any, server: Any, web: Any) -> None:
    """The TypeScript SDK: events, files, URLs, deletes, truncate, SQL, tokens, typed Data Sources."""
    server.create("events", EVENTS_SCHEMA, format="ndjson")
    for name in ("flights", "typed_flights", "deleted", "truncated"):
        server.create(name)
    for name in ("deleted", "truncated"):
        server.fill(name)

    told = run(node, "typescript_sdk.mjs", server.host, server.workspace_token, web.url)
    assert told["one"] == {"successful_rows": 1, "quarantined_rows": 0}
    assert told["batch"]["successful_rows"] == 2
    assert told["sql"] == [{"n": 5}]
    assert server.rows("SELECT id, tags FROM events WHERE id IN (1, 5) ORDER BY id") == [[1, ["x"]], [5, ["q"]]]
    assert server.job(told["url"]["job_id"])["status"] == "done"
    assert server.rows("SELECT carrier FROM flights ORDER BY carrier") == [["AA"], ["DL"], ["UA"], ["WN"]]
    assert told["typedDry"]["rows_to_be_deleted"] == 1
    assert server.rows("SELECT carrier FROM typed_flights") == [["WN"]]
    assert told["dry"]["rows_to_be_deleted"] == 2
    assert server.job(told["delete"]["job_id"])["status"] == "done"
    assert server.rows("SELECT carrier FROM deleted") == [["DL"]]
    assert server.rows("SELECT count() FROM truncated") == [[0]]
    assert server.rows("SELECT count() FROM events", token=told["static"]) == [[5]]
    assert server.rows("SELECT name FROM events", token=told["jwt"]) == [["one"]]
    workspace = server.request("GET", "/v1/workspace").json()
    assert told["workspace"] == {"id": workspace["id"], "name": workspace["name"]}
    assert told["status"] == 400
    assert "Syntax error" in told["error"]


def test_other_packages(node: Any, server: Any) -> None:
    """Rows from zod-bird and from the vendor's generator of test data arrive; both make their Data Source."""
    told = run(node, "node_packages.mjs", server.host, server.workspace_token)
    assert told["zod"] == [2, 1]
    assert server.rows("SELECT id, name FROM zod_rows ORDER BY id") == [[1, "default"], [2, "given"], [3, "default"]]
    assert server.rows("SELECT count() >= 20, min(id) >= 1, max(id) <= 9 FROM generated_rows") == [[1, 1, 1]]
