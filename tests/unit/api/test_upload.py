"""Rows of any kind become an upload; the multipart body is read while it is sent."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from datetime import date, datetime
from decimal import Decimal
from email import message_from_bytes
from uuid import UUID

import pandas as pd
import pytest

from tinymagic.api import upload as module
from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.upload import MultipartBody, Upload, multipart, upload_of

FRAME = pd.DataFrame({"n": [1, 2], "s": ["a", "ü"]})


def content(upload):
    with upload.open() as file:
        return file.read()


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "file_format"),
        [
            ("a.csv", "csv"),
            ("a.CSV.GZ", "csv"),
            ("a.ndjson", "ndjson"),
            ("a.jsonl.gz", "ndjson"),
            ("a.json", "ndjson"),
            ("a.b.parquet", "parquet"),
            ("a.parquet.gz", "parquet"),
        ],
    )
    def test_the_name_tells(self, tmp_path, name, file_format):
        (tmp_path / name).write_bytes(b"x")
        for path in (tmp_path / name, str(tmp_path / name)):
            upload = upload_of(path)
            assert (upload.file_format, upload.file_name, upload.size_bytes) == (file_format, name, 1)

    @pytest.mark.parametrize("name", ["a", "a.tsv", "a.gz", ".csv2"])
    def test_a_name_that_does_not(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(InvalidInput, match="does not tell the format"):
            upload_of(tmp_path / name)
        assert upload_of(tmp_path / name, file_format="csv").file_format == "csv"

    @pytest.mark.parametrize(
        ("data", "file_format"),
        [
            (b"a,b\n1,2\n", "csv"),
            (b"", "csv"),
            (b' \n{"a": 1}\n', "ndjson"),
            (b"\xef\xbb\xbf" + b'{"a": 1}\n', "ndjson"),
            (b"PAR1....", "parquet"),
            (gzip.compress(b'{"a": 1}\n', mtime=0), "ndjson"),
            (bytearray(b"a\n"), "csv"),
        ],
    )
    def test_bytes_tell_by_their_beginning(self, data, file_format):
        upload = upload_of(data)
        assert (upload.file_format, content(upload)) == (file_format, bytes(data))
        assert upload.file_name.endswith(".gz") is bytes(data).startswith(b"\x1f\x8b")

    @pytest.mark.parametrize("file_format", ["xml", "tsv", ""])
    def test_unknown_formats_are_refused(self, file_format):
        with pytest.raises(InvalidInput, match="csv, ndjson, parquet"):
            upload_of(b"x", file_format=file_format)

    @pytest.mark.parametrize("data", [5, None, {"a": 1}, 1.5])
    def test_what_is_no_rows(self, data):
        with pytest.raises(InvalidInput, match="DataFrame, a path"):
            upload_of(data)


class TestFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(InvalidInput, match="There is no file"):
            upload_of(tmp_path / "a.csv")

    def test_a_folder(self, tmp_path):
        (tmp_path / "a.csv").mkdir()
        with pytest.raises(InvalidInput, match=r"cannot be read|regular file"):
            upload_of(tmp_path / "a.csv")

    def test_a_url_is_not_a_path(self):
        with pytest.raises(InvalidInput, match="URL"):
            upload_of("https://example.org/a.csv")

    def test_home_is_understood(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "a.csv").write_bytes(b"x")
        assert content(upload_of("~/a.csv")) == b"x"

    @pytest.mark.parametrize(("name", "limit"), [("a.csv", 500), ("a.ndjson.gz", 500), ("a.parquet", 50)])
    def test_limits_are_known_before(self, tmp_path, name, limit):
        with (tmp_path / name).open("wb") as file:
            file.truncate(limit * 1_000_000)
        assert upload_of(tmp_path / name).size_bytes == limit * 1_000_000
        with (tmp_path / name).open("ab") as file:
            file.write(b"x")
        with pytest.raises(PayloadTooLarge, match=rf"at most {limit} MB .* Nothing was sent"):
            upload_of(tmp_path / name)


class TestFrames:
    def test_parquet_is_first_choice(self):
        pytest.importorskip("pyarrow")
        upload = upload_of(FRAME)
        assert (upload.file_format, content(upload)[:4]) == ("parquet", b"PAR1")
        assert upload.frame is FRAME

    def test_ndjson_without_pyarrow_or_on_request(self, monkeypatch):
        monkeypatch.setattr(module, "parquet_is_available", lambda: False)
        for upload in (upload_of(FRAME), upload_of(FRAME, file_format="ndjson")):
            assert upload.file_format == "ndjson"
            assert [json.loads(line)["s"] for line in content(upload).splitlines()] == ["a", "ü"]

    def test_a_frame_that_is_too_big_for_parquet_goes_as_compressed_ndjson(self, monkeypatch):
        pytest.importorskip("pyarrow")
        monkeypatch.setattr(module, "SIZE_LIMITS", {**module.SIZE_LIMITS, "parquet": 100})
        upload = upload_of(FRAME)
        assert (upload.file_format, upload.file_name) == ("ndjson", "data.ndjson.gz")
        assert len(gzip.decompress(content(upload)).splitlines()) == 2
        with pytest.raises(PayloadTooLarge):
            upload_of(FRAME, file_format="parquet")

    def test_what_cannot_be_stored_is_said(self):
        with pytest.raises(InvalidInput, match="'c'"):
            upload_of(pd.DataFrame({"c": [1j]}))
        with pytest.raises(InvalidInput, match="CSV does not"):
            upload_of(FRAME, file_format="csv")


class TestDictionaries:
    def test_one_line_each(self):
        rows = [
            {"n": 1, "at": datetime(2024, 1, 2, 3), "day": date(2024, 1, 2), "d": Decimal("1.10")},  # noqa: DTZ001
            {"id": UUID(int=1), "s": "ü\n", "none": None, "list": [1]},
        ]
        assert [json.loads(line) for line in content(upload_of(iter(rows))).splitlines()] == [
            {"n": 1, "at": "2024-01-02 03:00:00Z", "day": "2024-01-02", "d": "1.10"},
            {"id": "00000000-0000-0000-0000-000000000001", "s": "ü\n", "none": None, "list": [1]},
        ]

    @pytest.mark.parametrize("rows", [[1], [{"a": 1}, "x"], [{"a": object()}], [{"a": {1, 2}}], [{(1, 2): 3}]])
    def test_the_row_that_cannot_be_sent_is_named(self, rows):
        with pytest.raises(InvalidInput, match=f"Row {len(rows) - 1}"):
            upload_of(rows)

    def test_only_ndjson(self):
        with pytest.raises(InvalidInput, match="'ndjson'"):
            upload_of([{"a": 1}], file_format="csv")


def parse(body, content_type):
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    return {part.get_param("name", header="content-disposition"): part for part in message.get_payload()}


class TestMultipart:
    @pytest.mark.parametrize("size", [1, 7, 64, 10_000, -1])
    def test_parts_and_length(self, size):
        upload = Upload("parquet", 'a"\r\nX-Evil: 1.parquet', 11, lambda: io.BytesIO(b"PAR1\r\n--x\r\n"))
        make, content_type = multipart({"schema": "`a` Int32", "text": "ü"}, upload)
        body = make()
        pieces = list(iter(lambda: body.read(size), b""))
        whole = b"".join(pieces)
        body.close()
        assert len(whole) == len(body)
        parts = parse(whole, content_type)
        assert list(parts) == ["schema", "text", "ndjson"]
        assert parts["text"].get_payload(decode=True).decode() == "ü"
        assert parts["ndjson"].get_payload(decode=True) == b"PAR1\r\n--x\r\n"
        assert parts["ndjson"].get_content_type() == "application/vnd.apache.parquet"
        assert "X-Evil" not in dict(parts["ndjson"].items())

    def test_a_file_that_grows_is_cut_and_one_that_shrinks_is_an_error(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_bytes(b"12345")
        upload = upload_of(path)
        path.write_bytes(b"1234567")
        body = MultipartBody({}, upload, "b")
        assert b"12345\r\n--b--" in b"".join(iter(lambda: body.read(3), b""))
        body.close()
        path.write_bytes(b"12")
        body = MultipartBody({}, upload, "b")
        with pytest.raises(InvalidInput, match="became shorter"):
            list(iter(lambda: body.read(3), b""))
        body.close()

    def test_memory_does_not_grow_with_the_file(self, tmp_path, server, ws):
        path = tmp_path / "a.csv"
        with path.open("wb") as file:
            file.truncate(40_000_000)
        server.on("/v0/datasources", server.Answer(how="unread"))
        body = MultipartBody({}, upload_of(path), "b")
        tracemalloc.start()
        while body.read(16_384):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        body.close()
        assert peak < 1_000_000
