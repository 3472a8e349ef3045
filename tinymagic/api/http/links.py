"""Links with a token in them: the one place where a token is put into a URL, and the warning that goes with it. Pure.

The service takes a token in the header ``Authorization`` or as the parameter ``token`` of the URL. This client uses the
header, since URLs end up in histories, logs and chats. The parameter is for the one case where that is what a person
wants: a link to hand on (``workspace.md`` section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tinymagic.api.errors import ConfigurationError, InvalidInput
from tinymagic.api.http.request import pairs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What is said whenever such a link is made.
WARNING = (
    "This link carries your token: whoever has the link has the token's rights. "
    "To share it, take a token that may only read this, and refresh that token when the link is no longer to work."
)


class TokenInLink(UserWarning):
    """A link was made that carries a token; whoever has the link has the token's rights."""


def link_with_token(host: str, path: str, query: Mapping[str, str | None], token: str) -> str:
    """Return a URL that can be opened without a header.

    Args:
        host: base URL.
        path: from ``/v0/`` on, its parts quoted.
        query: parameters; ``None`` is left out.
        token: goes to the end, as ``token=``.

    Raises:
        ConfigurationError: there is no token.
        InvalidInput: *query* has a ``token`` of its own.
    """
    if not token:
        raise ConfigurationError("There is no token to put into the link: connect with one.")
    if "token" in query:
        raise InvalidInput("'token' cannot be a parameter of the link: it is where the token goes.")
    return f"{host}{path}?{urlencode([*pairs_of(query), ('token', token)])}"
