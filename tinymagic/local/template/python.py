"""Pieces of a template that are Python: from their text to a syntax tree of bounded depth.

Python's parser is fast on any text of ordinary shape, but nesting costs it stack and, for some broken texts, time that
doubles with each open bracket. So the text is looked through first: `_check_shape` counts, outside of strings, open
brackets and whatever else can make a tree deeper. What remains is parsed and its depth is measured once more.
"""

from __future__ import annotations

import ast
import threading
import warnings

from .budget import EXPRESSION_DEPTH
from .errors import BudgetExceeded, NotATemplate

_OPENING = "([{"
_CLOSING = ")]}"
_BRACKETS = 20
#: Operators between two commas; each may make the tree one deeper. Real depth is measured after parsing.
_OPERATORS = 1_500
_DEEPENING = frozenset("+-*/%~|&^<>=.:@!")
_WORDS = frozenset({"not", "and", "or", "if", "else", "lambda", "in", "is", "for", "await"})

_CATCH_WARNINGS = threading.Lock()


def parse_python(source: str) -> list[ast.stmt]:
    """Parse *source*, some statements of Python.

    Raises:
        NotATemplate: it is no Python; the text is that of Python.
        BudgetExceeded: it is nested too deeply.
    """
    _check_shape(source)
    try:
        # Python warns of "\d" and the like; a warning about a user's template is of no use to the server's owner.
        with _CATCH_WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(source).body
    except SyntaxError as error:
        raise NotATemplate(f"{error.msg} (<unknown>, line {error.lineno or 1})") from error
    except ValueError as error:
        raise NotATemplate(f"{error} (<unknown>, line 1)") from error
    except (RecursionError, MemoryError) as error:
        raise BudgetExceeded("the template is nested too deeply") from error
    _check_depth(body)
    return body


def dump(node: ast.AST) -> str:
    """Return Python's description of *node*, cut at a length that is fit for a message."""
    text = ast.dump(node)
    return text if len(text) <= 500 else f"{text[:500]}..."


def _check_depth(body: list[ast.stmt]) -> None:
    level: list[ast.AST] = list(body)
    for _ in range(EXPRESSION_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise BudgetExceeded("the template is nested too deeply")


def _check_shape(source: str) -> None:
    """Refuse a text with too many open brackets or operators in a row. Linear in its length."""
    operators = [0]
    position = 0
    while position < len(source):
        character = source[position]
        if character in "'\"":
            start, position = position, _end_of_string(source, position)
            # The code in an f-string counts as if it were outside; commas in it do not reset anything.
            operators[-1] += sum(map(source[start:position].count, "{([+-*~"))
        elif character == "#":
            position = _end_of_line(source, position)
        elif character.isalpha() or character == "_":
            start, position = position, _end_of_word(source, position)
            operators[-1] += source[start:position] in _WORDS
        else:
            _count(character, operators)
            position += 1
        if len(operators) > _BRACKETS or sum(operators) > _OPERATORS:
            raise BudgetExceeded("the template is nested too deeply")


def _count(character: str, operators: list[int]) -> None:
    if character in _OPENING:
        operators[-1] += 1
        operators.append(0)
    elif character in _CLOSING:
        if len(operators) > 1:
            operators.pop()
    elif character == ",":
        operators[-1] = 0
    elif character in _DEEPENING:
        operators[-1] += 1


def _end_of_string(source: str, start: int) -> int:
    """Return the position after the string that starts at *start*; the end of *source* when it is not closed."""
    quote = source[start]
    closing = quote * 3 if source.startswith(quote * 3, start) else quote
    position = start + len(closing)
    while position < len(source):
        if source[position] == "\\":
            position += 2
        elif source.startswith(closing, position):
            return position + len(closing)
        elif source[position] == "\n" and len(closing) == 1:
            return position
        else:
            position += 1
    return len(source)


def _end_of_line(source: str, start: int) -> int:
    end = source.find("\n", start)
    return len(source) if end < 0 else end


def _end_of_word(source: str, start: int) -> int:
    end = start
    while end < len(source) and (source[end].isalnum() or source[end] == "_"):
        end += 1
    return end
