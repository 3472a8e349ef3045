"""What a materialized view hangs on, and the target that it can fill."""

from __future__ import annotations

from typing import Any

import pytest

from tinymagic.local.ingest.table import Table
from tinymagic.local.materializing.target_columns import incompatible, target_engine, view_columns
from tinymagic.local.materializing.trigger import NoTriggerError, group_keys, mark_trigger, trigger_of
from tinymagic.local.materializing.view import View
from tinymagic.local.tables.schema import Column, parse_schema


def select(table: Any, **parts: Any) -> dict[str, Any]:
    """Return the tree of a SELECT; *table* is a name or the tree of a subquery."""
    if isinstance(table, dict):
        expression: dict[str, Any] = {"subquery": {"type": "Subquery", "children": [table]}}
    else:
        expression = {"database_and_table_name": {"type": "TableIdentifier", "name": table}}
    element = {"type": "TablesInSelectQueryElement", "table_expression": {"type": "TableExpression", **expression}}
    tables = {"type": "TablesInSelectQuery", "children": [element]}
    return {"type": "SelectQuery", "select": {"children": []}, "tables": tables, **parts}


def union(*members: dict[str, Any], mode: str = "UNION_ALL") -> dict[str, Any]:
    """Return the tree of a UNION."""
    return {
        "type": "SelectWithUnionQuery",
        "list_of_modes": [mode] * (len(members) - 1),
        "list_of_selects": {"type": "ExpressionList", "children": list(members)},
    }


def cte(name: str, tree: dict[str, Any]) -> dict[str, Any]:
    """Return the WITH of a SELECT."""
    element = {"type": "WithElement", "name": name, "subquery": {"type": "Subquery", "children": [tree]}}
    return {"type": "ExpressionList", "children": [element]}


class TestTrigger:
    def test_leftmost(self) -> None:
        """Subqueries and CTEs are looked through."""
        assert trigger_of(union(select("a"))) == ("", "a")
        assert trigger_of(union(select(union(select(union(select("a"))))))) == ("", "a")
        assert trigger_of(union(select("x", **{"with": cte("x", union(select("a")))}))) == ("", "a")
        # A CTE does not see itself: this is the table of its name.
        assert trigger_of(union(select("x", **{"with": cte("x", union(select("x")))}))) == ("", "x")

    def test_unions(self) -> None:
        """All members must begin with the same table."""
        assert trigger_of(union(select("a"), select("a"))) == ("", "a")
        with pytest.raises(NoTriggerError, match="'a' and 'b'"):
            trigger_of(union(select("a"), select("b")))
        with pytest.raises(NoTriggerError, match="EXCEPT"):
            trigger_of(union(select("a"), select("a"), mode="EXCEPT_DEFAULT"))

    def test_none(self) -> None:
        """Without a table in FROM there is nothing to hang on."""
        with pytest.raises(NoTriggerError, match="needs a Data Source"):
            trigger_of(union({"type": "SelectQuery"}))

    def test_mark(self) -> None:
        """Each leftmost place gets the mark and keeps its name as an alias."""
        tree = union(select("a"), select(union(select("a"))))
        mark_trigger(tree, "mark")
        assert trigger_of(tree) == ("", "mark")
        inner = tree["list_of_selects"]["children"][0]["tables"]["children"][0]["table_expression"]
        assert inner["database_and_table_name"]["alias"] == "a"

    def test_group_keys(self) -> None:
        """By name, by alias of the same expression, by position."""
        day = {"type": "Function", "name": "toDate", "arguments": {"children": [{"type": "Identifier", "name": "at"}]}}
        position = {"type": "Literal", "value": {"value": 1}}
        columns = {"children": [{"type": "Identifier", "name": "k"}, {**day, "alias": "d"}]}
        tree = select("a", select=columns, group_by={"children": [day, position]})
        assert group_keys(union(tree)) == ["d", "k"]
        assert group_keys(union(select("a"))) == []


class TestTarget:
    def test_incompatible(self) -> None:
        """Each column that does not fit is named, with both types."""
        target = parse_schema(
            "a Int32, b Nullable(String), c Date, m Int8 MATERIALIZED 1, s SimpleAggregateFunction(max, Int64)"
        )
        described = [("a", "UInt8"), ("b", "LowCardinality(String)"), ("c", "DateTime"), ("s", "Nullable(Int32)")]
        assert incompatible(described, target) == []
        problems = incompatible([("a", "String"), ("z", "Int8"), ("m", "Int8"), ("c", "Array(Date)")], target)
        assert problems == [
            "the column 'a' is String, and in the Data Source it is Int32",
            "the column 'z' is not in the Data Source",
            "the column 'm' is computed in the Data Source (MATERIALIZED 1)",
            "the column 'c' is Array(Date), and in the Data Source it is Date",
        ]

    def test_engine(self) -> None:
        """States want an AggregatingMergeTree sorted by the keys; what the request says goes before."""
        states = [("d", "Date"), ("k", "String"), ("c", "AggregateFunction(count)")]
        assert target_engine(states, ["k", "d"], {}) == {
            "engine": "AggregatingMergeTree",
            "engine_sorting_key": "k, d",
        }
        given = {"engine_sorting_key": "d", "datasource": "x", "engine_partition_key": ""}
        assert target_engine(states, ["k", "d"], given) == {"engine": "AggregatingMergeTree", "engine_sorting_key": "d"}
        assert target_engine([("k", "String")], ["k"], {}) == {"engine": "MergeTree"}
        assert target_engine([("c", "AggregateFunction(count)")], [], {})["engine_sorting_key"] == "tuple()"

    def test_keys_that_may_be_null_or_odd(self) -> None:
        """No key is left out, for rows that differ in it must not become one."""
        described = [("a b", "Nullable(String)"), ("other", "Int8"), ("c", "SimpleAggregateFunction(sum, Int64)")]
        assert target_engine(described, ["a b"], {}) == {
            "engine": "AggregatingMergeTree",
            "engine_sorting_key": "`a b`, other",
            "engine_settings": "allow_nullable_key = 1",
        }

    def test_columns(self) -> None:
        """Nullable is taken off the type."""
        assert view_columns([("a", "Nullable(Int8)")]) == [Column("a", "Int8", nullable=True)]


def test_insertion() -> None:
    """The marks give way to tables; all rows of the source are those that it has and those that come."""
    view = View(
        "t_1", "t_2", "v", Table("w", "src"), Table("w", "t"), columns=("a",), sql="SELECT a FROM _m AS src, _e AS x",
        rows_mark="_m", all_mark="_e",
    )  # fmt: skip
    sql = view.insertion(Table("s", "into"), Table("s", "new"))
    assert sql == (
        "INSERT INTO `s`.`into` (`a`) WITH _e AS (SELECT * FROM `w`.`src` UNION ALL SELECT * FROM `s`.`new`) "
        "SELECT `a` FROM (\nSELECT a FROM `s`.`new` AS src, _e AS x\n)"
    )
    assert "UNION" not in view.insertion(Table("s", "into"), Table("s", "new"), every=Table("s", "snapshot"))
