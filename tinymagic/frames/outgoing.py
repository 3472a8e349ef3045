"""Columns on their way out: DataFrame columns -> ClickHouse type and values in one plain form per kind.

Schema, Parquet and NDJSON are three ways to write the same `OutgoingColumn`, so they cannot disagree. Each kind of
column holds its values in the form that both writers take quickest:

| kind | values | ClickHouse |
|---|---|---|
| integer | numpy integers (missing: 0) | Int8 ... UInt64 |
| wide | list of int | Int128 ... UInt256 |
| float | numpy floats (missing: NaN) | Float32, Float64 |
| bool | numpy bool | Bool |
| text | list of str, or a pandas string column | String; from a categorical LowCardinality(String) |
| moment | datetime64 in UTC | DateTime, DateTime64(3, 6, 9); 'UTC' is named when the column has a zone |
| day | datetime64[D] | Date, Date32 |
| decimal | list of Decimal | Decimal(9, 18, 38 or 76 digits, scale) |
| word | list of str | UUID, IPv4, IPv6 |
| array | lengths, and one outgoing column of all elements | Array(T) |
| map | lengths, and one outgoing column each of all keys and all values | Map(K, T) |

A column of dicts is a map when all keys are of one kind and all values are; otherwise it is the text of their JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from tinymagic.frames.tables import is_pandas
from tinymagic.names import valid_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from tinymagic.frames.tables import Table


class EncodeError(ValueError):
    """A DataFrame that cannot be stored as it is; the sentence names the column and what to do."""


@dataclass(frozen=True)
class OutgoingColumn:
    """One column in the plain form of its kind (the table above).

    Attributes:
        name: valid in Tinybird.
        kind: the row of the table.
        inner: the ClickHouse type without Nullable.
        values: as the table says.
        missing: bool array, true where the value is missing; ``None`` when none is.
        elements: for arrays and maps, the column of all elements or values; ``values`` are then the lengths.
        keys: for maps, the column of all keys.
        low_cardinality: whether to wrap the type in LowCardinality.
    """

    name: str
    kind: str
    inner: str
    values: Any
    missing: np.ndarray[Any, Any] | None = None
    elements: OutgoingColumn | None = None
    keys: OutgoingColumn | None = None
    low_cardinality: bool = False

    @property
    def type(self) -> str:
        """The full ClickHouse type."""
        inner = self.inner if self.missing is None else f"Nullable({self.inner})"
        return f"LowCardinality({inner})" if self.low_cardinality else inner


def outgoing_columns(frame: Table) -> list[OutgoingColumn]:
    """Plan every column of *frame*; named index levels come first, an index without a name is left out.

    Args:
        frame: a DataFrame of pandas or polars, or an Arrow table; the latter two by the rules of
            `tinymagic.frames.arrow_columns`.

    Raises:
        EncodeError: a dtype or value that Tinybird cannot store, or no column at all.
    """
    if not is_pandas(frame):
        from tinymagic.frames.arrow_columns import columns_of_arrow

        return columns_of_arrow(frame)
    labelled = list(_labelled(frame))
    if not labelled:
        raise EncodeError("The DataFrame has no columns, so there is nothing to store.")
    names = unique_names([str(label) for label, _ in labelled])
    return [_shallow_column(name, series) for name, (_, series) in zip(names, labelled, strict=True)]


def _shallow_column(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    try:
        return outgoing_column(name, series)
    except RecursionError:
        raise EncodeError(
            f"Column {name!r} holds lists or dictionaries that go too deep, or hold themselves."
        ) from None


def unique_names(labels: Sequence[str]) -> list[str]:
    """Make a valid name of each label, all different; a label that is one already keeps it, others get ``_2``, ``_3``.

    Example:
        >>> unique_names(["a b", "a-b", "a_b", "n", "n"])
        ['a_b_2', 'a_b_3', 'a_b', 'n', 'n_2']
    """
    names = [valid_name(label) for label in labels]
    taken: set[str] = set()
    kept_first = sorted(range(len(labels)), key=lambda place: names[place] != labels[place])
    for place in kept_first:
        wanted, number = names[place], 2
        while names[place] in taken:
            names[place] = f"{wanted}_{number}"
            number += 1
        taken.add(names[place])
    return names


def _labelled(frame: pd.DataFrame) -> Iterator[tuple[Any, pd.Series[Any]]]:
    for level, label in enumerate(frame.index.names):
        if label is not None:
            yield label, frame.index.get_level_values(level).to_series()
    for place, label in enumerate(frame.columns):
        yield _flat(label), frame.iloc[:, place]


def _flat(label: Any) -> Any:
    # Columns of several levels have tuples for labels.
    return "_".join(map(str, label)) if isinstance(label, tuple) else label


def outgoing_column(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    """Plan one column by its dtype; object columns by their values."""
    import pandas as pd

    dtype: Any = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        column = outgoing_column(name, series.astype(object))
        return replace(column, low_cardinality=True) if column.kind == "text" else column
    if isinstance(dtype, pd.SparseDtype):
        sparse: Any = series.sparse
        return outgoing_column(name, sparse.to_dense())
    if isinstance(dtype, pd.StringDtype):
        return OutgoingColumn(name, "text", "String", series, _mask(series))
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        raise EncodeError(
            f"Column {name!r} has the dtype {dtype}, which ClickHouse has no type for. "
            "Split it into two columns of dates or numbers, or use .astype(str)."
        )
    if isinstance(dtype, pd.DatetimeTZDtype):
        return moments_column(name, np.asarray(series.dt.tz_convert("UTC").dt.tz_localize(None)), aware=True)
    plan = _BY_DTYPE_KIND.get(dtype.kind)
    if plan is None or (dtype.kind != "O" and isinstance(dtype, pd.ArrowDtype)):
        # Arrow's dtypes (dates, decimals, lists ...) hold what an object column of the same values holds.
        return _objects(name, series.astype(object))
    return plan(name, series)


def _mask(series: pd.Series[Any]) -> np.ndarray[Any, Any] | None:
    missing = series.isna().to_numpy(dtype=bool)
    return missing if missing.any() else None


def _filled(series: pd.Series[Any], missing: np.ndarray[Any, Any] | None, dtype: str) -> np.ndarray[Any, Any]:
    import pandas as pd

    if missing is None or not isinstance(series.dtype, pd.api.extensions.ExtensionDtype):
        return series.to_numpy(dtype=dtype)
    return series.to_numpy(dtype=dtype, na_value=0)


def _integers(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    missing = _mask(series)
    dtype = series.dtype.name.lower()
    inner = dtype.replace("uint", "UInt").replace("int", "Int") if dtype[0] == "i" else dtype.replace("uint", "UInt")
    return OutgoingColumn(name, "integer", inner, _filled(series, missing, dtype), missing)


def _floats(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    if series.dtype.itemsize > 8:  # type: ignore[union-attr]
        raise EncodeError(f"Column {name!r} has the dtype {series.dtype}; use .astype('float64') to accept 64 bits.")
    # In a numpy column NaN is pandas' mark for a missing value; a masked one tells NaN and NA apart.
    missing = _mask(series)
    inner = "Float64" if series.dtype.itemsize == 8 else "Float32"  # type: ignore[union-attr]
    return OutgoingColumn(name, "float", inner, _filled(series, missing, inner.lower()), missing)


def _booleans(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    missing = _mask(series)
    return OutgoingColumn(name, "bool", "Bool", _filled(series, missing, "bool"), missing)


def _datetimes(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    return moments_column(name, series.to_numpy(), aware=False)


def moments_column(name: str, values: np.ndarray[Any, Any], *, aware: bool) -> OutgoingColumn:
    """Plan a column of points in time.

    Args:
        name: valid in Tinybird.
        values: datetime64 of seconds, milliseconds, microseconds or nanoseconds, in UTC.
        aware: whether the column has a zone.
    """
    missing = np.isnat(values)
    unit = np.datetime_data(values.dtype)[0]
    present = values[~missing]
    # In seconds: the years 1900 and 2300 themselves are beyond what nanoseconds can say.
    edges = np.array([present.min(), present.max()] if len(present) else [0, 0], dtype="datetime64[s]")
    low, high = edges
    if low < np.datetime64("1900-01-01") or high >= np.datetime64("2300-01-01"):
        raise EncodeError(
            f"Column {name!r} reaches from {low} to {high}, but ClickHouse keeps times from 1900 to 2299 only. "
            "Replace the others by NaT."
        )
    zone = "'UTC'" if aware else ""
    if unit == "s" and low >= np.datetime64("1970-01-01") and high < np.datetime64(2**32, "s"):
        inner = f"DateTime({zone})" if zone else "DateTime"
    else:
        precision = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
        inner = f"DateTime64({precision}{', ' if zone else ''}{zone})"
    return OutgoingColumn(name, "moment", inner, values, missing if missing.any() else None)


def _refused(advice: str) -> Callable[[str, pd.Series[Any]], OutgoingColumn]:
    def refuse(name: str, series: pd.Series[Any]) -> OutgoingColumn:
        raise EncodeError(f"Column {name!r} has the dtype {series.dtype}, which Tinybird cannot store. {advice}")

    return refuse


def _objects(name: str, series: pd.Series[Any]) -> OutgoingColumn:
    import pandas as pd

    values = series.tolist()
    # pandas.isna() of a list, a Series or a frame is one of its kind: only scalars can be missing.
    gone = np.array([not isinstance(v, (list, tuple, np.ndarray, dict)) and pd.isna(v) is True for v in values], bool)
    return outgoing_values(name, values, gone if gone.any() else None)


def outgoing_values(name: str, values: Sequence[Any], missing: np.ndarray[Any, Any] | None) -> OutgoingColumn:
    """Plan a column of Python values, which must all be of one kind (whole numbers may join floats or decimals)."""
    gone: Any = missing if missing is not None else np.zeros(len(values), dtype=bool)
    cells = [None if skip else value for value, skip in zip(values, gone, strict=True)]
    first_rows: dict[str, int] = {}
    for row, cell in enumerate(cells):
        if cell is not None:
            first_rows.setdefault(_kind_of(name, row, cell), row)
    kinds = set(first_rows)
    for joined in ("float", "decimal"):
        if kinds == {"integer", joined}:
            kinds = {joined}
    if len(kinds) > 1:
        (first, a), (second, b), *_rest = first_rows.items()
        raise EncodeError(
            f"Column {name!r} mixes {first} (row {a}) and {second} (row {b}). Make it one type, for instance with "
            ".astype(str)."
        )
    kind = kinds.pop() if kinds else "text"
    return _BY_VALUE_KIND[kind](name, cells, missing)


_PYTHON_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    # The order matters: bool is an int, and a datetime is a date.
    ("bool", (bool, np.bool_)),
    ("integer", (int, np.integer)),
    ("float", (float, np.floating)),
    ("text", (str,)),
    ("decimal", (Decimal,)),
    ("moment", (datetime, np.datetime64)),
    ("day", (date,)),
    ("UUID", (UUID,)),
    ("IPv4", (IPv4Address,)),
    ("IPv6", (IPv6Address,)),
    ("array", (list, tuple, np.ndarray)),
    ("map", (dict,)),
)

_ADVICE: tuple[tuple[type, str], ...] = (
    (bytes, "Decode it to text: .str.decode('utf-8'), or .map(bytes.hex)."),
    (complex, "Store the real and the imaginary part in two columns."),
)


def _kind_of(name: str, row: int, value: Any) -> str:
    for kind, types in _PYTHON_KINDS:
        if isinstance(value, types):
            return kind
    advice = next(
        (text for kind, text in _ADVICE if isinstance(value, kind)), "Convert it, for instance with .astype(str)."
    )
    raise EncodeError(
        f"Column {name!r} holds a {type(value).__name__} (row {row}), which Tinybird cannot store. {advice}"
    )


Mask = Any
_WIDTHS = ("Int64", "UInt64", "Int128", "UInt128", "Int256", "UInt256")


def _integer_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    numbers = [None if cell is None else int(cell) for cell in cells]
    present = [number for number in numbers if number is not None]
    for inner in _WIDTHS:
        bits = int(inner.split("Int")[1])
        low, high = (0, 2**bits) if inner[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        if low <= min(present) and max(present) < high:
            break
    else:
        raise EncodeError(
            f"Column {name!r} holds a whole number of more than 256 bits. Store it as text: .astype(str)."
        )
    if bits == 64:
        return OutgoingColumn(name, "integer", inner, np.array([n or 0 for n in numbers], dtype=inner.lower()), missing)
    return OutgoingColumn(name, "wide", inner, numbers, missing)


def _float_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    for cell in cells:
        if isinstance(cell, (int, np.integer)) and int(float(cell)) != cell:
            raise EncodeError(
                f"Column {name!r} mixes floats with {cell}, which no 64-bit float can hold exactly. "
                "Make all of them Decimal, or text."
            )
    values = np.array([np.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
    return OutgoingColumn(name, "float", "Float64", values, missing)


def _bool_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    return OutgoingColumn(name, "bool", "Bool", np.array([bool(cell) for cell in cells], dtype=bool), missing)


def _text_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    for row, cell in enumerate(cells):
        # ASCII is the usual case and costs next to nothing.
        if cell is not None and not cell.isascii() and _is_cut(cell):
            raise EncodeError(
                f"Column {name!r} has a text with half a character (row {row}), which cannot be stored. Repair it, for "
                "instance with .str.encode('utf-8', 'replace').str.decode('utf-8')."
            )
    return OutgoingColumn(name, "text", "String", cells, missing)


def _is_cut(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _decimal_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    decimals = [None if cell is None else Decimal(cell) for cell in cells]
    scale = whole = 0
    for number in decimals:
        if number is None:
            continue
        if not number.is_finite():
            raise EncodeError(
                f"Column {name!r} holds the decimal {number}, which ClickHouse has no value for. Use None."
            )
        _, digits, exponent = number.as_tuple()
        scale = max(scale, -int(exponent))
        whole = max(whole, len(digits) + int(exponent))
    precision = next((width for width in (9, 18, 38, 76) if width >= max(whole, 0) + scale), None)
    if precision is None:
        raise EncodeError(f"Column {name!r} needs {whole + scale} decimal digits, ClickHouse keeps 76. Store text.")
    return OutgoingColumn(name, "decimal", f"Decimal({precision}, {scale})", decimals, missing)


def _moment_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:  # noqa: ARG001 - NaT tells it
    import pandas as pd

    stamps = [None if cell is None else pd.Timestamp(cell) for cell in cells]
    aware = {stamp.tzinfo is not None for stamp in stamps if stamp is not None}
    if len(aware) > 1:
        raise EncodeError(f"Column {name!r} mixes times with and without a zone. Give all of them one.")
    units = ("s", "ms", "us", "ns")
    unit = units[max(units.index(stamp.unit) for stamp in stamps if stamp is not None)]
    utc = [
        None if s is None else (s if s.tzinfo is None else s.tz_convert("UTC").tz_localize(None)).as_unit(unit).asm8
        for s in stamps
    ]
    return moments_column(name, np.array(utc, dtype=f"datetime64[{unit}]"), aware=aware == {True})


def _day_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    values = np.array(cells, dtype="datetime64[D]")
    present = values[~np.isnat(values)]
    if present.min() < np.datetime64("1900-01-01") or present.max() >= np.datetime64("2300-01-01"):
        raise EncodeError(f"Column {name!r} has days outside 1900 to 2299, which ClickHouse does not keep. Use None.")
    short = present.min() >= np.datetime64("1970-01-01") and present.max() <= np.datetime64("2149-06-06")
    return OutgoingColumn(name, "day", "Date" if short else "Date32", values, missing)


def _word_values(inner: str) -> Callable[[str, list[Any], Mask], OutgoingColumn]:
    def plan(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
        return OutgoingColumn(name, "word", inner, [None if cell is None else str(cell) for cell in cells], missing)

    return plan


def _array_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    if missing is not None:
        raise EncodeError(
            f"Column {name!r} has a missing list (row {int(np.argmax(missing))}), but an array cannot be NULL. "
            "Use an empty list there."
        )
    import pandas as pd

    flat = [element for cell in cells for element in (cell.tolist() if isinstance(cell, np.ndarray) else cell)]
    elements = _objects(name, pd.Series(flat, dtype=object))
    lengths = np.array([len(cell) for cell in cells], dtype=np.int64)
    return OutgoingColumn(name, "array", f"Array({elements.type})", lengths, elements=elements)


_KEY_KINDS = ("text", "integer", "day", "word")


def _map_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    if missing is not None:
        # A map cannot be NULL, text can.
        return _json_values(name, cells, missing)
    import pandas as pd

    try:
        keys = outgoing_values(name, [key for cell in cells for key in cell], None)
        elements = _objects(name, pd.Series([value for cell in cells for value in cell.values()], dtype=object))
    except EncodeError:
        return _json_values(name, cells, missing)
    if keys.kind not in _KEY_KINDS:
        return _json_values(name, cells, missing)
    lengths = np.array([len(cell) for cell in cells], dtype=np.int64)
    return OutgoingColumn(name, "map", f"Map({keys.type}, {elements.type})", lengths, elements=elements, keys=keys)


def _json_values(name: str, cells: list[Any], missing: Mask) -> OutgoingColumn:
    texts: list[str | None] = []
    for row, cell in enumerate(cells):
        try:
            texts.append(
                None
                if cell is None
                else json.dumps(cell, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_value)
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise EncodeError(
                f"Column {name!r} holds a dict that JSON cannot say (row {row}): {error}. Convert its values first."
            ) from error
    return OutgoingColumn(name, "text", "String", texts, missing)


def _json_value(value: Any) -> Any:
    # Text where a JSON number could round.
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, Decimal, UUID, IPv4Address, IPv6Address)):
        return str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"it has no form for a {type(value).__name__}")


_BY_VALUE_KIND: dict[str, Callable[[str, list[Any], Mask], OutgoingColumn]] = {
    "bool": _bool_values,
    "integer": _integer_values,
    "float": _float_values,
    "text": _text_values,
    "decimal": _decimal_values,
    "moment": _moment_values,
    "day": _day_values,
    "UUID": _word_values("UUID"),
    "IPv4": _word_values("IPv4"),
    "IPv6": _word_values("IPv6"),
    "array": _array_values,
    "map": _map_values,
}

_BY_DTYPE_KIND: dict[str, Callable[[str, Any], OutgoingColumn]] = {
    "i": _integers,
    "u": _integers,
    "f": _floats,
    "b": _booleans,
    "M": _datetimes,
    "O": _objects,
    "m": _refused("Store a number instead, for instance .dt.total_seconds()."),
    "c": _refused("Store the real and the imaginary part in two columns."),
}
