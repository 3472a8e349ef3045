"""The notebook about the SQL cell: executed as a user would, and what it kept is what it gives."""

from __future__ import annotations

import pytest

from tests.integration.executed_notebook import execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run."""
    return execute("02-explore.ipynb", tmp_path_factory.mktemp("explore"))


def test_only_the_mistake_fails(executed):
    assert [source.splitlines()[1] for source in executed.failed()] == [
        "SELECT carier, count() AS flights FROM flights GROUP BY carier"
    ]


def test_what_cells_give(executed):
    assert "Did you mean carrier?" in executed.text_of("carier")
    assert "reads: flights\n" in executed.text_of("--dry-run")
    assert "granules" in executed.text_of("--explain")
    assert "As expected: rows=3" in executed.text_of("--expect")
    assert "28,191 rows" in executed.text_of("--to-file")
    assert (executed.home / "work" / "december.parquet").stat().st_size > 100_000
    assert "UInt256" in executed.text_of("exact.dtypes")
    assert "EV  11655" in executed.text_of("%tinybird pipe data")
    outputs = [output for cell in executed.ran.cells for output in cell.get("outputs", [])]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == 2


def test_no_token_is_left(executed):
    assert executed.left_of_tokens() == []


def test_the_kept_outputs_are_of_this_notebook(executed):
    executed.check_kept()
