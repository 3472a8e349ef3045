"""The grammar of ``%tbsql`` and ``%%tbsql``. Pure: no IPython, no variables, no files.

``%tbsql [options] [target] [options] SQL``, and ``%%tbsql`` with the SQL below. Options come first and end at the first
word of SQL, so that nothing in the SQL is ever taken for an option: ``--`` with a blank behind it begins a comment, as
in SQL. What the options are is data, see `TBSQL_OPTIONS`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tinymagic.names import near_names
from tinymagic.notebook.cells.arguments import (
    ChartArguments,
    LiveArguments,
    PersistArguments,
    PipeArguments,
    TbsqlArguments,
)
from tinymagic.notebook.cells.options import TBSQL_OPTIONS
from tinymagic.notebook.options import OptionValues, is_variable, take_options
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source
from tinymagic.notebook.words import skip_blanks
from tinymagic.sqltext import is_template, meaningful, statement_kind, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Words with which SQL begins. Writes are among them: what the service says to them is clearer than our grammar.
SQL_STARTS = frozenset(
    """
    SELECT WITH FROM DESCRIBE DESC SHOW EXISTS EXPLAIN VALUES INSERT CREATE DROP ALTER TRUNCATE DELETE UPDATE OPTIMIZE
    SYSTEM SET USE GRANT REVOKE RENAME KILL CHECK ATTACH DETACH
    """.split()
)


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
    for option, partners in _NEEDS.items():
        if values.has(option) and not any(values.has(partner) for partner in partners):
            raise CellProblem(_needs_sentence(option, partners))
    if values.get("dtypes") and values.get("type") not in (None, "pandas"):
        raise CellProblem(
            f"--dtypes is for pandas, and the result is to be {values.get('type')}: take one of them away."
        )
    return TbsqlArguments(
        source=source,
        target=values.get("out"),
        show=shown or values.has("show"),
        quiet=quiet,
        params=tuple(_name_and_value(text) for text in values.all("param")),
        param_sets=tuple(values.all("params")),
        type=values.get("type") or "pandas",
        dtypes=values.get("dtypes"),
        limit=None if values.get("limit") is None else int(str(values.get("limit"))),
        stats=True if values.has("stats") else False if values.has("no_stats") else None,
        instead=next((way for way in ("explain", "dry-run", "fmt") if values.has(way.replace("-", "_"))), None),
        show_sql=values.has("show_sql"),
        format=values.get("format"),
        timeout_s=_seconds(values, "timeout"),
        pipeline=values.get("pipeline"),
        file=values.get("file"),
        profile=values.get("profile"),
        save=values.get("save"),
        with_nodes=_names(values.get("with")),
        execute=not values.has("no_execute"),
        pipe=_pipe(values),
        chart=_chart(values),
        live=_live(values),
        background=values.has("background"),
        cache_s=float("inf") if values.has("freeze") else _seconds(values, "cache"),
        to_file=values.get("to_file"),
        yes=values.has("yes"),
        expectations=tuple(values.all("expect")),
        persist=_persist(values, source, is_line=cell is None),
    )


#: Options that say nothing without one of others.
_NEEDS = {
    "no_execute": ("save", "pipe"),
    "node": ("pipe",),
    "publish": ("pipe",),
    "to": ("pipe",),
    "x": ("plot",),
    "y": ("plot",),
    "color": ("plot",),
    "for": ("every",),
    "no_index": ("persist", "persist_replace", "append"),
}


def _needs_sentence(option: str, partners: Sequence[str]) -> str:
    spelled = {each.key: each for each in TBSQL_OPTIONS}
    wanted = " or ".join(f"{spelled[each].names[-1]} {spelled[each].value}".strip() for each in partners)
    return f"{spelled[option].names[-1]} says something only together with {wanted}."


def _seconds(values: OptionValues, key: str) -> float | None:
    text = values.get(key)
    return None if text is None else float(text)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _pipe(values: OptionValues) -> PipeArguments | None:
    name = values.get("pipe")
    if name is None:
        return None
    return PipeArguments(name, values.get("node"), values.has("publish"), values.get("to"))


def _chart(values: OptionValues) -> ChartArguments | None:
    mark = values.get("plot")
    return None if mark is None else ChartArguments(mark, values.get("x"), _names(values.get("y")), values.get("color"))


def _live(values: OptionValues) -> LiveArguments | None:
    every_s = _seconds(values, "every")
    return None if every_s is None else LiveArguments(every_s, _seconds(values, "for"))


#: Option -> what happens to the Data Source.
_PERSISTING = {"persist": "create", "persist_replace": "replace", "append": "append"}


def _persist(values: OptionValues, source: Source, *, is_line: bool) -> PersistArguments | None:
    given = [key for key in _PERSISTING if values.has(key)]
    if not given:
        return None
    spelled = f"--{given[0].replace('_', '-')}"
    if len(given) > 1:
        raise CellProblem(f"{spelled} and --{given[1].replace('_', '-')} contradict each other.")
    variable = str(values.get(given[0]))
    if not is_line or source.sql.strip():
        raise CellProblem(
            f"{spelled} sends rows and runs no SQL: write %tbsql {spelled} {variable} on a line of its own."
        )
    return PersistArguments(variable, _PERSISTING[given[0]], index=not values.has("no_index"))


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
