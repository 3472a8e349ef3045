"""An S3 server on loopback for tests of sinks and connectors."""

from __future__ import annotations

import contextlib
import itertools
import logging
from typing import TYPE_CHECKING

import boto3
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_ID, SECRET = "sink-access-key-id", "sink-very-secret-key"

#: The servers of one process share their buckets, so names are given once.
_numbers = itertools.count()


class Bucket:
    """One bucket of the server at *endpoint*."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.name = f"bucket-{next(_numbers)}"
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=self.name)

    def write(self, key: str, body: bytes | str) -> None:
        """Put an object, in the place of one with this key."""
        self._client.put_object(Bucket=self.name, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._client.delete_object(Bucket=self.name, Key=key)

    def names(self) -> list[str]:
        """Names of the objects, sorted."""
        listed = self._client.list_objects_v2(Bucket=self.name)
        return sorted(each["Key"] for each in listed.get("Contents", []))

    def read(self, key: str) -> bytes:
        """Bytes of an object."""
        body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    @property
    def settings(self) -> dict[str, str]:
        """Of a connection to the server."""
        return {
            "s3_access_key_id": KEY_ID,
            "s3_secret_access_key": SECRET,
            "s3_region": "us-east-1",
            "s3_endpoint": self.endpoint,
        }


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Give the URL of a server that runs as long as the block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
