"""``--background``: a query that runs while the kernel is free, and the handle to it."""

from __future__ import annotations

import html
import threading
import time
from typing import TYPE_CHECKING, Any

from tinymagic.errors import TinybirdError
from tinymagic.notebook.display import count_of, human_seconds, visible
from tinymagic.notebook.failures import shown_as_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.raw_results import Rows
    from tinymagic.notebook.cells.prepared import PreparedCell
    from tinymagic.notebook.extension import Notebook

#: Seconds between two looks of the line that tells how long a query has been running.
_TICK_S = 0.5


class BackgroundQuery:
    """A query that runs in a thread of its own.

    Args:
        cell: what is run.
        on_done: called in that thread with the rows of a success.

    Example:
        >>> handle = BackgroundQuery(cell)  # doctest: +SKIP
        >>> handle.done, handle.result(timeout_s=10)  # doctest: +SKIP
    """

    def __init__(self, cell: PreparedCell, on_done: Callable[[Rows], object] | None = None) -> None:
        from tinymagic.api.http.cancelling import Cancellation

        self._cell = cell
        # Looked up here: the session belongs to the thread of the cells.
        self._cell.workspace  # noqa: B018
        self._on_done = on_done
        self._cancellation = Cancellation()
        self._rows: Rows | None = None
        self._error: BaseException | None = None
        self._started = time.monotonic()
        self._ended: float | None = None
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tbsql --background", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._finished.is_set()

    @property
    def state(self) -> str:
        """``running``, ``done``, ``failed`` or ``cancelled``."""
        if not self.done:
            return "running"
        if self._error is None:
            return "done"
        return "cancelled" if self._cancellation.cancelled else "failed"

    def cancel(self) -> None:
        """End it, also on the server; one that has ended stays as it is."""
        if not self.done:
            self._cancellation.cancel()
            self._finished.wait(5)

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait for the end, and return the rows as the cell would have.

        Args:
            timeout_s: seconds to wait; ``None``: until it ends. An interrupt ends the waiting, and the query goes on.

        Raises:
            TimeoutError: it runs still.
            TinybirdError: it failed, or was cancelled.
        """
        with shown_as_card(interrupted="stopped waiting; the query goes on. handle.cancel() ends it."):
            # In pieces: a wait without end cannot be interrupted on every system.
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while not self._finished.wait(0.1):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"The query is still running after {human_seconds(self.seconds)}.")
            if self._error is not None:
                raise self._error
        assert self._rows is not None  # One of the two is there at the end.
        return self._rows.value

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self._ended or time.monotonic()) - self._started

    def _run(self) -> None:
        try:
            self._rows = self._cell.rows(self._cancellation)
            if self._on_done is not None:
                self._on_done(self._rows)
        except BaseException as error:  # Raised by `result`, in the thread that asks.
            self._error = error
        finally:
            self._ended = time.monotonic()
            self._finished.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most that long; return whether it has ended."""
        return self._finished.wait(seconds)

    def __repr__(self) -> str:
        words = f"{self.state}, {human_seconds(self.seconds)}"
        if self._rows is not None:
            words += f", {count_of(int(self._rows.facts['rows']), 'row')}"
        elif isinstance(self._error, TinybirdError) and self.state == "failed":
            words += f": {visible(str(self._error))}"
        return f"<query in the background: {words}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self)[1:-1])}</p>"


def start(notebook: Notebook, cell: PreparedCell, *, is_cell: bool) -> BackgroundQuery:
    """Start the query of a cell and return its handle; a line in its output follows it.

    A target gets the rows once they are there.
    """
    target, names = cell.arguments.target, notebook.shell.user_ns

    def store(rows: Rows) -> None:
        if target is not None:
            names[target] = rows.value

    handle = BackgroundQuery(cell, store)
    if is_cell and not cell.arguments.quiet:
        _follow(handle)
        # It is displayed already, in the line that follows it.
        return notebook.presenter.expect(handle, None, hidden=True)
    return handle


def _follow(handle: BackgroundQuery) -> None:
    """Show a line that is kept up to date, where the front end can do that."""
    from IPython.display import DisplayHandle

    line: Any = DisplayHandle()  # type: ignore[no-untyped-call]
    line.display(handle)

    def update() -> None:
        while not handle.wait(_TICK_S):
            line.update(handle)
        line.update(handle)

    threading.Thread(target=update, name="tbsql --background line", daemon=True).start()
