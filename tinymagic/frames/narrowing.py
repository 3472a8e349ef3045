"""What a column of a table has that its column in the Data Source does not keep: found before it is lost. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tinymagic.frames.outgoing import OutgoingColumn

_TICKS_PER_S = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_INTEGER_RE = re.compile(r"(U?)Int(\d+)")


def narrowings(columns: Iterable[OutgoingColumn], types: Mapping[str, str]) -> list[str]:
    """Say in a sentence for each column what of its values does not fit.

    Args:
        columns: on their way out.
        types: the ClickHouse type of the column that each name feeds, as far as it is known.

    Returns:
        Sentences about times (fractions, times of day), whole numbers out of range, floats and decimals with more
        digits; of containers the innermost values.
    """
    found = []
    for column in columns:
        wanted = plain_type(types.get(column.name, ""))
        inner, kept = column, wanted
        while inner.kind == "array" and inner.elements is not None and kept.startswith("Array("):
            inner, kept = inner.elements, plain_type(kept[len("Array(") : -1])
        find = _FINDERS.get(inner.kind)
        lost = find(inner, kept) if find is not None and kept else ""
        if lost:
            found.append(f"Column {column.name!r}: {lost}")
    return found


def plain_type(written: str) -> str:
    """Return a type without Nullable and LowCardinality around it.

    Example:
        >>> plain_type("LowCardinality(Nullable(String))")
        'String'
    """
    match = re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", written.strip())
    return written.strip() if match is None else plain_type(match[1])


def ticks_kept(written: str) -> int | None:
    """Return how many ticks a second the time type keeps; ``None`` for another type.

    Example:
        >>> ticks_kept("DateTime('UTC')"), ticks_kept("DateTime64(3, 'UTC')"), ticks_kept("String")
        (1, 1000, None)
    """
    if re.fullmatch(r"DateTime(32)?(\(.*\))?", written):
        return 1
    match = re.fullmatch(r"DateTime64(?:\((\d+).*\))?", written)
    return None if match is None else int(10 ** int(match[1] or 3))


def fractions_lost(number: int, written: str) -> str:
    """Say that so many times are cut to a type."""
    return f"{_values(number)} finer than {written} keeps; the rest of the second is cut off."


def _moments(column: OutgoingColumn, wanted: str) -> str:
    ticks = _TICKS_PER_S[np.datetime_data(column.values.dtype)[0]]
    present = column.values[~np.isnat(column.values)].astype(np.int64)
    if wanted in ("Date", "Date32"):
        odd = int(np.count_nonzero(present % (ticks * 86_400)))
        return f"{_values(odd)} at a time of day, which {wanted} does not keep." if odd else ""
    kept = ticks_kept(wanted)
    if kept is None or kept >= ticks:
        return ""
    odd = int(np.count_nonzero(present % (ticks // kept)))
    return fractions_lost(odd, wanted) if odd else ""


def _integers(column: OutgoingColumn, wanted: str) -> str:
    values = column.values if column.missing is None else column.values[~column.missing]
    match = _INTEGER_RE.fullmatch(wanted)
    if match is not None:
        bits = int(match[2])
        low, high = (0, 2**bits - 1) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        own = np.iinfo(values.dtype)
        # Limits beyond those of the values' own type are never crossed, and NumPy could not compare with them.
        odd = int(np.count_nonzero((values < max(low, int(own.min))) | (values > min(high, int(own.max)))))
        return f"{_values(odd)} out of the range of {wanted}. Look at what was stored." if odd else ""
    if wanted in ("Float32", "Float64"):
        mantissa = 2 ** (24 if wanted == "Float32" else 53)
        large = values[np.abs(values.astype(np.float64)) > mantissa]
        odd = sum(int(np.dtype(wanted.lower()).type(value)) != value for value in large.tolist())
        return f"{_values(odd)} of more digits than {wanted} keeps; they are rounded." if odd else ""
    return ""


def _floats(column: OutgoingColumn, wanted: str) -> str:
    values = column.values[np.isfinite(column.values)]
    if wanted == "Float32":
        with np.errstate(over="ignore"):
            odd = int(np.count_nonzero(values.astype(np.float32) != values))
        return f"{_values(odd)} of more digits than Float32 keeps; they are rounded." if odd else ""
    if _INTEGER_RE.fullmatch(wanted):
        odd = int(np.count_nonzero(values % 1))
        return f"{_values(odd)} not whole, and {wanted} is. Look at what was stored." if odd else ""
    return ""


def _decimals(column: OutgoingColumn, wanted: str) -> str:
    numbers = re.findall(r"\d+", wanted.partition("(")[2])
    if not wanted.startswith("Decimal") or not numbers:
        return ""
    scale = int(numbers[-1]) if len(numbers) > 1 or not wanted.startswith("Decimal(") else 0
    odd = sum(value is not None and value != round(value, scale) for value in column.values)
    return f"{_values(odd)} of more digits than {wanted} keeps. Look at what was stored." if odd else ""


def _values(number: int) -> str:
    return f"{number:,} {'value is' if number == 1 else 'values are'}"


_FINDERS: dict[str, Callable[[OutgoingColumn, str], str]] = {
    "moment": _moments,
    "integer": _integers,
    "float": _floats,
    "decimal": _decimals,
}
