"""FORMAT Parquet -> DataFrame, with the exact types in one constant column of the reply itself.

Parquet alone cannot tell an IPv4 address from a number, an Enum from bytes or one time zone from another. So the
query is sent as ``SELECT *, toTypeName(tuple(*)) AS <types column> FROM (<query>) FORMAT Parquet``: the last column
holds the types of all the others as one tuple type. It is constant, so it costs a few bytes.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from tinymagic.frames.collector import collection_paused
from tinymagic.frames.decoded import Decoded, DecodeError, TypesUnknown, read_rows, read_types
from tinymagic.frames.pyarrow_needed import require_pyarrow
from tinymagic.frames.results import EXACT_PANDAS
from tinymagic.frames.sources import ArrowSource, JsonSource
from tinymagic.frames.syntax import UnknownType, parse_syntax, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tinymagic.frames.results import Result
    from tinymagic.frames.sources import Source

#: Bytes of a reply up to which all columns are read at once; larger ones go column by column, to spare memory.
_READ_AT_ONCE = 4_000_000

#: So many of its columns are read together.
_TOGETHER = 2

#: The column that carries the types of the others.
TYPES_COLUMN = "__tinymagic_types"


def with_types(sql: str, *, types_column: str = TYPES_COLUMN) -> str:
    r"""Wrap a query so that its Parquet reply carries the types of its columns.

    Args:
        sql: one SELECT without FORMAT clause and without a semicolon; a comment may stand at its end.
        types_column: name of the added last column.

    Example:
        >>> with_types("SELECT 1 AS n")
        'SELECT *, toTypeName(tuple(*)) AS __tinymagic_types FROM (\nSELECT 1 AS n\n)'
    """
    return f"SELECT *, toTypeName(tuple(*)) AS {types_column} FROM (\n{sql}\n)"


def decode_parquet(
    body: bytes,
    result: Result = EXACT_PANDAS,
    *,
    types_column: str = TYPES_COLUMN,
    types: Sequence[tuple[str, str]] | None = None,
) -> Decoded | None:
    """Read the body of a Parquet reply whose last column may name the types of the others.

    Args:
        body: the whole body.
        result: what the rows become.
        types_column: name of the last column, which holds the text of ``toTypeName(tuple(*))``. What it says comes
            before *types*.
        types: (column, ClickHouse type) of each column, for a reply that does not tell.

    Returns:
        The rows, equal to those that `decode_json_compact` gives for the same reply, without statistics. ``None`` when
        there are no rows and no *types*: then nothing tells the types, and the query is to be asked again in JSON.

    Raises:
        DecodeError: the body is cut short, is not Parquet, or a value does not fit its type.
        TypesUnknown: there are rows, but neither a types column nor *types*.
        ImportError: pyarrow is not installed (extra ``fast``).
    """
    with collection_paused():
        return _decode(body, result, types_column, types)


def _decode(body: bytes, result: Result, types_column: str, types: Sequence[tuple[str, str]] | None) -> Decoded | None:
    columns, rows, told = _read(body, types_column)
    if told is None and types is None:
        raise TypesUnknown(f"The reply lacks the column {types_column!r}, which names the types of the others.")
    if not told and types is None:
        return None
    names = [name for name, _ in columns]
    texts = _type_texts(told) if told else [text for _, text in types or ()]
    if len(texts) != len(names):
        raise DecodeError(f"The reply has {len(names)} columns, but the types of {len(texts)}.")
    kinds, notices = read_types(list(zip(names, texts, strict=True)))
    value = read_rows(names, kinds, _sources(columns, rows), rows, result, notices)
    return Decoded(
        value=value,
        columns=tuple((name, kind.text) for name, kind in zip(names, kinds, strict=True)),
        notices=tuple(notices),
    )


#: A column's name, and what reads it.
_Column: TypeAlias = "tuple[str, Callable[[], Any]]"


def _sources(columns: list[_Column], rows: int) -> Iterator[Source]:
    """Read the columns one by one and keep none, so that no two copies of the whole are held at once."""
    columns.reverse()
    while columns:
        _, read = columns.pop()
        # Without rows the JSON way gives the dtype whatever Arrow type the engine chose to write.
        yield ArrowSource(read()) if rows else JsonSource([])
        del read


def _read(body: bytes, types_column: str) -> tuple[list[_Column], int, str | None]:
    """Return the user's columns, the number of rows, and what the types column says: nothing without rows or column."""
    if not body:
        raise DecodeError("The reply is empty; a Parquet file was expected.")
    require_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    with _damage_told(body):
        buffer = pa.BufferReader(body)
        metadata = parquet.read_metadata(buffer)
        rows = metadata.num_rows
        if metadata.schema.names[-1:] != [types_column]:
            table = parquet.ParquetFile(buffer, metadata=metadata).read()
            return _columns_of(table), rows, None
        # As a dictionary, the constant text is held once and not once per row.
        file = parquet.ParquetFile(buffer, metadata=metadata, read_dictionary=[types_column])
        names = file.schema_arrow.names[:-1]
        if len(set(names)) == len(names):
            # One row of it is enough. pyarrow takes a name for a path as well, so what it picked is looked at.
            first = next(file.iter_batches(1, row_groups=[0], columns=[types_column]), None) if rows else None
            told = "" if first is None else _first_text(first.column(0))
            if first is None or first.schema.names == [types_column]:
                if len(body) > _READ_AT_ONCE and not any("." in name for name in names):
                    return _columns_in_turn(file, names, body), rows, told
                table = file.read(columns=names)
                if table.column_names == names:
                    return _columns_of(table), rows, told
        table = file.read()
        return _columns_of(table.select(list(range(len(names))))), rows, _first_text(table.column(len(names)))


