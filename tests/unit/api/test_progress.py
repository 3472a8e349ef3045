"""Progress of bytes, in both directions; what the caller's own things do wrong; links with a token."""

from __future__ import annotations

import gzip
import io
import random
import socket
import threading
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.test_transport import Reader
from tinymagic.api.errors import BadReply, Cancelled, ConfigurationError, InvalidInput
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.request import Request
from tinymagic.api.http.retries import Patience
from tinymagic.api.http.streams import Gunzip, gunzipped
from tinymagic.api.http.transport import TokenInLink, Transport
from tinymagic.api.progress import Progress

READ = Request("GET", "/v0/x")
MB = 1_000_000


class Trouble(Exception):
    """Raised by what the caller gave."""


@pytest.fixture
def transport(server):
    made = Transport(server.host, server.token, timeout_s=5, patience=Patience(attempts=3, first_wait_s=0.01))
    yield made
    made.close()


@pytest.fixture
def told():
    return []


def upload(content):
    return Request("POST", "/v0/x", body=lambda: content, effect="write")


class TestValues:
    @pytest.mark.parametrize(
        ("done", "total", "share"), [(0, 10, 0), (5, 10, 0.5), (12, 10, 1), (5, None, None), (0, 0, 1)]
    )
    def test_share(self, done, total, share):
        assert Progress(done, total, "B").share == share


class TestUploads:
    @pytest.mark.parametrize("make", [bytes, lambda content: Reader(content)], ids=["bytes", "reader"])
    def test_tell_how_much_is_on_its_way(self, server, transport, told, make):
        server.on("/v0/x", server.answer())
        content = random.Random(1).randbytes(3 * MB)
        transport.send(upload(make(content)), on_progress=told.append)
        done = [each.done for each in told]
        assert (server.seen[0].body, done[0] < MB, done[-1]) == (content, True, 3 * MB)
        assert done == sorted(set(done))
        assert 5 < len(done) < 20
        assert {(each.total, each.unit) for each in told} == {(3 * MB, "B")}

    def test_begin_anew_with_each_attempt(self, server, transport, told):
        server.on("/v0/x", server.answer(status=429), server.answer())
        transport.send(upload(b"x" * MB), on_progress=told.append)
        assert [each.done for each in told].count(MB) == 2

    def test_of_nothing(self, server, transport, told):
        server.on("/v0/x", server.answer())
        transport.send(upload(b""), on_progress=told.append)
        transport.send(READ, on_progress=told.append)
        assert [each.done for each in told] in ([], [0])

    def test_what_the_callback_raises_ends_them(self, server, transport):
        server.on("/v0/x", server.answer())

        def on_progress(progress):
            if progress.done > MB:
                raise Trouble

        with pytest.raises(Trouble):
            transport.send(upload(b"x" * 5 * MB), on_progress=on_progress)
        assert transport.send(READ).status == 200

    def test_cancelled_between_two_pieces(self, server, transport):
        cancellation = Cancellation()
        with pytest.raises(Cancelled):
            transport.send(upload(b"x" * MB), on_progress=lambda _: cancellation.cancel(), cancellation=cancellation)

    @pytest.mark.parametrize(
        ("error", "kind", "text"),
        [
            (OSError(5, "Input/output error"), InvalidInput, "cannot be read any more: Input/output error"),
            (Trouble("of its own"), Trouble, "of its own"),
        ],
        ids=["disk", "other"],
    )
    def test_a_file_that_fails_is_no_trouble_of_the_network(self, server, transport, error, kind, text):
        class Failing(Reader):
            def read(self, size=-1):
                if self.file.tell() > 100_000:
                    raise error
                return super().read(size)

        body = Failing(b"x" * MB)
        with pytest.raises(kind, match=text):
            transport.send(Request("POST", "/v0/x", body=lambda: body, effect="idempotent"))
        assert body.closed

    def test_a_server_that_takes_its_time_is_waited_for(self, monkeypatch):
        """The time to connect is not the time to send."""
        monkeypatch.setattr("tinymagic.api.http.wire.CONNECT_TIMEOUT_S", 0.2)
        size = 20 * MB
        with socket.create_server(("127.0.0.1", 0)) as listening:
            received = []

            def serve():
                connection, _ = listening.accept()
                with connection, connection.makefile("rb") as reader:
                    for _ in range(2):
                        while reader.readline().strip():
                            pass
                        time.sleep(0.8)
                        received.append(len(reader.read(size)))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

            thread = threading.Thread(target=serve)
            thread.start()
            transport = Transport(f"http://127.0.0.1:{listening.getsockname()[1]}", "t", timeout_s=20)
            for _ in range(2):
                transport.send(
                    Request("POST", "/v0/x", body=lambda: Reader(b"x" * size), effect="write", length="long")
                )
            transport.close()
            thread.join()
        assert received == [size, size]


