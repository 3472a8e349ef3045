"""Binding: ``{{ name }}`` in SQL becomes a typed template call, the value travels beside it. Pure.

Only code is looked at: in strings, quoted names and comments nothing is bound. A text without a binding is not touched.
A text with one becomes a Tinybird template (first line ``%``), and what only looks like a tag in the rest of it, for
instance ``'{%'``, gets the sign ``!`` with which the template language writes literal braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.values import Unwritable, Written, write_identifier, write_value
from tinymagic.sqltext import Token, is_template, meaningful, tokens

#: Begins the name of every parameter that carries a value: Pipes that the query reads have parameters of their own.
PREFIX = "tm_"

FILTERS = ("ident",)

_STEP_RE = re.compile(
    r"""\s*(?:\.\s*(?P<name>[^\W\d]\w*)|\[\s*(?:(?P<index>-?\d+)|'(?P<single>[^'\\]*)'|"(?P<double>[^"\\]*)")\s*\])"""
)
_ROOT_RE = re.compile(r"\s*(?P<name>[^\W\d]\w*)")
_FILTER_RE = re.compile(r"\s*\|\s*(?P<name>\w+)\s*$")
#: A binding inside a string, and the way to write its text.
_IN_STRING_RE = re.compile(r"""\{\{(?!!)\s*[^\W\d]\w*(?:\.\w+|\[[^\]\n]*\])*\s*(?:\|\s*\w+\s*)?\}\}""")
_TAG_RE = re.compile(r"\{[{%#]")


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


@dataclass(frozen=True)
class BoundValue:
    """A value that was bound.

    Attributes:
        path: as written between the braces.
        parameter: name of the request parameter; ``""`` when the value is in the text (NULL, an empty list).
        written: how it was written.
    """

    path: str
    parameter: str
    written: Written


@dataclass(frozen=True)
class _Piece:
    sent_start: int
    start: int
    text: str
    verbatim: bool


@dataclass(frozen=True)
class Bound:
    """SQL ready to be sent.

    Attributes:
        text: SQL, or a template when there were bindings.
        parameters: name -> value, for the request.
        values: what was bound, once for each parameter.
    """

    text: str
    parameters: Mapping[str, object]
    values: tuple[BoundValue, ...] = ()
    _pieces: tuple[_Piece, ...] = ()

    def position_in_source(self, offset: int) -> int:
        """Return the offset in the user's SQL of a character of `text`; inside a binding, that of its first brace."""
        if not self._pieces:
            return offset
        piece = next((each for each in reversed(self._pieces) if each.sent_start <= offset), self._pieces[0])
        return piece.start + (min(offset - piece.sent_start, len(piece.text)) if piece.verbatim else 0)


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


# --- binding ----------------------------------------------------------------------------------------------------------


def bind(sql: str, names: Mapping[str, Any]) -> Bound:
    r"""Put typed calls in the place of the bindings of *sql*.

    Args:
        sql: SQL that is no template.
        names: variables by name.

    Raises:
        CellProblem: a name is not defined, a path leads nowhere, or a value has no form in SQL.

    Example:
        >>> bound = bind("SELECT {{ n }}", {"n": 5})
        >>> bound.text, dict(bound.parameters)
        ('%\nSELECT {{Int64(tm_n)}}', {'tm_n': '5'})
    """
    bindings = find_bindings(sql)
    writer = _Writer()
    written = [writer.write(binding, _value_of(binding, names)) for binding in bindings]
    pieces = _Pieces("%\n" if bindings else "")
    at = 0
    for binding, text in zip(bindings, written, strict=True):
        pieces.literal(sql, at, binding.start, template=True)
        # "{" and "{{" together would be read as one tag.
        pieces.replaced(binding.start, f" {text}" if sql[: binding.start].endswith("{") else text)
        at = binding.end
    pieces.literal(sql, at, len(sql), template=bool(bindings))
    return Bound(pieces.text(), writer.parameters, tuple(writer.values), tuple(pieces.all))


