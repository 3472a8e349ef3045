"""How rows travel to ``POST /v0/datasources``: what they are, which format, how big, and the multipart body.

The body is read from disk while it is sent, in constant memory, with its length known beforehand (the service answers
411 without one). Limits are those of ``errors-and-limits.md`` section 4; they are checked before anything is sent.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, cast

from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.http.limits import MULTIPART_BYTES as SIZE_LIMITS
from tinymagic.api.http.request import SizedReader
from tinymagic.api.ingest.json_lines import json_line

if TYPE_CHECKING:
    import pandas as pd

FileFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]

#: Rows: a DataFrame, a file, the bytes of one, or a dictionary per row.
Rows: TypeAlias = "pd.DataFrame | str | os.PathLike[str] | bytes | Iterable[Mapping[str, Any]]"

FORMATS: tuple[FileFormat, ...] = ("csv", "ndjson", "parquet")

_FORMAT_OF_ENDING: dict[str, FileFormat] = {
    "csv": "csv",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "json": "ndjson",
    "parquet": "parquet",
}

#: Name of the file's part; the vendor's CLI sends Parquet under the name of NDJSON.
_PART_NAMES: dict[FileFormat, str] = {"csv": "csv", "ndjson": "ndjson", "parquet": "ndjson"}
#: Media type of a raw body.
CONTENT_TYPES: dict[FileFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Upload:
    """Rows ready to be sent.

    Attributes:
        file_format: ``csv``, ``ndjson`` or ``parquet``.
        file_name: what the part is called; its ending tells the service about compression.
        size_bytes: length of the file.
        open: opens it; each attempt opens it anew.
        frame: the DataFrame it was made from, or ``None``.
        path: of the file, or ``None`` for what is in memory.
    """

    file_format: FileFormat
    file_name: str
    size_bytes: int
    open: Callable[[], IO[bytes]]
    frame: pd.DataFrame | None = None
    path: Path | None = None

    def check_size(self) -> None:
        """Refuse what the service would refuse after the whole upload.

        Raises:
            PayloadTooLarge: it is over the limit for its format.
        """
        limit = SIZE_LIMITS[self.file_format]
        if self.size_bytes > limit:
            raise PayloadTooLarge(
                f"{self.file_name!r} has {self.size_bytes / 1e6:,.1f} MB; the service takes at most "
                f"{limit / 1e6:.0f} MB of {self.file_format} at a time. Nothing was sent. Send it in parts"
                + (", or compressed (.gz)." if self.file_format != "parquet" else ", or as NDJSON (.ndjson.gz).")
            )


def upload_of(data: Rows, *, file_format: str | None = None, any_size: bool = False) -> Upload:
    """Make rows of any kind ready to be sent.

    Args:
        data: a DataFrame (sent as Parquet when pyarrow is installed, else as NDJSON), the path of a file (``.csv
            .ndjson .jsonl .json .parquet``, each also with ``.gz``; ``.json`` must be one object per line), the bytes
            of such a file, or dictionaries, one per row.
        file_format: ``csv``, ``ndjson`` or ``parquet``, when name or first bytes do not tell it.
        any_size: whether it may be over the limit for its format.

    Raises:
        InvalidInput: it is none of these, the file cannot be read, or the format is not to be told.
        PayloadTooLarge: over the limit for its format.
    """
    chosen = checked_format(file_format)
    if isinstance(data, (bytes, bytearray, memoryview)):
        upload = _of_bytes(bytes(data), chosen)
    elif isinstance(data, (str, os.PathLike)):
        upload = _of_path(data, chosen)
    elif _is_frame(data):
        upload = _of_frame(data, chosen)
    elif isinstance(data, Iterable) and not isinstance(data, Mapping):
        upload = _of_dictionaries(cast("Iterable[Mapping[str, Any]]", data), chosen)
    else:
        raise InvalidInput(
            f"Rows come as a DataFrame, a path, the bytes of a file, or a list of dictionaries, not as "
            f"{type(data).__name__}."
        )
    if not any_size:
        upload.check_size()
    return upload


def checked_format(file_format: str | None) -> FileFormat | None:
    """Return the format of a name or an ending, ``None`` for ``None``.

    Raises:
        InvalidInput: the service has no such format.
    """
    if file_format is None:
        return None
    name = _FORMAT_OF_ENDING.get(file_format.lower().removeprefix("."))
    if name is None:
        raise InvalidInput(f"{file_format!r} is not a format of the service: use one of {', '.join(FORMATS)}.")
    return name


def _is_frame(data: object) -> bool:
    # Without pandas in the process there is no DataFrame, and it need not be imported for a path or bytes.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _of_bytes(content: bytes, chosen: FileFormat | None) -> Upload:
    file_format = chosen or _sniffed(content)
    ending = ".gz" if content.startswith(_GZIP_MAGIC) else ""
    return Upload(file_format, f"data.{file_format}{ending}", len(content), lambda: io.BytesIO(content))


def _sniffed(content: bytes) -> FileFormat:
    """Tell the format by the first bytes; what is neither Parquet nor an object is CSV, as at the service."""
    start = content[:4096]
    if start.startswith(_GZIP_MAGIC):
        try:
            start = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(start)
        except zlib.error:
            raise InvalidInput("The bytes begin like gzip, but are damaged.") from None
    if start.startswith(b"PAR1"):
        return "parquet"
    return "ndjson" if start.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"{") else "csv"


def _of_path(data: str | os.PathLike[str], chosen: FileFormat | None) -> Upload:
    text = os.fspath(data)
    if text.lower().startswith(("http://", "https://")):
        raise InvalidInput("A URL is no path here: ws.datasources.append takes it, or download the file.")
    try:
        path = Path(text).expanduser()
        kind = path.stat().st_mode
        # Looked at first: opening a pipe waits for someone who writes.
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise InvalidInput(f"{text!r} is not a regular file.")
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {text!r} (looked in {Path.cwd()}).") from None
    except OSError as error:
        raise InvalidInput(f"The file {text!r} cannot be read: {error.strerror}.") from None
    except InvalidInput:
        raise
    except (RuntimeError, ValueError):  # No such user; signs that no name can have.
        raise InvalidInput(f"{text!r} cannot be the name of a file.") from None
    return Upload(chosen or format_of_name(path.name), path.name, size_bytes, lambda: path.open("rb"), path=path)


def format_of_name(name: str) -> FileFormat:
    """Return the format that the ending of a file's name tells.

    Raises:
        InvalidInput: it tells none.
    """
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    file_format = _FORMAT_OF_ENDING.get(ending)
    if file_format is None:
        endings = ", ".join(f".{each}" for each in _FORMAT_OF_ENDING)
        raise InvalidInput(
            f"The name {name!r} does not tell the format: it should end in {endings} (and perhaps .gz). "
            "Or say it: format='csv', 'ndjson' or 'parquet'."
        )
    return file_format


def _of_frame(data: object, chosen: FileFormat | None) -> Upload:
    from tinymagic.frames import encode

    frame = cast("pd.DataFrame", data)
    if chosen == "csv":
        raise InvalidInput("A DataFrame is sent as 'parquet' or 'ndjson', which keep its types; CSV does not.")
    file_format: FileFormat = chosen or ("parquet" if parquet_is_available() else "ndjson")
    try:
        content = encode.to_parquet(frame) if file_format == "parquet" else encode.to_ndjson(frame)
        if chosen is None and len(content) > SIZE_LIMITS[file_format] and file_format == "parquet":
            # Ten times the room, and gzip makes up for the longer text.
            file_format, content = "ndjson", gzip.compress(encode.to_ndjson(frame), compresslevel=1)
    except encode.EncodeError as error:
        raise InvalidInput(str(error)) from None
    return replace(_of_bytes(content, file_format), frame=frame)


def parquet_is_available() -> bool:
    """Say whether pyarrow can be imported, without importing it."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def _of_dictionaries(rows: Iterable[Mapping[str, Any]], chosen: FileFormat | None) -> Upload:
    if chosen not in (None, "ndjson"):
        raise InvalidInput("Dictionaries are sent as 'ndjson'. For another format make a DataFrame of them.")
    content = b"".join(json_line(place, row) for place, row in enumerate(rows))
    return _of_bytes(content, "ndjson")


