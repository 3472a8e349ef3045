"""Operators of Python on the values of templates, paid for before they work."""

from __future__ import annotations

import ast
import operator
import re
from typing import TYPE_CHECKING, Any

from .budget import FORMAT_WIDTH, Budget, check_bits
from .errors import BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
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
_COLLECTIONS = (list, tuple, set, dict)
_DIGITS_RE = re.compile(r"[0-9]+")


def binary(kind: type[ast.operator], left: Any, right: Any, budget: Budget) -> Any:
    """Return ``left <operator> right``."""
    if isinstance(left, int) and isinstance(right, int):
        _check_integers(kind, left, right)
    elif kind is ast.Mult:
        _pay_for_repetition(left, right, budget)
    elif kind is ast.Mod and isinstance(left, str):
        _pay_for_formatting(left, right, budget)
    else:
        for operand in (left, right):
            if isinstance(operand, str):
                budget.spend(len(operand))
            elif isinstance(operand, _COLLECTIONS):
                budget.make(len(operand))
    result = _BINARY[kind](left, right)
    if isinstance(result, complex):
        raise TypeError("complex numbers are not supported")
    return result


def unary(kind: type[ast.unaryop], operand: Any) -> Any:
    """Return ``<operator> operand``."""
    return _UNARY[kind](operand)


def compare(kind: type[ast.cmpop], left: Any, right: Any, budget: Budget) -> bool:
    """Return ``left <comparison> right``."""
    if kind not in (ast.Is, ast.IsNot):
        for operand in (left, right):
            if isinstance(operand, (str, *_COLLECTIONS)):
                budget.weigh(operand)
    return bool(_COMPARE[kind](left, right))


def check_format(specification: str) -> None:
    """Refuse the part after ``:`` of a replacement field, or a ``%`` format, that asks for a great width."""
    widths = _DIGITS_RE.findall(specification)
    if any(len(width) > 9 or int(width) > FORMAT_WIDTH for width in widths):
        raise BudgetExceeded("the template makes values that are too large")


def _check_integers(kind: type[ast.operator], left: int, right: int) -> None:
    if kind is ast.Mult:
        check_bits(left.bit_length() + right.bit_length())
    elif kind is ast.Pow and right > 0:
        check_bits(left.bit_length() * right)
    elif kind is ast.LShift and right > 0:
        check_bits(left.bit_length() + right)
    else:
        check_bits(max(left.bit_length(), right.bit_length()))


def _pay_for_repetition(left: Any, right: Any, budget: Budget) -> None:
    for sequence, count in ((left, right), (right, left)):
        if isinstance(count, int) and count > 0:
            if isinstance(sequence, str):
                budget.spend(len(sequence) * count)
            elif isinstance(sequence, (list, tuple)):
                budget.make(len(sequence) * count)


def _pay_for_formatting(pattern: str, values: Any, budget: Budget) -> None:
    if "*" in pattern:
        raise BudgetExceeded("the template makes values that are too large")
    check_format(pattern)
    fields = pattern.count("%")
    budget.spend(len(pattern) + fields * (budget.weigh(values) + 100))
    # A wide field is cheap to write down many times.
    budget.spend(sum(int(width) for width in _DIGITS_RE.findall(pattern)))
