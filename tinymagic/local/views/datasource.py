"""How the API shows a Data Source: its JSON object and its datafile (``datasources.md`` sections 1 and 2). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.local.connectors.settings import CONNECTOR, service_of
from tinymagic.local.datafiles.model import DatasourceFile, TokenLine
from tinymagic.local.datafiles.printing import datasource_text
from tinymagic.local.tables.schema import Column, parse_schema
from tinymagic.names import QUARANTINE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.records import DataSourceRecord


def describe(record: DataSourceRecord, sizes: Mapping[str, tuple[int, int]], *, whole: bool = False) -> dict[str, Any]:
    """Return the object of a Data Source.

    Args:
        record: of the catalogue.
        sizes: table to rows and bytes on disk.
        whole: whether it is asked for alone; then it carries ``schema`` as well.
    """
    rows, size_bytes = sizes.get(record.name, (0, 0))
    described: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "cluster": None,
        "tags": record.tags,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "replicated": False,
        "version": 0,
        "project": None,
        "headers": record.headers,
        "shared_with": record.settings.get("shared_with", []),
        "shared_from": None,
        "engine": record.engine,
        "description": record.description,
        "used_by": [],
        "type": record.type,
        "columns": [_column(column) for column in parse_schema(record.schema)],
        "statistics": {"bytes": size_bytes, "row_count": rows},
        "new_columns_detected": record.settings.get("new_columns_detected", {}),
        "quarantine_rows": sizes.get(record.name + QUARANTINE_SUFFIX, (0, 0))[0],
        "indexes": record.indexes,
    }
    connector = record.settings.get(CONNECTOR) or {}
    if service := service_of(connector):
        name = connector.get("import_connection_name") or connector.get("kafka_connection_name")
        described.update(service=service, connector=name)
    if whole:
        described["schema"] = {"sql_schema": record.schema}
    return described


def pick(described: dict[str, Any], attrs: str) -> dict[str, Any]:
    """Keep the attributes named in *attrs* (comma-separated); an empty text keeps all."""
    wanted = {name.strip() for name in attrs.split(",") if name.strip()}
    return {key: value for key, value in described.items() if not wanted or key in wanted}


def datafile(record: DataSourceRecord, *, tokens: Sequence[tuple[str, str]] = (), tags: Sequence[str] = ()) -> str:
    """Return the text of a ``.datasource`` file that makes the same Data Source.

    Args:
        record: of the Data Source.
        tokens: name and ``READ`` or ``APPEND`` of the tokens that come from such a file.
        tags: names.
    """
    file = DatasourceFile(
        name=record.name,
        columns=tuple(parse_schema(record.schema)),
        engine={key: str(value) for key, value in record.engine.items()},
        indexes="\n".join(
            f"{each['name']} {each['expr']} TYPE {each['type_full']} GRANULARITY {each['granularity']}"
            for each in record.indexes
        ),
        description=record.description,
        tokens=tuple(TokenLine(name, right) for name, right in tokens),
        tags=tuple(tags),
        settings={key: str(value) for key, value in record.settings.get(CONNECTOR, {}).items()},
    )
    return datasource_text(file, quoted=True)


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "normalized_name": column.name,
        "codec": column.codec,
        "default_value": column.default,
        "jsonpath": column.jsonpath,
    }