class TestDownloads:
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
    def test_tell_how_much_has_arrived(self, server, transport, told, packed):
        content = random.Random(1).randbytes(3 * MB)
        given_answer = server.Answer(200, content)
        server.on("/v0/x", server.gzipped(given_answer) if packed else given_answer)
        target = io.BytesIO()
        reply = transport.download(READ, target, on_progress=told.append)
        assert (target.getvalue(), reply.body) == (content, b"")
        done = [each.done for each in told]
        assert done == sorted(set(done))
        assert (done[-1], told[-1].total) == (reply.bytes_received, reply.bytes_received)
        assert len(done) > 5

    def test_take_constant_memory_even_for_a_bomb(self, server, transport):
        bomb = gzip.compress(bytes(200 * MB), compresslevel=1)
        assert len(bomb) < 2 * MB
        server.on("/v0/x", server.Answer(200, bomb, {"Content-Encoding": "gzip"}))

        class Counter(io.RawIOBase):
            count = 0

            def writable(self):
                return True

            def write(self, data):
                # A raw file may take less than it is given.
                taken = min(len(data), 100_000)
                self.count += taken
                return taken

        target = Counter()
        tracemalloc.start()
        try:
            transport.download(READ, target)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (target.count, most < 5 * MB) == (200 * MB, True)

    @pytest.mark.parametrize("keep", [5, -9, -1])
    def test_gzip_that_is_cut_short(self, server, transport, keep):
        server.on("/v0/x", server.gzipped(server.answer({"a": list(range(99))}), keep=keep))
        with pytest.raises(BadReply, match="gzip"):
            transport.download(READ, io.BytesIO())

    def test_the_encoding_must_be_one_that_was_asked_for(self, server, transport):
        server.on("/v0/x", server.Answer(200, b"{}", {"Content-Encoding": "br"}))
        with pytest.raises(BadReply, match="'br'"):
            transport.download(READ, io.BytesIO())

    def test_a_full_disk_is_said_as_it_is(self, server, transport):
        class Full(io.BytesIO):
            def write(self, data):
                raise OSError(28, "No space left on device")

        server.on("/v0/x", server.answer({"a": 1}))
        with pytest.raises(OSError, match="No space left"):
            transport.download(READ, Full())
        assert len(server.seen) == 1

    def test_what_the_callback_raises_ends_them(self, server, transport):
        server.on("/v0/x", server.Answer(200, b"x" * MB))

        def on_progress(_):
            raise Trouble

        with pytest.raises(Trouble):
            transport.download(READ, io.BytesIO(), on_progress=on_progress)
        assert len(transport.send(READ).body) == MB

    def test_a_callback_may_ask_something_itself(self, server, transport):
        server.on("/v0/x", server.Answer(200, b"x" * MB)).on("/v0/y", server.answer({"b": 1}))
        asked = []
        cancellation = Cancellation()

        def on_progress(_):
            asked.append(transport.get_json("/v0/y", cancellation=cancellation))

        target = io.BytesIO()
        transport.download(READ, target, on_progress=on_progress, cancellation=cancellation)
        assert (len(target.getvalue()), asked[0]) == (MB, {"b": 1})

    def test_one_switch_ends_several_threads(self, server, transport):
        server.on("/v0/x", server.Answer(200, b" " * 500, how="drip", seconds=0.05))
        cancellation = Cancellation()
        ended = []

        def work():
            try:
                transport.send(READ, cancellation=cancellation)
            except Cancelled:
                ended.append(True)

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        server.wait_for_request(5)
        cancellation.cancel()
        for thread in threads:
            thread.join(3)
        assert ended == [True] * 5

    def test_redirected_nowhere(self, server, transport):
        server.on("/v0/x", server.Answer(302, b""))
        with pytest.raises(BadReply, match="does not say where to"):
            transport.download(READ, io.BytesIO())


class TestGunzip:
    @given(st.lists(st.binary(max_size=3000) | st.integers(0, 9000).map(bytes), max_size=4), st.integers(1, 500))
    def test_any_pieces_of_any_members(self, members, step):
        raw = b"".join(gzip.compress(each) for each in members)
        unpacker = Gunzip(piece_bytes=1000)
        pieces = [piece for place in range(0, len(raw), step) for piece in unpacker.pieces(raw[place : place + step])]
        unpacker.finish()
        assert b"".join(pieces) == b"".join(members) == gunzipped(raw)
        assert all(len(piece) <= 1000 for piece in pieces)

    @given(st.binary(min_size=1, max_size=2000), st.data())
    def test_an_end_that_is_missing(self, content, data):
        raw = gzip.compress(content)
        cut = raw[: data.draw(st.integers(1, len(raw) - 1))]
        with pytest.raises(zlib.error):
            gunzipped(cut)


class TestLinks:
    def test_carry_the_token_and_warn(self, server, transport):
        with pytest.warns(TokenInLink, match="whoever has the link has the token's rights") as caught:
            link = transport.link("/v0/pipes/a%20b.json", {"day": "1&2", "none": None})
        assert link == f"{server.host}/v0/pipes/a%20b.json?day=1%262&token={server.token}"
        assert server.token[:12] not in str(caught[0].message)
        assert "may only read this" in str(caught[0].message)

    def test_work_without_a_header(self, server, transport):
        import requests

        server.on("/v0/x", server.answer())
        with pytest.warns(TokenInLink):
            link = transport.link("/v0/x")
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(link, timeout=5).status_code == 200
        assert server.seen[0].query == {"token": server.token}
        assert transport.redact(link) == f"{server.host}/v0/x?token=[hidden]"

    def test_need_a_token(self, server):
        with pytest.raises(ConfigurationError, match="no token"):
            Transport(server.host, "").link("/v0/x")

    def test_take_no_other(self, transport):
        with pytest.raises(InvalidInput, match="'token'"):
            transport.link("/v0/x", {"token": "p.other"})
