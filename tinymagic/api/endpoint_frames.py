"""The rows of an endpoint as a DataFrame: the ``q`` that is sent for one, and what the frame says about its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import BadReply
from tinymagic.api.query import header_statistics
from tinymagic.api.statement import WireFormat, compose
from tinymagic.sqltext import is_template, split_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from tinymagic.api.replies import Reply
    from tinymagic.frames.decoded import Decoded

#: The rows of the endpoint in ``q`` (``pipes.md`` section 6.1).
ROWS = "SELECT * FROM _"

#: NaN and NULL are both null in JSON unless NaN is quoted; Parquet's texts are to be texts.
SETTINGS: dict[WireFormat, dict[str, str]] = {
    "JSONCompact": {"output_format_json_quote_denormals": "1"},
    "Parquet": {"output_format_parquet_string_as_string": "1"},
}


def composed(
    q: str | None, *, limit: int | None = None, wire_format: WireFormat = "JSONCompact", only_types: bool = False
) -> str | None:
    """Return the ``q`` to send, or ``None`` when the endpoint is to be called as it is. Pure.

    Args:
        q: as the user wrote it; a FORMAT at its end is dropped, because the extension of the URL names the format.
        limit: at most so many rows are wanted; one more is asked for, which tells whether there were more.
        wire_format: for ``Parquet`` a column with the exact types is added.
        only_types: ask for no rows at all.

    Example:
        >>> composed(None), composed("SELECT a FROM _ FORMAT CSV")
        (None, 'SELECT a FROM _')
        >>> print(composed(None, limit=10))
        SELECT * FROM (
        SELECT * FROM _
        ) LIMIT 11
    """
    if limit is None and wire_format == "JSONCompact" and not only_types:
        return None if q is None else q if is_template(q) else split_format(q)[0]
    statement = compose(q or ROWS, wire_format=wire_format, limit=limit, only_types=only_types)
    return statement.text.rpartition("\nFORMAT ")[0] or statement.text


def decoded(reply: Reply, decode: Callable[[], Any], redact: Callable[[str], str]) -> Any:
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


def described(
    found: Decoded,
    reply: Reply,
    *,
    pipe: str,
    host: str,
    q: str | None,
    parameters: Mapping[str, str],
    wire_format: str,
    limit: int | None,
) -> pd.DataFrame:
    """Cut the extra row off, and write down in ``attrs["tinybird"]`` where the frame comes from.

    The keys are those of `tinymagic.Workspace.sql`, and ``pipe``; ``sql`` is the ``q`` that was sent, ``""`` for none.
    """
    frame = found.frame
    truncated = limit is not None and len(frame) > limit
    if truncated:
        frame = frame.iloc[:limit].reset_index(drop=True)
    statistics = found.statistics or header_statistics(reply.headers)
    frame.attrs["tinybird"] = {
        "pipe": pipe,
        "sql": q or "",
        "parameters": dict(parameters),
        "columns": [[name, kind] for name, kind in found.columns],
        "statistics": None if statistics is None else dict(statistics),
        "rows": len(frame),
        "rows_before_limit": found.rows_before_limit_at_least,
        "wall_s": round(reply.wall_s, 6),
        "bytes_received": reply.bytes_received,
        "format": wire_format,
        "truncated": truncated,
        "limit": limit,
        "host": host,
        "request_id": reply.request_id,
        "notices": list(found.notices),
    }
    return frame
