"""ClickHouse inside this process, and the only file that touches chDB.

Facts of chDB that shape this module (measured with 4.4, engine 26.9):

* A process has one data path. One connection runs one query at a time; several connections to the path run in
  parallel, and the GIL is released meanwhile. A connection costs about 0.3 ms to open, prepare and close.
* ``USE`` and ``SET`` live as long as the connection. So what writes gets a connection of its own that is closed
  afterwards. Reads take theirs from a pool, keyed by database and settings: with ``readonly=1`` a statement cannot
  change its session, so nothing of one request can leak into the next.
* chDB runs *all* statements of a text. Text that a user wrote may only go through `read` and `parse`, which run with
  ``readonly=1`` (no DDL, no INSERT, no ``file()``, no ``url()``), and only after `sql.gate` found it to be one
  statement.
* ``:memory:`` connections of one process share their data while at least one of them is open: `_keeper`.

The time zone of the process is set to UTC before chDB loads (`load`), so that ``DateTime`` without a zone means UTC.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .secret_text import hidden, secrets_among

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

Setting: TypeAlias = "str | int | float | bool"

#: Database and settings of a connection for reading.
_ReaderKey: TypeAlias = "tuple[str, tuple[tuple[str, Setting], ...]]"

#: Operations that may run at the same time; more wait. Each may use every core, so more would only thrash.
MAX_CONCURRENT = 16

#: How texts of users are read. chDB takes a bare expression for a SELECT, which would turn typing mistakes into
#: "unknown identifier"; the service says where the syntax error is.
_USER_SQL_SETTINGS: dict[str, Setting] = {"implicit_select": 0, "max_query_size": 16_000_000}

#: How statements begin that define tables, and what they need: whatever a schema asks for is let through that only
#: performance speaks against.
_DEFINING = ("CREATE TABLE", "ALTER TABLE")
_DEFINING_SETTINGS: dict[str, Setting] = {"allow_suspicious_low_cardinality_types": 1}

#: How the ``log_comment`` of every connection begins that runs text of users.
_READER = "reader-"

#: The same for what `Engine.work` groups.
_WORK = "work-"

_CANCELLED_CODE = 394

#: The group of statements that runs in this context.
_current_work: ContextVar[str] = ContextVar("current_work", default="")

#: Idle connections for reading that are kept, over all databases and settings; the least recently used go first.
MAX_IDLE_READERS = 32

#: Names of the engine's errors that mean a full disk or a used-up quota. The second is any failed write, so its text
#: decides: ``errno: 28`` (no space), ``errno: 27`` (over the largest size of a file), ``errno: 122`` or 69 (quota).
_FULL_DISK = "NOT_ENOUGH_SPACE"
_FAILED_WRITES = ("CANNOT_WRITE_TO_FILE_DESCRIPTOR", "CANNOT_WRITE_TO_OSTREAM", "CANNOT_FSYNC", "CANNOT_CLOSE_FILE")
_FULL_DISK_RE = re.compile(r"errno: (?:28|27|122|69)\b|No space left|File too large|quota exceeded", re.IGNORECASE)

#: Errors whose text tells of names, types and limits, but of no values; see `_without_secrets`.
_TELLING_NO_VALUES = frozenset(
    """
    UNKNOWN_IDENTIFIER UNKNOWN_TABLE UNKNOWN_DATABASE UNKNOWN_FUNCTION UNKNOWN_AGGREGATE_FUNCTION
    UNKNOWN_QUERY_PARAMETER NUMBER_OF_ARGUMENTS_DOESNT_MATCH TOO_FEW_ARGUMENTS_FOR_FUNCTION
    TOO_MANY_ARGUMENTS_FOR_FUNCTION NOT_AN_AGGREGATE ILLEGAL_AGGREGATION TIMEOUT_EXCEEDED TOO_SLOW
    MEMORY_LIMIT_EXCEEDED TOO_MANY_ROWS TOO_MANY_ROWS_OR_BYTES QUERY_WAS_CANCELLED ILLEGAL_TYPE_OF_ARGUMENT
    TYPE_MISMATCH NO_COMMON_TYPE FUNCTION_THROW_IF_VALUE_IS_NON_ZERO NOT_ENOUGH_SPACE S3_ERROR
    """.split()
)
_KEY_SIZE_RE = re.compile(r"Invalid (?:key|IV|nonce)? ?size: \d+ expected")
_QUOTED_QUERY_RE = re.compile(r":? In scope |: [Ww]hile executing |: [Ww]hile processing |, Stack trace")

#: Of an error's text; a query can make one of megabytes (``throwIf(1, repeat(...))``).
_MOST_MESSAGE_CHARACTERS = 10_000

_ERROR_RE = re.compile(r"Code: (\d+)\. DB::(?:Net|Parsing)?Exception: ?(.*)", re.DOTALL)
_STREAM_HEAD_RE = re.compile(r"^Streaming insert \w+ failed: ")
_NAME_RE = re.compile(r"\(([A-Z][A-Z0-9_]+)\)$")
_VERSION_RE = re.compile(r"\s?\(version [0-9][^()]*\)")
_IDENTIFIER_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EngineError(Exception):
    """ClickHouse refused or failed.

    Attributes:
        code: ClickHouse's number, for instance 47; 0 when the text carried none.
        name: its symbolic name, for instance ``UNKNOWN_IDENTIFIER``.
        message: the text without ``Code: N. DB::Exception:`` in front and without the name at the end.
    """

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(f"{message} ({name})")
        self.code = code
        self.name = name
        self.message = message

    @classmethod
    def from_text(cls, text: str) -> EngineError:
        """Take chDB's error text apart; nested ``Code: N. DB::Exception:`` heads are dropped too."""
        code, message = 0, _STREAM_HEAD_RE.sub("", _shortened(text.strip()))
        while match := _ERROR_RE.search(message):
            code = code if code else int(match[1])
            message = message[: match.start()] + match[2] if message[: match.start()].strip() else match[2]
        message = _VERSION_RE.sub("", message).strip()
        name = "UNKNOWN_EXCEPTION"
        while match := _NAME_RE.search(message):
            name = match[1]
            message = message[: match.start()].rstrip()
            # Errors of formats come packed three times: "text. (NAME). (NAME). (NAME)".
            message = message.removesuffix(".") if message.endswith(f"({name}).") else message
        return cls(code, name, message)


