"""What a name in SQL means: a table, or a node of a Pipe.

There are two ways to ask. The text of a request names what its token may read (`Caller`). The text of a node names
the other nodes of its Pipe and everything in the workspace (`Inside`): whoever may read a Pipe need not have rights on
what is below it (``tokens.md`` section 3).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tinymagic.local.errors import BadRequest
from tinymagic.local.records import DataSourceRecord, PipeRecord
from tinymagic.local.service_datasources.tables import ORGANIZATION, TINYBIRD
from tinymagic.local.sql.gate import QUERY_PAGE
from tinymagic.names import QUARANTINE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import Node, Workspace
    from tinymagic.local.service_datasources.log import ServiceLog
    from tinymagic.local.sql.tree import TableName

#: Databases of service Data Sources.
SERVICE_DATABASES = (TINYBIRD, ORGANIZATION)

#: Scopes that see what belongs to all workspaces.
_ORGANIZATION_SCOPES = ("ADMIN_USER", "ORG_DATASOURCES:READ")


class Shared(Protocol):
    """A Data Source of another workspace: how it is called here, and where its rows are."""

    @property
    def name(self) -> str:
        """``<workspace>.<name>``."""

    @property
    def record(self) -> DataSourceRecord:
        """What the catalogue knows of it."""

    @property
    def origin(self) -> Workspace:
        """The workspace that has it."""


class Sharing(Protocol):
    """Knows what other workspaces share."""

    def shared_with(self, workspace: Workspace) -> Iterator[Shared]:
        """Give the Data Sources that others share with *workspace*."""


@dataclass(frozen=True)
class InPlace:
    """The name is that of a table: *table* is database and name, the database empty for the workspace's own."""

    table: TableName


@dataclass(frozen=True)
class OfNode:
    """The name is that of a node, or of a Pipe whose endpoint is that node."""

    pipe: PipeRecord
    node: Node


@dataclass(frozen=True)
class Resources:
    """The Data Sources and Pipes of one workspace by name."""

    datasources: Mapping[str, DataSourceRecord]
    pipes: Mapping[str, PipeRecord]

    def table(self, name: str) -> DataSourceRecord | None:
        """Find the Data Source that a table, or the quarantine of one, belongs to."""
        found = self.datasources.get(name)
        if found is None and name.endswith(QUARANTINE_SUFFIX):
            found = self.datasources.get(name[: -len(QUARANTINE_SUFFIX)])
        return found


