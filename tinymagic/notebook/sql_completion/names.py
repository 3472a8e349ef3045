"""What SQL in a notebook may name, and what is offered. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Columns of a table in order: name and type; the type is empty when nobody knows it.
Columns: TypeAlias = tuple[tuple[str, str], ...]


class Tables(dict[str, Columns]):
    """The columns of each Data Source, by its name. Not changed after it was made."""

    @cached_property
    def columns(self) -> list[tuple[str, str, str, str]]:
        """Every column's name once, sorted: in lower case, as it is, its type, one of its Data Sources."""
        found: dict[str, tuple[str, str, str, str]] = {}
        for table, columns in self.items():
            for name, type_ in columns:
                found.setdefault(name, (name.lower(), name, type_, table))
        return sorted(found.values())

    def columns_that_begin(self, written: str) -> Iterator[tuple[str, str, str]]:
        """Return the columns that begin with *written*, in lower case: name, type, one of their Data Sources."""
        for low, name, type_, table in self.columns[bisect_left(self.columns, (written,)) :]:
            if not low.startswith(written):
                return
            yield name, type_, table


@dataclass(frozen=True)
class Query:
    """SQL that is read by a name: a saved cell, a node, an endpoint.

    Attributes:
        sql: its text.
        beside: the nodes of the same Pipe, by name; only they see each other.
    """

    sql: str
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SqlNames:
    """Names that are known.

    Attributes:
        tables: the columns of each Data Source.
        queries: what is read by name besides: Pipes, and cells that were saved.
        kinds: what the names of *queries* are, ``pipe`` or ``node``; ``node`` when nothing is said.
        variables: of the notebook, for ``{{ }}``.
        secrets: Tinybird's Environment Variables, for ``tb_secret``.
    """

    tables: Tables = field(default_factory=Tables)
    queries: Mapping[str, Query] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class SqlOffer:
    """What Tab offers.

    Attributes:
        start: offset of the first character that it replaces.
        end: offset behind the last one: where the cursor is.
        text: what then stands there.
        kind: ``column``, ``table``, ``pipe``, ``node``, ``function``, ``keyword``, ``type``, ``parameter``,
            ``variable``, ``secret``, ``option``, ``choice`` or ``name``.
        detail: the type of a column, the arguments of a function, else empty.
    """

    start: int
    end: int
    text: str
    kind: str
    detail: str = ""
