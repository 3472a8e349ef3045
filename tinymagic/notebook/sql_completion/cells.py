"""Cells and lines of ``tbsql``: where the cursor is in them, and what may stand there. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.notebook.cells.options import TBSQL_OPTIONS
from tinymagic.notebook.completion import Names, offers_of
from tinymagic.notebook.sql_completion.names import SqlNames, SqlOffer
from tinymagic.notebook.sql_completion.offering import offers
from tinymagic.notebook.sql_completion.scope import output_of
from tinymagic.notebook.tree.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tinymagic.notebook.completion import Offer

_CELL_RE = re.compile(r"\s*%%(?:tbsql|sql)(?=\s|\Z)[^\S\n]*")
_LINE_RE = re.compile(r"[^\S\n]*(?:[\w.,\s\[\]'\"]+=[^\S\n]*)?%(?:tbsql|sql)[^\S\n]+")
#: The first word of SQL on the line of the magic; ``--with`` is an option.
_SQL_START_RE = re.compile(
    r"(?<![\w\-=/.'\"])(?:SELECT|WITH|FROM|DESCRIBE|DESC)(?=\s|\Z)|(?<![\w\-=])\(", re.IGNORECASE
)

_TBSQL = Command(("tbsql",), "", "", options=TBSQL_OPTIONS)


def offers_in_cell(
    cell: str, offset: int, sql_names: Callable[[], SqlNames], names: Names, *, alias: bool = False
) -> list[SqlOffer] | None:
    r"""Return what may stand at a place of a cell; ``None`` where the cell is not SQL but Python.

    Args:
        cell: the whole text.
        offset: of the cursor.
        sql_names: what is known; called only in SQL.
        names: looks up what options name, as `tinymagic.notebook.completion` does.
        alias: whether ``%%sql`` is SQL too.

    Example:
        >>> found = offers_in_cell("%%tbsql --lim", 13, SqlNames, lambda kind, before: ())
        >>> [each.text for each in found]
        ['--limit']
        >>> offers_in_cell("import os", 9, SqlNames, lambda kind, before: ()) is None
        True
    """
    begin = _CELL_RE.match(cell)
    if begin is not None:
        line_end = cell.find("\n", begin.end())
        end = len(cell)
        line_end = end if line_end < 0 else line_end
    else:
        line_start = cell.rfind("\n", 0, offset) + 1
        begin = _LINE_RE.match(cell, line_start)
        if begin is None:
            return None
        line_end = end = cell.find("\n", offset) if "\n" in cell[offset:] else len(cell)
    if "%sql" in begin[0] and not alias:
        return None
    if offset < begin.end():
        return None
    first = _SQL_START_RE.search(cell, begin.end(), line_end)
    start = first.start() if first else line_end
    if offset > line_end or (first and offset > start):
        sql = cell[start:end]
        return [_moved(each, start) for each in offers(sql, offset - start, sql_names())]
    return _of_line(cell[begin.end() : offset], begin.end(), cell[line_end:end], sql_names, names)


def _of_line(line: str, start: int, body: str, sql_names: Callable[[], SqlNames], names: Names) -> list[SqlOffer]:
    def looked_up(kind: str, before: str) -> Iterable[str]:
        if kind == "saved":
            known = sql_names()
            return [name for name in known.queries if known.kinds.get(name, "node") == "node"]
        if kind == "output":
            return [name for name, _ in output_of(body, sql_names())]
        return names(kind, before)

    return [each for offer in offers_of(_TBSQL, line, looked_up) for each in _sql_offers(offer, start + len(line))]


def _sql_offers(offer: Offer, offset: int) -> list[SqlOffer]:
    return [SqlOffer(offset - len(offer.fragment), offset, text, offer.kind) for text in offer.texts]


def _moved(offer: SqlOffer, by: int) -> SqlOffer:
    return SqlOffer(offer.start + by, offer.end + by, offer.text, offer.kind, offer.detail)
