"""One request becomes one reply: token, TLS, retries, time-outs, redirects, cancelling, redaction.

Resources say *what* they ask (`Request`); how it travels is decided here and nowhere else:

* The token goes into the ``Authorization`` header, to the one host it was given for. Redirects are never followed to
  another host; settings of the environment (``.netrc``, proxies) get no say for a server on this machine.
* Certificates are always checked.
* What is tried again is the table in `tinymagic.api.retries`; each wait is told to ``on_wait``.
* The body is read raw, counted against ``Content-Length`` and decompressed here, so that a reply that was cut short is
  an error whatever the versions of the libraries below make of it.
"""

from __future__ import annotations

import contextlib
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urljoin, urlsplit

from tinymagic.api.cancelling import Cancellation, cancellable_adapter
from tinymagic.api.errors import BadReply, Cancelled, ConfigurationError, TinybirdError
from tinymagic.api.failures import failure_of
from tinymagic.api.hosts import is_local_host, normalise_host
from tinymagic.api.lost import CONNECT_TIMEOUT_S, NotAnswered, cut_short, is_timeout, sort_out, too_late
from tinymagic.api.redaction import Secret
from tinymagic.api.replies import Reply
from tinymagic.api.request import Body, Request, pairs_of
from tinymagic.api.retries import Failure, Patience, asked_wait_s
from tinymagic.version import __version__

if TYPE_CHECKING:
    import requests

#: Called with the seconds about to be waited and the reason in words.
OnWait: TypeAlias = Callable[[float, str], object]

DEFAULT_TIMEOUT_S = 60.0
_CHUNK_BYTES = 256 * 1024
_POOL_SIZE = 8
_MOST_REDIRECTS = 5


class Transport:
    """Sends requests to one host with one token over pooled connections. Threads may share it.

    Args:
        host: base URL; brought into its one spelling.
        token: sent to that host only. Empty: no token is sent.
        timeout_s: seconds for the whole of one attempt, connecting included.
        on_wait: told about each wait before another attempt.
        patience: how often to try and how long to wait.

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
    ) -> None:
        self.host = normalise_host(host)
        self.timeout_s = timeout_s
        self.on_wait = on_wait
        self._secret = Secret(checked_token(token))
        self._patience = patience or Patience()
        self._session: requests.Session | None = None

    def __repr__(self) -> str:
        return f"Transport({self.host!r})"

    def close(self) -> None:
        """Close the pooled connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

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
    ) -> Reply:
        """Send *request*, again where that is safe, and return the reply of a success.

        Args:
            request: what to ask.
            timeout_s: seconds for one attempt; ``None`` for that of this transport.
            cancellation: ends the request from another thread.
            failure: makes the error for a reply with an error status; default `failure_of`.

        Raises:
            ApiError: the service answered with an error status; the class tells which.
            ConnectionFailed: the host could not be reached, or hung up.
            Timeout: no whole reply in time.
            BadReply: the reply was cut short, damaged, or sends us to another host.
            Cancelled: through *cancellation*.
        """
        cancellation = cancellation or Cancellation()
        timeout = self.timeout_s if timeout_s is None else timeout_s
        waited = 0.0
        attempt = 0
        while True:
            attempt += 1
            what: Failure
            try:
                reply = self._attempt(request, timeout, cancellation)
            except NotAnswered as lost:
                what, error, asked = lost.failure, lost.error, None
            else:
                if reply.status < 400:
                    return reply
                error = failure(reply) if failure else failure_of(reply, redact=self.redact)
                what, asked = reply.status, asked_wait_s(reply.headers) if reply.status in (429, 503) else None
            wait = self._patience.wait_s(request.effect, what, attempt=attempt, waited_s=waited, asked_s=asked)
            if wait is None:
                # The libraries' own errors show requests and headers: they are left out of the traceback.
                raise error from None
            if self.on_wait is not None:
                self.on_wait(wait, _reason(what, attempt))
            cancellation.wait(wait)
            waited += wait

    def get_json(self, path: str, query: Mapping[str, str | None] | None = None, **options: Any) -> dict[str, Any]:
        """Send a GET and return the reply's JSON object."""
        return self.send(Request("GET", path, query or {}), **options).json_object()

    # One attempt

    def _attempt(self, request: Request, timeout_s: float, cancellation: Cancellation) -> Reply:
        """Send once and read the whole reply; every error of the libraries below becomes `NotAnswered`."""
        import requests
        import urllib3

        started = time.monotonic()
        late = threading.Event()
        with cancellation.watching(), contextlib.ExitStack() as opened:
            if request.length != "long":
                opened.callback(_start_clock(timeout_s, late, cancellation).cancel)
            response = None
            try:
                response = self._exchange(request, timeout_s, opened)
                raw = self._read(response, request)
            except Exception as error:
                # A socket that is shut down from another thread ends the libraries' work in many ways.
                if cancellation.cancelled:
                    raise Cancelled(f"{request.asked} was cancelled.") from None
                if late.is_set():
                    raise too_late(request, self.host, timeout_s) from None
                if isinstance(error, (TinybirdError, NotAnswered)):
                    raise error from None
                if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
                    if response is not None and not is_timeout(error):
                        raise cut_short(request) from None
                    raise sort_out(error, request, self.host, timeout_s, self.redact) from None
                raise
            cancellation.check()
            if late.is_set():
                raise too_late(request, self.host, timeout_s)
            headers = {name.lower(): value for name, value in response.headers.items()}
            body = self._decompressed(raw, headers, request)
            return Reply(response.status_code, headers, body, time.monotonic() - started, len(raw), request.asked)

    def _exchange(self, request: Request, timeout_s: float, opened: contextlib.ExitStack) -> requests.Response:
        """Send the request, follow redirects inside the host, and return the response with its body unread."""
        url = self.host + request.path
        query: Mapping[str, str | None] = request.query
        for _ in range(_MOST_REDIRECTS):
            body = request.body() if request.body is not None else None
            if body is not None and not isinstance(body, bytes):
                opened.callback(body.close)
            response = self._send_once(request, url, query, body, timeout_s)
            opened.callback(response.close)
            target = _redirection(response)
            if target is None:
                return response
            url = self._followed(request, response.status_code, urljoin(url, target))
            query = {}
        raise NotAnswered("broken reply", BadReply(f"{request.asked} was redirected in a circle. Is the host right?"))

    def _send_once(
        self, request: Request, url: str, query: Mapping[str, str | None], body: Body | None, timeout_s: float
    ) -> requests.Response:
        import requests

        session = self._open_session()
        headers = {"Authorization": f"Bearer {self._secret.reveal()}"} if request.token and self._secret else {}
        if request.content_type:
            headers["Content-Type"] = request.content_type
        sent: Any = body
        prepared = session.prepare_request(
            requests.Request(request.method, url, params=pairs_of(query), data=sent, headers=headers)
        )
        settings = session.merge_environment_settings(prepared.url or url, {}, True, None, None)
        # Old versions of requests take an empty CURL_CA_BUNDLE for "do not check".
        settings["verify"] = settings["verify"] or True
        timeout = (min(timeout_s, CONNECT_TIMEOUT_S), timeout_s)
        return session.send(prepared, allow_redirects=False, timeout=timeout, **settings)

    def _open_session(self) -> requests.Session:
        if self._session is not None:
            return self._session
        import requests

        session = requests.Session()
        local = is_local_host(self.host)
        # A proxy of the environment would get to see a local token in clear, and .netrc would replace ours.
        session.trust_env = not local
        session.auth = _no_other_credentials
        session.headers.update(
            {
                "User-Agent": f"tinymagic/{__version__}",
                # On this machine compressing costs more than it saves.
                "Accept-Encoding": "identity" if local else "gzip",
            }
        )
        adapter = cancellable_adapter(_POOL_SIZE)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        self._session = session
        return session

    def _followed(self, request: Request, status: int, url: str) -> str:
        """Return where a redirect leads when it may be followed; a place on another host never gets the token."""
        here, there = urlsplit(self.host), urlsplit(url)
        if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc):
            target = f"{there.scheme}://{there.hostname or ''}"
            error = BadReply(
                f"{request.asked} was redirected from {self.host} to {target}; the token was not sent there. "
                "If that is the right host, connect to it.",
                status=status,
            )
            raise NotAnswered("broken reply", error)
        if request.method != "GET" and status not in (307, 308):
            error = BadReply(
                f"{request.asked} answered {status}, a redirect that would lose the request's body. Is the host right?",
                status=status,
            )
            raise NotAnswered("broken reply", error)
        return url

    def _read(self, response: requests.Response, request: Request) -> bytes:
        """Read the body as it is on the wire, to its announced length."""
        chunks = list(response.raw.stream(_CHUNK_BYTES, decode_content=False))
        received = sum(map(len, chunks))
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and received != int(announced) and response.status_code not in (204, 205, 304):
            raise cut_short(request, received, f"of {announced} bytes")
        return b"".join(chunks)

    def _decompressed(self, raw: bytes, headers: Mapping[str, str], request: Request) -> bytes:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity") or not raw:
            return raw
        if encoding not in ("gzip", "x-gzip"):
            raise BadReply(f"{request.asked} answered in the encoding {encoding!r}, which was not asked for.")
        try:
            return gunzipped(raw)
        except zlib.error as error:
            raise BadReply(
                f"{request.asked}: the reply's gzip data is damaged or cut short ({error}; {len(raw)} bytes arrived). "
                "Try again."
            ) from None


