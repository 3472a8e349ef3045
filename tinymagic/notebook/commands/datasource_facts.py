"""What several commands of ``%tinybird datasource`` need: one Data Source, near names, its size and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.errors import TinybirdError
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.display import count_of, visible

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tinymagic.api.datasources import DataSource
    from tinymagic.notebook.tinybird import Call


def near_source(call: Call, name: str) -> AbstractContextManager[None]:
    """Let a 404 of the block propose the names of Data Sources."""
    return near("Data Source", name, lambda: [each.name for each in call.workspace.datasources.list(attrs=["name"])])


def get_source(call: Call, name: str) -> DataSource:
    """Return a Data Source.

    Raises:
        NotFound: there is none; near names are in it.
    """
    with near_source(call, name):
        return call.workspace.datasources.get(name)


def users_of(call: Call, source: DataSource) -> tuple[str, ...]:
    """Return the names of the Pipes that read a Data Source; the service may have to be asked for them."""
    if "used_by" in source.raw:
        return source.used_by
    try:
        return call.workspace.datasources.get(source.name, attrs=("name", "used_by")).used_by
    except TinybirdError:
        return ()


def dependents_of(call: Call, source: DataSource) -> tuple[str, ...]:
    """Return the names of the Pipes that read or fill a Data Source, as far as the service tells."""
    try:
        return call.workspace.datasources.deletion_plan(source.name).dependent_pipes
    except TinybirdError:
        return users_of(call, source)


def named(source: DataSource) -> str:
    """Return "the Data Source x with 3 rows"."""
    size = "" if source.statistics.row_count is None else f" with {count_of(source.statistics.row_count, 'row')}"
    return f"the Data Source {visible(source.name)}{size}"


def listed(names: tuple[str, ...], most: int = 10) -> str:
    """Return names with commas, at most so many of them.

    Example:
        >>> listed(("a", "b", "c"), most=2)
        'a, b and 1 more'
    """
    shown = ", ".join(visible(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
