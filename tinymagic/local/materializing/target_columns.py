"""The columns of a materialized view beside those of its target, and the target that is made when there is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.local.engine import quote_identifier
from tinymagic.local.tables.schema import Column
from tinymagic.local.tables.type_names import DATES, TypeName, type_name, without_nullable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STATES = ("AggregateFunction", "SimpleAggregateFunction")
_TEXTS = ("String", "FixedString", "Enum8", "Enum16")


def view_columns(described: Sequence[tuple[str, str]]) -> list[Column]:
    """Make columns of a Data Source of names and types of a SELECT."""
    columns = []
    for name, text in described:
        type_, nullable = without_nullable(text)
        columns.append(Column(name, type_, nullable))
    return columns


def incompatible(described: Sequence[tuple[str, str]], target: Sequence[Column]) -> list[str]:
    """Say of each column of a view that the target cannot take what is the matter; none when it fits."""
    known = {column.name: column for column in target}
    problems = []
    for name, text in described:
        column = known.get(name)
        if column is None:
            problems.append(f"the column '{name}' is not in the Data Source")
        elif not column.is_inserted:
            problems.append(f"the column '{name}' is computed in the Data Source ({column.default})")
        elif not _fits(type_name(text), type_name(column.full_type)):
            problems.append(f"the column '{name}' is {text}, and in the Data Source it is {column.full_type}")
    return problems


def target_engine(
    described: Sequence[tuple[str, str]], keys: Sequence[str], fields: Mapping[str, str]
) -> dict[str, str]:
    """Return the engine parameters of a target that is made for a view.

    States of aggregate functions want an AggregatingMergeTree, sorted by what the view groups by: rows of the same key
    become one. Without states it is a MergeTree with the usual sorting key.

    Args:
        described: columns of the view, name and type.
        keys: names by which the view groups.
        fields: of the request; ``engine`` and ``engine_*`` in it go before what is guessed.
    """
    options = {key: str(value) for key, value in fields.items() if key == "engine" or key.startswith("engine_")}
    options = {key: value for key, value in options.items() if value.strip()}
    has_states = any(type_name(text).family in _STATES for _, text in described)
    if not options.get("engine"):
        options["engine"] = "AggregatingMergeTree" if has_states else "MergeTree"
    if not has_states or "engine_sorting_key" in options:
        return options
    types = dict(described)
    plain = [name for name, text in described if type_name(text).family not in _STATES]
    # What is selected beside the states but not a key of GROUP BY by name is the same thing under another name.
    chosen = [name for name in keys if name in plain]
    chosen += [name for name in plain if name not in chosen]
    options["engine_sorting_key"] = ", ".join(map(_written, chosen)) or "tuple()"
    if any("Nullable(" in types[name] for name in chosen) and not options.get("engine_settings"):
        options["engine_settings"] = "allow_nullable_key = 1"
    return options


def _written(name: str) -> str:
    return name if _NAME_RE.fullmatch(name) else quote_identifier(name)


def _fits(found: TypeName, wanted: TypeName) -> bool:
    """Say whether values of one type may become those of another; what is left to decide the engine decides."""
    found, wanted = _inner(found), _inner(wanted)
    if found.text == wanted.text:
        return True
    if "AggregateFunction" in (found.family, wanted.family) or wanted.is_composite or found.is_composite:
        return found.family == wanted.family
    if found.family == "Nothing":
        return True
    if found.is_numeric or found.family == "Bool":
        return wanted.is_numeric or wanted.family == "Bool"
    if found.family in DATES:
        return wanted.family in DATES
    if found.family in _TEXTS:
        return wanted.family in _TEXTS
    return found.family == wanted.family


def _inner(type_: TypeName) -> TypeName:
    """Take off what wraps a type without changing what its values are."""
    while type_.family in ("Nullable", "LowCardinality", "SimpleAggregateFunction") and type_.arguments:
        type_ = type_.argument(-1)
    return type_
