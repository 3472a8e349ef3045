"""ClickHouse types -> Arrow types, one for each whatever the values are, and Python values in the form Arrow takes.

| ClickHouse | Arrow | polars |
|---|---|---|
| Int8 ... UInt64, Interval* | int8 ... uint64 | Int8 ... UInt64 |
| Int128, UInt128 | decimal256(39, 0) | Int128, UInt128 (String where this polars has none) |
| Int256, UInt256 | string of the digits* | String* |
| Float32, Float64, BFloat16 | float, double, float; NaN is a value | Float32, Float64, Float32 |
| Bool | bool | Boolean |
| Decimal(p, s) | decimal128(p, s), from 39 digits on decimal256(p, s) | Decimal; from 39 digits on String* |
| String, FixedString | string | String |
| Enum | dictionary of the labels in order of their numbers | Enum |
| Date, Date32 | date32 | Date |
| DateTime, DateTime64(p) | timestamp of unit s, ms, us or ns, with the type's zone | Datetime of ms, us or ns |
| Time, Time64 | duration of that unit | Duration |
| UUID, IPv4, IPv6 | string | String |
| Array, Map, Tuple | list, map, struct (fields without names are 1, 2 ...) | List, Map or List, Struct |
| JSON, Dynamic, Variant, AggregateFunction and types not known here | string of JSON* | String* |

An Enum inside of a list, map or struct is a string. A star marks a stand-in: all of the value is there, but not as what
it is, and a notice says so. Parquet and JSON give one and the same column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from tinymagic.frames.families.containers import Array, Map, Tuple
from tinymagic.frames.families.dates import Date, DateTime
from tinymagic.frames.families.enums import Enum
from tinymagic.frames.families.geometry import Geometry
from tinymagic.frames.families.identifiers import Ipv4, Ipv6, Uuid
from tinymagic.frames.families.numbers import Boolean, DecimalNumber, Float, Integer, WideInteger
from tinymagic.frames.families.text import Text
from tinymagic.frames.families.times import Time

if TYPE_CHECKING:
    from tinymagic.frames.base import ClickHouseType

#: Makes of a Python value what Arrow takes; ``None`` never comes here.
Prepare: TypeAlias = Callable[[Any], Any]

_FIXED_RE = re.compile(r"Fixed/UTC([+-]\d\d:\d\d):00")


@dataclass(frozen=True)
class ArrowTypes:
    """The types of one library that holds Arrow's arrays.

    Attributes:
        library: its name, for notices.
        most_digits: of a decimal.
        offsets: whether a zone may be an offset like ``+05:30``.
    """

    library: str
    most_digits: int
    offsets: bool

    @lru_cache(maxsize=1024)  # noqa: B019 - there are two of these objects, for ever
    def type_of(self, kind: ClickHouseType) -> Any:
        """Return the Arrow type of a column, or of values inside of one."""
        import pyarrow as pa

        match kind:
            case Integer(dtype=name) | Float(dtype=name):
                return pa.type_for_alias(name)
            case Boolean():
                return pa.bool_()
            case WideInteger() if self._is_decimal(kind):
                return pa.decimal256(39, 0)
            case DecimalNumber() if kind.precision <= self.most_digits:
                return (pa.decimal128 if kind.precision <= 38 else pa.decimal256)(kind.precision, kind.scale)
            case Date():
                return pa.date32()
            case DateTime():
                return pa.timestamp(kind.unit, None if kind.zone is None else self.zone_of(kind.zone))
            case Time():
                return pa.duration(kind.unit)
            case Array():
                return pa.list_(self.type_of(kind.element))
            case Map():
                return pa.map_(self.type_of(kind.key), self.type_of(kind.value))
            case Tuple():
                parts = zip(field_names(kind), kind.elements, strict=True)
                return pa.struct([pa.field(name, self.type_of(element)) for name, element in parts])
            case Geometry():
                return self.type_of(kind.structure)
            case _:
                return pa.string()

    def zone_of(self, zone: str) -> str:
        """Return the zone as this library can have it; UTC where it cannot."""
        fixed = _FIXED_RE.fullmatch(zone)
        if fixed and self.offsets:
            return fixed[1]
        return "UTC" if zone.startswith("Fixed/") else zone

    def stand_ins(self, kind: ClickHouseType) -> tuple[str, ...]:
        """Return the ClickHouse types in *kind* whose values come as text because there is nothing better."""
        if kind.children:
            return tuple(dict.fromkeys(name for child in kind.children for name in self.stand_ins(child)))
        if isinstance(kind, WideInteger):
            return () if kind.bits == 128 else (kind.text,)
        if isinstance(kind, DecimalNumber):
            return () if kind.precision <= self.most_digits else (kind.text,)
        return () if isinstance(kind, _HELD) else (kind.text,)

    def preparation(self, kind: ClickHouseType) -> Prepare | None:
        """Return what makes a Python value (as `Notes.plain` has them) ready for `type_of`; ``None``: nothing to do."""
        match kind:
            case WideInteger():
                return _decimal_of if self._is_decimal(kind) else str
            case DecimalNumber():
                return None if kind.precision <= self.most_digits else "{:f}".format
            case Uuid() | Ipv4() | Ipv6():
                return str
            case Array():
                return _list_of(self.preparation(kind.element))
            case Map():
                return _pairs_of(self.preparation(kind.key), self.preparation(kind.value))
            case Tuple():
                return _struct_of(field_names(kind), [self.preparation(element) for element in kind.elements])
            case Geometry():
                return self.preparation(kind.structure)
            case _:
                return None if isinstance(kind, _HELD) else _json_of

    def _is_decimal(self, kind: WideInteger) -> bool:
        return kind.bits == 128 and self.most_digits > 38


ARROW = ArrowTypes("Arrow", most_digits=76, offsets=True)
POLARS = ArrowTypes("polars", most_digits=38, offsets=False)

#: Types without others inside that Arrow has as they are, or whose text is the usual way to write them.
_HELD = (Integer, Float, Boolean, Date, DateTime, Time, Text, Enum, Uuid, Ipv4, Ipv6)


def field_names(kind: Tuple) -> list[str]:
    """Return the names of a struct's fields; Parquet numbers those without a name in the same way."""
    return list(kind.names) or [str(place) for place in range(1, len(kind.elements) + 1)]


def prepared(cells: list[Any], prepare: Prepare | None) -> list[Any]:
    """Make cells ready; ``None`` stays."""
    if prepare is None:
        return cells
    return [None if cell is None else prepare(cell) for cell in cells]


def _decimal_of(number: int) -> Any:
    from decimal import Decimal

    return Decimal(number)


def _json_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _list_of(prepare: Prepare | None) -> Prepare | None:
    return None if prepare is None else lambda cells: prepared(cells, prepare)


def _pairs_of(key: Prepare | None, value: Prepare | None) -> Prepare:
    return lambda found: list(zip(prepared(list(found), key), prepared(list(found.values()), value), strict=True))


def _struct_of(names: list[str], prepares: list[Prepare | None]) -> Prepare:
    def struct(cell: Any) -> dict[str, Any]:
        parts = cell.values() if isinstance(cell, dict) else cell
        return {
            name: part if part is None or prepare is None else prepare(part)
            for name, part, prepare in zip(names, parts, prepares, strict=True)
        }

    return struct
