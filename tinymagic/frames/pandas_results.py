"""Columns -> pandas.DataFrame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tinymagic.frames.base import ClickHouseType, Notes
    from tinymagic.frames.sources import Source


def frame_of(names: Sequence[str], columns: list[Any], rows: int) -> pd.DataFrame:
    """Put columns side by side without copying or guessing; names may repeat."""
    import pandas as pd

    index = pd.RangeIndex(rows)
    # As Series with their dtype: the DataFrame's constructor would guess at object arrays. Numbered: names may repeat.
    series = {
        place: pd.Series(column, index=index, dtype=column.dtype, copy=False) for place, column in enumerate(columns)
    }
    frame: pd.DataFrame = pd.DataFrame(series, index=index, copy=False)
    frame.columns = pd.Index(list(names), dtype=None if names else object)
    return frame


def arrow_column(kind: ClickHouseType, source: Source, notes: Notes) -> Any:
    """Return a column of ``pandas.ArrowDtype``; of a type that Arrow has nothing for, the exact one, and a note."""
    import pandas as pd

    from tinymagic.frames.arrow_results import arrow_array
    from tinymagic.frames.arrow_types import ARROW

    if ARROW.stand_ins(kind):
        notes.add(f"Column {notes.column!r}: Arrow has no type for {kind}, so the dtype is the exact one.")
        return source.column(kind, notes)
    return pd.arrays.ArrowExtensionArray(arrow_array(kind, source, replace(notes, plain=True)))
