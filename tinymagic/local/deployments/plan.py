"""What a deployment is going to do, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.datafiles.model import DatasourceFile, PipeFile
    from tinymagic.local.engine import Setting
    from tinymagic.local.records import ConnectionRecord, DataSourceRecord, PipeRecord

    from .evolution import Evolution


@dataclass(frozen=True)
class Filling:
    """How the new table of a Data Source gets the rows of the old one.

    Attributes:
        columns: that are filled.
        sql: SELECT of these columns, without the place where it stores them.
        settings: to run it with.
        parameters: values for the engine's query parameters.
    """

    columns: tuple[str, ...]
    sql: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass
class PlannedDataSource:
    """A Data Source of the project.

    Attributes:
        record: as it shall be.
        old: as it is; ``None`` when it is new.
        file: that says so; ``None`` when a materialized node makes it.
        evolution: how the table changes; ``None`` when it stays.
        definition: what follows ``CREATE TABLE name``; empty when the table stays.
        filling: how a new table gets the old rows; ``None`` when there are none to keep.
        is_changed: whether people would call it changed.
    """

    record: DataSourceRecord
    old: DataSourceRecord | None = None
    file: DatasourceFile | None = None
    evolution: Evolution | None = None
    definition: str = ""
    filling: Filling | None = None
    is_changed: bool = False

    @property
    def is_new(self) -> bool:
        """Whether it does not exist yet."""
        return self.old is None

    @property
    def is_rebuilt(self) -> bool:
        """Whether it gets a new table."""
        return self.old is not None and self.evolution is not None and self.evolution.alteration is None


@dataclass
class PlannedPipe:
    """A Pipe of the project.

    Attributes:
        record: as it shall be.
        old: as it is; ``None`` when it is new.
        file: that says so.
        outputs: by name of a node, its type and the fields that its output is made of.
        is_changed: whether people would call it changed.
    """

    record: PipeRecord
    old: PipeRecord | None
    file: PipeFile
    outputs: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    is_changed: bool = False


@dataclass
class TokenChange:
    """What happens to a token.

    Attributes:
        name: of the token.
        scopes: all that it shall have; empty when it is deleted.
        kind: ``added``, ``changed`` or ``removed``.
        added: scopes that it gets, ``(type, resource name)``.
        removed: scopes that it loses.
        origin: of a new token.
    """

    name: str
    scopes: list[dict[str, Any]]
    kind: str
    added: list[tuple[str, str]] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)

    def reply(self) -> dict[str, Any]:
        """Return the object of the reply's ``token_changes``."""
        return {
            "token_name": self.name,
            "change_type": self.kind,
            "permission_changes": {
                "added_permissions": [_permission(each) for each in self.added],
                "removed_permissions": [_permission(each) for each in self.removed],
            },
        }


@dataclass
class Plan:
    """Everything that a deployment does.

    Attributes:
        datasources: of the project, by name.
        pipes: of the project, by name.
        deleted_datasources: that the project does not have any more.
        deleted_pipes: the same.
        connections: new and changed ones, with the record that is there now.
        deleted_connections: that the project does not have any more.
        tokens: changes of tokens.
        granted: what the files grant by name of the token, ``[type, resource id, filter]`` each.
        made_tokens: names of tokens that exist only because of files.
        tags: of the workspace as they shall be; ``None`` when they stay.
        warnings: about resources, ``(name, sentence)``.
    """

    datasources: dict[str, PlannedDataSource] = field(default_factory=dict)
    pipes: dict[str, PlannedPipe] = field(default_factory=dict)
    deleted_datasources: list[DataSourceRecord] = field(default_factory=list)
    deleted_pipes: list[PipeRecord] = field(default_factory=list)
    connections: list[tuple[ConnectionRecord, ConnectionRecord | None]] = field(default_factory=list)
    deleted_connections: list[ConnectionRecord] = field(default_factory=list)
    tokens: list[TokenChange] = field(default_factory=list)
    granted: dict[str, list[list[str]]] = field(default_factory=dict)
    made_tokens: list[str] = field(default_factory=list)
    tags: list[dict[str, Any]] | None = None
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to write."""
        written = any(each.old is None or each.record != each.old for each in self.datasources.values())
        written = written or any(each.old is None or each.record != each.old for each in self.pipes.values())
        gone = self.deleted_datasources or self.deleted_pipes or self.deleted_connections
        return bool(written or gone or self.connections or self.tokens or self.tags is not None)

    def changes(self) -> dict[str, list[str]]:
        """Return the names of what is new, changed and deleted, by the keys of the reply."""
        datasources, pipes = self.datasources.values(), self.pipes.values()
        return {
            "new_datasource_names": [each.record.name for each in datasources if each.old is None],
            "changed_datasource_names": [each.record.name for each in datasources if each.old and each.is_changed],
            "deleted_datasource_names": [each.name for each in self.deleted_datasources],
            "new_pipe_names": [each.record.name for each in pipes if each.old is None],
            "changed_pipe_names": [each.record.name for each in pipes if each.old and each.is_changed],
            "deleted_pipe_names": [each.name for each in self.deleted_pipes],
            "new_data_connector_names": [new.name for new, old in self.connections if old is None],
            "changed_data_connector_names": [new.name for new, old in self.connections if old],
            "deleted_data_connector_names": [each.name for each in self.deleted_connections],
        }


def _permission(scope: tuple[str, str]) -> dict[str, str]:
    family, _, right = scope[0].partition(":")
    kind = "datasource" if family == "DATASOURCES" else "pipe"
    return {"resource_name": scope[1], "resource_type": kind, "permission": right}
