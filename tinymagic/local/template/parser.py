"""Pieces -> a tree of nodes. Blocks are kept on a stack, so deep nesting costs no recursion.

Words and messages: ``templating.md`` section 11. Headers of blocks are parsed as Python together with an empty body,
and are refused unless exactly that comes out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from . import grammar
from .budget import BLOCK_DEPTH
from .errors import BudgetExceeded, NotATemplate, Refused
from .nodes import Block, Branch, Document, For, Handler, If, Jump, Node, Output, Set, Text, Try, While
from .python import parse_python
from .scanner import Piece, Places, collapse, scan

#: Words that continue a block, with the blocks they may continue.
_CONTINUES = {
    "else": ("if", "for", "while", "try"),
    "elif": ("if",),
    "except": ("try",),
    "finally": ("try",),
}
_BLOCKS = ("if", "for", "while", "try")
_LOOPS = ("for", "while")
_JUMPS = ("break", "continue")
_FORBIDDEN = ("extends", "include", "import", "block", "apply", "autoescape", "raw", "module")
_WHITESPACE = ("all", "single", "oneline")


@dataclass
class _Open:
    """A block that is not closed yet; *body* is the list that nodes are added to."""

    word: str
    line: int
    node: Block | None
    body: list[Node]
    #: The last word that continued the block.
    last: str = ""


def parse(text: str, name: str | None = None) -> Document:
    """Parse a template.

    Args:
        text: the template, without its ``%``.
        name: what errors call it; the name of a node.

    Raises:
        NotATemplate: it cannot be read.
        Refused: it uses Python that is not allowed.
    """
    places = Places(text, name)
    return _Parser(text, name, places).parse()


class _Parser:
    def __init__(self, text: str, name: str | None, places: Places) -> None:
        self._text = text
        self._name = name
        self._places = places
        self._whitespace = "all"
        self._stack = [_Open("", 1, None, [])]
        self._assigned: set[str] = set()

    def parse(self) -> Document:
        for piece in scan(self._text, self._places):
            if piece.kind == "text":
                self._add(Text(collapse(piece.content, self._whitespace), piece.line))
            elif piece.kind == "{{":
                self._output(piece)
            else:
                self._statement(piece)
        if len(self._stack) > 1:
            raise self._not_closed(self._stack[-1].line)
        return Document(tuple(self._stack[0].body), frozenset(self._assigned))

    def _add(self, node: Node) -> None:
        self._stack[-1].body.append(node)

    def _not_closed(self, line: int) -> NotATemplate:
        # The service writes "if" for any block.
        if self._name is None:
            return NotATemplate(f"Missing {{% end %}} block for if at line {line}")
        where = f"in the node {self._name} at line {line} of the SQL: {self._text}"
        return NotATemplate(f"Missing {{% end %}} block for if {where}")

    def _error(self, text: str, piece: Piece) -> NotATemplate:
        return self._places.error(text, piece.line)

    def _output(self, piece: Piece) -> None:
        if not piece.content:
            raise self._error("Empty expression", piece)
        self._add(Output(piece.content, grammar.parse_output(piece.content), piece.line))

    def _statement(self, piece: Piece) -> None:
        if not piece.content:
            raise self._error("Empty block tag ({% %})", piece)
        word, _, rest = piece.content.partition(" ")
        rest = rest.strip()
        if word in _CONTINUES:
            self._continue_block(word, rest, piece)
        elif word == "end":
            self._end(piece)
        elif word in _BLOCKS:
            self._open_block(word, piece)
        elif word in _JUMPS:
            self._jump(word, piece)
        elif word == "set":
            self._set(rest, piece)
        elif word == "whitespace":
            if rest not in _WHITESPACE:
                raise NotATemplate(f"invalid whitespace mode {rest}")
            self._whitespace = rest
        elif word in _FORBIDDEN:
            raise self._error(f"{word} is forbidden", piece)
        elif word == "from":
            raise self._error("import is forbidden", piece)
        elif word != "comment":
            raise self._error(f"unknown operator: {word!r}", piece)

    def _open_block(self, word: str, piece: Piece) -> None:
        if len(self._stack) > BLOCK_DEPTH:
            raise BudgetExceeded("the template is nested too deeply")
        header = None if word == "try" else _header(piece.content)
        line = piece.line
        if word == "if" and isinstance(header, ast.If):
            branch = Branch(self._expression(header.test), line)
            self._open(word, If([branch], line), branch.body, line)
        elif word == "while" and isinstance(header, ast.While):
            loop = While(self._expression(header.test), line)
            self._open(word, loop, loop.body, line)
        elif word == "for" and isinstance(header, ast.For):
            target, iterable = self._target(header.target), self._expression(header.iter)
            each = For(target, iterable, line)
            self._open(word, each, each.body, line)
        elif word == "try" and piece.content == "try":
            attempt = Try(line)
            self._open(word, attempt, attempt.body, line)
        else:
            raise Refused(f"Invalid control block: {piece.content}")

    def _open(self, word: str, node: Block, body: list[Node], line: int) -> None:
        self._add(node)
        self._stack.append(_Open(word, line, node, body))

    def _continue_block(self, word: str, rest: str, piece: Piece) -> None:
        block = self._stack[-1]
        if block.node is None:
            allowed = "{" + ", ".join(f"'{each}'" for each in _CONTINUES[word]) + "}"
            raise self._error(f"{word} outside {allowed} block", piece)
        if block.word not in _CONTINUES[word]:
            raise self._error(f"{word} block cannot be attached to {block.word} block", piece)
        if word in ("else", "finally") and rest:
            raise Refused(f"Invalid control block: {piece.content}")
        _check_order(block, word)
        block.last = word
        block.body = self._next_body(block, word, piece)

    def _next_body(self, block: _Open, word: str, piece: Piece) -> list[Node]:
        node = block.node
        if isinstance(node, If):
            test = None if word == "else" else self._elif(piece)
            node.branches.append(Branch(test, piece.line))
            return node.branches[-1].body
        assert isinstance(node, (For, While, Try))  # `_CONTINUES` lets nothing else through.
        if word == "else":
            return node.otherwise
        assert isinstance(node, Try)
        if word == "finally":
            return node.finally_
        node.handlers.append(self._handler(piece))
        return node.handlers[-1].body

    def _elif(self, piece: Piece) -> ast.expr:
        header = _header(piece.content[2:])
        if not isinstance(header, ast.If):
            raise Refused(f"Invalid control block: {piece.content}")
        return self._expression(header.test)

    def _handler(self, piece: Piece) -> Handler:
        statements = parse_python(f"try:\n pass\n{piece.content}:\n pass")
        header = statements[0] if len(statements) == 1 else None
        if not isinstance(header, ast.Try) or len(header.handlers) != 1 or header.orelse or header.finalbody:
            raise Refused(f"Invalid control block: {piece.content}")
        handler = header.handlers[0]
        if not _is_empty(handler.body):
            raise Refused(f"Invalid control block: {piece.content}")
        if handler.name is not None:
            self._assigned.add(handler.name)
        return Handler(_class_names(handler.type, piece), handler.name, piece.line)

    def _end(self, piece: Piece) -> None:
        block = self._stack[-1]
        if block.node is None:
            raise self._error("Extra {% end %} block", piece)
        if isinstance(block.node, Try) and not (block.node.handlers or block.last == "finally"):
            raise NotATemplate(f"expected 'except' or 'finally' block (<unknown>, line {piece.line})")
        self._stack.pop()

    def _jump(self, word: str, piece: Piece) -> None:
        if not any(block.word in _LOOPS for block in self._stack):
            raise self._error(f"{word} outside {{'for', 'while'}} block", piece)
        # The "else" of a loop is not in that loop.
        if not any(block.word in _LOOPS and block.last != "else" for block in self._stack):
            raise NotATemplate(f"'{word}' outside loop (<unknown>, line {piece.line})")
        self._add(Jump(word, piece.line))

    def _set(self, rest: str, piece: Piece) -> None:
        if not rest:
            raise self._error("set missing statement", piece)
        statements = parse_python(rest)
        statement = statements[0] if len(statements) == 1 else None
        if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr)):
            raise Refused(f"Invalid set statement: {rest}")
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._target(target)
        elif isinstance(statement, ast.AugAssign):
            self._target(statement.target)
            grammar.check_statement(statement.op)
        self._expression(statement.value)
        self._add(Set(statement, piece.line))

    def _expression(self, node: ast.expr) -> ast.expr:
        grammar.check_statement(node)
        self._assigned.update(each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
        return node

    def _target(self, node: ast.expr) -> ast.expr:
        self._expression(node)
        self._assigned.update(_names_stored(node))
        return node


def _header(content: str) -> ast.stmt | None:
    """Parse the header of a block; ``None`` unless it is one header and nothing else."""
    statements = parse_python(f"{content}:\n pass")
    header = statements[0] if len(statements) == 1 else None
    if isinstance(header, (ast.If, ast.While, ast.For)) and _is_empty(header.body) and not header.orelse:
        return header
    return None


def _is_empty(body: list[ast.stmt]) -> bool:
    return len(body) == 1 and isinstance(body[0], ast.Pass)


def _check_order(block: _Open, word: str) -> None:
    """Refuse what follows an ``else`` or ``finally`` that ends its block."""
    if block.last == "finally" or (block.last == "else" and word != "finally"):
        raise NotATemplate("invalid syntax (<unknown>, line 1)")
    if block.word == "try" and word == "else" and block.last != "except":
        raise NotATemplate("expected 'except' or 'finally' block (<unknown>, line 1)")


def _class_names(node: ast.expr | None, piece: Piece) -> tuple[str, ...] | None:
    if node is None:
        return None
    members = node.elts if isinstance(node, ast.Tuple) else [node]
    names = [each.id for each in members if isinstance(each, ast.Name)]
    if len(names) != len(members):
        raise Refused(f"Invalid control block: {piece.content}")
    return tuple(names)


def _names_stored(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
