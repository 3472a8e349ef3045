"""What counts as a full disk."""

from __future__ import annotations

import errno

import pytest

from tinymagic.local.app import _is_full_disk
from tinymagic.local.engine import DiskFull, EngineError, engine_failure


@pytest.mark.parametrize(
    "text",
    [
        "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)",
        (
            "Code: 75. DB::ErrnoException: Cannot write to file x: , errno: 28, strerror: No space left on device. "
            "(CANNOT_WRITE_TO_FILE_DESCRIPTOR)"
        ),
        (
            "Code: 75. DB::ErrnoException: Cannot write to file x: , errno: 27, strerror: File too large. "
            "(CANNOT_WRITE_TO_FILE_DESCRIPTOR)"
        ),
    ],
)
def test_engine_without_room(text: str) -> None:
    """The engine's words for it are no error of the request."""
    failure = engine_failure(text)
    assert isinstance(failure, DiskFull)
    assert _is_full_disk(failure)


@pytest.mark.parametrize(
    "text",
    [
        (
            "Code: 75. DB::ErrnoException: Cannot write to file x: , errno: 5, strerror: Input/output error. "
            "(CANNOT_WRITE_TO_FILE_DESCRIPTOR)"
        ),
        (
            "Code: 395. DB::Exception: NOT_ENOUGH_SPACE, No space left: while executing. "
            "(FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"
        ),
    ],
)
def test_other_errors_of_the_engine(text: str) -> None:
    """Another failed write, and a text of the user that only says so, stay what they are."""
    assert isinstance(engine_failure(text), EngineError)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_operating_system_without_room(number: int) -> None:
    """Full disk, largest size of a file, quota."""
    assert _is_full_disk(OSError(number, "x"))


def test_other_failures() -> None:
    """A missing file is a mistake of ours."""
    assert not _is_full_disk(FileNotFoundError(errno.ENOENT, "x"))
    assert not _is_full_disk(ValueError("x"))
