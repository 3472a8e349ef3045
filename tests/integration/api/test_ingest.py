"""Getting rows into Data Sources through the client, on the embedded server: every kind of data, every way."""

from __future__ import annotations

import datetime as dt
import functools
import gzip
import http.server
import itertools
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tinymagic.api.errors import BadRequest, Conflict, InvalidInput, JobFailed, NotFound, PayloadTooLarge
from tinymagic.api.ingest import plan as planning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tinymagic.api.workspace import Workspace

SCHEMA = "`n` Int64 `json:$.n`, `s` Nullable(String) `json:$.s`"
_numbers = itertools.count()


@pytest.fixture
def ws(workspace: Any) -> Workspace:
    return workspace


@pytest.fixture
def name(ws: Workspace) -> Iterator[str]:
    """A name for a Data Source of the test's own."""
    made = f"ingested_{next(_numbers)}"
    yield made
    for each in ws.datasources.list():
        if each.name == made:
            ws.datasources.delete(made, force=True)


@pytest.fixture
def target(ws: Workspace, name: str) -> str:
    ws.datasources.create(name, SCHEMA, sorting_key="n")
    return name


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server on the folder of the test."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def numbers(ws: Workspace, name: str) -> list[int]:
    return ws.sql(f"SELECT n FROM {name} ORDER BY n").n.tolist()


CSV = b'n,s\n1,a\n2,"b\nc"\nx,d\n'


