"""What a cell of ``%%tbsql`` says, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinymagic.notebook.source import Source


@dataclass(frozen=True)
class ChartArguments:
    """What ``--plot`` says: the mark, and columns; ``None`` and empty where the chart chooses itself."""

    mark: str
    x: str | None = None
    y: tuple[str, ...] = ()
    color: str | None = None


@dataclass(frozen=True)
class LiveArguments:
    """What ``--every`` and ``--for`` say, in seconds; ``for_s`` is ``None`` for no end."""

    every_s: float
    for_s: float | None = None


@dataclass(frozen=True)
class PipeArguments:
    """What ``--pipe`` says.

    Attributes:
        name: of the Pipe.
        node: its name, or ``None``.
        publish: whether it becomes an endpoint.
        folder: for a datafile, or ``None``: it is made in the Workspace.
    """

    name: str
    node: str | None = None
    publish: bool = False
    folder: str | None = None


@dataclass(frozen=True)
class PersistArguments:
    """What ``--persist``, ``--persist-replace`` or ``--append`` says.

    Attributes:
        variable: of the DataFrame, and name of the Data Source.
        mode: ``create``, ``replace`` or ``append``.
        index: whether an index that says something becomes a column.
    """

    variable: str
    mode: str
    index: bool = True


@dataclass(frozen=True)
class TbsqlArguments:
    """What a ``%tbsql`` says.

    Attributes:
        source: the SQL and where it stands; its text is empty when `file` is given.
        target: variable to store in, or ``None``.
        show: whether a stored result is displayed too.
        quiet: whether nothing is displayed.
        params: (name, text) in order, from ``--param``.
        param_sets: texts of ``--params``.
        type: of the result, ``pandas``, ``polars``, ``arrow`` or ``dicts``.
        dtypes: of a DataFrame, ``exact``, ``numpy`` or ``arrow``; ``None`` where nothing was said.
        limit: rows, or ``None``.
        stats: as asked for, or ``None``.
        instead: what is wanted and no table: ``explain``, ``dry-run``, ``fmt`` or ``None``.
        show_sql: whether the text sent is printed.
        format: of the wire, or ``None``.
        timeout_s: seconds, or ``None``.
        pipeline: what ``_`` stands for, or ``None``.
        file: path, or ``None``.
        profile: saved login, or ``None``.
        save: name of the node to keep it as, or ``None``.
        with_nodes: names of saved nodes that come in front in any case.
        execute: whether it is run.
        pipe: what is made of the cell, or ``None``.
        chart: to be drawn, or ``None``.
        live: when it is to be run again, or ``None``.
        background: whether the result is a handle.
        cache_s: seconds for which a result on disk is good; infinite for a frozen one; ``None`` for no look at it.
        to_file: path for the rows, or ``None``.
        yes: whether questions are answered with yes.
        expectations: checks as written, for instance ``rows=10``.
        persist: the DataFrame that becomes rows, or ``None``.
    """

    source: Source
    target: str | None = None
    show: bool = False
    quiet: bool = False
    params: tuple[tuple[str, str], ...] = ()
    param_sets: tuple[str, ...] = ()
    type: str = "pandas"
    dtypes: str | None = None
    limit: int | None = None
    stats: bool | None = None
    instead: str | None = None
    show_sql: bool = False
    format: str | None = None
    timeout_s: float | None = None
    pipeline: str | None = None
    file: str | None = None
    profile: str | None = None
    save: str | None = None
    with_nodes: tuple[str, ...] = ()
    execute: bool = True
    pipe: PipeArguments | None = None
    chart: ChartArguments | None = None
    live: LiveArguments | None = None
    background: bool = False
    cache_s: float | None = None
    to_file: str | None = None
    yes: bool = False
    expectations: tuple[str, ...] = ()
    persist: PersistArguments | None = None
