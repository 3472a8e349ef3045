"""What the statements of a ``.pipe`` file mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .common import error_at, read_list, read_token, read_version
from .datasource_files import put
from .keywords import ENGINE_SHORT_NAMES, NODE_TYPES
from .model import DatafileError, NodeFile, PipeFile, TokenLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .statements import Statement

_NAME_RE = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")

#: Keywords with another name in the API.
_API_NAMES = {
    "copy_mode": "mode",
    "schedule_cron": "copy_schedule",
    "materialized_datasource": "datasource",
    **{name.lower(): f"engine_{name.lower()}" for name in ENGINE_SHORT_NAMES},
}
#: Settings that belong to the Pipe although they may stand after a node.
_OF_THE_PIPE = ("maintainer", "source", "sources", "published_version", "cache")
#: What a node of a type cannot do without.
_REQUIRED = {"materialized": "datasource", "copy": "target_datasource"}


@dataclass
class _OpenNode:
    """A node while its statements are read."""

    name: str
    line: int
    file: str
    sql: str | None = None
    sql_line: int = 0
    description: str = ""
    type: str = "standard"
    settings: dict[str, str] = field(default_factory=dict)
    is_named: bool = True

    def closed(self) -> NodeFile:
        return NodeFile(
            name=self.name,
            sql=self.sql or "",
            description=self.description,
            type=self.type,
            settings=self.settings,
            line=self.line,
            sql_line=self.sql_line or self.line,
        )


def read_pipe(name: str, file: str, statements: Sequence[Statement], errors: list[DatafileError]) -> PipeFile:
    """Return the Pipe of a file; add what is wrong in it to *errors*."""
    reader = _PipeReader(name, file, errors)
    for statement in statements:
        try:
            reader.take(statement)
        except DatafileError as error:
            errors.append(error)
    return reader.finished(statements)


class _PipeReader:
    def __init__(self, name: str, file: str, errors: list[DatafileError]) -> None:
        self.name = name
        self.file = file
        self.errors = errors
        self.nodes: list[_OpenNode] = []
        self.names: set[str] = set()
        self.tags: dict[str, None] = {}  # Of the Pipe, wherever they are written.
        self.head = _OpenNode(name, 0, file)  # What stands before the first node.
        self.version: int | None = None
        self.tokens: list[TokenLine] = []

    @property
    def current(self) -> _OpenNode:
        return self.nodes[-1] if self.nodes else self.head

    def take(self, statement: Statement) -> None:
        """Take one statement in.

        Raises:
            DatafileError: it makes no sense here.
        """
        key = statement.keyword.lower()
        if key == "node":
            self._open(statement)
        elif key == "sql":
            self._sql(statement)
        elif key == "description":
            self.current.description = statement.value
        elif key == "type":
            self._type(statement)
        elif key == "token":
            self.tokens.append(read_token(statement, ("READ", "APPEND")))
        elif key == "tags":
            self.tags.update(dict.fromkeys(read_list(statement)))
        elif key == "version":
            self.version = read_version(statement)
        elif key in _OF_THE_PIPE:
            put(self.head.settings, key, statement.setting)
        else:
            put(self.current.settings, _API_NAMES.get(key, key), _setting(key, statement))

    def _open(self, statement: Statement) -> None:
        # What stands after a name without quotes is passed over, as the vendor's programs do.
        name = statement.setting.split()[0] if statement.setting.strip() else ""
        line = statement.line
        if not name:
            name = f"{self.name}_{len(self.nodes)}"
            self.errors.append(error_at(statement, "NODE has no name. Write for instance NODE endpoint."))
        elif not _NAME_RE.fullmatch(name):
            message = (
                f"{name[:100]!r} is not a name for a node: it starts with a letter, then letters, digits and "
                "underscores follow."
            )
            self.errors.append(error_at(statement, message))
        elif name in self.names:
            self.errors.append(error_at(statement, f"There are two nodes with the name {name!r}."))
        self.names.add(name)
        self.nodes.append(_OpenNode(name, line, statement.file))

    def _sql(self, statement: Statement) -> None:
        if not statement.value.strip():
            # The vendor's words, which clients know.
            raise error_at(statement, "Missing sql query for pipe creation after the SQL label")
        if not self.nodes or (self.current.sql is not None and not self.current.is_named):
            unnamed = _OpenNode(f"{self.name}_{len(self.nodes)}", statement.line, statement.file, is_named=False)
            if not self.nodes:  # Of a file without NODE lines the head tells what the first SQL is.
                unnamed.type, self.head.type = self.head.type, "standard"
                pipes = {key: self.head.settings[key] for key in _OF_THE_PIPE if key in self.head.settings}
                unnamed.settings = {key: text for key, text in self.head.settings.items() if key not in pipes}
                self.head.settings = pipes
            self.nodes.append(unnamed)
        self.current.sql = statement.value
        self.current.sql_line = statement.value_line

    def _type(self, statement: Statement) -> None:
        type_ = statement.setting.lower()
        if type_ == "default":
            type_ = "standard"
        if type_ not in NODE_TYPES:
            message = f"Invalid node '{self.current.name}' of type ({type_[:60]}). Allowed node types: "
            raise error_at(statement, message + ", ".join(NODE_TYPES[1:]))
        self.current.type = type_

    def finished(self, statements: Sequence[Statement]) -> PipeFile:
        """Return the Pipe; what is missing in it is reported."""
        if not self.nodes:
            if not self.errors:
                message = "The Pipe has no node: write NODE name and SQL >."
                self.errors.append(DatafileError(message, file=self.file))
        elif self.head.type != "standard":
            if self.nodes[-1].type == "standard" and len(self.nodes) == 1:
                self.nodes[-1].type = self.head.type
            else:
                line = next(statement.line for statement in statements if statement.keyword == "TYPE")
                message = "TYPE stands before the first NODE: write it after the NODE that it is about."
                self.errors.append(DatafileError(message, file=self.file, line=line))
        last_errors: dict[str, int] = {}
        for error in self.errors:
            last_errors[error.file] = max(error.line, last_errors.get(error.file, 0))
        for node in self.nodes:
            self._check(node, last_errors)
        return PipeFile(
            name=self.name,
            nodes=tuple(node.closed() for node in self.nodes),
            description=self.head.description,
            version=self.version,
            tokens=tuple(self.tokens),
            tags=tuple(self.tags),
            settings=self.head.settings,
            file=self.file,
            lines={statement.keyword.lower(): statement.line for statement in reversed(statements)},
        )

    def _check(self, node: _OpenNode, last_errors: Mapping[str, int]) -> None:
        """Report what a node lacks; SQL only when no error after it may be the reason."""
        if node.sql is None and last_errors.get(node.file, 0) < node.line:
            message = f"The node {node.name!r} has no SQL. Write SQL > and the query below it."
            self.errors.append(DatafileError(message, file=node.file, line=node.line))
        if node.type == "materialized" and "datasource" not in node.settings:
            put(node.settings, "datasource", node.settings.pop("target_datasource", ""))
        required = _REQUIRED.get(node.type)
        if required and required not in node.settings:
            message = (
                f"Some {node.type} node params have been provided, but the following required ones are missing: "
                f"['{required}']. Write {required.upper()} and a name in the node {node.name!r}."
            )
            self.errors.append(DatafileError(message, file=node.file, line=node.line))


def _setting(key: str, statement: Statement) -> str:
    if key in ("copy_mode", "mode"):
        mode = statement.setting.lower()
        if mode not in ("append", "replace"):
            raise error_at(statement, "COPY node mode must be append or replace")
        return mode
    return statement.setting


def node_keywords(settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the keywords and values that `read_pipe` makes *settings* of."""
    keywords = {"mode": "COPY_MODE"}
    return [(keywords.get(key, key.upper()), value) for key, value in settings.items()]
