"""What a query cost, against the last time the same cell ran."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tinymagic.sqltext import meaningful

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: So many cells are remembered.
_MOST = 50

#: Texts whose words are alike to this part are versions of one cell, where nothing says which cell ran.
_ALIKE = 0.6

#: Texts of more words are not compared: it would take longer than the query.
_MOST_WORDS = 2_000

#: Less than this is no difference worth a line.
_LEAST_FACTOR = 1.5


class Runs:
    """What the cells of a session read when they ran last."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[list[str], Mapping[str, Any]]] = OrderedDict()

    def compared(self, shell: Any, sql: str, facts: Mapping[str, Any]) -> str | None:
        """Remember a run; return how it compares with the last one of the same cell, ``None`` for no difference.

        Front ends tell which cell runs. Where they do not, in a terminal, the last text of much the same words counts.

        Args:
            shell: the running IPython.
            sql: the cell's text.
            facts: of the rows, with ``statistics`` where the service gave any.
        """
        statistics = facts.get("statistics") or {}
        if "rows_read" not in statistics or facts.get("cached_at"):
            return None
        words = [token.text for token in meaningful(sql)][:_MOST_WORDS]
        key = _cell_id(shell) or self._alike(words)
        before = self._last.pop(key, None) if key else None
        self._last[key or f"text {len(self._last)} {id(words)}"] = (words, statistics)
        while len(self._last) > _MOST:
            self._last.popitem(last=False)
        return comparison(before[1], statistics) if before is not None else None

    def _alike(self, words: Sequence[str]) -> str | None:
        """Return the key of the latest run whose text is much the same."""
        matcher = difflib.SequenceMatcher(autojunk=False)
        matcher.set_seq2(list(words))
        for key, (others, _) in reversed(self._last.items()):
            matcher.set_seq1(others)
            if matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE:
                return key
        return None


def _cell_id(shell: Any) -> str | None:
    """Return the front end's name of the running cell, ``None`` where it does not tell."""
    parent = getattr(shell, "parent_header", None) or {}
    metadata = parent.get("metadata") if isinstance(parent, dict) else None
    found = metadata.get("cellId") if isinstance(metadata, dict) else None
    return f"cell {found}" if found else None


def comparison(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Say how much more or less was read than before, ``None`` when it is about the same.

    Args:
        before: statistics of the earlier run: ``rows_read``, ``bytes_read``.
        now: of this one.

    Example:
        >>> comparison({"rows_read": 87_000, "bytes_read": 9}, {"rows_read": 1_000, "bytes_read": 9})
        '87x fewer rows read than in the last run'
    """
    for unit, what, less in (("rows_read", "rows read", "fewer"), ("bytes_read", "bytes read", "fewer")):
        earlier, later = float(before.get(unit) or 0), float(now.get(unit) or 0)
        if min(earlier, later) <= 0 or max(earlier, later) / min(earlier, later) < _LEAST_FACTOR:
            continue
        factor = max(earlier, later) / min(earlier, later)
        shown = f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}".removesuffix(".0")
        return f"{shown}x {less if later < earlier else 'more'} {what} than in the last run"
    return None
