"""Pipes: making, reading, changing and deleting them and their nodes (``pipes.md`` sections 1 to 4).

A Pipe is a row of the catalogue. What its output needs beside that, a view or a schedule, is the business of the
services in `outputs`. The steps of a change are in `pipe_change.py`.

The definitions of one workspace are changed by one thread at a time; they are read without waiting.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.datafiles.includes import dedent
from tinymagic.local.datafiles.model import NodeFile, PipeFile, TokenLine
from tinymagic.local.datafiles.printing import pipe_text
from tinymagic.local.errors import BadRequest, Conflict, NotFound
from tinymagic.local.pipes.definitions import (
    PIPES_PAGE,
    NodeRequest,
    automatic_name,
    check_node_name,
    check_outputs,
    check_pipe_name,
    checked_sql,
    read_nodes,
)
from tinymagic.local.records import PipeRecord, new_id, now
from tinymagic.local.views.pipe import describe, describe_node
from tinymagic.names import near_hint

from .pipe_change import Made as Made
from .pipe_change import PipeChange
from .tags import resource_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.pipes.composition import Composer
    from tinymagic.local.pipes.outputs import Output
    from tinymagic.local.records import Node, TokenRecord, Workspace


#: What a node is that has to be undone before it can be something else, and how.
_UNDONE = {
    "endpoint": "the endpoint of its pipe. Unpublish it first.",
    "materialized": "materialized. Unlink it first.",
    "copy": "the copy of its pipe. Unset that first.",
    "sink": "the sink of its pipe. Unset that first.",
}


class PipesService:
    """Rules about Pipes.

    Args:
        catalog: what exists.
        composer: checks the SQL of nodes.

    Attributes:
        outputs: what nodes of the types ``materialized``, ``copy`` and ``sink`` are for.
    """

    def __init__(self, catalog: Catalog, composer: Composer) -> None:
        self._catalog = catalog
        self._composer = composer
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._locks_lock = threading.Lock()
        self.outputs: dict[str, Output] = {}

    # Reading

    def pipe(self, workspace: Workspace, id_or_name: str) -> PipeRecord:
        """Return a Pipe.

        Raises:
            NotFound: there is none; the message names the likely ones.
        """
        found = self._catalog.pipe(workspace.id, id_or_name)
        if found is None:
            hint = near_hint(id_or_name, [each.name for each in self._catalog.pipes(workspace.id)])
            raise NotFound(". ".join(filter(None, [f"Pipe '{id_or_name}' not found", hint])), documentation=PIPES_PAGE)
        return found

    def node(self, pipe: PipeRecord, id_or_name: str) -> Node:
        """Return a node.

        Raises:
            NotFound: there is none; the message names those that there are.
        """
        found = pipe.node(id_or_name)
        if found is None:
            names = ", ".join(repr(node.name) for node in pipe.nodes) or "no nodes"
            raise NotFound(
                f"Node '{id_or_name}' not found in the pipe '{pipe.name}', which has {names}.",
                documentation=PIPES_PAGE,
            )
        return found

    def all(self, workspace: Workspace) -> list[PipeRecord]:
        """Return every Pipe, oldest first."""
        return self._catalog.pipes(workspace.id)

    def describe(self, workspace: Workspace, pipe: PipeRecord, base_url: str) -> dict[str, Any]:
        """Return the API's object of a Pipe with its nodes."""
        output = pipe.output_node
        keys: dict[str, Any] = {}
        if output is not None and output.type in self.outputs:
            keys = self.outputs[output.type].describe(workspace, pipe, output)
        nodes = [self.describe_node(workspace, node) for node in pipe.nodes]
        return describe(pipe, nodes, url=f"{base_url}/v0/pipes/{pipe.name}.json", output=keys)

    def describe_node(self, workspace: Workspace, node: Node) -> dict[str, Any]:
        """Return the API's object of a node."""
        return describe_node(node, self._composer.reads(workspace, node))

    def datafile(self, workspace: Workspace, pipe: PipeRecord) -> str:
        """Return a Pipe as the text of a ``.pipe`` file."""
        tokens = [
            TokenLine(token.name, "READ")
            for token in self._tokens(workspace, pipe)
            if token.origin.get("type") in ("P", "DS")  # One name may stand in files of both kinds.
        ]
        nodes = tuple(
            NodeFile(
                node.name,
                _dedented(node.sql),
                node.description,
                node.type,
                self.outputs[node.type].exported(workspace, node) if node.type in self.outputs else {},
            )
            for node in pipe.nodes
        )
        tags = resource_tags(self._catalog, workspace, pipe)
        return pipe_text(PipeFile(pipe.name, nodes, pipe.description, tokens=tuple(tokens), tags=tuple(tags)))

    def only_token(self, access: Access, pipe: PipeRecord) -> str:
        """Return the string of the token that reads a Pipe, when there is exactly one and the caller may know it."""
        found = self._tokens(access.workspace, pipe)
        return found[0].token if len(found) == 1 and access.is_admin else ""

    def _tokens(self, workspace: Workspace, pipe: PipeRecord) -> list[TokenRecord]:
        """Return the tokens with a scope to read this very Pipe."""
        return [
            token
            for token in self._catalog.tokens(workspace.id)
            if any(scope["type"] == "PIPES:READ" and scope.get("resource") == pipe.id for scope in token.scopes)
        ]

    def dependents(self, workspace: Workspace, name: str) -> list[PipeRecord]:
        """Return the Pipes with a node whose SQL reads the Data Source or Pipe called *name*."""
        return [
            pipe
            for pipe in self._catalog.pipes(workspace.id)
            if pipe.name != name and any(name in self._reads_outside(workspace, pipe, node) for node in pipe.nodes)
        ]

    def names_read(self, workspace: Workspace, pipe: PipeRecord) -> set[str]:
        """Return the names of Data Sources and other Pipes that the nodes of a Pipe read."""
        return set().union(*(self._reads_outside(workspace, pipe, node) for node in pipe.nodes))

    def _reads_outside(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> set[str]:
        """Return the names that a node reads and that are no nodes of its own Pipe."""
        others = {each.name for each in pipe.nodes if each.id != node.id}
        return set(self._composer.reads(workspace, node)) - others

    # Changing Pipes

    @contextmanager
    def changing(self, workspace: Workspace, id_or_name: str) -> Iterator[PipeRecord]:
        """Hold the definitions of a workspace; gives the Pipe as it is now. May be nested.

        Raises:
            NotFound: there is none.
        """
        with self.defining(workspace):
            yield self.pipe(workspace, id_or_name)

    @contextmanager
    def defining(self, workspace: Workspace) -> Iterator[None]:
        """Hold the definitions of a workspace. May be nested."""
        with self._locks_lock:
            lock = self._locks[workspace.id]
        with lock:
            yield

    def create(
        self,
        workspace: Workspace,
        name: str,
        nodes: Sequence[Mapping[str, Any]],
        *,
        description: str = "",
        force: bool = False,
        ignore_sql_errors: bool = False,
        fields: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        access: Access | None = None,
    ) -> Made:
        """Make a Pipe, or with *force* put it in the place of the one that has its name, which keeps its id.

        Args:
            workspace: that gets it.
            name: of the Pipe.
            nodes: each with ``name``, ``sql``, ``description``, ``type`` and what its output needs (``pipes.md`` 2.1).
            description: free text.
            force: see above.
            ignore_sql_errors: save nodes that cannot run.
            fields: of the request beside the nodes, for instance ``populate``; those of a node win.
            settings: of the record, such as ``path``.
            access: of who asks.

        Raises:
            BadRequest: a name, the SQL of a node or its output is wrong.
            Conflict: there is something of this name.
        """
        check_pipe_name(name)
        with self.defining(workspace):
            old = self._catalog.pipe(workspace.id, name)
            if old is not None and (old.name != name or not force):
                raise self._taken("Pipe", name)
            if self._catalog.datasource(workspace.id, name) is not None:
                raise self._taken("Data Source", name)
            requests = read_nodes(name, nodes, old)
            pipe = PipeRecord(
                id=old.id if old else new_id(),
                workspace_id=workspace.id,
                name=name,
                description=description,
                nodes=tuple(each.node for each in requests),
                settings={**(old.settings if old else {}), **(settings or {})},
                created_at=old.created_at if old else "",
            )
            return self._change(workspace, old).put(
                pipe, requests, fields or {}, ignore_sql_errors=ignore_sql_errors, access=access
            )

    def update(
        self, workspace: Workspace, id_or_name: str, *, name: str | None = None, description: str | None = None
    ) -> PipeRecord:
        """Give a Pipe another name or description; ``None`` keeps what it has.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: the name cannot be used, or is used in the SQL of other Pipes.
            Conflict: it is taken.
        """
        with self.changing(workspace, id_or_name) as pipe:
            if name is not None and name != pipe.name:
                check_pipe_name(name)
                if self._catalog.datasource(workspace.id, name) is not None:
                    raise self._taken("Data Source", name)
                self._refuse_used(workspace, pipe, "renamed")
                if any(node.name == name for node in pipe.nodes):
                    check_node_name(name, name)
                pipe = replace(pipe, name=name)
            if description is not None:
                pipe = replace(pipe, description=description)
            return self._written(pipe)

    def delete(self, workspace: Workspace, id_or_name: str, *, force: bool = False) -> PipeRecord:
        """Delete a Pipe with its nodes.

        Raises:
            NotFound: there is none.
            Conflict: other Pipes read it, and not *force*.
        """
        with self.changing(workspace, id_or_name) as pipe:
            if not force:
                self._refuse_used(workspace, pipe, "deleted")
            self._catalog.delete_pipe(pipe.id)
            return pipe

    # Changing nodes

    def add_node(
        self,
        workspace: Workspace,
        id_or_name: str,
        requested: Mapping[str, Any],
        *,
        ignore_sql_errors: bool = False,
        access: Access | None = None,
    ) -> tuple[Node, dict[str, Any]]:
        """Add a node at the end of a Pipe; returns it and more keys for the reply.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: name, SQL or output is wrong.
            Conflict: the Pipe has a node of this name.
        """
        with self.changing(workspace, id_or_name) as pipe:
            taken = {node.name for node in pipe.nodes}
            name = str(requested.get("name") or automatic_name(pipe.name, len(pipe.nodes), taken))
            if name in taken:
                raise Conflict(
                    f"There is already a node called {name!r} in the pipe {pipe.name!r}.", documentation=PIPES_PAGE
                )
            [request] = read_nodes(pipe.name, [{**requested, "name": name}], None)
            check_outputs([*((node.name, node.type) for node in pipe.nodes), (name, request.type)])
            made = self._change(workspace, pipe).put(
                pipe.with_node(request.node),
                [request],
                request.fields,
                ignore_sql_errors=ignore_sql_errors,
                access=access,
            )
            return self.node(made.pipe, request.node.id), made.extra

    def update_node(
        self,
        workspace: Workspace,
        id_or_name: str,
        node_id: str,
        changes: Mapping[str, Any],
        *,
        ignore_sql_errors: bool = False,
        access: Access | None = None,
    ) -> Node:
        """Change ``sql``, ``name``, ``description`` or ``position`` (from 0) of a node.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: a value is wrong, or the name is used in the SQL of other nodes.
            Conflict: the Pipe has another node of this name.
        """
        with self.changing(workspace, id_or_name) as pipe:
            node = self.node(pipe, node_id)
            changed = node
            name = changes.get("name")
            if name and name != node.name:
                changed = replace(changed, name=self._new_node_name(workspace, pipe, node, str(name)))
            if "sql" in changes:
                changed = replace(changed, sql=checked_sql(changes["sql"], changed.name))
            if "description" in changes:
                changed = replace(changed, description=str(changes["description"] or ""))
            if changed != node:
                changed = replace(changed, updated_at=now())
            draft = pipe.with_node(changed)
            if str(changes.get("position") or "") != "":
                draft = _moved(draft, changed, changes["position"])
            requests = [NodeRequest(changed, "")] if changed.sql != node.sql else []
            made = self._change(workspace, pipe).put(
                draft, requests, {}, ignore_sql_errors=ignore_sql_errors, access=access
            )
            return self.node(made.pipe, changed.id)

    def delete_node(self, workspace: Workspace, id_or_name: str, node_id: str) -> None:
        """Delete a node.

        Raises:
            NotFound: there is no such Pipe or node.
            Conflict: other nodes of the Pipe read it, or it is the endpoint and other Pipes read that.
        """
        with self.changing(workspace, id_or_name) as pipe:
            node = self.node(pipe, node_id)
            readers = [
                each.name
                for each in pipe.nodes
                if each.id != node.id and node.name in self._composer.reads(workspace, each)
            ]
            if readers:
                raise Conflict(
                    f"The node '{node.name}' can not be deleted: {', '.join(readers)} of the same pipe read it.",
                    documentation=PIPES_PAGE,
                )
            if node.type == "endpoint":
                self._refuse_used(workspace, pipe, "left without its endpoint")
            self._written(replace(pipe, nodes=tuple(each for each in pipe.nodes if each.id != node.id)))

    # Outputs

    def set_endpoint(self, workspace: Workspace, id_or_name: str, node_id: str) -> PipeRecord:
        """Publish a node, in the place of the one that is published.

        Raises:
            NotFound: there is no such Pipe.
            BadRequest: there is no such node, or the Pipe has another kind of output.
        """
        with self.changing(workspace, id_or_name) as pipe:
            node = pipe.node(node_id)
            if node is None:
                raise BadRequest(
                    f"The node '{node_id}' does not exist in the pipe '{pipe.name}'.", documentation=PIPES_PAGE
                )
            if node.type == "endpoint":
                return pipe
            if node.type in _UNDONE:
                raise BadRequest(
                    f"The node '{node.name}' cannot be an endpoint, because it is {_UNDONE[node.type]}",
                    documentation=PIPES_PAGE,
                )
            without = replace(
                pipe,
                nodes=tuple(replace(each, type="standard") if each.type == "endpoint" else each for each in pipe.nodes),
            )
            return self.set_output(workspace, without, node, "endpoint", {})

    def unset_endpoint(self, workspace: Workspace, id_or_name: str, node_id: str) -> PipeRecord:
        """Take the published node back.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: the node is not published.
            Conflict: other Pipes read it.
        """
        with self.changing(workspace, id_or_name) as pipe:
            node = self.node(pipe, node_id)
            if node.type != "endpoint":
                raise BadRequest(f"The node '{node.name}' is not published.", documentation=PIPES_PAGE)
            self._refuse_used(workspace, pipe, "left without its endpoint")
            return self.clear_output(workspace, pipe, node)

    def make_output(
        self, access: Access, id_or_name: str, node_id: str, type_: str, fields: Mapping[str, Any]
    ) -> tuple[Made, Node]:
        """Make a node a view, copy or sink, or change what it is; returns the Pipe with more keys, and the node.

        Args:
            access: of who asks.
            id_or_name: of the Pipe.
            node_id: id or name.
            type_: one of `outputs`.
            fields: of the request.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: the fields cannot be so, or the Pipe has another output.
            Forbidden: the token may not write to the target.
        """
        workspace = access.workspace
        with self.changing(workspace, id_or_name) as pipe:
            node = self.node(pipe, node_id)
            if node.type in _UNDONE and node.type != type_:
                raise BadRequest(
                    f"The node '{node.name}' cannot be a {type_} output, because it is {_UNDONE[node.type]}",
                    documentation=PIPES_PAGE,
                )
            made = self.outputs[type_].make(workspace, pipe, node, fields, access=access)
            try:
                saved = self.set_output(workspace, pipe, made.node, type_, made.node.output)
            except BaseException:
                made.undo()
                raise
            return Made(saved, made.extra), self.node(saved, node.id)

    def unmake_output(self, workspace: Workspace, id_or_name: str, node_id: str, type_: str) -> PipeRecord:
        """Make a view, copy or sink a plain node again. Targets and files stay, and runs at work go on.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: the node is not of this type.
        """
        with self.changing(workspace, id_or_name) as pipe:
            node = self.node(pipe, node_id)
            if node.type != type_:
                raise BadRequest(
                    f"The node '{node.name}' is of the type {node.type}, not {type_}.", documentation=PIPES_PAGE
                )
            return self.clear_output(workspace, pipe, node)

    def set_output(
        self, workspace: Workspace, pipe: PipeRecord, node: Node, type_: str, output: dict[str, Any]
    ) -> PipeRecord:
        """Write down that a node is the output of its Pipe.

        Raises:
            BadRequest: the Pipe has another output, which must be undone before.
        """
        with self.defining(workspace):
            others = [(each.name, each.type) for each in pipe.nodes if each.id != node.id]
            check_outputs([*others, (node.name, type_)])
            made = replace(node, type=type_, output=output, updated_at=now())
            return self._written(pipe.with_node(made))

    def clear_output(self, workspace: Workspace, pipe: PipeRecord, node: Node) -> PipeRecord:
        """Write down that a node is no output any more."""
        with self.defining(workspace):
            plain = replace(node, type="standard", output={}, updated_at=now())
            return self._written(pipe.with_node(plain))

    # Steps

    def _change(self, workspace: Workspace, old: PipeRecord | None) -> PipeChange:
        return PipeChange(self._catalog, self._composer, self.outputs, workspace, old)

    def _written(self, pipe: PipeRecord) -> PipeRecord:
        try:
            return self._catalog.update_pipe(pipe)
        except NameTaken as error:
            raise self._taken("Pipe", pipe.name) from error

    def _new_node_name(self, workspace: Workspace, pipe: PipeRecord, node: Node, name: str) -> str:
        check_node_name(name, pipe.name)
        if any(each.name == name for each in pipe.nodes):
            raise Conflict(
                f"There is already a node called {name!r} in the pipe {pipe.name!r}.", documentation=PIPES_PAGE
            )
        readers = [each.name for each in pipe.nodes if node.name in self._composer.reads(workspace, each)]
        if [each for each in readers if each != node.name]:
            raise BadRequest(
                f"The node {node.name!r} cannot be renamed: {', '.join(readers)} of the same pipe read it by its name.",
                documentation=PIPES_PAGE,
            )
        return name

    def _refuse_used(self, workspace: Workspace, pipe: PipeRecord, what: str) -> None:
        readers = [each.name for each in self.dependents(workspace, pipe.name)]
        if readers:
            raise Conflict(
                f"The pipe '{pipe.name}' can not be {what}: it is read by {', '.join(readers)}. Change those first.",
                documentation=PIPES_PAGE,
            )

    def _taken(self, kind: str, name: str) -> Conflict:
        again = " Use force=true to put this one in its place, or another name." if kind == "Pipe" else ""
        return Conflict(f"There is already a {kind} called {name!r}.{again}", documentation=PIPES_PAGE)


def _dedented(sql: str) -> str:
    """Take off what the lines after the first share: clients send them as indented as they stood in a datafile."""
    first, *others = sql.split("\n")
    return "\n".join([first, *dedent(others)])


def _moved(pipe: PipeRecord, node: Node, position: Any) -> PipeRecord:
    try:
        place = int(position)
    except (TypeError, ValueError):
        place = -1
    if not 0 <= place < len(pipe.nodes):
        raise BadRequest(
            f"position must be a number from 0 to {len(pipe.nodes) - 1}, not {str(position)[:40]!r}.",
            documentation=PIPES_PAGE,
        )
    others = [each for each in pipe.nodes if each.id != node.id]
    return replace(pipe, nodes=(*others[:place], node, *others[place:]))