class MultipartBody(SizedReader):
    """A ``multipart/form-data`` body of form fields and one file, read while it is sent.

    Args:
        fields: name to text.
        upload: the file.
        boundary: between the parts.
    """

    def __init__(self, fields: Mapping[str, str], upload: Upload, boundary: str) -> None:
        head = b"".join(_field_part(boundary, name, value) for name, value in fields.items())
        head += _file_head(boundary, upload)
        self._upload = upload
        self._size = len(head) + upload.size_bytes + len(_tail(boundary))
        self._file = upload.open()
        self._left = upload.size_bytes
        self._before = io.BytesIO(head)
        self._after = io.BytesIO(_tail(boundary))

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most *size*; ``b""`` at the end.

        Raises:
            InvalidInput: the file has become shorter since its size was taken.
        """
        piece = self._before.read(size)
        if piece:
            return piece
        if self._left:
            piece = self._file.read(self._left if size < 0 else min(size, self._left))
            if not piece:
                raise InvalidInput(f"The file {self._upload.file_name!r} became shorter while it was being sent.")
            self._left -= len(piece)
            return piece
        return self._after.read(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def multipart(fields: Mapping[str, str], upload: Upload) -> tuple[Callable[[], MultipartBody], str]:
    """Return what `tinymagic.api.http.request.Request` needs for a multipart body: its maker and its content type."""
    boundary = f"tinymagic-{uuid.uuid4().hex}"
    return (lambda: MultipartBody(fields, upload, boundary)), f"multipart/form-data; boundary={boundary}"


def _field_part(boundary: str, name: str, value: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'.encode()


def _file_head(boundary: str, upload: Upload) -> bytes:
    return (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{_PART_NAMES[upload.file_format]}"; '
        f'filename="{_quoted(upload.file_name)}"\r\n'
        f"Content-Type: {CONTENT_TYPES[upload.file_format]}\r\n\r\n"
    ).encode()


def _tail(boundary: str) -> bytes:
    return f"\r\n--{boundary}--\r\n".encode()


def _quoted(text: str) -> str:
    """Escape a name as browsers do (HTML standard, multipart form data); without it a file's name could add headers."""
    return text.encode("utf-8", "replace").decode().replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
