"""The rows of a reply as a DataFrame that tells where it comes from; for queries and endpoints alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import BadReply, InvalidInput
from tinymagic.api.http.reply_statistics import header_statistics, known_statistics
from tinymagic.api.upload import parquet_is_available

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from tinymagic.api.http.replies import Reply
    from tinymagic.api.statement import WireFormat
    from tinymagic.frames.decoded import Decoded

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


def described_frame(decoded: Decoded, reply: Reply, origin: Mapping[str, Any], *, limit: int | None) -> pd.DataFrame:
    """Cut the extra row off, and write down in ``attrs["tinybird"]`` where the frame comes from.

    Args:
        decoded: rows and types.
        reply: that they came in.
        origin: what was asked: ``sql``, ``parameters``, ``format`` and ``host``, perhaps more; plain values only.
        limit: so many rows were wanted, and one more was asked for; ``None``: all.
    """
    frame = decoded.frame
    truncated = limit is not None and len(frame) > limit
    if truncated:
        frame = frame.iloc[:limit].reset_index(drop=True)
    statistics = decoded.statistics or header_statistics(reply.headers)
    frame.attrs["tinybird"] = {
        **origin,
        "columns": [[name, kind] for name, kind in decoded.columns],
        "statistics": None if statistics is None else known_statistics(statistics),
        "rows": len(frame),
        "rows_before_limit": decoded.rows_before_limit_at_least,
        "wall_s": round(reply.wall_s, 6),
        "bytes_received": reply.bytes_received,
        "truncated": truncated,
        "limit": limit,
        "request_id": reply.request_id,
        "notices": list(decoded.notices),
    }
    return frame
