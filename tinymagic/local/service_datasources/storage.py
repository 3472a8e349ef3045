"""How big each Data Source is, noted when it changed: the rows of ``tinybird.datasources_storage``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.ingest.loader import Table
from tinymagic.local.tables.sizes import table_sizes

if TYPE_CHECKING:
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine

#: Bytes, rows, bytes of the quarantine, rows of the quarantine.
_Size = tuple[int, int, int, int]


class StorageSizes:
    """Compares the sizes of all Data Sources with those of the time before. Not for several threads at once."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine = engine
        self._catalog = catalog
        self._before: dict[str, _Size] = {}

    def changes(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (workspace id, row) for each Data Source whose size is not what it was at the last call.

        Raises:
            EngineError: anything the engine says.
        """
        sizes = table_sizes(self._engine)
        now: dict[str, _Size] = {}
        changed = []
        for workspace in self._catalog.workspaces():
            for record in self._catalog.datasources(workspace.id):
                table = Table(workspace.database, record.name)
                row_count, size_bytes = sizes.get(table, (0, 0))
                bad_rows, bad_bytes = sizes.get(table.quarantine, (0, 0))
                size = now[record.id] = (size_bytes, row_count, bad_bytes, bad_rows)
                if self._before.get(record.id) != size:
                    row = {
                        "datasource_id": record.id,
                        "datasource_name": record.name,
                        "bytes": size_bytes,
                        "rows": row_count,
                        "bytes_quarantine": bad_bytes,
                        "rows_quarantine": bad_rows,
                    }
                    changed.append((workspace.id, row))
        self._before = now
        return changed
