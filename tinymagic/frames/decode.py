"""Replies of the Query API -> DataFrame, Arrow table or dictionaries: the same whatever the wire format.

Dtypes are exact: nothing is rounded and nothing becomes a float. The tables are in the modules of
`tinymagic.frames.families`; what else than a DataFrame of exact dtypes there can be, in `tinymagic.frames.results`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.frames.decoded import Decoded, DecodeError, TypesUnknown
from tinymagic.frames.json_wire import decode_json, decode_json_compact
from tinymagic.frames.parquet_wire import TYPES_COLUMN, decode_parquet, with_types
from tinymagic.frames.results import EXACT_PANDAS, Result, result_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "TYPES_COLUMN",
    "DecodeError",
    "Decoded",
    "Result",
    "TypesUnknown",
    "decode",
    "decode_json",
    "decode_json_compact",
    "decode_parquet",
    "result_of",
    "with_types",
]


def decode(
    body: bytes,
    wire_format: str,
    result: Result = EXACT_PANDAS,
    *,
    types: Sequence[tuple[str, str]] | None = None,
) -> Decoded:
    """Turn the body of a reply into rows; the three wire formats give equal ones.

    Args:
        body: the whole body.
        wire_format: ``JSON``, ``JSONCompact`` or ``Parquet``. JSON is best asked for with
            ``output_format_json_quote_denormals=1``, which keeps NaN and NULL apart.
        result: what the rows become, as `result_of` names it.
        types: (column, ClickHouse type) of each column, for a Parquet body that does not tell: one without rows, or
            of a query that `with_types` has not wrapped. JSON replies name their types themselves.

    Returns:
        The rows, the exact types, and for JSON the statistics. A name that stands twice in the header stands twice in
        the frame.

    Raises:
        DecodeError: the body is cut short, is not in that format, or a value is not of its column's type.
        TypesUnknown: a Parquet body that does not tell its types came without *types*.
        ImportError: Parquet was given and pyarrow is not installed (extra ``fast``).
        ValueError: there is no such wire format.

    Example:
        >>> decode(b'{"meta": [{"name": "n", "type": "UInt8"}], "data": [[1]], "rows": 1}', "JSONCompact").columns
        (('n', 'UInt8'),)
    """
    if wire_format == "JSON":
        return decode_json(body, result)
    if wire_format == "JSONCompact":
        return decode_json_compact(body, result)
    if wire_format != "Parquet":
        raise ValueError(f"The wire format is 'JSON', 'JSONCompact' or 'Parquet', not {wire_format!r}.")
    decoded = decode_parquet(body, result, types=types)
    if decoded is None:
        raise TypesUnknown(
            "The Parquet reply has no rows, so nothing in it tells the ClickHouse types of its columns: give them as "
            "types, for instance from the same query with LIMIT 0 in FORMAT JSONCompact."
        )
    return decoded
