"""Tokens: which one a request carries, and those of the embedded server itself."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import Forbidden
from tinymagic.local.permissions import Access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.catalog import Catalog, TokenRecord

#: Names of the tokens that a new workspace gets, as the service calls them (``tokens.md`` section 3).
WORKSPACE_ADMIN_TOKEN = "workspace admin token"  # noqa: S105 - a name, not a secret
USER_TOKEN = "user token"  # noqa: S105
CREATE_DATASOURCE_TOKEN = "create datasource token"  # noqa: S105


def admin_token_name(email: str) -> str:
    """Return the name of the token that a person has in a workspace."""
    return f"admin {email}"


class TokensService:
    """Authenticates requests.

    Tokens are found by their SHA-256: the time a look-up takes says nothing about how much of a guess was right.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._index: dict[bytes, Access] = {}
        self._index_version = -1

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
        access = self._access(text)
        if access is None:
            raise Forbidden(f"invalid authentication token. Invalid token {text.encode()!r}: {_problem(text)}")
        return access

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

    def _access(self, text: str) -> Access | None:
        with self._lock:
            version = self._catalog.version
            if version != self._index_version:
                workspaces = {workspace.id: workspace for workspace in self._catalog.workspaces()}
                self._index = {
                    _digest(token.token): Access(workspaces[token.workspace_id], token)
                    for token in self._catalog.all_tokens()
                    if token.workspace_id in workspaces
                }
                self._index_version = version
            return self._index.get(_digest(text))


def token_object(token: TokenRecord) -> dict[str, Any]:
    """Return a token as the API shows it (``tokens.md`` section 2)."""
    return {
        "id": token.id,
        "name": token.name,
        "description": token.description,
        "token": token.token,
        "scopes": token.scopes,
        "origin": token.origin,
        "host": "local",
        "is_internal": False,
        "kind": token.kind,
    }


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _bearer(authorization: str | None) -> str:
    scheme, _, text = (authorization or "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _problem(text: str) -> str:
    """Say what the service's decoder says about a text that is no token at all; nothing about one that looks right."""
    parts = text.split(".")
    if len(parts) != 3:
        return "Not enough segments"
    try:
        body = parts[1].replace("-", "+").replace("_", "/")
        json.loads(base64.b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return "Invalid payload padding"
    return ""
