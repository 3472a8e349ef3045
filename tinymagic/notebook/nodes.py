"""Named cells: SQL that later cells and Pipes read by its name, as the nodes of a Pipe do. Pure.

A node that a text names behind FROM, JOIN or IN comes in front of it as a CTE, together with the nodes which that one
names. The text's own CTEs are left alone, and they hide nodes of the same name. One that reads the name it is saved
under means the table of that name.

A template (its first line is ``%``) stays one: what it composes with becomes part of the template. Text with ``{{``
that is no template binds notebook variables, which is another language: the two do not mix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.names import name_problem, near_names
from tinymagic.notebook.problems import CellProblem
from tinymagic.sqltext import is_template, meaningful, split_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tinymagic.sqltext import Token

_TAG_RE = re.compile(r"\{[{%#]")

#: Keywords that end a FROM clause, in which a comma stands between tables.
_AFTER_FROM = frozenset(
    """
    PREWHERE WHERE GROUP HAVING ORDER LIMIT SETTINGS UNION INTERSECT EXCEPT WINDOW QUALIFY FORMAT SELECT ON USING
    """.split()
)


@dataclass(frozen=True)
class Composed:
    """A text with the nodes that it needs in front.

    Attributes:
        text: to be run.
        nodes: names of those that were put in front, in order.
        start: offset in `text` of the first character of the original from which on nothing was changed.
        source_start: its offset in the original.
    """

    text: str
    nodes: tuple[str, ...] = ()
    start: int = 0
    source_start: int = 0

    def position_in_source(self, offset: int) -> int | None:
        """Return the offset in the original text of a character of `text`; ``None`` in a node that stands in front."""
        if offset >= self.start:
            return offset - self.start + self.source_start
        return offset if offset < self.source_start else None


class NodeStore:
    """The named cells of a session."""

    def __init__(self) -> None:
        self._sql: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._sql

    def __iter__(self) -> Iterator[str]:
        return iter(self._sql)

    def __len__(self) -> int:
        return len(self._sql)

    def __getitem__(self, name: str) -> str:
        return self._sql[name]

    def save(self, name: str, sql: str) -> None:
        """Keep a text under a name; one of that name is replaced.

        Raises:
            CellProblem: the name cannot be a node's, there is no SQL, or the nodes would read each other in a circle.
        """
        problem = name_problem(name, kind="node")
        if problem:
            raise CellProblem(problem)
        sql = sql.strip().rstrip(";").rstrip() if is_template(sql) else split_format(sql)[0].strip()
        if not meaningful(_body(sql)):
            raise CellProblem(f"There is no SQL to save as {name!r}.")
        before = self._sql.get(name)
        self._sql[name] = sql
        try:
            self.needed(name)
        except CellProblem:
            if before is None:
                del self._sql[name]
            else:
                self._sql[name] = before
            raise

    def drop(self, name: str) -> None:
        """Forget a node.

        Raises:
            CellProblem: there is none.
        """
        self._check(name)
        del self._sql[name]

    def needed(self, *names: str) -> list[str]:
        """Return nodes and all that they read, those first that others read.

        Raises:
            CellProblem: there is no such node, or nodes read each other in a circle.
        """
        found: list[str] = []
        for name in names:
            self._check(name)
            self._collect(name, found, ())
        return found

    def _check(self, name: str) -> None:
        if name not in self._sql:
            known = ", ".join(self._sql) or "none yet: %%tbsql --save NAME makes one"
            near = tuple(near_names(name, list(self._sql)))
            raise CellProblem(f"There is no saved cell {name!r}; there are {known}.", suggestions=near)

    def _collect(self, name: str, found: list[str], path: tuple[str, ...]) -> None:
        if name in path:
            circle = " reads ".join([*path[path.index(name) :], name])
            raise CellProblem(f"The saved cells read each other in a circle: {circle}.")
        if name in found:
            return
        for read in tables_read(self._sql[name], self._sql):
            if read != name:
                self._collect(read, found, (*path, name))
        found.append(name)

    def compose(self, sql: str, *, wanted: Sequence[str] = (), name: str | None = None) -> Composed:
        """Put the nodes that a text reads in front of it.

        Args:
            sql: SQL or a template.
            wanted: nodes that come in front in any case.
            name: under which the text itself is saved: it does not read itself.

        Raises:
            CellProblem: there is no node of a wanted name, or template and bindings would mix.
        """
        read = [each for each in tables_read(sql, self._sql) if each != name]
        nodes = [each for each in self.needed(*wanted, *read) if each != name]
        if not nodes:
            return Composed(sql)
        template = is_template(sql) or any(is_template(self._sql[each]) for each in nodes)
        if template:
            self._check_mixed(sql, nodes)
        start = len(sql) - len(sql.lstrip())
        if is_template(sql):
            start += 1
        # Comments stay where they are; a WITH of the text goes on behind ours.
        first = meaningful(sql[start:])[:1]
        goes_on = bool(first) and first[0].text.upper() == "WITH"
        source_start = start + (first[0].end if goes_on else 0)
        ctes = ", ".join(f"{each} AS (\n{_body(self._sql[each])}\n)" for each in nodes)
        head = ("%\n" if template else "") + f"WITH {ctes}" + ("," if goes_on else "\n")
        return Composed(head + sql[source_start:], tuple(nodes), len(head), source_start)

    def _check_mixed(self, sql: str, nodes: Iterable[str]) -> None:
        texts = {"This cell": sql, **{f"The saved cell {each!r}": self._sql[each] for each in nodes}}
        for what, text in texts.items():
            if not is_template(text) and _TAG_RE.search(text):
                raise CellProblem(
                    f"{what} binds notebook variables with {{{{ }}}}, and is to be put together with a template. Begin "
                    "both with a line that is only %, or none."
                )


def _body(sql: str) -> str:
    return sql.lstrip()[1:].strip("\n") if is_template(sql) else sql


def tables_read(sql: str, known: Iterable[str]) -> list[str]:
    """Return which of the names in *known* a text reads as tables, in order; names of its own CTEs are none.

    Example:
        >>> tables_read("WITH b AS (SELECT 1) SELECT a.x FROM a JOIN b USING x WHERE y IN c", {"a", "b", "c", "x"})
        ['a', 'c']
    """
    names = set(known)
    words = meaningful(_body(sql))
    own = _own_ctes(words)
    found: dict[str, None] = {}
    from_depths: set[int] = set()
    depth = 0
    for place, word in enumerate(words):
        text = word.text.upper() if word.kind == "word" else word.text
        if text == "(":
            depth += 1
        elif text == ")":
            from_depths.discard(depth)
            depth -= 1
        elif word.kind == "word" and text == "FROM":
            from_depths.add(depth)
        elif word.kind == "word" and text in _AFTER_FROM:
            from_depths.discard(depth)
        name = word.text.strip('`"')
        if word.kind not in ("word", "quoted") or name not in names or name in own or not place:
            continue
        before = words[place - 1].text.upper()
        after = words[place + 1].text if place + 1 < len(words) else ""
        is_table = before in ("FROM", "JOIN", "IN") or (before == "," and depth in from_depths)
        if is_table and after not in (".", "("):
            found[name] = None
    return list(found)


def _own_ctes(words: Sequence[Token]) -> set[str]:
    """Return the names that stand before ``AS (SELECT``, behind WITH or a comma."""
    return {
        words[place].text.strip('`"')
        for place in range(1, len(words) - 3)
        if words[place - 1].text.upper() in ("WITH", ",", "RECURSIVE")
        and words[place + 1].text.upper() == "AS"
        and words[place + 2].text == "("
        and words[place + 3].text.upper() in ("SELECT", "WITH", "(")
    }
