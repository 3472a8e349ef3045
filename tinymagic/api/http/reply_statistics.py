"""What a reply of a query or an endpoint tells about its cost, in its headers or at the end of its body. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.api.http.replies import Reply

#: ClickHouse's own header with statistics, for formats that carry none. Optional.
SUMMARY_HEADER = "x-clickhouse-summary"


def statistics_of(reply: Reply) -> dict[str, float] | None:
    """Read statistics from the headers of a reply, else from a JSON body, or return ``None``."""
    return header_statistics(reply.headers) or _body_statistics(reply)


def header_statistics(headers: Mapping[str, str]) -> dict[str, float] | None:
    """Read statistics from ``X-ClickHouse-Summary`` (names in lower case), or return ``None``.

    The header is optional, and its counts are texts.
    """
    summary = json_mapping(headers.get(SUMMARY_HEADER))
    if summary is None:
        return None
    found = {"rows_read": summary.get("read_rows"), "bytes_read": summary.get("read_bytes")}
    elapsed = _number(summary.get("elapsed_ns"))
    return known_statistics({**found, "elapsed": None if elapsed is None else elapsed / 1e9})


def known_statistics(statistics: Mapping[str, Any]) -> dict[str, float]:
    """Return ``elapsed``, ``rows_read`` and ``bytes_read``, those of them that are numbers."""
    numbers = {name: _number(statistics.get(name)) for name in ("elapsed", "rows_read", "bytes_read")}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return None


def json_mapping(text: str | None) -> Mapping[str, Any] | None:
    """Return the JSON object in a text; ``None`` for anything else."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


#: The statistics of a JSON reply stand at its end, behind all the rows; nothing else there has braces.
_BODY_STATISTICS_RE = re.compile(rb'"statistics"\s*:\s*(\{[^{}]*\})\s*\}\s*$')
_TAIL_BYTES = 2_000


def _body_statistics(reply: Reply) -> dict[str, float] | None:
    if reply.content_type != "application/json":
        return None
    found = _BODY_STATISTICS_RE.search(reply.body[-_TAIL_BYTES:])
    mapping = json_mapping(found[1].decode()) if found else None
    return None if mapping is None else known_statistics(mapping)
