"""Other tables in the place of those that a statement names, through its tree.

Not only tables are renamed but also the columns which are written with the name of their table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .tree import parts_of, set_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .reading import Reading
    from .tree import Scope, TableName


def rename(reading: Reading, changes: Mapping[TableName, TableName]) -> None:
    """Put other names into the tree that *reading* is of; *changes* has old to new."""
    sources = {
        id(node): _Renamed(table, changes[table], _label(node, table, scope))
        for node, table, scope in reading.named
        if table in changes and node["type"] == "TableIdentifier"
    }
    # Columns first: to find what they belong to, FROM must still have the old names.
    for node, scope in reading.identifiers:
        _rename_column(node, scope, sources, whole=id(node) in reading.qualifiers)
    for node, table, scope in reading.named:
        if table not in changes:
            continue
        parts = [part for part in changes[table] if part]
        if node["type"] == "Literal":
            node["value"]["value"] = ".".join(parts)
        elif node["type"] == "TableIdentifier":
            label = sources[id(node)].label
            set_parts(node, parts)
            if label not in (None, parts[-1]):
                node["alias"] = label
        elif table[0] or not _is_alias_in(scope, table[1]):
            set_parts(node, parts)


@dataclass(frozen=True)
class _Renamed:
    """A table in FROM that gets another name; *label* is its alias afterwards, ``None`` when it cannot have one."""

    old: TableName
    new: TableName
    label: str | None


def _label(node: dict[str, Any], table: TableName, scope: Scope) -> str | None:
    """Return the alias of a renamed table: its own, or its old bare name unless another one beside it has that name."""
    if node.get("alias"):
        return str(node["alias"])
    beside = (source for source in scope.sources if source.get("database_and_table_name") is not node)
    if table[0] and any(_answers_to(source, table[1]) for source in beside):
        return None
    return table[1]


def _rename_column(node: dict[str, Any], scope: Scope | None, sources: Mapping[int, _Renamed], *, whole: bool) -> None:
    """Change ``old.column`` where the old name of the table cannot stand any more.

    Args:
        node: an Identifier.
        scope: where it stands; columns of outer SELECTs are seen too.
        sources: the renamed tables by the ids of their nodes.
        whole: it is a qualifier as in ``old.*``, with no column behind.
    """
    parts = parts_of(node)
    while scope is not None:
        found = _renamed_source(parts, scope, sources, whole=whole)
        if found is not None:
            prefix = [part for part in found.old if part]
            if len(prefix) == 1 and found.label == prefix[0]:
                return
            new = [found.label] if found.label else [part for part in found.new if part]
            set_parts(node, [*new, *parts[len(prefix) :]])
            return
        if any(_answers_to(source, parts[0]) for source in scope.sources):
            return
        scope = scope.outer


def _renamed_source(parts: list[str], scope: Scope, sources: Mapping[int, _Renamed], *, whole: bool) -> _Renamed | None:
    """Return the renamed table in one FROM that a column is written with the old name of.

    The table may be there twice, ``FROM a AS t JOIN a``: then ``a.x`` is a column of the one without an alias. And when
    something else goes by that name, it is that one's.
    """
    matching: list[_Renamed] = []
    is_taken = False
    for source in scope.sources:
        renamed = sources.get(id(source.get("database_and_table_name")))
        prefix = [part for part in renamed.old if part] if renamed is not None else []
        if renamed is not None and parts[: len(prefix)] == prefix and len(parts) >= len(prefix) + (0 if whole else 1):
            matching.append(renamed)
        elif (whole or len(parts) > 1) and _answers_to(source, parts[0]):
            is_taken = True
    found = next((each for each in matching if each.label == each.old[1]), matching[0] if matching else None)
    return None if found is not None and is_taken and not found.old[0] else found


def _is_alias_in(scope: Scope | None, name: str) -> bool:
    """Say whether *name* is an alias of a table in FROM; IN means that one then."""
    while scope is not None:
        if any((source.get("database_and_table_name") or {}).get("alias") == name for source in scope.sources):
            return True
        scope = scope.outer
    return False


def _answers_to(source: dict[str, Any], name: str) -> bool:
    """Say whether columns of a table expression may be written as ``name.column``."""
    inner = source.get("database_and_table_name") or source.get("subquery") or source.get("table_function") or {}
    own = parts_of(inner)[-1] if inner.get("type") == "TableIdentifier" else None
    return name in (inner.get("alias"), own)
