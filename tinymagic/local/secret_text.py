"""Texts that must not be seen: values of Environment Variables on their way into a query.

A `SecretText` is given to the engine as a query parameter. What the engine says about the query (errors, plans) may
quote the value, whole or in part; `hidden` takes it out, and `shows` tells whether a reply has it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What stands for a value.
MASK = "[secret]"

#: Shorter values are found everywhere by chance, so no reply is refused for one.
_LEAST_CHARACTERS = 8

#: A piece of a value as long as this tells something about it.
_PIECE = 4


class SecretText(str):
    """A text that is shown as `MASK` by ``repr``, and that the engine's errors do not quote."""

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK


def secrets_among(parameters: Mapping[str, object] | None) -> tuple[str, ...]:
    """Return the secret ones among the values of query parameters."""
    return tuple(str(value) for value in (parameters or {}).values() if isinstance(value, SecretText) and value)


def hidden(text: str, values: Iterable[str]) -> str | None:
    """Return *text* with `MASK` for the values, or ``None`` when a piece of one would still be seen.

    Example:
        >>> hidden("Cannot parse string 'hunter-22' as UInt8", ["hunter-22"])
        "Cannot parse string '[secret]' as UInt8"
    """
    every = sorted(values, key=len, reverse=True)
    for value in every:
        for form in _forms(value):
            if len(value) < _PIECE and form in text:
                return None
            text = text.replace(form, MASK)
    shown = text.replace(MASK, "\0")
    return None if any(_has_piece(shown, value) for value in every) else text


def shows(data: bytes, values: Mapping[str, object]) -> str | None:
    """Return the name of a secret whose value *data* contains, as it is or escaped."""
    for name, value in values.items():
        if isinstance(value, SecretText) and len(value) >= _LEAST_CHARACTERS:
            for form in _forms(value):
                if form.encode() in data:
                    return name
    return None


def _forms(value: str) -> list[str]:
    """Return how a value may be written, longest first: as it is, in SQL, in a plan, in JSON, in CSV, in HTML."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    for raw, written in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")):
        escaped = escaped.replace(raw, written)
    forms = {
        value,
        escaped,
        escaped.replace("\\", "\\\\").replace("'", "\\'"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        json.dumps(value)[1:-1],
        value.replace('"', '""'),
        value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
    }
    return sorted(forms, key=len, reverse=True)


def _has_piece(text: str, value: str) -> bool:
    if len(value) < _PIECE:
        return value in text
    return any(value[start : start + _PIECE] in text for start in range(len(value) - _PIECE + 1))
