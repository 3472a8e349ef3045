"""Endpoints: calling a Pipe, its plan, and what is told about it (``pipes.md`` sections 5, 6 and 10).

Whoever may read a Pipe gets its rows, whatever the token says about what the Pipe reads. What a JWT forces upon
parameters wins over the request (`pipes.composition`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.local.endpoints import openapi
from tinymagic.local.endpoints.openapi import Endpoint
from tinymagic.local.endpoints.parameters import endpoint_parameters
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest, NotFound
from tinymagic.local.sql.gate import QUERY_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.records import Node, PipeRecord, Workspace

    from .query import QueryReply, QueryRequest, QueryService

PIPES_PAGE = "/api-reference/pipe-api.html"

_ID_PREFIX = "t_"


class EndpointsService:
    """Calls and describes the endpoints of Pipes.

    Args:
        composer: knows which Pipes there are, and what they give and read.
        query: runs what was composed.
    """

    def __init__(self, composer: Composer, query: QueryService) -> None:
        self._composer = composer
        self._query = query

    def find(self, access: Access, id_or_name: str) -> PipeRecord | None:
        """Return a Pipe by name or id, ``None`` when there is none. The catalogue is asked only after a change."""
        pipes = self._composer.resources(access.workspace).pipes
        found = pipes.get(id_or_name)
        if found is None and id_or_name.startswith(_ID_PREFIX):
            found = next((pipe for pipe in pipes.values() if pipe.id == id_or_name), None)
        return found

    def published(self, access: Access, id_or_name: str) -> PipeRecord:
        """Return a Pipe with an endpoint that the caller may read.

        Raises:
            NotFound: there is no such Pipe, or it is not published.
            Forbidden: it is not for this token.
        """
        return _published(access, id_or_name, self.find(access, id_or_name))[0]

    def call(self, access: Access, id_or_name: str, pipe: PipeRecord | None, request: QueryRequest) -> QueryReply:
        """Give the rows of an endpoint, or those of the request's SQL over them.

        Args:
            access: of the caller.
            id_or_name: as the caller wrote it.
            pipe: what `find` found.
            request: with the format of the reply; its SQL may be empty.

        Raises:
            ApiError: with the service's status and text.
        """
        pipe, node = _published(access, id_or_name, pipe)
        return self._run(access, pipe, node, request)

    def explain(
        self, access: Access, id_or_name: str, node_id_or_name: str | None, request: QueryRequest
    ) -> QueryReply:
        """Give the plan of a node, by default the published one, else another output, else the last.

        Raises:
            NotFound: there is no such Pipe, or no such node in it.
            Forbidden: the Pipe is not for this token.
        """
        pipe = self.find(access, id_or_name)
        if pipe is None:
            raise _no_pipe(id_or_name)
        access.require("PIPES:READ", pipe.name)
        if access.pipe_filter(pipe.name) is not None:
            # The filter is about what the Pipe gives. The plans of its other nodes have values of all rows in them.
            message = "There is no plan for a token that may read only some rows. Ask with another token."
            raise BadRequest(message, documentation=PIPES_PAGE)
        if node_id_or_name is not None:
            node = pipe.node(node_id_or_name)
        else:
            node = pipe.endpoint or pipe.output_node or (pipe.nodes[-1] if pipe.nodes else None)
        if node is None:
            named = f"no node '{node_id_or_name}'" if node_id_or_name is not None else "no nodes"
            raise NotFound(f"The pipe '{pipe.name}' has {named}.", documentation=PIPES_PAGE)
        return self._run(access, pipe, node, replace(request, explain=True))

    def describe(self, access: Access, pipe: PipeRecord) -> Endpoint:
        """Return what is known about an endpoint: its parameters, and its columns unless its SQL cannot run now."""
        columns: list[tuple[str, str]] = []
        node = pipe.endpoint
        if node is not None:
            try:
                columns = self._composer.check(access.workspace, pipe, node)
            except (ApiError, EngineError):
                columns = []  # The parameters are still worth telling.
        parameters = endpoint_parameters(self._texts(access.workspace, pipe))
        fixed = access.fixed_parameters(pipe.name) or {}
        shown = [each for each in parameters if each.name not in fixed]
        return Endpoint(pipe.name, pipe.description, shown, columns)

    def document(self, access: Access, host: str, id_or_name: str | None, *, version: str) -> dict[str, Any]:
        """Return the OpenAPI document of one endpoint, or of all that the caller may read.

        Raises:
            NotFound: there is no such Pipe, or it is not published.
            Forbidden: it is not for this token.
        """
        if id_or_name is not None:
            pipe = self.published(access, id_or_name)
            return openapi.document(pipe.name, host, [self.describe(access, pipe)], version=version)
        readable = [
            pipe
            for pipe in self._composer.resources(access.workspace).pipes.values()
            if pipe.endpoint is not None and access.allows("PIPES:READ", pipe.name)
        ]
        endpoints = [self.describe(access, pipe) for pipe in sorted(readable, key=lambda pipe: pipe.name)]
        return openapi.document(access.workspace.name, host, endpoints, version=version)

    def _run(self, access: Access, pipe: PipeRecord, node: Node, request: QueryRequest) -> QueryReply:
        try:
            return self._query.run_node(access, pipe, node, request)
        except ApiError as error:
            if error.documentation.startswith(QUERY_PAGE):
                error.documentation = PIPES_PAGE
            raise

    def _texts(self, workspace: Workspace, pipe: PipeRecord) -> Iterator[str]:
        """Give the SQL of a Pipe's nodes, and then of the Pipes that they read: their parameters reach those too."""
        for each in self._with_read(workspace, pipe):
            for node in each.nodes:
                yield node.sql

    def _with_read(self, workspace: Workspace, pipe: PipeRecord) -> list[PipeRecord]:
        pipes = self._composer.resources(workspace).pipes
        found = {pipe.id: pipe}
        waiting = [pipe]
        while waiting:
            current = waiting.pop(0)
            for node in current.nodes:
                for name in self._composer.reads(workspace, node):
                    read = pipes.get(name)
                    if read is not None and read.id not in found:
                        found[read.id] = read
                        waiting.append(read)
        return list(found.values())


def _published(access: Access, id_or_name: str, pipe: PipeRecord | None) -> tuple[PipeRecord, Node]:
    if pipe is None:
        raise _no_pipe(id_or_name)
    access.require("PIPES:READ", pipe.name)
    node = pipe.endpoint
    if node is None:
        raise NotFound(
            f"The pipe '{pipe.name}' does not have an endpoint yet. Publish one of its nodes to call it.",
            documentation=PIPES_PAGE,
        )
    return pipe, node


def _no_pipe(id_or_name: str) -> NotFound:
    return NotFound(f"The pipe '{id_or_name}' does not exist", documentation=PIPES_PAGE)
