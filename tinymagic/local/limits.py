"""Size, time and rate limits, in one value that services and routes receive.

Sizes and times hold by default, because programs meet them on the service too. Rates (requests a minute, a second, a
day) are off by default, so that a class or a test is not slowed down, and on with ``--limits service``. ``--limits
none`` switches everything off. Sources: ``query.md`` section 8, ``errors-and-limits.md`` section 4.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

#: What ``--limits`` takes.
NAMES = ("default", "service", "none")

KILOBYTE = 1024
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """The limits of one server; ``None`` means that there is none.

    Attributes:
        sql_bytes: length of ``q``.
        url_bytes: length of path and query string; over it the service's proxy answers 414.
        reply_bytes: length of the encoded rows of a query.
        query_timeout_s: seconds that a query may run.
        query_memory_bytes: memory that one query may take, so that one query cannot end the server.
        body_bytes: a request body sent as such (``POST /v0/datasources`` with the rows as the body).
        csv_upload_bytes: a multipart CSV or NDJSON file.
        parquet_upload_bytes: a multipart Parquet file.
        events_bytes: one request of the Events API.
        rates: whether the service's request rates hold.
    """

    sql_bytes: int | None = 8 * KILOBYTE
    url_bytes: int | None = 8 * KILOBYTE
    reply_bytes: int | None = 100 * MEGABYTE
    query_timeout_s: float | None = 10.0
    query_memory_bytes: int | None = None
    body_bytes: int | None = 8 * MEGABYTE
    csv_upload_bytes: int | None = 500 * MEGABYTE
    parquet_upload_bytes: int | None = 50 * MEGABYTE
    events_bytes: int | None = 10 * MEGABYTE
    rates: bool = False

    @classmethod
    def named(cls, name: str | None) -> Limits:
        """Return the limits that ``--limits`` *name* asks for; ``None`` means ``default``.

        Raises:
            ValueError: there is no such name; the message lists them.
        """
        if name in (None, "default"):
            return cls(query_memory_bytes=share_of_memory(0.6))
        if name == "service":
            return cls(query_memory_bytes=share_of_memory(0.6), rates=True)
        if name == "none":
            return cls(None, None, None, None, None, None, None, None, None)
        raise ValueError(f"{name!r} is not a set of limits; there are {', '.join(NAMES)}.")


def share_of_memory(share: float) -> int:
    """Return bytes of the machine's memory: what takes too much shall fail before the system ends the server.

    Args:
        share: between 0 and 1.
    """
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * share)
