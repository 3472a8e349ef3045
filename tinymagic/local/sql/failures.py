"""Errors of the engine in the service's words (``query.md`` section 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.local.errors import ApiError, BadRequest, PayloadTooLarge, QueryTimeout

from .gate import QUERY_PAGE, not_found
from .names import SYNTAX_PAGE
from .vocabulary import unknown_function

if TYPE_CHECKING:
    from tinymagic.local.engine import EngineError

_QUOTED_NAME_RE = re.compile(r"[`']([^`']+)[`']")
_WORKSPACE_DATABASE_RE = re.compile(r"`?\bw_[0-9a-f]{32}`?\.")


def without_database(text: str) -> str:
    """Take the names of workspaces' databases out of a text; nobody chose them."""
    return _WORKSPACE_DATABASE_RE.sub("", text)


def query_error(error: EngineError, method: str) -> ApiError:
    """Translate an error of the engine into the service's status, text and documentation link."""
    message = without_database(error.message).strip()
    page = f"{QUERY_PAGE}#{method.lower()}--v0-sql"
    code = {"X-DB-Exception-Code": str(error.code)}
    if error.name in ("UNKNOWN_TABLE", "UNKNOWN_DATABASE"):
        named = _QUOTED_NAME_RE.search(message)
        return not_found(("", named[1] if named else "?"))
    if error.name == "UNKNOWN_FUNCTION":
        named = _QUOTED_NAME_RE.search(message)
        return unknown_function(named[1] if named else "?", message)
    if error.name == "SYNTAX_ERROR":
        return BadRequest(f"DB::Exception: {message}", documentation=SYNTAX_PAGE, headers=code)
    text = f"[Error] {message} ({error.name})"
    if error.name in ("TIMEOUT_EXCEEDED", "TOO_SLOW"):
        return QueryTimeout(text, documentation=page, headers=code)
    if error.name == "TOO_MANY_ROWS_OR_BYTES":
        return PayloadTooLarge(text, documentation=page, headers=code)
    return BadRequest(text, documentation=page, headers=code)
