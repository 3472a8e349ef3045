"""Addresses that S3 and what speaks its protocol let in: signed with version 4 of AWS's signatures. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, 2026-11. Google's storage takes the same
signatures, made with an HMAC key.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: How long an address is good, seconds; what was begun by then goes on.
_GOOD_S = 3_600

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """An access key, and the region that it is used in."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    region: str = "us-east-1"


def signed_url(url: str, parameters: Mapping[str, str], credentials: Credentials, moment: datetime) -> str:
    """Return the address of a GET that carries its own permission, for an hour.

    Args:
        url: scheme, host and path, the path quoted; without a query.
        parameters: of the query.
        credentials: to sign with.
        moment: the present time, in UTC.
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    host += f":{parts.port}" if parts.port is not None else ""
    time = f"{moment:%Y%m%dT%H%M%SZ}"
    scope = f"{moment:%Y%m%d}/{credentials.region}/s3/aws4_request"
    query = _query(
        {
            **parameters,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{credentials.key_id}/{scope}",
            "X-Amz-Date": time,
            "X-Amz-Expires": str(_GOOD_S),
            "X-Amz-SignedHeaders": "host",
        }
    )
    asked = f"GET\n{parts.path or '/'}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    said = f"{_ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (*scope.split("/"), said):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{parts.scheme}://{host}{parts.path or '/'}?{query}&X-Amz-Signature={key.hex()}"


def quoted(text: str, *, safe: str = "") -> str:
    """Quote as AWS does: everything but letters, digits, ``-._~`` and *safe*."""
    return quote(text, safe=f"-._~{safe}")


def _query(parameters: Mapping[str, str]) -> str:
    return "&".join(sorted(f"{quoted(name)}={quoted(value)}" for name, value in parameters.items()))
