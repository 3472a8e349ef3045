# ruff: noqa: D102 - what the methods promise is written once, at ClickHouseType
"""Array, Map, Tuple and Nested: object columns of lists, dicts, tuples, and dicts for tuples with names.

The values of a whole column are read in one go: all elements of all arrays together, as one column of the element
type, and then cut by the lengths. So an array of dates costs what a column of dates costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from tinymagic.frames.base import ClickHouseType, Notes, arguments_of, build, only_type, register
from tinymagic.frames.syntax import Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def _cut(cells: Iterable[Any], lengths: Iterable[int | None]) -> list[Any]:
    """Cut a flat run of cells into lists of the given lengths; ``None`` stands for a missing list."""
    flat = iter(cells)
    return [None if length is None else list(islice(flat, length)) for length in lengths]


def _arrow_lengths(array: Any) -> tuple[int, int, list[int | None]]:
    """Return where the elements of a list or map array begin, how many there are, and the length of each list."""
    offsets = array.offsets.to_numpy()
    lengths: list[int | None] = (offsets[1:] - offsets[:-1]).tolist()
    if array.null_count:
        valid = array.is_valid().to_pylist()
        lengths = [length if there else None for length, there in zip(lengths, valid, strict=True)]
    return int(offsets[0]), int(offsets[-1] - offsets[0]), lengths


@dataclass(frozen=True, kw_only=True)
class Array(ClickHouseType):
    """A list of values of one type."""

    element: ClickHouseType

    @property
    def children(self) -> tuple[ClickHouseType, ...]:
        return (self.element,)

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        flat = list(chain.from_iterable(value for value in values if value is not None))
        return _cut(self.element.cells_from_json(flat, notes), (None if v is None else len(v) for v in values))

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        start, count, lengths = _arrow_lengths(array)
        return _cut(self.element.cells_from_arrow(array.values.slice(start, count), notes), lengths)


@dataclass(frozen=True, kw_only=True)
class Map(ClickHouseType):
    """Keys and values; a dict. Of a key that comes twice the last value stays, as JSON readers do."""

    key: ClickHouseType
    value: ClickHouseType

    @property
    def children(self) -> tuple[ClickHouseType, ...]:
        return (self.key, self.value)

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        self._check_keys()
        pairs = [pair for value in values if value is not None for pair in value.items()]
        keys = self.key.cells_from_json([key for key, _ in pairs], notes)
        items = self.value.cells_from_json([item for _, item in pairs], notes)
        return self._dicts(keys, items, [None if value is None else len(value) for value in values])

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        self._check_keys()
        start, count, lengths = _arrow_lengths(array)
        keys = self.key.cells_from_arrow(array.keys.slice(start, count), notes)
        items = self.value.cells_from_arrow(array.items.slice(start, count), notes)
        return self._dicts(keys, items, lengths)

    @staticmethod
    def _dicts(keys: list[Any], items: list[Any], lengths: Iterable[int | None]) -> list[Any]:
        return [None if pairs is None else dict(pairs) for pairs in _cut(zip(keys, items, strict=True), lengths)]

    def _check_keys(self) -> None:
        if self.key.children:
            raise ValueError(f"keys of type {self.key} have no exact Python form; select mapKeys() and mapValues()")


@dataclass(frozen=True, kw_only=True)
class Tuple(ClickHouseType):
    """Values of several types: a tuple, or a dict when the elements have names."""

    elements: tuple[ClickHouseType, ...]
    names: tuple[str, ...]

    @property
    def children(self) -> tuple[ClickHouseType, ...]:
        return self.elements

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        present = [self._in_order(value) for value in values if value is not None]
        columns: Iterable[tuple[Any, ...]] = zip(*present, strict=True) if present else [() for _ in self.elements]
        cells = [element.cells_from_json(column, notes) for element, column in zip(self.elements, columns, strict=True)]
        return self._joined(cells, (value is not None for value in values))

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        present = array.drop_null() if array.null_count else array
        columns = present.flatten()
        cells = [
            element.cells_from_arrow(column, notes) for element, column in zip(self.elements, columns, strict=True)
        ]
        valid = array.is_valid().to_pylist() if array.null_count else (True for _ in range(len(array)))
        return self._joined(cells, valid)

    def _in_order(self, value: Any) -> Sequence[Any]:
        # A named tuple is an object, or a list under output_format_json_named_tuples_as_objects=0.
        parts = [value[name] for name in self.names] if isinstance(value, dict) else value
        if len(parts) != len(self.elements):
            raise ValueError(f"a tuple of {len(self.elements)} has {len(parts)} elements")
        return parts

    def _joined(self, cells: list[list[Any]], valid: Iterable[bool]) -> list[Any]:
        rows: Iterable[Any] = zip(*cells, strict=True)
        if self.names:
            rows = (dict(zip(self.names, row, strict=True)) for row in rows)
        row = iter(rows)
        if not self.elements:
            return [() if there else None for there in valid]
        return [next(row) if there else None for there in valid]


@register("Array")
def _array(item: Item) -> ClickHouseType:
    (element,) = arguments_of(item)
    return Array(str(item), element=only_type(element))


@register("Map")
def _map(item: Item) -> ClickHouseType:
    key, value = arguments_of(item)
    return Map(str(item), key=only_type(key), value=only_type(value))


@register("Tuple")
def _tuple(item: Item) -> ClickHouseType:
    arguments = arguments_of(item)
    if any(argument[-1].kind != "word" or len(argument) > 2 for argument in arguments):
        raise ValueError("an element is neither a type nor a name and a type")
    names = tuple(argument[0].value for argument in arguments if len(argument) == 2)
    if len(names) not in (0, len(arguments)):
        raise ValueError("some elements have names and some have not")
    return Tuple(str(item), elements=tuple(build(argument[-1]) for argument in arguments), names=names)


@register("Nested")
def _nested(item: Item) -> ClickHouseType:
    # Nested is an array of named tuples, however many columns it is stored in.
    return Array(str(item), element=_tuple(Item("word", "Tuple", "Tuple", arguments_of(item))))
