"""Which error is this reply of a Pipe or its endpoint? They fail in more ways than queries (``pipes.md`` 6.3). Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tinymagic.api.errors import ApiError, QueryError
from tinymagic.api.http.failures import failure_of, query_failure_of
from tinymagic.api.statement import find_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.http.replies import Reply

#: What a template says about the values of its parameters; the SQL was never run.
_TEMPLATE_STARTS = ("Template Syntax Error", "Template Custom Error", "Required parameter")


def sql_failure_of(reply: Reply, sql: str | None, *, redact: Callable[[str], str] = str) -> ApiError:
    """Return the error for a reply with an error status, of an endpoint or to a change of a node.

    A `QueryError` is one of SQL, be it of the Pipe or the one that was sent. What the template says with ``error`` or
    ``custom_error`` is a plain error of its status, in its own words; an object that ``custom_error`` sends is the
    message as JSON.

    Args:
        reply: with any body.
        sql: that was sent, over the endpoint or of a node, as the user gave it; or ``None``. Places in errors count in
            a longer text that holds it, so the error's ``position`` is that of the name that it is about.
        redact: takes tokens out of a text.
    """
    found = query_failure_of(reply, sql or "", redact=redact)
    if not isinstance(found, QueryError) or not _is_of_sql(found):
        found = failure_of(reply, redact=redact)
        found.sql = None if sql is None else redact(sql)
        return _with_object(found, reply, redact)
    found.sql = None if sql is None else redact(sql)
    named = sql is not None and found.named is not None
    found.position = find_name(sql or "", found.named or "", kind=found.named_kind) if named else None
    return found


def _is_of_sql(error: QueryError) -> bool:
    if error.message.startswith(_TEMPLATE_STARTS):
        return False
    signs = (error.code_name, error.engine_code, error.named, error.position)
    return error.status == 408 or any(sign is not None for sign in signs) or error.message.startswith("[Error]")


def _with_object(error: ApiError, reply: Reply, redact: Callable[[str], str]) -> ApiError:
    """Put an object of ``custom_error`` without a text of its own into the words of the error."""
    if error.message:
        return error
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        return error
    if body:
        error.message = redact(json.dumps(body, ensure_ascii=False)[:20_000])
        error.args = (f"{reply.asked} answered {reply.status}: {error.message}.",)
    return error
