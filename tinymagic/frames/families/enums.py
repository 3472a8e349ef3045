# ruff: noqa: D102, ARG002 - what the methods promise is written once, at ClickHouseType
"""Enum8 and Enum16: an ordered categorical with every declared label, in order of the enum's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymagic.frames.arrow_buffers import bytes_cells
from tinymagic.frames.base import ClickHouseType, Column, Notes, arguments_of, register
from tinymagic.frames.families.text import repaired

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tinymagic.frames.syntax import Item


@dataclass(frozen=True, kw_only=True)
class Enum(ClickHouseType):
    """One label out of a declared list; inside arrays, maps and tuples a plain ``str``."""

    labels: tuple[str, ...]
    numbers: tuple[int, ...]

    @cached_property
    def dtype(self) -> pd.CategoricalDtype:
        """The categorical dtype: labels in order of their numbers."""
        import pandas as pd

        return pd.CategoricalDtype(list(self.labels), ordered=True)

    @cached_property
    def _codes(self) -> dict[Any, int]:
        # NULL is -1, as in pandas.
        return {None: -1, **{label: place for place, label in enumerate(self.labels)}}

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        if str(array.type).startswith(("int", "uint")):
            # Some versions of the service write the enum's numbers.
            by_number = dict(zip(self.numbers, self.labels, strict=True))
            return [None if number is None else by_number[number] for number in array.to_pylist()]
        return [None if data is None else repaired(data)[0] for data in bytes_cells(array)]

    def column_from_cells(self, cells: Sequence[Any]) -> Column:
        return self._column(self.codes_of_cells(cells))

    def column_from_arrow(self, chunked: Any, notes: Notes) -> Column:
        return self._column(self.codes_from_arrow(chunked, notes))

    def codes_of_cells(self, cells: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Return the place of each label among the `labels`; -1 for NULL."""
        codes = self._codes
        return np.fromiter((codes[cell] for cell in cells), dtype=np.int16, count=len(cells))

    def codes_from_arrow(self, chunked: Any, notes: Notes) -> np.ndarray[Any, Any]:
        """Return the place of each label of a chunked array; -1 for NULL."""
        parts = [np.empty(0, dtype=np.int16)]
        for chunk in chunked.chunks:
            # Few labels, many rows: look each label up once, then only numbers move.
            encoded = chunk.dictionary_encode()
            labels = self.cells_from_arrow(encoded.dictionary, notes)
            places = np.array([self._codes[label] for label in labels] + [-1], dtype=np.int16)
            indices = encoded.indices.fill_null(len(labels)) if encoded.indices.null_count else encoded.indices
            parts.append(places[indices.to_numpy()])
        return np.concatenate(parts)

    def _column(self, codes: np.ndarray[Any, Any]) -> Column:
        import pandas as pd

        return pd.Categorical.from_codes(codes, dtype=self.dtype)


@register("Enum8", "Enum16", "Enum")
def _enum(item: Item) -> ClickHouseType:
    pairs: list[tuple[int, str]] = []
    for argument in arguments_of(item):
        label, *rest = argument
        # Without a number a label takes the one after its neighbour's; the first takes 1.
        number = int(rest[1].value) if rest else (pairs[-1][0] + 1 if pairs else 1)
        if label.kind != "string":
            raise ValueError("a label is not quoted")
        pairs.append((number, label.value))
    pairs.sort()
    return Enum(str(item), labels=tuple(label for _, label in pairs), numbers=tuple(number for number, _ in pairs))
