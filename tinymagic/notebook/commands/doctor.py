"""``%tinybird doctor``: looks at everything between you and your rows, one thing after the other.

Nothing is written, on this machine or at the service.
"""

from __future__ import annotations

import platform
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tinymagic import profiles
from tinymagic.errors import Forbidden, InsecureHost, MethodNotAllowed, NotFound, TinybirdError
from tinymagic.notebook.commands.connection import unused_settings
from tinymagic.notebook.commands.token_facts import scopes_of, token_text
from tinymagic.notebook.display import count_of, human_seconds, short_path, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinymagic.api.workspace import Workspace
    from tinymagic.notebook.tinybird import Call

#: A JWT that is valid for a minute is too old or too young on a clock that is off by more.
_MOST_SKEW_S = 30


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        mark: ``ok``, ``note`` (works, but ...) or ``bad``.
        what: was looked at.
        found: in words.
        advice: what to do, or ``""``.
    """

    mark: str
    what: str
    found: str
    advice: str = ""

    def line(self) -> str:
        """Return it as text."""
        sign = {"ok": "✓", "note": "•", "bad": "✗"}[self.mark]
        advice = f"\n    → {self.advice}" if self.advice else ""
        return f"{sign} {self.what + ':':<15}{self.found}{advice}"


def doctor(call: Call) -> object:
    """Look at everything; with ``--scan``, look for tokens in files."""
    if "scan" in call.options:
        from tinymagic.notebook.commands import scanning

        return scanning.scan(call)
    bad = 0
    for each in checks(call):
        print(visible(each.line()) if "\n" not in each.line() else "\n".join(map(visible, each.line().split("\n"))))
        bad += each.mark == "bad"
    print(f"\n{count_of(bad, 'thing')} to mend." if bad else "\nAll is well.")
    return None


def checks(call: Call) -> Iterator[Check]:
    """Look at one thing after the other, from what is near to what is far."""
    yield from _versions()
    yield from _packages()
    yield from _folders()
    yield from _settings(call)
    yield from _embedded()
    try:
        workspace = call.workspace
    except TinybirdError as error:
        yield Check("bad", "connection", str(error))
        return
    yield from _service(workspace)


# --- this machine -----------------------------------------------------------------------------------------------------


def _versions() -> Iterator[Check]:
    from tinymagic.version import __version__

    system = f"{platform.system()} {platform.machine()}"
    yield Check("ok", "tinymagic", f"{__version__} on Python {platform.python_version()}, {system}")


#: Package -> what it is for, or ``""`` for one that must be there.
_PACKAGES = {
    "IPython": "",
    "pandas": "",
    "requests": "",
    "tqdm": "",
    "ipywidgets": "bars and panels in notebooks: pip install ipywidgets",
    "pyarrow": "faster results and Parquet files: pip install 'tinymagic[fast]'",
    "polars": "frames of polars: pip install polars",
    "keyring": "logins in the system's credential store: pip install 'tinymagic[keyring]'",
    "chdb": "the embedded Tinybird: pip install 'tinymagic[local]'",
    "altair": "charts: pip install 'tinymagic[plot]'",
}


def _packages() -> Iterator[Check]:
    there, missing = [], []
    for name, purpose in _PACKAGES.items():
        if find_spec(name) is not None:
            there.append(f"{name} {_version_of(name)}".strip())
        elif purpose:
            missing.append(f"{name} ({purpose})")
        else:
            yield Check("bad", "packages", f"{name} is not installed", "pip install --force-reinstall tinymagic")
    yield Check("ok", "packages", ", ".join(there))
    if missing:
        yield Check("note", "not installed", "; ".join(missing))


def _version_of(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _folders() -> Iterator[Check]:
    folder = profiles.config_folder()
    file = folder / "profiles.json"
    if not file.exists():
        yield Check("ok", "saved logins", "none")
        return
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        number = len(profiles.list_profiles())
    except (OSError, TinybirdError) as error:
        yield Check("bad", "saved logins", str(error))
        return
    shown = short_path(file)
    if mode & 0o077:
        advice = f"Make it yours alone: chmod 600 {shown}. Then refresh the tokens in it: others may have read them."
        yield Check("bad", "saved logins", f"{shown} can be read by others (mode {mode:04o})", advice)
        return
    yield Check("ok", "saved logins", f"{number} in {shown}, readable for you only (mode {mode:04o})")


def _settings(call: Call) -> Iterator[Check]:
    session = call.notebook.session
    if session.chosen is not None:
        yield Check("ok", "settings", f"chosen in this session: {session.chosen.source}")
    else:
        used = [each.source for each in session.settings() if each.used]
        yield Check("ok" if used else "note", "settings", " and ".join(used) or "none says where to connect")
    for line in unused_settings(session):
        mark = "bad" if line.startswith("Cannot be read") else "note"
        yield Check(mark, "settings", " ".join(line.split()))


def _embedded() -> Iterator[Check]:
    from tinymagic import local
    from tinymagic.api.workspace import local_token

    servers = local.running()
    if not servers:
        yield Check("ok", "embedded", "no embedded Tinybird runs")
    for server in servers:
        try:
            local_token(server.host, timeout_s=5)
        except TinybirdError as error:
            advice = "%tinybird local stop, then %tinybird local start."
            yield Check("bad", "embedded", f"{server.host} (process {server.pid}) does not answer: {error}", advice)
        else:
            data = "in memory" if server.path is None else "on disk"
            yield Check("ok", "embedded", f"{server.host} (process {server.pid}) answers; its data are {data}")


# --- the service ------------------------------------------------------------------------------------------------------


def _service(workspace: Workspace) -> Iterator[Check]:
    yield from _token_itself(workspace)
    try:
        probe = workspace.probe()
    except Forbidden as error:
        yield Check("ok", "host", f"{workspace.host} answers{_tls(workspace)}")
        yield Check("bad", "token", f"it is not taken: {error.message}", _other_region(workspace))
        return
    except InsecureHost as error:
        yield Check("bad", "host", str(error))
        return
    except TinybirdError as error:
        advice = "Is the host right, is the network up, is a proxy in between? %tinybird why shows the whole reply."
        yield Check("bad", "host", str(error), advice)
        return
    yield Check("ok", "host", f"{workspace.host} answers in {human_seconds(probe.wall_s)}{_tls(workspace)}")
    yield Check("ok", "token", token_text(workspace))
    scopes = scopes_of(workspace)
    if scopes is None:
        yield Check("note", "scopes", "not known: this token may not list tokens")
    skew = probe.clock_skew_s
    if skew is None:
        yield Check("note", "clock", "the service does not tell its time")
    elif abs(skew) > _MOST_SKEW_S:
        way = "ahead of" if skew > 0 else "behind"
        advice = "Set this machine's clock: JWTs that you make would be valid too early or too late."
        yield Check("bad", "clock", f"this machine is {abs(skew):.0f} s {way} the service", advice)
    else:
        yield Check("ok", "clock", "agrees with the service's")
    rate = probe.rate
    left = "the service tells none" if rate.limit is None else f"{rate.remaining} of {rate.limit} requests left"
    yield Check("ok" if rate.limit is None or rate.remaining else "note", "rate limit", left)
    yield _generation(workspace)


def _tls(workspace: Workspace) -> str:
    return ", TLS with a checked certificate" if workspace.host.startswith("https:") else ", on this machine (no TLS)"


def _token_itself(workspace: Workspace) -> Iterator[Check]:
    """Check what the token says of itself, before it is sent."""
    from tinymagic.regions import find_region

    own = workspace.own_token
    if own.expired:
        yield Check("bad", "token", f"this JWT expired {own.expires_at:%Y-%m-%d %H:%M} UTC", "Ask for a new one.")
    region = find_region(own.host) if own.host else None
    if region is None or region.key == "local" or workspace.region is None:
        return
    if region.key != workspace.region.key:
        advice = f"Connect to {region.api_host}, or leave the host away: it is read from the token."
        yield Check("bad", "region", f"the token is of {region.key}, the host of {workspace.region.key}", advice)
    else:
        yield Check("ok", "region", f"{region.key}, as the token says")


def _other_region(workspace: Workspace) -> str:
    place = f" of {workspace.region.key}" if workspace.region else ""
    return f"Is it complete, still valid, and{place or ' of this service'}? %tinybird login takes another one."


def _generation(workspace: Workspace) -> Check:
    """Say whether the Workspace is changed by calls or by deployments, as far as that shows without a change."""
    try:
        found = workspace.deployments.list()
    except (NotFound, MethodNotAllowed):
        return Check("ok", "generation", "Classic, it seems: it knows no deployments; calls change it")
    except TinybirdError as error:
        return Check("note", "generation", f"not known: {error}")
    if workspace.backend == "embedded":
        return Check("ok", "generation", "embedded: changed by calls and by deployments")
    if found:
        return Check(
            "ok", "generation", "Forward: it has deployments; changes of resources go through %tinybird deploy"
        )
    return Check("note", "generation", "it knows deployments and has none: Forward, if a change by a call is refused")
