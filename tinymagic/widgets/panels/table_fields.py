"""The inputs for how a Data Source is kept: engine, keys, TTL, with what is suggested for its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from tinymagic.widgets.models.table_engines import (
    ENGINES,
    OPTION_LABELS,
    suggested_keys,
    suggested_partitions,
    suggested_ttls,
)
from tinymagic.widgets.panel import field, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.widgets.models.schema_draft import SchemaDraft


class TableFields(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets ships no types.
    """Edits the engine of a draft.

    Args:
        on_edit: gets what is changed: ``engine``, ``sorting_key``, ``partition_key``, ``ttl``, or an engine's option.
    """

    def __init__(self, on_edit: Callable[..., object]) -> None:
        self.engine = field("Engine", ipywidgets.Dropdown(options=list(ENGINES)))
        self.sorting_key = _choice("Sorting key", "city, at")
        self.partition_key = _choice("Partition key", "none: all rows together")
        self.ttl = _choice("TTL", "none: rows stay")
        self.options = {name: _choice(label, "the name of a column") for name, label in OPTION_LABELS.items()}
        self._keys = row(self.sorting_key, self.partition_key, self.ttl)
        self._options = row(*self.options.values())
        self._showing = False
        inputs = {name: getattr(self, name) for name in ("engine", "sorting_key", "partition_key", "ttl")}
        for name, made in {**inputs, **self.options}.items():
            made.observe(
                lambda change, name=name: None if self._showing else on_edit(**{name: change["new"] or ""}), "value"
            )
        super().__init__([self.engine, self._options, self._keys])

    def show(self, draft: SchemaDraft) -> None:
        """Show what a draft says, and offer what goes with its columns."""
        columns = draft.included
        names = [each.name for each in columns]
        self._showing = True
        try:
            self.engine.value = draft.engine
            for made, value, offered in (
                (self.sorting_key, draft.sorting_key, suggested_keys(columns)),
                (self.partition_key, draft.partition_key, suggested_partitions(columns)),
                (self.ttl, draft.ttl, suggested_ttls(columns)),
                *((made, draft.options.get(name, ""), names) for name, made in self.options.items()),
            ):
                _offer(made, offered)
                made.value = value
        finally:
            self._showing = False
        self._keys.layout.display = None if draft.kind.keys else "none"
        self._options.layout.display = None if draft.kind.options else "none"
        for name, made in self.options.items():
            made.layout.display = None if name in draft.kind.options else "none"


def _choice(label: str, example: str) -> Any:
    return field(label, ipywidgets.Combobox(placeholder=example, continuous_update=False))


def _offer(made: Any, values: list[str]) -> None:
    if list(made.options) != values:
        made.options = values
