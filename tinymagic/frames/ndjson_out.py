"""DataFrame -> NDJSON. Each column is written as a list of JSON texts; the rows are then one template filled in."""

from __future__ import annotations

from itertools import islice
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tinymagic.frames.collector import collection_paused
from tinymagic.frames.outgoing import EncodeError, OutgoingColumn, outgoing_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tinymagic.frames.tables import Table

# JSON readers pass numbers through 64-bit floats, which keep 15 digits; the vendor asks for text from there on.
_MOST_BARE_DIGITS = 14


@overload
def to_ndjson(frame: Table) -> bytes: ...
@overload
def to_ndjson(frame: Table, *, batch_rows: int) -> Iterator[bytes]: ...
def to_ndjson(frame: Table, *, batch_rows: int | None = None) -> bytes | Iterator[bytes]:
    r"""Write *frame* as one JSON object per line, UTF-8, each line ended by ``\n``; no rows give no bytes.

    Times are UTC texts with a ``Z``, so that a column with a zone of its own takes them for what they are (one without
    a zone is UTC, as in Parquet), whole numbers have no point, decimals of 15 or more digits are texts, missing
    values are ``null``.

    Args:
        frame: of pandas or polars, or an Arrow table.
        batch_rows: rows per piece, 1 or more; default: all in one.

    Returns:
        The bytes; with *batch_rows* an iterator of them, each piece whole lines. What cannot be sent is found before
        the first piece, so that never a part of a frame is sent.

    Raises:
        EncodeError: a column cannot be stored, or holds NaN or an infinity, which JSON cannot say.
        ValueError: *batch_rows* is less than 1.

    Example:
        >>> import pandas
        >>> to_ndjson(pandas.DataFrame({"n": [1, 2], "who": ["a", None]}))
        b'{"n":1,"who":"a"}\n{"n":2,"who":null}\n'
        >>> list(to_ndjson(pandas.DataFrame({"n": [1, 2]}), batch_rows=1))
        [b'{"n":1}\n', b'{"n":2}\n']
    """
    if batch_rows is not None and batch_rows < 1:
        raise ValueError(f"batch_rows is a whole number of rows from 1 up, not {batch_rows!r}.")
    columns = outgoing_columns(frame)
    if batch_rows is None:
        return ndjson_of(columns)
    with collection_paused():
        rows = zip(*(json_texts(column) for column in columns), strict=True)
    return _batches(_template(columns), rows, batch_rows)


def _template(columns: Sequence[OutgoingColumn]) -> str:
    # Names are plain ASCII words by now, so the template has no percent signs but its own.
    return "{" + ",".join(f'"{column.name}":%s' for column in columns) + "}\n"


def ndjson_of(columns: Sequence[OutgoingColumn]) -> bytes:
    """Write columns of one length as NDJSON.

    Raises:
        EncodeError: one holds NaN that is no missing value, or an infinity.
    """
    template = _template(columns)
    with collection_paused():
        rows = zip(*(json_texts(column) for column in columns), strict=True)
        return "".join(map(template.__mod__, rows)).encode("utf-8", "surrogatepass")


def check_json(columns: Iterable[OutgoingColumn]) -> None:
    """Find what JSON cannot say, without writing anything.

    Raises:
        EncodeError: a column holds NaN that is no missing value, or an infinity.
    """
    for column in columns:
        if column.kind == "float":
            _check_finite(column)
        check_json(each for each in (column.elements, column.keys) if each is not None)


def _batches(template: str, rows: Iterator[tuple[str, ...]], batch_rows: int) -> Iterator[bytes]:
    while batch := "".join(map(template.__mod__, islice(rows, batch_rows))):
        yield batch.encode("utf-8", "surrogatepass")


def json_texts(column: OutgoingColumn) -> list[str]:
    """Write each value of *column* as JSON."""
    texts = _WRITERS[column.kind](column)
    if column.missing is not None:
        texts = ["null" if gone else text for text, gone in zip(texts, column.missing.tolist(), strict=True)]
    return texts


def _numbers(column: OutgoingColumn) -> list[str]:
    values = column.values.tolist() if isinstance(column.values, np.ndarray) else column.values
    return list(map(str, values))


def _floats(column: OutgoingColumn) -> list[str]:
    _check_finite(column)
    return list(map(repr, column.values.tolist()))


def _check_finite(column: OutgoingColumn) -> None:
    odd = ~np.isfinite(column.values)
    if column.missing is not None:
        odd &= ~column.missing
    if odd.any():
        row = int(np.argmax(odd))
        raise EncodeError(
            f"Column {column.name!r} holds {column.values[row]} (row {row}), which JSON has no number for. "
            "Send Parquet instead, or make it missing."
        )


def _booleans(column: OutgoingColumn) -> list[str]:
    return ["true" if value else "false" for value in column.values.tolist()]


def _texts(column: OutgoingColumn) -> list[str]:
    values = column.values if isinstance(column.values, list) else column.values.tolist()
    return [encode_basestring(value) if type(value) is str else _other_text(value) for value in values]


def _other_text(value: Any) -> str:
    # A missing mark, overwritten by the caller, or a subclass of str such as numpy.str_.
    return encode_basestring(str(value)) if isinstance(value, str) else "null"


def _moments(column: OutgoingColumn) -> list[str]:
    words = np.datetime_as_string(column.values)
    # The T between day and time becomes a space, in all texts at once: a text array is a table of code points.
    words.view(np.uint32).reshape(len(words), words.itemsize // 4)[:, len("2024-01-01")] = ord(" ")
    return [f'"{text}Z"' for text in words.tolist()]


def _days(column: OutgoingColumn) -> list[str]:
    return [f'"{text}"' for text in np.datetime_as_string(column.values).tolist()]


def _decimals(column: OutgoingColumn) -> list[str]:
    texts = ["" if value is None else format(value, "f") for value in column.values]
    return [text if sum(map(str.isdigit, text)) <= _MOST_BARE_DIGITS else f'"{text}"' for text in texts]


def _arrays(column: OutgoingColumn) -> list[str]:
    assert column.elements is not None  # an array always has them
    flat = iter(json_texts(column.elements))
    return ["[" + ",".join(next(flat) for _ in range(length)) + "]" for length in column.values.tolist()]


def _maps(column: OutgoingColumn) -> list[str]:
    assert column.keys is not None  # a map always has both
    assert column.elements is not None
    # The keys of an object are texts, whatever the type of the map's.
    keys = (text if text.startswith('"') else f'"{text}"' for text in json_texts(column.keys))
    pairs = map("%s:%s".__mod__, zip(keys, json_texts(column.elements), strict=True))
    return ["{" + ",".join(islice(pairs, length)) + "}" for length in column.values.tolist()]


_WRITERS: dict[str, Callable[[OutgoingColumn], list[str]]] = {
    "integer": _numbers,
    "wide": _numbers,
    "float": _floats,
    "bool": _booleans,
    "text": _texts,
    "moment": _moments,
    "day": _days,
    "decimal": _decimals,
    "word": _texts,
    "array": _arrays,
    "map": _maps,
}
