"""What both wires give: the frame, its exact types, and what the service said about the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.frames.base import ClickHouseType, Column, Notes, Opaque
from tinymagic.frames.syntax import UnknownType
from tinymagic.frames.types import parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd


class DecodeError(ValueError):
    """The reply's body is cut short, damaged, or not what it says it is."""


class TypesUnknown(DecodeError):  # noqa: N818 - the name says what happened, as in the rest of the package
    """Nothing tells the ClickHouse types of a Parquet reply: ask again in JSON, and give them as ``types``."""


@dataclass(frozen=True)
class Decoded:
    """A reply as a DataFrame.

    Attributes:
        frame: one row per row of the reply, a fresh ``RangeIndex``, columns in the reply's order; names may repeat.
        columns: (name, exact ClickHouse type) in order, for every column.
        statistics: ``elapsed`` (seconds), ``rows_read`` (rows) and ``bytes_read`` (bytes); ``None`` when the wire
            carries none, as Parquet does not.
        rows_before_limit_at_least: rows there would be without the LIMIT, at least; ``None`` when the reply does not
            tell.
        notices: sentences about values the wire left unclear; empty when all is exact.
    """

    frame: pd.DataFrame
    columns: tuple[tuple[str, str], ...]
    statistics: Mapping[str, float] | None = None
    rows_before_limit_at_least: int | None = None
    notices: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[tuple[str, str], ...]:
        """Short for `columns`."""
        return self.columns

    @property
    def rows_before_limit(self) -> int | None:
        """Short for `rows_before_limit_at_least`."""
        return self.rows_before_limit_at_least

    @property
    def warnings(self) -> tuple[str, ...]:
        """Short for `notices`."""
        return self.notices


def read_type(name: str, text: str) -> tuple[ClickHouseType, list[str]]:
    """Parse the type of the column *name*; a type that cannot be read is taken as text, and a notice says so."""
    try:
        return parse_type(text), []
    except UnknownType:
        return Opaque(text), [f"Column {name!r} has the type {text!r}, which is not known here; it is kept as it came."]


def read_types(pairs: Sequence[tuple[str, str]]) -> tuple[list[ClickHouseType], list[str]]:
    """Parse the types of all columns; return them and the notices."""
    read = [read_type(name, text) for name, text in pairs]
    return [kind for kind, _ in read], [notice for _, notices in read for notice in notices]


def read_column(name: str, kind: ClickHouseType, read: Callable[[Notes], Column]) -> tuple[Column, list[str]]:
    """Run *read* for one column; an error tells the column, its type and what was wrong."""
    notes = Notes(name)
    try:
        return read(notes), notes.warnings
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
        raise DecodeError(f"Column {name!r} of type {kind} cannot be read: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return f"there is no value {text}" if isinstance(error, KeyError) else (text or type(error).__name__)


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
