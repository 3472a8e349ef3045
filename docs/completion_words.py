"""Writes the words that Tab offers in SQL: ``python docs/completion_words.py``. A test compares them.

The functions and types are those of the engine that is installed; those that the query gate refuses are left out. Only
names and arguments are taken over, no descriptions.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TARGET = ROOT / "tinymagic" / "notebook" / "sql_completion" / "words.json"

#: Where rows come from without a table: the functions that the service lets every query use (``query.md`` 2).
TABLE_FUNCTIONS = {
    "generateRandom": "('column Type, ...')",
    "null": "('column Type, ...')",
    "numbers": "([start,] count)",
    "values": "('column Type, ...', (value, ...), ...)",
    "zeros": "(count)",
}

_LONGEST = 80


def words() -> dict[str, Any]:
    """Return what the file holds."""
    from tinymagic.local.engine import Engine
    from tinymagic.local.service_datasources.tables import TABLES

    engine = Engine(None)
    try:
        functions = engine.rows(
            "SELECT name, syntax, alias_to, is_aggregate FROM system.functions ORDER BY lower(name)"
        )
        types = engine.rows("SELECT name FROM system.data_type_families WHERE alias_to = '' ORDER BY lower(name), name")
        version = engine.rows("SELECT version()")[0][0]
    finally:
        engine.close()
    syntax = {name: text for name, text, _, _ in functions}
    # Of one function under names that differ in case only, its own name is enough.
    own = {name.lower(): name for name, _, alias, _ in sorted(functions, key=lambda each: not each[2])}
    functions = [each for each in functions if own[each[0].lower()] == each[0]]
    return {
        "clickhouse": version,
        "functions": {
            name: arguments(name, text or syntax.get(alias, ""), alias or name)
            for name, text, alias, _ in functions
            if is_for_queries(name)
        },
        "aggregates": [name for name, _, _, aggregates in functions if aggregates and is_for_queries(name)],
        "table_functions": TABLE_FUNCTIONS,
        "types": [name for (name,) in types],
        "service_datasources": {f"tinybird.{table.name}": [*table.columns.items()] for table in TABLES},
    }


def is_for_queries(name: str) -> bool:
    """Say whether a query may use a function, and a person would write it."""
    from tinymagic.local.errors import BadRequest
    from tinymagic.local.sql.names import check_function

    if not re.fullmatch(r"[A-Za-z]\w*", name) or name.startswith("__"):
        return False
    try:
        check_function(name)
    except BadRequest:
        return False
    return True


def arguments(name: str, syntax: str, original: str) -> str:
    """Return the brackets of a function's syntax: ``(x, y)``, or ``(level)(x)``; ``(...)`` when they are not told.

    Example:
        >>> arguments("dateDiff", "dateDiff(unit, startdate, enddate[, timezone])", "dateDiff")
        '(unit, startdate, enddate[, timezone])'
    """
    text = " ".join(syntax.replace("`", "").split())
    found = re.match(rf"(?:{re.escape(original)}|{re.escape(name)})\s*(?=\()", text)
    if found is None:
        return "(...)"
    groups = _bracketed(text[found.end() :])
    return groups if 0 < len(groups) <= _LONGEST else "(...)"


def _bracketed(text: str) -> str:
    """Return the one or two groups of brackets with which a text begins."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and not text[place + 1 :].lstrip().startswith("("):
            return text[: place + 1]
    return ""


def main() -> None:
    """Write the file."""
    TARGET.write_text(json.dumps(words(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
