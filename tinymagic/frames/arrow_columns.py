"""Arrow tables and DataFrames of polars -> outgoing columns, by type: no value is looked at to find out what it is.

| Arrow (polars) | ClickHouse |
|---|---|
| int8 ... uint64, polars' Int128 | Int8 ... UInt64, Int128 |
| halffloat, float, double | Float32, Float32, Float64 |
| bool | Bool |
| string, large_string, string_view | String |
| dictionary of texts (Categorical, Enum) | LowCardinality(String); of anything else what its values are |
| decimal(p, s) | Decimal(p, s), to 76 digits |
| date32, date64 (Date) | Date, or Date32 when a day needs it |
| timestamp(unit[, zone]) (Datetime) | DateTime for seconds from 1970 to 2106, else DateTime64(0, 3, 6, 9); zone: UTC |
| list, large_list, fixed_size_list (List, Array) | Array(T) |
| map | Map(K, V) |
| struct (Struct) | one column for each field, ``parent_field``; inside of a list the text of its JSON |
| null | Nullable(String) |

Nullable is what holds a null. Durations, times of the day, intervals and binary data are refused with what to do.
NaN is a value of its own here, and no null.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.outgoing import EncodeError, OutgoingColumn, moments_column, outgoing_values, unique_names
from tinymagic.frames.pyarrow_needed import require_pyarrow
from tinymagic.frames.tables import collected, is_polars

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.frames.tables import Table

_MOST_DECIMAL_DIGITS = 76


def columns_of_arrow(table: Table) -> list[OutgoingColumn]:
    """Plan every column of an Arrow table, a record batch, or a DataFrame of polars.

    Raises:
        EncodeError: a type or value that Tinybird cannot store, or no column at all.
        ImportError: pyarrow is not installed (extra ``fast``).
    """
    require_pyarrow()
    flat: list[tuple[str, Any]] = []
    for label, array in _arrays(table):
        flat += _flattened(label, array)
    if not flat:
        raise EncodeError("The table has no columns, so there is nothing to store.")
    names = unique_names([label for label, _ in flat])
    return [column_of_arrow(name, array) for name, (_, array) in zip(names, flat, strict=True)]


def _arrays(table: Table) -> list[tuple[str, Any]]:
    import pyarrow as pa

    if is_polars(table):
        return [(series.name, _of_polars(series)) for series in _columns_of_polars(collected(table))]
    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    return [(str(name), _one(column)) for name, column in zip(whole.schema.names, whole.columns, strict=True)]


def _columns_of_polars(frame: Any) -> list[Any]:
    return list(frame.get_columns())


def _one(column: Any) -> Any:
    """Join the chunks of a column; the codes of dictionaries may differ from chunk to chunk."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks else pa.array([], type=column.type)


def _of_polars(series: Any) -> Any:
    """Return a series of polars as an Arrow array, or as it is when Arrow has no type for it."""
    kind = str(series.dtype)
    if kind == "Object":
        raise EncodeError(
            f"Column {series.name!r} has the dtype Object of polars, which Tinybird cannot store. "
            "Give it a type, for instance with .cast(pl.String)."
        )
    return series if kind in ("Int128", "UInt128") else _one(series.to_arrow())


def _flattened(label: str, array: Any) -> list[tuple[str, Any]]:
    """Take structs apart: a column for each field; where the whole is missing, so are its fields."""
    import pyarrow as pa

    if not isinstance(array, pa.Array) or not pa.types.is_struct(array.type):
        return [(label, array)]
    names = [field.name for field in array.type]
    found: list[tuple[str, Any]] = []
    for name, part in zip(names, array.flatten(), strict=True):
        found += _flattened(f"{label}_{name}", part)
    return found


def column_of_arrow(name: str, array: Any) -> OutgoingColumn:
    """Plan one column by its Arrow type."""
    import pyarrow as pa
    from pyarrow import types

    if not isinstance(array, pa.Array):
        # A series of polars that Arrow has no type for.
        cells = array.to_list()
        gone = np.array([cell is None for cell in cells], dtype=bool)
        return OutgoingColumn(
            name, "wide", str(array.dtype).replace("Uint", "UInt"), cells, gone if gone.any() else None
        )
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if types.is_dictionary(kind):
        column = column_of_arrow(name, array.cast(kind.value_type))
        return replace(column, low_cardinality=True) if column.kind == "text" else column
    for matches, plan in _PLANS:
        if matches(types, kind):
            return plan(name, array)
    raise EncodeError(f"Column {name!r} has the type {kind}, which Tinybird cannot store. {_advice(types, kind)}")


def _advice(types: Any, kind: Any) -> str:
    if types.is_duration(kind) or types.is_interval(kind):
        return "Store a number instead, for instance of seconds."
    if types.is_time(kind):
        return "Store it as text, or together with its day."
    if "binary" in str(kind):
        return "Decode it to text, or store its hexadecimal digits."
    return "Convert it to text or a number."