class TestAppend:
    @pytest.mark.parametrize("via", ["auto", "multipart", "job"])
    @pytest.mark.parametrize("ending", ["csv", "csv.gz", "ndjson", "ndjson.gz", "parquet"])
    def test_files(self, ws, target, tmp_path, via, ending):
        path = tmp_path / f"rows.{ending}"
        lines = b'{"n": 1}\n{"n": 2, "s": "b"}\n{"n": "x"}\n'
        if ending == "parquet":
            pd.DataFrame({"n": pd.array([1, 2, None], dtype="Int64")}).to_parquet(path)
        else:
            content = CSV if "csv" in ending else lines
            path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
        report = ws.datasources.append(target, path, via=via)
        assert (report.rows_in, report.stored, report.quarantined) == (3, 2, 1)
        assert report.via == ("job" if via == "job" else "multipart")
        assert report.reasons[0].column == "n"
        assert numbers(ws, target) == [1, 2]

    def test_bytes(self, ws, target):
        assert ws.datasources.append(target, CSV).stored == 2
        assert ws.datasources.append(target, b'{"n": 1}\n', via="events").stored == 1

    @pytest.mark.parametrize("via", ["auto", "events", "multipart", "job"])
    def test_tables_and_rows_by_every_way(self, ws, target, via):
        frame = pd.DataFrame({"n": range(10), "s": ["a", None] * 5})
        assert ws.datasources.append(target, frame, via=via).stored == 10
        assert ws.datasources.append(target, [{"n": 10}, {"n": 11}], via=via).stored == 2
        assert ws.datasources.append(target, ({"n": n} for n in (12, 13)), via=via).stored == 2
        assert ws.datasources.append(target, {"n": 14}, via=via).stored == 1
        assert numbers(ws, target) == list(range(15))

    def test_which_way_is_taken(self, ws, target, monkeypatch):
        frame = pd.DataFrame({"n": [1]})
        assert ws.datasources.append(target, [{"n": 1}]).via == "events"
        assert ws.datasources.append(target, frame).via == "multipart"
        monkeypatch.setattr(planning, "parquet_is_available", lambda: False)
        assert ws.datasources.append(target, frame).via == "events"

    def test_a_large_table_goes_in_parts(self, ws, target, monkeypatch):
        monkeypatch.setitem(planning.PART_BYTES, "parquet", 60_000)
        frame = pd.DataFrame({"n": range(60_000), "s": [f"{n * 7919 % 65_537}" for n in range(60_000)]})
        report = ws.datasources.append(target, frame)
        assert len(report.batches) > 3
        assert all(batch.bytes <= 60_000 for batch in report.batches)
        assert (report.stored, report.complete) == (60_000, True)
        found = ws.sql(f"SELECT count() AS c, uniqExact(n) AS u FROM {target}")
        assert (found.c[0], found.u[0]) == (60_000, 60_000)

    @pytest.mark.parametrize("ending", ["csv", "csv.gz", "ndjson", "parquet"])
    def test_a_large_file_goes_in_parts(self, ws, target, tmp_path, ending, monkeypatch):
        frame = pd.DataFrame({"n": range(20_000), "s": [f'text "{n}"\nof a row' for n in range(20_000)]})
        path = tmp_path / f"large.{ending}"
        {
            "csv": lambda: frame.to_csv(path, index=False),
            "csv.gz": lambda: frame.to_csv(path, index=False),
            "ndjson": lambda: frame.to_json(path, orient="records", lines=True),
            "parquet": lambda: frame.to_parquet(path, index=False),
        }[ending]()
        limit = 30_000
        monkeypatch.setattr(planning, "SIZE_LIMITS", dict.fromkeys(("csv", "ndjson", "parquet"), limit))
        monkeypatch.setattr(planning, "PART_BYTES", {"csv": 200_000, "ndjson": 200_000, "parquet": limit})
        seen = []
        report = ws.datasources.append(target, path, on_progress=seen.append)
        assert len(report.batches) > 3
        assert (report.rows_in, report.stored, report.complete) == (20_000, 20_000, True)
        back = ws.sql(f"SELECT n, s FROM {target} ORDER BY n LIMIT 20000")
        assert back.s.tolist() == frame.s.tolist()
        assert seen[-1].unit == ("rows" if ending == "parquet" else "B")
        assert seen[-1].done <= (seen[-1].total or seen[-1].done)

    def test_a_csv_without_a_header(self, ws, target):
        report = ws.datasources.append(target, b"1,a\n2,b\n3,c\n", batch_rows=1)
        assert (report.stored, len(report.batches)) == (3, 3)
        semicolons = ws.datasources.append(target, b"s;n\na;4\nb;5\n", batch_rows=1, dialect={"delimiter": ";"})
        assert semicolons.stored == 2
        assert numbers(ws, target) == [1, 2, 3, 4, 5]

    def test_a_quote_that_is_not_closed(self, ws, target):
        with pytest.raises(PayloadTooLarge, match="quotation mark"):
            ws.datasources.append(target, b'n,s\n1,a\n2,"' + b"b\n" * 1000, batch_bytes=1000)

    def test_nan_stays_where_null_is_not_taken(self, ws, name):
        ws.datasources.create(name, "`v` Float64 `json:$.v`")
        ws.datasources.append(name, pd.DataFrame({"v": [1.0, float("nan")]}))
        assert ws.sql(f"SELECT countIf(isNaN(v)) AS c FROM {name}").c[0] == 1

    def test_ignored_columns(self, ws, target):
        report = ws.datasources.append(target, pd.DataFrame({"n": [1], "extra col": [2]}))
        assert report.ignored_columns == ("extra col",)
        assert "so not stored: extra col" in str(report)

    @pytest.mark.parametrize(
        ("data", "options", "words"),
        [
            (None, {}, "no rows"),
            (5, {}, "not as int"),
            ([{"n": 1}], {"via": "post"}, "'multipart'"),
            ([{"n": 1}], {"format": "csv"}, "'ndjson'"),
            (b"n\n1\n", {"via": "events"}, "takes NDJSON"),
            (b"n\n1\n", {"wait": False}, "wait=False"),
            (b"n\n1\n", {"batch_rows": 0}, "batch_rows"),
            (b"n\n1\n", {"dialect": {"sep": ";"}}, "'sep'"),
        ],
    )
    def test_what_cannot_be(self, ws, target, data, options, words):
        with pytest.raises(InvalidInput, match=words):
            ws.datasources.append(target, data, **options)
        assert numbers(ws, target) == []

    @pytest.mark.parametrize("data", [[{"n": 1}], b"n\n1\n", pd.DataFrame({"n": [1]}), "http://127.0.0.1:1/a.csv"])
    def test_a_name_that_is_not_there(self, ws, data):
        with pytest.raises(NotFound):
            ws.datasources.append("no_such_source", data)
        assert "no_such_source" not in [each.name for each in ws.datasources.list()]


