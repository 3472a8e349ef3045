"""Nullable, LowCardinality and SimpleAggregateFunction: they wrap a type and leave its values as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinymagic.frames.base import ClickHouseType, arguments_of, only_type, register

if TYPE_CHECKING:
    from tinymagic.frames.syntax import Item


@register("Nullable")
def _nullable(item: Item) -> ClickHouseType:
    (inner,) = arguments_of(item)
    return replace(only_type(inner), text=str(item), nullable=True)


@register("LowCardinality")
def _low_cardinality(item: Item) -> ClickHouseType:
    (inner,) = arguments_of(item)
    return replace(only_type(inner), text=str(item))


@register("SimpleAggregateFunction")
def _simple_aggregate_function(item: Item) -> ClickHouseType:
    _function, inner, *_rest = arguments_of(item)
    return replace(only_type(inner), text=str(item))
