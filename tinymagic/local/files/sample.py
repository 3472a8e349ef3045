"""The start of a file that shall be analyzed: gzip undone, encoding checked, format recognised.

Only the first `SAMPLE_BYTES` are looked at, and a compressed file is read only as far as needed for them, so neither a
big file nor a gzip bomb costs more than a small one. A sample may end anywhere: the vendor's CLI sends the first MiB.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .spool import UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How much of a file is looked at.
SAMPLE_BYTES = 1 << 20

_CHUNK_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_PARQUET_MAGIC = b"PAR1"

#: Most compressed bytes that are read for a sample: a file of empty gzip members has no other end.
_MOST_COMPRESSED_BYTES = 4 * SAMPLE_BYTES

#: A line break right after the bracket, or an object in an array: JSON, but not one object in each line.
_PRETTY_RE = re.compile(r"\{[^\S\n]*\n\s*[\"}]|\[\s*\{\s*\"")
_OBJECT_RE = re.compile(r"\{\s*[\"}]")


@dataclass(frozen=True)
class Sample:
    """The start of a file.

    Attributes:
        data: at most `SAMPLE_BYTES`, without gzip; text is UTF-8 without byte order mark.
        whole: whether that is everything; if not, the last record may be cut.
        compressed: whether gzip was undone.
    """

    data: bytes
    whole: bool
    compressed: bool = False

    @property
    def is_parquet(self) -> bool:
        """Whether it begins like a Parquet file."""
        return self.data.startswith(_PARQUET_MAGIC)


def read_sample(path: Path, *, whole: bool = True) -> Sample:
    """Read the start of a file.

    Args:
        path: as received, compressed with gzip or not.
        whole: ``False`` when *path* has only the start of the file.

    Raises:
        UploadError: it is empty, or the gzip data is damaged.
    """
    with path.open("rb") as file:
        start = file.read(2)
    compressed = start == _GZIP_MAGIC
    if compressed:
        data, ended = _decompressed_start(path)
        if whole and not ended and len(data) < SAMPLE_BYTES and path.stat().st_size < SAMPLE_BYTES:
            raise UploadError("The gzip data ends too early; the upload was probably cut off.")
        whole = whole and ended
    else:
        with path.open("rb") as file:
            data = file.read(SAMPLE_BYTES + 1)
    if not data.strip(b" \t\r\n\0" + _BOM):
        raise UploadError("The file is empty: there is nothing to analyze.")
    # A sample of exactly this size is what the CLI sends of a bigger file.
    return Sample(data[:SAMPLE_BYTES], whole and len(data) < SAMPLE_BYTES, compressed)


def checked_text(sample: Sample) -> Sample:
    """Make sure that a sample is text; a character that is cut at the end is left out.

    Raises:
        UploadError: it is not UTF-8, or holds NUL.
    """
    data = sample.data
    if data.startswith(_UTF16_BOMS):
        raise UploadError("The file is UTF-16 text. Convert it to UTF-8 first.")
    whole = sample.whole
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            raise UploadError(
                f"The file is neither Parquet nor UTF-8 text: byte 0x{data[error.start]:02x} at position "
                f"{error.start}. Convert it to UTF-8 first."
            ) from error
        data, whole = data[: error.start], False
    if (at := data.find(b"\0")) >= 0:
        raise UploadError(f"The file is neither Parquet nor text: there is a NUL byte at position {at}.")
    return Sample(data.removeprefix(_BOM), whole, sample.compressed)


def sample_text(data: bytes, whole: bool) -> tuple[str, bool]:
    """Return the text of at most `SAMPLE_BYTES`, and whether that is still the *whole* file."""
    if len(data) > SAMPLE_BYTES:
        data, whole = data[:SAMPLE_BYTES], False
    return data.decode("utf-8", "ignore").removeprefix("\ufeff"), whole


def recognised_format(sample: Sample) -> str:
    """Say whether a sample of text is ``ndjson`` or ``csv``: NDJSON when it begins with a JSON object.

    Raises:
        UploadError: it is JSON, but not one object in each line.
    """
    text = sample.data.decode("utf-8").lstrip()
    if _PRETTY_RE.match(text):
        raise UploadError(
            "The file is JSON, but not NDJSON: every line must be one JSON object. Write the objects without line "
            "breaks inside and without an array around them."
        )
    return "ndjson" if _OBJECT_RE.match(text) else "csv"


def _decompressed_start(path: Path) -> tuple[bytes, bool]:
    """Undo gzip at the start; return the bytes, one more than a sample has, and whether the end was reached."""
    parts: list[bytes] = []
    size = 0
    reader = zlib.decompressobj(wbits=31)
    for chunk in _start_of(path):
        data = chunk
        while data:
            try:
                part = reader.decompress(data, SAMPLE_BYTES + 1 - size)
            except zlib.error as error:
                raise UploadError("The gzip data is damaged.") from error
            parts.append(part)
            size += len(part)
            if size > SAMPLE_BYTES:
                return b"".join(parts), False
            data = reader.unconsumed_tail
            if reader.eof:
                data = reader.unused_data.lstrip(b"\0")
                if data:
                    reader = zlib.decompressobj(wbits=31)
    return b"".join(parts), reader.eof


def _start_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for _ in range(_MOST_COMPRESSED_BYTES // _CHUNK_BYTES):
            if not (chunk := file.read(_CHUNK_BYTES)):
                return
            yield chunk
