"""Where a token may be sent: hosts in their one spelling, and the TLS rule. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from tinymagic.api.errors import ConfigurationError, InsecureHost
from tinymagic.regions import REGIONS

#: Where requests go when nothing says where, as with the vendor's classic CLI and SDKs (``workspace.md`` section 1).
DEFAULT_HOST = "https://api.tinybird.co"

_HOST_NAME_RE = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\]")
_WEB_APP = "cloud.tinybird.co"


def normalise_host(text: str) -> str:
    """Return the base URL of an API in its one spelling: scheme and name, no slash at the end.

    A missing scheme is ``https``, or ``http`` for this machine; ``ui.`` hosts and addresses of the web app become the
    API of the same region; a path ``/v0`` or ``/v1`` is dropped.

    Raises:
        InsecureHost: ``http://`` to anything but this machine.
        ConfigurationError: no URL, or a URL with a user, a password, a path or a query in it.

    Example:
        >>> normalise_host("ui.us-east.tinybird.co/"), normalise_host("localhost:7181")
        ('https://api.us-east.tinybird.co', 'http://localhost:7181')
        >>> normalise_host("https://cloud.tinybird.co/gcp/europe-west2/my_workspace")
        'https://api.europe-west2.gcp.tinybird.co'
    """
    parts, port = _split(text.strip())
    name = _name(parts)
    if name == _WEB_APP:
        return _api_of_web_app(parts.path)
    if parts.path.rstrip("/") not in ("", "/v0", "/v1") or parts.query or parts.fragment:
        raise ConfigurationError(
            f"A host is a scheme and a name, for instance {DEFAULT_HOST}; take away what follows the name {name!r}."
        )
    if name.startswith("ui.") and name.endswith(".tinybird.co"):
        name = "api." + name.removeprefix("ui.")
    loopback = is_loopback(name)
    scheme = parts.scheme or ("http" if loopback else "https")
    if scheme == "http" and not loopback:
        raise InsecureHost(
            f"http://{name} is refused: a token sent there without TLS could be read on the way. "
            f"Use https://{name}. (http:// is for this machine only: localhost, 127.0.0.1, ::1.)"
        )
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{name}" + (f":{port}" if port not in (None, default) else "")


def _split(text: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port = parts.port
    except ValueError:
        # The text may hold a password, so the sentence does not repeat it; nor does the chain.
        raise ConfigurationError("The host is not a URL; write for instance " + DEFAULT_HOST + ".") from None
    if parts.scheme not in ("", "http", "https"):
        raise ConfigurationError(f"{parts.scheme}:// is not a scheme of the API; write for instance {DEFAULT_HOST}.")
    if "@" in parts.netloc:
        raise ConfigurationError(
            "A host must not carry a user or password ('...@'): URLs end up in logs. Give the token on its own."
        )
    return parts, port


def _name(parts: SplitResult) -> str:
    name = (parts.hostname or "").lower()
    name = f"[{name}]" if ":" in name else name.rstrip(".")
    # The strict form keeps out what one parser of URLs reads otherwise than another.
    if not _HOST_NAME_RE.fullmatch(name) or not all(" " < sign <= "~" for sign in parts.netloc):
        raise ConfigurationError(f"There is no host name in that; write for instance {DEFAULT_HOST}.")
    return name


def _api_of_web_app(path: str) -> str:
    for region in REGIONS:
        wanted = urlsplit(region.host).path
        if path == wanted or path.startswith(wanted + "/"):
            return region.api_host
    raise ConfigurationError(
        f"https://{_WEB_APP} is the web application, not the API. Give the API's host (%tinybird regions lists them), "
        f"for instance {DEFAULT_HOST}."
    )


def is_loopback(name: str) -> bool:
    """Say whether a host name or address means this machine and no other.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("[::1]"), is_loopback("127.0.0.1.example.org")
        (True, True, False)
    """
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def is_local_host(host: str) -> bool:
    """Say whether a base URL as `normalise_host` gives it is on this machine.

    Example:
        >>> is_local_host("http://127.0.0.1:7181"), is_local_host(DEFAULT_HOST)
        (True, False)
    """
    return is_loopback(urlsplit(host).hostname or "")
