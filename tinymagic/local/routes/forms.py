"""The parameters of a small request: its query string, and a body that may be a form or a JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tinymagic.local.errors import BadRequest
from tinymagic.local.http import json_object, multipart_fields, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request


#: No form of these routes is longer.
_MOST_BYTES = 1_000_000


async def parameters(request: Request, *, raw: str = "") -> dict[str, Any]:
    """Return query parameters and, before them, those of the body. Values are texts unless the body is JSON.

    Args:
        request: whose body nobody has read.
        raw: name of the parameter that a body is the value of when it is neither JSON nor a form with one of the
            fields *raw* and ``name``. ``curl --data "SELECT 1"`` sends bare SQL with the content type of a form.

    Raises:
        BadRequest: the body says that it is JSON or a form and is not.
        PayloadTooLarge: it is over a megabyte.
    """
    found: dict[str, Any] = dict(request.query_params)
    body = await read_body(request, _MOST_BYTES)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    # The command lines send JSON without saying so.
    if body.strip() and (kind == "application/json" or (not kind and body.lstrip()[:1] == b"{")):
        found.update(json_object(body))
    elif kind == "multipart/form-data":
        found.update(await multipart_fields(request, body))
    elif body.strip():
        found.update(_form_or_raw(body, raw))
    return found


def _form_or_raw(body: bytes, raw: str) -> dict[str, str]:
    try:
        text = body.decode()
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1_000))
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: {error}.") from error
    except ValueError as error:
        if not raw:
            raise BadRequest(f"The body is not a form: {error}.") from error
        form = {}
    return form if not raw or raw in form or "name" in form else {raw: text}


def text(asked: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be a text; empty when it is absent.

    Raises:
        BadRequest: a JSON body has something else there.
    """
    value = asked.get(name) or ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text.")
    return value.strip()


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a query parameter that is ``true`` or ``false``."""
    value = request.query_params.get(name)
    return default if value is None else value.strip().lower() in ("true", "1", "yes")
