"""How a Data Source with rows gets its new shape. Pure.

What an ALTER can do without touching values is done in place: more columns, other defaults, codecs, indexes, TTL.
Everything else makes a new table, which is filled from the old one: by the author's FORWARD_QUERY, or column by column
when each can take all values that it may hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import quote_identifier
from tinymagic.local.tables.alteration import Alteration, AlterationError, alter_columns, alter_indexes
from tinymagic.local.tables.type_names import TypeName, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.tables.schema import Column

_TTL = "engine_ttl"

#: Types whose values all fit into another one: how many bits they need, signed ones after unsigned.
_INTEGERS = {name + bits: int(bits) for name in ("Int", "UInt") for bits in ("8", "16", "32", "64", "128", "256")}


class EvolutionError(ValueError):
    """The change needs a FORWARD_QUERY; the message is a sentence."""


@dataclass(frozen=True)
class Shape:
    """What the engine knows of a Data Source.

    Attributes:
        columns: with the engine's spelling of types.
        engine: ``engine`` and ``engine_*``.
        indexes: as the API describes them.
    """

    columns: tuple[Column, ...]
    engine: Mapping[str, str]
    indexes: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Evolution:
    """What to do.

    Attributes:
        alteration: in place; ``None`` when a new table is made.
        columns: names of the columns that a new table takes over as they are, when there is no FORWARD_QUERY.
    """

    alteration: Alteration | None = None
    columns: tuple[str, ...] = field(default=())


def evolve(
    old: Shape, new: Shape, *, definitions: Sequence[str], ttl: str, has_query: bool, is_empty: bool
) -> Evolution | None:
    """Find the way from *old* to *new*; ``None`` when the shapes are the same.

    Args:
        old: as it is.
        new: as it shall be.
        definitions: SQL of the new indexes.
        ttl: the new TTL as the engine's parser writes it.
        has_query: whether the author gives a FORWARD_QUERY.
        is_empty: whether there are no rows to keep.

    Raises:
        EvolutionError: rows would get lost or change without the author saying how.
    """
    is_same = [column.text() for column in old.columns] == [column.text() for column in new.columns]
    if is_same and old.engine == new.engine and list(old.indexes) == list(new.indexes):
        return None
    only_ttl = _without_ttl(old.engine) == _without_ttl(new.engine)
    if only_ttl and new.engine.get("engine") != "Null" and not (has_query and _values_differ(old, new)):
        try:
            steps = alter_columns(old.columns, new.columns)
        except AlterationError:
            steps = None
        if steps is not None and not any(_is_heavy(action) for action in steps.actions):
            alter_indexes(steps, old.indexes, new.indexes, definitions)
            _alter_ttl(steps, old, new, ttl)
            return Evolution(steps)
    if has_query or is_empty or "Null" in (old.engine.get("engine"), new.engine.get("engine")):
        return Evolution(columns=())
    return Evolution(columns=_taken_over(old, new))


def _without_ttl(engine: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in engine.items() if key != _TTL}


def _values_differ(old: Shape, new: Shape) -> bool:
    """Say whether a query could put something else into the new table than is in the old one."""
    return [(column.name, column.full_type) for column in old.columns] != [
        (column.name, column.full_type) for column in new.columns
    ]


def _is_heavy(action: str) -> bool:
    """Say whether a step of an ALTER rewrites or loses values: those are left to a new table."""
    lossy = action.startswith("DROP COLUMN")
    return lossy or (action.startswith("MODIFY COLUMN") and "Nullable(" in action and " DEFAULT " not in action)


def _alter_ttl(steps: Alteration, old: Shape, new: Shape, ttl: str) -> None:
    if old.engine.get(_TTL, "") == new.engine.get(_TTL, ""):
        return
    if new.engine.get(_TTL):
        steps.add(f"MODIFY TTL {ttl}", late=True)
    else:
        steps.add("REMOVE TTL", late=True)


def _taken_over(old: Shape, new: Shape) -> tuple[str, ...]:
    """Return the columns that the new table takes from the old one.

    Raises:
        EvolutionError: one is missing, or holds values that the new type may not take.
    """
    before = {column.name: column for column in old.columns}
    after = {column.name for column in new.columns}
    gone = [column.name for column in old.columns if column.name not in after]
    if gone:
        raise EvolutionError(
            f"The column{'s' if len(gone) > 1 else ''} {', '.join(map(repr, gone))} would be dropped with the values. "
            f"Add a FORWARD_QUERY that says what becomes of the rows, for instance: SELECT {_selection(new, before)}"
        )
    for column in new.columns:
        known = before.get(column.name)
        if known is not None and column.is_inserted and not _fits(known.full_type, column.full_type):
            example = f"CAST({quote_identifier(column.name)}, '{column.full_type}') AS {quote_identifier(column.name)}"
            raise EvolutionError(
                f"The type of the column {column.name!r} changes from {known.full_type} to {column.full_type}. Add a "
                f"FORWARD_QUERY that says what becomes of the values, for instance: "
                f"SELECT {_selection(new, before, column.name, example)}"
            )
    return tuple(column.name for column in new.columns if column.name in before and column.is_inserted)


def _selection(new: Shape, before: Mapping[str, Column], changed: str = "", expression: str = "") -> str:
    parts = [
        expression if column.name == changed else column.name
        for column in new.columns
        if column.name in before and column.is_inserted
    ]
    return ", ".join(parts)


def _fits(old: str, new: str) -> bool:
    """Say whether every value of one type is one of the other."""
    before, was_nullable = _inner(type_name(old))
    after, is_nullable = _inner(type_name(new))
    if was_nullable and not is_nullable:
        return False
    if before.text == after.text:
        return True
    if before.family in _INTEGERS and after.family in _INTEGERS:
        signed_before, signed_after = before.family.startswith("I"), after.family.startswith("I")
        bits_before, bits_after = _INTEGERS[before.family], _INTEGERS[after.family]
        if signed_before == signed_after:
            return bits_after >= bits_before
        return signed_after and bits_after > bits_before
    pairs = (("Float32", "Float64"), ("Date", "Date32"), ("FixedString", "String"), ("Bool", "UInt8"))
    return (before.family, after.family) in pairs


def _inner(type_: TypeName) -> tuple[TypeName, bool]:
    nullable = False
    while type_.family in ("Nullable", "LowCardinality") and type_.arguments:
        nullable |= type_.family == "Nullable"
        type_ = type_.argument(0)
    return type_, nullable
