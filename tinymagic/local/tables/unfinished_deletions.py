"""Deletions that a dead server had begun: the engine would go on with them, behind the back of whoever asks.

It writes each down as a mutation, and takes those that are not done up again as soon as the folder is open. Rows would
vanish while the server answers already: a listing would not agree with the query after it, and the job of the deletion
has ended with an error. So they are ended, and that error is true. Some parts may have lost their rows by then: nobody
can bring those back, and the same deletion deletes the others.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from tinymagic.local.engine import quote_string

if TYPE_CHECKING:
    from tinymagic.local.engine import Engine

logger = logging.getLogger("tinymagic.local")

#: How long parts that are being rewritten are waited for, and how often they are looked at, seconds.
_MOST_S = 10.0
_POLL_S = 0.01

#: Both kinds of deletion in all tables of workspaces. Other mutations belong to an ALTER, and must be finished.
_UNFINISHED = "startsWith(database, 'w_') AND NOT is_done AND match(command, '^[(]?(DELETE|UPDATE _row_exists)\\\\b')"


def end_unfinished_deletions(engine: Engine) -> None:
    """End the deletions that are under way in the tables of workspaces; call it when nobody has asked for any yet.

    Raises:
        EngineError: they cannot be ended.
    """
    rows = engine.rows(f"SELECT DISTINCT database, table FROM system.mutations WHERE {_UNFINISHED}")
    if not rows:
        return
    engine.execute(f"KILL MUTATION WHERE {_UNFINISHED}")
    tables = ", ".join(f"({quote_string(str(database))}, {quote_string(str(table))})" for database, table in rows)
    deadline = time.monotonic() + _MOST_S
    while _is_rewriting(engine, tables):
        if time.monotonic() > deadline:
            logger.warning("A deletion that the last server left is still being ended.")
            return
        time.sleep(_POLL_S)


def _is_rewriting(engine: Engine, tables: str) -> bool:
    """Say whether parts of *tables* are still being rewritten.

    The end of a mutation does not wait for that (26.9), and a part of few rows becomes visible all the same. What waits
    for a thread is not among the merges yet, so there must be none such at all.
    """
    [[mutations, waiting]] = engine.rows(
        f"SELECT countIf(is_mutation AND (database, table) IN ({tables})), "
        "(SELECT sum(value) FROM system.metrics WHERE metric = 'BackgroundMergesAndMutationsPoolTask') > count() "
        "FROM system.merges"
    )
    return bool(mutations or waiting)
