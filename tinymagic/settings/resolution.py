"""Where host and token come from. One function decides: `resolve`.

The order, the first that has a token wins:

1. what the call or the magic's flags say (``token``, ``host``, ``region``, ``profile``)
2. ``%config TinyMagic...``
3. environment: ``TB_TOKEN``/``TB_HOST``, then ``TINYBIRD_TOKEN``/``TINYBIRD_URL``
4. ``.tinyb`` in this folder or a parent (the vendor's CLI writes it)
5. ``.env.local``, then ``.env`` in this folder, with the names of 3
6. the saved login in use (`tinymagic.profiles`)
7. a running embedded server

Host and token belong together. A token is sent to the host that its own source names; when that names none, to the host
of the region that the token itself tells, else to the default. A source with a host and no token (for instance
``host=...`` alone) fixes the host, and a source below counts only when its token is for that host or for none in
particular. Nothing here sends a request, and the value of a token shows nowhere.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tinymagic import profiles
from tinymagic.api.http.hosts import DEFAULT_HOST, is_local_host, normalise_host
from tinymagic.errors import ConfigurationError
from tinymagic.regions import find_region, region_of_token
from tinymagic.settings.folder_files import find_tinyb, named_host, read_env

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Pairs of names of the environment, the first one wins: (token, hosts).
_VARIABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TB_TOKEN", ("TB_HOST",)),
    # The vendor's SDKs called the second one TINYBIRD_HOST before.
    ("TINYBIRD_TOKEN", ("TINYBIRD_URL", "TINYBIRD_HOST")),
)

_NAMES = {name for token_name, host_names in _VARIABLES for name in (token_name, *host_names)}

NOTHING_CONFIGURED = (
    "No Tinybird is configured. Start one on this machine with %tinybird local start, log in to yours with "
    "%tinybird login, or set the environment variables TB_TOKEN and TB_HOST."
)


class Running(Protocol):
    """What `resolve` needs to know of a running server."""

    @property
    def host(self) -> str:
        """Base URL."""


@dataclass(frozen=True)
class Connection:
    """Where to connect.

    Attributes:
        host: base URL of the API in its one spelling.
        token: for that host; ``""`` for a server on this machine that hands its token out itself (``GET /tokens``).
        source: in words, which setting won.
        profile: name of the saved login, when it was one.
        embedded: whether the host is the running embedded server that was found.
    """

    host: str
    token: str = field(repr=False)
    source: str
    profile: str | None = None
    embedded: bool = False


@dataclass(frozen=True)
class _Candidate:
    """One source: what it says about host and token. *tokens* are further ones, by host."""

    source: str
    token: str | None = None
    host: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    profile: str | None = None

    def token_for(self, host: str) -> str | None:
        """Return the token that may be sent to *host*, or ``None``."""
        if host in self.tokens:
            return self.tokens[host]
        if not self.token or (self.host is not None and self.host != host):
            return None
        region = region_of_token(self.token)
        # "local" is the mark of every local server's tokens, on whichever port.
        fits = region is None or region.api_host == host or (region.key == "local" and is_local_host(host))
        return self.token if self.host is not None or fits else None


def resolve(
    *,
    token: str | None = None,
    host: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    config: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    embedded: Callable[[], Running | None] | None = None,
) -> Connection:
    """Decide where to connect.

    Args:
        token: as given in the call.
        host: as given in the call.
        region: instead of a host, any spelling that `tinymagic.regions.find_region` takes.
        profile: name of a saved login; with it, no other source is asked.
        config: the same four names from the notebook's configuration.
        environ: environment variables; ``None`` for those of this process.
        folder: where to look for files; ``None`` for the working folder.
        embedded: finds the running embedded server; called last, and only when nothing else is configured.

    Raises:
        ConfigurationError: nothing is configured, two settings contradict each other, or a file cannot be read.
        InsecureHost: the host is ``http://`` and not this machine.

    Example:
        >>> resolve(token="p.some.token", host="localhost:7181", environ={})
        Connection(host='http://localhost:7181', source='the token and host given', profile=None, embedded=False)
    """
    surroundings = os.environ if environ is None else environ
    where = Path.cwd() if folder is None else Path(folder)
    given = {"token": token, "host": host, "region": region, "profile": profile}
    wanted: str | None = None
    wanted_source = ""
    for candidate in _candidates(given, config or {}, surroundings, where):
        if wanted is None:
            if candidate.token:
                return _connection(candidate)
            if candidate.host is None:
                continue
            wanted, wanted_source = candidate.host, candidate.source
        found = candidate.token_for(wanted)
        if found:
            source = candidate.source if candidate.host else f"{candidate.source}; host from {wanted_source}"
            return Connection(wanted, found, source, candidate.profile)
    return _last_resort(wanted, wanted_source, embedded)


def _connection(candidate: _Candidate) -> Connection:
    token = (candidate.token or "").strip()
    host = candidate.host
    if host is None:
        region = region_of_token(token)
        host = region.api_host if region else DEFAULT_HOST
    return Connection(host, token, candidate.source, candidate.profile)


def _last_resort(wanted: str | None, wanted_source: str, embedded: Callable[[], Running | None] | None) -> Connection:
    if wanted is not None:
        if is_local_host(wanted):
            # Tinybird Local and the embedded server hand out their tokens themselves.
            return Connection(wanted, "", f"{wanted_source}; token from the server itself")
        raise ConfigurationError(
            f"There is a host ({wanted}, from {wanted_source}) but no token for it. Give token=..., log in with "
            "%tinybird login, or set TB_TOKEN together with TB_HOST."
        )
    running = embedded() if embedded is not None else None
    if running is None:
        raise ConfigurationError(NOTHING_CONFIGURED)
    return Connection(normalise_host(running.host), "", "the running embedded server", embedded=True)


def _candidates(
    given: Mapping[str, str | None], config: Mapping[str, str | None], environ: Mapping[str, str], folder: Path
) -> Iterator[_Candidate]:
    """Yield the sources in their order. A generator: files are read only when nothing above them has won."""
    for read in _readers(given, config, environ, folder).values():
        yield from read()


def _readers(
    given: Mapping[str, str | None], config: Mapping[str, str | None], environ: Mapping[str, str], folder: Path
) -> dict[str, Callable[[], Iterator[_Candidate]]]:
    """Return how each source is read, by its name and in order."""
    return {
        "given": lambda: _spoken(given, "given", environ),
        "%config TinyMagic": lambda: _spoken(config, "in %config TinyMagic", environ),
        "environment": lambda: _of_variables(environ, "environment variable {}"),
        ".tinyb": lambda: _of_tinyb(folder),
        ".env.local": lambda: _of_env(folder / ".env.local"),
        ".env": lambda: _of_env(folder / ".env"),
        "saved login": lambda: _of_profile(profiles.current_profile(environ=environ), environ),
    }


@dataclass(frozen=True)
class Setting:
    """One source of settings that says something, and what became of it.

    Attributes:
        source: in words, for instance ``environment variable TB_TOKEN``.
        host: that it names, or ``None``.
        has_token: whether it has a token.
        used: whether it decided host or token.
        problem: why it cannot be read, or ``""``.
    """

    source: str
    host: str | None = None
    has_token: bool = False
    used: bool = False
    problem: str = ""


def survey(
    *,
    config: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> list[Setting]:
    """Read all sources, also those that another one hides, in their order; arguments as `resolve`. Nothing fails."""
    surroundings = os.environ if environ is None else environ
    where = Path.cwd() if folder is None else Path(folder)
    won, won_host = "", None
    with contextlib.suppress(ConfigurationError):
        connection = resolve(config=config, environ=surroundings, folder=where)
        won, won_host = connection.source, connection.host
    found: list[Setting] = []
    for name, read in _readers({}, config or {}, surroundings, where).items():
        try:
            for each in read():
                has_token = bool(each.token or each.tokens)
                # A host alone, above the token that was found for it, has decided too.
                decides = not has_token and each.host == won_host and not any(before.used for before in found)
                used = bool(won) and (each.source in won.split("; host from ") or decides)
                found.append(Setting(each.source, each.host, has_token, used))
        except ConfigurationError as error:
            found.append(Setting(name, problem=str(error)))
    return found


def _of_tinyb(folder: Path) -> Iterator[_Candidate]:
    tinyb = find_tinyb(folder)
    if tinyb is not None:
        yield _Candidate(str(tinyb.path), tinyb.token, tinyb.host, tinyb.tokens)


def _of_env(path: Path) -> Iterator[_Candidate]:
    yield from _of_variables(read_env(path, _NAMES), f"{{}} in {path}")


def _spoken(given: Mapping[str, str | None], where: str, environ: Mapping[str, str]) -> Iterator[_Candidate]:
    """Yield what a call or the configuration says: a profile alone, or token, host and region."""
    token, profile = given.get("token") or None, given.get("profile") or None
    host = _host_of(given.get("host"), given.get("region"))
    if profile and token:
        raise ConfigurationError(f"profile={profile!r} and a token are both {where}: give one of them.")
    if profile:
        saved = next(_of_profile(profile, environ))
        if host is not None and host != saved.host:
            raise ConfigurationError(f"The profile {profile!r} is for {saved.host}, but the host {where} is {host}.")
        yield saved
        return
    if token or host:
        words = " and ".join(word for word, value in (("token", token), ("host", host)) if value)
        yield _Candidate(f"the {words} {where}", token, host)


def _host_of(host: str | None, region: str | None) -> str | None:
    found = None
    if region:
        known = find_region(region)
        if known is None:
            raise ConfigurationError(f"There is no region {region!r}. %tinybird regions lists them.")
        found = known.api_host
    if not host:
        return found
    normal = normalise_host(host)
    if found is not None and found != normal:
        raise ConfigurationError(f"The host {normal} is not the one of the region {region!r}, which is {found}.")
    return normal


def _of_variables(values: Mapping[str, str], source: str) -> Iterator[_Candidate]:
    for token_name, host_names in _VARIABLES:
        token = values.get(token_name, "").strip() or None
        host_name = next((name for name in host_names if values.get(name, "").strip()), None)
        host = None if host_name is None else named_host(values[host_name], source.format(host_name))
        if token or host:
            yield _Candidate(source.format(token_name if token else host_name), token, host)


def _of_profile(name: str | None, environ: Mapping[str, str]) -> Iterator[_Candidate]:
    if name is None:
        return
    saved = profiles.load_profile(name, environ=environ)
    yield _Candidate(f"the saved login {name!r}", saved.token, saved.host, profile=name)
