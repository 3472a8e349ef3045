"""The service Data Sources' rows: noted while requests run, written a little later (``workspace.md`` section 6).

`ServiceLog.add` puts a row into a queue and returns; it knows nothing of the engine. A thread writes what is there
every few seconds, and `flush` writes it at once, which the Query API asks for before it reads a service Data Source.
All writing happens under one lock, so whoever waited for it finds everything written that had been noted before.

The queue is a `deque`: appending to it and taking from its other end need no lock, and only the holder of the writing
lock takes. When the engine cannot write, rows are lost and the server's log says so once: the log of the requests must
never stop a request.

The tables are made in the same thread, so that the server need not wait for them (0.1 to 0.3 s in a new folder, 0.01 s
afterwards). They outlive versions of this package: each carries a fingerprint of its definition as its comment
(`ServiceTable.mark`). When one differs, its rows are copied to a table of the new definition, columns that both have.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from tinymagic.local.engine import DiskFull, EngineEnding, EngineError, quote_string

from .storage import StorageSizes
from .tables import BY_NAME, ORGANIZATION, SUMS, TABLES, TINYBIRD, WORKSPACE_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine, Setting

    from .tables import ServiceTable

logger = logging.getLogger("tinymagic.local")

#: Seconds between a first row and the write that takes it along with those that came after it.
_INTERVAL_S = 5.0

#: Rows that wait at most; more are lost. Writing begins earlier when half of them are there.
MOST_ROWS = 50_000

#: Longer texts are cut: a request may have parameters of megabytes.
MOST_CHARACTERS = 10_000
_MOST_PARAMETERS = 100
_LONG_TEXTS = ("url", "error", "error_message", "params", "processing_error", "user_agent")

#: After rows of these tables the sizes of Data Sources may have changed.
_CHANGES_STORAGE = frozenset({"datasources_ops_log", "hfi_requests", "block_log", "jobs_log"})

#: And after this time, in seconds: parts are merged and rows outlive their TTL without anybody saying so.
_STORAGE_INTERVAL_S = 60.0

_ROWS_OF_CHUNK = 1_000

_INSERT_SETTINGS: dict[str, Setting] = {
    "date_time_input_format": "best_effort",
    "input_format_null_as_default": 1,
    "input_format_skip_unknown_fields": 1,
    # A row that does not fit must not take the others with it.
    "input_format_allow_errors_num": 1_000_000,
    "input_format_allow_errors_ratio": 1.0,
}


class ServiceLog:
    """Notes and keeps what happens in the workspaces.

    Args:
        engine: gets the databases ``organization`` and ``tinybird``.
        catalog: which Data Sources there are.
    """

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine = engine
        self._storage = StorageSizes(engine, catalog)
        self._storage_at = float("-inf")
        self._queue: deque[tuple[str, str, float, dict[str, Any]]] = deque()
        self._writing = threading.Lock()
        self._waiting = threading.Event()
        self._hurry = threading.Event()
        self._closed = False
        self._complained: set[str] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._write_in_background, name="service-log", daemon=True)
        self._thread.start()

    def add(self, table: str, workspace_id: str, row: Mapping[str, Any]) -> None:
        """Note one row of ``tinybird.<table>``; columns that are absent take their default.

        Cheap, never raises, never waits for the engine. Times may be texts, seconds since 1970 or `datetime`; the
        column that tells when it happened is filled in when *row* does not have it. Long texts are cut.
        """
        queue = self._queue
        waiting = len(queue)
        if waiting >= MOST_ROWS:
            self._complain(
                "full", "service Data Sources: rows are lost, because they come faster than they are written"
            )
            return
        queue.append((table, workspace_id, time.time(), _kept(row)))
        if not self._waiting.is_set():
            self._waiting.set()
        if waiting >= MOST_ROWS // 2 and not self._hurry.is_set():
            self._hurry.set()

    def flush(self) -> None:
        """Write what was noted; when this returns it can be read.

        Called before a query that names a service Data Source, every few seconds in the background while there is
        something, and by `close`. What the engine says against it is logged, not raised.
        """
        self._ready.wait()
        with self._writing:
            noted: dict[str, list[bytes]] = {}
            for _ in range(len(self._queue)):
                table, workspace_id, moment, row = self._queue.popleft()
                if table in BY_NAME:
                    noted.setdefault(table, []).append(_line(BY_NAME[table], workspace_id, moment, row))
                else:
                    self._complain(table, f"service Data Sources: there is no {table}")
            for table, lines in noted.items():
                self._write(table, lines)
            now = time.monotonic()
            if not _CHANGES_STORAGE.isdisjoint(noted) or now - self._storage_at > _STORAGE_INTERVAL_S:
                self._storage_at = now
                self._write_storage()

    def table_filters(self, workspace_id: str) -> dict[str, str]:
        """Return the conditions by ``database.table`` that make ``tinybird.*`` show this workspace's rows only.

        They are a value for ClickHouse's ``additional_table_filters``, which also reaches the tables inside views.
        """
        condition = f"{WORKSPACE_COLUMN} = {quote_string(workspace_id)}"
        return {f"{ORGANIZATION}.{table.name}": condition for table in TABLES}

    def has(self, database: str, table: str) -> bool:
        """Say whether ``database.table`` is a service Data Source."""
        return database in (TINYBIRD, ORGANIZATION) and table in BY_NAME

    def close(self) -> None:
        """Write what was noted and end the thread. May be called again."""
        self._closed = True
        self._waiting.set()
        self._hurry.set()
        self._thread.join()
        self.flush()

    def _write_in_background(self) -> None:
        try:
            self._prepare()
        finally:
            self._ready.set()
        while not self._closed:
            self._waiting.wait()
            self._hurry.wait(_INTERVAL_S)
            # Cleared before writing: a row that comes meanwhile sets them again.
            self._waiting.clear()
            self._hurry.clear()
            if not self._closed:
                try:
                    self.flush()
                except Exception as error:  # This thread must outlive whatever a single row brings.
                    self._complain("flush", f"service Data Sources: {type(error).__name__}")

    def _write(self, table: str, lines: list[bytes]) -> None:
        try:
            self._engine.insert(
                f"INSERT INTO {ORGANIZATION}.{table}",
                "JSONEachRow",
                _chunks(lines),
                database=ORGANIZATION,
                settings=_INSERT_SETTINGS,
            )
        except (EngineError, DiskFull, EngineEnding) as error:
            self._complain(table, f"service Data Sources: {table} was not written: {_reason(error)}")

    def _write_storage(self) -> None:
        table = BY_NAME["datasources_storage"]
        try:
            changes = self._storage.changes()
        except (EngineError, DiskFull, EngineEnding) as error:
            self._complain("sizes", f"service Data Sources: sizes were not read: {_reason(error)}")
            return
        moment = time.time()
        lines = [_line(table, workspace_id, moment, row) for workspace_id, row in changes]
        if lines:
            self._write(table.name, lines)

    def _complain(self, about: str, sentence: str) -> None:
        """Log a sentence, once for each thing it is *about*."""
        if about not in self._complained:
            self._complained.add(about)
            logger.warning("%s", sentence)

    # Tables

    def _prepare(self) -> None:
        """Make what is missing or of another version."""
        try:
            for database in (ORGANIZATION, TINYBIRD):
                self._engine.execute(f"CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic")
            found = self._found()
            wanted = {(ORGANIZATION, table.name): table.mark for table in TABLES}
            wanted |= {(TINYBIRD, table.name): table.mark for table in TABLES}
            wanted |= {(ORGANIZATION, sums.name): sums.mark for sums in SUMS}
            if any(found.get(name) != mark for name, mark in wanted.items()):
                self._rebuild(found)
        except (EngineError, DiskFull) as error:
            self._complain("tables", f"service Data Sources: the tables were not made: {_reason(error)}")

    def _found(self) -> dict[tuple[str, str], str]:
        rows = self._engine.rows(
            f"SELECT database, name, comment FROM system.tables WHERE database IN ('{ORGANIZATION}', '{TINYBIRD}')"
        )
        return {(str(database), str(name)): str(comment) for database, name, comment in rows}

    def _rebuild(self, found: Mapping[tuple[str, str], str]) -> None:
        # Without the views that add up: rows which are copied were added up before.
        statements = [f"DROP VIEW IF EXISTS {ORGANIZATION}.{sums.name} SYNC" for sums in SUMS]
        statements += [table.table_sql() for table in TABLES if (ORGANIZATION, table.name) not in found]
        self._engine.execute(";\n".join(statements))
        for table in TABLES:
            if found.get((ORGANIZATION, table.name), table.mark) != table.mark:
                self._convert(table)
        views = [table.view_sql() for table in TABLES] + [sums.view_sql() for sums in SUMS]
        self._engine.execute(";\n".join(views))

    def _convert(self, table: ServiceTable) -> None:
        """Give a table of another version the present definition, with the rows that fit it."""
        old, new = f"{ORGANIZATION}.{table.name}", f"{ORGANIZATION}._new_{table.name}"
        self._engine.execute(f"DROP TABLE IF EXISTS {new} SYNC; {table.table_sql(f'_new_{table.name}')}")
        rows = self._engine.rows(
            f"SELECT name FROM system.columns WHERE database = '{ORGANIZATION}' AND table = '{table.name}'"
        )
        both = ", ".join(f"`{column}`" for column in table.stored_columns if [column] in rows)
        try:
            self._engine.execute(f"INSERT INTO {new} ({both}) SELECT {both} FROM {old}")
        except EngineError as error:
            self._complain(f"convert {table.name}", f"service Data Sources: {table.name} begins anew: {_reason(error)}")
        self._engine.execute(f"EXCHANGE TABLES {new} AND {old}; DROP TABLE {new} SYNC")


def without_token(url: str) -> str:
    """Take the parameter ``token`` out of a URL, whatever its spelling.

    Example:
        >>> without_token("/v0/pipes/top.json?token=p.abc&q=1")
        '/v0/pipes/top.json?q=1'
    """
    path, mark, query = url.partition("?")
    if not mark:
        return url
    parts = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]).strip().lower() != "token"]
    return path + mark + "&".join(parts) if parts else path


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a row, its long texts cut."""
    kept = dict(row)
    for name in _LONG_TEXTS:
        value = kept.get(name)
        if type(value) is str and len(value) > MOST_CHARACTERS:
            kept[name] = value[:MOST_CHARACTERS]
    if values := kept.get("parameters"):
        kept["parameters"] = {
            key: value[:MOST_CHARACTERS] if type(value) is str else value
            for key, value in islice(values.items(), _MOST_PARAMETERS)
        }
    return kept


def _line(table: ServiceTable, workspace_id: str, moment: float, row: dict[str, Any]) -> bytes:
    """Return a row as JSON that the engine reads into *table*."""
    row[WORKSPACE_COLUMN] = workspace_id
    if table.time and row.get(table.time) is None:
        row[table.time] = round(moment, 3)
    if url := row.get("url"):
        row["url"] = without_token(str(url))
    for name in ("parameters", "options"):
        if values := row.get(name):
            row[name] = {
                str(key): value if isinstance(value, str) else _text(value)
                for key, value in dict(values).items()
                if str(key).lower() != "token"
            }
    return json.dumps(row, ensure_ascii=False, default=_plain).encode("utf-8", "backslashreplace") + b"\n"


def _text(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    """Turn what JSON does not have into what it has."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def _chunks(lines: list[bytes]) -> Iterator[bytes]:
    for start in range(0, len(lines), _ROWS_OF_CHUNK):
        yield b"".join(lines[start : start + _ROWS_OF_CHUNK])


def _reason(error: Exception) -> str:
    """Name what happened without quoting rows."""
    return error.name if isinstance(error, EngineError) else type(error).__name__
