"""``%tinybird pipe``: nodes, and the endpoint."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.pipe_lookup import get_pipe, near_node, near_pipe, readers_of, sql_of
from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from tinymagic.api.pipes import Pipe
    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.tinybird import Call


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
    say_how_to_call(call.workspace, made)


def say_how_to_call(workspace: Workspace, pipe: Pipe) -> None:
    """Print the address, a call for the shell, and the one of here; the token is named and never written."""
    node = pipe.endpoint_node
    needed = {each.name: "..." for each in node.params if each.required and each.default is None} if node else {}
    url = workspace.pipes.url(pipe.name, params=needed)
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
