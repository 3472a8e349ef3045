"""Columns of a reply -> Arrow arrays of the types in `tinymagic.frames.arrow_types`.

A Parquet reply is Arrow already. Its arrays are cast where that is exact, and what they are made of is mostly not even
copied; only types that Parquet carries as something else (Map, UUID, IPv4, wide integers ...) go by way of Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.arrow_types import ARROW, ArrowTypes, field_names, prepared
from tinymagic.frames.families.containers import Array, Tuple
from tinymagic.frames.families.dates import Date, DateTime
from tinymagic.frames.families.enums import Enum
from tinymagic.frames.families.numbers import Boolean, DecimalNumber, Float, Integer
from tinymagic.frames.families.text import Text, text_array
from tinymagic.frames.sources import ArrowSource

if TYPE_CHECKING:
    from tinymagic.frames.base import ClickHouseType, Notes
    from tinymagic.frames.sources import Source


def arrow_array(kind: ClickHouseType, source: Source, notes: Notes, types: ArrowTypes = ARROW) -> Any:
    """Return the column as a ``pyarrow.ChunkedArray``.

    Args:
        kind: the column's type.
        source: its values.
        notes: gets a sentence when values come as text for want of a type.
        types: of the library that gets the array.
    """
    import pyarrow as pa

    if isinstance(kind, Enum):
        return _dictionary(kind, source, notes)
    if isinstance(source, ArrowSource):
        chunks = [_of_wire(kind, chunk, notes, types) for chunk in source.chunked.chunks]
    else:
        chunks = [_of_cells(kind, source.cells(kind, notes), types)]
    found = pa.chunked_array(_flat(chunks), type=types.type_of(kind))
    if found.null_count < len(found):
        for name in types.stand_ins(kind):
            notes.add(f"Column {notes.column!r}: {types.library} has no type for {name}, so the values come as text.")
    return found


def _flat(chunks: list[Any]) -> list[Any]:
    """Take the parts of what was too long for one array."""
    return [part for chunk in chunks for part in getattr(chunk, "chunks", [chunk])]


def _of_cells(kind: ClickHouseType, cells: list[Any], types: ArrowTypes) -> Any:
    import pyarrow as pa

    return pa.array(prepared(cells, types.preparation(kind)), type=types.type_of(kind))


def _of_wire(kind: ClickHouseType, array: Any, notes: Notes, types: ArrowTypes) -> Any:
    """Turn an array of the Parquet reply into one of the type that *types* has for *kind*."""
    import pyarrow as pa

    wanted, written = types.type_of(kind), array.type
    if written == wanted and isinstance(kind, (Integer, Float, Boolean, DecimalNumber, Date)):
        return array
    if isinstance(kind, Text):
        return text_array(array, notes)
    if isinstance(kind, DateTime):
        return _moments(array, wanted)
    if isinstance(kind, Array) and pa.types.is_list(written):
        return _lists(kind, array, notes, types)
    if isinstance(kind, Tuple) and pa.types.is_struct(written) and kind.elements:
        parts = [
            _of_wire(element, part, notes, types) for element, part in zip(kind.elements, array.flatten(), strict=True)
        ]
        if all(isinstance(part, pa.Array) for part in parts):
            fields = [pa.field(name, part.type) for name, part in zip(field_names(kind), parts, strict=True)]
            return pa.StructArray.from_arrays(parts, fields=fields, mask=_nulls(array))
    # Not to text: Arrow writes some decimals with an exponent.
    if isinstance(kind, (Integer, Float, Boolean, DecimalNumber)) and not (
        pa.types.is_fixed_size_binary(written) or pa.types.is_string(wanted)
    ):
        return array.cast(wanted)
    return _of_cells(kind, kind.cells_from_arrow(array, notes), types)


def _nulls(array: Any) -> Any:
    return array.is_null() if array.null_count else None


def _lists(kind: Array, array: Any, notes: Notes, types: ArrowTypes) -> Any:
    import pyarrow as pa

    values = _of_wire(kind.element, array.flatten(), notes, types)
    if not isinstance(values, pa.Array):
        return _of_cells(kind, kind.cells_from_arrow(array, notes), types)
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=_nulls(array))


def _moments(array: Any, wanted: Any) -> Any:
    """Turn moments (some versions of the service write counts of seconds) into *wanted*, all of them in UTC."""
    import pyarrow as pa

    zone = wanted.tz
    if not pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64()).cast(pa.timestamp("s", zone))
    if array.type.unit != wanted.unit:
        array = array.cast(pa.timestamp(wanted.unit, array.type.tz))
    # By way of the counts: with a cast from one zone to none, clock times would be a question.
    return array if array.type.tz == zone else array.cast(pa.int64()).cast(wanted)


def _dictionary(kind: Enum, source: Source, notes: Notes) -> Any:
    """Return an ordered dictionary of all labels, used or not."""
    import pyarrow as pa

    if isinstance(source, ArrowSource):
        codes = kind.codes_from_arrow(source.chunked, notes)
    else:
        codes = kind.codes_of_cells(source.cells(kind, notes))
    width = np.int8 if len(kind.labels) <= 127 else np.int16
    indices = pa.array(codes.astype(width), mask=codes < 0)
    labels = pa.array(kind.labels, type=pa.string())
    return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, labels, ordered=True)])
