"""From the start of an NDJSON file to columns: paths, names, types, nullability.

Pure and deterministic, as `inference.py` is for CSV. Rules: ``analyze.md`` sections 4, 5.2 and 8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .inferred_columns import InferredColumn, column_names, json_path, valid_name
from .sample import sample_text
from .value_summary import ValueSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Objects in objects that are followed; what lies deeper is left out.
_MOST_LEVELS = 50


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:  # The engine takes no line with a number out of range.
        raise ValueError(f"{text[:40]} is out of range.")
    return number


_JSON = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def infer_ndjson(sample: bytes, *, whole: bool = True) -> list[InferredColumn]:
    """Understand the start of an NDJSON file: see `infer_objects`. Lines that are no JSON object are ignored.

    Raises:
        ValueError: no line is a JSON object, or none has a value that a column can be made of.
    """
    return infer_objects([row for _, row in read_objects(sample, whole=whole)])


def read_objects(sample: bytes, *, whole: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """Return the lines of an NDJSON sample that are JSON objects, each with the object.

    Raises:
        ValueError: there is none.
    """
    text, whole = sample_text(sample, whole)
    found = []
    for line in text.split("\n"):
        try:
            row = _JSON.decode(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue  # Also the last line, when it is cut.
        if isinstance(row, dict):
            found.append((line, row))
    if not found:
        reason = "has no line" if whole else "has no complete line in its first MiB"
        raise ValueError(f"The file {reason} that is a JSON object.")
    return found


def infer_objects(rows: Sequence[dict[str, Any]]) -> list[InferredColumn]:
    """Make one column of each leaf of JSON objects, sorted by name.

    Objects are flattened, arrays of scalars are columns, arrays of objects and of arrays become ``Array(String)`` of
    their JSON text, and a path that has an object in one row and another value in another one becomes a String of JSON
    text. Keys that no jsonpath can hold (empty, with a backtick, with ``'`` beside a dot or blank) are left out.

    Raises:
        ValueError: no value is there that a column can be made of.
    """
    root = _Node()
    for row in rows:
        root.add(row)
    leaves = {path: node for path, node in root.leaves(()) if json_path(path) is not None}
    if not leaves:
        raise ValueError("The JSON objects have no values that columns can be made of.")
    paths = sorted(leaves, key=lambda path: (valid_name("_".join(path)), path))
    names = column_names(["_".join(path) for path in paths])
    return [_json_column(name, path, leaves[path], len(rows)) for name, path in zip(names, paths, strict=True)]


class _Node:
    """Everything that the sample has at one path: objects with their keys, and other values."""

    __slots__ = ("children", "objects", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.objects = 0
        self.values: list[Any] = []

    def add(self, row: dict[str, Any], level: int = 1) -> None:
        self.objects += 1
        for key, value in row.items():
            child = self.children.get(key)
            if child is None:
                child = self.children[key] = _Node()
            if type(value) is not dict:
                child.values.append(value)
            elif level < _MOST_LEVELS:
                child.add(value, level + 1)

    def leaves(self, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Node]]:
        # A null among objects is an absent object.
        if self.values and not (self.objects and self.values.count(None) == len(self.values)):
            yield path, self
        for key, child in self.children.items():
            yield from child.leaves((*path, key))


def _json_column(name: str, path: tuple[str, ...], node: _Node, rows: int) -> InferredColumn:
    summary = ValueSummary(cells=False)
    summary.add_values(node.values)
    count, type_ = summary.count, summary.type()
    if node.objects and count:
        count, type_ = count + node.objects, "String"
    array = type_.startswith("Array(")
    present = round((summary.elements if array else count) / rows, 6)
    full_path = f"{json_path(path)}[:]" if array else json_path(path)
    return InferredColumn(name, type_, count < rows, full_path, present)
