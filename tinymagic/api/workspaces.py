"""The Workspaces of a person, ``/v0/user/workspaces`` and ``/v0/workspaces`` (``workspace.md`` section 2)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tinymagic.api.errors import InvalidInput
from tinymagic.api.http.redaction import Secret
from tinymagic.api.reading import mappings
from tinymagic.api.resource import Resource, path
from tinymagic.api.workspace_results import Authentication, Member, Organization, Release, User, WorkspaceEntry
from tinymagic.names import name_problem

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator, Sequence

    from tinymagic.api.workspace import WorkspaceInfo

__all__ = ["ROLES", "Authentication", "Member", "Organization", "Release", "User", "WorkspaceEntry", "Workspaces"]

#: What a member may be.
ROLES = ("admin", "guest", "viewer")


class Workspaces(Resource):
    """``workspace.workspaces``: the Workspaces of a person.

    Making and deleting one needs the *user token*, which belongs to the person and to no Workspace: it is given to the
    call, sent with it to the same host, and not kept.
    """

    def current(self) -> WorkspaceInfo:
        """Return the Workspace of the token in use; the same as `Workspace.info`."""
        from tinymagic.api.workspace import WorkspaceInfo

        return WorkspaceInfo.of(self._get("/v0/workspace"))

    def list(self, *, branches: bool = False) -> builtins.list[WorkspaceEntry]:
        """Return the Workspaces that the token may see, with their tokens where the service tells them.

        Args:
            branches: whether branches are among them.

        Raises:
            Forbidden: the token is neither a person's nor an administrator's.
        """
        reply = self._get("/v0/user/workspaces", {"with_environments": branches})
        return [WorkspaceEntry.of(each) for each in mappings(reply.get("workspaces"))]

    def get(self, workspace_id: str, *, with_token: bool = False) -> WorkspaceEntry:
        """Return one.

        Args:
            workspace_id: its id.
            with_token: whether its administrator's token is wanted.

        Raises:
            NotFound: there is none that the token may see.
        """
        query = {"with_token": with_token or None}
        return WorkspaceEntry.of(self._get(path("/v0/workspaces/", workspace_id), query))

    def create(self, name: str, *, user_token: str | Secret, organization_id: str | None = None) -> WorkspaceEntry:
        """Make a Workspace. Its token is in the result; give it to `tinymagic.connect`.

        Args:
            name: letters, digits and underscores, not beginning with a digit.
            user_token: of the person who will own it.
            organization_id: of the organization that it will belong to.

        Raises:
            InvalidInput: the name cannot be used; nothing was sent.
            Conflict: the name is taken.
            Forbidden: it is no user token.
        """
        if problem := name_problem(name, kind="Workspace"):
            raise InvalidInput(problem)
        with self._as_user(user_token) as resource:
            query = {"name": name, "assign_to_organization_id": organization_id}
            return WorkspaceEntry.of(resource._change("POST", "/v0/workspaces", query=query))

    def delete(self, workspace_id: str, *, user_token: str | Secret, name: str | None = None) -> None:
        """Delete a Workspace with everything in it.

        Args:
            workspace_id: its id.
            user_token: of the person who owns it.
            name: its name, which the service compares when it is given.

        Raises:
            NotFound: there is none.
            Forbidden: it is no user token.
            BadRequest: *name* is another one's; nothing was deleted.
        """
        form = None if name is None else {"confirmation": name}
        with self._as_user(user_token) as resource:
            resource._change("DELETE", path("/v0/workspaces/", workspace_id), form=form, effect="idempotent")

    def members(
        self,
        workspace_id: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        change_role: Sequence[str] = (),
        role: str | None = None,
        user_token: str | Secret | None = None,
    ) -> WorkspaceEntry:
        """Add members, remove them, or change what they are: one of the three.

        Args:
            workspace_id: of the Workspace.
            add: addresses.
            remove: addresses.
            change_role: addresses.
            role: one of `ROLES`, for *add* (there ``guest`` when it is left out) and *change_role*.
            user_token: of the person who owns the Workspace; ``None``: the token in use, when it is an administrator's.

        Returns:
            The Workspace with its members, as far as the service tells.

        Raises:
            InvalidInput: not exactly one of the three is asked for, or there is no such role; nothing was sent.
            BadRequest: an address is none, or no member's.
            Forbidden: the token may not.
        """
        asked = {"add": add, "remove": remove, "change_role": change_role}
        given = [(operation, _addresses(people)) for operation, people in asked.items() if people]
        if len(given) != 1:
            raise InvalidInput("Say whom to add, whom to remove or whose role to change: one of the three.")
        operation, people = given[0]
        if role is not None and role not in ROLES:
            raise InvalidInput(f"{role!r} is no role; there are {', '.join(ROLES)}.")
        if operation == "change_role" and role is None:
            raise InvalidInput(f"Say which role they get: {', '.join(ROLES)}.")
        form = {"operation": operation, "users": ",".join(people)}
        if role is not None and operation != "remove":
            form["new_role" if operation == "change_role" else "role"] = role
        with self._as_user(user_token) as resource:
            address = path("/v0/workspaces/", workspace_id, "/users")
            return WorkspaceEntry.of(resource._change("PUT", address, form=form, effect="idempotent"))

    def releases(self, workspace_id: str) -> builtins.list[Release]:
        """Return the releases of a Workspace (Classic); the embedded server has none."""
        reply = self._get(path("/v0/workspaces/", workspace_id, "/releases"))
        return [Release.of(each) for each in mappings(reply.get("releases"))]

    def organization(self, organization_id: str) -> Organization:
        """Return an organization.

        Raises:
            NotFound: there is none that the token may see.
        """
        return Organization.of(self._get(path("/v0/organizations/", organization_id)))

    def auth(self, *, user_token: str | Secret | None = None) -> Authentication:
        """Ask whether a token is valid, and whether it is a user token.

        Args:
            user_token: the token that is asked about; ``None``: the one in use.

        Raises:
            Forbidden: the service does not know it.
        """
        with self._as_user(user_token) as resource:
            return Authentication.of(resource._get("/v0/auth"))

    def user(self) -> User:
        """Return the person whose token it is."""
        return User.of(self._get("/v0/user"))

    @contextlib.contextmanager
    def _as_user(self, user_token: str | Secret | None) -> Iterator[Resource]:
        """Give a resource that sends another token; ``None``: this one."""
        if user_token is None:
            yield self
            return
        value = user_token.reveal() if isinstance(user_token, Secret) else user_token
        if not value.strip():
            raise InvalidInput("This needs your user token, and it is empty.")
        transport = self._transport.with_token(value)
        value = user_token = ""
        try:
            yield Resource(transport)
        finally:
            transport.close()


def _addresses(people: Sequence[str]) -> builtins.list[str]:
    given = [people] if isinstance(people, str) else people
    return [person.strip() for each in given for person in each.split(",") if person.strip()]
