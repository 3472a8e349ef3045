"""Everything that can go wrong between you and Tinybird, as one tree.

::

    TinybirdError
    |-- ConfigurationError       no host, no token, or a settings file that cannot be read
    |   `-- InsecureHost         http:// to anything but this machine
    |-- InvalidInput             an argument that cannot be right; nothing was sent (also a ValueError)
    |-- ConnectionFailed         the host could not be reached, or hung up before it answered
    |-- Timeout                  no whole reply in time; whether the work was done is not known
    |-- Cancelled                cancelled from another thread
    |-- BadReply                 an answer that cannot be read: cut short, damaged, not what it says it is
    |-- JobFailed                a job that was waited for ended with an error, or was cancelled
    `-- ApiError                 the service answered with an error status
        |-- BadRequest           400
        |-- Forbidden            401, 403
        |-- NotFound             404
        |-- MethodNotAllowed     405
        |-- RequestTimeout       408  (also a Timeout)
        |-- Conflict             409
        |-- LengthRequired       411
        |-- PayloadTooLarge      413
        |-- UriTooLong           414
        |-- UnsupportedMediaType 415
        |-- UnprocessableRows    422
        |-- RateLimited          429
        |-- DeploymentRequired   any refusal that means: this Workspace takes the change by a deployment only
        |-- QueryError           any of these for a text of SQL that the service refused or could not run
        |   |-- UnknownTable     ... because it names what is not there, or not for this token (also a Forbidden)
        |   `-- QueryTimeout     ... because it ran too long (also a RequestTimeout)
        `-- ServerError          500 and all above it that have no class of their own
            |-- BadGateway       502
            |-- Unavailable      503
            `-- GatewayTimeout   504, 598, 599  (also a Timeout)

The classes are the same whether the embedded or the hosted service answered. No text or attribute of an error holds a
token: `tinymagic.api.http.redaction` has been over all of them. Source of the statuses: ``errors-and-limits.md``
section 2.
"""

# ruff: noqa: N818 - names say what happened; they are read behind "except"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinymagic.api.http.answers import Answer
    from tinymagic.api.ingest.report import IngestReport


class TinybirdError(Exception):
    """Anything that can go wrong while talking to Tinybird.

    ``str(error)`` says what was asked, what came back and, where that is known, what to do next.

    Attributes:
        message: the service's own words, without ours around them; ``str(error)`` when it said nothing.
        status: HTTP status, or ``None`` when no reply came.
        documentation: the service's link for this error, or ``None``.
        errors: further sentences of the service, often one per row or file; empty when there are none.
        request_id: the id under which the service knows the request, or ``None``.
        sql: the SQL that was asked, as the user gave it, or ``None`` when none was.
        answer: the service's reply word for word (`tinymagic.api.http.answers.Answer`), or ``None`` when none came.
        report: what became of every row (`tinymagic.api.ingest.report.IngestReport`) when the error ended an ingestion,
            else ``None``.
    """

    answer: Answer | None = None
    report: IngestReport | None = None

    def __init__(
        self,
        text: str,
        *,
        message: str | None = None,
        status: int | None = None,
        documentation: str | None = None,
        errors: tuple[str, ...] = (),
        request_id: str | None = None,
        sql: str | None = None,
    ) -> None:
        super().__init__(text)
        self.message = text if message is None else message
        self.status = status
        self.documentation = documentation
        self.errors = errors
        self.request_id = request_id
        self.sql = sql


class ConfigurationError(TinybirdError):
    """Host or token are missing or cannot be used, or a settings file cannot be read."""


class InsecureHost(ConfigurationError):
    """The host is ``http://`` and not this machine: a token sent there could be read on the way."""


class InvalidInput(TinybirdError, ValueError):
    """An argument that cannot be right. Nothing was sent."""


class ConnectionFailed(TinybirdError):
    """The host could not be reached, or the connection broke before a reply.

    Attributes:
        sent: whether the request may have reached the service. For a write, ``True`` means: look before you repeat.
    """

    def __init__(self, text: str, *, sent: bool = False, **details: Any) -> None:
        super().__init__(text, **details)
        self.sent = sent


class Timeout(TinybirdError):
    """No whole reply came in time. Whether the service did the work is not known."""


class Cancelled(TinybirdError):
    """The request was cancelled from another thread."""


class BadReply(TinybirdError):
    """The reply's body is cut short, damaged, or not what it says it is."""


class JobFailed(TinybirdError):
    """A job that was waited for ended with an error, or was cancelled.

    Attributes:
        job: the job as the service described it last (`tinymagic.api.jobs.Job`).
    """

    def __init__(self, text: str, *, job: Any = None, **details: Any) -> None:
        super().__init__(text, **details)
        self.job = job


