"""DataFrame -> Tinybird schema string, and a suggestion for its sorting key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.frames.outgoing import outgoing_columns

if TYPE_CHECKING:
    import pandas as pd

# A key of many values in front leaves nothing for the columns after it to sort.
_LOW_CARDINALITY_SHARE = 0.1
_MOST_KEY_TEXTS = 3


def schema_of(frame: pd.DataFrame, *, jsonpaths: bool = True, json_paths: bool | None = None) -> str:
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
    with_paths = jsonpaths if json_paths is None else json_paths
    parts = []
    for column in outgoing_columns(frame):
        # An array's path walks into it, as the vendor's rules for jsonpaths ask.
        path = f" `json:$.{column.name}{'[:]' if column.kind == 'array' else ''}`" if with_paths else ""
        parts.append(f"`{column.name}` {column.type}{path}")
    return ", ".join(parts)


def sorting_key_of(frame: pd.DataFrame) -> str:
    """Suggest a sorting key: texts of few values, the fewest first, then the first date or time.

    Columns with missing values are left out, since ClickHouse does not sort by Nullable columns.

    Returns:
        Column names with commas, or ``tuple()`` when no column fits.

    Example:
        >>> import pandas
        >>> sorting_key_of(pandas.DataFrame({"x": [0.5] * 40, "country": ["es", "nl"] * 20}))
        'country'
    """
    import pandas as pd

    texts: list[tuple[int, str]] = []
    moments: list[str] = []
    for column in outgoing_columns(frame):
        if column.missing is not None:
            continue
        if column.kind in ("moment", "day"):
            moments.append(column.name)
        elif column.kind == "text" and len(frame):
            different = int(pd.Series(column.values).nunique())
            if column.low_cardinality or different <= max(1, len(frame) * _LOW_CARDINALITY_SHARE):
                texts.append((different, column.name))
    key = [name for _, name in sorted(texts, key=lambda pair: pair[0])[:_MOST_KEY_TEXTS]] + moments[:1]
    return ", ".join(key) or "tuple()"


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
