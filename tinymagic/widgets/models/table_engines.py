"""The table engines that a Data Source may have, what each needs, and what is suggested for its keys. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.widgets.models.schema_draft import DraftColumn


@dataclass(frozen=True)
class TableEngine:
    """An engine (``datasources.md`` section 7).

    Attributes:
        needs: options that it cannot be without, as the API calls them, without ``engine_``.
        takes: options that it may have.
        key_needed: whether it must have a sorting key.
        keys: whether it has keys and a TTL at all.
    """

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    key_needed: bool = False
    keys: bool = True

    @property
    def options(self) -> tuple[str, ...]:
        """All its options."""
        return self.needs + self.takes


ENGINES = {
    "MergeTree": TableEngine(),
    "ReplacingMergeTree": TableEngine(takes=("ver", "is_deleted"), key_needed=True),
    "SummingMergeTree": TableEngine(takes=("columns",)),
    "AggregatingMergeTree": TableEngine(),
    "CollapsingMergeTree": TableEngine(needs=("sign",), key_needed=True),
    "VersionedCollapsingMergeTree": TableEngine(needs=("sign", "version"), key_needed=True),
    "Null": TableEngine(keys=False),
}

#: Option -> what it is, in words.
OPTION_LABELS = {
    "ver": "Version column",
    "is_deleted": "Deleted column",
    "columns": "Summed columns",
    "sign": "Sign column",
    "version": "Version column",
}


def suggested_keys(columns: Sequence[DraftColumn]) -> list[str]:
    """Return sorting keys, the best first: a word of few values and then a time; no key is one of them.

    Example:
        >>> from tinymagic.widgets.models.schema_draft import DraftColumn
        >>> suggested_keys([DraftColumn("at", "DateTime"), DraftColumn("city", "LowCardinality(String)")])[:2]
        ['city, at', 'at']
    """
    usable = [each for each in columns if not each.is_nullable]
    words = [each.name for each in usable if each.type.startswith("LowCardinality")]
    times = [each.name for each in usable if each.type.startswith("Date")]
    others = [each.name for each in usable if each.type in ("String", "UUID") or each.type.startswith(("Int", "UInt"))]
    found = [", ".join([*words[:1], *times[:1]])]
    found += times[:2]
    found += [f"{other}, {times[0]}" if times else other for other in others[:3]]
    return list(dict.fromkeys([*filter(None, found), "tuple()"]))


def suggested_partitions(columns: Sequence[DraftColumn]) -> list[str]:
    """Return partitions, the best first: by year is right for most.

    Example:
        >>> from tinymagic.widgets.models.schema_draft import DraftColumn
        >>> suggested_partitions([DraftColumn("at", "DateTime")])
        ['toYear(at)', 'toYYYYMM(at)']
    """
    return [f"{unit}({name})" for name in _times(columns) for unit in ("toYear", "toYYYYMM")]


def suggested_ttls(columns: Sequence[DraftColumn]) -> list[str]:
    """Return how long rows may be kept, by the times that they have.

    Example:
        >>> from tinymagic.widgets.models.schema_draft import DraftColumn
        >>> suggested_ttls([DraftColumn("day", "Date")])[0], suggested_ttls([DraftColumn("at", "DateTime64(3)")])[0]
        ('day + toIntervalDay(30)', 'toDateTime(at) + toIntervalDay(30)')
    """
    kinds = {each.name: each.type for each in columns}
    found = []
    for name in _times(columns):
        # A TTL is of type Date or DateTime; finer ones are refused.
        time = f"toDateTime({name})" if kinds[name].startswith("DateTime64") else name
        found += [f"{time} + toInterval{span}" for span in ("Day(30)", "Month(3)", "Year(1)")]
    return found


def _times(columns: Sequence[DraftColumn]) -> list[str]:
    return [each.name for each in columns if each.type.startswith("Date") and not each.is_nullable][:2]
