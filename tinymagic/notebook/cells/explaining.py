"""``--explain``: how a query would be run, for people: what is read, and what the sorting key saves."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.errors import BadReply, TinybirdError
from tinymagic.notebook.cells.plan import TableFacts, reads_of, summary
from tinymagic.notebook.display import visible
from tinymagic.notebook.interrupting import interruptible

if TYPE_CHECKING:
    from tinymagic.api.datasource_results import DataSource
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.cells.plan import TableRead
    from tinymagic.notebook.cells.prepared import PreparedCell
    from tinymagic.notebook.extension import Notebook


@dataclass(frozen=True)
class QueryPlan:
    """How a query would be run.

    Attributes:
        summary: sentences, one for each line.
        reads: the tables that it reads.
        text: the engine's own plan.
    """

    summary: tuple[str, ...]
    reads: tuple[TableRead, ...]
    text: str

    def __repr__(self) -> str:
        return visible("\n".join([*self.summary, "", self.text]))

    def _repr_html_(self) -> str:
        lines = "\n".join(html.escape(visible(line)) for line in self.summary)
        plan = html.escape(visible(self.text))
        style = "white-space: pre-wrap; margin: 0 0 0.5em; text-align: left"
        return (
            f'<div class="tinymagic-plan tex2jax_ignore mathjax_ignore"><p style="{style}">{lines}</p>'
            f"<details><summary>The engine's plan</summary><pre>{plan}</pre></details></div>"
        )


def show(notebook: Notebook, cell: PreparedCell, *, is_cell: bool) -> QueryPlan | None:
    """Return the plan of a cell, which is its value; the query is not run.

    Where the service gives no plan, that is said, with the tables that would be read.

    Raises:
        QueryError: the service refused the SQL.
    """
    with cell.placed(), interruptible() as cancellation:
        try:
            explained = cell.workspace.query.explain(
                cell.bound.text,
                params=cell.bound.parameters,
                timeout_s=cell.timeout_s,
                pipeline=cell.arguments.pipeline,
                cancellation=cancellation,
            )
        except BadReply as error:
            from tinymagic.notebook.cells.dry_run import show as dry_run

            print(f"{visible(error.message)} What can be told without a plan:\n")
            dry_run(notebook, cell, is_cell=is_cell)
            return None
    reads = reads_of(explained.plan)
    plan = QueryPlan(tuple(summary(reads, _facts(cell.workspace))), tuple(reads), explained.plan)
    if cell.arguments.target is not None:
        notebook.shell.user_ns[cell.arguments.target] = plan
    if cell.arguments.quiet:
        return None
    return plan


def _facts(workspace: Workspace) -> dict[str, TableFacts]:
    """Return what the Workspace tells of its Data Sources; a call for metadata, which no quota counts."""
    try:
        sources = workspace.datasources.list()
    except TinybirdError:
        return {}
    return {each.name: _facts_of(each) for each in sources}


def _facts_of(source: DataSource) -> TableFacts:
    sorting_key = str(source.engine.get("engine_sorting_key") or "")
    return TableFacts(source.statistics.row_count, source.statistics.bytes, sorting_key)
