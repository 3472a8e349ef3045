"""Which notebook variables a Tinybird template names. Pure."""

from __future__ import annotations

import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

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
