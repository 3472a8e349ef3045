"""One expression: what is allowed in it, and its value (``templating.md`` section 10).

`parse` gives Python's syntax tree after every node was found on the allow list; `evaluate` walks it. Nothing is ever
compiled, and no attribute of a Python object is reachable. Conditions of ``{% if %}`` may also compare.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from .errors import parse_error, syntax_error
from .functions import MISSING, call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
}

#: Names that mean something else in a request and cannot be variables.
_NOT_VARIABLES = ("q", "format")

#: The longest text or list that ``*`` may make.
_LONGEST = 1_000_000

_DEEPEST = 50


def parse(source: str, line: int, *, condition: bool = False) -> ast.expr:
    """Parse one expression and refuse what the language does not have.

    Args:
        source: the text between the braces.
        line: where it stands, for messages.
        condition: whether comparisons, ``and`` and ``or`` are allowed.

    Raises:
        TemplateError: it is no expression, or not an allowed one.
    """
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise parse_error(f"invalid syntax: {getattr(error, 'msg', error)}", line) from error
    _check(tree, line, condition, 0)
    return tree


def _check(node: ast.expr, line: int, condition: bool, depth: int) -> None:
    if depth > _DEEPEST:
        raise syntax_error("The expression is nested too deeply")
    for child in _children(node, line, condition):
        _check(child, line, condition, depth + 1)


def _children(node: ast.expr, line: int, condition: bool) -> list[ast.expr]:
    """Return the parts of an allowed node; raise for any other."""
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (str, int, float, bool))):
        return []
    if isinstance(node, ast.Name):
        if node.id in _NOT_VARIABLES:
            raise syntax_error(f'"{node.id}" can not be used as a variable name, line {line}')
        if node.id.startswith("__"):
            raise syntax_error(f"Invalid name: {node.id}")
        return []
    if isinstance(node, ast.UnaryOp):
        if not isinstance(node.op, (ast.USub, ast.Not)):
            raise syntax_error(f"Invalid UnaryOp: {ast.dump(node.op)}")
        return [node.operand]
    if isinstance(node, ast.BinOp):
        if type(node.op) not in _BINARY:
            raise syntax_error(f"Invalid BinOp: {ast.dump(node.op)}")
        return [node.left, node.right]
    if isinstance(node, ast.IfExp):
        return [node.test, node.body, node.orelse]
    if isinstance(node, (ast.List, ast.Tuple)):
        return list(node.elts)
    if isinstance(node, ast.Call):
        return _children_of_call(node)
    if condition and isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if condition and isinstance(node, ast.BoolOp):
        return list(node.values)
    raise syntax_error(f"Invalid expression type: {ast.dump(node)[:500]}")


def _children_of_call(node: ast.Call) -> list[ast.expr]:
    if isinstance(node.func, ast.Attribute):
        raise syntax_error(f"Invalid method name: {node.func.attr}")
    if not isinstance(node.func, ast.Name):
        raise syntax_error(f"Invalid function: {ast.dump(node.func)[:500]}")
    call_keywords = [keyword for keyword in node.keywords if keyword.arg is None]
    if call_keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise syntax_error(f"Invalid arguments of {node.func.id}: * and ** are not allowed")
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def evaluate(node: ast.expr, parameters: Mapping[str, Any]) -> Any:
    """Return the value of a parsed expression; a parameter that is not in *parameters* is `MISSING`.

    Raises:
        TemplateError: Python's own text when operands do not fit.
        RequiredParameter: a typed parameter has neither value nor default.
    """
    try:
        return _value(node, parameters)
    except (TypeError, ValueError, OverflowError) as error:
        raise syntax_error(str(error)) from error


def _value(node: ast.expr, parameters: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        value = parameters.get(node.id, MISSING)
        return MISSING if value is None else value
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, parameters)
        return not operand if isinstance(node.op, ast.Not) else -_operand(operand)
    if isinstance(node, ast.BinOp):
        left, right = (_operand(_value(each, parameters)) for each in (node.left, node.right))
        if isinstance(node.op, ast.Mult):
            _check_product(left, right)
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, parameters) else node.orelse, parameters)
    if isinstance(node, ast.List):
        return [_value(each, parameters) for each in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(each, parameters) for each in node.elts)
    if isinstance(node, ast.Compare):
        return _compare(node, parameters)
    if isinstance(node, ast.BoolOp):
        wanted = isinstance(node.op, ast.Or)
        result: Any = None
        for each in node.values:
            result = _value(each, parameters)
            if bool(result) is wanted:
                break
        return result
    assert isinstance(node, ast.Call)  # `_check` let nothing else through.
    assert isinstance(node.func, ast.Name)
    keywords = {str(keyword.arg): _value(keyword.value, parameters) for keyword in node.keywords}
    return call(node.func.id, [_value(argument, parameters) for argument in node.args], keywords)


def _compare(node: ast.Compare, parameters: Mapping[str, Any]) -> bool:
    left = _operand(_value(node.left, parameters))
    for comparison, comparator in zip(node.ops, node.comparators, strict=True):
        right = _operand(_value(comparator, parameters))
        if not _COMPARE[type(comparison)](left, right):
            return False
        left = right
    return True


def _operand(value: Any) -> Any:
    """Give Python its ``None`` for what is missing, so that its messages say what the service's say."""
    if isinstance(value, str):
        return str(value)  # SQL that is joined with text is no longer safe to write as it is.
    return None if value is MISSING else value


def _check_product(left: Any, right: Any) -> None:
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(count, int) and len(sequence) * count > _LONGEST:
            raise ValueError(f"the result of * is longer than {_LONGEST}")


def parameters_without_default(node: ast.expr, positions: Mapping[str, int]) -> list[str]:
    """Return the names of parameters in *node* that a request must give, in the order of the text.

    Args:
        node: a parsed expression.
        positions: type functions, with the position of their default among the arguments.
    """
    if isinstance(node, ast.Name):
        return [node.id]
    names: list[str] = []
    for each in ast.walk(node):
        if not (isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in positions):
            continue
        given = {keyword.arg: keyword.value for keyword in each.keywords}
        has_default = len(each.args) > positions[each.func.id] or "default" in given
        if each.args and isinstance(each.args[0], ast.Name) and not has_default and each.func.id != "Boolean":
            names.append(each.args[0].id)
    return names
