"""Bodies on their way: out of a file with progress, and in, counted and decompressed, in constant memory.

What the caller gave (a file, a callback) may fail too. Such a failure must not be taken for one of the network, so it
travels as `CallersError` through the libraries in between.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

from tinymagic.api.errors import BadReply, InvalidInput
from tinymagic.api.http.limits import RESULT_BYTES
from tinymagic.api.http.lost import cut_short, too_much
from tinymagic.api.http.request import Body, Request, SizedReader
from tinymagic.api.progress import OnProgress, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from tinymagic.api.http.cancelling import Cancellation

CHUNK_BYTES = 256 * 1024

#: Bytes of a reply, decompressed, that the client holds in memory: far more than the service sends, and few enough that
#: a damaged or hostile reply does not fill the memory. Of a reply with an error status only the beginning is kept.
HELD_BYTES = 5 * RESULT_BYTES
ERROR_BYTES = 10_000_000

#: Progress is told each time so many bytes have gone by, and at the end.
_TOLD_EVERY_BYTES = 256 * 1024


class CallersError(Exception):
    """Something that the caller gave failed; *error* is what to raise."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Meter:
    """Counts bytes and tells how far it is, not too often.

    Args:
        total: bytes in all, or ``None``.
        on_progress: told; may be ``None``.
    """

    def __init__(self, total: int | None, on_progress: OnProgress | None) -> None:
        self.done = 0
        self._total = total
        self._told = -1
        self._on_progress = on_progress

    def add(self, count: int) -> None:
        """Count *count* more bytes.

        Raises:
            CallersError: the callback raised.
        """
        self.done += count
        if self.done - self._told >= _TOLD_EVERY_BYTES or self._told < 0 or self.done == self._total:
            self.tell()

    def tell(self) -> None:
        """Tell how far it is, unless that has been told.

        Raises:
            CallersError: the callback raised.
        """
        if self._on_progress is None or self._told == self.done:
            return
        self._told = self.done
        try:
            self._on_progress(Progress(self.done, self._total, "B"))
        except Exception as error:
            raise CallersError(error) from error


