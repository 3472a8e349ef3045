"""Calling the endpoints of Pipes, and what is told about them (``pipes.md`` sections 5, 6 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, overload
from urllib.parse import urlencode

from tinymagic.api.described_frames import (
    OUTPUT_SETTINGS,
    check_frame_options,
    checked_result,
    decoded_reply,
    described_rows,
)
from tinymagic.api.endpoint_failures import sql_failure_of
from tinymagic.api.endpoint_frames import composed
from tinymagic.api.errors import InvalidInput, QueryError
from tinymagic.api.long_parameters import reading_request
from tinymagic.api.parameters import checked_unicode, request_parameters
from tinymagic.api.pipe_results import Explanation
from tinymagic.api.raw_results import EndpointReply
from tinymagic.api.replacing import replacing
from tinymagic.api.resource import Resource, path
from tinymagic.api.statement import TYPES_COLUMN

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd
    from typing_extensions import Unpack

    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.http.request import Request
    from tinymagic.api.progress import OnProgress
    from tinymagic.api.query import FormatChoice
    from tinymagic.frames.results import Dtypes, Result, ResultType

#: Extensions of an endpoint's URL (``pipes.md`` section 6.2).
EndpointFormat: TypeAlias = Literal["json", "csv", "csvwithnames", "ndjson", "parquet", "prometheus"]
ENDPOINT_FORMATS: tuple[str, ...] = ("json", "csv", "csvwithnames", "ndjson", "parquet", "prometheus")


class RowsOptions(TypedDict, total=False):
    """What `Endpoints.data` may be given, beside ``q`` and the type of its result."""

    params: Mapping[str, object] | None
    format: FormatChoice
    limit: int | None
    timeout_s: float | None
    cancellation: Cancellation | None
    dtypes: Dtypes


class Endpoints(Resource):
    """The part of `tinymagic.api.pipes.Pipes` that calls endpoints.

    In every method *pipe* is a name or an id, and *params* are values for the template, see
    `tinymagic.api.parameters`: ``None`` as a value means that the template's default is used.
    """

    def call(
        self,
        pipe: str,
        *,
        params: Mapping[str, object] | None = None,
        q: str | None = None,
        format: EndpointFormat = "json",  # noqa: A002 - what the API calls it
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        **url_options: str | int | None,
    ) -> EndpointReply:
        """Call an endpoint and return the reply as it is.

        Args:
            pipe: name or id.
            params: for the template.
            q: SQL over the rows, which ``_`` stands for: ``SELECT count() FROM _``.
            format: ``json``, ``csv`` (with a header), ``csvwithnames``, ``ndjson``, ``parquet`` or ``prometheus``. The
                last wants the columns ``name`` and ``value``.
            timeout_s: seconds for the whole reply; ``None``: the Workspace's.
            cancellation: ends the call from another thread.
            **url_options: parameters of the API itself, for instance ``output_format_json_quote_64bit_integers=1``.

        Raises:
            NotFound: there is no such Pipe, or it is not published.
            Forbidden: the token may not read it.
            BadRequest: a parameter is missing or has no such type, or the template refuses.
            QueryError: the SQL failed; `QueryTimeout` when it took too long.
            ApiError: with the status and the words that a template gives with ``custom_error``.
        """
        checked = _checked_format(format)
        options = {name: str(value) for name, value in url_options.items() if value is not None}
        sent = {**_asked(params, q), **options}
        reply = self._call(pipe, checked, sent, q, timeout_s=timeout_s, cancellation=cancellation)
        return EndpointReply.of(reply)

    @overload
    def data(
        self, pipe: str, *, q: str | None = ..., type: Literal["pandas"] = ..., **options: Unpack[RowsOptions]
    ) -> pd.DataFrame: ...

    @overload
    def data(self, pipe: str, *, q: str | None = ..., type: ResultType, **options: Unpack[RowsOptions]) -> Any: ...

    def data(
        self,
        pipe: str,
        *,
        params: Mapping[str, object] | None = None,
        q: str | None = None,
        format: FormatChoice = "auto",  # noqa: A002 - as in Workspace.sql
        limit: int | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        type: ResultType = "pandas",  # noqa: A002 - as in Workspace.sql
        dtypes: Dtypes = "exact",
    ) -> Any:
        """Call an endpoint and return its rows as a DataFrame with exact dtypes.

        Args:
            pipe: name or id.
            params: for the template.
            q: SQL over the rows, which ``_`` stands for.
            format: how the rows travel; the frame is the same. ``auto`` is ``json``, whose reply tells types and
                statistics; ``parquet`` (needs pyarrow) is smaller for many rows, and wraps *q* to learn the types.
            limit: keep at most so many rows.
            timeout_s: seconds for the whole reply; ``None``: the Workspace's.
            cancellation: ends the call from another thread.
            type: what the rows become, as in `Workspace.sql`.
            dtypes: of a DataFrame of pandas, likewise.

        Returns:
            The frame, or what *type* names;
            ``attrs["tinybird"]`` is as `Workspace.sql` gives it, and has the name of the Pipe as ``pipe``.

        Raises:
            TinybirdError: as for `call`.
        """
        check_frame_options(format, limit)
        result = checked_result(type, dtypes)
        options: dict[str, Any] = {"timeout_s": timeout_s, "cancellation": cancellation}
        if format == "parquet":
            try:
                return self._parquet_value(pipe, params, q, limit, result, options)
            except QueryError as error:
                # A type that Parquet has no form for fails only here; any other error comes again.
                if error.status != 400:
                    raise
        return self._json_value(pipe, params, q, limit, result, options)

    def stream_to(
        self,
        pipe: str,
        target: str | os.PathLike[str],
        *,
        params: Mapping[str, object] | None = None,
        q: str | None = None,
        format: EndpointFormat | None = None,  # noqa: A002 - what the API calls it
        on_progress: OnProgress | None = None,
        cancellation: Cancellation | None = None,
    ) -> int:
        """Write the rows of an endpoint to a file, in constant memory.

        Args:
            pipe: name or id.
            target: path; it is replaced only when all has arrived.
            params: for the template.
            q: SQL over the rows, which ``_`` stands for.
            format: as for `call`; ``None``: what the ending of *target* names.
            on_progress: told how many bytes there are so far.
            cancellation: ends the call from another thread.

        Returns:
            Bytes written.

        Raises:
            InvalidInput: neither *format* nor the ending of *target* name a format.
            OSError: the file cannot be written.
            TinybirdError: as for `call`; the file is as it was.
        """
        chosen = _checked_format(format or format_of_file(str(target)))
        request = self._request(pipe, chosen, _asked(params, q))
        with replacing(target) as file:
            self._transport.download(
                request,
                file,
                on_progress=on_progress,
                cancellation=cancellation,
                failure=lambda reply: sql_failure_of(reply, q, redact=self._transport.redact),
            )
            return file.tell()

    def url(
        self,
        pipe: str,
        *,
        params: Mapping[str, object] | None = None,
        q: str | None = None,
        format: EndpointFormat = "json",  # noqa: A002 - what the API calls it
    ) -> str:
        """Return the address of a call, without a token: it goes into the header ``Authorization: Bearer ...``.

        Example:
            >>> workspace.pipes.url("top_pages", params={"days": 7})  # doctest: +SKIP
            'https://api.tinybird.co/v0/pipes/top_pages.json?days=7'
        """
        sent = _asked(params, q)
        return self._transport.host + _address(pipe, _checked_format(format)) + (f"?{urlencode(sent)}" if sent else "")

    def link(
        self,
        pipe: str,
        *,
        params: Mapping[str, object] | None = None,
        q: str | None = None,
        format: EndpointFormat = "json",  # noqa: A002 - what the API calls it
    ) -> str:
        """Return the address of a call **with the token of this Workspace in it**, which works in a browser.

        Whoever sees the link can do all that the token may do: connect with a token that may only read this Pipe before
        you share one. A warning says so.

        Warns:
            TokenInLink: always.
        """
        return self._transport.link(_address(pipe, _checked_format(format)), _asked(params, q))

    def explain(self, pipe: str, *, node: str | None = None, params: Mapping[str, object] | None = None) -> Explanation:
        """Return the plan of a node.

        Args:
            pipe: name or id.
            node: name or id; ``None``: the published node, else the one that the service takes.
            params: for the template.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: a parameter is missing, or the SQL cannot be run.
        """
        address = path("/v0/pipes/", pipe, *(("/nodes/", node) if node is not None else ()), "/explain")
        return Explanation.of(self._ask(self._reading(address, request_parameters(params))).json_object())

    def openapi(self, pipe: str | None = None) -> Mapping[str, Any]:
        """Return the OpenAPI document of one endpoint, or of all that the token may read.

        Raises:
            NotFound: there is no such Pipe, or it is not published.
        """
        named = () if pipe is None else (pipe, "/")
        return self._get(path("/v0/pipes/", *named) + "openapi.json")

    # How a call travels

    def _json_value(
        self,
        pipe: str,
        params: Mapping[str, object] | None,
        q: str | None,
        limit: int | None,
        result: Result,
        options: dict[str, Any],
        *,
        only_types: bool = False,
    ) -> Any:
        from tinymagic.frames.decode import decode_json

        asked_q = composed(q, limit=limit, only_types=only_types)
        reply = self._call(pipe, "json", {**_asked(params, asked_q), **OUTPUT_SETTINGS["JSONCompact"]}, q, **options)
        found = decoded_reply(reply, lambda: decode_json(reply.body, result), self._transport.redact)
        return described_rows(found, reply, self._origin(pipe, params, asked_q, "JSON"), limit=limit).value

    def _parquet_value(
        self,
        pipe: str,
        params: Mapping[str, object] | None,
        q: str | None,
        limit: int | None,
        result: Result,
        options: dict[str, Any],
    ) -> Any:
        from tinymagic.frames.decode import decode_parquet

        asked_q = composed(q, limit=limit, wire_format="Parquet")
        reply = self._call(pipe, "parquet", {**_asked(params, asked_q), **OUTPUT_SETTINGS["Parquet"]}, q, **options)
        redact = self._transport.redact
        found = decoded_reply(reply, lambda: decode_parquet(reply.body, result, types_column=TYPES_COLUMN), redact)
        if found is None:
            # Without a row nothing tells the types: the same call for no rows, in JSON, does.
            return self._json_value(pipe, params, q, limit, result, options, only_types=True)
        return described_rows(found, reply, self._origin(pipe, params, asked_q, "Parquet"), limit=limit).value

    def _origin(
        self, pipe: str, params: Mapping[str, object] | None, q: str | None, wire_format: str
    ) -> dict[str, Any]:
        return {
            "pipe": pipe,
            "sql": q or "",
            "parameters": request_parameters(params),
            "format": wire_format,
            "host": self._transport.host,
        }

    def _call(self, pipe: str, extension: str, sent: Mapping[str, str], q: str | None, **options: Any) -> Reply:
        def failure(reply: Reply) -> TinybirdError:
            return sql_failure_of(reply, q, redact=self._transport.redact)

        return self._ask(self._request(pipe, extension, sent), failure=failure, **options)

    def _request(self, pipe: str, extension: str, sent: Mapping[str, str]) -> Request:
        return self._reading(_address(pipe, extension), sent)

    def _reading(self, address: str, sent: Mapping[str, str]) -> Request:
        return reading_request(self._transport.host, address, sent)


def _address(pipe: str, extension: str) -> str:
    return f"{path('/v0/pipes/', pipe)}.{extension}"


def _asked(params: Mapping[str, object] | None, q: str | None) -> dict[str, str]:
    """Return the parameters of a call as texts."""
    sent = request_parameters(params)
    return sent if q is None else {**sent, "q": checked_unicode(q, "q")}


def _checked_format(name: str) -> str:
    if name not in ENDPOINT_FORMATS:
        raise InvalidInput(f"The format of an endpoint is one of {', '.join(ENDPOINT_FORMATS)}; not {name!r}.")
    return name


def format_of_file(name: str) -> str:
    """Return the format that the ending of a file names.

    Raises:
        InvalidInput: it names none.

    Example:
        >>> format_of_file("rows.jsonl")
        'ndjson'
    """
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    found = {"jsonl": "ndjson", "pq": "parquet", "prom": "prometheus"}.get(ending, ending)
    if found not in ENDPOINT_FORMATS:
        raise InvalidInput(f"The ending of {name!r} names no format: give one of {', '.join(ENDPOINT_FORMATS)}.")
    return found
