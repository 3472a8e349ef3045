"""Datafiles as text: the one place where such texts are made.

What is printed reads back as an equal value (`parse_datafile`), and the vendor's formatters leave it as it is, apart
from SQL, which they lay out in their own way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.tables.schema import print_schema

from .pipe_files import node_keywords
from .statements import read_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .model import ConnectionFile, DatasourceFile, NodeFile, PipeFile

#: Order of a node's settings, as the vendor's formatters have it; others follow as they come.
_NODE_ORDER = (
    "datasource",
    "target_datasource",
    "mode",
    "copy_schedule",
    "export_service",
    "export_connection_name",
    "export_schedule",
    "export_bucket_uri",
    "export_file_template",
    "export_format",
    "export_compression",
    "export_write_strategy",
    "export_strategy",
    "export_kafka_topic",
)


def datasource_text(file: DatasourceFile, *, quoted: bool = False) -> str:
    """Print a ``.datasource`` file.

    Args:
        file: what to print.
        quoted: as the API answers it: the description after tokens and tags, quotes around all engine options, the
            indexes at the end.
    """
    engine = _engine_lines(file.engine, quoted=quoted)
    indexes = _block("INDEXES", file.indexes.splitlines())
    columns = f"SCHEMA >\n    {print_schema(file.columns, separator=_NEXT_COLUMN)}" if file.columns else ""
    parts = [
        *_head(file, description_last=quoted),
        columns,
        *([engine, indexes] if quoted else [indexes, engine]),
        "\n".join(_line(key.upper(), value) for key, value in file.settings.items()),
        _block("SHARED_WITH", [f"{name}," for name in file.shared_with[:-1]] + list(file.shared_with[-1:])),
        _block("FORWARD_QUERY", file.forward_query.splitlines()),
    ]
    return _joined(parts)


def pipe_text(file: PipeFile) -> str:
    """Print a ``.pipe`` file."""
    settings = "\n".join(_line(key.upper(), value) for key, value in file.settings.items())
    return _joined([*_head(file), settings, *(_node(node) for node in file.nodes)])


def connection_text(file: ConnectionFile) -> str:
    """Print a ``.connection`` file."""
    lines = [_line("TYPE", file.type)] if file.type else []
    lines += [_line(key.upper(), value) for key, value in file.settings.items()]
    return _joined([_block("DESCRIPTION", file.description.splitlines()), "\n".join(lines)])


_NEXT_COLUMN = ",\n    "


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(file: DatasourceFile | PipeFile, *, description_last: bool = False) -> list[str]:
    lines = []
    for token in file.tokens:
        condition = f" {token.filter}" if token.filter else ""
        lines.append(f'TOKEN "{token.name}" {token.scope}{condition}')
    version = f"VERSION {file.version}" if file.version is not None else ""
    description = _block("DESCRIPTION", file.description.splitlines())
    rights = ["\n".join(lines), f'TAGS "{", ".join(file.tags)}"' if file.tags else ""]
    return [version, *rights, description] if description_last else [version, description, *rights]


def _node(node: NodeFile) -> str:
    parts = [f"NODE {node.name}"]
    if node.description:
        parts.append(_block("DESCRIPTION", node.description.splitlines()) + "\n")
    parts.append(_block("SQL", node.sql.split("\n")))
    settings = {key: node.settings[key] for key in _NODE_ORDER if key in node.settings}
    settings |= {key: value for key, value in node.settings.items() if not key.startswith("engine")}
    engine = {key: value for key, value in node.settings.items() if key.startswith("engine")}
    lines = [f"TYPE {node.type.upper()}"] if node.type != "standard" else []
    lines += [_line(keyword, value) for keyword, value in node_keywords(settings)]
    lines += [text for text in [_engine_lines(engine)] if text]
    if lines:
        parts.append("\n" + "\n".join(lines))
    return "\n".join(parts)


def _engine_lines(engine: Mapping[str, str], *, quoted: bool = False) -> str:
    """Print the engine and then its options, those in the order of the alphabet."""
    if quoted:
        return "\n".join(f'{key.upper()} "{value}"' for key, value in engine.items() if value)
    keys = sorted((key for key in engine if engine[key]), key=lambda key: (key != "engine", key))
    return "\n".join(_line(key.upper(), engine[key]) for key in keys)


def _line(keyword: str, value: str) -> str:
    for text in (value, f'"{value}"', f"'{value}'"):
        if "\n" not in value and read_value(text) == value:
            return f"{keyword} {text}"
    return _block(keyword, value.split("\n"))


def _block(keyword: str, lines: Sequence[str]) -> str:
    """Print a text of several lines; nothing when there is none."""
    if not any(line.strip() for line in lines):
        return ""
    return f"{keyword} >\n" + "\n".join(f"    {line}" if line.strip() else "" for line in lines)
