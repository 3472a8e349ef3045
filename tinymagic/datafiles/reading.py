"""Reading datafiles. Tolerant: a keyword that is not known is kept, and nothing is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.datafiles.columns import split_columns
from tinymagic.datafiles.model import ConnectionText, DatasourceText, NodeText, PipeText, TokenText
from tinymagic.datafiles.statements import lines_of, read_statements
from tinymagic.datafiles.values import setting_name, unquoted

if TYPE_CHECKING:
    from tinymagic.datafiles.statements import Statement

_TOKEN_RE = re.compile(r"""(?:"([^"]*)"|'([^']*)'|(\S+))\s*(.*)""", re.DOTALL)

#: Belong to the Pipe although they may stand behind a node.
_OF_THE_PIPE = frozenset({"version", "maintainer", "source", "sources", "published_version", "cache"})


def read_datasource(text: str) -> DatasourceText:
    r"""Read a ``.datasource`` file. Of a keyword that is there twice the last one counts.

    Example:
        >>> file = read_datasource('SCHEMA >\n    day Date,\n    n UInt8\n\nENGINE "MergeTree"\nKAFKA_TOPIC t')
        >>> file.engine, file.settings
        ({'engine': 'MergeTree'}, {'kafka_topic': 't'})
    """
    head = _Head()
    engine: dict[str, str] = {}
    settings: dict[str, str] = {}
    texts: dict[str, str] = {}
    shared: list[str] = []
    for statement in read_statements(lines_of(text)):
        key = setting_name(statement.keyword)
        if head.takes(statement):
            continue
        if key in ("schema", "indexes", "forward_query"):
            texts[key] = statement.value
        elif key == "shared_with":
            shared += _names(statement.value)
        elif key == "engine" or key.startswith("engine_"):
            engine[key] = statement.setting
        else:
            settings[key] = statement.value
    return DatasourceText(
        schema=",\n".join(split_columns(texts.get("schema", ""))),
        engine={key: value for key, value in engine.items() if value},
        indexes=_indexes(texts.get("indexes", "")),
        description=head.description,
        tokens=tuple(head.tokens),
        tags=tuple(head.tags),
        shared_with=tuple(dict.fromkeys(shared)),
        includes=tuple(head.includes),
        forward_query=texts.get("forward_query", ""),
        settings=settings,
    )


def read_pipe(text: str, *, name: str = "") -> PipeText:
    r"""Read a ``.pipe`` file.

    Args:
        text: of the file.
        name: of the Pipe; SQL without a NODE line gets it and a number as its name.

    Example:
        >>> [node.name for node in read_pipe("NODE a\nSQL >\n    SELECT 1\n\nNODE b\nSQL SELECT 2").nodes]
        ['a', 'b']
    """
    reader = _PipeReader(name or "node")
    for statement in read_statements(lines_of(text)):
        reader.take(statement)
    head = reader.head
    return PipeText(
        nodes=tuple(NodeText(node.name, node.sql, node.description, node.type, node.settings) for node in reader.nodes),
        description=head.description,
        tokens=tuple(head.tokens),
        tags=tuple(head.tags),
        includes=tuple(head.includes),
        settings=reader.settings,
    )


def read_connection(text: str) -> ConnectionText:
    r"""Read a ``.connection`` file.

    Example:
        >>> read_connection("TYPE s3\nS3_REGION eu-west-1").settings
        {'s3_region': 'eu-west-1'}
    """
    head, kind = _Head(), ""
    settings: dict[str, str] = {}
    for statement in read_statements(lines_of(text)):
        if head.takes(statement):
            continue
        if statement.keyword == "TYPE":
            kind = statement.setting
        else:
            settings[statement.keyword.lower()] = statement.value
    return ConnectionText(kind, settings, head.description, tuple(head.tags))


@dataclass
class _Head:
    """What all kinds of files have."""

    description: str = ""
    tokens: list[TokenText] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)

    def takes(self, statement: Statement) -> bool:
        """Take a statement in; ``False`` when it is about something else."""
        if statement.keyword == "DESCRIPTION":
            self.description = statement.value
        elif statement.keyword == "TOKEN":
            match = _TOKEN_RE.fullmatch(statement.written)
            if match:
                self.tokens.append(TokenText(match[1] or match[2] or match[3] or "", match[4].strip()))
        elif statement.keyword == "TAGS":
            self.tags += [name for name in _names(statement.value) if name not in self.tags]
        elif statement.keyword == "INCLUDE":
            self.includes.append(statement.written)
        else:
            return False
        return True


@dataclass
class _Node:
    name: str
    is_named: bool
    sql: str = ""
    description: str = ""
    type: str = "standard"
    settings: dict[str, str] = field(default_factory=dict)


class _PipeReader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.head = _Head()
        self.settings: dict[str, str] = {}
        self.nodes: list[_Node] = []

    def take(self, statement: Statement) -> None:
        keyword = statement.keyword
        if keyword == "NODE":
            words = unquoted(statement.setting).split()
            self.nodes.append(_Node(words[0] if words else self._next_name(), is_named=True))
        elif keyword == "SQL":
            self._take_sql(statement.value)
        elif keyword == "DESCRIPTION" and self.nodes:
            self.nodes[-1].description = statement.value
        elif self.head.takes(statement):
            pass
        elif keyword == "TYPE" and self.nodes:
            kind = statement.setting.lower()
            self.nodes[-1].type = "standard" if kind in ("", "default") else kind
        else:
            self._put(setting_name(keyword), statement)

    def _next_name(self) -> str:
        return f"{self.name}_{len(self.nodes)}"

    def _take_sql(self, sql: str) -> None:
        if not self.nodes or (self.nodes[-1].sql and not self.nodes[-1].is_named):
            first = not self.nodes
            self.nodes.append(_Node(self._next_name(), is_named=False))
            if first:  # In a file without NODE lines the head tells what its SQL is.
                mine = {key: text for key, text in self.settings.items() if key not in _OF_THE_PIPE}
                self.settings = {key: text for key, text in self.settings.items() if key in _OF_THE_PIPE}
                self.nodes[-1].type = mine.pop("type", "standard").lower()
                self.nodes[-1].settings = mine
        self.nodes[-1].sql = sql

    def _put(self, key: str, statement: Statement) -> None:
        if self.nodes and key not in _OF_THE_PIPE:
            self.nodes[-1].settings[key] = statement.value
        else:
            self.settings[key] = statement.value


def _names(text: str) -> list[str]:
    pieces = (piece.strip().strip("\"'") for piece in re.split(r"[,\n]", text))
    return [piece.strip() for piece in pieces if piece.strip()]


def _indexes(text: str) -> str:
    """Return the indexes, one a line; what is in parentheses may go over several."""
    lines: list[str] = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        if lines and lines[-1].count("(") > lines[-1].count(")"):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    return "\n".join(re.sub(r"^INDEX\s+", "", line.rstrip(",; "), flags=re.IGNORECASE) for line in lines)
