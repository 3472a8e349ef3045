"""Nodes of Pipes, ``/v0/pipes/{pipe}/nodes`` (``pipes.md`` section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.api.endpoint_failures import sql_failure_of
from tinymagic.api.errors import Forbidden, InvalidInput
from tinymagic.api.pipe_datafiles import changed_pipe_datafile, with_changes, with_node, with_output
from tinymagic.api.pipe_results import Node, Pipe
from tinymagic.api.reading import mappings, text
from tinymagic.api.resource import Resource, path
from tinymagic.names import name_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.refusals import Datafile


class PipeNodes(Resource):
    """The part of `tinymagic.api.pipes.Pipes` that is about nodes; *pipe* and *node* are names or ids."""

    def get(self, pipe: str) -> Pipe:
        """Return one with its nodes and the text of its datafile.

        Raises:
            NotFound: there is none.
        """
        return Pipe.of(self._get(path("/v0/pipes/", pipe)))

    def nodes(self, pipe: str) -> tuple[Node, ...]:
        """Return the nodes of a Pipe, in order.

        Raises:
            NotFound: there is no such Pipe.
        """
        return tuple(Node.of(each) for each in mappings(self._get(path("/v0/pipes/", pipe, "/nodes")).get("nodes")))

    def node(self, pipe: str, node: str) -> Node:
        """Return one node.

        Raises:
            NotFound: there is no such Pipe or node.
        """
        return Node.of(self._get(path("/v0/pipes/", pipe, "/nodes/", node)))

    def append_node(
        self,
        pipe: str,
        sql: str,
        *,
        name: str | None = None,
        description: str | None = None,
        ignore_sql_errors: bool | None = None,
    ) -> Node:
        """Add a node at the end (``pipes.md`` section 3).

        Args:
            pipe: name or id.
            sql: SQL or template; may read the nodes before it.
            name: ``None``: the service makes one, ``<pipe>_<n>``.
            description: in words.
            ignore_sql_errors: take SQL that cannot be run, too.

        Raises:
            InvalidInput: there is no SQL, or the name cannot be used; nothing was sent.
            QueryError: the SQL cannot be run.
            Conflict: a node of that name is there.
        """
        check_sql(sql)
        if name is not None:
            check_name(name, "node")
        form = {"sql": sql, "name": name, "description": description}
        return Node.of(
            self._change(
                "POST",
                path("/v0/pipes/", pipe, "/nodes"),
                query={"name": name, "description": description, "ignore_sql_errors": ignore_sql_errors},
                form={"sql": sql},
                datafile=changed_pipe_datafile(lambda: self.get(pipe), with_node(pipe, form)),
                failure=self._failure_of(sql),
            )
        )

    def update_node(
        self,
        pipe: str,
        node: str,
        *,
        sql: str | None = None,
        name: str | None = None,
        description: str | None = None,
        position: int | None = None,
        ignore_sql_errors: bool | None = None,
    ) -> Node:
        """Change a node; what is ``None`` stays.

        Args:
            pipe: name or id.
            node: name or id.
            sql: SQL or template.
            name: of the node.
            description: in words.
            position: place among the nodes; the first is 0.
            ignore_sql_errors: take SQL that cannot be run, too.

        Raises:
            InvalidInput: nothing is to be changed, or something cannot be; nothing was sent.
            QueryError: the SQL cannot be run, or what reads the node could not any more.
            Conflict: other nodes read it under the old name.
        """
        if sql is None and name is None and description is None and position is None:
            raise InvalidInput("Nothing is to be changed: give sql, name, description or position.")
        if sql is not None:
            check_sql(sql)
        if name is not None:
            check_name(name, "node")

        return Node.of(
            self._change(
                "PUT",
                path("/v0/pipes/", pipe, "/nodes/", node),
                query={
                    "name": name,
                    "description": description,
                    "position": position,
                    "ignore_sql_errors": ignore_sql_errors,
                },
                # A body is taken for SQL by some, so it holds nothing else.
                form=None if sql is None else {"sql": sql},
                # Renamed, it is not there under the old name: a second attempt would find nothing.
                effect="idempotent" if name in (None, node) else "write",
                datafile=changed_pipe_datafile(
                    lambda: self.get(pipe),
                    with_changes(
                        self._node_name(pipe, node), position=position, sql=sql, new_name=name, description=description
                    ),
                ),
                failure=self._failure_of(sql),
            )
        )

    def delete_node(self, pipe: str, node: str) -> None:
        """Delete a node.

        Raises:
            NotFound: there is no such Pipe or node.
            Conflict: other nodes or Pipes read it.
        """
        self._change(
            "DELETE",
            path("/v0/pipes/", pipe, "/nodes/", node),
            effect="idempotent",
            datafile=changed_pipe_datafile(
                lambda: self.get(pipe),
                lambda nodes: [each for each in nodes if each.name != self._node_name(pipe, node)()],
            ),
        )

    # For the classes of outputs

    def datasource_names(self) -> dict[str, str]:
        """Return id -> name of the Data Sources that the token may read; none for a token that may read no list."""
        try:
            reply = self._get("/v0/datasources", {"attrs": "id,name"})
        except Forbidden:
            return {}
        return {text(each.get("id")): text(each.get("name")) for each in mappings(reply.get("datasources"))}

    def output_datafile(
        self,
        pipe: str,
        node: str,
        kind: str,
        settings: Mapping[str, object] | None = None,
        *,
        keep: bool = False,
    ) -> Callable[[], Datafile | None]:
        """Return what makes the datafile of *pipe* with *node* as the output *kind*, for ``DeploymentRequired``.

        Args:
            pipe: name or id.
            node: name or id.
            kind: ``endpoint``, ``materialized``, ``copy`` or ``sink``; ``standard`` for none.
            settings: keyword of a datafile, in small letters -> value; ``None`` is left out.
            keep: whether settings that are not named stay as they are.
        """
        change = with_output(self._node_name(pipe, node), kind, settings or {}, keep=keep)
        return changed_pipe_datafile(lambda: self.get(pipe), change)

    def _failure_of(self, sql: str | None) -> Callable[[Reply], TinybirdError]:
        """Return what makes errors of replies to a change of a node: those of its SQL are ``QueryError``."""
        return lambda reply: sql_failure_of(reply, sql, redact=self._transport.redact)

    def _node_name(self, pipe: str, node: str) -> Callable[[], str]:
        """Return what finds the name of a node that may be given by its id."""

        def name() -> str:
            found = self.get(pipe).node(node) if node.startswith("t_") else None
            return found.name if found else node

        return name


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be.

    Raises:
        InvalidInput: it cannot.
    """
    if not isinstance(name, str):
        raise InvalidInput(f"The name of a {what} is a text, not {type(name).__name__}.")
    problem = name_problem(name, kind=what)
    if problem:
        raise InvalidInput(problem)


def check_sql(sql: str) -> None:
    """Refuse a node without SQL.

    Raises:
        InvalidInput: it has none.
    """
    if not isinstance(sql, str) or not sql.strip():
        raise InvalidInput("A node needs SQL, for instance 'SELECT * FROM events'.")
