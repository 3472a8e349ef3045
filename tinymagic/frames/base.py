"""What a ClickHouse type is to this package, and the registry in which the families enter themselves.

Every family answers the same four questions, one per way a value can arrive:

* ``cells_from_json``: values of a parsed JSON reply -> natural Python values, for use inside arrays, maps and tuples;
* ``cells_from_arrow``: the same from an Arrow array (the Parquet reply);
* ``column_from_cells``: those Python values -> a column of the exact dtype;
* ``column_from_json`` and ``column_from_arrow``: a whole column at once. They default to the two steps above; plain
  families replace them by vectorised ones.

``Nullable``, ``LowCardinality`` and ``SimpleAggregateFunction`` are no families: they leave the values as they are, so
they only change ``text`` and ``nullable`` of the type inside them. In object columns a missing value is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from tinymagic.frames.syntax import Item, UnknownType

#: What a column is built from: a numpy array or a pandas extension array. Both are handed to ``pandas.Series`` as is.
Column: TypeAlias = Any


@dataclass
class Notes:
    """How a column is read, and what that could not settle: sentences for the person who asked, each said once.

    Attributes:
        column: its name.
        plain: moments and spans of time among the Python values are those of the standard library, where microseconds
            can say them; else always pandas'.
        warnings: the sentences.
    """

    column: str
    plain: bool = False
    warnings: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Keep *sentence* unless it was said before."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)


@dataclass(frozen=True)
class ClickHouseType:
    """One ClickHouse type; the base of every family. Without a family of its own a type is opaque: see `Opaque`.

    Attributes:
        text: the exact type on one line, as ClickHouse writes it.
        nullable: whether NULL can occur: the type stands in ``Nullable(...)``.
    """

    text: str
    nullable: bool = False

    def __str__(self) -> str:
        """Return the exact type name."""
        return self.text

    @property
    def children(self) -> tuple[ClickHouseType, ...]:
        """The types inside this one, in order; empty for scalars."""
        return ()

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:  # noqa: ARG002 - part of the contract
        """Turn values of a parsed JSON reply into natural Python values; ``None`` stays ``None``.

        Keys of maps arrive here as well, and those are always texts: a family must read its own text form too.
        """
        return list(values)

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:  # noqa: ARG002 - part of the contract
        """Turn an Arrow array into natural Python values; null becomes ``None``."""
        cells: list[Any] = array.to_pylist()
        return cells

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        """Build the column that holds *cells*; by default an object array."""
        return object_column(cells)

    def column_from_json(self, values: Sequence[Any], notes: Notes) -> Column:
        """Build a whole column from the values of a parsed JSON reply."""
        return self.column_from_cells(self.cells_from_json(values, notes))

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        """Build a whole column from an Arrow chunked array."""
        cells: list[Any] = []
        for chunk in chunked.chunks:
            cells.extend(self.cells_from_arrow(chunk, notes))
        return self.column_from_cells(cells)


@dataclass(frozen=True)
class Opaque(ClickHouseType):
    """A type this package has no rule for: an object column of what the reply holds (text, numbers, lists)."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:  # noqa: ARG002 - part of the contract
        """Leave the values as the JSON reader made them."""
        return [plain_document(value) for value in values]

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:  # noqa: ARG002 - part of the contract
        """Take the bytes of a type that Parquet carries as bytes for text."""
        cells = array.to_pylist()
        return [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in cells]


def plain_document(value: Any) -> Any:
    """Replace the Decimals inside a document by floats: a reply with a Decimal column is read with all its digits."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain_document(part) for part in value]
    if isinstance(value, dict):
        return {key: plain_document(part) for key, part in value.items()}
    return value


def object_column(cells: Iterable[Any]) -> np.ndarray[Any, Any]:
    """Put Python values into a one-dimensional object array, lists and tuples unopened."""
    cells = cells if isinstance(cells, Sequence) else list(cells)
    return np.fromiter(cells, dtype=object, count=len(cells))


Builder = Callable[[Item], ClickHouseType]
_BUILDERS: dict[str, Builder] = {}


def register(*names: str) -> Callable[[Builder], Builder]:
    """Enter the decorated builder for the type *names*: it gets the syntax tree and returns the type."""

    def enter(builder: Builder) -> Builder:
        for name in names:
            _BUILDERS[name] = builder
        return builder

    return enter


def registered_names() -> tuple[str, ...]:
    """Return the names of all types that have a family, sorted."""
    return tuple(sorted(_BUILDERS))


def build(item: Item) -> ClickHouseType:
    """Turn a syntax tree into a type; a name that nobody registered becomes `Opaque`.

    Raises:
        UnknownType: the name is known but its arguments are not what that type takes.
    """
    builder = _BUILDERS.get(item.value)
    if builder is None:
        return Opaque(str(item))
    try:
        return builder(item)
    except (IndexError, TypeError, KeyError, ValueError) as error:
        if isinstance(error, UnknownType):
            raise
        raise UnknownType(f"{str(item)!r}: these are not the arguments of {item.value}.") from error


def only_type(argument: tuple[Item, ...]) -> ClickHouseType:
    """Build the type of an argument that is one type and nothing else."""
    (item,) = argument
    if item.kind != "word":
        raise UnknownType(f"{str(item)!r} stands where a type is expected.")
    return build(item)


def arguments_of(item: Item) -> tuple[tuple[Item, ...], ...]:
    """Return the arguments of a call; a bare name has none."""
    return item.arguments or ()
