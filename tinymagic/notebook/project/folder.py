"""Reading a project's folder: its datafiles, with included lines in their places."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinymagic.datafiles.includes import IncludeProblem, expanded
from tinymagic.datafiles.places import KINDS, kind_of, name_of
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinymagic.datafiles.statements import Line

#: Folders with what is not the project's own: other Workspaces' (Classic), and packages.
_NOT_OURS = frozenset({"vendor", "vendored", "node_modules", "site-packages", "venv", "__pycache__"})

#: More than a service takes, and few enough to find out soon that a folder is no project: a home folder, for instance.
MOST_FILES = 2_000
_MOST_FOLDERS = 20_000
#: Bytes of a datafile; a larger file has this ending by chance.
_LARGEST = 2_000_000


@dataclass(frozen=True)
class ProjectFile:
    """A datafile of a project.

    Attributes:
        path: in the folder, with ``/``.
        lines: with those of included files among them.
        written: the file as it is.
    """

    path: str
    lines: tuple[Line, ...]
    written: str

    @property
    def text(self) -> str:
        """What is sent."""
        return "\n".join(line.text for line in self.lines)

    def origin(self, number: int) -> tuple[str, int]:
        """Return the file and the line that a person has written, for a line of `text`, from 1."""
        if 1 <= number <= len(self.lines):
            return self.lines[number - 1].file, self.lines[number - 1].number
        return self.path, number


@dataclass(frozen=True)
class Project:
    """A folder of datafiles.

    Attributes:
        folder: absolute.
        files: by path; Data Sources first, then Pipes, then connections.
    """

    folder: Path
    files: Mapping[str, ProjectFile]

    def texts(self) -> dict[str, str]:
        """Return what a deployment sends: path -> text."""
        return {path: file.text for path, file in self.files.items()}

    def path_of(self, kind: str, name: str) -> str | None:
        """Return the path of the file that defines a resource, or ``None``."""
        return next((path for path in self.files if name_of(path) == name and kind_of(path) == kind), None)


def read_project(folder: str | Path, *, empty: bool = False) -> Project:
    """Read the datafiles in a folder and its folders.

    Passed over: hidden files and folders (``.tinyb`` has a token), ``vendor`` and the like, and links to folders.

    Args:
        folder: relative ones count from the notebook's.
        empty: whether there may be no datafile, or no folder.

    Raises:
        CellProblem: there is no such folder, no datafile in it, or a file that cannot be read.
    """
    try:
        root = Path(folder).expanduser().resolve()
        root.exists()
    except (OSError, RuntimeError, ValueError) as error:
        # Too long, a circle of links, no such user: what pathlib says so differs between the versions of Python.
        reason = getattr(error, "strerror", None) or error
        raise CellProblem(f"{str(folder)[:200]!r} cannot be a folder: {reason}.") from None
    if root.is_file() or not (root.is_dir() or empty):
        reason = "is a file" if root.is_file() else "is not there"
        raise CellProblem(f"The folder {str(folder)!r} {reason}. Name the folder of your project.")
    paths = sorted(_paths(root), key=lambda path: (list(KINDS).index(path.suffix), path.as_posix()))
    if not paths and not empty:
        raise CellProblem(
            f"There is no datafile in {str(root)!r}: a project has files that end in {', '.join(KINDS)}. "
            "%tinybird pull FOLDER writes those of this Workspace."
        )
    files = {}
    for path in paths:
        place = path.relative_to(root).as_posix()
        written = _text(path, place)
        try:
            lines = expanded(written, place, lambda wanted: _included(root, wanted))
        except IncludeProblem as problem:
            raise CellProblem(f"{problem} Nothing was sent.") from None
        files[place] = ProjectFile(place, tuple(lines), written)
    return Project(root, files)


def _paths(root: Path) -> Iterator[Path]:
    found = 0
    for folders, (where, below, names) in enumerate(os.walk(root)):
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in _NOT_OURS)
        for name in names:
            if kind_of(name) and not name.startswith("."):
                found += 1
                yield Path(where, name)
        if folders > _MOST_FOLDERS or found > MOST_FILES:
            raise CellProblem(
                f"{str(root)!r} has more than {MOST_FILES:,} datafiles or {_MOST_FOLDERS:,} folders: is it the folder "
                "of one project?"
            )


def _text(path: Path, place: str) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file():
            # A link to a device or a pipe: they tell no length, and may have no end.
            raise CellProblem(f"{place} is not a regular file.")
        data = path.read_bytes() if size <= _LARGEST else None
    except OSError as error:
        raise CellProblem(f"{place} cannot be read: {error.strerror or error}.") from None
    if data is None:
        raise CellProblem(f"{place} has more than {_LARGEST // 1_000_000} MB: is it a datafile?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CellProblem(f"{place}:{line}: the file is not UTF-8. Save it as UTF-8.") from None


def _included(root: Path, wanted: str) -> str | None:
    """Return the text of an included file: one of the project that is not hidden."""
    try:
        path = (root / wanted).resolve()
    except (OSError, RuntimeError, ValueError):
        return None  # A circle of links, or signs that no path has.
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts) if path.is_relative_to(root) else True
    if hidden or not path.is_file():
        return None
    return _text(path, wanted)
