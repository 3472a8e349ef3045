"""What a datafile says, as values. Pure; nothing here knows whether a resource exists or its SQL runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.tables.schema import Column


class DatafileError(ValueError):
    """One thing that is wrong in a datafile.

    Attributes:
        message: a sentence, without the place.
        file: path in the project; of an included file when the line is there.
        line: from 1; 0 when the whole file is meant.
    """

    def __init__(self, message: str, *, file: str, line: int = 0) -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
        self.message = message
        self.file = file
        self.line = line


class DatafileErrors(ValueError):  # noqa: N818 - they are several
    """Everything that is wrong in a datafile.

    Attributes:
        errors: in the order of their lines; at least one.
    """

    def __init__(self, errors: Sequence[DatafileError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: error.line))
        super().__init__("\n".join(str(error) for error in self.errors))


@dataclass(frozen=True)
class TokenLine:
    """``TOKEN name scope``: a static token that the file gives a right on its resource.

    Attributes:
        name: of the token.
        scope: ``READ`` or ``APPEND``.
        filter: SQL condition for the rows that may be read; Classic only, usually empty.
    """

    name: str
    scope: str
    filter: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class NodeFile:
    """One node of a Pipe.

    Attributes:
        name: as written; ``<pipe>_<n>`` for SQL without a NODE line, counted from 0.
        sql: without the indentation that all of its lines share; a leading ``%`` line is kept.
        type: standard, endpoint, materialized, copy, sink, stream.
        settings: what the type needs, keys as in the API: ``datasource``, ``engine``, ``engine_sorting_key``,
            ``target_datasource``, ``copy_schedule``, ``mode`` (of ``COPY_MODE``), ``export_service``, ...
        tags: names.
        line: of the NODE line.
        sql_line: of the first line of the SQL.
    """

    name: str
    sql: str
    description: str = ""
    type: str = "standard"
    settings: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)
    sql_line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class DatasourceFile:
    """A ``.datasource`` file.

    Attributes:
        name: of the Data Source: the file's name without its ending.
        version: of ``VERSION n`` (Classic); ``None`` without such a line.
        schema: the columns as one text, without comments; empty when the file has none (possible with a connector).
        columns: of the schema, without the INDEX lines that old files have in it.
        engine: ``engine`` and ``engine_*`` as the API takes them (``engine_ttl`` among them); empty when the file
            names none.
        indexes: text of ``INDEXES``, one index a line without the keyword INDEX; those of the schema are among them.
        tags: names.
        shared_with: names of Workspaces.
        forward_query: SELECT that brings the rows of the old table into the new one.
        settings: everything else, keys in lower case: ``kafka_topic``, ``import_schedule``, ``backfill``, ...
        file: path in the project.
        lines: line of each keyword, in lower case (``schema``, ``engine``, ``forward_query``, ...).
    """

    name: str
    schema: str = ""
    columns: tuple[Column, ...] = ()
    engine: Mapping[str, str] = field(default_factory=dict)
    indexes: str = ""
    description: str = ""
    version: int | None = None
    tokens: tuple[TokenLine, ...] = ()
    tags: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    forward_query: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def ttl(self) -> str:
        """The TTL expression, or an empty text."""
        return self.engine.get("engine_ttl", "")


@dataclass(frozen=True)
class PipeFile:
    """A ``.pipe`` file.

    Attributes:
        name: of the Pipe: the file's name without its ending.
        version: of ``VERSION n`` (Classic).
        nodes: in the order of the file.
        settings: everything else that stands before the first node, keys in lower case.
        file: path in the project.
    """

    name: str
    nodes: tuple[NodeFile, ...] = ()
    description: str = ""
    version: int | None = None
    tokens: tuple[TokenLine, ...] = ()
    tags: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def output_node(self) -> NodeFile | None:
        """The first node that is not a standard one, or ``None``."""
        return next((node for node in self.nodes if node.type != "standard"), None)


@dataclass(frozen=True)
class ConnectionFile:
    """A ``.connection`` file.

    Attributes:
        name: of the connection: the file's name without its ending.
        type: as written, in lower case: kafka, s3, gcs, ...; empty when the file does not say.
        settings: keys in lower case; ``{{ tb_secret("NAME") }}`` is text here.
        file: path in the project.
    """

    name: str
    type: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    file: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


Datafile = DatasourceFile | PipeFile | ConnectionFile
