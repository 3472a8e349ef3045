"""INCLUDE of Classic: lines of another file take the place of the INCLUDE line."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model import DatafileError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How deep included files may include others, and how much text they may add to one datafile.
_DEPTH_MAX = 10
_SIZE_MAX_CHARS = 2_000_000
_VARIABLE_RE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Line:
    """A line with its place."""

    text: str
    number: int
    file: str


class Includes:
    """The files that INCLUDE lines of one datafile may name.

    Args:
        texts: by path in the project.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._left_chars = _SIZE_MAX_CHARS

    def lines(self, text: str, file: str) -> list[Line]:
        """Return the lines of a text: any line end, no byte order mark."""
        clean = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        return [Line(line, number, file) for number, line in enumerate(clean.split("\n"), 1)]

    def included(self, arguments: str, line: Line, depth: int) -> list[Line]:
        """Return the lines that an INCLUDE line stands for.

        Args:
            arguments: ``"path" "NAME=value" ...``.
            line: the INCLUDE line.
            depth: how many files are being included already.

        Raises:
            DatafileError: no such file, or files that include each other.
        """
        try:
            path, *assignments = shlex.split(arguments)
        except ValueError:
            message = f'INCLUDE cannot be read: {arguments[:100]}. Write INCLUDE "path" "NAME=value".'
            raise DatafileError(message, file=line.file, line=line.number) from None
        found = self._find(path, line.file)
        if found is None:
            message = f"The included file {path!r} is not there: send it with the project."
            raise DatafileError(message, file=line.file, line=line.number)
        text = self._texts[found]
        self._left_chars -= len(text)
        if depth >= _DEPTH_MAX or self._left_chars < 0:
            message = f"INCLUDE {path!r} goes too deep: do the files include each other?"
            raise DatafileError(message, file=line.file, line=line.number)
        values = dict(each.split("=", 1) for each in assignments if "=" in each)
        text = _VARIABLE_RE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)
        self._left_chars -= max(0, len(text) - len(self._texts[found]))
        return self.lines(text, found)

    def _find(self, path: str, file: str) -> str | None:
        """Find a path as it is written: from the file's folder, from the project's, or by its last part alone."""
        folder = posixpath.dirname(file)
        for candidate in (posixpath.join(folder, path), path.lstrip("/")):
            normal = posixpath.normpath(candidate)
            if normal in self._texts:
                return normal
        last = posixpath.basename(path)
        return next((known for known in self._texts if posixpath.basename(known) == last), None)