class Directory:
    """The resources of each workspace, read again only when the catalogue has changed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[str, tuple[int, Resources]] = {}

    def resources(self, workspace: Workspace) -> Resources:
        """Return what is there now."""
        version = self._catalog.version_of(DataSourceRecord, PipeRecord)
        known = self._known.get(workspace.id)
        if known is not None and known[0] == version:
            return known[1]
        resources = Resources(
            {record.name: record for record in self._catalog.datasources(workspace.id)},
            {record.name: record for record in self._catalog.pipes(workspace.id)},
        )
        self._known[workspace.id] = (version, resources)
        return resources


class Names(ABC):
    """What names mean to one request or node; remembers which kinds of things were asked about."""

    #: Whether the logs of all workspaces show the rows of this one only.
    sees_own_rows_only = False

    def __init__(self, workspace: Workspace, resources: Resources, sharing: Sharing, service_log: ServiceLog) -> None:
        self.workspace = workspace
        self.resources = resources
        self.reads_service_log = False
        self.reads_others = False
        #: Tables whose rows of other workspaces are not for whoever reads.
        self.own_rows_only: set[TableName] = set()
        self._sharing = sharing
        self._service_log = service_log

    def meaning(self, table: TableName) -> InPlace | OfNode | None:
        """Return what is meant, whoever asks; ``None`` when there is no such thing.

        Raises:
            BadRequest: it is a Pipe without an endpoint.
        """
        database, name = table
        if database in SERVICE_DATABASES:
            if not self._service_log.has(database, name):
                return None
            self.reads_service_log = True
            if database == TINYBIRD or self.sees_own_rows_only:
                self.own_rows_only.add((ORGANIZATION, name))
            return InPlace(table)
        found: InPlace | OfNode | None = None
        if database:
            shared = self._shared(table)
            found = None if shared is None else InPlace((shared.origin.database, shared.record.name))
        elif self.resources.table(name) is not None:
            found = InPlace(table)
        elif name in self.resources.pipes:
            return of_endpoint(self.resources.pipes[name])
        self.reads_others |= found is not None
        return found

    @abstractmethod
    def may_read(self, table: TableName) -> bool | None:
        """Say whether there is such a resource, and whether the token may read it."""

    def _shared(self, table: TableName) -> Shared | None:
        name = ".".join(table)
        return next((each for each in self._sharing.shared_with(self.workspace) if each.name == name), None)


class Caller(Names):
    """Names in the text of a request.

    Args:
        access: of who asks.
        underscore: what ``_`` stands for in the text; ``None`` when it is no name.
    """

    def __init__(
        self,
        access: Access,
        resources: Resources,
        sharing: Sharing,
        service_log: ServiceLog,
        underscore: TableName | OfNode | None = None,
    ) -> None:
        super().__init__(access.workspace, resources, sharing, service_log)
        self._caller = access
        self._underscore = underscore

    def meaning(self, table: TableName) -> InPlace | OfNode | None:
        """Return what is meant, ``_`` included."""
        if self._underscore is not None:
            if isinstance(self._underscore, OfNode):
                if table in (("", "_"), ("", self._underscore.pipe.name)):
                    return self._underscore
            elif table == ("", "_"):
                return super().meaning(self._underscore)
        return super().meaning(table)

    def may_read(self, table: TableName) -> bool | None:
        """Say whether there is such a resource, and whether the token may read it."""
        if table == ("", "_") and self._underscore is not None:
            if isinstance(self._underscore, OfNode):
                return True  # Whoever calls an endpoint was asked for the right to do so.
            table = self._underscore
        database, name = table
        access = self._caller
        if isinstance(self._underscore, OfNode) and table == ("", self._underscore.pipe.name):
            return True
        if database == "" and name in self.resources.pipes:
            return access.allows("PIPES:READ", name)
        if self.meaning(table) is None:
            return None
        if database == TINYBIRD:
            return access.allows("WORKSPACE:READ_ALL")
        if database == ORGANIZATION:
            # They show all workspaces, so a workspace's own administrator is not enough.
            return any(scope["type"] in _ORGANIZATION_SCOPES for scope in access.token.scopes)
        return access.allows("DATASOURCES:READ", f"{database}.{name}" if database else name)

    def readable(self) -> Iterator[str]:
        """Give the names of the Data Sources that the caller may read."""
        shared = (each.name for each in self._sharing.shared_with(self.workspace))
        for name in (*self.resources.datasources, *shared):
            if self._caller.allows("DATASOURCES:READ", name):
                yield name


class Inside(Names):
    """Names in the text of a node."""

    sees_own_rows_only = True

    def __init__(
        self,
        workspace: Workspace,
        resources: Resources,
        sharing: Sharing,
        service_log: ServiceLog,
        pipe: PipeRecord,
        node: Node,
    ) -> None:
        super().__init__(workspace, resources, sharing, service_log)
        self._pipe = pipe
        self._node = node

    def meaning(self, table: TableName) -> InPlace | OfNode | None:
        """Return what is meant; the nodes of the Pipe come first, but a node named like a table may read that table."""
        database, name = table
        if not database and name != self._node.name:
            found = next((node for node in self._pipe.nodes if node.name == name), None)
            if found is not None:
                return OfNode(self._pipe, found)
            read = self.resources.pipes.get(name)
            if read is not None and read.type == "default" and read.nodes:
                # Other Pipes may share the work of one that is not published.
                self.reads_others = True
                return OfNode(read, read.nodes[-1])
        return super().meaning(table)

    def may_read(self, table: TableName) -> bool | None:
        """Say whether there is such a resource. Of the logs of all workspaces a Pipe sees the rows of its own."""
        return None if self.meaning(table) is None else True


def of_endpoint(pipe: PipeRecord) -> OfNode:
    """Return what the name of a Pipe means.

    Raises:
        BadRequest: it has no endpoint.
    """
    if pipe.endpoint is None:
        raise BadRequest(
            f"The pipe '{pipe.name}' does not have an endpoint yet. Publish one of its nodes, and then read it.",
            documentation=QUERY_PAGE,
        )
    return OfNode(pipe, pipe.endpoint)