def _start_clock(timeout_s: float, late: threading.Event, cancellation: Cancellation) -> threading.Timer:
    """End the request when its time is over: a socket's own time-out starts anew with every byte that arrives."""

    def expire() -> None:
        late.set()
        cancellation.hang_up()

    clock = threading.Timer(timeout_s, expire)
    clock.daemon = True
    clock.start()
    return clock


def checked_token(token: str) -> str:
    """Return *token* without blanks around it.

    Raises:
        ConfigurationError: there is something in it that no token has; the sentence does not repeat it.
    """
    token = token.strip()
    if not all("!" <= sign <= "~" for sign in token):
        raise ConfigurationError("The token holds a blank or a character that no token has. Copy it again.")
    return token


def gunzipped(raw: bytes) -> bytes:
    """Decompress gzip data of one or more members.

    Raises:
        zlib.error: it is damaged or not complete.
    """
    parts: list[bytes] = []
    while raw:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        parts.append(member.decompress(raw))
        if not member.eof:
            raise zlib.error("the end is missing")
        raw = member.unused_data
    return b"".join(parts)


def _no_other_credentials(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    # A credential from .netrc would take the place of our header; an "auth" that does nothing keeps it out.
    return prepared


def _redirection(response: requests.Response) -> str | None:
    location = response.headers.get("Location")
    return location if location and response.status_code in (301, 302, 303, 307, 308) else None


def _reason(what: Failure, attempt: int) -> str:
    if isinstance(what, int):
        words = {429: "too many requests (429)"}.get(what, f"the service is not available ({what})")
    else:
        words = {"not sent": "the host cannot be reached", "hung up": "the host closed the connection"}.get(what, what)
    return f"{words}; attempt {attempt + 1} follows"
