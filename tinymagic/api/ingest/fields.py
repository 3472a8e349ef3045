"""What calls that carry rows send besides them, and what they make of the data before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import InvalidInput
from tinymagic.api.ingest.pieces import Piece
from tinymagic.api.ingest.rows import ndjson_upload
from tinymagic.api.upload import FileFormat, checked_format, format_of_name
from tinymagic.frames.tables import is_table
from tinymagic.names import name_problem

if TYPE_CHECKING:
    from tinymagic.api.datasource_results import DataSource
    from tinymagic.api.ingest.plan import Plan
    from tinymagic.api.ingest.report import IngestReport


def format_at(url: str, file_format: str | None) -> FileFormat:
    """Return the format of the file at a URL: as given, else as its name tells.

    Raises:
        InvalidInput: neither tells.
    """
    name = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return checked_format(file_format) or format_of_name(name)


def empty_piece(file_format: FileFormat) -> Piece:
    """Return the piece of rows that never come here."""
    return Piece(0, None, replace(ndjson_upload(b""), file_format=file_format))


def flag_text(value: bool | None) -> str | None:
    """Return a flag as the API writes it."""
    return None if value is None else str(value).lower()


def renamed(plan: Plan) -> tuple[str, ...]:
    """Name the columns of a table whose names are none in Tinybird."""
    from tinymagic.frames.outgoing import unique_names

    labels = list(plan.labels or ())
    changed = [(old, new) for old, new in zip(labels, unique_names(labels), strict=True) if old != new]
    taken = {column.name for column in plan.planned.columns} if plan.planned is not None else set()
    said = ", ".join(f"{old!r} is {new}" for old, new in changed if new in taken)
    return (f"Columns with names that Tinybird does not take: {said}.",) if said else ()


def compresses(host: str) -> bool:
    """Say whether bodies are worth compressing: not on this machine, where the network costs nothing."""
    from tinymagic.api.http.hosts import is_local_host

    return not is_local_host(host)


def as_table(data: Any) -> Any:
    """Make a DataFrame of dictionaries: a new Data Source needs the types of its columns."""
    if isinstance(data, Mapping):
        data = [data]
    if is_table(data) or isinstance(data, (str, bytes, bytearray, memoryview)) or hasattr(data, "__fspath__"):
        return data
    import pandas as pd

    try:
        return pd.DataFrame(list(data))
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"These rows make no table: {error}.") from None


def with_losses(report: IngestReport, plan: Plan, source: DataSource | None, data: Any = None) -> IngestReport:
    """Name the columns of a table that the Data Source does not have, and what of values it does not keep.

    Args:
        report: of the rows.
        plan: how they travelled.
        source: the Data Source; ``None`` when it is not known.
        data: the rows as they were given.
    """
    if source is None or not source.columns:
        return report
    types = {column.source_key: column.type for column in source.columns}
    if plan.planned is None:
        return replace(report, notices=(*report.notices, *_cut_times(data, types)))
    from tinymagic.frames.narrowing import narrowings

    notices = narrowings(plan.planned.columns, types)
    names = [column.name for column in plan.planned.columns]
    labels = plan.labels if plan.labels is not None and len(plan.labels) == len(names) else names
    # A path of the whole row takes in every column.
    lost = () if "" in types else (label for label, name in zip(labels, names, strict=True) if name not in types)
    return replace(report, ignored_columns=tuple(lost), notices=(*report.notices, *notices))


def _cut_times(rows: Any, types: Mapping[str, str]) -> list[str]:
    """Say which times in dictionaries are finer than their columns; of other rows nothing is known."""
    from tinymagic.frames.narrowing import fractions_lost, plain_type, ticks_kept

    rows = [rows] if isinstance(rows, Mapping) else rows
    if not isinstance(rows, list):
        return []
    found = []
    for name, written in types.items():
        kept = ticks_kept(plain_type(written))
        if kept is None:
            continue
        times = (row.get(name) for row in rows if isinstance(row, Mapping))
        # NaT is a datetime that is not equal to itself.
        moments = (each for each in times if isinstance(each, datetime) and each == each)
        odd = sum(_nanoseconds(each) * kept % 10**9 != 0 for each in moments)
        if odd:
            found.append(f"Column {name!r}: {fractions_lost(odd, written)}")
    return found


def _nanoseconds(moment: datetime) -> int:
    # Only pandas' own has nanoseconds.
    return moment.microsecond * 1000 + int(getattr(moment, "nanosecond", 0))


def check_name(name: str, *, new: bool = True) -> None:
    """Refuse a name.

    Raises:
        InvalidInput: a *new* Data Source cannot have it, or there is none.
    """
    # An existing one may be called what a new one may not: shared ones have a dot, old ones whatever was allowed then.
    problem = name_problem(name) if new or not name else None
    if problem:
        raise InvalidInput(problem)


def dialect_fields(dialect: Mapping[str, str] | None) -> dict[str, str | None]:
    """Return the ``dialect_...`` parameters of the API.

    Raises:
        InvalidInput: a part that it does not know, or a delimiter that is not one character.
    """
    known = ("delimiter", "new_line", "escapechar")
    for name, value in (dialect or {}).items():
        if name not in known:
            raise InvalidInput(f"{name!r} is no part of a CSV dialect; there are {', '.join(known)}.")
        if name != "new_line" and len(value) != 1:
            raise InvalidInput(f"The {name} of a CSV file is one character, not {value!r}.")
    return {f"dialect_{name}": value for name, value in (dialect or {}).items()}


def engine_fields(
    engine: str | None,
    sorting_key: str | None,
    partition_key: str | None,
    primary_key: str | None,
    ttl: str | None,
    settings: str | None,
    options: Mapping[str, str] | None,
) -> dict[str, str | None]:
    """Return the ``engine...`` parameters of the API; ``MergeTree`` when only options of an engine are given."""
    named = {
        "engine": engine,
        "engine_sorting_key": sorting_key,
        "engine_partition_key": partition_key,
        "engine_primary_key": primary_key,
        "engine_ttl": ttl,
        "engine_settings": settings,
    }
    if engine is None and any(value is not None for value in [*named.values(), *(options or {}).values()]):
        named["engine"] = "MergeTree"
    return {**named, **{_prefixed(name): value for name, value in (options or {}).items()}}


def _prefixed(name: str) -> str:
    return name if name.startswith("engine_") else f"engine_{name}"
