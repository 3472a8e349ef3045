"""What files of a working folder say about host and token: ``.tinyb`` and ``.env``. Errors name file and line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tinymagic.api.http.hosts import normalise_host
from tinymagic.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class TinybFile:
    """A ``.tinyb`` file (``workspace.md`` section 4).

    Attributes:
        path: where it is.
        host: in its one spelling, or ``None``.
        token: for that host, or ``None``.
        tokens: further ones, by host.
    """

    path: Path
    host: str | None
    token: str | None = field(repr=False)
    tokens: Mapping[str, str] = field(repr=False)


def named_host(text: str, source: str) -> str:
    """Bring a host into its one spelling; an error tells *source*, where it stands.

    Raises:
        ConfigurationError: it is no host, or (InsecureHost) not a safe one.
    """
    try:
        return normalise_host(text)
    except ConfigurationError as error:
        raise type(error)(f"{source}: {error}") from None


def find_tinyb(folder: Path) -> TinybFile | None:
    """Read the nearest ``.tinyb``: in *folder* or a parent, up to the home folder, else up to the root.

    Raises:
        ConfigurationError: the file cannot be read, or a value in it cannot be used.
    """
    here = folder.absolute()
    for parent in (here, *here.parents):
        path = parent / ".tinyb"
        if path.is_file():
            return _read_tinyb(path)
        if parent == Path.home():
            break
    return None


def _read_tinyb(path: Path) -> TinybFile:
    try:
        content = json.loads(_text_of(path))
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{path}, line {error.lineno}: this is not JSON ({error.msg}).") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}, line 1: expected an object, {{...}}.")
    tokens = content.get("tokens") or {}
    for name, value in (("host", content.get("host")), ("token", content.get("token"))):
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{path}, line {_line_of(path, name)}: the value of {name!r} must be a text.")
    if not isinstance(tokens, dict):
        raise ConfigurationError(f"{path}, line {_line_of(path, 'tokens')}: 'tokens' must be an object.")
    by_host = {named_host(host, str(path)): value for host, value in tokens.items() if isinstance(value, str)}
    host = named_host(content["host"], str(path)) if content.get("host") else None
    token = content.get("token") or (by_host.get(host) if host else None)
    return TinybFile(path, host, token, by_host)


def _line_of(path: Path, name: str) -> int:
    lines = _text_of(path).splitlines()
    return next((number for number, line in enumerate(lines, 1) if f'"{name}"' in line), 1)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}, line {line}: this is not UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None


_LINE_RE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<rest>.*)")
_VALUE_RE = re.compile(r"=\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>[^\s'\"#]\S*)?)\s*(?:#.*)?")


def read_env(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Read the lines ``NAME=value`` of an ``.env`` file for some *names*; other programs' lines may be in any form.

    Quotes around the value, ``export`` before the name and ``# comments`` are understood. No file: no values.

    Raises:
        ConfigurationError: a line of one of *names* cannot be read.
    """
    wanted = set(names)
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(_text_of(path).splitlines(), 1):
        matched = _LINE_RE.fullmatch(line)
        if matched is None or matched["name"] not in wanted:
            continue
        value = _VALUE_RE.fullmatch(matched["rest"].rstrip())
        if value is None:
            # The line may hold a token, so the sentence does not repeat it.
            raise ConfigurationError(f"{path}, line {number}: expected {matched['name']}=value.")
        found[matched["name"]] = value["single"] or value["double"] or value["bare"] or ""
    return found
