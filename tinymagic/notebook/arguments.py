"""The grammar of both magics: what stands on a magic's line. Pure: no IPython, no variables, no files.

``%tbsql [options] [target] [options] SQL`` and ``%%tbsql`` with the SQL below. Options come first and end at the first
word of SQL, so that nothing in the SQL is ever taken for an option: ``--`` with a blank behind it begins a comment, as
in SQL. For `%tinybird`, options may stand anywhere, since there is no SQL.

Options are data (`TBSQL_OPTIONS`, and those of `tinymagic.notebook.command_table`): the same table parses, makes the
help, and finds near names for a misspelt one.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.source import Source
from tinymagic.sqltext import is_template, meaningful, statement_kind, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Words with which SQL begins. Writes are among them: what the service says to them is clearer than our grammar.
SQL_STARTS = frozenset(
    """
    SELECT WITH FROM DESCRIBE DESC SHOW EXISTS EXPLAIN VALUES INSERT CREATE DROP ALTER TRUNCATE DELETE UPDATE OPTIMIZE
    SYSTEM SET USE GRANT REVOKE RENAME KILL CHECK ATTACH DETACH
    """.split()
)


@dataclass(frozen=True)
class Option:
    """One option of a magic.

    Attributes:
        names: its spellings; the first one is its name in results, without dashes and with ``_`` for ``-``.
        help: one line.
        value: what its value is, for instance ``N``; ``""`` for an option without a value.
        kind: how the value is checked: ``text``, ``count`` (whole number from 0), ``seconds``, ``variable`` or
            ``choice``.
        choices: for ``choice``.
        many: whether it may be given more than once.
        excludes: names of options that contradict it.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    kind: str = "text"
    choices: tuple[str, ...] = ()
    many: bool = False
    excludes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return the name in results."""
        longest = next((name for name in self.names if name.startswith("--")), self.names[0])
        return longest.lstrip("-").replace("-", "_")

    def usage(self) -> str:
        """Return its spellings and its value, for help."""
        return ", ".join(self.names) + (f" {self.value}" if self.value else "")


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
    values = _Values(TBSQL_OPTIONS)
    at = _take_options(line, 0, values)
    target, shown, at = _take_target(line, at, cell)
    if target is not None:
        values.put_target(target, at)
        at = _take_options(line, at, values)
    sql_start = _sql_start(line, at, cell)
    _check_trailing_options(line, sql_start)
    source = _source(line, cell, sql_start, first_line, before)
    if values.get("file") is not None and source.sql.strip():
        raise CellProblem(f"There is SQL in the cell and in the file {values.get('file')!r}: give one of them.")
    quiet = values.has("quiet") or _ends_in_semicolon(source.sql)
    if shown and values.has("quiet"):
        raise CellProblem("'=' before << displays the result and --quiet does not: take one of them away.")
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


# --- words ------------------------------------------------------------------------------------------------------------

_BLANKS_RE = re.compile(r"\s*")
_WORD_RE = re.compile(r"""(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\\$)+""")
_PART_RE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+|\\$)""")


@dataclass(frozen=True)
class Word:
    """A word of a line: quotes are taken off it, and may hold blanks.

    Attributes:
        text: without the quotes.
        start: offset of its first character in the line.
        end: offset after its last one.
    """

    text: str
    start: int
    end: int


def next_word(line: str, at: int) -> Word | None:
    r"""Return the word that begins at or behind offset *at*, or ``None`` at the end of the line.

    Quotes work as in a shell; in double quotes ``\`` keeps the next quote.

    Raises:
        CellProblem: a quote is not closed.

    Example:
        >>> next_word("--param 'a b' x", 7).text
        'a b'
    """
    start = _BLANKS_RE.match(line, at).end()  # type: ignore[union-attr] # it matches the empty text too
    if start == len(line):
        return None
    found = _WORD_RE.match(line, start)
    end = found.end() if found else start
    if end < len(line) and line[end] in "'\"":
        raise CellProblem(f"This {line[end]} is not closed.", position=end, in_line=True)
    parts = []
    for single, double, escaped, bare in _PART_RE.findall(line[start:end]):
        parts.append(single or re.sub(r'\\(["\\])', r"\1", double) or escaped or bare)
    return Word("".join(parts), start, end)


