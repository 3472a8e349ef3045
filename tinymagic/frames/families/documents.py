# ruff: noqa: D102, ARG002 - what the methods promise is written once, at ClickHouseType
"""JSON, Dynamic, Variant, Nothing and AggregateFunction: object columns of what a JSON reader makes of them.

JSON is a dict, with lists, texts, whole numbers and floats inside; its typed paths are not converted, because the
Parquet reply carries the document as text. Dynamic, Variant, Nothing and AggregateFunction have no Parquet form at
all. An AggregateFunction's state is shown as the text the service sends; use the ``-Merge`` functions for its value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tinymagic.frames.arrow_buffers import bytes_cells
from tinymagic.frames.base import ClickHouseType, Notes, plain_document, register
from tinymagic.frames.families.text import repaired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.syntax import Item


class Document(ClickHouseType):
    """A value whose shape is its own."""

    def cells_from_json(self, values: Sequence[Any], notes: Notes) -> list[Any]:
        return [plain_document(value) for value in values]

    def cells_from_arrow(self, array: Any, notes: Notes) -> list[Any]:
        return [None if data is None else json.loads(repaired(data)[0]) for data in bytes_cells(array)]


@register("JSON", "Object", "Dynamic", "Variant", "Nothing", "AggregateFunction", "QBit")
def _document(item: Item) -> ClickHouseType:
    return Document(str(item))
