"""What the Data Sources API answers, as values: a Data Source with its columns, and what became of an import. Pure.

Tolerant: a key that is missing is empty, one of another type is read as what it means or left out, and the whole reply
stays in ``raw``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tinymagic.api.reading import count, frozen, mapping, mappings, names, text

#: The first step of a jsonpath: ``.name`` or ``['name']``.
_FIRST_KEY_RE = re.compile(r"""\.([^.\[\]]+)|\['([^']*)'\]|\["([^"]*)"\]""")

Mode: TypeAlias = Literal["create", "append", "replace"]


@dataclass(frozen=True)
class Column:
    """A column of a Data Source.

    Attributes:
        name: of the column.
        type: ClickHouse type, without ``Nullable``.
        nullable: whether it takes NULL.
        default: with its keyword, for instance ``DEFAULT 13``; or ``None``.
        jsonpath: for instance ``$.user.id``, or ``None``.
        codec: for instance ``CODEC(ZSTD)``, or ``None``.
    """

    name: str
    type: str
    nullable: bool = False
    default: str | None = None
    jsonpath: str | None = None
    codec: str | None = None

    @property
    def source_key(self) -> str:
        """The key of a row, or the column of a table, that fills it: where its jsonpath begins, else its own name.

        ``""`` for the path of the whole row.

        Example:
            >>> Column("user_id", "String", jsonpath="$.user.id").source_key
            'user'
        """
        if self.jsonpath is None:
            return self.name
        path = self.jsonpath.removeprefix("json:").removeprefix("$")
        found = _FIRST_KEY_RE.match(path)
        return next(filter(None, found.groups()), "") if found else ""

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Column:
        """Read one member of ``columns``."""
        return cls(
            name=text(described.get("name")),
            type=text(described.get("type")),
            nullable=bool(described.get("nullable")),
            default=text(described.get("default_value")) or None,
            jsonpath=text(described.get("jsonpath")) or None,
            codec=text(described.get("codec")) or None,
        )


@dataclass(frozen=True)
class Statistics:
    """Size of a Data Source; ``None`` for what the service does not say.

    Attributes:
        bytes: on disk.
        row_count: rows.
    """

    bytes: int | None = None
    row_count: int | None = None


