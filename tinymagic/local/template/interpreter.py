"""Nodes -> SQL: runs the statements of a template and writes its text."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from . import operators
from .errors import (
    TEMPLATES_PAGE,
    BudgetExceeded,
    RequiredParameter,
    TemplateError,
    from_python,
    syntax_error,
    while_checking,
)
from .evaluation import Evaluator, Scope
from .nodes import Document, For, Handler, If, Jump, Node, Output, Set, Text, Try, While
from .values import as_sql, literal_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .budget import Budget

_SHOWN = 20
_NO_FUNCTION = "wrong syntax, you might be using a not valid function inside a control block"

#: Classes that ``{% except %}`` may name.
_CLASSES: dict[str, type[BaseException]] = {
    each.__name__: each
    for each in (
        ArithmeticError,
        AttributeError,
        BaseException,
        Exception,
        IndexError,
        KeyError,
        LookupError,
        NameError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
        ZeroDivisionError,
    )
}


class Interpreter:
    """Runs one document.

    Args:
        document: the parsed template.
        parameters: values by name; this object may change their lists.
        functions: the language's functions, bound to this rendering.
        budget: what the work is paid from.
        required: the names for the error about a missing parameter.
        checking: whether errors are those of checking mode.
    """

    def __init__(
        self,
        document: Document,
        parameters: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
        budget: Budget,
        *,
        required: tuple[str, ...],
        checking: bool,
    ) -> None:
        self._document = document
        self._scope = Scope(parameters, document.assigned)
        self._evaluator = Evaluator(self._scope, functions, budget, self._unknown_function)
        self._budget = budget
        self._required = required
        self._checking = checking
        self._line = 1
        self._written: list[str] = []
        self._size = 0
        #: Begin and end of the quoted texts that ``{{ }}`` has written.
        self.literals: list[tuple[int, int]] = []

    def run(self) -> str:
        """Return the SQL.

        Raises:
            TemplateError: whatever went wrong, in the service's words.
        """
        try:
            self._run(self._document.nodes)
        except Exception as error:
            translated = self._translated(error)
            if translated is error:
                raise
            raise translated from error
        return "".join(self._written)

    def _translated(self, error: Exception) -> TemplateError:
        if isinstance(error, RequiredParameter):
            error = RequiredParameter(self._required)
        return while_checking(error) if self._checking else from_python(error)

    def _unknown_function(self, name: str) -> Exception:
        if self._checking:
            return syntax_error(f"'{name}' is not a valid function, line {self._line}")
        return syntax_error(_NO_FUNCTION)

    def _run(self, nodes: tuple[Node, ...] | list[Node]) -> str | None:
        """Run *nodes*; return the word of the jump that ended them, or ``None``."""
        for node in nodes:
            self._budget.step()
            if isinstance(node, Text):
                self._write(node.text)
                continue
            self._line = node.line
            jump = self._run_one(node)
            if jump is not None:
                return jump
        return None

    def _run_one(self, node: Node) -> str | None:
        if isinstance(node, Output):
            self._output(node)
        elif isinstance(node, Set):
            self._set(node.statement)
        elif isinstance(node, If):
            return self._if(node)
        elif isinstance(node, For):
            return self._for(node)
        elif isinstance(node, While):
            return self._while(node)
        elif isinstance(node, Try):
            return self._try(node)
        elif isinstance(node, Jump):
            return node.word
        return None

    def _write(self, text: str) -> None:
        self._budget.write(len(text))
        self._written.append(text)
        self._size += len(text)

    def _output(self, node: Output) -> None:
        value = self._evaluator.value(node.expression)
        # Escaping can double a text, and reads it several times.
        self._budget.write(self._budget.weigh(value))
        sql = as_sql(value)
        if sql is None:
            shown = node.source if len(node.source) <= _SHOWN else f"{node.source[:_SHOWN]}..."
            raise syntax_error(f'expression "{shown}" evaluated to null', TEMPLATES_PAGE)
        span = literal_in(value, sql)
        if span is not None:
            self.literals.append((self._size + span[0], self._size + span[1]))
        self._write(sql)

    def _set(self, statement: ast.Assign | ast.AugAssign | ast.Expr) -> None:
        evaluator = self._evaluator
        if isinstance(statement, ast.AugAssign):
            # Only the context differs between reading a target and assigning to it.
            left = evaluator.value(statement.target)
            value = operators.binary(type(statement.op), left, evaluator.value(statement.value), self._budget)
            evaluator.assign(statement.target, value)
            return
        value = evaluator.value(statement.value)
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                evaluator.assign(target, value)

    def _if(self, node: If) -> str | None:
        for branch in node.branches:
            self._line = branch.line
            if branch.test is None or self._evaluator.value(branch.test):
                return self._run(branch.body)
        return None

    def _for(self, node: For) -> str | None:
        for item in self._evaluator.items(self._evaluator.value(node.iterable)):
            self._budget.step()
            self._line = node.line
            self._evaluator.assign(node.target, item)
            if self._run(node.body) == "break":
                return None
        return self._run(node.otherwise)

    def _while(self, node: While) -> str | None:
        while self._evaluator.value(node.test):
            self._budget.step()
            if self._run(node.body) == "break":
                return None
            self._line = node.line
        return self._run(node.otherwise)

    def _try(self, node: Try) -> str | None:
        jump: str | None = None
        try:
            jump = self._attempt(node)
        finally:
            ended = self._run(node.finally_)
            jump = ended or jump
        return jump

    def _attempt(self, node: Try) -> str | None:
        try:
            jump = self._run(node.body)
        except (BudgetExceeded, RecursionError, MemoryError):
            raise
        except Exception as error:
            handler = _handler_of(node.handlers, error)
            if handler is None:
                raise
            return self._handle(handler, error)
        return jump or self._run(node.otherwise)

    def _handle(self, handler: Handler, error: Exception) -> str | None:
        if handler.name is None:
            return self._run(handler.body)
        # The service writes the text of an error as it is; here it is a text like any other, for it can quote values.
        text = self._translated(error).message if isinstance(error, TemplateError) else str(error)
        self._budget.spend(len(text))
        self._scope.variables[handler.name] = text
        try:
            return self._run(handler.body)
        finally:
            self._scope.variables.pop(handler.name, None)


def _handler_of(handlers: list[Handler], error: Exception) -> Handler | None:
    for handler in handlers:
        if handler.classes is None:
            return handler
        classes = [_CLASSES.get(name) for name in handler.classes]
        if None in classes:
            raise TypeError("catching classes that do not inherit from BaseException is not allowed")
        if isinstance(error, tuple(each for each in classes if each is not None)):
            return handler
    return None
