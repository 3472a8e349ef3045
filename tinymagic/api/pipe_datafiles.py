"""The ``.pipe`` file that does what a refused call does, where a Workspace takes changes by deployment only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.api.errors import TinybirdError
from tinymagic.api.refusals import Datafile, datafile_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tinymagic.api.pipe_results import Pipe
    from tinymagic.datafiles import NodeText, PipeText


def new_pipe_datafile(
    name: str, nodes: Sequence[Mapping[str, object]], *, description: str | None = None
) -> Datafile | None:
    """Return the file for a new Pipe.

    Args:
        name: of the Pipe.
        nodes: as the JSON form of the API has them; those without a name get the one that the service would give.
        description: in words.
    """
    from tinymagic.datafiles import NodeText, pipe_text

    texts = [
        NodeText(
            name=str(node.get("name") or f"{name}_{place}"),
            sql=str(node.get("sql") or ""),
            description=str(node.get("description") or ""),
            type=str(node.get("type") or "standard"),
            settings=_given({key: value for key, value in node.items() if key not in _OWN_KEYS}),
        )
        for place, node in enumerate(nodes)
    ]
    return datafile_for("Pipe", name, pipe_text(name, texts, description=description), texts)


_OWN_KEYS = ("name", "sql", "description", "type", "params", "tags")


def changed_pipe_datafile(
    get: Callable[[], Pipe],
    change: Callable[[list[NodeText]], list[NodeText]],
    *,
    name: str | None = None,
    description: str | None = None,
) -> Callable[[], Datafile | None]:
    """Return what makes the file of a Pipe that is there, with other nodes; it gives ``None`` when that fails.

    Args:
        get: reads the Pipe; called only when the service has refused the change.
        change: gets the nodes as they are, returns them as they shall be.
        name: another name for the Pipe; a file has it outside of its text.
        description: another description for it.
    """

    def made() -> Datafile | None:
        from tinymagic.datafiles import print_pipe

        try:
            pipe = get()
            before = _text_of(pipe)
        except (TinybirdError, ValueError):
            # Nothing to say about the file is better than an error about it in the place of the refusal.
            return None
        after = replace(before, nodes=tuple(change(list(before.nodes))))
        if description is not None:
            after = replace(after, description=description)
        return datafile_for("Pipe", name or pipe.name, print_pipe(after), after.nodes)

    return made


def _text_of(pipe: Pipe) -> PipeText:
    """Return the definition of a Pipe: its own datafile, which has the settings of outputs, or what else is known."""
    from tinymagic.datafiles import NodeText, PipeText, read_pipe

    if pipe.content:
        return read_pipe(pipe.content)
    nodes = (
        NodeText(
            node.name,
            node.sql,
            node.description,
            "endpoint" if pipe.endpoint and pipe.endpoint in (node.id, node.name) else node.node_type,
        )
        for node in pipe.nodes
    )
    return PipeText(nodes=tuple(nodes), description=pipe.description)


def with_node(pipe: str, node: Mapping[str, object]) -> Callable[[list[NodeText]], list[NodeText]]:
    """Return a change that adds a node with ``sql`` and perhaps ``name`` and ``description``."""

    def change(nodes: list[NodeText]) -> list[NodeText]:
        from tinymagic.datafiles import NodeText

        name = str(node.get("name") or f"{pipe}_{len(nodes)}")
        return [*nodes, NodeText(name, str(node.get("sql") or ""), str(node.get("description") or ""))]

    return change


def with_changes(
    name: Callable[[], str],
    *,
    position: int | None = None,
    sql: str | None = None,
    new_name: str | None = None,
    description: str | None = None,
) -> Callable[[list[NodeText]], list[NodeText]]:
    """Return a change of one node: what is ``None`` stays, *position* is its new place."""

    def change(nodes: list[NodeText]) -> list[NodeText]:
        wanted = name()
        place = next((at for at, each in enumerate(nodes) if each.name == wanted), None)
        if place is None:
            return nodes
        old = nodes.pop(place)
        node = replace(
            old,
            name=old.name if new_name is None else new_name,
            sql=old.sql if sql is None else sql,
            description=old.description if description is None else description,
        )
        nodes.insert(place if position is None else position, node)
        return nodes

    return change


def with_output(
    name: Callable[[], str], kind: str, settings: Mapping[str, object], *, keep: bool = False
) -> Callable[[list[NodeText]], list[NodeText]]:
    """Return a change that makes one node the output *kind*; settings of ``None`` are left out, or kept."""

    def change(nodes: list[NodeText]) -> list[NodeText]:
        wanted = name()
        # A Pipe has one output: an endpoint that was there moves.
        return [
            replace(each, type=kind, settings={**(each.settings if keep else {}), **_given(settings)})
            if each.name == wanted
            else replace(each, type="standard", settings={})
            if each.type == kind == "endpoint"
            else each
            for each in nodes
        ]

    return change


def _given(settings: Mapping[str, object]) -> dict[str, str]:
    return {key.lower(): str(value) for key, value in settings.items() if value is not None and value != ""}
