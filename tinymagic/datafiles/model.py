"""What a datafile says, as values. Sources: ``datasources.md`` sections 6 and 7, ``pipes.md`` 2.1, ``sinks.md``.

Nothing here judges: a keyword that is not known is kept among the settings, so that reading and printing lose nothing
but comments. Whether a definition can be deployed is for the service to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class TokenText(NamedTuple):
    """``TOKEN "name" READ``: a token that gets a right on the file's resource.

    Attributes:
        name: of the token.
        right: ``READ`` or ``APPEND``; what stands behind it (Classic: a filter) is part of it.
    """

    name: str
    right: str


@dataclass(frozen=True)
class NodeText:
    """One node of a Pipe.

    Attributes:
        name: of the node.
        sql: without the indentation that its lines share; a template keeps its ``%`` line.
        description: in words; empty for none.
        type: ``standard``, ``endpoint``, ``materialized``, ``copy`` or ``sink``, in small letters.
        settings: what the type needs: keyword in small letters -> value, for instance ``datasource`` and ``engine``,
            ``target_datasource``, ``copy_schedule``, ``copy_mode``, ``export_connection_name``.
    """

    name: str
    sql: str
    description: str = ""
    type: str = "standard"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PipeText:
    """A ``.pipe`` file.

    Attributes:
        nodes: in order.
        description: in words.
        tokens: that get a right on the Pipe.
        tags: names.
        includes: what INCLUDE lines say, when they were not replaced by the files they name.
        settings: everything else that stands before the first node.
    """

    nodes: tuple[NodeText, ...]
    description: str = ""
    tokens: tuple[TokenText, ...] = ()
    tags: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasourceText:
    """A ``.datasource`` file.

    Attributes:
        schema: one column a line, with commas, jsonpaths and defaults as they are.
        engine: ``engine`` and ``engine_*`` -> value, without quotes.
        indexes: one a line, without the word INDEX.
        description: in words.
        tokens: that get a right on the Data Source.
        tags: names.
        shared_with: names of Workspaces.
        includes: what INCLUDE lines say, when they were not replaced by the files they name.
        forward_query: SELECT that brings the rows of the old table into the new one.
        settings: everything else: ``kafka_topic``, ``import_schedule``, ``version``, ...
    """

    schema: str
    engine: Mapping[str, str] = field(default_factory=dict)
    indexes: str = ""
    description: str = ""
    tokens: tuple[TokenText, ...] = ()
    tags: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    forward_query: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConnectionText:
    """A ``.connection`` file.

    Attributes:
        type: ``kafka``, ``s3``, ``gcs``, ...
        settings: ``kafka_bootstrap_servers``, ``s3_region``, ...; a secret is ``{{ tb_secret("NAME") }}``.
        description: in words.
        tags: names.
    """

    type: str
    settings: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    tags: tuple[str, ...] = ()
