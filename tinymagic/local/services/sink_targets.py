"""Where one run of a sink goes: what was asked for, and the bucket behind its connection."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import ApiError, BadRequest
from tinymagic.local.secret_text import MASK, hidden
from tinymagic.local.sinks import SINKS_PAGE

from .bucket_access import access_to
from .connections import S3_SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from tinymagic.local.access.permissions import Access
    from tinymagic.local.records import ConnectionRecord, Node, PipeRecord, Workspace
    from tinymagic.local.sinks.settings import SinkSettings

    from .connections import ConnectionsService

#: Credentials from this length on are taken out of errors wherever they stand.
_LEAST_CHARACTERS = 8

#: What is said when the reason itself would show an Environment Variable.
NOT_TOLD = (
    "The sink cannot be used as it is set. The details could show the value of an Environment Variable in its settings."
)

#: Files that an error names.
_MOST_NAMED = 20


@dataclass(frozen=True)
class Order:
    """One run that was asked for.

    Attributes:
        pipe: whose node.
        node: the sink.
        settings: of this run.
        connection: of this run.
        parameters: for the template.
        moment: the run's time.
        access: of who asked; ``None`` for a scheduled run.
        fill: puts Environment Variables into settings when the run begins.
        hidden: values of the Environment Variables in the settings, which neither job nor log may show.
    """

    pipe: PipeRecord
    node: Node
    settings: SinkSettings
    connection: ConnectionRecord
    parameters: Mapping[str, Any]
    moment: datetime
    access: Access | None
    fill: Callable[[Workspace, str], str] | None = None
    hidden: tuple[str, ...] = field(default=(), repr=False)


@dataclass
class SinkTarget:
    """Where the files of one run go, and which there are.

    Attributes:
        url: of a key.
        key_id: with *secret* the credentials.
        variables: values of Environment Variables that nothing may show.
        files: that were written: ``path``, ``rows`` and ``bytes`` each.
        read_rows: that the query read, as are *read_bytes*.
    """

    url: Callable[[str], str]
    key_id: str
    secret: str
    variables: tuple[str, ...] = ()
    files: list[dict[str, Any]] = field(default_factory=list)
    read_rows: int = 0
    read_bytes: int = 0

    @property
    def rows(self) -> int:
        """How many were written."""
        return sum(int(each["rows"]) for each in self.files)

    @property
    def size_bytes(self) -> int:
        """Bytes that were written, uncompressed."""
        return sum(int(each["bytes"]) for each in self.files)

    def hidden(self, text: str) -> str:
        """Take the credentials and the values of Environment Variables out of a text."""
        for value in (self.secret, self.key_id):
            # A short one, as in tests, is a part of many words.
            found, mask = (value, MASK) if len(value) >= _LEAST_CHARACTERS else (f"'{value}'", f"'{MASK}'")
            text = text.replace(found, mask)
        return masked(text, self.variables) if self.variables else text

    def statistics(self) -> dict[str, Any]:
        """Return what the job tells of the files."""
        return {
            "files": list(self.files),
            "rows_written": self.rows,
            "statistics": {"row_count": self.rows, "bytes": self.size_bytes},
        }

    def written(self) -> str:
        """Say which files a failed run has written."""
        if not self.files:
            return " No file was written."
        names = ", ".join(str(each["path"]) for each in self.files[:_MOST_NAMED])
        more = f" and {len(self.files) - _MOST_NAMED} more" if len(self.files) > _MOST_NAMED else ""
        return f" These files were written before and are whole: {names}{more}."


def target_of(connections: ConnectionsService, workspace: Workspace, order: Order) -> SinkTarget:
    """Return where an order goes.

    Raises:
        BadRequest: this server cannot write there; with the reason.
    """
    connection = order.connection
    if connection.service not in S3_SERVICES:
        raise BadRequest(
            f"The connection {connection.name!r} is one to {connection.service}. The embedded Tinybird keeps such "
            "sinks and does not run them: it writes to S3 and to services that speak its protocol.",
            documentation=SINKS_PAGE,
        )
    bucket = order.settings.bucket
    if bucket.scheme != "s3":
        raise BadRequest(
            f"The path {bucket.uri('')} is none of S3; with the connection {connection.name!r} write s3://...",
            documentation=SINKS_PAGE,
        )
    access = access_to(connection, connections.values(workspace, connection), SINKS_PAGE)
    credentials = access.credentials
    return SinkTarget(lambda key: access.url(bucket, key), credentials.key_id, credentials.secret, order.hidden)


def masked(text: str, values: Iterable[str], otherwise: str = MASK) -> str:
    """Return *text* with `MASK` for the values of Environment Variables, or *otherwise* when a piece would be left."""
    found = hidden(text, values)
    return otherwise if found is None else found


@contextmanager
def hiding(values: Iterable[str]) -> Iterator[None]:
    """Take the values of Environment Variables out of what is said in the block against the settings of a sink."""
    try:
        yield
    except ApiError as error:
        error.message = masked(error.message, values, NOT_TOLD)
        raise
