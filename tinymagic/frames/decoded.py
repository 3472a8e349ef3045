"""What both wires give: the rows, their exact types, and what the service said about the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinymagic.frames.base import ClickHouseType, Notes, Opaque
from tinymagic.frames.syntax import UnknownType
from tinymagic.frames.types import parse_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from tinymagic.frames.results import Result
    from tinymagic.frames.sources import Source


class DecodeError(ValueError):
    """The reply's body is cut short, damaged, or not what it says it is."""


class TypesUnknown(DecodeError):  # noqa: N818 - the name says what happened, as in the rest of the package
    """Nothing tells the ClickHouse types of a Parquet reply: ask again in JSON, and give them as ``types``."""


@dataclass(frozen=True)
class Decoded:
    """A reply, read.

    Attributes:
        value: one row per row of the reply, columns in the reply's order, of the kind that was asked for: by default a
            DataFrame of pandas with a fresh ``RangeIndex``, in which names may repeat.
        columns: (name, exact ClickHouse type) in order, for every column.
        statistics: ``elapsed`` (seconds), ``rows_read`` (rows) and ``bytes_read`` (bytes); ``None`` when the wire
            carries none, as Parquet does not.
        rows_before_limit_at_least: rows there would be without the LIMIT, at least; ``None`` when the reply does not
            tell.
        notices: sentences about values the wire left unclear; empty when all is exact.
    """

    value: Any
    columns: tuple[tuple[str, str], ...]
    statistics: Mapping[str, float] | None = None
    rows_before_limit_at_least: int | None = None
    notices: tuple[str, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """The `value` where it is a DataFrame of pandas."""
        frame: pd.DataFrame = self.value
        return frame

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


def read_rows(
    names: Sequence[str],
    kinds: Sequence[ClickHouseType],
    sources: Iterable[Source],
    rows: int,
    result: Result,
    notices: list[str],
) -> Any:
    """Make the value of a reply from its columns; an error tells the column, its type and what was wrong.

    Args:
        names: of the columns.
        kinds: their types.
        sources: the columns as they came, taken one at a time, so that each may be let go when it has been read.
        rows: how many there are.
        result: what they become.
        notices: gets the sentences about values that the wire or the result left unclear.
    """
    columns: list[Any] = []
    for name, kind, source in zip(names, kinds, sources, strict=True):
        notes = Notes(name, plain=result.plain)
        try:
            columns.append(result.column(kind, source, notes))
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
            raise DecodeError(f"Column {name!r} of type {kind} cannot be read: {_reason(error)}.") from error
        notices += notes.warnings
        del source
    return result.table(names, columns, rows, notices)


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return f"there is no value {text}" if isinstance(error, KeyError) else (text or type(error).__name__)
