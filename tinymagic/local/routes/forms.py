"""The parameters of a request: its query string, and a body that may be a form or a JSON object.

`body_parameters` takes bodies apart. On top of it there are `parameters` (as they were sent), `text_parameters` (all of
them texts) and `reading.call_parameters` (for templates, where what is given several times is a list). Only two routes
have rules of their own: the body of ``/v0/sql`` may be SQL (`query`), that of an import a file (`uploads`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tinymagic.local.errors import BadRequest
from tinymagic.local.http import json_object, media_type, multipart_fields, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request


#: No form of these routes is longer, nor the parameters of a call.
BODY_BYTES = 1_000_000

#: Clients put the scopes of a token here, which may be many.
_MOST_FIELDS = 10_000


async def parameters(request: Request, *, raw: str = "") -> dict[str, Any]:
    """Return the parameters of URL and body; the body's win. Values are texts unless the body is JSON.

    Args:
        request: whose body nobody has read.
        raw: see `body_parameters`.

    Raises:
        BadRequest: the body says that it is JSON or a form and is not.
        PayloadTooLarge: it is over a megabyte.
    """
    return {**request.query_params, **dict(await body_parameters(request, raw=raw))}


async def text_parameters(request: Request) -> dict[str, str]:
    """Like `parameters`, with the values of a JSON body as a form would have them; what is null there is left out."""
    found = dict(request.query_params)
    found.update((name, _as_text(value)) for name, value in await body_parameters(request) if value is not None)
    return found


async def body_parameters(
    request: Request, *, raw: str = "", documentation: str | None = None
) -> list[tuple[str, Any]]:
    """Return the parameters of the body in order, those of a form as often as they are given.

    Args:
        request: whose body nobody has read.
        raw: name of the parameter that a body is the value of when it is neither JSON nor a form with one of the
            fields *raw* and ``name``, nor one with nothing but names of fields, as ``position=0``. ``curl --data
            "SELECT 1"`` sends bare SQL with the content type of a form.
        documentation: page that errors point to.

    Raises:
        BadRequest: the body says that it is JSON or a form and is not.
        PayloadTooLarge: it is over a megabyte.
    """
    body = await read_body(request, BODY_BYTES)
    kind = media_type(request)
    if not body.strip():
        return []
    if kind == "multipart/form-data":
        return list(await multipart_fields(request, body))
    # The command lines send JSON without saying so, and curl says that it is a form.
    if kind == "application/json" or body.lstrip()[:1] == b"{":
        return list(json_object(body).items())
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: {error}.", documentation=documentation) from error
    try:
        form = form_pairs(text, documentation=documentation)
    except BadRequest:
        if not raw:
            raise
        form = []
    if raw and not any(name in (raw, "name") for name, _ in form) and not _is_form(text, form):
        return [(raw, text)]
    return list(form)


def _is_form(text: str, form: list[tuple[str, str]]) -> bool:
    """Say whether a body can be nothing but a form: a SELECT has more than words in front of its first ``=``."""
    return "=" in text and all(name.isidentifier() for name, _ in form)


def form_pairs(text: str, *, documentation: str | None = None) -> list[tuple[str, str]]:
    """Return the fields of a form in order.

    Raises:
        BadRequest: there are too many.
    """
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadRequest(f"The body is not a form: {error}.", documentation=documentation) from error


def text(asked: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be a text, without blanks around; empty when it is absent.

    Raises:
        BadRequest: a JSON body has something else there.
    """
    return whole_text(asked, name).strip()


def whole_text(asked: Mapping[str, Any], name: str, *, documentation: str | None = None) -> str:
    """Like `text`, as it was sent."""
    value = asked.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"The value of {name} must be a text.", documentation=documentation)
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
