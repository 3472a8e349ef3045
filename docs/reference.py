"""Writes docs/magics.md from the tables that parse the magics: ``python docs/reference.py``. A test compares them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinymagic.notebook.cells.options import TBSQL_OPTIONS
from tinymagic.notebook.tree import NOUNS, commands_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.notebook.cells.grammar import Option
    from tinymagic.notebook.tree import Command

PAGE = Path(__file__).with_name("magics.md")

SQL_PART = """# The magics

`%load_ext tinymagic` adds them; `%unload_ext tinymagic` takes them away. This page is made from the tables that
parse them (`python docs/reference.py`).

## `%%tbsql` and `%tbsql`

SQL in, DataFrame out. The SQL stands below the line of `%%tbsql`, or on the line of `%tbsql`. Options come before
it.

| you write | you get |
|---|---|
| `%%tbsql` | the DataFrame, displayed, and the cell's value (`_`, `Out[n]`) |
| `df = %tbsql SELECT ...` | the DataFrame in `df`, nothing displayed |
| `%%tbsql df`, `%%tbsql df <<`, `%%tbsql -o df` | stored in `df`, not displayed |
| `%%tbsql df= <<`, `%%tbsql df --show` | stored and displayed |
| a semicolon at the end, or `--quiet` | nothing displayed |

### Values

`{{ name }}` stands for the notebook variable of that name, with its type: whole numbers, floats, texts, `bool`,
`Decimal`, dates and times, `UUID`, IP addresses, `None`, and lists, sets, arrays and Series of these.
`{{ settings.limit }}`, `{{ ids[0] }}` and `{{ row["key"] }}` reach into it; `{{ name | ident }}` writes it as a quoted
name of a column or table. The value travels beside the SQL as a parameter and is escaped by the server, so it
cannot become SQL. Strings, comments, JSON, map literals and `{x:Type}` in the SQL are left alone.

A text whose first sign is `%` is a Tinybird template and is sent as it is, with the variables and parameters that
it names.

### Options

"""

COMMANDS_PART = """
## `%tinybird`

Without words it says what you are connected to, and what runs. `--help` works behind every word, a noun alone shows its
verbs, and Tab completes words, options and names. Lists are DataFrames (`df = %tinybird datasource ls`). What deletes
asks first, or takes `--yes`. Work that takes long shows a bar and can be interrupted.

"""


def page() -> str:
    """Return the text of docs/magics.md."""
    parts = [SQL_PART, _options_table(TBSQL_OPTIONS), COMMANDS_PART, _commands_table(commands_of(None))]
    for noun in NOUNS.values():
        also = f" (also {', '.join(f'`{alias}`' for alias in noun.aliases)})" if noun.aliases else ""
        parts += [f"\n### `%tinybird {noun.name}`: {noun.meaning}{also}\n\n", _commands_table(commands_of(noun.name))]
    return "".join(parts)


def _options_table(options: Sequence[Option]) -> str:
    rows = [f"| {_code(option.usage())} | {_cell(option.help)} |" for option in options]
    return "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def _commands_table(commands: Sequence[Command]) -> str:
    rows = []
    for command in commands:
        options = "<br>".join(f"{_code(option.usage())} {_cell(option.help)}" for option in command.options)
        rows.append(f"| {_code(f'%tinybird {command.usage()}')} | {_cell(command.summary)} | {options} |")
    return "\n".join(["| command | what it does | options |", "|---|---|---|", *rows]) + "\n"


def _code(text: str) -> str:
    # A bar would end the cell of the table, also inside code.
    return "`" + text.replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
