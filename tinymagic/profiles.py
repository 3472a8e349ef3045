"""Saved logins, called profiles: host and token under a name of your choice.

The token goes to the system's credential store when the package ``keyring`` is installed and has one, else into the
file. The file, ``profiles.json``, is in ``$TINYMAGIC_CONFIG_HOME``, else in ``tinymagic`` under ``$XDG_CONFIG_HOME`` or
``~/.config``. It is readable for its owner only from its first byte on, and always replaced as a whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.hosts import normalise_host
from tinymagic.errors import ConfigurationError, InvalidInput
from tinymagic.names import near_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_FILE = "profiles.json"
_KEYRING_SERVICE = "tinymagic"


@dataclass(frozen=True)
class Profile:
    """A saved login.

    Attributes:
        name: of your choice.
        host: base URL of the API.
        token: for that host; ``""`` in lists.
        store: where the token is: ``keyring`` or ``file``.
        workspace: name of the Workspace, for display; or ``""``.
        current: whether it is the one in use.
    """

    name: str
    host: str
    token: str = field(repr=False)
    store: str
    workspace: str = ""
    current: bool = False


def config_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of tinymagic's settings; it may not exist yet."""
    values = os.environ if environ is None else environ
    own = values.get("TINYMAGIC_CONFIG_HOME")
    if own:
        return Path(own).expanduser()
    shared = values.get("XDG_CONFIG_HOME")
    return (Path(shared) if shared else Path.home() / ".config") / "tinymagic"


def save_profile(
    name: str,
    host: str,
    token: str,
    *,
    workspace: str = "",
    use: bool = True,
    keyring: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Profile:
    """Save a login, in the place of one that has the name already.

    Args:
        name: of your choice, without blanks around it.
        host: base URL of the API.
        token: for that host.
        workspace: name of the Workspace, for display.
        use: make it the one in use.
        keyring: put the token into the system's credential store if there is one.
        environ: environment variables; ``None`` for those of this process.

    Raises:
        InvalidInput: no name or no token.
        ConfigurationError: host or folder cannot be used.
    """
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise InvalidInput("A profile needs a name, without blanks around it, for instance 'work'.")
    if not token.strip():
        raise InvalidInput(f"The profile {name!r} needs a token.")
    normal, token = normalise_host(host), token.strip()
    with _changing(environ) as content:
        before = content["profiles"].get(name) or {}
        in_store = keyring and _store_token(name, token)
        if not in_store and before.get("store") == "keyring":
            _forget_token(name)
        entry = {"host": normal, "store": "keyring" if in_store else "file", "workspace": workspace}
        content["profiles"][name] = entry if in_store else {**entry, "token": token}
        if use or not content.get("current"):
            content["current"] = name
        current = content["current"] == name
    return Profile(name, normal, token, entry["store"], workspace, current)


def load_profile(name: str, *, environ: Mapping[str, str] | None = None) -> Profile:
    """Return a saved login with its token.

    Raises:
        ConfigurationError: there is none of this name, its token is gone, or the file cannot be read.
    """
    content = _read(environ)
    entry = content["profiles"].get(name)
    if entry is None:
        near = near_names(name, list(content["profiles"]))
        hint = f" Did you mean {near[0]!r}?" if near else " %tinybird login saves one."
        raise ConfigurationError(f"There is no saved login {name!r}.{hint}")
    profile = _profile(name, entry, content)
    token = _stored_token(name) if profile.store == "keyring" else str(entry.get("token") or "")
    if not token:
        raise ConfigurationError(
            f"The token of the saved login {name!r} is not in the {profile.store} any more. "
            "Log in again: %tinybird login."
        )
    return Profile(name, profile.host, token, profile.store, profile.workspace, profile.current)


def list_profiles(*, environ: Mapping[str, str] | None = None) -> list[Profile]:
    """Return all saved logins by name, without their tokens.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    content = _read(environ)
    return [_profile(name, entry, content) for name, entry in sorted(content["profiles"].items())]


def current_profile(*, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the name of the login in use, or ``None``.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    content = _read(environ)
    name = content.get("current")
    return name if name in content["profiles"] else None


def use_profile(name: str, *, environ: Mapping[str, str] | None = None) -> Profile:
    """Make a saved login the one in use.

    Raises:
        ConfigurationError: there is none of this name.
    """
    load_profile(name, environ=environ)
    with _changing(environ) as content:
        content["current"] = name
    return load_profile(name, environ=environ)


def delete_profile(name: str, *, environ: Mapping[str, str] | None = None) -> bool:
    """Delete a saved login with its token; return whether there was one."""
    with _changing(environ) as content:
        entry = content["profiles"].pop(name, None)
        if content.get("current") == name:
            content["current"] = None
    if entry is not None and entry.get("store") == "keyring":
        _forget_token(name)
    return entry is not None


def _profile(name: str, entry: Mapping[str, Any], content: Mapping[str, Any]) -> Profile:
    return Profile(
        name=name,
        host=str(entry.get("host") or ""),
        token="",
        store=str(entry.get("store") or "file"),
        workspace=str(entry.get("workspace") or ""),
        current=content.get("current") == name,
    )


# --- the file ---------------------------------------------------------------------------------------------------------


def _read(environ: Mapping[str, str] | None) -> dict[str, Any]:
    path = config_folder(environ) / _FILE
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {"current": None, "profiles": {}}
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{path}, line {error.lineno}: this is not JSON ({error.msg}).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}.") from None
    entries = content.get("profiles") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise ConfigurationError(f"{path}, line 1: expected an object with 'profiles'. Delete the file to begin anew.")
    return dict(content)


@contextlib.contextmanager
def _changing(environ: Mapping[str, str] | None) -> Iterator[dict[str, Any]]:
    """Read the file, let the block change its content, write it; one process at a time."""
    folder = config_folder(environ)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "profiles.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"The folder {folder} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = _read(environ)
        yield content
        _write(folder / _FILE, content)
    finally:
        os.close(lock)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file as a whole; mkstemp makes the new one 0600 from the start."""
    import tempfile

    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    try:
        descriptor, name = tempfile.mkstemp(prefix=".profiles-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None


# --- the system's credential store ------------------------------------------------------------------------------------


def _store_token(name: str, token: str) -> bool:
    return _with_keyring(lambda keyring: keyring.set_password(_KEYRING_SERVICE, name, token) or True) is True


def _stored_token(name: str) -> str:
    return str(_with_keyring(lambda keyring: keyring.get_password(_KEYRING_SERVICE, name)) or "")


def _forget_token(name: str) -> None:
    _with_keyring(lambda keyring: keyring.delete_password(_KEYRING_SERVICE, name))


def _with_keyring(use: Callable[[Any], Any]) -> Any:
    """Call *use* with the package keyring; ``None`` when it is not installed or there is no store behind it."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return use(keyring)
    except KeyringError:
        return None
