"""Table engines: from the ``engine`` and ``engine_*`` parameters to the end of a CREATE TABLE.

Pure: which options an engine has, which it needs, and what is taken when none are given (``datasources.md``
section 7). Expressions in the options are the user's text; `TableEngine.expressions` lists them so that the service can
have each checked by the engine's parser and put the checked text in with `TableEngine.clause`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .type_names import FLOATS, SMALL_INTEGERS, WIDE_INTEGERS, split_commas, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .schema import Column


class TableEngineError(ValueError):
    """The engine parameters are wrong; the message is a sentence for the user."""


@dataclass(frozen=True)
class _Kind:
    """What one engine takes: *required* and *optional* own options in the order of its arguments."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    needs_sorting_key: bool = False
    merge_tree: bool = True


ENGINES: dict[str, _Kind] = {
    "MergeTree": _Kind(),
    "ReplacingMergeTree": _Kind(optional=("ver", "is_deleted"), needs_sorting_key=True),
    "SummingMergeTree": _Kind(optional=("columns",)),
    "AggregatingMergeTree": _Kind(),
    "CollapsingMergeTree": _Kind(required=("sign",), needs_sorting_key=True),
    "VersionedCollapsingMergeTree": _Kind(required=("sign", "version")),
    "Null": _Kind(merge_tree=False),
}

#: Options of the whole MergeTree family, in the order of the clauses.
_COMMON = ("partition_key", "primary_key", "sorting_key", "sampling_key", "ttl")
_CLAUSES = {
    "partition_key": "PARTITION BY",
    "primary_key": "PRIMARY KEY",
    "sorting_key": "ORDER BY",
    "sampling_key": "SAMPLE BY",
    "ttl": "TTL",
}

#: Settings of a table that a user may choose: those that shape it and reach nothing outside of it.
_SETTING_RE = re.compile(
    r"(index_granularity|index_granularity_bytes|min_bytes_for_wide_part|min_rows_for_wide_part|ttl_only_drop_parts"
    r"|merge_with_ttl_timeout|allow_nullable_key|max_partitions_to_read|deduplicate_merge_projection_mode"
    r"|parts_to_delay_insert|parts_to_throw_insert)\s*=\s*(\d+|'[a-z_]*')"
)


@dataclass(frozen=True)
class TableEngine:
    """A chosen engine.

    Attributes:
        name: one of `ENGINES`.
        options: option without ``engine_`` to its text; only those that are set.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_merge_tree(self) -> bool:
        """Whether it stores rows (all but Null)."""
        return ENGINES[self.name].merge_tree

    @property
    def keeps_every_row(self) -> bool:
        """Whether every inserted row is in the table afterwards: no merging by key, no TTL."""
        return self.name == "MergeTree" and "ttl" not in self.options

    def expressions(self) -> dict[str, str]:
        """Return the options which are expressions over columns."""
        return {option: self.options[option] for option in _COMMON if option in self.options}

    def clause(self, checked: Mapping[str, str], quote: Callable[[str], str]) -> str:
        """Return the SQL from ``ENGINE =`` on.

        Args:
            checked: the expressions, as the engine's parser wrote them back.
            quote: quotes a column name.
        """
        kind = ENGINES[self.name]
        own = [self.options[option] for option in (*kind.required, *kind.optional) if option in self.options]
        if self.name == "SummingMergeTree" and own:
            arguments = "(" + ", ".join(quote(column) for column in column_list(own[0])) + ")"
        else:
            arguments = ", ".join(quote(column) for column in own)
        parts = [f"ENGINE = {self.name}({arguments})" if kind.merge_tree else f"ENGINE = {self.name}"]
        parts += [f"{_CLAUSES[option]} {checked[option]}" for option in _COMMON if option in checked]
        if self.options.get("settings"):
            parts.append(f"SETTINGS {self.options['settings']}")
        return " ".join(parts)

    def description(self) -> dict[str, str]:
        """Return the ``engine`` object of the API."""
        return {"engine": self.name, **{f"engine_{option}": text for option, text in self.options.items()}}


def table_engine(parameters: Mapping[str, str], columns: Sequence[Column]) -> TableEngine:
    """Choose the engine that the parameters of a request ask for.

    Args:
        parameters: all parameters; only ``engine`` and ``engine_*`` are looked at.
        columns: of the new Data Source.

    Raises:
        TableEngineError: unsupported engine or option, missing option, unknown column.
    """
    wanted = parameters.get("engine") or "MergeTree"
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*\))?\s*", wanted)
    name = next((each for each in ENGINES if match and each.lower() == match[1].lower()), None)
    if name is None:
        raise TableEngineError(f"Engine {wanted} is not supported, supported engines include: {', '.join(ENGINES)}")
    kind = ENGINES[name]
    allowed = (*kind.required, *kind.optional, *((*_COMMON, "settings") if kind.merge_tree else ()))
    options: dict[str, str] = {}
    for key, value in parameters.items():
        if not key.startswith("engine_") or not value.strip():
            continue
        option = key[len("engine_") :]
        if option not in allowed:
            raise TableEngineError(f"{key} is not a valid option for the engine {name}")
        options[option] = value.strip().strip('"')
    return TableEngine(name, _checked(name, kind, options, columns))


def _checked(name: str, kind: _Kind, options: dict[str, str], columns: Sequence[Column]) -> dict[str, str]:
    names = {column.name for column in columns}
    for option in kind.required:
        if option not in options:
            raise TableEngineError(f"Missing required parameter '{option}' for the engine {name}")
    if kind.needs_sorting_key and options.get("sorting_key", "tuple()") in ("tuple()", "()"):
        raise TableEngineError(f"Missing required option 'sorting_key' for the engine {name}")
    if "is_deleted" in options and "ver" not in options:
        raise TableEngineError("engine_is_deleted needs engine_ver")
    for option in (*kind.required, *kind.optional):
        for column in column_list(options.get(option, "")):
            if column not in names:
                raise TableEngineError(f"'{column}' column is not present in schema (engine_{option})")
    if kind.merge_tree and "sorting_key" not in options:
        options["sorting_key"] = default_sorting_key(columns)
    for setting in split_commas(options.get("settings", "")):
        if setting and not _SETTING_RE.fullmatch(setting):
            raise TableEngineError(f"engine_settings: {setting!r} is not a setting that a Data Source can have")
    if "columns" in options:
        options["columns"] = ", ".join(column_list(options["columns"]))
    return options


def column_list(text: str) -> list[str]:
    """Read ``a, b`` or ``(a, b)``, names with or without backticks."""
    inner = text.strip()
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1]
    return [each.strip().strip("`") for each in inner.split(",") if each.strip()]


def default_sorting_key(columns: Sequence[Column]) -> str:
    """Pick a sorting key as the service does when none is given: a time, then a number, then a text column.

    The first column of the first of these kinds is taken; ``tuple()`` when there is none. Nullable columns cannot
    be in a key, computed ones are left out.

    Example:
        >>> default_sorting_key([Column("n", "Int32"), Column("at", "DateTime")])
        '`at`'
    """
    integers = SMALL_INTEGERS + WIDE_INTEGERS
    for families in (("DateTime", "DateTime64"), ("Date", "Date32"), integers + FLOATS, ("String", "LowCardinality")):
        for column in columns:
            family = type_name(column.type).family
            decimal = families[0] == integers[0] and family.startswith("Decimal")
            if (family in families or decimal) and not column.nullable and "Nullable" not in column.type:
                return f"`{column.name}`"
    return "tuple()"
