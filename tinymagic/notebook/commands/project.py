"""``%tinybird deploy``, ``build``, ``pull``, ``pipe export``, ``pipe cells``: a project folder and the Workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.api.reading import mappings, text
from tinymagic.datafiles import print_pipe, read_pipe
from tinymagic.datafiles.places import place_for
from tinymagic.errors import TinybirdError
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_lookup import near_pipe
from tinymagic.notebook.commands.writing import write_datafile, write_text
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.progress import progress
from tinymagic.notebook.project.folder import read_project
from tinymagic.notebook.project.problems import project_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tinymagic.api.deployments import DeploymentResult
    from tinymagic.notebook.project.folder import Project
    from tinymagic.notebook.project.pulling import Comparison
    from tinymagic.notebook.tinybird import Call

#: Where the files of a project are when no folder is named.
_HERE = "."

#: So many names are in a question; the rest are counted.
_MOST_NAMES = 5


# --- deploy and build -------------------------------------------------------------------------------------------------


def deploy(call: Call) -> pd.DataFrame:
    """Make the Workspace what the files of a folder say; return what changes."""
    project = read_project(call.word(0) or _HERE)
    options, deployments = call.options, call.workspace.deployments
    checked = _check(call, project, destructive="allow_destructive" in options, done="deployed")
    plan = _plan(project, checked)
    if not _goes_on(call, checked, "deployed"):
        return plan
    promote = "no_promote" not in options
    with interruptible() as cancellation:
        result = deployments.deploy(
            project.texts(),
            allow_destructive="allow_destructive" in options,
            auto_promote=promote,
            cancellation=cancellation,
        )
    if result.failed:
        raise project_problem(project, result, "deployed")
    number = result.deployment.id
    if number and (promote or "wait" in options):
        with progress("deploy", unit="%") as tell, interruptible() as cancellation:
            settled = deployments.wait(number, live=promote, on_progress=tell, cancellation=cancellation)
        if settled.status in ("failed", "deleted"):
            reasons = "; ".join(each.sentence for each in settled.problems) or "The service gave no reason."
            raise CellProblem(f"The deployment {number} is {settled.status}: {reasons}")
    for each in result.deployment.feedback:
        print(visible(each))
    print(f"Deployed: {_counted(result if result.changes else checked)}." if promote else _say_waiting(number))
    return plan


def _say_waiting(number: str) -> str:
    return f"The deployment {visible(number)} waits: %tinybird deployment promote makes it live."


def build(call: Call) -> pd.DataFrame:
    """Build a folder's project; return what changes."""
    project = read_project(call.word(0) or _HERE)
    # A build takes no question: what it would do is asked of a deployment, which is not made.
    checked = _check(call, project, destructive=True, done="built")
    plan = _plan(project, checked)
    if not _goes_on(call, checked, "built"):
        return plan
    result = call.workspace.deployments.build(project.texts())
    if result.failed:
        raise project_problem(project, result, "built")
    for each in result.deployment.feedback:
        print(visible(each))
    print(f"Built: {_counted(result if result.changes else checked)}.")
    return plan


def _check(call: Call, project: Project, *, destructive: bool, done: str) -> DeploymentResult:
    """Let the service check a project, and change nothing.

    Raises:
        CellProblem: something in the files is wrong.
    """
    with interruptible() as cancellation:
        result = call.workspace.deployments.deploy(
            project.texts(), check=True, allow_destructive=destructive, cancellation=cancellation
        )
    if result.failed:
        raise project_problem(project, result, done)
    return result


def _goes_on(call: Call, checked: DeploymentResult, done: str) -> bool:
    """Say whether there is something to do, and somebody wants it; why not is said."""
    if not checked.changes and not _token_changes(checked):
        print("No changes: the Workspace is what the files say.")
        return False
    if "check" in call.options:
        for each in checked.deployment.feedback:
            print(visible(each))
        print(f"This was a check, nothing was {done}: {_counted(checked)}.")
        return False
    deleted = [each for each in checked.changes if each.change == "deleted"]
    if not deleted:
        return True
    what = ", ".join(_with_rows(call, each.kind, each.name) for each in deleted[:_MOST_NAMES])
    more = f" and {len(deleted) - _MOST_NAMES} more" if len(deleted) > _MOST_NAMES else ""
    question = visible(f"No file defines {what}{more} any more. Delete?")
    return confirm(question, yes="yes" in call.options, otherwise=f"Nothing was {done}.")


def _with_rows(call: Call, kind: str, name: str) -> str:
    if kind != "Data Source":
        return f"the {kind} {name}"
    try:
        rows = call.workspace.datasources.get(name).statistics.row_count
    except TinybirdError:
        rows = None
    return f"the Data Source {name} with {'its rows' if rows is None else count_of(rows, 'row')}"


def _plan(project: Project, checked: DeploymentResult) -> pd.DataFrame:
    """Return a row for each resource that changes: kind, name, change, file (none for what is deleted)."""
    import pandas as pd

    rows = [
        (each.kind, each.name, each.change, project.path_of(each.kind, each.name) or "") for each in checked.changes
    ]
    rows += [("token", name, change, "") for name, change in _token_changes(checked)]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["kind", "name", "change", "file"])
    return frame


def _token_changes(result: DeploymentResult) -> list[tuple[str, str]]:
    """Return the tokens whose rights change, with what becomes of each."""
    changes = mappings(result.deployment.raw.get("token_changes"))
    return [(text(each.get("token_name")), text(each.get("change_type")) or "changed") for each in changes]


def _counted(result: DeploymentResult) -> str:
    words = ((word, sum(each.change == word for each in result.changes)) for word in ("new", "changed", "deleted"))
    found = [f"{number} {word}" for word, number in words if number]
    tokens = len(_token_changes(result))
    return ", ".join(found + ([f"rights of {count_of(tokens, 'token')}"] if tokens else []))


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
    with near_pipe(call, name):
        return call.workspace.pipes.datafile(name)
