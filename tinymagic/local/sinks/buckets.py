"""Buckets and the URLs of what is in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from tinymagic.local.errors import BadRequest

from . import SINKS_PAGE

SCHEMES = ("s3", "gs")

_BUCKET_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")

#: The engine takes these for patterns, and control characters are never meant.
_NOT_IN_KEYS_RE = re.compile(r"[*?{}\x00-\x1f\x7f\\]")

_REGION_RE = re.compile(r"[a-z0-9-]{2,40}")

#: S3 keys have at most so many bytes.
MOST_KEY_BYTES = 1_024


@dataclass(frozen=True)
class Bucket:
    """A bucket and a prefix in it, without slashes at its ends."""

    scheme: str
    name: str
    prefix: str

    def key(self, file_name: str) -> str:
        """Return the key of a file below the prefix."""
        return f"{self.prefix}/{file_name}" if self.prefix else file_name

    def uri(self, key: str) -> str:
        """Return how people write the place of a key."""
        return f"{self.scheme}://{self.name}/{key}"


def parse_bucket_uri(text: str) -> Bucket:
    """Read ``s3://bucket/prefix``.

    Raises:
        BadRequest: it is no such text, or the engine could not write to it.

    Example:
        >>> parse_bucket_uri("s3://sales/daily/")
        Bucket(scheme='s3', name='sales', prefix='daily')
    """
    scheme, separator, rest = text.partition("://")
    name, _, prefix = rest.partition("/")
    if not separator or scheme.lower() not in SCHEMES or not _BUCKET_RE.fullmatch(name) or ".." in name:
        raise BadRequest(
            f"path must be s3://<bucket>/<prefix> or gs://<bucket>/<prefix>, not {text[:80]!r}. A bucket's name has "
            "3 to 63 letters, digits, hyphens and dots.",
            documentation=SINKS_PAGE,
        )
    prefix = prefix.strip("/")
    problem = key_problem(prefix) if prefix else None
    if problem:
        raise BadRequest(f"path: {problem}", documentation=SINKS_PAGE)
    return Bucket(scheme.lower(), name, prefix)


def key_problem(key: str) -> str | None:
    """Say why a key cannot be used, or return ``None``."""
    if _NOT_IN_KEYS_RE.search(key):
        return "*, ?, braces, backslashes and control characters cannot be part of a file's name."
    if any(part in ("", ".", "..") for part in key.split("/")):
        return f"{key[:80]!r} has an empty part, or one that is '.' or '..'."
    if len(key.encode()) > MOST_KEY_BYTES:
        return f"The name of a file has at most {MOST_KEY_BYTES} bytes."
    return None


def checked_endpoint(text: str) -> str:
    """Return the URL of an S3-compatible service, without a slash at its end.

    Raises:
        BadRequest: it is no URL with http or https, or has credentials, a query or a fragment in it.
    """
    try:
        parts = urlsplit(text.strip())
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_good = urlsplit(""), False
    good = parts.scheme in ("http", "https") and parts.hostname and port_is_good
    if not good or parts.username is not None or parts.query or parts.fragment or _NOT_IN_KEYS_RE.search(text):
        # The text may hold a password, so it is not shown.
        raise BadRequest(
            "s3_endpoint must be a URL such as http://127.0.0.1:9000: http or https, without a user or a query.",
            documentation=SINKS_PAGE,
        )
    return text.strip().rstrip("/")


def object_url(endpoint: str, region: str, bucket: Bucket, key: str) -> str:
    """Return the URL of a key: at *endpoint* with the bucket in the path, else at AWS.

    Raises:
        BadRequest: the region is none.
    """
    path = f"{quote(bucket.name)}/{quote(key, safe='/')}"
    if endpoint:
        return f"{endpoint}/{path}"
    if not _REGION_RE.fullmatch(region):
        raise BadRequest(
            f"{region[:40]!r} is not a region of AWS. Set s3_region of the connection, for instance us-east-1.",
            documentation=SINKS_PAGE,
        )
    return f"https://s3.{region}.amazonaws.com/{path}"
