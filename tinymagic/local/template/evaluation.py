"""The value of one expression, found by walking its syntax tree. Nothing is compiled, no attribute of Python is read.

`grammar` has refused what is not allowed; here every node costs a step. Names are looked up in a `Scope`: what a
template assigns is local to it, as in a Python function, everything else is a parameter, and a parameter that was
not given is ``None``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import operators
from .budget import LAMBDA_DEPTH, Budget
from .builtin_functions import BUILTIN_NAMES, BuiltinFunctions, FunctionName
from .errors import BudgetExceeded
from .methods import Method, call_method, find_method
from .values import Placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONVERSIONS: dict[int, Callable[[Any], str]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}
#: Functions whose arguments may be functions. Elsewhere ``filter`` or ``max`` is the name of a parameter.
_TAKE_FUNCTIONS = frozenset({"map", "filter", "sorted", "min", "max", "isinstance"})


class Unbound(NameError):  # noqa: N818 - says what happened
    """A name is read before the template assigns it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cannot access local variable '{name}' where it is not associated with a value")


class Scope:
    """Names and their values.

    Args:
        parameters: values of the request; missing ones are ``None``.
        assigned: names that the template assigns anywhere, which are never parameters.
    """

    def __init__(self, parameters: Mapping[str, Any], assigned: frozenset[str]) -> None:
        self._parameters = parameters
        self._assigned = assigned
        self.variables: dict[str, Any] = {}
        #: Variables of comprehensions and lambdas, innermost last.
        self.frames: list[dict[str, Any]] = []

    def get(self, name: str) -> Any:
        """Return the value of *name*."""
        for frame in reversed(self.frames):
            if name in frame:
                return frame[name]
        if name in self._assigned:
            if name not in self.variables:
                raise Unbound(name)
            return self.variables[name]
        return self._parameters.get(name)

    def knows(self, name: str) -> bool:
        """Say whether *name* is a variable or a given parameter."""
        return (
            name in self._assigned
            or self._parameters.get(name) is not None
            or any(name in frame for frame in self.frames)
        )


@dataclass(frozen=True)
class Lambda:
    """A function that the template wrote, with the frames it was written in."""

    names: tuple[str, ...]
    body: ast.expr
    frames: tuple[dict[str, Any], ...]


