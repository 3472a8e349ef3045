"""``%tinybird local``: the embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic import local
from tinymagic.errors import Conflict
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.display import count_of, short_path, visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.workspace import Workspace
    from tinymagic.local import LocalServer
    from tinymagic.notebook.tinybird import Call

_NONE_RUNS = "No embedded Tinybird is running. Start one with %tinybird local start."


def start(call: Call) -> None:
    """Start the server, or find the one that runs, and connect the session to it."""
    server = local.start(path=call.options.get("path"), port=call.number("port"), memory="memory" in call.options)
    session = call.notebook.session
    session.choose(session.local(server.host, "%tinybird local start"))
    print(_line(server))


def stop(call: Call) -> None:
    """Stop the server; the session is no longer connected to it."""
    server = local.stop(call.options.get("path"), port=call.number("port"))
    if server is None:
        print("No embedded Tinybird runs there." if call.options else "No embedded Tinybird is running.")
        return
    call.notebook.session.forget()
    kept = "What it had in memory is gone." if server.path is None else f"Its data stay in {short_path(server.path)}."
    print(f"The embedded Tinybird on {server.host} is stopped. {kept}")


def status(call: Call) -> None:  # noqa: ARG001 - all commands are called alike
    """Say which servers run."""
    servers = local.running()
    for server in servers:
        print(_line(server))
    if not servers:
        print(_NONE_RUNS)


def reset(call: Call) -> None:
    """Delete all Pipes and Data Sources of the embedded server."""
    workspace = embedded_workspace(call)
    pipes, sources = workspace.pipes.list(), workspace.datasources.list()
    counts = [count_of(len(each), what) for each, what in ((pipes, "Pipe"), (sources, "Data Source")) if each]
    if not counts:
        print(f"The embedded Tinybird on {workspace.host} has no Data Sources and no Pipes.")
        return
    what = f"all {' and '.join(counts)} of the embedded Tinybird on {workspace.host}"
    if not confirm(f"Delete {what}?", yes="yes" in call.options):
        return
    _delete_all([each.name for each in pipes], workspace.pipes.delete)
    _delete_all([each.name for each in sources], lambda name: workspace.datasources.delete(name, force=True))
    print(f"Deleted {what}.")


def _delete_all(names: list[str], delete: Callable[[str], object]) -> None:
    """Delete what may be read by others of the list: those that nothing reads go first.

    Raises:
        Conflict: something else needs one of them.
    """
    while names:
        left, refusal = [], None
        for name in names:
            try:
                delete(name)
            except Conflict as error:
                left.append(name)
                refusal = error
        if refusal is not None and len(left) == len(names):
            raise refusal
        names = left


def sample(call: Call) -> None:
    """Load a sample data set."""
    from tinymagic.notebook import samples

    name = call.word(0)
    if name is None:
        for each in samples.SAMPLES.values():
            print(f"{each.name:<12}{each.summary}")
        print("Load one with %tinybird local sample NAME.")
        return
    samples.load(embedded_workspace(call), name, force="force" in call.options)


def embedded_workspace(call: Call) -> Workspace:
    """Return the Workspace of the embedded server: the one the session is connected to, else the one that runs.

    Raises:
        CellProblem: none runs.
    """
    hosts = {server.host for server in local.running()}
    session = call.notebook.session
    found = local.find()
    if found is None:
        raise CellProblem(_NONE_RUNS)
    chosen = session.chosen
    if chosen is not None and chosen.host in hosts:
        return chosen
    return session.local(found.host, "the running embedded server")


def _line(server: LocalServer) -> str:
    data = "data in memory" if server.path is None else f"data in {visible(short_path(server.path))}"
    return f"The embedded Tinybird listens on {server.host} (process {server.pid}, {data})."
