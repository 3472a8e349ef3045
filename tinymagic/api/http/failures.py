"""Which error is this reply? Bodies of any shape in, one error of the tree out (``errors-and-limits.md`` section 1)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tinymagic.api.errors import (
    ApiError,
    QueryError,
    QueryTimeout,
    RateLimited,
    UnknownTable,
    class_of_status,
)
from tinymagic.api.http.replies import RateLimit
from tinymagic.api.http.retries import ASKING_STATUSES, asked_wait_s

if TYPE_CHECKING:
    from tinymagic.api.http.replies import Reply

#: What to do next, where the status alone tells it.
ADVICE: dict[int, str] = {
    400: "Change what it names, then ask again.",
    401: "Check the token: %tinybird info says which one is in use.",
    403: "Check that the token is valid, of this region, and has the scope: %tinybird info says which one is in use.",
    404: "Check the name, and that the token belongs to this region.",
    405: "This Workspace does not offer that call, or the host is not an API host: %tinybird info shows it.",
    408: "Read less: filter on the sorting key, select fewer columns, or add a LIMIT.",
    409: "Change what stands in the way first: what depends on it, or the name that is taken.",
    411: "Something between here and the service took the request's length away: check the proxies on the way.",
    413: "Send or select less at a time.",
    414: "Shorten the names or values in the request.",
    415: "Send NDJSON, JSON, CSV or Parquet, as it is or compressed with gzip.",
    422: "The rows are stored: do not send them again.",
    429: "Wait a little, then try again.",
    500: "Try again; if it stays, report the request id to the service's support.",
    502: "Try again in a moment.",
    503: "Try again in a moment.",
    504: "The work may still be done: look before you repeat it.",
    598: "The work may still be done: look before you repeat it.",
    599: "The work may still be done: look before you repeat it.",
}

#: The longest text of a service that an error repeats, in characters. A query of 8 KB may be in it, its code behind.
_LONGEST_TEXT = 20_000
#: The same for pages of proxies and other texts that are not the service's own.
_LONGEST_PAGE = 500

_TAG_RE = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE_RE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)


def failure_of(reply: Reply, *, redact: Callable[[str], str] = str) -> ApiError:
    """Return the error for a reply with an error status.

    Args:
        reply: with any body: JSON of any shape, text, HTML, nothing.
        redact: takes tokens out of a text.
    """
    described = _described(reply, redact)
    kind = class_of_status(reply.status)
    wait = asked_wait_s(reply.headers) if reply.status in ASKING_STATUSES else None
    advice = ADVICE.get(reply.status, "") if wait is None else f"Try again in {duration(wait)}."
    if kind is RateLimited:
        rate = RateLimit.of(reply.headers)
        return RateLimited(
            _sentence(reply, described["message"], advice),
            retry_after_s=wait,
            limit=rate.limit,
            remaining=rate.remaining,
            **described,
        )
    return kind(_sentence(reply, described["message"], advice, described["errors"]), **described)


def duration(seconds: float) -> str:
    """Return a number of seconds in words.

    Example:
        >>> duration(0.2), duration(12), duration(150), duration(5400)
        ('1 s', '12 s', '3 min', '1.5 h')
    """
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    return f"{-(-seconds // 60):.0f} min" if seconds < 3570 else f"{seconds / 3600:.3g} h"


def _described(reply: Reply, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return message, status, documentation, errors and request id, whatever the body is."""
    body = _json(reply)
    errors: tuple[str, ...] = ()
    documentation: str | None = None
    if isinstance(body, Mapping):
        message = _text(body.get("error")) or _text(body.get("message")) or _text(body.get("detail"))
        errors = _texts(body.get("errors"))
        documentation = _text(body.get("documentation")) or None
        message = message or "; ".join(errors)
    elif body is not None:
        message = _text(body)
    else:
        message = _plain(reply.text())[:_LONGEST_PAGE]
    return {
        "message": redact(message[:_LONGEST_TEXT]),
        "status": reply.status,
        "documentation": None if documentation is None else redact(documentation),
        "errors": tuple(redact(text[:_LONGEST_TEXT]) for text in errors),
        "request_id": None if reply.request_id is None else redact(reply.request_id),
    }


def _json(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)).strip()


def _texts(value: Any) -> tuple[str, ...]:
    """Read ``errors``: a list of texts, or of objects such as ``{"filename": ..., "error": ...}``, or one text."""
    items = value if isinstance(value, list) else [] if value is None else [value]
    found: list[str] = []
    for item in items:
        if isinstance(item, Mapping) and "error" in item:
            where = _text(item.get("filename"))
            found.append(f"{where}: {_text(item['error'])}" if where else _text(item["error"]))
        else:
            found.append(_text(item))
    return tuple(text for text in found if text)


def _plain(text: str) -> str:
    """Return the words of a text or an HTML page on one line; of a page, its title when it has one."""
    if "<" in text and re.search(r"<(!doctype|html|head|body|title|h1)\b", text, re.IGNORECASE):
        title = _TITLE_RE.search(text)
        text = html.unescape(_TAG_RE.sub(" ", title[2] if title else text))
    return " ".join(text.split())


