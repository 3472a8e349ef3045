"""Whole projects with the CLI of Tinybird Classic: pushed with fixtures and views, read, changed, pulled, compared."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "projects"
NAMES = ["leaderboard", "odd_bits_classic"]
PUSH = ["push", "--push-deps", "--fixtures", "--populate", "--wait", "--yes", "--force"]


def module_of(name: str) -> Any:
    """Load a module of the package of the projects, which lies in the folder of the tests."""
    tests = str(FOLDER.parent)
    if tests not in sys.path:
        sys.path.append(tests)
    return importlib.import_module(f"projects.{name}")


events = module_of("events")
expected = module_of("expected")
project = module_of("project")

#: Rows of the fixtures.
DATA = {
    "leaderboard": {"players": events.players(), "scores": events.scores(100)},
    "odd_bits_classic": {"kinds": events.kinds(), "measures": events.measures(60)},
}


@pytest.fixture(scope="module")
def pushed(tb_classic: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The CLI in the folder of each project, whose files are on the server."""
    programs = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp("projects") / name
        shutil.copytree(FOLDER / name, folder)
        shutil.copy(tb_classic.folder / ".tinyb", folder)
        programs[name] = type(tb_classic)(tb_classic.command, folder, tb_classic.environment)
        output = programs[name](*PUSH)
        # Without names the CLI takes datasources, pipes and endpoints only.
        others = [file for file in project.PROJECTS[name].files() if file.startswith(("materializations/", "copies/"))]
        if others:
            output += programs[name]("push", *others, "--populate", "--wait", "--yes")
        for file in project.PROJECTS[name].parsed():
            # With VERSION n the CLI makes name__vn and puts that name into the SQL of the Pipes.
            assert re.search(rf"'{file.name}(__v\d)?' created", output), output
    return programs


@pytest.mark.parametrize("name", NAMES)
def test_pushed_project_answers(pushed: dict[str, Any], server: Any, name: str) -> None:
    """Every endpoint answers with its defaults, and with parameters the numbers are those of the fixtures."""
    assert name in pushed
    for endpoint in project.PROJECTS[name].of_type("endpoint"):
        reply = server.request("GET", f"/v0/pipes/{endpoint}.json")
        assert reply.status_code == (404 if endpoint == "player_rank" else 200), f"{endpoint}: {reply.text}"
    for check in expected.CHECKS[name]:
        reply = server.request("GET", f"/v0/pipes/{check.endpoint}.json", params=check.parameters)
        assert reply.status_code == 200, reply.text
        assert expected.same(reply.json()["data"], check.rows(DATA[name])), f"{check}: {reply.text}"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_differs(pushed: dict[str, Any], name: str) -> None:
    """What was pushed is what the server has."""
    output = pushed[name]("diff", "--no-color")
    own = {f"{file.name}.{kind}" for file in project.PROJECTS[name].parsed() for kind in ("pipe", "datasource")}
    different = [line for line in output.splitlines() if line.startswith("--- ") and line.split()[1] in own]
    assert different == [], output


def test_pulled_project_is_the_same(pushed: dict[str, Any]) -> None:
    """A pull writes a file for each resource; the CLI reads these files, and pushing them changes nothing."""
    tb = pushed["leaderboard"]
    (tb.folder / "pulled").mkdir()
    tb("pull", "--folder", "pulled", "--force")
    names = [file.name for file in project.PROJECTS["leaderboard"].parsed()]
    pulled = {path.stem: path for path in (tb.folder / "pulled").rglob("*.*")}
    assert set(names) <= pulled.keys()
    assert 'TOKEN "game_client" READ' in pulled["leaderboard"].read_text()
    assert "DATASOURCE best_scores" in pulled["best_scores_mv"].read_text()
    assert "processed correctly" in tb("check", str(pulled["best_scores_mv"]))
    again = tb("push", str(pulled["player_history"]), "--force", "--yes")
    assert "'player_history' created" in again


def test_listings(pushed: dict[str, Any]) -> None:
    """Pipes, Data Sources, tokens, jobs and what depends on what are listed."""
    tb = pushed["leaderboard"]
    output = tb("pipe", "ls")
    for name in ("leaderboard", "best_scores_mv", "chained", "archive"):
        assert name in output
    listed = json.loads(tb("datasource", "ls", "--format", "json"))["datasources"]
    assert ("scores", 100) in [(found["name"], found["row_count"]) for found in listed]
    dependencies = tb("dependencies")
    assert "--- best_scores_mv" in dependencies
    assert "--- shared_parts" in dependencies
    assert "game_client" in tb("token", "ls")
    assert "populateview" in tb("job", "ls")