class Outgoing(SizedReader):
    """A body while it is being sent: tells its progress, stops when cancelled.

    Args:
        body: what is sent.
        request: that it belongs to, for errors.
        on_progress: told how many bytes are on their way.
        cancellation: looked at before each piece.
    """

    def __init__(
        self, body: Body, request: Request, on_progress: OnProgress | None, cancellation: Cancellation
    ) -> None:
        self._size = len(body)
        self._body: SizedReader | io.BytesIO = io.BytesIO(body) if isinstance(body, bytes) else body
        self._asked = request.asked
        self._meter = Meter(self._size, on_progress)
        self._cancellation = cancellation

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; ``b""`` at the end."""
        self._cancellation.check()
        try:
            piece = self._body.read(size)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CallersError(InvalidInput(f"{self._asked}: the data cannot be read any more: {reason}.")) from error
        except Exception as error:
            raise CallersError(error) from error
        self._meter.add(len(piece))
        return piece

    def close(self) -> None:
        """Close the body."""
        self._body.close()


def read_whole(response: requests.Response, request: Request) -> bytes:
    """Read a body as it is on the wire, to its announced length; of an error not more than `ERROR_BYTES`.

    Raises:
        NotAnswered: it is shorter, or longer than is held in memory.
    """
    failed = response.status_code >= 400
    most = ERROR_BYTES if failed else HELD_BYTES
    chunks, received = [], 0
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        chunks.append(chunk)
        received += len(chunk)
        if received > most:
            if failed:
                return b"".join(chunks)[:most]
            raise too_much(request, most)
    _check_length(response, request, received)
    return b"".join(chunks)


def read_into(
    target: BinaryIO,
    response: requests.Response,
    request: Request,
    *,
    on_progress: OnProgress | None,
    cancellation: Cancellation,
) -> int:
    """Write a body, decompressed, to *target* piece by piece; return its length on the wire.

    Raises:
        NotAnswered: it is shorter than announced.
        BadReply: its compressed data is damaged.
        CallersError: *target* or *on_progress* failed.
        Cancelled: through *cancellation*.
    """
    announced = response.headers.get("Content-Length", "")
    meter = Meter(int(announced) if announced.isdigit() else None, on_progress)
    unpacker = Gunzip() if compressed(response.headers.get("Content-Encoding", ""), request) else None
    try:
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            cancellation.check()
            for piece in unpacker.pieces(chunk) if unpacker else (chunk,):
                _write(target, piece)
            meter.add(len(chunk))
        _check_length(response, request, meter.done)
        if unpacker:
            unpacker.finish()
    except zlib.error as error:
        raise damaged(request, error, meter.done) from None
    meter.tell()
    return meter.done


def _write(target: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    try:
        while view:
            # A raw file may take less than it is given; None is what some wrappers return for "all".
            view = view[written:] if (written := target.write(view)) is not None else view[:0]
    except Exception as error:
        raise CallersError(error) from error


def _check_length(response: requests.Response, request: Request, received: int) -> None:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and received != int(announced) and response.status_code not in (204, 205, 304):
        raise cut_short(request, received, f"of {announced} bytes")


def decompressed(raw: bytes, headers: Mapping[str, str], request: Request, *, failed: bool = False) -> bytes:
    """Return a body without its ``Content-Encoding``.

    Args:
        raw: as it is on the wire.
        headers: names in lower case.
        request: for errors.
        failed: it is that of an error: of one that is very long the beginning is enough.

    Raises:
        BadReply: the data is damaged, the encoding was not asked for, or it is longer than is held in memory.
    """
    if not raw or not compressed(headers.get("content-encoding", ""), request):
        return raw
    try:
        return gunzipped(raw, ERROR_BYTES if failed else HELD_BYTES, cut=failed)
    except OverflowError:
        raise too_much(request, HELD_BYTES).error from None
    except zlib.error as error:
        raise damaged(request, error, len(raw)) from None


def compressed(encoding: str, request: Request) -> bool:
    """Say whether a ``Content-Encoding`` means gzip.

    Raises:
        BadReply: it means something that was not asked for.
    """
    name = encoding.strip().lower()
    if name not in ("", "identity", "gzip", "x-gzip"):
        raise BadReply(f"{request.asked} answered in the encoding {name!r}, which was not asked for.")
    return name in ("gzip", "x-gzip")


def damaged(request: Request, error: Exception, received: int) -> BadReply:
    """Return the error for compressed data that cannot be read."""
    return BadReply(
        f"{request.asked}: the reply's gzip data is damaged or cut short ({error}; {received} bytes arrived). "
        "Try again."
    )


class Gunzip:
    """Decompresses gzip data of one or more members, as it comes.

    Args:
        piece_bytes: no piece is longer.
    """

    def __init__(self, piece_bytes: int = CHUNK_BYTES) -> None:
        self._piece_bytes = piece_bytes
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._began = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress *chunk*, the next one.

        Raises:
            zlib.error: it is damaged.
        """
        more = bool(chunk)
        while more:
            if self._member.eof:
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._began = True
            piece = self._member.decompress(chunk, self._piece_bytes)
            yield piece
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            # A full piece may have left something behind even when all of the input is used.
            more = bool(chunk) or (not self._member.eof and len(piece) == self._piece_bytes)

    def finish(self) -> None:
        """Say that there is no more.

        Raises:
            zlib.error: the end is missing.
        """
        if self._began and not self._member.eof:
            raise zlib.error("the end is missing")


def gunzipped(raw: bytes, most: int = HELD_BYTES, *, cut: bool = False) -> bytes:
    """Decompress gzip data of one or more members.

    Args:
        raw: the data.
        most: bytes of the result.
        cut: what is longer is cut off (not to the byte), instead of being an error.

    Raises:
        zlib.error: it is damaged or not complete.
        OverflowError: the result is longer than *most*.
    """
    unpacker = Gunzip()
    parts, length = [], 0
    # In slices: what is left of the input is copied for each piece.
    for start in range(0, len(raw), CHUNK_BYTES):
        for piece in unpacker.pieces(raw[start : start + CHUNK_BYTES]):
            parts.append(piece)
            length += len(piece)
            if length > most:
                if cut:
                    return b"".join(parts)
                raise OverflowError(f"more than {most} bytes")
    unpacker.finish()
    return b"".join(parts)
