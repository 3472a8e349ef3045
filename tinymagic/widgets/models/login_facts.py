"""What is known of a Workspace and of the token for it, once the service has been asked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.api.scopes import Scope
from tinymagic.errors import InvalidInput
from tinymagic.notebook.commands.token_facts import end_text, entry_of

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace


@dataclass(frozen=True)
class LoginFacts:
    """The Workspace, the person, and what the token may do.

    Attributes:
        name: of the Workspace.
        user: e-mail address of the person whose token it is; empty when the service does not say.
        host: base URL.
        place: the region in words; empty for a host of no region.
        backend: what answers.
        token: kind, name and end of the token, in words.
        scopes: what it may do; ``None`` when the service does not tell this token.
        is_admin: whether it may do everything.
        given: whether somebody gave the token, and not the server itself.
    """

    name: str
    user: str
    host: str
    place: str
    backend: str
    token: str
    scopes: tuple[Scope, ...] | None
    is_admin: bool
    given: bool

    @property
    def warning(self) -> str:
        """What to think of when it is an administrator's token that somebody gave; else empty."""
        if not (self.is_admin and self.given):
            return ""
        return (
            "It is an administrator's token: whoever has it may change and delete everything. To query, a token is "
            "enough that may read: %tinybird token create static reader --scope PIPES:READ:name makes one, "
            "and so does the panel of tokens."
        )


def facts_of(workspace: Workspace, *, given: bool) -> LoginFacts:
    """Ask the service; two requests, one for a JWT.

    Args:
        workspace: with the token that it is about.
        given: see `LoginFacts`.

    Raises:
        TinybirdError: the token is not valid there, or the service cannot be reached.
    """
    described = workspace.info()
    own, region = workspace.own_token, workspace.region
    scopes: tuple[Scope, ...] | None
    if own.kind == "JWT":
        scopes, kind = tuple(map(_scope, own.scopes)), f"JWT {own.name or 'without a name'}, {end_text(own)}"
    else:
        entry = entry_of(workspace, own)
        scopes = None if entry is None else entry.scopes
        kind = own.kind if entry is None else f"{own.kind}, {entry.name}"
    types = {scope.type for scope in scopes or ()}
    return LoginFacts(
        name=described.name,
        user=described.user_email,
        host=workspace.host,
        place="" if region is None else f"{region.name}, {region.provider} {region.provider_region}",
        backend=workspace.backend,
        token=kind,
        scopes=scopes,
        is_admin=bool(types & {"ADMIN", "ADMIN_USER"}),
        given=given,
    )


def _scope(written: str) -> Scope:
    with contextlib.suppress(InvalidInput):
        return Scope.parse(written)
    return Scope(written)
