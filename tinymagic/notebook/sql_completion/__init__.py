"""What Tab offers inside of SQL: tables, their columns, functions, template functions, parameters. Pure.

``names`` is what a Workspace and a notebook have, ``words`` what ClickHouse and Tinybird have, ``scope`` finds out
which tables the place of the cursor can read, ``offering`` decides what may stand there, and ``cells`` does the same
for a whole cell, with the line of the magic.
"""

from __future__ import annotations

from tinymagic.notebook.sql_completion.cells import offers_in_cell
from tinymagic.notebook.sql_completion.names import Query, SqlNames, SqlOffer, Tables
from tinymagic.notebook.sql_completion.offering import offers

__all__ = ["Query", "SqlNames", "SqlOffer", "Tables", "offers", "offers_in_cell"]
