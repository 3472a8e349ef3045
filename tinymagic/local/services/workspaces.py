"""Workspaces: the first one, its database and tokens, and what the API says about one."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any

from tinymagic.local.catalog import TokenRecord, User, Workspace
from tinymagic.local.engine import quote_identifier
from tinymagic.local.permissions import mint_token

from .tokens import CREATE_DATASOURCE_TOKEN, USER_TOKEN, WORKSPACE_ADMIN_TOKEN, admin_token_name

if TYPE_CHECKING:
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.permissions import Access

DEFAULT_WORKSPACE = "Tinybird_Local_Testing"
DEFAULT_EMAIL = "local@tinymagic.dev"

#: Databases of workspaces begin so; no user SQL may name one.
DATABASE_PREFIX = "w_"


class WorkspacesService:
    """Rules about workspaces."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine = engine
        self._catalog = catalog

    def prepare(self) -> None:
        """Make the first user, workspace and tokens when there are none, and every workspace's database.

        A crash between catalogue and database is repaired here, at every start: the catalogue says what must exist.
        """
        with self._catalog.transaction():
            if not self._catalog.meta("signing_key"):
                self._catalog.set_meta("signing_key", secrets.token_hex(32))
            if not self._catalog.users():
                self._catalog.create_user(User(str(uuid.uuid4()), DEFAULT_EMAIL))
            if not self._catalog.workspaces():
                self.create(DEFAULT_WORKSPACE)
        for workspace in self._catalog.workspaces():
            self._engine.execute(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(workspace.database)}")

    def create(self, name: str) -> Workspace:
        """Make a workspace with its database and default tokens.

        Raises:
            NameTaken: there is one of this name.
        """
        user = self._catalog.users()[0]
        identifier = uuid.uuid4()
        database = DATABASE_PREFIX + identifier.hex
        with self._catalog.transaction():
            workspace = self._catalog.create_workspace(Workspace(str(identifier), name, database, user.id))
            self._mint(workspace, user, WORKSPACE_ADMIN_TOKEN, ["ADMIN"])
            self._mint(workspace, user, admin_token_name(user.email), ["ADMIN_USER"])
            self._mint(workspace, user, CREATE_DATASOURCE_TOKEN, ["DATASOURCES:CREATE"])
            self._mint(workspace, user, USER_TOKEN, ["ADMIN_USER"], kind="user")
            self._engine.execute(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}")
        return workspace

    def describe(self, access: Access) -> dict[str, Any]:
        """Return the object of ``GET /v0/workspace`` for the token's workspace."""
        workspace = access.workspace
        user = next((each for each in self._catalog.users() if each.id == workspace.owner_id), None)
        email = user.email if user else DEFAULT_EMAIL
        return {
            "id": workspace.id,
            "name": workspace.name,
            "user_id": workspace.owner_id,
            "user_email": email,
            # Clients warn that a token is no admin token when this is empty.
            "scope": "admin" if access.is_admin else "",
            "main": None,
            "is_branch": False,
            "is_forward": False,
            "role": "admin",
            "owner": workspace.owner_id,
            "plan": "local",
            "members": [{"id": workspace.owner_id, "email": email, "role": "admin"}],
            "created_at": workspace.created_at,
        }

    def _mint(self, workspace: Workspace, user: User, name: str, scopes: list[str], kind: str = "workspace") -> None:
        token_id = str(uuid.uuid4())
        token = mint_token(
            user_id=user.id if kind == "user" else workspace.id,
            token_id=token_id,
            signing_key=self._catalog.meta("signing_key") or "",
        )
        self._catalog.create_token(
            TokenRecord(token_id, workspace.id, name, token, [{"type": each} for each in scopes], kind=kind)
        )
