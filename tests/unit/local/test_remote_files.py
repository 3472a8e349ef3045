"""Fetching files over HTTP into the spool: against a server that misbehaves in every way it can."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tinymagic.local.files import remote_files
from tinymagic.local.files.remote_files import download
from tinymagic.local.files.spool import Spool, UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"a,b\n" + b"1,2\n" * 50_000


class Handler(BaseHTTPRequestHandler):
    """One path for each behaviour."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        path = self.path.partition("?")[0].strip("/").split("/")[0].replace(".csv", "")
        with contextlib.suppress(OSError):
            getattr(self, f"on_{path}", self.on_missing)()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def on_file(self) -> None:
        self.reply(CONTENT, Content_Type="Text/CSV; charset=utf-8")

    def on_named(self) -> None:
        self.reply(CONTENT, Content_Disposition='attachment; filename="../x/sales 1.csv"')

    def on_range(self) -> None:
        start, end = self.headers["Range"].removeprefix("bytes=").split("-")
        part = CONTENT[int(start) : int(end) + 1]
        self.reply(part, 206, Content_Range=f"bytes {start}-{int(start) + len(part) - 1}/{len(CONTENT)}")

    def on_wrongrange(self) -> None:
        self.reply(CONTENT[5:9], 206, Content_Range=f"bytes 5-8/{len(CONTENT)}")

    def on_empty(self) -> None:
        if "Range" in self.headers:
            self.reply(b"", 416, Content_Range="bytes */0")
        else:
            self.reply(b"")

    def on_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(CONTENT), 10_000):
            part = CONTENT[start : start + 10_000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def on_cutchunk(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"20\r\nabc")
        self.close_connection = True

    def on_cut(self) -> None:
        self.reply(CONTENT[:1000], length=len(CONTENT))
        self.close_connection = True

    def on_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"1,2\n" * 4096)

    def on_slow(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(200):
            self.wfile.write(b"1\n")
            threading.Event().wait(0.02)

    def on_silent(self) -> None:
        self.close_connection = True
        threading.Event().wait(1.5)

    def on_held(self) -> None:
        self.reply(CONTENT)
        self.wfile.flush()
        threading.Event().wait(3)

    def on_brotli(self) -> None:
        self.reply(b"xxx", Content_Encoding="br")

    def on_redirect(self) -> None:
        self.reply(b"moved " * 100, 302, Location=self.path.partition("?")[2])

    def on_loop(self) -> None:
        self.reply(b"", 307, Location="/loop?again")

    def on_garbage(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH\r\n")
        self.close_connection = True

    def on_missing(self) -> None:
        self.reply(b"not here", 404)


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def refused(url: str, spool: Spool, **options: object) -> str:
    """Return the sentence; nothing may be left."""
    options.setdefault("most_bytes", 10_000_000)
    with pytest.raises(UploadError) as caught:
        download(url, spool, **options)  # type: ignore[arg-type]
    assert list(spool.folder.iterdir()) == []
    return str(caught.value)


class TestWhole:
    @pytest.mark.parametrize("path", ["/file.csv", "/chunked.csv", "/held.csv", "/redirect?/file.csv"])
    def test_bytes_arrive_as_they_are(self, host: str, spool: Spool, path: str) -> None:
        """Whatever the way of sending; a connection that stays open after the last byte is not waited for."""
        steps: list[tuple[int, int | None]] = []
        found = download(host + path, spool, most_bytes=None, on_bytes=lambda done, total: steps.append((done, total)))
        assert found.path.read_bytes() == CONTENT
        assert (found.size_bytes, found.whole) == (len(CONTENT), True)
        assert steps[-1] == (len(CONTENT), None if "chunked" in path else len(CONTENT))
        assert found.path.parent == spool.folder

    def test_name_and_type(self, host: str, spool: Spool) -> None:
        """From the headers, else from the URL, never with a folder."""
        assert download(f"{host}/file.csv?x=1", spool, most_bytes=None).content_type == "text/csv"
        names = ["/file/caf%C3%A9%20x.csv.gz?token=1", "/named", "/redirect?/file/a.ndjson", "/file/", "/file/plain"]
        found = [download(host + name, spool, most_bytes=None).file_name for name in names]
        assert found == ["café x.csv.gz", "sales 1.csv", "a.ndjson", "", "plain"]

    def test_odd_characters_in_the_url(self, host: str, spool: Spool) -> None:
        """Blanks and letters beyond ASCII are escaped, what is escaped stays."""
        download(f"{host}/file/ü x%20y.csv?q=ä b&c=%2F#part", spool, most_bytes=None)
        assert Handler.seen[-1][0] == "/file/%C3%BC%20x%20y.csv?q=%C3%A4%20b&c=%2F"

    def test_user_and_password(self, host: str, spool: Spool) -> None:
        """Sent as basic authentication to the host they were given for, and not on to another one."""
        other = host.replace("127.0.0.1", "localhost")
        with_user = host.replace("//", "//me:s%40cret@")
        download(f"{with_user}/redirect?/file.csv", spool, most_bytes=None)
        assert Handler.seen[-1][1]["authorization"] == "Basic bWU6c0BjcmV0"
        download(f"{with_user}/redirect?{other}/file.csv", spool, most_bytes=None)
        assert Handler.seen[-2][1]["authorization"] == "Basic bWU6c0BjcmV0"
        assert "authorization" not in Handler.seen[-1][1]

    def test_gzip_stays_gzip(self, host: str, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is undone later, as for uploads."""
        packed = gzip.compress(CONTENT)
        monkeypatch.setattr(
            Handler, "on_packed", lambda self: self.reply(packed, Content_Encoding="gzip"), raising=False
        )
        assert download(f"{host}/packed", spool, most_bytes=None).path.read_bytes() == packed
        assert Handler.seen[-1][1]["accept-encoding"] == "identity"

    def test_no_proxy_for_loopback(self, host: str, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy of the environment cannot reach this machine."""
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert download(f"{host}/file.csv", spool, most_bytes=None).whole


class TestSample:
    def test_range_and_none(self, host: str, spool: Spool) -> None:
        """Only the start comes, whether the server knows ranges or not."""
        for path in ("/range", "/file", "/chunked", "/endless"):
            found = download(host + path, spool, most_bytes=10, sample_bytes=5000)
            assert (found.size_bytes, found.whole) == (5000, False), path
        assert Handler.seen[-1][1]["range"] == "bytes=0-4999"

    def test_whole_file_is_smaller(self, host: str, spool: Spool) -> None:
        for path in ("/range", "/file", "/chunked"):
            for size in (len(CONTENT), len(CONTENT) + 1, 10_000_000):
                found = download(host + path, spool, most_bytes=None, sample_bytes=size)
                assert (found.size_bytes, found.whole) == (len(CONTENT), True), path
        empty = download(f"{host}/empty", spool, most_bytes=None, sample_bytes=10)
        assert (empty.size_bytes, empty.whole) == (0, True)

    def test_wrong_part(self, host: str, spool: Spool) -> None:
        assert "did not send the start" in refused(f"{host}/wrongrange", spool, sample_bytes=4)

    def test_too_slow(self, host: str, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request waits for the sample, so a trickle ends."""
        monkeypatch.setattr(remote_files, "SAMPLE_TIMEOUT_S", 0.2)
        assert "took more than" in refused(f"{host}/slow", spool, sample_bytes=1000)


class TestRefused:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "x",
            "/etc/passwd",
            "file:///etc/passwd",
            "FILE:/etc/passwd",
            "ftp://127.0.0.1/x",
            "data:text/csv,a",
            "http://",
            "http:///x",
            "http://[::1/x",
            "http://h:99999/x",
            "http://h:x/",
            "http://a b/",
            "http://a\r\nHost: b/",
            f"http://{'a' * 70}.com/",
            "http://.../x",
            "gopher://127.0.0.1:1/_x",
        ],
    )
    def test_no_address(self, spool: Spool, url: str) -> None:
        """The sentence says how an address looks."""
        message = refused(url, spool)
        assert message.startswith("The URL ")
        assert "https://example.com/file.csv" in message

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/nothing", "status 404 (Not Found)"),
            ("/cut", "was cut off: the server ended after 1000 of 200004 bytes"),
            ("/cutchunk", "ended too early"),
            ("/brotli", "content encoding 'br'"),
            ("/garbage", "did not answer in HTTP"),
            ("/loop", "redirects more than 5 times"),
            ("/redirect?file:///etc/passwd", "redirects to an address that does not begin with http"),
            ("/redirect?ftp://127.0.0.1/x", "redirects to an address that does not begin with http"),
            ("/redirect?http://[", "redirects to an address that cannot be read"),
            ("/redirect", "status 302"),
            ("/redirect?/nothing", "status 404"),
        ],
    )
    def test_bad_answers(self, host: str, spool: Spool, path: str, words: str) -> None:
        """Each has its sentence, with the address that was asked for."""
        message = refused(host + path, spool)
        assert words in message
        assert host in message

    def test_too_big(self, host: str, spool: Spool) -> None:
        """By its Content-Length before, or while it comes."""
        for path in ("/file", "/chunked", "/endless"):
            assert "over the limit of 1000 bytes" in refused(host + path, spool, most_bytes=1000)

    def test_not_there(self, spool: Spool) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        assert "connection was refused" in refused(f"http://127.0.0.1:{port}/x", spool)
        assert "host name is not known" in refused("http://nowhere.invalid/x", spool)
        assert "cannot be reached" in refused("https://127.0.0.1:1/x", spool)

    def test_no_tls_on_the_other_side(self, host: str, spool: Spool) -> None:
        assert "cannot be reached" in refused(host.replace("http:", "https:") + "/file.csv", spool)

    def test_no_answer(self, host: str, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_files, "TIMEOUT_S", 0.2)
        assert "did not answer within" in refused(f"{host}/silent", spool)

    def test_stopped_by_the_caller(self, host: str, spool: Spool) -> None:
        """What *on_bytes* raises ends the download, and the file goes."""

        def stop(done: int, _: int | None) -> None:
            if done > 100_000:
                raise KeyError("cancelled")

        with pytest.raises(KeyError):
            download(f"{host}/endless", spool, most_bytes=None, on_bytes=stop)
        assert list(spool.folder.iterdir()) == []

    def test_redirect_to_this_machine(self, host: str, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another machine cannot make us fetch from services that listen here only."""
        monkeypatch.setattr(remote_files, "_is_loopback_name", lambda name: name != "127.0.0.1")
        monkeypatch.setattr(remote_files, "_is_this_machine", lambda name: name != "127.0.0.1")
        message = refused(f"{host}/redirect?http://localhost:1/secret", spool)
        assert message.endswith("redirects to an address of this machine, which is not followed.")

    @pytest.mark.parametrize("path", ["/nothing", "/cut", "/loop", "/redirect?file:///x"])
    def test_no_secret_in_messages(self, host: str, spool: Spool, path: str) -> None:
        """Neither user nor password nor query string."""
        url = host.replace("//", "//hidden1:hidden2@") + path
        url += ("&" if "?" in path else "?") + "sig=hidden3#hidden4"
        assert "hidden" not in refused(url, spool)


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("169.254.169.254", True),
        ("0.0.0.0", True),
        ("192.0.2.1", False),
        ("nowhere.invalid", False),
    ],
)
def test_this_machine(name: str, here: bool) -> None:
    """Names and addresses that only this machine or its link can reach."""
    assert remote_files._is_this_machine(name) is here
