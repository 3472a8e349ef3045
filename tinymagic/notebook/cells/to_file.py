"""``--to-file``: the rows go straight into a file, in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.display import count_of, human_bytes, human_seconds, visible
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.paths import path_of
from tinymagic.notebook.progress import progress

if TYPE_CHECKING:
    from tinymagic.notebook.cells.prepared import PreparedCell
    from tinymagic.notebook.extension import Notebook


def save(notebook: Notebook, cell: PreparedCell, *, is_cell: bool) -> None:  # noqa: ARG001 - as all ways are called
    """Write the rows of a cell into a file, and say so. A file that is there already is asked about.

    Raises:
        CellProblem: nobody can be asked.
        TinybirdError: the query failed, or the file cannot be written; there is no part of a file then.
    """
    path = path_of(str(cell.arguments.to_file))
    shown = visible(str(path))
    if path.exists() and not confirm(
        f"{shown} is there already. Overwrite it?", yes=cell.arguments.yes, otherwise="Nothing was written."
    ):
        return
    with cell.placed(), progress(f"write {path.name}") as tell, interruptible() as cancellation:
        saved = cell.workspace.query.to_file(
            cell.bound.text, path, overwrite=True, on_progress=tell, cancellation=cancellation, **cell.request
        )
    rows = "" if saved.rows is None else f"{count_of(saved.rows, 'row')}, "
    print(f"Wrote {shown}: {rows}{human_bytes(saved.bytes)}, {human_seconds(saved.wall_s)}.")
