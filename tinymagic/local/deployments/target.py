"""The records that a workspace shall have, made of a project and of what there is now. Nothing is written here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.connectors.settings import CONNECTOR, check_settings, service_of
from tinymagic.local.errors import ApiError
from tinymagic.local.pipes.definitions import check_pipe_name, read_nodes
from tinymagic.local.records import DataSourceRecord, PipeRecord, new_id
from tinymagic.local.tables.definition import define_table, index_definition
from tinymagic.local.tables.schema import parse_schema, print_schema

from .evolution import EvolutionError, Shape, evolve
from .fingerprint import DEPLOYED, PATH, note, of_datasource, of_file, of_pipe
from .plan import PlannedDataSource, PlannedPipe
from .problems import Problem
from .project import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.datafiles.model import DatasourceFile, NodeFile, PipeFile
    from tinymagic.local.records import Workspace
    from tinymagic.local.sql.expressions import Expressions
    from tinymagic.local.tables.definition import TableDefinition


def planned_datasource(
    workspace: Workspace,
    file: DatasourceFile,
    old: DataSourceRecord | None,
    expressions: Expressions,
    *,
    rows: int,
    shared_with: list[str],
) -> PlannedDataSource:
    """Say what becomes of the Data Source of a file.

    Args:
        workspace: that has it or gets it.
        file: that says how it shall be.
        old: as it is.
        expressions: checks types and expressions.
        rows: that it has.
        shared_with: ids of the workspaces that the file names.

    Raises:
        ApiError: the file asks for what cannot be.
        EvolutionError: rows would get lost.
    """
    digest = of_file(replace(file, tokens=(), tags=(), forward_query=""))
    if old and old.settings.get(DEPLOYED) == note(digest, of_datasource(old)) and old.settings.get(PATH) == file.file:
        return PlannedDataSource(old, old, file)
    if "import_bucket_uri" in file.settings:
        check_settings(file.settings)
    definition = define_table(columns_of(file), {**file.engine, "indexes": file.indexes}, expressions)
    record = replace(
        old or _blank(workspace, file.name),
        description=file.description,
        type=_type_of(file),
        schema=print_schema(definition.columns),
        engine=definition.engine.description(),
        indexes=list(definition.indexes),
    )
    settings: dict[str, Any] = {**record.settings, PATH: file.file}
    if file.settings:
        settings[CONNECTOR] = dict(file.settings)
    else:
        settings.pop(CONNECTOR, None)
    if shared_with or "shared_with" in settings:
        settings["shared_with"] = list(dict.fromkeys([*settings.get("shared_with", []), *shared_with]))
    settings[DEPLOYED] = note(digest, of_datasource(replace(record, settings=settings)))
    record = replace(record, settings=settings)
    if old is None:
        return PlannedDataSource(record, None, file, None, definition.sql, is_changed=True)
    evolution = evolve(
        _shape(old),
        Shape(definition.columns, record.engine, definition.indexes),
        definitions=[index_definition(each) for each in definition.indexes],
        ttl=_ttl(definition, expressions),
        has_query=bool(file.forward_query.strip()),
        is_empty=not rows,
    )
    is_changed = evolution is not None or of_datasource(old) != of_datasource(record) or _said(old, digest)
    return PlannedDataSource(record, old, file, evolution, definition.sql, is_changed=is_changed)


def implied_datasource(record: DataSourceRecord, path: str) -> DataSourceRecord:
    """Return the record of a Data Source that a materialized node has made, with a note of its file."""
    return replace(record, settings={**record.settings, PATH: path, DEPLOYED: note("", of_datasource(record))})


def planned_pipe(workspace: Workspace, file: PipeFile, old: PipeRecord | None) -> PlannedPipe:
    """Say what becomes of the Pipe of a file; its outputs are made in the trial.

    Raises:
        ApiError: the file asks for what cannot be.
    """
    digest = of_file(replace(file, tokens=(), tags=()))
    if old and old.settings.get(DEPLOYED) == note(digest, of_pipe(old)) and old.settings.get(PATH) == file.file:
        return PlannedPipe(old, old, file)
    check_pipe_name(file.name)
    requests = read_nodes(file.name, [_node_fields(node) for node in file.nodes], old)
    record = PipeRecord(
        id=old.id if old else new_id(),
        workspace_id=workspace.id,
        name=file.name,
        description=file.description,
        nodes=tuple(_continued(each.node, old, each.type) for each in requests),
        settings={**(old.settings if old else {}), PATH: file.file, DEPLOYED: note(digest, "")},
        created_at=old.created_at if old else "",
        updated_at=old.updated_at if old else "",
    )
    outputs = {
        each.node.name: (each.type, dict(each.fields)) for each in requests if each.type not in ("standard", "endpoint")
    }
    return PlannedPipe(record, old, file, outputs, is_changed=True)


def finished_pipe(planned: PlannedPipe) -> None:
    """Note the digest of a Pipe's record once its outputs are made."""
    digests = planned.record.settings.get(DEPLOYED, {})
    settings = {**planned.record.settings, DEPLOYED: note(str(digests.get("file", "")), of_pipe(planned.record))}
    planned.record = replace(planned.record, settings=settings)


