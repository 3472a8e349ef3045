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
from tinymagic.notebook.bindings import Attribute, Binding, find_bindings
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.templates import template_parameters
from tinymagic.notebook.values import Unwritable, Written, write_identifier, write_value
from tinymagic.sqltext import is_template, meaningful

#: Begins the name of every parameter that carries a value: Pipes that the query reads have parameters of their own.
PREFIX = "tm_"

_TAG_RE = re.compile(r"\{[{%#]")


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
    written = [writer.write(binding, value_of(binding, names)) for binding in bindings]
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


def value_of(binding: Binding, names: Mapping[str, Any]) -> Any:
    """Return the value that a binding names.

    Raises:
        CellProblem: there is no such variable, its path leads nowhere, or it is no value.
    """
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
