"""A Forward Workspace refuses changes of resources: which refusals are that, and what to do instead. Pure.

The contract does not confirm status and text of the refusal, so it is recognised by what it speaks of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.api.errors import DeploymentRequired

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.errors import ApiError

#: Statuses with which a service says "not this way".
_REFUSING_STATUSES = (400, 401, 403, 404, 405, 409, 410, 422, 501)

_REFUSAL_RE = re.compile(
    r"\bdeployments?\b|\btb (?:--cloud )?(?:deploy|build)\b|\bdatafiles?\b.*\b(?:only|instead|use)\b"
    r"|\b(?:only|instead|use)\b.*\bdatafiles?\b|\bforward workspaces?\b|\bread[- ]only workspace\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Datafile:
    """A definition that a deployment takes.

    Attributes:
        file: its place in a project, for instance ``datasources/events.datasource``.
        text: of the file.
    """

    file: str
    text: str


def deployment_required(
    error: ApiError, datafile: Callable[[], Datafile | None] | None = None
) -> DeploymentRequired | None:
    """Return the error for a refusal that means "deploy it"; ``None`` for any other error.

    Args:
        error: what the service answered to a change.
        datafile: makes the definition that does the same; ``None`` when the change has none.
    """
    if error.status not in _REFUSING_STATUSES or not _REFUSAL_RE.search(error.message):
        return None
    made = datafile() if datafile is not None else None
    how = (
        f"Write the definition below to {made.file} in your project folder, then: %tinybird deploy FOLDER"
        if made is not None
        else "Change its datafile in your project folder, then: %tinybird deploy FOLDER"
    )
    return DeploymentRequired(
        f"This Workspace takes such a change by a deployment only. {how} (in Python: workspace.deployments.deploy)."
        f" The service says: {error.message}",
        datafile=made.text if made else None,
        file=made.file if made else None,
        message=error.message,
        status=error.status,
        documentation=error.documentation,
        errors=error.errors,
        request_id=error.request_id,
    )
