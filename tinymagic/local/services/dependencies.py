"""What hangs on what: the Pipes that read or fill a Data Source, and what that forbids (``datasources.md`` 4.5)."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import Conflict
from tinymagic.local.ingest.imports import DATASOURCES_PAGE
from tinymagic.local.ingest.loader import Table
from tinymagic.local.records import DataSourceRecord, PipeRecord
from tinymagic.names import QUARANTINE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.local.records import Node, Workspace

    from .datasources import DataSourcesService
    from .materialized_views import MaterializedViews
    from .pipes import PipesService


class Dependencies:
    """Answers about Data Sources and the Pipes around them."""

    def __init__(self, datasources: DataSourcesService, pipes: PipesService, views: MaterializedViews) -> None:
        self._datasources = datasources
        self._catalog = datasources.catalog
        self._loader = datasources.loader
        self._pipes = pipes
        self._views = views
        self._known: dict[str, tuple[int, dict[str, list[PipeRecord]]]] = {}
        datasources.used_by = self.used_by

    def readers(self, workspace: Workspace, record: DataSourceRecord) -> list[PipeRecord]:
        """Return the Pipes whose nodes read a Data Source or its quarantine."""
        known = self._readers(workspace)
        found = [*known.get(record.name, ()), *known.get(record.name + QUARANTINE_SUFFIX, ())]
        return list({pipe.id: pipe for pipe in found}.values())

    def used_by(self, workspace: Workspace, record: DataSourceRecord) -> list[dict[str, str]]:
        """Return the same as the API shows it."""
        return [{"id": pipe.id, "name": pipe.name} for pipe in self.readers(workspace, record)]

    def dependent_pipes(self, workspace: Workspace, record: DataSourceRecord) -> str:
        """Say which Pipes read or fill a Data Source, for people; empty when none does."""
        reading = [pipe.name for pipe in self.readers(workspace, record)]
        filling = [pipe.name for pipe, _ in self._fillers(workspace, record) if pipe.name not in reading]
        return ", ".join([*reading, *filling])

    def unlink(self, workspace: Workspace, record: DataSourceRecord, *, force: bool) -> None:
        """Make ready to drop a Data Source: refuse what may not go, and with *force* unlink what fills it.

        Raises:
            Conflict: Pipes read it, which nothing can force; or nodes fill it, and not *force*.
        """
        with self._pipes.defining(workspace):
            readers = self.readers(workspace, record)
            if readers:
                raise Conflict(
                    f"The Data Source '{record.name}' can not be deleted: it has downstream dependencies. "
                    f"It is read by {_listed(readers)}. Delete or change those first.",
                    documentation=DATASOURCES_PAGE,
                )
            filling = self._fillers(workspace, record)
            if filling and not force:
                nodes = " and ".join(f"the node '{node.name}' of the pipe '{pipe.name}'" for pipe, node in filling)
                raise Conflict(
                    f"The Data Source '{record.name}' can not be deleted: it has upstream dependencies. It is "
                    f"filled by {nodes}. Add force=true to unlink and delete it.",
                    documentation=DATASOURCES_PAGE,
                )
            for pipe_id, node_id in [(pipe.id, node.id) for pipe, node in filling]:
                pipe = self._pipes.pipe(workspace, pipe_id)
                node = self._pipes.node(pipe, node_id)
                self._pipes.clear_output(workspace, pipe, node)

    def refuse_rename(self, workspace: Workspace, record: DataSourceRecord) -> None:
        """Refuse another name for a Data Source whose name stands in the SQL of nodes.

        Raises:
            Conflict: names the Pipes.
        """
        readers = self.readers(workspace, record)
        if readers:
            raise Conflict(
                f"The Data Source '{record.name}' can not be renamed: it is read by its name by {_listed(readers)}. "
                "Change those first.",
                documentation=DATASOURCES_PAGE,
            )

    def graph(
        self,
        workspace: Workspace,
        *,
        datasource: str = "",
        pipe: str = "",
        match: str = "",
        no_deps: bool = False,
        recursive: bool = False,
        partial_replace: bool = False,
    ) -> dict[str, Any]:
        """Return the object of ``GET /v0/dependencies``.

        Args:
            workspace: whose.
            datasource: only what hangs on this one.
            pipe: only the Data Sources that this Pipe reads.
            match: only names that contain this, or match it as a pattern with ``*``.
            no_deps: only Data Sources that nothing reads.
            recursive: also what hangs on that.
            partial_replace: the Data Sources that a conditional replace of *datasource* brings up to date.

        Raises:
            NotFound: there is no such Data Source or Pipe.
        """
        if datasource and partial_replace:
            record = self._datasources.record(workspace, datasource)
            return self._replaced_with(workspace, record)
        records = self._catalog.datasources(workspace.id)
        if datasource:
            records = [self._datasources.record(workspace, datasource)]
        if datasource and recursive:
            below = self._views.downstream(workspace, records[0].id)
            records += [each for each in self._catalog.datasources(workspace.id) if each.id in below]
        named = self._pipes.pipe(workspace, pipe).id if pipe else ""
        found: dict[str, dict[str, Any]] = {}
        for record in records:
            readers = self.readers(workspace, record)
            if match and match not in record.name and not fnmatch.fnmatchcase(record.name, match):
                continue
            if (no_deps and readers) or (named and all(each.id != named for each in readers)):
                continue
            found[record.name] = {each.name: {"id": each.id} for each in readers}
        # The command line takes the keys of both, and of what is in the first.
        return {"dependencies": found, **({"incompatible_datasources": {}} if partial_replace else {})}

    def _replaced_with(self, workspace: Workspace, record: DataSourceRecord) -> dict[str, Any]:
        names = {each.name: each for each in self._catalog.datasources(workspace.id)}
        pipes = {each.id: each.name for each in self._catalog.pipes(workspace.id)}
        found: dict[str, dict[str, Any]] = {}
        todo = [record.name]
        while todo:
            for view in self._views.on(Table(workspace.database, todo.pop())):
                if view.target.name not in found:
                    todo.append(view.target.name)
                found.setdefault(view.target.name, {})[pipes.get(view.pipe_id, view.name)] = {"id": view.pipe_id}
        whole = ("", "tuple()")
        parted = record.engine.get("engine_partition_key", "") not in whole
        incompatible = {
            name: found[name]
            for name in found
            if parted and names[name].engine.get("engine_partition_key", "") in whole
        }
        return {"dependencies": found, "incompatible_datasources": incompatible}

    def _fillers(self, workspace: Workspace, record: DataSourceRecord) -> list[tuple[PipeRecord, Node]]:
        """Return the nodes that write to a Data Source."""
        return [
            (pipe, node)
            for pipe in self._catalog.pipes(workspace.id)
            for node in pipe.nodes
            if node.type in ("materialized", "copy") and node.output.get("datasource") == record.id
        ]

    def _readers(self, workspace: Workspace) -> dict[str, list[PipeRecord]]:
        """Return for each name the Pipes that read it; made again when the catalogue has changed."""
        version = self._catalog.version_of(DataSourceRecord, PipeRecord)
        known = self._known.get(workspace.id)
        if known is not None and known[0] == version:
            return known[1]
        found: dict[str, list[PipeRecord]] = {}
        for pipe in self._catalog.pipes(workspace.id):
            for name in self._pipes.names_read(workspace, pipe):
                found.setdefault(name, []).append(pipe)
        self._known[workspace.id] = (version, found)
        return found


def _listed(pipes: Sequence[PipeRecord]) -> str:
    return f"the pipe{'s' if len(pipes) > 1 else ''} {', '.join(repr(pipe.name) for pipe in pipes)}"
