"""The default way of a cell: the rows, stored, displayed, or both, and under the table what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.notebook.display import footer_text, left_out
from tinymagic.notebook.failures import note_result
from tinymagic.notebook.interrupting import interruptible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.raw_results import Rows
    from tinymagic.notebook.cells.arguments import TbsqlArguments
    from tinymagic.notebook.cells.prepared import PreparedCell
    from tinymagic.notebook.extension import Notebook


def show(notebook: Notebook, cell: PreparedCell, *, is_cell: bool) -> Any:
    """Run a cell and hand its rows over.

    Args:
        notebook: display and variables.
        cell: what is run.
        is_cell: whether it is a cell rather than a line, which may be assigned.

    Returns:
        The value of the cell.
    """
    with interruptible() as cancellation:
        rows = rows_of(cell, cancellation)
    if cell.arguments.show_sql:
        print(cell.sent_text(rows.facts["sql"]))
    return hand_over(notebook, cell, rows, is_cell=is_cell)


def rows_of(cell: PreparedCell, cancellation: Any = None) -> Rows:
    """Return the rows of a cell: from disk when it says so and they are there, else from the Workspace."""
    if cell.arguments.cache_s is None:
        return cell.rows(cancellation)
    from tinymagic.notebook.cells.result_cache import cached_rows

    return cached_rows(cell, cancellation)


def hand_over(notebook: Notebook, cell: PreparedCell, rows: Rows, *, is_cell: bool) -> Any:
    """Store, display, both: the one place that decides.

    =====================  ==========================================================================
    target                 stored; nothing displayed (with ``--stats`` the footer alone)
    target and show        stored, and displayed as the cell's value
    no target              the cell's value, displayed; an assignment displays nothing
    no target and show     displayed at once; for ``df = %tbsql --show ...``
    no target and quiet    in ``_`` and ``Out``, not displayed; an assignment gets it
    =====================  ==========================================================================

    Raises:
        ExpectationFailed: the rows are not as ``--expect`` says; they are stored and displayed all the same.
    """
    arguments, value = cell.arguments, rows.value
    note_result(rows.facts)
    compared = notebook.runs.compared(notebook.shell, cell.source.sql, rows.facts)
    footer = footer_of(notebook, arguments, rows.facts, compared)
    under = "\n".join(line for line in (footer, left_out(value)) if line) or None
    presenter = notebook.presenter
    if arguments.chart is not None:
        from tinymagic.notebook.cells.charts import draw

        draw(notebook, arguments.chart, rows, footer)
        if arguments.target is None and not arguments.show:
            presenter.keep(value)
            return _checked(cell, rows, presenter.expect(value, under, hidden=True))
    if arguments.target is not None:
        notebook.shell.user_ns[arguments.target] = value
        if arguments.quiet or not arguments.show:
            if arguments.stats and not arguments.quiet:
                print(footer)
            return _checked(cell, rows, None)
        return _checked(cell, rows, presenter.expect(value, under))
    if arguments.quiet and is_cell:
        presenter.keep(value)
        return _checked(cell, rows, None)
    if arguments.quiet:
        # It may be assigned. When it is not, IPython's display is told that there is nothing to show.
        return _checked(cell, rows, presenter.expect(value, under, hidden=True))
    if arguments.show:
        presenter.show(value, under)
        return _checked(cell, rows, presenter.expect(value, under, hidden=True))
    if arguments.expectations:
        # An expectation that fails ends the cell, whose value is then not displayed.
        presenter.show(value, under)
        _checked(cell, rows, value)
        presenter.keep(value)
        return presenter.expect(value, under, hidden=True)
    return presenter.expect(value, under)


def _checked(cell: PreparedCell, rows: Rows, value: Any) -> Any:
    """Compare the rows with what ``--expect`` says, and return *value*."""
    if cell.arguments.expectations:
        from tinymagic.notebook.cells.expectations import check

        check(rows, cell.arguments.expectations)
    return value


def footer_of(
    notebook: Notebook, arguments: TbsqlArguments, facts: Mapping[str, Any], compared: str | None
) -> str | None:
    """Return the line under the table; where none is wanted, one only when rows are missing."""
    stats = notebook.options.stats if arguments.stats is None else arguments.stats
    if stats:
        return footer_text(facts) + (f"\n{compared}" if compared else "")
    return footer_text({**facts, "statistics": None, "wall_s": None}) if facts["truncated"] else None
