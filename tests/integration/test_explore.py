"""The notebook about the SQL cell: executed as a user would, and what it kept is what it gives."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tinymagic import local

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "02-explore.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run in a fresh kernel, a fresh home and an empty folder; the tokens of its server."""
    home = tmp_path_factory.mktemp("explore")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TB_TOKEN", "TB_HOST", "TINYBIRD_TOKEN", "TINYBIRD_URL"):
            patch.delenv(name, raising=False)
        for kind in ("DATA", "STATE", "CONFIG", "CACHE"):
            patch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        (home / "work").mkdir()
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        try:
            NotebookClient(notebook, timeout=240).execute(cwd=str(home / "work"))
            tokens = [token for server in local.running() for token in _tokens(server)]
        finally:
            for server in local.running():
                local.stop(port=server.port)
    return notebook, tokens, home


def _tokens(server):
    import requests

    return requests.get(f"{server.host}/tokens", timeout=10).json().values()


def test_only_the_mistake_fails(executed):
    notebook, _, _ = executed
    failed = [cell.source for cell in notebook.cells for each in cell.get("outputs", []) if each.output_type == "error"]
    assert [source.splitlines()[1] for source in failed] == [
        "SELECT carier, count() AS flights FROM flights GROUP BY carier"
    ]


def test_what_cells_give(executed):
    notebook, _, home = executed
    told = {cell.source: _text(cell) for cell in notebook.cells if cell.cell_type == "code"}

    def of(start):
        return next(text for source, text in told.items() if start in source)

    assert "Did you mean carrier?" in of("carier")
    assert "reads: flights\n" in of("--dry-run")
    assert "granules" in of("--explain")
    assert "As expected: rows=3" in of("--expect")
    assert "28,191 rows" in of("--to-file")
    assert (home / "work" / "december.parquet").stat().st_size > 100_000
    assert "UInt256" in of("exact.dtypes")
    assert "EV  11655" in of("%tinybird pipe data")
    charts = [
        each.data for cell in notebook.cells for each in cell.get("outputs", []) if "image/png" in each.get("data", {})
    ]
    assert len(charts) == 2


def test_no_token_is_left(executed):
    notebook, tokens, home = executed
    texts = [nbformat.writes(notebook)]
    texts += [path.read_bytes().decode("latin-1") for path in (home / "ipython").rglob("*") if path.is_file()]
    assert len(tokens) >= 2
    for token in tokens:
        signature = token.split(".")[2]
        pieces = {signature[start : start + 8] for start in range(len(signature) - 7)}
        assert not [piece[:3] for piece in pieces for text in texts if piece in text]


def test_the_kept_outputs_are_of_this_notebook(executed):
    """What the repository keeps has the kinds of output that a run gives, and no path of the machine it was made on."""
    ran, _, _ = executed
    kept = nbformat.read(NOTEBOOK, as_version=4)
    for cell, again in zip(kept.cells, ran.cells, strict=True):
        if cell.cell_type == "code":
            # What is printed comes in as many pieces as the kernel likes.
            assert {each.output_type for each in cell.outputs} == {each.output_type for each in again.outputs}
    assert not re.search(r"/(?:home|root|Users|tmp|work)/", nbformat.writes(kept))


def _text(cell):
    parts = []
    for output in cell.outputs:
        parts.append(
            output.get("text") or output.get("data", {}).get("text/plain") or "\n".join(output.get("traceback", []))
        )
    return "\n".join(parts)
