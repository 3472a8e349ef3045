"""Pipes, ``/v0/pipes``: what there is, creating and changing, nodes, publishing, calling (``pipes.md``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinymagic.api.endpoints import Endpoints
from tinymagic.api.errors import InvalidInput, NotFound
from tinymagic.api.pipe_datafiles import changed_pipe_datafile, new_pipe_datafile
from tinymagic.api.pipe_nodes import PipeNodes, check_name, check_sql
from tinymagic.api.pipe_results import Explanation, MaterializationAdvice, Node, Pipe
from tinymagic.api.raw_results import EndpointReply
from tinymagic.api.reading import mappings
from tinymagic.api.resource import path

if TYPE_CHECKING:
    import builtins


__all__ = ["EndpointReply", "Explanation", "MaterializationAdvice", "Node", "Pipe", "Pipes"]

_PATH = "/v0/pipes"


class Pipes(PipeNodes, Endpoints):
    """``workspace.pipes``: list, read, create, change and delete Pipes and their nodes; publish and call endpoints.

    *pipe* and *node* are names or ids everywhere. Every method raises a `tinymagic.errors.TinybirdError`: ``NotFound``
    for what is not there, ``Forbidden`` for a token without the scope (``PIPES:CREATE`` to change, ``PIPES:READ`` to
    read), ``DeploymentRequired`` for a change where only deployments may make one (its ``datafile`` does the same), and
    so on.
    """

    # Pipes

    def list(
        self,
        *,
        attrs: Sequence[str] | None = None,
        node_attrs: Sequence[str] | None = None,
        dependencies: bool | None = None,
    ) -> builtins.list[Pipe]:
        """Return the Pipes that the token may see (``pipes.md`` section 2).

        Args:
            attrs: keys that are wanted of each; ``None``: all. ``["id", "name"]`` is much less to send.
            node_attrs: keys that are wanted of each node; ``None``: all.
            dependencies: whether to tell which Data Sources and Pipes depend on each.
        """
        query = {
            "attrs": None if attrs is None else ",".join(attrs),
            "node_attrs": None if node_attrs is None else ",".join(node_attrs),
            "dependencies": dependencies,
        }
        reply = self._get(_PATH, query)
        return [Pipe.of(each) for each in mappings(reply.get("pipes", reply.get("data")))]

    def datafile(self, pipe: str) -> str:
        """Return the definition of one as the text of a ``.pipe`` file.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._get_text(path("/v1/pipes/", pipe) + ".pipe")
        except NotFound:
            # Older hosts have no /v1 for this.
            return self._get_text(path("/v0/pipes/", pipe) + ".pipe")

    def create(
        self,
        name: str,
        nodes: str | Node | Mapping[str, Any] | Sequence[Node | Mapping[str, Any]],
        *,
        description: str | None = None,
        force: bool = False,
        ignore_sql_errors: bool | None = None,
        populate: bool | None = None,
        populate_condition: str | None = None,
        populate_subset: float | None = None,
        unlink_on_populate_error: bool | None = None,
    ) -> Pipe:
        """Make a Pipe (``pipes.md`` section 2.1).

        Args:
            name: letters, digits and underscores, the first one no digit; no Data Source may have it.
            nodes: SQL, which makes one node; or nodes in order, each a `Node` of another Pipe (its name, SQL and
                description are taken, and whether it was the endpoint) or a dictionary with ``sql`` and any of
                ``name``, ``description``, ``type`` and the keys of an output: ``datasource`` and ``engine_...`` for
                ``materialized``; ``target_datasource``, ``copy_schedule`` and ``mode`` for ``copy``.
            description: in words.
            force: put it in the place of a Pipe of that name.
            ignore_sql_errors: take nodes whose SQL cannot be run, too.
            populate: fill the targets of materialized nodes with what is there already; see
                `tinymagic.api.materializations.Materializations.populate` for the next three.
            populate_condition: see there.
            populate_subset: see there.
            unlink_on_populate_error: see there.

        Returns:
            The Pipe; a node of the type ``endpoint`` is published. ``raw`` has ``datasource``, ``created_datasource``
            and ``job`` where the service sends them.

        Raises:
            InvalidInput: the name cannot be used, or there is no node; nothing was sent.
            QueryError: the SQL of a node cannot be run; `UnknownTable` when it reads what is not there.
            BadRequest: the service does not take a node.
            Conflict: the name is taken.
        """
        check_name(name, "Pipe")
        described = _nodes(nodes)
        query = {
            "name": name,
            "force": force or None,
            "ignore_sql_errors": ignore_sql_errors,
            "populate": populate,
            "populate_condition": populate_condition,
            "populate_subset": populate_subset,
            "unlink_on_populate_error": unlink_on_populate_error,
        }
        document: dict[str, Any] = {"name": name, "nodes": described}
        if description is not None:
            document["description"] = description
        made = Pipe.of(
            self._change(
                "POST",
                _PATH,
                query=query,
                document=document,
                effect="idempotent" if force and not populate else "write",
                datafile=lambda: new_pipe_datafile(name, described, description=description),
                failure=self._failure_of(described[0]["sql"] if len(described) == 1 else None),
            )
        )
        published = next((each for each in described if each.get("type") == "endpoint"), None)
        if published is None or made.endpoint or made.type != "default":
            return made
        # Some generations only note the type, and want publishing as a call of its own.
        return self.publish(name, published.get("name") or None)

    def update(self, pipe: str, *, name: str | None = None, description: str | None = None) -> Pipe:
        """Give a Pipe another name or description; what is ``None`` stays.

        Raises:
            InvalidInput: nothing is to be changed, or the name cannot be used.
            NotFound: there is none.
            Conflict: the name is taken, or other Pipes read it under the old one.
        """
        if name is None and description is None:
            raise InvalidInput("Nothing is to be changed: give a name or a description.")
        if name is not None:
            check_name(name, "Pipe")

        return Pipe.of(
            self._change(
                "PUT",
                path("/v0/pipes/", pipe),
                form={"name": name, "description": description},
                # Renamed, it is not there under the old name: a second attempt would find nothing.
                effect="idempotent" if name is None else "write",
                datafile=changed_pipe_datafile(
                    lambda: self.get(pipe), lambda nodes: nodes, name=name, description=description
                ),
            )
        )

    def delete(self, pipe: str) -> None:
        """Delete a Pipe; its endpoint, view, copy or sink is gone with it, Data Sources stay.

        Raises:
            NotFound: there is none.
            Conflict: other Pipes read it.
        """
        self._change("DELETE", path("/v0/pipes/", pipe), effect="idempotent")

    # The endpoint

    def publish(self, pipe: str, node: str | None = None) -> Pipe:
        """Make a node the endpoint of its Pipe (``pipes.md`` section 4); another one is the endpoint no more.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the last node.

        Returns:
            The Pipe. Its ``token`` is its READ token when there is exactly one, hidden.

        Raises:
            InvalidInput: there is no node that could be published.
            BadRequest: the node cannot be an endpoint, for instance because the Pipe has another output.
            NotFound: there is no such Pipe or node.
        """
        if node is None:
            found = self.get(pipe).nodes
            if not found:
                raise InvalidInput(f"The Pipe {pipe!r} has no node that could be published.")
            node = found[-1].name or found[-1].id
        return Pipe.of(
            self._change(
                "POST",
                path("/v0/pipes/", pipe, "/nodes/", node, "/endpoint"),
                effect="idempotent",
                datafile=self.output_datafile(pipe, node, "endpoint"),
            )
        )

    def unpublish(self, pipe: str, node: str | None = None) -> Pipe:
        """Take the endpoint back; nodes stay.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the one that is published.

        Raises:
            InvalidInput: nothing is published.
            Conflict: other Pipes read it.
        """
        if node is None:
            node = self.get(pipe).endpoint
            if node is None:
                raise InvalidInput(f"The Pipe {pipe!r} is not published.")
        reply = self._change(
            "DELETE",
            path("/v0/pipes/", pipe, "/nodes/", node, "/endpoint"),
            effect="idempotent",
            datafile=self.output_datafile(pipe, node, "standard"),
        )
        return Pipe.of(reply) if reply else self.get(pipe)

    def analysis(
        self,
        pipe: str,
        node: str,
        *,
        datasource: str | None = None,
        dry_run: bool | None = None,
        **engine: str | None,
    ) -> MaterializationAdvice:
        """Ask how a node would be materialized (``pipes.md`` section 5); nothing is changed.

        Args:
            pipe: name or id.
            node: name or id.
            datasource: name of the target, which need not be there.
            dry_run: passed on.
            **engine: ``engine="AggregatingMergeTree"``, ``engine_sorting_key="day"`` and the like.

        Raises:
            BadRequest: the node cannot be materialized, for instance because it has parameters.
        """
        query = {"include_datafile": True, "datasource": datasource, "dry_run": dry_run, **engine}
        return MaterializationAdvice.of(self._get(path("/v0/pipes/", pipe, "/nodes/", node, "/analysis"), query))


def _nodes(
    given: str | Node | Mapping[str, Any] | Sequence[Node | Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return nodes as the JSON form of the API has them."""
    if isinstance(given, str):
        check_sql(given)
        return [{"sql": given}]
    several = [given] if isinstance(given, (Node, Mapping)) else list(given)
    if not several:
        raise InvalidInput("A Pipe needs a node: give SQL, or a list of nodes.")
    found = []
    for each in several:
        node = _of_node(each) if isinstance(each, Node) else dict(each)
        check_sql(node.get("sql", ""))
        if node.get("name") is not None:
            check_name(node["name"], "node")
        found.append(node)
    return found


def _of_node(node: Node) -> dict[str, Any]:
    described = {"name": node.name, "sql": node.sql, "description": node.description}
    kind = {"type": "endpoint"} if node.node_type == "endpoint" else {}
    return {**{key: value for key, value in described.items() if value}, **kind}
