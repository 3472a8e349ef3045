"""Methods of Python's values that a template may call, each with its price.

Only the methods in the tables exist; an object's other attributes are out of reach. Prices are paid before the call
(see `budget`). Anything that would give out bytes, code or iterators is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .values import JsonPlaceholder, Placeholder

if TYPE_CHECKING:
    from collections.abc import Callable

    from .budget import Budget

_TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "center",
        "count",
        "endswith",
        "expandtabs",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "isidentifier",
        "islower",
        "isnumeric",
        "isprintable",
        "isspace",
        "istitle",
        "isupper",
        "join",
        "ljust",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rjust",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
        "zfill",
    ]
)
_LIST_METHODS = frozenset(
    ["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"]
)
_DICT_METHODS = frozenset(["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"])
_SET_METHODS = frozenset(
    [
        "add",
        "clear",
        "copy",
        "difference",
        "discard",
        "intersection",
        "isdisjoint",
        "issubset",
        "issuperset",
        "pop",
        "remove",
        "symmetric_difference",
        "union",
        "update",
    ]
)
_METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _TEXT_METHODS),
    (list, _LIST_METHODS),
    (dict, _DICT_METHODS),
    (set, _SET_METHODS),
    (tuple, frozenset({"count", "index"})),
    (float, frozenset({"is_integer"})),
    (int, frozenset({"bit_length"})),
    (JsonPlaceholder, frozenset({"get", "items", "keys", "values", "split", "startswith"})),
    (Placeholder, frozenset({"split", "startswith"})),
)
#: Methods that look at one member, or add one: their work does not grow with the collection.
_CHEAP = frozenset({"append", "get", "add", "setdefault", "popitem"})
#: Methods that search from the right, which Python does in the product of both lengths.
_FROM_RIGHT = frozenset({"rfind", "rindex", "rsplit", "rpartition"})
_PADDING = frozenset({"center", "ljust", "rjust", "zfill"})


@dataclass(frozen=True)
class Method:
    """A method of a value, not called yet."""

    receiver: Any
    name: str


def find_method(receiver: Any, name: str) -> Method:
    """Return the method called *name*.

    Raises:
        AttributeError: there is none that a template may use; the text is Python's.
    """
    for kind, names in _METHODS:
        if isinstance(receiver, kind):
            if name in names:
                return Method(receiver, name)
            break
    raise AttributeError(f"'{type(receiver).__name__}' object has no attribute '{name}'")


def call_method(method: Method, arguments: list[Any], keywords: dict[str, Any], budget: Budget) -> Any:
    """Pay for the call and make it. Views of dictionaries come back as lists."""
    receiver, name = method.receiver, method.name
    if isinstance(receiver, Placeholder):
        return _of_placeholder(receiver, name)
    if isinstance(receiver, str):
        _pay_for_text(receiver, name, arguments, keywords, budget)
    elif name in _CHEAP:
        budget.make(1)
        for argument in arguments[:1]:
            if isinstance(argument, tuple):
                budget.weigh(argument)
    else:
        _pay_for_collection(receiver, name, arguments, keywords, budget)
    if isinstance(receiver, list) and name == "sort":
        return _sort(receiver, *arguments, **keywords)
    function: Callable[..., Any] = getattr(str if isinstance(receiver, str) else receiver, name)
    result = (
        function(receiver, *arguments, **keywords) if isinstance(receiver, str) else function(*arguments, **keywords)
    )
    return list(result) if name in ("items", "keys", "values") else result


def _sort(receiver: list[Any], *, reverse: bool = False) -> None:
    receiver.sort(reverse=reverse)


def _of_placeholder(receiver: Placeholder, name: str) -> Any:
    if name == "split":
        return [Placeholder(), Placeholder()]
    if name == "startswith":
        return False
    if name == "get":
        return receiver
    return [(receiver, receiver)] if name == "items" else [receiver]


def _pay_for_text(receiver: str, name: str, arguments: list[Any], keywords: dict[str, Any], budget: Budget) -> None:
    sizes = sum(len(argument) for argument in arguments if isinstance(argument, str))
    budget.spend(len(receiver) + sizes)
    if name == "join":
        _pay_for_join(receiver, arguments, budget)
    elif name == "replace":
        _pay_for_replace(receiver, arguments, budget)
    elif name in _PADDING or name == "expandtabs":
        widths = [value for value in (*arguments, *keywords.values()) if isinstance(value, int)]
        budget.spend(max([0, *widths]) * (receiver.count("\t") + 1))
    elif name in _FROM_RIGHT:
        budget.spend(len(receiver) * (sizes + 1))
    if "split" in name:
        budget.step(len(receiver) // 8)


def _pay_for_join(receiver: str, arguments: list[Any], budget: Budget) -> None:
    if arguments and isinstance(arguments[0], (list, tuple, set, dict)):
        budget.make(len(arguments[0]))
        total = sum(len(each) + len(receiver) for each in arguments[0] if isinstance(each, str))
        budget.spend(total)


def _pay_for_replace(receiver: str, arguments: list[Any], budget: Budget) -> None:
    if len(arguments) >= 2 and isinstance(arguments[0], str) and isinstance(arguments[1], str):
        budget.spend(receiver.count(arguments[0]) * max(0, len(arguments[1])))


def _pay_for_collection(
    receiver: Any, name: str, arguments: list[Any], keywords: dict[str, Any], budget: Budget
) -> None:
    if name == "pop" and isinstance(receiver, list):
        budget.spend(len(receiver))
        return
    rounds = max(1, len(receiver).bit_length()) if name == "sort" else 1
    for _ in range(rounds):
        budget.weigh(receiver)
    for argument in (*arguments, *keywords.values()):
        budget.weigh(argument)
        if isinstance(argument, (list, tuple, set, dict, str)):
            budget.make(len(argument))
