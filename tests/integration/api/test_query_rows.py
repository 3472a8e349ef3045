"""`Query.rows` and `Workspace.sql` with result types: values, facts, limits, and what is refused before it is sent."""

from __future__ import annotations

import importlib.util
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tinymagic.errors import InvalidInput

SQL = """SELECT bitXor(toUInt64(18446744073709551615), number) AS n,
toTimeZone(toDateTime('2024-01-01 00:00:00', 'UTC'), 'Asia/Kolkata') AS t FROM numbers(5)"""
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table, "dicts": list}


@pytest.mark.parametrize("wire", ["json", "parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_facts(workspace, kind, wire):
    """Every type has the facts; the row that was asked for beyond the limit is cut off."""
    rows = workspace.query.rows(SQL, type=kind, format=wire, limit=3)
    assert isinstance(rows.value, KINDS[kind])
    assert len(rows.value) == rows.facts["rows"] == 3
    assert rows.facts["truncated"]
    assert rows.facts["columns"] == [["n", "UInt64"], ["t", "DateTime('Asia/Kolkata')"]]
    first = rows.value["n"][0] if kind != "dicts" else rows.value[0]["n"]
    assert str(first) == "18446744073709551615"
    whole = workspace.sql(SQL, type=kind, format=wire)
    assert isinstance(whole, KINDS[kind])
    assert len(whole) == 5


def test_facts_are_the_attributes_of_pandas(workspace):
    rows = workspace.query.rows("SELECT 1 AS n")
    assert rows.value.attrs["tinybird"] is rows.facts


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows(workspace, kind):
    """Parquet without rows is asked again, and gives the same types."""
    workspace.sql("SELECT 1")
    rows = workspace.query.rows(f"{SQL} WHERE 0", type=kind, format="parquet")
    assert len(rows.value) == 0
    assert rows.facts["columns"][0] == ["n", "UInt64"]


def test_dictionaries(workspace):
    row = workspace.sql(SQL, type="dicts")[0]
    assert row == {"n": 2**64 - 1, "t": datetime(2024, 1, 1, 5, 30, tzinfo=ZoneInfo("Asia/Kolkata"))}


@pytest.mark.parametrize(("dtypes", "dtype"), [("exact", "Int64"), ("numpy", "float64"), ("arrow", "int64[pyarrow]")])
def test_dtypes(workspace, dtypes, dtype):
    frame = workspace.sql("SELECT CAST(NULL, 'Nullable(Int64)') AS n", dtypes=dtypes)
    assert str(frame.dtypes["n"]) == dtype


def test_endpoints_too(workspace):
    """The rows of an endpoint come in the same types."""
    workspace.pipes.create("result_types_pipe", nodes=[{"name": "result_types_node", "sql": SQL}])
    workspace.pipes.publish("result_types_pipe")
    assert isinstance(workspace.pipes.data("result_types_pipe", type="polars"), pl.DataFrame)
    assert len(workspace.pipes.data("result_types_pipe", type="dicts", format="parquet", limit=2)) == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"type": "spark"}, "not 'spark'"),
        ({"dtypes": "exactly"}, "not 'exactly'"),
        ({"type": "polars", "dtypes": "numpy"}, "is for type='pandas'"),
    ],
)
def test_what_cannot_be(workspace, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        workspace.sql("SELECT 1", **options)


@pytest.mark.parametrize(
    ("options", "package", "extra"),
    [
        ({"type": "polars"}, "polars", "polars"),
        ({"type": "polars"}, "pyarrow", "polars"),
        ({"type": "arrow"}, "pyarrow", "fast"),
        ({"dtypes": "arrow"}, "pyarrow", "fast"),
    ],
)
def test_absent_packages(workspace, monkeypatch, options, package, extra):
    """A sentence tells what to install; nothing is sent, so that a query that cannot run does not fail."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else real(name, *rest))
    with pytest.raises(InvalidInput, match=rf"needs {package}: pip install 'tinymagic\[{extra}\]'"):
        workspace.sql("SELECT nothing_of_that_name", **options)
