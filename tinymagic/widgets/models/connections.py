"""What makes the Workspaces of the login panel, and starts and stops the embedded server for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tinymagic import local
from tinymagic.errors import ConfigurationError
from tinymagic.local import LaunchError, LocalServer

if TYPE_CHECKING:
    from tinymagic.api.workspace import Workspace


class Connections(Protocol):
    """What makes Workspaces: the session of a notebook, or `Alone`."""

    def workspace(self) -> Workspace:
        """Return the one in use."""

    def connect(self, **given: Any) -> Workspace:
        """Make one of a token and a host, or of a profile."""

    def local(self, host: str, source: str) -> Workspace:
        """Make one of a server that hands its token out itself."""


class Alone:
    """Makes Workspaces where there is no session of a notebook."""

    def workspace(self) -> Workspace:
        """Return the one that the settings name."""
        return self.connect()

    def connect(self, **given: Any) -> Workspace:
        """Make one; arguments as `tinymagic.connect`."""
        from tinymagic.client import connect

        return connect(**given)

    def local(self, host: str, source: str) -> Workspace:
        """Make one of a server on this machine."""
        from tinymagic.api.workspace import Workspace, local_token

        embedded = host in {server.host for server in local.running()}
        return Workspace(host, local_token(host), source=source, embedded=embedded)


def started() -> LocalServer:
    """Start the embedded server, or find the one that runs.

    Raises:
        ConfigurationError: with the whole reason why it cannot be started.
    """
    try:
        return local.start()
    except LaunchError as error:
        raise ConfigurationError(str(error)) from None


def stopped(port: int) -> LocalServer | None:
    """Stop the server at a port, and return it; ``None`` when there was none.

    Raises:
        ConfigurationError: it did not end.
    """
    try:
        return local.stop(port=port)
    except LaunchError as error:
        raise ConfigurationError(str(error)) from None
