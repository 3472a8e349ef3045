"""The schema while somebody edits it: types are checked, keys suggested, problems said."""

from __future__ import annotations

import pytest

from tinymagic.api.analyze import Analysis
from tinymagic.widgets.models.schema_draft import USUAL_TYPES, DraftColumn, SchemaDraft

REPLY = {
    "analysis": {
        "schema": "day Date `json:$.day`",
        "columns": [
            {"name": "day", "type": "Date", "path": "$.day", "present_pct": 1.0},
            {"name": "city", "type": "LowCardinality(String)", "path": "$.at.city", "present_pct": 1.0},
            {"name": "fare", "type": "Float64", "path": "$.fare", "present_pct": 0.5},
        ],
    },
    "preview": {
        "meta": [
            {"name": "day", "type": "Date"},
            {"name": "city", "type": "LowCardinality(String)"},
            {"name": "fare", "type": "Nullable(Float64)"},
        ],
        "data": [{"day": "2026-01-01", "city": "Rome", "fare": None}, {"day": "2026-01-01", "city": "Oslo", "fare": 2}],
    },
}


@pytest.fixture
def draft():
    return SchemaDraft.of(Analysis.of(REPLY))


def test_what_was_guessed(draft):
    assert draft.schema == (
        "`day` Date `json:$.day`,\n`city` LowCardinality(String) `json:$.at.city`,\n"
        "`fare` Nullable(Float64) `json:$.fare`"
    )
    assert (draft.sorting_key, draft.partition_key) == ("city, day", "toYear(day)")
    assert draft.columns[2].present == 0.5
    assert draft.columns[1].samples == ("Rome", "Oslo")
    assert draft.problems("trips") == []


def test_edits(draft):
    changed = draft.with_column(2, type="Decimal(18, 2)", nullable=False).with_column(1, included=False)
    assert changed.schema == "`day` Date `json:$.day`,\n`fare` Decimal(18, 2) `json:$.fare`"
    assert changed.problems("trips") == ["The sorting key names city, which is no column."]
    assert draft.with_column(0, nullable=True).problems("trips") == ["The sorting key cannot have day: it is Nullable."]


@pytest.mark.parametrize(
    "text", [*USUAL_TYPES, "Enum8('a b' = 1, 'c' = 2)", "Tuple(a Int8, b String)", "Array(Array(Date))"]
)
def test_types(text):
    assert DraftColumn("c", text).problem == ""


@pytest.mark.parametrize(
    ("text", "nullable", "said"),
    [
        ("", False, "no type"),
        ("Strnig", False, "Did you mean String?"),
        ("Array(Strnig)", False, "no type Strnig"),
        ("Array(", False, "not the name of a type"),
        ("Array(String)", True, "cannot be Nullable"),
        ("String; DROP TABLE x", False, ""),
    ],
)
def test_what_is_no_type(text, nullable, said):
    problem = DraftColumn("c", text, nullable=nullable).problem
    assert problem
    assert said in problem


def test_names(draft):
    assert draft.problems("") == ["Give the Data Source a name."]
    assert "valid" in draft.problems("1 2")[0]
    nothing = SchemaDraft(tuple(DraftColumn(each.name, each.type, included=False) for each in draft.columns))
    assert "Keep at least one column." in nothing.problems("trips")