def words_of(line: str) -> list[Word]:
    """Cut a line into its words.

    Raises:
        CellProblem: a quote is not closed.

    Example:
        >>> [word.text for word in words_of("create x --schema 'a Int8, b String'")]
        ['create', 'x', '--schema', 'a Int8, b String']
    """
    found = []
    word = next_word(line, 0)
    while word is not None:
        found.append(word)
        word = next_word(line, word.end)
    return found


# --- options ----------------------------------------------------------------------------------------------------------


@dataclass
class _Values:
    """The options given so far."""

    options: Sequence[Option]
    given: dict[str, list[str]] = field(default_factory=dict)

    def find(self, name: str) -> Option | None:
        return next((option for option in self.options if name in option.names), None)

    def put(self, option: Option, value: str, word: Word) -> None:
        where: dict[str, Any] = {"position": word.start, "length": word.end - word.start, "in_line": True}
        for other in self.options:
            if other.key in self.given and _contradict(option, other):
                raise CellProblem(f"{word.text} and {other.names[-1]} contradict each other.", **where)
        if option.key in self.given and option.value and not option.many:
            raise CellProblem(f"{option.names[-1]} is given twice.", **where)
        self.given.setdefault(option.key, []).append(value)

    def put_target(self, name: str, at: int) -> None:
        if "out" in self.given:
            raise CellProblem(
                f"The result cannot go into both {self.given['out'][0]!r} and {name!r}.", position=at, in_line=True
            )
        self.given["out"] = [name]

    def has(self, key: str) -> bool:
        return key in self.given

    def get(self, key: str) -> str | None:
        return self.given[key][-1] if key in self.given else None

    def all(self, key: str) -> list[str]:
        return self.given.get(key, [])


def _contradict(one: Option, other: Option) -> bool:
    return any(name in one.excludes for name in other.names) or any(name in other.excludes for name in one.names)


def _is_option(word: Word, line: str) -> bool:
    """Say whether a word is an option; a bare ``--`` is the beginning of a SQL comment, a quoted one is a value."""
    return line.startswith("-", word.start) and word.text not in ("-", "--")


def _take_options(line: str, at: int, values: _Values) -> int:
    """Read options until another word comes; return the offset of that word."""
    while (word := _peek(line, at)) is not None and _is_option(word, line):
        at = _take_option(line, word, values)
    return at if word is None else word.start


def _peek(line: str, at: int) -> Word | None:
    """Return the next word; of what is no option only the place counts, and its quotes are those of SQL."""
    start = _BLANKS_RE.match(line, at).end()  # type: ignore[union-attr] # it matches the empty text too
    if start == len(line):
        return None
    return next_word(line, start) if line[start] == "-" else Word(line[start:], start, len(line))


def _take_option(line: str, word: Word, values: _Values) -> int:
    name, equals, value = word.text.partition("=")
    option = values.find(name)
    if option is None:
        raise _unknown_option(Word(name, word.start, word.start + len(name)), values.options)
    if not option.value:
        if equals:
            raise CellProblem(f"{name} takes no value.", position=word.start, length=len(word.text), in_line=True)
        values.put(option, "", word)
        return word.end
    at = word.end
    if not equals:
        following = next_word(line, at)
        if following is None or _is_known_option(following, line, values):
            raise CellProblem(
                f"{name} needs a value: {name} {option.value}.", position=word.start, length=len(name), in_line=True
            )
        value, at = following.text, following.end
    values.put(option, _checked(option, name, value, word), word)
    return at


def _is_known_option(word: Word, line: str, values: _Values) -> bool:
    return _is_option(word, line) and values.find(word.text.partition("=")[0]) is not None


