"""The schedules of Pipes: copies and sinks, which hold them in the outputs of their nodes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .timetable import Scheduled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from typing import TypeAlias

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import Node, PipeRecord, Workspace

    Run: TypeAlias = Callable[[Workspace, PipeRecord, Node, datetime], None]


class PipeTimetable:
    """Tells the nodes that run at set times.

    Args:
        catalog: where they are.
        defining: holds the definitions of a workspace.

    Attributes:
        runs: what runs nodes of a type.
    """

    def __init__(self, catalog: Catalog, defining: Callable[[Workspace], AbstractContextManager[object]]) -> None:
        self._catalog = catalog
        self._defining = defining
        self.runs: dict[str, Run] = {}

    def scheduled(self, workspace: Workspace) -> Iterator[Scheduled]:
        """Tell the nodes of a workspace."""
        for pipe in self._catalog.pipes(workspace.id):
            for node in pipe.nodes:
                if node.type in self.runs and is_running(node.output):
                    yield Scheduled(
                        (pipe.id, node.id),
                        str(node.output["schedule_cron"]),
                        partial(self.runs[node.type], workspace, pipe, node),
                        partial(self._take_away, workspace, pipe, node),
                    )

    def _take_away(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> None:
        # Under way may be a change of the Pipe that has read the old schedule and would bring it back.
        with self._defining(workspace):
            present = self._catalog.pipe(workspace.id, pipe.id)
            kept = present.node(node.id) if present else None
            if present is not None and kept is not None:
                self._catalog.update_pipe(present.with_node(replace(kept, output={**kept.output, "schedule_cron": ""})))


def is_running(output: dict[str, Any]) -> bool:
    """Say whether the output of a node has a schedule that is not paused."""
    return bool(output.get("schedule_cron")) and not output.get("paused")
