"""``%tinybird deployment``: the live version of a deployed project, and one that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.notebook.commands.asking import confirm
from tinymagic.notebook.commands.naming import near
from tinymagic.notebook.commands.showing import moment_text, moments, print_facts
from tinymagic.notebook.display import visible
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.progress import progress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd

    from tinymagic.api.deployments import Deployment
    from tinymagic.notebook.tinybird import Call

#: Statuses of those that cannot be made live any more.
_OVER = ("failed", "deleted", "deleting")


def ls(call: Call) -> pd.DataFrame:
    """Return the deployments: one row each."""
    import pandas as pd

    found = call.workspace.deployments.list()
    frame: pd.DataFrame = pd.DataFrame(
        {
            "id": [each.id for each in found],
            "status": [each.status for each in found],
            "live": [each.live for each in found],
            "created": moments(each.created_at for each in found),
            "changes": [len(each.changes) for each in found],
        }
    )
    return frame


def _near(call: Call, deployment_id: str) -> AbstractContextManager[None]:
    return near("deployment", deployment_id, lambda: [each.id for each in call.workspace.deployments.list()])


def _get(call: Call, deployment_id: str) -> Deployment:
    with _near(call, deployment_id):
        return call.workspace.deployments.get(deployment_id)


def show(call: Call) -> pd.DataFrame:
    """Print how one stands, and return what it changes: one row for each resource."""
    import pandas as pd

    wanted = call.word(0) or _newest(call)
    found = _get(call, wanted)
    facts = {
        "Deployment": found.id,
        "Status": found.status + (", live" if found.live else ""),
        "Created": moment_text(found.created_at),
        "Updated": moment_text(found.updated_at),
    }
    print_facts(facts)
    for problem in (*found.problems, *found.feedback):
        print(visible(str(problem)))
    rows = [(each.kind, each.name, each.change) for each in found.changes]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=["kind", "name", "change"])
    return frame


def _newest(call: Call) -> str:
    found = call.workspace.deployments.list()
    if not found:
        raise CellProblem("There is no deployment: %tinybird deploy FOLDER makes one.")
    return max(found, key=_age).id


def _waiting(call: Call) -> str:
    """Return the id of the deployment that waits beside the live one.

    Raises:
        CellProblem: none does.
    """
    found = [each for each in call.workspace.deployments.list() if not each.live and each.status not in _OVER]
    if not found:
        raise CellProblem("No deployment waits: %tinybird deploy FOLDER --no-promote makes one that does.")
    return max(found, key=_age).id


def _age(deployment: Deployment) -> tuple[float, int]:
    created = deployment.created_at
    number = int(deployment.id) if deployment.id.isdecimal() else 0
    return (created.timestamp() if created else 0.0, number)


def promote(call: Call) -> None:
    """Make one live, when it is ready."""
    wanted = call.word(0) or _waiting(call)
    deployments = call.workspace.deployments
    with _near(call, wanted), progress("promote", unit="%") as tell, interruptible() as cancellation:
        ready = deployments.wait(wanted, live=False, on_progress=tell, cancellation=cancellation)
        if ready.status in _OVER:
            raise CellProblem(f"The deployment {wanted} is {ready.status}: it cannot be made live.")
        if ready.live:
            print(f"The deployment {visible(wanted)} is live already.")
            return
        deployments.set_live(wanted)
        deployments.wait(wanted, cancellation=cancellation)
    print(f"The deployment {visible(wanted)} is live.")


def discard(call: Call) -> None:
    """Throw one away that is not live, after asking."""
    wanted = call.word(0) or _waiting(call)
    found = _get(call, wanted)
    if found.live:
        raise CellProblem(f"The deployment {wanted} is the live one, which cannot be discarded.")
    if confirm(
        f"Discard the deployment {visible(wanted)}?", yes="yes" in call.options, otherwise="Nothing was changed."
    ):
        call.workspace.deployments.discard(wanted)
        print(f"Discarded the deployment {visible(wanted)}.")
