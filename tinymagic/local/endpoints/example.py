"""The address of an endpoint with values for its parameters, ready to be called."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parameters import Parameter


def endpoint_url(
    host: str, pipe_name: str, extension: str, parameters: Sequence[Parameter], *, q: str = "", token: str = ""
) -> str:
    """Return the URL of a call on one line: parameters with their examples or defaults, then *q* and *token*.

    Parameters without either have an empty value when they are required, so that one sees what to fill in, and are left
    out otherwise.

    Example:
        >>> endpoint_url("http://localhost:7181", "top", "json", [])
        'http://localhost:7181/v0/pipes/top.json'
    """
    values = {each.name: each.sample or "" for each in parameters if each.sample is not None or each.required}
    if q:
        values["q"] = q
    if token:
        values["token"] = token
    query = urlencode(values, quote_via=quote, safe=",:")
    return f"{host}/v0/pipes/{quote(pipe_name, safe='')}.{extension}" + (f"?{query}" if query else "")
