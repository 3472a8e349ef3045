"""From pieces to nodes, and rendering.

A `Template` is parsed once and can be rendered many times, from several threads. A new kind of statement is a new node
class with ``render`` and an entry in `_Parser`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .errors import TYPES_PAGE, TemplateError, parse_error, syntax_error
from .expressions import evaluate, parameters_without_default, parse
from .functions import MISSING, TYPE_FUNCTIONS, RequiredParameter
from .lexer import Piece, pieces
from .values import to_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORBIDDEN = ("import", "from", "extends", "include", "block", "apply", "autoescape", "raw", "module")

#: Statements of the language that the embedded server does not have yet.
_LATER = ("for", "while", "set", "try", "except", "finally", "break", "continue", "whitespace")


class Node(Protocol):
    """A part of a parsed template."""

    def render(self, parameters: Mapping[str, Any]) -> str:
        """Return its SQL."""


@dataclass(frozen=True)
class Text:
    """Text that is written as it is."""

    content: str

    def render(self, parameters: Mapping[str, Any]) -> str:  # noqa: ARG002 - one signature for all nodes
        """Return the text."""
        return self.content


@dataclass(frozen=True)
class Expression:
    """``{{ source }}``."""

    source: str
    tree: ast.expr

    def render(self, parameters: Mapping[str, Any]) -> str:
        """Return the value as SQL; a value that is missing is an error."""
        value = evaluate(self.tree, parameters)
        if value is None or value is MISSING:
            shown = self.source if len(self.source) <= 20 else f"{self.source[:20]}..."
            raise syntax_error(f'expression "{shown}" evaluated to null')
        try:
            return to_sql(value)
        except TypeError as error:
            raise syntax_error(str(error)) from error


@dataclass(frozen=True)
class If:
    """``{% if %} ... {% elif %} ... {% else %} ... {% end %}``; a condition of ``None`` is the else."""

    branches: list[tuple[ast.expr | None, list[Node]]]

    def render(self, parameters: Mapping[str, Any]) -> str:
        """Return the first branch whose condition holds."""
        for condition, nodes in self.branches:
            if condition is None or evaluate(condition, parameters):
                return "".join(node.render(parameters) for node in nodes)
        return ""


class Template:
    r"""A parsed template.

    Args:
        source: the text; a ``%`` in front, after blanks, is dropped.

    Raises:
        TemplateError: it cannot be parsed.

    Example:
        >>> Template("% SELECT {{Int32(n, 5)}}, {{String(s)}}").render({"s": "it's"})
        " SELECT toInt32('5'), 'it\\\\'s'"
    """

    def __init__(self, source: str) -> None:
        stripped = source.lstrip()
        parser = _Parser(pieces(stripped[1:] if stripped.startswith("%") else source))
        self._nodes = parser.block(None)
        self._required = parser.required

    def render(self, parameters: Mapping[str, Any]) -> str:
        """Return the SQL for these values.

        Args:
            parameters: values by name: text, or what a JSON body gave (numbers, booleans, lists).

        Raises:
            TemplateError: a value is missing or not of its type, or an expression fails.
        """
        try:
            return "".join(node.render(parameters) for node in self._nodes)
        except RequiredParameter:
            raise self._required_error() from None

    def _required_error(self) -> TemplateError:
        message = "Required parameter is not defined"
        names = list(dict.fromkeys(self._required))
        if names:
            listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
            message += (
                f". Check the parameters {listed}. Please provide a value or set a default value in the pipe code."
            )
        return syntax_error(message, documentation=TYPES_PAGE)


class _Parser:
    """Turns pieces into nodes; blocks nest."""

    def __init__(self, found: list[Piece]) -> None:
        self._pieces = found
        self._position = 0
        self.required: list[str] = []

    def block(self, opened_by: Piece | None) -> list[Node]:
        """Parse up to the statement that ends the block, which is left for the caller, or to the end of the text."""
        nodes: list[Node] = []
        while self._position < len(self._pieces):
            piece = self._pieces[self._position]
            word = piece.content.split(None, 1)[0] if piece.kind == "statement" else ""
            if word in ("elif", "else", "end"):
                if opened_by is not None:
                    return nodes
                if word == "end":
                    raise parse_error("Extra {% end %} block", piece.line)
                raise parse_error(f"{word} outside {{...}} block", piece.line)
            self._position += 1
            if piece.kind == "text":
                nodes.append(Text(piece.content))
            elif piece.kind == "expression":
                tree = parse(piece.content, piece.line)
                self.required += parameters_without_default(tree, TYPE_FUNCTIONS)
                nodes.append(Expression(piece.content, tree))
            elif word == "if":
                nodes.append(self._if(piece))
            elif word != "comment":
                raise _refused_statement(word, piece.line)
        if opened_by is not None:
            raise parse_error(f"Missing {{% end %}} block for if at line {opened_by.line}", opened_by.line)
        return nodes

    def _if(self, piece: Piece) -> If:
        condition: ast.expr | None = self._condition(piece, "if")
        branches: list[tuple[ast.expr | None, list[Node]]] = []
        while True:
            branches.append((condition, self.block(piece)))
            follower = self._pieces[self._position]
            self._position += 1
            word = follower.content.split(None, 1)[0]
            if word == "end":
                return If(branches)
            if condition is None:
                raise parse_error(f"{word} after else", follower.line)
            if word == "else" and follower.content != "else":
                raise syntax_error(f"Invalid control block: {follower.content}")
            condition = None if word == "else" else self._condition(follower, "elif")

    def _condition(self, piece: Piece, word: str) -> ast.expr:
        source = piece.content[len(word) :].strip()
        if not source:
            raise parse_error(f"Invalid control block: {piece.content}", piece.line)
        tree = parse(source, piece.line, condition=True)
        if not isinstance(tree, ast.Name):
            self.required += parameters_without_default(tree, TYPE_FUNCTIONS)
        return tree


def _refused_statement(word: str, line: int) -> TemplateError:
    if word in _FORBIDDEN:
        return syntax_error(f"{word} is forbidden")
    if word in _LATER:
        return parse_error(
            f"the statement {{% {word} %}} is not supported yet by the embedded Tinybird, "
            "which has if, elif, else and end",
            line,
        )
    return parse_error(f"unknown operator: '{word}'", line)
