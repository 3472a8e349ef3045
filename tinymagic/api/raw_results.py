"""What queries and endpoints give: replies as they came, and rows with the facts about them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.api.http.reply_statistics import statistics_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from tinymagic.api.http.replies import Reply


@dataclass(frozen=True)
class Rows:
    """What a query or an endpoint gave.

    Attributes:
        value: a DataFrame of pandas or polars, a ``pyarrow.Table``, or a list of dictionaries.
        facts: where it comes from, in plain values: ``attrs["tinybird"]`` of a DataFrame of pandas is the same object.
            `tinymagic.Workspace.sql` lists them.
    """

    value: Any
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class KeptReply:
    """A reply with rows, to be kept and read again: see `tinymagic.api.kept_replies`.

    Attributes:
        wire_format: ``JSONCompact`` or ``Parquet``.
        body: as it came.
        facts: about the rows, as `Rows` has them.
    """

    wire_format: str
    body: bytes = field(repr=False)
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class RawResult:
    """A reply as the service wrote it.

    Attributes:
        body: in the format that was asked for.
        content_type: its media type.
        statistics: ``elapsed`` (seconds), ``rows_read`` and ``bytes_read``, when the reply's headers or a JSON body
            tell them; else ``None``.
        request_id: the service's id of the request, or ``None``.
        wall_s: seconds from sending to the last byte.
        headers: of the reply, names in lower case.
        bytes_received: length of the body on the wire.
    """

    body: bytes = field(repr=False)
    content_type: str
    statistics: Mapping[str, float] | None
    request_id: str | None
    wall_s: float
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    bytes_received: int = 0

    @classmethod
    def of(cls, reply: Reply) -> Self:
        """Keep a reply."""
        return cls(
            body=reply.body,
            content_type=reply.content_type,
            statistics=statistics_of(reply),
            request_id=reply.request_id,
            wall_s=reply.wall_s,
            headers=reply.headers,
            bytes_received=reply.bytes_received,
        )

    def text(self) -> str:
        """Return the body as text; bytes that are not UTF-8 are marked."""
        return self.body.decode("utf-8", "replace")


class QueryResult(RawResult):
    """The raw reply to a query: TSV without a header when the query named no format."""


class EndpointReply(RawResult):
    """The raw reply of an endpoint."""
