"""Columns of a reply -> polars.Series, by way of Arrow; the types are in `tinymagic.frames.arrow_types`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.frames.arrow_results import arrow_array
from tinymagic.frames.arrow_types import POLARS
from tinymagic.frames.families.containers import Array, Tuple
from tinymagic.frames.families.enums import Enum
from tinymagic.frames.families.numbers import WideInteger

if TYPE_CHECKING:
    from tinymagic.frames.base import ClickHouseType, Notes
    from tinymagic.frames.sources import Source


def polars_series(kind: ClickHouseType, source: Source, notes: Notes) -> Any:
    """Return the column as a series without a name."""
    import polars as pl

    series = pl.Series(values=pl.from_arrow(arrow_array(kind, source, notes, POLARS)))
    if isinstance(kind, Enum):
        return series.cast(pl.Enum(list(kind.labels)))
    wanted = _with_wide_integers(kind, series.dtype)
    if wanted != series.dtype:
        series = series.cast(wanted)
    return series


def _with_wide_integers(kind: ClickHouseType, dtype: Any) -> Any:
    """Return *dtype* with the whole numbers of 128 bits, which are not in Arrow, where it has their digits."""
    import polars as pl

    if isinstance(kind, WideInteger):
        return getattr(pl, kind.name, dtype) if kind.bits == 128 else dtype
    if isinstance(kind, Array):
        return pl.List(_with_wide_integers(kind.element, dtype.inner))
    if isinstance(kind, Tuple):
        parts = zip(kind.elements, dtype.fields, strict=True)
        return pl.Struct([pl.Field(field.name, _with_wide_integers(element, field.dtype)) for element, field in parts])
    return dtype
