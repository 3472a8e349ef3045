"""From an old and a new schema to the steps of an alter."""

from __future__ import annotations

import pytest

from tinymagic.local.tables.alteration import (
    Alteration,
    AlterationError,
    alter_columns,
    alter_indexes,
    column_definition,
)
from tinymagic.local.tables.schema import parse_schema

OLD = "a Int32, b Nullable(String) `json:$.b`, c Int8 DEFAULT 3 CODEC(ZSTD(1)), m Int32 MATERIALIZED a + 1"


def alter(new: str, old: str = OLD) -> Alteration:
    """Return the steps between two schema texts."""
    return alter_columns(parse_schema(old), parse_schema(new))


class TestColumns:
    def test_nothing(self) -> None:
        """Equal schemas need no step."""
        steps = alter(OLD)
        assert (steps.operations, steps.actions, steps.quarantine_actions, steps.late_actions) == ([], [], [], [])
        assert steps.statements("t") == []

    def test_add_at_the_end(self) -> None:
        """The table gets it last; the quarantine before its own columns."""
        steps = alter("a Int32, b Int8", "a Int32")
        assert steps.operations == ["ADD COLUMN `b` Int8"]
        assert steps.actions == ["ADD COLUMN IF NOT EXISTS `b` Int8"]
        assert steps.quarantine_actions == ["ADD COLUMN IF NOT EXISTS `b` Nullable(String) AFTER `a`"]

    def test_add_several_between(self) -> None:
        """Each goes behind the column that is before it in the new schema, new ones included."""
        steps = alter("x Int8, y Int8, a Int32, z Int8, b Int8", "a Int32, b Int8")
        assert steps.operations == [
            "ADD COLUMN `x` Int8 FIRST",
            "ADD COLUMN `y` Int8 AFTER `x`",
            "ADD COLUMN `z` Int8 AFTER `a`",
        ]
        assert [action.partition(") ")[2] for action in steps.quarantine_actions] == ["FIRST", "AFTER `x`", "AFTER `a`"]

    def test_materialized_is_not_in_the_quarantine(self) -> None:
        """Nobody sends values for it."""
        assert alter("a Int32, m Int32 MATERIALIZED a", "a Int32").quarantine_actions == []
        assert alter("a Int32", "a Int32, m Int32 MATERIALIZED a").quarantine_actions == []

    def test_drop(self) -> None:
        """Drops come before what is added."""
        steps = alter("a Int32, n Int8", "a Int32, b Int8")
        assert steps.operations == ["DROP COLUMN `b`", "ADD COLUMN `n` Int8"]
        assert steps.statements("t") == [
            "ALTER TABLE t DROP COLUMN IF EXISTS `b`, ADD COLUMN IF NOT EXISTS `n` Int8",
        ]

    @pytest.mark.parametrize(
        ("old", "new", "operations"),
        [
            ("a Int8", "a Nullable(Int8)", ["MODIFY COLUMN `a` Nullable(Int8)"]),
            ("a Int8", "a Int8 DEFAULT 4", ["MODIFY COLUMN `a` DEFAULT (4)"]),
            ("a Int8 DEFAULT 4", "a Int8", ["MODIFY COLUMN `a` REMOVE DEFAULT"]),
            ("a Int8 DEFAULT 4", "a Int8 DEFAULT 5", ["MODIFY COLUMN `a` DEFAULT (5)"]),
            ("a Int8", "a Int8 CODEC(ZSTD(1))", ["MODIFY COLUMN `a` CODEC(ZSTD(1))"]),
            ("a Int8 CODEC(ZSTD(1))", "a Int8", ["MODIFY COLUMN `a` REMOVE CODEC"]),
            (
                "a Int8",
                "a Nullable(Int8) DEFAULT 1 CODEC(LZ4)",
                [
                    "MODIFY COLUMN `a` Nullable(Int8)",
                    "MODIFY COLUMN `a` DEFAULT (1)",
                    "MODIFY COLUMN `a` CODEC(LZ4)",
                ],
            ),
            ("`a``b` Int8".replace("``", " "), "`a b` Nullable(Int8)", ["MODIFY COLUMN `a b` Nullable(Int8)"]),
        ],
    )
    def test_change(self, old: str, new: str, operations: list[str]) -> None:
        """One step for each thing that changes."""
        steps = alter(new, old)
        assert steps.operations == steps.actions == operations
        assert steps.quarantine_actions == []

    def test_jsonpath_is_no_statement(self) -> None:
        """Only the catalogue knows jsonpaths."""
        steps = alter("a Int8 `json:$.x`", "a Int8")
        assert steps.operations == ["MODIFY COLUMN `a` `json:$.x`"]
        assert steps.statements("t") == []

    @pytest.mark.parametrize(
        ("new", "said"),
        [
            ("b Nullable(String), a Int32", "places"),
            ("a Int64", "type"),
            ("a Int32, b String", "Nullable"),
            ("a Int32, m Int32", "MATERIALIZED"),
            ("a Int32, m Int32 MATERIALIZED a + 2", "MATERIALIZED"),
            ("a Int32 MATERIALIZED 3", "MATERIALIZED"),
        ],
    )
    def test_refused(self, new: str, said: str) -> None:
        """What would change or reorder values."""
        with pytest.raises(AlterationError, match=said):
            alter(new)


class TestIndexes:
    def index(self, name: str, granularity: int = 1) -> dict[str, object]:
        """Return an index as the catalogue has it."""
        return {"name": name, "expr": "a", "type_full": "minmax", "granularity": granularity}

    def test_changes(self) -> None:
        """What is the same stays; what is another is dropped and made again; a new one is also filled."""
        steps = Alteration()
        old = [self.index("same"), self.index("other"), self.index("gone")]
        new = [self.index("same"), self.index("other", 2), self.index("new")]
        alter_indexes(steps, old, new, ["same_sql", "other_sql", "new_sql"])
        assert steps.operations == [
            "DROP INDEX `other`",
            "DROP INDEX `gone`",
            "ADD INDEX other_sql",
            "ADD INDEX new_sql",
        ]
        assert steps.statements("t") == [
            (
                "ALTER TABLE t DROP INDEX IF EXISTS `other`, DROP INDEX IF EXISTS `gone`, "
                "ADD INDEX IF NOT EXISTS other_sql, ADD INDEX IF NOT EXISTS new_sql"
            ),
            "ALTER TABLE t MATERIALIZE INDEX IF EXISTS `other`",
            "ALTER TABLE t MATERIALIZE INDEX IF EXISTS `new`",
        ]


def test_definition() -> None:
    """A column as CREATE TABLE wants it: the jsonpath is ours."""
    [column] = parse_schema("`a b` Nullable(Int8) `json:$.x` DEFAULT 1 CODEC(ZSTD(3))")
    assert column_definition(column) == "`a b` Nullable(Int8) DEFAULT (1) CODEC(ZSTD(3))"
