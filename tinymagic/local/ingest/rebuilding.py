"""A Data Source's rows are replaced: what its views fill follows, partition by partition.

A partition of a target is made anew when a view gives rows for it, of the rows that go or of those that come. The
others stay as they are, so a target may keep what its source has forgotten. That is right only as long as no row of the
source outside of the changed partitions counts in a partition that is made anew; it is looked whether this is so. New
tables are made beside the targets and take their places in one step with the source's own (`Moves.together`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError, quote_string

from .feeding import VIEW_SETTINGS, create_like, keeps_rows
from .imports import plain_reason
from .moves import Unfinished
from .table import Table, staging_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.materializing.view import View

    from .moves import Moves


class IncompatiblePartitions(Exception):  # noqa: N818 - says what happened
    """The partitions of a target do not follow those of its source; *table* is the target."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.name)
        self.table = table


class Rebuilding:
    """One table on its way into the place of another.

    Args:
        engine: evaluates.
        moves: exchanges.
        fresh: takes the place.
        table: gives way.
        views: tells the views on a table.
        views_into: tells those that fill a table.

    Attributes:
        staged_by_views: tables that were made on the way; the caller drops them.
    """

    def __init__(
        self,
        engine: Engine,
        moves: Moves,
        fresh: Table,
        table: Table,
        views: Callable[[Table], Sequence[View]],
        views_into: Callable[[Table], Sequence[View]],
    ) -> None:
        self._engine = engine
        self._moves = moves
        self._views = views
        self._views_into = views_into
        self._exchanges = [(fresh, table)]
        self.staged_by_views: list[Table] = []

    def evaluate(self, condition: str, *, skip_incompatible: bool) -> None:
        """Make the new targets, those on their views, and so on.

        *condition* is that of the rows which are replaced; empty when all are.

        Raises:
            EngineError: a view failed.
            IncompatiblePartitions: see there; only without *skip_incompatible*.
        """
        fresh, table = self._exchanges[0]
        if not self._views(table):
            return
        # What one replace changes may reach a target on several ways; each level is made of the one before.
        todo = [(table, fresh, self._changed_partitions(condition))]
        while todo:
            table, fresh, changed = todo.pop(0)
            for target in dict.fromkeys(view.target for view in self._views(table)):
                try:
                    made, partitions = self._rebuilt(target, table, fresh, changed)
                except IncompatiblePartitions:
                    if not skip_incompatible:
                        raise
                    continue
                todo.append((target, made, partitions))
                self._exchanges = [pair for pair in self._exchanges if pair[1] != target]
                if keeps_rows(self._engine, target):
                    self._exchanges.append((made, target))

    def exchange(self) -> None:
        """Make all of it visible.

        Raises:
            EngineError: nothing was.
            Unfinished: not all was.
        """
        try:
            self._moves.together((), self._exchanges)
        except Unfinished:
            self.staged_by_views.clear()
            raise

    def _rebuilt(self, target: Table, table: Table, fresh: Table, changed: set[str]) -> tuple[Table, set[str]]:
        """Return a table for the place of *target*, and the partitions in which it differs."""
        mine = [view for view in self._views(table) if view.target == target]
        others = [view for view in self._views_into(target) if view.source != table]
        new = self._evaluated(mine, fresh, fresh, changed)
        pairs = {place: made for made, place in self._exchanges}
        before = pairs.get(target, target)
        touched = self._partitions(new)
        try:
            touched |= self._partitions(self._evaluated(mine, table, table, changed))
        except EngineError as error:
            if error.name == "QUERY_WAS_CANCELLED":
                raise
            touched |= self._partitions(before)  # It may be just such rows that shall be replaced.
        rest = self._partitions(table) - changed
        if rest and touched & self._partitions(self._evaluated(mine, table, table, rest)):
            raise IncompatiblePartitions(target)
        result = self._new_table(target)
        self._attach(result, before, self._partitions(before) - touched)
        self._attach(result, new, touched)
        for view in others:
            rows = pairs.get(view.source, view.source)
            self._attach(result, self._evaluated([view], rows, rows, self._partitions(rows)), touched)
        return result, touched

    def _evaluated(self, views: Sequence[View], rows: Table, every: Table, partitions: set[str]) -> Table:
        """Return a new table with what views make of some partitions of a table."""
        made = self._new_table(views[0].target)
        for view in views:
            if view.problem:
                raise EngineError(0, "VIEW_IS_BROKEN", f"the materialized view {view.name!r} failed: {view.problem}")
            try:
                self._engine.execute(
                    view.insertion(made, rows, every=every),
                    database=view.source.database,
                    settings={**REBUILD_SETTINGS, **view.settings, **only_partitions(rows, partitions)},
                    parameters=view.parameters,
                )
            except EngineError as error:
                if error.name == "QUERY_WAS_CANCELLED":
                    raise
                sentence = f"the materialized view {view.name!r} failed: {plain_reason(error.message)}"
                raise EngineError(error.code, error.name, sentence) from error
        return made

    def _new_table(self, like: Table) -> Table:
        made = staging_table()
        self.staged_by_views.append(made)
        create_like(self._engine, made, like, keeps_rows=keeps_rows(self._engine, like))
        return made

    def _attach(self, table: Table, source: Table, partitions: set[str]) -> None:
        for each in sorted(partitions & self._partitions(source)):
            self._engine.execute(f"ALTER TABLE {table.sql} ATTACH PARTITION ID {quote_string(each)} FROM {source.sql}")

    def _changed_partitions(self, condition: str) -> set[str]:
        """Return the partitions that have rows which go or come."""
        changed: set[str] = set()
        for table in self._exchanges[0]:
            if not condition:
                changed |= self._partitions(table)
                continue
            rows = self._engine.rows(f"SELECT DISTINCT _partition_id FROM {table.sql} WHERE ifNull({condition}, 0)")
            changed |= {str(each[0]) for each in rows}
        return changed

    def _partitions(self, table: Table) -> set[str]:
        rows = self._engine.rows(
            "SELECT DISTINCT partition_id FROM system.parts "
            "WHERE database = {d:String} AND table = {t:String} AND active AND rows > 0",
            parameters={"d": table.database, "t": table.name},
        )
        return {str(each[0]) for each in rows}


def only_partitions(table: Table, partitions: set[str]) -> dict[str, Setting]:
    """Return the setting that lets a statement see only some partitions of a table."""
    names = ", ".join(map(quote_string, sorted(partitions))) or "''"
    return additional_filter(table, f"_partition_id IN ({names})")


def additional_filter(table: Table, condition: str) -> dict[str, Setting]:
    """Return the setting that lets a statement see only the rows of a table that a checked condition keeps."""
    if not condition:
        return {}
    name = quote_string(f"{table.database}.{table.name}")
    return {"additional_table_filters": f"{{{name}: {quote_string(condition)}}}"}


#: A deletion that a dead server had begun may still be under way.
REBUILD_SETTINGS: dict[str, Setting] = {**VIEW_SETTINGS, "apply_mutations_on_fly": 1}
