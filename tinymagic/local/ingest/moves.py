"""Parts of a staged table that become parts of another one: all at once for readers, all or none after a crash.

``ATTACH PARTITION ALL FROM`` is one change for whoever reads, but on disk it renames one part after the other: a server
that is killed in between leaves some of them (measured with engine 26.9). So, when there is more than one, the staged
table first gets a comment that says where its parts go and which block number was the last one there. At the next
start `Moves.finish` finds the comment, sees which parts arrived (new block number, same checksum), and attaches the
others. Until the comment is gone nothing else is lost: the staged table still has all parts.

Several tables that get rows or give way to others in one change (`Moves.together`) are noted in the same way, all in
the comment of one more table: it is made before the first step and dropped after the last.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import EngineEnding, EngineError, quote_identifier, quote_string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.local.engine import Engine

    from .table import Table

logger = logging.getLogger("tinymagic.local")

_NOTE = "move to"
_STEPS = "steps"


class Unfinished(Exception):  # noqa: N818 - says what happened
    """Some steps of a change could not be done after others were; the next start of the server does them."""


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
        count = len(self._parts(self._staging, staged))
        step = ("attach", staged, database, table, self._last_block(database, table))
        if count < 2:
            self._attach(step)
            return
        with self._lock:
            step = (*step[:4], self._last_block(database, table))
            note = json.dumps({_NOTE: [database, table], "block": step[4]})
            self._engine.execute(f"ALTER TABLE {source} MODIFY COMMENT {quote_string(note)}")
            try:
                self._attach(step)
            except BaseException:
                with suppress(Exception), self._engine.cleaning():
                    self._engine.execute(f"ALTER TABLE {source} MODIFY COMMENT ''")
                raise

    def _attach(self, step: tuple[str, str, str, str, int]) -> None:
        """Attach, and bring to its end what was stopped in between."""
        try:
            self._do(step)
        except (EngineError, EngineEnding) as error:
            if not self._has_begun(step, error, unknown=False):
                raise
            _, staged, database, table, before = step
            with self._engine.cleaning():
                self._finish(staged, database, table, self._arrived(database, table, before))

    def together(self, attaches: Sequence[tuple[Table, Table]], exchanges: Sequence[tuple[Table, Table]] = ()) -> None:
        """Do several steps as one change: all are done, or none, also when the server is killed in between.

        Args:
            attaches: a staged table, and the one that gets its rows. The caller drops the staged ones afterwards.
            exchanges: a staged table, and the one whose place it takes.

        Raises:
            EngineError: the first step failed, and nothing was done.
            Unfinished: a later one did; the caller keeps the staged tables.
        """
        with self._lock:
            blocks = {to: self._last_block(to.database, to.name) for to in dict.fromkeys(to for _, to in attaches)}
            steps: list[list[Any]] = [
                ["attach", staged.name, to.database, to.name, blocks[to]] for staged, to in attaches
            ]
            steps += [
                ["exchange", staged.name, to.database, to.name, self._uuid(to.database, to.name)]
                for staged, to in exchanges
            ]
            if len(steps) < 2 and not (attaches and len(self._parts(self._staging, attaches[0][0].name)) > 1):
                for step in steps:
                    try:
                        self._do(step)
                    except (EngineError, EngineEnding) as error:
                        if not self._has_begun(step, error, unknown=False):
                            raise
                return
            marker = f"{quote_identifier(self._staging)}.{quote_identifier(f'note_{uuid.uuid4().hex}')}"
            note = quote_string(json.dumps({_STEPS: steps}))
            self._engine.execute(f"CREATE TABLE {marker} (x UInt8) ENGINE = Memory COMMENT {note}")
            done = 0
            try:
                for step in steps:
                    self._do(step)
                    done += 1
            except BaseException as error:
                if done or self._has_begun(steps[0], error):
                    self._finish_steps(steps, error)
                else:
                    with suppress(Exception), self._engine.cleaning():
                        self._engine.execute(f"DROP TABLE {marker} SYNC")
                    raise
            with suppress(Exception), self._engine.cleaning():
                self._engine.execute(f"DROP TABLE {marker} SYNC")

    def _has_begun(self, step: Sequence[Any], error: BaseException, *, unknown: bool = True) -> bool:
        """Say whether a step that failed, and no other one before it, has happened all the same, or a part of it.

        *unknown* is the answer when the engine does not tell any more.
        A statement that is stopped may be done and yet say that it was stopped (26.9, two times out of three).
        """
        if not isinstance(error, EngineEnding) and getattr(error, "name", "") != "QUERY_WAS_CANCELLED":
            return False
        kind, staged, database, table, before = step
        try:
            with self._engine.cleaning():
                if kind == "exchange":
                    return bool(self._uuid(database, table) != before)
                arrived = self._arrived(database, table, int(before))
                return any(arrived[tuple(content)] for _, *content in self._parts(self._staging, staged))
        except Exception:
            return unknown

    def _do(self, step: Sequence[Any]) -> None:
        kind, staged, database, table, _ = step
        source = f"{quote_identifier(self._staging)}.{quote_identifier(staged)}"
        target = f"{quote_identifier(database)}.{quote_identifier(table)}"
        with self._engine.cleaning():  # A job that has come here is not stopped any more.
            if kind == "attach":
                self._engine.execute(f"ALTER TABLE {target} ATTACH PARTITION ALL FROM {source}")
            else:
                self._engine.execute(f"EXCHANGE TABLES {source} AND {target}")

    def _finish_steps(self, steps: Sequence[Sequence[Any]], error: BaseException | None = None) -> None:
        """Do what is left of the steps of a change.

        Raises:
            Unfinished: it cannot be done, and *error* was the reason why it was stopped.
        """
        # What has arrived is counted for a table as a whole: two steps may bring it the same content.
        arrived: dict[tuple[str, str], Counter[tuple[str, ...]]] = {}
        brought: list[str] = []
        for kind, staged, database, table, before in steps:
            try:
                with self._engine.cleaning():
                    if kind == "attach":
                        if (database, table) not in arrived:
                            arrived[database, table] = self._arrived(database, table, int(before))
                        self._finish(staged, database, table, arrived[database, table])
                        brought.append(staged)
                    elif self._uuid(database, table) == before and self._uuid(self._staging, staged):
                        self._do((kind, staged, database, table, before))
            except Exception as failure:
                if error is not None:
                    logger.exception("A change of several tables stays unfinished until the next start.")
                    self._forget(brought)
                    raise Unfinished(str(failure)) from error

    def _forget(self, brought: Sequence[str]) -> None:
        """Drop staged tables whose rows have arrived: by the next start merges have made that hard to see."""
        for staged in brought:
            with suppress(Exception), self._engine.cleaning():
                self._engine.execute(f"DROP TABLE {quote_identifier(self._staging)}.{quote_identifier(staged)} SYNC")

    def finish(self) -> None:
        """Bring to their end the moves that a killed server had begun; call it when nobody writes."""
        self._finish_changes()
        rows = self._engine.rows(
            "SELECT name, comment FROM system.tables WHERE database = {d:String} AND startsWith(comment, {c:String})",
            parameters={"d": self._staging, "c": f'{{"{_NOTE}"'},
        )
        for staged, comment in rows:
            note = json.loads(comment)
            database, table = note[_NOTE]
            with suppress(EngineError):  # The target is gone, or another table now: then so are the rows.
                arrived = self._arrived(str(database), str(table), int(note["block"]))
                self._finish(str(staged), str(database), str(table), arrived)

    def _finish_changes(self) -> None:
        rows = self._engine.rows(
            "SELECT name, comment FROM system.tables WHERE database = {d:String} AND startsWith(comment, {c:String})",
            parameters={"d": self._staging, "c": f'{{"{_STEPS}"'},
        )
        for marker, comment in rows:
            self._finish_steps(json.loads(comment)[_STEPS])
            self._engine.execute(f"DROP TABLE {quote_identifier(self._staging)}.{quote_identifier(marker)} SYNC")

    def _last_block(self, database: str, table: str) -> int:
        [[block]] = self._engine.rows(
            "SELECT max(max_block_number) FROM system.parts WHERE database = {d:String} AND table = {t:String}",
            parameters={"d": database, "t": table},
        )
        return int(block)

    def _uuid(self, database: str, table: str) -> str:
        rows = self._engine.rows(
            "SELECT toString(uuid) FROM system.tables WHERE database = {d:String} AND name = {t:String}",
            parameters={"d": database, "t": table},
        )
        return str(rows[0][0]) if rows else ""

    def _arrived(self, database: str, table: str, block: int) -> Counter[tuple[str, ...]]:
        """Count the parts that came to a table since a block, by their content."""
        return Counter(each[1:] for each in self._parts(database, table, after=block))

    def _finish(self, staged: str, database: str, table: str, arrived: Counter[tuple[str, ...]]) -> None:
        source = f"{quote_identifier(self._staging)}.{quote_identifier(staged)}"
        parts = self._parts(self._staging, staged)
        there = []
        for name, *content in parts:
            if arrived[tuple(content)]:
                arrived[tuple(content)] -= 1
                there.append(name)
        if len(there) == len(parts):
            return
        for name in there:
            self._engine.execute(f"ALTER TABLE {source} DROP PART {quote_string(name)}")
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
