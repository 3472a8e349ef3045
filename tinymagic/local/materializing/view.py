"""A materialized view, ready to be evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.local.engine import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.engine import Setting
    from tinymagic.local.ingest.table import Table


@dataclass(frozen=True)
class View:
    """What becomes of new rows of *source* in *target*.

    Attributes:
        node_id: the node.
        pipe_id: its Pipe.
        name: how messages call it.
        source: new rows there are what it is evaluated on.
        target: gets what it gives.
        keeps_rows: whether the target stores rows (all but the engine Null).
        columns: of the view; the target has them all.
        sql: the SELECT with marks.
        rows_mark: stands for the table with the new rows.
        all_mark: stands for all rows of *source*; empty when the SELECT has it nowhere.
        settings: to run it with.
        parameters: values for the engine's query parameters.
        problem: why it cannot be evaluated; empty when it can.
    """

    node_id: str
    pipe_id: str
    name: str
    source: Table
    target: Table
    keeps_rows: bool = True
    columns: tuple[str, ...] = ()
    sql: str = ""
    rows_mark: str = ""
    all_mark: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""

    def insertion(self, into: Table, rows: Table, *, every: Table | None = None) -> str:
        """Return the INSERT SELECT that puts what the view makes of *rows* into another table.

        Args:
            into: of the target's shape.
            rows: of the source's shape.
            every: a table with all rows of the source; by default they are those that it has, and *rows*.
        """
        names = ", ".join(quote_identifier(name) for name in self.columns)
        with_every = ""
        if self.all_mark:
            tables = [every] if every else [self.source, rows]
            selects = " UNION ALL ".join(f"SELECT * FROM {table.sql}" for table in tables)
            with_every = f"WITH {self.all_mark} AS ({selects}) "
        sql = self.sql.replace(quote_identifier(self.rows_mark), self.rows_mark).replace(self.rows_mark, rows.sql)
        return f"INSERT INTO {into.sql} ({names}) {with_every}SELECT {names} FROM (\n{sql}\n)"
