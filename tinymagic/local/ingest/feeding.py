"""Rows on their way into a table, and what materialized views make of them on theirs, as one change.

The views are no objects of the engine. Their SELECTs are evaluated on the staged rows before anybody sees these, each
into a staged table of its target's shape, and views on the targets on those rows in turn. Then all is attached together
(`Moves.together`): after a crash the rows are in the table and in every target, or nowhere. The engine's own
materialized views (tried with 26.9) are filled after the table and one after the other, so a killed server or an error
in the first leaves the others without the rows; they do not see attached parts; and a renamed or dropped target makes
every insert fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError

from .imports import plain_reason
from .moves import Unfinished
from .settings import ANY_PARTITIONS, INSERT_SETTINGS, OWN_SQL_SETTINGS
from .table import Table, staging_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.materializing.view import View

    from .moves import Moves

#: What the server cannot be told apart from a failing view.
_NOT_THE_VIEW = ("QUERY_WAS_CANCELLED",)

_UNFINISHED = (
    "the rows are stored, but not everywhere, because the server could not write; its next start brings them to where "
    "they belong"
)

#: What a view gives may have any number of parts, for they are moved together.
VIEW_SETTINGS: dict[str, Setting] = {
    **OWN_SQL_SETTINGS,
    **ANY_PARTITIONS,
    **INSERT_SETTINGS,
    "min_insert_block_size_rows": 1_000_000,
    "min_insert_block_size_bytes": 256_000_000,
}


class Feeding:
    """Rows of one staged table on their way.

    Args:
        engine: evaluates.
        moves: moves.
        staged: has the rows.
        target: gets them.
        views: tells the views on a table.

    Attributes:
        errors: what views said against the rows, a sentence each.
        staged_by_views: tables that were made on the way; the caller drops them.
    """

    def __init__(
        self, engine: Engine, moves: Moves, staged: Table, target: Table, views: Callable[[Table], Sequence[View]]
    ) -> None:
        self._engine = engine
        self._moves = moves
        self._staged = staged
        self._target = target
        self._views = views
        self._attaches: list[tuple[Table, Table]] = []
        self.errors: list[str] = []
        self.staged_by_views: list[Table] = []

    @property
    def has_views(self) -> bool:
        """Whether any view hangs on the target."""
        return bool(self._views(self._target))

    def evaluate(self, *, lenient: bool) -> None:
        """Evaluate the views on the target, those on their targets, and so on.

        Raises:
            EngineError: a view failed, and not *lenient*.
        """
        todo = [(self._target, self._staged)]
        while todo:
            table, rows = todo.pop(0)
            for view in self._views(table):
                try:
                    fresh = self._evaluated(view, rows)
                except EngineError as error:
                    if error.name in _NOT_THE_VIEW:
                        raise
                    sentence = f"the materialized view {view.name!r} failed: {plain_reason(error.message)}"
                    if not lenient:
                        raise EngineError(error.code, error.name, sentence) from error
                    self.errors.append(f"{sentence} ({error.name})")
                    continue
                todo.append((view.target, fresh))
                if view.keeps_rows:
                    self._attaches.append((fresh, view.target))

    def move(self, beside: Sequence[tuple[Table, Table]] = ()) -> None:
        """Move the rows and what the views made of them.

        Args:
            beside: further staged tables and their targets, which belong to the same change.

        Raises:
            EngineError: nothing was moved.
            Unfinished: not all was; see there.
        """
        attaches = [*beside, *self._attaches]
        if keeps_rows(self._engine, self._target):
            attaches.insert(0, (self._staged, self._target))
        try:
            self._moves.together(attaches)
        except Unfinished:
            self.staged_by_views.clear()  # They are needed at the next start.
            raise

    def _evaluated(self, view: View, rows: Table) -> Table:
        """Return a new staged table with what the view makes of *rows*."""
        if view.problem:
            raise EngineError(0, "VIEW_IS_BROKEN", view.problem)
        fresh = staging_table()
        self.staged_by_views.append(fresh)
        create_like(self._engine, fresh, view.target, keeps_rows=view.keeps_rows)
        settings = {**VIEW_SETTINGS, **view.settings}
        if self._views(view.target):
            settings["optimize_on_insert"] = 0  # The next view gets the rows as they come.
        self._engine.execute(
            view.insertion(fresh, rows),
            database=view.source.database,
            settings=settings,
            parameters=view.parameters,
        )
        return fresh


def keeps_rows(engine: Engine, table: Table) -> bool:
    """Say whether a table stores rows; the engine Null does not."""
    sql = "SELECT engine != 'Null' FROM system.tables WHERE database = {d:String} AND name = {n:String}"
    rows = engine.rows(sql, parameters={"d": table.database, "n": table.name})
    return not rows or bool(rows[0][0])  # When it is gone, what comes next says so.


def create_like(engine: Engine, fresh: Table, table: Table, *, keeps_rows: bool = True) -> None:
    """Make an empty table that parts of *table*, or rows for it, can be in."""
    shape = "" if keeps_rows else " ENGINE = MergeTree ORDER BY tuple()"
    engine.execute(f"CREATE TABLE {fresh.sql} AS {table.sql}{shape}")


def unfinished_sentence() -> str:
    """Say what `Unfinished` means to whoever sent the rows."""
    return _UNFINISHED
