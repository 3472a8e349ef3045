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

#: What is sent to the Data Sources of each project: through the Events API, except where a file is named.
SENT: dict[str, dict[str, Callable[[], list[dict[str, Any]]]]] = {
    "web_analytics": {"analytics_events": lambda: events.web(3000)},
    "logs_explorer": {"logs": lambda: events.logs(3000)},
    "ecommerce": {
        "products": events.products,
        "customers": events.customers,
        "orders": lambda: events.orders(1500),
        "storefront_events": lambda: events.storefront(800),
    },
    "iot": {"sensors": events.sensors, "packets": lambda: events.packets(4000)},
    "leaderboard": {"players": events.players, "scores": lambda: events.scores(2500)},
    "odd_bits_classic": {"kinds": events.kinds, "measures": lambda: events.measures(600)},
    "odd_bits_forward": {"visits": lambda: events.visits(700)},
    "sql_gallery": {
        "kinds": lambda: [{"kind": kind, "label": kind.upper()} for kind in "abc"],
        "events": lambda: events.few(30),
    },
}
AS_CSV = {"customers", "sensors", "kinds"}
AS_NDJSON_FILE = {"products", "players", "storefront_events"}

#: Calls that have to fail, by project: endpoint, parameters, status, part of the answer.
REFUSALS = [
    ("ecommerce", "partner_export", {"strict": "1"}, 418, "partner is missing"),
    ("iot", "sensor_timeseries", {"step": "week"}, 400, "step must be minute, hour or day"),
    ("leaderboard", "player_rank", {}, 404, "which player?"),
    ("leaderboard", "top_by", {"aggregate": "groupArray"}, 400, "aggregate must be"),
    ("logs_explorer", "search_logs", {"page": "two"}, 400, "Error validating 'two' to type Int32"),
    ("odd_bits_classic", "from_table", {"source": "system.tables"}, 400, "unknown source"),
    ("web_analytics", "kpis", {"date_from": "yesterday", "date_to": "2026-03-01"}, 400, "invalid date format"),
]

#: A rollup, and the same numbers from the rows below it.
ROLLUPS = [
    (
        "web_analytics",
        "SELECT date, pathname, uniqMerge(visits), countMerge(hits) FROM analytics_pages_mv GROUP BY ALL ORDER BY ALL",
        "SELECT toDate(timestamp), pathname, uniq(session_id), count() FROM analytics_hits GROUP BY ALL ORDER BY ALL",
    ),
    (
        "logs_explorer",
        "SELECT minute, service, level, sum(lines) FROM logs_per_minute GROUP BY ALL ORDER BY ALL",
        "SELECT toStartOfMinute(timestamp) AS minute, service, level, count() FROM logs GROUP BY ALL ORDER BY ALL",
    ),
    (
        "ecommerce",
        "SELECT sku, sum(units), uniqExactMerge(buyers) FROM sales_per_day GROUP BY ALL ORDER BY ALL",
        "SELECT sku, sum(n), uniqExact(customer_id) FROM orders ARRAY JOIN skus AS sku, quantities AS n GROUP BY ALL ORDER BY ALL",
    ),
    (
        "iot",
        "SELECT site, metric, countMerge(readings), min(low), max(high) FROM readings_per_hour GROUP BY ALL ORDER BY ALL",
        "SELECT site, metric, count(), min(value), max(value) FROM readings GROUP BY ALL ORDER BY ALL",
    ),
    (
        "leaderboard",
        "SELECT item, sum(times), sum(wins) FROM item_totals GROUP BY ALL ORDER BY ALL",
        "SELECT item, count(), sum(won) FROM scores ARRAY JOIN items AS item GROUP BY ALL ORDER BY ALL",
    ),
    (
        "odd_bits_classic",
        "SELECT kind, max(at) FROM measures_latest FINAL GROUP BY ALL ORDER BY ALL",
        "SELECT kind, max(at) FROM measures GROUP BY ALL ORDER BY ALL",
    ),
]

