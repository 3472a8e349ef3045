"""Fetch a file over HTTP into the spool, in constant memory.

Only ``http://`` and ``https://``, also after a redirect: the handlers for files, FTP and data URLs are not there.
Redirects are followed here and not by `urllib`, which reads the whole body of a redirect first. A redirect of another
machine to this one is refused, so that a URL from the internet cannot fetch from services that listen on loopback only.

Messages name the URL without user, password and query string, which may hold secrets.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import re
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from tinymagic.version import __version__

from .spool import UploadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from pathlib import Path
    from typing import Any

    from .spool import Spool

#: Seconds for connecting, and for every wait for more bytes.
TIMEOUT_S = 30.0

#: Seconds that reading a sample may take: it is waited for by a request.
SAMPLE_TIMEOUT_S = 60.0

MOST_REDIRECTS = 5

_CHUNK_BYTES = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = "%/:=&?~#+!$,;'@()*[]"
_CONTENT_RANGE_RE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
#: What may come although only ``identity`` is asked for; gzip is undone later, as in every upload.
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "aws-chunked")


@dataclass(frozen=True)
class RemoteFile:
    """A file that was fetched.

    Attributes:
        path: in the spool; whoever asked removes it.
        file_name: what the other side calls it, else the last part of the URL; may be empty.
        content_type: lower case, without parameters; may be empty.
        size_bytes: on disk.
        whole: whether that is everything; ``False`` only when a sample was asked for.
    """

    path: Path
    file_name: str
    content_type: str
    size_bytes: int
    whole: bool


def download(
    url: str,
    spool: Spool,
    *,
    most_bytes: int | None,
    sample_bytes: int | None = None,
    on_bytes: Callable[[int, int | None], None] | None = None,
) -> RemoteFile:
    """Fetch *url* into *spool*.

    Args:
        url: ``http://`` or ``https://``; a user and password in it are sent as basic authentication.
        spool: where the file goes.
        most_bytes: most bytes of a whole file.
        sample_bytes: read only so many bytes from the start.
        on_bytes: called with the bytes read and the bytes expected (``None`` when not known) for each chunk; what it
            raises stops the download.

    Raises:
        UploadError: the address is none, cannot be reached, does not have the file, or the file is too big or cut off.
            Nothing is left in the spool.
    """
    target = _checked(url)
    name = _shown(target)
    deadline = None if sample_bytes is None else time.monotonic() + SAMPLE_TIMEOUT_S
    with _explained(name):
        response, final = _open(target, sample_bytes)
        if response.status == 416 and sample_bytes is not None:
            # What some servers say to a range of an empty file.
            response.close()
            response, final = _open(target, None)
    path = spool.new_path()
    try:
        with response:
            _check(response, name, sampled=sample_bytes is not None)
            size, whole = _Reading(response, name, most_bytes, sample_bytes, deadline, on_bytes).save(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    content_type = response.headers.get_content_type() if "content-type" in response.headers else ""
    return RemoteFile(path, _file_name(response.headers, target, final), content_type, size, whole)


def check_url(url: str) -> None:
    """Refuse what `download` would refuse without asking anybody.

    Raises:
        UploadError: it is no address of ``http://`` or ``https://``.
    """
    _checked(url)


def shown_url(url: str) -> str:
    """Return a URL for people and logs: without user, password and query string, which may be secret.

    Raises:
        UploadError: it is no address of ``http://`` or ``https://``.
    """
    return _shown(_checked(url))


class _Reading:
    """The body of one response on its way to a file."""

    def __init__(
        self,
        response: http.client.HTTPResponse,
        name: str,
        most_bytes: int | None,
        sample_bytes: int | None,
        deadline: float | None,
        on_bytes: Callable[[int, int | None], None] | None,
    ) -> None:
        self._response = response
        self._name = name
        self._most = most_bytes
        self._sample = sample_bytes
        self._deadline = deadline
        self._on_bytes = on_bytes
        # Of the body; `http.client` leaves it None when it is chunked or when the header is missing.
        self._length: int | None = response.length
        self._done = 0

    def save(self, path: Path) -> tuple[int, bool]:
        """Write the file; return its size and whether it is whole."""
        if self._sample is None and self._length is not None:
            self._check_size(self._length)
        expected = self._length if self._sample is None or self._length is None else min(self._length, self._sample)
        with path.open("wb") as file:
            while chunk := self._chunk():
                self._done += len(chunk)
                if self._sample is None:
                    self._check_size(self._done)
                file.write(chunk)
                if self._on_bytes is not None:
                    self._on_bytes(self._done, expected)
        if expected is not None and self._done < expected:
            raise UploadError(
                f"The file at {self._name} was cut off: the server ended after {self._done} of {expected} bytes. "
                "Try again."
            )
        return self._done, self._is_whole()

    def _chunk(self) -> bytes:
        # Never ask for more than there is: some servers leave the connection open after the last byte.
        ends = [end for end in (self._length, self._sample) if end is not None]
        size = min([_CHUNK_BYTES, *(end - self._done for end in ends)])
        if size <= 0:
            return b""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise UploadError(
                f"Reading the start of {self._name} took more than {SAMPLE_TIMEOUT_S:.0f} seconds. "
                "Download the file and send it in the request."
            )
        with _explained(self._name):
            return self._response.read1(size)

    def _check_size(self, size: int) -> None:
        if self._most is not None and size > self._most:
            raise UploadError(f"The file at {self._name} is over the limit of {self._most} bytes.")

    def _is_whole(self) -> bool:
        if self._sample is None:
            return True
        if self._response.status == 206:
            total = _range(self._response)[1]
            return total is not None and self._done >= total
        if self._length is not None:
            return self._done >= self._length
        if self._done < self._sample:
            return True
        with _explained(self._name):
            return not self._response.read1(1)


def _open(target: SplitResult, sample_bytes: int | None) -> tuple[http.client.HTTPResponse, SplitResult]:
    """Ask for *target*, following redirects; return the first other response and where it came from."""
    name, current = _shown(target), target
    for _ in range(MOST_REDIRECTS + 1):
        user = _basic_authorization(target) if _origin(current) == _origin(target) else None
        request = _request(current, sample_bytes, user)
        response: http.client.HTTPResponse = _opener(current).open(request, timeout=TIMEOUT_S)
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or not location:
            return response, current
        response.close()
        try:
            following = _split(urljoin(urlunsplit(current), location))
        except (_BadAddress, ValueError) as error:
            problem = error if isinstance(error, _BadAddress) else "cannot be read"
            raise UploadError(f"{name} redirects to an address that {problem}.") from None
        if _is_this_machine(following.hostname or "") and not _is_this_machine(current.hostname or ""):
            raise UploadError(f"{name} redirects to an address of this machine, which is not followed.")
        current = following
    raise UploadError(f"{name} redirects more than {MOST_REDIRECTS} times.")


def _request(target: SplitResult, sample_bytes: int | None, user: str | None) -> Request:
    host = target.hostname or ""
    host = f"[{host}]" if ":" in host else host.encode("idna").decode()
    netloc = host if target.port is None else f"{host}:{target.port}"
    path, query = quote(target.path or "/", safe=_SAFE), quote(target.query, safe=_SAFE)
    # The scheme was checked in `_split`, and the opener has no handler for others.
    request = Request(urlunsplit((target.scheme, netloc, path, query, "")))  # noqa: S310
    request.add_header("User-Agent", f"tinymagic/{__version__}")
    request.add_header("Accept-Encoding", "identity")
    if sample_bytes is not None:
        request.add_header("Range", f"bytes=0-{sample_bytes - 1}")
    if user is not None:
        request.add_header("Authorization", user)
    return request


def _basic_authorization(target: SplitResult) -> str | None:
    """Return what a user and password in the URL mean."""
    if target.username is None:
        return None
    pair = f"{unquote(target.username)}:{unquote(target.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _opener(target: SplitResult) -> OpenerDirector:
    """Return an opener for http and https that hands every status back and follows nothing."""
    opener = OpenerDirector()
    if not _is_loopback_name(target.hostname or ""):
        opener.add_handler(ProxyHandler())
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    return opener


def _check(response: http.client.HTTPResponse, name: str, *, sampled: bool) -> None:
    if response.status not in (200, 206):
        raise UploadError(
            f"{name} answered with status {response.status}{_reason(response)}, not with the file. Check the URL.",
            status=response.status,
        )
    if response.status == 206 and (not sampled or _range(response)[0] != 0):
        what = "the start of the file" if sampled else "the whole file"
        raise UploadError(f"{name} did not send {what}.")
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise UploadError(f"{name} sent the file with the content encoding {encoding[:40]!r}; only gzip can be read.")


def _reason(response: http.client.HTTPResponse) -> str:
    words = http.client.responses.get(response.status, "")
    return f" ({words})" if words else ""


def _range(response: http.client.HTTPResponse) -> tuple[int | None, int | None]:
    """Return where a partial response starts, and the size of the whole file if it says so."""
    match = _CONTENT_RANGE_RE.match(response.headers.get("content-range", ""))
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


class _BadAddress(Exception):  # noqa: N818 - says what it is
    """A URL that cannot be asked for; the text goes on after "The URL"."""


def _checked(url: str) -> SplitResult:
    try:
        return _split(url)
    except _BadAddress as problem:
        raise UploadError(f"The URL {problem}. It is written like https://example.com/file.csv.") from None


def _split(url: str) -> SplitResult:
    """Take a URL apart and make sure that it can be asked for."""
    try:
        target = urlsplit(url.strip())
        scheme, host, _ = target.scheme.lower(), target.hostname or "", target.port
        host.encode("idna")
    except ValueError:
        raise _BadAddress("cannot be read") from None
    if scheme not in ("http", "https"):
        raise _BadAddress("does not begin with http:// or https://")
    if not host or any(ord(char) <= 32 or char in "\\<>\"'`{|}^" for char in host):
        raise _BadAddress("has no valid host")
    return target._replace(scheme=scheme)


def _shown(target: SplitResult) -> str:
    """Write a URL without what may be secret, printable and not too long."""
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    port = f":{target.port}" if target.port is not None else ""
    path = "".join(char if char.isprintable() else "?" for char in target.path)
    return f"{target.scheme}://{host}{port}{path if len(path) <= 200 else path[:200] + '...'}"


def _origin(target: SplitResult) -> tuple[str, str | None, int]:
    return target.scheme, target.hostname, target.port or (443 if target.scheme == "https" else 80)


def _is_loopback_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return _plain_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_this_machine(host: str) -> bool:
    """Say whether *host* is, or resolves to, an address that only this machine or its link can reach."""
    if _is_loopback_name(host):
        return True
    try:
        found = {str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # Then it cannot be reached either, or only by a proxy.
    addresses = map(_plain_address, found)
    return any(each.is_loopback or each.is_link_local or each.is_unspecified for each in addresses)


def _plain_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; ``::ffff:127.0.0.1`` is 127.0.0.1."""
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _file_name(headers: Message[Any, Any], asked: SplitResult, final: SplitResult) -> str:
    """Choose a name: what the server says, else the end of the URL, rather one with an ending."""
    said = headers.get_filename() or ""
    from_urls = [unquote(each.path.rsplit("/", 1)[-1]) for each in (asked, final)]
    names = [said.replace("\\", "/").rsplit("/", 1)[-1], *(each for each in from_urls if "." in each), *from_urls]
    return next((name for name in names if name), "")[:200]


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what goes wrong on the network into `UploadError`."""
    try:
        yield
    except (URLError, OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        raise UploadError(f"{name} {_problem(cause)}.") from error


def _problem(cause: object) -> str:
    """Say in words what an exception of the network means; the texts of exceptions may quote the URL."""
    if isinstance(cause, TimeoutError):
        return f"did not answer within {TIMEOUT_S:.0f} seconds"
    if isinstance(cause, socket.gaierror):
        return "cannot be reached: its host name is not known"
    if isinstance(cause, ConnectionRefusedError):
        return "cannot be reached: the connection was refused"
    if isinstance(cause, http.client.IncompleteRead):
        return "sent only a part of the file: the connection ended too early"
    if isinstance(cause, http.client.InvalidURL):
        return "is not an address that can be asked for"
    if isinstance(cause, http.client.HTTPException):
        return "did not answer in HTTP"
    if isinstance(cause, OSError) and "certificate" in str(cause).lower():
        return "cannot be reached safely: its TLS certificate is not valid"
    return "cannot be reached: the connection failed"
