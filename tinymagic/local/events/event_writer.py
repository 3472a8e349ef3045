"""Events into a Data Source: a group of requests with one insert, each whole or not there, each row counted.

Theory of operation. There are two ways to read, the quicker one first:

* Small requests whose every value plainly fits (`plain_events.py`) are read by the engine as typed rows.
* Otherwise the lines are read as text and the expressions of `ingest.sources` decide. The statement throws at the first
  row that does not fit; then the lines are asked one by one which do, and good and bad rows go their ways.

How rows get into the table in one step is the business of `insertion.py`.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError, quote_string
from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.insertion import BLOCK_BYTES, Insertion
from tinymagic.local.ingest.loader import MISFIT, ONE_BLOCK, OWN_SQL_SETTINGS, LoadReport, Plan
from tinymagic.local.ingest.sources import Source, ndjson_source
from tinymagic.local.tables.schema import parse_schema

from .event_bodies import EVENTS_PAGE
from .event_fields import KnownFields
from .plain_events import PlainEvents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tinymagic.local.engine import Engine
    from tinymagic.local.files.spool import Spool
    from tinymagic.local.ingest.loader import Loader, Table
    from tinymagic.local.records import DataSourceRecord
    from tinymagic.local.tables.schema import Column

    from .event_bodies import EventBody

#: Above it, reading with Python costs more than having the engine analyse expressions.
_PLAIN_BYTES = 256_000

#: Memory for one value beside its text.
_VALUE_BYTES = 16

#: Lines with unknown fields that are looked at in one big request.
_SAMPLE_LINES = 100

_BUSY_ERRORS = ("TOO_MANY_PARTS", "MEMORY_LIMIT_EXCEEDED", "TOO_MANY_SIMULTANEOUS_QUERIES")


@dataclass(frozen=True)
class Written:
    """What became of one request's rows.

    Attributes:
        successful: rows that are in the Data Source.
        quarantined: rows that are in its quarantine.
        view_error: why a materialized view did not get the rows; empty when none failed.
    """

    successful: int
    quarantined: int = 0
    view_error: str = ""


class EventTable:
    """What is derived from a Data Source's schema and needed for every group."""

    def __init__(self, record: DataSourceRecord) -> None:
        self.columns: list[Column] = parse_schema(record.schema)
        self.inserted = [column for column in self.columns if column.is_inserted]
        self.plain = PlainEvents.of(self.columns)
        self.fields = KnownFields(self.columns)
        self.stores_rows = record.engine.get("engine") != "Null"
        #: Whether rows of the last request that was looked at closely did not fit; then the next is, at once.
        self.had_misfits = False


