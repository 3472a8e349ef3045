"""``%tinybird tag``: names under which Data Sources, Pipes and connections are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.names import near_names
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tinymagic.api.tags import Tag, Tagged
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return the tags and what has them: one row each."""
    import pandas as pd

    rows = [(each.name, ", ".join(one.name for one in each.resources)) for each in call.workspace.tags.list()]
    frame: pd.DataFrame = pd.DataFrame(sorted(rows), columns=["name", "resources"])
    return frame


def create(call: Call) -> None:
    """Make one."""
    made = call.workspace.tags.create(call.words[0], _resources(call, call.all("add")))
    print(f"Created the tag {visible(made.name)}{_of(made)}.")


def _of(tag: Tag) -> str:
    return f" of {visible(', '.join(each.name for each in tag.resources))}" if tag.resources else ""


def set_tag(call: Call) -> None:
    """Change its name, or what has it."""
    name, tags = call.words[0], call.workspace.tags
    add, remove = call.all("add"), call.all("remove")
    if not (add or remove or "name" in call.options):
        raise CellProblem("Nothing is to be changed: give --name, --add or --remove.")
    resources: list[Tagged] | None = None
    if add or remove:
        found = next((each for each in tags.list() if each.name == name), None)
        # One that is not there is told by the service, with near names.
        resources = list(found.resources) if found else []
        given = [each.name for each in resources]
        for each in remove:
            if found and each not in given:
                near_ones = tuple(near_names(each, given))
                raise CellProblem(f"{each!r} does not have the tag {name!r}.", suggestions=near_ones)
        resources = [each for each in resources if each.name not in (*remove, *add)]
        resources += _resources(call, add)
    with near("tag", name, lambda: [each.name for each in tags.list()]):
        changed = tags.update(name, new_name=call.options.get("name"), resources=resources)
    print(f"Changed the tag {visible(changed.name)}{_of(changed)}.")


def _resources(call: Call, names: Sequence[str]) -> list[Tagged]:
    """Return Data Sources, Pipes and connections by their names.

    Raises:
        CellProblem: there is none of a name; near names are in it.
    """
    from tinymagic.api.tags import Tagged

    if not names:
        return []
    workspace = call.workspace
    known = {each.name: Tagged(each.id, each.name, "connection") for each in workspace.connections.list()}
    known.update({each.name: Tagged(each.id, each.name, "pipe") for each in workspace.pipes.list()})
    known.update({each.name: Tagged(each.id, each.name, "datasource") for each in workspace.datasources.list()})
    for name in names:
        if name not in known:
            raise CellProblem(
                f"There is no Data Source, Pipe or connection {name!r}.",
                suggestions=tuple(near_names(name, list(known))),
            )
    return [known[name] for name in dict.fromkeys(names)]


def rm(call: Call) -> None:
    """Delete one, after asking."""
    name, tags = call.words[0], call.workspace.tags
    if confirm(f"Delete the tag {visible(name)}? What has it stays.", yes="yes" in call.options):
        with near("tag", name, lambda: [each.name for each in tags.list()]):
            tags.delete(name)
        print(f"Deleted the tag {visible(name)}.")
