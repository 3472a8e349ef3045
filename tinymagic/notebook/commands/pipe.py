"""``%tinybird pipe``: what there is, making and changing Pipes, nodes, publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import NotFound
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_lookup import get_pipe, near_node, near_pipe, readers_of, sql_of
from tinymagic.notebook.commands.pipe_nodes import say_how_to_call
from tinymagic.notebook.commands.showing import moments, print_facts
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.paths import path_of, read_at_most
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from tinymagic.api.pipes import Node, Pipe
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return all Pipes: one row each."""
    import pandas as pd

    pipes = sorted(call.workspace.pipes.list(), key=lambda each: each.name)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in pipes],
            "type": [each.type for each in pipes],
            "nodes": [len(each.nodes) for each in pipes],
            "published node": [each.endpoint_node.name if each.endpoint_node else "" for each in pipes],
            "schedule": [each.schedule.cron if each.schedule else "" for each in pipes],
            "description": [each.description for each in pipes],
            "updated at": moments(each.updated_at for each in pipes),
        }
    )
    return frame


def show(call: Call) -> pd.DataFrame:
    """Print the facts of one, and return its nodes."""
    import pandas as pd

    pipe = get_pipe(call, call.words[0])
    print_facts(_facts(pipe))
    rows = [
        (each.name, each.node_type, ", ".join(each.dependencies), _parameters(each), each.description, each.sql)
        for each in pipe.nodes
    ]
    columns = ["node", "type", "reads", "parameters", "description", "sql"]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=columns)
    return frame


def _facts(pipe: Pipe) -> dict[str, str]:
    schedule = pipe.schedule
    return {
        "Pipe": pipe.name,
        "Description": pipe.description,
        "Type": pipe.type,
        "Endpoint": pipe.url if pipe.endpoint else "",
        "Schedule": f"{schedule.cron} ({schedule.status or 'running'})" if schedule else "",
    }


def _parameters(node: Node) -> str:
    found = []
    for each in node.params:
        default = "" if each.default is None else f" = {each.default!r}"
        found.append(f"{each.name}{f' {each.type}' if each.type else ''}{default}")
    return ", ".join(found)


# --- making and changing ----------------------------------------------------------------------------------------------


def create(call: Call) -> None:
    """Make a Pipe from SQL, a node of another Pipe, or a file."""
    name, options = call.words[0], call.options
    pipes = call.workspace.pipes
    nodes, description = _nodes(call, name)
    if "to" in options:
        from tinymagic.notebook.commands.defining import define_pipe

        define_pipe(call, nodes, options.get("description", description))
        return
    replaces = "force" in options and _is_there(call, name)
    if replaces and not confirm(
        f"Put it in the place of the Pipe {visible(name)}?", yes="yes" in options, otherwise="Nothing was changed."
    ):
        return
    made = pipes.create(
        name,
        nodes,
        description=options.get("description", description),
        force="force" in options,
        ignore_sql_errors=True if "ignore_sql_errors" in options else None,
    )
    print(f"Created the Pipe {visible(made.name)} with {count_of(len(made.nodes), 'node')}.")
    if "publish" in options and not made.endpoint:
        made = pipes.publish(made.name)
    if made.endpoint:
        say_how_to_call(call.workspace, made)


