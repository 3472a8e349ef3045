"""Which parameters a template has, found in its syntax trees without rendering (``templating.md`` section 9)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from .errors import TemplateError
from .grammar import is_function
from .nodes import Document, For, If, Node, Output, Set, Try, While
from .types import SCALAR_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Types whose parameters have metadata. ``Int`` and ``Integer`` render but are not among them.
TYPED = frozenset(SCALAR_TYPES) - {"Int", "Integer"} | {"Boolean", "Array", "JSON"}
#: Helpers whose first argument is a parameter without a type of its own.
_HELPERS = frozenset(
    [
        "defined",
        "column",
        "columns",
        "split_to_array",
        "enumerate_with_last",
        "sql_and",
        "day_diff",
        "date_diff_in_days",
        "date_diff_in_hours",
        "date_diff_in_minutes",
        "date_diff_in_seconds",
    ]
)
#: The largest integer that every reader of JSON keeps.
_SAFE_INTEGER = 2**53 - 1
_ARRAY = "Array("

Entry = dict[str, Any]


def parameters(document: Document) -> list[Entry]:
    """Return one entry per parameter and use, in the order of the service: bodies of blocks before their headers.

    An entry has ``name``, ``type``, ``default``, what else the type function was given, and ``used_in`` for helpers.
    """
    return list(_entries(document, bare=True))


def required_names(document: Document) -> tuple[str, ...]:
    """Return the names that the error about a missing parameter lists: those without a default.

    Empty when one of them is no name, as in ``Int32(5)``.
    """
    entries = _entries(document, bare=False)
    names = [entry["name"] for entry in entries if entry["default"] is None and "used_in" not in entry]
    return tuple(dict.fromkeys(names)) if all(isinstance(name, str) for name in names) else ()


def names_beyond_output(document: Document) -> set[Any]:
    """Return the names of parameters that do more than stand alone in ``{{ }}``."""
    return {entry["name"] for entry in _entries(document, bare=False)}


def array_types(document: Document) -> dict[str, str]:
    """Return the parameters whose first use, other than alone in ``{{ }}``, is ``Array``, with their members' type."""
    first: dict[str, str] = {}
    for entry in _entries(document, bare=False):
        first.setdefault(entry["name"], entry["type"])
    return {name: kind[len(_ARRAY) : -1] for name, kind in first.items() if kind.startswith(_ARRAY)}


def names_used(document: Document) -> Iterator[tuple[str, int]]:
    """Yield every name in the template with its line, functions too."""
    for expression, line, _ in _expressions(list(document.nodes)):
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                yield node.id, line


def values_used(document: Document) -> set[str]:
    """Return every name in the template that stands for a value.

    Not those of functions: ``map(str, x)`` uses ``x``. ``String(filter)`` uses ``filter``, as a parameter.
    """
    names: set[str] = set()
    for expression, _, _ in _expressions(list(document.nodes)):
        called = {node.func for node in ast.walk(expression) if isinstance(node, ast.Call)}
        names.update(node.id for node in ast.walk(expression) if isinstance(node, ast.Name) and node not in called)
    functions = {name for name in names if is_function(name)}
    names -= functions - {entry["name"] for entry in _entries(document, bare=False)}
    return names


def expressions(document: Document) -> Iterator[ast.AST]:
    """Yield every expression and statement of the template, also those in branches that are not taken."""
    for expression, _, _ in _expressions(list(document.nodes)):
        yield expression


def _entries(document: Document, *, bare: bool) -> Iterator[Entry]:
    """Yield the entries of all expressions; those that are one name in ``{{ }}`` only when *bare*."""
    known: set[Any] = set()
    for expression, _, is_output in _expressions(list(document.nodes)):
        if is_output and isinstance(expression, ast.Name) and not bare:
            continue
        found = _find(expression, is_output)
        # What {{ }} says about a parameter wins over its uses in {% %}.
        yield from (entry for name, entry in found.items() if is_output or name not in known)
        if is_output:
            known.update(found)


def _expressions(nodes: list[Node]) -> Iterator[tuple[ast.AST, int, bool]]:
    """Yield the expressions of *nodes* with their line and whether they are those of ``{{ }}``."""
    for node in nodes:
        if isinstance(node, Output):
            yield node.expression, node.line, True
        elif isinstance(node, Set):
            yield node.statement, node.line, False
        elif isinstance(node, If):
            first, *others = node.branches
            yield from _expressions(first.body)
            for branch in others:
                if branch.test is not None:
                    yield branch.test, branch.line, False
                yield from _expressions(branch.body)
            assert first.test is not None  # Only "else" has none.
            yield first.test, node.line, False
        elif isinstance(node, (For, While)):
            yield from _expressions(node.body)
            yield from _expressions(node.otherwise)
            if isinstance(node, For):
                yield node.target, node.line, False
                yield node.iterable, node.line, False
            else:
                yield node.test, node.line, False
        elif isinstance(node, Try):
            for body in (node.body, *(handler.body for handler in node.handlers), node.otherwise, node.finally_):
                yield from _expressions(body)


def _find(expression: ast.AST, is_output: bool) -> dict[Any, Entry]:
    entries: dict[Any, Entry] = {}
    arguments: set[ast.AST] = set()
    for node in ast.walk(expression):
        if isinstance(node, ast.Call):
            arguments.update(each for each in node.args if isinstance(each, ast.Name))
            arguments.add(node.func)
            _add_call(node, entries, is_output)
        elif isinstance(node, ast.Name) and node not in arguments and not is_function(node.id):
            entries[node.id] = {"name": node.id, "type": "String", "default": None}
    return entries


def _add_call(node: ast.Call, entries: dict[Any, Entry], is_output: bool) -> None:
    if not isinstance(node.func, ast.Name) or not node.args:
        return
    function, first = node.func.id, node.args[0]
    if function not in TYPED and function not in _HELPERS:
        return
    if isinstance(first, ast.List):
        if is_output:
            raise TemplateError(f'"{_literal(first)}" can not be used as a variable name')
        return
    if not isinstance(first, (ast.Name, ast.Constant)) or (name := _literal(first)) is None:
        return
    if function in TYPED:
        entries[name] = _typed_entry(name, function, node)
    else:
        entries.setdefault(name, {"name": name, "type": "String", "default": None, "used_in": "function_call"})


def _typed_entry(name: Any, function: str, node: ast.Call) -> Entry:
    values = [_literal(each) for each in node.args[1:]]
    type_name = function
    if function == "Array":
        element = values.pop(0) if values else "String"
        type_name = f"{_ARRAY}{element})"
    entry: Entry = {"name": name, "type": type_name}
    entry.update({keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg is not None})
    default = values[0] if values else entry.pop("default", None)
    if isinstance(default, int) and not isinstance(default, bool) and default > _SAFE_INTEGER:
        default = str(default)
    entry["default"] = default
    return entry


def _literal(node: ast.expr) -> Any:
    """Return what an argument says, as far as it can be known without rendering; ``None`` when it cannot."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.List):
        return [_literal(each) for each in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = _literal(node.operand)
        return -operand if isinstance(operand, (int, float)) else None
    if isinstance(node, ast.BinOp):
        return _literal(node.left)
    return None