class ApiError(TinybirdError):
    """The service answered with an error status."""


class BadRequest(ApiError):
    """400: a parameter, a schema or data that the service does not take."""


class Forbidden(ApiError):
    """403 (or 401): the token is missing, wrong, expired, of another region, or lacks the scope."""


class NotFound(ApiError):
    """404: there is no such resource."""


class MethodNotAllowed(ApiError):
    """405: the address exists, but does not take this method."""


class RequestTimeout(ApiError, Timeout):
    """408: the service gave up because the work took too long."""


class Conflict(ApiError):
    """409: the resource's state forbids it: something depends on it, or the name is taken."""


class LengthRequired(ApiError):
    """411: the request did not tell its length."""


class PayloadTooLarge(ApiError):
    """413, or the same found out before sending: the data or the result is over a limit."""


class UriTooLong(ApiError):
    """414: the URL is too long."""


class UnsupportedMediaType(ApiError):
    """415: the body's type or encoding is not taken."""


class UnprocessableRows(ApiError):
    """422: rows were stored, but a materialized view failed on them. Do not send them again."""


class RateLimited(ApiError):
    """429: too many requests.

    Attributes:
        retry_after_s: seconds after which the service takes requests again, or ``None`` when it did not say.
        limit: requests allowed in the window, or ``None``.
        remaining: requests left in the window, or ``None``.
    """

    def __init__(
        self,
        text: str,
        *,
        retry_after_s: float | None = None,
        limit: int | None = None,
        remaining: int | None = None,
        **details: Any,
    ) -> None:
        super().__init__(text, **details)
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.remaining = remaining


class DeploymentRequired(ApiError):
    """The Workspace takes this change by a deployment only (generation Forward, and Tinybird Local).

    Attributes:
        datafile: the text of the definition that does the same, or ``None``.
        file: where it belongs in a project, for instance ``datasources/events.datasource``; or ``None``.
    """

    def __init__(self, text: str, *, datafile: str | None = None, file: str | None = None, **details: Any) -> None:
        super().__init__(text, **details)
        self.datafile = datafile
        self.file = file


class QueryError(ApiError):
    """The service refused a text of SQL or could not run it.

    Attributes:
        position: offset in `sql` (characters, the first is 0) of where the error is; ``None`` when it is not known.
        code_name: ClickHouse's name of the error, for instance ``UNKNOWN_IDENTIFIER``, or ``None``.
        engine_code: ClickHouse's number of the error, or ``None``.
        named: the name that is not known: a table, column or function; ``None`` when the error is not about a name.
        named_kind: ``table``, ``column`` or ``function``, whichever `named` was taken for; ``None`` without a name.
        suggestions: names that the service proposes instead; often empty.
    """

    def __init__(
        self,
        text: str,
        *,
        position: int | None = None,
        code_name: str | None = None,
        engine_code: int | None = None,
        named: str | None = None,
        named_kind: str | None = None,
        suggestions: tuple[str, ...] = (),
        **details: Any,
    ) -> None:
        super().__init__(text, **details)
        self.position = position
        self.code_name = code_name
        self.engine_code = engine_code
        self.named = named
        self.named_kind = named_kind
        self.suggestions = suggestions


class UnknownTable(QueryError, Forbidden):
    """The SQL names a Data Source or Pipe that does not exist or that the token may not read."""


class QueryTimeout(QueryError, RequestTimeout):
    """The query ran longer than the service allows."""


class ServerError(ApiError):
    """500 or above: the service failed."""


class BadGateway(ServerError):
    """502: the service is not to be reached behind its front."""


class Unavailable(ServerError):
    """503: the service is overloaded or being maintained."""


class GatewayTimeout(ServerError, Timeout):
    """504, 598 or 599: the front waited for the service in vain. Whether the work was done is not known."""


#: Status -> class. `class_of_status` answers for those that are not here.
CLASS_OF_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    408: RequestTimeout,
    409: Conflict,
    411: LengthRequired,
    413: PayloadTooLarge,
    414: UriTooLong,
    415: UnsupportedMediaType,
    422: UnprocessableRows,
    429: RateLimited,
    500: ServerError,
    502: BadGateway,
    503: Unavailable,
    504: GatewayTimeout,
    598: GatewayTimeout,
    599: GatewayTimeout,
}


def class_of_status(status: int) -> type[ApiError]:
    """Return the class of errors for an HTTP *status*; a status that no document names goes to the nearest general one.

    Example:
        >>> class_of_status(429).__name__, class_of_status(507).__name__, class_of_status(418).__name__
        ('RateLimited', 'ServerError', 'ApiError')
    """
    return CLASS_OF_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
