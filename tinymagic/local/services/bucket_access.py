"""How a bucket is reached with what a connection knows: address and credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinymagic.local.connectors.signing import Credentials
from tinymagic.local.errors import BadRequest
from tinymagic.local.sinks.buckets import Bucket, checked_endpoint, object_url

from .connections import ENDPOINT_KEYS, S3_SERVICES, credentials_of, endpoint_of, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.records import ConnectionRecord

#: Services that Google's storage is called by.
GCS_SERVICES = ("gcs", "gcs_hmac")

_GCS_ENDPOINT = "https://storage.googleapis.com"
_GCS_REGION = "auto"
_S3_REGION = "us-east-1"


@dataclass(frozen=True)
class BucketAccess:
    """Where a bucket is, and the key to it; *endpoint* is empty for AWS."""

    endpoint: str
    credentials: Credentials

    def url(self, bucket: Bucket, key: str) -> str:
        """Return the URL of a key; of the bucket itself when the key is empty.

        Raises:
            BadRequest: the region is none.
        """
        return object_url(self.endpoint, self.credentials.region, bucket, key)


def access_to(connection: ConnectionRecord, values: Mapping[str, str], documentation: str) -> BucketAccess:
    """Return how a connection reaches its buckets.

    Args:
        connection: to S3, to what speaks its protocol, or to Google's storage with an HMAC key.
        values: its settings in clear.
        documentation: for errors.

    Raises:
        BadRequest: it cannot; with the reason.
    """
    if connection.service in S3_SERVICES:
        key_id, secret = credentials_of(values)
        if not key_id or not secret:
            raise BadRequest(
                f"The connection {connection.name!r} has no access key. The embedded Tinybird cannot take on a role at "
                "AWS: give the connection s3_access_key_id and s3_secret_access_key.",
                documentation=documentation,
            )
        region = value_of(values, ("s3_region", "s3_iamrole_region", "region")) or _S3_REGION
        return BucketAccess(endpoint_of(values), Credentials(key_id, secret, region))
    key_id = value_of(values, ("gcs_hmac_access_id", "hmac_access_id", "gcs_access_id"))
    secret = value_of(values, ("gcs_hmac_secret", "hmac_secret", "gcs_secret"))
    if not key_id or not secret:
        raise BadRequest(
            f"The connection {connection.name!r} has no HMAC key, and the embedded Tinybird can take on no account of "
            "Google's: give the connection gcs_hmac_access_id and gcs_hmac_secret.",
            documentation=documentation,
        )
    endpoint = value_of(values, ENDPOINT_KEYS)
    region = value_of(values, ("gcs_hmac_region", "gcs_region")) or _GCS_REGION
    return BucketAccess(checked_endpoint(endpoint or _GCS_ENDPOINT), Credentials(key_id, secret, region))
