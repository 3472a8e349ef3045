"""The schema of a Data Source while somebody edits it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinymagic.frames.syntax import UnknownType
from tinymagic.frames.types import parse_type
from tinymagic.names import name_problem, near_names
from tinymagic.notebook.sql_completion.words import types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.api.analyze import Analysis

#: Types that are offered; any other that ClickHouse has can be written.
USUAL_TYPES = (
    "String",
    "LowCardinality(String)",
    "UUID",
    "Bool",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "Decimal(18, 2)",
    "Date",
    "DateTime",
    "DateTime64(3)",
    "Array(String)",
    "Array(Int64)",
    "Map(String, String)",
    "IPv4",
    "IPv6",
)

ENGINES = ("MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "CollapsingMergeTree", "Null")


@dataclass(frozen=True)
class DraftColumn:
    """A column as it stands in the editor.

    Attributes:
        name: in the Data Source.
        type: ClickHouse type, without ``Nullable``.
        nullable: whether it takes NULL.
        path: where it is in NDJSON or Parquet, ``$.user.id``; empty for CSV.
        included: whether the Data Source gets it.
        present: share of the rows that have a value, 0 to 1; ``None`` when nobody knows.
        samples: some of its values, as text.
    """

    name: str
    type: str
    nullable: bool = False
    path: str = ""
    included: bool = True
    present: float | None = None
    samples: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong with the type; empty when nothing is.

        Example:
            >>> DraftColumn("n", "Int32").problem, DraftColumn("n", "Strnig").problem
            ('', 'ClickHouse has no type Strnig. Did you mean String?')
        """
        text = self.type.strip()
        if not text:
            return f"{self.name} has no type."
        try:
            parse_type(text)
        except (UnknownType, ValueError):
            return f"{text!r} is not the name of a type."
        unknown = next((word for word in _type_names(text) if word not in types()), "")
        if unknown:
            near = near_names(unknown, list(types()))
            return f"ClickHouse has no type {unknown}." + (f" Did you mean {near[0]}?" if near else "")
        if self.nullable and text.startswith(("Array(", "Map(", "Tuple(", "Nullable(", "LowCardinality(")):
            return f"{text} cannot be Nullable."
        return ""

    @property
    def definition(self) -> str:
        """Its part of the schema string."""
        text = self.type.strip()
        whole = f"Nullable({text})" if self.nullable else text
        path = f" `json:{self.path}`" if self.path else ""
        return f"`{self.name}` {whole}{path}"


_QUOTED_RE = re.compile(r"'(?:[^'\\]|\\.)*'")
_TYPE_NAME_RE = re.compile(r"[A-Za-z_]\w*(?=\s*(?:[(,)]|$))")


def _type_names(text: str) -> list[str]:
    """Return the names of types in a type; none of one that names functions too."""
    return [] if "AggregateFunction" in text else _TYPE_NAME_RE.findall(_QUOTED_RE.sub("", text))


@dataclass(frozen=True)
class SchemaDraft:
    """All columns, and how the table is kept.

    Attributes:
        columns: in order.
        engine: of the MergeTree family, or ``Null``.
        sorting_key: columns with commas; empty for none.
        partition_key: an expression; empty for none.
        ttl: an expression; empty for none.
    """

    columns: tuple[DraftColumn, ...] = ()
    engine: str = "MergeTree"
    sorting_key: str = ""
    partition_key: str = ""
    ttl: str = ""

    @classmethod
    def of(cls, analysis: Analysis) -> SchemaDraft:
        """Begin with what the Analyze API has guessed; the keys are suggested from the types."""
        samples: dict[str, list[str]] = {}
        for row in analysis.preview[:20]:
            for name, value in row.items():
                if value is not None and len(samples.setdefault(name, [])) < 3:
                    samples[name].append(str(value))
        columns = tuple(
            DraftColumn(
                each.name,
                each.type,
                nullable=analysis.types.get(each.name, "").startswith("Nullable("),
                path=each.path,
                present=None if each.null_share is None else 1 - each.null_share,
                samples=tuple(dict.fromkeys(samples.get(each.name, ()))),
            )
            for each in analysis.columns
        )
        return cls(columns, sorting_key=suggested_key(columns), partition_key=suggested_partition(columns))

    @property
    def schema(self) -> str:
        """The schema string, one column a line."""
        return ",\n".join(each.definition for each in self.included)

    @property
    def included(self) -> tuple[DraftColumn, ...]:
        """The columns that the Data Source gets."""
        return tuple(each for each in self.columns if each.included)

    @property
    def engine_options(self) -> dict[str, str]:
        """Further ``engine_...`` parameters of the API."""
        return {"engine_ttl": self.ttl.strip()} if self.ttl.strip() else {}

    def with_column(self, place: int, **changes: object) -> SchemaDraft:
        """Return the draft with another column at *place*."""
        columns = list(self.columns)
        columns[place] = replace(columns[place], **changes)  # type: ignore[arg-type]
        return replace(self, columns=tuple(columns))

    def problems(self, name: str) -> list[str]:
        """Return what is wrong, in sentences; *name* is that of the new Data Source."""
        found = [problem for problem in [name_problem(name) if name else "Give the Data Source a name."] if problem]
        if not self.included:
            found.append("Keep at least one column.")
        found += [f"Column {each.name}: {each.problem}" for each in self.included if each.problem]
        known = {each.name: each for each in self.included}
        for part in (part.strip(" `") for part in self.sorting_key.split(",") if part.strip()):
            if part.isidentifier() and part not in known:
                found.append(f"The sorting key names {part}, which is no column.")
            elif part in known and known[part].nullable:
                found.append(f"The sorting key cannot have {part}: it is Nullable.")
        return found


def suggested_key(columns: Sequence[DraftColumn]) -> str:
    """Return columns that rows are often looked for by: a word of few values first, then a time.

    Example:
        >>> suggested_key([DraftColumn("at", "DateTime"), DraftColumn("city", "LowCardinality(String)")])
        'city, at'
    """
    usable = [each for each in columns if not each.nullable]
    words = [each.name for each in usable if each.type.startswith("LowCardinality")]
    times = [each.name for each in usable if each.type.startswith("Date")]
    others = [each.name for each in usable if each.type in ("String", "UUID") or each.type.startswith(("Int", "UInt"))]
    return ", ".join([*words[:1], *times[:1]] or others[:1])


def suggested_partition(columns: Sequence[DraftColumn]) -> str:
    """Return a partition by year of the first time, which is right for most; empty without a time."""
    times = [each.name for each in columns if each.type.startswith("Date") and not each.nullable]
    return f"toYear({times[0]})" if times else ""
