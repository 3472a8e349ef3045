"""Cutting a datafile into statements.

A statement is a keyword at the margin and its value: the rest of the line, or the lines below it. The hard part is
where such lines end, because SQL and schemas hold words that are keywords too (``type``, ``token``, ``engine``):

* an indented line never ends a value;
* when the lines of the value are indented, a line at the margin that begins with any word ends it: a keyword that is
  not known here is still a keyword;
* when they stand at the margin themselves, only a known keyword in capitals ends it, and not one behind which a comma
  ends the line, for that is a column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import dropwhile
from typing import TYPE_CHECKING

from tinymagic.datafiles.values import read_value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Their text goes on in the lines below also without ``>``.
_LONG = frozenset({"SQL", "DESCRIPTION", "SCHEMA", "INDEXES", "FORWARD_QUERY", "SHARED_WITH", "IMPORT_QUERY"})

_KNOWN = _LONG | frozenset(
    """
    NODE TYPE DATASOURCE TARGET_DATASOURCE TARGET_WORKSPACE MATERIALIZED_DATASOURCE COPY_SCHEDULE COPY_MODE
    SCHEDULE_CRON MODE DEPLOYMENT_METHOD TOKEN TAGS INCLUDE VERSION MAINTAINER SOURCE SOURCES CACHE PUBLISHED_VERSION
    ENGINE BACKFILL PARTITION_KEY SORTING_KEY PRIMARY_KEY SAMPLING_KEY
    """.split()
)
_FAMILY_RE = re.compile(r"(?:ENGINE|KAFKA|IMPORT|EXPORT|COPY|S3|GCS|DYNAMODB)_[A-Z0-9_]+")
_WORD_RE = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?=[\s>]|$)")
_COMMENT_RE = re.compile(r"\s*(?:#|--)")


@dataclass(frozen=True)
class Line:
    """A line with the place that it comes from.

    Attributes:
        text: without its end.
        file: that it stands in.
        number: in that file, from 1.
    """

    text: str
    file: str = ""
    number: int = 0


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        keyword: in capitals.
        value: in one line without outer quotes, or several without the indentation that they share.
        written: the rest of the keyword's line as it is.
    """

    keyword: str
    value: str
    written: str

    @property
    def setting(self) -> str:
        """The value in one line."""
        return " ".join(self.value.split()) if "\n" in self.value else self.value


def lines_of(text: str, file: str = "") -> list[Line]:
    """Cut a text into lines: any line end, without a byte order mark."""
    clean = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = clean.split("\n")
    if all(line[:1].isspace() for line in lines if line.strip()):
        lines = dedent(lines)  # A file that is indented as a whole.
    return [Line(line, file, number) for number, line in enumerate(lines, 1)]


def read_statements(lines: Sequence[Line]) -> list[Statement]:
    """Cut lines into statements; what is no statement at all, for instance a line of symbols, is passed over."""
    found = []
    at = 0
    while at < len(lines):
        text = lines[at].text
        match = None if _COMMENT_RE.match(text) else _WORD_RE.match(text.lstrip())
        at += 1
        if match is None:
            continue
        keyword = match[1].upper()
        rest = text.lstrip()[match.end() :].strip()
        if rest.startswith(">") or keyword in _LONG:
            value, at = _long_value(keyword, rest, lines, at)
        else:
            value = read_value(rest) or ""
        found.append(Statement(keyword, value, rest))
    return found


def _long_value(keyword: str, rest: str, lines: Sequence[Line], at: int) -> tuple[str, int]:
    """Read a value that may have lines of its own; return it and the place behind it."""
    marked = rest.startswith(">")
    inline = rest[1:].strip() if marked else rest
    at_margin_too = marked or not inline or keyword in ("SQL", "FORWARD_QUERY")
    content: list[str] = []
    indented: bool | None = None
    while at < len(lines):
        text = lines[at].text
        if text[:1].strip() and text[0] != "#":
            indented = bool(indented)
            if not at_margin_too or _ends_value(text, indented):
                break
        elif text.strip() and text[0] != "#" and indented is None:
            indented = True
        content.append(text)
        at += 1
    while content and (not content[-1].strip() or content[-1].startswith("#")):
        content.pop()  # Comments at the margin behind the last line belong to what follows.
    content = list(dropwhile(lambda line: not line.strip(), content))
    below = dedent(["" if text.startswith("#") else text for text in content])
    if not below:
        return inline if keyword == "SQL" else read_value(inline) or "", at
    return "\n".join([inline, *below] if inline else below).rstrip(), at


def _ends_value(text: str, indented: bool) -> bool:
    """Say whether a line at the margin begins a statement instead of going on with the value above it."""
    match = _WORD_RE.match(text)
    if match is None:
        return False
    word = match[1]
    known = word.upper() in _KNOWN or bool(_FAMILY_RE.fullmatch(word.upper()))
    if indented:
        return known or word.isupper()
    return known and word.isupper() and not text.rstrip().endswith(",")


def dedent(lines: Sequence[str]) -> list[str]:
    """Take off the blanks that all lines begin with; lines of blanks become empty."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return [""] * len(lines)
    low, high = min(filled), max(filled)
    shared = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    cut = min(shared, *(len(line) - len(line.lstrip()) for line in filled))
    return [line[cut:] if line.strip() else "" for line in lines]
