"""The deployments of a workspace, as the catalogue has them: which one is live, which one waits, which are over.

What clients need (seen on the wire): a deployment that is live is ``data_ready`` and says ``live``. Everything else
that is listed makes them wait until it is ``deleted``; so what is over is not listed, but can be asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import NotFound
from tinymagic.local.records import DeploymentRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.local.catalog import Catalog
    from tinymagic.local.records import Workspace

    from .plan import Plan

DEPLOYMENTS_PAGE = "/forward/test-and-deploy/deployments"

#: States of a deployment.
READY, DELETED, FAILED = "data_ready", "deleted", "failed"

#: The deployment that every workspace has before its first one: nothing.
SEED = "0"

#: The record that is no deployment but what the next one has to know of the last, builds among them.
_STATE = "state"

#: What is kept of a deployment and not shown.
_HIDDEN = ("files", "destructive")


class History:
    """The deployments of workspaces.

    Args:
        catalog: where they are.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def listed(self, workspace: Workspace) -> list[DeploymentRecord]:
        """Return the live deployment, then the one that waits, as clients expect it."""
        return [self.live(workspace) or self._seed(workspace), *self.staged(workspace)]

    def live(self, workspace: Workspace) -> DeploymentRecord | None:
        """Return the live deployment; ``None`` when there was none yet."""
        live = [each for each in self._records(workspace) if each.status == READY and is_live(each)]
        return live[-1] if live else None

    def staged(self, workspace: Workspace) -> list[DeploymentRecord]:
        """Return the deployment that waits, if there is one."""
        return [each for each in self._records(workspace) if each.status == READY and not is_live(each)]

    def get(self, workspace: Workspace, number: str) -> DeploymentRecord:
        """Return a deployment, also one that is over.

        Raises:
            NotFound: there is none of this number.
        """
        if number == SEED:
            return self._seed(workspace)
        record = self._catalog.deployment(workspace.id, f"{workspace.id}/{number}")
        if record is None or not number.isdigit():
            raise NotFound(f"The deployment {number[:40]!r} does not exist.", documentation=DEPLOYMENTS_PAGE)
        return record

    def new(self, workspace: Workspace, status: str, details: dict[str, Any]) -> DeploymentRecord:
        """Return a deployment with the next number; the catalogue does not know it yet."""
        number = 1 + max([0, *(int(number_of(each)) for each in self._records(workspace))])
        return DeploymentRecord(f"{workspace.id}/{number}", workspace.id, status, details)

    def add_failed(self, workspace: Workspace, errors: list[dict[str, str]]) -> DeploymentRecord:
        """Note a deployment that could not be."""
        with self._catalog.transaction():
            return self._catalog.create_deployment(self.new(workspace, FAILED, {"errors": errors}))

    def stage(
        self, workspace: Workspace, plan: Plan, files: Sequence[tuple[str, str]], *, destructive: bool
    ) -> DeploymentRecord:
        """Keep a deployment for later, in the place of the one that waits."""
        with self._catalog.transaction():
            for each in self.staged(workspace):
                self.end(each)
            details = {**said_of(plan), "files": [list(each) for each in files], "destructive": destructive}
            return self._catalog.create_deployment(self.new(workspace, READY, details))

    def go_live(self, workspace: Workspace, record: DeploymentRecord, plan: Plan) -> None:
        """Make a deployment the live one; all others are over."""
        for each in self._records(workspace):
            if each.status == READY and each.id != record.id:
                self.end(each)
        details = {key: value for key, value in record.details.items() if key not in _HIDDEN}
        live = replace(record, status=READY, details={**details, **said_of(plan), "live": True})
        if self._catalog.deployment(workspace.id, record.id) is None:
            self._catalog.create_deployment(live)
        else:
            self._catalog.update_deployment(live)

    def end(self, record: DeploymentRecord) -> DeploymentRecord:
        """Note that a deployment is over; of its files nothing is kept."""
        details = {"live": False, "errors": record.details.get("errors", [])}
        return self._catalog.update_deployment(replace(record, status=DELETED, details=details))

    def state(self, workspace: Workspace) -> dict[str, Any]:
        """Return what the last deployment or build has left for the next one."""
        found = self._catalog.deployment(workspace.id, f"{workspace.id}/{_STATE}")
        return found.details if found else {}

    def save_state(self, workspace: Workspace, details: dict[str, Any]) -> None:
        """Keep something for the next deployment or build."""
        record = DeploymentRecord(f"{workspace.id}/{_STATE}", workspace.id, _STATE, details)
        if self._catalog.deployment(workspace.id, record.id) is None:
            self._catalog.create_deployment(record)
        else:
            self._catalog.update_deployment(record)

    def _records(self, workspace: Workspace) -> list[DeploymentRecord]:
        return [each for each in self._catalog.deployments(workspace.id) if number_of(each).isdigit()]

    def _seed(self, workspace: Workspace) -> DeploymentRecord:
        live = self.live(workspace) is None
        moment = workspace.created_at
        status = READY if live else DELETED
        return DeploymentRecord(f"{workspace.id}/{SEED}", workspace.id, status, {"live": live}, moment, moment)


def describe(record: DeploymentRecord) -> dict[str, Any]:
    """Return the API's object of a deployment."""
    return {
        "id": number_of(record),
        "status": record.status,
        "live": False,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "errors": [],
        "feedback": [],
        "token_changes": [],
        **{key: value for key, value in record.details.items() if key not in _HIDDEN},
    }


def said_of(plan: Plan) -> dict[str, Any]:
    """Return what a deployment says about its plan."""
    return {
        **plan.changes(),
        "token_changes": [each.reply() for each in plan.tokens],
        "feedback": [
            {"level": "WARNING", "resource": resource, "message": message} for resource, message in plan.warnings
        ],
        "errors": [],
    }


def number_of(record: DeploymentRecord) -> str:
    """Return the id that the API gives a deployment."""
    return record.id.rpartition("/")[2]


def is_live(record: DeploymentRecord) -> bool:
    """Say whether a deployment is live."""
    return bool(record.details.get("live"))
