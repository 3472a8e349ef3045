"""What counts as a table: a DataFrame of pandas or of polars, an Arrow table or record batch. Imports none of them.

An object of a package that was never imported cannot exist, so ``sys.modules`` answers without a cost.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import TypeIs

#: A DataFrame of pandas or polars (also a LazyFrame), or an Arrow table or record batch.
Table: TypeAlias = "pd.DataFrame | Any"


def _is(value: object, package: str, *names: str) -> bool:
    module = sys.modules.get(package)
    types = tuple(found for name in names if isinstance(found := getattr(module, name, None), type))
    return isinstance(value, types)


def is_pandas(value: object) -> TypeIs[pd.DataFrame]:
    """Say whether *value* is a DataFrame of pandas."""
    return _is(value, "pandas", "DataFrame")


def is_polars(value: object) -> bool:
    """Say whether *value* is a DataFrame or LazyFrame of polars."""
    return _is(value, "polars", "DataFrame", "LazyFrame")


def is_arrow(value: object) -> bool:
    """Say whether *value* is an Arrow table or record batch."""
    return _is(value, "pyarrow", "Table", "RecordBatch")


def is_table(value: object) -> bool:
    """Say whether *value* is any of these.

    Example:
        >>> is_table([{"a": 1}])
        False
    """
    return is_pandas(value) or is_polars(value) or is_arrow(value)


def collected(table: Table) -> Table:
    """Return *table* with its rows at hand: a LazyFrame of polars is computed."""
    lazy: Any = table
    return lazy.collect() if _is(table, "polars", "LazyFrame") else table


def row_count(table: Table) -> int:
    """Return the number of rows; a LazyFrame must be `collected` before."""
    counted: Any = table
    return int(counted.num_rows) if is_arrow(table) else len(table)


def column_labels(table: Table) -> list[str]:
    """Return the names of the columns as they are, without the index of pandas."""
    named: Any = table
    return [str(label) for label in (named.schema.names if is_arrow(table) else named.columns)]
