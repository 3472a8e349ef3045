"""Branches: copies of a workspace to try things in (``workspace.md`` section 2, ``/v0/environments``).

A branch is a workspace that names its *main*. A job makes its database and the tables in it, with rows when asked, and
tells the catalogue at the end, in one transaction: nobody sees half a branch, and what a crash or a cancellation
leaves is a database that the catalogue does not know.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import NameTaken
from tinymagic.local.engine import quote_identifier, quote_string
from tinymagic.local.errors import BadRequest, Conflict, NotFound
from tinymagic.local.ingest.loader import Table
from tinymagic.local.pipes.branching import copied_pipe
from tinymagic.local.records import Workspace, new_id

from .datasources import PENDING, SHARED_WITH
from .running_job import WHEN_INTERRUPTED
from .workspaces import DATABASE_PREFIX, WORKSPACES_PAGE, WorkspacesService, check_name, require_admin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.records import DataSourceRecord, JobRecord

    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .pipes import PipesService
    from .running_job import RunningJob

#: What ``data`` takes; empty copies no rows.
DATA = ("", "last_partition", "all_partitions")


class BranchesService:
    """Rules about branches."""

    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        workspaces: WorkspacesService,
        datasources: DataSourcesService,
        pipes: PipesService,
    ) -> None:
        self._engine = engine
        self._datasources = datasources
        self._catalog = catalog
        self._workspaces = workspaces
        self._pipes = pipes

    def main_of(self, access: Access) -> Workspace:
        """Return the workspace whose branches the token deals with: its own, or the one that it is a branch of."""
        workspace = access.workspace
        return (self._catalog.workspace(workspace.main) if workspace.main else None) or workspace

    def find(self, access: Access, id_or_name: str) -> Workspace:
        """Return a branch.

        Raises:
            Forbidden: the token is no administrator's.
            NotFound: there is none.
        """
        require_admin(access)
        main = self.main_of(access)
        found = self._catalog.branch(main.id, id_or_name)
        if found is None:
            raise NotFound(f"The workspace {main.name!r} has no branch {id_or_name!r}.", documentation=WORKSPACES_PAGE)
        return found

    def create(
        self, access: Access, jobs: JobsService, name: str, data: str = "", ignored: Sequence[str] = ()
    ) -> tuple[Workspace, JobRecord]:
        """Start the job that makes a branch; return the branch as it will be, and the job.

        Args:
            access: whoever asks.
            jobs: where the job runs.
            name: of the branch.
            data: which rows to copy, one of `DATA`.
            ignored: names of Data Sources whose rows stay out.

        Raises:
            Forbidden: the token is no administrator's.
            BadRequest: name or data cannot be used.
            Conflict: the name is taken.
        """
        require_admin(access)
        check_name(name, kind="branch")
        if data not in DATA:
            raise BadRequest(f"data must be last_partition, all_partitions or nothing, not {data!r}.")
        main = self.main_of(access)
        if self._catalog.branch(main.id, name):
            raise _taken(name)
        identifier = uuid.uuid4()
        branch = Workspace(
            str(identifier), name, DATABASE_PREFIX + identifier.hex, main=main.id, owner_id=main.owner_id
        )

        # The job belongs to the token's workspace, for it is asked for with that token.
        details = {"branch_id": branch.id, "branch_workspace": branch.id, "branch_name": name}
        job = jobs.start(
            access.workspace,
            "branch",
            lambda running: self._make(running, main, branch, data, ignored),
            access=access,
            details=details,
        )
        return branch, job

    def bring_data(
        self, access: Access, jobs: JobsService, id_or_name: str, data: str, ignored: Sequence[str] = ()
    ) -> JobRecord:
        """Start the job that replaces partitions of a branch with those of its workspace, and return it.

        Raises:
            Forbidden: the token is no administrator's.
            NotFound: there is no such branch.
            BadRequest: *data* says neither ``last_partition`` nor ``all_partitions``.
        """
        branch = self.find(access, id_or_name)
        if data not in DATA[1:]:
            raise BadRequest(f"mode must be last_partition or all_partitions, not {data!r}.")
        main = self.main_of(access)

        def work(job: RunningJob) -> None:
            job.commit()  # Each Data Source is replaced by itself, so from here on there is no way back.
            theirs = {record.name for record in self._catalog.datasources(branch.id)}
            partitions: list[dict[str, Any]] = []
            for record in self._catalog.datasources(main.id):
                if record.name in theirs and record.name not in ignored:
                    with suppress(NotFound), self._datasources.changing(main, record.id):  # It may be gone by now.
                        copied = self._copy_rows(record, main, branch, last_only=data == "last_partition")
                        partitions.append({"datasource": {"id": record.id, "name": record.name}, "partitions": copied})
            job.update(partitions=partitions, result=partitions)

        details = {"branch_id": branch.id, "branch_workspace": branch.id, "branch_name": branch.name}
        internals = {WHEN_INTERRUPTED: "Some Data Sources of the branch may have the new rows already."}
        return jobs.start(access.workspace, "branch", work, access=access, details=details, internals=internals)

    def _make(self, job: RunningJob, main: Workspace, branch: Workspace, data: str, ignored: Sequence[str]) -> None:
        try:
            self._engine.execute(f"CREATE DATABASE {quote_identifier(branch.database)}")
            listed = self._catalog.datasources(main.id)
            records: list[DataSourceRecord] = []
            partitions: list[dict[str, Any]] = []
            for number, each in enumerate(listed):
                job.check()
                # Nobody may alter or rename it between the copies of its record, its table and its rows. Somebody may
                # have dropped it.
                with suppress(NotFound), self._datasources.changing(main, each.id) as record:
                    records.append(record)
                    self._copy_tables(record, main, branch)
                    if data and record.name not in ignored:
                        copied = self._copy_rows(record, main, branch, last_only=data == "last_partition")
                        partitions.append({"datasource": {"id": record.id, "name": record.name}, "partitions": copied})
                job.progress(100 * (number + 1) / len(listed))
            job.update(partitions=partitions, result=partitions)
            job.commit()
            with self._pipes.defining(main):
                self._register(main, branch, records)
        except BaseException as error:
            self._catalog.delete_workspace(branch.id)
            self._workspaces.drop_database(branch.database)
            if isinstance(error, NameTaken):
                raise _taken(branch.name) from error
            raise

    def _register(self, main: Workspace, branch: Workspace, records: Sequence[DataSourceRecord]) -> None:
        """Tell the catalogue of a branch and all that is in it."""
        ids: dict[str, str] = {}
        with self._catalog.transaction():
            self._workspaces.register(branch)
            for record in records:
                settings = {key: value for key, value in record.settings.items() if key not in (PENDING, SHARED_WITH)}
                ids[record.id] = new_id()
                self._catalog.create_datasource(
                    replace(record, id=ids[record.id], workspace_id=branch.id, created_at="", settings=settings)
                )
            for connection in self._catalog.connections(main.id):
                ids[connection.id] = new_id()
                self._catalog.create_connection(replace(connection, id=ids[connection.id], workspace_id=branch.id))
            for variable in self._catalog.variables(main.id):
                self._catalog.create_variable(replace(variable, id=new_id(), workspace_id=branch.id))
            for pipe in self._catalog.pipes(main.id):
                self._catalog.create_pipe(copied_pipe(pipe, branch.id, ids))

    def _copy_tables(self, record: DataSourceRecord, main: Workspace, branch: Workspace) -> None:
        old, new = Table(main.database, record.name), Table(branch.database, record.name)
        for source, target in ((old, new), (old.quarantine, new.quarantine)):
            self._engine.execute(f"CREATE TABLE {target.sql} AS {source.sql}")

    def _copy_rows(self, record: DataSourceRecord, main: Workspace, branch: Workspace, *, last_only: bool) -> list[str]:
        """Put partitions of one Data Source, which share their files, into the branch; return their names."""
        old, new = Table(main.database, record.name), Table(branch.database, record.name)
        rows = self._engine.rows(
            "SELECT partition_id, any(partition) FROM system.parts "
            "WHERE active AND database = {d:String} AND table = {t:String} "
            "GROUP BY partition_id ORDER BY max(modification_time), partition_id",
            parameters={"d": old.database, "t": old.name},
        )
        chosen = rows[-1:] if last_only else rows
        for partition_id, _ in chosen:
            self._engine.execute(
                f"ALTER TABLE {new.sql} REPLACE PARTITION ID {quote_string(str(partition_id))} FROM {old.sql}"
            )
        return [str(partition) for _, partition in chosen]

    def list(self, access: Access) -> list[Workspace]:
        """Return the branches, oldest first.

        Raises:
            Forbidden: the token is no administrator's.
        """
        require_admin(access)
        return self._catalog.branches(self.main_of(access).id)


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is already a branch called {name!r}. Choose another name, or delete that one.",
        documentation=WORKSPACES_PAGE,
    )
