"""A file that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from tinymagic.api.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replacing(target: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Give the block a file to write to, which takes the place of *target* when the block ends without an error.

    Args:
        target: path; what is there stays as it is until then, and whenever something goes wrong.
        overwrite: whether a file may be there at the end of the block.

    Raises:
        InvalidInput: there is no such user whose home *target* is in, or a file came there in the meantime.
        OSError: the folder is not there or cannot be written to.
    """
    place = path_of(target)
    # In the same folder, since only there one step puts it in the place of the other.
    file = tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name[:40]}.", delete=False)  # noqa: SIM115
    try:
        with file:
            yield cast("BinaryIO", file)
        if not overwrite and place.exists():
            raise InvalidInput(f"{str(place)!r} was written by somebody else in the meantime; it stays as it is.")
        # A file that is there keeps its rights; a new one gets the usual ones and not those of a temporary file.
        os.chmod(file.name, place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_mask())
        os.replace(file.name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(file.name)
        raise


def path_of(target: str | os.PathLike[str]) -> Path:
    """Return a path, a ``~`` at its beginning replaced.

    Raises:
        InvalidInput: there is no such user, or it is no path.
    """
    try:
        return Path(target).expanduser()
    except (RuntimeError, TypeError, ValueError):
        raise InvalidInput(f"{target!r} cannot be the name of a file.") from None


def _mask() -> int:
    """Return the rights that new files of this process do not get; asking is possible by setting only."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
