"""From a text to its pieces: literal text, ``{{ expression }}``, ``{% statement %}``; comments are dropped.

The braces of ``{{!``, ``{%!`` and ``{#!`` are literal and lose the ``!``. An expression ends at the first ``}}`` after
it, as in the original language; a string with ``}}`` inside cannot be written there either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .errors import parse_error

Kind = Literal["text", "expression", "statement"]

_OPENING_RE = re.compile(r"\{([{%#])(!?)")
_CLOSING: dict[str, tuple[str, Kind | None, str, str]] = {
    "{": ("}}", "expression", "Missing end expression }}", "Empty expression"),
    "%": ("%}", "statement", "Missing end block %}", "Empty block tag ({% %})"),
    "#": ("#}", None, "Missing end comment #}", ""),
}


@dataclass(frozen=True)
class Piece:
    """A part of a template; *line* counts from 1."""

    kind: Kind
    content: str
    line: int


def pieces(source: str) -> list[Piece]:
    """Take *source* apart.

    Raises:
        TemplateError: something that was opened is not closed, or is empty.
    """
    found: list[Piece] = []
    position, text, line = 0, "", 1
    while match := _OPENING_RE.search(source, position):
        text += source[position : match.start()]
        if match[2]:
            text += "{" + match[1]
            position = match.end()
            continue
        line = source.count("\n", 0, match.start()) + 1
        # In "{{{ x }}" the outer brace is text: the last two braces open.
        begin = match.start()
        while match[1] == "{" and source[begin + 2 : begin + 3] == "{":
            text += "{"
            begin += 1
        closing, kind, missing, empty = _CLOSING[match[1]]
        end = source.find(closing, begin + 2)
        if end < 0:
            raise parse_error(missing, line)
        content = source[begin + 2 : end].strip()
        position = end + 2
        if kind is None:
            continue
        if not content:
            raise parse_error(empty, line)
        if text:
            found.append(Piece("text", text, line))
            text = ""
        found.append(Piece(kind, content, line))
    text += source[position:]
    if text:
        found.append(Piece("text", text, line))
    return found
