"""Text -> pieces: literal text, ``{{ }}``, ``{% %}``.

One pass; each character is looked at a bounded number of times. Braces are searched, not matched: ``{{`` ends at the
next ``}}``, whatever lies between. ``{{!``, ``{%!`` and ``{#!`` are literal braces, ``{# #}`` is dropped, and of three
opening braces the first is literal: ``{{{x}}}`` is ``{`` ``{{x}}`` ``}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import NotATemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_MISSING = {
    "{{": "Missing end expression }}",
    "{%": "Missing end block %}",
    "{#": "Missing end comment #}",
}
_OPENING_RE = re.compile(r"\{[{%#]")
_BLANKS_RE = re.compile(r"\s+")
_SPACES_RE = re.compile(r"[\t ]+")


@dataclass(frozen=True)
class Piece:
    """A part of the text of a template.

    Attributes:
        kind: ``text``, ``{{`` or ``{%``.
        content: the text, or what lies between the braces, stripped.
        line: the line of its first character, from 1.
    """

    kind: str
    content: str
    line: int


class Places:
    """Line numbers of positions in a text, asked for in rising order, and errors that name a place."""

    def __init__(self, text: str, name: str | None) -> None:
        self._text = text
        self._name = name or "<string>"
        self._position = 0
        self._line = 1

    def line(self, position: int) -> int:
        """Return the line of *position*, from 1."""
        self._line += self._text.count("\n", self._position, position)
        self._position = position
        return self._line

    def error(self, text: str, line: int) -> NotATemplate:
        """Make the error *text* that names *line*."""
        return NotATemplate(f"{text} at {self._name}:{line}")


def scan(text: str, places: Places) -> Iterator[Piece]:
    """Yield the pieces of *text* in order.

    Raises:
        NotATemplate: braces are not closed, or have nothing in them.
    """
    position = 0
    while True:
        start = _next_braces(text, position)
        if start > position:
            yield Piece("text", text[position:start], places.line(position))
        if start == len(text):
            return
        opening = text[start : start + 2]
        line = places.line(start)
        if text.startswith("!", start + 2):
            yield Piece("text", opening, line)
            position = start + 3
            continue
        end = text.find(_CLOSING[opening], start + 2)
        if end < 0:
            raise places.error(_MISSING[opening], line)
        if opening != "{#":
            # Of the content that is taken, the last line counts.
            yield Piece(opening, text[start + 2 : end].strip(), places.line(end))
        position = end + 2


def _next_braces(text: str, position: int) -> int:
    """Return where the next braces open; the length of *text* when none do."""
    while True:
        found = _OPENING_RE.search(text, position)
        if found is None:
            return len(text)
        start = found.start()
        if not text.startswith("{{{", start):
            return start
        position = start + 1


def collapse(text: str, mode: str) -> str:
    """Apply a mode of ``{% whitespace %}``: ``all`` keeps, ``single`` and ``oneline`` shorten runs of blanks."""
    if mode == "oneline":
        return _BLANKS_RE.sub(" ", text)
    if mode == "single":
        return _BLANKS_RE.sub(lambda run: "\n" if "\n" in run[0] else _SPACES_RE.sub(" ", run[0]), text)
    return text
