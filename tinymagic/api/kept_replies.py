"""Replies that were kept, read again: the rows are equal to those of the query, in any type. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.api.described_frames import checked_result, first_rows, rows_with_facts
from tinymagic.api.errors import InvalidInput
from tinymagic.api.statement import TYPES_COLUMN
from tinymagic.api.upload import parquet_is_available

if TYPE_CHECKING:
    from tinymagic.api.raw_results import KeptReply, Rows
    from tinymagic.frames.results import Dtypes, ResultType


def rows_of(
    kept: KeptReply,
    *,
    type: ResultType = "pandas",  # noqa: A002 - as `Query.rows` has it
    dtypes: Dtypes = "exact",
    notice: str | None = None,
) -> Rows:
    """Decode a kept reply.

    Args:
        kept: as `tinymagic.api.query.Query.rows` gave it to its ``on_reply``.
        type: of the result.
        dtypes: of a DataFrame of pandas.
        notice: is put in front of the notices among the facts.

    Raises:
        InvalidInput: a package is missing, or the reply is damaged.
    """
    from tinymagic.frames.decode import decode_json_compact, decode_parquet
    from tinymagic.frames.decoded import DecodeError

    result = checked_result(type, dtypes)
    if kept.wire_format == "Parquet" and not parquet_is_available():
        raise InvalidInput("The kept result is in Parquet, which needs pyarrow: pip install 'tinymagic[fast]'.")
    try:
        if kept.wire_format == "Parquet":
            decoded = decode_parquet(kept.body, result, types_column=TYPES_COLUMN)
        else:
            decoded = decode_json_compact(kept.body, result)
    except DecodeError as error:
        raise InvalidInput(f"The kept result is damaged: {error}") from None
    if decoded is None:
        raise InvalidInput("The kept result is damaged: nothing in it tells the types.")
    limit = kept.facts.get("limit")
    value = decoded.value if limit is None else first_rows(decoded.value, limit)
    notices = [*([notice] if notice else []), *decoded.notices]
    columns = [[name, kind] for name, kind in decoded.columns]
    return rows_with_facts(value, {**kept.facts, "columns": columns, "notices": notices})
