"""What a node may be for: the part that services of materialized views, copies and sinks play in changing a Pipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import Node, PipeRecord, Workspace


def _nothing() -> None:
    """Undo nothing."""


@dataclass(frozen=True)
class MadeOutput:
    """What became of a node.

    Attributes:
        node: with ``type`` and ``output``; the caller writes it down.
        extra: more keys for the reply.
        undo: takes back what was made beside the node, for instance a new Data Source; to be called when the node is
            not written down after all.
    """

    node: Node
    extra: dict[str, Any] = field(default_factory=dict)
    undo: Callable[[], object] = _nothing


class Output(Protocol):
    """One type of output."""

    def make(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        fields: Mapping[str, Any],
        *,
        access: Access | None = None,
    ) -> MadeOutput:
        """Make *node* an output. What it is stands in the node: nothing else needs to be undone when it is one no more.

        Args:
            workspace: of the Pipe.
            pipe: as it shall become, with *node* in it; the catalogue does not know it yet.
            node: whose SQL has been checked.
            fields: of the request.
            access: of who asks; ``None`` when the server itself does it.

        Raises:
            ApiError: and nothing was made.
        """

    def remade(self, workspace: Workspace, pipe: PipeRecord, old: Node, new: Node) -> None:
        """Check that an output can follow a change of its SQL, or of what it reads.

        Args:
            workspace: of the Pipe.
            pipe: as it shall become; what else it reads is as the catalogue knows it.
            old: the node before; the same as *new* when only something that it reads has changed.
            new: the node after.

        Raises:
            ApiError: the output cannot be so.
        """

    def describe(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> dict[str, Any]:
        """Return the keys that the API's object of a Pipe has for its output (``pipes.md`` section 1.1)."""

    def exported(self, workspace: Workspace, node: Node) -> dict[str, str]:
        """Return what a datafile says about the output: keyword in lower case to value."""
