"""The methods of `workspace.datasources` that carry rows (``datasources.md`` section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from tinymagic.api.datasource_results import Column, DataSource, Mode
from tinymagic.api.errors import Forbidden, InvalidInput
from tinymagic.api.http.limits import check_columns
from tinymagic.api.ingest.carriers import Carrier, EventsCarrier, JobCarrier, MultipartCarrier
from tinymagic.api.ingest.fields import (
    as_table,
    check_name,
    compresses,
    dialect_fields,
    empty_piece,
    engine_fields,
    flag_text,
    format_at,
    renamed,
    with_losses,
)
from tinymagic.api.ingest.pieces import Pieces
from tinymagic.api.ingest.plan import Plan, Via, is_url, one_piece, plan_of, with_columns
from tinymagic.api.ingest.resume import resumed
from tinymagic.api.ingest.run import OnFailure, Run
from tinymagic.api.ingest.watch import Watch
from tinymagic.api.resource import Resource, path
from tinymagic.frames.tables import is_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.ingest.report import IngestReport
    from tinymagic.api.jobs import Job
    from tinymagic.api.progress import OnProgress

#: Rows: a DataFrame of pandas or polars, an Arrow table, a dictionary, dictionaries (a list, or a generator), the path
#: of a file, the bytes of one, or the address of one (http, https).
Data: TypeAlias = Any


class RowsIn(Resource):
    """Getting rows into Data Sources; each row is accounted for in an `IngestReport`."""

    def create_from(
        self,
        name: str,
        data: Data,
        *,
        schema: str | None = None,
        format: str | None = None,  # noqa: A002 - the API's own word
        engine: str | None = None,
        sorting_key: str | None = None,
        partition_key: str | None = None,
        engine_options: Mapping[str, str] | None = None,
        description: str | None = None,
        type_guessing: bool | None = None,
        dialect: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport:
        """Make a Data Source and fill it.

        What goes into one request is made and filled by one: all of it or nothing. Of larger data the first part makes
        the Data Source and the others are appended; when one fails the report says which.

        Args:
            name: letters, digits and underscores.
            data: a DataFrame (pandas, polars), an Arrow table, dictionaries, the path, bytes or URL of a file.
            schema: as for `create`. A table and dictionaries give their own; for CSV the service guesses one.
            format: ``csv``, ``ndjson`` or ``parquet``, when the name of the file does not tell.
            engine: default ``MergeTree``.
            sorting_key: columns with commas. For a table without *engine*, *sorting_key* and *engine_options* the one
                of `tinymagic.frames.schema.suggested_sorting_key` is taken, and a notice in the report says so.
            partition_key: expression.
            engine_options: further ``engine_...`` parameters.
            description: in words.
            type_guessing: ``False`` makes every column of a CSV file a String.
            dialect: ``delimiter``, ``new_line`` and ``escapechar`` of a CSV file.
            on_progress: told rows (tables, dictionaries) or bytes (files).
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the upload from another thread.

        Raises:
            InvalidInput: name or data cannot be used; nothing was sent.
            BadRequest: the service does not take schema or data.
            Conflict: the name is taken.
            TinybirdError: whatever else went wrong; its attribute ``report`` is the report.
        """
        check_name(name)
        notices: tuple[str, ...] = ()
        if is_url(data):
            fields = self._creation(schema, engine, sorting_key, partition_key, engine_options, description)
            fields.update(dialect_fields(dialect), type_guessing=flag_text(type_guessing))
            return self._from_url("create", name, data, format, fields, on_progress, cancellation, timeout_s)
        plan = plan_of(as_table(data), via="multipart", file_format=format, dialect=dialect, even_empty=True)
        if schema is None and plan.planned is not None:
            from tinymagic.frames.schema import key_of, schema_text

            check_columns(len(plan.planned.columns), "The table")
            schema = schema_text(plan.planned.columns)
            notices = renamed(plan)
            if engine is None and sorting_key is None and not engine_options:
                sorting_key = ", ".join(key_of(plan.planned.columns, plan.planned.rows)) or None
                if sorting_key is not None:
                    notices += (f"Sorted by {sorting_key}, which the values suggest; sorting_key= says otherwise.",)
        fields = self._creation(schema, engine, sorting_key, partition_key, engine_options, description)
        fields.update(dialect_fields(dialect), type_guessing=flag_text(type_guessing))
        report = self._send("create", name, plan, fields, timeout_s, "stop", on_progress, cancellation)
        report = with_losses(report, plan, report.datasource)
        return replace(report, notices=(*report.notices, *notices))

    @overload
    def append(
        self,
        name: str,
        data: Data = None,
        *,
        via: Via = "auto",
        format: str | None = None,
        dialect: Mapping[str, str] | None = None,
        batch_rows: int | None = None,
        batch_bytes: int | None = None,
        on_failure: OnFailure = "stop",
        wait: Literal[True] = True,
        resume: IngestReport | None = None,
        include_unknown: bool = False,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport: ...
    @overload
    def append(
        self,
        name: str,
        data: Data = None,
        *,
        via: Via = "auto",
        format: str | None = None,
        dialect: Mapping[str, str] | None = None,
        wait: Literal[False],
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> Job: ...
    def append(
        self,
        name: str,
        data: Data = None,
        *,
        via: Via = "auto",
        format: str | None = None,  # noqa: A002 - the API's own word
        dialect: Mapping[str, str] | None = None,
        batch_rows: int | None = None,
        batch_bytes: int | None = None,
        on_failure: OnFailure = "stop",
        wait: bool = True,
        resume: IngestReport | None = None,
        include_unknown: bool = False,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport | Job:
        """Add rows, by the way that suits their kind and size (`tinymagic.api.ingest.plan` has the table).

        Rows that do not fit go to the quarantine and the rest is stored: that is no error, but in the report. Large
        data goes in several requests, each of them all or nothing, in the order of its rows.

        Args:
            name: of the Data Source.
            data: a DataFrame (pandas, polars), an Arrow table or record batch, a dictionary, dictionaries as a list or
                a generator (read in constant memory; it may give tables too), the path of a CSV, NDJSON or Parquet file
                (also ``.gz``), the bytes of one, or its address (``http://``, ``https://``).
            via: ``events``, ``multipart``, ``job`` (one import job: of ``/v1``, for a URL of ``/v0``), or ``auto``.
            format: ``csv``, ``ndjson`` or ``parquet``, when the name of the file does not tell.
            dialect: ``delimiter``, ``new_line`` and ``escapechar`` of a CSV file.
            batch_rows: most rows of a request; default: what goes in.
            batch_bytes: most bytes of a request; default: that of the way.
            on_failure: ``stop`` at the first request that fails, or ``continue`` with the next one where that can help;
                what failed is in the report.
            wait: ``False`` for a URL or ``via="job"``: return the `Job` and do not follow it.
            resume: the report of an append (also the ``report`` of its error): sends what was not stored, nothing else;
                *data* is not looked at.
            include_unknown: with *resume*, also what may be stored already; those rows could be there twice.
            on_progress: told rows (tables, dictionaries), bytes (files) or the percentage of a job.
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the work from another thread.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: name or data cannot be used; nothing was sent.
            PayloadTooLarge: the data is over the service's limit and cannot be cut.
            JobFailed: the import job failed.
            Timeout: no reply in time; the rows may be stored. The call is never repeated by itself.
            TinybirdError: whatever else went wrong. Each of these has the `IngestReport` in its attribute ``report``
                as soon as something was sent; so has a KeyboardInterrupt.

        Example:
            >>> print(ws.datasources.append("events", frame))  # doctest: +SKIP
            1,000 rows stored.
        """
        if resume is not None:
            return resumed(
                self._transport,
                resume,
                include_unknown=include_unknown,
                on_failure=on_failure,
                on_progress=on_progress,
                cancellation=cancellation,
            )
        check_name(name, new=False)
        fields = dialect_fields(dialect)
        if data is None:
            raise InvalidInput("There are no rows to append: give data, or resume=report.")
        if is_url(data):
            self._existing(name)
            follow = (name, data, format, fields, on_progress, cancellation, timeout_s)
            return self._from_url("append", *follow) if wait else self._url_job("append", *follow)
        options: dict[str, Any] = {
            "via": via,
            "file_format": format,
            "dialect": dialect,
            "batch_rows": batch_rows,
            "batch_bytes": batch_bytes,
            "skips": on_failure == "continue",
        }
        # What cannot be sent is said before anything is asked.
        plan = plan_of(data, **options)
        existing = self._existing(name)
        if existing is not None and existing.columns:
            plan = with_columns(plan, existing.columns, lambda: plan_of(data, columns=existing.columns, **options))
        if not wait:
            return self._start_job("append", name, plan, fields, timeout_s, on_progress, cancellation)
        report = self._send("append", name, plan, fields, timeout_s, on_failure, on_progress, cancellation)
        return with_losses(report, plan, existing or report.datasource, data)

    def replace(
        self,
        name: str,
        data: Data,
        *,
        condition: str | None = None,
        via: Via = "auto",
        format: str | None = None,  # noqa: A002 - the API's own word
        dialect: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> IngestReport:
        """Put rows in the place of all that are there, or of those that *condition* names; readers see no gap.

        It is one request, or one job: never a part of the rows is replaced.

        Args:
            name: of the Data Source.
            data: as for `append`; a generator is read to its end before.
            condition: SQL that is true for the rows to be replaced.
            via: ``multipart``, or ``job`` (``/v1``) for what is too large for one request; ``auto`` is the first.
            format: as for `append`.
            dialect: as for `append`.
            options: further parameters of the API, for instance ``{"replace_truncate_when_empty": "true"}``.
            on_progress: told bytes, or the percentage of a job.
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the upload from another thread.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: name or data cannot be used; nothing was sent.
            PayloadTooLarge: the data is too large for one request; nothing was sent.
            BadRequest: the service does not take condition or data; the old rows are still there.
            TinybirdError: whatever else went wrong; its attribute ``report`` is the report.
        """
        check_name(name, new=False)
        fields = {"replace_condition": condition, **dialect_fields(dialect), **(options or {})}
        if is_url(data):
            return self._from_url("replace", name, data, format, fields, on_progress, cancellation, timeout_s)
        existing = self._existing(name) if is_table(data) or isinstance(data, (list, Mapping)) else None
        columns: Sequence[Column] = existing.columns if existing is not None else ()
        plan = one_piece(data, via=via, file_format=format, columns=columns)
        report = self._send("replace", name, plan, fields, timeout_s, "stop", on_progress, cancellation)
        return with_losses(report, plan, existing or report.datasource, data)

    # How it is done

    def _existing(self, name: str) -> DataSource | None:
        """Ask for the columns of a Data Source; ``None`` when the token may not read it.

        Classic takes an append to a misspelt name for the wish to have a new one, so it must be there.

        Raises:
            NotFound: there is none.
        """
        with suppress(Forbidden):  # A token may be for appending only, and such a token makes nothing new.
            return DataSource.of(self._get(path("/v0/datasources/", name), {"attrs": "name,columns"}))
        return None

    def _creation(
        self,
        schema: str | None,
        engine: str | None,
        sorting_key: str | None,
        partition_key: str | None,
        options: Mapping[str, str] | None,
        description: str | None,
    ) -> dict[str, str | None]:
        named = engine_fields(engine, sorting_key, partition_key, None, None, None, options)
        return {"schema": schema, **named, "description": description}

    def _carrier(
        self,
        mode: Mode,
        name: str,
        plan: Plan,
        fields: Mapping[str, str | None],
        timeout_s: float | None,
        on_progress: OnProgress | None,
        cancellation: Cancellation | None,
    ) -> Carrier:
        transport = self._transport
        if plan.way == "events":
            return EventsCarrier(
                transport, name, compress=compresses(transport.host), timeout_s=timeout_s, cancellation=cancellation
            )
        if plan.way == "job":
            return JobCarrier(transport, mode, name, fields, None, timeout_s, cancellation, on_progress)
        return MultipartCarrier(transport, mode, name, fields, timeout_s, cancellation)

    def _send(
        self,
        mode: Mode,
        name: str,
        plan: Plan,
        fields: Mapping[str, str | None],
        timeout_s: float | None,
        on_failure: OnFailure,
        on_progress: OnProgress | None,
        cancellation: Cancellation | None,
    ) -> IngestReport:
        carrier = self._carrier(mode, name, plan, fields, timeout_s, on_progress, cancellation)
        run = Run(
            self._transport,
            carrier,
            name=name,
            via=plan.way,
            on_failure=on_failure,
            on_progress=on_progress,
            unit=plan.unit,
            cancellation=cancellation,
        )
        return run.run(plan.source)

    def _start_job(
        self,
        mode: Mode,
        name: str,
        plan: Plan,
        fields: Mapping[str, str | None],
        timeout_s: float | None,
        on_progress: OnProgress | None,
        cancellation: Cancellation | None,
    ) -> Job:
        if plan.way != "job":
            raise InvalidInput("wait=False is for URLs and via='job': other ways are done when the call returns.")
        carrier = JobCarrier(self._transport, mode, name, fields, None, timeout_s, cancellation, on_progress)
        watch = Watch(events=False, redact=self._transport.redact)
        return carrier.start(next(iter(plan.source.pieces())), watch, on_progress)

    def _from_url(
        self,
        mode: Mode,
        name: str,
        url: str,
        file_format: str | None,
        fields: Mapping[str, str | None],
        on_progress: OnProgress | None,
        cancellation: Cancellation | None,
        timeout_s: float | None,
    ) -> IngestReport:
        chosen = format_at(url, file_format)
        carrier = JobCarrier(self._transport, mode, name, fields, url.strip(), timeout_s, cancellation, on_progress)
        run = Run(self._transport, carrier, name=name, via="url", cancellation=cancellation)
        return run.run(Pieces([empty_piece(chosen)]))

    def _url_job(
        self,
        mode: Mode,
        name: str,
        url: str,
        file_format: str | None,
        fields: Mapping[str, str | None],
        on_progress: OnProgress | None,
        cancellation: Cancellation | None,
        timeout_s: float | None,
    ) -> Job:
        chosen = format_at(url, file_format)
        carrier = JobCarrier(self._transport, mode, name, fields, url.strip(), timeout_s, cancellation, on_progress)
        watch = Watch(events=False, redact=self._transport.redact)
        return carrier.start(empty_piece(chosen), watch, on_progress)