def test_pipe_data(pushed: dict[str, Any]) -> None:
    """The rows of an endpoint are printed, with parameters and in other formats."""
    tb = pushed["leaderboard"]
    best = expected.leaderboard.leaderboard(DATA["leaderboard"])[0]
    assert best["name"] in tb("pipe", "data", "leaderboard", "--mode", "ranked", "--top", "1")
    rows = json.loads(tb("pipe", "data", "top_by", "--n", "2", "--format", "json"))["data"]
    assert len(rows) == 2
    assert "aggregate must be" in tb("pipe", "data", "top_by", "--aggregate", "any", code=None)
    most = max(row["points"] for row in DATA["leaderboard"]["scores"])
    assert str(most) in tb("sql", "SELECT max(best) FROM leaderboard")


def test_changed_endpoint_is_checked_and_pushed(pushed: dict[str, Any], server: Any) -> None:
    """A changed Pipe takes the place of the old one, after the CLI compared the answers of both."""
    tb = pushed["leaderboard"]
    server.request("GET", "/v0/pipes/season.json")
    text = tb.read("pipes/season.pipe").replace("ORDER BY mode, week", "ORDER BY mode DESC, week")
    tb.write("pipes/season.pipe", text)
    tb("push", "pipes/season.pipe", "--force", "--yes", "--no-check")
    assert server.request("GET", "/v0/pipes/season.json").json()["data"][0]["mode"] == "ranked"
    assert "ok" in tb("push", "pipes/leaderboard.pipe", "--force", "--yes")
    broken = tb.write("pipes/broken.pipe", "NODE n\nSQL >\n    SELECT nothing FROM scores\n")
    assert "nothing" in tb("push", broken, code=1)
    assert server.request("GET", "/v0/pipes/broken").status_code == 404


def test_views_are_populated_and_unlinked(pushed: dict[str, Any], server: Any) -> None:
    """A populate with truncate gives the same rows again; an unlinked view gets no more of them."""
    tb = pushed["leaderboard"]
    query = "SELECT sum(times), sum(wins) FROM item_totals"
    before = server.rows(query)
    assert before[0][0] == sum(len(row["items"]) for row in DATA["leaderboard"]["scores"])
    tb("pipe", "populate", "item_totals_mv", "--node", "per_item", "--truncate", "--wait")
    assert server.rows(query) == before
    tb("pipe", "unlink", "item_totals_mv", "per_item")
    tb("datasource", "append", "scores", "datasources/fixtures/scores.ndjson")
    assert server.rows(query) == before
    assert server.rows("SELECT countMerge(matches) FROM best_scores") == [[200]]


def test_copy_runs(pushed: dict[str, Any], server: Any) -> None:
    """A Copy Pipe runs with parameters, its schedule is paused and goes on."""
    tb = pushed["odd_bits_classic"]
    wanted = sum(row["kind"] == "b" for row in DATA["odd_bits_classic"]["measures"])
    tb("pipe", "copy", "run", "archive", "--param", "kind=b", "--wait", "--yes")
    assert server.rows("SELECT count(), any(kind) FROM measure_archive") == [[wanted, "b"]]
    tb("pipe", "copy", "pause", "archive")
    assert server.request("GET", "/v0/pipes/archive").json()["schedule"]["status"] == "paused"
    tb("pipe", "copy", "resume", "archive")
    assert server.request("GET", "/v0/pipes/archive").json()["schedule"]["status"] == "running"


def test_endpoint_is_unpublished_and_published(pushed: dict[str, Any], server: Any) -> None:
    """An endpoint goes and comes back; a Pipe that is removed is gone."""
    tb = pushed["odd_bits_classic"]
    assert "unpublished" in tb("pipe", "unpublish", "conditions")
    assert server.request("GET", "/v0/pipes/conditions.json").status_code == 404
    assert "published" in tb("pipe", "publish", "conditions", "conditions_0")
    assert server.request("GET", "/v0/pipes/conditions.json").status_code == 200
    assert "deleted" in tb("pipe", "rm", "conditions", "--yes")
    assert server.request("GET", "/v0/pipes/conditions").status_code == 404
