"""Workspaces: their databases and tokens, who may see which, and what the API says about one.

A workspace is a row of the catalogue and a database. A new one gets its database first, a deleted one loses it last;
so a crash leaves at most a database that the catalogue does not know, or a workspace that is marked as closing, and
`WorkspacesService.prepare` drops both at the next start. Branches are workspaces too: `services.branches`.
"""

from __future__ import annotations

import contextlib
import secrets
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.access.permissions import mint_token
from tinymagic.local.catalog import NameTaken
from tinymagic.local.engine import EngineError, quote_identifier, quote_string
from tinymagic.local.errors import ApiError, BadRequest, Conflict, Forbidden, NotFound
from tinymagic.local.members import changed_members
from tinymagic.local.records import TokenRecord, User, Workspace
from tinymagic.local.views.workspace import ORGANIZATION_NAME, describe, organization, organization_id
from tinymagic.names import name_problem

from .jobs import UNFINISHED_STATUSES
from .tokens import CREATE_DATASOURCE_TOKEN, USER_TOKEN, WORKSPACE_ADMIN_TOKEN, admin_token_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine

    from .datasources import DataSourcesService
    from .jobs import JobsService

DEFAULT_WORKSPACE = "Tinybird_Local_Testing"
DEFAULT_EMAIL = "local@tinymagic.dev"

WORKSPACES_PAGE = "/api-reference/overview"

#: Databases of workspaces begin so; no user SQL may name one.
DATABASE_PREFIX = "w_"

_MOST_NAME_CHARACTERS = 200