class Evaluator:
    """Evaluates the expressions of one rendering.

    Args:
        scope: where names are looked up.
        functions: the language's functions by name.
        budget: what work is paid from.
        unknown: called with the name of a function that does not exist; returns the error to raise.
    """

    def __init__(
        self,
        scope: Scope,
        functions: Mapping[str, Callable[..., Any]],
        budget: Budget,
        unknown: Callable[[str], Exception],
    ) -> None:
        self._scope = scope
        self._budget = budget
        self._unknown = unknown
        self._builtins = BuiltinFunctions(budget, self.call)
        self._functions = {**self._builtins.table(), **functions}
        self._lambda_depth = 0

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression that `grammar` allows."""
        self._budget.step()
        evaluate = _EVALUATE.get(type(node))
        if evaluate is None:
            raise TypeError(f"a {type(node).__name__} cannot stand here")
        return evaluate(self, node)

    def items(self, value: Any) -> list[Any]:
        """Return the members of *value*, for a loop."""
        return self._builtins.items(value)

    def assign(self, target: ast.expr, value: Any) -> None:
        """Give *value* to a name, to a member, or to several of them."""
        self._budget.step()
        if isinstance(target, ast.Name):
            self._scope.variables[target.id] = value
        elif isinstance(target, ast.Subscript):
            self._assign_member(target, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, self.assign)
        elif isinstance(target, ast.Attribute):
            receiver = self.value(target.value)
            raise AttributeError(f"'{type(receiver).__name__}' object has no attribute '{target.attr}'")
        else:
            raise TypeError("cannot assign to this expression")

    def call(self, function: Any, arguments: list[Any]) -> Any:
        """Call what a template can name: a function, a method, or a lambda."""
        self._budget.step()
        if isinstance(function, FunctionName):
            return self._functions[function.name](*arguments)
        if isinstance(function, Method):
            return call_method(function, arguments, {}, self._budget)
        if isinstance(function, Lambda):
            return self._call_lambda(function, arguments)
        raise TypeError(f"'{type(function).__name__}' object is not callable")

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        return self._scope.get(node.id)

    def _unary(self, node: ast.UnaryOp) -> Any:
        return operators.unary(type(node.op), self.value(node.operand))

    def _binary(self, node: ast.BinOp) -> Any:
        left = self.value(node.left)
        return operators.binary(type(node.op), left, self.value(node.right), self._budget)

    def _boolean(self, node: ast.BoolOp) -> Any:
        stops_at = isinstance(node.op, ast.Or)
        result: Any = None
        for each in node.values:
            result = self.value(each)
            if bool(result) is stops_at:
                break
        return result

    def _compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for comparison, each in zip(node.ops, node.comparators, strict=True):
            right = self.value(each)
            if not operators.compare(type(comparison), left, right, self._budget):
                return False
            left = right
        return True

    def _conditional(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _list(self, node: ast.List) -> list[Any]:
        return self._members(node.elts)

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._members(node.elts))

    def _set(self, node: ast.Set) -> set[Any]:
        members = self._members(node.elts)
        self._budget.weigh(members)
        return set(members)

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            if key_node is None:
                made.update(self._mapping(self.value(value_node)))
            else:
                key = self.value(key_node)
                self._budget.weigh(key)
                made[key] = self.value(value_node)
        self._budget.make(len(made))
        return made

    def _subscript(self, node: ast.Subscript) -> Any:
        receiver = self.value(node.value)
        if receiver is None or not isinstance(receiver, (str, list, tuple, dict, Placeholder)):
            raise TypeError(f"'{type(receiver).__name__}' object is not subscriptable")
        key = self._key(node.slice)
        if isinstance(key, slice):
            self._budget.spend(len(receiver) if isinstance(receiver, str) else 0)
            self._budget.make(len(receiver) if isinstance(receiver, (list, tuple)) else 0)
        return receiver[key]

    def _key(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            bounds = (node.lower, node.upper, node.step)
            return slice(*(None if bound is None else self.value(bound) for bound in bounds))
        key = self.value(node)
        self._budget.weigh(key)
        return key

    def _attribute(self, node: ast.Attribute) -> Method:
        return find_method(self.value(node.value), node.attr)

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name):
            return self._call_name(node.func.id, node)
        function = self.value(node.func)
        arguments, keywords = self._arguments(node)
        if isinstance(function, Method):
            return call_method(function, arguments, keywords, self._budget)
        return self.call(function, arguments)

    def _call_name(self, name: str, node: ast.Call) -> Any:
        function = self._functions.get(name)
        arguments, keywords = self._arguments(node, name in _TAKE_FUNCTIONS)
        if function is not None:
            return function(*arguments, **keywords)
        value = self._scope.get(name) if self._scope.knows(name) else None
        if value is None or isinstance(value, Placeholder):
            raise self._unknown(name)
        return self.call(value, arguments)

    def _arguments(self, node: ast.Call, take_functions: bool = False) -> tuple[list[Any], dict[str, Any]]:
        read = self._function_or_value if take_functions else self.value
        arguments = self._members(node.args, read)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = read(keyword.value)
            keywords.update(self._mapping(value) if keyword.arg is None else {keyword.arg: value})
        return arguments, keywords

    def _function_or_value(self, node: ast.expr) -> Any:
        """Return the value of an argument where a name of Python's may stand for a function: ``map(str, values)``."""
        if isinstance(node, ast.Name) and node.id in BUILTIN_NAMES and not self._scope.knows(node.id):
            return FunctionName(node.id)
        if isinstance(node, ast.Tuple):
            return tuple(self._members(node.elts, self._function_or_value))
        return self.value(node)

    def _mapping(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise TypeError(f"argument after ** must be a mapping, not {type(value).__name__}")
        self._budget.make(len(value))
        return value

    def _members(self, nodes: list[ast.expr], read: Callable[[ast.expr], Any] | None = None) -> list[Any]:
        members: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                members.extend(self.items(self.value(node.value)))
            else:
                members.append(self.value(node) if read is None else read(node))
        self._budget.make(len(members))
        return members

    def _format_string(self, node: ast.JoinedStr) -> str:
        parts = [str(self.value(each)) for each in node.values]
        self._budget.spend(sum(map(len, parts)))
        return "".join(parts)

    def _format(self, node: ast.FormattedValue) -> str:
        value = self.value(node.value)
        self._budget.spend(self._budget.weigh(value))
        if node.conversion != -1:
            value = _CONVERSIONS[node.conversion](value)
        specification = "" if node.format_spec is None else str(self.value(node.format_spec))
        operators.check_format(specification)
        if isinstance(value, (list, tuple, set, dict)) and not specification:
            return str(value)
        return format(value, specification)

    def _walrus(self, node: ast.NamedExpr) -> Any:
        value = self.value(node.value)
        self._scope.variables[node.target.id] = value
        return value

    def _lambda(self, node: ast.Lambda) -> Lambda:
        return Lambda(tuple(each.arg for each in node.args.args), node.body, tuple(self._scope.frames))

    def _call_lambda(self, function: Lambda, arguments: list[Any]) -> Any:
        if len(arguments) != len(function.names):
            count = len(function.names)
            raise TypeError(f"<lambda>() takes {count} positional arguments but {len(arguments)} were given")
        if self._lambda_depth >= LAMBDA_DEPTH:
            raise BudgetExceeded("the template is nested too deeply")
        frames = self._scope.frames
        self._scope.frames = [*function.frames, dict(zip(function.names, arguments, strict=True))]
        self._lambda_depth += 1
        try:
            return self.value(function.body)
        finally:
            self._lambda_depth -= 1
            self._scope.frames = frames

    def _list_comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        made: list[Any] = []
        self._comprehend(node.generators, lambda: made.append(self.value(node.elt)))
        return made

    def _set_comprehension(self, node: ast.SetComp) -> set[Any]:
        made: list[Any] = []
        self._comprehend(node.generators, lambda: made.append(self.value(node.elt)))
        self._budget.weigh(made)
        return set(made)

    def _dict_comprehension(self, node: ast.DictComp) -> dict[Any, Any]:
        made: list[tuple[Any, Any]] = []
        self._comprehend(node.generators, lambda: made.append((self.value(node.key), self.value(node.value))))
        self._budget.weigh(made)
        return dict(made)

    def _comprehend(self, generators: list[ast.comprehension], add: Callable[[], None]) -> None:
        frame: dict[str, Any] = {}
        self._scope.frames.append(frame)
        try:
            self._nest(generators, frame, add)
        finally:
            self._scope.frames.pop()

    def _nest(self, generators: list[ast.comprehension], frame: dict[str, Any], add: Callable[[], None]) -> None:
        if not generators:
            self._budget.make(1)
            add()
            return
        first, *rest = generators
        for item in self.items(self.value(first.iter)):
            self._bind(first.target, item, frame)
            if all(self.value(test) for test in first.ifs):
                self._nest(rest, frame, add)

    def _bind(self, target: ast.expr, value: Any, frame: dict[str, Any]) -> None:
        """As `assign`, for the variables of a comprehension."""
        self._budget.step()
        if isinstance(target, ast.Name):
            frame[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, lambda each, item: self._bind(each, item, frame))
        else:
            raise TypeError("cannot assign to this expression in a comprehension")

    def _unpack(self, targets: list[ast.expr], value: Any, assign: Callable[[ast.expr, Any], None]) -> None:
        if not isinstance(value, (str, list, tuple, set, dict, Placeholder)):
            raise TypeError(f"cannot unpack non-iterable {type(value).__name__} object")
        items = self.items(value)
        starred = [index for index, target in enumerate(targets) if isinstance(target, ast.Starred)]
        if starred:
            items = self._gather(items, starred[0], len(targets))
        elif len(items) > len(targets):
            raise ValueError(f"too many values to unpack (expected {len(targets)})")
        if len(items) < len(targets):
            raise ValueError(f"not enough values to unpack (expected {len(targets)}, got {len(items)})")
        for target, item in zip(targets, items, strict=True):
            assign(target.value if isinstance(target, ast.Starred) else target, item)

    def _gather(self, items: list[Any], position: int, count: int) -> list[Any]:
        """Put the items that a starred target takes into one list."""
        after = count - position - 1
        if len(items) < count - 1:
            raise ValueError(f"not enough values to unpack (expected at least {count - 1}, got {len(items)})")
        return [*items[:position], items[position : len(items) - after], *items[len(items) - after :]]

    def _assign_member(self, target: ast.Subscript, value: Any) -> None:
        receiver = self.value(target.value)
        if not isinstance(receiver, (list, dict)):
            raise TypeError(f"'{type(receiver).__name__}' object does not support item assignment")
        key = self._key(target.slice)
        if isinstance(key, slice):
            value = self.items(value)
            self._budget.make(len(receiver))
        self._budget.make(1)
        receiver[key] = value


_EVALUATE: dict[type[ast.expr], Callable[[Evaluator, Any], Any]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.UnaryOp: Evaluator._unary,
    ast.BinOp: Evaluator._binary,
    ast.BoolOp: Evaluator._boolean,
    ast.Compare: Evaluator._compare,
    ast.IfExp: Evaluator._conditional,
    ast.List: Evaluator._list,
    ast.Tuple: Evaluator._tuple,
    ast.Set: Evaluator._set,
    ast.Dict: Evaluator._dict,
    ast.Subscript: Evaluator._subscript,
    ast.Attribute: Evaluator._attribute,
    ast.Call: Evaluator._call,
    ast.JoinedStr: Evaluator._format_string,
    ast.FormattedValue: Evaluator._format,
    ast.NamedExpr: Evaluator._walrus,
    ast.Lambda: Evaluator._lambda,
    ast.ListComp: Evaluator._list_comprehension,
    ast.GeneratorExp: Evaluator._list_comprehension,
    ast.SetComp: Evaluator._set_comprehension,
    ast.DictComp: Evaluator._dict_comprehension,
}
