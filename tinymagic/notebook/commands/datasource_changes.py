"""``%tinybird datasource``: another name, other columns, other places, other readers, or an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.errors import TinybirdError
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.datasource_facts import (
    dependents_of,
    get_source,
    listed,
    named,
    near_source,
    users_of,
)
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    import pandas as pd

    from tinymagic.notebook.tinybird import Call

_UNCHANGED = "Nothing was changed."


def rm(call: Call) -> None:
    """Delete one."""
    source = get_source(call, call.words[0])
    dependents = dependents_of(call, source)
    used = f" It is used by {listed(dependents)}." if dependents else ""
    if confirm(f"Delete {named(source)}?{used}", yes="yes" in call.options):
        call.workspace.datasources.delete(source.name, force="force" in call.options)
        print(f"Deleted {named(source)}.")


def rename(call: Call) -> None:
    """Give one another name."""
    name, new_name = call.words
    with near_source(call, name):
        renamed = call.workspace.datasources.rename(name, new_name)
    print(f"{visible(name)} is now called {visible(renamed.name)}.")


def alter(call: Call) -> None:
    """Change columns, description, TTL or indexes of one: show what would be done, ask, do it."""
    name = call.words[0]
    asked: dict[str, Any] = {
        key: _text(call, call.options[key])
        for key in ("schema", "description", "ttl", "indexes")
        if key in call.options
    }
    if not asked:
        raise CellProblem("What is to change? Give --schema, --description, --ttl or --indexes.")
    for key, nothing in (("ttl", "false"), ("indexes", "")):
        if asked.get(key, "").strip().lower() == "none":
            asked[key] = nothing
    sources = call.workspace.datasources
    with near_source(call, name):
        plan = sources.alter(name, **asked, dry_run=True)
    if not plan.operations:
        print(f"Nothing to do: {visible(name)} is so already.")
        return
    print("\n".join(visible(each) for each in plan.operations))
    if plan.dependencies:
        print(f"Used by {listed(plan.dependencies)}.")
    if "dry_run" in call.options:
        return
    if confirm(f"Alter the Data Source {visible(name)} so?", yes="yes" in call.options, otherwise=_UNCHANGED):
        sources.alter(name, **asked)
        print(f"Altered {visible(name)}.")


def _text(call: Call, given: str) -> str:
    """Return a text as given, or of a variable after ``$``."""
    if not (given.startswith("$") and given[1:].isidentifier()):
        return given
    value = call.value(given)
    if not isinstance(value, str):
        raise CellProblem(f"The variable {given[1:]!r} is {type(value).__name__}: a text is needed here.")
    return value


def exchange(call: Call) -> None:
    """Let two change places."""
    one, other = (get_source(call, word) for word in call.words)
    question = f"Let {named(one)} and {named(other)} change places?"
    users = tuple(dict.fromkeys([*users_of(call, one), *users_of(call, other)]))
    if users:
        question += f" Other rows will then be read by {listed(users)}."
    if confirm(question, yes="yes" in call.options, otherwise=_UNCHANGED):
        call.workspace.datasources.exchange(one.name, other.name)
        print(f"{visible(one.name)} and {visible(other.name)} have changed places.")


def share(call: Call) -> None:
    """Let another Workspace read one."""
    name, workspace = call.words
    source = get_source(call, name)
    call.workspace.datasources.share(source.name, _workspace_id(call, workspace), user_token=_user_token(call))
    print(f"{visible(source.name)} can now be read in the Workspace {visible(workspace)}.")


def unshare(call: Call) -> None:
    """Share one no longer."""
    name, workspace = call.words
    source = get_source(call, name)
    question = f"Take {visible(source.name)} away from the Workspace {visible(workspace)}? Queries there will fail."
    if confirm(question, yes="yes" in call.options, otherwise=_UNCHANGED):
        target = _workspace_id(call, workspace)
        call.workspace.datasources.unshare(source.name, target, user_token=_user_token(call))
        print(f"{visible(source.name)} cannot be read in the Workspace {visible(workspace)} any more.")


def _user_token(call: Call) -> str | None:
    from tinymagic.notebook.commands.changing import user_token

    return user_token(call).reveal() if "as_user" in call.options else None


def _workspace_id(call: Call, given: str) -> str:
    """Return the id of the Workspace of this name; *given* itself when the token does not see such a one."""
    try:
        found = call.workspace.workspaces.list()
    except TinybirdError:
        return given
    return next((each.id for each in found if given in (each.name, each.id) and each.id), given)


def dependencies(call: Call) -> pd.DataFrame:
    """Return which Pipes read which Data Sources."""
    import pandas as pd

    name = call.word(0)
    with near_source(call, name or ""):
        found = call.workspace.datasources.dependencies(
            datasource=name, pipe=call.options.get("pipe"), recursive="recursive" in call.options or None
        )
    rows = [(source, ", ".join(pipes)) for source, pipes in sorted(found.readers.items())]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["name", "read by"])
    return frame
