"""The Data Source that a materialized view hangs on: new rows there are what the view is evaluated on.

It is the leftmost table, the first in FROM, through subqueries and CTEs. Joins read their right side whole. In the tree
of a view its name gives way to a mark, which then stands for the new rows; where else the view reads the same Data
Source, such as on the right side of a join, another mark stands for all of its rows, the new ones too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.sql.tree import parts_of, set_parts, table_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.local.sql.tree import TableName

_UNIONS = ("UNION_ALL", "UNION_DISTINCT", "UNION_DEFAULT")


class NoTriggerError(ValueError):
    """The SELECT cannot be a materialized view; the message is a sentence for the user."""


def trigger_of(tree: dict[str, Any]) -> TableName:
    """Return the table that the view of this tree hangs on, database and name.

    Raises:
        NoTriggerError: there is none, or more than one.
    """
    names = {table_name(node) for node in _leftmost(tree, {})}
    if len(names) > 1:
        several = " and ".join(repr(".".join(part for part in name if part)) for name in sorted(names))
        raise NoTriggerError(
            "a materialized view hangs on one Data Source, the first in FROM, and the members of this UNION begin "
            f"with {several}. Make a materialized view of each; they can have the same target"
        )
    if not names:
        raise NoTriggerError("a materialized view needs a Data Source in FROM, whose new rows it is evaluated on")
    return names.pop()


def mark_trigger(tree: dict[str, Any], mark: str) -> None:
    """Put *mark* in the place of the trigger; what the SELECT calls it stays its alias."""
    for node in _leftmost(tree, {}):
        if not node.get("alias"):
            node["alias"] = parts_of(node)[-1]
        set_parts(node, [mark])


def group_keys(tree: dict[str, Any]) -> list[str]:
    """Return the names of columns and aliases by which the outer SELECT groups, in their order."""
    selects = [*_members(tree)]
    if not selects:
        return []
    keys = []
    selected = (selects[0].get("select") or {}).get("children") or []
    for node in (selects[0].get("group_by") or {}).get("children") or []:
        value = (node.get("value") or {}).get("value") if node.get("type") == "Literal" else None
        if isinstance(value, int) and 0 < value <= len(selected):  # GROUP BY 1, 2
            node = selected[value - 1]
        same = next((each for each in selected if each.get("alias") and _bare(each) == _bare(node)), node)
        name = same.get("alias") or (parts_of(same)[-1] if same.get("type") == "Identifier" else "")
        if name and name not in keys:
            keys.append(str(name))
    return keys


def _bare(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "alias"}


def _leftmost(query: dict[str, Any], ctes: Mapping[str, tuple[dict[str, Any], Any]]) -> list[dict[str, Any]]:
    """Return the TableIdentifier nodes that are the first in FROM, one for each member of a UNION."""
    found: dict[int, dict[str, Any]] = {}
    for select in _members(query):
        seen = dict(ctes)
        for element in (select.get("with") or {}).get("children") or []:
            if element.get("type") == "WithElement":
                # A CTE sees those before it, not itself.
                seen[str(element["name"])] = (element, dict(seen))
        elements = (select.get("tables") or {}).get("children") or [{}]
        expression = elements[0].get("table_expression") or {}
        inner = (expression.get("subquery") or {}).get("children")
        table = expression.get("database_and_table_name")
        if inner:
            nodes = _leftmost(inner[0], seen)
        elif table is None:
            raise NoTriggerError(
                "a materialized view needs a Data Source as the first table in FROM, whose new rows it is evaluated on"
            )
        elif not table_name(table)[0] and (cte := seen.get(table_name(table)[1])) is not None:
            nodes = _leftmost(cte[0]["subquery"]["children"][0], cte[1])
        else:
            nodes = [table]
        found.update((id(node), node) for node in nodes)
    return list(found.values())


def _members(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the SELECTs of a UNION, or the only one."""
    if query.get("type") == "SelectQuery":
        yield query
        return
    for mode in query.get("list_of_modes") or ():
        if mode not in _UNIONS:
            raise NoTriggerError("a materialized view cannot have INTERSECT or EXCEPT")
    for each in (query.get("list_of_selects") or {}).get("children") or []:
        yield from _members(each)
