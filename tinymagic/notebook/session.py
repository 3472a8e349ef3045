"""Which Workspace the next cell talks to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from tinymagic.api.workspace import Workspace
    from tinymagic.settings import Setting


class Session:
    """The connection of one IPython session.

    A Workspace that was chosen in this session (``%tinybird local start``, ``login``, ``use``) is kept. Without one,
    the settings are read anew for every cell, so that a variable or a file that changes counts at once; as long as they
    say the same, the same Workspace and its open connections are used.

    Args:
        options: what ``%config TinyMagic`` says about the connection, by name; read when it is needed.
    """

    def __init__(self, options: Any) -> None:
        self._options = options
        self._chosen: Workspace | None = None
        self._choices = 0
        self._found: tuple[object, Workspace] | None = None
        self._of_profiles: dict[str, Workspace] = {}

    def workspace(self, profile: str | None = None) -> Workspace:
        """Return the Workspace to talk to.

        Args:
            profile: name of a saved login, for this once.

        Raises:
            ConfigurationError: nothing is configured, or the settings cannot be used.
        """
        if profile is not None:
            return self._of_profile(profile)
        if self._chosen is not None:
            return self._chosen
        key = _key_of(_resolve(self._config()))
        if self._found is None or self._found[0] != key:
            self._found = (key, self.connect())
        return self._found[1]

    def key(self) -> Hashable:
        """Return what tells one connection from another; ``None`` when there is none. Sends nothing."""
        from tinymagic.errors import ConfigurationError

        if self._chosen is not None:
            return ("chosen", self._choices)
        try:
            return _key_of(_resolve(self._config()))
        except ConfigurationError:
            return None

    @property
    def chosen(self) -> Workspace | None:
        """The Workspace that was chosen in this session, or ``None`` when the settings decide."""
        return self._chosen

    def connect(self, **given: Any) -> Workspace:
        """Make a Workspace of what is given and configured, without choosing it; arguments as `tinymagic.connect`."""
        from tinymagic import connect

        given.setdefault("timeout_s", self._options.timeout_s)
        return connect(config=self._config(), on_wait=_say_wait, **given)

    def local(self, host: str, source: str) -> Workspace:
        """Make a Workspace of a server on this machine with the token that it hands out itself.

        No other setting counts here: a token for the cloud must not be taken for the server's.

        Args:
            host: base URL.
            source: in words, what chose it.
        """
        from tinymagic.api.workspace import Workspace, local_token
        from tinymagic.local import running

        embedded = host in {server.host for server in running()}
        token, timeout_s = local_token(host), self._options.timeout_s
        return Workspace(host, token, timeout_s=timeout_s, source=source, on_wait=_say_wait, embedded=embedded)

    def choose(self, workspace: Workspace) -> None:
        """Keep talking to *workspace* in this session."""
        if self._chosen is not workspace:
            self.forget()
            self._choices += 1
        self._chosen = workspace

    def forget(self) -> None:
        """Drop the choice and all open connections: the settings decide again."""
        known = [self._chosen, self._found[1] if self._found else None, *self._of_profiles.values()]
        self._chosen, self._found = None, None
        self._of_profiles.clear()
        for workspace in known:
            if workspace is not None:
                workspace.close()

    def _of_profile(self, profile: str) -> Workspace:
        from tinymagic import connect

        if profile not in self._of_profiles:
            self._of_profiles[profile] = connect(profile=profile, timeout_s=self._options.timeout_s, on_wait=_say_wait)
        return self._of_profiles[profile]

    def _config(self) -> Mapping[str, str | None]:
        options = self._options
        return {"host": options.host or None, "region": options.region or None, "profile": options.profile or None}

    def settings(self) -> list[Setting]:
        """Return all sources of settings in their order, and which of them decide when nothing was chosen."""
        from tinymagic.settings import survey

        return survey(config=self._config())

    def line(self) -> str:
        """Say in one line what the session is connected to, or how to connect. Sends nothing, shows no token."""
        from tinymagic.errors import ConfigurationError

        if self._chosen is not None:
            return f"tinymagic is connected to {self._chosen.host} ({self._chosen.source})."
        try:
            found = _resolve(self._config())
        except ConfigurationError as error:
            return f"tinymagic: {error}"
        return f"tinymagic is connected to {found.host} ({found.source})."


def _key_of(found: Any) -> tuple[object, ...]:
    # A server that was started anew at the same place may have another token.
    return (found.host, hash(found.token) if found.token else _pid_of(found.host), found.source, found.profile)


def _pid_of(host: str) -> int | None:
    from tinymagic import local

    return next((server.pid for server in local.running() if server.host == host), None)


def _resolve(config: Mapping[str, str | None]) -> Any:
    from tinymagic import local
    from tinymagic.settings import resolve

    return resolve(config=config, embedded=local.find)


def _say_wait(seconds: float, reason: str) -> None:
    from tinymagic.notebook.quiet import is_quiet

    if not is_quiet():
        sys.stderr.write(f"Waiting {seconds:.1f} s: {reason}\n")
