"""What the engine's plan of a query says about reading: which tables, and how much the indexes leave out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.notebook.display import count_of, human_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Rows of a granule, where a table does not say otherwise.
GRANULE_ROWS = 8_192


@dataclass
class IndexUse:
    """What one index of a table leaves to be read.

    Attributes:
        kind: ``PrimaryKey``, ``MinMax``, ``Partition``, ``Skip``.
        keys: columns of it that the condition uses.
        condition: as the engine understood it; ``true`` when it leaves nothing out.
        granules: that are left, and that there were before.
    """

    kind: str
    keys: list[str] = field(default_factory=list)
    condition: str = ""
    granules: tuple[int, int] | None = None


@dataclass
class TableRead:
    """The reading of one table.

    Attributes:
        table: its name.
        granules: that are read.
        indexes: in the order in which they are used.
    """

    table: str
    granules: int | None = None
    indexes: list[IndexUse] = field(default_factory=list)

    @property
    def all_granules(self) -> int | None:
        """How many there are in the table, when an index tells."""
        return next((use.granules[1] for use in self.indexes if use.granules is not None), self.granules)


_SIGNS_RE = re.compile(r"^[\s│└├─]*")
_READ_RE = re.compile(r"ReadFrom\w*MergeTree\s*\((?P<table>[^)]*)\)")
_COUNT_RE = re.compile(r"Granules:\s*(?P<left>\d+)(?:/(?P<all>\d+))?")
_INDEX_KINDS = ("PrimaryKey", "MinMax", "Partition", "Skip", "Statistics")


def reads_of(plan: str) -> list[TableRead]:
    """Return the tables that a plan reads, in its order. What is written in another way is passed over.

    Args:
        plan: as ``EXPLAIN indexes = 1`` prints it, of any recent version of ClickHouse.

    Example:
        >>> text = '''ReadFromMergeTree (default.t)
        ...   Parts: 1 | Granules: 3
        ...   Indexes:
        ...     PrimaryKey
        ...       Keys:
        ...         day
        ...       Condition: (day in [19726, +Inf))
        ...       Granules: 3/6'''
        >>> reads_of(text)[0].granules, reads_of(text)[0].indexes[0].keys, reads_of(text)[0].all_granules
        (3, ['day'], 6)
    """
    found: list[TableRead] = []
    in_keys = in_indexes = False
    for raw in plan.splitlines():
        line = raw[_SIGNS_RE.match(raw).end() :].strip()  # type: ignore[union-attr] # It matches the empty text too.
        read = _READ_RE.search(line)
        if read:
            found.append(TableRead(read["table"].split(".")[-1].strip("`")))
            in_keys = in_indexes = False
            continue
        if not found:
            continue
        table = found[-1]
        if line == "Indexes:":
            in_indexes = True
        elif in_indexes and line.split(":")[0] in _INDEX_KINDS and len(line.split()) == 1:
            table.indexes.append(IndexUse(line.rstrip(":")))
            in_keys = False
        elif in_indexes and table.indexes:
            in_keys = _of_index(table, line, in_keys)
        else:
            count = _COUNT_RE.search(line)
            table.granules = int(count["left"]) if count else table.granules
    for table in found:
        if table.granules is None and table.indexes:
            left = [use.granules[0] for use in table.indexes if use.granules is not None]
            table.granules = left[-1] if left else None
    return found


def _of_index(table: TableRead, line: str, in_keys: bool) -> bool:
    """Read a line about the last index; return whether the next one may be a key."""
    use = table.indexes[-1]
    name, colon, rest = line.partition(":")
    count = _COUNT_RE.search(line)
    if count:
        use.granules = (int(count["left"]), int(count["all"] or count["left"]))
    elif colon and name == "Keys":
        use.keys += rest.split()
        return True
    elif colon and name == "Condition":
        use.condition = rest.strip()
    elif in_keys and not colon and line:
        use.keys.append(line)
        return True
    return False


@dataclass(frozen=True)
class TableFacts:
    """What is known of a table: rows and bytes that it has (``None`` when that is not known), and its sorting key."""

    rows: int | None = None
    bytes: int | None = None
    sorting_key: str = ""


def summary(reads: list[TableRead], tables: Mapping[str, TableFacts]) -> list[str]:
    """Say in sentences how much is expected to be read, and what leaves something out.

    Args:
        reads: of the plan.
        tables: facts by name; those that are missing are not known.
    """
    if not reads:
        return ["It reads no table with a sorting key."]
    lines = []
    for read in reads:
        facts = tables.get(read.table, TableFacts())
        lines.append(f"{read.table}: {_expected(read, facts)}")
        lines += [f"  {sentence}" for sentence in _pruning(read, facts)]
    return lines


def _expected(read: TableRead, facts: TableFacts) -> str:
    whole = read.all_granules
    if read.granules is None:
        return "how much is read is not known"
    share = read.granules / whole if whole else 1.0
    rows = read.granules * GRANULE_ROWS if facts.rows is None else min(facts.rows, read.granules * GRANULE_ROWS)
    if facts.rows is not None and read.granules == whole:
        rows = facts.rows
    text = f"about {count_of(rows, 'row')}"
    if facts.rows is not None:
        text += f" of {facts.rows:,}"
        share = rows / facts.rows if facts.rows else 1.0
    if facts.bytes is not None:
        # Of all columns; which of them the query needs decides the rest.
        text += f", at most {human_bytes(facts.bytes * share)}"
    return f"reads {text} ({read.granules:,} of {whole:,} granules)" if whole else f"reads {text}"


def _pruning(read: TableRead, facts: TableFacts) -> list[str]:
    sentences = []
    for use in read.indexes:
        if use.granules is None:
            continue
        left, before = use.granules
        keys = ", ".join(use.keys) or "no column of it"
        name = {"PrimaryKey": "The sorting key", "MinMax": "The partition's range", "Partition": "The partition key"}
        what = name.get(use.kind, f"The index ({use.kind})")
        if left < before:
            sentences.append(f"{what} ({keys}) leaves out {before - left:,} of {before:,} granules.")
        elif use.kind == "PrimaryKey" and before:
            sentences.append(f"{what} ({facts.sorting_key or keys}) leaves nothing out: {_advice(facts, use)}")
    if not any(use.kind == "PrimaryKey" for use in read.indexes) and facts.sorting_key:
        sentences.append(f"The sorting key ({facts.sorting_key}) is not used: {_advice(facts, None)}")
    return sentences


def _advice(facts: TableFacts, use: IndexUse | None) -> str:
    first = facts.sorting_key.split(",")[0].strip()
    used = use is not None and bool(use.keys) and use.condition not in ("", "true")
    if used and use is not None and (not first or first in use.keys):
        return "all rows may match."
    return f"no condition is on {first}, its first column." if first else "no condition is on its columns."
