"""``%tinybird deploy``, ``build``, ``pull``, ``pipe export``, ``pipe cells``: a project folder and the Workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.datafiles import print_pipe, read_pipe
from tinymagic.datafiles.places import place_for
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.commands.writing import write_datafile, write_text
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.progress import progress
from tinymagic.notebook.project.folder import read_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tinymagic.notebook.project.folder import Project
    from tinymagic.notebook.project.pulling import Comparison
    from tinymagic.notebook.tinybird import Call

#: Where the files of a project are when no folder is named.
_HERE = "."

#: So many names are in a question; the rest are counted.
_MOST_NAMES = 5


# --- pull -------------------------------------------------------------------------------------------------------------


def pull(call: Call) -> pd.DataFrame:
    """Write the Workspace's definitions into a folder; return what that changed there."""
    import pandas as pd

    from tinymagic.notebook.project.pulling import compare, definitions

    project = read_project(call.word(0) or _HERE, empty=True)
    with progress("pull", unit="files") as tell:
        found = list(definitions(call.workspace, tell))
    compared = compare(project, found)
    nameless = [each.name for each in found if each.place is None]
    if nameless:
        print(f"Left out, for their names cannot be names of files: {_listed(nameless)}.")
    if "diff" in call.options:
        _show_differences(compared)
    else:
        _write(project, compared, yes="force" in call.options)
    order = ("new", "changed", "only here", "same")
    rows = sorted(compared, key=lambda each: (order.index(each.change), each.path))
    frame: pd.DataFrame = pd.DataFrame(
        [(each.kind, each.name, each.change, each.path) for each in rows],
        columns=["kind", "name", "change", "file"],
    )
    return frame


def _show_differences(compared: Sequence[Comparison]) -> None:
    for each in compared:
        if each.change in ("new", "changed"):
            print(f"{visible(each.difference())}\n")
    print("Nothing was written.")


def _write(project: Project, compared: Sequence[Comparison], *, yes: bool) -> None:
    changed = [each for each in compared if each.change == "changed"]
    question = (
        f"{count_of(len(changed), 'file')} of {project.folder} {'differs' if len(changed) == 1 else 'differ'} from the "
        f"Workspace: {_listed([each.path for each in changed])}. Overwrite?"
    )
    overwrite = bool(changed) and confirm(visible(question), yes=yes, otherwise="They stay as they are.")
    written = 0
    for each in compared:
        path = project.folder / each.path
        if each.change == "new" and path.exists():
            print(f"{visible(each.path)} has come in the meantime and stays as it is.")
        elif each.change == "changed" and overwrite and path.read_text("utf-8-sig") != each.before:
            print(f"{visible(each.path)} was changed in the meantime and stays as it is.")
        elif each.change == "new" or (each.change == "changed" and overwrite):
            write_text(path, each.text)
            written += 1
    same = sum(each.change == "same" for each in compared)
    print(f"Wrote {count_of(written, 'file')} to {visible(str(project.folder))}; {same} were the same already.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


# --- one Pipe ---------------------------------------------------------------------------------------------------------


def export(call: Call) -> None:
    """Print the datafile of a Pipe, or write it into a project folder."""
    from tinymagic.api.refusals import Datafile

    name = call.words[0]
    pipe = read_pipe(datafile_of(call, name), name=name)
    if "to" not in call.options:
        print(visible(print_pipe(pipe)), end="")
        return
    place = place_for("Pipe", name, pipe.nodes)
    if place is None:
        raise CellProblem(f"{name!r} cannot be the name of a file.")
    write_datafile(call.options["to"], Datafile(place, print_pipe(pipe)), yes="yes" in call.options)


def datafile_of(call: Call, name: str) -> str:
    """Return the datafile of a Pipe.

    Raises:
        NotFound: there is none; near names are in it.
    """
    pipes = call.workspace.pipes
    with near("Pipe", name, lambda: [each.name for each in pipes.list(attrs=("id", "name"))]):
        return pipes.datafile(name)
