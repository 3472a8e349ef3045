"""Where an offset of the SQL is in the cell that the user wrote. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place in the user's text.

    Attributes:
        line: number of the line, the first is 1.
        column: characters before it in *text*.
        text: the whole line.
        name: of the file, or ``""`` for the cell.
    """

    line: int
    column: int
    text: str
    name: str = ""


@dataclass(frozen=True)
class Source:
    """The user's SQL and where it stands.

    Attributes:
        sql: the text, without the words of the magic.
        first_line: number of the line of the cell, or of the file, on which it begins.
        prefix: what stands before it on that line, for instance ``%tbsql ``.
        name: of the file that it was read from, or ``""``.
    """

    sql: str
    first_line: int = 1
    prefix: str = ""
    name: str = ""

    def place(self, offset: int) -> Place:
        r"""Return the place of a character of `sql`; beyond its end, that of its last visible one.

        Example:
            >>> Source("SELECT 1\nFROM t", first_line=2).place(14)
            Place(line=3, column=5, text='FROM t', name='')
        """
        offset = max(0, min(offset, len(self.sql.rstrip())))
        before = self.sql[:offset]
        row = before.count("\n")
        column = offset - (before.rfind("\n") + 1)
        text = self.sql.split("\n")[row]
        if row == 0:
            text, column = self.prefix + text, len(self.prefix) + column
        return Place(self.first_line + row, column, text.rstrip("\r"), self.name)


def line_of_cell(cell: str, magic: str, line: str) -> tuple[int, str]:
    r"""Find a magic in the cell that it was run from.

    Args:
        cell: the whole cell as it was typed.
        magic: with its percent signs.
        line: what follows the magic's name.

    Returns:
        Number of its line, the first is 1, and what stands before *line* there. When it cannot be told which line it
        is (it runs in a function, or stands there twice), the first line and the magic alone.

    Example:
        >>> line_of_cell("n = 1\ndf = %tbsql SELECT {{ n }}", "%tbsql", "SELECT {{ n }}")
        (2, 'df = %tbsql ')
    """
    wanted = line.rstrip()
    found = [
        (number, text.rstrip()[: len(text.rstrip()) - len(wanted)])
        for number, text in enumerate(cell.splitlines(), 1)
        if magic in text and text.rstrip().endswith(wanted)
    ]
    return found[0] if len(found) == 1 else (1, f"{magic} ")
