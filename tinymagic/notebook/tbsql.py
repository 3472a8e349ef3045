"""``%tbsql`` and ``%%tbsql``: SQL in, DataFrame out. Here grammar, binding, client and display meet.

What a cell can become beside a table is in the modules of `tinymagic.notebook.cells`; here is decided which.
"""

from __future__ import annotations

from collections import ChainMap
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.cells.grammar import parse_tbsql
from tinymagic.notebook.cells.prepared import prepare_cell, read_file
from tinymagic.notebook.failures import shown_as_card
from tinymagic.notebook.source import Source, line_of_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.notebook.cells.arguments import TbsqlArguments
    from tinymagic.notebook.extension import Notebook

#: What a cell becomes -> the function that makes it: of the notebook and the prepared cell, the value of the cell.
_WAYS = {
    "table": "table:show",
    "dry-run": "dry_run:show",
    "explain": "explaining:show",
    "to-file": "to_file:save",
    "background": "background:start",
    "live": "live:run",
}


def run(notebook: Notebook, line: str, cell: str | None = None, local_names: Mapping[str, Any] | None = None) -> Any:
    """Run the SQL of a cell or line.

    Args:
        notebook: session, options and display.
        line: what follows the magic's name.
        cell: the body, or ``None`` for the line magic.
        local_names: variables of the function that the magic runs in; they hide those of the notebook.

    Returns:
        The rows; ``None`` when they went into a variable without being displayed, or when the cell is no query.

    Raises:
        CellProblem: the cell cannot be right; nothing was sent.
        TinybirdError: the query failed.
    """
    names = ChainMap(dict(local_names or {}), notebook.shell.user_ns)
    first_line, before = line_of_cell(_raw_cell(notebook), "%tbsql" if cell is None else "%%tbsql", line)
    interrupted = "interrupted; the query is cancelled on the server."
    with shown_as_card(Source(line, first_line, before), interrupted=interrupted):
        arguments = parse_tbsql(line, cell, first_line=first_line, before=before)
        if arguments.persist is not None:
            return _call("persisting:persist", notebook, arguments.persist, names, yes=arguments.yes)
        source = arguments.source if arguments.file is None else read_file(arguments.file)
        if arguments.instead == "fmt":
            return _call("formatting:print_formatted", notebook, arguments, source)
        if not arguments.execute:
            _keep(notebook, arguments, source, names)
            return None
        prepared = prepare_cell(notebook, arguments, source, names)
        value = _call(_WAYS[_way(arguments)], notebook, prepared, is_cell=cell is not None)
        # What cannot be run is not kept: a later cell would fail because of this one.
        _keep(notebook, arguments, source, names)
        return value


def _way(arguments: TbsqlArguments) -> str:
    if arguments.instead is not None:
        return arguments.instead
    if arguments.to_file is not None:
        return "to-file"
    if arguments.background:
        return "background"
    return "live" if arguments.live is not None else "table"


def _call(place: str, *arguments: Any, **options: Any) -> Any:
    """Call a function of `tinymagic.notebook.cells`, imported when it is needed."""
    module, _, function = place.partition(":")
    return getattr(import_module(f"tinymagic.notebook.cells.{module}"), function)(*arguments, **options)


def _keep(notebook: Notebook, arguments: TbsqlArguments, source: Source, names: Mapping[str, Any]) -> None:
    """Keep the SQL as a node, and make a Pipe of it, when that is asked for."""
    if arguments.save is not None:
        notebook.nodes.save(arguments.save, source.sql)
        if not arguments.execute:
            print(f"Saved as {arguments.save}; nothing was run.")
    if arguments.pipe is not None:
        _call("publishing:make_pipe", notebook, arguments, source, names)


def _raw_cell(notebook: Notebook) -> str:
    """Return the running cell as it was typed; without a history, nothing."""
    typed = getattr(notebook.shell.history_manager, "input_hist_raw", None) or [""]
    return str(typed[-1])
