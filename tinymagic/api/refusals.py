"""A Forward Workspace refuses changes of resources: which refusals are that, and what to do instead. Pure.

The contract confirms neither status nor text of the refusal, so it is recognised by what it says: that a deployment is
the way, or that the Workspace takes no such change. A word alone is not enough, since a Data Source may be called
``deployments``, and a text of ClickHouse or a sentence about a datafile's contents is something else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.api.errors import DeploymentRequired, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinymagic.api.errors import ApiError
    from tinymagic.datafiles import NodeText

#: Statuses with which a service says "not this way".
_REFUSING_STATUSES = (400, 401, 403, 404, 405, 409, 410, 422, 501)

#: Texts of the engine and of the check of SQL: whatever words are in them, they are about a query.
_ABOUT_SQL_RE = re.compile(
    r"^\s*\[error\]|\bDB::Exception\b|\bsyntax error\b|\(([A-Z]+_)+[A-Z]+\)|\bResource '[^']*' not found"
    r"|\bunknown (?:expression |table |function|identifier)|\b(?:missing|no) columns?\b",
    re.IGNORECASE,
)

#: Names in quotes, which may be any words. What stands in backticks may be a command: that is kept.
_QUOTED_RE = re.compile(r"'[^']*'|\"[^\"]*\"|`(?!tb\b)[^`]*`")

#: A deployment, or the datafiles for one, named as the way.
_WAY_RE = re.compile(
    r"""
    \btb\s+(?:--?\w+\s+)*(?:deploy|build)\b
  | \b(?:via|through|by|using|use|need|needs|require|requires|requiring|create|make|run)\s+
    (?:(?:a|an|the|new|your|means|of|with)\s+)*(?:deployments?|datafiles?|project\ files?)\b
  | \bwith\s+(?:(?:a|an|the|new|your)\s+)*(?:deployments?|datafiles?)\b
  | \bdeployments?\s+(?:(?:is|are)\s+)?(?:required|needed|necessary|the\ only)\b
  | \bdeployments?\s+(?:only|instead)\b
  | \bdeploy\s+(?:it|them|this|your|the)\b
  | \b(?:change|edit|update|modify)\s+(?:(?:the|its|their|your)\s+)*(?:datafiles?|project\ files?)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

#: That another way is closed.
_CLOSED_RE = re.compile(
    r"\b(?:only|must|cannot|can't|can not|could not|not (?:allowed|supported|possible|permitted|available|enabled)"
    r"|isn't (?:allowed|supported|available)|aren't (?:allowed|supported|available)|unsupported|disabled|forbidden"
    r"|instead|required?s?|needed|please|read[- ]only|managed)\b",
    re.IGNORECASE,
)

#: Sentences that say it all by themselves: of the kind of Workspace.
_KIND_RE = re.compile(
    r"\b(?:workspace|environment|it) is read[- ]only\b|\bread[- ]only (?:workspace|environment)\b"
    r"|\b(?:not|isn't|aren't|cannot|can't|unsupported|disabled)\b[^.]*\b(?:tinybird )?forward\b(?! slash)"
    r"|\bforward workspaces?\b[^.]*\b(?:not|cannot|can't|only|unsupported|disabled)\b"
    r"|\bonly\b[^.]*\b(?:in|for|on|by) (?:tinybird )?classic\b",
    re.IGNORECASE,
)


def is_refusal(message: str) -> bool:
    """Say whether the words of a service mean: by a deployment only.

    Example:
        >>> is_refusal("Data Sources can only be created through deployments. Use `tb deploy`.")
        True
        >>> is_refusal("There is no Data Source 'deployments'."), is_refusal("[Error] use deployments only (TYPE_X)")
        (False, False)
    """
    if _ABOUT_SQL_RE.search(message):
        return False
    said = _QUOTED_RE.sub("''", message)
    return bool(_KIND_RE.search(said) or (_WAY_RE.search(said) and _CLOSED_RE.search(said)))


@dataclass(frozen=True)
class Datafile:
    """A definition that a deployment takes.

    Attributes:
        file: its place in a project, for instance ``datasources/events.datasource``.
        text: of the file.
    """

    file: str
    text: str


def datafile_for(kind: str, name: str, text: str, nodes: Sequence[NodeText] = ()) -> Datafile | None:
    """Return the file for a resource at its place (`tinymagic.datafiles.places.place_for`).

    Args:
        kind: ``Data Source``, ``Pipe`` or ``connection``.
        name: of the resource.
        text: of the file.
        nodes: of a Pipe, which decide about its folder.

    Returns:
        ``None`` for a name that cannot be the name of a file.
    """
    from tinymagic.datafiles.places import place_for

    place = place_for(kind, name, nodes)
    return None if place is None else Datafile(place, text)


def deployment_required(
    error: ApiError, datafile: Callable[[], Datafile | None] | None = None
) -> DeploymentRequired | None:
    """Return the error for a refusal that means "deploy it"; ``None`` for any other error.

    Args:
        error: what the service answered to a change.
        datafile: makes the definition that does the same; ``None`` when the change has none.
    """
    if isinstance(error, QueryError) or error.status not in _REFUSING_STATUSES or not is_refusal(error.message):
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
