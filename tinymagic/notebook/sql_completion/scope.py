"""Which tables a place in SQL can read, and which columns they have. Pure; takes SQL that is not finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.notebook.sql_completion.names import Columns, SqlNames, Tables  # noqa: F401 - of the examples
from tinymagic.sqltext import Token, is_template, meaningful

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Keywords that end a FROM clause.
ENDS_FROM = frozenset(
    """
    PREWHERE WHERE GROUP HAVING ORDER LIMIT SETTINGS UNION INTERSECT EXCEPT WINDOW QUALIFY FORMAT SELECT OFFSET
    """.split()
)

#: Words of a join that stand behind a table and are no alias of it.
_NO_ALIAS = ENDS_FROM | frozenset(
    """
    FROM JOIN INNER LEFT RIGHT FULL OUTER CROSS ANY ALL ASOF SEMI ANTI GLOBAL PASTE ARRAY ON USING FINAL SAMPLE AS WITH
    AND OR NOT BY
    """.split()
)

#: Queries that read queries that read queries ... are followed so far.
_DEEPEST = 8


@dataclass(frozen=True)
class Table:
    """Something in a FROM clause.

    Attributes:
        name: under which its columns can be named: the alias, else its name.
        columns: as far as they are known.
    """

    name: str
    columns: Columns


@dataclass(frozen=True)
class Scope:
    """What a place in SQL sees.

    Attributes:
        tables: of the FROM clause of its SELECT, in order.
        aliases: names that its SELECT gives to expressions, and those of WITH expressions.
        common: names of CTEs, with their columns.
    """

    tables: tuple[Table, ...] = ()
    aliases: tuple[str, ...] = ()
    common: Mapping[str, Columns] = field(default_factory=dict)


def scope_at(sql: str, offset: int, names: SqlNames) -> Scope:
    """Return what the place *offset* of a text sees.

    Args:
        sql: of a cell, of a node; also one that ends in the middle of an expression.
        offset: of the cursor.
        names: what is known besides.

    Example:
        >>> names = SqlNames(Tables({"trips": (("fare", "Float64"),)}))
        >>> scope_at("SELECT t. FROM trips AS t", 9, names).tables
        (Table(name='t', columns=(('fare', 'Float64'),)),)
    """
    words = words_of(sql)
    begin, end = 0, len(words)
    common: dict[str, Columns] = {}
    reader = _Reader(names)
    # From the outermost query inwards: the CTEs of the outer ones are seen further in.
    while True:
        part = words[begin:end]
        common |= reader.common(part, common)
        inner = _query_around(words, begin, end, offset)
        if inner is None:
            break
        begin, end = inner
    branch = _branch(words[begin:end], offset)
    return Scope(reader.tables(branch, common), reader.aliases(branch), common)


def output_of(sql: str, names: SqlNames) -> Columns:
    """Return the columns that a query gives, as far as they can be told.

    Example:
        >>> output_of("SELECT day, count() AS n FROM trips", SqlNames(Tables({"trips": (("day", "Date"),)})))
        (('day', 'Date'), ('n', ''))
    """
    return _Reader(names).output(words_of(sql), {})


def words_of(sql: str) -> list[Token]:
    """Return the tokens of a text without blanks, comments, and the ``%`` of a template."""
    found = meaningful(sql)
    return found[1:] if is_template(sql) and found and found[0].text == "%" else found


def plain(token: Token) -> str:
    """Return a name without its quotes."""
    return token.text.strip('`"') if token.kind == "quoted" else token.text


class _Reader:
    """Reads FROM clauses and lists of columns."""

    def __init__(self, names: SqlNames) -> None:
        self._names = names
        self._depth = 0

    def common(self, words: Sequence[Token], seen: Mapping[str, Columns]) -> dict[str, Columns]:
        """Return the CTEs that stand in front of a query."""
        if not words or words[0].text.upper() != "WITH":
            return {}
        found: dict[str, Columns] = {}
        for item in split(words[1 : _select_of(words)]):
            if len(item) > 3 and item[1].text.upper() == "AS" and item[2].text == "(":
                found[plain(item[0])] = self.output(_inside(item[2:]), {**seen, **found})
        return found

    def aliases(self, words: Sequence[Token]) -> tuple[str, ...]:
        """Return the names that a SELECT, and the WITH in front of it, give to expressions."""
        select = _select_of(words)
        found = []
        for item in [*split(words[1:select] if select else ()), *split(_list_of(words))]:
            if len(item) > 2 and item[-2].text.upper() == "AS" and item[-1].kind in ("word", "quoted"):
                found.append(plain(item[-1]))
        return tuple(dict.fromkeys(found))

    def tables(self, words: Sequence[Token], common: Mapping[str, Columns]) -> tuple[Table, ...]:
        """Return what stands in the FROM clause of one SELECT, its joins with it."""
        found: list[Table] = []
        at, inside = 0, False
        while at < len(words):
            text = words[at].text.upper() if words[at].kind == "word" else words[at].text
            if text in ("(", "[", "{"):
                at = closing(words, at) + 1
                continue
            at += 1
            if text in ENDS_FROM:
                inside = False
            elif (text in ("FROM", "JOIN") or (text == "," and inside)) and at < len(words):
                inside = True
                table, at = self._table(words, at, common)
                found += [] if table is None else [table]
        return tuple(found)

    def _table(self, words: Sequence[Token], at: int, common: Mapping[str, Columns]) -> tuple[Table | None, int]:
        name = ""
        columns: Columns = ()
        if words[at].text == "(":
            columns = self.output(_inside(words[at:]), common)
            at = closing(words, at) + 1
        elif words[at].kind in ("word", "quoted") and words[at].text.upper() not in _NO_ALIAS:
            name = plain(words[at])
            at += 1
            while at + 1 < len(words) and words[at].text == "." and words[at + 1].kind in ("word", "quoted"):
                name = f"{name}.{plain(words[at + 1])}"
                at += 2
            if at < len(words) and words[at].text == "(":  # A table function.
                at = closing(words, at) + 1
            else:
                columns = self._named(name, common)
        else:
            return None, at
        while at < len(words) and words[at].text.upper() == "FINAL":
            at += 1
        if at + 1 < len(words) and words[at].text.upper() == "AS" and words[at + 1].kind in ("word", "quoted"):
            return Table(plain(words[at + 1]), columns), at + 2
        if at < len(words) and words[at].kind in ("word", "quoted") and words[at].text.upper() not in _NO_ALIAS:
            return Table(plain(words[at]), columns), at + 1
        return Table(name.rpartition(".")[2] if name.count(".") else name, columns), at

    def _named(self, name: str, common: Mapping[str, Columns]) -> Columns:
        """Return the columns of what a name stands for."""
        if name in common:
            return common[name]
        if name in self._names.queries and self._depth < _DEEPEST:
            query = self._names.queries[name]
            inside = SqlNames(
                self._names.tables,
                {
                    **{other: each for other, each in self._names.queries.items() if other != name},
                    **{node: type(query)(sql, query.beside) for node, sql in query.beside.items()},
                },
            )
            reader = _Reader(inside)
            reader._depth = self._depth + 1
            return reader.output(words_of(query.sql), {})
        from tinymagic.notebook.sql_completion.words import service_datasources

        return self._names.tables.get(name) or service_datasources().get(name, ())

    def output(self, words: Sequence[Token], common: Mapping[str, Columns]) -> Columns:
        """Return the columns that a query gives; expressions without a name are left out."""
        self._depth += 1
        try:
            return self._output(words, common) if self._depth < _DEEPEST else ()
        finally:
            self._depth -= 1

    def _output(self, words: Sequence[Token], common: Mapping[str, Columns]) -> Columns:
        common = {**common, **self.common(words, common)}
        words = _first_branch(words)
        tables = self.tables(words, common)
        types = dict(column for table in reversed(tables) for column in table.columns)
        found: dict[str, str] = {}
        for item in split(_list_of(words)):
            if not item:
                continue
            if item[0].text == "*" or [token.text for token in item[1:3]] == [".", "*"]:
                of = None if item[0].text == "*" else plain(item[0])
                found |= dict(column for table in tables if of in (None, table.name) for column in table.columns)
            elif item[-1].kind in ("word", "quoted") and (
                len(item) == 1 or (len(item) > 1 and item[-2].text.upper() in ("AS", "."))
            ):
                name = plain(item[-1])
                found[name] = "" if len(item) > 2 and item[-2].text.upper() == "AS" else types.get(name, "")
                if len(item) > 2 and item[-2].text.upper() == "AS" and len(item) == 3:
                    found[name] = types.get(plain(item[0]), "")
        return tuple(found.items())


# --- tokens -----------------------------------------------------------------------------------------------------------


def closing(words: Sequence[Token], at: int) -> int:
    """Return the index of the bracket that closes the one at *at*; the last index when none does."""
    depth = 0
    for place in range(at, len(words)):
        if words[place].text in ("(", "[", "{"):
            depth += 1
        elif words[place].text in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return place
    return len(words) - 1


def split(words: Sequence[Token]) -> list[list[Token]]:
    """Cut at the commas that stand in no brackets."""
    found: list[list[Token]] = [[]]
    depth = 0
    for word in words:
        depth += (word.text in ("(", "[", "{")) - (word.text in (")", "]", "}"))
        if word.text == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return found


def _inside(words: Sequence[Token]) -> Sequence[Token]:
    """Return what stands in the bracket with which *words* begins."""
    end = closing(words, 0)
    return words[1:end] if words[end].text == ")" else words[1:]


def _top(words: Sequence[Token]) -> list[int]:
    """Return the indices of the words that stand in no brackets."""
    found, at = [], 0
    while at < len(words):
        if words[at].text in ("(", "[", "{"):
            at = closing(words, at)
        else:
            found.append(at)
        at += 1
    return found


def _select_of(words: Sequence[Token]) -> int:
    """Return the index of the query's own SELECT; 0 when there is none."""
    return next((at for at in _top(words) if words[at].text.upper() == "SELECT"), 0)


