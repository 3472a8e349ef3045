"""The helper functions of the language, and the table of all its functions (``templating.md`` sections 4 to 7).

A function gets values; a parameter that was not given is ``None``, in checking mode a `Placeholder`. What a function
tells the server beside the SQL (settings, secrets) it writes into a `Notes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import dates
from .arrays import array
from .errors import TEMPLATES_PAGE, CustomErrorCalled, ErrorCalled, syntax_error
from .escaping import comment_text, escape_identifier, escape_string, quote_identifier, unescape
from .types import SCALAR_TYPES, boolean, json_value, scalar_function
from .values import Expression, Placeholder, Symbol, as_sql, is_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from .budget import Budget

_OPERATORS = {"in": "in", "not_in": "not in", "gt": ">", "lt": "<", "gte": ">=", "lte": "<="}
_CACHE_TTLS = ("5s", "1m", "5m", "30m", "1h")
_ACTIVATE = frozenset({"analyzer", "parallel_replicas", "optimize_aggregation_in_order"})
_DISABLE = "analyzer"

#: An aggregate function, with parameters or without: ``sum``, ``quantile(0.5)``.
_AGGREGATE_RE = re.compile(r"[A-Za-z_]\w*(\([\w\s.,]*\))?")
_PLAIN_NAME_RE = re.compile(r"[\w.]+")
#: Secrets become query parameters of ClickHouse, whose names are words.
_SECRET_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What may stand around a symbol; anything else could be SQL out of a parameter.
_QUOTES = ("", "`", '"', "'")
_CANNOT_SPLIT = (
    "First argument of split_to_array has to be a value that can be split to a list of elements, "
    "but found a PlaceHolder with no value instead"
)


@dataclass
class Notes:
    """What a rendering tells beside the SQL.

    Attributes:
        settings: ``max_threads`` (int), ``cache_ttl``, ``backend_hint``, ``disable`` (text), ``activate`` (frozenset).
        secrets: names of secrets that the SQL uses.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)


