"""Parts of a staged table that become parts of another one: all at once for readers, all or none after a crash.

``ATTACH PARTITION ALL FROM`` is one change for whoever reads, but on disk it renames one part after the other: a server
that is killed in between leaves some of them (measured with engine 26.9). So, when there is more than one, the staged
table first gets a comment that says where its parts go and which block number was the last one there. At the next
start `Moves.finish` finds the comment, sees which parts arrived (new block number, same checksum), and attaches the
others. Until the comment is gone nothing else is lost: the staged table still has all parts.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError, quote_identifier, quote_string

if TYPE_CHECKING:
    from tinymagic.local.engine import Engine

_NOTE = "move to"


class Moves:
    """Attaches the parts of tables in *staging*, a database, to other tables."""

    def __init__(self, engine: Engine, staging: str) -> None:
        self._engine = engine
        self._staging = staging
        # One noted move at a time: two of the same content could not be told apart afterwards.
        self._lock = threading.Lock()

    def attach(self, staged: str, database: str, table: str) -> None:
        """Attach all parts of the table called *staged*. The caller drops it afterwards, whatever happened."""
        source = f"{quote_identifier(self._staging)}.{quote_identifier(staged)}"
        target = f"{quote_identifier(database)}.{quote_identifier(table)}"
        attach = f"ALTER TABLE {target} ATTACH PARTITION ALL FROM {source}"
        if len(self._parts(self._staging, staged)) < 2:
            self._engine.execute(attach)
            return
        with self._lock:
            [[block]] = self._engine.rows(
                "SELECT max(max_block_number) FROM system.parts WHERE database = {d:String} AND table = {t:String}",
                parameters={"d": database, "t": table},
            )
            note = json.dumps({_NOTE: [database, table], "block": int(block)})
            self._engine.execute(f"ALTER TABLE {source} MODIFY COMMENT {quote_string(note)}")
            try:
                self._engine.execute(attach)
            except BaseException:
                with suppress(Exception):
                    self._engine.execute(f"ALTER TABLE {source} MODIFY COMMENT ''")
                raise

    def finish(self) -> None:
        """Bring to their end the moves that a killed server had begun; call it when nobody writes."""
        rows = self._engine.rows(
            "SELECT name, comment FROM system.tables WHERE database = {d:String} AND startsWith(comment, {c:String})",
            parameters={"d": self._staging, "c": f'{{"{_NOTE}"'},
        )
        for staged, comment in rows:
            note = json.loads(comment)
            database, table = note[_NOTE]
            with suppress(EngineError):  # The target is gone, or another table now: then so are the rows.
                self._finish(str(staged), str(database), str(table), int(note["block"]))

    def _finish(self, staged: str, database: str, table: str, block: int) -> None:
        arrived = Counter(each[1:] for each in self._parts(database, table, after=block))
        source = f"{quote_identifier(self._staging)}.{quote_identifier(staged)}"
        missing = 0
        for name, *content in self._parts(self._staging, staged):
            if arrived[tuple(content)]:
                arrived[tuple(content)] -= 1
                self._engine.execute(f"ALTER TABLE {source} DROP PART {quote_string(name)}")
            else:
                missing += 1
        if missing:
            target = f"{quote_identifier(database)}.{quote_identifier(table)}"
            self._engine.execute(f"ALTER TABLE {target} ATTACH PARTITION ALL FROM {source}")

    def _parts(self, database: str, table: str, *, after: int | None = None) -> list[tuple[str, ...]]:
        """Return name, partition and checksum of the active parts; with *after* of all unmerged ones since a block."""
        which = "active" if after is None else f"min_block_number = max_block_number AND min_block_number > {after:d}"
        rows = self._engine.rows(
            "SELECT name, partition_id, hash_of_all_files FROM system.parts "
            f"WHERE database = {{d:String}} AND table = {{t:String}} AND {which}",
            parameters={"d": database, "t": table},
        )
        return [tuple(str(each) for each in row) for row in rows]
