"""``--dry-run``: what would be sent, the tables that it reads, and no query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.errors import TinybirdError
from tinymagic.notebook.cells.formatting import without_bindings
from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from tinymagic.notebook.cells.prepared import PreparedCell
    from tinymagic.notebook.extension import Notebook


def show(notebook: Notebook, cell: PreparedCell, *, is_cell: bool) -> None:  # noqa: ARG001 - as all ways are called
    """Print the final text, its parameters and its tables. The tables are asked of the service, which runs nothing."""
    lines = [cell.sent_text()]
    options = {"limit": cell.limit, "pipeline": cell.arguments.pipeline}
    lines += [f"-- {name}: {visible(str(value))}" for name, value in options.items() if value is not None]
    if cell.composed.nodes:
        lines.append(f"-- saved cells in front: {', '.join(cell.composed.nodes)}")
    tables = tables_of(cell)
    if tables is not None:
        lines.append(f"-- reads: {visible(', '.join(tables)) or 'no table'}")
    lines.append(f"-- to: {visible(cell.workspace.host)}. Nothing was run.")
    print("\n".join(lines))


def tables_of(cell: PreparedCell) -> list[str] | None:
    """Return the tables that a cell reads, ``None`` where the service cannot tell before it runs (a template)."""
    text, bound = without_bindings(cell.composed.text)
    try:
        found = cell.workspace.query.tables(text)
    except TinybirdError:
        return None
    # The parser takes a bare name behind IN for a table; only a bound identifier can really be one.
    names = [f"{each.database}.{each.name}" if each.database else each.name for each in found]
    return sorted({bound.get(name, name) for name in names if "|" in bound.get(name, "|")})