class _Pieces:
    """The text to send, in pieces that know where they come from."""

    def __init__(self, head: str) -> None:
        self.all: list[_Piece] = [_Piece(0, 0, head, verbatim=False)] if head else []
        self._length = len(head)

    def literal(self, sql: str, start: int, end: int, *, template: bool) -> None:
        """Add a part of the user's text; what only looks like a tag is made literal."""
        at = start
        for tag in _TAG_RE.finditer(sql, start, end):
            escaped = sql.startswith("!", tag.end()) and tag.group() == "{{"
            if tag.start() < at or not (template or escaped):
                continue
            self._add(at, sql[at : tag.end()], verbatim=True)
            at = tag.end()
            if template:
                self._add(at, "!", verbatim=False)
            at += escaped
        self._add(at, sql[at:end], verbatim=True)

    def replaced(self, start: int, text: str) -> None:
        """Add what stands in the place of the user's text from *start* on."""
        self._add(start, text, verbatim=False)

    def _add(self, start: int, text: str, *, verbatim: bool) -> None:
        if text:
            self.all.append(_Piece(self._length, start, text, verbatim))
            self._length += len(text)

    def text(self) -> str:
        """Join the pieces."""
        return "".join(piece.text for piece in self.all)


class _Writer:
    """Writes values, each path once, under names that differ."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.values: list[BoundValue] = []
        self._known: dict[tuple[str, bool], str] = {}

    def write(self, binding: Binding, value: Any) -> str:
        key = (binding.path, binding.identifier)
        if key not in self._known:
            self._known[key] = self._write(binding, value)
        return self._known[key]

    def _write(self, binding: Binding, value: Any) -> str:
        parameter = self._free_name(binding)
        try:
            written = (write_identifier if binding.identifier else write_value)(value, parameter)
        except Unwritable as error:
            raise CellProblem(
                f"{{{{ {binding.path} }}}} {error}", position=binding.start, length=binding.end - binding.start
            ) from None
        if written.text is not None:
            self.parameters[parameter] = written.text
        self.values.append(BoundValue(binding.path, parameter if written.text is not None else "", written))
        return written.template

    def _free_name(self, binding: Binding) -> str:
        """Return a name of ASCII letters; two underscores in a row are refused by the template language."""
        base = PREFIX + re.sub(r"[^A-Za-z0-9]+", "_", binding.path).strip("_").lower()
        base = base.rstrip("_") if base != PREFIX else f"{PREFIX}value"
        name, number = base, 1
        taken = {value.parameter for value in self.values}
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        return name


def _value_of(binding: Binding, names: Mapping[str, Any]) -> Any:
    where: dict[str, Any] = {"position": binding.start, "length": binding.end - binding.start}
    if binding.root not in names:
        near = tuple(near_names(binding.root, [name for name in names if not name.startswith("_")]))
        raise CellProblem(
            f"There is no variable {binding.root!r} for {{{{ {binding.path} }}}}.", suggestions=near, **where
        )
    value = names[binding.root]
    so_far = binding.root
    for step in binding.steps:
        try:
            value = _take(value, step)
        except (LookupError, AttributeError, TypeError, ValueError):
            near = tuple(near_names(str(step), _keys(value))) if isinstance(step, str) else ()
            what = f"index {step}" if isinstance(step, int) else f"{str(step)!r}"
            raise CellProblem(
                f"{so_far!r} ({type(value).__name__}) has no {what}, for {{{{ {binding.path} }}}}.",
                suggestions=near,
                **where,
            ) from None
        so_far += f".{step}" if isinstance(step, Attribute) else f"[{step!r}]"
    if isinstance(value, ModuleType) or (callable(value) and not hasattr(value, "dtype")):
        raise CellProblem(f"{{{{ {binding.path} }}}} is a {type(value).__name__} and not a value.", **where)
    return value


def _take(value: Any, step: Attribute | str | int) -> Any:
    if not isinstance(step, Attribute):
        if isinstance(step, int) and hasattr(value, "iloc"):
            return value.iloc[step]
        return value[step]
    if isinstance(value, Mapping):
        return value[str(step)]
    if step.startswith("_"):
        raise AttributeError(step)
    return getattr(value, step)


def _keys(value: Any) -> list[str]:
    names = value if isinstance(value, Mapping) else getattr(value, "columns", None)
    if names is None:
        names = [name for name in dir(value) if not name.startswith("_")]
    return [str(name) for name in names]


# --- templates --------------------------------------------------------------------------------------------------------

_STATEMENT_RE = re.compile(r"\{(?P<kind>[{%])(?!!)(?P<inner>.*?)(?:\}\}|%\})", re.DOTALL)


def template_names(text: str) -> list[str]:
    """Return the names of the parameters that a template uses, each once, in order.

    Functions, and names that the template sets itself, are left out. What cannot be read is the server's affair.

    Example:
        >>> template_names("% SELECT {{Int32(n, 1)}} {% for x in items %} {{x}} {% if defined(day) %}")
        ['n', 'items', 'day']
    """
    import ast

    used: list[str] = []
    own: set[str] = set()
    for tag in _STATEMENT_RE.finditer(text):
        tree = _syntax_of(tag["inner"].strip(), statement=tag["kind"] == "%")
        functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} if tree else set()
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)] if tree else []
        for name in sorted(names, key=lambda each: (each.lineno, each.col_offset)):
            if isinstance(name.ctx, ast.Store):
                own.add(name.id)
            elif id(name) not in functions and name.id not in used:
                used.append(name.id)
    return [name for name in used if name not in own]


def _syntax_of(inner: str, *, statement: bool) -> Any:
    import ast

    if statement:
        word, _, rest = inner.partition(" ")
        if word == "for":
            inner = f"for {rest}: pass"
        elif word in ("if", "elif", "while", "set"):
            inner = rest.strip()
        else:
            return None
    try:
        return ast.parse(inner)
    except (SyntaxError, ValueError, RecursionError):
        return None


def template_parameters(text: str, names: Mapping[str, Any]) -> dict[str, object]:
    """Return the variables that a template names and that are values; the others are left to its defaults.

    Raises:
        CellProblem: one is a DataFrame.
    """
    found: dict[str, object] = {}
    for name in template_names(text):
        if name not in names:
            continue
        value = names[name]
        if isinstance(value, ModuleType) or callable(value) or value is None:
            continue
        if hasattr(value, "columns"):
            raise CellProblem(
                f"The template names {name!r}, which is a {type(value).__name__} here and cannot travel as a "
                f"parameter. Give another value with --param {name}=..., or rename the variable.",
            )
        found[name] = value
    return found


# --- one text, from the user's SQL to the request ---------------------------------------------------------------------


def prepare(sql: str, names: Mapping[str, Any], given: Mapping[str, object]) -> Bound:
    """Make the user's SQL ready to be sent.

    Args:
        sql: SQL or a template.
        names: the notebook's variables.
        given: parameters given on the magic's line; they win over variables, and travel under their own names too,
            since Pipes that the query reads may take them.

    Raises:
        CellProblem: there is no SQL, or more than one statement, or a binding cannot be made.
    """
    visible = {name: value for name, value in names.items() if name not in given}
    visible.update({name: _decoded(value) for name, value in given.items()})
    own = {name: value.text if isinstance(value, GivenText) else value for name, value in given.items()}
    if is_template(sql):
        if not sql.strip().lstrip("%").strip(" \t\r\n;"):
            raise CellProblem("There is no SQL behind the %.")
        return Bound(sql, {**template_parameters(sql, names), **own})
    check_one_statement(sql)
    bound = bind(sql, visible)
    return Bound(bound.text, {**own, **bound.parameters}, bound.values, bound._pieces)


@dataclass(frozen=True)
class GivenText:
    """A parameter as typed behind ``--param``: a text to a template, a typed value to a binding.

    Attributes:
        text: as typed.
    """

    text: str


def _decoded(value: object) -> object:
    """Read a typed parameter as JSON where it is that, for instance ``5``, ``true``, ``[1,2]``; else it is a text."""
    import json

    if not isinstance(value, GivenText):
        return value

    def no_constant(word: str) -> object:
        raise ValueError(word)

    try:
        return json.loads(value.text, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return value.text


def check_one_statement(sql: str) -> None:
    """Refuse a text without SQL, or with two statements.

    Raises:
        CellProblem: it is one of these.
    """
    words = [token for token in meaningful(sql) if token.text != ";"]
    if not words:
        only = "only comments" if "".join(sql.split()).strip(";") else "nothing"
        raise CellProblem(f"There is no SQL here: the cell has {only}. Write for instance SELECT 1.")
    ended = False
    for token in meaningful(sql):
        if token.text == ";":
            ended = True
        elif ended:
            raise CellProblem(
                "Here begins a second statement; a cell runs one. Put it into a cell of its own.",
                position=token.start,
                length=len(token.text),
            )
