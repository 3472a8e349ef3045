"""What the vendor's command line asks about SQL without running it: format, tables, other names.

Nobody documents these paths; the replies are what the vendor's parser package gives for the same text (``query.md``
section 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.sql.gate import QUERY_PAGE, SqlGate, Statement
from tinymagic.local.sql.names import refused

if TYPE_CHECKING:
    from collections.abc import Mapping


class SqlToolsService:
    """Answers about the text of SQL.

    Args:
        gate: that is asked.
    """

    def __init__(self, gate: SqlGate) -> None:
        self._gate = gate

    def formatted(self, sql: str) -> str:
        """Return any one statement over several lines.

        Raises:
            BadRequest: a syntax error.
        """
        return self._gate.formatted(_unicode(sql))

    def tables(
        self, sql: str, *, raising: bool = False, table_functions: bool = False, copying: bool = False
    ) -> list[list[str]]:
        """Return the tables that *sql* reads, sorted: ``[database, table]``, the database empty for the workspace.

        Args:
            sql: one SELECT or DESCRIBE.
            raising: what is not readable is an error, and otherwise taken for the name of a table.
            table_functions: also those in FROM; then each row has a third text, the name of the table function.
            copying: it is for a Copy Pipe, which may read from elsewhere.

        Raises:
            BadRequest: not readable, and *raising*.
        """
        try:
            statement = self._statement(_unicode(sql), copying=copying)
        except ApiError:
            if raising:
                raise
            return [["", sql, ""] if table_functions else ["", sql]]
        if not table_functions:
            return sorted([database, table] for database, table in statement.reads)
        found = [[database, table, ""] for database, table in statement.reads]
        return sorted(found + [["", "", name] for name in statement.table_functions])

    def replaced(self, sql: str, replacements: Mapping[str, str]) -> str:
        """Return *sql* over several lines with other tables in the place of some, old name to new.

        A new name that is itself among the old ones is replaced on: ``{"a": "b", "b": "c"}`` makes c of a.

        Raises:
            BadRequest: *sql* is not readable, or the replacements go in a circle.
        """
        statement = self._statement(_unicode(sql))
        names = {("", old): ("", _last(old, replacements)) for old in replacements}
        return self._gate.formatted(self._gate.renamed(statement, names))

    def _statement(self, sql: str, *, copying: bool = False) -> Statement:
        statement = self._gate.check(sql, copying=copying)
        if statement.shows_tables:
            raise refused("Only SELECT or DESCRIBE queries are supported. Got: ShowTablesQuery")
        return statement


def _last(name: str, replacements: Mapping[str, str]) -> str:
    seen = {name}
    while name in replacements and replacements[name] != name:
        name = replacements[name]
        if name in seen:
            raise BadRequest(f"The replacements of {name} go in a circle.", documentation=QUERY_PAGE)
        seen.add(name)
    return name


def _unicode(sql: str) -> str:
    try:
        sql.encode()
    except UnicodeEncodeError as error:  # JSON can carry halves of characters.
        raise BadRequest("The SQL is not valid Unicode.", documentation=QUERY_PAGE) from error
    return sql
