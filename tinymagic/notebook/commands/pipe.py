"""``%tinybird pipe``: what there is, making and changing Pipes, nodes, publishing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinymagic.errors import NotFound
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.display import count_of, visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

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
            "updated at": moments([each.updated_at for each in pipes]),
        }
    )
    return frame


def moments(values: Sequence[Any]) -> Any:
    """Return a column of points in time in UTC, to the second."""
    import pandas as pd

    return pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True, errors="coerce").dt.floor("s")


def near_pipe(call: Call, name: str) -> AbstractContextManager[None]:
    """Let a 404 of the block propose the names of Pipes."""
    return near("Pipe", name, lambda: [each.name for each in call.workspace.pipes.list(attrs=["id", "name"])])


def near_node(call: Call, pipe: str, node: str) -> AbstractContextManager[None]:
    """Let a 404 of the block propose the names of the nodes of a Pipe, or of Pipes."""

    def known() -> Iterator[str]:
        return (each.name for each in call.workspace.pipes.get(pipe).nodes)

    return near("node", node, known)


def get_pipe(call: Call, name: str) -> Pipe:
    """Return a Pipe.

    Raises:
        NotFound: there is none; near names are in it.
    """
    with near_pipe(call, name):
        return call.workspace.pipes.get(name)


def show(call: Call) -> pd.DataFrame:
    """Print the facts of one, and return its nodes."""
    import pandas as pd

    pipe = get_pipe(call, call.words[0])
    for name, value in _facts(pipe).items():
        if value:
            print(f"{name + ':':<14}{visible(value)}")
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
        _say_how_to_call(call, made)


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
        text = Path(file).expanduser().read_text(encoding="utf-8-sig")
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


def sql_of(call: Call, option: str = "sql") -> str:
    """Return the SQL that an option gives, or the variable that it names.

    Raises:
        CellProblem: the option is missing, or the variable holds no text.
    """
    given = call.options.get(option)
    if given is None:
        raise CellProblem(f"--{option} is missing: SQL in quotes, or $NAME of a variable that holds it.")
    if not given.startswith("$"):
        return given
    value = call.value(given)
    if not isinstance(value, str):
        raise CellProblem(f"The variable {given.removeprefix('$')!r} is {type(value).__name__}: SQL is a text.")
    return value


def _is_there(call: Call, name: str) -> bool:
    try:
        call.workspace.pipes.get(name)
    except NotFound:
        return False
    return True


def append_node(call: Call) -> None:
    """Add a node."""
    name, options = call.words[0], call.options
    with near_pipe(call, name):
        node = call.workspace.pipes.append_node(
            name,
            sql_of(call),
            name=options.get("name"),
            description=options.get("description"),
            ignore_sql_errors=True if "ignore_sql_errors" in options else None,
        )
    print(f"Added the node {visible(node.name)} to the Pipe {visible(name)}.")


def set_node(call: Call) -> None:
    """Change a node."""
    (name, node), options = call.words, call.options
    get_pipe(call, name)
    with near_node(call, name, node):
        changed = call.workspace.pipes.update_node(
            name,
            node,
            sql=sql_of(call) if "sql" in options else None,
            name=options.get("name"),
            description=options.get("description"),
            position=call.number("position"),
            ignore_sql_errors=True if "ignore_sql_errors" in options else None,
        )
    print(f"Changed the node {visible(changed.name)} of the Pipe {visible(name)}.")


def rm_node(call: Call) -> None:
    """Delete a node."""
    name, node = call.words
    get_pipe(call, name)
    with near_node(call, name, node):
        found = call.workspace.pipes.node(name, node)
    what = f"the node {visible(found.name)} of the Pipe {visible(name)}"
    if confirm(f"Delete {what}?", yes="yes" in call.options):
        call.workspace.pipes.delete_node(name, found.name)
        print(f"Deleted {what}.")


def publish(call: Call) -> None:
    """Make a node the endpoint, and say how it is called."""
    name, node = call.words[0], call.word(1)
    pipe = get_pipe(call, name)
    wanted = node or (pipe.nodes[-1].name if pipe.nodes else "")
    with near_node(call, name, wanted):
        made = call.workspace.pipes.publish(name, node)
    print(f"Published {visible(name)}.")
    _say_how_to_call(call, made)


def _say_how_to_call(call: Call, pipe: Pipe) -> None:
    """Print the address, a call for the shell, and the one of here; the token is named and never written."""
    node = pipe.endpoint_node
    needed = {each.name: "..." for each in node.params if each.required and each.default is None} if node else {}
    url = call.workspace.pipes.url(pipe.name, params=needed)
    print(f"URL:   {url}")
    print(f'Shell: curl -H "Authorization: Bearer $TB_TOKEN" {shlex.quote(url)}')
    given = "".join(f" --param {name}=..." for name in needed)
    print(f"Here:  %tinybird pipe data {visible(pipe.name)}{visible(given)}")


def unpublish(call: Call) -> None:
    """Take the endpoint back."""
    name = call.words[0]
    pipe = get_pipe(call, name)
    readers = readers_of(call, pipe)
    if pipe.endpoint and not confirm(
        f"Take the endpoint of {visible(name)} back? Calls of it fail then.{readers}",
        yes="yes" in call.options,
        otherwise="Nothing was changed.",
    ):
        return
    call.workspace.pipes.unpublish(name)
    print(f"{visible(name)} is not published any more.")


def readers_of(call: Call, pipe: Pipe) -> str:
    """Say in a sentence which other Pipes read one; ``""`` when none does."""
    readers = [
        visible(each.name)
        for each in call.workspace.pipes.list()
        if each.id != pipe.id and any(pipe.name in node.dependencies for node in each.nodes)
    ]
    return f" These Pipes read it: {', '.join(readers)}." if readers else ""


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
