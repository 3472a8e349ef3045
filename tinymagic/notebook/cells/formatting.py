"""``--fmt``: the user's SQL in good order."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from tinymagic.errors import QueryError, TinybirdError
from tinymagic.notebook.bindings import find_bindings
from tinymagic.notebook.display import visible
from tinymagic.notebook.failures import attach, problem_card, query_card
from tinymagic.notebook.problems import CellProblem
from tinymagic.sqltext import is_template

if TYPE_CHECKING:
    from tinymagic.notebook.cells.arguments import TbsqlArguments
    from tinymagic.notebook.extension import Notebook
    from tinymagic.notebook.source import Source


def print_formatted(notebook: Notebook, arguments: TbsqlArguments, source: Source) -> None:
    """Print the SQL of the cell as the service formats it; nothing is run, and no variable is needed.

    Raises:
        CellProblem: a ``{{`` is not closed.
        QueryError: it is no SQL.
    """
    workspace = notebook.session.workspace(arguments.profile)
    try:
        text, written = without_bindings(source.sql)
        formatted = workspace.query.format_sql(text)
    except CellProblem as problem:
        attach(problem, problem_card(problem, source))
        raise
    except TinybirdError as error:
        # The text that was sent has every character in the place of the user's.
        position = error.position if isinstance(error, QueryError) else None
        attach(error, query_card(error, source, position, None))
        raise
    for name, binding in written.items():
        formatted = formatted.replace(name, binding)
    print(visible(formatted))


def without_bindings(sql: str) -> tuple[str, dict[str, str]]:
    """Put a name of the same length in the place of each ``{{ }}``.

    Returns:
        The text, and what stood where: name -> binding.

    Example:
        >>> without_bindings("SELECT {{ n }}")
        ('SELECT a0_____', {'a0_____': '{{ n }}'})
    """
    if is_template(sql):
        return sql, {}
    written: dict[str, str] = {}
    parts, at = [], 0
    for number, binding in enumerate(find_bindings(sql)):
        length = binding.end - binding.start
        names = (f"{letter}{number}".ljust(length, "_") for letter in string.ascii_letters)
        name = next(name for name in names if name not in sql)
        written[name] = sql[binding.start : binding.end]
        parts += [sql[at : binding.start], name]
        at = binding.end
    return "".join([*parts, sql[at:]]), written
