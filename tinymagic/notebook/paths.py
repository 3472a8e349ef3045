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
