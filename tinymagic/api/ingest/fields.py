"""What calls that carry rows send besides them, and what they make of the data before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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


def with_ignored(report: IngestReport, plan: Plan, source: DataSource | None) -> IngestReport:
    """Name the columns of a table that the Data Source does not have."""
    if plan.labels is None or source is None or not source.columns or report.ignored_columns:
        return report
    from tinymagic.frames.outgoing import unique_names

    known = {column.name for column in source.columns}
    names = unique_names(list(plan.labels))
    lost = tuple(label for label, name in zip(plan.labels, names, strict=True) if name not in known)
    return replace(report, ignored_columns=lost)


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
        InvalidInput: a part that it does not know.
    """
    known = ("delimiter", "new_line", "escapechar")
    for name in dialect or {}:
        if name not in known:
            raise InvalidInput(f"{name!r} is no part of a CSV dialect; there are {', '.join(known)}.")
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
