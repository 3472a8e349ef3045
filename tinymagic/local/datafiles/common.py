"""What the readers of the three kinds of datafiles share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .model import DatafileError, TokenLine
from .statements import unquoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .statements import Statement

_TOKEN_RE = re.compile(r"(\"[^\"]+\"|'[^']+'|\S+)(?:\s+(\S+))?(?:\s+(.*))?", re.DOTALL)
_WHERE_RE = re.compile(r"where\s+", re.IGNORECASE)


def error_at(statement: Statement, message: str) -> DatafileError:
    """Return an error about a statement."""
    return DatafileError(message, file=statement.file, line=statement.line)


def read_token(statement: Statement, scopes: Sequence[str]) -> TokenLine:
    """Read ``TOKEN name scope [filter]``.

    Raises:
        DatafileError: no name, or not one of *scopes*.
    """
    match = _TOKEN_RE.fullmatch(statement.setting)
    name = unquoted(match[1]) if match else ""
    if not match or not match[2]:
        message = 'TOKEN takes two params: token name and permission e.g TOKEN "read api token" READ'
        raise error_at(statement, message)
    scope = unquoted(match[2]).upper()
    if scope not in scopes:
        supported = " and ".join(scopes)
        raise error_at(
            statement,
            f"Invalid permission: {match[2][:60]}. Only {supported} {'are' if len(scopes) > 1 else 'is'} supported",
        )
    filter_text = _WHERE_RE.sub("", unquoted((match[3] or "").strip()), count=1)
    return TokenLine(name, scope, filter_text, line=statement.line)


def read_list(statement: Statement) -> tuple[str, ...]:
    """Read names separated by commas or lines, each once."""
    pieces = re.split(r"[,\n]", "\n".join(unquoted(line.strip()) for line in statement.value.splitlines()))
    return tuple(dict.fromkeys(filter(None, (unquoted(piece.strip()) for piece in pieces))))


def read_version(statement: Statement) -> int:
    """Read ``VERSION n``.

    Raises:
        DatafileError: *n* is no whole number.
    """
    if not re.fullmatch(r"[0-9]{1,9}", statement.setting):
        raise error_at(statement, "VERSION must be a positive integer e.g VERSION 2")
    return int(statement.setting)
