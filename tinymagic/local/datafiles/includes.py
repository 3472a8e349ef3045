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

#: How deep included files may include others, how many there may be in one datafile, and how much text they may add.
_DEPTH_MAX = 10
_COUNT_MAX = 500
_SIZE_MAX_CHARS = 1_000_000
_ARGUMENTS_MAX_CHARS = 4_000
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
        self._left_count = _COUNT_MAX

    def lines(self, text: str, file: str) -> list[Line]:
        """Return the lines of a text: any line end, no byte order mark."""
        clean = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        lines = clean.split("\n")
        if all(line[:1].isspace() for line in lines if line.strip()):
            lines = dedent(lines)  # A file that is indented as a whole.
        return [Line(line, number, file) for number, line in enumerate(lines, 1)]

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
            path, *assignments = shlex.split(arguments[:_ARGUMENTS_MAX_CHARS])
        except ValueError:
            message = f'INCLUDE cannot be read: {arguments[:100]}. Write INCLUDE "path" "NAME=value".'
            raise DatafileError(message, file=line.file, line=line.number) from None
        found = self._find(path, line.file)
        if found is None:
            message = f"The included file {path!r} is not there: send it with the project."
            raise DatafileError(message, file=line.file, line=line.number)
        values = dict(each.split("=", 1) for each in assignments if "=" in each)
        text = self._texts[found]
        longest = max(map(len, values.values()), default=0)
        self._left_chars -= len(text) + text.count("$") * longest
        self._left_count -= 1
        if depth >= _DEPTH_MAX or self._left_chars < 0 or self._left_count < 0:
            message = f"INCLUDE {path!r} goes too deep: do the files include each other?"
            raise DatafileError(message, file=line.file, line=line.number)
        text = _VARIABLE_RE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)
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


def dedent(lines: list[str]) -> list[str]:
    """Take the white space off that all lines which are not blank begin with; blank lines become empty."""
    shared: str | None = None
    for line in lines:
        if not line.strip():
            continue
        indent = line[: len(line) - len(line.lstrip())]
        if shared is None:
            shared = indent
        while not line.startswith(shared):
            shared = shared[:-1]
        if not shared:
            break
    cut = len(shared or "")
    return [line[cut:] if line.strip() else "" for line in lines]
