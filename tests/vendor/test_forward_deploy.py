"""The CLI of Tinybird Forward builds, deploys and tests projects, with the server as its cloud and as its Local."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

pytestmark = pytest.mark.slow

VISITS = """TOKEN "visit_collector" APPEND

SCHEMA >
    `ts` DateTime `json:$.ts`,
    `page` String `json:$.page`

ENGINE "MergeTree"
ENGINE_SORTING_KEY "page, ts"
"""

TOP = """TOKEN "top_reader" READ

NODE counted
SQL >
    %
    SELECT page, count() AS visits FROM visits WHERE page != {{String(without, '')}} GROUP BY page ORDER BY page

TYPE endpoint
"""

TEST = """
- name: everything
  description: All pages
  parameters: ''
  expected_result: |
    {"page":"first","visits":2}
    {"page":"second","visits":1}

- name: filtered
  description: Without one page
  parameters: without=first
  expected_result: |
    {"page":"second","visits":1}
"""

ROWS = "".join(
    f'{{"ts": "2026-01-0{day} 10:00:00", "page": "{page}"}}\n'
    for day, page in ((1, "first"), (2, "first"), (3, "second"))
)


def project(program: Any, name: str) -> Any:
    """Return the program in a new folder with a project."""
    folder = program.folder / name
    folder.mkdir()
    placed = replace(program, folder=folder)
    placed.write("datasources/visits.datasource", VISITS)
    placed.write("endpoints/top_pages.pipe", TOP)
    placed.write("fixtures/visits.ndjson", ROWS)
    placed.write("tests/top_pages.yaml", TEST)
    return placed


@pytest.fixture
def cloud(tb_forward: Any, server: Any, request: pytest.FixtureRequest) -> Any:
    """The CLI in a project, in a workspace of its own."""
    name = f"deploys_{request.node.name}"
    reply = server.request("POST", "/v1/workspaces", params={"name": name}, token=server.user_token)
    assert reply.status_code == 200, reply.text
    listed = server.request("GET", "/v0/user/workspaces", token=server.user_token).json()["workspaces"]
    [token] = [each["token"] for each in listed if each["name"] == name]
    command = [*tb_forward.command[:-1], token]
    return replace(project(replace(tb_forward, command=command), name), command=command)


def token_of(program: Any) -> str:
    """Return the token that a program was given."""
    return str(program.command[-1])


def data(server: Any, token: str, **parameters: str) -> list[dict[str, Any]]:
    """Call the endpoint."""
    reply = server.request("GET", "/v0/pipes/top_pages.json", token=token, params=parameters)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["data"]
    return found


def test_deploy(cloud: Any, server: Any) -> None:
    """Check, deploy, deploy again, change, look at the list; the endpoint has data."""
    checked = cloud("deploy", "--check")
    assert "datasources/visits.datasource" in checked
    assert "Deployment is valid" in checked
    assert server.names(token=token_of(cloud)) == set()
    deployed = cloud("deploy")
    assert "Deployment #1 is live!" in deployed
    assert "visit_collector" in deployed
    assert "visits.datasource:APPEND" in deployed
    cloud("datasource", "append", "visits", "--file", "fixtures/visits.ndjson")
    assert data(server, token_of(cloud)) == [{"page": "first", "visits": 2}, {"page": "second", "visits": 1}]
    assert "Not deploying. No changes." in cloud("deploy")
    cloud.write("endpoints/top_pages.pipe", TOP.replace("ORDER BY page", "ORDER BY visits"))
    changed = cloud("deploy")
    assert "modified" in changed
    assert "Deployment #2 is live!" in changed
    assert [each["page"] for each in data(server, token_of(cloud))] == ["second", "first"]
    listed = cloud("deployment", "ls")
    assert "Live" in listed
    assert "Staging" not in listed


def test_bad_projects(cloud: Any, server: Any) -> None:
    """Every mistake is shown with its file, and nothing is there afterwards."""
    cloud.write("endpoints/top_pages.pipe", TOP.replace("SELECT page", "SELECT pag"))
    cloud.write("datasources/other.datasource", "SCHEMA >\n    `a` Nonsense\n")
    for arguments in (("deploy", "--check"), ("deploy",)):
        output = cloud(*arguments, code=1)
        assert "endpoints/top_pages.pipe" in output
        assert "datasources/other.datasource" in output
        assert "Nonsense" in output
    assert server.names(token=token_of(cloud)) == set()


def test_evolution(cloud: Any, server: Any) -> None:
    """A change of a type needs a FORWARD_QUERY; a Data Source goes only when that is allowed."""
    cloud("deploy")
    cloud("datasource", "append", "visits", "--file", "fixtures/visits.ndjson")
    schema = VISITS.replace("`ts` DateTime `json:$.ts`", "`day` Date `json:$.day`").replace("page, ts", "page, day")
    cloud.write("datasources/visits.datasource", schema)
    assert "FORWARD_QUERY" in cloud("deploy", code=1)
    forward = "\nFORWARD_QUERY >\n    SELECT toDate(ts) AS day, page\n"
    cloud.write("datasources/visits.datasource", schema + forward)
    cloud("deploy")
    token = token_of(cloud)
    assert server.rows("SELECT min(day), max(day) FROM visits", token=token) == [["2026-01-01", "2026-01-03"]]
    assert server.rows("SELECT count() FROM visits", token=token) == [[3]]
    (cloud.folder / "datasources" / "visits.datasource").unlink()
    (cloud.folder / "endpoints" / "top_pages.pipe").unlink()
    cloud.write("datasources/rest.datasource", "SCHEMA >\n    `a` Int32 `json:$.a`\n")
    assert "visits" in cloud("deploy", code=1)
    cloud("deploy", "--allow-destructive-operations")
    assert server.names(token=token) == {"rest"}


def test_staging(cloud: Any, server: Any) -> None:
    """A deployment is created, listed, discarded; another one is promoted."""
    cloud("deploy")
    cloud.write("endpoints/top_pages.pipe", TOP.replace("AS visits", "AS hits"))
    created = cloud("deployment", "create", "--wait")
    assert "Deployment is ready" in created
    assert "Staging" in cloud("deployment", "ls")
    assert "Discard process successfully completed" in cloud("deployment", "discard", "--wait")
    assert "Staging" not in cloud("deployment", "ls")
    cloud("deployment", "create", "--wait")
    assert "is live!" in cloud("deployment", "promote", "--wait")
    cloud("datasource", "append", "visits", "--file", "fixtures/visits.ndjson")
    assert data(server, token_of(cloud))[0] == {"page": "first", "hits": 2}
    assert "Staging" not in cloud("deployment", "ls")


def test_reading_what_was_deployed(cloud: Any) -> None:
    """The lists of the CLI and its copy of the project."""
    cloud("deploy")
    assert "visits" in cloud("datasource", "ls")
    assert "top_pages" in cloud("endpoint", "ls")
    assert "top_pages" in cloud("pipe", "ls")
    cloud("pull", "--force", code=None)


def test_build(tb_local: Any, server: Any) -> None:
    """``tb --local build`` makes the project and fills it with its fixtures."""
    local = project(tb_local, "built")
    output = local("--local", "build")
    assert "datasources/visits.datasource created" in output
    assert "endpoints/top_pages.pipe created" in output
    assert "Build completed" in output
    rows = json.loads(local("--local", "--output", "json", "sql", "SELECT count() AS n FROM visits"))
    assert rows["data"] == [{"n": 3}]
    assert "No changes" in local("--local", "build")
    local.write("endpoints/top_pages.pipe", TOP.replace("SELECT page", "SELECT pag"))
    output = local("--local", "build", code=1)
    assert "endpoints/top_pages.pipe" in output
    local.write("endpoints/top_pages.pipe", TOP.replace("AS visits", "AS hits"))
    assert "endpoints/top_pages.pipe changed" in local("--local", "build")


def test_local_deploy(tb_local: Any) -> None:
    """``tb --local deploy`` deploys to the same server."""
    local = project(tb_local, "deployed_locally")
    assert "is live!" in local("--local", "deploy")
    assert "Live" in local("--local", "deployment", "ls")
    assert "No changes" in local("--local", "deploy")


def test_tests(tb_local: Any) -> None:
    """``tb test run`` builds a workspace of its own, and compares what endpoints answer."""
    local = project(tb_local, "tested")
    output = local("--local", "test", "run")
    assert "everything passed" in output
    assert "filtered passed" in output
    local.write("tests/top_pages.yaml", TEST.replace('"visits":2', '"visits":5'))
    assert "everything failed" in local("--local", "test", "run", code=1)
