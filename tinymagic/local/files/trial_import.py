"""A sample read on trial: the first rows as a Data Source would return them, and types that hold all values.

The engine reads the sample with the expressions of every import (`ingest.sources`), and writes nothing. A column whose
values it reads differently from the guess is widened, so that the file does not end in the quarantine of the Data
Source that is made with these columns.

The engine needs much longer to plan a statement with hundreds of such expressions than to plan them a few at a time
(with 400 columns 36 s instead of 2 s), so the columns are read in groups.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import quote_string
from tinymagic.local.ingest.loader import OWN_SQL_SETTINGS
from tinymagic.local.tables.type_names import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.local.engine import Engine, Setting
    from tinymagic.local.ingest.sources import Cell, Source
    from tinymagic.local.tables.schema import Column

    from .inferred_columns import InferredColumn

PREVIEW_ROWS = 10

_GROUP = 20

#: How often columns are widened: to Nullable, to an array of String, to String.
_MOST_ROUNDS = 4

_SETTINGS: dict[str, Setting] = {
    **OWN_SQL_SETTINGS,
    "max_threads": 1,  # Keeps the rows in the order of the file.
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
}

_COMMA_RE = re.compile(r",(?=\S)")


@dataclass(frozen=True)
class Trial:
    """What came out.

    Attributes:
        columns: widened where needed.
        preview: ``meta``, ``data``, ``rows`` and ``statistics`` as a query in the format JSON has them.
    """

    columns: list[InferredColumn]
    preview: dict[str, Any]


def try_import(
    engine: Engine,
    columns: Sequence[InferredColumn],
    source_of: Callable[[list[Column]], Source],
    *,
    size_bytes: int,
) -> Trial:
    """Read a sample.

    Args:
        engine: does the reading.
        columns: as guessed.
        source_of: makes the source of the sample for columns.
        size_bytes: of the sample, for the statistics.

    Raises:
        EngineError: the sample cannot be read.
    """
    start = time.perf_counter()
    tried: list[InferredColumn] = []
    rows: list[dict[str, Any]] = []
    rows_read = 0
    for index in range(0, len(columns), _GROUP):
        group, rows_read, values = _tried(engine, columns[index : index + _GROUP], source_of)
        tried += group
        rows = rows or [{} for _ in values]
        for row, more in zip(rows, values, strict=True):
            row.update(zip([column.name for column in group], more, strict=True))
    preview = {
        "meta": [{"name": column.name, "type": _spelled(column.column.full_type)} for column in tried],
        "data": rows,
        "rows": len(rows),
        "statistics": {
            "elapsed": round(time.perf_counter() - start, 9),
            "rows_read": rows_read,
            "bytes_read": size_bytes,
        },
    }
    return Trial(tried, preview)


def _tried(
    engine: Engine, columns: Sequence[InferredColumn], source_of: Callable[[list[Column]], Source]
) -> tuple[list[InferredColumn], int, list[list[Any]]]:
    """Read some columns; return them widened, the number of records, and the values of the first rows."""
    tried = list(columns)
    for rounds_left in reversed(range(_MOST_ROUNDS)):
        created = [column.column for column in tried]
        source = source_of(created)
        cells = [source.cells[column.name] for column in created]
        fits = [f"countIf(NOT ({cell.missing}) AND NOT ifNull({cell.conversion.fits}, 0))" for cell in cells]
        missing = [f"countIf({cell.missing})" for cell in cells]
        values = [_value(column, cell) for column, cell in zip(created, cells, strict=True)]
        sql = (
            f"SELECT count(), [{', '.join(fits)}], [{', '.join(missing)}], "
            f"groupArray({PREVIEW_ROWS})(tuple({', '.join(values)})) FROM {source.relation} WHERE {source.is_record}"
        )
        settings = {**source.settings, **_SETTINGS}
        data = engine.execute(sql, settings=settings, output_format="JSONCompactEachRow")
        rows, misfits, absent, first = json.loads(data.decode("utf-8", "replace"))
        wider = [_wider(*each) for each in zip(tried, misfits, absent, strict=True)]
        if wider == tried or not rounds_left:
            return tried, rows, first
        tried = wider
    raise AssertionError("The last round returns.")


def _value(column: Column, cell: Cell) -> str:
    """Return what a table would return for the cell; what does not fit is a default here, and widened later."""
    type_ = quote_string(column.full_type)
    value = cell.conversion.value
    if type_name(column.type).is_composite:
        return f"if({cell.missing}, defaultValueOfTypeName({type_}), CAST({value}, {type_}))"
    optional = f"if({cell.missing}, NULL, {value})"
    return f"CAST({optional if column.nullable else f'assumeNotNull({optional})'}, {type_})"


def _wider(column: InferredColumn, misfits: int, missing: int) -> InferredColumn:
    """Return the column for values of which some do not fit or are missing."""
    if missing and not column.nullable:
        column = replace(column, nullable=True)
    if not misfits or column.type == "String":
        return column
    if column.is_array and column.type != "Array(String)":
        return replace(column, type="Array(String)")
    path = column.path.removesuffix("[:]") if column.path else None
    return replace(column, type="String", path=path)


def _spelled(type_: str) -> str:
    """Write a type as the engine does, with a blank after each comma."""
    return _COMMA_RE.sub(", ", type_)
