"""DataFrame -> Parquet, each column in the Arrow type that ClickHouse reads as exactly the type of the schema."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.outgoing import EncodeError, OutgoingColumn
from tinymagic.frames.pyarrow_needed import require_pyarrow
from tinymagic.frames.schema import nullable_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tinymagic.frames.tables import Table


def to_parquet(frame: Table, schema: str | None = None) -> bytes:
    """Write *frame* (pandas, polars or Arrow) as one Parquet file (Snappy, which every reader takes).

    Columns, names and types are those of `schema_of`. Infinities stay, and so does NaN in a masked float column, which
    tells it apart from a missing value. In an ordinary float column NaN is pandas' mark for a missing value: it becomes
    NULL, unless *schema* says that the column takes none.

    Args:
        frame: any number of rows.
        schema: schema string of the Data Source that is to take the rows; default: the one of `schema_of`.

    Raises:
        EncodeError: a column cannot be stored.
        ImportError: pyarrow is not installed (extra ``fast``).

    Example:
        >>> import pandas
        >>> to_parquet(pandas.DataFrame({"n": [1, 2]}))[:4]
        b'PAR1'
    """
    from tinymagic.frames.planned import PlannedTable

    planned = PlannedTable.of(frame)
    return planned.parquet(0, planned.rows, nullable_columns(schema) if schema else {})


def parquet_of(parts: Iterable[Sequence[OutgoingColumn]], nullable: Mapping[str, bool]) -> bytes:
    """Write columns as one Parquet file.

    Args:
        parts: rows after rows, each of the same columns in their plain form, and a row group of the file; so only one
            of them is held as Arrow at a time.
        nullable: whether the Data Source's columns take NULL; one that is not there does.

    Raises:
        ImportError: pyarrow is not installed (extra ``fast``).
    """
    require_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    body = io.BytesIO()
    writer = None
    for columns in parts:
        fitted = [column if nullable.get(column.name, True) else _with_nan(column) for column in columns]
        table = pa.table({column.name: arrow_array(column) for column in fitted})
        if writer is None:
            # Texts repeat themselves; the dictionary of a column of numbers takes more than it saves.
            repeating = [column.name for column in fitted if column.kind in ("text", "word")]
            writer = parquet.ParquetWriter(body, table.schema, use_dictionary=repeating or False)
        writer.write_table(table)
        del table
        pa.default_memory_pool().release_unused()
    if writer is not None:
        writer.close()
    return body.getvalue()


def _with_nan(column: OutgoingColumn) -> OutgoingColumn:
    """Leave NaN where it stands: its column in the Data Source has no NULL, which would become 0 there."""
    if column.kind != "float" or column.missing is None or not np.isnan(column.values[column.missing]).all():
        return column
    return replace(column, missing=None)


def arrow_array(column: OutgoingColumn) -> Any:
    """Turn *column* into an Arrow array."""
    import pyarrow as pa

    return _WRITERS[column.kind](column, pa)


def _plain(column: OutgoingColumn, pa: Any) -> Any:
    return pa.array(column.values, mask=column.missing)


def _texts(column: OutgoingColumn, pa: Any) -> Any:
    if isinstance(column.values, (pa.Array, pa.ChunkedArray)):
        return column.values.cast(pa.string())
    try:
        return pa.array(column.values, type=pa.string(), from_pandas=True)
    except UnicodeEncodeError:
        raise EncodeError(
            f"Column {column.name!r} has a text with half a character, which cannot be stored. Repair it, for instance "
            "with .str.encode('utf-8', 'replace').str.decode('utf-8')."
        ) from None


def _wide(column: OutgoingColumn, pa: Any) -> Any:
    # ClickHouse takes fixed bytes, the lowest first, for its own wide integers.
    size = int(column.inner.split("Int")[1]) // 8
    signed = not column.inner.startswith("U")
    cells = [None if value is None else value.to_bytes(size, "little", signed=signed) for value in column.values]
    return pa.array(cells, type=pa.binary(size))


def _moments(column: OutgoingColumn, pa: Any) -> Any:
    unit = np.datetime_data(column.values.dtype)[0]
    # The zone says that these are moments, not clock times; Parquet has no seconds, pyarrow writes milliseconds.
    return pa.array(column.values, type=pa.timestamp(unit)).cast(pa.timestamp(unit, "UTC"))


def _days(column: OutgoingColumn, pa: Any) -> Any:
    return pa.array(column.values, type=pa.date32())


def _decimals(column: OutgoingColumn, pa: Any) -> Any:
    precision, scale = map(int, re.findall(r"\d+", column.inner))
    kind = pa.decimal128 if precision <= 38 else pa.decimal256
    return pa.array(column.values, type=kind(precision, scale))


def _arrays(column: OutgoingColumn, pa: Any) -> Any:
    assert column.elements is not None  # an array always has them
    offsets = np.concatenate([[0], np.cumsum(column.values)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), arrow_array(column.elements))


def _maps(column: OutgoingColumn, pa: Any) -> Any:
    assert column.keys is not None  # a map always has both
    assert column.elements is not None
    offsets = np.concatenate([[0], np.cumsum(column.values)]).astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(offsets), arrow_array(column.keys), arrow_array(column.elements))


_WRITERS: dict[str, Callable[[OutgoingColumn, Any], Any]] = {
    "integer": _plain,
    "wide": _wide,
    "float": _plain,
    "bool": _plain,
    "text": _texts,
    "moment": _moments,
    "day": _days,
    "decimal": _decimals,
    "word": _texts,
    "array": _arrays,
    "map": _maps,
}
