"""A secret value that was typed behind ``%tinybird variable set NAME``: found before anything else, and forgotten."""

from __future__ import annotations

import re
from typing import Any

from tinymagic.names import near_names
from tinymagic.notebook.history import scrub
from tinymagic.notebook.tree import noun_named
from tinymagic.notebook.tree.variable import VARIABLE

_SET_RE = re.compile(r"\s*(?P<noun>\S+)\s+(?P<verb>\S+)\s+(?P<phrase>[^\s=]+(?:\s+|=)(?P<value>\S.*?))\s*", re.DOTALL)
_REFERENCE_RE = re.compile(r"\$[A-Za-z_]\w*")

#: Verbs behind which no value stands.
_OTHER_VERBS = frozenset(command.words[1] for command in VARIABLE.commands) - {"set"}

#: Options that may stand in the place of a value.
_OPTIONS = ("--from-", "--help", "-h")

#: Values from this length on are taken out of the whole history, shorter ones only out of the line: a history in which
#: every "a" is hidden is of no use.
_SHORTEST_ANYWHERE = 8


def is_reference(word: str) -> bool:
    """Say whether *word* names a notebook variable, as ``$password`` does."""
    return _REFERENCE_RE.fullmatch(word) is not None


def _found(line: str) -> re.Match[str] | None:
    """Return the parts of a line that sets a variable, or is meant to: noun or verb may be misspelt."""
    found = _SET_RE.fullmatch(line)
    if found is None or found["phrase"].startswith("-"):
        return None
    noun = noun_named(found["noun"])
    if noun is None:
        means_it = bool(near_names(found["noun"], [VARIABLE.name, *VARIABLE.aliases]))
    else:
        means_it = noun is VARIABLE
    return found if means_it and found["verb"] not in _OTHER_VERBS else None


def typed_value(line: str) -> str | None:
    """Return the value in a line of ``%tinybird`` that sets a variable, as it stands there; ``None`` for none.

    Example:
        >>> typed_value("variable set password 'a b'"), typed_value("variable set password $x")
        ("'a b'", None)
    """
    found = _found(line)
    if found is None:
        return None
    value = found["value"]
    return None if value.startswith(_OPTIONS) or is_reference(value) else value


def hide_value(shell: Any, line: str) -> None:
    """Take the value of such a line out of what IPython remembers."""
    found = _found(line)
    if found is None or typed_value(line) is None:
        return
    scrub(shell, found["phrase"])
    plain = found["value"].strip("'\"")
    if len(plain) >= _SHORTEST_ANYWHERE:
        scrub(shell, plain)
