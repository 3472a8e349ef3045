"""The grammar of ``%tbsql`` and ``%%tbsql``. Pure: no IPython, no variables, no files.

``%tbsql [options] [target] [options] SQL``, and ``%%tbsql`` with the SQL below. Options come first and end at the first
word of SQL, so that nothing in the SQL is ever taken for an option: ``--`` with a blank behind it begins a comment, as
in SQL. What the options are is data, see `TBSQL_OPTIONS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tinymagic.names import near_names
from tinymagic.notebook.options import Option, OptionValues, is_variable, take_options
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source
from tinymagic.notebook.words import skip_blanks
from tinymagic.sqltext import is_template, meaningful, statement_kind, tokens

#: Words with which SQL begins. Writes are among them: what the service says to them is clearer than our grammar.
SQL_STARTS = frozenset(
    """
    SELECT WITH FROM DESCRIBE DESC SHOW EXISTS EXPLAIN VALUES INSERT CREATE DROP ALTER TRUNCATE DELETE UPDATE OPTIMIZE
    SYSTEM SET USE GRANT REVOKE RENAME KILL CHECK ATTACH DETACH
    """.split()
)

#: The options of both spellings; `tinymagic.notebook.extension` repeats them in the magic's docstring.
TBSQL_OPTIONS: tuple[Option, ...] = (
    Option(("-o", "--out"), "store the DataFrame in this variable, and do not display it", "NAME", "variable"),
    Option(("--show",), "display it although it is stored in a variable", excludes=("--quiet",)),
    Option(("-q", "--quiet"), "display nothing; a semicolon at the end of the SQL does the same", excludes=("--show",)),
    Option(("-p", "--param"), "a parameter; wins over the variable of that name", "NAME=VALUE", many=True),
    Option(("--params",), "several parameters: a JSON object, or $name of a dictionary", "JSON", many=True),
    Option(("--limit", "--max-results", "--rows-limit"), "at most so many rows; a cut result says so", "N", "count"),
    Option(("--stats",), "show under the table what the query cost (the default)", excludes=("--no-stats",)),
    Option(("--no-stats",), "show the table only", excludes=("--stats",)),
    Option(("--show-sql",), "print the text that is sent, and the values sent beside it"),
    Option(
        ("--format",),
        "how the rows travel; the DataFrame is the same",
        "auto|parquet|json",
        "choice",
        ("auto", "parquet", "json"),
    ),
    Option(("--timeout",), "seconds to wait for the whole result", "S", "seconds"),
    Option(("-f", "--file"), "read the SQL from a file", "FILE"),
    Option(("--profile",), "use this saved login for this query", "NAME"),
    Option(("-S", "--save"), "keep the SQL as a node that later cells and Pipes can read by this name", "NAME"),
    Option(("-w", "--with"), "put these saved nodes in front, also when the SQL does not name them", "A,B"),
    Option(("-N", "--no-execute"), "with --save: only keep it"),
)


@dataclass(frozen=True)
class TbsqlArguments:
    """What a ``%tbsql`` says.

    Attributes:
        source: the SQL and where it stands; its text is empty when `file` is given.
        target: variable to store in, or ``None``.
        show: whether a stored result is displayed too.
        quiet: whether nothing is displayed.
        params: (name, text) in order, from ``--param``.
        param_sets: texts of ``--params``.
        limit: rows, or ``None``.
        stats: as asked for, or ``None``.
        show_sql: whether the text sent is printed.
        format: of the wire, or ``None``.
        timeout_s: seconds, or ``None``.
        file: path, or ``None``.
        profile: saved login, or ``None``.
        save: name of the node to keep it as, or ``None``.
        with_nodes: names of saved nodes that come in front in any case.
        execute: whether it is run.
    """

    source: Source
    target: str | None = None
    show: bool = False
    quiet: bool = False
    params: tuple[tuple[str, str], ...] = ()
    param_sets: tuple[str, ...] = ()
    limit: int | None = None
    stats: bool | None = None
    show_sql: bool = False
    format: str | None = None
    timeout_s: float | None = None
    file: str | None = None
    profile: str | None = None
    save: str | None = None
    with_nodes: tuple[str, ...] = ()
    execute: bool = True


def parse_tbsql(
    line: str, cell: str | None = None, *, first_line: int = 1, before: str | None = None
) -> TbsqlArguments:
    """Read the line of ``%tbsql``, or line and body of ``%%tbsql``.

    Args:
        line: what follows the name of the magic.
        cell: the body, or ``None`` for the line magic.
        first_line: number of the magic's line in the cell.
        before: what stands before *line* there; default is the magic's name.

    Raises:
        CellProblem: something cannot be understood; its position counts in *line*.

    Example:
        >>> found = parse_tbsql("df << --limit 5", "SELECT 1;")
        >>> found.target, found.limit, found.show, found.quiet, found.source.sql
        ('df', 5, False, True, 'SELECT 1;')
    """
    values = OptionValues(TBSQL_OPTIONS)
    at = take_options(line, 0, values)
    target, shown, at = _take_target(line, at, cell)
    if target is not None:
        values.put_target(target, at)
        at = take_options(line, at, values)
    sql_start = _sql_start(line, at, cell)
    _check_trailing_options(line, sql_start)
    source = _source(line, cell, sql_start, first_line, before)
    if values.get("file") is not None and source.sql.strip():
        raise CellProblem(f"There is SQL in the cell and in the file {values.get('file')!r}: give one of them.")
    quiet = values.has("quiet") or _ends_in_semicolon(source.sql)
    if shown and values.has("quiet"):
        raise CellProblem("'=' before << displays the result and --quiet does not: take one of them away.")
    if values.has("no_execute") and not values.has("save"):
        raise CellProblem("--no-execute does nothing without --save NAME, which keeps the SQL for later.")
    return TbsqlArguments(
        source=source,
        target=values.get("out"),
        show=shown or values.has("show"),
        quiet=quiet,
        params=tuple(_name_and_value(text) for text in values.all("param")),
        param_sets=tuple(values.all("params")),
        limit=None if values.get("limit") is None else int(str(values.get("limit"))),
        stats=True if values.has("stats") else False if values.has("no_stats") else None,
        show_sql=values.has("show_sql"),
        format=values.get("format"),
        timeout_s=None if values.get("timeout") is None else float(str(values.get("timeout"))),
        file=values.get("file"),
        profile=values.get("profile"),
        save=values.get("save"),
        with_nodes=tuple(name.strip() for name in (values.get("with") or "").split(",") if name.strip()),
        execute=not values.has("no_execute"),
    )


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise CellProblem(f"--param takes NAME=VALUE, for instance --param airport=JFK, not {text!r}.")
    return name.strip(), value


def _source(line: str, cell: str | None, sql_start: int, first_line: int, before: str | None) -> Source:
    words = line[sql_start:]
    if cell is not None and not words.strip():
        return Source(cell, first_line + 1)
    magic = "%tbsql " if cell is None else "%%tbsql "
    prefix = (magic if before is None else before) + line[:sql_start]
    return Source(words if cell is None else f"{words}\n{cell}", first_line, prefix)


def _ends_in_semicolon(sql: str) -> bool:
    if is_template(sql):
        return sql.rstrip().endswith(";")
    words = meaningful(sql)
    return bool(words) and words[-1].text == ";"


# --- the target and where the SQL begins ------------------------------------------------------------------------------

_ARROW_RE = re.compile(r"(?P<name>[^\s=<]+)\s*(?P<shown>=?)\s*<<")
_NAME_RE = re.compile(r"[^\W\d]\w*")


def _take_target(line: str, at: int, cell: str | None) -> tuple[str | None, bool, int]:
    """Read ``df``, ``df <<`` or ``df= <<``; return name, whether it is displayed too, and the offset behind it."""
    arrow = _ARROW_RE.match(line, at)
    if arrow:
        if not is_variable(arrow["name"]):
            raise CellProblem(
                f"{arrow['name']!r} cannot be the name of a variable.",
                position=at,
                length=len(arrow["name"]),
                in_line=True,
            )
        return arrow["name"], bool(arrow["shown"]), arrow.end()
    name = _NAME_RE.match(line, at)
    if name is None or not is_variable(name.group()):
        return None, False, at
    rest = line[name.end() :].lstrip()
    if cell is not None and not rest:
        # "show" alone may be a target, and may be SQL: the body tells.
        if name.group().upper() in SQL_STARTS and statement_kind(cell) not in SQL_STARTS and not is_template(cell):
            return None, False, at
        return name.group(), False, name.end()
    if name.group().upper() in SQL_STARTS:
        return None, False, at
    if (line[name.end() : name.end() + 1].isspace() and _begins_sql(rest)) or (cell is not None and rest[:1] == "-"):
        return name.group(), False, name.end()
    return None, False, at


def _begins_sql(text: str) -> bool:
    return statement_kind(text) in SQL_STARTS and (text[:1].isalpha() or text[:1] in "(%")


def _sql_start(line: str, at: int, cell: str | None) -> int:
    """Return where on the line SQL begins, its end when there is none.

    Raises:
        CellProblem: what stands there is no SQL.
    """
    start = skip_blanks(line, at)
    if start == len(line):
        return start
    rest = line[start:]
    first = meaningful(rest)[:1]
    if not first or is_template(rest) or statement_kind(rest) in SQL_STARTS:
        return start
    word = first[0].text
    position = start + first[0].start
    where: dict[str, Any] = {"position": position, "length": len(word), "in_line": True}
    options = [name for option in TBSQL_OPTIONS for name in option.names if name.startswith("--")]
    if f"--{word}" in options:
        raise CellProblem(f"{word!r} is no SQL.", suggestions=(f"--{word}",), **where)
    near = tuple(near_names(word.upper(), sorted(SQL_STARTS)))
    expected = "the name of one variable, or SQL" if cell is not None else "SQL"
    raise CellProblem(f"{word!r} is not understood: here stands {expected}.", suggestions=near, **where)


def _check_trailing_options(line: str, sql_start: int) -> None:
    """Refuse an option behind the SQL: there it is a comment, and would be passed over in silence."""
    for token in tokens(line[sql_start:]):
        if token.kind != "comment" or not token.text.startswith("--"):
            continue
        name = re.split(r"[\s=]", token.text, maxsplit=1)[0]
        if any(name in option.names for option in TBSQL_OPTIONS):
            raise CellProblem(
                f"{name} stands behind the SQL, where it is a comment. Put options before the SQL.",
                position=sql_start + token.start,
                length=len(name),
                in_line=True,
            )