@dataclass(frozen=True)
class DataSource:
    """A Data Source as the service describes it. What it does not say is empty or ``None``; `raw` has all of it.

    Attributes:
        id: ``t_`` and 32 hexadecimal digits.
        name: a shared one is called ``workspace.name``.
        columns: in order.
        engine: for instance ``{"engine": "MergeTree", "engine_sorting_key": "day"}``.
        statistics: bytes and rows.
        description: in words.
        created_at: as the service writes it, UTC, without a zone.
        updated_at: the same.
        quarantine_rows: rows in its quarantine, or ``None``.
        used_by: names of the Pipes that read it.
        schema: the schema string; only a single Data Source carries it, a list does not.
        type: where its rows come from, for instance ``csv`` or ``kafka``.
        raw: the whole description.
    """

    id: str
    name: str
    columns: tuple[Column, ...]
    engine: Mapping[str, Any]
    statistics: Statistics
    description: str
    created_at: str
    updated_at: str
    quarantine_rows: int | None
    used_by: tuple[str, ...]
    schema: str | None
    type: str
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> DataSource:
        """Read a description of any of the service's shapes; missing keys are empty."""
        size = mapping(described.get("statistics")) or mapping(described.get("stats"))
        schema = described.get("schema")
        columns = described.get("columns") or mapping(schema).get("columns")
        return cls(
            id=text(described.get("id")),
            name=text(described.get("name")),
            columns=tuple(Column.of(each) for each in mappings(columns)),
            engine=frozen(mapping(described.get("engine"))),
            statistics=Statistics(count(size.get("bytes")), count(size.get("row_count"))),
            description=text(described.get("description")),
            created_at=text(described.get("created_at")),
            updated_at=text(described.get("updated_at")),
            quarantine_rows=count(described.get("quarantine_rows")),
            used_by=names(described.get("used_by")),
            schema=text(schema if isinstance(schema, str) else mapping(schema).get("sql_schema")) or None,
            type=text(described.get("type")),
            raw=frozen(described),
        )


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows of one import. ``rows in = rows + quarantined + invalid_lines``.

    Attributes:
        rows: stored in the Data Source; ``None`` when the reply does not tell.
        quarantined: stored in its quarantine, because they do not fit the schema; ``None`` when not told.
        invalid_lines: lines that could not be read at all; ``None`` when not told.
        error: the service's sentence about rows that were not stored, or ``None``. It is no failure: the other rows
            *are* stored, and sending all again would store them twice.
        errors: the service's sentences about single rows.
        import_id: under which the quarantine knows this import, or ``None``.
        datasource: the Data Source as the reply describes it, or ``None``.
        raw: the whole reply.
        ignored_columns: columns of the DataFrame that the Data Source does not have, as far as the reply tells its own.
    """

    rows: int | None
    quarantined: int | None
    invalid_lines: int | None
    error: str | None
    errors: tuple[str, ...]
    import_id: str | None
    datasource: DataSource | None
    raw: Mapping[str, Any] = field(repr=False)
    ignored_columns: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the reply tells of no row that was not stored."""
        return not (self.error or self.quarantined or self.invalid_lines)

    def sentence(self) -> str:
        """Say in words what became of the rows.

        Example:
            >>> ImportReport(2, 1, 0, "wrong", (), None, None, {}).sentence()
            '2 rows stored, 1 row in quarantine. Do not send all of them again: the stored rows would be there twice.'
        """
        parts = [
            "the service did not tell how many rows were stored" if self.rows is None else _rows(self.rows, "stored")
        ]
        if self.quarantined:
            parts.append(_rows(self.quarantined, "in quarantine"))
        if self.invalid_lines:
            lines = "1 line" if self.invalid_lines == 1 else f"{self.invalid_lines:,} lines"
            parts.append(f"{lines} not readable")
        said = ", ".join(parts)
        told = self.quarantined or self.invalid_lines
        why = f" The service says: {self.error.rstrip('.')}." if self.error and not told else ""
        twice = " Do not send all of them again: the stored rows would be there twice."
        ignored = f" Not in the Data Source, so not stored: {', '.join(self.ignored_columns)}."
        return (
            f"{said[0].upper()}{said[1:]}.{why}"
            + (ignored if self.ignored_columns else "")
            + (twice if not self.complete and self.rows != 0 else "")
        )

    @classmethod
    def of(cls, reply: Mapping[str, Any], *, mode: Mode = "append") -> ImportReport:
        """Read the reply of an import (``datasources.md`` section 3.5).

        Args:
            reply: the JSON object.
            mode: of the import. Only after ``create`` and a whole ``replace`` are the rows of the Data Source those of
                the import.
        """
        described = mapping(reply.get("datasource"))
        blocks = mappings(reply.get("blocks"))
        rows, quarantined = _of_blocks(blocks, "lines"), _of_blocks(blocks, "quarantine")
        if rows is None:
            rows = count(reply.get("successful_rows"))
        if rows is None and mode == "create":
            rows = DataSource.of(described).statistics.row_count
        if quarantined is None:
            quarantined = count(reply.get("quarantine_rows", reply.get("quarantined_rows")))
        error = reply.get("error")
        return cls(
            rows=rows,
            quarantined=quarantined,
            invalid_lines=count(reply.get("invalid_lines")),
            error=error if isinstance(error, str) and error else None,
            errors=_errors(reply.get("errors")),
            import_id=text(reply.get("import_id")) or None,
            datasource=DataSource.of(described) if described else None,
            raw=frozen(reply),
        )


def _rows(number: int, what: str) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'} {what}"


def _of_blocks(blocks: Sequence[Mapping[str, Any]], key: str) -> int | None:
    """Add up one count over ``blocks[].process_return[]``; ``None`` when no block has it."""
    returns = [each for block in blocks for each in mappings(block.get("process_return"))]
    counts = [found for each in returns if (found := count(each.get(key))) is not None]
    return sum(counts) if counts else None


def _errors(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value] if isinstance(value, str) and value else []
    return tuple(text(each.get("error") or each) if isinstance(each, Mapping) else text(each) for each in items)
