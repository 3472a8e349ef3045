"""What ClickHouse and Tinybird have in every Workspace: functions with their arguments, types, service Data Sources.

``words.json`` is written by ``docs/completion_words.py`` from the engine's own lists, so that Tab answers before
anybody has logged in; the words of the language are those of the colours (``sql_words.json``).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.notebook.sql_completion.names import Columns


@cache
def _read(package: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files(package) / name).read_text("utf-8"))
    return found


def _words(name: str) -> dict[str, Any]:
    return _read("tinymagic.notebook.sql_completion", name)


@cache
def functions() -> Mapping[str, str]:
    """Return ClickHouse's functions that Tinybird lets queries use, and their arguments: ``{"abs": "(x)"}``."""
    found: dict[str, str] = _words("words.json")["functions"]
    return found


@cache
def aggregates() -> tuple[str, ...]:
    """Return those that put rows together; a combinator may follow their names, as in ``sumIf``."""
    return tuple(_words("words.json")["aggregates"])


@cache
def table_functions() -> Mapping[str, str]:
    """Return the functions that stand in the place of a table, and their arguments."""
    found: dict[str, str] = _words("words.json")["table_functions"]
    return found


@cache
def types() -> tuple[str, ...]:
    """Return the names of ClickHouse's types."""
    return tuple(_words("words.json")["types"])


@cache
def template_functions() -> Mapping[str, str]:
    """Return the functions of Tinybird's templates, and their arguments (``templating.md`` sections 4 to 6)."""
    found: dict[str, str] = _words("template_words.json")["functions"]
    kinds = _words("template_words.json")["types"].split()
    arguments = "(name, default, description=None, required=None)"
    return {**dict.fromkeys(kinds, arguments), **found}


@cache
def template_keywords() -> tuple[str, ...]:
    """Return the words of ``{% %}``."""
    return tuple(_words("template_words.json")["keywords"].split())


@cache
def service_datasources() -> Mapping[str, Columns]:
    """Return the service Data Sources, ``tinybird.pipe_stats`` and others, with their columns (``workspace.md`` 6)."""
    return {
        name: tuple((column, type_) for column, type_ in columns)
        for name, columns in _words("words.json")["service_datasources"].items()
    }


@cache
def keywords() -> dict[str, None]:
    """Return the words of the language that a query may use, as the keys, sorted."""
    found = _read("tinymagic.notebook", "sql_words.json")
    return dict.fromkeys(sorted({*found["keywords"].split(), "SELECT", "WITH", "FROM", "DESCRIBE"}))