class EventWriter:
    """Writes groups of requests."""

    def __init__(self, engine: Engine, loader: Loader, spool: Spool) -> None:
        self._engine = engine
        self._loader = loader
        self._spool = spool
        self._insertion = Insertion(engine, loader)

    def write(
        self, target: Table, table: EventTable, bodies: Sequence[EventBody]
    ) -> tuple[list[Written | Exception], dict[str, str]]:
        """Write *bodies*, and return what became of each, and the new fields that their events have (name to type).

        The caller keeps the table from being changed meanwhile.
        """
        results: list[Written | Exception] = [Written(0)] * len(bodies)
        odd, plain, texts, strangers = [], [], [], []
        for index, body in enumerate(bodies):
            if b"{" not in body.lines:
                results[index] = _no_object()
                continue
            rows = table.plain.rows(body.lines) if table.plain and len(body.lines) <= _PLAIN_BYTES else None
            if rows is None:
                odd.append(index)
                continue
            plain.append(index)
            texts.append(rows.text)
            for event, line in zip(rows.events, body.lines.split(b"\n"), strict=True):
                if table.fields.has_unknown(event):
                    strangers.append(line)
        fields: dict[str, str] = {}
        if plain:
            try:
                error = self._write_plain(target, table, b"\n".join(texts))
            except EngineError:
                odd = sorted([*odd, *plain])  # Something is odd after all: the long way tells.
            else:
                for index in plain:
                    results[index] = Written(bodies[index].rows, 0, error)
                fields.update(table.fields.learn(strangers) if strangers else {})
        if odd:
            for index, result in zip(
                odd, self._write_any(target, table, [bodies[i] for i in odd], fields), strict=True
            ):
                results[index] = result
        return results, fields

    def _write_plain(self, target: Table, table: EventTable, text: bytes) -> str:
        assert table.plain is not None
        names, structure = table.plain.names, quote_string(table.plain.structure)
        with self._file(text) as path:
            relation = f"file({quote_string(str(path))}, 'JSONCompactEachRow', {structure})"
            return self._insertion.run(
                target, lambda table: f"INSERT INTO {table.sql} ({names}) SELECT {names} FROM {relation}"
            )

    def _write_any(
        self, target: Table, table: EventTable, bodies: Sequence[EventBody], fields: dict[str, str]
    ) -> list[Written | Exception]:
        """Write any bodies; those without a single object are refused."""
        verdicts: list[bytes] = []
        with self._file(b"\n".join(body.lines for body in bodies)) as path:
            load = _Load(self._engine, self._loader, target, table, path, bodies)
            try:
                error = None if table.had_misfits else load.store_all()
                if error is None:
                    verdicts = load.verdicts()
                    if all(b"1" in each or b"0" in each for each in verdicts):
                        error = load.store_fitting(verdicts)
                if error is not None:
                    fields.update(load.new_fields())
                    return load.results(verdicts, error)
            except EngineError as failure:
                if len(bodies) == 1:
                    return [_refusal(failure)]
        if not verdicts or all(b"1" in each or b"0" in each for each in verdicts):
            # The engine does not tell which of them it cannot read; the others must not suffer.
            return [self._write_any(target, table, [body], fields)[0] for body in bodies]
        kept = [body for body, each in zip(bodies, verdicts, strict=True) if b"1" in each or b"0" in each]
        results = iter(self._write_any(target, table, kept, fields) if kept else [])
        return [next(results) if b"1" in each or b"0" in each else _no_object() for each in verdicts]

    @contextmanager
    def _file(self, content: bytes) -> Iterator[Path]:
        path = self._spool.new_path()
        try:
            path.write_bytes(content)
            yield path
        finally:
            path.unlink(missing_ok=True)


