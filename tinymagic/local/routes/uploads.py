"""Bodies that carry a file: multipart, raw, or only parameters. The file goes to disk while it arrives.

`receive` reads a request of any of the forms in ``datasources.md`` section 3.2 in constant memory. Parameters come
from the query string and from form fields; a field of the form wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tinymagic.local.errors import BadRequest, PayloadTooLarge
from tinymagic.local.http import check_length

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from tinymagic.local.files.spool import Spool
    from tinymagic.local.limits import Limits

#: Longest form field, bytes: a schema of 500 columns is far below.
_FIELD_BYTES = 1_000_000
#: What multipart adds around the file: part headers and the other fields.
_OVERHEAD_BYTES = 2_000_000
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass
class Received:
    """A request's parameters and file.

    Attributes:
        parameters: name to text.
        path: the file on disk; ``None`` when the request had none.
        file_name: the client's name of it.
        content_type: of the part or body, lower case, without parameters.
        size_bytes: of the file as sent.
        start: its first bytes.
        multipart: whether it came as a part.
    """

    parameters: dict[str, str] = field(default_factory=dict)
    path: Path | None = None
    file_name: str = ""
    content_type: str = ""
    size_bytes: int = 0
    start: bytes = b""
    multipart: bool = False

    def discard(self) -> None:
        """Remove the file if it is still there."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


async def receive(request: Request, spool: Spool, limits: Limits, *, any_size: bool = False) -> Received:
    """Read the whole request.

    Args:
        request: with a body of any of the forms.
        spool: gets the file.
        limits: sizes.
        any_size: whether a raw body may be as big as a multipart file.

    Raises:
        PayloadTooLarge: over the limit for its form.
        BadRequest: a multipart body that cannot be read, or two files.
    """
    received = Received(dict(request.query_params))
    received.parameters.pop("token", None)
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    try:
        if content_type == b"multipart/form-data":
            await _receive_multipart(request, spool, limits, received, options.get(b"boundary", b""))
        else:
            limit = limits.csv_upload_bytes if any_size else limits.body_bytes
            await _receive_body(request, spool, limit, received, content_type.decode("latin-1").lower())
    except BaseException:
        received.discard()
        raise
    return received


async def _receive_body(
    request: Request, spool: Spool, limit: int | None, received: Received, content_type: str
) -> None:
    check_length(request, limit)
    path = spool.new_path()
    received.path = path
    with path.open("wb") as file:
        async for chunk in request.stream():
            received.size_bytes += len(chunk)
            if limit is not None and received.size_bytes > limit:
                raise PayloadTooLarge(
                    f"The body is over the limit of {limit} bytes; send bigger files as multipart/form-data."
                )
            file.write(chunk)
            received.start = (received.start + chunk[:64])[:64]
    received.content_type = content_type
    if not received.size_bytes:
        received.discard()
        received.path = None
    elif content_type == _FORM_TYPE:
        _take_form(path, received)


def _take_form(path: Path, received: Received) -> None:
    """Read parameters out of a form body; curl gives this type to files too, which are left alone."""
    if received.size_bytes > _FIELD_BYTES:
        return
    try:
        pairs = parse_qsl(path.read_text("utf-8"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return
    if all(name.isidentifier() for name, _ in pairs):
        received.parameters.update(pairs)
        received.discard()
        received.path, received.size_bytes, received.start = None, 0, b""


async def _receive_multipart(
    request: Request, spool: Spool, limits: Limits, received: Received, boundary: bytes
) -> None:
    limit = None if limits.csv_upload_bytes is None else limits.csv_upload_bytes + _OVERHEAD_BYTES
    check_length(request, limit)
    parts = _Parts(spool, received, limits.csv_upload_bytes)
    received.multipart = True
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise BadRequest("The multipart body is damaged or cut off; nothing was stored.") from error
    finally:
        parts.close()
    if not parts.ended:
        raise BadRequest("The multipart body is damaged or cut off; nothing was stored.")


class _Parts:
    """Callbacks of the multipart parser: fields are kept, the file is written."""

    def __init__(self, spool: Spool, received: Received, limit: int | None) -> None:
        self._spool = spool
        self._received = received
        self._limit = limit
        self._file: IO[bytes] | None = None
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field = ""
        self._value = b""
        self.ended = False

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header_name,
            "on_header_value": self._on_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._start_content,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._headers, self._value, self._field = {}, b"", ""

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _start_content(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        content_type = self._headers.get(b"content-type", b"").split(b";")[0].strip().decode("latin-1").lower()
        is_file = b"filename" in options or content_type not in ("", "text/plain")
        # Some clients send the rows as a field without a file name, called like the format.
        if not is_file and self._field not in ("csv", "ndjson", "parquet", "file"):
            return
        if self._received.path is not None:
            raise BadRequest("The request has two files; send one.")
        self._received.path = self._spool.new_path()
        self._received.file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        self._received.content_type = content_type
        self._file = self._received.path.open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._value += data[start:end]
            if len(self._value) > _FIELD_BYTES:
                raise PayloadTooLarge(f"The form field {self._field!r} is over the limit of {_FIELD_BYTES} bytes.")
            return
        self._received.size_bytes += end - start
        if self._limit is not None and self._received.size_bytes > self._limit:
            raise PayloadTooLarge(f"The file is over the limit of {self._limit} bytes for an upload.")
        self._file.write(data[start:end])
        if len(self._received.start) < 64:
            self._received.start = (self._received.start + data[start : min(end, start + 64)])[:64]

    def _end_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        elif self._field:
            self._received.parameters[self._field] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self.ended = True
