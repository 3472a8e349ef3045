"""The notebook about Pipes and endpoints: executed as a user would, and what it kept is what it gives."""

from __future__ import annotations

import re

import pytest

from tests.integration.executed_notebook import execute


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run."""
    return execute("04-pipes-and-endpoints.ipynb", tmp_path_factory.mktemp("pipes"))


def test_only_the_mistakes_fail(executed):
    assert executed.failed() == ["%tinybird pipe data busiest_routes --param since=yesterday"]
    assert "Error validating 'yesterday' to type Date" in executed.text_of("since=yesterday")


def test_the_cell_and_its_endpoint_give_the_same(executed):
    cell = _rows(executed.text_of("SELECT dest, count() AS flights"))
    assert len(cell) == 5
    assert _rows(executed.text_of("%tinybird pipe data delays_by_destination")) == cell


def test_parameters(executed):
    shown = executed.text_of("%tinybird pipe show delays_by_destination")
    assert "origin String = 'JFK', least Int64 = 100" in shown
    assert "MDW     2044" in executed.text_of("origin=LGA")
    assert '"dest","flights","mean_delay"' in executed.text_of("csvwithnames")
    assert "LGA  ATL     2828" in executed.text_of("carrier=DL")


def test_curl_with_a_token_for_one_endpoint(executed):
    assert '"EWR","SFO",395,25' in executed.text_of("busiest_routes.csv")
    assert "PIPES:READ:delays_by_destination" in executed.text_of("$API/v0/pipes/delays_by_destination.json")


def test_the_materialized_view_grows(executed):
    """One flight from JFK arrives, and the summary has it."""
    before, after = (
        {row[1]: int(row[2]) for row in _rows(executed.text_of(part))}
        for part in ("AS flights, round(avgMerge(", "countMerge(flights) AS flights FROM")
    )
    assert before == {"EWR": 120_835, "JFK": 111_279, "LGA": 104_662}
    assert after == before | {"JFK": 111_280}


def test_the_copy_holds_the_ranking(executed):
    assert "UA    58665" in executed.text_of("FROM carrier_ranking")


def test_the_panel_of_pipes_stays(executed):
    assert "busiest_routes: endpoint" in executed.text_of("%tinybird pipes")


def test_no_token_is_left(executed):
    assert executed.left_of_tokens() == []


def test_the_kept_outputs_are_of_this_notebook(executed):
    executed.check_kept()


def _rows(told):
    """Return the rows of a table as words, without its head and the line of what it cost."""
    return [line.split() for line in told.splitlines() if re.match(r"\d+ {2,}", line)]
