"""Getting rows in: create, append and replace, from a body or a URL, at once or as a job (``datasources.md`` 3).

Every import is whole or not there. Rows are staged beside the Data Source and become visible in one step
(`ingest.loader.Loader`); until that step a job can be cancelled. What was imported is noted in
``tinybird.datasources_ops_log`` and ``tinybird.block_log``.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.connectors.settings import CONNECTOR, service_of
from tinymagic.local.engine import EngineError
from tinymagic.local.errors import ApiError, BadRequest, NotFound
from tinymagic.local.files.remote_files import shown_url
from tinymagic.local.files.spool import SpooledFile, UploadError
from tinymagic.local.ingest.feeding import unfinished_sentence
from tinymagic.local.ingest.imports import (
    DATASOURCES_PAGE,
    ImportRequest,
    check_jsonpaths,
    import_reply,
    not_imported,
)
from tinymagic.local.ingest.loader import LoadReport, Table, staging_table
from tinymagic.local.ingest.moves import Unfinished
from tinymagic.local.ingest.rebuilding import IncompatiblePartitions
from tinymagic.local.tables.definition import TableDefinition, define_table, read_schema
from tinymagic.local.tables.schema import Column, parse_schema

from .downloads import check_address, downloaded
from .running_job import JobCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.files.file_reading import Layout
    from tinymagic.local.records import DataSourceRecord, JobRecord, Workspace

    from .datasources import DataSourcesService
    from .jobs import JobsService
    from .operations import OperationsLog
    from .running_job import RunningJob

MODES = ("create", "append", "replace")

#: Fields of an import's reply that its job shows too.
_JOB_FIELDS = ("import_id", "quarantine_rows", "invalid_lines", "blocks", "block_log")


@dataclass
class _Import:
    """One import under way.

    Attributes:
        import_id: also the id of its job, when it has one.
        job: ``None`` when the caller waits for the reply.
        report: what became of the rows, once known.
        seconds: that reading the file took.
        size_bytes: of the file, uncompressed.
        file: prepared from the upload; removed at the end, whatever happens.
        unfinished: whether the staged tables are needed at the next start.
        beside: further staged tables and their targets, which become visible in the same step.
        most_rows: of the file, the others are not read; ``None`` reads all.
    """

    import_id: str
    job: RunningJob | None = None
    report: LoadReport = field(default_factory=lambda: LoadReport(""))
    seconds: float = 0.0
    size_bytes: int = 0
    file: SpooledFile | None = None
    unfinished: bool = False
    beside: Sequence[tuple[Table, Table]] = ()
    most_rows: int | None = None

    def commit(self) -> None:
        """The next step makes rows visible."""
        if self.job is not None:
            self.job.commit()


class ImportUnfinished(ApiError):  # noqa: N818 - says what happened
    """The rows are stored, but not everywhere until the next start; the staged tables are needed for that."""


class ImportService:
    """Imports files into Data Sources."""

    def __init__(self, datasources: DataSourcesService, jobs: JobsService, operations: OperationsLog) -> None:
        self._datasources = datasources
        self._engine = datasources.engine
        self._loader = datasources.loader
        self._reader = datasources.reader
        self._spool = datasources.spool
        self._jobs = jobs
        self._operations = operations
        #: Returns the settings of the connector after a request, given those before.
        self.connector: Callable[[Workspace, Mapping[str, str], Mapping[str, str]], dict[str, str]] = no_connector
        jobs.retries_with("import", self._retry)

    def run(self, workspace: Workspace, mode: str, request: ImportRequest) -> dict[str, Any]:
        """Import now and return the API's reply (section 3.5 b).

        Raises:
            NotFound: there is no such Data Source.
            Conflict: the name of a new one is taken.
            BadRequest: parameters, schema or file cannot be used; nothing was changed.
        """
        return self._run(workspace, mode, request, _Import(str(uuid.uuid4())))

    def start(self, access: Access, mode: str, request: ImportRequest) -> JobRecord:
        """Import in a job and return it, waiting. The file of the request belongs to the job from now on.

        Raises:
            NotFound, Conflict, BadRequest: what can be known before the file is read.
        """
        workspace = access.workspace
        record: DataSourceRecord | None = None
        url = request.parameters.get("url", "")
        if url:
            check_address(url)
        if mode == "create":
            name = self._datasources.new_name(workspace, request.name, file_name=request.file_name)
            request = replace(request, parameters={**request.parameters, "name": name})
            if request.parameters.get("schema", "").strip():
                self._definition(request)
            else:
                _check_guessable(request)
        else:
            record = self._target(workspace, request, mode)
            self._condition(request)
        job_id = str(uuid.uuid4())
        block_log = [{"block_id": job_id, "status": "idle", "processing_time": None}]
        return self._jobs.start(
            workspace,
            "import",
            lambda job: self._work(job, workspace, mode, request),
            access=access,
            datasource=record,
            queue_name="url" if url else "",
            job_id=job_id,
            details={
                "mode": mode,
                "import_id": job_id,
                **({"url": shown_url(url)} if url else {}),
                "datasource": {"id": record.id if record else "", "name": record.name if record else request.name},
                "block_log": block_log,
            },
            internals={"mode": mode, "parameters": dict(request.parameters)} if url else {},
            discard=lambda: _remove(request.upload),
        )

    def append_file(
        self,
        job: RunningJob,
        workspace: Workspace,
        request: ImportRequest,
        *,
        beside: Sequence[tuple[Table, Table]] = (),
        most_rows: int | None = None,
    ) -> LoadReport:
        """Append one of the files of a job, and return what became of its rows. The upload is removed.

        Args:
            job: that does it; it can be cancelled before the rows become visible and again afterwards.
            workspace: of the Data Source.
            request: names the Data Source and has the upload.
            beside: staged tables, each with its target; they become visible together with the rows, or not at all.
            most_rows: read no more.

        Raises:
            NotFound, BadRequest: nothing was stored.
            ImportUnfinished: see there; also what is *beside* is needed then.
            JobCancelled: before anything was stored.
        """
        load = _Import(str(uuid.uuid4()), job, beside=beside, most_rows=most_rows)
        try:
            self._run(workspace, "append", request, load)
        finally:
            _remove(request.upload)
        job.reopen()
        return load.report

    # The work of a job

    def _work(self, job: RunningJob, workspace: Workspace, mode: str, request: ImportRequest) -> None:
        upload = request.upload
        try:
            block = {"block_id": job.record.id, "status": "processing", "processing_time": None}
            job.update(block_log=[block])
            if request.parameters.get("url"):
                try:
                    request = downloaded(job, request, self._spool)
                except ApiError as error:
                    existing = self._datasources.catalog.datasource(workspace.id, request.name)
                    self._operations.failed(workspace, mode, existing, request.name, error.message, 0.0, job.record.id)
                    raise
                upload = request.upload
            job.check()
            reply = self._run(workspace, mode, request, _Import(job.record.id, job))
            described = reply["datasource"]
            job.update(
                **{name: reply[name] for name in _JOB_FIELDS},
                datasource=described,
                statistics=described["statistics"],
                **({"errors": reply["errors"]} if reply["errors"] else {}),
            )
        finally:
            _remove(upload)

    def _retry(self, access: Access, job: JobRecord) -> JobRecord:
        if not job.internals.get("parameters"):
            raise BadRequest(
                "The file of this job came with the request and is not kept. Send it again as a new import.",
                documentation=DATASOURCES_PAGE,
            )
        mode, parameters = job.internals["mode"], dict(job.internals["parameters"])
        record = self._datasources.catalog.datasource(access.workspace.id, job.datasource_id)
        if record is not None:
            parameters["name"] = record.id  # It may have been renamed.
        if mode == "append":
            access.require("DATASOURCES:APPEND", record.name if record else parameters.get("name", ""))
        else:
            access.require("DATASOURCES:CREATE")
        return self.start(access, mode, ImportRequest(parameters))

    # The imports

    def _run(self, workspace: Workspace, mode: str, request: ImportRequest, load: _Import) -> dict[str, Any]:
        begin = time.perf_counter()
        named = request.name
        try:
            action = {"create": self._create, "append": self._append, "replace": self._replace}[mode]
            record = action(workspace, request, load)
        except (ApiError, EngineError) as error:
            failure = error if isinstance(error, ApiError) else not_imported(error)
            existing = self._datasources.catalog.datasource(workspace.id, named) if named else None
            self._operations.failed(
                workspace, mode, existing, named, failure.message, time.perf_counter() - begin, load.import_id
            )
            if load.job is not None and load.job.record.status == "cancelling":
                raise JobCancelled from error
            raise failure from error
        finally:
            if load.file is not None:
                load.file.path.unlink(missing_ok=True)
        self._operations.imported(
            workspace,
            mode,
            record,
            load.report,
            elapsed_s=time.perf_counter() - begin,
            import_id=load.import_id,
            job_id=load.job.record.id if load.job else None,
            source=shown_url(request.parameters["url"]) if request.parameters.get("url") else request.file_name,
            size_bytes=load.size_bytes,
        )
        described = self._datasources.get(workspace, record.id)
        if not load.size_bytes:
            return {"datasource": described}
        return import_reply(described, load.report, size_bytes=load.size_bytes, seconds=load.seconds)

    def _create(self, workspace: Workspace, request: ImportRequest, load: _Import) -> DataSourceRecord:
        name = self._datasources.new_name(workspace, request.name, file_name=request.file_name)
        schema = request.parameters.get("schema", "")
        if not schema.strip() and request.upload is None:
            raise BadRequest("A new Data Source needs a schema or a file.", documentation=DATASOURCES_PAGE)
        headers: Sequence[str] = ()
        layout: Layout | None = None
        if schema.strip():
            file = self._prepared(request, load)
            definition = self._definition(request)
            check_jsonpaths(definition.columns, request)
        else:
            _check_guessable(request)
            file = self._prepared(request, load)
            assert file is not None
            inferred = self._reader.infer(file, request.parameters)
            headers, layout = inferred.header, inferred.layout
            definition = define_table(inferred.columns, request.parameters, self._datasources.expressions)

        connector = self.connector(workspace, request.parameters, {})

        def fill(record: DataSourceRecord, staged: Table) -> None:
            if file is not None and definition.engine.is_merge_tree:
                self._fill(record, staged, file, request, load, layout)
            load.commit()

        return self._datasources.create(
            workspace,
            name,
            definition,
            description=request.parameters.get("description", ""),
            type=service_of(connector) or request.file_format,
            headers=headers,
            settings={CONNECTOR: connector} if connector else {},
            fill=fill,
        )

    def _append(self, workspace: Workspace, request: ImportRequest, load: _Import) -> DataSourceRecord:
        record = self._target(workspace, request, "append")
        file = self._needed_file(request, load)
        with self._datasources.writing(workspace, record.id) as record:
            target, staged = Table(workspace.database, record.name), staging_table()
            try:
                self._stage(record, target, staged, file, request, load)
                self._move(staged, target, load)
            finally:
                self._loader.discard(*(staged, staged.quarantine) if not load.unfinished else ())
        return record

    def _replace(self, workspace: Workspace, request: ImportRequest, load: _Import) -> DataSourceRecord:
        record = self._target(workspace, request, "replace")
        condition = self._condition(request)
        file = self._needed_file(request, load)
        if condition and record.engine["engine"] == "Null":
            message = "replace_condition cannot be used: the engine Null keeps no rows that could be replaced."
            raise BadRequest(message, documentation=DATASOURCES_PAGE)
        with self._datasources.replacing(workspace, record.id) as record:
            target, staged, fresh = Table(workspace.database, record.name), staging_table(), staging_table()
            try:
                report = self._stage(record, target, staged, file, request, load)
                if not report.stored and not condition and not request.is_true("replace_truncate_when_empty"):
                    raise BadRequest(
                        "No row of the file fits, so nothing was replaced. Add replace_truncate_when_empty=true "
                        f"to empty the Data Source. {'; '.join(report.messages)}".strip(),
                        errors=report.messages,
                    )
                if condition:
                    self._merge(target, staged, fresh, condition, report)
                if record.engine["engine"] == "Null":  # There is nothing to take the place of.
                    self._move(staged, target, load)
                else:
                    self._exchange(staged, fresh if condition else staged, target, request, load)
            finally:
                self._loader.discard(*(staged, staged.quarantine, fresh) if not load.unfinished else ())
        return record

    # Steps

    def _move(self, staged: Table, target: Table, load: _Import) -> None:
        """Make the rows visible, with what views make of them; a view that fails refuses them all."""
        quarantine = [(staged.quarantine, target.quarantine)] if load.report.quarantined else []
        if not load.beside and (not load.report.stored or not self._loader.views(target)):
            load.commit()
            # The rows last: when they are there nothing can fail any more, and nobody sends them again.
            for each in quarantine:
                self._loader.move(*each)
            if load.report.stored:
                self._loader.move(staged, target)
            return
        with self._loader.feeding(staged, target) as feeding:
            load.commit()
            try:
                feeding.move([*quarantine, *load.beside])
            except Unfinished as error:
                load.unfinished = True
                raise _unfinished() from error

    def _exchange(self, staged: Table, fresh: Table, target: Table, request: ImportRequest, load: _Import) -> None:
        """Put *fresh* in the place of the Data Source, and bring what its views fill up to date."""
        skip, condition = request.is_true("skip_incompatible_partition_key"), self._condition(request)
        try:
            with self._loader.rebuilding(fresh, target, condition=condition, skip_incompatible=skip) as rebuilding:
                load.commit()
                if load.report.quarantined:
                    self._loader.move(staged.quarantine, target.quarantine)
                rebuilding.exchange()
        except IncompatiblePartitions as error:
            raise BadRequest(
                f"Nothing was replaced: materialized views fill '{error.table.name}', whose partitions have rows both "
                "of those that would be replaced and of others, so it cannot follow. Give it the partition key of the "
                "Data Source, or add skip_incompatible_partition_key=true to leave it as it is.",
                documentation=DATASOURCES_PAGE,
            ) from error
        except Unfinished as error:
            load.unfinished = True
            raise _unfinished() from error

    def _definition(self, request: ImportRequest) -> TableDefinition:
        columns = read_schema(request.parameters["schema"])
        return define_table(columns, request.parameters, self._datasources.expressions)

    def _target(self, workspace: Workspace, request: ImportRequest, mode: str) -> DataSourceRecord:
        if not request.name:
            raise BadRequest(f"mode={mode} needs the parameter 'name'.", documentation=DATASOURCES_PAGE)
        try:
            return self._datasources.record(workspace, request.name)
        except NotFound as error:
            if self._datasources.shared(workspace, request.name):
                message = (
                    f"Data Source {request.name!r} belongs to another workspace: it can be read here, not written."
                )
                raise BadRequest(message, documentation=DATASOURCES_PAGE) from error
            message = f"{error.message} mode=create makes a new one."
            raise NotFound(message, documentation=DATASOURCES_PAGE) from error

    def _condition(self, request: ImportRequest) -> str:
        text = request.parameters.get("replace_condition", "").strip()
        return self._datasources.expressions.checked(text, "replace_condition") if text else ""

    def _needed_file(self, request: ImportRequest, load: _Import) -> SpooledFile:
        file = self._prepared(request, load)
        if file is None:
            raise BadRequest("There is no file in the request: send the rows as the body or as a multipart part.")
        return file

    def _prepared(self, request: ImportRequest, load: _Import) -> SpooledFile | None:
        if request.upload is None:
            return None
        try:
            load.file = self._spool.prepare(request.upload, text=request.file_format != "parquet")
        except UploadError as error:
            raise BadRequest(str(error), documentation=DATASOURCES_PAGE) from error
        return load.file

    def _stage(
        self,
        record: DataSourceRecord,
        target: Table,
        staged: Table,
        file: SpooledFile,
        request: ImportRequest,
        load: _Import,
    ) -> LoadReport:
        """Make tables like those of *target* and fill them."""
        shape = "" if record.engine["engine"] != "Null" else " ENGINE = MergeTree ORDER BY tuple()"
        self._engine.execute(f"CREATE TABLE {staged.sql} AS {target.sql}{shape}")
        self._engine.execute(f"CREATE TABLE {staged.quarantine.sql} AS {target.quarantine.sql}")
        if not self._loader.views(target):
            return self._fill(record, staged, file, request, load)
        with self._loader.unmerged(staged):
            return self._fill(record, staged, file, request, load)

    def _fill(
        self,
        record: DataSourceRecord,
        staged: Table,
        file: SpooledFile,
        request: ImportRequest,
        load: _Import,
        layout: Layout | None = None,
    ) -> LoadReport:
        begin = time.perf_counter()
        columns: list[Column] = parse_schema(record.schema)
        exact = record.engine["engine"] in ("MergeTree", "Null") and "engine_ttl" not in record.engine
        stage: Callable[..., LoadReport] = self._reader.stage
        load.size_bytes = file.size_bytes
        load.report = stage(
            file,
            request.file_format,
            columns,
            request.parameters,
            staged,
            keeps_every_row=exact,
            layout=layout,
            import_id=load.import_id,
            most_rows=load.most_rows,
        )
        load.seconds = time.perf_counter() - begin
        return load.report

    def _merge(self, target: Table, staged: Table, fresh: Table, condition: str, report: LoadReport) -> None:
        """Fill *fresh* with the rows to keep and the new rows that meet the condition."""
        self._engine.execute(f"CREATE TABLE {fresh.sql} AS {target.sql}")
        kept = f"INSERT INTO {fresh.sql} SELECT * FROM {target.sql} WHERE NOT ifNull({condition}, 0)"
        # A deletion that a dead server had begun may still be under way.
        self._engine.execute(kept, settings={"apply_mutations_on_fly": 1})
        [[left_out]] = self._engine.rows(f"SELECT countIf(NOT ifNull({condition}, 0)) FROM {staged.sql}")
        self._engine.execute(f"INSERT INTO {fresh.sql} SELECT * FROM {staged.sql} WHERE ifNull({condition}, 0)")
        report.left_out = int(left_out)
        report.stored -= report.left_out


def _unfinished() -> ImportUnfinished:
    return ImportUnfinished(
        f"Do not send the file again: {unfinished_sentence()}.", status=500, documentation=DATASOURCES_PAGE
    )


def no_connector(workspace: Workspace, fields: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    """Leave the settings of a connector as they are: there are no connectors, as in small tests."""
    del workspace, fields
    return dict(old)


def _remove(upload: Path | None) -> None:
    if upload is not None:
        upload.unlink(missing_ok=True)


def _check_guessable(request: ImportRequest) -> None:
    """Refuse a new Data Source without a schema from anything but CSV."""
    known = request.parameters.get("format", "") if request.upload is None else request.file_format
    if known not in ("", "csv"):
        raise BadRequest(
            f"A Data Source from {known} needs the parameter 'schema' with a jsonpath for each "
            "column; only CSV is guessed. POST /v0/analyze makes a schema from a file.",
            documentation=DATASOURCES_PAGE,
        )
