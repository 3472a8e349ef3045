"""Whole projects on the server: deployed, filled with thousands of events, every endpoint called, numbers compared.

The projects are in ``tests/projects``; what their endpoints have to answer is computed in Python over the same events
(``tests/projects/expected.py``).
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "projects"


def module_of(name: str) -> Any:
    """Load a module of the package of the projects, which lies in the folder of the tests."""
    tests = str(FOLDER.parent)
    if tests not in sys.path:
        sys.path.append(tests)
    return importlib.import_module(f"projects.{name}")


events = module_of("events")
expected = module_of("expected")
project = module_of("project")
cases = module_of("cases")


@dataclass(frozen=True)
class Live:
    """A project that is deployed and filled.

    Attributes:
        project: which one.
        call: sends a request to its workspace.
        data: what was sent, by Data Source.
    """

    project: Any
    call: Callable[..., requests.Response]
    data: dict[str, list[dict[str, Any]]]

    def sql(self, q: str) -> list[list[Any]]:
        """Return the rows of a query as lists."""
        reply = self.call("POST", "/v0/sql", data={"q": f"{q} FORMAT JSONCompact"})
        assert reply.status_code == 200, reply.text
        rows: list[list[Any]] = reply.json()["data"]
        return rows

    def rows(self, endpoint: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        """Return the rows of an endpoint."""
        reply = self.call("GET", f"/v0/pipes/{endpoint}.json", params=parameters)
        assert reply.status_code == 200, f"{endpoint}: {reply.text}"
        rows: list[dict[str, Any]] = reply.json()["data"]
        return rows

    def run_copy(self, pipe: str, parameters: dict[str, str]) -> None:
        """Run a Copy Pipe to its end."""
        reply = self.call("POST", f"/v0/pipes/{pipe}/copy", params=parameters)
        assert reply.status_code == 200, reply.text
        job = project.finished(self.call, reply.json()["job"]["job_id"])
        assert job["status"] == "done", job


def caller(host: str, token: str) -> Callable[..., requests.Response]:
    """Return what sends requests to a server with a token."""

    def call(method: str, path: str, **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {arguments.pop('token', token)}", **arguments.pop("headers", {})}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, host + path, headers=headers, timeout=60, **arguments)

    return call


class Projects:
    """The projects that are on the server so far."""

    def __init__(self, host: str, tokens: dict[str, str]) -> None:
        self._host = host
        self._tokens = tokens
        self._live: dict[str, Live | BaseException] = {}

    def __getitem__(self, name: str) -> Live:
        """Return a project; the first time it is put into a workspace of its own."""
        if name not in self._live:
            try:
                self._live[name] = self._made(name)
            except BaseException as error:
                self._live[name] = error
        found = self._live[name]
        if isinstance(found, BaseException):
            raise found
        return found

    def _made(self, name: str) -> Live:
        reply = caller(self._host, self._tokens["user_token"])(
            "POST", "/v1/workspaces", params={"name": f"project_{name}"}
        )
        assert reply.status_code == 200, reply.text
        chosen = project.PROJECTS[name]
        live = Live(
            chosen, caller(self._host, reply.json()["token"]), {key: rows() for key, rows in cases.SENT[name].items()}
        )
        live.call("POST", "/v0/variables", data={"name": "partner_key", "value": "open sesame"})
        if chosen.classic:
            project.push(live.call, chosen)
        else:
            project.deploy(live.call, chosen)
        for datasource, rows in live.data.items():
            if datasource in cases.AS_CSV:
                project.load(live.call, datasource, events.csv_text(rows), "csv")
            elif datasource in cases.AS_NDJSON_FILE:
                project.load(live.call, datasource, events.ndjson(rows), "ndjson")
            else:
                project.send(live.call, datasource, rows)
        for of, pipe, *_ in cases.COPIES:
            if of == name:
                live.run_copy(pipe, {})
        return live


@pytest.fixture(scope="module")
def projects(server: Any, tokens: dict[str, str]) -> Iterator[Projects]:
    """The projects on the server."""
    return Projects(server.host, tokens)


NAMES = list(project.PROJECTS)
CHECKS = [(name, check) for name in NAMES for check in expected.CHECKS.get(name, [])]


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_there(projects: Projects, name: str) -> None:
    """Each datafile has become a resource of its type."""
    live = projects[name]
    listed = live.call("GET", "/v0/datasources").json()["datasources"]
    assert {file.name for file in live.project.datasources()} <= {found["name"] for found in listed}
    pipes = {found["name"]: found["type"] for found in live.call("GET", "/v0/pipes").json()["pipes"]}
    default = {"standard": "default"}
    for file in live.project.pipes():
        kind = project.type_of(file, live.project.classic)
        assert pipes[file.name] == default.get(kind, kind), file.name


@pytest.mark.parametrize("name", NAMES)
def test_endpoints_answer_with_their_defaults(projects: Projects, name: str) -> None:
    """Every endpoint of the project answers without parameters, but for the one that must not."""
    live = projects[name]
    silent = {endpoint for of, endpoint, parameters, _, _ in cases.REFUSALS if of == name and not parameters}
    answers = {
        endpoint: live.call("GET", f"/v0/pipes/{endpoint}.json")
        for endpoint in live.project.of_type("endpoint")
        if endpoint not in silent
    }
    assert len(answers) >= 6
    assert {name: reply.text for name, reply in answers.items() if reply.status_code != 200} == {}


@pytest.mark.parametrize(("name", "check"), CHECKS, ids=[f"{name}-{check.endpoint}" for name, check in CHECKS])
def test_numbers(projects: Projects, name: str, check: Any) -> None:
    """An endpoint gives the rows that follow from the events."""
    live = projects[name]
    rows = live.rows(check.endpoint, check.parameters)
    wanted = check.rows(live.data)
    different = [pair for pair in zip(rows, wanted, strict=False) if not expected.same(*pair)]
    assert different == []
    assert len(rows) == len(wanted)


@pytest.mark.parametrize(("name", "rollup", "below"), cases.ROLLUPS, ids=[name for name, _, _ in cases.ROLLUPS])
def test_views_hold_what_their_rows_say(projects: Projects, name: str, rollup: str, below: str) -> None:
    """A materialized result is that of the same query over the rows it was made of."""
    live = projects[name]
    found = live.sql(rollup)
    assert len(found) > 2
    assert found == live.sql(below)


def test_views_of_the_gallery(projects: Projects) -> None:
    """Each form of a view has its rows: of all events, of some, or of each twice; states merge to the right values."""
    live = projects["sql_gallery"]
    assert {name: live.sql(f"SELECT count() FROM mv_{name}")[0][0] for name in cases.VIEW_ROWS} == cases.VIEW_ROWS
    assert live.sql("SELECT kind, sum(n), sum(s) FROM mv_sum_direct GROUP BY kind ORDER BY kind") == [
        ["a", 10, 67.5],
        ["b", 10, 72.5],
        ["c", 10, 77.5],
    ]
    merged = (
        "uniqMerge(u), avgMerge(a), countIfMerge(c), argMaxMerge(am), length(groupUniqArrayMerge(g)), countMerge(cs)"
    )
    rows = live.sql(f"SELECT kind, {merged} FROM mv_states GROUP BY kind ORDER BY kind")
    assert rows[0] == ["a", 1, 6.75, 8, 4.5, 10, 5]


@pytest.mark.parametrize(("name", "endpoint", "parameters", "status", "message"), cases.REFUSALS)
def test_endpoints_refuse(
    projects: Projects, name: str, endpoint: str, parameters: dict[str, str], status: int, message: str
) -> None:
    """The errors that the author of a Pipe wrote, and those of values that do not fit, reach the caller."""
    reply = projects[name].call("GET", f"/v0/pipes/{endpoint}.json", params=parameters)
    assert reply.status_code == status, reply.text
    assert message in reply.text


@pytest.mark.parametrize(("name", "pipe", "parameters", "target", "replaces", "rows"), cases.COPIES)
def test_copies(
    projects: Projects, name: str, pipe: str, parameters: dict[str, str], target: str, replaces: bool, rows: int
) -> None:
    """A copy appends a snapshot, or replaces the one before."""
    live = projects[name]
    before = live.sql(f"SELECT count() FROM {target}")[0][0]
    live.run_copy(pipe, parameters)
    after = live.sql(f"SELECT count() FROM {target}")[0][0]
    assert before >= rows
    assert after == (rows if replaces else before + rows)


def test_populate_fills_again(projects: Projects) -> None:
    """A populated view holds what it held before."""
    live = projects["iot"]
    query = "SELECT sensor_id, countMerge(readings) FROM readings_per_minute GROUP BY 1 ORDER BY 1"
    before = live.sql(query)
    url = "/v0/pipes/per_minute/nodes/per_minute_1/population"
    reply = live.call("POST", url, params={"truncate": "true"})
    assert reply.status_code == 200, reply.text
    job = project.finished(live.call, reply.json()["job"]["job_id"])
    assert job["status"] == "done", job
    assert live.sql(query) == before


def test_formats(projects: Projects) -> None:
    """One endpoint in every format, and a query over its result."""
    live = projects["odd_bits_classic"]
    text = live.call("GET", "/v0/pipes/metrics_prometheus.prometheus").text
    assert "# TYPE measures_amount_total counter" in text
    assert 'measures_amount_total{kind="a"}' in text
    assert live.call("GET", "/v0/pipes/unions.csv").text.splitlines()[0] == '"part","n"'
    assert len(live.call("GET", "/v0/pipes/unions.ndjson").text.splitlines()) == 3
    assert live.call("GET", "/v0/pipes/unions.parquet").content.startswith(b"PAR1")
    reply = live.call("GET", "/v0/pipes/unions.json", params={"q": "SELECT sum(n) AS n FROM _"})
    assert reply.json()["data"] == [{"n": 600}]


def test_tokens_of_the_datafiles(projects: Projects) -> None:
    """A READ token calls its endpoints and nothing else; an APPEND token sends events and reads nothing."""
    live = projects["web_analytics"]
    listed = {found["name"]: found["token"] for found in live.call("GET", "/v0/tokens").json()["tokens"]}
    reader, tracker = listed["dashboard"], listed["tracker"]
    assert live.call("GET", "/v0/pipes/top_pages.json", token=reader).status_code == 200
    assert live.call("GET", "/v0/pipes/actions.json", token=reader).status_code == 403
    row = b'{"timestamp":"2026-03-20 00:00:00","session_id":"late","action":"other","version":"1","payload":"{}"}'
    reply = live.call("POST", "/v0/events", params={"name": "analytics_events"}, data=row, token=tracker)
    assert reply.status_code == 202, reply.text
    assert live.call("GET", "/v0/pipes/top_pages.json", token=tracker).status_code == 403


def test_project_survives_a_restart(tmp_path: Path) -> None:
    """Pipes, views and rows are there again after the server was stopped, and the views go on."""
    chosen = project.PROJECTS["iot"]
    readings = "SELECT countMerge(readings) AS n FROM readings_per_hour"
    for round_ in (1, 2):
        started = local.start(path=tmp_path, port=0, with_parent=True)
        try:
            tokens = requests.get(f"{started.host}/tokens", timeout=10).json()
            call = caller(started.host, tokens["workspace_admin_token"])
            if round_ == 1:
                project.deploy(call, chosen)
                project.load(call, "sensors", events.csv_text(events.sensors()), "csv")
            data = {"sensors": events.sensors(), "packets": events.packets(400)}
            project.send(call, "packets", data["packets"])
            rows = call("GET", "/v0/pipes/sensor_latest.json", params={"site": "osaka", "metrics": "pressure,humidity"})
            assert expected.same(rows.json()["data"], expected.iot.latest(data)), rows.text
            found = call("GET", "/v0/sql", params={"q": f"{readings} FORMAT JSON"}).json()["data"]
            assert found == [{"n": round_ * len(expected.iot.valid(data))}]
            if round_ == 2:
                again = call("POST", "/v1/deploy", params={"auto_promote": "true"}, files=chosen.form())
                assert again.json()["result"] == "no_changes", again.text
        finally:
            local.stop(port=started.port)


def test_traffic_is_seen_by_the_project(projects: Projects) -> None:
    """The endpoints over service Data Sources show the calls of the other endpoints and the appends."""
    live = projects["odd_bits_classic"]
    live.rows("unions", {})
    operations = {(row["event_type"], row["datasource_name"]) for row in live.rows("service_operations", {})}
    assert ("append", "kinds") in operations
    seen = {row["pipe_name"]: row["calls"] for row in live.rows("service_usage", {})}
    assert seen["unions"] >= 1