def problem_of(file: DatasourceFile | PipeFile, error: Exception, *keywords: str) -> Problem:
    """Say an error about a file, at the line of the first of *keywords* that it has."""
    line = next((file.lines[word] for word in keywords if word in file.lines), 0)
    message = error.message if isinstance(error, ApiError) else str(error)
    return Problem(file.file, message, line)


def line_of_datasource_error(file: DatasourceFile, error: Exception) -> Problem:
    """Say an error about a Data Source at the line that it is about."""
    message = error.message if isinstance(error, ApiError) else str(error)
    if isinstance(error, EvolutionError):
        return problem_of(file, error, "schema")
    if message.startswith("indexes"):
        return problem_of(file, error, "indexes", "schema")
    if message.startswith("Invalid schema"):
        return problem_of(file, error, "schema")
    option = message.partition(":")[0]
    return problem_of(file, error, option, "engine", "schema")


def _said(old: DataSourceRecord, digest: str) -> bool:
    """Say whether an earlier deployment read another file than this one."""
    before = old.settings.get(DEPLOYED)
    return before is not None and before.get("file") != digest


def _blank(workspace: Workspace, name: str) -> DataSourceRecord:
    return DataSourceRecord(id=new_id(), workspace_id=workspace.id, name=name)


def _type_of(file: DatasourceFile) -> str:
    return service_of(file.settings) or _format_of(file)


def _format_of(file: DatasourceFile) -> str:
    return "ndjson" if any(column.jsonpath for column in file.columns) else "csv"


def _shape(record: DataSourceRecord) -> Shape:
    return Shape(tuple(parse_schema(record.schema)), record.engine, tuple(record.indexes))


def _ttl(definition: TableDefinition, expressions: Expressions) -> str:
    ttl = definition.engine.description().get("engine_ttl", "")
    return expressions.checked(ttl, "engine_ttl") if ttl else ""


def _node_fields(node: NodeFile) -> Mapping[str, Any]:
    return {
        **node.settings,
        "name": node.name,
        "sql": node.sql,
        "description": node.description,
        # The vendor's streams have no counterpart here.
        "type": "standard" if node.type == "stream" else node.type,
    }


def _continued(node: Any, old: PipeRecord | None, type_: str) -> Any:
    """Give a node that stays an output of its type what it was, for its service to go on from."""
    before = next((each for each in old.nodes if each.id == node.id), None) if old else None
    if before is not None and before.type == type_ and type_ not in ("standard", "endpoint"):
        return replace(node, type=type_, output=before.output, tags=before.tags)
    return node
