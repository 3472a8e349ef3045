"""What is wrong in a project, file by file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        file: path in the project; empty when no file is to blame.
        message: one or more sentences.
        line: from 1; 0 when the whole file is meant.
    """

    file: str
    message: str
    line: int = 0

    @property
    def text(self) -> str:
        """The message with its line in front."""
        return f"line {self.line}: {self.message}" if self.line else self.message

    def reply(self) -> dict[str, str]:
        """Return the object of the reply's ``errors``."""
        return {"filename": self.file, "error": self.text} if self.file else {"error": self.text}


class ProjectInvalid(Exception):  # noqa: N818 - says what happened
    """The project cannot be deployed, and nothing was changed.

    Attributes:
        problems: all that were found, ordered by file and line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(dict.fromkeys(problems), key=lambda each: (each.file, each.line))
        super().__init__("\n".join(f"{each.file}: {each.text}" if each.file else each.text for each in self.problems))
