"""Whether two datafiles define the same, however they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.datafiles.columns import split_columns
from tinymagic.datafiles.reading import read_datasource, read_pipe
from tinymagic.sqltext import tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.datafiles.model import DatasourceText, NodeText

#: Say who wrote a file or how a change is carried out, and nothing about what is defined.
_NO_DEFINITION = frozenset({"version", "maintainer", "source", "sources", "published_version", "cache"})

#: Settings with a default -> the spellings that say no more than nothing.
_DEFAULTS = {
    "copy_mode": ("append",),
    "copy_schedule": ("@on-demand",),
    "export_schedule": ("@on-demand",),
    "export_write_strategy": ("new", "@new"),
    "export_strategy": ("new", "@new"),
    "export_compression": ("none",),
    "engine_partition_key": ("tuple()",),
    "engine_primary_key": ("tuple()",),
    "engine_sorting_key": ("tuple()",),
}

#: Says which service a connection is of, which the connection itself says too.
_IMPLIED = frozenset({"export_service", "import_service"})

#: Spellings of the same value.
_SPELLINGS = {"gz": "gzip"}

#: Columns that a Data Source fed from Kafka has without being asked.
_OF_KAFKA = frozenset({"__value", "__topic", "__partition", "__offset", "__timestamp", "__key", "__headers"})


def meaning(kind: str, text: str, *, name: str = "") -> tuple[object, ...]:
    r"""Return what a datafile defines, to be compared with ``==``: layout, quotes and defaults make no difference.

    Args:
        kind: ``Data Source`` or ``Pipe``.
        text: of the file, included lines in their places.
        name: of the resource.

    Example:
        >>> a = meaning("Data Source", "SCHEMA >\n    `n` UInt8\n\nENGINE MergeTree")
        >>> a == meaning("Data Source", "ENGINE 'MergeTree'\nENGINE_SORTING_KEY tuple()\nSCHEMA >\n    n  UInt8")
        True
    """
    if kind == "Data Source":
        return _of_datasource(read_datasource(text))
    pipe = read_pipe(text, name=name)
    return (
        _words(pipe.description),
        frozenset((token.name, token.right.upper()) for token in pipe.tokens),
        frozenset(pipe.tags),
        tuple(_of_node(node) for node in pipe.nodes),
    )


def _of_datasource(file: DatasourceText) -> tuple[object, ...]:
    engine = dict(file.engine)
    if file.schema and "engine" not in engine:
        engine["engine"] = "MergeTree"
    columns = [_sql(_unquoted_name(column)) for column in split_columns(file.schema)]
    if "kafka_topic" in file.settings:
        columns = [column for column in columns if column.split(" ")[0] not in _OF_KAFKA]
    return (
        tuple(columns),
        _settings(engine),
        tuple(sorted(_sql(line) for line in file.indexes.split("\n") if line.strip())),
        _words(file.description),
        frozenset((token.name, token.right.upper()) for token in file.tokens),
        frozenset(file.tags),
        frozenset(file.shared_with),
        _settings(file.settings),
    )


def _of_node(node: NodeText) -> tuple[object, ...]:
    return (node.name, _sql(node.sql), _words(node.description), node.type, _settings(node.settings))


def _settings(settings: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (key, _sql(value) if key.startswith("engine") else _words(_SPELLINGS.get(value, value)))
        for key, value in settings.items()
        if value.strip() and key not in _NO_DEFINITION | _IMPLIED and value.strip() not in _DEFAULTS.get(key, ())
    )


def _unquoted_name(column: str) -> str:
    """Take the quotes off a column's name that needs none."""
    first = tokens(column)[0]
    plain = first.text[1:-1]
    return plain + column[first.end :] if first.kind == "quoted" and plain.isidentifier() else column


def _sql(text: str) -> str:
    """Return SQL with one blank between its tokens."""
    return " ".join(token.text for token in tokens(text) if token.kind != "space")


def _words(text: str) -> str:
    return " ".join(text.split())
