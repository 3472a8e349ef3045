"""A Pipe for a branch: the same texts under new ids. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.records import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.records import Node, PipeRecord


def copied_pipe(pipe: PipeRecord, branch_id: str, ids: Mapping[str, str]) -> PipeRecord:
    """Return the copy of a Pipe for the branch whose id is *branch_id*.

    Args:
        pipe: of the main workspace.
        branch_id: of the branch.
        ids: id in the branch of each Data Source and connection of the main workspace.
    """
    nodes = tuple(_copied_node(node, ids) for node in pipe.nodes)
    return replace(pipe, id=new_id(), workspace_id=branch_id, nodes=nodes, created_at="")


def _copied_node(node: Node, ids: Mapping[str, str]) -> Node:
    output: dict[str, Any] = {
        key: ids.get(value, value) if isinstance(value, str) else value
        for key, value in node.output.items()
        if key not in ("waiting", "owed")  # For a job of the main workspace.
    }
    if output.get("schedule_cron"):
        output["paused"] = True  # What runs by the clock shall not run twice.
    return replace(node, id=new_id(), output=output)
