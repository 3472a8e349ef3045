"""Parameters that are true or false. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def flag(parameters: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Read a parameter; absent or empty means *default*.

    Raises:
        BadRequest: it is neither: what is asked for is not guessed, for it may be a deletion.
    """
    value = parameters.get(name)
    if value is None or value == "":
        return default
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise BadRequest(f"{name} must be true or false, not {str(value)[:40]!r}.")
    return _WORDS[word]
