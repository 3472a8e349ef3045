"""Pipes and cells: a Pipe's nodes as cells of a notebook, and saved cells as nodes of a Pipe."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from tinymagic.datafiles import read_pipe
from tinymagic.names import name_problem, valid_name
from tinymagic.notebook.bindings import find_bindings
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.project import datafile_of
from tinymagic.notebook.commands.writing import write_text
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.paths import path_of
from tinymagic.notebook.problems import CellProblem
from tinymagic.sqltext import is_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.pipe_results import Node
    from tinymagic.datafiles import NodeText, PipeText
    from tinymagic.notebook.tinybird import Call


def cells(call: Call) -> None:
    """Make cells of the nodes of a Pipe: the next cell, or a notebook."""
    name = call.words[0]
    pipe = read_pipe(datafile_of(call, name), name=name)
    if not pipe.nodes:
        raise CellProblem(f"The Pipe {name!r} has no node.")
    if "to" in call.options:
        _write_notebook(call, name, pipe)
        return
    texts = [cell_text(node) for node in pipe.nodes]
    call.notebook.shell.set_next_input(texts[0])
    # A front end makes one new cell for one that ran.
    if len(texts) > 1:
        print(f"The first node is in the next cell. {count_of(len(texts) - 1, 'more cell')}, to be copied:\n")
        print("\n\n".join(visible(text) for text in texts[1:]))
        print(f"\nAll of them as a notebook: %tinybird pipe cells {visible(name)} --to {visible(name)}.ipynb")


def cell_text(node: NodeText | Node) -> str:
    r"""Return the cell that keeps a node under its name.

    Example:
        >>> from tinymagic.datafiles import NodeText
        >>> cell_text(NodeText("total", "SELECT 1"))
        '%%tbsql --save total\nSELECT 1'
    """
    name = valid_name(node.name) if name_problem(node.name, kind="node") else node.name
    return f"%%tbsql --save {name}\n{node.sql.strip(chr(10))}"


def _write_notebook(call: Call, name: str, pipe: PipeText) -> None:
    path = path_of(call.options["to"])
    if path.suffix != ".ipynb":
        raise CellProblem(f"--to writes a notebook: its name ends in .ipynb, and {call.options['to']!r} does not.")
    question = f"{visible(str(path))} is there already. Overwrite it?"
    yes = "yes" in call.options
    if path.exists() and not confirm(question, yes=yes, otherwise="Nothing was written."):
        return
    write_text(path, json.dumps(_notebook(name, pipe), ensure_ascii=False, indent=1) + "\n")
    print(f"Wrote {visible(str(path))} with {count_of(len(pipe.nodes), 'node')} of {visible(name)}.")


def _notebook(name: str, pipe: PipeText) -> dict[str, Any]:
    """Return a notebook (format 4.5) that shows the nodes one by one, and how to make a Pipe of them again."""
    found = [_markdown(f"# {name}\n\n{pipe.description}".strip()), _code("%load_ext tinymagic")]
    for node in pipe.nodes:
        if node.description:
            found.append(_markdown(node.description))
        found.append(_code(cell_text(node)))
    names = ",".join(cell_text(node).split()[2] for node in pipe.nodes)
    publish = " --publish" if any(node.type == "endpoint" for node in pipe.nodes) else ""
    made_again = f"%tinybird pipe create {name} --from-cells {names}{publish} --force"
    found.append(_markdown(f"To put the Pipe in its place again with what the cells say now:\n\n    {made_again}"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": uuid.uuid4().hex[:8], "metadata": {}, "source": text}


def _code(text: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "id": uuid.uuid4().hex[:8], "metadata": {}, "source": text, **empty}


def nodes_of_cells(call: Call, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return saved cells, with those that they read in front, as `tinymagic.api.pipes.Pipes.create` takes nodes.

    Raises:
        CellProblem: there is none of a name, or one binds notebook variables, which a Pipe does not have.
    """
    store = call.notebook.nodes
    needed = store.needed(*names)
    for name in needed:
        bound = [] if is_template(store[name]) else find_bindings(store[name])
        if bound:
            raise CellProblem(
                f"The saved cell {name!r} binds the notebook variable {bound[0].path!r}, and a Pipe has parameters: "
                f"begin the cell with a line that is only % and write {{{{ String({bound[0].root}, 'default') }}}}."
            )
    return [{"name": name, "sql": store[name]} for name in needed]
