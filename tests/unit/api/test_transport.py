"""One request becomes one reply or one clear error, whatever the other side does."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import socket
import ssl
import subprocess
import threading
import time
import traceback
import tracemalloc

import pytest

from tinymagic.api.errors import (
    CLASS_OF_STATUS,
    ApiError,
    BadReply,
    Cancelled,
    ConfigurationError,
    ConnectionFailed,
    InsecureHost,
    RateLimited,
    Timeout,
    TinybirdError,
)
from tinymagic.api.http import streams
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.failures import ADVICE
from tinymagic.api.http.request import Request, SizedReader, form_body
from tinymagic.api.http.retries import PASSING_STATUSES, Patience
from tinymagic.api.http.streams import gunzipped
from tinymagic.api.http.transport import Transport

READ = Request("GET", "/v0/x")
READING_POST = Request("POST", "/v0/x", body=lambda: b"q=1", effect="read")
WRITE = Request("POST", "/v0/x", body=lambda: b"rows", effect="write")
QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, longest_asked_wait_s=1)


@pytest.fixture
def transport(server, waits):
    made = Transport(server.host, server.token, timeout_s=5, patience=QUICK, on_wait=lambda *wait: waits.append(wait))
    yield made
    made.close()


class TestSuccess:
    def test_token_goes_in_a_header_and_nowhere_else(self, server, transport):
        server.on("/v0/x", server.answer({"a": 1}))
        reply = transport.send(Request("GET", "/v0/x", {"a": "ä&=", "none": None}))
        seen = server.seen[0]
        assert reply.json_object() == {"a": 1}
        assert seen.headers["authorization"] == f"Bearer {server.token}"
        assert seen.query == {"a": "ä&="}
        assert seen.headers["user-agent"].startswith("tinymagic/")

    def test_connections_are_used_again(self, server, transport):
        server.on("/v0/x", server.answer())
        for _ in range(5):
            transport.send(READ)
        assert (len(server.seen), server.connections) == (5, 1)

    def test_without_a_token_no_header_is_sent(self, server):
        server.on("/tokens", server.answer())
        transport = Transport(server.host, "")
        transport.send(Request("GET", "/tokens"))
        transport.close()
        assert "authorization" not in server.seen[0].headers

    def test_a_netrc_file_does_not_replace_the_token(self, server, transport, tmp_path, monkeypatch):
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        server.on("/v0/x", server.answer())
        transport.send(READ)
        assert server.seen[0].headers["authorization"].startswith("Bearer")

    def test_a_proxy_of_the_environment_gets_no_local_request(self, server, transport, other_server, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other_server.host)
        server.on("/v0/x", server.answer())
        transport.send(READ)
        assert (len(server.seen), other_server.seen) == (1, [])

    def test_gzip_of_several_members_is_read(self, server, transport):
        body = gzip.compress(b'{"a"') + gzip.compress(b": 1}")
        server.on("/v0/x", server.Answer(200, body, {"Content-Encoding": "gzip"}))
        reply = transport.send(READ)
        assert (reply.json_object(), reply.bytes_received) == ({"a": 1}, len(body))

    def test_204_has_an_empty_object(self, server, transport):
        server.on("/v0/x", server.Answer(204))
        assert transport.send(WRITE).json_object() == {}

    def test_threads_share_it(self, server, transport):
        server.on("/v0/x", server.answer({"a": 1}))
        results = []
        threads = [threading.Thread(target=lambda: results.append(transport.get_json("/v0/x"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [{"a": 1}] * 8


class TestRetries:
    @pytest.mark.parametrize("status", PASSING_STATUSES)
    @pytest.mark.parametrize("request_", [READ, READING_POST], ids=["get", "post that reads"])
    def test_a_read_is_repeated_until_it_succeeds(self, server, transport, waits, status, request_):
        server.on("/v0/x", server.answer(status=status), server.answer(status=status), server.answer({"a": 1}))
        assert transport.send(request_).json_object() == {"a": 1}
        assert [seconds for seconds, _ in waits] == [0.01, 0.02]
        assert str(status) in waits[0][1]
        assert {(seen.method, seen.body) for seen in server.seen} == {
            (request_.method, request_.body() if request_.body else b"")
        }

    @pytest.mark.parametrize("status", PASSING_STATUSES)
    def test_a_write_is_repeated_after_429_only(self, server, transport, status):
        server.on("/v0/x", server.answer(status=status), server.answer())
        if status == 429:
            transport.send(WRITE)
        else:
            with pytest.raises(ApiError):
                transport.send(WRITE)
        assert len(server.seen) == (2 if status == 429 else 1)

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 409, 411, 413, 414, 415, 422, 500])
    @pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
    def test_lasting_trouble_is_not_repeated(self, server, transport, status, request_):
        server.on("/v0/x", server.answer({"error": "no"}, status))
        with pytest.raises(ApiError, match="no") as caught:
            transport.send(request_)
        assert (caught.value.status, len(server.seen)) == (status, 1)

    @pytest.mark.parametrize("how", ["reset", "hang up"])
    def test_a_broken_connection_is_tried_again_for_reads_only(self, server, transport, how):
        server.on("/v0/x", server.Answer(how=how), server.answer({"a": 1}))
        assert transport.send(READ).json_object() == {"a": 1}
        server.on("/v0/x", server.Answer(how=how), server.answer({"a": 1}))
        server.seen.clear()
        with pytest.raises(ConnectionFailed, match="look before you repeat it") as caught:
            transport.send(WRITE)
        assert (caught.value.sent, len(server.seen)) == (True, 1)

    def test_attempts_end_with_the_last_error(self, server, transport, waits):
        server.on("/v0/x", server.answer({"error": "busy"}, 429))
        with pytest.raises(RateLimited, match="busy"):
            transport.send(READ)
        assert (len(server.seen), len(waits)) == (3, 2)

    def test_the_service_says_how_long(self, server, transport, waits):
        server.on("/v0/x", server.answer(status=429, **{"Retry-After": "0.05"}), server.answer())
        transport.send(WRITE)
        assert waits[0][0] == 0.05

    @pytest.mark.parametrize("name", ["X-Ratelimit-Reset", "x-ratelimit-reset", "X-RATELIMIT-RESET"])
    def test_header_names_come_in_any_case(self, server, transport, waits, name):
        server.on("/v0/x", server.answer(status=429, **{name: "0.03"}), server.answer())
        transport.send(READ)
        assert waits[0][0] == 0.03

    def test_too_long_a_wait_is_left_to_the_user(self, server, transport, waits):
        server.on("/v0/x", server.answer(status=429, **{"Retry-After": "3600"}))
        with pytest.raises(RateLimited) as caught:
            transport.send(READ)
        assert (caught.value.retry_after_s, len(server.seen), waits) == (3600, 1, [])

    def test_nobody_listens(self, waits):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        transport = Transport(f"http://127.0.0.1:{port}", "t", patience=QUICK, on_wait=lambda *wait: waits.append(wait))
        with pytest.raises(ConnectionFailed, match="Is the server running") as caught:
            transport.send(WRITE)
        assert (caught.value.sent, len(waits)) == (False, 2)

    def test_a_name_that_does_not_exist(self):
        transport = Transport("https://nothing.invalid", "t", patience=QUICK, timeout_s=5)
        with pytest.raises(ConnectionFailed, match=r"nothing\.invalid"):
            transport.send(READ)

    def test_no_tls_where_tls_was_expected(self, server):
        transport = Transport(server.host.replace("http:", "https:"), "t", patience=QUICK, timeout_s=5)
        with pytest.raises(ConnectionFailed):
            transport.send(READ)
        assert server.seen == []

    def test_a_certificate_that_nobody_signed(self, tmp_path):
        if shutil.which("openssl") is None:
            pytest.skip("openssl makes the certificate")
        key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            received = []

            def accept():
                with listening.accept()[0] as raw, contextlib.suppress(OSError):
                    received.append(context.wrap_socket(raw, server_side=True).recv(100))

            thread = threading.Thread(target=accept)
            thread.start()
            transport = Transport(f"https://localhost:{listening.getsockname()[1]}", "t", timeout_s=5)
            with pytest.raises(ConnectionFailed, match=r"no secure connection .*certificate") as caught:
                transport.send(READ)
            thread.join()
        assert (received, caught.value.sent) == ([], False)


#: errors-and-limits.md section 2.
SUCCESSES = [200, 201, 202, 204, 205]
ERRORS = [400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 422, 429, 500, 502, 503, 504, 598, 599]


class TestStatuses:
    """Each status of the contract is a reply, or an error of its own class that says what to do next."""

    @pytest.mark.parametrize("status", SUCCESSES)
    def test_successes_are_replies(self, server, transport, status):
        server.on("/v0/x", server.Answer(status, b""))
        reply = transport.send(WRITE)
        assert (reply.status, reply.json_object()) == (status, {})

    @pytest.mark.parametrize("status", [101, 103, 199, 304, 399])
    def test_what_is_neither_is_an_error(self, server, transport, status):
        server.on("/v0/x", server.Answer(status, b""))
        with pytest.raises(BadReply, match=f"POST /v0/x answered {status}"):
            transport.send(WRITE)
        assert len(server.seen) == 1

    @pytest.mark.parametrize("status", ERRORS)
    def test_errors_have_a_class_and_advice(self, server, transport, status):
        server.on("/v0/x", server.answer({"error": "because of this"}, status))
        with pytest.raises(CLASS_OF_STATUS[status]) as caught:
            transport.send(WRITE)
        error = caught.value
        assert type(error) is not ApiError
        assert type(error).__doc__.strip()
        assert str(error) == f"POST /v0/x answered {status}: because of this. {ADVICE[status]}"
        assert ADVICE[status].endswith(".")

    def test_none_is_missing(self):
        assert sorted(ADVICE) == sorted(CLASS_OF_STATUS) == ERRORS

    @pytest.mark.parametrize(
        ("status", "asked", "text"),
        [(429, "300", "Try again in 5 min."), (503, "90", "Try again in 90 s."), (429, "7200", "Try again in 2 h.")],
    )
    def test_the_service_says_when(self, server, transport, waits, status, asked, text):
        server.on("/v0/x", server.answer({"error": "busy"}, status, **{"Retry-After": asked}))
        with pytest.raises(ApiError, match=text):
            transport.send(READ)
        assert waits == []


class TestTimeouts:
    @pytest.mark.parametrize("how", ["slow", "drip"])
    @pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
    def test_the_whole_reply_has_a_time(self, server, transport, how, request_):
        server.on("/v0/x", server.Answer(200, b"{" + b" " * 500 + b"}", how=how, seconds=0.05 if how == "drip" else 9))
        started = time.monotonic()
        with pytest.raises(Timeout, match=r"within 0.3 s"):
            transport.send(request_, timeout_s=0.3)
        assert time.monotonic() - started < 3
        assert len(server.seen) == 1

    def test_the_next_request_works(self, server, transport):
        server.on("/v0/x", server.Answer(how="slow", seconds=9), server.answer({"a": 1}))
        with pytest.raises(Timeout):
            transport.send(READ, timeout_s=0.2)
        assert transport.get_json("/v0/x") == {"a": 1}


class TestBrokenReplies:
    @pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
    @pytest.mark.parametrize("how", ["truncated", "chunk cut"])
    def test_a_body_that_is_cut_short(self, server, transport, how, request_):
        server.on("/v0/x", server.Answer(200, b'{"long": "body of this reply"}', how=how))
        with pytest.raises(BadReply, match="cut short"):
            transport.send(request_)
        assert len(server.seen) == 1

    @pytest.mark.parametrize("keep", [5, -9, -1])
    def test_gzip_that_is_cut_short(self, server, transport, keep):
        server.on("/v0/x", server.gzipped(server.answer({"a": list(range(99))}), keep=keep))
        with pytest.raises(BadReply, match="gzip"):
            transport.send(READ)

    def test_gzip_that_is_damaged(self, server, transport):
        packed = server.gzipped(server.answer({"a": list(range(999))}))
        packed.body = packed.body[:40] + b"\xff" * 40 + packed.body[80:]
        server.on("/v0/x", packed)
        with pytest.raises(BadReply, match="damaged"):
            transport.send(READ)

    def test_an_encoding_that_was_not_asked_for(self, server, transport):
        server.on("/v0/x", server.Answer(200, b"{}", {"Content-Encoding": "br"}))
        with pytest.raises(BadReply, match="'br'"):
            transport.send(READ)

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (b"<html>hello</html>", "expected"),
            (b'{"a": 1', "breaks off"),
            (b"[1]", "no object but a list"),
            (b"[" * 100_000, "breaks off"),
        ],
    )
    def test_what_is_not_the_json_it_should_be(self, server, transport, body, text):
        server.on("/v0/x", server.Answer(200, body, {"Content-Type": "text/html"}))
        with pytest.raises(BadReply, match=text):
            transport.get_json("/v0/x")

    def test_an_html_error_page(self, server, transport):
        page = b"<html><head><title>Service down</title></head><body>" + b"x" * 5000 + b"</body></html>"
        server.on("/v0/x", server.Answer(500, page, {"Content-Type": "text/html"}))
        with pytest.raises(ApiError, match="GET /v0/x answered 500: Service down"):
            transport.send(READ)

    @pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
    def test_more_than_is_held_in_memory(self, server, transport, monkeypatch, packed):
        monkeypatch.setattr(streams, "HELD_BYTES", 1_000_000)
        answer = server.Answer(200, bytes(30_000_000))
        server.on("/v0/x", server.gzipped(answer) if packed else answer)
        with pytest.raises(BadReply, match="more than 1 MB"):
            transport.send(READ)
        with pytest.raises(BadReply, match="look before you repeat it"):
            transport.send(WRITE)

    @pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
    def test_of_a_long_error_the_beginning_is_kept(self, server, transport, monkeypatch, packed):
        monkeypatch.setattr(streams, "ERROR_BYTES", 1_000_000)
        answer = server.Answer(500, b"Broken. " + bytes(30_000_000), {"Content-Type": "text/plain"})
        server.on("/v0/x", server.gzipped(answer) if packed else answer)
        with pytest.raises(ApiError, match="answered 500: Broken") as caught:
            transport.send(READ)
        assert len(str(caught.value)) < 100_000

    def test_a_bomb_needs_little_memory(self):
        bomb = gzip.compress(bytes(200_000_000))
        tracemalloc.start()
        try:
            with pytest.raises(OverflowError):
                gunzipped(bomb, 1_000_000)
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
    def test_another_host_never_gets_anything(self, server, other_server, transport, status, request_):
        server.on("/v0/x", server.Answer(status, b"", {"Location": f"{other_server.host}/v0/x?token=abcdefghijk"}))
        with pytest.raises(BadReply, match="the token was not sent there") as caught:
            transport.send(request_)
        assert other_server.seen == []
        assert "abcdefghijk" not in str(caught.value)

    @pytest.mark.parametrize("location", ["//example.org/", "https://127.0.0.1/v0/y", "http://127.0.0.1@example.org/"])
    def test_tricks_with_urls(self, server, transport, location):
        server.on("/v0/x", server.Answer(302, b"", {"Location": location}))
        with pytest.raises(BadReply, match="the token was not sent there"):
            transport.send(READ)

    @pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999999/", "http://127.0.0.1:x/"])
    def test_what_is_no_url(self, server, transport, location):
        server.on("/v0/x", server.Answer(302, b"", {"Location": location}))
        with pytest.raises(BadReply, match="does not say where to"):
            transport.send(READ)

    def test_inside_the_host_a_read_is_followed(self, server, transport):
        server.on("/v0/x", server.Answer(302, b"", {"Location": "/v0/y?a=1"})).on("/v0/y", server.answer({"a": 1}))
        assert transport.send(READ).json_object() == {"a": 1}
        assert server.seen[1].headers["authorization"] == f"Bearer {server.token}"

    def test_a_write_is_followed_only_when_its_body_comes_along(self, server, transport):
        server.on("/v0/x", server.Answer(308, b"", {"Location": "/v0/y"})).on("/v0/y", server.answer())
        transport.send(WRITE)
        assert (server.seen[1].method, server.seen[1].body) == ("POST", b"rows")
        server.on("/v0/x", server.Answer(302, b"", {"Location": "/v0/y"}))
        with pytest.raises(BadReply, match="lose the request's body"):
            transport.send(WRITE)

    def test_circles_end(self, server, transport):
        server.on("/v0/x", server.Answer(302, b"", {"Location": "/v0/x"}))
        with pytest.raises(BadReply, match="circle"):
            transport.send(READ)


class TestCancelling:
    @pytest.mark.parametrize("how", ["slow", "drip"])
    @pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
    def test_another_thread_ends_the_request(self, server, transport, how, request_):
        server.on("/v0/x", server.Answer(200, b" " * 500, how=how, seconds=0.05 if how == "drip" else 9))
        cancellation = Cancellation()

        def cancel():
            server.wait_for_request()
            time.sleep(0.05)
            cancellation.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            transport.send(request_, cancellation=cancellation)
        thread.join()
        assert time.monotonic() - started < 3
        server.on("/v0/x", server.answer({"a": 1}))
        assert transport.get_json("/v0/x") == {"a": 1}

    def test_also_while_waiting_for_another_attempt(self, server):
        transport = Transport(server.host, "t", patience=Patience(longest_asked_wait_s=99))
        server.on("/v0/x", server.answer(status=429, **{"Retry-After": "50"}))
        cancellation = Cancellation()
        transport.on_wait = lambda *_: cancellation.cancel()
        with pytest.raises(Cancelled):
            transport.send(READ, cancellation=cancellation)
        transport.close()

    def test_before_it_begins(self, server, transport):
        cancellation = Cancellation()
        cancellation.cancel()
        with pytest.raises(Cancelled):
            transport.send(READ, cancellation=cancellation)
        assert server.seen == []


class Reader(SizedReader):
    """A body that is read piece by piece."""

    def __init__(self, content):
        self.file = io.BytesIO(content)
        self.size = len(content)
        self.closed = False

    def read(self, size=-1):
        return self.file.read(size)

    def __len__(self):
        return self.size

    def close(self):
        self.closed = True


class TestBodies:
    def test_a_reader_is_sent_with_its_length_anew_for_each_attempt(self, server, transport):
        made = []

        def body():
            made.append(Reader(b"abc" * 100_000))
            return made[-1]

        server.on("/v0/x", server.answer(status=429), server.answer())
        transport.send(Request("POST", "/v0/x", body=body, effect="write", length="long"))
        assert [seen.body for seen in server.seen] == [b"abc" * 100_000] * 2
        assert server.seen[0].headers["content-length"] == "300000"
        assert "transfer-encoding" not in server.seen[0].headers
        assert [reader.closed for reader in made] == [True, True]

    def test_a_form(self, server, transport):
        server.on("/v0/x", server.answer())
        transport.send(Request("POST", "/v0/x", body=form_body({"q": "a&b=ü", "none": None})))
        assert server.seen[0].form == {"q": "a&b=ü"}


class TestSecrets:
    def test_no_text_of_an_error_has_the_token(self, server, transport):
        token = server.token
        pieces = [token[place : place + 8] for place in range(len(token) - 7)]
        outcomes = [
            server.answer({"error": f"invalid authentication token b'{token}'"}, 403),
            server.Answer(500, f"<title>{token[5:40]}</title>".encode()),
            server.Answer(how="reset"),
            server.Answer(200, b"{}", how="truncated"),
            server.Answer(302, b"", {"Location": f"https://example.org/?token={token}"}),
            server.Answer(200, token.encode(), {"Content-Type": f"text/{token[10:30]}"}),
        ]
        for outcome in outcomes:
            server.on("/v0/x", outcome)
            with pytest.raises(TinybirdError) as caught:
                transport.get_json("/v0/x")
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
            assert not [piece for piece in pieces if piece in shown], outcome

    def test_neither_has_a_repr(self, server, transport):
        assert server.token[3:12] not in f"{transport!r} {vars(transport)}"

    @pytest.mark.parametrize("token", ["p.a b", "p.a\nHost: x", "p.ä", "p.\x00"])
    def test_what_is_no_token_is_refused_without_being_repeated(self, server, token):
        with pytest.raises(ConfigurationError, match="no token has"):
            Transport(server.host, token)

    def test_http_is_for_this_machine(self):
        with pytest.raises(InsecureHost):
            Transport("http://api.tinybird.co", "t")


def test_gunzip_of_nothing():
    assert gunzipped(b"") == b""
