"""The CLI of Tinybird Classic (``tb`` of the package tinybird-cli), command by command."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytestmark = pytest.mark.slow


RICH_DATAFILE = """TOKEN "rich_append" APPEND
TOKEN "rich_read" READ

TAGS "cold, hot"

DESCRIPTION >
    With everything

SCHEMA >
    `id` Int32 `json:$.id`,
    `at` DateTime `json:$.at`,
    `name` LowCardinality(String) `json:$.name` DEFAULT 'none',
    `value` Float64 `json:$.value` CODEC(ZSTD(1))

ENGINE "ReplacingMergeTree"
ENGINE_PARTITION_KEY "toYYYYMM(at)"
ENGINE_SORTING_KEY "id"
ENGINE_TTL "at + toIntervalDay(9000)"
ENGINE_VER "at"

INDEXES >
    by_value value TYPE minmax GRANULARITY 4
"""


def uuid_in(text: str) -> str:
    """Return the first UUID of a text."""
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert found is not None, text
    return found[0]


def test_login(tb_classic: Any, server: Any) -> None:
    """The login leaves the workspace in the configuration file, and the commands on it print it."""
    workspace = server.request("GET", "/v0/workspace").json()
    configuration = json.loads(tb_classic.read(".tinyb"))
    assert configuration["id"] == workspace["id"]
    assert configuration["name"] == workspace["name"]
    assert configuration["user_email"] == workspace["user_email"]
    assert configuration["scope"] == "admin"
    for arguments in (["auth", "info"], ["workspace", "current"], ["workspace", "ls"]):
        assert workspace["id"] in tb_classic(*arguments)
    assert "https://api.us-east.tinybird.co" in tb_classic("auth", "ls")
    assert workspace["user_email"] in tb_classic("workspace", "members", "ls")


def test_wrong_token(tb_classic: Any, server: Any) -> None:
    """A wrong token is refused and the login stays as it was."""
    before = tb_classic.read(".tinyb")
    output = tb_classic("auth", "--host", server.host, "--token", "p.wrong.token", code=1)
    assert "token" in output.lower()
    assert tb_classic.read(".tinyb") == before


def test_csv_to_rows(tb_classic: Any, server: Any, web: Any) -> None:
    """From a CSV file to a Data Source: analyze, generate, push, append (file, v1, URL), replace, list."""
    analysis = tb_classic("datasource", "analyze", "flights.csv")
    for expected in ("carrier String, day Date, delay Int16", "Date", "delimiter"):
        assert expected in analysis
    tb_classic("datasource", "generate", "flights.csv", "--force")
    datafile = tb_classic.read("datasources/flights.datasource")
    assert re.search(r"carrier`? String,\s+`?day`? Date,\s+`?delay`? Int16", datafile), datafile
    assert "json:" not in datafile
    assert "'flights' created" in tb_classic("push", "datasources/flights.datasource")
    assert server.columns("flights") == ["carrier", "day", "delay"]

    assert "Total rows in flights: 3" in tb_classic("datasource", "append", "flights", "flights.csv")
    assert server.rows("SELECT carrier, delay FROM flights ORDER BY delay") == [["DL", -3], ["AA", 5], ["UA", 7]]
    output = tb_classic("datasource", "append", "flights", "more.csv", "--experimental", "use_v1", "--wait")
    job = server.job(uuid_in(output))
    assert (job["status"], job["kind"]) == ("done", "import")
    assert server.rows("SELECT count() FROM flights") == [[4]]
    output = tb_classic("datasource", "append", "flights", f"{web.url}/more.csv")
    assert "appended to Data Source 'flights' successfully" in output
    assert server.rows("SELECT count() FROM flights WHERE carrier = 'WN'") == [[2]]
    tb_classic("datasource", "replace", "flights", "flights.csv")
    assert server.rows("SELECT count(), countIf(carrier = 'WN') FROM flights") == [[3, 0]]
    tb_classic.write("late.csv", "carrier,day,delay\nAA,2026-01-01,99\n")
    tb_classic("datasource", "replace", "flights", "late.csv", "--sql-condition", "carrier = 'AA'")
    assert server.rows("SELECT carrier, delay FROM flights ORDER BY delay") == [["DL", -3], ["UA", 7], ["AA", 99]]

    listing = json.loads(tb_classic("datasource", "ls", "--match", "flights", "--format", "json"))
    assert [(found["name"], found["row_count"]) for found in listing["datasources"]] == [("flights", 3)]
    assert "flights" in tb_classic("datasource", "ls")


def test_append_creates_what_is_missing(tb_classic: Any, server: Any) -> None:
    """An append to a name that does not exist makes the Data Source from the file."""
    tb_classic("datasource", "append", "made_by_append", "flights.csv")
    assert server.rows("SELECT count(), sum(delay) FROM made_by_append") == [[3, 9]]


def test_datafile_round_trip(tb_classic: Any, server: Any) -> None:
    """A .datasource file is pushed, filled, changed, pulled back and found equal."""
    datafile = "datasources/events.datasource"
    assert "processed correctly" in tb_classic("check", datafile)
    assert "'events' created" in tb_classic("push", datafile)
    found = server.request("GET", "/v0/datasources/events").json()
    assert found["description"] == "Some events"
    assert found["engine"]["engine_sorting_key"] == "id"
    assert "Total rows in events: 2" in tb_classic("datasource", "append", "events", "events.ndjson")
    assert server.rows("SELECT id, name, tags FROM events ORDER BY id") == [[1, "a", ["x", "y"]], [2, "b", ["z"]]]
    assert "already exists, skipping" in tb_classic("push", datafile)

    text = tb_classic.read(datafile).replace("tags[:]`", "tags[:]`,\n    `extra` Nullable(String) `json:$.extra`")
    tb_classic.write(datafile, text)
    output = tb_classic("push", datafile, "--force", "--yes")
    assert "ADD COLUMN" in output
    assert "correctly updated" in output
    assert server.columns("events") == ["id", "name", "tags", "extra"]
    assert server.rows("SELECT id, extra FROM events ORDER BY id") == [[1, None], [2, None]]

    assert "ENGINE_SORTING_KEY id" in tb_classic("fmt", datafile, "--yes")
    (tb_classic.folder / "pulled").mkdir()
    tb_classic("pull", "--folder", "pulled", "--match", "events", "--force")
    pulled = tb_classic.read("pulled/datasources/events.datasource")
    for expected in ("Some events", "`extra` Nullable(String) `json:$.extra`", "ENGINE_SORTING_KEY"):
        assert expected in pulled
    assert tb_classic("diff", datafile, "--no-color").strip() == ""
    tb_classic.write(datafile, text.replace("`name` String", "`name` LowCardinality(String)"))
    difference = tb_classic("diff", datafile, "--no-color")
    assert "-    `name` String" in difference
    assert "+    `name` LowCardinality(String)" in difference


def test_project(tb_classic: Any, server: Any) -> None:
    """A project is pushed with its tokens, tags, indexes, TTL and fixtures; a changed definition is pushed again."""
    datafile = tb_classic.write("datasources/rich.datasource", RICH_DATAFILE)
    tb_classic.write("datasources/fixtures/plain.csv", "a,b\n1,x\n2,y\n")
    plain = tb_classic.write("datasources/plain.datasource", "SCHEMA >\n    `a` Int32,\n    `b` String\n")
    output = tb_classic("push", datafile, plain, "--fixtures", "--yes")
    for name in ("rich", "plain"):
        assert f"'{name}' created" in output
    assert server.rows("SELECT a, b FROM plain ORDER BY a") == [[1, "x"], [2, "y"]]
    found = server.request("GET", "/v0/datasources/rich").json()
    engine = {
        "engine": "ReplacingMergeTree",
        "engine_partition_key": "toYYYYMM(at)",
        "engine_sorting_key": "id",
        "engine_ttl": "at + toIntervalDay(9000)",
        "engine_ver": "at",
    }
    assert {key: found["engine"][key] for key in engine} == engine
    assert [(index["name"], index["type_full"]) for index in found["indexes"]] == [("by_value", "minmax")]
    assert [column["default_value"] for column in found["columns"]] == [None, None, "DEFAULT 'none'", None]
    append, read = (server.request("GET", f"/v0/tokens/rich_{right}").json() for right in ("append", "read"))
    assert append["scopes"] == [{"type": "DATASOURCES:APPEND", "resource": "rich"}]
    event = '{"id": 1, "at": "2026-01-01 00:00:00", "value": 0.5}'
    reply = server.request(
        "POST", "/v0/events", params={"name": "rich", "wait": "true"}, data=event, token=append["token"]
    )
    assert reply.json() == {"successful_rows": 1, "quarantined_rows": 0}
    assert server.rows("SELECT name, value FROM rich", token=read["token"]) == [["none", 0.5]]
    tags = {tag["name"]: [resource["name"] for resource in tag["resources"]] for tag in server.tags()}
    assert tags == {"hot": ["rich"], "cold": ["rich"]}

    changed = RICH_DATAFILE.replace("9000", "8000").replace("GRANULARITY 4", "GRANULARITY 2")
    tb_classic.write(datafile, changed)
    assert "correctly updated" in tb_classic("push", datafile, "--force", "--yes")
    found = server.request("GET", "/v0/datasources/rich").json()
    assert found["engine"]["engine_ttl"] == "at + toIntervalDay(8000)"
    assert [index["granularity"] for index in found["indexes"]] == [2]
    assert server.rows("SELECT value FROM rich") == [[0.5]]
    assert tb_classic("diff", datafile, "--no-color").strip() == ""


def test_quarantine_is_told(tb_classic: Any, server: Any) -> None:
    """Rows that do not fit go to the quarantine; the good ones are stored, and the CLI tells of the bad ones."""
    server.create("picky", "id Int32 `json:$.id`, name String `json:$.name`", format="ndjson")
    tb_classic.write("picky.ndjson", '{"id":1,"name":"good"}\n{"id":"none","name":"bad"}\n')
    output = tb_classic("datasource", "append", "picky", "picky.ndjson", code=None)
    assert "quarantine" in output.lower()
    assert server.rows("SELECT name FROM picky") == [["good"]]
    assert server.rows("SELECT name FROM picky_quarantine") == [["bad"]]


def test_rows_go(tb_classic: Any, server: Any) -> None:
    """Rows are deleted by a condition in every form the CLI has, and a Data Source is emptied and dropped."""
    server.create("goes")
    server.fill("goes")
    condition = ["datasource", "delete", "goes", "--yes", "--sql-condition"]
    assert "rows '2'" in tb_classic(*condition, "delay > 0", "--dry-run")
    assert server.rows("SELECT count() FROM goes") == [[3]]
    job_id = uuid_in(tb_classic(*condition, "carrier = 'AA'"))
    assert server.job(job_id)["status"] == "done"
    assert server.rows("SELECT count() FROM goes") == [[2]]
    assert "rows deleted" in tb_classic(*condition, "carrier = 'UA'", "--wait")
    assert server.rows("SELECT carrier FROM goes") == [["DL"]]
    assert "Rows affected: 1" in tb_classic(*condition, "carrier = 'DL'", "--lightweight-delete")
    assert server.rows("SELECT count() FROM goes") == [[0]]
    job_id = uuid_in(tb_classic(*condition, "1", "--lightweight-delete", "--no-wait"))
    assert server.job(job_id)["status"] == "done"

    for arguments in ([], ["--cascade"]):
        server.fill("goes")
        assert "truncated" in tb_classic("datasource", "truncate", "goes", "--yes", *arguments)
        assert server.rows("SELECT count() FROM goes") == [[0]]
    assert "'goes' deleted" in tb_classic("datasource", "rm", "goes", "--yes")
    assert "goes" not in server.names()
    assert "does not exist" in tb_classic("datasource", "rm", "goes", "--yes", code=1)


def test_exchange(tb_classic: Any, server: Any) -> None:
    """Two Data Sources swap their rows."""
    server.create("one_side")
    server.create("other_side")
    server.fill("one_side")
    assert "exchanged" in tb_classic("datasource", "exchange", "one_side", "other_side", "--yes")
    assert server.rows("SELECT (SELECT count() FROM one_side), (SELECT count() FROM other_side)") == [[0, 3]]


def test_sql(tb_classic: Any, server: Any) -> None:
    """Queries in every output format, with limits and statistics, long ones, and what is refused."""
    server.create("asked")
    server.fill("asked")
    table = tb_classic("sql", "SELECT carrier, delay FROM asked", "--stats")
    assert "Query took" in table
    assert "Rows read: 3" in table
    assert re.search(r"\| DL +\| +-3 +\|", table), table
    answer = json.loads(tb_classic("sql", "SELECT carrier FROM asked ORDER BY carrier", "--format", "json"))
    assert answer["data"] == [{"carrier": "AA"}, {"carrier": "DL"}, {"carrier": "UA"}]
    text = tb_classic("sql", "SELECT carrier FROM asked ORDER BY carrier", "--format", "csv", "--rows_limit", "2")
    assert text.split() == ['"carrier"', '"AA"', '"DL"']
    assert "No rows" in tb_classic("sql", f"SELECT carrier FROM asked WHERE carrier = '{'x' * 5000}'")
    assert "'missing' not found" in tb_classic("sql", "SELECT * FROM missing", code=1)
    assert "Syntax error" in tb_classic("sql", "SELEC 1", code=1)
    assert "Only SELECT" in tb_classic("sql", "INSERT INTO asked VALUES (1)", code=1)


def test_sql_of_a_pipe_file(tb_classic: Any, server: Any) -> None:
    """A node of a local .pipe file is run; what the file reads is looked up through the server."""
    server.create("piped")
    server.fill("piped")
    sql = "SELECT count() AS late_flights FROM piped WHERE delay > 0"
    tb_classic.write("pipes/late.pipe", f"NODE counted\nSQL >\n    {sql}\n")
    output = tb_classic("sql", "--pipe", "pipes/late.pipe", "--node", "counted", "--format", "json")
    assert json.loads(output)["data"] == [{"late_flights": 2}]


def test_jobs(tb_classic: Any, server: Any, web: Any) -> None:
    """Jobs are listed and shown; one that waits for its file is cancelled."""
    server.create("imported")
    tb_classic("datasource", "append", "imported", f"{web.url}/flights.csv")
    done = server.request("GET", "/v0/jobs").json()["jobs"][0]
    assert done["id"] in tb_classic("job", "ls", "--status", "done")
    assert done["id"] not in tb_classic("job", "ls", "--status", "error")
    details = tb_classic("job", "details", done["id"])
    assert "kind: import" in details
    assert f"{web.url}/flights.csv" in details

    web.files["/slow.csv"] = web.files["/flights.csv"]
    web.stalled.add("/slow.csv")
    started = server.request(
        "POST", "/v0/datasources", params={"name": "imported", "mode": "append", "url": f"{web.url}/slow.csv"}
    ).json()
    output = tb_classic("job", "cancel", started["id"])
    assert started["id"] in output
    assert "cancel" in output
    web.release.set()
    assert server.job(started["id"])["status"] == "cancelled"
    assert server.rows("SELECT count() FROM imported") == [[3]]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert unknown in tb_classic("job", "details", unknown, code=1)


def test_tokens(tb_classic: Any, server: Any, clipboard: Any) -> None:
    """Static tokens are created, listed, copied, refreshed and removed; a JWT reads what it may read."""
    server.create("guarded")
    server.fill("guarded")
    scope = ["--scope", "DATASOURCES:READ", "--resource", "guarded", "--filter", "delay > 0"]
    assert "successfully" in tb_classic("token", "create", "static", "late_reader", *scope)
    assert "late_reader" in tb_classic("token", "ls", "--match", "late")
    scopes = tb_classic("token", "scopes", "late_reader")
    for expected in ("DATASOURCES:READ", "guarded", "delay > 0"):
        assert expected in scopes
    tb_classic("token", "copy", "late_reader")
    copied = clipboard.read_text(encoding="utf-8")
    assert server.rows("SELECT count() FROM guarded", token=copied) == [[2]]

    assert "refreshed" in tb_classic("token", "refresh", "late_reader", "--yes")
    assert server.request("GET", "/v0/sql", token=copied, params={"q": "SELECT 1"}).status_code == 403
    tb_classic("token", "copy", "late_reader")
    refreshed = clipboard.read_text(encoding="utf-8")
    assert refreshed != copied
    assert server.rows("SELECT count() FROM guarded", token=refreshed) == [[2]]
    assert "removed" in tb_classic("token", "rm", "late_reader", "--yes")
    assert server.request("GET", "/v0/tokens/late_reader").status_code == 404
    assert "does not exist" in tb_classic("token", "rm", "late_reader", "--yes", code=1)

    limited = ["--scope", "DATASOURCES:READ", "--resource", "guarded", "--filter", "carrier = 'DL'"]
    output = tb_classic("token", "create", "jwt", "visitor", "--ttl", "1h", *limited)
    found = re.search(r"The token is: (\S+)", output)
    assert found is not None, output
    assert server.rows("SELECT carrier FROM guarded", token=found[1]) == [["DL"]]


def test_workspaces(tb_classic: Any, server: Any) -> None:
    """A second workspace is made, gets a shared Data Source, is used and deleted."""
    home = server.request("GET", "/v0/workspace").json()["name"]
    user = ["--user_token", server.user_token]
    server.create("shared_rows")
    server.fill("shared_rows")
    assert "'Second' has been created" in tb_classic("workspace", "create", "Second", *user)
    assert "Second" in tb_classic("workspace", "ls")
    assert "correctly shared" in tb_classic("datasource", "share", "shared_rows", "Second", *user, "--yes")
    try:
        assert "Now using Second" in tb_classic("workspace", "use", "Second")
        second = json.loads(tb_classic.read(".tinyb"))["token"]
        assert server.names(token=second) == {f"{home}.shared_rows"}
        listing = tb_classic("datasource", "ls")
        assert home in listing
        assert "shared_rows" in listing
        output = tb_classic("sql", f"SELECT count() AS n FROM {home}.shared_rows", "--format", "json")
        assert json.loads(output)["data"] == [{"n": 3}]
        tb_classic("datasource", "append", "own_rows", "flights.csv")
        assert "Removing" in tb_classic("workspace", "clear", "--yes")
        assert "own_rows" not in server.names(token=second)
    finally:
        tb_classic("workspace", "use", home)
    assert "correctly unshared" in tb_classic("datasource", "unshare", "shared_rows", "Second", *user, "--yes")
    assert server.names(token=second) == set()
    assert server.rows("SELECT count() FROM shared_rows") == [[3]]
    assert "'Second' deleted" in tb_classic("workspace", "delete", "Second", *user, "--yes")
    assert "Second" not in tb_classic("workspace", "ls")


def test_members(tb_classic: Any, server: Any) -> None:
    """Another user comes into the workspace, gets another role and goes."""
    user = ["--user_token", server.user_token]

    def roles() -> dict[str, str]:
        listed = server.request("GET", "/v0/user/workspaces", token=server.token).json()["workspaces"]
        return {member["email"]: member["role"] for member in listed[0]["members"]}

    tb_classic("workspace", "members", "add", "guest@example.com", "--role", "guest", *user)
    assert roles()["guest@example.com"] == "guest"
    tb_classic("workspace", "members", "set-role", "viewer", "guest@example.com", *user)
    assert roles()["guest@example.com"] == "viewer"
    tb_classic("workspace", "members", "rm", "guest@example.com", *user)
    assert "guest@example.com" not in roles()


def test_branches(tb_classic: Any, server: Any) -> None:
    """A branch is made, shown and removed again."""
    server.create("branched")
    assert "'trial' from" in tb_classic("branch", "create", "trial")
    try:
        assert "trial" in tb_classic("branch", "ls")
        assert "trial" in tb_classic("branch", "current")
        branch = json.loads(tb_classic.read(".tinyb"))["token"]
        assert branch != server.token
        assert "branched" in server.names(token=branch)
    finally:
        assert "'trial' deleted" in tb_classic("branch", "rm", "trial", "--yes")
    assert "trial" not in tb_classic("branch", "ls")
    assert "branched" in server.names()


def test_what_is_empty(tb_classic: Any, server: Any) -> None:
    """Listings of what this workspace has not end well; a tag is made, listed and removed."""
    assert "Pipes" in tb_classic("pipe", "ls")
    assert "Error" not in tb_classic("dependencies")
    assert "Connections" in tb_classic("connection", "ls")
    before = {tag["name"] for tag in server.tags()}
    assert "'late' created" in tb_classic("tag", "create", "late")
    assert "late" in tb_classic("tag", "ls")
    assert {tag["name"] for tag in server.tags()} == before | {"late"}
    tb_classic("tag", "rm", "late", "--yes")
    assert {tag["name"] for tag in server.tags()} == before