def _nodes(call: Call, name: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return the nodes of a new Pipe, and its description when a file tells one."""
    options = call.options
    given = (call.word(1), options.get("sql"), options.get("from_node"), options.get("from_cells"))
    ways = [way for way in given if way is not None]
    if len(ways) != 1:
        raise CellProblem("A new Pipe is made from one of these: a .pipe file, --sql, --from-node, or --from-cells.")
    if "from_cells" in options:
        from tinymagic.notebook.commands.cells import nodes_of_cells

        return nodes_of_cells(call, [each.strip() for each in options["from_cells"].split(",") if each.strip()]), None
    if call.word(1) is not None:
        return nodes_of_file(call.words[1], name)
    named = {"name": options["node"]} if "node" in options else {}
    if "sql" in options:
        return [{**named, "sql": sql_of(call)}], None
    pipe_name, dot, node_name = options["from_node"].partition(".")
    if not dot or not node_name:
        raise CellProblem(f"--from-node names a Pipe and one of its nodes, as PIPE.NODE; not {ways[0]!r}.")
    source = get_pipe(call, pipe_name)
    with near_node(call, pipe_name, node_name):
        node = source.node(node_name) or call.workspace.pipes.node(pipe_name, node_name)
    return [{"name": node.name, "sql": node.sql, "description": node.description, **named}], None


def nodes_of_file(file: str, name: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return the nodes that a ``.pipe`` file defines, as `tinymagic.api.pipes.Pipes.create` takes them.

    Args:
        file: path.
        name: of the Pipe.

    Returns:
        The nodes, and the description of the Pipe or ``None``.

    Raises:
        CellProblem: the file cannot be read, or holds no Pipe.
    """
    from tinymagic.datafiles import read_pipe

    try:
        text = read_at_most(path_of(file)).decode("utf-8-sig")
        read = read_pipe(text, name=name)
    except OSError as error:
        raise CellProblem(f"The file {file!r} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise CellProblem(f"The file {file!r} is no .pipe file: {error}") from None
    if read.includes:
        raise CellProblem(f"{file!r} includes other files: %tinybird deploy FOLDER takes a whole project.")
    if not read.nodes:
        raise CellProblem(f"There is no node in {file!r}: a .pipe file has NODE and SQL lines.")
    if read.tokens:
        tokens = ", ".join(visible(each.name) for each in read.tokens)
        print(f"The file also gives rights to tokens ({tokens}); they are not set here: %tinybird token.")
    return [_node_of_file(each) for each in read.nodes], read.description or None


#: Keywords of a datafile -> keys of a node in the API.
_KEYS = {"copy_mode": "mode"}


def _node_of_file(node: Any) -> dict[str, Any]:
    settings: Mapping[str, str] = node.settings
    kind = {} if node.type in ("", "standard") else {"type": node.type}
    described = {"description": node.description} if node.description else {}
    return {
        "name": node.name,
        "sql": node.sql,
        **described,
        **kind,
        **{_KEYS.get(key, key): value for key, value in settings.items()},
    }


def _is_there(call: Call, name: str) -> bool:
    try:
        call.workspace.pipes.get(name)
    except NotFound:
        return False
    return True


def rename(call: Call) -> None:
    """Give one another name."""
    name, new_name = call.words
    with near_pipe(call, name):
        made = call.workspace.pipes.update(name, name=new_name)
    address = " Its endpoint has another address now." if made.endpoint else ""
    print(f"The Pipe {visible(name)} is called {visible(made.name)} now.{address}")


def describe(call: Call) -> None:
    """Say in words what one is for."""
    name, text = call.words
    with near_pipe(call, name):
        call.workspace.pipes.update(name, description=text)
    print(f"Described the Pipe {visible(name)}.")


def rm(call: Call) -> None:
    """Delete one, after saying what goes with it."""
    pipe = get_pipe(call, call.words[0])
    uses = {
        "endpoint": " Its endpoint goes with it.",
        "materialized": " The Data Source that it fills stays, and gets no more rows.",
        "copy": " Its copy and schedule go with it; the rows that were copied stay.",
        "sink": " Its sink and schedule go with it; the files that were written stay.",
    }
    what = f"the Pipe {visible(pipe.name)} with {count_of(len(pipe.nodes), 'node')}"
    question = f"Delete {what}?{uses.get(pipe.type, '')}"
    if "yes" not in call.options:
        question += readers_of(call, pipe)
    if confirm(question, yes="yes" in call.options):
        call.workspace.pipes.delete(pipe.name)
        print(f"Deleted {what}.")
