"""``--every 5s --for 2m``: a cell that runs again and again, and redraws its output in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.cells.budget import queries_left
from tinymagic.notebook.cells.table import footer_of, rows_of
from tinymagic.notebook.display import count_of, human_seconds
from tinymagic.notebook.failures import note_result
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.raw_results import Rows
    from tinymagic.notebook.cells.prepared import PreparedCell
    from tinymagic.notebook.extension import Notebook

#: A cell that asks more often than this is slowed down: neither a person nor a service gains by it.
_SHORTEST_S = 0.2


def run(notebook: Notebook, cell: PreparedCell, *, is_cell: bool) -> Any:
    """Run a cell until its time is over or somebody interrupts it; an interrupt is no failure.

    Args:
        notebook: display and variables.
        cell: what is run.
        is_cell: whether it is a cell; a line may be assigned.

    Returns:
        The rows of the last run, or ``None`` when they are in a variable.

    Raises:
        CellProblem: it would send more queries than are left of the day's; none was sent.
        TinybirdError: a run failed; what was drawn before stays.
    """
    live = cell.arguments.live
    assert live is not None  # This way is taken only then.
    every_s = max(live.every_s, _SHORTEST_S)
    check_quota(every_s, live.for_s, queries_left(cell.workspace.host, cell.daily_queries))
    picture = _Picture(notebook, cell)
    deadline = None if live.for_s is None else time.monotonic() + live.for_s
    last: Rows | None = None
    try:
        with interruptible() as cancellation:
            while True:
                began = time.monotonic()
                last = _turn(notebook, cell, picture, last, cancellation)
                due = began + every_s
                if deadline is not None and due > deadline:
                    break
                cancellation.wait(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        if last is None:
            raise
    picture.end(every_s)
    assert last is not None  # The first run ended well.
    if cell.arguments.target is not None:
        return None
    return notebook.presenter.expect(last.value, None, hidden=is_cell or cell.arguments.quiet)


def _turn(
    notebook: Notebook, cell: PreparedCell, picture: _Picture, before: Rows | None, cancellation: Cancellation
) -> Rows:
    rows = rows_of(cell, cancellation)
    note_result(rows.facts)
    if cell.arguments.target is not None:
        notebook.shell.user_ns[cell.arguments.target] = rows.value
    picture.draw(rows, None if before is None else change(before, rows))
    return rows


class _Picture:
    """The output of a live cell: one display that is drawn over."""

    def __init__(self, notebook: Notebook, cell: PreparedCell) -> None:
        self._notebook = notebook
        self._cell = cell
        self._display: Any = None
        self._runs = 0
        self._began = time.monotonic()

    def draw(self, rows: Rows, changed: str | None) -> None:
        """Draw the rows of a run in the place of those of the last one."""
        self._runs += 1
        arguments = self._cell.arguments
        if arguments.quiet:
            return
        lines = [footer_of(self._notebook, arguments, rows.facts, None), changed, f"run {self._runs:,}"]
        self._show(rows, "\n".join(line for line in lines if line))

    def _show(self, rows: Rows, footer: str) -> None:
        from IPython.display import DisplayHandle

        if self._cell.arguments.chart is not None:
            from tinymagic.notebook.cells.charts import bundle_of

            data, metadata = bundle_of(self._cell.arguments.chart, rows, footer), {}
        else:
            self._notebook.presenter.expect(rows.value, footer)
            data, metadata = self._notebook.shell.display_formatter.format(rows.value)
            self._notebook.presenter.forget()
        if self._display is None:
            self._display = DisplayHandle()  # type: ignore[no-untyped-call]
            self._display.display(data, metadata=metadata, raw=True)
        else:
            self._display.update(data, metadata=metadata, raw=True)

    def end(self, every_s: float) -> None:
        """Say how often it ran."""
        passed = human_seconds(time.monotonic() - self._began)
        print(f"Ran {count_of(self._runs, 'time')} in {passed}, every {human_seconds(every_s)}.")


def change(before: Rows, now: Rows) -> str:
    """Say what is different since the last run: of one row each number, of many the number of rows.

    Args:
        before: of the last run.
        now: of this one.
    """
    count_before, count = int(before.facts["rows"]), int(now.facts["rows"])
    if count == count_before == 1 and before.facts["columns"] == now.facts["columns"]:
        names = [name for name, _ in now.facts["columns"]]
        return _numbers_changed(names, _first_row(before.value), _first_row(now.value))
    if count != count_before:
        return f"{count - count_before:+,} rows since the last run"
    return "as many rows as in the last run"


def _numbers_changed(names: Sequence[str], before: Sequence[Any], now: Sequence[Any]) -> str:
    parts = []
    for name, old, new in zip(names, before, now, strict=True):
        try:
            difference = new - old
            if hasattr(difference, "total_seconds"):
                seconds = difference.total_seconds()
                if seconds:
                    parts.append(f"{name} {'+' if seconds > 0 else '-'}{human_seconds(abs(seconds))}")
            elif difference:
                parts.append(f"{name} {difference:+,}")
        except (TypeError, ValueError):
            if old != new:
                parts.append(f"{name} was {old}")
    return f"since the last run: {', '.join(parts)}" if parts else "nothing has changed since the last run"


def _first_row(result: Any) -> list[Any]:
    if isinstance(result, list):
        return list(result[0].values())
    if hasattr(result, "iloc"):
        return [result.iloc[0, place] for place in range(len(result.columns))]
    if hasattr(result, "column"):  # An Arrow table.
        return [column[0].as_py() for column in result.columns]
    return list(result.row(0))  # A polars frame.


def check_quota(every_s: float, for_s: float | None, left: int | None) -> None:
    """Refuse a live cell that would use up the day's queries.

    Args:
        every_s: seconds between runs.
        for_s: seconds in all, ``None`` without an end.
        left: queries that may be sent today, ``None`` for any number.

    Raises:
        CellProblem: they do not suffice.
    """
    if left is None or for_s is None:
        return
    wanted = int(for_s / every_s) + 1
    if wanted > left:
        raise CellProblem(
            f"This would send {count_of(wanted, 'query').replace('querys', 'queries')}, and {left:,} are left of "
            "TinyMagic.daily_queries for today. Run it less often, or for a shorter time."
        )