def _mask(array: Any) -> np.ndarray[Any, Any] | None:
    if not array.null_count:
        return None
    mask: np.ndarray[Any, Any] = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def _numbers(array: Any) -> np.ndarray[Any, Any]:
    """Return the values as numpy's, 0 or False for a null."""
    import pyarrow as pa

    filled = array.fill_null(pa.scalar(0).cast(array.type)) if array.null_count else array
    values: np.ndarray[Any, Any] = filled.to_numpy(zero_copy_only=False)
    return values


def _integers(name: str, array: Any) -> OutgoingColumn:
    inner = str(array.type).replace("uint", "UInt").replace("int", "Int")
    return OutgoingColumn(name, "integer", inner, _numbers(array), _mask(array))


def _floats(name: str, array: Any) -> OutgoingColumn:
    import pyarrow as pa

    array = array.cast(pa.float32()) if pa.types.is_float16(array.type) else array
    mask = _mask(array)
    values = array.to_numpy(zero_copy_only=False)  # NaN for a null.
    return OutgoingColumn(name, "float", "Float64" if values.itemsize == 8 else "Float32", values, mask)


def _booleans(name: str, array: Any) -> OutgoingColumn:
    return OutgoingColumn(name, "bool", "Bool", _numbers(array), _mask(array))


def _texts(name: str, array: Any) -> OutgoingColumn:
    return OutgoingColumn(name, "text", "String", array.to_pylist(), _mask(array))


def _moments(name: str, array: Any) -> OutgoingColumn:
    values = array.to_numpy(zero_copy_only=False)
    return moments_column(name, values, aware=array.type.tz is not None)


def _days(name: str, array: Any) -> OutgoingColumn:
    if len(array) == array.null_count:
        return OutgoingColumn(name, "day", "Date", np.full(len(array), "NaT", dtype="datetime64[D]"), _mask(array))
    return outgoing_values(name, array.to_pylist(), _mask(array))


def _decimals(name: str, array: Any) -> OutgoingColumn:
    precision, scale = array.type.precision, array.type.scale
    if not 0 <= scale <= precision <= _MOST_DECIMAL_DIGITS:
        raise EncodeError(
            f"Column {name!r} has the type {array.type}; ClickHouse's decimals have a scale from 0 to their precision."
        )
    return OutgoingColumn(name, "decimal", f"Decimal({precision}, {scale})", array.to_pylist(), _mask(array))


def _lists(name: str, array: Any) -> OutgoingColumn:
    if array.null_count:
        row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise EncodeError(
            f"Column {name!r} has a missing list (row {row}), but an array cannot be NULL. Use an empty list there."
        )
    elements = _inside(name, array.flatten())
    lengths = np.asarray(array.value_lengths()).astype(np.int64)
    return OutgoingColumn(name, "array", f"Array({elements.type})", lengths, elements=elements)


def _maps(name: str, array: Any) -> OutgoingColumn:
    if array.null_count:
        raise EncodeError(f"Column {name!r} has a missing map, but a map cannot be NULL. Use an empty one there.")
    first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
    keys = _inside(name, array.keys[first:last])
    elements = _inside(name, array.items[first:last])
    lengths = np.diff(np.asarray(array.offsets)).astype(np.int64)
    return OutgoingColumn(name, "map", f"Map({keys.type}, {elements.type})", lengths, elements=elements, keys=keys)


def _inside(name: str, array: Any) -> OutgoingColumn:
    """Plan what stands inside of a list or map; a struct there is the text of its JSON."""
    import pyarrow as pa

    if pa.types.is_struct(array.type):
        texts = [None if cell is None else _json_text(name, cell) for cell in array.to_pylist()]
        return OutgoingColumn(name, "text", "String", texts, _mask(array))
    return column_of_arrow(name, array)


def _json_text(name: str, cell: Any) -> str:
    try:
        return json.dumps(cell, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    except ValueError as error:
        raise EncodeError(f"Column {name!r} holds a struct that JSON cannot say: {error}.") from error


def _nothing(name: str, array: Any) -> OutgoingColumn:
    return OutgoingColumn(name, "text", "String", [None] * len(array), np.ones(len(array), dtype=bool))


_PLANS: tuple[tuple[Callable[[Any, Any], bool], Callable[[str, Any], OutgoingColumn]], ...] = (
    (lambda types, kind: types.is_integer(kind), _integers),
    (lambda types, kind: types.is_floating(kind), _floats),
    (lambda types, kind: types.is_boolean(kind), _booleans),
    (lambda _, kind: str(kind) in ("string", "large_string", "string_view"), _texts),
    (lambda types, kind: types.is_timestamp(kind), _moments),
    (lambda types, kind: types.is_date(kind), _days),
    (lambda types, kind: types.is_decimal(kind), _decimals),
    (lambda _, kind: str(kind).startswith(("list<", "large_list<", "fixed_size_list<")), _lists),
    (lambda types, kind: types.is_map(kind), _maps),
    (lambda types, kind: types.is_null(kind), _nothing),
)
