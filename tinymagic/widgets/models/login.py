"""Where to connect, and with which token. The token is a `Secret` outside of all traits."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from traitlets import Enum, Instance, List, Unicode

from tinymagic import local, profiles
from tinymagic.api.http.hosts import is_local_host, normalise_host
from tinymagic.api.http.redaction import Secret
from tinymagic.api.own_token import OwnToken
from tinymagic.errors import ConfigurationError, Forbidden, TinybirdError
from tinymagic.local import LocalServer
from tinymagic.notebook.commands.token_facts import check_not_expired, end_text
from tinymagic.regions import REGIONS, Region, region_of_host, region_of_token
from tinymagic.widgets.models.connections import Alone, Connections, started, stopped
from tinymagic.widgets.models.login_facts import LoginFacts, facts_of
from tinymagic.widgets.models.panel_model import PanelModel, quoted
from tinymagic.widgets.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.workspace import Workspace

#: Where to connect: a region of Tinybird Cloud, a host, the embedded server.
PLACES = ("region", "host", "embedded")

_CLOUD = tuple(region for region in REGIONS if region.provider != "local")
_LOCAL = next(region for region in REGIONS if region.provider == "local")


@dataclass(frozen=True)
class _Asked:
    """Where to connect, as it was when a button was pressed: an empty host means the embedded server."""

    host: str
    secret: Secret | None


class LoginModel(PanelModel):
    """Holds a token, tests it, connects with it, saves it; starts and stops the embedded server.

    Args:
        workspace: the connection in use, if there is one.
        connections: makes Workspaces.
        on_connect: gets the Workspace that was connected to.
        on_disconnect: called when the server of the connection in use was stopped.
        work: does what takes time.
        beside: does what nobody waits for: the list of regions.

    Attributes:
        regions: of Tinybird Cloud, by provider.
        place: one of `PLACES`.
        region: key of the region that was chosen; empty: that of the token.
        host: as it was written.
        token: what is known of the token that was taken, in words; the token is in no trait.
        mismatch: why token and place do not belong together; empty when they do.
        facts: of the last test; ``None`` when something has changed since.
        server: the embedded server that runs, or ``None``.
    """

    regions: List[Any] = List()
    place = Enum(PLACES, "region")
    region = Unicode("")
    host = Unicode("")
    token = Unicode("")
    mismatch = Unicode("")
    facts = Instance(LoginFacts, allow_none=True)
    server = Instance(LocalServer, allow_none=True)

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        connections: Connections | None = None,
        on_connect: Callable[[Workspace], object] | None = None,
        on_disconnect: Callable[[], object] | None = None,
        work: Work | None = None,
        beside: Work | None = None,
    ) -> None:
        super().__init__(workspace, work=work)
        self._connections = connections or Alone()
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._beside = beside or Work()
        self._secret: Secret | None = None
        # The region that a token chose; what a person chose is not changed by a token.
        self._adopted = ""
        self.regions = sorted(_CLOUD, key=_order)
        self.observe(lambda _: self._check(), ["place", "region", "host"])

    def load(self) -> None:
        """Look for the embedded server, and ask the service for its regions; without an answer the known ones stay."""
        self.look()
        self._beside.start(lambda _: self._fetch_regions(), done=self._show_regions, failed=lambda _: None)

    def close(self) -> None:
        """End everything, and let the token go."""
        self._secret = None
        self._beside.close()
        super().close()

    # The token

    def take(self, secret: Secret) -> None:
        """Keep a token for the buttons, and choose its region unless somebody has chosen one."""
        self._secret = Secret(secret.reveal().strip())
        own = self._own_region()
        if own is not None and self.place == "region" and self.region in ("", self._adopted):
            self.use_region_of_token()
        self._check()
        self.token = _words(OwnToken.of(self._secret.reveal()), own)
        self.say("")

    def use_region_of_token(self) -> None:
        """Choose the place that the token names."""
        own = self._own_region()
        if own is None:
            return
        if own.provider == "local":
            self.place = "embedded"
            return
        if own.key not in {each.key for each in self.regions}:
            self.regions = sorted([*self.regions, own], key=_order)
        self._adopted = own.key
        self.place, self.region = "region", own.key

    def forget_token(self) -> None:
        """Let the token go."""
        self._secret = None
        self.token, self.facts = "", None
        self._check()

    def _own_region(self) -> Region | None:
        """Return the region that the token names: one of the built-in table, or one that the service has told of."""
        if self._secret is None:
            return None
        key = OwnToken.of(self._secret.reveal()).host
        return region_of_token(self._secret.reveal()) or next((each for each in self.regions if each.key == key), None)

    def _given_region(self) -> Region | None:
        if self.place == "embedded":
            return _LOCAL
        if self.place == "region":
            return next((each for each in self.regions if each.key == self.region), None)
        with contextlib.suppress(ConfigurationError):
            host = normalise_host(self.host)
            return _LOCAL if is_local_host(host) else region_of_host(host)
        return None

    def _check(self) -> None:
        self.facts = None
        own, given = self._own_region(), self._given_region()
        if own is None or given is None or own.key == given.key:
            # Where no region was chosen, a token of this machine belongs nowhere in the cloud.
            lost = own is not None and own.provider == "local" and self.place == "region"
            self.mismatch = _mismatch(own, None) if lost and own is not None else ""
            return
        self.mismatch = _mismatch(own, given)

    # Test, connect, save

    def test(self) -> None:
        """Ask the service what the token is; nothing is changed."""
        self.line = ""
        self._with_workspace(self._tested, start=False)

    def connect(self) -> None:
        """Make it the connection; the embedded server is started when it does not run."""
        line = "%tinybird local start" if self.place == "embedded" and self._secret is None else self._login_line()
        self._with_workspace(self._connected, start=True, line=line)

    def save(self, name: str) -> None:
        """Connect, and save the login: next time it is found by itself.

        Args:
            name: of the profile; empty for the name of the Workspace.
        """
        if self._secret is None:
            self.say(
                "There is nothing to save: paste a token first. A server on this machine hands its token out itself.",
                "error",
            )
            return
        line = self._login_line()
        line = f"{line} --profile {quoted(name.strip())}" if line and name.strip() else line
        secret = self._secret
        self._with_workspace(lambda seen: self._saved(*seen), start=True, line=line, save=(name, secret))

    def _login_line(self) -> str:
        """Return the command that does the same. There is none for a token of one's own on this machine."""
        with contextlib.suppress(ConfigurationError):
            host = self._host()
            if host and not (self._secret is not None and is_local_host(host)):
                return f"%tinybird login --host {quoted(host)}"
        return ""

    def _host(self) -> str:
        """Return the host of the place; empty for the embedded server.

        Raises:
            ConfigurationError: there is none yet, or it cannot be used.
        """
        if self.place == "embedded":
            return ""
        if self.place == "host":
            if not self.host.strip():
                raise ConfigurationError("Write the host, for instance https://api.tinybird.co or localhost:7181.")
            return normalise_host(self.host)
        chosen = self._given_region()
        if chosen is None and self._secret is not None:
            raise ConfigurationError("This token does not tell its region. Choose the one that your Workspace is in.")
        if chosen is None:
            raise ConfigurationError("Paste a token: its region is read from it. Or choose the region first.")
        return normalise_host(chosen.api_host)

    def _with_workspace(
        self,
        then: Callable[[Any], object],
        *,
        start: bool,
        line: str = "",
        save: tuple[str, Secret] | None = None,
    ) -> None:
        if self.mismatch:
            self.say(f"{self.mismatch} Nothing was sent.", "error")
            return
        try:
            asked = _Asked(self._host(), self._secret)
        except ConfigurationError as error:
            self.say(str(error), "error")
            return
        if asked.host and asked.secret is None and not is_local_host(asked.host):
            self.say("Paste a token first. You find yours in Tinybird's web app, under Tokens.", "error")
            return

        def task(_: object) -> Any:
            workspace, facts = self._reach(asked, start=start)
            if save is None:
                return workspace, facts
            name = save[0].strip() or facts.name or "default"
            saved = profiles.save_profile(name, workspace.host, save[1].reveal(), workspace=facts.name)
            workspace.close()
            return (self._connections.connect(profile=saved.name), facts), saved

        self.line = line
        self.begin(task, then=then)

    def _reach(self, asked: _Asked, *, start: bool) -> tuple[Workspace, LoginFacts]:
        host = asked.host
        if not host:
            running = started() if start else local.find()
            if running is None:
                raise ConfigurationError("The embedded server does not run. Start it, or connect, which starts it too.")
            self.server = running
            host = running.host
        if asked.secret is None:
            workspace = self._connections.local(host, "the login panel")
        else:
            workspace = self._connections.connect(token=asked.secret.reveal(), host=host)
        try:
            check_not_expired(workspace.own_token)
            return workspace, facts_of(workspace, given=asked.secret is not None)
        except Forbidden as error:
            workspace.close()
            raise ConfigurationError(f"{host} does not take this token: {error.message.rstrip('.')}.") from None
        except TinybirdError:
            workspace.close()
            raise

    def _tested(self, seen: tuple[Workspace, LoginFacts]) -> None:
        workspace, facts = seen
        workspace.close()
        self.facts = facts
        done = f"{facts.host} takes this token." if facts.given else f"{facts.host} answers, and hands its token out."
        self.say(
            f"{done} {facts.warning or 'Connect uses it in this session.'}", "warning" if facts.warning else "done"
        )

    def _connected(self, seen: tuple[Workspace, LoginFacts], more: str = "") -> None:
        workspace, facts = seen
        self.workspace = workspace
        if self._on_connect is not None:
            self._on_connect(workspace)
        self.facts = facts
        who = f" as {facts.user}" if facts.user else ""
        said = " ".join(
            part for part in (f"Connected to {facts.name} at {facts.host}{who}.", more, facts.warning) if part
        )
        self.say(said, "warning" if facts.warning else "done")

    def _saved(self, seen: tuple[Workspace, LoginFacts], saved: profiles.Profile) -> None:
        where = "the system's credential store" if saved.store == "keyring" else "a file that only you can read"
        self._connected(seen, f"The login is saved as {saved.name} in {where}.")

    # The embedded server

    def look(self) -> None:
        """See whether the embedded server runs."""
        self.server = local.find()

    def start_server(self) -> None:
        """Start it, or find the one that runs."""
        self.begin(lambda _: started(), then=self._started, line="%tinybird local start")

    def stop_server(self) -> None:
        """Stop it; its data stay, unless they are in memory."""
        server = self.server
        if server is None:
            self.say("No embedded server runs.", "warning")
            return
        self.begin(lambda _: stopped(server.port), then=self._ended, line=f"%tinybird local stop --port {server.port}")

    def _started(self, server: LocalServer) -> None:
        self.server = server
        self.say(f"The embedded server listens on {server.host}. Connect uses it in this session.", "done")

    def _ended(self, server: LocalServer | None) -> None:
        self.look()
        self.facts = None
        if server is None:
            self.say("It had ended already.", "done")
            return
        if self.workspace is not None and self.workspace.host == server.host:
            self.workspace = None
            if self._on_disconnect is not None:
                self._on_disconnect()
        kept = "What it had in memory is gone." if server.path is None else "Its data stay."
        self.say(f"The embedded server on {server.host} is stopped. {kept}", "done")

    # The regions

    def _fetch_regions(self) -> list[Region]:
        return (self.workspace or self._connections.workspace()).regions()

    def _show_regions(self, found: list[Region]) -> None:
        cloud = {each.key: each for each in found if each.provider != "local" and each.api_host.startswith("https://")}
        if cloud:
            kept = [each for each in self.regions if each.key == self.region and each.key not in cloud]
            self.regions = sorted([*cloud.values(), *kept], key=_order)


def _order(region: Region) -> tuple[str, str, str]:
    return region.provider, region.name, region.provider_region


def _words(own: OwnToken, region: Region | None) -> str:
    where = " It does not tell its region."
    if region is not None:
        where = f" It is of {'a server on this machine' if region.provider == 'local' else f'the region {region.key}'}."
    if own.kind == "JWT":
        name = f" {own.name}" if own.name else ""
        return f"The JWT{name} is here, hidden; it {end_text(own)}.{where}"
    kind = "static token" if own.kind == "static" else "token, of a kind that tells nothing about itself,"
    return f"A {kind} is here, hidden.{where}"


def _mismatch(own: Region, given: Region | None) -> str:
    if own.provider == "local":
        return "The token is one of a server on this machine, which Tinybird Cloud does not know."
    there = "a server on this machine" if given is None or given.provider == "local" else given.key
    return (
        f"The token is of the region {own.key} ({own.api_host}), and not of {there}. It would be refused there, "
        "and known there."
    )
