"""``%tinybird branch``: copies of the Workspace to try things in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.changing import work_in
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.commands.waiting import wait_for
from tinymagic.notebook.display import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from tinymagic.api.branches import Branch
    from tinymagic.notebook.tinybird import Call


def ls(call: Call) -> pd.DataFrame:
    """Return the branches: one row each."""
    import pandas as pd

    found = call.workspace.branches.list()
    current = call.workspace.info().id
    frame: pd.DataFrame = pd.DataFrame(
        {
            "name": [each.name for each in found],
            "here": ["in use" if each.id == current else "" for each in found],
            "created": pd.to_datetime(
                pd.Series([each.created_at for each in found], dtype="object"), utc=True
            ).dt.floor("s"),
            "id": [each.id for each in found],
        }
    )
    return frame


def _near(call: Call, name: str) -> AbstractContextManager[None]:
    return near("branch", name, lambda: [each.name for each in call.workspace.branches.list()])


def _get(call: Call, *, with_token: bool = False) -> Branch:
    name = call.words[0]
    with _near(call, name):
        return call.workspace.branches.get(name, with_token=with_token)


def show(call: Call) -> None:
    """Print what is known of one."""
    found = _get(call)
    facts = {
        "Branch": found.name,
        "Id": found.id,
        "Branch of": found.main or "",
        "Created": "" if found.created_at is None else f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC",
    }
    for name, value in facts.items():
        if value:
            print(f"{name + ':':<14}{visible(value)}")


def create(call: Call) -> None:
    """Make one, and wait until it is there."""
    name = call.words[0]
    made = call.workspace.branches.create(
        name, data=call.options.get("data"), ignore_datasources=_without(call), wait=False
    )
    if made.job is not None and made.job.id:
        wait_for(call, made.job, f"branch {visible(name)}")
    print(f"Created the branch {visible(name)}{' with rows' if 'data' in call.options else ', without rows'}.")
    if "use" in call.options:
        work_in(call, "branch", name, _get(call, with_token=True).token)
    else:
        print(f"%tinybird branch use {visible(name)} works in it.")


def _without(call: Call) -> Sequence[str]:
    return call.all("without")


def data(call: Call) -> None:
    """Copy rows of the Workspace into one, after asking: those in the branch are replaced."""
    found = _get(call)
    chosen = call.options.get("data", "last_partition")
    question = f"Replace rows of the branch {visible(found.name)} by those of the Workspace ({chosen})?"
    if not confirm(question, yes="yes" in call.options, otherwise="Nothing was changed."):
        return
    job = call.workspace.branches.data(found.id, data=chosen, ignore_datasources=_without(call), wait=False)
    if job.id:
        wait_for(call, job, f"data of {visible(found.name)}")
    print(f"The branch {visible(found.name)} has the rows of the Workspace ({chosen}).")


def rm(call: Call) -> None:
    """Delete one, after asking; a session that works in it is disconnected from it."""
    found = _get(call)
    name = visible(found.name)
    if found.id == call.workspace.info().id:
        print(f"{name} is the branch that this notebook works in: after this the settings decide again.")
        leaves = True
    else:
        leaves = False
    if confirm(f"Delete the branch {name} with everything in it?", yes="yes" in call.options):
        call.workspace.branches.delete(found.id)
        print(f"Deleted the branch {name}.")
        if leaves:
            call.notebook.session.forget()


def use(call: Call) -> None:
    """Work in one for the rest of the session."""
    found = _get(call, with_token=True)
    work_in(call, "branch", found.name, found.token)
