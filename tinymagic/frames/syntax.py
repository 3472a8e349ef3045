"""The syntax of ClickHouse type names: text -> a small immutable tree that knows no type.

A type name is a word, perhaps with arguments in parentheses. An argument is a row of items: one type (``UInt8``),
a name and a type (`` `b c` String``), a label and its number (``'it''s' = -1``), a setting (``max_types = 8``),
a number, a quoted string. What the items mean is the affair of each type family; here they are only told apart,
so an unknown type with arguments of any kind is read, and only text that is no type name at all is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class UnknownType(ValueError):  # noqa: N818 - the name says what happened, as in the rest of the package
    """The text is not a ClickHouse type name: a parenthesis or a quote is missing, or something follows the end."""


@dataclass(frozen=True)
class Item:
    """One token of an argument, with the arguments of its own when it is a call.

    Attributes:
        kind: ``word`` (bare or quoted identifier), ``string``, ``number`` or ``equals``.
        value: the text without quotes and escapes.
        raw: the text as it was written.
        arguments: the arguments in parentheses; ``None`` when there were no parentheses.
    """

    kind: str
    value: str
    raw: str
    arguments: tuple[tuple[Item, ...], ...] | None = None

    def __str__(self) -> str:
        """Write the item back on one line, in ClickHouse's own spacing."""
        if self.arguments is None:
            return self.raw
        return f"{self.raw}({', '.join(text_of(argument) for argument in self.arguments)})"


def text_of(argument: tuple[Item, ...]) -> str:
    """Write one argument back: its items, one space between them."""
    return " ".join(str(item) for item in argument)


def parse_syntax(text: str) -> Item:
    r"""Read a type name into its tree.

    Raises:
        UnknownType: the text is not a type name; the sentence says where reading stopped.

    Example:
        >>> str(parse_syntax("Tuple(\n    a UInt8,\n    `b c` String)"))
        'Tuple(a UInt8, `b c` String)'
    """
    reader = _Reader(text)
    argument = reader.argument()
    if len(argument) != 1 or argument[0].kind != "word" or not reader.at_end():
        raise reader.error()
    return argument[0]


_TOKEN_RE = re.compile(
    r"""\s*(?:
      (?P<word>[^\W\d][\w.]*)
    | (?P<number>[+-]?(?:\d[\w.]*(?:(?<=[eE])[+-]\d+)?|inf\b|nan\b))
    | (?P<string>'(?:[^'\\]|\\.|'')*')
    | (?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
    | (?P<mark>[(),=])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE_RE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\(.)|(''|``|\"\")", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b"}


def _unquoted(raw: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code, escaped, doubled = match.groups()
        if code:
            return chr(int(code, 16))
        # A doubled quote stands for itself only inside quotes of its own kind.
        if doubled:
            return doubled[0] if doubled[0] == raw[0] else doubled
        return _ESCAPED.get(escaped, escaped)

    return _ESCAPE_RE.sub(plain, raw[1:-1])


class _Reader:
    """Walks over the tokens of one text. Depth is bounded by the recursion limit, which becomes an UnknownType."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def error(self) -> UnknownType:
        shown = self.text if len(self.text) <= 200 else self.text[:200] + "..."
        return UnknownType(f"{shown!r} is not a ClickHouse type name: reading stopped at character {self.position}.")

    def at_end(self) -> bool:
        return not self.text[self.position :].strip()

    def argument(self) -> tuple[Item, ...]:
        items: list[Item] = []
        while match := _TOKEN_RE.match(self.text, self.position):
            kind = match.lastgroup or ""
            raw = match[kind]
            if kind == "mark" and raw != "=":
                break
            self.position = match.end()
            if kind == "mark":
                items.append(Item("equals", raw, raw))
            elif kind == "word":
                items.append(Item("word", raw, raw, self.arguments()))
            elif kind == "number":
                items.append(Item("number", raw, raw))
            else:
                items.append(Item("string" if kind == "string" else "word", _unquoted(raw), raw))
        if not items:
            raise self.error()
        return tuple(items)

    def mark(self) -> str:
        """Return the punctuation at this place, moving past it; an empty text when there is none."""
        match = _TOKEN_RE.match(self.text, self.position)
        if match is None or match.lastgroup != "mark":
            return ""
        self.position = match.end()
        return match["mark"]

    def arguments(self) -> tuple[tuple[Item, ...], ...] | None:
        start = self.position
        if self.mark() != "(":
            self.position = start
            return None
        inside = self.position
        if self.mark() == ")":
            return ()
        self.position = inside
        found: list[tuple[Item, ...]] = []
        while True:
            found.append(self.argument())
            mark = self.mark()
            if mark == ")":
                return tuple(found)
            if mark != ",":
                raise self.error()
