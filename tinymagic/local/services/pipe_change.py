"""One change of a Pipe: everything is checked, outputs are made or unmade, and the catalogue is written.

When a step fails, those before it are undone, last one first.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.errors import ApiError, Conflict
from tinymagic.local.pipes.definitions import PIPES_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.pipes.definitions import NodeRequest
    from tinymagic.local.pipes.outputs import Output
    from tinymagic.local.records import Node, PipeRecord, Workspace


@dataclass(frozen=True)
class Made:
    """A Pipe after a change, and what else the reply says."""

    pipe: PipeRecord
    extra: dict[str, Any] = field(default_factory=dict)


class PipeChange:
    """Puts a Pipe into the catalogue, or in the place of *old*.

    Args:
        catalog: gets it.
        composer: checks the SQL of nodes.
        outputs: by type of node.
        workspace: of the Pipe; the caller holds its definitions.
        old: the Pipe before; ``None`` for a new one.
    """

    def __init__(
        self,
        catalog: Catalog,
        composer: Composer,
        outputs: Mapping[str, Output],
        workspace: Workspace,
        old: PipeRecord | None,
    ) -> None:
        self._catalog = catalog
        self._composer = composer
        self._outputs = outputs
        self._workspace = workspace
        self._old = old
        self._undo = ExitStack()

    def put(
        self,
        pipe: PipeRecord,
        requests: Sequence[NodeRequest],
        fields: Mapping[str, Any],
        *,
        ignore_sql_errors: bool,
        access: Access | None,
    ) -> Made:
        """Do it.

        Args:
            pipe: as it shall be.
            requests: of the nodes that are new or changed.
            fields: of the request beside its nodes.
            ignore_sql_errors: save nodes that cannot run.
            access: of who asks.

        Raises:
            ApiError: a node or output cannot be so; nothing has changed.
        """
        pipe = self._checked(pipe, requests, ignore_sql_errors=ignore_sql_errors)
        extra: dict[str, Any] = {}
        with self._undo:
            made: set[str] = set()
            for request in requests:
                node = pipe.node(request.node.id)
                if request.type in self._outputs and node is not None:
                    pipe, more = self._make(pipe, node, request, fields, access)
                    made.add(node.id)
                    extra.update(more)
            if self._old is not None:
                self._follow_inside(pipe, self._old, made)
            pipe = self._write(pipe)
            if self._old is not None:
                self._follow_elsewhere(pipe, self._old)
            self._undo.pop_all()
        return Made(pipe, extra)

    def _checked(self, pipe: PipeRecord, requests: Sequence[NodeRequest], *, ignore_sql_errors: bool) -> PipeRecord:
        """Check the SQL of nodes, and return the Pipe with a note at those that cannot run."""
        for request in requests:
            node = pipe.node(request.node.id) or request.node
            kind = request.type or node.type
            try:
                self._composer.check(self._workspace, pipe, node, copying=kind in ("copy", "sink"))
            except ApiError as error:
                if not ignore_sql_errors:
                    error.extra.setdefault("node", node.name)
                    raise
                pipe = pipe.with_node(replace(node, ignore_sql_errors=True))
            else:
                pipe = pipe.with_node(replace(node, ignore_sql_errors=False))
        return pipe

    def _make(
        self, pipe: PipeRecord, node: Node, request: NodeRequest, fields: Mapping[str, Any], access: Access | None
    ) -> tuple[PipeRecord, dict[str, Any]]:
        service = self._outputs[request.type]
        made = service.make(self._workspace, pipe, node, {**fields, **request.fields}, access=access)
        self._undo.callback(made.undo)
        return pipe.with_node(made.node), made.extra

    def _follow_inside(self, pipe: PipeRecord, old: PipeRecord, made: set[str]) -> None:
        """Tell the outputs that were not made anew that something they read has changed."""
        if {node.name: node.sql for node in pipe.nodes} == {node.name: node.sql for node in old.nodes}:
            return
        for node in pipe.nodes:
            before = old.node(node.id)
            if node.id in made or node.type not in self._outputs or before is None or before.type != node.type:
                continue
            self._outputs[node.type].remade(self._workspace, pipe, before, node)

    def _follow_elsewhere(self, pipe: PipeRecord, old: PipeRecord) -> None:
        """Tell the outputs of other Pipes that read this one."""
        if old.nodes == pipe.nodes:
            return
        try:
            for other in self._catalog.pipes(self._workspace.id):
                for node in other.nodes:
                    service = self._outputs.get(node.type)
                    if service is not None and other.id != pipe.id and self._reads(other, node, pipe):
                        service.remade(self._workspace, other, node, node)
        except BaseException:
            self._catalog.update_pipe(old)
            raise

    def _reads(self, other: PipeRecord, node: Node, pipe: PipeRecord) -> bool:
        try:
            composed = self._composer.node(self._workspace, other, node, checking=True, copying=True)
        except ApiError:
            return False
        return pipe.id in composed.pipes

    def _write(self, pipe: PipeRecord) -> PipeRecord:
        try:
            return self._catalog.update_pipe(pipe) if self._old else self._catalog.create_pipe(pipe)
        except NameTaken as error:
            raise Conflict(str(error), documentation=PIPES_PAGE) from error
