"""Uploads on disk: every body that carries rows is written to a file first, so memory does not grow with it.

A `Spool` is a folder; a `SpooledFile` in it lives for one request. `Spool.prepare` makes text files ready for the
engine in one pass in constant memory: gzip is undone, a byte order mark taken off, and text that is not UTF-8 or
holds NUL is refused before anything is stored.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
import weakref
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"

#: Temporary spools are called so, and hold a locked file of this name as long as their process lives.
_TEMPORARY_PREFIX = "tinymagic-spool-"
_LOCK_NAME = "spool.lock"

#: Longest line of a text file: the engine holds several copies of it in memory.
MOST_LINE_BYTES = 64_000_000

#: Most bytes that a compressed file may grow to (``datasources.md`` section 3.2, the free plan).
UNCOMPRESSED_BYTES = 10_000_000_000


class UploadError(ValueError):
    """The bytes cannot be read as what they should be; the message is a sentence.

    *status* is what another server answered with instead of the bytes, 0 when it did not answer or all is well there.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class SpooledFile:
    """A prepared file.

    Attributes:
        path: where it is.
        size_bytes: after decompression.
        quotes: number of ``"`` in it; an odd number means that a quote is not closed.
    """

    path: Path
    size_bytes: int
    quotes: int = 0

    def head(self, size_bytes: int) -> bytes:
        """Return the first bytes."""
        with self.path.open("rb") as file:
            return file.read(size_bytes)


class Spool:
    """The folder of uploads.

    Args:
        folder: created when missing, emptied now: what is in it was left by a server that was killed. ``None`` takes a
            temporary folder of the system, removed by `close` or when the process ends; those of killed processes are
            removed now.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            _remove_stale()
            self.folder, lock = _temporary_folder()
            weakref.finalize(self, _remove_temporary, self.folder, lock)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            self.folder = folder

    def new_path(self) -> Path:
        """Return a path that nothing uses yet."""
        return self.folder / uuid.uuid4().hex

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self, upload: Path, *, text: bool, most_bytes: int | None = UNCOMPRESSED_BYTES) -> SpooledFile:
        """Make an uploaded file ready and remove the upload itself when another file took its place.

        Args:
            upload: as received, compressed with gzip or not.
            text: whether it must be UTF-8 text (CSV, NDJSON).
            most_bytes: most bytes after decompression.

        Raises:
            UploadError: empty, damaged gzip, over *most_bytes*, or no UTF-8 text.
        """
        with upload.open("rb") as file:
            start = file.read(3)
        if not start:
            raise UploadError("The body is empty: there are no rows to import.")
        compressed = start.startswith(_GZIP_MAGIC)
        if not compressed and not (text and start == _BOM):
            return self._check(upload, upload, text)
        target = self.new_path()
        chunks = _decompressed(upload, most_bytes) if compressed else _raw(upload)
        try:
            with target.open("wb") as file:
                first = True
                for chunk in chunks:
                    file.write(chunk.removeprefix(_BOM) if first and text else chunk)
                    first = False
            return self._check(target, upload, text)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            upload.unlink(missing_ok=True)

    def _check(self, path: Path, upload: Path, text: bool) -> SpooledFile:
        size = path.stat().st_size
        if not size:
            kind = "after decompression" if path != upload else ""
            raise UploadError(f"The body is empty {kind}".strip() + ": there are no rows to import.")
        if not text:
            return SpooledFile(path, size)
        decoder = codecs.getincrementaldecoder("utf-8")()
        quotes = position = line_start = 0
        for chunk in _raw(path):
            if (at := chunk.find(b"\0")) >= 0:
                raise UploadError(f"The file is not text: there is a NUL byte at position {position + at}.")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise UploadError(_not_utf8(error, position)) from error
            quotes += chunk.count(b'"')
            first = chunk.find(b"\n")
            if position + (len(chunk) if first < 0 else first) - line_start > MOST_LINE_BYTES:
                raise UploadError(
                    f"The file has a line of over {MOST_LINE_BYTES // 1_000_000} MB, at position {line_start}. Records "
                    "are separated by line ends; nothing was stored."
                )
            if first >= 0:
                line_start = position + chunk.rfind(b"\n") + 1
            position += len(chunk)
        try:
            decoder.decode(b"", True)
        except UnicodeDecodeError as error:
            raise UploadError(_not_utf8(error, position)) from error
        return SpooledFile(path, size, quotes)


def _temporary_folder() -> tuple[Path, int]:
    """Make a temporary spool; return it with the descriptor that holds its lock."""
    folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX))
    hidden = folder / f"{_LOCK_NAME}.new"
    lock = os.open(hidden, os.O_CREAT | os.O_WRONLY, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    hidden.rename(folder / _LOCK_NAME)  # It gets its name only when it is locked, so nobody takes it for a dead one's.
    return folder, lock


def _remove_temporary(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _remove_stale() -> None:
    """Remove temporary spools whose process is dead: the lock can be taken. They hold rows of users."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):  # Of another user, or removed by another start.
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    lock = os.open(folder / _LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _not_utf8(error: UnicodeDecodeError, position: int) -> str:
    return (
        f"The file is not UTF-8 text: byte 0x{error.object[error.start]:02x} near position {position + error.start}. "
        "Convert it to UTF-8 first."
    )


def _raw(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _decompressed(path: Path, most_bytes: int | None) -> Iterator[bytes]:
    """Undo gzip, also several members one after the other, never holding more than a chunk."""
    reader = zlib.decompressobj(wbits=31)
    total = 0
    for chunk in _raw(path):
        data = chunk
        while data:
            try:
                out = reader.decompress(data, _CHUNK_BYTES)
            except zlib.error as error:
                raise UploadError("The gzip data is damaged.") from error
            total += len(out)
            if most_bytes is not None and total > most_bytes:
                raise UploadError(f"The file is over {most_bytes} bytes after decompression.")
            if out:
                yield out
            data = reader.unconsumed_tail
            if reader.eof:
                data = reader.unused_data
                if data.strip(b"\0"):
                    reader = zlib.decompressobj(wbits=31)
                else:
                    data = b""
    if not reader.eof:
        raise UploadError("The gzip data ends too early; the upload was probably cut off.")
