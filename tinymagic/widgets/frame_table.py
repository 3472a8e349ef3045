"""A DataFrame as a table for looking at: few rows, cells that are safe, numbers at the right. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.widgets import look

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

#: Characters of a cell, and columns, that are shown.
_CELL, _COLUMNS = 80, 60


def table_of(frame: pd.DataFrame, *, most: int = 20, label: str = "", types: Mapping[str, str] | None = None) -> str:
    """Return the first rows as HTML; what is left out is said below.

    Args:
        frame: any; its index is not shown.
        most: rows.
        label: for screen readers.
        types: name of a column -> its type, for a line of types below the names.
    """
    import pandas as pd

    shown = frame.iloc[:most, :_COLUMNS]
    heads = [str(name) for name in shown.columns]
    numbers = [
        place
        for place in range(len(heads))
        if pd.api.types.is_numeric_dtype(shown.dtypes.iloc[place])
        and not pd.api.types.is_bool_dtype(shown.dtypes.iloc[place])
    ]
    days = [_has_days_only(shown.iloc[:, place]) for place in range(len(heads))]
    lines = [
        [_cell(str(value)[:10] if day and not pd.isna(value) else value) for value, day in zip(line, days, strict=True)]
        for line in shown.itertuples(index=False, name=None)
    ]
    if types is not None:
        lines.insert(0, [look.badge(types.get(name, "")) for name in heads])
    left_out = []
    if len(frame) > most:
        left_out.append(f"{len(frame) - most:,} more rows")
    if frame.shape[1] > _COLUMNS:
        left_out.append(f"{frame.shape[1] - _COLUMNS:,} more columns")
    below = f'<div class="tm-quiet">{" and ".join(left_out)} are not shown.</div>' if left_out else ""
    return look.table(heads, lines, numbers=numbers, label=label) + below


def _has_days_only(column: pd.Series[Any]) -> bool:
    """Say whether all times of a column are midnights: then it holds dates."""
    import pandas as pd

    if not pd.api.types.is_datetime64_dtype(column.dtype):
        return False
    times = column.dropna()
    return bool(len(times)) and bool((times == times.dt.normalize()).all())


def _cell(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return '<span class="tm-quiet">NULL</span>'
    return look.text(value, most=_CELL)
