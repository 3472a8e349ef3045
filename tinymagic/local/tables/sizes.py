"""How many rows a table has, and how many bytes they take on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError
from tinymagic.local.ingest.loader import Table

if TYPE_CHECKING:
    from tinymagic.local.engine import Engine


def table_sizes(engine: Engine, database: str = "") -> dict[Table, tuple[int, int]]:
    """Return the rows and bytes of every table of *database*, or of all workspaces.

    The engine knows them without reading a table, except for one with rows that a lightweight delete has only marked:
    those count as rows of a part, so such a table is counted.
    """
    where = "database = {d:String}" if database else "startsWith(database, 'w_')"
    rows = engine.rows(
        "SELECT database, table, sum(rows), sum(bytes_on_disk), max(has_lightweight_delete) FROM system.parts "
        f"WHERE active AND {where} GROUP BY database, table",
        parameters={"d": database},
    )
    sizes = {}
    for name, table, count, size_bytes, has_marked_rows in rows:
        found = Table(str(name), str(table))
        if has_marked_rows:
            try:
                [[count]] = engine.rows(f"SELECT count() FROM {found.sql}")
            except EngineError as error:
                if error.name not in ("UNKNOWN_TABLE", "TABLE_IS_DROPPED"):
                    raise
                continue  # Renamed or dropped since.
        sizes[found] = (int(count), int(size_bytes))
    return sizes
