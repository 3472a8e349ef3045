"""What a request says about a Pipe and its nodes, made into records. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import BadRequest
from tinymagic.local.records import Node, new_id, now
from tinymagic.names import name_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.records import PipeRecord

PIPES_PAGE = "/api-reference/pipe-api.html"

NODE_TYPES = ("standard", "endpoint", "materialized", "copy", "sink")

#: Names that a Pipe cannot have, because paths of the API begin so.
_PATHS = ("openapi", "_")

_MOST_NAME_CHARACTERS = 200
_MOST_NODES = 500

_NODE_NAME_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class NodeRequest:
    """A node as a request wants it.

    Attributes:
        node: the record, of the type ``standard`` unless it is an endpoint.
        type: what it shall be.
        fields: everything else that the request says about it, for its output.
    """

    node: Node
    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def check_pipe_name(name: str) -> str:
    """Return *name* if a Pipe can have it.

    Raises:
        BadRequest: with a name that would do.
    """
    problem = name_problem(name, kind="Pipe")
    if not problem and name.lower() in _PATHS:
        problem = f"{name!r} is kept for the API and cannot be the name of a Pipe. Choose another one."
    if not problem and re.fullmatch(r"t_[0-9a-f]{32}", name):
        problem = f"{name!r} looks like the id of a resource, so it cannot be a name. Choose another one."
    if not problem and len(name) > _MOST_NAME_CHARACTERS:
        problem = f"The name of a Pipe has at most {_MOST_NAME_CHARACTERS} characters, not {len(name)}."
    if problem:
        raise BadRequest(problem, documentation=PIPES_PAGE)
    return name


def check_node_name(name: str, pipe_name: str) -> str:
    """Return *name* if a node of the Pipe can have it.

    Raises:
        BadRequest: it is no name, or the Pipe's.
    """
    if not _NODE_NAME_RE.fullmatch(name) or len(name) > _MOST_NAME_CHARACTERS:
        raise BadRequest(
            f"{name[:80]!r} is not a valid node name: use letters, digits and underscores only, and start with a "
            f"letter or an underscore; at most {_MOST_NAME_CHARACTERS} characters.",
            documentation=PIPES_PAGE,
        )
    if name == pipe_name:
        raise BadRequest(
            f"The node {name!r} has the name of its pipe. Give it another name, for instance {name + '_node'!r}.",
            documentation=PIPES_PAGE,
        )
    return name


def read_nodes(pipe_name: str, requested: Sequence[Mapping[str, Any]], old: PipeRecord | None) -> list[NodeRequest]:
    """Make nodes of what a request says; a node of the same name as one of *old* keeps its id.

    Raises:
        BadRequest: a name is wrong or there twice, a node has no SQL, a type does not exist, or more than one node
            would be the output.
    """
    if len(requested) > _MOST_NODES:
        raise BadRequest(f"A Pipe has at most {_MOST_NODES} nodes, not {len(requested)}.", documentation=PIPES_PAGE)
    found: list[NodeRequest] = []
    names: set[str] = set()
    for number, each in enumerate(requested):
        name = str(each.get("name") or automatic_name(pipe_name, number, names))
        check_node_name(name, pipe_name)
        if name in names:
            raise BadRequest(f"There are two nodes called {name!r} in the pipe.", documentation=PIPES_PAGE)
        names.add(name)
        found.append(_node(name, each, old.node(name) if old else None))
    check_outputs([(each.node.name, each.type) for each in found])
    return found


def check_outputs(types: Sequence[tuple[str, str]]) -> None:
    """Refuse more than one output in a Pipe; several materialized nodes, as older projects have, are fine.

    Raises:
        BadRequest: names the nodes.
    """
    outputs = [(name, type_) for name, type_ in types if type_ != "standard"]
    if len(outputs) > 1 and any(type_ != "materialized" for _, type_ in outputs):
        named = ", ".join(f"{name!r} ({type_})" for name, type_ in outputs)
        raise BadRequest(
            f"There is more than one output in the pipe: {named}. A Pipe has one endpoint, materialized view, copy or "
            "sink. Put the others into Pipes of their own.",
            documentation=PIPES_PAGE,
        )


def automatic_name(pipe_name: str, number: int, taken: set[str]) -> str:
    """Return ``<pipe>_<n>``, counting from *number*, that is not taken."""
    while f"{pipe_name}_{number}" in taken:
        number += 1
    return f"{pipe_name}_{number}"


def checked_sql(sql: Any, name: str) -> str:
    """Return the SQL of a node.

    Raises:
        BadRequest: there is none, or it is not valid Unicode.
    """
    if not isinstance(sql, str) or not sql.strip():
        raise BadRequest(f"The node {name!r} has no SQL.", documentation=PIPES_PAGE)
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"The SQL of the node {name!r} is not valid Unicode.", documentation=PIPES_PAGE) from error
    return sql


def _node(name: str, each: Mapping[str, Any], old: Node | None) -> NodeRequest:
    type_ = str(each.get("type") or "standard").strip().lower()
    if type_ == "default":
        type_ = "standard"
    if type_ not in NODE_TYPES:
        raise BadRequest(
            f"The node {name!r} has the type {type_!r}. There are: {', '.join(NODE_TYPES)}.", documentation=PIPES_PAGE
        )
    node = Node(
        id=old.id if old else new_id(),
        name=name,
        sql=checked_sql(each.get("sql"), name),
        description=str(each.get("description") or ""),
        type="endpoint" if type_ == "endpoint" else "standard",
        tags=dict(each["tags"]) if isinstance(each.get("tags"), dict) else {},
        created_at=old.created_at if old else now(),
        updated_at=now(),
    )
    if old and (old.sql, old.description) == (node.sql, node.description):
        node = replace(node, updated_at=old.updated_at)
    known = ("name", "sql", "type", "description", "tags")
    return NodeRequest(node, type_, {key: value for key, value in each.items() if key not in known})
