"""How the API shows a workspace (``workspace.md`` section 2). Pure."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinymagic.local.records import User, Workspace

#: What the one organization of this server is called.
ORGANIZATION_NAME = "Tinybird Local"


def organization_id(user: User) -> str:
    """Return the id of the organization that the user's workspaces belong to; always the same for one user."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"organization of {user.id}"))


def organization(user: User) -> dict[str, Any]:
    """Return the object of the organization."""
    return {"id": organization_id(user), "name": ORGANIZATION_NAME}


def members(workspace: Workspace, owner: User) -> list[dict[str, Any]]:
    """Return who takes part, the owner first."""
    first = {"id": owner.id, "email": owner.email, "role": "admin"}
    return [{**each, "active": True} for each in (first, *workspace.members)]


def describe(workspace: Workspace, owner: User, *, people: bool = True) -> dict[str, Any]:
    """Return the object of a workspace or branch, without its token.

    Args:
        workspace: the record.
        owner: whose it is.
        people: whether to name owner and members.
    """
    shown: dict[str, Any] = {
        "id": workspace.id,
        "name": workspace.name,
        "user_id": owner.id,
        "user_email": owner.email,
        "role": "admin",
        "plan": "local",
        "main": workspace.main or None,
        "is_branch": bool(workspace.main),
        "is_forward": False,
        "organization": organization(owner),
        "organization_id": organization_id(owner),
        "created_at": workspace.created_at,
        "releases": [],
    }
    if people:
        shown.update(owner=owner.id, members=members(workspace, owner))
    return shown
