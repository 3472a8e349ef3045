# ruff: noqa: D102, ARG002 - what the methods promise is written once, at ClickHouseType
"""Whole numbers, floating point numbers, Bool, Decimal and the Interval types.

| ClickHouse | column | inside arrays, maps and tuples |
|---|---|---|
| Int8 ... UInt64, Interval* (a count of the unit its name tells) | int8 ... uint64; Nullable: Int8 ... UInt64 | int |
| Int128 ... UInt256 | object of int | int |
| Float32, Float64, BFloat16 | float32, float64, float32; Nullable: Float32, Float64 with NaN apart from NA | float |
| Bool | bool; Nullable: boolean | bool |
| Decimal | object of decimal.Decimal, always with the type's scale | Decimal |
"""

from __future__ import annotations

from array import array as machine_array
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.arrow_buffers import bytes_cells, mask_of, values_of
from tinymagic.frames.base import ClickHouseType, Column, Notes, arguments_of, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.syntax import Item

# The machine's own codes for one value, by dtype. array.array refuses floats and values out of range,
# which numpy would cut or wrap, and is as quick.
_CODES = {
    np.dtype(code).name: code
    for code in ("b", "B", "h", "H", "i", "I", "q", "Q")
    if np.dtype(code).itemsize == machine_array(code).itemsize
}


def _missing(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    return np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))


@dataclass(frozen=True, kw_only=True)
class Integer(ClickHouseType):
    """A whole number that fits a machine word."""

    dtype: str

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        # Keys of maps, and every 64-bit number when output_format_json_quote_64bit_integers is on, are texts.
        return [int(value) if type(value) is str else value for value in values]

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        if not self.nullable:
            return self._values(cells)
        mask = _missing(cells)
        return self._masked(self._values([0 if cell is None else cell for cell in cells]), mask)

    def column_from_json(self, values: Sequence[Any], notes: Notes) -> Column:
        try:
            return self.column_from_cells(values)
        except TypeError:
            return self.column_from_cells(self.cells_from_json(values, notes))

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        values = values_of(chunked, self.dtype)
        return self._masked(values, mask_of(chunked)) if self.nullable else values

    def _values(self, cells: Sequence[Any]) -> np.ndarray[Any, Any]:
        return np.frombuffer(machine_array(_CODES[self.dtype], cells), dtype=self.dtype)

    @staticmethod
    def _masked(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> Column:
        from pandas.arrays import IntegerArray

        return IntegerArray(values, mask)


@dataclass(frozen=True, kw_only=True)
class WideInteger(ClickHouseType):
    """Int128 to UInt256: Python integers. Parquet carries them as fixed bytes, the lowest byte first."""

    signed: bool
    bits: int

    @property
    def name(self) -> str:
        """The type's own name, without what it stands in."""
        return f"{'' if self.signed else 'U'}Int{self.bits}"

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return [int(value) if type(value) is str else value for value in values]

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        return [
            None if cell is None else int.from_bytes(cell, "little", signed=self.signed) for cell in bytes_cells(array)
        ]


@dataclass(frozen=True, kw_only=True)
class Float(ClickHouseType):
    """A floating point number. ``"nan"`` and ``"inf"`` come quoted in JSON, or as null where they were not quoted."""

    dtype: str

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        # Through the dtype, so that 0.1 of a Float32 is the same double here as in Parquet.
        cells = self._values(values).tolist()
        if self.nullable:
            return [None if value is None else cell for value, cell in zip(values, cells, strict=True)]
        return list(cells)

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        values = self._values(cells)
        return self._masked(values, _missing(cells)) if self.nullable else values

    def column_from_json(self, values: Sequence[Any], notes: Notes) -> Column:
        return self.column_from_cells(values)

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        values = values_of(chunked, self.dtype)
        if not self.nullable:
            return values
        mask = mask_of(chunked)
        values[mask] = np.nan
        return self._masked(values, mask)

    def _values(self, cells: Sequence[Any]) -> np.ndarray[Any, Any]:
        # None becomes NaN and the texts of json.loads' parse_float are read: numpy does both through float().
        return np.array(cells, dtype=np.float64).astype(self.dtype, copy=False)

    @staticmethod
    def _masked(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> Column:
        from pandas.arrays import FloatingArray

        # Not pandas.array(): that would take every NaN for a missing value.
        return FloatingArray(values, mask)


_TRUTH = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, kw_only=True)
class Boolean(ClickHouseType):
    """True or false."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return [_TRUTH[value] if type(value) is str else value for value in values]

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        if not self.nullable:
            if not all(type(cell) is bool for cell in cells):
                raise TypeError("a value is neither true nor false")
            return np.array(cells, dtype=np.bool_)
        return self._masked(np.array([cell is True for cell in cells], dtype=np.bool_), _missing(cells))

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        if not self.nullable and not chunked.null_count:
            return values_of(chunked, np.bool_)
        return self._masked(values_of(chunked, np.bool_), mask_of(chunked))

    @staticmethod
    def _masked(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> Column:
        from pandas.arrays import BooleanArray

        return BooleanArray(values, mask)


@dataclass(frozen=True, kw_only=True)
class DecimalNumber(ClickHouseType):
    """A decimal number with a fixed count of digits after the point, kept to the last digit.

    JSON drops trailing zeros and writes a bare number; the scale puts the zeros back.
    """

    precision: int
    scale: int

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        step = Decimal(1).scaleb(-self.scale)
        digits = Context(prec=100)
        return [None if value is None else Decimal(value).quantize(step, context=digits) for value in values]


def _integer(item: Item) -> ClickHouseType:
    return Integer(str(item), dtype=item.value.lower())


for _width in (8, 16, 32, 64):
    register(f"Int{_width}", f"UInt{_width}")(_integer)


@register("Int128", "Int256", "UInt128", "UInt256")
def _wide_integer(item: Item) -> ClickHouseType:
    return WideInteger(str(item), signed=not item.value.startswith("U"), bits=int(item.value[-3:]))


@register("Float32", "Float64", "BFloat16")
def _float(item: Item) -> ClickHouseType:
    return Float(str(item), dtype="float64" if item.value == "Float64" else "float32")


@register("Bool")
def _bool(item: Item) -> ClickHouseType:
    return Boolean(str(item))


_UNITS = "Nanosecond Microsecond Millisecond Second Minute Hour Day Week Month Quarter Year".split()


@register(*(f"Interval{unit}" for unit in _UNITS))
def _interval(item: Item) -> ClickHouseType:
    return Integer(str(item), dtype="int64")


_PRECISIONS = {"Decimal32": 9, "Decimal64": 18, "Decimal128": 38, "Decimal256": 76}


@register("Decimal", *_PRECISIONS)
def _decimal(item: Item) -> ClickHouseType:
    numbers = [int(argument[0].value) for argument in arguments_of(item)]
    if item.value in _PRECISIONS:
        return DecimalNumber(str(item), precision=_PRECISIONS[item.value], scale=numbers[0])
    precision, scale = [*numbers, 10, 0][:2] if not numbers else [*numbers, 0][:2]
    return DecimalNumber(str(item), precision=precision, scale=scale)
