"""The rows of a reply, and the facts that tell where they come from; for queries and endpoints alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import BadReply, InvalidInput
from tinymagic.api.http.reply_statistics import header_statistics, known_statistics
from tinymagic.api.raw_results import Rows
from tinymagic.api.upload import parquet_is_available
from tinymagic.frames.tables import is_arrow, is_pandas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.api.http.replies import Reply
    from tinymagic.api.statement import WireFormat
    from tinymagic.frames.decoded import Decoded
    from tinymagic.frames.results import Result

#: What the decoders need: NaN and NULL are both null in JSON unless NaN is quoted; Parquet's texts are to be texts.
OUTPUT_SETTINGS: dict[WireFormat, dict[str, str]] = {
    "JSONCompact": {"output_format_json_quote_denormals": "1"},
    "Parquet": {"output_format_parquet_string_as_string": "1"},
}


def check_frame_options(wire_format: str, limit: int | None) -> None:
    """Refuse what cannot be asked for.

    Args:
        wire_format: ``auto``, ``json`` or ``parquet``, which needs pyarrow.
        limit: at most so many rows; ``None`` for all.

    Raises:
        InvalidInput: one of them cannot be.
    """
    if wire_format not in ("auto", "parquet", "json"):
        raise InvalidInput(f"format is 'auto', 'parquet' or 'json', not {wire_format!r}.")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidInput(f"limit is a whole number of rows from 0 up, not {limit!r}.")
    if wire_format == "parquet" and not parquet_is_available():
        raise InvalidInput("format='parquet' needs pyarrow: pip install 'tinymagic[fast]', or use format='json'.")


def checked_result(type: str, dtypes: str) -> Result:  # noqa: A002 - the name that users know from the flag
    """Return what makes such a value of rows, once everything that it needs is there.

    Args:
        type: ``pandas``, ``polars``, ``arrow`` or ``dicts``.
        dtypes: ``exact``, ``numpy`` or ``arrow``; the latter two for pandas only. `tinymagic.frames.results` has the
            tables.

    Raises:
        InvalidInput: there is no such type or policy, or a package is not installed.
    """
    from tinymagic.frames.results import result_of

    try:
        result = result_of(type, dtypes)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    wanted = f"type={type!r}" if type != "pandas" else f"dtypes={dtypes!r}"
    instead = "type='pandas'" if type != "pandas" else "dtypes='exact'"
    for package, extra in _NEEDED.get(type if type != "pandas" else dtypes, ()):
        if not is_installed(package):
            raise InvalidInput(f"{wanted} needs {package}: pip install 'tinymagic[{extra}]', or use {instead}.")
    return result


#: Result types and dtype policies -> packages they need, each with the extra that brings it.
_NEEDED = {"polars": (("polars", "polars"), ("pyarrow", "polars")), "arrow": (("pyarrow", "fast"),)}


def is_installed(package: str) -> bool:
    """Say whether a package can be imported, without importing it."""
    from importlib.util import find_spec

    return find_spec(package) is not None


def decoded_reply(reply: Reply, decode: Callable[[], Any], redact: Callable[[str], str]) -> Any:
    """Run a decoder of `tinymagic.frames` on a reply.

    Raises:
        BadReply: the body is not what it should be.
    """
    from tinymagic.frames.decoded import DecodeError

    if reply.content_type == "text/html":
        raise BadReply(
            f"{reply.asked} answered with a web page where rows were expected. Is the host an API host?",
            status=reply.status,
            request_id=reply.request_id,
        )
    try:
        return decode()
    except DecodeError as error:
        raise BadReply(redact(str(error)), status=reply.status, request_id=reply.request_id) from None


def described_rows(decoded: Decoded, reply: Reply, origin: Mapping[str, Any], *, limit: int | None) -> Rows:
    """Cut the extra row off, and write down where the rows come from.

    Args:
        decoded: rows and types.
        reply: that they came in.
        origin: what was asked: ``sql``, ``parameters``, ``format`` and ``host``, perhaps more; plain values only.
        limit: so many rows were wanted, and one more was asked for; ``None``: all.
    """
    value = decoded.value
    arrived = len(value)
    truncated = limit is not None and arrived > limit
    if truncated:
        value = first_rows(value, limit or 0)
    statistics = decoded.statistics or header_statistics(reply.headers)
    facts = {
        **origin,
        "columns": [[name, kind] for name, kind in decoded.columns],
        "statistics": None if statistics is None else known_statistics(statistics),
        "rows": len(value),
        "rows_before_limit": decoded.rows_before_limit_at_least,
        "wall_s": round(reply.wall_s, 6),
        "bytes_received": reply.bytes_received,
        "truncated": truncated,
        "limit": limit,
        "request_id": reply.request_id,
        "notices": list(decoded.notices),
    }
    return rows_with_facts(value, facts)


def rows_with_facts(value: Any, facts: dict[str, Any]) -> Rows:
    """Put rows and the facts about them together; a DataFrame of pandas carries them itself."""
    if is_pandas(value):
        value.attrs["tinybird"] = facts
    return Rows(value, facts)


def first_rows(value: Any, count: int) -> Any:
    """Return the first rows of a result of any type."""
    if is_pandas(value):
        return value.iloc[:count].reset_index(drop=True)
    # Of an Arrow table a slice of rows would be a slice of columns.
    return value.slice(0, count) if is_arrow(value) else value[:count]
