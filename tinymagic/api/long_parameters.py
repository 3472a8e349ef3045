"""Parameters travel in the URL; when it would be too long, in a form (``query.md`` 1, ``pipes.md`` 6.1). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tinymagic.api.http.limits import POST_FROM_CHARACTERS
from tinymagic.api.http.request import FORM_TYPE, Request, form_body, pairs_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def fit_in_url(host: str, address: str, sent: Mapping[str, str]) -> bool:
    """Say whether a URL can hold the parameters.

    Args:
        host: base URL.
        address: path, its parts quoted.
        sent: parameters.
    """
    return len(host) + len(address) + 1 + len(urlencode(pairs_of(sent))) <= POST_FROM_CHARACTERS


def reading_request(host: str, address: str, sent: Mapping[str, str]) -> Request:
    """Return a GET, or a POST that reads when the URL would be too long; it may be repeated like a GET."""
    if fit_in_url(host, address, sent):
        return Request("GET", address, sent)
    return Request("POST", address, body=form_body(sent), content_type=FORM_TYPE, effect="read")