class _Load:
    """One file of lines on its way into one Data Source."""

    def __init__(
        self,
        engine: Engine,
        loader: Loader,
        target: Table,
        table: EventTable,
        path: Path,
        bodies: Sequence[EventBody],
    ) -> None:
        self._engine = engine
        self._loader = loader
        self._target = target
        self._table = table
        self._bodies = bodies
        self._insertion = Insertion(engine, loader)
        self._rows = rows = sum(body.rows for body in bodies)
        # The engine's parser says "Null" of what is no JSON, so one look tells both; each look is a whole parse.
        self._source: Source = replace(
            ndjson_source(path, table.inserted), relation=_lines(path), is_record="(JSONType(line) = 'Object')"
        )
        self._plan = Plan(self._source, table.inserted)
        width = _VALUE_BYTES * len(table.inserted) + 2 * path.stat().st_size // max(rows, 1)
        self._block_rows = max(BLOCK_BYTES // width, 1_000)
        self._fitting = f"({self._source.is_record} AND {self._plan.fits})"

    def store_all(self) -> str | None:
        """Store every row and return what a view said against it, or store nothing and return ``None``: a misfit.

        Raises:
            EngineError: nothing was stored.
        """
        try:
            return self._insert(f"NOT throwIf(NOT {self._fitting}, {quote_string(MISFIT)})")
        except EngineError as error:
            if MISFIT not in error.message:
                raise
            return None

    def verdicts(self) -> list[bytes]:
        """Return for each body one character for each line: 1 fits, 0 does not, 2 is no JSON object."""
        data = self._engine.execute(
            f"SELECT multiIf(NOT {self._source.is_record}, 2, {self._plan.fits}, 1, 0) FROM {self._source.relation}",
            output_format="TSVRaw",
            settings={**OWN_SQL_SETTINGS, "max_threads": 1, "input_format_parallel_parsing": 0},
        )
        every = data.replace(b"\n", b"")
        if len(every) != self._rows:
            raise RuntimeError(f"{self._rows} lines were written and {len(every)} were read.")
        self._table.had_misfits = every.count(b"1") != len(every)
        ends = list(accumulate(body.rows for body in self._bodies))
        return [every[end - body.rows : end] for body, end in zip(self._bodies, ends, strict=True)]

    def store_fitting(self, verdicts: Sequence[bytes]) -> str:
        """Store the rows that fit, and those that do not in the quarantine; return what a view said against it.

        Raises:
            EngineError: no row is in the Data Source or its quarantine.
        """
        import_id = self._quarantine(b"".join(verdicts))
        if not any(b"1" in each for each in verdicts):
            return ""
        try:
            return self._insert(self._fitting)
        except EngineError:
            # The rows will be tried again in another group, or sent again.
            self._engine.execute(
                f"DELETE FROM {self._target.quarantine.sql} WHERE c__import_id = {quote_string(import_id)} "
                "SETTINGS lightweight_deletes_sync = 2"
            )
            raise

    def results(self, verdicts: Sequence[bytes], view_error: str) -> list[Written | Exception]:
        """Return what became of each body; without verdicts all of their rows were stored."""
        if not verdicts:
            return [Written(body.rows, 0, view_error) for body in self._bodies]
        good = [each.count(b"1") for each in verdicts]
        return [Written(each, body.rows - each, view_error) for each, body in zip(good, self._bodies, strict=True)]

    def new_fields(self) -> dict[str, str]:
        """Return the fields of the rows that are new, name to type."""
        condition = self._table.fields.unknown_condition("line")
        if condition is None:
            return {}
        data = self._engine.execute(
            f"SELECT line FROM {self._source.relation} WHERE {self._source.is_record} AND {condition} "
            f"LIMIT {_SAMPLE_LINES}",
            output_format="TSVRaw",
            settings=OWN_SQL_SETTINGS,
        )
        return self._table.fields.learn(data.splitlines()) if data else {}

    def _insert(self, where: str) -> str:
        """Insert the rows that *where* keeps, and return what a view said against it."""
        return self._insertion.run(
            self._target,
            lambda table: self._plan.insert_statement(table, where),
            block_rows=self._block_rows if self._rows > self._block_rows and self._table.stores_rows else None,
        )

    def _quarantine(self, verdicts: bytes) -> str:
        """Keep the rows that do not fit; return the import id that they got."""
        report = LoadReport(str(uuid.uuid4()))
        if b"0" in verdicts:
            self._loader.quarantine(self._target, self._plan, report)
        if b"2" in verdicts:
            self._engine.execute(
                f"INSERT INTO {self._target.quarantine.sql} (c__error_column, c__error, c__import_id, insertion_date) "
                f"SELECT [], [concat('not a JSON object: ', line)], {quote_string(report.import_id)}, now() "
                f"FROM {self._source.relation} WHERE NOT {self._source.is_record}",
                settings=ONE_BLOCK,
            )
        return report.import_id


def _no_object() -> BadRequest:
    return BadRequest(
        "No line of the body is a JSON object. Send one object a line, or add format=json for an object that spans "
        "lines. Nothing was stored.",
        documentation=EVENTS_PAGE,
    )


def _lines(path: Path) -> str:
    """Return what to write after FROM: `event_bodies.py` left no blank line, so nothing needs to be filtered."""
    return f"file({quote_string(str(path))}, 'LineAsString', 'line String')"


def _refusal(error: EngineError) -> ApiError:
    reason = plain_reason(error.message)
    if error.name in _BUSY_ERRORS:
        return ApiError(
            f"The Data Source cannot take more at the moment, and nothing was stored. Send it again later. {reason}",
            status=503,
            documentation=EVENTS_PAGE,
            headers={"Retry-After": "1"},
        )
    if error.name in ("UNKNOWN_TABLE", "UNKNOWN_DATABASE") and "view" in reason:
        return ApiError(
            f"A materialized view on the Data Source is broken, so nothing was stored. {reason}",
            status=503,
            documentation=EVENTS_PAGE,
        )
    return BadRequest(
        f"The rows could not be stored. [Error] {reason} ({error.name})",
        documentation=EVENTS_PAGE,
        headers={"X-DB-Exception-Code": str(error.code)},
    )
