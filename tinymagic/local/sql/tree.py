"""The syntax tree of a statement, as ``parseQueryToJSON`` gives it: its nodes, and what names mean where they stand.

Pure. A tree is dictionaries with a ``type``, in lists and dictionaries. Walks go with a stack: trees may be deep.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from .names import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: (database, table); the database is "" for a bare name, which means the workspace.
TableName: TypeAlias = "tuple[str, str]"


def loads(data: bytes) -> Any:
    r"""Read what the parser answered.

    Raises:
        BadRequest: a text in the statement is not UTF-8 (``'\xff'``), which no reply in JSON can carry.
    """
    try:
        return json.loads(data)
    except UnicodeDecodeError:
        raise refused("The text has an escape that is not valid UTF-8. Write unhex('ff') for such bytes") from None


@dataclass(frozen=True)
class Scope:
    """What the names around a place in the tree stand for.

    Attributes:
        ctes: subqueries of WITH.
        values: aliases of expressions in WITH; they hide a table on the right side of IN only.
        outer: the scope of the SELECT around this one.
        sources: the ``TableExpression`` nodes of its FROM.
    """

    ctes: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    outer: Scope | None = None
    sources: tuple[dict[str, Any], ...] = ()


def filled(node: dict[str, Any], *known: str) -> list[str]:
    """Return the keys of a node that say something, but for the *known* ones."""
    return [key for key, value in node.items() if value and key not in known]


def arguments_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of a function that are nodes."""
    return [each for each in (node.get("arguments") or {}).get("children") or [] if isinstance(each, dict)]


def nodes_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of the tree, parents first; with a stack, because trees may be deep."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("type"), str):
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def scoped_nodes(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Scope]]:
    """Yield every node with its scope, in the order of the text."""
    stack: list[tuple[Any, Scope]] = [(tree, Scope())]
    first_members: dict[int, Scope] = {}
    while stack:
        item, scope = stack.pop()
        if isinstance(item, list):
            stack.extend((each, scope) for each in reversed(item))
        elif isinstance(item, dict):
            scope = first_members.pop(id(item), scope)
            if isinstance(item.get("type"), str):
                yield item, scope
            if item.get("type") == "SelectQuery":
                stack.extend(reversed(_parts_of_select(item, scope, first_members)))
            else:
                stack.extend((each, scope) for each in reversed(list(item.values())))


def _parts_of_select(node: dict[str, Any], outer: Scope, first_members: dict[int, Scope]) -> list[tuple[Any, Scope]]:
    """Return what a SELECT consists of, each with its scope: a CTE sees those before it, the rest sees all.

    A recursive CTE sees itself, but for the first member of its UNION, whose scope goes into *first_members*.
    """
    parts: list[tuple[Any, Scope]] = []
    scope = Scope(outer.ctes, outer.values, outer, _sources(node))
    elements = node.get("with") or {}
    for element in elements.get("children") or []:
        if element["type"] != "WithElement":
            parts.append((element, scope))
            if element.get("alias"):
                scope = replace(scope, values=scope.values | {str(element["alias"])})
            continue
        after = replace(scope, ctes=scope.ctes | {str(element["name"])})
        members = _members(element) if node.get("recursive_with") else []
        if len(members) > 1:
            first_members[id(members[0])] = scope
        parts.append((element, after if len(members) > 1 else scope))
        scope = after
    parts.append(({**elements, "children": []}, scope))
    # The list of its expressions comes before FROM in the text, and in the order in which the parser complains.
    parts.extend((value, scope) for key, value in node.items() if key != "with")
    return parts


def _sources(select: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    elements = (select.get("tables") or {}).get("children") or []
    return tuple(element["table_expression"] for element in elements if element.get("table_expression"))


def _members(element: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the SELECTs of the UNION in a CTE."""
    children = (element.get("subquery") or {}).get("children") or [{}]
    members: list[dict[str, Any]] = (children[0].get("list_of_selects") or {}).get("children") or []
    return members


def parts_of(node: dict[str, Any]) -> list[str]:
    """Return the parts of a dotted name."""
    return [str(part) for part in node.get("name_parts") or [node.get("name", "")]]


def table_name(node: dict[str, Any]) -> TableName:
    """Return database and name of a TableIdentifier."""
    if node.get("children"):
        raise refused("The name of a table cannot be a query parameter")
    parts = parts_of(node)
    return ".".join(parts[:-1]), parts[-1]


def set_parts(node: dict[str, Any], parts: Iterable[str]) -> None:
    """Give a node another dotted name."""
    node["name_parts"] = list(parts)
    node["name"] = ".".join(node["name_parts"])
    if len(node["name_parts"]) == 1:
        del node["name_parts"]


def exact_float(node: dict[str, Any]) -> dict[str, Any]:
    """Make a literal that is a float one in Python too, also when it was written without a point."""
    if node.get("field_type") == "Float64" and isinstance(node.get("value"), int):
        return {**node, "value": float(node["value"])}
    return node


def without_settings(item: Any) -> Any:
    """Return a copy of the tree without its SetQuery nodes."""
    if isinstance(item, dict):
        kept = {}
        for key, value in item.items():
            if isinstance(value, dict) and value.get("type") == "SetQuery":
                continue
            kept[key] = without_settings(value)
        return kept
    if isinstance(item, list):
        return [
            without_settings(each) for each in item if not (isinstance(each, dict) and each.get("type") == "SetQuery")
        ]
    return item
