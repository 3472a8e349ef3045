"""``%tinybird datasource``: getting rows out, and looking at those that did not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import BadReply, UnknownTable
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.datasource_facts import get_source, listed, named, near_source, users_of
from tinymagic.notebook.commands.waiting import wait_for
from tinymagic.notebook.display import count_of, footer_text, visible
from tinymagic.notebook.parameters import prepare
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.api.datasources import DataSource
    from tinymagic.notebook.tinybird import Call

_SHOWN_ROWS = 10


def truncate(call: Call) -> None:
    """Delete all rows of one."""
    source = get_source(call, call.words[0])
    question = f"Delete all rows of {named(source)}?{_made_of(call, source)}"
    if confirm(question, yes="yes" in call.options):
        call.workspace.datasources.truncate(source.name)
        rows = source.statistics.row_count
        print(f"Deleted {'all rows' if rows is None else count_of(rows, 'row')} of {visible(source.name)}.")


def _made_of(call: Call, source: DataSource) -> str:
    """Say what a deletion of rows does not reach."""
    users = users_of(call, source)
    return f" What these Pipes have copied or materialized stays: {listed(users)}." if users else ""


def delete(call: Call) -> None:
    """Delete the rows that a condition names, or say how many there are."""
    name, options = call.words[0], call.options
    condition = options.get("where", "")
    if not condition:
        raise CellProblem(
            "Which rows? --where is needed: --where \"country = 'ES'\". All rows: %tinybird datasource truncate."
        )
    if "partition" in options and "lightweight" not in options:
        raise CellProblem("--partition goes with --lightweight.")
    sources = call.workspace.datasources
    rows: int | None
    with near_source(call, name):
        try:
            rows = sources.count_rows_to_delete(name, condition)
        except BadReply:
            rows = None
    count = "an unknown number of rows" if rows is None else count_of(rows, "row")
    if "dry_run" in options:
        print(f"{count[0].upper()}{count[1:]} of {visible(name)} would be deleted.")
    elif rows == 0:
        print(f"No row of {visible(name)} fits the condition: nothing was deleted.")
    elif confirm(f"Delete {count} of {visible(name)}?{_made_of(call, sources.get(name))}", yes="yes" in options):
        gone = _delete(call, name, condition)
        print(f"Deleted {count if gone is None else count_of(gone, 'row')} of {visible(name)}.")


def _delete(call: Call, name: str, condition: str) -> int | None:
    """Delete rows; return how many, when that is told."""
    from tinymagic.api.reading import count

    sources = call.workspace.datasources
    if "lightweight" in call.options:
        return sources.delete_rows_lightweight(name, condition, partition=call.options.get("partition")).rows_affected
    job = sources.delete_rows(name, condition, wait=False)
    return count(wait_for(call, job, f"delete rows of {name}").raw.get("rows_affected"))


# --- the quarantine ---------------------------------------------------------------------------------------------------

#: The value in a reason is left out, from its first to its last quotation mark: equal reasons would look different.
_REASONS = """
SELECT
    arrayStringConcat(arrayDistinct(c__error_column), ', ') AS column,
    arrayStringConcat(
        arrayMap(x -> replaceRegexpOne(toString(x), '^value ''.*'' on column', 'a value on column'), c__error), '; '
    ) AS reason,
    count() AS rows,
    max(insertion_date) AS last
FROM {{ name | ident }}
GROUP BY column, reason
ORDER BY rows DESC, reason
"""

_MOST_REASONS = 50


def quarantine(call: Call) -> pd.DataFrame | None:
    """Show why rows are in the quarantine of one, and return the newest of them."""
    source = get_source(call, call.words[0])
    limit = call.number("rows")
    name = f"{source.name}_quarantine"
    try:
        reasons = _select(call, _REASONS, name, _MOST_REASONS)
        if len(reasons):
            rows = _select(
                call,
                "SELECT * FROM {{ name | ident }} ORDER BY insertion_date DESC",
                name,
                _SHOWN_ROWS if limit is None else limit,
            )
    except UnknownTable:
        # The service makes it with the first row that does not fit.
        reasons = None
    if reasons is None or not len(reasons):
        print(f"No row of {visible(source.name)} is in quarantine.")
        return None
    total = max(int(reasons["rows"].sum()), source.quarantine_rows or 0)
    call.notebook.presenter.show(reasons, f"{count_of(total, 'row')} in {visible(name)}, by reason")
    frame: pd.DataFrame = rows
    return call.notebook.presenter.expect(frame, footer_text(frame.attrs["tinybird"]))


def _select(call: Call, sql: str, name: str, limit: int) -> Any:
    bound = prepare(sql, {"name": name}, {})
    return call.workspace.sql(bound.text, params=bound.parameters, limit=limit)
