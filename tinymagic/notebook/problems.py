"""What is wrong with what the user wrote, found before anything is sent."""

from __future__ import annotations

from tinymagic.errors import InvalidInput


class CellProblem(InvalidInput):
    """A cell that cannot be right: an option, a name in ``{{ }}``, a text without SQL. Nothing was sent.

    Attributes:
        position: offset in the SQL, or in the magic's line, of where it is; ``None`` when it is everywhere.
        length: characters of it from there on.
        in_line: whether the position counts in the magic's line rather than in the SQL.
        suggestions: names that may have been meant.
    """

    def __init__(
        self,
        text: str,
        *,
        position: int | None = None,
        length: int = 1,
        in_line: bool = False,
        suggestions: tuple[str, ...] = (),
    ) -> None:
        super().__init__(text)
        self.position = position
        self.length = length
        self.in_line = in_line
        self.suggestions = suggestions
