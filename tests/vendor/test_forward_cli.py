"""The CLI of Tinybird Forward (``tb`` of the package tinybird), against the server as its cloud and as its Local."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FLIGHTS_SCHEMA = "carrier String, day Date, delay Int16"
EVENTS_SCHEMA = "id Int32 `json:$.id`, name String `json:$.name`, tags Array(String) `json:$.tags[:]`"


def uuid_in(text: str) -> str:
    """Return the first UUID of a text."""
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert found is not None, text
    return found[0]


def test_information(tb_forward: Any, server: Any) -> None:
    """The workspace is shown by every command that shows it."""
    workspace = server.request("GET", "/v1/workspace").json()
    for arguments in (["info", "--skip-local"], ["workspace", "current"], ["workspace", "ls"]):
        output = tb_forward(*arguments)
        assert workspace["id"] in output
        assert workspace["name"] in output
    assert workspace["user_email"] in tb_forward("workspace", "members", "ls")
    assert "Branches" in tb_forward("branch", "ls")


def test_rows_come(tb_forward: Any, server: Any, web: Any) -> None:
    """Rows are appended from a file, a URL and the command line, and replaced; every form goes through a job."""
    server.create("flights")
    assert "appended" in tb_forward("datasource", "append", "flights", "flights.csv")
    assert server.rows("SELECT carrier, delay FROM flights ORDER BY delay") == [["DL", -3], ["AA", 5], ["UA", 7]]
    job = server.job(uuid_in(tb_forward("datasource", "append", "flights", "--file", "more.csv", "--no-wait")))
    assert (job["kind"], job["status"]) == ("import", "done")
    assert "appended" in tb_forward("datasource", "append", "flights", "--url", f"{web.url}/more.csv")
    assert server.rows("SELECT count() FROM flights WHERE carrier = 'WN'") == [[2]]

    server.create("events", EVENTS_SCHEMA, format="ndjson")
    assert "appended" in tb_forward("datasource", "append", "events", "events.ndjson")
    event = json.dumps({"id": 7, "name": "typed", "tags": ["q"]})
    assert "1 row appended" in tb_forward("datasource", "append", "events", "--events", event)
    assert server.rows("SELECT id, name, tags FROM events WHERE id = 7") == [[7, "typed", ["q"]]]
    assert server.rows("SELECT count() FROM events") == [[3]]

    assert "replaced" in tb_forward("datasource", "replace", "flights", "flights.csv")
    assert server.rows("SELECT count(), countIf(carrier = 'WN') FROM flights") == [[3, 0]]
    tb_forward.write("late.csv", "carrier,day,delay\nAA,2026-01-01,99\n")
    tb_forward("datasource", "replace", "flights", "late.csv", "--sql-condition", "carrier = 'AA'")
    assert server.rows("SELECT carrier, delay FROM flights ORDER BY delay") == [["DL", -3], ["UA", 7], ["AA", 99]]


def test_rows_that_do_not_fit(tb_forward: Any, server: Any) -> None:
    """The good rows are stored, and the CLI shows the quarantined ones."""
    server.create("picky", "id Int32 `json:$.id`, name String `json:$.name`", format="ndjson")
    lines = '{"id":1,"name":"good"}\n{"id":"none","name":"bad"}\n'
    output = tb_forward("datasource", "append", "picky", "--events", lines)
    for expected in ("1 row appended", "1 row went to quarantine", "value 'none' on column 'id' is not Int32"):
        assert expected in output
    assert server.rows("SELECT name FROM picky") == [["good"]]
    assert server.rows("SELECT name FROM picky_quarantine") == [["bad"]]
    tb_forward.write("picky.ndjson", lines)
    tb_forward("datasource", "append", "picky", "picky.ndjson")
    assert server.rows("SELECT (SELECT count() FROM picky), (SELECT count() FROM picky_quarantine)") == [[2, 2]]
    assert "missing" in tb_forward("datasource", "append", "missing", "flights.csv", code=1)


def test_rows_are_read(tb_forward: Any, server: Any) -> None:
    """Rows are printed, queried in each output format, exported; a file is analyzed."""
    server.create("read_me")
    server.fill("read_me")
    listing = tb_forward("datasource", "ls")
    assert "read_me" in listing
    assert re.search(r"\| (AA|DL|UA) +\|", tb_forward("datasource", "data", "read_me", "--limit", "1"))
    table = tb_forward("sql", "SELECT carrier, delay FROM read_me WHERE delay > 5", "--stats")
    for expected in ("carrier", "UA", "7", "Int16"):
        assert expected in table
    output = tb_forward("--output", "json", "sql", "SELECT max(delay) AS m FROM read_me")
    assert json.loads(output)["data"] == [{"m": 7}]
    query = "SELECT carrier FROM read_me ORDER BY carrier"
    assert tb_forward("--output", "csv", "sql", query, "--rows-limit", "2").split() == ['"carrier"', '"AA"', '"DL"']
    assert "not found" in tb_forward("sql", "SELECT * FROM missing", code=1)

    tb_forward("datasource", "export", "read_me", "--format", "csv", "--where", "delay > 0", "--target", "out.csv")
    assert sorted(tb_forward.read("out.csv").split()) == [
        '"AA","2026-01-01",5',
        '"UA","2026-01-02",7',
        '"carrier","day","delay"',
    ]
    tb_forward("datasource", "export", "read_me", "--rows", "1", "--target", "out.ndjson", "--format", "ndjson")
    assert json.loads(tb_forward.read("out.ndjson"))["day"].startswith("2026-01-0")
    analysis = tb_forward("datasource", "analyze", "events.ndjson")
    for expected in ("$.tags[:]", "Array(String)", "name String"):
        assert expected in analysis


def test_rows_go(tb_forward: Any, server: Any) -> None:
    """Rows are deleted by a condition in every form the CLI has, and a Data Source is emptied."""
    server.create("goes")
    server.fill("goes")
    condition = ["datasource", "delete", "goes", "--yes", "--sql-condition"]
    assert "rows '2'" in tb_forward(*condition, "delay > 0", "--dry-run")
    assert server.rows("SELECT count() FROM goes") == [[3]]
    assert "rows deleted" in tb_forward(*condition, "carrier = 'AA'", "--wait")
    assert server.rows("SELECT carrier FROM goes ORDER BY carrier") == [["DL"], ["UA"]]
    assert "Rows affected: 1" in tb_forward(*condition, "carrier = 'UA'", "--lightweight-delete")
    assert server.rows("SELECT carrier FROM goes") == [["DL"]]
    job_id = uuid_in(tb_forward(*condition, "1", "--lightweight-delete", "--no-wait"))
    assert server.job(job_id)["status"] == "done"
    assert server.rows("SELECT count() FROM goes") == [[0]]
    server.fill("goes")
    assert "truncated" in tb_forward("datasource", "truncate", "goes", "--yes")
    assert server.rows("SELECT count() FROM goes") == [[0]]


def test_jobs(tb_forward: Any, server: Any, web: Any) -> None:
    """Jobs are listed by state and kind, shown, cancelled while they wait, and retried after a failure."""
    server.create("imported")
    start = {"name": "imported", "mode": "append"}
    failed = server.request("POST", "/v0/datasources", params={**start, "url": f"{web.url}/later.csv"}).json()["id"]
    assert server.job(failed)["status"] == "error"
    assert failed in tb_forward("job", "ls", "--status", "error", "--kind", "import")
    assert failed not in tb_forward("job", "ls", "--status", "done")
    assert "status: error" in tb_forward("job", "details", failed)
    web.files["/later.csv"] = web.files["/flights.csv"]
    output = tb_forward("job", "retry", failed)
    new = uuid_in(output.replace(failed, ""))
    assert server.job(new)["status"] == "done"
    assert server.rows("SELECT count() FROM imported") == [[3]]

    web.files["/slow.csv"] = web.files["/flights.csv"]
    web.stalled.add("/slow.csv")
    stalled = server.request("POST", "/v0/datasources", params={**start, "url": f"{web.url}/slow.csv"}).json()["id"]
    assert stalled in tb_forward("job", "cancel", stalled)
    web.release.set()
    assert server.job(stalled)["status"] == "cancelled"
    assert server.rows("SELECT count() FROM imported") == [[3]]


def test_tokens(tb_forward: Any, server: Any, clipboard: Any) -> None:
    """Static tokens are created, changed, listed, copied, refreshed, removed; a JWT reads what it may read."""
    server.create("guarded")
    server.fill("guarded")
    assert "generated" in tb_forward("token", "create", "static", "helper", "--scope", "TOKENS")
    assert "updated" in tb_forward("token", "create", "static", "helper", "--scope", "WORKSPACE:READ_ALL")
    assert "WORKSPACE:READ_ALL" in tb_forward("token", "scopes", "helper")
    assert "helper" in tb_forward("token", "ls")
    tb_forward("token", "copy", "helper")
    copied = clipboard.read_text(encoding="utf-8")
    assert server.rows("SELECT count() FROM guarded", token=copied) == [[3]]
    assert "refreshed" in tb_forward("token", "refresh", "helper", "--yes")
    assert server.request("GET", "/v0/sql", token=copied, params={"q": "SELECT 1"}).status_code == 403
    assert "removed" in tb_forward("token", "rm", "helper", "--yes")
    assert server.request("GET", "/v0/tokens/helper").status_code == 404

    limited = ["--scope", "DATASOURCES:READ", "--resource", "guarded", "--filter", "delay > 0"]
    output = tb_forward("token", "create", "jwt", "visitor", "--ttl", "1h", *limited)
    found = re.search(r"The token is: (\S+)", output)
    assert found is not None, output
    assert server.rows("SELECT count() FROM guarded", token=found[1]) == [[2]]


def test_workspaces(tb_forward: Any, server: Any) -> None:
    """A workspace is made and deleted again."""
    user = ["--user-token", server.user_token]
    assert "'Second' has been created" in tb_forward(*user, "workspace", "create", "Second")
    assert "Second" in tb_forward("workspace", "ls")
    assert "'Second' deleted" in tb_forward(*user, "workspace", "delete", "Second", "--yes")
    assert "Second" not in tb_forward("workspace", "ls")
    assert "'Third' has been created" in tb_forward(*user, "workspace", "create", "Third")
    arguments = ["workspace", "delete", "Third", "--yes", "--confirm_hard_delete", "Third"]
    assert "'Third' deleted" in tb_forward(*user, *arguments)
    listed = server.request("GET", "/v1/user/workspaces", token=server.token).json()["workspaces"]
    assert not {"Second", "Third"} & {workspace["name"] for workspace in listed}


def test_branches(tb_forward: Any, server: Any) -> None:
    """A branch is made, listed and removed again."""
    server.create("branched")
    assert "'trial' from" in tb_forward("branch", "create", "trial")
    assert "trial" in tb_forward("branch", "ls")
    names = {found["name"] for found in server.request("GET", "/v1/environments").json()["environments"]}
    assert names == {"trial"}
    assert "'trial' deleted" in tb_forward("branch", "rm", "trial", "--yes")
    assert server.request("GET", "/v1/environments").json()["environments"] == []
    assert "branched" in server.names()


def test_datafile_from_a_file(tb_forward: Any) -> None:
    """A .datasource file is written from the analysis of a CSV file."""
    tb_forward("datasource", "create", "--file", "flights.csv", "--name", "from_file")
    datafile = tb_forward.read("datasources/from_file.datasource")
    assert re.search(r"carrier`? String,\s+`?day`? Date,\s+`?delay`? Int16", datafile), datafile


def test_logs(tb_forward: Any, server: Any) -> None:
    """What happened is read back from the service Data Sources."""
    server.create("watched")
    server.fill("watched")
    deleting = server.request("POST", "/v0/datasources/watched/delete", data={"delete_condition": "0"})
    assert deleting.status_code in (200, 201), deleting.text
    source = ["logs", "--source"]
    shown(tb_forward, r"append +\| watched +\| ok", *source, "tinybird.datasources_ops_log")
    shown(tb_forward, "delete_data", *source, "tinybird.jobs_log")
    shown(tb_forward, "watched", "logs", "--start", "-10m", "--limit", "50")


def shown(tb: Any, pattern: str, *arguments: str) -> None:
    """Ask for logs until they have what is looked for: the CLI leaves out the second in which it is started."""
    for _ in range(5):
        output = tb(*arguments)
        if re.search(pattern, output):
            return
    raise AssertionError(f"{pattern} is not in:\n{output}")


def test_what_is_empty(tb_forward: Any) -> None:
    """Listings of what this workspace has not end well."""
    assert "Pipes" in tb_forward("endpoint", "ls")
    assert "Pipes" in tb_forward("pipe", "ls")
    assert "No pipe stats" in tb_forward("endpoint", "stats")
    assert "Connections" in tb_forward("connection", "ls")


def test_in_the_place_of_tinybird_local(tb_local: Any, server: Any) -> None:
    """With --local the CLI makes a workspace for the project folder and works in it, apart from the others."""
    before = set(server.names())
    output = tb_local("--local", "--output", "json", "sql", "SELECT 1 AS one")
    assert json.loads(output)["data"] == [{"one": 1}]
    listed = server.request("GET", "/v1/user/workspaces", token=server.token).json()["workspaces"]
    built = [found for found in listed if found["name"].startswith("Tinybird_Local_Build_")]
    assert len(built) == 1
    token = built[0]["token"]
    made = {"name": "local_flights", "schema": FLIGHTS_SCHEMA}
    assert server.request("POST", "/v0/datasources", token=token, data=made).status_code == 200

    assert "local_flights" in tb_local("--local", "datasource", "ls")
    assert "appended" in tb_local("--local", "datasource", "append", "local_flights", "flights.csv")
    assert server.rows("SELECT count() FROM local_flights", token=token) == [[3]]
    output = tb_local("--output", "json", "sql", "SELECT count() AS n FROM local_flights")
    assert json.loads(output)["data"] == [{"n": 3}]
    assert "truncated" in tb_local("--local", "datasource", "truncate", "local_flights", "--yes")
    assert server.rows("SELECT count() FROM local_flights", token=token) == [[0]]
    assert "import" in tb_local("--local", "job", "ls")
    assert "workspace admin token" in tb_local("--local", "token", "ls")
    assert built[0]["id"] in tb_local("local", "ls")
    assert set(server.names()) == before


def test_version_of_tinybird_local(tb_local: Any) -> None:
    """The version is a short text, not an error."""
    output = tb_local("local", "version")
    assert re.search(r"version: \S+", output), output
    assert "error" not in output
