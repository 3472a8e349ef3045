"""Bodies of events: compression, sizes, text, and what counts as a row."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.local.errors import ApiError, BadRequest, PayloadTooLarge
from tinymagic.local.events.event_bodies import EventBody, read_events

ROW = b'{"a":1}'


def read(body: bytes, *, encoding: str = "", file_format: str = "ndjson", most: int | None = 10_000) -> EventBody:
    return read_events(body, encoding=encoding, file_format=file_format, most_bytes=most)


class TestRows:
    @pytest.mark.parametrize(
        ("body", "rows"),
        [
            (b"", 0),
            (b"\n\n \n\r\n\t\n", 0),
            (b" " * 9_000, 0),
            (ROW, 1),
            (ROW + b"\n", 1),
            (b"\xef\xbb\xbf" + ROW + b"\n" + ROW, 2),
            (ROW + b"\r\n" + ROW + b"\r\n", 2),
            (b"\n\n" + ROW + b"\n \n\r\n" + ROW + b"\n\n\n", 2),
            (b"nope\n" + ROW, 2),
            (b"[1]\n2\nnull", 3),
        ],
    )
    def test_lines_with_something_in_them_are_rows(self, body: bytes, rows: int) -> None:
        found = read(body)
        assert (found.rows, found.size_bytes, found.received_bytes) == (rows, len(body), len(body))

    @given(st.lists(st.sampled_from([b"", b" ", b"\t", b"\r", b"x", b" x ", b"{}", b"\x0b", b"\x0c"])))
    def test_rows_are_what_is_between_the_line_ends(self, lines: list[bytes]) -> None:
        """Nothing of a row is lost, and no line of the result is blank."""
        found = read(b"\n".join(lines))
        wanted = [line.strip() for line in lines if line.strip()]
        kept = found.lines.split(b"\n") if found.lines else []
        assert [line.strip() for line in kept] == wanted
        assert found.rows == len(wanted)

    def test_megabytes_of_blank_take_no_time_for_each(self) -> None:
        """Looking for blank lines goes once over the body: these would take hours otherwise."""
        size = 4_000_000
        for body in (b"\n" * size, b" " * size, b"\n" + b" " * size + b"x", (b"\n" + b" " * 999) * (size // 1000)):
            assert read(body, most=None).rows <= 1


class TestText:
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (ROW + b"\n\x00", "NUL byte in row 2"),
            (b'{"a":"\xff"}', "byte 0xff in line 1"),
            (ROW + b'\n{"a":"\xc3"}', "in line 2"),
            ('{"a":"ü"}'.encode("utf-16"), "not text"),
            (b'{"a":"\xed\xa0\x80"}', "UTF-8"),
        ],
    )
    def test_what_is_no_text_is_refused(self, body: bytes, words: str) -> None:
        with pytest.raises(BadRequest, match=words):
            read(body)


class TestCompression:
    @pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip", "", "identity"])
    def test_gzip(self, name: str) -> None:
        """Also in several members, and without the header."""
        found = read(gzip.compress(ROW + b"\n") + gzip.compress(ROW), encoding=name)
        assert found.lines == ROW + b"\n" + ROW
        assert found.size_bytes == 2 * len(ROW) + 1

    @pytest.mark.parametrize("name", ["zstd", ""])
    def test_zstd(self, name: str) -> None:
        """Also in several frames, without the header, and without a length in the frame."""
        streamed = zstandard.ZstdCompressor(write_content_size=False).compressobj()
        second = streamed.compress(ROW) + streamed.flush()
        assert read(zstandard.compress(ROW + b"\n") + second, encoding=name).lines == ROW + b"\n" + ROW

    @pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "x" * 500])
    def test_unknown_encodings(self, encoding: str) -> None:
        with pytest.raises(BadRequest, match="is not supported: send gzip, zstd"):
            read(ROW, encoding=encoding)

    @pytest.mark.parametrize(
        "body",
        [gzip.compress(ROW * 50), zstandard.compress(ROW * 50), gzip.compress(ROW), zstandard.compress(ROW)],
        ids=["gzip", "zstd", "short gzip", "short zstd"],
    )
    def test_every_cut_and_every_changed_byte_is_noticed(self, body: bytes) -> None:
        """A body that was cut off anywhere is refused; nothing but an `ApiError` comes out of damage."""
        encoding = "gzip" if body.startswith(b"\x1f\x8b") else "zstd"
        for length in range(1, len(body)):
            with pytest.raises(BadRequest):
                read(body[:length], encoding=encoding)
        for at in range(len(body)):
            damaged = body[:at] + bytes([body[at] ^ 0x55]) + body[at + 1 :]
            try:
                read(damaged, encoding=encoding)
            except ApiError:
                continue

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    def test_plain_text_called_compressed(self, encoding: str) -> None:
        with pytest.raises(BadRequest, match=f"The {encoding} data is damaged"):
            read(ROW, encoding=encoding)

    @pytest.mark.parametrize("encoding", ["gzip", "zstd"])
    def test_bombs_are_stopped(self, encoding: str) -> None:
        """A body that grows over the limit is refused, and never is much more in memory than the limit."""
        blank = bytes(500_000_000)
        bomb = gzip.compress(blank, 1) if encoding == "gzip" else zstandard.compress(blank, 19)
        del blank
        tracemalloc.start()
        with pytest.raises(PayloadTooLarge, match="over the limit of 9000000 bytes after decompression"):
            read(bomb, encoding=encoding, most=9_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 30_000_000

    def test_a_frame_that_asks_for_much_memory(self) -> None:
        """The window of a zstd frame is bounded."""
        parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True, write_content_size=False)
        body = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        with pytest.raises(BadRequest, match="damaged"):
            read(body.compress(ROW) + body.flush(), encoding="zstd")

    def test_trailing_data(self) -> None:
        """Zeros after gzip are padding, anything else is damage."""
        assert read(gzip.compress(ROW) + bytes(100)).lines == ROW
        with pytest.raises(BadRequest, match="damaged"):
            read(gzip.compress(ROW) + b"more")
        with pytest.raises(BadRequest):
            read(zstandard.compress(ROW) + b"more")

    def test_raw_deflate_is_no_gzip(self) -> None:
        with pytest.raises(BadRequest):
            read(zlib.compress(ROW), encoding="gzip")

    def test_the_limit_holds_for_what_was_sent(self) -> None:
        read(b"x" * 10_000)
        with pytest.raises(PayloadTooLarge, match="over the limit of 10000 bytes"):
            read(b"x" * 10_001)


class TestJsonFormat:
    @pytest.mark.parametrize(
        ("body", "lines"),
        [
            (b'{\n "a": 1,\r\n "b": [1,\n2]\n}\n', [b'{  "a": 1,\r  "b": [1, 2] }']),
            (b'{"a":1}{"b":2}\n{"c":3}', [b'{"a":1}', b'{"b":2}', b'{"c":3}']),
            (b'[{"a":1},\n {"b":\n2}]', [b'{"a":1}', b'{"b": 2}']),
            (b"[]", []),
            (b" [ ] ", []),
            (b'[1, "x", [2]]', [b"1", b'"x"', b"[2]"]),
            (b'{"n":12345678901234567890123, "f":0.1000000000000000055511}', None),
            (b'{"n":' + b"9" * 6_000 + b"}", None),
        ],
    )
    def test_values_become_lines(self, body: bytes, lines: list[bytes] | None) -> None:
        """Digits stay as they are written."""
        found = read(body, file_format="json")
        assert found.lines == b"\n".join([body] if lines is None else lines)
        assert found.rows == len([body] if lines is None else lines)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"{", "line 1"),
            (b'{"a":1}\n{"a":', "line 2"),
            (b'[{"a":1}', "line 1"),
            (b'[{"a":1},]', "line 1"),
            (b'[{"a":1} {"b":2}]', "line 1"),
            (b"nope", "line 1"),
            (b'{"a":NaN}', "line 1"),
            (b"[" * 9_000, "."),
            (b'{"a":' * 2_000, "."),
        ],
    )
    def test_what_is_no_json_is_refused(self, body: bytes, words: str) -> None:
        with pytest.raises(BadRequest, match=words):
            read(body, file_format="json")

    @given(
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
    )
    def test_any_object_survives(self, value: object) -> None:
        body = json.dumps([{"v": value}] * 2, indent=1, ensure_ascii=False).encode("utf-8", "ignore")
        try:
            text = json.loads(body)
        except ValueError:
            return
        if b"\0" not in body:
            assert [json.loads(line) for line in read(body, file_format="json", most=None).lines.split(b"\n")] == text
