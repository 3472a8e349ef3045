"""``--pipe NAME``: the cell, with the saved cells that it reads, becomes a Pipe, an endpoint, or a datafile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import NotFound
from tinymagic.names import name_problem
from tinymagic.notebook.cells.pipe_parameters import parameterised
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_nodes import say_how_to_call
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.failures import attach, problem_card
from tinymagic.notebook.nodes import tables_read
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.cells.arguments import PipeArguments, TbsqlArguments
    from tinymagic.notebook.extension import Notebook
    from tinymagic.notebook.source import Source


def make_pipe(notebook: Notebook, arguments: TbsqlArguments, source: Source, names: Mapping[str, Any]) -> None:
    """Make the Pipe and say what was made; one of that name is asked about.

    Args:
        notebook: session and saved cells.
        arguments: of the cell, with `pipe`.
        source: its SQL.
        names: the notebook's variables; those that the SQL binds become parameters.

    Raises:
        CellProblem: it cannot be a Pipe, or nobody can be asked; nothing was made.
        TinybirdError: the service refused it.
    """
    asked = arguments.pipe
    assert asked is not None  # The caller has looked.
    nodes = _nodes(notebook, arguments, asked, source, names)
    if asked.folder is not None:
        _write(asked, nodes, yes=arguments.yes)
        return
    workspace = notebook.session.workspace(arguments.profile)
    replaces = _is_there(workspace, asked.name)
    question = f"Put it in the place of the Pipe {visible(asked.name)}?"
    if replaces and not confirm(question, yes=arguments.yes, otherwise="Nothing was changed."):
        return
    try:
        made = workspace.pipes.create(asked.name, nodes, force=replaces)
        print(f"Made the Pipe {visible(made.name)} with {count_of(len(made.nodes), 'node')}.")
        if asked.publish:
            say_how_to_call(workspace, made if made.endpoint else workspace.pipes.publish(made.name))
    finally:
        notebook.something_changed()


def _nodes(
    notebook: Notebook, arguments: TbsqlArguments, asked: PipeArguments, source: Source, names: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the saved cells that the cell needs, and the cell itself as the last node."""
    own = asked.node or arguments.save or f"{asked.name}_node"
    for name, kind in ((asked.name, "Pipe"), (own, "node")):
        problem = name_problem(name, kind=kind)
        if problem:
            raise CellProblem(problem)
    store = notebook.nodes
    read = [each for each in tables_read(source.sql, store) if each != own]
    needed = [each for each in store.needed(*arguments.with_nodes, *read) if each != own]
    found = [{"name": each, "sql": parameterised(store[each], names)} for each in needed]
    try:
        text = parameterised(source.sql, names)
    except CellProblem as problem:
        attach(problem, problem_card(problem, source))
        raise
    return [*found, {"name": own, "sql": text.strip().rstrip(";").rstrip()}]


def _write(asked: PipeArguments, nodes: list[dict[str, Any]], *, yes: bool) -> None:
    from tinymagic.api.pipe_datafiles import new_pipe_datafile
    from tinymagic.notebook.commands.writing import write_datafile

    if asked.publish:
        nodes[-1]["type"] = "endpoint"
    write_datafile(str(asked.folder), new_pipe_datafile(asked.name, nodes), yes=yes)


def _is_there(workspace: Workspace, name: str) -> bool:
    try:
        workspace.pipes.get(name)
    except NotFound:
        return False
    return True
