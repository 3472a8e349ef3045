"""Filters of rows in tokens: a user's text becomes a condition that may stand in our SQL, or a sentence.

The text must be one expression over the columns of the Data Source, without other tables (`Expressions.checked`), and
the engine must take it as a condition: it is run against the table, for no rows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from tinymagic.local.engine import EngineError, quote_identifier
from tinymagic.local.errors import BadRequest
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.sql.expressions import Expressions

if TYPE_CHECKING:
    from tinymagic.local.engine import Engine
    from tinymagic.local.records import Workspace
    from tinymagic.local.sql.gate import SqlGate

TOKENS_PAGE = "/api-reference/token-api"

#: Checked filters of JWTs that are remembered: checking takes two questions to the engine.
_MOST_REMEMBERED = 1_000

_MOST_CHARACTERS = 8_192

#: Settings that a query over filtered tables needs beside ``additional_table_filters``. Otherwise the engine (26.9) may
#: evaluate parts of the query before the filter, on rows that the token may not read: its WHERE as PREWHERE, its join
#: conditions as runtime filters. An error such as "Cannot parse string 'secret' as UInt32" then tells what is in them.
#: For the same reason such a query may not have a PREWHERE of its own.
FILTERED_QUERY_SETTINGS = {
    "optimize_move_to_prewhere": 0,
    "query_plan_optimize_prewhere": 0,
    "query_plan_merge_filters": 0,
    "enable_join_runtime_filters": 0,
}


class RowFilters:
    """Checks filters with *engine*."""

    def __init__(self, engine: Engine, gate: SqlGate | None = None) -> None:
        self._engine = engine
        self._expressions = Expressions(engine, gate)
        self._remembered: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def checked(self, workspace: Workspace, name: str, text: str, *, of_table: bool = True) -> str:
        """Return the filter *text* for the Data Source *name* as the engine's parser writes it.

        Not *of_table*: it is for the rows that a Pipe gives, whose columns may depend on parameters; so a column that
        is not there shows when the Pipe is read.

        Raises:
            BadRequest: it is no condition over the columns; the message has the engine's reason.
        """
        if len(text) > _MOST_CHARACTERS:
            raise BadRequest(f"The filter is over the limit of {_MOST_CHARACTERS} characters.")
        condition = self._expressions.checked(text, "filter")
        if not of_table:
            return condition
        try:
            self._engine.read(
                f"SELECT 1 FROM {quote_identifier(name)} WHERE ({condition}) LIMIT 0", database=workspace.database
            )
        except EngineError as error:
            raise BadRequest(
                f"The filter {text!r} is not a condition over the columns of the Data Source {name!r}. "
                f"{plain_reason(error.message)}",
                documentation=TOKENS_PAGE,
            ) from error
        return condition

    def remembered(self, workspace: Workspace, name: str, text: str, *, of_table: bool = True) -> str:
        """Like `checked`, for filters that come with each request, as those of JWTs do."""
        key = (workspace.id, name, text)
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        condition = self.checked(workspace, name, text, of_table=of_table)
        with self._lock:
            self._remembered[key] = condition
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return condition