#: Copy Pipes: parameters, target, whether a run replaces, rows of a run.
COPIES: list[tuple[str, str, dict[str, str], str, bool, int]] = [
    ("ecommerce", "refresh_revenue_by_country", {}, "revenue_by_country", True, 5),
    ("ecommerce", "snapshot_stock", {}, "stock_snapshots", False, 20),
    ("odd_bits_classic", "archive", {"kind": "a"}, "measure_archive", False, 152),
    ("odd_bits_forward", "report", {}, "museum_report", True, 3),
]


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

    def _request(self, token: str) -> Callable[..., requests.Response]:
        def call(method: str, path: str, **arguments: Any) -> requests.Response:
            headers = {"Authorization": f"Bearer {arguments.pop('token', token)}", **arguments.pop("headers", {})}
            with requests.Session() as session:
                session.trust_env = False
                return session.request(method, self._host + path, headers=headers, timeout=60, **arguments)

        return call

    def _made(self, name: str) -> Live:
        reply = self._request(self._tokens["user_token"])("POST", "/v1/workspaces", params={"name": f"project_{name}"})
        assert reply.status_code == 200, reply.text
        chosen = project.PROJECTS[name]
        live = Live(chosen, self._request(reply.json()["token"]), {key: rows() for key, rows in SENT[name].items()})
        live.call("POST", "/v0/variables", data={"name": "partner_key", "value": "open sesame"})
        if chosen.classic:
            project.push(live.call, chosen)
        else:
            project.deploy(live.call, chosen)
        for datasource, rows in live.data.items():
            if datasource in AS_CSV:
                project.load(live.call, datasource, events.csv_text(rows), "csv")
            elif datasource in AS_NDJSON_FILE:
                project.load(live.call, datasource, events.ndjson(rows), "ndjson")
            else:
                project.send(live.call, datasource, rows)
        for of, pipe, *_ in COPIES:
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
    silent = {endpoint for of, endpoint, parameters, _, _ in REFUSALS if of == name and not parameters}
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


@pytest.mark.parametrize(("name", "rollup", "below"), ROLLUPS, ids=[name for name, _, _ in ROLLUPS])
def test_views_hold_what_their_rows_say(projects: Projects, name: str, rollup: str, below: str) -> None:
    """A materialized result is that of the same query over the rows it was made of."""
    live = projects[name]
    found = live.sql(rollup)
    assert len(found) > 2
    assert found == live.sql(below)


#: Rows of the views of the gallery whose SQL does not group, for thirty events.
VIEW_ROWS = {"plain": 30, "implicit": 30, "join": 30, "arrayjoin": 60, "union": 60, "cte": 23, "nodes": 27, "two": 60}


def test_views_of_the_gallery(projects: Projects) -> None:
    """Each form of a view has its rows: of all events, of some, or of each twice; states merge to the right values."""
    live = projects["sql_gallery"]
    assert {name: live.sql(f"SELECT count() FROM mv_{name}")[0][0] for name in VIEW_ROWS} == VIEW_ROWS
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


@pytest.mark.parametrize(("name", "endpoint", "parameters", "status", "message"), REFUSALS)
def test_endpoints_refuse(
    projects: Projects, name: str, endpoint: str, parameters: dict[str, str], status: int, message: str
) -> None:
    """The errors that the author of a Pipe wrote, and those of values that do not fit, reach the caller."""
    reply = projects[name].call("GET", f"/v0/pipes/{endpoint}.json", params=parameters)
    assert reply.status_code == status, reply.text
    assert message in reply.text


@pytest.mark.parametrize(("name", "pipe", "parameters", "target", "replaces", "rows"), COPIES)
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


def test_traffic_is_seen_by_the_project(projects: Projects) -> None:
    """The endpoints over service Data Sources show the calls of the other endpoints and the appends."""
    live = projects["odd_bits_classic"]
    live.rows("unions", {})
    operations = {(row["event_type"], row["datasource_name"]) for row in live.rows("service_operations", {})}
    assert ("append", "kinds") in operations
    seen = {row["pipe_name"]: row["calls"] for row in live.rows("service_usage", {})}
    assert seen["unions"] >= 1
