"""Arrow arrays -> numpy: one copy, writable, whatever the number of chunks.

pyarrow's objects come in here, but it is not imported.

Arrow hands out read-only views of its buffers. A frame must be writable, and pandas would otherwise join the chunks
with a copy of its own, so the values are written once into the array the frame will keep.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Arrow's names of the types whose values lie one after the other in a buffer, as numpy holds them.
_PLAIN = {
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "float": np.dtype("float32"),
    "double": np.dtype("float64"),
}


def values_of(chunked: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """Copy a chunked array of plain values into a numpy array of *dtype*; nulls become zero."""
    out = np.empty(len(chunked), dtype=dtype)
    start = 0
    for chunk in chunked.chunks:
        place = out[start : start + len(chunk)]
        start += len(chunk)
        if not chunk.null_count:
            place[:] = chunk.to_numpy(zero_copy_only=False)
        elif plain := _PLAIN.get(str(chunk.type)):
            # Of an array with nulls pyarrow makes floats or a filled copy; its buffer has the values themselves.
            whole = np.frombuffer(chunk.buffers()[1], dtype=plain)
            place[:] = whole[chunk.offset : chunk.offset + len(chunk)]
            np.putmask(place, _nulls(chunk), 0)
        else:
            place[:] = chunk.fill_null(False if str(chunk.type) == "bool" else 0).to_numpy(zero_copy_only=False)
    return out


def mask_of(chunked: Any) -> np.ndarray[Any, Any]:
    """Return a bool array, true where the chunked array is null."""
    out = np.zeros(len(chunked), dtype=np.bool_)
    start = 0
    for chunk in chunked.chunks:
        if chunk.null_count:
            out[start : start + len(chunk)] = _nulls(chunk)
        start += len(chunk)
    return out


def _nulls(chunk: Any) -> np.ndarray[Any, Any]:
    validity = chunk.buffers()[0]
    if validity is None:
        # Every value of the type "null" is one, without a buffer to say so.
        nulls: np.ndarray[Any, Any] = chunk.is_null().to_numpy(zero_copy_only=False)
        return nulls
    # One bit for each value, the lowest first, set where there is one.
    bits = np.frombuffer(validity, dtype=np.uint8)
    valid = np.unpackbits(bits, count=chunk.offset + len(chunk), bitorder="little")[chunk.offset :]
    return np.logical_not(valid, dtype=np.bool_)


def is_ascii(chunk: Any) -> bool:
    """Say whether all text of a binary or text array is ASCII; false also when that cannot be told quickly."""
    data = chunk.buffers()[2]
    if data is None:
        return True
    whole = len(data) // 8
    # Eight bytes at a time: a byte that is not ASCII has its highest bit set.
    bits = np.bitwise_or.reduce(np.frombuffer(data, dtype=np.uint64, count=whole)) if whole else np.uint64(0)
    rest = np.bitwise_or.reduce(np.frombuffer(data, dtype=np.uint8, offset=whole * 8)) if len(data) % 8 else 0
    return not (int(bits) & 0x8080808080808080 or int(rest) & 0x80)


def bytes_cells(array: Any) -> list[bytes | None]:
    """Return the bytes of each value of a binary, text or fixed-size array, or of an extension type stored as such."""
    plain = getattr(array, "storage", array)
    if str(plain.type) in ("string", "large_string"):
        # A view: the text may be damaged, which casting would refuse.
        plain = plain.view("large_binary" if "large" in str(plain.type) else "binary")
    cells: list[bytes | None] = plain.to_pylist()
    return cells
