"""What every resource of the client shares: how a path is built, and the verbs by which it asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tinymagic.api.errors import ApiError, InvalidInput
from tinymagic.api.http.request import FORM_TYPE, Request
from tinymagic.api.parameters import checked_unicode
from tinymagic.api.refusals import Datafile, deployment_required

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.http.retries import Effect
    from tinymagic.api.http.transport import Transport


class Resource:
    """Base of the classes behind the attributes of `tinymagic.Workspace`.

    Args:
        transport: sends what is asked; retries, headers and time-outs are its affair.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _get(self, path: str, query: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """Send a GET; return the JSON object of the reply."""
        return self._ask(Request("GET", path, _texts(query))).json_object()

    def _get_text(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """Send a GET; return the text of the reply."""
        return self._ask(Request("GET", path, _texts(query))).text()

    def _change(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
        document: Any = None,
        content: bytes | None = None,
        content_type: str | None = None,
        effect: Effect = "write",
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        datafile: Callable[[], Datafile | None] | None = None,
        failure: Callable[[Reply], TinybirdError] | None = None,
    ) -> Mapping[str, Any]:
        """Send a request that changes something; return the JSON object of the reply, an empty one for no body.

        Args:
            method: ``POST``, ``PUT`` or ``DELETE``.
            path: see `path`.
            query: parameters in the URL; ``None`` is left out, booleans become ``true`` and ``false``.
            form: parameters in the body, likewise; a list is the parameter so many times.
            document: JSON body, instead of *form*.
            content: raw body, instead of both.
            content_type: of *content*.
            effect: ``idempotent`` for what may be done twice without harm.
            timeout_s: seconds for the reply; ``None``: the Workspace's.
            cancellation: ends the request from another thread.
            datafile: makes the definition that does the same by a deployment, for Workspaces that refuse this call.
            failure: makes the error for a reply with an error status, as for `Transport.send`.

        Raises:
            DeploymentRequired: the Workspace takes such a change by deployments only.
        """
        body: Callable[[], bytes] | None = None
        if content is not None:
            held = content
            body = lambda: held  # noqa: E731
        elif document is not None:
            encoded = _json(document)
            body, content_type = (lambda: encoded), "application/json"
        elif form is not None:
            pairs = _pairs(form)
            body, content_type = (lambda: urlencode(pairs).encode()), FORM_TYPE
        request = Request(method, path, _texts(query), body=body, content_type=content_type, effect=effect)
        try:
            return self._ask(request, timeout_s=timeout_s, cancellation=cancellation, failure=failure).json_object()
        except ApiError as error:
            refused = deployment_required(error, datafile) if method != "GET" else None
            if refused is None:
                raise
            raise refused from None

    def _ask(self, request: Request, **options: Any) -> Reply:
        return self._transport.send(request, **options)


def path(*parts: str) -> str:
    """Return the path of *parts*; each part that does not begin with a slash is a name, and quoted.

    Raises:
        InvalidInput: a name is empty, would be taken for a step in the path, or holds half a character.

    Example:
        >>> path("/v0/pipes/", "my pipe", "/nodes/", "a/b")
        '/v0/pipes/my%20pipe/nodes/a%2Fb'
    """
    return "".join(part if part.startswith("/") else quote(_named(part), safe="") for part in parts)


def _named(name: str) -> str:
    # "." and ".." would be taken for steps in the path, even when they are quoted.
    if not name.strip("."):
        raise InvalidInput(f"{name!r} is no name.")
    return checked_unicode(name, "The name")


def _texts(values: Mapping[str, object] | None) -> dict[str, str | None]:
    return {name: _text(name, value) for name, value in (values or {}).items() if value is not None}


def _pairs(form: Mapping[str, object]) -> list[tuple[str, str]]:
    several = ((name, value if isinstance(value, list) else [value]) for name, value in form.items())
    return [(name, _text(name, each)) for name, values in several for each in values if each is not None]


def _text(name: str, value: object) -> str:
    return checked_unicode(str(value).lower() if isinstance(value, bool) else str(value), f"{name!r}")


def _json(document: Any) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidInput("A text holds half a character, so it cannot be sent.") from None
