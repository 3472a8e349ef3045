"""``%tinybird workspace``: which Workspaces there are, and which one this notebook works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.names import near_names
from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.changing import known_user_token, user_token, work_in
from tinymagic.notebook.display import visible
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tinymagic.api.workspaces import WorkspaceEntry
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return the Workspaces that the token may see: one row each."""
    import pandas as pd

    current = call.workspace.info().id
    branches = "branches" in call.options
    found = call.workspace.workspaces.list(branches=branches)
    names = {each.id: each.name for each in found}
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in found],
            "here": ["in use" if each.id == current else "" for each in found],
            "role": [each.role for each in found],
            "members": [len(each.members) for each in found],
            "id": [each.id for each in found],
        }
    )
    if branches:
        frame.insert(1, "branch of", [names.get(each.main or "", each.main or "") for each in found])
    return frame


def current(call: Call) -> None:
    """Print which Workspace this notebook works in."""
    found = call.workspace.workspaces.current()
    _print(
        {
            "Workspace": found.name,
            "Id": found.id,
            "Branch of": _name_of(call, found.main) if found.main else "",
            "User": found.user_email,
            "Host": call.workspace.host,
            "Chosen by": call.workspace.source,
        }
    )


def _name_of(call: Call, workspace_id: str) -> str:
    found = call.workspace.workspaces.list()
    return next((each.name for each in found if each.id == workspace_id), workspace_id)


def show(call: Call) -> None:
    """Print what one is, and who may use it."""
    found = call.workspace.workspaces.get(_find(call, call.words[0]).id)
    _print(
        {
            "Workspace": found.name,
            "Id": found.id,
            "Branch of": _name_of(call, found.main) if found.main else "",
            "Plan": found.plan,
            "Organization": found.organization,
            "Created": "" if found.created_at is None else f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC",
            "Members": ", ".join(f"{each.email} ({each.role})" for each in found.members),
        }
    )


def user(call: Call) -> None:
    """Print whose token is in use."""
    workspaces = call.workspace.workspaces
    found, token = workspaces.user(), workspaces.auth()
    _print(
        {
            "User": found.email,
            "Id": found.id,
            "Token": "a user token" if token.is_user else "of a Workspace",
            "Workspaces": ", ".join(each.name for each in found.workspaces),
        }
    )


def organization(call: Call) -> None:
    """Print the organization of a Workspace."""
    member = call.workspace.workspaces.get(_named_or_current(call))
    if not member.organization_id:
        raise CellProblem(f"The service tells no organization of {member.name!r}.")
    found = call.workspace.workspaces.organization(member.organization_id)
    _print(
        {
            "Organization": found.name,
            "Id": found.id,
            "Plan": found.plan,
            "Workspaces": ", ".join(each.name for each in found.workspaces),
        }
    )


def releases(call: Call) -> pd.DataFrame:
    """Return the releases of a Workspace: one row each."""
    import pandas as pd

    found = call.workspace.workspaces.releases(_named_or_current(call))
    rows = [(each.semver, each.status, each.commit) for each in found]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["version", "status", "commit"])
    return frame


def _named_or_current(call: Call) -> str:
    name = call.word(0)
    return call.workspace.info().id if name is None else _find(call, name).id


def _print(facts: dict[str, str]) -> None:
    for name, value in facts.items():
        if value:
            print(f"{name + ':':<14}{visible(value)}")


def _find(call: Call, wanted: str) -> WorkspaceEntry:
    """Return the Workspace of this name or id.

    Raises:
        CellProblem: the token sees none; near names are in it.
    """
    return _named(call.workspace.workspaces.list(branches=True), wanted)


def _named(found: Sequence[WorkspaceEntry], wanted: str) -> WorkspaceEntry:
    for each in found:
        if wanted in (each.name, each.id):
            return each
    near = tuple(near_names(wanted, [each.name for each in found]))
    raise CellProblem(f"There is no Workspace {wanted!r} that the token may see.", suggestions=near)


def use(call: Call) -> None:
    """Work in another one for the rest of the session."""
    wanted, found = call.words[0], call.workspace.workspaces.list(branches=True)
    person = known_user_token(call)
    if person is not None and not any(wanted in (each.name, each.id) for each in found):
        # A Workspace's own token sees no others; the person's does.
        with call.workspace.with_token(person.reveal()) as everything:
            entry = _named(everything.workspaces.list(branches=True), wanted)
            token = entry.token or everything.workspaces.get(entry.id, with_token=True).token
        work_in(call, "Workspace", entry.name, token)
        return
    entry = _named(found, wanted)
    token = entry.token or call.workspace.workspaces.get(entry.id, with_token=True).token
    work_in(call, "Workspace", entry.name, token)


def create(call: Call) -> None:
    """Make one with the person's own token."""
    made = call.workspace.workspaces.create(call.words[0], user_token=user_token(call))
    name = visible(made.name)
    print(f"Created the Workspace {name}.")
    if "use" in call.options:
        work_in(call, "Workspace", made.name, made.token)
    else:
        print(f"%tinybird workspace use {name} works in it.")


def rm(call: Call) -> None:
    """Delete one with the person's own token, after asking."""
    token = user_token(call)
    with call.workspace.with_token(token.reveal()) as person:
        found = _named(person.workspaces.list(), call.words[0])
    name = visible(found.name)
    if found.id == call.workspace.info().id:
        print(f"{name} is the Workspace that this notebook works in.")
    question = f"Delete the Workspace {name} with all its Data Sources, rows, Pipes and branches?"
    if confirm(question, yes="yes" in call.options):
        call.workspace.workspaces.delete(found.id, user_token=token, name=found.name)
        print(f"Deleted the Workspace {name}.")


def members(call: Call) -> pd.DataFrame | None:
    """Return who may use one; or let people in or out, or give them another role."""
    import pandas as pd

    wanted = call.word(0) or call.workspace.info().id
    entry = _find(call, wanted)
    workspaces, role, name = call.workspace.workspaces, call.options.get("role"), visible(entry.name)
    add, remove, change = call.all("add"), call.all("remove"), call.all("change")
    if role is not None and not add and not change:
        raise CellProblem("--role goes with --add or --change.")
    if change and role is None:
        raise CellProblem("--change needs the role: --role admin|guest|viewer.")
    if not (add or remove or change):
        people = workspaces.get(entry.id).members
        frame: pd.DataFrame = pd.DataFrame(
            [(each.email, each.role, each.id) for each in people], columns=["email", "role", "id"]
        )
        return frame
    who = visible(", ".join(add or remove or change))
    if remove:
        question = f"Take {who} out of the Workspace {name}?"
        if not confirm(question, yes="yes" in call.options, otherwise="Nothing was changed."):
            return None
    workspaces.members(entry.id, add=add, remove=remove, change_role=change, role=role)
    done = f"Added {who} to" if add else f"Removed {who} from" if remove else f"Made {who} {role} of"
    print(f"{done} the Workspace {name}.")
    return None
