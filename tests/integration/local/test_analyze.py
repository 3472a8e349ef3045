"""POST /v0/analyze: what is guessed, that it can be imported, and what happens with bad input."""

from __future__ import annotations

import gzip
import io
import json
import random
import threading
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinymagic import local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Api

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def folder(private_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("analyze")


@pytest.fixture(scope="module")
def own(folder: Path, api: Api) -> Iterator[Api]:
    """A server with a folder, so that its spool can be looked at."""
    started = local.start(path=folder / "server", port=0, with_parent=True)
    token = requests.get(f"{started.host}/tokens", timeout=10).json()["workspace_admin_token"]
    yield type(api)(started.host, token)
    local.stop(port=started.port)


@pytest.fixture
def clean_spool(own: Api, folder: Path) -> Iterator[None]:
    """Nothing may be left in the spool after the test, and the server must be alive."""
    yield
    assert list((folder / "server" / "spool").iterdir()) == []
    assert own.sql("SELECT 1").text == "1\n"


class Files(BaseHTTPRequestHandler):
    """A host of files."""

    content: dict[str, bytes] = {}

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif name == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"1,2\n" * 10_000)
            except OSError:
                return
        elif name in self.content:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.content[name])))
            self.end_headers()
            try:
                self.wfile.write(self.content[name])
            except OSError:
                return
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


_numbers = iter(range(1_000_000))


def analyzed(api: Api, data: bytes, **parameters: str) -> dict[str, Any]:
    """Analyze a body."""
    response = api.post("/v0/analyze", params=parameters, data=data)
    assert response.status_code == 200, response.text
    reply: dict[str, Any] = response.json()
    return reply


