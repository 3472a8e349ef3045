"""Tokens: which one a request carries, and making, changing and ending them (``tokens.md``).

Two rules keep people out of trouble. The tokens that a workspace always has (`is_lasting`) cannot be deleted, renamed
or given other scopes, so nobody locks themselves out; they can be refreshed. And whoever has TOKENS but not ADMIN can
hand out no more rights than their own, and does not get to see the strings of tokens that have more.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.access import jwt
from tinymagic.local.access.authentication import WORKSPACE_ADMIN_TOKEN, Authenticator
from tinymagic.local.access.permissions import Access, mint_token
from tinymagic.local.access.row_filters import TOKENS_PAGE, RowFilters
from tinymagic.local.access.scopes import ADMIN_SCOPES, RESOURCE_SCOPES, print_scope
from tinymagic.local.errors import BadRequest, Conflict, Forbidden, NotFound
from tinymagic.local.records import TokenRecord
from tinymagic.local.views import token as token_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tinymagic.local.access.jwt_claims import Claims
    from tinymagic.local.catalog import Catalog
    from tinymagic.local.engine import Engine
    from tinymagic.local.records import DataSourceRecord, PipeRecord, Workspace
    from tinymagic.local.sql.gate import SqlGate

__all__ = ["CREATE_DATASOURCE_TOKEN", "USER_TOKEN", "WORKSPACE_ADMIN_TOKEN", "TokenRequest", "TokensService"]

#: Names of the other tokens that a new workspace or user gets, as the service calls them (``tokens.md`` section 3).
USER_TOKEN = "user token"  # noqa: S105 - a name, not a secret
CREATE_DATASOURCE_TOKEN = "create datasource token"  # noqa: S105

_MOST_NAME_CHARACTERS = 256

#: Kinds of resources by the first word of a scope, as sentences call them.
_KINDS = {"DATASOURCES": "Data Source", "PIPES": "Pipe"}


def admin_token_name(email: str) -> str:
    """Return the name of the token that a person has in a workspace."""
    return f"admin {email}"


@dataclass(frozen=True)
class TokenRequest:
    """What a request says about a static token; ``None`` where it says nothing.

    Attributes:
        name: any text without control characters.
        description: Markdown.
        scopes: scope objects, resources by name or id.
        origin: where the token comes from, ``{"type": "C"}`` or with ``resource_id``.
    """

    name: str | None = None
    description: str | None = None
    scopes: Sequence[Mapping[str, Any]] | None = None
    origin: Mapping[str, str] | None = None


class TokensService:
    """Rules about tokens."""

    def __init__(self, catalog: Catalog, engine: Engine, gate: SqlGate | None = None) -> None:
        self._catalog = catalog
        self._filters = RowFilters(engine, gate)
        self._authenticator = Authenticator(catalog, self._filters)

    # Who asks

    def authenticate(self, authorization: str | None, parameters: Mapping[str, Any]) -> Access:
        """Find out who asks.

        Args:
            authorization: the ``Authorization`` header; wins over the parameter when it is a ``Bearer``.
            parameters: query parameters, where ``token`` may be.

        Raises:
            Forbidden: there is no token, or nobody has this one. Never 401, as on the service.
        """
        text = _bearer(authorization) or str(parameters.get("token") or "")
        if not text:
            raise Forbidden(
                "The request has no token. Send it in the header 'Authorization: Bearer <token>' "
                "or as the parameter 'token'."
            )
        return self._authenticator.access(text)

    def local_tokens(self) -> dict[str, str]:
        """Return what ``GET /tokens`` gives: the tokens of the first workspace and of its owner."""
        workspace = self._catalog.workspaces()[0]
        user = self._catalog.users()[0]
        by_name = {token.name: token.token for token in self._catalog.tokens(workspace.id)}
        return {
            "user_token": by_name[USER_TOKEN],
            "admin_token": by_name[admin_token_name(user.email)],
            "workspace_admin_token": by_name[WORKSPACE_ADMIN_TOKEN],
        }

    # Reading

    def view_all(self, access: Access) -> list[dict[str, Any]]:
        """Return the workspace's tokens, without those that belong to a person."""
        names = self._names(access)
        records = self._catalog.tokens(access.workspace.id)
        return [self._view(access, record, names) for record in records if record.kind == "workspace"]

    def get(self, access: Access, token: str) -> dict[str, Any]:
        """Return one token by id, name or its string.

        Raises:
            NotFound: the workspace has no such token.
        """
        return self._view(access, self._record(access, token), self._names(access))

    def datafile(self, access: Access, token: str) -> str:
        """Return a token, without its string, as the text of a file.

        Raises:
            NotFound: the workspace has no such token.
        """
        return token_view.datafile(self.get(access, token))

    # Writing

    def create(self, access: Access, asked: TokenRequest) -> dict[str, Any]:
        """Make a static token.

        Raises:
            BadRequest: name, scope, resource or filter cannot be used.
            Conflict: the name is taken.
            Forbidden: a scope is more than the caller's own rights.
        """
        scopes = self._stored_scopes(access, asked.scopes or ())
        token_id = str(uuid.uuid4())
        record = TokenRecord(
            id=token_id,
            workspace_id=access.workspace.id,
            name=_checked_name(asked.name),
            token=self._minted(access.workspace, token_id),
            scopes=scopes,
            description=asked.description or "",
            origin=dict(asked.origin or {"type": "C"}),
        )
        with self._catalog.transaction():
            self._refuse_taken(record)
            self._catalog.create_token(record)
        return self._view(access, record, self._names(access))

    def create_jwt(self, access: Access, claims: Claims) -> dict[str, Any]:
        """Sign a JWT for the caller's workspace; it is not stored.

        Raises:
            BadRequest: it has ended already, or a resource or filter cannot be used.
            Forbidden: a scope is more than the caller's own rights.
        """
        if claims.expires_at <= time.time():
            raise BadRequest("expiration_time is in the past.", documentation=TOKENS_PAGE)
        self._stored_scopes(access, claims.scopes)
        signer = self._catalog.token(access.workspace.id, WORKSPACE_ADMIN_TOKEN)
        assert signer is not None  # It cannot be deleted.
        return {
            "name": claims.name,
            "token": jwt.sign(claims.payload(), signer.token),
            "scopes": claims.scopes,
            "expiration_time": claims.expires_at,
        }

    def update(self, access: Access, token: str, asked: TokenRequest) -> dict[str, Any]:
        """Change what the request says; given scopes replace the old ones.

        Raises:
            NotFound: the workspace has no such token.
            BadRequest: name, scope, resource or filter cannot be used.
            Conflict: the name is taken, or the token must stay as it is.
            Forbidden: the old or a new scope is more than the caller's own rights.
        """
        scopes = None if asked.scopes is None else self._stored_scopes(access, asked.scopes)
        with self._catalog.transaction():
            record = self._record(access, token)
            self._require_own(access, record, "change")
            changed = replace(
                record,
                name=record.name if asked.name is None else _checked_name(asked.name),
                description=record.description if asked.description is None else asked.description,
                scopes=record.scopes if scopes is None else scopes,
            )
            if is_lasting(record) and (changed.name, changed.scopes) != (record.name, record.scopes):
                raise _stays(record, "keeps its name and scopes")
            self._refuse_taken(changed)
            self._catalog.update_token(changed)
        return self._view(access, changed, self._names(access))

    def refresh(self, access: Access, token: str) -> dict[str, Any]:
        """Give a token a new string; the old one stops working at once.

        Raises:
            NotFound: the workspace has no such token.
            Forbidden: its scopes are more than the caller's own rights.
        """
        with self._catalog.transaction():
            record = self._record(access, token)
            self._require_own(access, record, "refresh")
            changed = replace(record, token=self._minted(access.workspace, record.id))
            self._catalog.update_token(changed)
        return self._view(access, changed, self._names(access))

    def delete(self, access: Access, token: str) -> None:
        """End a token.

        Raises:
            NotFound: the workspace has no such token.
            Conflict: it is one that the workspace always has.
        """
        with self._catalog.transaction():
            record = self._record(access, token)
            if is_lasting(record):
                raise _stays(record, "cannot be deleted")
            self._require_own(access, record, "delete")
            self._catalog.delete_token(record.id)

    # Steps

    def _names(self, access: Access) -> dict[str, str]:
        return self._catalog.resource_names(access.workspace.id)

    def _record(self, access: Access, token: str) -> TokenRecord:
        record = self._catalog.token(access.workspace.id, token)
        if record is None or record.kind != "workspace":
            # What was asked for may be the string of a token, so it is not repeated.
            raise NotFound(
                "The token does not exist: the workspace has none with this id, name or string.",
                documentation=TOKENS_PAGE,
            )
        return record

    def _refuse_taken(self, record: TokenRecord) -> None:
        found = self._catalog.token(record.workspace_id, record.name)
        # A name that is another token's id or string would lead to the wrong one.
        if found is not None and found.id != record.id:
            raise Conflict(
                f"There is already a token by this name: {found.name!r}. Use another name, or change that one.",
                documentation=TOKENS_PAGE,
            )

    def _minted(self, workspace: Workspace, token_id: str) -> str:
        signing_key = self._catalog.meta("signing_key") or ""
        return mint_token(user_id=workspace.id, token_id=token_id, signing_key=signing_key)

    def _stored_scopes(self, access: Access, scopes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the scopes with ids for names and checked filters, if the caller may give them."""
        names = self._names(access)
        stored: list[dict[str, Any]] = []
        for scope in scopes:
            kept = dict(scope)
            if scope["type"] in RESOURCE_SCOPES:
                kept["resource"] = self._resource_id(access.workspace, scope)
                if scope.get("filter"):
                    name, of_table = names[kept["resource"]], scope["type"].startswith("DATASOURCES:")
                    kept["sql"] = self._filters.checked(access.workspace, name, scope["filter"], of_table=of_table)
            if not _may_give(access, kept):
                raise Forbidden(
                    f"The token may not hand out the scope {print_scope(scope)}, because it does not have it. "
                    "A token with the scope ADMIN may.",
                    documentation=TOKENS_PAGE,
                )
            if kept not in stored:
                stored.append(kept)
        return stored

    def _resource_id(self, workspace: Workspace, scope: Mapping[str, Any]) -> str:
        family = scope["type"].partition(":")[0]
        find: Callable[[str, str], DataSourceRecord | PipeRecord | None]
        find = self._catalog.datasource if family == "DATASOURCES" else self._catalog.pipe
        found = find(workspace.id, scope["resource"])
        if found is None:
            raise BadRequest(
                f"The scope {scope['type']} names the {_KINDS[family]} {scope['resource']!r}, which does not exist.",
                documentation=TOKENS_PAGE,
            )
        return found.id

    def _require_own(self, access: Access, record: TokenRecord, what: str) -> None:
        if not _may_give_all(access, record, self._names(access)):
            raise Forbidden(
                f"The token may not {what} the token {record.name!r}, because that has more rights. "
                "A token with the scope ADMIN may.",
                documentation=TOKENS_PAGE,
            )

    def _view(self, access: Access, record: TokenRecord, names: Mapping[str, str]) -> dict[str, Any]:
        """Return a token as the API shows it, without its string when that would give the caller more rights."""
        return token_view.describe(record, names, secret=_may_give_all(access, record, names))


def is_lasting(record: TokenRecord) -> bool:
    """Say whether the workspace always has this token: the one that signs JWTs, and that of a person."""
    return record.name == WORKSPACE_ADMIN_TOKEN or any(scope["type"] == "ADMIN_USER" for scope in record.scopes)


def _may_give(access: Access, scope: Mapping[str, Any]) -> bool:
    """Say whether *access* may hand out *scope*, as it is stored.

    The scope TOKENS is there to make tokens for others, whatever they read; but nobody makes an administrator who is
    none, or shows all workspaces to whom only one belongs.
    """
    return access.is_admin or scope["type"] not in (*ADMIN_SCOPES, "ORG_DATASOURCES:READ")


def _may_give_all(access: Access, record: TokenRecord, names: Mapping[str, str]) -> bool:
    return all(_may_give(access, scope) for scope in record.scopes if token_view.is_alive(scope, names))


def _stays(record: TokenRecord, what: str) -> Conflict:
    return Conflict(
        f"The token {record.name!r} {what}, so that nobody is locked out of the workspace. "
        "Refresh it when its string must change.",
        documentation=TOKENS_PAGE,
    )


def _checked_name(name: str | None) -> str:
    if not name:
        raise BadRequest("A token needs the parameter 'name'.", documentation=TOKENS_PAGE)
    if len(name) > _MOST_NAME_CHARACTERS or not name.isprintable():
        raise BadRequest(
            f"The name of a token must have at most {_MOST_NAME_CHARACTERS} characters and no line breaks.",
            documentation=TOKENS_PAGE,
        )
    return name


def _bearer(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""
