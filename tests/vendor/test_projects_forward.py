"""Whole projects with the CLI of Tinybird Forward: built, tested, deployed, changed, listed, read, pulled."""

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


def module_of(name: str) -> Any:
    """Load a module of the package of the projects, which lies in the folder of the tests."""
    tests = str(FOLDER.parent)
    if tests not in sys.path:
        sys.path.append(tests)
    return importlib.import_module(f"projects.{name}")


events = module_of("events")
expected = module_of("expected")
project = module_of("project")


def program_in(tb: Any, name: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the CLI in a copy of the folder of a project."""
    folder = tmp_path_factory.mktemp("projects") / name
    shutil.copytree(FOLDER / name, folder)
    return type(tb)(tb.command, folder, tb.environment)


@pytest.fixture(scope="module")
def deployed(tb_forward: Any, server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The CLI in the folder of the shop, which is deployed to its cloud and filled with its fixtures."""
    tb = program_in(tb_forward, "ecommerce", tmp_path_factory)
    output = tb("deploy", "--check")
    assert "Deployment is valid" in output
    assert server.names() == set()
    tb("secret", "set", "partner_key", "open sesame")
    assert "is live" in tb("deploy", "--wait")
    for name in ("products.ndjson", "customers.csv", "orders.ndjson", "storefront_events.ndjson"):
        tb("datasource", "append", name.partition(".")[0], f"fixtures/{name}")
    return tb


@pytest.mark.parametrize("name", ["web_analytics", "iot"])
def test_build_and_test(tb_local: Any, server: Any, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """The project is built in its own workspace, with the rows of the fixtures; the tests of the project pass."""
    tb = program_in(tb_local, name, tmp_path_factory)
    output = tb("--local", "build")
    for file in project.PROJECTS[name].files():
        assert f"{file} created" in output
    assert "No changes" in tb("--local", "build")
    source = "analytics_events" if name == "web_analytics" else "sensors"
    rows = {"web_analytics": 120, "iot": 12}[name]
    found = json.loads(tb("--local", "--output", "json", "sql", f"SELECT count() AS n FROM {source}"))
    assert found["data"] == [{"n": rows}]
    tests = len(list((FOLDER / name / "tests").glob("*.yaml")))
    assert f"{tests}/{tests} passed" in tb("--local", "test", "run")


def test_failing_test_is_told(tb_local: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test whose expectation is wrong fails, and the difference is printed."""
    tb = program_in(tb_local, "odd_bits_forward", tmp_path_factory)
    text = tb.read("tests/visits_api.yaml").replace("Uffizi", "Ufizzi")
    tb.write("tests/visits_api.yaml", text)
    output = tb("--local", "test", "run", "visits_api", code=1)
    assert "visits_api_0 failed" in output
    assert "Uffizi" in output


def test_broken_project_changes_nothing(tb_local: Any, server: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A build with one wrong Pipe names the file and makes nothing."""
    tb = program_in(tb_local, "iot", tmp_path_factory)
    tb.write("endpoints/wrong.pipe", "NODE n\nSQL >\n    SELECT nothing FROM readings\n\nTYPE endpoint\n")
    output = tb("--local", "build", code=1)
    assert "wrong.pipe" in output
    assert "nothing" in output
    assert "readings" not in tb("--local", "datasource", "ls")


def test_deployed_project_answers(deployed: Any, server: Any) -> None:
    """Copies run from the CLI, and the endpoints have the numbers of the fixtures."""
    for pipe in ("refresh_revenue_by_country", "snapshot_stock"):
        deployed("copy", "run", pipe, "--wait")
    data = {
        "products": events.products(),
        "customers": events.customers(),
        "orders": events.orders(60),
        "storefront_events": events.storefront(40),
    }
    for endpoint in project.PROJECTS["ecommerce"].of_type("endpoint"):
        assert server.request("GET", f"/v0/pipes/{endpoint}.json").status_code == 200, endpoint
    for check in expected.CHECKS["ecommerce"]:
        reply = server.request("GET", f"/v0/pipes/{check.endpoint}.json", params=check.parameters)
        assert reply.status_code == 200, reply.text
        assert expected.same(reply.json()["data"], check.rows(data)), f"{check}: {reply.text}"


def test_second_deployment_changes_what_changed(deployed: Any, server: Any) -> None:
    """Without changes nothing is deployed; a changed Pipe and a new column are, and the rows stay."""
    assert "No changes" in deployed("deploy", "--wait", code=None)
    before = server.rows("SELECT count(), sum(amount) FROM order_lines")
    text = deployed.read("endpoints/country_ranking.pipe").replace("ORDER BY place", "ORDER BY place DESC")
    deployed.write("endpoints/country_ranking.pipe", text)
    text = deployed.read("datasources/customers.datasource").replace(
        "`joined` Date", "`joined` Date,\n    `note` String DEFAULT '-'"
    )
    deployed.write("datasources/customers.datasource", text)
    output = deployed("deploy", "--wait")
    assert "country_ranking" in output
    assert "top_products" not in output
    assert server.rows("SELECT count(), sum(amount) FROM order_lines") == before
    assert server.rows("SELECT count(), any(note) FROM customers") == [[50, "-"]]
    places = [row["place"] for row in server.request("GET", "/v0/pipes/country_ranking.json").json()["data"]]
    assert places == sorted(places, reverse=True)
    assert "Live" in deployed("deployment", "ls")


def test_listings(deployed: Any) -> None:
    """What the project has is listed, each kind by its own command."""
    wanted = {
        ("datasource", "ls"): "order_lines",
        ("pipe", "ls"): "products_now",
        ("endpoint", "ls"): "top_products",
        ("copy", "ls"): "snapshot_stock",
        ("materialization", "ls"): "order_lines_mv",
        ("secret", "ls"): "partner_key",
        ("token", "ls"): "storefront",
    }
    for command, name in wanted.items():
        assert name in deployed(*command), command


def test_endpoint_is_read(deployed: Any) -> None:
    """The rows of an endpoint are printed; its calls are counted; its URL works."""
    output = deployed("endpoint", "data", "top_products", "--n", "1", "--by", "units")
    assert re.search(r"P0\d\d", output), output
    found = json.loads(deployed("--output", "json", "sql", "SELECT count() AS n FROM top_products"))
    assert found["data"] == [{"n": 10}]
    assert "top_products" in deployed("endpoint", "stats")
    assert "/v0/pipes/top_products.json" in deployed("endpoint", "url", "top_products")


def test_pull(deployed: Any) -> None:
    """A pull gives a datafile for each resource, of which a check says that nothing is new."""
    folder = deployed.folder.parent / "pulled"
    folder.mkdir()
    tb = type(deployed)(deployed.command, folder, deployed.environment)
    tb("pull", "--force")
    pulled = {path.stem for path in folder.rglob("*.*") if path.suffix in {".pipe", ".datasource"}}
    assert pulled == {file.name for file in project.PROJECTS["ecommerce"].parsed()}
    output = tb("deploy", "--check", code=None)
    assert "No changes" in output
    for kind in ("new ", "modified ", "deleted "):
        assert kind not in output, output