def _list_of(words: Sequence[Token]) -> Sequence[Token]:
    """Return what stands between SELECT and FROM."""
    top = _top(words)
    start = next((at + 1 for at in top if words[at].text.upper() == "SELECT"), None)
    if start is None:
        return ()
    if start < len(words) and words[start].text.upper() == "DISTINCT":
        start += 1
    end = next((at for at in top if at >= start and words[at].text.upper() in {"FROM", *ENDS_FROM}), len(words))
    return words[start:end]


_SETS = ("UNION", "INTERSECT", "EXCEPT")


def _cuts(words: Sequence[Token]) -> list[int]:
    """Return where a new SELECT of a UNION begins; ``* EXCEPT (...)`` is none."""
    return [
        at
        for at in _top(words)
        if words[at].text.upper() in _SETS
        and any(word.text.upper() in ("SELECT", "WITH") for word in words[at + 1 : at + 3])
    ]


def _first_branch(words: Sequence[Token]) -> Sequence[Token]:
    cuts = _cuts(words)
    return words[: cuts[0]] if cuts else words


def _branch(words: Sequence[Token], offset: int) -> Sequence[Token]:
    """Return the SELECT of a UNION that *offset* is in."""
    begin = 0
    for cut in _cuts(words):
        if words[cut].start >= offset:
            return words[begin:cut]
        begin = cut + 1
    return words[begin:]


def _query_around(words: Sequence[Token], begin: int, end: int, offset: int) -> tuple[int, int] | None:
    """Return the subquery between *begin* and *end* that *offset* is in, the outermost."""
    at = begin
    while at < end and words[at].start < offset:
        if words[at].text == "(":
            close = closing(words[:end], at)
            is_closed = words[close].text == ")"
            inside = words[close].start >= offset if is_closed else True
            if inside and at + 1 < end and words[at + 1].text.upper() in ("SELECT", "WITH"):
                return at + 1, close if is_closed else end
            if not inside:
                at = close
        at += 1
    return None