class Functions:
    """The functions of one rendering.

    Args:
        budget: what the work of long texts is paid from.
        has_secret: says whether the workspace has a secret.
        checking: whether the template is only checked: secrets need not exist, ``error()`` is mute.
    """

    def __init__(self, budget: Budget, has_secret: Callable[[str], bool], *, checking: bool) -> None:
        self._budget = budget
        self._has_secret = has_secret
        self._checking = checking
        self.notes = Notes()

    def table(self) -> dict[str, Callable[..., Any]]:
        """Return all functions by name, each of which pays for reading its arguments."""
        bound = {name: getattr(self, f"_{name}") for name in _BOUND}
        return {name: self._paid(name, function) for name, function in {**_PURE, **bound}.items()}

    def _paid(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            for argument in (*arguments, *keywords.values()):
                # Reading, escaping and writing a text takes several passes.
                self._budget.spend(3 * self._budget.weigh(argument))
                if name in _SPLITTING and isinstance(argument, str):
                    self._budget.step(len(argument) // 4)
            return function(*arguments, **keywords)

        return call

    def _error(self, message: Any, *_: Any) -> Expression:
        if self._checking:
            return Expression("-- {x} \n")
        raise ErrorCalled(str(message))

    def _custom_error(self, message: Any, code: Any = 400) -> Expression:
        if self._checking:
            return Expression("-- {x} \n")
        raise CustomErrorCalled(message, int(code))

    def _tb_secret(self, name: Any, default: Any = None) -> Any:
        known = isinstance(name, str) and _SECRET_RE.fullmatch(name) is not None
        if known and (self._has_secret(name) or (self._checking and default is None)):
            if name not in self.notes.secrets:
                self.notes.secrets.append(name)
            return Symbol(f"{{{name}: String}}")
        if default is not None:
            return default
        text = "Check the secret exists in the Workspace and the token has the required scope."
        raise syntax_error(f"Cannot access secret '{name}'. {text}", None)

    def _tb_var(self, name: Any, default: Any = None) -> Any:
        return self._tb_secret(name, default)

    def _max_threads(self, threads: Any) -> Expression:
        try:
            count = int(threads)
        except (TypeError, ValueError, OverflowError):
            return Expression("-- max_threads: wrong argument\n")
        return self._setting("max_threads", count, count)

    def _backend_hint(self, hint: Any) -> Expression:
        cleared = hint is None or hint is False
        return self._setting("backend_hint", None if cleared else str(hint), hint)

    def _cache_ttl(self, ttl: Any) -> Expression:
        if ttl not in _CACHE_TTLS:
            raise syntax_error(f"Invalid TTL cache expression, valid expressions are {_CACHE_TTLS}", None)
        return self._setting("cache_ttl", ttl, ttl)

    def _activate(self, feature: Any) -> Expression:
        if feature not in _ACTIVATE:
            raise syntax_error(f"'{feature}' is not a valid 'activate' argument", None)
        return self._setting("activate", self.notes.settings.get("activate", frozenset()) | {feature}, feature)

    def _disable(self, feature: Any) -> Expression:
        if feature not in _DISABLE:
            raise syntax_error(f"'{feature}' is not a valid 'disable' argument", None)
        return self._setting("disable", feature, feature)

    def _setting(self, name: str, value: Any, shown: Any) -> Expression:
        self.notes.settings[name] = value
        return Expression(f"-- {name} {comment_text(str(shown))}\n")


def defined(x: Any = None) -> bool:
    """``defined``: whether the parameter was given, even if empty."""
    return not is_missing(x)


def column(x: Any, default: Any = None) -> Symbol:
    """``column``: a name between backticks, whose dots separate its parts."""
    value = default if is_missing(x) else x
    if value is None:
        text = "Missing column() default value, use `column(column_name, 'default_column_name')`"
        raise syntax_error(text, f"{TEMPLATES_PAGE}#column")
    return Symbol(quote_identifier(_translatable(value)))


def columns(x: Any, default: Any = None, fn: Any = None) -> Expression:
    """``columns``: a comma list of names, each within the aggregate function *fn* if there is one."""
    page = f"{TEMPLATES_PAGE}#columns"
    value = default if is_missing(x) else x
    if value is None:
        text = "Missing columns() default value, use `columns(column_names, 'default_column_name')`"
        raise syntax_error(text, page)
    if not isinstance(value, str):
        raise syntax_error("The 'columns' function expects a String not an Array", page)
    names = [name.strip() for name in value.split(",")]
    if not fn:
        return Expression(",".join(map(quote_identifier, names)))
    if not isinstance(fn, str) or not _AGGREGATE_RE.fullmatch(fn):
        raise syntax_error("The 'fn' of the 'columns' function has to be the name of a function", page)
    return Expression(",".join(f"{fn}({quote_identifier(name)}) as {_alias(name)}" for name in names))


def _alias(name: str) -> str:
    return name if _PLAIN_NAME_RE.fullmatch(name) else f"`{escape_identifier(name)}`"


def symbol(x: Any, quote: Any = "`") -> Symbol:
    """``symbol``: a name between *quote*, dots and all."""
    if isinstance(x, Placeholder):
        return Symbol("`placeholder`")
    if isinstance(quote, str) and quote not in _QUOTES:
        raise syntax_error("The 'quote' of the 'symbol' function has to be a quote or empty")
    return Symbol(quote + escape_identifier(_translatable(x)) + quote)


def table(x: Any, _: Any = None) -> Symbol:
    """``table``: a name without quotes. Who runs the SQL must look at the names it reads."""
    if isinstance(x, Placeholder):
        return Symbol("placeholder")
    return Symbol(escape_identifier(_translatable(x)))


def _translatable(value: Any) -> str:
    if not isinstance(value, str):
        raise AttributeError(f"'{type(value).__name__}' object has no attribute 'translate'")
    return value


def sql_and(*_: Any, **conditions: Any) -> Expression:
    """``sql_and``: the conditions that have a value, joined with ``and``."""
    written = [_condition(name, value) for name, value in conditions.items() if value is not None]
    return Expression(" and ".join(written))


def _condition(argument: str, value: Any) -> str:
    if not argument.isidentifier():
        # Only an unpacked dictionary can get here, whose keys may be a parameter's.
        raise syntax_error(f"'{argument}' is not a valid name", f"{TEMPLATES_PAGE}#sql_and")
    name, separator, word = argument.rpartition("__")
    if not separator:
        return f"{argument} = {as_sql(value)}"
    if word not in _OPERATORS:
        raise syntax_error(f"operand {word} not supported", f"{TEMPLATES_PAGE}#sql_and")
    return f"{name} {_OPERATORS[word]} {as_sql(value)}"


def split_to_array(x: Any, default: Any = "", separator: Any = ",") -> list[str]:
    """``split_to_array``: the trimmed pieces of a text."""
    value = default if is_missing(x) else x
    if not isinstance(value, str):
        raise syntax_error(_CANNOT_SPLIT, f"{TEMPLATES_PAGE}#split_to_array")
    return [piece.strip() for piece in value.split(separator)]


def enumerate_with_last(arr: Any) -> list[tuple[bool, Any]]:
    """``enumerate_with_last``: pairs of "is it the last one" and the member."""
    if not isinstance(arr, (str, list, tuple, set, dict)):
        raise TypeError(f"object of type '{type(arr).__name__}' has no len()")
    return [(index == len(arr), member) for index, member in enumerate(arr, 1)]


def sql_unescape(text: Any, what: Any = "") -> Expression:
    """``sql_unescape``: a quoted text in which *what* is not escaped, for instance ``%`` within LIKE."""
    escaped = escape_string(_translatable(text))
    if not isinstance(what, str):
        raise TypeError(f"argument of type '{type(what).__name__}' is not iterable")
    return Expression(f"'{unescape(escaped, what)}'")


_PURE: dict[str, Callable[..., Any]] = {
    **{name: scalar_function(name) for name in SCALAR_TYPES},
    "Boolean": boolean,
    "JSON": json_value,
    "Array": array,
    "defined": defined,
    "column": column,
    "columns": columns,
    "symbol": symbol,
    "table": table,
    "TABLE": table,
    "sql_and": sql_and,
    "split_to_array": split_to_array,
    "enumerate_with_last": enumerate_with_last,
    "sql_unescape": sql_unescape,
    "day_diff": dates.day_diff,
    "date_diff_in_days": dates.date_diff_in_days,
    "date_diff_in_hours": dates.date_diff_in_hours,
    "date_diff_in_minutes": dates.date_diff_in_minutes,
    "date_diff_in_seconds": dates.date_diff_in_seconds,
}
_BOUND = (
    "error",
    "custom_error",
    "tb_secret",
    "tb_var",
    "max_threads",
    "backend_hint",
    "cache_ttl",
    "activate",
    "disable",
)

#: Functions that make many pieces of one text.
_SPLITTING = ("Array", "split_to_array", "columns", "column")

#: Names of all functions of the language.
FUNCTION_NAMES = frozenset(_PURE) | frozenset(_BOUND)
