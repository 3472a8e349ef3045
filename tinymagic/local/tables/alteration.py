"""From an old and a new schema to the steps of an ``alter`` (``datasources.md`` section 4.2). Pure.

A step is a text for people (`operations` of the reply) and the statements that carry it out. Statements may be run
again after a crash, so they say IF EXISTS and IF NOT EXISTS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .schema import Column


class AlterationError(ValueError):
    """The change cannot be made in place; the message is a sentence."""


@dataclass
class Alteration:
    """What changes.

    Attributes:
        operations: for people, one for each step.
        actions: of one ``ALTER TABLE`` on the Data Source's table, in order.
        late_actions: of statements of their own, because they need what *actions* made, or take what follows a comma
            for a part of themselves.
        quarantine_actions: of one ``ALTER TABLE`` on its quarantine.
    """

    operations: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    late_actions: list[str] = field(default_factory=list)
    quarantine_actions: list[str] = field(default_factory=list)

    def add(self, action: str, operation: str | None = None, *, late: bool = False) -> None:
        """Add one step; a *late* one has a statement of its own, after the others."""
        (self.late_actions if late else self.actions).append(action)
        self.operations.append(operation or action)

    def statements(self, table: str) -> list[str]:
        """Return the statements for *table*, a quoted name."""
        first = [f"ALTER TABLE {table} {', '.join(self.actions)}"] if self.actions else []
        return first + [f"ALTER TABLE {table} {action}" for action in self.late_actions]


def alter_columns(old: Sequence[Column], new: Sequence[Column]) -> Alteration:
    """Find the steps from *old* to *new* columns.

    Columns may be added, dropped, made Nullable, and get another DEFAULT, codec or jsonpath. What would change values
    or their order is refused.

    Raises:
        AlterationError: a type would change, a Nullable column would lose its NULLs, or columns change places.
    """
    steps = Alteration()
    before = {column.name: column for column in old}
    after = {column.name: column for column in new}
    kept = [column.name for column in old if column.name in after]
    if kept != [column.name for column in new if column.name in before]:
        raise AlterationError(
            "The columns would change places, which an alter cannot do. Write them in the order that they have; new "
            "ones go anywhere between."
        )
    for column in old:
        if column.name not in after:
            name = quote_identifier(column.name)
            steps.add(f"DROP COLUMN IF EXISTS {name}", f"DROP COLUMN {name}")
            if column.is_inserted:
                steps.quarantine_actions.append(f"DROP COLUMN IF EXISTS {name}")
    previous = ""
    for column in new:
        if column.name in before:
            _change_column(steps, before[column.name], column)
        else:
            _add_column(steps, column, previous, last=column is new[-1])
        previous = column.name
    return steps


def alter_indexes(
    steps: Alteration, old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]], definitions: Sequence[str]
) -> None:
    """Add the steps from *old* to *new* indexes; *definitions* are the SQL of the new ones."""
    by_name = {each["name"]: each for each in old}
    kept = {each["name"] for each in new if by_name.get(each["name"]) == each}
    for each in old:
        if each["name"] not in kept:
            name = quote_identifier(each["name"])
            steps.add(f"DROP INDEX IF EXISTS {name}", f"DROP INDEX {name}")
    for each, definition in zip(new, definitions, strict=True):
        if each["name"] not in kept:
            steps.add(f"ADD INDEX IF NOT EXISTS {definition}", f"ADD INDEX {definition}")
            steps.late_actions.append(f"MATERIALIZE INDEX IF EXISTS {quote_identifier(each['name'])}")


def _add_column(steps: Alteration, column: Column, previous: str, *, last: bool) -> None:
    place = "" if last else f" AFTER {quote_identifier(previous)}" if previous else " FIRST"
    definition = column_definition(column)
    steps.add(f"ADD COLUMN IF NOT EXISTS {definition}{place}", f"ADD COLUMN {definition}{place}")
    if column.is_inserted:
        # The quarantine has its own columns behind those of the Data Source.
        after = f" AFTER {quote_identifier(previous)}" if previous else " FIRST"
        name = quote_identifier(column.name)
        steps.quarantine_actions.append(f"ADD COLUMN IF NOT EXISTS {name} Nullable(String){after}")


def _change_column(steps: Alteration, old: Column, new: Column) -> None:
    name = quote_identifier(new.name)
    if new.type != old.type:
        raise AlterationError(
            f"The type of the column {new.name!r} would change from {old.full_type} to {new.full_type}, which an alter "
            "cannot do. Create a new Data Source with the new type and copy the rows into it."
        )
    if old.nullable and not new.nullable:
        raise AlterationError(
            f"The column {new.name!r} is {old.full_type} and cannot stop being Nullable: it may hold NULLs."
        )
    if (old.default_kind == "MATERIALIZED" or new.default_kind == "MATERIALIZED") and old.default != new.default:
        raise AlterationError(
            f"The column {new.name!r} cannot become or stop being MATERIALIZED, or compute another value."
        )
    if new.nullable and not old.nullable:
        steps.add(f"MODIFY COLUMN {name} {new.full_type}")
    if new.default != old.default:
        if new.default:
            steps.add(f"MODIFY COLUMN {name} {new.default_kind} ({new.default_expression})")
        else:
            steps.add(f"MODIFY COLUMN {name} REMOVE DEFAULT")
    if new.codec != old.codec:
        steps.add(f"MODIFY COLUMN {name} {new.codec}" if new.codec else f"MODIFY COLUMN {name} REMOVE CODEC")
    if new.jsonpath != old.jsonpath:
        steps.operations.append(f"MODIFY COLUMN {name} `json:{new.jsonpath or '$.' + new.name}`")


def column_definition(column: Column) -> str:
    """Return a column as CREATE TABLE and ADD COLUMN want it."""
    parts = [quote_identifier(column.name), column.full_type]
    if column.default:
        parts.append(f"{column.default_kind} ({column.default_expression})")
    if column.codec:
        parts.append(column.codec)
    return " ".join(parts)
