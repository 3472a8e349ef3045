"""Data Sources, ``/v0/datasources``: what there is, creating, and getting rows in (``datasources.md``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tinymagic.api.datasource_results import Column, DataSource, ImportReport, Mode, Statistics
from tinymagic.api.errors import Forbidden, InvalidInput
from tinymagic.api.reading import mapping, mappings
from tinymagic.api.request import FORM_TYPE, Request, form_body
from tinymagic.api.upload import Rows, Upload, multipart, upload_of
from tinymagic.names import name_problem

if TYPE_CHECKING:
    import builtins

    import pandas as pd

    from tinymagic.api.cancelling import Cancellation
    from tinymagic.api.transport import Transport

__all__ = ["Column", "DataSource", "DataSources", "ImportReport", "Statistics"]

_PATH = "/v0/datasources"

#: An import is answered when its rows are stored, which for a file of 500 MB takes longer than a query may.
_IMPORT_TIMEOUT_S = 600.0


class DataSources:
    """``workspace.datasources``: list, read, create, fill, empty and delete Data Sources.

    Every method raises a `tinymagic.errors.TinybirdError`: ``NotFound`` for a name that is not there, ``Forbidden`` for
    a token without the scope, ``Conflict`` when something depends on it, and so on.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[DataSource]:
        """Return the Data Sources that the token may read."""
        reply = self._transport.get_json(_PATH)
        return [DataSource.of(each) for each in mappings(reply.get("datasources"))]

    def get(self, name: str) -> DataSource:
        """Return one by name or id, with its schema and size.

        Raises:
            NotFound: there is none.
        """
        return DataSource.of(self._transport.get_json(_path(name)))

    def datafile(self, name: str) -> str:
        """Return the definition of one as the text of a ``.datasource`` file.

        Raises:
            NotFound: there is none.
        """
        return self._transport.send(Request("GET", f"{_path(name)}.datasource")).text()

    def create(
        self,
        name: str,
        schema: str,
        *,
        engine: str | None = None,
        sorting_key: str | None = None,
        partition_key: str | None = None,
        primary_key: str | None = None,
        ttl: str | None = None,
        settings: str | None = None,
        engine_options: Mapping[str, str] | None = None,
        indexes: str | None = None,
        description: str | None = None,
    ) -> DataSource:
        """Make an empty Data Source.

        Args:
            name: letters, digits and underscores.
            schema: ``name Type`` with commas between, a jsonpath (`` `json:$.name` ``) on each for NDJSON and Parquet.
            engine: default ``MergeTree``.
            sorting_key: columns with commas; the service picks some when absent.
            partition_key: expression.
            primary_key: columns with commas.
            ttl: expression.
            settings: of the engine.
            engine_options: further ``engine_...`` parameters, for instance ``{"engine_ver": "updated"}``.
            indexes: data-skipping indexes, one per line.
            description: in words.

        Raises:
            InvalidInput: the name cannot be used; nothing was sent.
            BadRequest: the service does not take the schema or the engine.
            Conflict: the name is taken.
        """
        _check_name(name)
        if not schema.strip():
            raise InvalidInput("A new Data Source needs a schema, for instance 'day Date, amount Float64'.")
        fields = {
            "schema": schema,
            **_engine_fields(engine, sorting_key, partition_key, primary_key, ttl, settings, engine_options),
            "indexes": indexes,
            "description": description,
        }
        request = Request(
            "POST",
            _PATH,
            {"mode": "create", "name": name},
            # In the body: a schema of 500 columns is longer than a URL may be.
            body=form_body(fields),
            content_type=FORM_TYPE,
            effect="write",
        )
        reply = self._transport.send(request).json_object()
        return DataSource.of(mapping(reply.get("datasource")) or {"name": name, **reply})

    def create_from(
        self,
        name: str,
        data: Rows,
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
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> ImportReport:
        """Make a Data Source and fill it in one call.

        Args:
            name: letters, digits and underscores.
            data: a DataFrame, a path, the bytes of a file, or dictionaries (`tinymagic.api.upload.upload_of`).
            schema: as for `create`. A DataFrame and dictionaries give their own; for CSV the service guesses one.
            format: ``csv``, ``ndjson`` or ``parquet``, when the name of the file does not tell.
            engine: default ``MergeTree``.
            sorting_key: columns with commas.
            partition_key: expression.
            engine_options: further ``engine_...`` parameters.
            description: in words.
            type_guessing: ``False`` makes every column of a CSV file a String.
            dialect: ``delimiter``, ``new_line`` and ``escapechar`` of a CSV file.
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the upload from another thread.

        Raises:
            InvalidInput: name or data cannot be used; nothing was sent.
            PayloadTooLarge: the data is over the service's limit.
            BadRequest: the service does not take schema or data.
            Conflict: the name is taken.
        """
        _check_name(name)
        if schema is None and isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray, memoryview)):
            data = _frame_of(data)
        upload = upload_of(data, file_format=format)
        fields = {
            "schema": schema if schema is not None else _schema_of(upload),
            **_engine_fields(engine, sorting_key, partition_key, None, None, None, engine_options),
            "description": description,
            "type_guessing": None if type_guessing is None else str(type_guessing).lower(),
            **_dialect_fields(dialect),
        }
        return self._import("create", name, upload, fields, timeout_s, cancellation)

    def append(
        self,
        name: str,
        data: Rows,
        *,
        format: str | None = None,  # noqa: A002 - the API's own word
        dialect: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> ImportReport:
        """Add rows.

        Rows that do not fit go to the quarantine and the rest is stored: that is no error, but in the report.

        Args:
            name: of the Data Source.
            data: a DataFrame, a path, the bytes of a file, or dictionaries (`tinymagic.api.upload.upload_of`).
            format: ``csv``, ``ndjson`` or ``parquet``, when the name of the file does not tell.
            dialect: ``delimiter``, ``new_line`` and ``escapechar`` of a CSV file.
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the upload from another thread.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: name or data cannot be used; nothing was sent.
            PayloadTooLarge: the data is over the service's limit.
            Timeout: no reply in time; the rows may be stored. The call is never repeated by itself.

        Example:
            >>> print(ws.datasources.append("events", frame).sentence())  # doctest: +SKIP
            1,000 rows stored.
        """
        _check_name(name, new=False)
        upload = upload_of(data, file_format=format)
        self._check_existence(name)
        return self._import("append", name, upload, _dialect_fields(dialect), timeout_s, cancellation)

    def replace(
        self,
        name: str,
        data: Rows,
        *,
        condition: str | None = None,
        format: str | None = None,  # noqa: A002 - the API's own word
        dialect: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> ImportReport:
        """Put rows in the place of all that are there, or of those that *condition* names; readers see no gap.

        Args:
            name: of the Data Source.
            data: as for `append`.
            condition: SQL that is true for the rows to be replaced.
            format: as for `append`.
            dialect: as for `append`.
            options: further parameters of the API, for instance ``{"replace_truncate_when_empty": "true"}``.
            timeout_s: longest silence of the connection in seconds; default ten minutes.
            cancellation: ends the upload from another thread.

        Raises:
            NotFound: there is no such Data Source.
            InvalidInput: name or data cannot be used; nothing was sent.
            BadRequest: the service does not take condition or data; the old rows are still there.
        """
        _check_name(name, new=False)
        upload = upload_of(data, file_format=format)
        fields = {"replace_condition": condition, **_dialect_fields(dialect), **(options or {})}
        return self._import("replace", name, upload, fields, timeout_s, cancellation)

    def truncate(self, name: str) -> None:
        """Delete all rows. What other Data Sources have been made of them stays.

        Raises:
            NotFound: there is no such Data Source.
        """
        self._transport.send(Request("POST", f"{_path(name)}/truncate", effect="write"))

    def delete(self, name: str, *, force: bool = False) -> None:
        """Delete a Data Source with its rows and its quarantine.

        Args:
            name: or id.
            force: unlink the materializations that depend on it, and delete it then.

        Raises:
            NotFound: there is no such Data Source.
            Conflict: something depends on it.
        """
        query = {"force": "true"} if force else {}
        self._transport.send(Request("DELETE", _path(name), query, effect="write"))

    def _check_existence(self, name: str) -> None:
        """Ask whether there is one: Classic takes an append to a misspelt name for the wish to have a new one.

        Raises:
            NotFound: there is none.
        """
        with suppress(Forbidden):  # A token may be for appending only, and such a token makes nothing new.
            self._transport.get_json(_path(name), {"attrs": "name"})

    def _import(
        self,
        mode: Mode,
        name: str,
        upload: Upload,
        fields: Mapping[str, str | None],
        timeout_s: float | None,
        cancellation: Cancellation | None,
    ) -> ImportReport:
        given = {key: value for key, value in fields.items() if value is not None}
        body, content_type = multipart(given, upload)
        request = Request(
            "POST",
            _PATH,
            # The counts of stored and quarantined rows come with debug=blocks only.
            {"mode": mode, "name": name, "format": upload.file_format, "debug": "blocks"},
            body=body,
            content_type=content_type,
            effect="write",
            length="long",
        )
        wait_s = max(self._transport.timeout_s, _IMPORT_TIMEOUT_S) if timeout_s is None else timeout_s
        reply = self._transport.send(request, timeout_s=wait_s, cancellation=cancellation)
        report = ImportReport.of(reply.json_object(), mode=mode)
        return replace(report, ignored_columns=_ignored_columns(upload, report))


def _path(name: str) -> str:
    # "." and ".." would be taken for steps in the path, even when they are quoted.
    if not name.strip("."):
        raise InvalidInput(f"{name!r} is not the name of a Data Source.")
    return f"{_PATH}/{quote(name, safe='')}"


def _check_name(name: str, *, new: bool = True) -> None:
    # An existing one may be called what a new one may not: shared ones have a dot, old ones whatever was allowed then.
    problem = name_problem(name) if new or not name else None
    if problem:
        raise InvalidInput(problem)


def _engine_fields(
    engine: str | None,
    sorting_key: str | None,
    partition_key: str | None,
    primary_key: str | None,
    ttl: str | None,
    settings: str | None,
    options: Mapping[str, str] | None,
) -> dict[str, str | None]:
    named = {
        "engine": engine,
        "engine_sorting_key": sorting_key,
        "engine_partition_key": partition_key,
        "engine_primary_key": primary_key,
        "engine_ttl": ttl,
        "engine_settings": settings,
    }
    if engine is None and any(value is not None for value in [*named.values(), *(options or {}).values()]):
        named["engine"] = "MergeTree"
    return {**named, **{_prefixed(name): value for name, value in (options or {}).items()}}


def _prefixed(name: str) -> str:
    return name if name.startswith("engine_") else f"engine_{name}"


def _dialect_fields(dialect: Mapping[str, str] | None) -> dict[str, str | None]:
    known = ("delimiter", "new_line", "escapechar")
    for name in dialect or {}:
        if name not in known:
            raise InvalidInput(f"{name!r} is no part of a CSV dialect; there are {', '.join(known)}.")
    return {f"dialect_{name}": value for name, value in (dialect or {}).items()}


def _schema_of(upload: Upload) -> str | None:
    """Return the schema that a DataFrame gives; for a file the service guesses (CSV) or says that one is needed."""
    if upload.frame is None:
        return None
    from tinymagic.frames.encode import schema_of

    return schema_of(upload.frame, json_paths=True)


def _frame_of(rows: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    try:
        frame: pd.DataFrame = pd.DataFrame(list(rows))
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"These rows make no table: {error}.") from None
    return frame


def _ignored_columns(upload: Upload, report: ImportReport) -> tuple[str, ...]:
    if upload.frame is None or report.datasource is None or not report.datasource.columns:
        return ()
    from tinymagic.frames.outgoing import unique_names

    known = {column.name for column in report.datasource.columns}
    labels = [str(label) for label in upload.frame.columns]
    return tuple(label for label, name in zip(labels, unique_names(labels), strict=True) if name not in known)
