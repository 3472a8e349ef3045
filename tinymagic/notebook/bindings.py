"""Which ``{{ }}`` are in a text of SQL, and what stands in them. Pure.

Only code is looked at: in strings, quoted names and comments nothing is bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem
from tinymagic.sqltext import Token, tokens

FILTERS = ("ident",)

_STEP_RE = re.compile(
    r"""\s*(?:\.\s*(?P<name>[^\W\d]\w*)|\[\s*(?:(?P<index>-?\d+)|'(?P<single>[^'\\]*)'|"(?P<double>[^"\\]*)")\s*\])"""
)
_ROOT_RE = re.compile(r"\s*(?P<name>[^\W\d]\w*)")
_FILTER_RE = re.compile(r"\s*\|\s*(?P<name>\w+)\s*$")
#: A binding inside a string, and the way to write its text.
_IN_STRING_RE = re.compile(r"""\{\{(?!!)\s*[^\W\d]\w*(?:\.\w+|\[[^\]\n]*\])*\s*(?:\|\s*\w+\s*)?\}\}""")


@dataclass(frozen=True)
class Binding:
    """One ``{{ }}`` in the SQL.

    Attributes:
        start: offset of its first brace.
        end: offset after its last brace.
        path: what is between the braces, without the filter.
        root: the variable's name.
        steps: keys and indexes from there on; an ``Attribute`` for a dotted one.
        identifier: whether the filter ``ident`` is on it.
    """

    start: int
    end: int
    path: str
    root: str
    steps: tuple[Attribute | str | int, ...]
    identifier: bool


class Attribute(str):
    """The name behind a dot: a key of a dictionary, an attribute of anything else."""

    __slots__ = ()


def find_bindings(sql: str) -> list[Binding]:
    """Return the bindings of *sql* in order.

    Raises:
        CellProblem: one is not closed, holds something else than a path, or stands in quotes.

    Example:
        >>> [binding.root for binding in find_bindings("SELECT {{ a.b }}, {'k': {{ c[0] }}}, '{%' -- {{ no }}")]
        ['a', 'c']
    """
    found: list[Binding] = []
    parts = tokens(sql)
    place = 0
    while place < len(parts):
        token = parts[place]
        if token.kind in ("string", "quoted"):
            _check_quoted(token)
        if not _opens(parts, place):
            place += 1
            continue
        end = _closing(parts, place + 2)
        if end is None:
            raise CellProblem("This {{ has no }} behind it.", position=token.start, length=2)
        found.append(_binding(sql, token.start, parts[end].end))
        place = end + 1
    return found


def _opens(parts: list[Token], place: int) -> bool:
    """Say whether two braces open here; of three, the last two do."""
    texts = [each.text for each in parts[place : place + 3]]
    return texts[:2] == ["{", "{"] and texts[2:] != ["{"]


def _closing(parts: list[Token], place: int) -> int | None:
    for at in range(place, len(parts) - 1):
        if parts[at].text == "}" and parts[at + 1].text == "}":
            return at + 1
    return None


def _check_quoted(token: Token) -> None:
    inside = _IN_STRING_RE.search(token.text)
    if inside:
        bare = inside.group()
        raise CellProblem(
            f"{bare} stands in quotes, where nothing is bound: take the quotes away, the value brings its own. "
            f"(For the braces themselves write {bare.replace('{{', '{{!', 1)}.)",
            position=token.start + inside.start(),
            length=len(bare),
        )


def _binding(sql: str, start: int, end: int) -> Binding:
    inner = sql[start + 2 : end - 2]
    where: dict[str, Any] = {"position": start, "length": end - start}
    name_of_filter = _FILTER_RE.search(inner)
    path = inner[: name_of_filter.start()] if name_of_filter else inner
    if name_of_filter and name_of_filter["name"] not in FILTERS:
        near = tuple(near_names(name_of_filter["name"], list(FILTERS)))
        raise CellProblem(
            f"There is no filter {name_of_filter['name']!r}; there is 'ident'.", suggestions=near, **where
        )
    root = _ROOT_RE.match(path)
    if root is None:
        raise CellProblem("Between {{ and }} stands the name of a variable.", **where)
    steps: list[Attribute | str | int] = []
    at = root.end()
    while step := _STEP_RE.match(path, at):
        steps.append(_step(step))
        at = step.end()
    rest = path[at:].strip()
    if rest:
        raise CellProblem(_not_a_path(path.strip(), rest), **where)
    return Binding(start, end, " ".join(path.split()), root["name"], tuple(steps), name_of_filter is not None)


def _step(step: re.Match[str]) -> Attribute | str | int:
    if step["name"] is not None:
        return Attribute(step["name"])
    if step["index"] is not None:
        return int(step["index"])
    return str(step["single"] if step["single"] is not None else step["double"])


def _not_a_path(path: str, rest: str) -> str:
    if rest.startswith("("):
        return (
            f"{{{{ {path} }}}} is a call, and only names are bound: compute the value in Python first. "
            "(For Tinybird's template functions make % the first line of the cell.)"
        )
    return f"{{{{ {path} }}}} is not a name, a dotted name or an index like ids[0]: compute the value in Python first."
