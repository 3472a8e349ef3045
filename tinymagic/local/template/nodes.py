"""What a template consists of once it is parsed: text, ``{{ }}`` and statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast


@dataclass(frozen=True)
class Text:
    """Text that is written as it is."""

    text: str
    line: int


@dataclass(frozen=True)
class Output:
    """``{{ expression }}``; *source* is its text, which errors quote."""

    source: str
    expression: ast.expr
    line: int


@dataclass
class Branch:
    """One arm of ``{% if %}``; *test* is ``None`` for ``{% else %}``."""

    test: ast.expr | None
    line: int
    body: list[Node] = field(default_factory=list)


@dataclass
class If:
    """``{% if %}`` with its arms in order."""

    branches: list[Branch]
    line: int


@dataclass
class For:
    """``{% for target in iterable %}``."""

    target: ast.expr
    iterable: ast.expr
    line: int
    body: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


@dataclass
class While:
    """``{% while test %}``."""

    test: ast.expr
    line: int
    body: list[Node] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)


@dataclass
class Handler:
    """``{% except classes as name %}``; no *classes* catch everything."""

    classes: tuple[str, ...] | None
    name: str | None
    line: int
    body: list[Node] = field(default_factory=list)


@dataclass
class Try:
    """``{% try %}``."""

    line: int
    body: list[Node] = field(default_factory=list)
    handlers: list[Handler] = field(default_factory=list)
    otherwise: list[Node] = field(default_factory=list)
    finally_: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Set:
    """``{% set statement %}``: an assignment or an expression."""

    statement: ast.Assign | ast.AugAssign | ast.Expr
    line: int


@dataclass(frozen=True)
class Jump:
    """``{% break %}`` or ``{% continue %}``."""

    word: str
    line: int


Block = If | For | While | Try
Node = Text | Output | If | For | While | Try | Set | Jump


@dataclass(frozen=True)
class Document:
    """A whole template."""

    nodes: tuple[Node, ...]
    #: Names that the template assigns; as in a Python function they are never parameters.
    assigned: frozenset[str]
