"""The Query API, ``/v0/sql``: one read-only statement in, bytes or a DataFrame out (``query.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, TypedDict, cast, overload

from tinymagic.api.described_frames import (
    OUTPUT_SETTINGS,
    check_frame_options,
    checked_result,
    decoded_reply,
    described_rows,
)
from tinymagic.api.errors import InvalidInput, QueryError, TinybirdError
from tinymagic.api.http.failures import as_sentence, query_failure_of
from tinymagic.api.http.reply_statistics import SUMMARY_HEADER, header_statistics
from tinymagic.api.long_parameters import reading_request
from tinymagic.api.parameters import checked_unicode, request_parameters
from tinymagic.api.raw_results import KeptReply, QueryResult, Rows
from tinymagic.api.replacing import path_of, replacing
from tinymagic.api.saved_results import (
    FILE_SETTINGS,
    FileKind,
    RowCounter,
    SavedResult,
    checked_place,
    parquet_rows,
)
from tinymagic.api.sql_tools import SqlTools, explanation_in
from tinymagic.api.statement import TYPES_COLUMN, Statement, compose, compose_file, find_name
from tinymagic.api.upload import parquet_is_available
from tinymagic.frames.results import Dtypes, ResultType

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    import pandas as pd
    from typing_extensions import Unpack

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.http.transport import Transport
    from tinymagic.api.pipe_results import Explanation
    from tinymagic.api.progress import OnProgress
    from tinymagic.frames.decoded import Decoded
    from tinymagic.frames.results import Result

__all__ = ["Dtypes", "FormatChoice", "Query", "QueryResult", "ResultType", "Rows", "RowsOptions", "SavedResult"]

FormatChoice: TypeAlias = Literal["auto", "parquet", "json"]

_PATH = "/v0/sql"

#: What ClickHouse says of a type that Parquet has no form for, such as Interval or NULL without a type.
_NO_PARQUET_FORM = ("UNKNOWN_TYPE", "NOT_IMPLEMENTED")


class RowsOptions(TypedDict, total=False):
    """What a query for rows may be given, beside its text and the type of its result; `Workspace.sql` tells of each."""

    params: Mapping[str, object] | None
    format: FormatChoice
    limit: int | None
    timeout_s: float | None
    pipeline: str | None
    cancellation: Cancellation | None
    dtypes: Dtypes


class Query(SqlTools):
    """``workspace.query``: queries whose reply is wanted as it is. For a DataFrame see `Workspace.sql`."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._reports_statistics = False

    def run(
        self,
        q: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        **url_options: str | int | None,
    ) -> QueryResult:
        r"""Run *q* exactly as it stands and return the raw reply.

        Args:
            q: one SELECT or DESCRIBE, with a FORMAT clause for anything but TSV; or a template (first sign ``%``).
            params: values for the template and for the Pipes that *q* reads.
            timeout_s: seconds for the whole reply; ``None``: the Workspace's.
            cancellation: ends the query from another thread.
            **url_options: parameters of the API itself, for instance ``pipeline="my_pipe"``.

        Raises:
            QueryError: the service refused the SQL or could not run it.
            TinybirdError: whatever else went wrong; the tree is in `tinymagic.errors`.

        Example:
            >>> ws.query.run("SELECT 1 AS n FORMAT CSVWithNames").text()  # doctest: +SKIP
            '"n"\n1\n'
        """

        def failure(reply: Reply) -> TinybirdError:
            error = query_failure_of(reply, q, redact=self._transport.redact)
            return _placed(error, lambda byte, _: len(q.encode()[:byte].decode("utf-8", "ignore")), q)

        sent = {"q": q, **request_parameters(params), **_options(url_options)}
        reply = self._send(sent, failure, timeout_s=timeout_s, cancellation=cancellation)
        return QueryResult.of(reply)

    @overload
    def frame(self, q: str, *, type: Literal["pandas"] = ..., **options: Unpack[RowsOptions]) -> pd.DataFrame: ...

    @overload
    def frame(self, q: str, *, type: ResultType, **options: Unpack[RowsOptions]) -> Any: ...

    def frame(self, q: str, *, type: ResultType = "pandas", **options: Unpack[RowsOptions]) -> Any:  # noqa: A002
        """Run *q* and return its rows; `tinymagic.Workspace.sql` describes it."""
        return self.rows(q, type=type, **options).value

    def rows(
        self,
        q: str,
        *,
        params: Mapping[str, object] | None = None,
        format: FormatChoice = "auto",  # noqa: A002 - the name that users know from the magic's flag
        limit: int | None = None,
        timeout_s: float | None = None,
        pipeline: str | None = None,
        cancellation: Cancellation | None = None,
        type: ResultType = "pandas",  # noqa: A002 - the name that users know from the magic's flag
        dtypes: Dtypes = "exact",
        on_reply: Callable[[KeptReply], object] | None = None,
    ) -> Rows:
        """Run *q* and return its rows together with the facts about them, of which only pandas has room for in a frame.

        The arguments and the errors are those of `tinymagic.Workspace.sql`; *on_reply* gets the reply that the rows
        were in, of which `tinymagic.api.kept_replies.rows_of` makes the same rows again.

        Example:
            >>> ws.query.rows("SELECT 1 AS n", type="dicts").value  # doctest: +SKIP
            [{'n': 1}]
        """
        _check(q, format, limit)
        result = checked_result(type, dtypes)
        options = _options({"pipeline": pipeline})
        asked = _Asked(q, request_parameters(params), options, limit, timeout_s, cancellation, result, on_reply)
        if format == "json" or (format == "auto" and not (self._reports_statistics and parquet_is_available())):
            return self._json_rows(asked)
        try:
            return self._parquet_rows(asked)
        except QueryError as error:
            # A type that Parquet has no form for fails only here; and an error in JSON speaks less of our own wrapper.
            if error.status != 400 or (format == "parquet" and error.code_name not in _NO_PARQUET_FORM):
                raise
            return self._json_rows(asked)

    def to_file(
        self,
        q: str,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the name that users know
        params: Mapping[str, object] | None = None,
        limit: int | None = None,
        timeout_s: float | None = None,
        pipeline: str | None = None,
        cancellation: Cancellation | None = None,
        on_progress: OnProgress | None = None,
        overwrite: bool = False,
    ) -> SavedResult:
        """Run *q* and write its rows to a file as they come, in constant memory.

        The service writes the format, so nothing of a value is lost in between; in the JSON ones NaN and infinity are
        in quotes, to be no NULL.

        Args:
            q: one SELECT or DESCRIBE, or a template. A FORMAT clause at its end is dropped.
            path: of the file. It is there when all has arrived, and not before: whatever ends the call earlier leaves
                things as they were.
            format: ``parquet``, ``csv`` and ``tsv`` (both with a line of names), ``ndjson`` (``jsonl``) or ``json``;
                ``None``: what the ending of *path* names. A text format whose file ends in ``.gz`` is compressed.
            params: values for the template and for the Pipes that *q* reads.
            limit: at most so many rows.
            timeout_s: longest silence of the connection in seconds; ``None``: the Workspace's.
            pipeline: name of the Pipe that ``_`` in *q* stands for.
            cancellation: ends the query from another thread.
            on_progress: told how many bytes have arrived.
            overwrite: replace a file that is there; else that is an error.

        Raises:
            InvalidInput: the format is not clear, the folder is not there, or the file is; nothing was sent.
            QueryError: the service refused the SQL or could not run it.
            BadReply: the rows broke off.
            OSError: the file cannot be written.
            TinybirdError: whatever else went wrong.

        Example:
            >>> ws.query.to_file("SELECT * FROM numbers(3)", "numbers.parquet").rows  # doctest: +SKIP
            3
        """
        _check(q, "auto", limit)
        place = checked_place(path_of(path), overwrite=overwrite)
        kind = FileKind.of(place, format)
        statement = compose_file(q, output_format=kind.wire_format, limit=limit)
        sent = {
            "q": statement.text,
            **FILE_SETTINGS.get(kind.wire_format, {}),
            **request_parameters(params),
            **_options({"pipeline": pipeline}),
        }
        with replacing(place, overwrite=overwrite) as file:
            with kind.opened(file) as target:
                counter = RowCounter(target, kind.wire_format)
                reply = self._transport.download(
                    reading_request(self._transport.host, _PATH, sent),
                    cast("BinaryIO", counter),
                    on_progress=on_progress,
                    timeout_s=timeout_s,
                    cancellation=cancellation,
                    failure=lambda reply: self._failure(reply, statement, q),
                )
                counter.check_end()
            file.flush()
            size = file.tell()
            rows = parquet_rows(file) if kind.wire_format == "Parquet" else counter.rows()
        return SavedResult(place, kind.wire_format, size, rows, reply.wall_s, header_statistics(reply.headers))

    def explain(
        self,
        q: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        pipeline: str | None = None,
        cancellation: Cancellation | None = None,
    ) -> Explanation:
        """Return how *q* would be run; its rows are not.

        Args:
            q: one SELECT, or a template.
            params: values for the template and for the Pipes that *q* reads.
            timeout_s: seconds for the reply; ``None``: the Workspace's.
            pipeline: name of the Pipe that ``_`` in *q* stands for.
            cancellation: ends the request from another thread.

        Raises:
            QueryError: the service refused the SQL.
            BadReply: the service gives no plan for queries.
        """
        options = {"explain": "true", "pipeline": pipeline}
        return explanation_in(
            self.run(q, params=params, timeout_s=timeout_s, cancellation=cancellation, **options).text()
        )

    def _json_rows(self, asked: _Asked) -> Rows:
        from tinymagic.frames.decode import decode_json_compact

        statement = compose(asked.q, limit=asked.limit)
        reply = self._send_statement(statement, asked)
        decoded = self._decoded(reply, lambda: decode_json_compact(reply.body, asked.result))
        return self._described(statement, asked, decoded, reply)

    def _parquet_rows(self, asked: _Asked) -> Rows:
        from tinymagic.frames.decode import decode_json_compact, decode_parquet

        statement = compose(asked.q, wire_format="Parquet", limit=asked.limit)
        reply = self._send_statement(statement, asked)
        if statement.wire_format == "JSONCompact":
            decoded = self._decoded(reply, lambda: decode_json_compact(reply.body, asked.result))
            return self._described(statement, asked, decoded, reply)
        some = self._decoded(reply, lambda: decode_parquet(reply.body, asked.result, types_column=TYPES_COLUMN))
        if some is None:
            # Without a row nothing tells the types: the same query for no rows, in JSON, does.
            empty = self._send_statement(compose(asked.q, only_types=True), asked)
            some = self._decoded(empty, lambda: decode_json_compact(empty.body, asked.result))
            return self._described(statement, asked, some, reply, kept=("JSONCompact", empty.body))
        return self._described(statement, asked, some, reply)

    def _send_statement(self, statement: Statement, asked: _Asked) -> Reply:
        sent = {
            "q": statement.text,
            **OUTPUT_SETTINGS[statement.wire_format],
            **asked.parameters,
            **asked.options,
        }
        return self._send(
            sent,
            lambda reply: self._failure(reply, statement, asked.q),
            timeout_s=asked.timeout_s,
            cancellation=asked.cancellation,
        )

    def _failure(self, reply: Reply, statement: Statement, given: str) -> TinybirdError:
        error = query_failure_of(reply, given, redact=self._transport.redact)
        raw = error.message
        placed = _placed(error, statement.position_in_given, given)
        if isinstance(placed, QueryError):
            placed.message = statement.message_of_given(raw)
            placed.args = (as_sentence(placed.message),)
        return placed

    def _send(self, sent: Mapping[str, str], failure: Callable[[Reply], TinybirdError], **options: Any) -> Reply:
        reply = self._transport.send(reading_request(self._transport.host, _PATH, sent), failure=failure, **options)
        if SUMMARY_HEADER in reply.headers:
            self._reports_statistics = True
        return reply

    def _decoded(self, reply: Reply, decode: Callable[[], Any]) -> Any:
        return decoded_reply(reply, decode, self._transport.redact)

    def _described(
        self,
        statement: Statement,
        asked: _Asked,
        decoded: Decoded,
        reply: Reply,
        *,
        kept: tuple[str, bytes] | None = None,
    ) -> Rows:
        rows = described_rows(
            decoded,
            reply,
            {
                "sql": statement.text,
                "parameters": dict(asked.parameters),
                "format": statement.wire_format,
                "host": self._transport.host,
            },
            limit=asked.limit,
        )
        if asked.on_reply is not None:
            wire_format, body = kept or (statement.wire_format, reply.body)
            asked.on_reply(KeptReply(wire_format, body, dict(rows.facts)))
        return rows


@dataclass(frozen=True)
class _Asked:
    """One call of `Query.rows`, its arguments checked and in the form in which they are sent."""

    q: str
    parameters: Mapping[str, str]
    options: Mapping[str, str]
    limit: int | None
    timeout_s: float | None
    cancellation: Cancellation | None
    result: Result
    on_reply: Callable[[KeptReply], object] | None


def _check(q: str, wire_format: str, limit: int | None) -> None:
    if not isinstance(q, str):
        raise InvalidInput(f"The query is a text, not {type(q).__name__}.")
    checked_unicode(q, "The query")
    check_frame_options(wire_format, limit)


def _options(options: Mapping[str, str | int | None]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items() if value is not None}


def _placed(error: TinybirdError, place: Callable[[int, str], int | None], given: str) -> TinybirdError:
    """Turn the service's byte position into one in the user's text, or find the name that the error is about."""
    if isinstance(error, QueryError):
        if error.position is not None:
            error.position = place(error.position, error.message)
        elif error.named is not None:
            error.position = find_name(given, error.named, kind=error.named_kind)
    return error
