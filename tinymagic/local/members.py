"""The members of a workspace: a list without tokens here, for nobody but the owner can log in. Pure."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from .errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Workspace

ROLES = ("admin", "guest", "viewer")
OPERATIONS = ("add", "remove", "change_role")

_EMAIL_RE = re.compile(r"[^@\s,]+@[^@\s,]+")


def changed_members(
    workspace: Workspace, owner: str, operation: str, emails: Sequence[str], role: str
) -> list[dict[str, str]]:
    """Return the members after an operation. Adding somebody who is a member already changes nothing.

    Args:
        workspace: whose members they are.
        owner: address of the owner, who is none of them.
        operation: one of `OPERATIONS`.
        emails: whom it is about.
        role: one of `ROLES`; empty means ``guest`` for new members.

    Raises:
        BadRequest: operation, addresses or role cannot be used.
    """
    if operation not in OPERATIONS:
        raise BadRequest(f"operation must be one of {', '.join(OPERATIONS)}, not {operation!r}.")
    if not emails or (odd := [email for email in emails if not _EMAIL_RE.fullmatch(email)]):
        found = f" {', '.join(map(repr, odd))} is none." if emails else ""
        raise BadRequest(f"users must be the addresses of the members, separated by commas.{found}")
    if role and role not in ROLES:
        raise BadRequest(f"role must be one of {', '.join(ROLES)}, not {role!r}.")
    if operation == "change_role" and not role:
        raise BadRequest(f"operation=change_role needs new_role, one of {', '.join(ROLES)}.")
    if owner in emails:
        raise BadRequest(f"{owner} owns the workspace, and is always its admin.")
    members = {member["email"]: member for member in workspace.members}
    if operation != "add" and (strangers := [email for email in emails if email not in members]):
        raise BadRequest(f"Not a member of the workspace {workspace.name!r}: {', '.join(strangers)}.")
    for email in emails:
        if operation == "remove":
            members.pop(email, None)
        elif operation == "add":
            members.setdefault(email, {"id": str(uuid.uuid4()), "email": email, "role": role or "guest"})
        else:
            members[email] = {**members[email], "role": role}
    return list(members.values())