class WorkspacesService:
    """Rules about workspaces."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine = engine
        self._catalog = catalog

    def prepare(self) -> None:
        """Make the first user, workspace and tokens when there are none, and let databases and catalogue agree.

        A crash between the two is repaired here, at every start: the catalogue says what must exist.
        """
        with self._catalog.transaction():
            if not self._catalog.meta("signing_key"):
                self._catalog.set_meta("signing_key", secrets.token_hex(32))
            if not self._catalog.users():
                self._catalog.create_user(User(str(uuid.uuid4()), DEFAULT_EMAIL))
            for workspace in self._catalog.workspaces():
                if workspace.closing:
                    self._catalog.delete_workspace(workspace.id)
            if not self._catalog.workspaces():
                self._mint(self.create(DEFAULT_WORKSPACE), USER_TOKEN, ["ADMIN_USER"], kind="user")
        known = {workspace.database for workspace in self._catalog.workspaces()}
        rows = self._engine.rows(
            f"SELECT name FROM system.databases WHERE match(name, '^{DATABASE_PREFIX}[0-9a-f]{{32}}$')"
        )
        found = {str(name) for [name] in rows}
        for database in known - found:
            self._engine.execute(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}")
        for database in found - known:
            self.drop_database(database)

    # Who may see what

    @property
    def user(self) -> User:
        """The person who has everything on this server."""
        return self._catalog.users()[0]

    def visible(self, access: Access) -> list[Workspace]:
        """Return the workspaces and branches that the token may know of.

        A token of a person sees all that this person has; any other only its own workspace, and one with ADMIN its
        branches too.
        """
        everything = [each for each in self._catalog.workspaces() if not each.closing]
        if access.token.kind == "user" or is_of_person(access):
            return everything
        own = {access.workspace.id}
        if access.is_admin:
            own.add(access.workspace.main)
            own |= {each.id for each in everything if each.main == access.workspace.id}
        return [each for each in everything if each.id in own]

    def find(self, access: Access, id_or_name: str) -> Workspace:
        """Return a workspace that the token may know of.

        Raises:
            NotFound: there is none, or the token may not know.
        """
        found = self._catalog.workspace(id_or_name)
        if found is None or found.id not in {each.id for each in self.visible(access)}:
            raise NotFound(f"Workspace {id_or_name!r} does not exist, or the token cannot see it.")
        return found

    # What the API says

    def describe(self, access: Access) -> dict[str, Any]:
        """Return the object of ``GET /v0/workspace`` for the token's workspace."""
        # Clients warn that a token is no admin token when the scope is empty.
        return {**describe(access.workspace, self.user), "scope": "admin" if access.is_admin else ""}

    def view(self, workspace: Workspace, *, token: bool = False, people: bool = True) -> dict[str, Any]:
        """Return the object of a workspace or branch, with the token of its administrator when *token* asks."""
        shown = describe(workspace, self.user, people=people)
        if token:
            shown["token"] = self.admin_token(workspace)
        return shown

    def view_all(
        self, access: Access, *, branches: bool = False, only_branches: bool = False, people: bool = True
    ) -> dict[str, Any]:
        """Return the object of ``GET /v0/user/workspaces``.

        Raises:
            Forbidden: the token is neither a person's nor a workspace's administrator.
        """
        require_admin(access)
        shown = [
            self.view(each, token=True, people=people)
            for each in self.visible(access)
            if (each.main and (branches or only_branches)) or (not each.main and not only_branches)
        ]
        return {**self.view_user(), "workspaces": shown}

    def view_user(self) -> dict[str, Any]:
        """Return the object of the person."""
        user = self.user
        return {
            "id": user.id,
            "email": user.email,
            "organization_id": organization_id(user),
            "organization_name": ORGANIZATION_NAME,
        }

    def view_organization(self, access: Access, identifier: str) -> dict[str, Any]:
        """Return the object of the organization with the workspaces that the token sees.

        Raises:
            NotFound: there is no other than that of this server.
        """
        user = self.user
        if identifier not in (organization_id(user), ORGANIZATION_NAME):
            raise NotFound(f"Organization {identifier!r} does not exist.")
        workspaces = [{"id": each.id, "name": each.name} for each in self.visible(access) if not each.main]
        return {**organization(user), "plan": {"name": "local"}, "workspaces": workspaces}

    def admin_token(self, workspace: Workspace) -> str:
        """Return the token that clients work with in a workspace: the person's, else that of the administrator."""
        by_name = {token.name: token.token for token in self._catalog.tokens(workspace.id) if token.kind == "workspace"}
        return by_name.get(admin_token_name(self.user.email)) or by_name.get(WORKSPACE_ADMIN_TOKEN) or ""

    # Making and deleting

    def create_checked(self, access: Access, name: str) -> Workspace:
        """Make a workspace as a request asks.

        Raises:
            Forbidden: the token is not the user token.
            BadRequest: the name cannot be used.
            Conflict: the name is taken.
        """
        require_user_token(access, "Creating a workspace")
        check_name(name)
        vacant = self._catalog.workspace(name)
        if vacant and vacant.vacant:
            return self._catalog.update_workspace(replace(vacant, vacant=False))
        try:
            return self.create(name)
        except NameTaken as error:
            message = f"There is already a workspace called {name!r}. Choose another name, or delete that one."
            raise Conflict(message, documentation=WORKSPACES_PAGE) from error

    def create(self, name: str) -> Workspace:
        """Make a workspace with its database and default tokens.

        Raises:
            NameTaken: there is one of this name.
        """
        identifier = uuid.uuid4()
        workspace = Workspace(str(identifier), name, DATABASE_PREFIX + identifier.hex, owner_id=self.user.id)
        # Not while the catalogue is locked: the engine may be busy, and every request asks the catalogue who it is.
        self._engine.execute(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(workspace.database)}")
        try:
            return self.register(workspace)
        except NameTaken:
            self.drop_database(workspace.database)
            raise

    def register(self, workspace: Workspace) -> Workspace:
        """Write a workspace and its default tokens down.

        Raises:
            NameTaken: there is one of this name.
        """
        with self._catalog.transaction():
            workspace = self._catalog.create_workspace(workspace)
            self._mint(workspace, WORKSPACE_ADMIN_TOKEN, ["ADMIN"])
            self._mint(workspace, admin_token_name(self.user.email), ["ADMIN_USER"])
            self._mint(workspace, CREATE_DATASOURCE_TOKEN, ["DATASOURCES:CREATE"])
        return workspace

    def delete(self, workspace: Workspace, jobs: JobsService, datasources: DataSourcesService) -> None:
        """Delete a workspace or branch, and with a workspace its branches.

        Its tokens die first. Then its queries and jobs are stopped, while an import in a request, which would have to
        be answered, is waited for; and its tables go. The first workspace, whose tokens ``GET /tokens`` gives, is
        only emptied: its default tokens stay, and creating one of its name gives it back, which is what the command
        line does to clear it.
        """
        if workspace.id == self._catalog.workspaces()[0].id:
            self._empty(workspace, jobs, datasources)
            return
        doomed = [*self._catalog.branches(workspace.id), workspace]
        with self._catalog.transaction():
            for each in doomed:
                self._catalog.update_workspace(replace(each, closing=True))
                for token in self._catalog.tokens(each.id):
                    self._catalog.delete_token(token.id)
        for each in doomed:
            self._end_work(each, jobs, datasources)
        self._catalog.delete_workspace(workspace.id)
        for each in doomed:
            self.drop_database(each.database)

    def drop_database(self, database: str) -> None:
        """Stop the queries in a database and drop it; nothing happens when there is none."""
        with self._engine.cleaning():
            self._stop_queries(database)
            self._engine.execute(f"DROP DATABASE IF EXISTS {quote_identifier(database)} SYNC")

    # Members

    def change_members(
        self, access: Access, workspace: Workspace, operation: str, emails: Sequence[str], role: str
    ) -> Workspace:
        """Add, remove or change members: `changed_members`.

        Raises:
            Forbidden: the token is neither the user token nor an administrator's of this workspace.
            BadRequest: operation, addresses or role cannot be used; nothing was changed.
        """
        if access.token.kind != "user" and not (access.is_admin and access.workspace.id == workspace.id):
            raise Forbidden("Changing the members of a workspace needs the user token or its ADMIN token.")
        with self._catalog.transaction():
            present = self._catalog.workspace(workspace.id) or workspace
            members = changed_members(present, self.user.email, operation, emails, role)
            return self._catalog.update_workspace(replace(present, members=members))

    def _empty(self, workspace: Workspace, jobs: JobsService, datasources: DataSourcesService) -> None:
        for branch in self._catalog.branches(workspace.id):
            self.delete(branch, jobs, datasources)
        self._end_work(workspace, jobs, datasources)
        names = (WORKSPACE_ADMIN_TOKEN, admin_token_name(self.user.email), CREATE_DATASOURCE_TOKEN, USER_TOKEN)
        kept = [token for token in self._catalog.tokens(workspace.id) if token.name in names]
        self._catalog.clear_workspace(replace(workspace, members=[], tags=[], vacant=True), kept)
        self.drop_database(workspace.database)
        self._engine.execute(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(workspace.database)}")

    def _end_work(self, workspace: Workspace, jobs: JobsService, datasources: DataSourcesService) -> None:
        self._cancel_jobs(workspace, jobs)
        self._stop_queries(workspace.database)
        self._forget_datasources(workspace, datasources)

    def _cancel_jobs(self, workspace: Workspace, jobs: JobsService) -> None:
        for job in self._catalog.jobs(workspace.id, created_after=""):
            if job.status in UNFINISHED_STATUSES:
                with contextlib.suppress(ApiError):  # It ended meanwhile, or is about to.
                    jobs.cancel(workspace, job.id)

    def _stop_queries(self, database: str) -> None:
        self._engine.execute(f"KILL QUERY WHERE current_database = {quote_string(database)} ASYNC")

    def _forget_datasources(self, workspace: Workspace, datasources: DataSourcesService) -> None:
        """Take the Data Sources out of the catalogue, each when nobody writes to it any more."""
        for record in self._catalog.datasources(workspace.id):
            with contextlib.suppress(ApiError, EngineError), datasources.changing(workspace, record.id):
                self._catalog.delete_datasource(record.id)

    def _mint(self, workspace: Workspace, name: str, scopes: list[str], kind: str = "workspace") -> None:
        token_id = str(uuid.uuid4())
        token = mint_token(
            user_id=self.user.id if kind == "user" else workspace.id,
            token_id=token_id,
            signing_key=self._catalog.meta("signing_key") or "",
        )
        self._catalog.create_token(
            TokenRecord(token_id, workspace.id, name, token, [{"type": each} for each in scopes], kind=kind)
        )


def is_of_person(access: Access) -> bool:
    """Say whether the token is a person's in this workspace (``admin <email>``)."""
    return any(scope["type"] == "ADMIN_USER" for scope in access.token.scopes)


def require_user_token(access: Access, what: str) -> None:
    """Refuse every token but the user token; *what* begins the sentence.

    Raises:
        Forbidden: it is another.
    """
    if access.token.kind != "user":
        raise Forbidden(f"{what} needs the user token, the one that GET /tokens calls 'user_token'.")


def require_admin(access: Access) -> None:
    """Refuse tokens that administrate nothing.

    Raises:
        Forbidden: it is such.
    """
    if not access.is_admin:
        access.require("ADMIN")


def check_name(name: str, *, kind: str = "Workspace") -> None:
    """Refuse what cannot be the name of a workspace or branch.

    Raises:
        BadRequest: says why.
    """
    problem = name_problem(name, kind=kind)
    if not problem and len(name) > _MOST_NAME_CHARACTERS:
        problem = (
            f"The name {name[:30] + '...'!r} has {len(name)} characters; a {kind} has at most {_MOST_NAME_CHARACTERS}."
        )
    if problem:
        raise BadRequest(problem, documentation=WORKSPACES_PAGE)
