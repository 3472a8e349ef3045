"""A secret value that was typed behind ``%tinybird variable set NAME``: found before anything else, and forgotten."""

from __future__ import annotations

import re
from typing import Any

from tinymagic.notebook.history import scrub

_SET_RE = re.compile(r"\s*(?:variables?|secrets?|env)\s+set\s+(?P<phrase>\S+\s+(?P<value>\S.*?))\s*", re.DOTALL)
_REFERENCE_RE = re.compile(r"\$[A-Za-z_]\w*")

#: Options that may stand in the place of a value.
_OPTIONS = ("--from-", "--help", "-h")

#: Values from this length on are taken out of the whole history, shorter ones only out of the line: a history in which
#: every "a" is hidden is of no use.
_SHORTEST_ANYWHERE = 8


def is_reference(word: str) -> bool:
    """Say whether *word* names a notebook variable, as ``$password`` does."""
    return _REFERENCE_RE.fullmatch(word) is not None


def typed_value(line: str) -> str | None:
    """Return the value in a line of ``%tinybird`` that sets a variable, as it stands there; ``None`` for none.

    Example:
        >>> typed_value("variable set password 'a b'"), typed_value("variable set password $x")
        ("'a b'", None)
    """
    found = _SET_RE.fullmatch(line)
    if found is None or found["phrase"].startswith("-"):
        return None
    value = found["value"]
    return None if value.startswith(_OPTIONS) or is_reference(value) else value


def hide_value(shell: Any, line: str) -> None:
    """Take the value of such a line out of what IPython remembers."""
    found = _SET_RE.fullmatch(line)
    if found is None or typed_value(line) is None:
        return
    scrub(shell, found["phrase"])
    plain = found["value"].strip("'\"")
    if len(plain) >= _SHORTEST_ANYWHERE:
        scrub(shell, plain)