def _shortened(text: str) -> str:
    """Leave out the middle of a very long text: it quotes a query or a value, and is read several times."""
    if len(text) <= _MOST_MESSAGE_CHARACTERS:
        return text
    half = _MOST_MESSAGE_CHARACTERS // 2
    return f"{text[:half]} ... {text[-half:]}"


class DiskFull(Exception):  # noqa: N818 - says what happened
    """The engine could not write because the disk is full. No `EngineError`, because the request is not to blame."""


class EngineEnding(Exception):  # noqa: N818 - says what happened
    """The server ends, so the statement was stopped or not begun. No `EngineError` for the same reason."""


@dataclass(frozen=True)
class QueryResult:
    """What a query gave.

    Attributes:
        data: the rows in the output format that was asked for.
        rows: how many there are.
        rows_read: rows that the engine read; ``SELECT 1`` reads 1.
        bytes_read: bytes that the engine read, uncompressed.
        elapsed_s: seconds in the engine.
    """

    data: bytes
    rows: int
    rows_read: int
    bytes_read: int
    elapsed_s: float


@dataclass(frozen=True)
class InsertSummary:
    """What an insert wrote: *rows* and *size_bytes* (uncompressed), in *elapsed_s* seconds."""

    rows: int
    size_bytes: int
    elapsed_s: float


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote, *rows* and *size_bytes* (uncompressed), and what it read for that."""

    rows: int
    size_bytes: int
    rows_read: int
    bytes_read: int


@dataclass
class _Reader:
    """A connection for reading, which goes back to the pool unless it is *spoilt*.

    After a failed query chDB may begin the next result with what the failed one had written; and a KILL that comes late
    must not hit a stranger's query.
    """

    connection: Any
    name: str
    spoilt: bool = False


def quote_identifier(name: str) -> str:
    r"""Write *name* as a ClickHouse identifier in backticks.

    Example:
        >>> print(quote_identifier("a`b"))
        `a\\`b`
    """
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_string(text: str) -> str:
    r"""Write *text* as a ClickHouse string literal.

    Example:
        >>> print(quote_string("it's"))
        'it\\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def _setting_sql(settings: Mapping[str, Setting]) -> str:
    parts = []
    for name, value in settings.items():
        if not _IDENTIFIER_RE.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a setting.")
        if isinstance(value, bool):
            text = str(int(value))
        elif isinstance(value, (int, float)):
            text = repr(value)
        else:
            text = quote_string(value)
        parts.append(f"{name} = {text}")
    return "SET " + ", ".join(parts)


def _parameter_text(value: object) -> str:
    """Escape a query parameter as chDB wants it: ``{name:String}`` values are read like a field of TSV."""
    text = str(value)
    for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")):
        text = text.replace(raw, escaped)
    return text


def engine_failure(text: str) -> EngineError | DiskFull:
    """Say what chDB's error text means."""
    error = EngineError.from_text(text)
    if error.name == _FULL_DISK or (error.name in _FAILED_WRITES and _FULL_DISK_RE.search(text)):
        return DiskFull(error.message)
    return error


def _without_secrets(failure: Exception, values: Iterable[str]) -> Exception:
    """Take the values of secrets out of an error.

    Errors quote constants, also what functions have made of a secret: its bytes in hex, a piece of it. So only those
    are told that speak of other things, and never the part that quotes the query.
    """
    if not isinstance(failure, EngineError):
        return failure
    text = None
    if failure.name in _TELLING_NO_VALUES or _KEY_SIZE_RE.match(failure.message):
        text = hidden(_QUOTED_QUERY_RE.split(failure.message, maxsplit=1)[0], values)
    text = text or "The query failed. The details could show the value of an Environment Variable that it uses."
    return EngineError(failure.code, failure.name, text)


def load() -> Any:
    """Import chDB and return it, the time zone of the process being UTC from now on.

    chDB reads the zone once, when it is imported; so everybody imports it here.

    Raises:
        ImportError: the extra ``local`` is not installed.
    """
    os.environ["TZ"] = "UTC"
    time.tzset()
    import chdb

    return chdb


class Engine:
    """The ClickHouse of one data folder (or of memory), safe to use from many threads.

    Args:
        path: folder of ClickHouse's own files; created when missing. ``None`` keeps everything in memory.

    Raises:
        EngineError: the folder cannot be opened, for instance because another process has it.
    """

    def __init__(self, path: Path | None) -> None:
        self._open_connection: Callable[[str], Any] = load().connect
        self._target = ":memory:" if path is None else str(path)
        self._slots = threading.BoundedSemaphore(MAX_CONCURRENT)
        self._parsers: list[Any] = []
        self._parsers_lock = threading.Lock()
        self._readers: OrderedDict[_ReaderKey, list[_Reader]] = OrderedDict()
        self._running: dict[str, _Reader] = {}
        self._readers_lock = threading.Lock()
        self._reader_numbers = itertools.count(1)
        self._cancelled_work: set[str] = set()
        self._closed = False
        self._ending = False
        self._all_stopped = False
        self._keeper = self._connect()

    def read(
        self,
        sql: str,
        *,
        database: str,
        output_format: str = "TabSeparated",
        settings: Mapping[str, Setting] | None = None,
        parameters: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        query_id: str | None = None,
        readonly: int = 1,
    ) -> QueryResult:
        """Run one SELECT or DESCRIBE on a read-only connection of its own.

        Args:
            sql: one statement; a text with several would run them all, so ask `sql.gate` first.
            database: where bare table names are looked up.
            output_format: used when *sql* has no FORMAT clause.
            settings: ClickHouse settings, set before the connection becomes read-only.
            parameters: values for ``{name:Type}``.
            timeout_s: seconds after which the engine stops the query with code 159.
            query_id: any text by which `cancel` finds the query.
            readonly: ClickHouse's ``readonly``; 2 lets the statement change settings and make temporary tables, so the
                statement must have been found not to.

        Raises:
            EngineError: anything the engine says.
        """
        chosen = {**_USER_SQL_SETTINGS, **(settings or {})}
        if timeout_s:
            chosen.update(max_execution_time=timeout_s, timeout_overflow_mode="throw")
        chosen["readonly"] = readonly  # Last: after it no setting can be changed any more.
        with self._reader(database, chosen, query_id) as connection:
            result = self._run(connection, sql, output_format, parameters)
            if self._ending:
                raise EngineEnding("The server ends.")  # See `_refuse_stopped`.
            # chDB's rows_read() counts the rows of the result; what was read from tables has "storage" in its name.
            return QueryResult(
                data=result.bytes(),
                rows=result.rows_read(),
                rows_read=result.storage_rows_read(),
                bytes_read=result.storage_bytes_read(),
                elapsed_s=result.elapsed(),
            )

    def execute(
        self,
        sql: str,
        *,
        database: str | None = None,
        settings: Mapping[str, Setting] | None = None,
        parameters: Mapping[str, object] | None = None,
        output_format: str = "TabSeparated",
    ) -> bytes:
        """Run SQL of our own making (DDL, mutations, INSERT ... SELECT) and return its output.

        Nothing that a user wrote may be part of *sql*, except through `quote_identifier`, `quote_string`, *parameters*
        or after a check of its own.

        Raises:
            EngineError: anything the engine says.
        """
        chosen = {**_DEFINING_SETTINGS, **(settings or {})} if sql.startswith(_DEFINING) else dict(settings or {})
        with self._session(database, chosen) as connection:
            data: bytes = self._run(connection, sql, output_format, parameters).bytes()
            return data

    def export(
        self,
        sql: str,
        *,
        database: str,
        settings: Mapping[str, Setting],
        parameters: Mapping[str, object],
    ) -> ExportSummary:
        """Run an ``INSERT INTO FUNCTION ... SELECT`` of our own making and tell what it read and wrote.

        The same holds for *sql* as in `execute`.

        Raises:
            EngineError: anything the engine says.
        """
        with self._session(database, settings) as connection:
            done = self._run(connection, sql, "Null", parameters)
            return ExportSummary(
                rows=done.rows_written(),
                size_bytes=done.bytes_written(),
                rows_read=done.storage_rows_read(),
                bytes_read=done.storage_bytes_read(),
            )

    def rows(
        self,
        sql: str,
        *,
        database: str | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> list[list[Any]]:
        """Run SQL of our own making and return its rows as Python values (numbers, text, lists, ``None``)."""
        settings: dict[str, Setting] = {"output_format_json_quote_64bit_integers": 0}
        with self._session(database, settings) as connection:
            data = self._run(connection, sql, "JSONCompactEachRow", parameters).bytes()
            self._refuse_stopped(empty=not data)
        return [json.loads(line) for line in data.splitlines() if line]

    def insert(
        self,
        statement: str,
        input_format: str,
        chunks: Iterable[bytes],
        *,
        database: str,
        settings: Mapping[str, Setting] | None = None,
    ) -> InsertSummary:
        """Stream *chunks* of *input_format* into ``INSERT INTO t (a, b)`` in constant memory.

        An error (of the engine, or raised by *chunks*) cancels the insert; parts that were written before stay, as
        ClickHouse does. Insert into a table nobody sees yet when all-or-nothing is wanted.

        Raises:
            EngineError: anything the engine says, for instance a row that does not parse.
        """
        with self._session(database, dict(settings or {})) as connection:
            try:
                inserter = connection.send_insert(statement, input_format)
            except Exception as error:
                raise self._failure(error) from error
            with inserter:  # Leaving it without `finish` cancels the insert.
                for chunk in chunks:
                    if chunk:
                        self._guarded(inserter.append, chunk)
                done = self._guarded(inserter.finish)
            return InsertSummary(done.rows_written, done.bytes_written, done.elapsed)

    def parse(
        self, sql: str, *, parameters: Mapping[str, object] | None = None, output_format: str = "TabSeparated"
    ) -> bytes:
        """Ask the engine's own parser: ``formatQuery``, ``tokenizeQuery``, ``EXPLAIN AST``.

        Runs on a pooled read-only connection that has no current database of its own, so *sql* must not change the
        session; with ``readonly=1`` it cannot.

        Raises:
            EngineError: for instance a syntax error.
        """
        with self._parsers_lock:
            connection = self._parsers.pop() if self._parsers else None
        if connection is None:
            connection = self._connect()
            settings = {"log_comment": f"{_READER}parser", **_USER_SQL_SETTINGS, "readonly": 1}
            self._run(connection, _setting_sql(settings), "Null", None)
        try:
            data: bytes = self._run(connection, sql, output_format, parameters).bytes()
            if self._ending and not data:
                raise EngineEnding("The server ends.")  # See `_refuse_stopped`.
        except BaseException:
            connection.close()  # See `_Reader`.
            raise
        with self._parsers_lock:
            pooled = not self._closed and len(self._parsers) < MAX_CONCURRENT
            if pooled:
                self._parsers.append(connection)
        if not pooled:
            connection.close()
        return data

    def cancel(self, query_id: str) -> None:
        """Stop the query that `read` was given *query_id* for; nothing happens when it is not running (any more)."""
        with self._readers_lock:
            reader = self._running.get(query_id)
            if reader is None:
                return
            reader.spoilt = True
        self._kill(f"Settings['log_comment'] = {quote_string(reader.name)}")

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """Group what this thread executes and inserts in the block, so that `cancel_work` can stop it."""
        group = f"{_WORK}{name}"
        token = _current_work.set(group)
        try:
            yield
        finally:
            _current_work.reset(token)
            self._cancelled_work.discard(group)

    @contextmanager
    def cleaning(self) -> Iterator[None]:
        """Take what this thread executes in the block out of its group: tidying up goes on after a cancellation."""
        token = _current_work.set("")
        try:
            yield
        finally:
            _current_work.reset(token)

    def cancel_work(self, name: str) -> None:
        """Stop the statement that runs in the group *name* and refuse its next ones, with ``QUERY_WAS_CANCELLED``."""
        group = f"{_WORK}{name}"
        self._cancelled_work.add(group)
        self._kill(f"Settings['log_comment'] = {quote_string(group)}")

    def cancel_reads(self) -> None:
        """Stop every query of users and take no more; for the end of the server. May be called again.

        What writes goes on: an import is whole or not there, and whoever sent it has not been answered yet.
        """
        self._ending = True
        self._kill(f"startsWith(Settings['log_comment'], {quote_string(_READER)})")

    def cancel_all(self) -> None:
        """Stop everything that runs, imports too; for the end of the server. May be called again."""
        self._ending = self._all_stopped = True
        self._kill("1")

    def version(self) -> str:
        """Return the version of ClickHouse, for instance ``26.9.2.1``."""
        return self.parse("SELECT version()").decode().strip()

    def close(self) -> None:
        """Close every connection; the engine writes what it holds and frees the folder."""
        with self._parsers_lock:
            self._closed = True
            parsers, self._parsers = self._parsers, []
        with self._readers_lock:
            readers = [reader.connection for idle in self._readers.values() for reader in idle]
            self._readers.clear()
        for connection in [*parsers, *readers, self._keeper]:
            connection.close()

    def _kill(self, condition: str) -> None:
        """Ask for the end of queries, on a connection beside the slots: those may all be taken by what shall end."""
        connection = self._connect()
        try:
            self._run(connection, f"KILL QUERY WHERE {condition} ASYNC", "Null", None)
        finally:
            connection.close()

    def _refuse_stopped(self, *, empty: bool) -> None:
        """Refuse the result of a SELECT that was stopped: it may be cut off or empty, without any error (26.9).

        Raises:
            EngineError, EngineEnding: it may be such a one.
        """
        if _current_work.get() in self._cancelled_work:
            raise EngineError(_CANCELLED_CODE, "QUERY_WAS_CANCELLED", "The work was cancelled.")
        if self._all_stopped and empty:
            raise EngineEnding("The server ends.")

    def _failure(self, error: Exception) -> Exception:
        failure = engine_failure(str(error))
        if self._ending and isinstance(failure, EngineError) and failure.name == "QUERY_WAS_CANCELLED":
            return EngineEnding(failure.message)
        return failure

    def _guarded(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except RuntimeError as error:
            raise self._failure(error) from error

    def _connect(self) -> Any:
        try:
            return self._open_connection(self._target)
        except Exception as error:
            raise engine_failure(str(error)) from error

    def _run(self, connection: Any, sql: str, output_format: str, parameters: Mapping[str, object] | None) -> Any:
        texts = {name: _parameter_text(value) for name, value in parameters.items()} if parameters else None
        try:
            return connection.query(sql, output_format, params=texts)
        except Exception as error:  # chDB has two classes of one name, and not both are public.
            if values := secrets_among(parameters):
                raise _without_secrets(self._failure(error), values) from None
            raise self._failure(error) from error

    @contextmanager
    def _reader(self, database: str, settings: Mapping[str, Setting], query_id: str | None) -> Iterator[Any]:
        key = (database, tuple(settings.items()))
        with self._slots:
            if self._ending:
                raise EngineEnding("The server ends.")
            with self._readers_lock:
                idle = self._readers.get(key)
                reader = idle.pop() if idle else None
            if reader is None:
                reader = self._open_reader(database, settings)
            if query_id is not None:
                with self._readers_lock:
                    self._running[query_id] = reader
            try:
                yield reader.connection
            except BaseException:
                reader.spoilt = True
                raise
            finally:
                self._put_back(key, reader, query_id)

    def _open_reader(self, database: str, settings: Mapping[str, Setting]) -> _Reader:
        name = f"{_READER}{next(self._reader_numbers)}"
        connection = self._connect()
        try:
            self._run(connection, f"USE {quote_identifier(database)}", "Null", None)
            self._run(connection, _setting_sql({"log_comment": name, **settings}), "Null", None)
        except BaseException:
            connection.close()
            raise
        return _Reader(connection, name)

    def _put_back(self, key: _ReaderKey, reader: _Reader, query_id: str | None) -> None:
        surplus = [reader]
        with self._readers_lock:
            if query_id is not None:
                self._running.pop(query_id, None)
            if not reader.spoilt and not self._closed:
                self._readers.setdefault(key, []).append(reader)
                self._readers.move_to_end(key)
                surplus = self._surplus_readers()
        for each in surplus:
            each.connection.close()

    def _surplus_readers(self) -> list[_Reader]:
        surplus = []
        while sum(map(len, self._readers.values())) > MAX_IDLE_READERS:
            oldest = next(iter(self._readers))
            surplus += self._readers.pop(oldest)
        return surplus

    @contextmanager
    def _session(self, database: str | None, settings: Mapping[str, Setting]) -> Iterator[Any]:
        with self._slots:
            connection = self._connect()
            try:
                if database:
                    self._run(connection, f"USE {quote_identifier(database)}", "Null", None)
                if work := _current_work.get():
                    if work in self._cancelled_work:
                        raise EngineError(_CANCELLED_CODE, "QUERY_WAS_CANCELLED", "The work was cancelled.")
                    settings = {"log_comment": work, **settings}
                if settings:
                    self._run(connection, _setting_sql(settings), "Null", None)
                yield connection
            finally:
                connection.close()
