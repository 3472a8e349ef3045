"""The body of ``POST /v0/events`` as lines, one row each: compression undone, blank lines gone, sizes bounded.

Pure. What comes out is UTF-8 without NUL and without blank lines, so that one count of line ends tells how many rows
there are, and everybody who reads the lines afterwards counts the same. Whether a line is a JSON object is not known
here (``events.md`` sections 1 and 3).

A compressed body may be as long as the limit before and after: a bomb is noticed when it gets there, never by its size
in memory.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import NoReturn

from tinymagic.local.errors import BadRequest, PayloadTooLarge

EVENTS_PAGE = "/api-reference/events-api"

FORMATS = ("ndjson", "json")

#: Most bytes after decompression when no limit holds.
UNLIMITED_BYTES = 1_000_000_000

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BOM = b"\xef\xbb\xbf"
_CHUNK_BYTES = 1 << 20

#: Memory that a zstd frame may ask for; the usual levels need 8 MB at most.
_ZSTD_WINDOW_BYTES = 1 << 26

#: Only at a line end can a match begin, so that a megabyte of spaces takes one look.
_BLANK_LINES_RE = re.compile(rb"\n[ \t\r\v\f]*\n\s*")
_VALUE_GAP_RE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class EventBody:
    """A body, understood.

    Attributes:
        lines: one row a line, no line end after the last; empty when there is no row.
        rows: number of lines.
        received_bytes: length as sent.
        size_bytes: length after decompression.
    """

    lines: bytes
    rows: int
    received_bytes: int
    size_bytes: int


def read_events(body: bytes, *, encoding: str, file_format: str, most_bytes: int | None) -> EventBody:
    """Take a body apart.

    Args:
        body: as received.
        encoding: the ``Content-Encoding`` header; a body that begins like gzip or zstd needs none.
        file_format: ``ndjson``, or ``json`` for objects that span lines.
        most_bytes: most bytes, before and after decompression.

    Raises:
        BadRequest: unknown encoding, damaged or cut compressed data, no UTF-8, NUL, or (``json``) no JSON.
        PayloadTooLarge: over *most_bytes*.
    """
    most = UNLIMITED_BYTES if most_bytes is None else most_bytes
    if len(body) > most:
        raise _too_large(most, "")
    data = _decompressed(body, encoding.strip().lower(), most)
    size = len(data)
    data = data.removeprefix(_BOM).strip()
    _check_text(data)
    if file_format == "json":
        lines = _values(data.decode()) if data else b""
    else:
        lines = _BLANK_LINES_RE.sub(b"\n", data)
    return EventBody(lines, lines.count(b"\n") + 1 if lines else 0, len(body), size)


def _decompressed(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("", "identity"):
        if body.startswith(_GZIP_MAGIC):
            encoding = "gzip"
        elif body.startswith(_ZSTD_MAGIC):
            encoding = "zstd"
        else:
            return body
    if encoding in ("gzip", "x-gzip"):
        return _gunzipped(body, most)
    if encoding == "zstd":
        return _unzstd(body, most)
    raise BadRequest(
        f"The Content-Encoding {encoding[:50]!r} is not supported: send gzip, zstd, or the text as it is. "
        "Nothing was stored.",
        documentation=EVENTS_PAGE,
    )


def _gunzipped(body: bytes, most: int) -> bytes:
    """Undo gzip, also several members one after the other."""
    parts, total, data = [], 0, body
    while data:
        reader = zlib.decompressobj(wbits=31)
        while not reader.eof:
            try:
                part = reader.decompress(data, _CHUNK_BYTES)
            except zlib.error:
                _damaged("gzip")
            data = reader.unconsumed_tail
            total += len(part)
            if total > most:
                raise _too_large(most, " after decompression")
            parts.append(part)
            if not part and not reader.eof:
                _cut_off("gzip")
        data = reader.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _unzstd(body: bytes, most: int) -> bytes:
    """Undo zstd, also several frames one after the other."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    total = 0
    try:
        # The first pass measures and keeps nothing: only a reader stops in time, and only an object tells a cut frame.
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            while part := reader.read(_CHUNK_BYTES):
                total += len(part)
                if total > most:
                    raise _too_large(most, " after decompression")
        parts, data = [], body
        while data:
            frame = decompressor.decompressobj()
            parts.append(frame.decompress(data))
            if not frame.eof:
                _cut_off("zstd")
            data = frame.unused_data
    except zstandard.ZstdError:
        _damaged("zstd")
    return b"".join(parts)


def _check_text(data: bytes) -> None:
    if (at := data.find(b"\0")) >= 0:
        raise BadRequest(
            f"The body is not text: there is a NUL byte in row {data.count(10, 0, at) + 1}. Nothing was stored.",
            documentation=EVENTS_PAGE,
        )
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise BadRequest(
            f"The body is not UTF-8 text: byte 0x{data[error.start]:02x} in line {row}. Nothing was stored.",
            documentation=EVENTS_PAGE,
        ) from error


def _values(text: str) -> bytes:
    """Write every value of *text* on a line of its own; an array gives its elements.

    Only where a value ends is asked of the parser. What is stored is the text itself: digits of a number stay.
    """
    # Numbers are left as they are: a number of 5,000 digits is no reason to fail, and nobody needs its value.
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)
    found: list[str] = []
    at = 0
    try:
        while at < len(text):
            if text[at] == "[":
                at = _elements(decoder, text, at, found)
            else:
                _, end = decoder.raw_decode(text, at)
                found.append(text[at:end])
                at = end
            at = _after_gap(text, at)
    except RecursionError:
        raise BadRequest(
            "The body is nested too deeply to be read. Nothing was stored.", documentation=EVENTS_PAGE
        ) from None
    except ValueError as error:
        place = getattr(error, "pos", at)
        raise BadRequest(
            f"The body is not JSON: it cannot be read at line {text.count(chr(10), 0, place) + 1}. With format=json "
            "send one object, several one after the other, or an array of objects. Nothing was stored.",
            documentation=EVENTS_PAGE,
        ) from error
    # No line end can be inside of a JSON string.
    return "\n".join(each.replace("\n", " ") for each in found).encode()


def _elements(decoder: json.JSONDecoder, text: str, at: int, found: list[str]) -> int:
    at = _after_gap(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = _after_gap(text, end)
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("a comma was expected", text, at)
        at = _after_gap(text, at + 1)


def _after_gap(text: str, at: int) -> int:
    match = _VALUE_GAP_RE.match(text, at)
    return match.end() if match else at


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _too_large(most: int, when: str) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body of the request is over the limit of {most} bytes{when}. Split it and send the parts. "
        "Nothing was stored.",
        documentation=EVENTS_PAGE,
    )


def _damaged(kind: str) -> NoReturn:
    raise BadRequest(f"The {kind} data is damaged. Nothing was stored.", documentation=EVENTS_PAGE) from None


def _cut_off(kind: str) -> NoReturn:
    raise BadRequest(
        f"The {kind} data ends too early; it was probably cut off. Nothing was stored.", documentation=EVENTS_PAGE
    )
