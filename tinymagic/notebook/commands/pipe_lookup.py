"""Finding the Pipe and the node that a command is about, and what is said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tinymagic.api.pipes import Pipe
    from tinymagic.notebook.tinybird import Call


def near_pipe(call: Call, name: str) -> AbstractContextManager[None]:
    """Let a 404 of the block propose the names of Pipes."""
    return near("Pipe", name, lambda: [each.name for each in call.workspace.pipes.list(attrs=["id", "name"])])


def near_node(call: Call, pipe: str, node: str) -> AbstractContextManager[None]:
    """Let a 404 of the block propose the names of the nodes of a Pipe, or of Pipes."""

    def known() -> Iterator[str]:
        return (each.name for each in call.workspace.pipes.get(pipe).nodes)

    return near("node", node, known)


def get_pipe(call: Call, name: str) -> Pipe:
    """Return a Pipe.

    Raises:
        NotFound: there is none; near names are in it.
    """
    with near_pipe(call, name):
        return call.workspace.pipes.get(name)


def sql_of(call: Call, option: str = "sql") -> str:
    """Return the SQL that an option gives, or the variable that it names.

    Raises:
        CellProblem: the option is missing, or the variable holds no text.
    """
    given = call.options.get(option)
    if given is None:
        raise CellProblem(f"--{option} is missing: SQL in quotes, or $NAME of a variable that holds it.")
    if not given.startswith("$"):
        return given
    value = call.value(given)
    if not isinstance(value, str):
        raise CellProblem(f"The variable {given.removeprefix('$')!r} is {type(value).__name__}: SQL is a text.")
    return value


def readers_of(call: Call, pipe: Pipe) -> str:
    """Say in a sentence which other Pipes read one; ``""`` when none does."""
    readers = [
        visible(each.name)
        for each in call.workspace.pipes.list()
        if each.id != pipe.id and any(pipe.name in node.dependencies for node in each.nodes)
    ]
    return f" These Pipes read it: {', '.join(readers)}." if readers else ""
