"""What a node may be for: the part that services of materialized views, copies and sinks play in changing a Pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import Node, PipeRecord, Workspace


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
    ) -> tuple[Node, dict[str, Any]]:
        """Make *node* an output; what there was for the id of this node is replaced.

        Args:
            workspace: of the Pipe.
            pipe: as it shall become, with *node* in it; the catalogue does not know it yet.
            node: whose SQL has been checked.
            fields: of the request.
            access: of who asks; ``None`` when the server itself does it.

        Returns:
            The node with ``type`` and ``output``, which the caller writes down, and more keys for the reply.

        Raises:
            ApiError: and nothing was made.
        """

    def unmake(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> None:
        """Take away what exists beside the catalogue, before the node stops to be an output or is deleted."""

    def remade(self, workspace: Workspace, pipe: PipeRecord, old: Node, new: Node) -> None:
        """Follow a change of the SQL of an output, or of what it reads.

        Args:
            workspace: of the Pipe.
            pipe: as it shall become; what else it reads is as the catalogue knows it.
            old: the node before; the same as *new* when only something that it reads has changed.
            new: the node after.

        Raises:
            ApiError: the output cannot be so, and is as it was.
        """

    def describe(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> dict[str, Any]:
        """Return the keys that the API's object of a Pipe has for its output (``pipes.md`` section 1.1)."""

    def exported(self, workspace: Workspace, node: Node) -> dict[str, str]:
        """Return what a datafile says about the output: keyword in lower case to value."""
