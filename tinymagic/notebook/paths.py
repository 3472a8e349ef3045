"""Paths as a person writes them in a line."""

from __future__ import annotations

from pathlib import Path

from tinymagic.notebook.problems import CellProblem


def path_of(written: str) -> Path:
    """Return a path; a ``~`` in front is the home folder, of the user whose name follows it.

    Raises:
        CellProblem: there is no such user.
    """
    try:
        return Path(written).expanduser()
    except RuntimeError:
        raise CellProblem(f"{written!r} cannot be a path: there is no such user, or no home folder.") from None


#: Bytes of a file with SQL, a Pipe or a value: far more than a service takes of them.
_MOST_BYTES = 2_000_000


def read_at_most(path: Path, most_bytes: int = _MOST_BYTES) -> bytes:
    """Return what is in a file, and not more: some that tell no length, devices for instance, have no end.

    Raises:
        CellProblem: there is more in it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise CellProblem(f"{str(path)!r} is too large: it has more than {most_bytes // 1_000_000} MB.")
    return data
