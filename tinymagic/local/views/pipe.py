"""How the API shows a Pipe and its nodes (``pipes.md`` section 1). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.template import TemplateError, parameter_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.records import Node, PipeRecord


def describe(
    pipe: PipeRecord, nodes: Sequence[dict[str, Any]], *, url: str, output: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the object of a Pipe.

    Args:
        pipe: of the catalogue.
        nodes: the objects of its nodes: `describe_node`.
        url: of the endpoint in JSON.
        output: more keys, about what the Pipe is for.
    """
    endpoint = pipe.endpoint
    return {
        "id": pipe.id,
        "name": pipe.name,
        "description": pipe.description or None,
        "type": pipe.type,
        "endpoint": endpoint.id if endpoint else None,
        "created_at": pipe.created_at,
        "updated_at": pipe.updated_at,
        "parent": pipe.settings.get("parent"),
        "nodes": list(nodes),
        "url": url,
        "path": pipe.settings.get("path"),
        "edited_by": pipe.settings.get("edited_by"),
        "last_commit": {"content_sha": "", "path": "", "status": "None"},
        "workspace_id": pipe.workspace_id,
        **output,
    }


def describe_node(node: Node, dependencies: Sequence[str]) -> dict[str, Any]:
    """Return the object of a node; *dependencies* are the names that its SQL reads."""
    return {
        "id": node.id,
        "name": node.name,
        "sql": node.sql,
        "description": node.description or None,
        "materialized": node.output.get("datasource") if node.type == "materialized" else None,
        "cluster": None,
        "tags": {**node.tags, **_copy_tags(node)},
        "created_at": node.created_at,
        "updated_at": node.updated_at,
        "version": 0,
        "project": None,
        "result": None,
        "ignore_sql_errors": node.ignore_sql_errors,
        "node_type": node.type,
        "dependencies": list(dependencies),
        "params": _parameters(node.sql),
        "deployment_suffix": "",
    }


def pick(described: dict[str, Any], attrs: str, node_attrs: str) -> dict[str, Any]:
    """Keep the attributes named in *attrs*, and of the nodes those in *node_attrs*; an empty text keeps all.

    The nodes are there when one of the two asks for them, and the URL always.
    """
    wanted, of_nodes = _words(attrs), _words(node_attrs)
    nodes = [
        {key: value for key, value in node.items() if not of_nodes or key in of_nodes} for node in described["nodes"]
    ]
    shown = {key: value for key, value in described.items() if not wanted or key in wanted or key == "url"}
    if not wanted or "nodes" in wanted or of_nodes:
        shown["nodes"] = nodes
    return shown


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",") if word.strip()}


def _copy_tags(node: Node) -> dict[str, Any]:
    """Return the tags by which clients find the target of a copy."""
    if node.type != "copy":
        return {}
    output = node.output
    return {"copy_target_datasource": output.get("datasource"), "copy_target_workspace": output.get("workspace")}


def _parameters(sql: str) -> list[dict[str, Any]]:
    try:
        return parameter_metadata(sql)
    except TemplateError:  # It was saved although it cannot run.
        return []
