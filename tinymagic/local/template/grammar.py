"""Which Python a template may contain (``templating.md`` sections 10 to 12).

Two allow lists over the nodes of `ast`: a narrow one for ``{{ }}`` and a wider one for ``{% %}``. A node that is on
neither is refused before anything runs. Names of functions are checked here, too; what they do is in `functions` and
`builtin_functions`.
"""

from __future__ import annotations

import ast

from .builtin_functions import BUILTIN_NAMES
from .errors import NotATemplate, Refused
from .functions import FUNCTION_NAMES
from .python import dump, parse_python

#: Functions of ``{{ }}``: those of the language and a few of Python.
OUTPUT_FUNCTIONS = FUNCTION_NAMES | {"len", "list", "min", "max", "int", "float"}
OUTPUT_METHODS = frozenset({"split", "get", "join", "replace"})

#: Names that the service refuses to call in ``{% %}``. Others that do not exist fail when they are reached.
_FORBIDDEN_FUNCTIONS = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "type",
        "getattr",
        "setattr",
        "delattr",
        "globals",
        "locals",
        "vars",
        "dir",
        "object",
        "super",
        "memoryview",
        "staticmethod",
        "classmethod",
        "property",
        "breakpoint",
        "help",
        "exit",
        "quit",
    ]
)
_FORBIDDEN_ATTRIBUTES = frozenset({"format", "format_map", "mro"})
_FORBIDDEN_PREFIXES = ("gi_", "cr_", "ag_", "f_", "tb_", "co_")

_OUTPUT_BINARY = (ast.Add, ast.Sub, ast.Mult)
_OUTPUT_UNARY = (ast.USub, ast.Not)
_OUTPUT_NODES = (ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List, ast.Set)
_STATEMENT_NODES = (
    *_OUTPUT_NODES,
    ast.BoolOp,
    ast.UnaryOp,
    ast.Compare,
    ast.Call,
    ast.Subscript,
    ast.Slice,
    ast.Dict,
    ast.Starred,
    ast.NamedExpr,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
#: Parts of expressions that are no expressions themselves.
_PARTS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.keyword, ast.comprehension, ast.arg)


def parse_output(source: str) -> ast.expr:
    """Parse the inside of ``{{ }}`` and refuse what is not allowed there."""
    statements = parse_python(source)
    if not statements or len(statements) > 1:
        raise NotATemplate("invalid syntax (<unknown>, line 1)")
    statement = statements[0]
    if not isinstance(statement, ast.Expr):
        raise Refused(f"Invalid expression type: {dump(statement)}")
    _check_output(statement.value)
    if (isinstance(statement.value, ast.Tuple) or "#" in source) and not _is_one_argument(source):
        raise NotATemplate("invalid syntax (<unknown>, line 1)")
    return statement.value


def _is_one_argument(source: str) -> bool:
    """Say whether *source* can be put into a call, as the service does: a bare tuple or a comment cannot."""
    call = parse_python(f"_({source})")[0]
    if not (isinstance(call, ast.Expr) and isinstance(call.value, ast.Call) and len(call.value.args) == 1):
        return False
    return isinstance(call.value.args[0], ast.Tuple) or not source.endswith(",")


def _check_output(node: ast.AST) -> None:
    if isinstance(node, ast.Constant):
        if not (node.value is None or isinstance(node.value, (str, int, float))):
            raise Refused(f"Invalid Constant: {dump(node)}")
    elif isinstance(node, ast.Name):
        _check_name(node.id)
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, _OUTPUT_UNARY):
        raise Refused(f"Invalid UnaryOp: {dump(node.op)}")
    elif isinstance(node, ast.BinOp) and not isinstance(node.op, _OUTPUT_BINARY):
        raise Refused(f"Invalid BinOp: {dump(node.op)}")
    elif isinstance(node, ast.Call):
        _check_output_call(node)
        return
    elif isinstance(node, ast.Subscript):
        _check_subscript(node)
        return
    elif isinstance(node, ast.Dict):
        if None in node.keys:
            raise Refused(f"Invalid expression type: {dump(node)}")
    elif not isinstance(node, (*_OUTPUT_NODES, ast.UnaryOp, ast.BinOp)):
        raise Refused(f"Invalid expression type: {dump(node)}")
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            _check_output(child)


def _check_output_call(node: ast.Call) -> None:
    if isinstance(node.func, ast.Name):
        if node.func.id not in OUTPUT_FUNCTIONS:
            raise Refused(f"Invalid function name: {node.func.id}")
    elif isinstance(node.func, ast.Attribute):
        if node.func.attr not in OUTPUT_METHODS:
            raise Refused(f"Invalid method name: {node.func.attr}")
        _check_output(node.func.value)
    else:
        raise Refused(f"Invalid function: {dump(node)}")
    for argument in node.args:
        _check_output(argument)
    for keyword in node.keywords:
        if keyword.arg is None:
            raise Refused(f"Invalid expression type: {dump(keyword)}")
        _check_output(keyword.value)


def _check_subscript(node: ast.Subscript) -> None:
    _check_output(node.value)
    if isinstance(node.slice, ast.Slice):
        for bound in (node.slice.lower, node.slice.upper, node.slice.step):
            if bound is not None:
                _check_output(bound)
    elif isinstance(node.slice, (ast.Constant, ast.Subscript)):
        _check_output(node.slice)
    else:
        raise Refused(f"Invalid Slice expression: {dump(node.slice)}")


def _check_name(name: str) -> None:
    if name.startswith("__") and name.endswith("__"):
        raise Refused(f"Invalid name: {name}")


def check_statement(node: ast.AST) -> None:
    """Refuse an expression, or the target of an assignment, that is not allowed in ``{% %}``."""
    if isinstance(node, ast.Constant):
        if not (node.value is None or isinstance(node.value, (str, int, float))):
            raise Refused(f"Invalid Constant: {dump(node)}")
        return
    if isinstance(node, ast.Name):
        _check_name(node.id)
    elif isinstance(node, ast.Attribute):
        _check_attribute(node.attr)
    elif isinstance(node, ast.Lambda):
        _check_lambda(node)
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.MatMult):
            raise Refused(f"Invalid BinOp: {dump(node.op)}")
    elif _is_async(node) or not isinstance(node, (*_STATEMENT_NODES, *_PARTS)):
        raise Refused(f"Invalid expression type: {dump(node)}")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FORBIDDEN_FUNCTIONS:
        raise Refused(f"Invalid function name: {node.func.id}")
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.arguments):
            check_statement(child)


def _is_async(node: ast.AST) -> bool:
    return isinstance(node, ast.comprehension) and bool(node.is_async)


def _check_attribute(name: str) -> None:
    if "__" in name or name in _FORBIDDEN_ATTRIBUTES or name.startswith(_FORBIDDEN_PREFIXES):
        raise Refused(f"Invalid attribute: {name}")


def _check_lambda(node: ast.Lambda) -> None:
    given = node.args
    if given.posonlyargs or given.vararg or given.kwonlyargs or given.kwarg or given.defaults:
        raise Refused(f"Invalid expression type: {dump(node)}")
    for argument in given.args:
        _check_name(argument.arg)


def is_function(name: str) -> bool:
    """Say whether *name* is that of a function, and so of no parameter."""
    return name in FUNCTION_NAMES or name in BUILTIN_NAMES
