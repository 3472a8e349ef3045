"""Keeps a token out of every text: errors, reprs, logs. Pure.

Redaction goes by value and not by place: whatever wrote a text (the service, a proxy, a library), any eight characters
in a row that are also in the token are taken out, and so is what looks like a token even when it is not ours.
"""

from __future__ import annotations

import re

#: Stands where a token was.
HIDDEN = "[hidden]"

#: So many characters in a row, common to a text and the token, are hidden.
PIECE = 8

#: A piece of the token holds one of its parts of this length at a place that a step of `_STEP` through a text meets:
#: so a text of many megabytes is looked at in a fifth of its places.
_BLOCK, _STEP = 4, PIECE - 4 + 1

#: ``token=...`` in URLs and forms, ``Bearer ...`` in headers, static tokens and JWTs in any text. What may be
#: in front of a JWT in the same run of characters is matched with it (``lead``): each run is then looked at once only.
_TOKEN_LIKE_RE = re.compile(
    r"""
    (?P<before>\b(?:token|authorization|bearer)(?:=|%3D|["']?:\s*["']?|\s+)(?:bearer\s+)?)[\w.~+/=%-]{8,}
  | \bp\.[\w+/=-]{20,}\.[\w-]{8,}
  | (?P<lead>(?<![\w-])(?=[\w-]+\.[\w-]{10,}\.[\w-]{8,})[\w-]*?)\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Secret:
    """A token that does not show itself: its ``repr`` and ``str`` are `HIDDEN`, it cannot be pickled.

    Example:
        >>> Secret("p.abc.def")
        [hidden]
    """

    __slots__ = ("_blocks", "_grams", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._blocks = {value[i : i + _BLOCK] for i in range(len(value) - _BLOCK + 1)}
        self._grams = {value[i : i + PIECE] for i in range(len(value) - PIECE + 1)}

    def __repr__(self) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._value)

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        # Nothing of it changes, so a copy of what holds it may hold the same one.
        return self

    def __copy__(self) -> Secret:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("A token is not to be pickled: it would be readable in the file.")

    def reveal(self) -> str:
        """Return the token itself, for the one header that carries it."""
        return self._value

    def redact(self, text: str) -> str:
        """Return *text* without this token, any piece of it, and anything that looks like a token.

        Example:
            >>> Secret("secret-of-mine").redact("GET /?token=abcdefghij by secret-of, secretary")
            'GET /?token=[hidden] by [hidden], secretary'
        """
        # Whole tokens first: with pieces taken out, the rest of another token would not look like one any more.
        return self._without_pieces(
            _TOKEN_LIKE_RE.sub(lambda found: (found["before"] or found["lead"] or "") + HIDDEN, text)
        )

    def _without_pieces(self, text: str) -> str:
        if self._value and len(self._value) < PIECE:
            # One of a few letters is in many words by chance, and hiding it there would tell what it is.
            around = (r"(?<!\w)", r"(?!\w)") if len(self._value) < _BLOCK else ("", "")
            return re.sub(re.escape(self._value).join(around), HIDDEN, text)
        kept: list[str] = []
        copied = 0
        blocks = self._blocks
        for met in [i for i in range(0, len(text) - _BLOCK + 1, _STEP) if text[i : i + _BLOCK] in blocks]:
            for place in range(max(copied, met - _STEP + 1), met + 1):
                if text[place : place + PIECE] in self._grams:
                    end = place + PIECE
                    while end < len(text) and text[end - PIECE + 1 : end + 1] in self._grams:
                        end += 1
                    kept += [text[copied:place], HIDDEN]
                    copied = end
                    break
        return "".join([*kept, text[copied:]])
