"""The notebook about getting rows in: executed as a user would, and each row is where it says."""

from __future__ import annotations

import pytest

from tests.integration.executed_notebook import execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run."""
    return execute("03-ingest.ipynb", tmp_path_factory.mktemp("ingest"))


def test_nothing_fails(executed):
    assert executed.failed() == []


def test_files_are_analyzed(executed):
    assert "`json:$.time_hour`" in executed.text_of("%tinybird analyze week_1.ndjson")
    assert "delimiter ','" in executed.text_of("%tinybird analyze week_2.csv")
    assert "UInt16" in executed.text_of("%tinybird analyze week_3.parquet")
    assert "7 columns were found" in executed.text_of("Analyze(")


def test_every_row_is_accounted_for(executed):
    """What the files hold is what the Data Source has at the end: 6 more by events, 2 of the mixed file, 2 refused."""
    files = [
        len((executed.home / "work" / name).read_text(encoding="utf-8").splitlines()) - header
        for name, header in (("week_1.ndjson", 0), ("week_2.csv", 1))
    ]
    assert f"{files[0]:,} rows stored" in executed.text_of("datasource create departures")
    assert f"{files[1]:,} rows stored" in executed.text_of("append departures week_2.csv")
    third = _stored(executed.text_of("append departures week_3.parquet"))
    assert third == _stored(executed.text_of("datasource replace departures")) > 6_000
    assert "2 rows stored, 2 rows in quarantine" in executed.text_of("append departures mixed.csv")
    assert "3 rows stored" in executed.text_of("events send departures gates")
    assert "1 row stored" in executed.text_of("events send departures {")
    assert "3 rows stored" in executed.text_of("events stream departures")
    (row,) = (line for line in executed.text_of("%tinybird datasource ls").splitlines() if " departures " in line)
    assert row.split()[2] == str(sum(files) + third + 2 + 3 + 1 + 3)


def test_the_quarantine_has_reasons(executed):
    told = executed.text_of("%tinybird datasource quarantine departures")
    assert "'time_hour' is not DateTime" in told
    assert "dep_delay" in told
    assert "two minutes" in executed.text_of("FROM departures_quarantine")


def test_only_the_named_rows_are_replaced(executed):
    """No flight of the third week leaves early any more; the other weeks are as they were."""
    before, after = (_weeks(executed.text_of(part)) for part in ("AS cancelled\nFROM", "AS earliest\nFROM"))
    assert [flights for flights, _ in before] == [flights for flights, _ in after][:3]
    earliest = [int(least) for _, least in after]
    assert earliest[2] == 0
    assert max(earliest[:2]) < 0


def test_the_panel_of_data_sources_stays(executed):
    assert "gates: 0 rows" in executed.text_of("%tinybird browse")


def test_no_token_is_left(executed):
    assert executed.left_of_tokens() == []


def test_the_kept_outputs_are_of_this_notebook(executed):
    executed.check_kept()


def _stored(told):
    return int(told.partition(" rows stored")[0].rpartition(" ")[2].replace(",", ""))


def _weeks(told):
    """Return flights and the last column of each week."""
    rows = [line.split() for line in told.splitlines() if "2013-" in line]
    return [(row[2], row[3]) for row in rows]
