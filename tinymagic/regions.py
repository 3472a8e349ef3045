"""The regions of Tinybird Cloud, and how to tell a region from a token or a host.

Pure: no I/O. The table is ``workspace.md`` section 1; the live list is ``Workspace.regions()``.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Region:
    """One place where Tinybird runs.

    Attributes:
        key: the value that a token carries in its ``host`` field, for instance ``aws-us-east-1``.
        name: the area in words, for instance ``US East``.
        provider: ``gcp``, ``aws`` or ``local``.
        provider_region: the provider's own name of the region.
        api_host: base URL of the API, without a slash at the end.
        host: URL of the web app.
    """

    key: str
    name: str
    provider: str
    provider_region: str
    api_host: str
    host: str


def _cloud(provider: str, provider_region: str, name: str, api_host: str) -> Region:
    return Region(
        key=f"{provider}-{provider_region}",
        name=name,
        provider=provider,
        provider_region=provider_region,
        api_host=f"https://{api_host}",
        host=f"https://cloud.tinybird.co/{provider}/{provider_region}",
    )


REGIONS: tuple[Region, ...] = (
    _cloud("gcp", "europe-west2", "Europe", "api.europe-west2.gcp.tinybird.co"),
    _cloud("gcp", "europe-west3", "Europe", "api.tinybird.co"),
    _cloud("gcp", "us-east4", "US East", "api.us-east.tinybird.co"),
    _cloud("gcp", "northamerica-northeast2", "Canada", "api.northamerica-northeast2.gcp.tinybird.co"),
    _cloud("aws", "eu-central-1", "Europe", "api.eu-central-1.aws.tinybird.co"),
    _cloud("aws", "eu-west-1", "Europe", "api.eu-west-1.aws.tinybird.co"),
    _cloud("aws", "us-east-1", "US East", "api.us-east.aws.tinybird.co"),
    _cloud("aws", "us-west-2", "US West", "api.us-west-2.aws.tinybird.co"),
    _cloud("aws", "ap-east-1", "Asia", "api.ap-east-1.aws.tinybird.co"),
    _cloud("aws", "ap-southeast-2", "Asia Pacific", "api.ap-southeast-2.aws.tinybird.co"),
    Region("local", "Local", "local", "local", "http://localhost:7181", "https://cloud.tinybird.co/local/7181"),
)

#: Where a token from before the keys above is to be used.
_OLD_TOKEN_HOSTS = {"eu_shared": "gcp-europe-west3"}

#: Second spellings of API hosts that people have in their settings.
_OTHER_HOSTS = {"api.ap-east.aws.tinybird.co": "aws-ap-east-1"}

_BY_KEY = {region.key: region for region in REGIONS}


def region_of_token(token: str) -> Region | None:
    """Read the region out of a static token (``p.<base64 JSON>.<signature>``).

    Returns ``None`` for anything else: a JWT, plain text, a region that is not in the table. Nothing is verified.

    Example:
        >>> region_of_token("p.eyJ1IjogIjEiLCAiaWQiOiAiMiIsICJob3N0IjogImF3cy11cy1lYXN0LTEifQ.sig").api_host
        'https://api.us-east.aws.tinybird.co'
        >>> region_of_token("some text") is None
        True
    """
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != "p":
        return None
    body = parts[1].replace("-", "+").replace("_", "/")
    try:
        payload = json.loads(base64.b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(payload, dict):
        return None
    key = str(payload.get("host", ""))
    return _BY_KEY.get(_OLD_TOKEN_HOSTS.get(key, key))


def region_of_host(host: str) -> Region | None:
    """Return the region whose API answers at *host* (a URL or a bare host name), or ``None``.

    Example:
        >>> region_of_host("https://api.tinybird.co/").key
        'gcp-europe-west3'
    """
    netloc = (urlsplit(host).netloc if "//" in host else host.split("/")[0]).lower()
    netloc = netloc.replace("ui.", "api.", 1) if netloc.startswith("ui.") else netloc
    other = _OTHER_HOSTS.get(netloc)
    if other:
        return _BY_KEY[other]
    return next((region for region in REGIONS if urlsplit(region.api_host).netloc == netloc), None)


def find_region(text: str) -> Region | None:
    """Find a region by any of its spellings: key, provider region, or API host.

    Example:
        >>> find_region("us-east-1").key, find_region("aws/us-west-2").key
        ('aws-us-east-1', 'aws-us-west-2')
    """
    wanted = text.strip().lower().replace("/", "-").replace(" ", "-")
    for region in REGIONS:
        if wanted in (region.key, region.provider_region):
            return region
    return region_of_host(text)
