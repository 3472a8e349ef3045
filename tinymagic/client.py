"""`connect`: from settings to a `Workspace`. Here settings, client and the embedded server's door meet."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tinymagic import local
from tinymagic.api.errors import TinybirdError
from tinymagic.api.http.hosts import is_local_host
from tinymagic.api.http.redaction import Secret
from tinymagic.api.workspace import Workspace, local_token
from tinymagic.settings import Connection, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from tinymagic.api.http.transport import OnWait


def connect(
    token: str | None = None,
    host: str | None = None,
    *,
    region: str | None = None,
    profile: str | None = None,
    config: Mapping[str, str | None] | None = None,
    folder: str | os.PathLike[str] | None = None,
    timeout_s: float = 60.0,
    on_wait: OnWait | None = None,
) -> Workspace:
    """Connect to the Tinybird that your settings name, or to the running embedded one.

    Nothing is sent to a hosted service yet; ``connect().info()`` checks the token.

    Args:
        token: of the Workspace. Without a host it goes to the region that the token itself names.
        host: base URL of the API.
        region: instead of a host, for instance ``aws/us-east-1``.
        profile: name of a saved login.
        config: token, host, region or profile from the notebook's configuration.
        folder: where to look for ``.tinyb`` and ``.env``; default the working folder.
        timeout_s: seconds for one reply.
        on_wait: called with seconds and a reason before each wait for another attempt.

    Returns:
        A Workspace; its ``source`` says which setting won.

    Raises:
        ConfigurationError: nothing is configured (the sentence names the three ways), or a setting cannot be used.
        ConnectionFailed: a server on this machine is named without a token, and does not answer.

    Example:
        >>> connect("p.some.token", "http://localhost:7181")
        Workspace('http://localhost:7181', source='the token and host given')
    """
    secret, token = Secret(token or ""), None
    try:
        found = resolve(
            token=secret.reveal() or None,
            host=host,
            region=region,
            profile=profile,
            config=config,
            folder=folder,
            embedded=local.find,
        )
        return Workspace(
            found.host,
            # A server on this machine hands its token out itself.
            found.token or local_token(found.host),
            timeout_s=timeout_s,
            source=found.source,
            profile=found.profile,
            on_wait=on_wait,
            embedded=_is_embedded(found),
        )
    except TinybirdError as error:
        # The frames below have the token among their variables, which verbose tracebacks show.
        raise error.with_traceback(None) from None


def _is_embedded(found: Connection) -> bool:
    """Say whether a connection leads to one of our own servers; only what is displayed depends on it."""
    if not is_local_host(found.host):
        return False
    return any(urlsplit(found.host).port == server.port for server in local.running())