def imported(api: Api, data: bytes, file_format: str, reply: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Create a Data Source with the schema as it is and append the file; return the import's reply and the rows."""
    name = f"analyze_{next(_numbers)}"
    created = api.post(
        "/v0/datasources",
        params={"name": name, "mode": "create", "format": file_format},
        data={"schema": reply["analysis"]["schema"]},
    )
    assert created.status_code == 200, (created.text, reply["analysis"]["schema"])
    appended = api.post(
        "/v0/datasources",
        params={"name": name, "mode": "append", "format": file_format},
        files={"file": ("f", data)},
    )
    assert appended.status_code == 200, appended.text
    rows = api.sql(f"SELECT * FROM {name} FORMAT JSON")
    assert rows.status_code == 200, rows.text
    return appended.json(), rows.json()


def round_trip(api: Api, data: bytes, file_format: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Analyze, create, append: no row in quarantine, and the preview is what the Data Source returns."""
    reply = analyzed(api, data)
    done, rows = imported(api, data, file_format, reply)
    assert done["quarantine_rows"] == 0, (done["errors"], reply["analysis"]["schema"])
    assert rows["meta"] == reply["preview"]["meta"]
    if rows["rows"] <= 10:
        assert sorted(map(repr, rows["data"])) == sorted(map(repr, reply["preview"]["data"]))
    return reply, rows


def types(reply: dict[str, Any]) -> dict[str, str]:
    """Return names and recommended types."""
    return {column["name"]: column["recommended_type"] for column in reply["analysis"]["columns"]}


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """Write a Parquet file."""
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, **options)
    return target.getvalue()


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["2024-01-02", "2024-02-30", "2024-01-02 03:04:05", "2024-01-02T03:04:05.123Z", "3", ""]),
)
_KEYS = st.one_of(st.sampled_from(["a", "b", "a_b", "A", "a.b"]), st.text(min_size=1, max_size=4))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)


class TestNdjson:
    def test_reply(self, own: Api, clean_spool: None) -> None:
        """The whole reply, as section 3 of the contract has it."""
        data = (
            b'{"user": {"zip": "28001", "age": 41}, "tags": ["a", "b", "c"], "when": "2024-01-02T03:04:05Z"}\n'
            b'{"user": {"age": 70000}, "tags": ["d"], "when": "2024-01-02 03:04:06"}\n'
        )
        reply, _ = round_trip(own, data, "ndjson")
        statistics = reply["preview"].pop("statistics")
        assert reply == {
            "analysis": {
                "columns": [
                    {"path": "$.tags[:]", "recommended_type": "Array(String)", "present_pct": 2, "name": "tags"},
                    {"path": "$.user.age", "recommended_type": "Int32", "present_pct": 1, "name": "user_age"},
                    {"path": "$.user.zip", "recommended_type": "String", "present_pct": 0.5, "name": "user_zip"},
                    {"path": "$.when", "recommended_type": "DateTime", "present_pct": 1, "name": "when"},
                ],
                "schema": (
                    "tags Array(String) `json:$.tags[:]`, user_age Int32 `json:$.user.age`, "
                    "user_zip Nullable(String) `json:$.user.zip`, when DateTime `json:$.when`"
                ),
            },
            "preview": {
                "meta": [
                    {"name": "tags", "type": "Array(String)"},
                    {"name": "user_age", "type": "Int32"},
                    {"name": "user_zip", "type": "Nullable(String)"},
                    {"name": "when", "type": "DateTime"},
                ],
                "data": [
                    {"tags": ["a", "b", "c"], "user_age": 41, "user_zip": "28001", "when": "2024-01-02 03:04:05"},
                    {"tags": ["d"], "user_age": 70000, "user_zip": None, "when": "2024-01-02 03:04:06"},
                ],
                "rows": 2,
            },
        }
        assert statistics["rows_read"] == 2
        assert statistics["bytes_read"] == len(data)
        assert 0 < statistics["elapsed"] < 60

    def test_odd_objects(self, own: Api, clean_spool: None) -> None:
        """Everything that has no type of its own can still be imported."""
        data = (
            b'{"o": {}, "n": null, "e": [], "mix": 1, "objs": [{"a": 1}], "ll": [[1], [2]], "an": [1, null],'
            b' "x": {"a": 1}, "b": true, "a": {"b": 1}, "a_b": "t", "d.o": 1, "it\'s": 1, "": 2, "0": 1,'
            b' "k`": 1, "c__error": "e", "d": "2024-01-31", "f": 1.5, "big": 18446744073709551615,'
            b' "ms": "2024-01-02T03:04:05.123Z", "us": "2024-01-02T03:04:05.123456Z"}\n'
            b'{"mix": "x", "x": 5, "o": 1, "f": 2}\n'
        )
        reply, rows = round_trip(own, data, "ndjson")
        assert types(reply) == {
            "a_b": "Int16",
            "a_b_1": "String",
            "an": "Array(Nullable(Int16))",
            "b": "UInt8",
            "big": "UInt64",
            "c_0": "Int16",
            "c__error_1": "String",
            "d": "Date",
            "d_o": "Int16",
            "e": "Array(String)",
            "f": "Float32",
            "it_s": "Int16",
            "ll": "Array(String)",
            "mix": "String",
            "ms": "DateTime64(3)",
            "n": "String",
            "o": "String",
            "objs": "Array(String)",
            "us": "String",
            "x": "String",
            "x_a": "Int16",
        }
        assert list(types(reply)) == sorted(types(reply))
        first = rows["data"][0] if rows["data"][0]["mix"] == "1" else rows["data"][1]
        assert (first["objs"], first["ll"], first["an"]) == (['{"a":1}'], ["[1]", "[2]"], [1, None])
        assert first["big"] == 18446744073709551615

    def test_cut_anywhere(self, own: Api) -> None:
        """A sample that ends inside of a line, a text or a character gives what the complete lines give."""
        line = '{"a": 1, "b": {"c": "ñandú"}, "t": ["x", "y"]}\n'.encode()
        whole = analyzed(own, line * 3)
        for end in range(len(line) * 2, len(line) * 3):
            cut = analyzed(own, (line * 3)[:end])
            assert cut["analysis"] == whole["analysis"]
            assert cut["preview"]["rows"] == 2 + (end >= 3 * len(line) - 1)

    def test_first_mebibyte(self, own: Api) -> None:
        """What lies behind it does not count, and the same file gives the same answer."""
        start = b'{"a": 1}\n' * (MEBIBYTE // 9)
        late = start + b'{"a": "x"}\n' * 20
        first, second = analyzed(own, late), analyzed(own, late[:MEBIBYTE])
        assert first["analysis"] == second["analysis"] == analyzed(own, late)["analysis"]
        assert types(first) == {"a": "Int16"}
        assert types(analyzed(own, start[:-90] + b'{"a": "x"}\n')) == {"a": "String"}

    def test_deep_and_wide(self, own: Api) -> None:
        """Objects are followed to a depth that a schema can have; 500 columns are possible."""
        deep = b'{"a":' * 45 + b"1" + b"}" * 45 + b"\n"
        assert types(round_trip(own, deep, "ndjson")[0]) == {"_".join("a" * 45): "Int16"}
        assert types(analyzed(own, b'{"b": 1, "a":' + b'{"a":' * 60 + b"1" + b"}" * 61 + b"\n")) == {"b": "Int16"}
        wide = json.dumps({f"k{index}": index for index in range(100)}).encode() + b"\n"
        assert len(types(round_trip(own, wide, "ndjson")[0])) == 100

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=4), min_size=1, max_size=5))
    def test_any_objects(self, own: Api, rows: list[dict[str, Any]]) -> None:
        """Whatever the objects hold: the guess can be created, and no row lands in the quarantine."""
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        response = own.post("/v0/analyze", data=data, params={"format": "ndjson"})
        if response.status_code == 400:
            assert "no values that columns can be made of" in response.text
            return
        done, _ = imported(own, data, "ndjson", response.json())
        assert done["quarantine_rows"] == 0, (done["errors"], response.json()["analysis"]["schema"])


_CELLS = st.one_of(
    st.sampled_from(["", "1", "-5", "007", "1.5", "2024-01-02", "2024-01-02 03:04:05", "[1,2]", "['a']", "\\N", "x"]),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)


class TestCsv:
    def test_reply(self, own: Api, clean_spool: None) -> None:
        """Columns in the order of the file, no paths, and the dialect."""
        data = b'Order ID;name;at;tags\r\n1;"x;y";2024-01-02 03:04:05;"[1,2]"\r\n2;;2024-01-02 03:04:06.5;[3]\r\n'
        reply, _ = round_trip(own, data, "csv")
        assert reply["analysis"] == {
            "columns": [
                {"path": None, "recommended_type": "Int16", "present_pct": 1, "name": "Order_ID"},
                {"path": None, "recommended_type": "String", "present_pct": 0.5, "name": "name"},
                {"path": None, "recommended_type": "DateTime64(3)", "present_pct": 1, "name": "at"},
                {"path": None, "recommended_type": "Array(Int16)", "present_pct": 1.5, "name": "tags"},
            ],
            "schema": "Order_ID Int16, name Nullable(String), at DateTime64(3), tags Array(Int16)",
        }
        assert reply["dialect"] == {"delimiter": ";", "new_line": "\r\n", "has_header": True}
        assert reply["preview"]["data"][0] == {
            "Order_ID": 1,
            "name": "x;y",
            "at": "2024-01-02 03:04:05.000",
            "tags": [1, 2],
        }

    def test_without_header(self, own: Api) -> None:
        """Columns are numbered."""
        reply, rows = round_trip(own, b"1,x\n2,y\n", "csv")
        assert reply["analysis"]["schema"] == "column_00 Int16, column_01 String"
        assert reply["dialect"]["has_header"] is False
        assert rows["rows"] == 2

    def test_header_over_two_lines(self, own: Api) -> None:
        reply = analyzed(own, b'"a\nb",c\n1,2\n3,4\n')
        assert reply["preview"]["data"] == [{"a_b": 1, "c": 2}, {"a_b": 3, "c": 4}]

    def test_given_dialect(self, own: Api) -> None:
        """Parameters of the import count here too."""
        reply = analyzed(own, b"a#b;1#x\\#y;", dialect_delimiter="#", dialect_new_line=";", dialect_escapechar="\\")
        assert reply["dialect"] == {"delimiter": "#", "new_line": ";", "has_header": True, "escapechar": "\\"}
        assert reply["preview"]["data"] == [{"a": 1, "b": "x#y"}]

    @pytest.mark.parametrize(
        "data",
        [
            b'a,b\n1,"x\ny"\n2,z\n\n3,q\n4\n5,"open\n6,t\n',
            b'a,b\n"1","2"\n1,2,3\n',
            b"a\n1\n\n3\n",
            b"a,a\n1,2\n",
            b"\n\na,b\n1,2\n",
            b"a,b\n",
            b"x\n",
            b"a\tb\n1\t 2 \n",
            b"n,d\n13,31/12/2023 10:00:00\n14,01/02/2023 10:00:00.5\n",
            b"n,d\n007,01/02/2023 10:00:00\n+5,2024-02-30\n",
            b"a,b\n\\N,1\nx,\n",
            b"c__error,c__error_column\n1,2\n",
            b"f,g\n1e5,.5\n1.,nan\n",
            b"a,b\n['x'],\"[1, 2]\"\n\"['y', 'z']\",\n",
            "größe,名前\n1,ü\n".encode(),
            b"\xef\xbb\xbfid,v\n1,2\n",
        ],
    )
    def test_odd_files(self, own: Api, clean_spool: None, data: bytes) -> None:
        """They can be imported with the guess."""
        round_trip(own, data, "csv")

    def test_day_first(self, own: Api) -> None:
        """A day in front is a time only when the sample shows that it is the day."""
        assert types(analyzed(own, b"a\n13/02/2023 1:02:03\n01/02/2023 01:02:03\n")) == {"a": "DateTime"}
        assert types(analyzed(own, b"a\n01/02/2023 01:02:03\n")) == {"a": "String"}
        assert types(analyzed(own, b"a\n12/31/2023 01:02:03\n")) == {"a": "String"}

    def test_cut_anywhere(self, own: Api) -> None:
        """A sample of the first MiB may end in a field in quotes that goes over lines, or in a character."""
        row = '2024-01-02 03:04:05,12345,"ñ, ""q""\n2"\n'.encode()
        rows = row * (MEBIBYTE // len(row) + 2)
        for shift in range(1, len(row) + 1, 3):
            # What stands in front moves the end of the sample through the record.
            first = b'2024-01-02 03:04:05,1,"' + b"p" * shift + b'"\n'
            reply = analyzed(own, (b"d,n,t\n" + first + rows)[:MEBIBYTE])
            assert reply["analysis"]["schema"] == "d DateTime, n Int16, t String"

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(_CELLS, min_size=n, max_size=n), max_size=5)))
    def test_any_cells(self, own: Api, rows: list[list[str]]) -> None:
        """Whatever the cells hold: the guess can be created, and no row lands in the quarantine."""
        quoted = ["a", *["b"] * (len(rows[0]) - 1)] if rows else ["a", "b"]
        lines = [quoted, *rows]
        data = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in lines).encode()
        reply = analyzed(own, data, format="csv")
        done, _ = imported(own, data, "csv", reply)
        assert done["quarantine_rows"] == 0, (done["errors"], reply["analysis"]["schema"])


class TestParquet:
    def test_every_type(self, own: Api, clean_spool: None) -> None:
        """Types come from the file, structs are taken apart, and all of it can be imported."""
        at = datetime(2020, 1, 2, 3, 4, 5, 123456)  # noqa: DTZ001
        utc = at.replace(tzinfo=timezone.utc)
        data = parquet(
            {
                "i8": pa.array([1, 2], pa.int8()),
                "u64": pa.array([1, 2**64 - 1], pa.uint64()),
                "missing": pa.array([1, None], pa.int64()),
                "f32": pa.array([1.5, 2], pa.float32()),
                "flag": pa.array([True, False]),
                "text": pa.array(["a", "é"]),
                "bytes": pa.array([b"a", b"b"]),
                "fixed": pa.array([b"abcd", b"efgh"], pa.binary(4)),
                "dictionary": pa.array(["x", "y"]).dictionary_encode(),
                "day": pa.array([date(2020, 1, 2)] * 2),
                "money": pa.array([Decimal("1.23")] * 2, pa.decimal128(10, 2)),
                "wide": pa.array([Decimal("1.23")] * 2, pa.decimal256(60, 2)),
                "s": pa.array([at.replace(microsecond=0)] * 2, pa.timestamp("s")),
                "ms": pa.array([at.replace(microsecond=123000)] * 2, pa.timestamp("ms")),
                "us": pa.array([at] * 2, pa.timestamp("us")),
                "ns": pa.array([at] * 2, pa.timestamp("ns")),
                "zoned": pa.array([utc] * 2, pa.timestamp("us", tz="Europe/Madrid")),
                "clock": pa.array([3_600_000] * 2, pa.int32()).cast(pa.time32("ms")),
                "duration": pa.array([timedelta(seconds=1)] * 2, pa.duration("us")),
                "list": pa.array([[1, 2], []]),
                "list_nulls": pa.array([[1, None], None]),
                "lists": pa.array([[["a"]], [[], ["b"]]]),
                "struct": pa.array([{"x": 1, "y": {"z": ["q"]}}, None]),
                "structs": pa.array([[{"x": 1, "y": "a"}], []]),
                "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
                "Order ID": pa.array([1, 2]),
                "a.b": pa.array([1, 2]),
                "a_b": pa.array([1, 2]),
            }
        )
        reply, rows = round_trip(own, data, "parquet")
        assert types(reply) == {
            "i8": "Int8",
            "u64": "UInt64",
            "missing": "Int64",
            "f32": "Float32",
            "flag": "Bool",
            "text": "String",
            "bytes": "String",
            "fixed": "FixedString(4)",
            "dictionary": "String",
            "day": "Date32",
            "money": "Decimal(10,2)",
            "wide": "Decimal(60,2)",
            "s": "DateTime64(3)",
            "ms": "DateTime64(3)",
            "us": "DateTime64(6)",
            "ns": "DateTime64(9)",
            "zoned": "DateTime64(6)",
            "clock": "DateTime64(3)",
            "duration": "Int64",
            "list": "Array(Int64)",
            "list_nulls": "Array(Nullable(Int64))",
            "lists": "Array(Array(String))",
            "struct_x": "Int64",
            "struct_y_z": "Array(String)",
            "structs": "Array(Tuple(x Int64,y String))",
            "map": "Map(String,Int64)",
            "Order_ID": "Int64",
            "a_b": "Int64",
            "a_b_1": "Int64",
        }
        columns = {column["name"]: column for column in reply["analysis"]["columns"]}
        assert (columns["missing"]["present_pct"], columns["list"]["present_pct"]) == (0.5, 1)
        assert columns["Order_ID"]["path"] == "$['Order ID']"
        assert "missing Nullable(Int64) `json:$.missing`, f32 Float32 `json:$.f32`" in reply["analysis"]["schema"]
        assert reply["preview"]["data"][0]["zoned"] == "2020-01-02 03:04:05.123456"
        assert "dialect" not in reply
        assert rows["rows"] == 2

    def test_nulls_anywhere_in_the_file(self, own: Api) -> None:
        """The whole file is looked at: a null in the last of many rows makes the column Nullable."""
        data = parquet({"a": pa.array([*range(200_000), None]), "b": pa.array([1.0] * 200_001)})
        reply, rows = round_trip(own, data, "parquet")
        assert reply["analysis"]["schema"] == "a Nullable(Int64) `json:$.a`, b Float64 `json:$.b`"
        assert (reply["preview"]["rows"], rows["rows"]) == (10, 200_001)
        assert reply["preview"]["data"][3]["a"] == 3

    def test_no_rows_and_compressed(self, own: Api) -> None:
        assert round_trip(own, parquet({"a": pa.array([], pa.int64())}), "parquet")[0]["preview"]["data"] == []
        assert types(analyzed(own, gzip.compress(parquet({"a": [1]})))) == {"a": "Int64"}


class TestWaysOfSending:
    DATA = b"a,b\n1,x\n2,y\n"
    SCHEMA = "a Int16, b String"

    def test_part_body_and_gzip(self, own: Api, clean_spool: None) -> None:
        """A part of any name, a body of any type or none, compressed or not, with a slash at the end or not."""
        sent = [
            own.post("/v0/analyze", files={"file": ("x", self.DATA)}),
            own.post("/v0/analyze/", files={"whatever": ("x.csv", self.DATA, "text/csv")}),
            own.post("/v0/analyze", data=self.DATA),
            own.post("/v0/analyze", data=self.DATA, headers={"Content-Type": "application/x-ndjson"}),
            own.post("/v0/analyze", data=self.DATA, headers={"Content-Type": "application/x-www-form-urlencoded"}),
            own.post("/v0/analyze", data=gzip.compress(self.DATA)),
            own.post("/v0/analyze", files={"file": ("x.csv.gz", gzip.compress(self.DATA))}),
        ]
        assert [each.json()["analysis"]["schema"] for each in sent] == [self.SCHEMA] * len(sent)

    def test_given_format(self, own: Api) -> None:
        assert "dialect" in analyzed(own, b'{"a": 1}\n', format="csv")
        assert "dialect" not in analyzed(own, b'{"a": 1}\n')
        assert "dialect" not in analyzed(own, b'\n{"a": 1}\n', format="NDJSON")

    def test_url(self, own: Api, files: str, clean_spool: None) -> None:
        """The start of text, all of Parquet; with an empty body, in the query or in a form."""
        dice = random.Random(1)
        Files.content = {
            "/small.csv": self.DATA,
            "/big.csv": b"a,b\n" + b"1,x\n" * 2_000_000,
            "/x.csv.gz": gzip.compress(self.DATA * 10),
            "/big.parquet": parquet({"r": [dice.random() for _ in range(300_000)]}),
        }
        assert len(Files.content["/big.parquet"]) > 2 * MEBIBYTE
        assert analyzed(own, b"", url=f"{files}/small.csv?x=1")["analysis"]["schema"] == self.SCHEMA
        assert analyzed(own, b"", url=f"{files}/big.csv")["analysis"]["schema"] == self.SCHEMA
        assert analyzed(own, b"", url=f"{files}/endless")["analysis"]["schema"] == "column_00 Int16, column_01 Int16"
        assert types(analyzed(own, b"", url=f"{files}/big.parquet")) == {"r": "Float64"}
        form = own.post("/v0/analyze", data={"url": f"{files}/small.csv"})
        assert form.json()["analysis"]["schema"] == self.SCHEMA

    def test_scope(self, own: Api) -> None:
        for token in (None, "nonsense"):
            assert own.post("/v0/analyze", data=self.DATA, token=token).status_code == 403

    def test_nothing_is_made(self, own: Api) -> None:
        before = own.get("/v0/datasources").json()
        analyzed(own, self.DATA)
        assert own.get("/v0/datasources").json() == before


_JUNK = random.Random(7).randbytes(3000)
_GZIP = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(1000)))

BAD = {
    "nothing": (b"", {}, "nothing to analyze"),
    "blank": (b" \n\t\r\n ", {}, "empty"),
    "only a mark": (b"\xef\xbb\xbf", {}, "empty"),
    "binary": (_JUNK, {}, "neither Parquet nor UTF-8"),
    "NUL": (b"a,b\n1,\0\n", {}, "NUL byte at position 6"),
    "latin-1": ("a,b\n1,é\n".encode("latin-1"), {}, "byte 0xe9 at position 6"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), {}, "UTF-16"),
    "gzip junk": (b"\x1f\x8b" + _JUNK, {}, "gzip data is damaged"),
    "gzip cut": (_GZIP[:-40], {}, "ends too early"),
    "gzip checksum": (_GZIP[:-8] + b"12345678", {}, "gzip data is damaged"),
    "gzip of nothing": (gzip.compress(b""), {}, "empty"),
    "bomb of one line": (gzip.compress(b"0" * 100_000_000), {}, "no complete record"),
    "empty gzip members": (gzip.compress(b"") * 400_000, {}, "empty"),
    "Parquet cut": (parquet({"a": [1, 2]})[:-20], {}, "damaged or cut off"),
    "Parquet broken": (parquet({"a": [1, 2]}).replace(b"\x15", b"\x7f"), {}, "damaged or cut off"),
    "only PAR1": (b"PAR1PAR1", {}, "damaged or cut off"),
    "no Parquet": (b"a,b\n1,2\n", {"format": "parquet"}, "not a Parquet file"),
    "no NDJSON": (b"a,b\n1,2\n", {"format": "ndjson"}, "no line that is a JSON object"),
    "no format": (b"a,b\n1,2\n", {"format": "xml"}, "csv, ndjson, parquet"),
    "long delimiter": (b"a,b\n", {"dialect_delimiter": "ab"}, "one character"),
    "one line of 10 MB": (b"a," * 5_000_000, {}, "no complete record"),
    "one object of 10 MB": (b'{"a": "' + b"x" * 10_000_000 + b'"}\n', {}, "no complete line"),
    "too many columns": (b",".join([b"c%d" % n for n in range(100_000)]) + b"\n", {}, "at most 500"),
    "too many keys": (json.dumps({f"k{n}": n for n in range(50_000)}).encode(), {}, "at most 500"),
    "deep object": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"\n", {}, "JSON object"),
    "deep array": (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n", {}, "JSON object"),
    "huge numbers": (b'{"a": ' + b"9" * 5000 + b'}\n{"a": 1e99999}\n{"a": NaN}\n', {}, "JSON object"),
    "JSON array": (b'[{"a": 1}]', {}, "not NDJSON"),
    "pretty JSON": (b'{\n  "a": 1\n}\n', {}, "not NDJSON"),
    "empty objects": (b"{}\n{}\n", {}, "no values"),
    "refused URL": (b"", {"url": "http://127.0.0.1:9/x"}, "connection was refused"),
    "file URL": (b"", {"url": "file:///etc/passwd"}, "does not begin with http"),
    "FTP URL": (b"", {"url": "ftp://127.0.0.1/x"}, "does not begin with http"),
}


class TestBadInput:
    @pytest.mark.parametrize("case", BAD)
    def test_sentence(self, own: Api, clean_spool: None, case: str) -> None:
        """Each is a 400 with a sentence that says what is wrong, soon, and nothing is left."""
        data, parameters, words = BAD[case]
        start = time.monotonic()
        response = own.post("/v0/analyze", params=parameters, data=data)
        assert response.status_code == 400, response.text[:500]
        assert words in response.json()["error"]
        assert time.monotonic() - start < 20

    @pytest.mark.parametrize(("path", "words"), [("/none", "status 404"), ("/file", "does not begin with http")])
    def test_bad_hosts(self, own: Api, files: str, clean_spool: None, path: str, words: str) -> None:
        """Not there; a redirect to a file. No query string in the message."""
        response = own.post("/v0/analyze", params={"url": f"{files}{path}?secret=hidden"})
        assert response.status_code == 400
        assert words in response.json()["error"]
        assert "hidden" not in response.text

    def test_too_large(self, own: Api, clean_spool: None) -> None:
        """A body over the limit is a 413, before all of it is read."""
        for data in (b"x" * 50_000_001, b"PAR1" + b"x" * 50_000_000):
            assert own.post("/v0/analyze", data=data).status_code == 413
        part = own.post("/v0/analyze", files={"file": ("x", b"PAR1" + b"x" * 50_000_000)})
        assert part.status_code == 413

    def test_damaged_parquet(self, own: Api, clean_spool: None) -> None:
        """Bytes changed anywhere give a guess or a 400, and the server lives."""
        good = parquet(
            {"a": list(range(300)), "b": ["x" * (n % 7) for n in range(300)], "c": [[n] for n in range(300)]}
        )
        dice = random.Random(3)
        for _ in range(60):
            bad = bytearray(good)
            for _ in range(dice.randint(1, 4)):
                bad[dice.randrange(4, len(bad) - 4)] = dice.randrange(256)
            assert own.post("/v0/analyze", data=bytes(bad)).status_code in (200, 400)