def _unknown_option(word: Word, options: Sequence[Option]) -> CellProblem:
    known = [name for option in options for name in option.names]
    # Without the dashes, which all of them have in common.
    spelled = {name.lstrip("-"): name for name in known if name.startswith("--")}
    near = tuple(spelled[name] for name in near_names(word.text.lstrip("-"), list(spelled)))
    near = near or tuple(name for name in known if name.startswith(word.text) and len(word.text) > 2)
    return CellProblem(
        f"There is no option {word.text}." + ("" if near else f" There are {', '.join(_long_names(options))}."),
        position=word.start,
        length=word.end - word.start,
        in_line=True,
        suggestions=near[:3],
    )


def _long_names(options: Sequence[Option]) -> list[str]:
    return [next((name for name in option.names if name.startswith("--")), option.names[0]) for option in options]


def _checked(option: Option, name: str, value: str, word: Word) -> str:
    problem = ""
    if option.kind == "count" and not re.fullmatch(r"[0-9][0-9_,]*", value):
        problem = f"{name} takes a whole number of rows, not {value!r}."
    elif option.kind == "seconds" and not _is_seconds(value):
        problem = f"{name} takes a number of seconds above 0, not {value!r}."
    elif option.kind == "choice" and value not in option.choices:
        problem = f"{name} is {_or(option.choices)}, not {value!r}."
    elif option.kind == "variable" and not _is_variable(value):
        problem = f"{value!r} cannot be the name of a variable."
    if problem:
        near = tuple(near_names(value, list(option.choices))) if option.choices else ()
        raise CellProblem(problem, position=word.start, length=len(word.text), in_line=True, suggestions=near)
    return re.sub("[_,]", "", value) if option.kind == "count" else value


def _is_seconds(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def _is_variable(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _or(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]


# --- the target and where the SQL begins ------------------------------------------------------------------------------

_ARROW_RE = re.compile(r"(?P<name>[^\s=<]+)\s*(?P<shown>=?)\s*<<")
_NAME_RE = re.compile(r"[^\W\d]\w*")


def _take_target(line: str, at: int, cell: str | None) -> tuple[str | None, bool, int]:
    """Read ``df``, ``df <<`` or ``df= <<``; return name, whether it is displayed too, and the offset behind it."""
    arrow = _ARROW_RE.match(line, at)
    if arrow:
        if not _is_variable(arrow["name"]):
            raise CellProblem(
                f"{arrow['name']!r} cannot be the name of a variable.",
                position=at,
                length=len(arrow["name"]),
                in_line=True,
            )
        return arrow["name"], bool(arrow["shown"]), arrow.end()
    name = _NAME_RE.match(line, at)
    if name is None or not _is_variable(name.group()):
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
    start = _BLANKS_RE.match(line, at).end()  # type: ignore[union-attr] # it matches the empty text too
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


# --- commands ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CommandArguments:
    """What stands behind the name of a command.

    Attributes:
        words: the words that are no options.
        options: name -> value, ``""`` for one without a value.
    """

    words: tuple[Word, ...]
    options: Mapping[str, str]


def parse_command(words: Sequence[Word], options: Sequence[Option], line: str) -> CommandArguments:
    """Tell options from other words.

    Args:
        words: behind the command's name.
        options: that it has.
        line: the whole line, in which the words stand.

    Raises:
        CellProblem: an option that it does not have, or a value that cannot be.

    Example:
        >>> line = "trips --yes"
        >>> found = parse_command(words_of(line), (Option(("--yes",), "do not ask"),), line)
        >>> [word.text for word in found.words], dict(found.options)
        (['trips'], {'yes': ''})
    """
    values = _Values(options)
    rest: list[Word] = []
    at = words[0].start if words else len(line)
    while (word := next_word(line, at)) is not None:
        if _is_option(word, line):
            at = _take_option(line, word, values)
        else:
            rest.append(word)
            at = word.end
    return CommandArguments(tuple(rest), {key: found[-1] for key, found in values.given.items()})
