# ruff: noqa: D102 - what the methods promise is written once, at ClickHouseType
"""String and FixedString: the dtype that pandas itself gives to text.

That is ``str`` from pandas 3 on (held by pyarrow where it is installed, a missing value is NaN), and ``object`` before
(a missing value is ``None``). Inside arrays, maps and tuples: ``str``.

ClickHouse strings are bytes. Its JSON writer puts one U+FFFD for each run of bytes that are not UTF-8; the Parquet
reply carries the bytes, so the same is done here and the frame is the same. A note says that it happened. Whoever
needs the bytes asks for ``hex(column)`` or ``base64Encode(column)``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.arrow_buffers import bytes_cells, is_ascii
from tinymagic.frames.base import ClickHouseType, Column, Notes, object_column, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.syntax import Item

# Bytes that are not UTF-8 become these code points under Python's "surrogateescape".
_DAMAGE_RE = re.compile("[\udc80-\udcff]+")


def repaired(data: bytes) -> tuple[str, bool]:
    r"""Read bytes as UTF-8, one U+FFFD for each run of damaged bytes as ClickHouse does; tell whether any was found.

    Example:
        >>> repaired(b"a\xff\xfez") == ("a\ufffdz", True)
        True
    """
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        return _DAMAGE_RE.sub("\ufffd", data.decode("utf-8", "surrogateescape")), True


@lru_cache(maxsize=1)
def string_dtype() -> Any:
    """Return the dtype of every text column: pandas' own for text, in pyarrow when that can be imported."""
    import pandas as pd

    if int(pd.__version__.split(".")[0]) < 3:
        return np.dtype(object)
    try:
        import pyarrow  # noqa: F401 - only whether it is there
    except ImportError:
        return pd.StringDtype("python", na_value=np.nan)
    return pd.StringDtype("pyarrow", na_value=np.nan)


class Text(ClickHouseType):
    """Text of any length, or of a fixed count of bytes (the zero bytes at its end are kept)."""

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        return _cells_of(array, notes)

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        import pandas as pd

        dtype = string_dtype()
        if isinstance(dtype, np.dtype):
            return object_column(cells)
        if dtype.storage != "pyarrow":
            return pd.array(object_column(cells), dtype=dtype)
        import pyarrow as pa

        values = pa.array(cells, type=pa.large_string())
        return _column_from_chunks([values], pa)

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        import pyarrow as pa

        return _column_from_chunks([text_array(chunk, notes) for chunk in chunked.chunks], pa)


def text_array(array: Any, notes: Notes) -> Any:
    """Return an Arrow array of text or bytes as one of sound UTF-8, mostly the same."""
    import pyarrow as pa

    if pa.types.is_string(array.type) and is_ascii(array):
        return array
    try:
        # Parquet readers trust the file's "this is text"; the cast from bytes checks it, without a copy.
        plain = array.view(pa.binary()) if pa.types.is_string(array.type) else array.cast(pa.binary())
        return plain.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array(_cells_of(array, notes), type=pa.string())


def _cells_of(array: Any, notes: Notes) -> list[Any]:
    cells: list[Any] = []
    for data in bytes_cells(array):
        if data is None:
            cells.append(None)
            continue
        text, damaged = repaired(data)
        if damaged:
            note_damage(notes)
        cells.append(text)
    return cells


def _column_from_chunks(chunks: list[Any], pa: Any) -> Column:
    """Put Arrow arrays of text below each other as a column of `string_dtype`."""
    dtype = string_dtype()
    chunked = pa.chunked_array(chunks, type=None if chunks else pa.string())
    if isinstance(dtype, np.dtype):
        return chunked.to_numpy() if len(chunked) else object_column([])
    return dtype.__from_arrow__(chunked)


def note_damage(notes: Notes) -> None:
    """Say that a column held bytes that are not UTF-8."""
    notes.add(
        f"Column {notes.column!r} holds bytes that are not UTF-8; each run of them is shown as U+FFFD. "
        "Select hex() or base64Encode() of the column to get the bytes."
    )


@register("String", "FixedString")
def _text(item: Item) -> ClickHouseType:
    return Text(str(item))
