"""Columns of plain numpy dtypes, for code that knows no other; nothing is rounded on the way.

| exact column | numpy |
|---|---|
| int8 ... uint64, float32, float64, bool, datetime64, timedelta64 | as it is; NULL in times is NaT |
| Int8 ... UInt64 (Nullable) | without NULL the same width; with NULL float64 with NaN, when all are at most 2**53 |
| Float32, Float64 (Nullable) | the same width, NULL is NaN |
| boolean (Nullable) | bool; with NULL an object column of True, False and None |
| text, Enum | object column of str, NULL is None |
| objects (Array, Map, Tuple, UUID, IPv4, IPv6, JSON) | as they are |

What numpy has no number or time for stays exact, and a notice says why: whole numbers over 2**53 beside NULL, NaN
beside NULL, Decimal and whole numbers of more than 64 bits (objects), moments with a zone (datetime64 with the zone).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.base import object_column
from tinymagic.frames.families.numbers import DecimalNumber, WideInteger

if TYPE_CHECKING:
    from tinymagic.frames.base import ClickHouseType, Column, Notes

#: Every whole number up to this one is a 64-bit float.
_EXACT_IN_FLOAT = 2**53


def numpy_column(kind: ClickHouseType, column: Column, notes: Notes) -> Column:
    """Return an exact column with a dtype of numpy, or as it is with a note."""
    import pandas as pd

    if hasattr(column, "_mask"):
        return _unmasked(kind, column, notes)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        _stays(kind, notes, "numpy's times have no zone")
    elif not isinstance(column, np.ndarray):
        # Text and Enum; their missing values are NaN or None, by pandas' version.
        missing = np.asarray(column.isna())
        return object_column([None if gone else cell for cell, gone in zip(column, missing, strict=True)])
    elif isinstance(kind, (DecimalNumber, WideInteger)):
        _stays(kind, notes, "no dtype of numpy holds such numbers, so they are objects of Python")
    return column


def _unmasked(kind: ClickHouseType, column: Any, notes: Notes) -> Column:
    values, missing = column._data, column._mask
    if not missing.any():
        return values
    if values.dtype.kind == "b":
        cells = values.astype(object)
        cells[missing] = None
        return cells
    present = values[~missing]
    if values.dtype.kind == "f":
        if np.isnan(present).any():
            _stays(kind, notes, "it has both NULL and NaN, which numpy cannot tell apart")
            return column
        floats = values.copy()
    elif len(present) and (present.max() > _EXACT_IN_FLOAT or present.min() < -_EXACT_IN_FLOAT):
        _stays(kind, notes, "it has NULL, and a number over 2**53 that a float with NaN would round")
        return column
    else:
        floats = values.astype(np.float64)
    floats[missing] = np.nan
    return floats


def _stays(kind: ClickHouseType, notes: Notes, reason: str) -> None:
    notes.add(f"Column {notes.column!r} of type {kind} stays exact: {reason}.")
