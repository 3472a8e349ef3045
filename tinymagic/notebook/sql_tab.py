"""The Tab key in SQL cells: how IPython asks, from version 7 to 9, in terminals and notebooks.

All front ends ask ``Completer.completions`` with the whole text of the cell, in every version of IPython that we know;
the matchers of ``tab.py`` see one line, and cannot tell a type or a signature. So the method is wrapped: SQL is
answered here, everything else goes on to IPython.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinymagic.notebook.extension import Notebook
    from tinymagic.notebook.sql_completion import SqlNames, SqlOffer

#: Characters of a type that are shown beside a column: an Enum can name hundreds of words.
_LONGEST_TYPE = 32

#: Seconds that the first Tab waits for names that are on their way: a server on this machine has answered by then.
_FIRST_WAIT_S = 0.04


class SqlTab:
    """Answers in SQL cells of one shell.

    Args:
        notebook: whose cells are completed.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._completer: Any = None
        self._waited = False

    def register(self) -> None:
        """Begin to answer."""
        completer = getattr(self._notebook.shell, "Completer", None)
        if completer is None:
            return
        self._completer = completer
        before = completer.completions

        def completions(text: str, offset: int) -> Iterator[Any]:
            found = self._offers(text, offset)
            return before(text, offset) if found is None else _as_completions(found)

        completer.completions = completions

    def close(self) -> None:
        """Answer no more."""
        if self._completer is not None:
            # An attribute of the instance hid the method of the class.
            vars(self._completer).pop("completions", None)
            self._completer = None

    def _offers(self, text: str, offset: int) -> list[SqlOffer] | None:
        if "%tbsql" not in text and "%sql" not in text:
            return None
        from tinymagic.notebook.sql_completion import offers_in_cell
        from tinymagic.notebook.tab import look_up

        try:
            return offers_in_cell(
                text,
                offset,
                self._sql_names,
                lambda kind, before: look_up(self._notebook, kind, before),
                alias=self._notebook.options.alias_sql,
            )
        except Exception:  # A key that was pressed must never end in a traceback.
            return []

    def _sql_names(self) -> SqlNames:
        from tinymagic.notebook.sql_completion import Query, SqlNames
        from tinymagic.notebook.tab import variables_of

        tables, pipes, secrets = self._notebook.names.sql_names()
        if not self._waited:
            self._waited = True
            self._notebook.names.wait(_FIRST_WAIT_S)
            tables, pipes, secrets = self._notebook.names.sql_names()
        saved = self._notebook.nodes if self._notebook.has_nodes else None
        nodes = {name: Query(saved[name]) for name in saved} if saved is not None else {}
        return SqlNames(
            tables,
            {**pipes, **nodes},
            dict.fromkeys(pipes, "pipe") | dict.fromkeys(nodes, "node"),
            tuple(variables_of(self._notebook.shell, only_rows=False)),
            secrets,
        )


def _as_completions(found: list[SqlOffer]) -> Iterator[Any]:
    from IPython.core.completer import Completion

    with warnings.catch_warnings():
        # IPython calls this part of itself provisional; it has been the same since version 6.
        warnings.simplefilter("ignore")
        made = [
            Completion(each.start, each.end, each.text, type=_type(each), _origin="tinymagic", signature=each.detail)
            for each in found
        ]
    return iter(made)


def _type(offer: SqlOffer) -> str:
    """Return what front ends show beside the text: the type of a column, else the kind; one short line."""
    if offer.kind != "column" or not offer.detail:
        return offer.kind
    # JupyterLab breaks the line at blanks, over the offer below.
    shown = offer.detail.replace(" ", "\N{NO-BREAK SPACE}")
    return shown if len(shown) <= _LONGEST_TYPE else f"{shown[: _LONGEST_TYPE - 1]}…"
