"""The words of a magic's line, with quotes as in a shell. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinymagic.notebook.problems import CellProblem

_WORD_RE = re.compile(r"""(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\\$)+""")
_PART_RE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+|\\$)""")


@dataclass(frozen=True)
class Word:
    """A word of a line: quotes are taken off it, and may hold blanks.

    Attributes:
        text: without the quotes.
        start: offset of its first character in the line.
        end: offset after its last one.
    """

    text: str
    start: int
    end: int


def skip_blanks(line: str, at: int) -> int:
    """Return the offset of the next sign that is no blank, or the length of the line.

    Example:
        >>> skip_blanks("a   b", 1)
        4
    """
    return len(line) - len(line[at:].lstrip())


def next_word(line: str, at: int) -> Word | None:
    r"""Return the word that begins at or behind offset *at*, or ``None`` at the end of the line.

    Quotes work as in a shell; in double quotes ``\`` keeps the next quote.

    Raises:
        CellProblem: a quote is not closed.

    Example:
        >>> next_word("--param 'a b' x", 7).text
        'a b'
    """
    start = skip_blanks(line, at)
    if start == len(line):
        return None
    found = _WORD_RE.match(line, start)
    end = found.end() if found else start
    if end < len(line) and line[end] in "'\"":
        raise CellProblem(f"This {line[end]} is not closed.", position=end, in_line=True)
    parts = []
    for single, double, escaped, bare in _PART_RE.findall(line[start:end]):
        parts.append(single or re.sub(r'\\(["\\])', r"\1", double) or escaped or bare)
    return Word("".join(parts), start, end)


def words_of(line: str) -> list[Word]:
    """Cut a line into its words.

    Raises:
        CellProblem: a quote is not closed.

    Example:
        >>> [word.text for word in words_of("create x --schema 'a Int8, b String'")]
        ['create', 'x', '--schema', 'a Int8, b String']
    """
    found = []
    word = next_word(line, 0)
    while word is not None:
        found.append(word)
        word = next_word(line, word.end)
    return found
