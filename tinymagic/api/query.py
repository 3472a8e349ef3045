"""The Query API, ``/v0/sql``: one read-only statement in, bytes or a DataFrame out (``query.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tinymagic.api.described_frames import OUTPUT_SETTINGS, check_frame_options, decoded_reply, described_frame
from tinymagic.api.errors import InvalidInput, QueryError, TinybirdError
from tinymagic.api.http.failures import as_sentence, query_failure_of
from tinymagic.api.http.reply_statistics import SUMMARY_HEADER
from tinymagic.api.long_parameters import reading_request
from tinymagic.api.parameters import checked_unicode, request_parameters
from tinymagic.api.raw_results import QueryResult
from tinymagic.api.sql_tools import SqlTools, explanation_in
from tinymagic.api.statement import TYPES_COLUMN, Statement, compose, find_name
from tinymagic.api.upload import parquet_is_available

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.http.transport import Transport
    from tinymagic.api.pipe_results import Explanation
    from tinymagic.frames.decoded import Decoded

__all__ = ["FormatChoice", "Query", "QueryResult"]

FormatChoice: TypeAlias = Literal["auto", "parquet", "json"]

_PATH = "/v0/sql"

#: What ClickHouse says of a type that Parquet has no form for, such as Interval or NULL without a type.
_NO_PARQUET_FORM = ("UNKNOWN_TYPE", "NOT_IMPLEMENTED")


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

    def frame(
        self,
        q: str,
        *,
        params: Mapping[str, object] | None = None,
        format: FormatChoice = "auto",  # noqa: A002 - the name that users know from the magic's flag
        limit: int | None = None,
        timeout_s: float | None = None,
        pipeline: str | None = None,
        cancellation: Cancellation | None = None,
    ) -> pd.DataFrame:
        """Run *q* and return its rows; `tinymagic.Workspace.sql` describes it."""
        _check(q, format, limit)
        asked = _Asked(q, request_parameters(params), _options({"pipeline": pipeline}), limit, timeout_s, cancellation)
        if format == "json" or (format == "auto" and not (self._reports_statistics and parquet_is_available())):
            return self._json_frame(asked)
        try:
            return self._parquet_frame(asked)
        except QueryError as error:
            # A type that Parquet has no form for fails only here; and an error in JSON speaks less of our own wrapper.
            if error.status != 400 or (format == "parquet" and error.code_name not in _NO_PARQUET_FORM):
                raise
            return self._json_frame(asked)

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

    def _json_frame(self, asked: _Asked) -> pd.DataFrame:
        from tinymagic.frames.decode import decode_json_compact

        statement = compose(asked.q, limit=asked.limit)
        reply = self._send_statement(statement, asked)
        decoded = self._decoded(reply, lambda: decode_json_compact(reply.body))
        return self._described(statement, asked, decoded, reply)

    def _parquet_frame(self, asked: _Asked) -> pd.DataFrame:
        from tinymagic.frames.decode import decode_json_compact, decode_parquet

        statement = compose(asked.q, wire_format="Parquet", limit=asked.limit)
        reply = self._send_statement(statement, asked)
        if statement.wire_format == "JSONCompact":
            decoded = self._decoded(reply, lambda: decode_json_compact(reply.body))
            return self._described(statement, asked, decoded, reply)
        some = self._decoded(reply, lambda: decode_parquet(reply.body, types_column=TYPES_COLUMN))
        if some is None:
            # Without a row nothing tells the types: the same query for no rows, in JSON, does.
            empty = self._send_statement(compose(asked.q, only_types=True), asked)
            some = self._decoded(empty, lambda: decode_json_compact(empty.body))
        return self._described(statement, asked, some, reply)

    def _send_statement(self, statement: Statement, asked: _Asked) -> Reply:
        def failure(reply: Reply) -> TinybirdError:
            error = query_failure_of(reply, asked.q, redact=self._transport.redact)
            raw = error.message
            placed = _placed(error, statement.position_in_given, asked.q)
            if isinstance(placed, QueryError):
                placed.message = statement.message_of_given(raw)
                placed.args = (as_sentence(placed.message),)
            return placed

        sent = {
            "q": statement.text,
            **OUTPUT_SETTINGS[statement.wire_format],
            **asked.parameters,
            **asked.options,
        }
        return self._send(sent, failure, timeout_s=asked.timeout_s, cancellation=asked.cancellation)

    def _send(self, sent: Mapping[str, str], failure: Callable[[Reply], TinybirdError], **options: Any) -> Reply:
        reply = self._transport.send(reading_request(self._transport.host, _PATH, sent), failure=failure, **options)
        if SUMMARY_HEADER in reply.headers:
            self._reports_statistics = True
        return reply

    def _decoded(self, reply: Reply, decode: Callable[[], Any]) -> Any:
        return decoded_reply(reply, decode, self._transport.redact)

    def _described(self, statement: Statement, asked: _Asked, decoded: Decoded, reply: Reply) -> pd.DataFrame:
        return described_frame(
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


@dataclass(frozen=True)
class _Asked:
    """One call of `Query.frame`, its arguments checked and in the form in which they are sent."""

    q: str
    parameters: Mapping[str, str]
    options: Mapping[str, str]
    limit: int | None
    timeout_s: float | None
    cancellation: Cancellation | None


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
