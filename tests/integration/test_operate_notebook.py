"""The notebook about operating: executed as a user would; jobs end, tokens may what they say, secrets stay inside."""

from __future__ import annotations

import re

import pytest

from tests.integration.executed_notebook import execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run."""
    return execute("06-operate.ipynb", tmp_path_factory.mktemp("operate"))


def test_nothing_fails(executed):
    assert executed.failed() == []


def test_panels_leave_a_page(executed):
    assert "flights: 337 K rows" in executed.text_of("%tinybird ui")
    assert "delete_data" in executed.text_of("%tinybird jobs")
    assert "reader_of_united: DATASOURCES:READ:flights" in executed.text_of("%tinybird tokens")
    assert "salt" in executed.text_of("%tinybird variables")


def test_jobs_are_done(executed):
    assert "32 rows of flights would be deleted" in executed.text_of("--dry-run")
    assert re.search(r"336744 +0\n", executed.text_of("of_skywest"))
    told = executed.text_of("%tinybird job ls")
    assert [line.split()[1:] for line in told.splitlines()[1:]] == [["copy", "done"], ["delete_data", "done"]]


def test_tokens_may_what_they_say(executed):
    assert executed.text_of("uniq(carrier) AS airlines").split()[-2:] == ["58665", "1"]
    assert "it needs the scope DATASOURCES:CREATE or ADMIN" in executed.text_of("reader.datasources.truncate")
    # The JWT is for Delta, whatever is asked for: this many of its flights left from LaGuardia.
    assert "23067" in executed.text_of("page_reader.pipes.data")


def test_secrets_stay_inside(executed):
    assert executed.left_of_tokens() == []
    assert "tails" in executed.text_of("%tinybird variable used-by salt")
    executed.check_kept()
