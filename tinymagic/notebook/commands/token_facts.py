"""What may the token in use do? In words, for the status card, ``info`` and ``doctor``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tinymagic.errors import ApiError, ConfigurationError

if TYPE_CHECKING:
    from tinymagic.api.own_token import OwnToken
    from tinymagic.api.tokens import Token
    from tinymagic.api.workspace import Workspace

#: So many scopes are written out.
_MOST_SCOPES = 6


def token_text(workspace: Workspace) -> str:
    """Return kind, name and scopes of the token in use, for instance ``static, 'read top', PIPES:READ:top``.

    A static token's scopes are known to those only that may list tokens; then this costs one request.
    """
    own = workspace.own_token
    if own.kind == "JWT":
        name = f", {own.name!r}" if own.name else ""
        return f"JWT{name}, {_listed(list(own.scopes)) or 'no scopes'}, {end_text(own)}"
    entry = entry_of(workspace, own)
    if entry is None:
        return own.kind if own.kind == "static" else "of a kind that tells nothing about itself"
    return f"{own.kind}, {entry.name!r}, {_listed([str(scope) for scope in entry.scopes]) or 'no scopes'}"


def scopes_of(workspace: Workspace) -> tuple[str, ...] | None:
    """Return the scopes of the token in use; ``None`` when nobody tells."""
    own = workspace.own_token
    if own.kind == "JWT":
        return own.scopes
    entry = entry_of(workspace, own)
    return None if entry is None else tuple(str(scope) for scope in entry.scopes)


def entry_of(workspace: Workspace, own: OwnToken) -> Token | None:
    """Return what the service says about a static token, or ``None`` when it does not tell."""
    if own.id is None:
        return None
    try:
        return next((each for each in workspace.tokens.list() if each.id == own.id), None)
    except ApiError:
        return None


def end_text(own: OwnToken) -> str:
    """Say when a token ends."""
    if own.expires_at is None:
        return "does not expire"
    return f"{'expired' if own.expired else 'expires'} {own.expires_at:%Y-%m-%d %H:%M} UTC"


def _listed(scopes: list[str]) -> str:
    more = len(scopes) - _MOST_SCOPES
    return ", ".join(scopes[:_MOST_SCOPES]) + (f" and {more} more" if more > 0 else "")


def check_not_expired(own: OwnToken) -> None:
    """Refuse a token whose time is over, before it is sent.

    Raises:
        ConfigurationError: it is; by this machine's clock.
    """
    if own.expired and own.expires_at is not None:
        now = datetime.now(timezone.utc)
        raise ConfigurationError(
            f"This token is a JWT that expired {own.expires_at:%Y-%m-%d %H:%M} UTC; it is {now:%Y-%m-%d %H:%M} now. "
            "Ask whoever made it for a new one, or make one: %tinybird token create jwt --help."
        )
