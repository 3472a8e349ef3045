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
def replacing(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give the block a file to write to, which takes the place of *target* when the block ends without an error.

    Args:
        target: path; what is there stays as it is until then, and whenever something goes wrong.

    Raises:
        InvalidInput: there is no such user whose home *target* is in.
        OSError: the folder is not there or cannot be written to.
    """
    try:
        place = Path(target).expanduser()
    except RuntimeError:
        raise InvalidInput(f"{os.fspath(target)!r} cannot be the name of a file.") from None
    # In the same folder, since only there one step puts it in the place of the other.
    file = tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name[:40]}.", delete=False)  # noqa: SIM115
    try:
        with file:
            yield cast("BinaryIO", file)
        # A file that is there keeps its rights; a new one gets the usual ones and not those of a temporary file.
        os.chmod(file.name, place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_mask())
        os.replace(file.name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(file.name)
        raise


def _mask() -> int:
    """Return the rights that new files of this process do not get; asking is possible by setting only."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
