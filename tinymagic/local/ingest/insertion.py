"""The last step of a write: rows into a table in one step, for readers and for crashes alike.

One block into one partition makes one part, which is there or is not. So the engine is told to refuse a block that
touches several partitions, before it writes anything. Such rows, and those that would not fit into memory as one
block, go to a staging table whose parts are then attached together (`moves.py`).

When materialized views hang on the table, rows always go by way of a staging table, on which the views are evaluated
(`feeding.py`). What fails in a view does not keep the rows from the table. The engine's own materialized views, if the
table has any, are filled by its insert. It writes the table first (tried, a hundred times out of a hundred with engine
26.9), so an error "while pushing to view" means: the rows are there.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError

from .feeding import create_like, unfinished_sentence
from .imports import plain_reason
from .loader import ANY_PARTITIONS, INSERT_SETTINGS, ONE_BLOCK, OWN_SQL_SETTINGS, staging_table
from .moves import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinymagic.local.engine import Engine, Setting

    from .loader import Loader, Table

#: Memory for the values of one block.
BLOCK_BYTES = 512_000_000

_ONE_PART: dict[str, Setting] = {**ONE_BLOCK, **INSERT_SETTINGS, "max_partitions_per_insert_block": 1}

_VIEW_RE = re.compile(r"while pushing to view (?:\S+?\.)?([^\s.()]+)")


class Insertion:
    """The last step: rows into a table, in one step for readers and for crashes."""

    def __init__(self, engine: Engine, loader: Loader) -> None:
        self._engine = engine
        self._loader = loader

    def run(self, target: Table, statement: Callable[[Table], str], *, block_rows: int | None = None) -> str:
        """Insert, and return what a view said against it, or an empty text.

        Args:
            target: gets the rows.
            statement: makes the INSERT SELECT for a table.
            block_rows: rows that fit into memory, when those are less than all.

        Raises:
            EngineError: nothing was inserted.
        """
        has_views = bool(self._loader.views(target))
        if block_rows is None and not has_views:
            try:
                with _view_errors() as errors:
                    self._engine.execute(statement(target), settings={**OWN_SQL_SETTINGS, **_ONE_PART})
                return "".join(errors)
            except EngineError as error:
                if error.name != "TOO_MANY_PARTS" or "artitions" not in error.message:
                    raise
        return self._staged(target, statement, block_rows, has_views=has_views)

    def _staged(
        self, target: Table, statement: Callable[[Table], str], block_rows: int | None, *, has_views: bool
    ) -> str:
        settings: dict[str, Setting] = {**OWN_SQL_SETTINGS, **INSERT_SETTINGS, **ANY_PARTITIONS}
        if block_rows is not None:
            settings.update(min_insert_block_size_rows=block_rows, min_insert_block_size_bytes=BLOCK_BYTES)
        staged, kept = staging_table(), False
        try:
            if has_views:
                settings["optimize_on_insert"] = 0  # The views get the rows as they come.
                create_like(self._engine, staged, target, keeps_rows=self._loader.keeps_rows(target))
            else:
                self._engine.execute(f"CREATE TABLE {staged.sql} AS {target.sql}")
            self._engine.execute(statement(staged), settings=settings)
            if has_views:
                with self._loader.feeding(staged, target, lenient=True) as feeding:
                    feeding.move()
                return "; ".join(feeding.errors)
            with _view_errors() as errors:
                self._loader.move(staged, target)
            return "".join(errors)
        except Unfinished:
            kept = True  # The next start of the server needs it.
            return unfinished_sentence()
        finally:
            if not kept:
                (self._loader.discard_soon if has_views else self._loader.discard)(staged)


@contextmanager
def _view_errors() -> Iterator[list[str]]:
    """Gather what goes wrong in a view after the table itself was written."""
    errors: list[str] = []
    try:
        yield errors
    except EngineError as error:
        view = _VIEW_RE.search(error.message)
        if view is None:
            raise
        reason = plain_reason(error.message)
        errors.append(f"the materialized view {view[1].strip('`')!r} failed: {reason} ({error.name})")
