"""The client of ``/v0/analyze``: files of each format, URLs, DataFrames, and what goes wrong."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tinymagic
from tests.faults import html_page, status
from tinymagic import errors
from tinymagic.api.analyze import SAMPLE_BYTES

_numbers = itertools.count()
NDJSON = b'{"id": 1, "tags": ["a", "b"], "who": {"zip": "28001"}}\n{"id": 2, "tags": []}\n'


def new(kind="ds"):
    """A name that no other test has."""
    return f"apianalyze_{kind}_{next(_numbers)}"


@pytest.fixture
def analyze(workspace):
    return workspace.analyze


def parquet():
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1, None], pa.int64()), "c": ["ES", "FR"]}), sink)
    return sink.getvalue()


class TestFile:
    def test_csv(self, analyze, tmp_path):
        path = tmp_path / "sales.csv"
        path.write_text("day;amount;note\n2024-01-01;1.5;x\n2024-01-02;2;\n")
        found = analyze.file(path)
        assert [(each.name, each.type, each.null_share) for each in found.columns] == [
            ("day", "Date", 0.0),
            ("amount", "Float32", 0.0),
            ("note", "String", 0.5),
        ]
        assert "Nullable(String)" in found.schema
        assert "json:" not in found.schema
        assert found.dialect["delimiter"] == ";"
        assert found.types["note"] == "Nullable(String)"

    def test_ndjson(self, analyze):
        found = analyze.file(NDJSON)
        by_name = {each.name: each for each in found.columns}
        assert by_name["who_zip"].path == "$.who.zip"
        assert by_name["who_zip"].null_share == 0.5
        assert by_name["tags"].present_pct == 1
        assert by_name["tags"].null_share is None
        assert [dict(each)["id"] for each in found.preview] == [1, 2]
        assert "`json:$.tags[:]`" in found.schema
        assert found.dialect == {}

    def test_parquet(self, analyze):
        found = analyze.file(parquet())
        assert {each.name: each.type for each in found.columns} == {"id": "Int64", "c": "String"}

    def test_gzip(self, analyze, tmp_path):
        path = tmp_path / "a.ndjson.gz"
        path.write_bytes(gzip.compress(NDJSON))
        assert analyze.file(path).schema == analyze.file(NDJSON).schema

    def test_a_frame_and_dictionaries(self, analyze):
        frame = pd.DataFrame({"day": pd.to_datetime(["2024-01-01"]), "n": [1]})
        assert [each.name for each in analyze.file(frame).columns] == ["day", "n"]
        assert [each.name for each in analyze.file([{"a": 1}, {"a": 2}]).columns] == ["a"]

    def test_the_schema_makes_a_data_source_that_takes_the_file(self, workspace, analyze):
        name = new()
        report = workspace.datasources.create_from(name, NDJSON, schema=analyze.file(NDJSON).schema)
        assert (report.stored, report.quarantined) == (2, 0)

    def test_the_preview_as_a_frame(self, analyze):
        frame = analyze.file(b"day,n\n2024-01-01,7\n2024-01-02,\n").preview_frame()
        assert frame.n.dtype == pd.Int16Dtype()
        assert frame.day.tolist() == list(pd.to_datetime(["2024-01-01", "2024-01-02"]).date) or len(frame) == 2

    def test_only_the_beginning_of_a_large_file_is_sent(self, behind, proxy, tmp_path):
        path = tmp_path / "large.csv"
        path.write_bytes(b"a,b\n" + b"1,some text that fills the line\n" * 100_000)
        told = []
        found = behind.analyze.file(path, on_progress=told.append)
        [sent] = proxy.passed("POST", "/v0/analyze")
        assert SAMPLE_BYTES - 100 < sent.size <= SAMPLE_BYTES
        assert told[-1].unit == "B"
        assert [each.null_share for each in found.columns] == [0, 0]

    @pytest.mark.parametrize("content", [b"PAR1 and no more", b'{"a": 1\n{"b": \n'])
    def test_what_cannot_be_read(self, analyze, content):
        with pytest.raises(errors.BadRequest):
            analyze.file(content)

    def test_nothing_is_sent(self, behind, proxy, tmp_path):
        empty = tmp_path / "empty.csv"
        empty.write_bytes(b" \n")
        for data, words in (
            (empty, "nothing to analyze"),
            (tmp_path / "none.csv", "no file"),
            (b"\x1f\x8bdamaged", "damaged"),
            (7, "Rows come as"),
        ):
            with pytest.raises(errors.InvalidInput, match=words):
                behind.analyze.file(data)
        assert not proxy.passed("POST", "/v0/analyze")

    def test_without_the_scope(self, server, api, workspace):
        name = workspace.datasources.create(new(), "a Int8").name
        reply = api.post("/v0/tokens", params={"name": new("token"), "scope": f"DATASOURCES:READ:{name}"})
        with pytest.raises(errors.Forbidden):
            tinymagic.connect(token=reply.json()["token"], host=server.host).analyze.file(NDJSON)

    def test_too_large(self, behind, proxy):
        proxy.on("POST", "/v0/analyze", status(413))
        with pytest.raises(errors.PayloadTooLarge):
            behind.analyze.file(NDJSON)

    def test_what_passes_is_tried_again(self, behind, proxy):
        proxy.on("POST", "/v0/analyze", status(429, retry_after=0.01), html_page(503))
        assert behind.analyze.file(NDJSON).schema


class TestUrl:
    @pytest.fixture
    def host(self):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with contextlib.suppress(OSError):
                    self.send_response(200 if self.path.startswith("/a.") else 404)
                    self.send_header("Content-Length", str(len(NDJSON)))
                    self.end_headers()
                    self.wfile.write(NDJSON)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()

    def test_url(self, analyze, host):
        assert analyze.url(f"{host}/a.ndjson").schema == analyze.file(NDJSON).schema

    def test_what_cannot_be_fetched(self, analyze, host):
        with pytest.raises(errors.BadRequest):
            analyze.url(f"{host}/none.csv")

    def test_no_url(self, analyze):
        with pytest.raises(errors.InvalidInput):
            analyze.url("sales.csv")


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (b"a,b;n\n1,5;1\n2,5;2\n", {"delimiter": ";"}),
        (b"a,b;n|1,5;1|2,5;2|", {"delimiter": ";", "new_line": "|"}),
        (b"a\\,b,n\n1\\,5,1\n2\\,5,2\n", {"escapechar": "\\"}),
        (b"\xef\xbb\xbfa,b\tn\r\n1,5\t1\r\n2,5\t2\r\n", {"delimiter": "\t", "new_line": "\r\n"}),
    ],
)
def test_a_dialect_that_would_be_guessed_wrong(workspace, content, dialect):
    found = workspace.analyze.file(content, format="csv", dialect=dialect)
    assert [(each.name, each.type) for each in found.columns] == [("a_b", "String"), ("n", "Int16")]
    assert [row["a_b"] for row in found.preview] == ["1,5", "2,5"]


@pytest.mark.parametrize("dialect", [{"delimiter": ";;"}, {"delimiter": "\n"}, {"quote": "'"}])
def test_a_dialect_that_cannot_be(workspace, dialect):
    with pytest.raises(errors.InvalidInput):
        workspace.analyze.file(b"a\n1\n", format="csv", dialect=dialect)
