# ruff: noqa: D102 - what the methods promise is written once, at ClickHouseType
"""Point, Ring, LineString, Polygon and their multiples: tuples and lists of floats, by their structure.

JSON shows the structure. Parquet (GeoParquet) carries a column of points, lines or polygons as well-known binary:
one byte for the byte order, four for the shape's code, then counts and coordinates. The same types inside an array
or a tuple, and Ring everywhere, are plain lists of pairs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.frames.arrow_buffers import bytes_cells
from tinymagic.frames.base import ClickHouseType, Notes, build, register
from tinymagic.frames.families.documents import Document
from tinymagic.frames.syntax import Item, parse_syntax

if TYPE_CHECKING:
    from collections.abc import Sequence

    Shape = Any

_POINT, _LINE, _POLYGON = 1, 2, 3
_STRUCTURES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}


@dataclass(frozen=True, kw_only=True)
class Geometry(ClickHouseType):
    """A shape. The work is done by the type of its structure."""

    structure: ClickHouseType

    @property
    def children(self) -> tuple[ClickHouseType, ...]:
        return (self.structure,)

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return self.structure.cells_from_json(values, notes)

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        if str(array.type).startswith(("struct", "list", "large_list")):
            return self.structure.cells_from_arrow(array, notes)
        return [None if data is None else _shape(data, 0)[0] for data in bytes_cells(array)]


def _shape(data: bytes, position: int) -> tuple[Shape, int]:
    """Read one shape of well-known binary; return it and the place after it."""
    order = "<" if data[position] == 1 else ">"
    (code,) = struct.unpack_from(order + "I", data, position + 1)
    position += 5
    if code == _POINT:
        return struct.unpack_from(order + "dd", data, position), position + 16
    (count,) = struct.unpack_from(order + "I", data, position)
    position += 4
    if code == _LINE:
        return _points(data, position, order, count)
    parts = []
    for _ in range(count):
        if code == _POLYGON:
            (points,) = struct.unpack_from(order + "I", data, position)
            part, position = _points(data, position + 4, order, points)
        else:
            part, position = _shape(data, position)
        parts.append(part)
    return parts, position


def _points(data: bytes, position: int, order: str, count: int) -> tuple[Shape, int]:
    numbers = struct.unpack_from(f"{order}{2 * count}d", data, position)
    return list(zip(numbers[::2], numbers[1::2], strict=True)), position + 16 * count


@register(*_STRUCTURES)
def _geometry(item: Item) -> ClickHouseType:
    return Geometry(str(item), structure=build(parse_syntax(_STRUCTURES[item.value])))


@register("Geometry")
def _any_geometry(item: Item) -> ClickHouseType:
    # One of several shapes; JSON does not say which, so the lists stay as they are.
    return Document(str(item))
