"""DataFrame -> Tinybird schema string, and a suggestion for its sorting key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.frames.outgoing import outgoing_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tinymagic.frames.outgoing import OutgoingColumn
    from tinymagic.frames.tables import Table

# A key of many values in front leaves nothing for the columns after it to sort.
_LOW_CARDINALITY_SHARE = 0.1
_MOST_KEY_TEXTS = 3


def schema_of(frame: Table, *, jsonpaths: bool = True, json_paths: bool | None = None) -> str:
    """Describe *frame* as a Tinybird schema string that stores exactly its values.

    Args:
        frame: any number of rows. A column is Nullable when a value in it is missing. A named index comes first as
            columns of its own; an index without a name is left out.
        jsonpaths: whether to add the jsonpaths, which a Data Source needs to take NDJSON and Parquet.
        json_paths: another spelling of *jsonpaths*.

    Returns:
        One line: ``name Type `json:$.name`, ...``, each name in backticks, made valid by
        `tinymagic.names.valid_name` and different from the others (``n``, ``n_2``).

    Raises:
        EncodeError: a column cannot be stored.

    Example:
        >>> import pandas
        >>> schema_of(pandas.DataFrame({"n": [1, 2], "who": ["a", None]}))
        '`n` Int64 `json:$.n`, `who` Nullable(String) `json:$.who`'
    """
    return schema_text(outgoing_columns(frame), jsonpaths=jsonpaths if json_paths is None else json_paths)


def schema_text(columns: Iterable[OutgoingColumn], *, jsonpaths: bool = True) -> str:
    """Return the schema string of planned columns (`schema_of`)."""
    parts = []
    for column in columns:
        # An array's path walks into it, as the vendor's rules for jsonpaths ask.
        path = f" `json:$.{column.name}{'[:]' if column.kind == 'array' else ''}`" if jsonpaths else ""
        parts.append(f"`{column.name}` {column.type}{path}")
    return ", ".join(parts)


def suggested_sorting_key(frame: Table) -> tuple[str, ...]:
    """Suggest a sorting key: texts of few values, the fewest first, then the first date or time.

    The rule, which looks at nothing but the values and so gives the same for the same rows:

    1. texts with at most one different value in ten rows, and every LowCardinality column, are sorted by how many
       different values they have (at equal numbers by their place); the first three of them stand in front;
    2. behind them stands the first column of dates or times, if there is one.

    Filters on what few values have then skip most of the rows, and times of one group lie together. Columns with
    missing values are left out, since ClickHouse does not sort by Nullable columns.

    Returns:
        Names of columns; empty when none fits.

    Example:
        >>> import pandas
        >>> suggested_sorting_key(pandas.DataFrame({"x": [0.5] * 40, "country": ["es", "nl"] * 20}))
        ('country',)
    """
    from tinymagic.frames.tables import collected, row_count

    table = collected(frame)
    return key_of(outgoing_columns(table), row_count(table))


def key_of(columns: Sequence[OutgoingColumn], rows: int) -> tuple[str, ...]:
    """Suggest a sorting key for planned columns of so many *rows* (`suggested_sorting_key` has the rule)."""
    import pandas as pd

    texts: list[tuple[int, str]] = []
    moments: list[str] = []
    for column in columns:
        if column.missing is not None:
            continue
        if column.kind in ("moment", "day"):
            moments.append(column.name)
        elif column.kind == "text" and rows:
            different = int(pd.Series(column.values).nunique())
            if column.low_cardinality or different <= max(1, rows * _LOW_CARDINALITY_SHARE):
                texts.append((different, column.name))
    return (*(name for _, name in sorted(texts, key=lambda pair: pair[0])[:_MOST_KEY_TEXTS]), *moments[:1])


def sorting_key_of(frame: Table) -> str:
    """Return `suggested_sorting_key` as the API writes it: names with commas, or ``tuple()``.

    Example:
        >>> import pandas
        >>> sorting_key_of(pandas.DataFrame({"x": [0.5] * 40, "country": ["es", "nl"] * 20}))
        'country'
    """
    return ", ".join(suggested_sorting_key(frame)) or "tuple()"


# A quoted text, a quoted name, a comment, a mark that matters here, or anything else up to one of these.
_PIECE_RE = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|--[^\n]*|[(),]|[^'`(),-]+|.", re.DOTALL)
_COLUMN_RE = re.compile(r"\s*(?:`([^`]+)`|(\S+))\s+(?:LowCardinality\(\s*)?(Nullable\()?")


def nullable_columns(schema: str) -> dict[str, bool]:
    """Read from a schema string which columns take NULL.

    Args:
        schema: columns with commas, as `schema_of` and the Data Sources API write them; jsonpaths, defaults, codecs and
            comments are passed over.

    Example:
        >>> nullable_columns("`n` Int64 `json:$.n`, price Nullable(Decimal(9, 2)) DEFAULT NULL")
        {'n': False, 'price': True}
    """
    parts, depth = [""], 0
    for match in _PIECE_RE.finditer(schema):
        piece = match[0]
        depth += (piece == "(") - (piece == ")")
        if piece == "," and depth == 0:
            parts.append("")
        elif not piece.startswith("--"):
            parts[-1] += piece
    columns = filter(None, map(_COLUMN_RE.match, parts))
    return {column[1] or column[2]: column[3] is not None for column in columns}
