"""Which files of its bucket a Data Source has got already.

They are rows of a table of the engine, one table for each Data Source, so that the note that a file was taken and the
file's rows can become visible in one step (`ingest.moves.Moves.together`): also after a crash both are there, or none.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinymagic.local.ingest.table import Table, staging_table
from tinymagic.local.records import now

from .importing import ImportUnfinished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.ingest.loader import Loader
    from tinymagic.local.records import DataSourceRecord

_DATABASE = "_tm_connectors"
_COLUMNS = "(file String, version String, taken_at DateTime)"


class TakenFiles:
    """Keeps the notes.

    Args:
        engine: where they are.
        catalog: whose Data Sources they are about; the notes about others are dropped.
        loader: discards staged tables.
    """

    def __init__(self, engine: Engine, catalog: Catalog, loader: Loader) -> None:
        self._engine = engine
        self._loader = loader
        engine.execute(f"CREATE DATABASE IF NOT EXISTS {_DATABASE} ENGINE = Atomic")
        known = {each.id for workspace in catalog.workspaces() for each in catalog.datasources(workspace.id)}
        sql = "SELECT name FROM system.tables WHERE database = {d:String}"
        for [name] in engine.rows(sql, parameters={"d": _DATABASE}):
            if name not in known:
                loader.discard(Table(_DATABASE, str(name)))

    def versions(self, record: DataSourceRecord) -> set[tuple[str, str]]:
        """Return address and version of every file that was taken."""
        rows = self._engine.rows(f"SELECT file, version FROM {self._table(record).sql}")
        return {(str(file), str(version)) for file, version in rows}

    @contextmanager
    def noted(self, record: DataSourceRecord, file: str, version: str) -> Iterator[tuple[Table, Table]]:
        """Stage the note that a file was taken; gives the staged table and the one that it is to be moved to."""
        table, staged = self._table(record), staging_table()
        kept = False
        try:
            self._engine.execute(f"CREATE TABLE {staged.sql} AS {table.sql}")
            self._engine.execute(
                f"INSERT INTO {staged.sql} SELECT {{file:String}}, {{version:String}}, {{at:DateTime}}",
                parameters={"file": file, "version": version, "at": now()[:19]},
            )
            yield staged, table
        except ImportUnfinished:
            kept = True
            raise
        finally:
            with self._engine.cleaning():
                self._loader.discard(*() if kept else (staged,))

    def _table(self, record: DataSourceRecord) -> Table:
        table = Table(_DATABASE, record.id)
        self._engine.execute(f"CREATE TABLE IF NOT EXISTS {table.sql} {_COLUMNS} ENGINE = MergeTree ORDER BY file")
        return table
