"""Patterns of files in a bucket: ``days/*.csv``, ``**/*.ndjson``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_WILDCARD_RE = re.compile(r"\*\*/|\*\*|\*|\?")
_FOLDERS, _ANYTHING, _NAME, _ONE = "**/", "**", "*", "?"

#: Those that may stand for nothing.
_MAY_BE_EMPTY = (_FOLDERS, _ANYTHING, _NAME)


@dataclass(frozen=True)
class KeyPattern:
    """Which keys of a bucket are meant.

    ``*`` stands for any characters but ``/``, ``?`` for one of them, ``**`` for any characters at all, and ``**/`` for
    any number of folders, also none. Every other character stands for itself.

    Example:
        >>> [KeyPattern("days/**/*.csv").matches(key) for key in ("days/a.csv", "days/b/c/a.csv", "a.csv")]
        [True, True, False]
    """

    text: str

    @property
    def prefix(self) -> str:
        """What every key begins with."""
        found = _WILDCARD_RE.search(self.text)
        return self.text[: found.start()] if found else self.text

    def matches(self, key: str) -> bool:
        """Say whether a key is meant.

        Takes no longer than the product of both lengths. Keys are written by others, and a regular expression with
        several wildcards may take forever for a key that was made for that.
        """
        # Bit n is set when the first n tokens may stand for what was read so far.
        states = self._reached(0)
        for character in key:
            states, before = 0, states
            for index, token in enumerate(self._tokens):
                if before >> index & 1:
                    states |= self._after(index, token, character)
            if not states:
                return False
        return bool(states >> len(self._tokens) & 1)

    @cached_property
    def _tokens(self) -> tuple[str, ...]:
        tokens: list[str] = []
        end = 0
        for found in _WILDCARD_RE.finditer(self.text):
            tokens += [*self.text[end : found.start()], found[0]]
            end = found.end()
        return (*tokens, *self.text[end:])

    def _after(self, index: int, token: str, character: str) -> int:
        """Return the states after a character, from that in which the token is next."""
        if token == _FOLDERS:
            return 1 << index | (self._reached(index + 1) if character == "/" else 0)
        if token == _ANYTHING or (token == _NAME and character != "/"):
            return self._reached(index)
        if token == character or (token == _ONE and character != "/"):
            return self._reached(index + 1)
        return 0

    def _reached(self, index: int) -> int:
        """Return the state before a token, and those after the tokens from there on that may stand for nothing."""
        states = 1 << index
        while index < len(self._tokens) and self._tokens[index] in _MAY_BE_EMPTY:
            index += 1
            states |= 1 << index
        return states
