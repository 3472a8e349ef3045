"""Fields of events that no column takes: found once, remembered, never stored (``events.md`` section 3).

`KnownFields` is a tree of the keys that the jsonpaths of a Data Source name. It learns: a field that was reported is
known afterwards, so that only the first event that has it costs anything.
"""

from __future__ import annotations

import contextlib
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import quote_string
from tinymagic.local.files.inference import infer_ndjson
from tinymagic.local.tables.schema import jsonpath_steps, split_at_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tinymagic.local.tables.schema import Column

#: Fields that are learned at most; whoever writes ids as keys would make more without end.
MOST_FIELDS = 500

#: Objects inside of objects whose keys the engine is asked for; deeper ones are looked at only in small requests.
_MOST_CONTAINERS = 8

#: ``None`` stands for a value: whatever is in it is known.
_Tree = dict[str, Any]


class KnownFields:
    """The keys that events of one Data Source may have.

    Args:
        columns: of the Data Source.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self._tree: _Tree | None = {}
        self._learned = 0
        for column in columns:
            array, _ = split_at_objects(column.jsonpath or f"$['{column.name}']")
            self._add(jsonpath_steps(array))

    def has_unknown(self, row: dict[str, Any]) -> bool:
        """Say whether an event has a field that is not known."""
        return self._learned < MOST_FIELDS and self._tree is not None and _has_unknown(row, self._tree)

    def unknown_condition(self, line: str) -> str | None:
        """Return the same as an expression over the text of an event; ``None`` when there is nothing to look for."""
        if self._tree is None or self._learned >= MOST_FIELDS:
            return None
        parts = []
        for path, keys in list(_containers(self._tree, ()))[:_MOST_CONTAINERS]:
            found = ", ".join([line, *map(quote_string, path)])
            known = ", ".join(map(quote_string, keys)) or "''"
            parts.append(f"NOT hasAll([{known}], JSONExtractKeys({found}))")
        return f"({' OR '.join(parts)})"

    def learn(self, lines: Sequence[bytes]) -> dict[str, str]:
        """Take the fields of some events for known from now on; return those that are new, name to type."""
        tree = self._tree
        if tree is None:
            return {}
        before = set(_leaves(tree, ()))
        try:
            inferred = infer_ndjson(b"\n".join(lines))
        except ValueError:
            inferred = []
        new: dict[str, str] = {}
        for column in inferred:
            steps = tuple(str(step) for step in jsonpath_steps(column.path or ""))
            if not any(steps[: len(path)] == path for path in before):
                array = column.type.startswith("Array(")
                # Older events do not have it, so it can only be Nullable.
                new[column.name] = column.type if array else f"Nullable({column.type})"
        for line in lines:
            # What the engine takes and Python does not, such as a number of 5,000 digits, is looked at again.
            with contextlib.suppress(ValueError, RecursionError):
                self._learn(json.loads(line), tree)
        return dict(islice(new.items(), MOST_FIELDS))

    def _add(self, steps: Sequence[str | int]) -> None:
        tree = self._tree
        if not steps or tree is None or isinstance(steps[0], int):
            self._tree = None  # A column takes the whole event.
            return
        for index, step in enumerate(steps):
            last = index + 1 == len(steps) or isinstance(steps[index + 1], int)
            if last:
                tree[str(step)] = None
                return
            below = tree.setdefault(str(step), {})
            if below is None:
                return
            tree = below

    def _learn(self, row: dict[str, Any], tree: _Tree) -> None:
        for key, value in row.items():
            if self._learned >= MOST_FIELDS:
                return
            if key not in tree:
                self._learned += 1
                tree[key] = {} if isinstance(value, dict) else None
            if isinstance(value, dict) and tree[key] is not None:
                self._learn(value, tree[key])


def _has_unknown(row: dict[str, Any], tree: _Tree) -> bool:
    if not row.keys() <= tree.keys():
        return True
    for key, below in tree.items():
        if below is not None:
            value = row.get(key)
            if isinstance(value, dict) and _has_unknown(value, below):
                return True
    return False


def _leaves(tree: _Tree, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, below in tree.items():
        if below is None:
            yield (*path, key)
        else:
            yield from _leaves(below, (*path, key))


def _containers(tree: _Tree, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    yield path, list(tree)
    for key, below in tree.items():
        if below is not None:
            yield from _containers(below, (*path, key))
