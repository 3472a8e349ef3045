"""The schema of a Data Source while somebody edits it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tinymagic.api.reading import mapping
from tinymagic.frames.syntax import UnknownType
from tinymagic.frames.types import parse_type
from tinymagic.names import name_problem, near_names
from tinymagic.notebook.sql_completion.words import types
from tinymagic.widgets.models.table_engines import (
    ENGINES,
    OPTION_LABELS,
    TableEngine,
    suggested_keys,
    suggested_partitions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        if self.nullable and text.startswith(("Array(", "Map(", "Tuple(", "LowCardinality(Array(")):
            return f"{text} cannot be Nullable."
        if "`" in self.path or "`" in self.name:
            return "Its name has a backtick, which no schema can say: leave this column out."
        return ""

    @property
    def is_nullable(self) -> bool:
        """Whether it takes NULL, however that is written."""
        return self.nullable or self.type.startswith(("Nullable(", "LowCardinality(Nullable("))

    @property
    def whole_type(self) -> str:
        """The type with ``Nullable`` in its place.

        Example:
            >>> DraftColumn("c", "LowCardinality(String)", nullable=True).whole_type
            'LowCardinality(Nullable(String))'
        """
        text = self.type.strip()
        if not self.nullable or text.startswith(("Nullable(", "LowCardinality(Nullable(")):
            return text
        inner = text.removeprefix("LowCardinality(")
        return f"Nullable({text})" if inner == text else f"LowCardinality(Nullable({inner})"

    @property
    def definition(self) -> str:
        """Its part of the schema string."""
        path = f" `json:{self.path}`" if self.path else ""
        return f"`{self.name}` {self.whole_type}{path}"


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
        engine: one of `tinymagic.widgets.models.table_engines.ENGINES`.
        sorting_key: columns with commas; empty for none.
        partition_key: an expression; empty for none.
        ttl: an expression; empty for none.
        options: further ones of the engine, without ``engine_``; those that it does not have are kept, and not sent.
        by_place: whether the file has no names of columns, so that their places tell which is which.
    """

    columns: tuple[DraftColumn, ...] = ()
    engine: str = "MergeTree"
    sorting_key: str = ""
    partition_key: str = ""
    ttl: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    by_place: bool = False

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
        partition = next(iter(suggested_partitions(columns)), "")
        dialect = mapping(analysis.raw.get("dialect"))
        return cls(
            columns,
            sorting_key=suggested_keys(columns)[0],
            partition_key=partition,
            by_place=dialect.get("has_header") is False,
        )

    @property
    def schema(self) -> str:
        """The schema string, one column a line."""
        return ",\n".join(each.definition for each in self.included)

    @property
    def included(self) -> tuple[DraftColumn, ...]:
        """The columns that the Data Source gets."""
        return tuple(each for each in self.columns if each.included)

    @property
    def kind(self) -> TableEngine:
        """What the engine needs and takes."""
        return ENGINES.get(self.engine, ENGINES["MergeTree"])

    @property
    def engine_fields(self) -> dict[str, str]:
        """The ``engine...`` parameters of the API, those that say something."""
        keys = {"sorting_key": self.sorting_key, "partition_key": self.partition_key, "ttl": self.ttl}
        given = {**(keys if self.kind.keys else {}), **{name: self.options.get(name, "") for name in self.kind.options}}
        said = {f"engine_{name}": value.strip() for name, value in given.items() if value.strip()}
        return {"engine": self.engine, **said}

    def with_column(self, place: int, **changes: object) -> SchemaDraft:
        """Return the draft with another column at *place*."""
        columns = list(self.columns)
        changed = replace(columns[place], **changes)  # type: ignore[arg-type]
        written = _NULLABLE_RE.fullmatch(changed.type.strip())
        # Written by hand it is the same as ticked.
        columns[place] = replace(changed, type=written[1], nullable=True) if written and "type" in changes else changed
        return replace(self, columns=tuple(columns))

    def problems(self, name: str) -> list[str]:
        """Return what is wrong, in sentences; *name* is that of the new Data Source."""
        found = [problem for problem in [name_problem(name) if name else "Give the Data Source a name."] if problem]
        if not self.included:
            found.append("Keep at least one column.")
        found += [f"Column {each.name}: {each.problem}" for each in self.included if each.problem]
        return found + self.table_problems()

    def table_problems(self) -> list[str]:
        """Return what is wrong with the engine, its keys and its options, in sentences."""
        known = {each.name: each for each in self.included}
        found = []
        if self.by_place and len(known) < len(self.columns):
            found.append("The file has no names of columns, only their places, so that none can be left out.")
        if self.kind.keys:
            key = self.sorting_key.strip()
            if self.kind.key_needed and key in ("", "tuple()"):
                found.append(f"{self.engine} needs a sorting key: rows with the same one are one.")
            for part in (part.strip(" `()") for part in key.split(",")):
                if part.isidentifier() and part not in known and key != "tuple()":
                    found.append(f"The sorting key names {part}, which is no column.")
                elif part in known and known[part].is_nullable:
                    found.append(f"The sorting key cannot have {part}: it is Nullable.")
            for what, expression in (("partition key", self.partition_key), ("TTL", self.ttl)):
                gone = [each.name for each in self.columns if not each.included and _names(expression, each.name)]
                found += [f"The {what} names {name}, which is left out." for name in gone]
        for name in self.kind.options:
            value = self.options.get(name, "").strip()
            if not value and name in self.kind.needs:
                found.append(f"{self.engine} needs a {OPTION_LABELS[name].lower()}.")
            gone = [part.strip(" `") for part in value.split(",") if value and part.strip(" `") not in known]
            found += [f"{OPTION_LABELS[name]}: {part} is no column." for part in gone]
        return found


_NULLABLE_RE = re.compile(r"Nullable\(([^()]+(?:\([^()]*\))?)\)")


def _names(expression: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?!\w)", expression) is not None
