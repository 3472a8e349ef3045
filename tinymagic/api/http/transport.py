"""One request becomes one reply: retries, waiting, downloads, links. What one attempt does is in `.wire`.

Resources say *what* they ask (`Request`); how it travels is decided in these two modules and nowhere else:

* The token goes into the ``Authorization`` header, to the one host it was given for. Redirects are never followed to
  another host; settings of the environment (``.netrc``, proxies) get no say for a server on this machine.
* Certificates are always checked.
* What is tried again is the table in `.retries`; each wait is told to ``on_wait``.
* The body is read raw, counted against ``Content-Length`` and decompressed by `.streams`, so that a reply that was cut
  short is an error whatever the versions of the libraries below make of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from tinymagic.api.errors import BadReply, ConfigurationError
from tinymagic.api.http.answers import Answer
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.failures import failure_of
from tinymagic.api.http.hosts import normalise_host
from tinymagic.api.http.links import WARNING, TokenInLink, link_with_token
from tinymagic.api.http.lost import NotAnswered
from tinymagic.api.http.redaction import Secret
from tinymagic.api.http.request import Request
from tinymagic.api.http.retries import ASKING_STATUSES, Failure, Patience, asked_wait_s, may_be_done
from tinymagic.api.http.wire import Wire

if TYPE_CHECKING:
    from tinymagic.api.errors import TinybirdError
    from tinymagic.api.http.replies import Reply
    from tinymagic.api.own_token import OwnToken
    from tinymagic.api.progress import OnProgress

__all__ = ["DEFAULT_TIMEOUT_S", "OnWait", "TokenInLink", "Transport", "checked_token"]

#: Called with the seconds about to be waited and the reason in words.
OnWait: TypeAlias = Callable[[float, str], object]

DEFAULT_TIMEOUT_S = 60.0
#: Connections that are kept open; each is opened when it is needed first.
_POOL_SIZE = 32


class Transport:
    """Sends requests to one host with one token over pooled connections. Threads may share it.

    Args:
        host: base URL; brought into its one spelling.
        token: sent to that host only. Empty: no token is sent.
        timeout_s: seconds for the whole of one attempt, connecting included; waits between attempts are not counted,
            `Patience` has their limits. For long uploads and for downloads it is the longest silence instead.
        on_wait: told about each wait before another attempt, in the thread that waits.
        patience: how often to try and how long to wait.
        pool: so many connections are kept open. More requests at a time are possible; their connections are closed.

    Raises:
        InsecureHost: *host* is ``http://`` and not this machine.
        ConfigurationError: *host* is no host, or *token* cannot be put into a header.
    """

    def __init__(
        self,
        host: str,
        token: str,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        on_wait: OnWait | None = None,
        patience: Patience | None = None,
        pool: int = _POOL_SIZE,
    ) -> None:
        self.host = normalise_host(host)
        self.timeout_s = timeout_s
        self.on_wait = on_wait
        self._secret = Secret(checked_token(token))
        self._patience = patience or Patience()
        self._wire = Wire(self.host, self._secret, pool)

    def __repr__(self) -> str:
        return f"Transport({self.host!r})"

    def close(self) -> None:
        """Close the pooled connections; the next request opens new ones."""
        self._wire.close()

    def with_token(self, token: str) -> Transport:
        """Return a transport to the same host with another token, for a few calls that need one: close it after them.

        Raises:
            ConfigurationError: *token* cannot be put into a header.
        """
        return Transport(
            self.host, token, timeout_s=self.timeout_s, on_wait=self.on_wait, patience=self._patience, pool=1
        )

    @property
    def patience(self) -> Patience:
        """How often to try and how long to wait."""
        return self._patience

    @property
    def own_token(self) -> OwnToken:
        """What the token tells about itself; not the token."""
        from tinymagic.api.own_token import OwnToken

        return OwnToken.of(self._secret.reveal())

    @property
    def identity(self) -> str:
        """A text that tells this host and token from others, and does not tell the token."""
        import hashlib

        return hashlib.sha256(f"{self.host} {self._secret.reveal()}".encode()).hexdigest()

    def carries(self, token: Secret) -> bool:
        """Say whether *token* is the one that is sent."""
        return bool(token) and token.reveal() == self._secret.reveal()

    def redact(self, text: str) -> str:
        """Return *text* without the token, pieces of it, and what looks like a token."""
        return self._secret.redact(text)

    def send(
        self,
        request: Request,
        *,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        failure: Callable[[Reply], TinybirdError] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Reply:
        """Send *request*, again where that is safe, and return the reply of a success.

        A DELETE that is repeated because its fate was not known, and then gets 404, was done by the attempt before: its
        reply here is a 204 without a body.

        Args:
            request: what to ask.
            timeout_s: seconds for one attempt; ``None`` for that of this transport.
            cancellation: ends the request from another thread: while it connects, sends, waits or reads.
            failure: makes the error for a reply with an error status; default `failure_of`.
            on_progress: told how many bytes of the body are on their way, about four times per MB, in this thread. It
                begins anew with each attempt. What it raises ends the request.

        Raises:
            ApiError: the service answered with an error status; the class tells which.
            ConnectionFailed: the host could not be reached, or hung up.
            Timeout: no whole reply in time.
            BadReply: the reply was cut short, damaged, or sends us to another host.
            UriTooLong: the URL is longer than the service takes; nothing was sent.
            Cancelled: through *cancellation*.
        """
        return self._until_done(request, timeout_s, cancellation, failure, on_progress, None)

    def download(
        self,
        request: Request,
        target: BinaryIO,
        *,
        on_progress: OnProgress | None = None,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
        failure: Callable[[Reply], TinybirdError] | None = None,
    ) -> Reply:
        """Send *request* and write the body of a success to *target*, in constant memory, decompressed.

        Attempts are repeated as by `send` until a body begins; from then on nothing is: after an error *target* holds
        what arrived, which is not the whole. Nothing is written when an error status comes.

        Args:
            request: what to ask.
            target: open for writing bytes; it is neither closed nor moved.
            on_progress: told how many bytes have arrived (before decompression), about four times per MB, in this
                thread; the total is ``None`` when the service does not tell it. What it raises ends the download.
            timeout_s: longest silence of the connection in seconds, not the time for the whole; ``None`` for that of
                this transport.
            cancellation: ends the download from another thread.
            failure: makes the error for a reply with an error status; default `failure_of`.

        Returns:
            The reply without a body; ``bytes_received`` is the length on the wire.

        Raises:
            TinybirdError: as `send`.
            OSError: *target* cannot be written to.
        """
        return self._until_done(request, timeout_s, cancellation, failure, on_progress, target)

    def link(self, path: str, query: Mapping[str, str | None] | None = None) -> str:
        """Return a URL with the token in it, which works without a header; the only place that makes one.

        It warns with `TokenInLink`: whoever has the link has the token's rights.

        Args:
            path: from ``/v0/`` on, its parts quoted.
            query: parameters; ``None`` is left out.

        Raises:
            ConfigurationError: this transport has no token.
            InvalidInput: *query* has a ``token``.
        """
        made = link_with_token(self.host, path, query or {}, self._secret.reveal())
        # The line that is shown is the one that called the resource's method.
        warnings.warn(WARNING, TokenInLink, stacklevel=3)
        return made

    def get_json(self, path: str, query: Mapping[str, str | None] | None = None, **options: Any) -> dict[str, Any]:
        """Send a GET and return the reply's JSON object."""
        return self.send(Request("GET", path, query or {}), **options).json_object()

    def _no_answer(self, reply: Reply) -> BadReply:
        """Return the error for a status that is neither success nor refusal.

        Nobody asked for another protocol (101), or said that an older reply is at hand (304).
        """
        error = BadReply(
            f"{reply.asked} answered {reply.status}, which is no answer to this request. A proxy in between may have "
            "said so. Is the host right?",
            status=reply.status,
        )
        error.answer = Answer.of(reply, self.redact)
        return error

    def _until_done(
        self,
        request: Request,
        timeout_s: float | None,
        cancellation: Cancellation | None,
        failure: Callable[[Reply], TinybirdError] | None,
        on_progress: OnProgress | None,
        target: BinaryIO | None,
    ) -> Reply:
        cancellation = cancellation or Cancellation()
        timeout = self.timeout_s if timeout_s is None else timeout_s
        waited = 0.0
        attempt = 0
        # One with dry_run is a read: it deletes nothing.
        deletes = request.method == "DELETE" and request.effect == "idempotent"
        done_perhaps = False
        while True:
            attempt += 1
            what: Failure
            try:
                reply = self._wire.attempt(request, timeout, cancellation, on_progress, target)
            except NotAnswered as lost:
                what, error, asked = lost.failure, lost.error, None
            else:
                if 200 <= reply.status < 300:
                    return reply
                if reply.status < 400:
                    raise self._no_answer(reply)
                if reply.status == 404 and done_perhaps:
                    return replace(reply, status=204, body=b"")
                error = failure(reply) if failure else failure_of(reply, redact=self.redact)
                error.answer = Answer.of(reply, self.redact)
                what = reply.status
                asked = asked_wait_s(reply.headers) if reply.status in ASKING_STATUSES else None
            wait = self._patience.wait_s(request.effect, what, attempt=attempt, waited_s=waited, asked_s=asked)
            if wait is None:
                # The libraries' own errors show requests and headers: they are left out of the traceback.
                raise error from None
            done_perhaps = done_perhaps or (deletes and may_be_done(what))
            if self.on_wait is not None:
                self.on_wait(wait, _reason(what, attempt))
            cancellation.wait(wait)
            waited += wait


def checked_token(token: str) -> str:
    """Return *token* without blanks around it.

    Raises:
        ConfigurationError: there is something in it that no token has; the sentence does not repeat it.
    """
    token = token.strip()
    if not all("!" <= sign <= "~" for sign in token):
        raise ConfigurationError("The token holds a blank or a character that no token has. Copy it again.")
    return token


def _reason(what: Failure, attempt: int) -> str:
    if isinstance(what, int):
        words = {429: "too many requests (429)"}.get(what, f"the service is not available ({what})")
    else:
        words = {"not sent": "the host cannot be reached", "hung up": "the host closed the connection"}.get(what, what)
    return f"{words}; attempt {attempt + 1} follows"
