"""Populate jobs: a materialized view is evaluated on the rows that its source has already (``pipes.md`` 7).

Theory of operation. When the job begins it holds the source alone for a moment, to attach the parts that are there to a
snapshot; no row is copied. A view that is made together with its populate job begins in the same moment. So each row is
either in the snapshot or evaluated when it comes in. What the view makes of the snapshot, one partition after the
other, is staged and becomes visible in one step, in the target and in what hangs on it. Until then the job can be
cancelled, and has changed nothing, except that ``truncate`` empties the target at the beginning.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.engine import DiskFull, EngineEnding, EngineError
from tinymagic.local.errors import ApiError, BadRequest, NotFound
from tinymagic.local.ingest.feeding import create_like, unfinished_sentence
from tinymagic.local.ingest.imports import plain_reason
from tinymagic.local.ingest.moves import Unfinished
from tinymagic.local.ingest.rebuilding import REBUILD_SETTINGS, additional_filter
from tinymagic.local.ingest.table import Table, staging_table
from tinymagic.local.pipes.definitions import PIPES_PAGE

from .materialized_views import OWED, POPULATED, TARGET, TYPE, WAITING
from .populate_options import PopulateOptions, read_options
from .running_job import JobCancelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.materializing.view import View
    from tinymagic.local.records import DataSourceRecord, JobRecord, Node, PipeRecord, Workspace

    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .materializations import Materializations
    from .materialized_views import MaterializedViews
    from .operations import OperationsLog
    from .pipes import PipesService
    from .running_job import RunningJob

logger = logging.getLogger("tinymagic.local")

KIND = "populateview"

#: Most rows that ``populate_subset`` takes.
MOST_SUBSET_ROWS = 2_000_000

#: How long a job waits for the Pipe that it was started with to be saved, seconds.
_SAVED_S = 30.0
_POLL_S = 0.02


class Populating:
    """Runs populate jobs."""

    def __init__(
        self,
        datasources: DataSourcesService,
        pipes: PipesService,
        views: MaterializedViews,
        materializations: Materializations,
        jobs: JobsService,
        operations: OperationsLog,
    ) -> None:
        self._datasources = datasources
        self._catalog = datasources.catalog
        self._engine = datasources.engine
        self._loader = datasources.loader
        self._pipes = pipes
        self._views = views
        self._materializations = materializations
        self._jobs = jobs
        self._operations = operations
        materializations.populating = self

    def start(
        self, workspace: Workspace, pipe_id: str, node_id: str, fields: Mapping[str, str], *, access: Access | None
    ) -> JobRecord:
        """Populate the target of a view in a job.

        Args:
            workspace: of the Pipe.
            pipe_id: of the Pipe, or its name.
            node_id: of the node, or its name.
            fields: ``populate_subset``, ``populate_condition``, ``truncate``, ``unlink_on_populate_error``.
            access: of who asks.

        Raises:
            NotFound: there is no such Pipe or node.
            BadRequest: the node is no materialized view, or an option cannot be used.
        """
        pipe = self._pipes.pipe(workspace, pipe_id)
        node = self._pipes.node(pipe, node_id)
        if node.type != TYPE:
            raise BadRequest(
                f"The node '{node.name}' of the pipe '{pipe.name}' is not materialized, so there is nothing to "
                "populate.",
                documentation=PIPES_PAGE,
            )
        if WAITING in node.output:
            raise BadRequest(f"A populate job of the node '{node.name}' waits already.", documentation=PIPES_PAGE)
        return self._start(workspace, pipe, node, fields, access, str(uuid.uuid4()))

    def start_with_view(
        self, workspace: Workspace, pipe: PipeRecord, node: Node, fields: Mapping[str, str], *, access: Access | None
    ) -> tuple[Node, JobRecord]:
        """Populate the target of a view that is about to be saved; returns its node, which begins with the job.

        Raises:
            BadRequest: an option cannot be used.
        """
        job_id = str(uuid.uuid4())
        # What an older job of this node waited for is this job's now.
        waiting = replace(node, output={**node.output, WAITING: job_id})
        return waiting, self._start(workspace, pipe, waiting, fields, access, job_id)

    def _start(
        self,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        fields: Mapping[str, str],
        access: Access | None,
        job_id: str,
    ) -> JobRecord:
        view = self._views.view(workspace, pipe, node)
        options = read_options(self._datasources, view, fields)
        if options.truncate and access is not None:
            access.require("DATASOURCES:CREATE")
        mark = node.output.get(WAITING)
        target = self._datasources.record(workspace, node.output[TARGET])
        record = self._jobs.start(
            workspace,
            KIND,
            lambda job: self._work(job, workspace, pipe.id, node.id, mark, options),
            access=access,
            datasource=target,
            pipe_id=pipe.id,
            job_id=job_id,
            details={
                "pipe_id": pipe.id,
                "pipe_name": pipe.name,
                "node_id": node.id,
                "datasource": {"id": target.id, "name": target.name},
                "queries": [],
                "progress_percentage": 0,
                **({"populate_condition": options.text} if options.text else {}),
            },
            discard=lambda: self._discarded(workspace, pipe.id, node.id),
        )
        self._operations.noted(workspace, "populateview-queued", target, job_id=record.id, pipe_id=pipe.id)
        return record

    def resume(self) -> None:
        """Start the jobs of deployments again that the end of the server stopped; call it when no request runs.

        What such a view has given since it began is given by the new job too.
        """
        for workspace in self._catalog.workspaces():
            nodes = list(self._views.nodes(workspace))
            for target_id in {str(node.output.get(TARGET)) for _, node in nodes if OWED in node.output}:
                filling = [(pipe.id, node.id) for pipe, node in nodes if node.output.get(TARGET) == target_id]
                try:
                    again = self._emptied(workspace, target_id, filling)
                except (ApiError, EngineError, DiskFull):
                    logger.exception("The Data Source %s could not be emptied to be filled again.", target_id)
                    again = False
                for pipe_id, node_id in filling:
                    if not again or not self._resumed(workspace, pipe_id, node_id):
                        self._begin(workspace, pipe_id, node_id)

    def _emptied(self, workspace: Workspace, target_id: str, filling: Sequence[tuple[str, str]]) -> bool:
        """Empty the target of owed views, unless that could lose rows; says whether it can be filled again."""
        target = self._datasources.record(workspace, target_id)
        table = Table(workspace.database, target.name)
        [[count]] = self._engine.rows(f"SELECT count() FROM {table.sql}")
        views = [self._views.view(workspace, *self._found(workspace, *each)) for each in filling]
        if count and (self._loader.views(table) or not all(self._loader.keeps_rows(view.source) for view in views)):
            logger.warning("The Data Source %s was not filled with the rows of before: start a populate.", target_id)
            return False
        marks: dict[str, Any] = {OWED: True, WAITING: "resume"}
        for pipe_id, node_id in filling:  # Written down first: from here on all of them owe their rows.
            if count or self._is_owed(workspace, pipe_id, node_id):
                self._note(workspace, pipe_id, node_id, **marks)
        if count:
            self._engine.execute(f"TRUNCATE TABLE {table.sql}")
        return True

    def _resumed(self, workspace: Workspace, pipe_id: str, node_id: str) -> bool:
        """Start the job of a view that owes its rows; says whether the view is in good hands."""
        pipe, node = self._found(workspace, pipe_id, node_id)
        if OWED not in node.output:
            return True
        plain = replace(node, output={key: value for key, value in node.output.items() if key != WAITING})
        try:
            waiting, _ = self.start_with_view(workspace, pipe.with_node(plain), plain, {}, access=None)
        except (ApiError, EngineError):
            logger.exception("The view %s could not be populated.", node.id)
            return False
        self._catalog.update_pipe(pipe.with_node(waiting))
        return True

    # The work of a job

    def _work(
        self,
        job: RunningJob,
        workspace: Workspace,
        pipe_id: str,
        node_id: str,
        mark: str | None,
        options: PopulateOptions,
    ) -> None:
        begin = time.perf_counter()
        error = ""
        target: DataSourceRecord | None = None
        try:
            pipe, node = self._saved(job, workspace, pipe_id, node_id, mark)
            target = self._datasources.record(workspace, node.output[TARGET])
            rows = self._populate(job, workspace, pipe, node, options)
            job.update(statistics=self._datasources.get(workspace, target.id)["statistics"], rows=rows)
            self._note(workspace, pipe_id, node_id, **{POPULATED: True})
        except JobCancelled:
            error = "The job was cancelled."
            self._begin(workspace, pipe_id, node_id)
            raise
        except (ApiError, EngineError) as failure:
            error = plain_reason(failure.message)
            if job.record.status == "cancelling":
                self._begin(workspace, pipe_id, node_id)
            else:
                self._failed(workspace, pipe_id, node_id, always=options.unlink)
            raise
        except EngineEnding:
            error = "The server ended."
            if not self._is_owed(workspace, pipe_id, node_id):
                self._begin(workspace, pipe_id, node_id)
            raise
        except BaseException:
            error = "The server could not do it."
            self._begin(workspace, pipe_id, node_id)
            raise
        finally:
            self._operations.noted(
                workspace,
                KIND,
                target,
                error=error,
                elapsed_s=time.perf_counter() - begin,
                job_id=job.record.id,
                pipe_id=pipe_id,
                rows=int(job.record.details.get("rows", 0)),
            )

    def _populate(
        self, job: RunningJob, workspace: Workspace, pipe: PipeRecord, node: Node, options: PopulateOptions
    ) -> int:
        """Stage what the view makes of the rows that are there, and make it visible; returns how many rows it is."""
        view = self._views.view(workspace, pipe, node)
        source = self._datasources.record(workspace, view.source.name)
        with self._datasources.populating(source.id, node.output[TARGET]):
            job.check()
            return self._populate_alone(job, workspace, pipe, node, options)

    def _populate_alone(
        self, job: RunningJob, workspace: Workspace, pipe: PipeRecord, node: Node, options: PopulateOptions
    ) -> int:
        snapshot, subset, staged = staging_table(), staging_table(), staging_table()
        kept = False
        try:
            view = self._snapshot(job, workspace, pipe, node, snapshot, truncate=options.truncate)
            rows = snapshot
            if options.subset:
                self._take(snapshot, subset, options.subset)
                rows = subset
            create_like(self._engine, staged, view.target, keeps_rows=view.keeps_rows)
            self._evaluate(job, view, rows, staged, options.condition)
            with self._datasources.writing(workspace, node.output[TARGET]) as target:
                self._found(workspace, pipe.id, node.id)
                place = Table(workspace.database, target.name)
                with self._loader.feeding(staged, place) as feeding:
                    job.commit()
                    [[count]] = self._engine.rows(f"SELECT count() FROM {staged.sql}")
                    feeding.move()
            return int(count)
        except Unfinished as error:
            kept = True
            raise ApiError(f"{unfinished_sentence()}.", status=500) from error
        finally:
            with self._engine.cleaning():
                self._loader.discard(snapshot, subset, *(() if kept else (staged,)))

    def _snapshot(
        self,
        job: RunningJob,
        workspace: Workspace,
        pipe: PipeRecord,
        node: Node,
        snapshot: Table,
        *,
        truncate: bool,
    ) -> View:
        """Take the rows that are there, and let a new view begin with those that come after them."""
        view = self._views.view(workspace, pipe, node)
        source = self._datasources.record(workspace, view.source.name)
        held = {source.id, node.output[TARGET]} if truncate else {source.id}
        # The Pipe's definition first: whoever changes that may want the Data Sources next.
        with self._pipes.defining(workspace), ExitStack() as stack:
            for each in sorted(held):
                stack.enter_context(self._datasources.changing(workspace, each))
            job.check()
            # As they are now: somebody may have renamed or altered something meanwhile.
            view = self._views.view(workspace, *self._found(workspace, pipe.id, node.id))
            if self._loader.keeps_rows(view.source):
                create_like(self._engine, snapshot, view.source)
                self._engine.execute(f"ALTER TABLE {snapshot.sql} ATTACH PARTITION ALL FROM {view.source.sql}")
            else:
                create_like(self._engine, snapshot, view.source, keeps_rows=False)
            if truncate and view.keeps_rows:
                self._engine.execute(f"TRUNCATE TABLE {view.target.sql}")
            self._note(workspace, pipe.id, node.id, keeps_owed=True)
        return view

    def _take(self, snapshot: Table, subset: Table, fraction: float) -> None:
        """Copy a part of the rows."""
        [[count]] = self._engine.rows(f"SELECT count() FROM {snapshot.sql}")
        most = min(int(count * fraction), MOST_SUBSET_ROWS)
        create_like(self._engine, subset, snapshot)
        self._engine.execute(
            f"INSERT INTO {subset.sql} SELECT * FROM {snapshot.sql} LIMIT {most:d}", settings=REBUILD_SETTINGS
        )

    def _evaluate(self, job: RunningJob, view: View, rows: Table, staged: Table, condition: str) -> None:
        """Fill *staged* with what the view makes of *rows*, one partition after the other."""
        partitions = self._engine.rows(
            "SELECT partition_id, any(partition), sum(rows) FROM system.parts "
            "WHERE database = {d:String} AND table = {t:String} AND active GROUP BY 1 ORDER BY 1",
            parameters={"d": rows.database, "t": rows.name},
        )
        queries = [
            {"query_id": str(uuid.uuid4()), "status": "waiting", "partition": str(each[1])} for each in partitions
        ]
        job.update(queries=queries)
        total, done = sum(int(each[2]) for each in partitions) or 1, 0
        for number, (partition, _, count) in enumerate(partitions):
            job.check()
            queries[number] = {**queries[number], "status": "working"}
            job.update(queries=queries)
            filters = [f"_partition_id = '{partition}'"] if len(partitions) > 1 else []
            filters += [condition] if condition else []
            try:
                self._engine.execute(
                    view.insertion(staged, rows, every=view.source),
                    database=view.source.database,
                    settings={**REBUILD_SETTINGS, **view.settings, **additional_filter(rows, " AND ".join(filters))},
                    parameters=view.parameters,
                )
            except EngineError:
                queries[number] = {**queries[number], "status": "error"}
                job.update(queries=queries)
                raise
            done += int(count)
            queries[number] = {**queries[number], "status": "done"}
            job.update(queries=queries, progress_percentage=round(100 * done / total, 1))

    # What becomes of the view

    def _saved(
        self, job: RunningJob, workspace: Workspace, pipe_id: str, node_id: str, mark: str | None
    ) -> tuple[PipeRecord, Node]:
        """Return Pipe and node, once they are in the catalogue as the job was started with them.

        Raises:
            NotFound: they are not, for instance because the Pipe could not be saved.
        """
        deadline = time.monotonic() + _SAVED_S
        while True:
            job.check()
            pipe = self._catalog.pipe(workspace.id, pipe_id)
            node = pipe.node(node_id) if pipe else None
            if pipe and node and node.type == TYPE and node.output.get(WAITING) == mark:
                return pipe, node
            if time.monotonic() > deadline:
                raise NotFound("The materialized view does not exist any more.", documentation=PIPES_PAGE)
            time.sleep(_POLL_S)

    def _found(self, workspace: Workspace, pipe_id: str, node_id: str) -> tuple[PipeRecord, Node]:
        pipe = self._pipes.pipe(workspace, pipe_id)
        node = pipe.node(node_id)
        if node is None or node.type != TYPE:
            raise NotFound("The materialized view does not exist any more.", documentation=PIPES_PAGE)
        return pipe, node

    def _begin(self, workspace: Workspace, pipe_id: str, node_id: str) -> None:
        """Let a view begin that waits for its populate job."""
        self._note(workspace, pipe_id, node_id)

    def _discarded(self, workspace: Workspace, pipe_id: str, node_id: str) -> None:
        self._begin(workspace, pipe_id, node_id)

    def _is_owed(self, workspace: Workspace, pipe_id: str, node_id: str) -> bool:
        pipe = self._catalog.pipe(workspace.id, pipe_id)
        node = pipe.node(node_id) if pipe else None
        return node is not None and OWED in node.output

    def _note(
        self, workspace: Workspace, pipe_id: str, node_id: str, *, keeps_owed: bool = False, **changes: Any
    ) -> None:
        with self._pipes.defining(workspace):
            pipe = self._catalog.pipe(workspace.id, pipe_id)
            node = pipe.node(node_id) if pipe else None
            if pipe is None or node is None or node.type != TYPE:
                return
            gone = (WAITING,) if keeps_owed else (WAITING, OWED)
            output = {**{key: value for key, value in node.output.items() if key not in gone}, **changes}
            if output != node.output:
                self._catalog.update_pipe(pipe.with_node(replace(node, output=output)))

    def _failed(self, workspace: Workspace, pipe_id: str, node_id: str, *, always: bool) -> None:
        """Unlink a view whose populate failed: the first one always, later ones when that was asked."""
        with self._pipes.defining(workspace):
            pipe = self._catalog.pipe(workspace.id, pipe_id)
            node = pipe.node(node_id) if pipe else None
            if pipe is None or node is None or node.type != TYPE:
                return
            if always or not node.output.get(POPULATED):
                self._pipes.clear_output(workspace, pipe, node)
            else:
                self._begin(workspace, pipe_id, node_id)
