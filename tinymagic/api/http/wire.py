"""One attempt to get a reply: token, TLS, redirects, time-outs, cancelling. Further attempts are decided above."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tinymagic.api.errors import BadReply, Cancelled, TinybirdError
from tinymagic.api.http.cancelling import cancellable_adapter
from tinymagic.api.http.hosts import is_local_host
from tinymagic.api.http.limits import check_url
from tinymagic.api.http.lost import CONNECT_TIMEOUT_S, NotAnswered, cut_short, is_timeout, sort_out, too_late
from tinymagic.api.http.replies import Reply
from tinymagic.api.http.request import pairs_of
from tinymagic.api.http.streams import CallersError, Outgoing, decompressed, read_into, read_whole
from tinymagic.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    import requests

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.http.redaction import Secret
    from tinymagic.api.http.request import Body, Request
    from tinymagic.api.progress import OnProgress

_MOST_REDIRECTS = 5


class Wire:
    """Pooled connections to one host, which carry one token. Threads may share it.

    Args:
        host: base URL in its one spelling.
        secret: the token; empty: none is sent.
        pool: so many connections are kept open.
    """

    def __init__(self, host: str, secret: Secret, pool: int) -> None:
        self._host = host
        self._secret = secret
        self._pool = pool
        self._session: requests.Session | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connections; the next attempt opens new ones."""
        with self._opening:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def attempt(
        self,
        request: Request,
        timeout_s: float,
        cancellation: Cancellation,
        on_progress: OnProgress | None,
        target: BinaryIO | None,
    ) -> Reply:
        """Send once and read the whole reply.

        Args:
            request: what to ask.
            timeout_s: seconds for the whole; for long uploads and for downloads the longest silence.
            cancellation: ends the attempt from another thread.
            on_progress: told how much of the body is on its way; with *target*, how much of the reply has arrived.
            target: takes the body of a success; ``None``: the reply holds it.

        Raises:
            NotAnswered: every error of the libraries below.
            BadReply: compressed data is damaged.
            UriTooLong: nothing was sent.
            Cancelled: through *cancellation*.
        """
        import requests
        import urllib3

        started = time.monotonic()
        late = threading.Event()
        with cancellation.watching(timeout_s), contextlib.ExitStack() as opened:
            if request.length != "long" and target is None:
                opened.callback(_start_clock(timeout_s, late, cancellation).cancel)
            response = None
            try:
                response = self._exchange(
                    request, timeout_s, opened, cancellation, on_progress if target is None else None
                )
                if target is not None and 200 <= response.status_code < 300:
                    raw = b""
                    received = read_into(target, response, request, on_progress=on_progress, cancellation=cancellation)
                else:
                    raw = read_whole(response, request)
                    received = len(raw)
            except CallersError as failed:
                raise failed.error from None
            except Exception as error:
                # A socket that is shut down from another thread ends the libraries' work in many ways.
                if cancellation.cancelled:
                    raise Cancelled(f"{request.asked} was cancelled.") from None
                if late.is_set():
                    raise too_late(request, self._host, timeout_s) from None
                if isinstance(error, (TinybirdError, NotAnswered)):
                    raise error from None
                if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
                    if response is not None and not is_timeout(error):
                        raise cut_short(request) from None
                    raise sort_out(error, request, self._host, timeout_s, self._secret.redact) from None
                raise
            cancellation.check()
            if late.is_set():
                raise too_late(request, self._host, timeout_s)
            headers = {name.lower(): value for name, value in response.headers.items()}
            body = decompressed(raw, headers, request, failed=response.status_code >= 400)
            return Reply(response.status_code, headers, body, time.monotonic() - started, received, request.asked)

    def _exchange(
        self,
        request: Request,
        timeout_s: float,
        opened: contextlib.ExitStack,
        cancellation: Cancellation,
        on_progress: OnProgress | None,
    ) -> requests.Response:
        """Send the request, follow redirects inside the host, and return the response with its body unread."""
        url = self._host + request.path
        query: Mapping[str, str | None] = request.query
        for _ in range(_MOST_REDIRECTS):
            body = request.body() if request.body is not None else None
            if body is not None and (on_progress is not None or not isinstance(body, bytes)):
                body = Outgoing(body, request, on_progress, cancellation)
                opened.callback(body.close)
            response = self._send_once(request, url, query, body, timeout_s)
            opened.callback(response.close)
            target = _redirection(response)
            if target is None:
                if 300 <= response.status_code < 400 and response.status_code != 304:
                    raise NotAnswered("broken reply", _redirected_nowhere(request, response.status_code))
                return response
            url = self._followed(request, response.status_code, url, target)
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
        if request.content_encoding:
            headers["Content-Encoding"] = request.content_encoding
        sent: Any = body
        prepared = session.prepare_request(
            requests.Request(request.method, url, params=pairs_of(query), data=sent, headers=headers)
        )
        check_url(prepared.url or "", request.asked)
        settings = session.merge_environment_settings(prepared.url or url, {}, True, None, None)
        # Old versions of requests take an empty CURL_CA_BUNDLE for "do not check".
        settings["verify"] = settings["verify"] or True
        timeout = (min(timeout_s, CONNECT_TIMEOUT_S), timeout_s)
        return session.send(prepared, allow_redirects=False, timeout=timeout, **settings)

    def _open_session(self) -> requests.Session:
        with self._opening:
            if self._session is None:
                self._session = self._new_session()
            return self._session

    def _new_session(self) -> requests.Session:
        import requests

        session = requests.Session()
        # Told not to follow redirects, requests still reads their bodies and addresses, and fails at strange ones.
        session.get_redirect_target = _no_target  # type: ignore[assignment,method-assign]
        local = is_local_host(self._host)
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
        adapter = cancellable_adapter(self._pool)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _followed(self, request: Request, status: int, url: str, target: str) -> str:
        """Return where a redirect leads when it may be followed; a place on another host never gets the token."""
        try:
            url = urljoin(url, target)
            here, there = urlsplit(self._host), urlsplit(url)
            there.port  # noqa: B018 - it raises for what is no port
        except ValueError:
            raise NotAnswered("broken reply", _redirected_nowhere(request, status)) from None
        if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc):
            place = f"{there.scheme}://{there.hostname or ''}"
            error = BadReply(
                f"{request.asked} was redirected from {self._host} to {place}; the token was not sent there. "
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


def _start_clock(timeout_s: float, late: threading.Event, cancellation: Cancellation) -> threading.Timer:
    """End the request when its time is over: a socket's own time-out starts anew with every byte that arrives."""
    thread = threading.get_ident()

    def expire() -> None:
        late.set()
        cancellation.hang_up(thread)

    clock = threading.Timer(timeout_s, expire)
    clock.daemon = True
    clock.start()
    return clock


def _no_other_credentials(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    # A credential from .netrc would take the place of our header; an "auth" that does nothing keeps it out.
    return prepared


def _no_target(_: requests.Response) -> None:
    return None


def _redirection(response: requests.Response) -> str | None:
    location = response.headers.get("Location")
    return location if location and response.status_code in (301, 302, 303, 307, 308) else None


def _redirected_nowhere(request: Request, status: int) -> BadReply:
    return BadReply(
        f"{request.asked} answered {status}, a redirect that does not say where to. Is the host right?", status=status
    )