class TestUrl:
    @pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
    def test_append_and_replace(self, ws, target, site, tmp_path, ending):
        path = tmp_path / f"rows.{ending}"
        if ending == "parquet":
            pd.DataFrame({"n": [1, 2]}).to_parquet(path)
        else:
            path.write_text("n\n1\n2\n" if ending == "csv" else '{"n": 1}\n{"n": 2}\n')
        seen = []
        report = ws.datasources.append(target, f"{site}/rows.{ending}?version=1", on_progress=seen.append)
        assert (report.via, report.stored, report.complete) == ("url", 2, True)
        assert seen[-1].unit == "%"
        assert report.batches[0].job_id
        assert ws.datasources.replace(target, f"{site}/rows.{ending}").stored == 2
        assert numbers(ws, target) == [1, 2]

    def test_rows_that_do_not_fit(self, ws, target, site, tmp_path):
        (tmp_path / "odd.csv").write_text("n,s\n1,a\nx,b\n")
        report = ws.datasources.append(target, f"{site}/odd.csv")
        assert (report.stored, report.quarantined, report.reasons[0].rows) == (1, 1, 1)

    def test_without_waiting(self, ws, target, site, tmp_path):
        (tmp_path / "rows.csv").write_text("n\n1\n")
        job = ws.datasources.append(target, f"{site}/rows.csv", wait=False)
        assert ws.jobs.wait(job).status == "done"
        job = ws.datasources.append(target, tmp_path / "rows.csv", via="job", wait=False)
        assert ws.jobs.wait(job).status == "done"
        assert numbers(ws, target) == [1, 1]

    def test_create(self, ws, name, site, tmp_path):
        (tmp_path / "rows.csv").write_text("day,amount\n2024-01-02,1.5\n")
        assert ws.datasources.create_from(name, f"{site}/rows.csv").stored == 1
        assert ws.sql(f"SELECT amount FROM {name}").amount.tolist() == [1.5]

    def test_a_job_that_fails_says_why(self, ws, target, site):
        with pytest.raises(JobFailed, match="404") as caught:
            ws.datasources.append(target, f"{site}/missing.csv")
        assert caught.value.report.stored == 0

    def test_a_format_that_cannot_be_told(self, ws, target, site):
        with pytest.raises(InvalidInput, match="does not tell the format"):
            ws.datasources.append(target, f"{site}/rows")


class TestReplace:
    @pytest.mark.parametrize("via", ["auto", "job"])
    @pytest.mark.parametrize("kind", ["table", "bytes", "list"])
    def test_all_rows(self, ws, target, via, kind):
        ws.datasources.append(target, [{"n": 1}, {"n": 2}])
        data = {"table": pd.DataFrame({"n": [7]}), "bytes": b"n\n7\n", "list": [{"n": 7}]}[kind]
        report = ws.datasources.replace(target, data, via=via)
        assert (report.stored, len(report.batches)) == (1, 1)
        assert numbers(ws, target) == [7]

    def test_some_rows(self, ws, target):
        ws.datasources.append(target, [{"n": 1}, {"n": 2}])
        ws.datasources.replace(target, [{"n": 3}], condition="n > 1", via="multipart")
        assert numbers(ws, target) == [1, 3]

    def test_what_is_too_large_for_one_request_is_never_sent_in_parts(self, ws, target, monkeypatch):
        ws.datasources.append(target, [{"n": 1}])
        monkeypatch.setattr(planning, "SIZE_LIMITS", dict.fromkeys(("csv", "ndjson", "parquet"), 10))
        for data in (pd.DataFrame({"n": [2]}), b"n\n2\n3\n4\n5\n6\n", [{"n": 2}, {"n": 3}]):
            with pytest.raises(PayloadTooLarge, match=r"never sent in parts.*via='job'"):
                ws.datasources.replace(target, data)
        assert numbers(ws, target) == [1]
        assert ws.datasources.replace(target, pd.DataFrame({"n": [2]}), via="job").stored == 1
        assert numbers(ws, target) == [2]

    def test_refusals_leave_the_old_rows(self, ws, target):
        ws.datasources.append(target, [{"n": 1}])
        with pytest.raises(BadRequest):
            ws.datasources.replace(target, b"n\n2\n", condition="no such column = 1")
        with pytest.raises(InvalidInput, match="cannot replace"):
            ws.datasources.replace(target, [{"n": 1}], via="events")
        with pytest.raises(NotFound):
            ws.datasources.replace("no_such_source", b"n\n1\n")
        assert numbers(ws, target) == [1]


MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9, 123456)  # noqa: DTZ001 - Arrow's own


class TestCreateFrom:
    def test_the_sorting_key_is_suggested(self, ws, name):
        frame = pd.DataFrame(
            {"at": pd.date_range("2024-01-01", periods=40), "country": ["es", "nl"] * 20, "2024 sales": range(40)}
        )
        report = ws.datasources.create_from(name, frame)
        assert ws.datasources.get(name).engine["engine_sorting_key"] == "country, at"
        assert "Sorted by country, at" in report.notices[1]
        assert "'2024 sales' is c_2024_sales" in report.notices[0]

    def test_what_is_said_counts(self, ws, name):
        report = ws.datasources.create_from(name, pd.DataFrame({"a": ["x"] * 9, "b": range(9)}), sorting_key="b")
        assert (ws.datasources.get(name).engine["engine_sorting_key"], report.notices) == ("b", ())
        with pytest.raises(Conflict):
            ws.datasources.create_from(name, [{"a": 1}])

    def test_in_parts(self, ws, name, monkeypatch):
        monkeypatch.setitem(planning.PART_BYTES, "parquet", 50_000)
        report = ws.datasources.create_from(name, pd.DataFrame({"n": range(50_000), "v": [0.1] * 49_999 + [None]}))
        assert len(report.batches) > 2
        assert report.stored == 50_000
        assert ws.datasources.get(name).columns[1].nullable

    def test_without_rows(self, ws, name):
        report = ws.datasources.create_from(name, pd.DataFrame({"n": pd.Series([], dtype="int16")}))
        assert report.rows_in == 0
        assert ws.datasources.get(name).columns[0].type == "Int16"

    @pytest.mark.parametrize("package", ["arrow", "polars"])
    def test_every_type_arrives_exactly(self, ws, name, package):
        pa = pytest.importorskip("pyarrow")
        table = pa.table(
            {
                "u": pa.array([2**64 - 1, None], type=pa.uint64()),
                "d": pa.array([Decimal("1.50"), Decimal("-2.25")], type=pa.decimal128(12, 2)),
                "z": pa.array([MOMENT, MOMENT], type=pa.timestamp("us", "UTC")),
                "day": pa.array([dt.date(2024, 1, 2), dt.date(1950, 1, 2)]),
                "l": pa.array([[1, 2], []], type=pa.list_(pa.int16())),
                "c": pa.array(["a", "b"]).dictionary_encode(),
                "s": pa.array([{"a": 1, "b": "t"}, {"a": 2, "b": None}]),
                "f": pa.array([0.5, None], type=pa.float32()),
                "t": ["ü\n", ""],
                "b": [True, False],
            }
        )
        data = table
        if package == "polars":
            data = pytest.importorskip("polars").from_arrow(table)
        report = ws.datasources.create_from(name, data)
        assert (report.stored, report.complete) == (2, True)
        types = ws.sql(f"DESCRIBE {name}")
        assert dict(zip(types["name"], types["type"], strict=True)) == {
            "u": "Nullable(UInt64)",
            "d": "Decimal(12, 2)",
            "z": "DateTime64(6, 'UTC')",
            "day": "Date32",
            "l": "Array(Int16)",
            "c": "LowCardinality(String)",
            "s_a": "Int64",
            "s_b": "Nullable(String)",
            "f": "Nullable(Float32)",
            "t": "String",
            "b": "Bool",
        }
        first = ws.sql(f"SELECT * FROM {name} WHERE b").iloc[0]
        assert first["u"] == 2**64 - 1
        assert (first["d"], first["day"].date(), list(first["l"])) == (Decimal("1.50"), dt.date(2024, 1, 2), [1, 2])
        assert (first["c"], first["s_a"], first["s_b"], first["t"]) == ("a", 1, "t", "ü\n")
        assert ws.datasources.append(name, data, via="events").stored == 2
        assert ws.sql(f"SELECT uniqExact(tuple(*)) AS u, count() AS c FROM {name}").values.tolist() == [[2, 4]]
