"""What the rows of a reply become: a DataFrame of pandas or polars, an Arrow table, or a list of dictionaries.

| type | value | needs |
|---|---|---|
| ``pandas`` | ``pandas.DataFrame`` | |
| ``polars`` | ``polars.DataFrame``; its types are in `tinymagic.frames.polars_results` | extra ``polars`` |
| ``arrow`` | ``pyarrow.Table``; its types are in `tinymagic.frames.arrow_results` | extra ``fast`` |
| ``dicts`` | one dictionary for each row, with Python's own values | |

A DataFrame of pandas has its dtypes by one of three policies. With none of them is a value rounded:

| dtypes | columns |
|---|---|
| ``exact`` | one dtype for each ClickHouse type whatever the values are (`tinymagic.frames.families` has the tables) |
| ``numpy`` | dtypes of numpy; what no dtype of numpy can hold stays exact, and a notice says so (`.numpy_dtypes`) |
| ``arrow`` | ``pandas.ArrowDtype``, as in an Arrow table; what has no Arrow type stays exact, and a notice says so |

In dictionaries NULL is ``None``, whole numbers of any size are ``int``, DateTime is a ``datetime`` (aware when the type
names a zone) and Time a ``timedelta``. Those of more than six digits after the second are pandas' ``Timestamp`` and
``Timedelta``, which are a ``datetime`` and a ``timedelta`` with nanoseconds. Otherwise pandas is not even imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.frames.base import ClickHouseType, Notes
    from tinymagic.frames.sources import Source

ResultType: TypeAlias = Literal["pandas", "polars", "arrow", "dicts"]
Dtypes: TypeAlias = Literal["exact", "numpy", "arrow"]

RESULT_TYPES: tuple[str, ...] = get_args(ResultType)
DTYPES: tuple[str, ...] = get_args(Dtypes)


class Result(Protocol):
    """Makes the value of a reply: column by column, then the whole.

    Attributes:
        plain: moments inside lists, maps and tuples are those of the standard library; see `Notes`.
    """

    plain: bool

    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        """Make one column."""

    def table(self, names: Sequence[str], columns: list[Any], rows: int, notices: list[str]) -> Any:
        """Put the columns side by side; what could not be done is added to *notices*."""


class _ExactPandas:
    plain = False

    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        return source.column(kind, notes)

    def table(self, names: Sequence[str], columns: list[Any], rows: int, notices: list[str]) -> Any:  # noqa: ARG002
        from tinymagic.frames.pandas_results import frame_of

        return frame_of(names, columns, rows)


class _NumpyPandas(_ExactPandas):
    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        from tinymagic.frames.numpy_dtypes import numpy_column

        return numpy_column(kind, source.column(kind, notes), notes)


class _ArrowPandas(_ExactPandas):
    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        from tinymagic.frames.pandas_results import arrow_column

        return arrow_column(kind, source, notes)


class _Arrow:
    plain = True

    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        from tinymagic.frames.arrow_results import arrow_array

        return arrow_array(kind, source, notes)

    def table(self, names: Sequence[str], columns: list[Any], rows: int, notices: list[str]) -> Any:  # noqa: ARG002
        import pyarrow as pa

        return pa.Table.from_arrays(columns, names=list(names))


class _Polars:
    plain = True

    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        from tinymagic.frames.polars_results import polars_series

        return polars_series(kind, source, notes)

    def table(self, names: Sequence[str], columns: list[Any], rows: int, notices: list[str]) -> Any:  # noqa: ARG002
        import polars as pl

        renamed = distinct_names(names, "a frame of polars", notices)
        return pl.DataFrame([series.alias(name) for name, series in zip(renamed, columns, strict=True)])


class _Dictionaries:
    plain = True

    def column(self, kind: ClickHouseType, source: Source, notes: Notes) -> Any:
        return source.cells(kind, notes)

    def table(self, names: Sequence[str], columns: list[Any], rows: int, notices: list[str]) -> Any:
        keys = distinct_names(names, "a dictionary", notices)
        if not columns:
            return [{} for _ in range(rows)]
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


#: By result type and dtype policy; the latter is for pandas only.
_RESULTS: dict[tuple[str, str], Result] = {
    ("pandas", "exact"): _ExactPandas(),
    ("pandas", "numpy"): _NumpyPandas(),
    ("pandas", "arrow"): _ArrowPandas(),
    ("polars", "exact"): _Polars(),
    ("arrow", "exact"): _Arrow(),
    ("dicts", "exact"): _Dictionaries(),
}

#: What a reply becomes when nothing else is said.
EXACT_PANDAS = _RESULTS["pandas", "exact"]


def result_of(type: str = "pandas", dtypes: str = "exact") -> Result:  # noqa: A002 - the name that users know
    """Return what makes values of that kind.

    Raises:
        ValueError: there is no such type or policy, or a policy was named for what is not pandas.

    Example:
        >>> result_of("dicts").plain
        True
    """
    if type not in RESULT_TYPES:
        raise ValueError(f"type is 'pandas', 'polars', 'arrow' or 'dicts', not {type!r}.")
    if dtypes not in DTYPES:
        raise ValueError(f"dtypes is 'exact', 'numpy' or 'arrow', not {dtypes!r}.")
    if (type, dtypes) not in _RESULTS:
        raise ValueError(f"dtypes={dtypes!r} is for type='pandas': a result of type {type!r} has types of its own.")
    return _RESULTS[type, dtypes]


def distinct_names(names: Sequence[str], holder: str, notices: list[str]) -> list[str]:
    """Return *names* with ``_2``, ``_3`` behind those that stand there already; a notice tells of it.

    Example:
        >>> distinct_names(["a", "a", "a_2"], "a dictionary", said := [])
        ['a', 'a_3', 'a_2']
        >>> said
        ["A name stands only once in a dictionary: the second 'a' is called 'a_3'."]
    """
    taken, found = set(names), []
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        renamed, number = name, 2
        while seen[name] > 1 and renamed in taken:
            renamed, number = f"{name}_{number}", number + 1
        if renamed != name:
            taken.add(renamed)
            which = {2: "second", 3: "third"}.get(seen[name], f"{seen[name]}th")
            notices.append(f"A name stands only once in {holder}: the {which} {name!r} is called {renamed!r}.")
        found.append(renamed)
    return found
