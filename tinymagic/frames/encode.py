"""Table of pandas, polars or Arrow -> schema string, NDJSON or Parquet. What Tinybird stores is what the table holds.

See `tinymagic.frames.outgoing` for which dtype becomes which ClickHouse type.
"""

from __future__ import annotations

from tinymagic.frames.ndjson_out import to_ndjson
from tinymagic.frames.outgoing import EncodeError
from tinymagic.frames.parquet_out import to_parquet
from tinymagic.frames.schema import nullable_columns, schema_of, sorting_key_of, suggested_sorting_key

__all__ = [
    "EncodeError",
    "nullable_columns",
    "schema_of",
    "sorting_key_of",
    "suggested_sorting_key",
    "to_ndjson",
    "to_parquet",
]
