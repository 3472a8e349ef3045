"""The errors of the embedded Tinybird, one small class for each meaning.

    ApiError                 anything the caller is told; carries status, message, documentation
    ├── BadRequest           400
    │   └── CustomError      any   a template's custom_error()
    ├── Forbidden            403   no, bad or insufficient token; a name that does not resolve in SQL
    │   └── OfAnotherHost    403   a token that says itself that it was made on another host; 404 of the Events API
    ├── NotFound             404
    ├── MethodNotAllowed     405
    ├── QueryTimeout         408
    ├── Conflict             409
    ├── LengthRequired       411
    ├── PayloadTooLarge      413
    ├── UriTooLong           414
    ├── TooManyRequests      429
    ├── ServerError          500   our own mistake; the details are in the log under the request's id
    └── ServerEnding         503   the server was told to end

Services raise these; `app.py` turns them into ``{"error": ..., "documentation": ...}``. Status codes and the
shape are those of ``errors-and-limits.md`` sections 1 and 2. Errors of the engine are `EngineError` (engine.py) and
become one of these in the service that knows what was asked.
"""

# ruff: noqa: N818 - an error says what happened, as in the tree above

from __future__ import annotations

from typing import Any

DOCUMENTATION_HOST = "https://docs.tinybird.co"
AUTHENTICATION_PAGE = "/api-reference/overview#authentication"
API_PAGE = "/api-reference/overview"


class ApiError(Exception):
    """An error that the caller of the HTTP API is told.

    Args:
        message: the value of ``error`` in the reply; one or more full sentences, or the vendor's exact text.
        documentation: path of the vendor's page, with a leading slash; the class has a default.
        status: another HTTP status than that of the class.
        headers: extra headers of the reply, for instance ``Retry-After`` (seconds).
        **extra: further keys of the JSON body, for instance ``errors=[...]``.
    """

    status = 500
    documentation = API_PAGE

    def __init__(
        self,
        message: str,
        *,
        documentation: str | None = None,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.extra = extra
        if documentation is not None:
            self.documentation = documentation
        if status is not None:
            self.status = status

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the reply."""
        return {"error": self.message, "documentation": DOCUMENTATION_HOST + self.documentation, **self.extra}


class BadRequest(ApiError):
    """The request cannot be understood or cannot be done as asked."""

    status = 400


class CustomError(BadRequest):
    """What a template said with ``custom_error()``: a body and a status of its own.

    Args:
        content: anything JSON can hold; a text becomes the ``error`` of an object.
        code: HTTP status; anything but an error's status counts as 400.
    """

    def __init__(self, content: object, code: int) -> None:
        super().__init__(str(content), status=code if 400 <= code <= 599 else 400)
        self._content = content

    def body(self) -> dict[str, Any]:
        """Return the body that the template gave."""
        return self._content if isinstance(self._content, dict) else {"error": self._content}


class Forbidden(ApiError):
    """No token, a wrong token, or a token without the scope. The service never answers 401."""

    status = 403
    documentation = AUTHENTICATION_PAGE


class OfAnotherHost(Forbidden):
    """The token says itself that it was made on another host: its Workspace is in another region."""


class NotFound(ApiError):
    """The path or the resource does not exist."""

    status = 404


class MethodNotAllowed(ApiError):
    """The path exists, but not with this method."""

    status = 405


class QueryTimeout(ApiError):
    """A query ran longer than it may."""

    status = 408
    documentation = "/api-reference/query-api.html"


class Conflict(ApiError):
    """The request contradicts the present state, for instance a name that is taken."""

    status = 409


class LengthRequired(ApiError):
    """The ``Content-Length`` header is not a number."""

    status = 411


class PayloadTooLarge(ApiError):
    """The body of the request, or the reply that it asks for, is over the limit."""

    status = 413


class UriTooLong(ApiError):
    """The URL is over the limit of about 8 KB."""

    status = 414


class TooManyRequests(ApiError):
    """A rate limit was reached."""

    status = 429


class ServerEnding(ApiError):
    """The server was told to end, and what the request asked for was stopped."""

    status = 503


class ServerError(ApiError):
    """Our own mistake. The message names the request id under which the log has the details."""

    status = 500
