"""The reply of the Analyze API (``analyze.md`` section 3). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .inference import Dialect
    from .inferred_columns import InferredColumn


def analysis_reply(
    columns: Sequence[InferredColumn], preview: Mapping[str, Any], dialect: Dialect | None = None
) -> dict[str, Any]:
    """Return the object of section 3.

    Args:
        columns: what was found.
        preview: rows as the engine writes them in the format JSON.
        dialect: of a CSV file.
    """
    reply: dict[str, Any] = {
        "analysis": {"columns": [_column(column) for column in columns], "schema": schema_text(columns)},
        "preview": {key: preview[key] for key in ("meta", "data", "rows", "statistics")},
    }
    if dialect is not None:
        reply["dialect"] = {
            "delimiter": dialect.delimiter,
            "new_line": dialect.new_line,
            "has_header": dialect.has_header,
            **({"escapechar": dialect.escape} if dialect.escape else {}),
        }
    return reply


def schema_text(columns: Sequence[InferredColumn]) -> str:
    """Write the columns as a schema that a create call takes.

    Names are bare, as the service writes them: `inference.column_names` made them. The vendor's CLI breaks the line at
    every comma with a blank, so there is none but between columns.
    """
    return ", ".join(_schema_column(column) for column in columns)


def _schema_column(column: InferredColumn) -> str:
    created = column.column
    parts = [created.name, created.full_type, f"`json:{created.jsonpath}`" if created.jsonpath else "", created.default]
    return " ".join(part for part in parts if part)


def _column(column: InferredColumn) -> dict[str, Any]:
    present = column.present_pct
    return {
        "path": column.path,
        "recommended_type": column.type,
        "present_pct": int(present) if float(present).is_integer() else present,
        "name": column.name,
    }
