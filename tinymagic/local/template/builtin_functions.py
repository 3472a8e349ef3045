"""Functions of Python that ``{% %}`` may call, in forms whose work is paid for.

Those that Python makes lazy (``range``, ``map``, ``zip`` ...) give lists here: what they yield is counted at once.
Functions that call functions get *call*, the evaluator's way to call what a template can name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import operators
from .budget import DIGITS, Budget, check_bits
from .errors import BudgetExceeded
from .values import Placeholder

Call = Callable[[Any, list[Any]], Any]

_TYPES: dict[str, type] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "set": set,
}


@dataclass(frozen=True)
class FunctionName:
    """A function that a template names without calling it: ``map(str, values)``."""

    name: str


class BuiltinFunctions:
    """The functions, bound to the budget of one rendering.

    Args:
        budget: what they are paid from.
        call: calls a `FunctionName`, a method or a lambda with some arguments.
    """

    def __init__(self, budget: Budget, call: Call) -> None:
        self._budget = budget
        self._call = call

    def table(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by name."""
        return {name: getattr(self, f"_{name}") for name in BUILTIN_NAMES}

    def items(self, value: Any) -> list[Any]:
        """Return the members of *value* as a list, paid for; Python's error when it has none."""
        if isinstance(value, (str, list, tuple, set, dict)):
            self._budget.make(len(value))
        elif not isinstance(value, Placeholder):
            raise TypeError(f"'{type(value).__name__}' object is not iterable")
        return list(value)

    def _abs(self, value: Any, /) -> Any:
        return abs(value)

    def _all(self, values: Any, /) -> bool:
        return all(self.items(values))

    def _any(self, values: Any, /) -> bool:
        return any(self.items(values))

    def _bin(self, value: Any, /) -> str:
        return bin(value)

    def _bool(self, value: Any = False, /) -> bool:
        return bool(value)

    def _chr(self, value: Any, /) -> str:
        return chr(value)

    def _dict(self, values: Any = (), /, **members: Any) -> dict[Any, Any]:
        self._budget.weigh(values)
        pairs = values if isinstance(values, dict) else self.items(values)
        return dict(pairs, **members)

    def _divmod(self, left: Any, right: Any, /) -> tuple[Any, Any]:
        return (
            operators.binary(ast.FloorDiv, left, right, self._budget),
            operators.binary(ast.Mod, left, right, self._budget),
        )

    def _enumerate(self, values: Any, start: int = 0) -> list[tuple[int, Any]]:
        return list(enumerate(self.items(values), start))

    def _filter(self, function: Any, values: Any, /) -> list[Any]:
        members = self.items(values)
        return [each for each in members if (each if function is None else self._call(function, [each]))]

    def _float(self, value: Any = 0.0, /) -> float:
        self._check_digits(value)
        return float(value)

    def _hex(self, value: Any, /) -> str:
        return hex(value)

    def _int(self, value: Any = 0, /, base: Any = None) -> int:
        self._check_digits(value)
        return int(value) if base is None else int(value, base)

    def _isinstance(self, value: Any, types: Any, /) -> bool:
        return isinstance(value, _types_of(types))

    def _len(self, *values: Any) -> int:
        if len(values) != 1:
            raise TypeError(f"len() takes exactly one argument ({len(values)} given)")
        if isinstance(values[0], (str, list, tuple, set, dict)):
            return len(values[0])
        raise TypeError(f"object of type '{type(values[0]).__name__}' has no len()")

    def _list(self, values: Any = (), /) -> list[Any]:
        return self.items(values)

    def _map(self, function: Any, values: Any, /, *more: Any) -> list[Any]:
        columns = [self.items(each) for each in (values, *more)]
        return [self._call(function, list(row)) for row in zip(*columns, strict=False)]

    def _max(self, *values: Any, **options: Any) -> Any:
        return self._extreme(max, values, options)

    def _min(self, *values: Any, **options: Any) -> Any:
        return self._extreme(min, values, options)

    def _oct(self, value: Any, /) -> str:
        return oct(value)

    def _ord(self, value: Any, /) -> int:
        return ord(value)

    def _pow(self, base: Any, exponent: Any, /) -> Any:
        return operators.binary(ast.Pow, base, exponent, self._budget)

    def _range(self, *bounds: Any) -> list[int]:
        if any(isinstance(bound, Placeholder) for bound in bounds):
            raise TypeError("'Placeholder' object cannot be interpreted as an integer")
        numbers = range(*bounds)
        if len(numbers[:1]) and abs(numbers[-1] - numbers[0]) // abs(numbers.step) > 10_000_000:
            raise BudgetExceeded("the template takes too long")
        self._budget.make(len(numbers))
        return list(numbers)

    def _repr(self, value: Any, /) -> str:
        self._budget.spend(self._budget.weigh(value))
        return repr(value)

    def _reversed(self, values: Any, /) -> list[Any]:
        return self.items(values)[::-1]

    def _round(self, value: Any, digits: Any = None, /) -> Any:
        if isinstance(digits, int):
            check_bits(abs(digits))
        return round(value, digits)

    def _set(self, values: Any = (), /) -> set[Any]:
        self._budget.weigh(values)
        return set(self.items(values))

    def _sorted(self, values: Any, /, *, key: Any = None, reverse: bool = False) -> list[Any]:
        members = self.items(values)
        for _ in range(len(members).bit_length()):
            self._budget.weigh(members)
        if key is None:
            return sorted(members, reverse=reverse)
        keyed = [(self._call(key, [each]), each) for each in members]
        for _ in range(len(members).bit_length()):
            self._budget.weigh(keyed)
        return [each for _, each in sorted(keyed, key=_first, reverse=reverse)]

    def _str(self, value: Any = "", /) -> str:
        self._budget.spend(self._budget.weigh(value))
        return str(value)

    def _sum(self, values: Any, /, start: Any = 0) -> Any:
        if isinstance(start, str):
            raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
        total = start
        for each in self.items(values):
            total = operators.binary(ast.Add, total, each, self._budget)
        return total

    def _tuple(self, values: Any = (), /) -> tuple[Any, ...]:
        return tuple(self.items(values))

    def _zip(self, *values: Any) -> list[tuple[Any, ...]]:
        return list(zip(*[self.items(each) for each in values], strict=False))

    def _check_digits(self, value: Any) -> None:
        if isinstance(value, str):
            self._budget.spend(len(value))
            if len(value) > DIGITS:
                raise ValueError(f"Exceeds the limit ({DIGITS} digits) for integer string conversion")

    def _extreme(self, choose: Callable[..., Any], values: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if len(values) == 1:
            values = (self.items(values[0]),)
        self._budget.weigh(values)
        key = options.pop("key", None)
        if key is not None:
            options["key"] = lambda each: self._call(key, [each])
        return choose(*values, **options)


#: Every function that `BuiltinFunctions` has.
BUILTIN_NAMES = frozenset(
    [
        "abs",
        "all",
        "any",
        "bin",
        "bool",
        "chr",
        "dict",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "hex",
        "int",
        "isinstance",
        "len",
        "list",
        "map",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
    ]
)


def _types_of(types: Any) -> tuple[type, ...]:
    names = types if isinstance(types, tuple) else (types,)
    found = [_TYPES.get(each.name) for each in names if isinstance(each, FunctionName)]
    if len(found) != len(names) or None in found:
        raise TypeError("isinstance() arg 2 must be a type, a tuple of types, or a union")
    return tuple(each for each in found if each is not None)


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]
