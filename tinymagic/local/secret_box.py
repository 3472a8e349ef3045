"""Secrets at rest: sealed with a key that lies beside the catalogue, never in it.

The key is a file ``secret.key`` of the data folder (mode 0600), made when the first secret is sealed; a server in
memory keeps it in memory. Whoever copies the catalogue alone has ciphertext only. The package ``cryptography`` is
imported when the first secret is sealed or opened.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

from .errors import BadRequest

KEY_FILE = "secret.key"

#: A Fernet key is 44 characters; whatever is longer than this is none.
_MOST_KEY_BYTES = 1_000


class SecretUnreadable(BadRequest):
    """A secret cannot be opened or sealed: the key is gone, damaged or another one. The message is a sentence."""


class SecretBox:
    """Seals and opens texts. Safe to use from many threads.

    Args:
        folder: the data folder; ``None`` keeps the key in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else Path(folder) / KEY_FILE
        self._lock = threading.Lock()
        self._key: bytes | None = None
        self._cipher: Any = None

    def seal(self, text: str) -> str:
        """Return *text* encrypted, as ASCII.

        Raises:
            SecretUnreadable: the key file is damaged or cannot be made, or a package is missing.
        """
        sealed: bytes = self._ready(make=True).encrypt(text.encode())
        return sealed.decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed.

        Raises:
            SecretUnreadable: the key is another than the one that *sealed* was made with, or *sealed* was changed.
        """
        from cryptography.fernet import InvalidToken

        try:
            opened: bytes = self._ready(make=False).decrypt(sealed.encode())
            return opened.decode()
        except (InvalidToken, ValueError):
            raise SecretUnreadable(
                f"The secret cannot be decrypted: the key of the embedded Tinybird ({KEY_FILE} in its data folder) is "
                "not the one that it was encrypted with. Put the old key file back, or set the secret again."
            ) from None

    def _ready(self, *, make: bool) -> Any:
        with self._lock:
            if self._cipher is None:
                self._cipher = _cipher(self._memory_key() if self._path is None else _file_key(self._path, make=make))
            return self._cipher

    def _memory_key(self) -> bytes:
        self._key = self._key or _fernet().generate_key()
        return self._key


def _fernet() -> Any:
    try:
        from cryptography.fernet import Fernet
    except ImportError as error:
        raise SecretUnreadable(
            'Secrets need the package cryptography, which is not installed. Run: pip install "tinymagic[local]"',
        ) from error
    return Fernet


def _cipher(key: bytes) -> Any:
    try:
        return _fernet()(key)
    except ValueError:
        raise SecretUnreadable(
            f"The key file {KEY_FILE} of the embedded Tinybird's data folder is damaged: it holds no key. Put the "
            "right one back; without it remove the file and set every Environment Variable and connection again."
        ) from None


def _file_key(path: Path, *, make: bool) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        if not make:
            raise SecretUnreadable(
                f"The secret cannot be decrypted: the key file {KEY_FILE} of the embedded Tinybird's data folder is "
                "gone. Put it back, or set the secret again."
            ) from None
    except OSError as error:
        raise SecretUnreadable(f"The key file {KEY_FILE} cannot be read: {error.strerror}.") from None
    return _make(path)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            os.fchmod(file.fileno(), 0o600)
        return file.read(_MOST_KEY_BYTES).strip()


def _make(path: Path) -> bytes:
    """Make a key; its file is whole or not there, and on disk before anything is sealed with it."""
    key: bytes = _fernet().generate_key()
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        hidden.unlink()
    descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())
    hidden.rename(path)
    _sync_folder(path.parent)
    return key


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
