"""Takes a token that was typed into a cell out of what IPython remembers of it.

What is changed: ``In``, ``_ih``, ``_i``, ``_ii``, ``_iii``, ``_i1`` ..., the raw and the parsed history, the entries
that wait to be written, the rows in the history database (of this and of earlier sessions), the lines kept for
tracebacks and the prompt's own history. The text of the cell in the notebook's file is the user's: only the user can
delete it there.
"""

from __future__ import annotations

import contextlib
import linecache
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.redaction import HIDDEN

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_LISTS = ("input_hist_raw", "input_hist_parsed")
_RECENT = ("_i00", "_i", "_ii", "_iii")


def scrub(shell: Any, secret: str) -> None:
    """Put ``[hidden]`` in the place of *secret* in everything that IPython remembers.

    Args:
        shell: the running IPython.
        secret: as it was typed.
    """
    if not secret:
        return
    manager = shell.history_manager
    if manager is not None:
        for name in _LISTS:
            _scrub_list(getattr(manager, name), secret)
        for name in _RECENT:
            text = getattr(manager, name, None)
            if isinstance(text, str) and secret in text:
                setattr(manager, name, text.replace(secret, HIDDEN))
        with getattr(manager, "db_input_cache_lock", contextlib.nullcontext()):
            _scrub_rows(manager.db_input_cache, secret)
        _scrub_database(manager, secret)
    _scrub_names(shell.user_ns, secret)
    _scrub_lines(secret)
    _scrub_prompt(shell, secret)
    _scrub_result_of_this_cell(shell, secret)


def _scrub_list(texts: list[str], secret: str) -> None:
    for place, text in enumerate(texts):
        if secret in text:
            texts[place] = text.replace(secret, HIDDEN)


def _scrub_rows(rows: list[tuple[Any, ...]], secret: str) -> None:
    """Scrub (line, parsed, raw) that wait to be written."""
    for place, row in enumerate(rows):
        rows[place] = tuple(each.replace(secret, HIDDEN) if isinstance(each, str) else each for each in row)


def _scrub_names(names: MutableMapping[str, Any], secret: str) -> None:
    for name, value in list(names.items()):
        if name.startswith("_i") and isinstance(value, str) and secret in value:
            names[name] = value.replace(secret, HIDDEN)


def _scrub_database(manager: Any, secret: str) -> None:
    """Rewrite the rows; when that cannot be done, say which file still holds the token."""
    database = getattr(manager, "db", None)
    if database is None or not getattr(manager, "enabled", True):
        return
    try:
        with database:
            for column in ("source", "source_raw"):
                database.execute(
                    f"UPDATE history SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?)",
                    (secret, HIDDEN, secret),
                )
    except Exception as error:  # The driver's own errors: its module is not imported for this.
        print(f"IPython's history {manager.hist_file} could not be changed ({error}): the token may be in it.")


def _scrub_lines(secret: str) -> None:
    for name, entry in list(linecache.cache.items()):
        # Cells have no time of change; files of packages do, and hold no tokens.
        if len(entry) == 4 and entry[1] is None and any(secret in line for line in entry[2]):
            lines = [line.replace(secret, HIDDEN) for line in entry[2]]
            linecache.cache[name] = (entry[0], entry[1], lines, entry[3])


def _scrub_prompt(shell: Any, secret: str) -> None:
    """Scrub the terminal's own list of lines."""
    history = getattr(getattr(shell, "pt_app", None), "history", None)
    for name in ("_loaded_strings", "_storage"):
        texts = getattr(history, name, None)
        if isinstance(texts, list):
            _scrub_list(texts, secret)


def _scrub_result_of_this_cell(shell: Any, secret: str) -> None:
    """Scrub the record of the running cell when it has ended; until then nobody else can reach it."""

    def after(result: Any = None) -> None:
        with contextlib.suppress(ValueError):
            shell.events.unregister("post_run_cell", after)
        info = getattr(result, "info", None)
        if info is not None and isinstance(info.raw_cell, str):
            info.raw_cell = info.raw_cell.replace(secret, HIDDEN)
        transformed = getattr(info, "transformed_cell", None)
        if info is not None and isinstance(transformed, str):
            info.transformed_cell = transformed.replace(secret, HIDDEN)
        # Lines that were stored while the cell ran.
        _scrub_names(shell.user_ns, secret)
        if shell.history_manager is not None:
            _scrub_database(shell.history_manager, secret)

    shell.events.register("post_run_cell", after)
