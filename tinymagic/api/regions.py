"""The regions call, ``GET /v0/regions``: where the service runs now (``workspace.md`` section 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinymagic.regions import Region, region_of_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.http.transport import Transport


def list_regions(transport: Transport) -> list[Region]:
    """Ask the service for its regions; one that we do not know yet is there too.

    Raises:
        TinybirdError: the tree is in `tinymagic.errors`.
    """
    found = transport.get_json("/v0/regions").get("regions")
    return [_region(each) for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _region(described: Mapping[str, Any]) -> Region:
    api_host = str(described.get("api_host") or "").rstrip("/")
    known = region_of_host(api_host) if api_host else None
    name = str(described.get("name") or (known.name if known else ""))
    provider = str(described.get("provider") or (known.provider if known else ""))
    provider_region = str(described.get("provider_region") or (known.provider_region if known else name))
    return Region(
        key=str(described.get("key") or (known.key if known else f"{provider}-{provider_region}".strip("-"))),
        name=name,
        provider=provider,
        provider_region=provider_region,
        api_host=api_host,
        host=str(described.get("host") or (known.host if known else "")),
    )
