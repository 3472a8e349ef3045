"""Who asks: from the text of a token to an `Access`.

This is on the way of every request, so what was found is kept until the catalogue says that tokens, workspaces or
names have changed. Tokens are found by their SHA-256: the time a look-up takes says nothing about how much of a guess
was right. A JWT is verified with the string of its workspace's admin token, so a refreshed admin token ends all JWTs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import threading
import time
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tinymagic.local.access import jwt, jwt_claims
from tinymagic.local.errors import Forbidden, OfAnotherHost
from tinymagic.local.records import DataSourceRecord, PipeRecord, TokenRecord, Workspace

from .permissions import HOST, Access
from .scopes import ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.local.catalog import Catalog

    from .row_filters import RowFilters

#: Name of the token that signs JWTs and that a workspace always has (``tokens.md`` section 3).
WORKSPACE_ADMIN_TOKEN = "workspace admin token"  # noqa: S105 - a name, not a secret

#: Records whose ids and names scopes are about.
_NAMED = (DataSourceRecord, PipeRecord)

#: Verified JWTs that are kept.
_MOST_JWTS = 10_000


class Authenticator:
    """Finds out who asks.

    Args:
        catalog: the tokens.
        filters: checks the filters that JWTs carry.
        clock: Unix seconds.
    """

    def __init__(self, catalog: Catalog, filters: RowFilters, clock: Callable[[], float] = time.time) -> None:
        self._catalog = catalog
        self._filters = filters
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens_version = self._names_version = -1
        self._workspaces: dict[str, Workspace] = {}
        self._ids: dict[bytes, tuple[str, str]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._accesses: dict[bytes, Access] = {}
        self._jwts: OrderedDict[bytes, tuple[float, Access]] = OrderedDict()

    def access(self, text: str) -> Access:
        """Return what the holder of a token may do.

        Raises:
            Forbidden: nobody has this token, or it is a JWT that does not hold (any more).
        """
        digest = _digest(text)
        with self._lock:
            self._follow_catalog()
            found = self._accesses.get(digest)
            if found is not None:
                return found
            workspace_id, token_id = self._ids.get(digest, ("", ""))
            record = self._catalog.token(workspace_id, token_id) if token_id else None
            if record is not None and _digest(record.token) == digest:  # It may have been refreshed meanwhile.
                workspace = self._workspaces[workspace_id]
                access = self._accesses[digest] = Access(workspace, record, self._names_in(workspace))
                return access
            expires_at, by_jwt = self._jwts.get(digest, (0.0, None))
            if by_jwt is None:
                expires_at, by_jwt = self._verified(text)
                self._jwts[digest] = expires_at, by_jwt
                if len(self._jwts) > _MOST_JWTS:
                    self._jwts.popitem(last=False)
            if expires_at <= self._clock():
                del self._jwts[digest]
                raise _invalid(text, "Signature has expired")
            return by_jwt

    def _follow_catalog(self) -> None:
        names_version = self._catalog.version_of(*_NAMED)
        if names_version != self._names_version:
            self._names.clear()
            self._accesses.clear()
            self._jwts.clear()
            self._names_version = names_version
        tokens_version = self._catalog.version_of(TokenRecord, Workspace)
        if tokens_version != self._tokens_version:
            self._accesses.clear()
            self._jwts.clear()
            self._workspaces = {workspace.id: workspace for workspace in self._catalog.workspaces()}
            self._ids = {
                _digest(text): (workspace_id, token_id)
                for workspace_id, token_id, text in self._catalog.token_strings()
                if workspace_id in self._workspaces
            }
            self._tokens_version = tokens_version

    def _names_in(self, workspace: Workspace) -> dict[str, str]:
        if workspace.id not in self._names:
            self._names[workspace.id] = self._catalog.resource_names(workspace.id)
        return self._names[workspace.id]

    def _verified(self, text: str) -> tuple[float, Access]:
        if not jwt.looks_like_jwt(text):
            raise _invalid(text, _problem(text))
        try:
            payload = jwt.read_claims(text)
            signer = self._catalog.token(
                str(payload.get("workspace_id")).encode("utf-8", "replace").decode(), WORKSPACE_ADMIN_TOKEN
            )
            if signer is None or not jwt.verify(text, signer.token):
                raise _invalid(text, "Signature verification failed")
            claims = jwt_claims.read(payload)
        except (jwt.JwtError, ScopeError) as error:
            raise _invalid(text, str(error)) from error
        workspace = self._workspaces[claims.workspace_id]
        record = TokenRecord(
            id=str(uuid.uuid5(uuid.UUID(int=0), _digest(text).hex())),
            workspace_id=workspace.id,
            name=claims.name,
            token="",  # Whoever holds the record shall not hold the secret.
            scopes=claims.scopes,
            origin={"type": "JWT"},
            kind="jwt",
        )
        names = self._names_in(workspace)
        access = Access(
            workspace,
            record,
            {**{name: name for name in names.values()}, **names},
            check_filter=functools.partial(self._check_filter, workspace),
            limit_rps=claims.rps,
        )
        return claims.expires_at, access

    def _check_filter(self, workspace: Workspace, text: str, name: str) -> str:
        of_table = self._catalog.datasource(workspace.id, name) is not None
        return self._filters.remembered(workspace, name, text, of_table=of_table)


def _invalid(text: str, problem: str) -> Forbidden:
    """Return the service's text; it repeats the token as Python writes bytes."""
    shown = text.encode("utf-8", "surrogateescape")
    kind = Forbidden if _payload(text).get("host", HOST) == HOST else OfAnotherHost
    return kind(f"invalid authentication token. Invalid token {shown!r}: {problem}")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _problem(text: str) -> str:
    """Say what the service's decoder says about a text that is no token at all; nothing about one that looks right."""
    if len(text.split(".")) != 3:
        return "Not enough segments"
    try:
        _decoded(text)
    except (ValueError, RecursionError):
        return "Invalid payload padding"
    return ""


def _payload(text: str) -> dict[str, Any]:
    """Return what a token of the vendor's form says; nothing of a text that is none."""
    try:
        found = _decoded(text)
    except (ValueError, RecursionError, IndexError):
        return {}
    return found if isinstance(found, dict) and text.startswith("p.") else {}


def _decoded(text: str) -> Any:
    body = text.split(".")[1].replace("-", "+").replace("_", "/")
    return json.loads(base64.b64decode(body + "=" * (-len(body) % 4)))