def _columns_of(table: Any) -> list[_Column]:
    return [(name, partial(_itself, column)) for name, column in zip(table.column_names, table.columns, strict=True)]


def _itself(column: Any) -> Any:
    return column


def _columns_in_turn(file: Any, names: list[str], body: bytes) -> list[_Column]:
    """Read a few columns together, the cores share them, and let go of each as soon as it was used."""
    columns: list[_Column] = []
    for start in range(0, len(names), _TOGETHER):
        group = names[start : start + _TOGETHER]
        held: dict[str, Any] = {}
        columns += [(name, partial(_take_column, file, group, name, held, body)) for name in group]
    return columns


def _take_column(file: Any, group: list[str], name: str, held: dict[str, Any], body: bytes) -> Any:
    import pyarrow as pa

    if not held:
        # What the columns before took is given back to the system first.
        pa.default_memory_pool().release_unused()
        with _damage_told(body):
            table = file.read(columns=group)
        held.update(zip(group, table.columns, strict=True))
    return held.pop(name)


@contextmanager
def _damage_told(body: bytes) -> Iterator[None]:
    """Turn what pyarrow says of a body into a sentence."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        if body[:4] != b"PAR1":
            raise DecodeError(f"The reply is not Parquet: it begins with {body[:60]!r}.") from error
        raise DecodeError(
            f"The Parquet reply breaks off or is damaged: {len(body)} bytes arrived and they are not a whole file."
        ) from error


def _first_text(chunked: Any) -> str:
    if not len(chunked):
        return ""
    value = chunked[0].as_py()
    # A service that writes texts as plain bytes writes this one so too.
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _type_texts(text: str) -> list[str]:
    try:
        whole = parse_syntax(text)
    except UnknownType as error:
        raise DecodeError(f"The reply names a type that cannot be read. {error}") from error
    if whole.value != "Tuple" or whole.arguments is None:
        raise DecodeError(f"The types column holds {text[:100]!r}, which is not a tuple of types.")
    # An engine may write the columns' names in front of their types.
    return [text_of(argument[-1:]) for argument in whole.arguments]
