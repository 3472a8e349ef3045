"""INCLUDE: lines of another file in the place of the INCLUDE line, before a project is sent.

A service of the Forward generation knows no INCLUDE, so the client puts the lines in. Each line keeps its place of
origin: what the service says about a line is shown at the file and line that a person wrote.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from tinymagic.datafiles.statements import Line, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

_INCLUDE_RE = re.compile(r"INCLUDE\s+(\S.*)", re.IGNORECASE)
_VARIABLE_RE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_DEPTH_MAX = 10
#: So that files which include others twice, and those others again, do not fill the memory.
_LINES_MAX = 100_000


class IncludeProblem(ValueError):  # noqa: N818 - a sentence about a file, as CellProblem is about a cell
    """An INCLUDE line that cannot be followed.

    Attributes:
        file: that the line stands in.
        line: its number, from 1.
        reason: a sentence.
    """

    def __init__(self, reason: str, line: Line) -> None:
        super().__init__(f"{line.file}:{line.number}: {reason}")
        self.reason = reason
        self.file = line.file
        self.line = line.number


def expanded(text: str, file: str, read: Callable[[str], str | None]) -> list[Line]:
    r"""Return the lines of a datafile with those of included files among them.

    Args:
        text: of the datafile.
        file: its path in the project, with ``/``.
        read: gives the text of a path in the project (it may begin with ``..``), or ``None`` when there is no such
            file.

    Raises:
        IncludeProblem: a file is not there, or files include each other.

    Example:
        >>> read = {"key.incl": "ENGINE_SORTING_KEY $KEY"}.get
        >>> lines = expanded('INCLUDE "key.incl" "KEY=day"', "a.datasource", read)
        >>> [(line.text, line.file, line.number) for line in lines]
        [('ENGINE_SORTING_KEY day', 'key.incl', 1)]
    """
    found: list[Line] = []
    _expand(lines_of(text, file), read, found, 0)
    return found


def _expand(lines: list[Line], read: Callable[[str], str | None], found: list[Line], depth: int) -> None:
    for line in lines:
        match = _INCLUDE_RE.fullmatch(line.text.rstrip())
        if match is None or (match[1].lstrip()[0] not in "\"'./" and not re.search(r"\.incl\b", match[1])):
            found.append(line)
        else:
            text, path = _included(match[1], line, read)
            if depth >= _DEPTH_MAX or len(found) > _LINES_MAX:
                raise IncludeProblem(f"INCLUDE {path!r} goes too deep: do the files include each other?", line)
            _expand(lines_of(text, path), read, found, depth + 1)


def _included(arguments: str, line: Line, read: Callable[[str], str | None]) -> tuple[str, str]:
    try:
        path, *assignments = shlex.split(arguments, comments=True)
    except ValueError:
        raise IncludeProblem('INCLUDE cannot be read. Write INCLUDE "path" "NAME=value".', line) from None
    values = dict(each.split("=", 1) for each in assignments if "=" in each)
    for folder in (posixpath.dirname(line.file), ""):
        place = posixpath.normpath(posixpath.join(folder, path))
        text = read(place)
        if text is not None:
            return _VARIABLE_RE.sub(lambda found: values.get(found[1] or found[2], found[0]), text), place
    raise IncludeProblem(f"The included file {path!r} is not there.", line)
