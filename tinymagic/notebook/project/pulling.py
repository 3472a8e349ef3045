"""A Workspace's definitions beside those of a folder: what would be written, and how it differs from what is there."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinymagic.api.progress import Progress
from tinymagic.datafiles import print_datasource, print_pipe, read_datasource, read_pipe
from tinymagic.datafiles.comparing import meaning
from tinymagic.datafiles.places import kind_of, name_of, place_for
from tinymagic.errors import NotFound
from tinymagic.notebook.project.connections import connection_file, same_connection, with_settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.project.folder import Project


@dataclass(frozen=True)
class Definition:
    """A resource of a Workspace as a datafile.

    Attributes:
        kind: ``Data Source``, ``Pipe`` or ``connection``.
        name: of the resource.
        text: of the file.
        place: where a new file goes, in the folder; ``None`` when the name cannot be the name of a file.
    """

    kind: str
    name: str
    text: str
    place: str | None


@dataclass(frozen=True)
class Comparison:
    """A definition of a Workspace beside the file of a folder.

    Attributes:
        kind: of resource.
        name: of the resource.
        path: of the file, in the folder.
        change: ``new``, ``changed``, ``same``, or ``only here`` for a file whose resource the Workspace does not have.
        text: the Workspace's; empty for ``only here``.
        before: the file's as it is; empty for ``new``.
    """

    kind: str
    name: str
    path: str
    change: str
    text: str = ""
    before: str = ""

    def difference(self) -> str:
        """Return the lines that differ, as a unified diff from the file to the Workspace's definition."""
        lines = difflib.unified_diff(
            self.before.splitlines(),
            self.text.splitlines(),
            f"{self.path} (here)" if self.before else "(not here)",
            f"{self.path} (Workspace)",
            lineterm="",
        )
        return "\n".join(lines)


def definitions(workspace: Workspace, on_progress: Callable[[Progress], object]) -> Iterator[Definition]:
    """Read everything that the Workspace defines: one request a Data Source and Pipe.

    What other Workspaces share with it (its name has a dot) is theirs. What is deleted meanwhile is left out.

    Args:
        workspace: to ask.
        on_progress: told how many are read.
    """
    sources = [each.name for each in workspace.datasources.list() if each.name and "." not in each.name]
    pipes = [each.name for each in workspace.pipes.list(attrs=("id", "name")) if each.name]
    total = len(sources) + len(pipes)
    for number, (kind, name) in enumerate([("Data Source", n) for n in sources] + [("Pipe", n) for n in pipes], 1):
        try:
            if kind == "Data Source":
                text = print_datasource(read_datasource(workspace.datasources.datafile(name)))
                yield Definition(kind, name, text, place_for(kind, name))
            else:
                pipe = read_pipe(workspace.pipes.datafile(name), name=name)
                yield Definition(kind, name, print_pipe(pipe), place_for(kind, name, pipe.nodes))
        except NotFound:
            continue
        finally:
            on_progress(Progress(number, total, "files"))
    try:
        connections = workspace.connections.list()
    except NotFound:  # Not everywhere is there such a list.
        return
    for connection in connections:
        if connection.name:
            text = connection_file(connection.name, connection.service, connection.settings)
            yield Definition("connection", connection.name, text, place_for("connection", connection.name))


def compare(project: Project, found: list[Definition]) -> list[Comparison]:
    """Say of each definition what writing it would change; files without a resource come last.

    Args:
        project: what the folder has.
        found: what the Workspace has; those without a place are left out.
    """
    compared = []
    known = set()
    for each in found:
        known.add((each.kind, each.name))
        path = project.path_of(each.kind, each.name)
        if path is not None:
            file = project.files[path]
            told = replace(each, text=_with_untold(each, file.text))
            change = "same" if _is_same(told, file.text) else "changed"
            compared.append(Comparison(each.kind, each.name, path, change, told.text, file.written))
        elif each.place is not None:
            compared.append(Comparison(each.kind, each.name, each.place, "new", each.text))
    for path, file in project.files.items():
        kind, name = str(kind_of(path)), name_of(path)
        if (kind, name) not in known:
            compared.append(Comparison(kind, name, path, "only here", before=file.written))
    return compared


def _with_untold(definition: Definition, text: str) -> str:
    """Return a definition with what only the file says, because services do not tell it: secrets, where rows come from.

    A Data Source of a service that tells nothing about Kafka or a bucket keeps what the file says about them.
    """
    if definition.kind == "connection":
        return with_settings_of(definition.text, text)
    if definition.kind != "Data Source":
        return definition.text
    theirs, ours = read_datasource(definition.text), read_datasource(text)
    if any(key.startswith(_SOURCES) for key in theirs.settings):
        return definition.text
    untold = {key: value for key, value in ours.settings.items() if key.startswith(_SOURCES)}
    return print_datasource(replace(theirs, settings={**theirs.settings, **untold})) if untold else definition.text


#: Begin the settings that say where rows come from.
_SOURCES = ("kafka_", "import_")


def _is_same(definition: Definition, text: str) -> bool:
    if definition.kind == "connection":
        return same_connection(definition.text, text)
    kind, name = definition.kind, definition.name
    return meaning(kind, text, name=name) == meaning(kind, definition.text, name=name)
