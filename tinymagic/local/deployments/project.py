"""A project: the datafiles of one call, read, with everything that is wrong in them or between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinymagic.local.datafiles.model import ConnectionFile, DatafileErrors, DatasourceFile, PipeFile
from tinymagic.local.datafiles.parsing import name_and_kind, parse_datafile
from tinymagic.local.tables.definition import MOST_COLUMNS, table_name_problem
from tinymagic.local.tables.schema import Column
from tinymagic.names import name_problem

from .problems import Problem, ProjectInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Files of one project, and bytes of all of them.
MOST_FILES = 2_000
MOST_BYTES = 20_000_000

#: Columns that a Data Source fed from Kafka has beside its own.
_KAFKA_COLUMNS = (
    Column("__value", "String"),
    Column("__topic", "LowCardinality(String)"),
    Column("__partition", "Int16"),
    Column("__offset", "Int64"),
    Column("__timestamp", "DateTime"),
    Column("__key", "String"),
)


@dataclass(frozen=True)
class Project:
    """What the files say, by name of the resource.

    Attributes:
        broken: names of resources whose files cannot be used.
        problems: what is wrong with those.
    """

    datasources: dict[str, DatasourceFile] = field(default_factory=dict)
    pipes: dict[str, PipeFile] = field(default_factory=dict)
    connections: dict[str, ConnectionFile] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    @property
    def implied(self) -> dict[str, str]:
        """Data Sources without a file that a materialized node makes: their name, and the Pipe's that comes first."""
        found: dict[str, str] = {}
        for pipe in self.pipes.values():
            for node in pipe.nodes:
                target = node.settings.get("datasource", "")
                if node.type == "materialized" and target and target not in {*self.datasources, *self.broken}:
                    found.setdefault(target, pipe.name)
        return found


def read_project(files: Sequence[tuple[str, str]]) -> Project:
    """Read the files of a project; what is wrong in them is found in its `problems`.

    Args:
        files: path and text of each; those that are no datafiles may be included by others.

    Raises:
        ProjectInvalid: it is too large.
    """
    if len(files) > MOST_FILES or sum(len(text) for _, text in files) > MOST_BYTES:
        message = f"A project has at most {MOST_FILES:,} files and {MOST_BYTES // 1_000_000} megabytes."
        raise ProjectInvalid([Problem("", message)])
    includes = {path: text for path, text in files if name_and_kind(path)[1] is None}
    project = Project()
    for path, text in files:
        if path in includes:
            continue
        try:
            parsed = parse_datafile(text, path, includes=includes)
        except DatafileErrors as errors:
            project.problems.extend(Problem(each.file, each.message, each.line) for each in errors.errors)
            project.broken.add(name_and_kind(path)[0])
            continue
        found = _added(project, parsed)
        if found:
            project.problems.extend(found)
            project.broken.add(parsed.name)
    project.problems.extend(_between(project))
    return project


def columns_of(file: DatasourceFile) -> list[Column]:
    """Return the columns that the Data Source shall have."""
    columns = list(file.columns)
    if "kafka_topic" in file.settings:
        names = {column.name for column in columns}
        columns += [column for column in _KAFKA_COLUMNS if column.name not in names]
    return columns


def _added(project: Project, parsed: DatasourceFile | PipeFile | ConnectionFile) -> list[Problem]:
    """Put a file where it belongs, unless its name cannot be or is taken."""
    if isinstance(parsed, ConnectionFile):
        if parsed.name in project.connections:
            return [_twice("connection", parsed.name, parsed.file, project.connections[parsed.name].file)]
        project.connections[parsed.name] = parsed
        return []
    kind = "Data Source" if isinstance(parsed, DatasourceFile) else "Pipe"
    problem = name_problem(parsed.name, kind=kind)
    if kind == "Data Source":
        problem = problem or table_name_problem(parsed.name)
    if problem:
        return [Problem(parsed.file, problem)]
    other = project.datasources.get(parsed.name) or project.pipes.get(parsed.name)
    if other is not None:
        return [_twice("resource", parsed.name, parsed.file, other.file)]
    if isinstance(parsed, DatasourceFile):
        project.datasources[parsed.name] = parsed
        width = len(columns_of(parsed))
        if width > MOST_COLUMNS:
            line = parsed.lines.get("schema", 0)
            return [Problem(parsed.file, f"{width} columns, and a Data Source has at most {MOST_COLUMNS}.", line)]
        return []
    project.pipes[parsed.name] = parsed
    return []


def _twice(kind: str, name: str, file: str, other: str) -> Problem:
    return Problem(file, f"The {kind} {name!r} is there twice, also in {other}. Give one of them another name.")


def _between(project: Project) -> list[Problem]:
    """Find what files say about each other that cannot be."""
    problems = []
    implied = project.implied
    for target, pipe_name in implied.items():
        pipe = project.pipes[pipe_name]
        line = next((node.line for node in pipe.nodes if node.settings.get("datasource") == target), 0)
        problem = name_problem(target) or table_name_problem(target)
        if target in project.pipes:
            problem = f"DATASOURCE {target!r} is a Pipe. Name a Data Source, which gets the rows."
        if problem:
            problems.append(Problem(pipe.file, problem, line))
    return problems


def targets_of(pipe: PipeFile) -> Mapping[str, int]:
    """Return the Data Sources that the Pipe writes to, with the line of the node."""
    found = {}
    for node in pipe.nodes:
        name = node.settings.get("datasource" if node.type == "materialized" else "target_datasource", "")
        if node.type in ("materialized", "copy") and name:
            found[name] = node.line
    return found
