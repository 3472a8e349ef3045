"""From the text of a datafile to statements: keyword, value, place.

A datafile is a sequence of statements. Each begins at a line whose first word is a keyword; its value is the rest of
the line, or, after ``>``, the lines that follow, up to the next statement. Where a value of many lines ends is the hard
part, because SQL and schemas contain words that are keywords here too (``type``, ``token``, ``engine``):

* an indented line never ends it;
* a line at the margin ends it when it begins with a keyword in capitals. When the lines of the value stand at the
  margin themselves, or the word is in small letters, what follows the word has to fit as well: ``TYPE endpoint`` does,
  ``type String,`` does not;
* a word in capitals at the margin that is nearly a keyword is a spelling mistake and not part of the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile
from typing import TYPE_CHECKING

from .includes import Includes, Line, dedent
from .keywords import KEYWORDS, LONG_TEXTS, NODE_TYPES, explain_unknown, looks_misspelled
from .model import DatafileError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_WORD_RE = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)(?=[\s>]|$)")
_COMMENT_RE = re.compile(r"\s*(?:#|--)")
_NOT_A_VALUE_RE = re.compile(r"[,()=.+*/<;]|(?:AS|IN|IS|AND|OR|NOT|LIKE|BETWEEN|ASC|DESC|FROM)\b", re.IGNORECASE)
_SQL_START_RE = re.compile(r">|%|\(|(?:SELECT|WITH|INSERT)\b", re.IGNORECASE)

#: After so many errors no more nearest keywords are looked for.
_HINTS_MAX = 20


@dataclass(frozen=True)
class Statement:
    """One statement of a datafile.

    Attributes:
        keyword: in capitals.
        value: a text in one line without outer quotes; a text of many lines without the indentation they share.
        line: of the keyword, from 1.
        value_line: of the first line of *value*.
        file: where both lines are: the datafile or an included file.
        is_block: whether the value had lines of its own.
    """

    keyword: str
    value: str
    line: int
    value_line: int
    file: str
    is_block: bool = False

    @property
    def setting(self) -> str:
        """The value in one line."""
        return " ".join(self.value.split()) if self.is_block else self.value


def read_statements(
    text: str, file: str, kind: str, includes: Mapping[str, str]
) -> tuple[list[Statement], list[DatafileError]]:
    """Cut a datafile into statements.

    Args:
        text: of the file.
        file: its path in the project.
        kind: one of `KEYWORDS`.
        includes: texts of files that an INCLUDE line may name, by path in the project.

    Returns:
        the statements, and what could not be read.
    """
    reader = _Reader(Includes(includes), kind)
    reader.read(reader.includes.lines(text, file), 0)
    return reader.statements, reader.errors


class _Reader:
    def __init__(self, includes: Includes, kind: str) -> None:
        self.includes = includes
        self.kind = kind
        self.keywords = KEYWORDS[kind]
        self.statements: list[Statement] = []
        self.errors: list[DatafileError] = []

    def read(self, lines: list[Line], depth: int) -> None:
        at = 0
        while at < len(lines):
            line = lines[at]
            if not line.text.strip() or _COMMENT_RE.match(line.text):
                at += 1
                continue
            match = _FIRST_WORD_RE.match(line.text)
            keyword = match[1].upper() if match else ""
            if not match or keyword not in self.keywords:
                at = self._unknown(lines, at)
                continue
            rest = line.text[match.end() :].strip()
            if keyword == "INCLUDE":
                self._include(rest, line, depth)
                at += 1
            elif rest.startswith(">") or keyword in LONG_TEXTS:
                at = self._block(keyword, lines, at, rest)
            else:
                self.statements.append(
                    Statement(keyword, unquoted(_without_comment(rest)), line.number, line.number, line.file)
                )
                at += 1

    def _unknown(self, lines: list[Line], at: int) -> int:
        """Report a line that is no statement; the lines that belong to it are passed over."""
        line = lines[at]
        word = line.text.split(None, 1)[0]
        message = explain_unknown(word, self.kind, hint=len(self.errors) < _HINTS_MAX)
        self.errors.append(DatafileError(message, file=line.file, line=line.number))
        at += 1
        while at < len(lines) and not (lines[at].text[:1].strip() and self._starts_statement(lines[at], True)):
            at += 1
        return at

    def _include(self, rest: str, line: Line, depth: int) -> None:
        try:
            included = self.includes.included(_without_comment(rest), line, depth)
        except DatafileError as error:
            self.errors.append(error)
        else:
            self.read(included, depth + 1)

    def _block(self, keyword: str, lines: list[Line], at: int, rest: str) -> int:
        """Read a statement whose value may have lines of its own; return the place after it."""
        start = lines[at]
        marked = rest.startswith(">")
        inline = rest[1:].strip() if marked else rest
        content: list[Line] = []
        at += 1
        indented: bool | None = None
        goes_on = marked or keyword in ("SQL", "FORWARD_QUERY") or not inline
        while at < len(lines):
            line = lines[at]
            if line.text[:1].strip() and line.text[0] != "#":
                indented = bool(indented)
                if not goes_on or self._starts_statement(line, indented):
                    break
                if indented and self._is_mistake(line):
                    break
            elif line.text[:1].isspace() and line.text.strip() and indented is None:
                indented = True
            content.append(line)
            at += 1
        while content and (not content[-1].text.strip() or content[-1].text.startswith("#")):
            content.pop()  # Comments at the margin after the last line belong to what follows.
        content = list(dropwhile(lambda line: not line.text.strip(), content))
        if not content:
            value = inline if keyword in LONG_TEXTS else _without_comment(inline)
            value = value if keyword == "SQL" else unquoted(value)
            self.statements.append(Statement(keyword, value, start.number, start.number, start.file))
            return at
        texts = dedent(["" if line.text.startswith("#") else line.text for line in content])
        if keyword != "SQL":
            texts = [text.rstrip() for text in texts]
        first = content[0].number
        if inline:
            texts, first = [inline, *texts], start.number
        self.statements.append(
            Statement(keyword, "\n".join(texts).rstrip(), start.number, first, start.file, is_block=True)
        )
        return at

    def _is_mistake(self, line: Line) -> bool:
        """Tell whether a line at the margin after indented ones begins with a keyword that is spelled wrong."""
        match = _FIRST_WORD_RE.match(line.text)
        if not match or not match[1].isupper():
            return False
        rest = line.text[match.end() :].strip()
        return bool(rest) and not _NOT_A_VALUE_RE.match(rest) and looks_misspelled(match[1], self.kind)

    def _starts_statement(self, line: Line, indented: bool) -> bool:
        """Tell whether a line at the margin begins a statement.

        Args:
            line: the line.
            indented: whether the lines of the value before it are indented.
        """
        match = _FIRST_WORD_RE.match(line.text)
        if not match or match[1].upper() not in self.keywords:
            return False
        rest = line.text[match.end() :].strip()
        if match[1].isupper() and indented:
            return True
        return _fits(match[1].upper(), rest, capitals=match[1].isupper())


def _fits(keyword: str, rest: str, *, capitals: bool) -> bool:
    """Tell whether *rest* can be the value of *keyword* rather than a piece of SQL or of a schema."""
    if rest.startswith(">"):
        return not rest[1:].strip() or capitals
    if capitals and "_" in keyword:
        return True
    if not rest or rest.endswith(",") or _NOT_A_VALUE_RE.match(rest):
        return capitals and not rest and keyword in LONG_TEXTS
    words = rest.split()
    if keyword == "NODE":
        return len(words) == 1
    if keyword == "TYPE":
        first = words[0].strip("\"'").lower()
        return first in NODE_TYPES or (capitals and len(words) == 1 and not first[0].isdigit())
    if keyword == "SQL":
        return bool(_SQL_START_RE.match(rest))
    if keyword == "TOKEN":
        return any(word.strip("\"'").upper() in ("READ", "APPEND") for word in words[1:])
    if keyword == "VERSION":
        return rest.isdigit()
    if keyword == "INCLUDE":
        return rest[0] in "\"'"
    return capitals or "_" in keyword or (len(words) == 1 and keyword in ("ENGINE", "TAGS"))


def _without_comment(text: str) -> str:
    """Cut off a comment after a value: ``#`` after white space and outside of quotes and braces."""
    if "#" not in text:
        return text
    quote, braces = "", 0
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
        elif char in "{}":
            braces += 1 if char == "{" else -1
        elif char == "#" and not braces and (index == 0 or text[index - 1].isspace()):
            return text[:index].rstrip()
    return text


def unquoted(text: str) -> str:
    """Take the quotes off that stand around a whole text; quoted names in a list keep theirs.

    Example:
        >>> unquoted('"toDate(a)"'), unquoted('"a", "b"'), unquoted("'concat('a')'")
        ('toDate(a)', '"a", "b"', "concat('a')")
    """
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return text
    closing = text.index(text[0], 1)
    if closing < len(text) - 1 and re.match(r"\s*[,)+=|]|\s+\w", text[closing + 1 :]):
        return text
    return text[1:-1].strip()


def read_value(text: str) -> str | None:
    """Read what stands after a keyword in the same line; ``None`` when the value goes on in the next lines.

    Example:
        >>> read_value('"a, b"  # the key'), read_value(">")
        ('a, b', None)
    """
    return None if text.startswith(">") else unquoted(_without_comment(text))