def _sentence(reply: Reply, message: str, advice: str, errors: tuple[str, ...] = ()) -> str:
    said = message or "nothing more"
    if reply.status == 409 and re.search(r"\bfirst\b", message):
        advice = ""  # The service says itself what is to be done.
    more = "; ".join(text for text in errors if text not in message)
    ending = "" if said[-1:] in ".!?" else "."
    return (
        f"{reply.asked} answered {reply.status}: {said}{ending}"
        + (f" {more}{'' if more[-1:] in '.!?' else '.'}" if more else "")
        + (f" {advice}" if advice else "")
    )


# --- errors of SQL ----------------------------------------------------------------------------------------------------

_CODE_NAME_RE = re.compile(r"\(([A-Z][A-Z0-9_]{3,})\)\s*(?:\(query_id=[^)]*\))?\s*\.?\s*$")
_CODE_WITH_NUMBER_RE = re.compile(r"\b([A-Z][A-Z0-9_]{3,}) \((\d{1,4})\)")
_CODE_NUMBER_RE = re.compile(r"\bCode: (\d{1,4})\b")
_POSITION_RE = re.compile(r"failed at position (\d+)")
_SUGGESTIONS_RE = re.compile(r"[Mm]aybe you meant:? \[?([^\]\n]*?)\]?(?:\. |\.?$|\])")
_UNKNOWN_TABLE_RE = re.compile(r"Resource '([^']+)' not found")

#: (kind of the name, what the service says about a name that it does not know).
_NAMED_RES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("table", _UNKNOWN_TABLE_RE),
    ("function", re.compile(r"(?:Unknown|Usage of) (?:aggregate |table )?function[: ] ?['`]?(\w+)['`]?")),
    ("table", re.compile(r"Unknown table expression identifier [`']([^`']+)[`']")),
    ("column", re.compile(r"Unknown expression(?: or function)? identifier [`']([^`']+)[`']")),
    ("column", re.compile(r"Missing columns: '([^']+)'")),
    ("column", re.compile(r"[Tt]here(?:'s| is) no column [`']?([\w.]+)[`']?")),
)

#: 408 with these is the engine's; the rest of the statuses are as telling as the text.
_TIMEOUT_CODES = ("TIMEOUT_EXCEEDED", "TOO_SLOW")


def query_failure_of(reply: Reply, sql: str, *, redact: Callable[[str], str] = str) -> ApiError:
    """Return the error for a reply of ``/v0/sql`` with an error status.

    The position in the result is the one that the service gave, counted in the text as sent: bytes, the first is 0.
    `tinymagic.api.statement` knows where that is in the user's text.

    Args:
        reply: with any body.
        sql: as the user gave it; becomes the error's ``sql``.
        redact: takes tokens out of a text.
    """
    plain = failure_of(reply, redact=redact)
    plain.sql = redact(sql)
    kind = _query_class(reply.status, plain.message)
    if kind is None:
        return plain
    code_name, number = _code(plain.message, reply.headers)
    named_kind, named = _named(plain.message)
    position = _POSITION_RE.search(plain.message)
    return kind(
        as_sentence(plain.message),
        position=int(position[1]) - 1 if position else None,
        code_name=code_name,
        engine_code=number,
        named=named,
        named_kind=named_kind,
        suggestions=_suggestions(plain.message),
        message=plain.message,
        status=plain.status,
        documentation=plain.documentation,
        errors=plain.errors,
        request_id=plain.request_id,
        sql=plain.sql,
    )


def as_sentence(text: str) -> str:
    """Return *text* with a full stop, unless it ends in a sign of its own."""
    return text if text[-1:] in (".", "!", "?", ")") else f"{text}."


def _query_class(status: int, message: str) -> type[QueryError] | None:
    if _UNKNOWN_TABLE_RE.search(message) and status in (400, 403, 404):
        return UnknownTable
    code_name, _ = _code(message, {})
    if status == 408 or code_name in _TIMEOUT_CODES:
        return QueryTimeout
    # The engine's own failures come with 400, some (memory) with 500: the text tells them from the service's.
    return QueryError if message and (status == 400 or (status == 500 and code_name)) else None


def _code(message: str, headers: Mapping[str, str]) -> tuple[str | None, int | None]:
    with_number = _CODE_WITH_NUMBER_RE.search(message)
    name = _CODE_NAME_RE.search(message) or with_number
    digits = headers.get("x-db-exception-code", "") or (with_number[2] if with_number else "")
    if not digits:
        found = _CODE_NUMBER_RE.search(message)
        digits = found[1] if found else ""
    return (name[1] if name else None), (int(digits) if digits.isascii() and digits.isdigit() else None)


def _named(message: str) -> tuple[str | None, str | None]:
    for kind, pattern in _NAMED_RES:
        found = pattern.search(message)
        if found:
            return kind, found[1]
    return None, None


def _suggestions(message: str) -> tuple[str, ...]:
    found = _SUGGESTIONS_RE.search(message)
    if found is None:
        return ()
    names = (part.strip().strip("'`\"") for part in found[1].split(","))
    return tuple(name for name in names if name)
