"""Data Sources of a real embedded server: create, append, replace, read, delete, quarantine."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import threading
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinymagic.local.tables.definition import MOST_NAME_CHARACTERS

PATH = "/v0/datasources"
UTC = timezone.utc
_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"load_{next(_numbers)}"


def upload(api: Any, data: bytes, *, file_format: str = "csv", **parameters: str) -> Any:
    """Send *data* as a multipart file."""
    return api.post(PATH, params={"format": file_format, **parameters}, files={"csv": ("file", data)})


def rows(api: Any, q: str) -> list[list[Any]]:
    """Return the rows of a query as lists."""
    reply = api.sql(f"{q} FORMAT JSONCompact")
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


def accounted(reply: Any) -> tuple[int, int, int]:
    """Return stored, quarantined and invalid rows of an import's reply."""
    assert reply.status_code == 200, reply.text
    body = reply.json()
    return body["blocks"][0]["process_return"][0]["lines"], body["quarantine_rows"], body["invalid_lines"]


class TestCreate:
    def test_from_a_schema(self, api: Any, name: str) -> None:
        """A schema makes an empty Data Source which is described with columns, engine and schema text."""
        schema = "at DateTime, n Nullable(Int32) DEFAULT 13 CODEC(ZSTD(1)), t Array(String) `json:$.t[:]`"
        reply = api.post(PATH, params={"name": name, "schema": schema})
        assert reply.status_code == 200, reply.text
        body = api.get(f"{PATH}/{name}").json()
        assert body["id"].startswith("t_")
        assert body["statistics"] == {"bytes": 0, "row_count": 0}
        assert body["engine"]["engine"] == "MergeTree"
        assert body["engine"]["engine_sorting_key"] == "`at`"
        assert [(c["name"], c["type"], c["nullable"], c["default_value"], c["jsonpath"]) for c in body["columns"]] == [
            ("at", "DateTime", False, None, None),
            ("n", "Int32", True, "DEFAULT 13", None),
            ("t", "Array(String)", False, None, "$.t[:]"),
        ]
        assert body["schema"]["sql_schema"].startswith("`at` DateTime, `n` Nullable(Int32) DEFAULT 13 CODEC(ZSTD(1))")
        assert body["id"] == api.get(f"{PATH}/{body['id']}").json()["id"]

    def test_from_a_csv(self, api: Any, name: str) -> None:
        """A CSV with a header gives names, types and rows."""
        reply = upload(api, b"id,when,note\n1,2024-01-02 03:04:05,x\n70000,2024-01-02 03:04:06,\n", name=name)
        assert accounted(reply) == (2, 0, 0)
        assert reply.json()["error"] is False
        assert rows(api, f"SELECT id, toTypeName(id), when, note FROM {name} ORDER BY id") == [
            [1, "Int32", "2024-01-02 03:04:05", "x"],
            [70000, "Int32", "2024-01-02 03:04:06", None],
        ]

    def test_later_values_widen_the_guess(self, api: Any, name: str) -> None:
        """Values after the sample that do not fit the sample's type widen it instead of going to quarantine."""
        data = b"id,f\n" + b"".join(b"%d,%d\n" % (n, n % 7) for n in range(200_000))
        assert accounted(upload(api, data, name=name)) == (200_000, 0, 0)
        assert rows(api, f"SELECT max(id), toTypeName(max(id)) FROM {name}") == [[199_999, "Int32"]]

    def test_without_type_guessing(self, api: Any, name: str) -> None:
        """type_guessing=false makes every column String."""
        upload(api, b"a,b\n1,2\n", name=name, type_guessing="false")
        assert [c["type"] for c in api.get(f"{PATH}/{name}").json()["columns"]] == ["String", "String"]

    @pytest.mark.parametrize(
        ("data", "names", "values"),
        [
            (b"a,,c\n1,2,3\n", ["a", "column_01", "c"], [1, 2, 3]),
            (b",b\n1,2\n", ["column_00", "b"], [1, 2]),
            (b"a b,a_b\n1,2\n", ["a_b", "a_b_1"], [1, 2]),
            (b"a,a\n1,2\n", ["a", "a_1"], [1, 2]),
            (b"first name,1x\n1,2\n", ["first_name", "c_1x"], [1, 2]),
            (b"1x\n1\n", ["c_1x"], [1]),
        ],
    )
    def test_odd_headers(self, api: Any, name: str, data: bytes, names: list[str], values: list[int]) -> None:
        """Empty cells and cells with the same name keep their values, also when the same file is appended."""
        assert accounted(upload(api, data, name=name)) == (1, 0, 0)
        assert [c["name"] for c in api.get(f"{PATH}/{name}").json()["columns"]] == names
        assert accounted(upload(api, data, name=name, mode="append")) == (1, 0, 0)
        assert rows(api, f"SELECT * FROM {name}") == [values, values]

    @pytest.mark.parametrize(
        "data", [b"v\n1\n\n2\n", b"v\r\n1\r\n\r\n2\r\n\r\n", b"v\n1\n \n2", b" \nv\n1\n2", b"v\n\n1\n\n\n2"]
    )
    def test_blank_lines_are_no_rows(self, api: Any, name: str, data: bytes) -> None:
        """Nobody wrote a row where a line is blank, also when there is one column."""
        assert accounted(upload(api, data, name=name)) == (2, 0, 0)
        assert rows(api, f"SELECT v FROM {name} ORDER BY v") == [[1], [2]]

    def test_a_quoted_empty_field_is_a_row(self, api: Any, name: str) -> None:
        """What is not blank counts: an empty field in quotes is an empty value."""
        assert accounted(upload(api, b'v\nx\n\n""\ny\n', name=name)) == (3, 0, 0)
        assert rows(api, f"SELECT ifNull(v, '') AS v FROM {name} ORDER BY v") == [[""], ["x"], ["y"]]

    def test_too_many_columns(self, api: Any, name: str) -> None:
        """A CSV that is too wide is refused with the limit and not with the engine's words."""
        data = ",".join(f"c{n}" for n in range(2_000)) + "\n" + ",".join(["1"] * 2_000) + "\n"
        reply = upload(api, data.encode(), name=name)
        assert reply.status_code == 400
        assert "2000 columns, and a Data Source has at most 500" in reply.json()["error"]

    def test_statements_longer_than_users_may_write(self, api: Any, name: str) -> None:
        """Columns whose names fill the engine's limit for a statement several times over can be loaded."""
        names = ",".join(f"c{n:0600d}" for n in range(150))
        good, bad = ",".join(["1"] * 150), ",".join(["x"] * 150)
        assert accounted(upload(api, f"{names}\n{good}\n".encode(), name=name)) == (1, 0, 0)
        assert accounted(upload(api, f"{good}\n{bad}\n".encode(), name=name, mode="append")) == (1, 1, 0)

    def test_as_many_columns_as_there_may_be(self, api: Any, name: str) -> None:
        """500 columns can be loaded."""
        data = ",".join(f"c{n}" for n in range(500)) + "\n" + ",".join(["1"] * 500) + "\n"
        assert accounted(upload(api, data.encode(), name=name)) == (1, 0, 0)

    def test_names_that_cannot_be_stored(self, api: Any) -> None:
        """The longest name works; a longer one and one of the server's own are refused with a sentence."""
        longest = "n" * MOST_NAME_CHARACTERS
        assert accounted(upload(api, b"a\n1\n", name=longest)) == (1, 0, 0)
        assert accounted(upload(api, b"a\nx\n", name=longest, mode="append")) == (0, 1, 0)
        assert rows(api, f"SELECT count() FROM {longest}_quarantine") == [[1]]
        assert accounted(upload(api, b"a\n2\n", name=longest, mode="replace")) == (1, 0, 0)
        assert api.request("DELETE", f"{PATH}/{longest}").status_code < 300
        reply = upload(api, b"a\n1\n", name=longest + "n")
        assert reply.status_code == 400
        assert f"at most {MOST_NAME_CHARACTERS}" in reply.json()["error"]
        reply = upload(api, b"a\n1\n", name="_tm_mine")
        assert reply.status_code == 400
        assert "kept for tables of the server" in reply.json()["error"]

    @pytest.mark.parametrize("bad", ["select", "a-b", "1a", "x_quarantine", "a b", "tinybird"])
    def test_bad_names(self, api: Any, bad: str) -> None:
        """Names that are reserved or not identifiers are refused with a sentence."""
        reply = api.post(PATH, params={"name": bad, "schema": "a Int8"})
        assert reply.status_code == 400
        assert bad in reply.json()["error"]

    def test_taken_name(self, api: Any, name: str) -> None:
        """A name can be given once."""
        api.post(PATH, params={"name": name, "schema": "a Int8"})
        assert api.post(PATH, params={"name": name, "schema": "a Int8"}).status_code == 409

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"schema": "a Foo"},
            {"schema": "a Int32 DEFAULT (SELECT 1)"},
            {"schema": "a String DEFAULT file('/etc/passwd')"},
            {"schema": "a Int32 CODEC(ZSTD) DEFAULT 1"},
            {"schema": "a Int32) ENGINE = Memory AS SELECT (1"},
            {"schema": "a Int32", "engine": "Kafka"},
            {"schema": "a Int32", "engine": "ReplacingMergeTree"},
            {"schema": "a Int32", "engine": "CollapsingMergeTree", "engine_sorting_key": "a"},
            {"schema": "a Int32", "engine_sorting_key": "b"},
            {"schema": "a Int32", "engine_sorting_key": "a) SETTINGS storage_policy = 'x' --"},
            {"schema": "a Int32", "engine_settings": "storage_policy = 'x'"},
            {"schema": "a Int32", "engine_ver": "a"},
            {"schema": "a Int32", "mode": "upsert"},
            {"schema": "a Int32", "url": "file:///etc/passwd"},
        ],
    )
    def test_bad_definitions_make_nothing(self, api: Any, name: str, parameters: dict[str, str]) -> None:
        """Whatever is wrong in the parameters is a 400 with a sentence, and no Data Source is there."""
        reply = api.post(PATH, params={"name": name, **parameters})
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]
        assert api.get(f"{PATH}/{name}").status_code == 404

    @pytest.mark.parametrize(
        ("engine", "extra"),
        [
            ("ReplacingMergeTree", {"engine_sorting_key": "id", "engine_ver": "v"}),
            ("summingmergetree", {"engine_sorting_key": "id", "engine_columns": "v"}),
            ("AggregatingMergeTree", {"engine_sorting_key": "id"}),
            ("CollapsingMergeTree", {"engine_sorting_key": "id", "engine_sign": "s"}),
            ("VersionedCollapsingMergeTree", {"engine_sorting_key": "id", "engine_sign": "s", "engine_version": "v"}),
            ("Null", {}),
            ("MergeTree", {"engine_partition_key": "toYYYYMM(at)", "engine_ttl": "at + toIntervalDay(100000)"}),
        ],
    )
    def test_engines(self, api: Any, name: str, engine: str, extra: dict[str, str]) -> None:
        """Every engine of the contract can be made and takes rows."""
        schema = "id Int32, v UInt32, s Int8, at DateTime"
        reply = api.post(PATH, params={"name": name, "schema": schema, "engine": engine, **extra})
        assert reply.status_code == 200, reply.text
        reply = upload(api, b"1,2,1,2024-01-01 00:00:00\n2,2,1,2024-02-01 00:00:00\n", name=name, mode="append")
        assert accounted(reply) == (2, 0, 0)
        assert rows(api, f"SELECT count() FROM {name}") == [[0 if engine == "Null" else 2]]


class TestAppend:
    def test_an_append_makes_what_does_not_exist(self, api: Any, name: str) -> None:
        """As on Classic, for a token that may create; NDJSON needs a schema as ever."""
        assert accounted(upload(api, b"a,b\n1,x\n", name=name, mode="append")) == (1, 0, 0)
        assert api.sql(f"SELECT a, b FROM {name}").text == "1\tx\n"
        reply = upload(api, b'{"a": 1}', name=name + "_other", mode="append", format="ndjson")
        assert reply.status_code == 400
        assert "schema" in reply.json()["error"]

    def test_a_replace_of_what_does_not_exist(self, api: Any, name: str) -> None:
        """It is a 404 that names a near one."""
        api.post(PATH, params={"name": name, "schema": "a Int8"})
        reply = upload(api, b"1\n", name=name + "x", mode="replace")
        assert reply.status_code == 404
        assert name in reply.json()["error"]

    def test_a_line_without_end(self, api: Any, name: str) -> None:
        """A small gzip can hold a line of gigabytes, of which the engine would make several copies."""
        api.post(PATH, params={"name": name, "schema": "a String `json:$.a`", "format": "ndjson"})
        body = gzip.compress(b"x" * 70_000_000, 1)
        reply = upload(api, body, name=name, mode="append", format="ndjson")
        assert reply.status_code == 400
        assert "a line of over 64 MB" in reply.json()["error"]

    def test_a_file_beside_a_url(self, api: Any, name: str) -> None:
        """One of them would be ignored."""
        api.post(PATH, params={"name": name, "schema": "a Int32"})
        reply = upload(api, b"1\n", name=name, mode="append", url="http://127.0.0.1:1/a.csv")
        assert reply.status_code == 400
        assert "one of them" in reply.json()["error"]

    def test_a_header_of_several_lines_takes_no_row_with_it(self, api: Any, name: str) -> None:
        """A name with a line break in it is one record; the row below it is stored."""
        rows = b'"a\nb",c\n1,2\n3,4\n'
        assert accounted(upload(api, rows, name=name)) == (2, 0, 0)
        assert accounted(upload(api, rows, name=name, mode="append")) == (2, 0, 0)
        assert api.sql(f"SELECT sum(a_b), sum(c) FROM {name}").text == "8\t12\n"

    def test_columns_by_header_or_position(self, api: Any, name: str) -> None:
        """A header matches by name, in any order and with gaps; without one the order counts."""
        api.post(
            PATH,
            params={"name": name, "schema": "a Int32, b String DEFAULT concat('d', toString(a)), c Nullable(Int8)"},
        )
        assert accounted(upload(api, b"b,a\nx,1\n", name=name, mode="append")) == (1, 0, 0)
        assert accounted(upload(api, b"2,y,3\n", name=name, mode="append")) == (1, 0, 0)
        assert accounted(upload(api, b"a\n3\n", name=name, mode="append")) == (1, 0, 0)
        assert rows(api, f"SELECT a, b, c FROM {name} ORDER BY a") == [[1, "x", None], [2, "y", 3], [3, "d3", None]]

    def test_empty_cells(self, api: Any, name: str) -> None:
        """An empty cell is NULL in a Nullable column and the type's default in others."""
        schema = "n Nullable(Int32), i Int32, s String, d Int32 DEFAULT 5, t Array(Int8), l LowCardinality(String)"
        api.post(PATH, params={"name": name, "schema": schema})
        assert accounted(upload(api, b",,,,,\n", name=name, mode="append")) == (1, 0, 0)
        assert rows(api, f"SELECT * FROM {name}") == [[None, 0, "", 5, [], ""]]

    @pytest.mark.parametrize(
        ("type_", "good", "bad"),
        [
            ("UInt8", ["0", "255"], ["256", "-1", "x", "1.5"]),
            ("Int64", ["-9223372036854775808"], ["9223372036854775808"]),
            ("UInt256", ["1" * 77], ["1" * 90, "-1"]),
            ("Float32", ["1.5", "-1e3"], ["1e39", "x"]),
            ("Decimal(5, 2)", ["999.99", "-1", "1.2300", "1e-2", "1200e-4"], ["1000", "x", "1.239", "1e-3"]),
            ("Decimal(5, 0)", ["500", "100e-2"], ["0.5"]),
            ("Date", ["1970-01-01", "2024-02-29"], ["2024-02-30", "1969-12-31", "12", "x"]),
            (
                "DateTime",
                ["2024-01-02T03:04:05Z", "2024-01-02 03:04:05"],
                ["2024-02-30 00:00:00", "1950-01-01 00:00:00", "12"],
            ),
            ("DateTime64(3)", ["1950-01-01 00:00:00.123"], ["1800-01-01 00:00:00", "x"]),
            ("Bool", ["true", "False", "Y", "off", "Enabled", "0"], ["2", "maybe"]),
            ("UUID", ["61f0c404-5cb3-11e7-907b-a6006ad3dba0"], ["61f0"]),
            ("Enum8('a' = 1, 'b' = 2)", ["a"], ["c"]),
            ("FixedString(2)", ["ab"], ["abc"]),
            ("Array(UInt8)", ['"[1,2]"', "[]"], ['"[1,300]"', '"[1,x]"', "1"]),
            ("Array(String)", ["\"['a','b']\""], ["x"]),
            ("Map(String, Int32)", ["\"{'a':1}\""], ["\"{'a':'x'}\""]),
            ("IPv4", ["1.2.3.4"], ["1.2.3"]),
        ],
    )
    def test_what_fits_a_type(self, api: Any, name: str, type_: str, good: list[str], bad: list[str]) -> None:
        """Values out of range or of another form go to quarantine with the reason; good ones are stored."""
        api.post(PATH, params={"name": name, "schema": f"k Int32, v {type_}"})
        lines = "".join(f"{number},{value}\n" for number, value in enumerate(good + bad))
        reply = upload(api, lines.encode(), name=name, mode="append")
        assert accounted(reply) == (len(good), len(bad), 0)
        assert "error" in reply.json()["error"]
        found = rows(api, f"SELECT c__error_column, c__error[1], c__import_id FROM {name}_quarantine")
        assert all(columns == ["v"] and "on column 'v' is not" in error for columns, error, _ in found)
        assert {each[2] for each in found} == {reply.json()["import_id"]}
        assert api.get(f"{PATH}/{name}").json()["quarantine_rows"] == len(bad)

    def test_broken_records(self, api: Any, name: str) -> None:
        """Records with a wrong number of fields or an open quote are counted as invalid; all others are stored."""
        api.post(PATH, params={"name": name, "schema": "a Int32, b String"})
        data = b'1,x\n2\n3,y,z\n4,"open\n5,"a ""b""\nc"\nbad,v\n6,w\n'
        assert accounted(upload(api, data, name=name, mode="append")) == (3, 1, 3)
        assert rows(api, f"SELECT a, b FROM {name} ORDER BY a") == [[1, "x"], [5, 'a "b"\nc'], [6, "w"]]

    @pytest.mark.parametrize(
        ("data", "parameters"),
        [
            (b"1;x,y\n2;z\n", {}),
            (b"1\tx,y\n2\tz\n", {}),
            (b"1|x,y\n2|z\n", {"dialect_delimiter": "|"}),
            (b"1,x\\,y\n2,z\n", {"dialect_escapechar": "\\"}),
            (b'1,"x,y"\r2,z\r', {}),
            (b'1,"x,y"\r\n2,z\r\n', {}),
            (b'1,"x,y"##2,z##', {"dialect_new_line": "##"}),
            (b'\xef\xbb\xbf1,"x,y"\n\n2,z\n\n', {}),
        ],
    )
    def test_dialects(self, api: Any, name: str, data: bytes, parameters: dict[str, str]) -> None:
        """Delimiters, line ends and escapes are guessed or taken from the parameters."""
        api.post(PATH, params={"name": name, "schema": "a Int32, b String"})
        assert accounted(upload(api, data, name=name, mode="append", **parameters)) == (2, 0, 0)
        assert rows(api, f"SELECT a, b FROM {name} ORDER BY a") == [[1, "x,y"], [2, "z"]]

    def test_gzip_and_raw_body(self, api: Any, name: str) -> None:
        """A compressed file is known by its magic bytes, and a raw body works as well as a part."""
        api.post(PATH, params={"name": name, "schema": "a Int32"})
        data = gzip.compress(b"1\n2\n")
        assert accounted(upload(api, data, name=name, mode="append")) == (2, 0, 0)
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Encoding": "gzip"}
        reply = api.post(PATH, params={"name": name, "mode": "append"}, data=data, headers=headers)
        assert accounted(reply) == (2, 0, 0)

    def test_parameters_in_form_fields(self, api: Any, name: str) -> None:
        """Parameters may be form fields, with or without a file."""
        assert api.post(PATH, data={"name": name, "schema": "a Int32"}).status_code == 200
        reply = api.post(PATH, data={"name": name, "mode": "append"}, files={"x": ("a.csv", b"1\n")})
        assert accounted(reply) == (1, 0, 0)

    @pytest.mark.parametrize(
        ("data", "file_format"),
        [
            (b"", "csv"),
            (b"1\n\x00\n", "csv"),
            (b"\xff\xfe1\n", "csv"),
            (b'{"a": "\xff"}\n', "ndjson"),
            (gzip.compress(b"1\n" * 1000, mtime=0)[:-20], "csv"),
            (gzip.compress(b"", mtime=0), "csv"),
            (b"PAR1 nonsense", "parquet"),
            (b"no parquet at all", "parquet"),
        ],
    )
    def test_unreadable_files(self, api: Any, name: str, data: bytes, file_format: str) -> None:
        """What cannot be read is a 400 with a sentence; nothing is stored."""
        api.post(PATH, params={"name": name, "schema": "a Int32 `json:$.a`"})
        reply = upload(api, data, file_format=file_format, name=name, mode="append")
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]
        assert rows(api, f"SELECT count() FROM {name}") == [[0]]

    def test_raw_body_limit(self, api: Any, name: str) -> None:
        """A raw body over 8 MB is refused with 413; the same file as a part is taken."""
        api.post(PATH, params={"name": name, "schema": "a Int32"})
        data = b"12345678\n" * 1_000_000
        reply = api.post(PATH, params={"name": name, "mode": "append"}, data=data, headers={"Content-Type": "text/csv"})
        assert reply.status_code == 413
        assert accounted(upload(api, data, name=name, mode="append")) == (1_000_000, 0, 0)

    def test_in_parallel(self, api: Any, name: str) -> None:
        """Appends at the same time lose nothing."""
        api.post(PATH, params={"name": name, "schema": "a Int32"})
        replies: list[Any] = []
        work = [
            threading.Thread(target=lambda: replies.append(upload(api, b"1\n" * 1000, name=name, mode="append")))
            for _ in range(8)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert [accounted(reply) for reply in replies] == [(1000, 0, 0)] * 8
        assert rows(api, f"SELECT count() FROM {name}") == [[8000]]


class TestNdjson:
    SCHEMA = (
        "id Int32 `json:$.id`, zip Nullable(String) `json:$.user.zip`, tags Array(String) `json:$.tags[:]` DEFAULT [], "
        "d Int32 `json:$.d` DEFAULT 7, raw String `json:$`"
    )

    def test_jsonpaths(self, api: Any, name: str) -> None:
        """Nested values, arrays, the whole object, absent paths and defaults."""
        lines = ['{"id": 1, "user": {"zip": "0\\u00e9"}, "tags": ["a", "b"], "d": 1}', "", '{"id": 2}']
        reply = upload(api, "\n".join(lines).encode(), file_format="ndjson", name=name, schema=self.SCHEMA)
        assert accounted(reply) == (2, 0, 0)
        found = rows(api, f"SELECT id, zip, tags, d, raw FROM {name} ORDER BY id")
        assert found == [[1, "0é", ["a", "b"], 1, lines[0]], [2, None, [], 7, lines[2]]]

    def test_every_row_is_accounted_for(self, api: Any, name: str) -> None:
        """Strings do not become numbers, absent values do not become zeros, and broken lines are counted."""
        schema = "a Int32 `json:$.a`, b Nullable(Int8) `json:$.b`, t Array(Int8) `json:$.t[:]` DEFAULT []"
        lines = [
            '{"a": 1}',
            '{"a": "3"}',
            '{"b": 1}',
            '{"a": 1, "b": 300}',
            '{"a": 1, "t": [1, "x"]}',
            "{broken",
            "[1]",
            "7",
        ]
        reply = upload(api, "\n".join(lines).encode(), file_format="ndjson", name=name, schema=schema)
        assert accounted(reply) == (1, 4, 3)
        found = rows(api, f"SELECT c__error_column, c__error FROM {name}_quarantine")
        assert [["a"], ["value '3' on column 'a' is not Int32"]] in found
        assert [["b"], ["value '300' on column 'b' is not Nullable(Int8)"]] in found

    def test_needs_a_schema_with_jsonpaths(self, api: Any, name: str) -> None:
        """NDJSON is not guessed on create, and each column needs its path."""
        assert upload(api, b'{"a": 1}\n', file_format="ndjson", name=name).status_code == 400
        assert upload(api, b'{"a": 1}\n', file_format="ndjson", name=name, schema="a Int8").status_code == 400
        assert api.get(f"{PATH}/{name}").status_code == 404


def parquet(**columns: Any) -> bytes:
    """Return a Parquet file of the columns."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


class TestParquet:
    def test_columns_by_name_and_path(self, api: Any, name: str) -> None:
        """Columns are found by jsonpath, unknown ones are ignored, nulls and nested values are kept."""
        data = parquet(a=[1, 2], s=["x", None], n=[{"k": 1}, {"k": 2}], l=[["p"], []], other=[1.5, 2.5])
        schema = (
            "a Int16 `json:$.a`, s Nullable(String) `json:$.s`, k Int64 `json:$.n.k`, l Array(String) `json:$.l[:]`"
        )
        reply = upload(api, data, file_format="parquet", name=name, schema=schema)
        assert accounted(reply) == (2, 0, 0)
        assert rows(api, f"SELECT a, s, k, l FROM {name} ORDER BY a") == [[1, "x", 1, ["p"]], [2, None, 2, []]]

    def test_values_that_do_not_fit(self, api: Any, name: str) -> None:
        """Numbers out of range, nulls and texts for numbers are quarantined."""
        schema = "a Int8 `json:$.a`, b String `json:$.b`"
        data = parquet(a=[1, 300, None], b=["x", "y", "z"])
        assert accounted(upload(api, data, file_format="parquet", name=name, schema=schema)) == (1, 2, 0)
        data = parquet(a=["1"], b=["x"])
        assert accounted(upload(api, data, file_format="parquet", name=name, mode="append")) == (0, 1, 0)

    @pytest.mark.parametrize(
        ("column", "good", "bad"),
        [
            ("a Date", date(2149, 6, 6), date(1960, 1, 1)),
            ("a Date", date(1970, 1, 1), date(2149, 6, 7)),
            ("a DateTime", datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC)),
            ("a DateTime", datetime(2106, 2, 6, tzinfo=UTC), datetime(2106, 2, 8, tzinfo=UTC)),
            ("a Bool", 1, 2),
            ("a Array(Int8)", [1, -128], [1, 300]),
            ("a Array(Nullable(UInt8))", [1, None], [-1]),
            ("a Array(Array(Int8))", [[1], []], [[300]]),
            ("a Map(String, Int8)", pa.scalar([("k", 1)], pa.map_(pa.string(), pa.int64())), [("k", 300)]),
        ],
        ids=repr,
    )
    def test_what_a_narrower_type_cannot_hold_is_quarantined_not_changed(self, api, name, column, good, bad):
        kind = good.type if isinstance(good, pa.Scalar) else None
        values = pa.array([good.as_py() if kind else good, bad], kind)
        path = "`json:$.a[:]`" if "Array" in column else "`json:$.a`"
        data = parquet(n=[1, 2], a=values)
        schema = f"n Int64 `json:$.n`, {column} {path}"
        assert accounted(upload(api, data, file_format="parquet", name=name, schema=schema)) == (1, 1, 0)
        assert rows(api, f"SELECT n FROM {name}") in ([[1]], [["1"]])

    @pytest.mark.parametrize(
        ("type_", "size_bytes", "value"),
        [
            ("Int128", 16, 2**70),
            ("Int128", 16, -(2**127)),
            ("UInt128", 16, 2**127),
            ("UInt128", 16, 2**64 - 1),
            ("Int256", 32, -(2**255)),
            ("UInt256", 32, 2**255),
        ],
    )
    def test_wide_integers(self, api: Any, name: str, type_: str, size_bytes: int, value: int) -> None:
        """Fixed bytes, the lowest first, are how ClickHouse writes integers of 128 and 256 bits."""
        cell = value.to_bytes(size_bytes, "little", signed=type_.startswith("Int"))
        data = parquet(
            a=pa.array([cell, None], pa.binary(size_bytes)),
            l=pa.array([[cell], []], pa.list_(pa.binary(size_bytes))),
        )
        schema = f"a Nullable({type_}) `json:$.a`, l Array({type_}) `json:$.l[:]`"
        assert accounted(upload(api, data, file_format="parquet", name=name, schema=schema)) == (2, 0, 0)
        assert rows(api, f"SELECT toString(a), toString(l) FROM {name} ORDER BY a") == [
            [str(value), f"[{value}]"],
            [None, "[]"],
        ]

    def test_what_the_engine_writes_it_reads(self, api: Any, name: str) -> None:
        """A file of our own query, with every type that Parquet has no logical type for, comes back as it was."""
        sql = (
            "SELECT toInt128(-5) AS i, toUInt256(7) AS u, toIPv4('1.2.3.4') AS v4, toIPv6('2001:db8::1') AS v6, "
            "toUUID('00112233-4455-6677-8899-aabbccddeeff') AS id"
        )
        data = api.sql(f"{sql} FORMAT Parquet").content
        schema = ", ".join(
            f"{column} {type_} `json:$.{column}`"
            for column, type_ in [("i", "Int128"), ("u", "UInt256"), ("v4", "IPv4"), ("v6", "IPv6"), ("id", "UUID")]
        )
        assert accounted(upload(api, data, file_format="parquet", name=name, schema=schema)) == (1, 0, 0)
        assert rows(api, f"SELECT * FROM {name}") == rows(api, sql)

    def test_bytes_as_addresses(self, api: Any, name: str) -> None:
        """Sixteen bytes are a UUID in the order of its text."""
        cells = [uuid.UUID("00112233-4455-6677-8899-aabbccddeeff").bytes, None]
        schema = "id Nullable(UUID) `json:$.id`"
        data = parquet(id=pa.array(cells, pa.binary(16)))
        assert accounted(upload(api, data, file_format="parquet", name=name, schema=schema)) == (2, 0, 0)
        assert rows(api, f"SELECT id FROM {name} ORDER BY id") == [["00112233-4455-6677-8899-aabbccddeeff"], [None]]

    def test_bytes_that_are_no_text(self, api: Any, name: str) -> None:
        """A row with such bytes goes to quarantine like any other, with the bytes replaced."""
        data = parquet(a=pa.array([b"\xff\xfe", b"7"], pa.binary()), b=pa.array([b"\xff", b"x"], pa.binary()))
        schema = "a UUID `json:$.a`, b String `json:$.b`"
        reply = upload(api, data, file_format="parquet", name=name, schema=schema)
        assert accounted(reply) == (0, 2, 0)
        assert "\ufffd" in "".join(reply.json()["errors"])
        assert ["\ufffd"] in rows(api, f"SELECT b FROM {name}_quarantine")

    @pytest.mark.parametrize(
        ("cells", "type_", "stored"),
        [
            ([Decimal("1.230"), Decimal("1.239"), Decimal("1000.000")], "Decimal(5, 2)", ["1.23"]),
            ([19.99, 0.29, 1.239, 1000.0, float("inf")], "Decimal(5, 2)", ["19.99", "0.29"]),
            ([5, -999, 5000], "Decimal(5, 2)", ["5", "-999"]),
            ([Decimal("5.00"), Decimal("-7.00"), Decimal("5.50")], "Int8", ["5", "-7"]),
        ],
    )
    def test_numbers_that_would_lose_digits(
        self, api: Any, name: str, cells: list[Any], type_: str, stored: list[str]
    ) -> None:
        """A number fits another kind of number when all its digits do; zeros at the end do not count."""
        data = parquet(k=list(range(len(cells) + 1)), a=[*cells, None])
        schema = f"k Int32 `json:$.k`, a Nullable({type_}) `json:$.a`"
        reply = upload(api, data, file_format="parquet", name=name, schema=schema)
        assert accounted(reply) == (len(stored) + 1, len(cells) - len(stored), 0)
        assert rows(api, f"SELECT toString(a) FROM {name} ORDER BY k") == [*([each] for each in stored), [None]]

    def test_missing_column_and_cut_file(self, api: Any, name: str) -> None:
        """A file without a needed column and a truncated file are refused with a sentence."""
        api.post(PATH, params={"name": name, "schema": "a Int8 `json:$.a`, b String `json:$.b`"})
        reply = upload(api, parquet(a=[1]), file_format="parquet", name=name, mode="append")
        assert reply.status_code == 400
        assert "'b'" in reply.json()["error"]
        cut = parquet(a=[1], b=["x"])[:-9]
        assert upload(api, cut, file_format="parquet", name=name, mode="append").status_code == 400
        assert rows(api, f"SELECT count() FROM {name}") == [[0]]


class TestReplace:
    def test_swaps_all_rows(self, api: Any, name: str) -> None:
        """The new rows take the place of the old ones."""
        upload(api, b"a,b\n1,x\n2,y\n", name=name)
        assert accounted(upload(api, b"a,b\n3,z\n", name=name, mode="replace")) == (1, 0, 0)
        assert rows(api, f"SELECT a, b FROM {name}") == [[3, "z"]]

    @pytest.mark.parametrize("data", [b"", b"\x00", b"x,y\nz,w\n"])
    def test_failed_replace_keeps_the_old_rows(self, api: Any, name: str, data: bytes) -> None:
        """When nothing can be stored, the old rows stay."""
        upload(api, b"a,b\n1,2\n", name=name)
        assert upload(api, data, name=name, mode="replace").status_code == 400
        assert rows(api, f"SELECT a, b FROM {name}") == [[1, 2]]

    def test_with_a_condition(self, api: Any, name: str) -> None:
        """Only rows that meet the condition leave, and only new rows that meet it come."""
        upload(api, b"a,b\n1,x\n2,y\n", name=name)
        reply = upload(api, b"a,b\n1,new\n9,out\n", name=name, mode="replace", replace_condition="a = 1")
        assert accounted(reply) == (1, 0, 0)
        assert reply.json()["left_out_rows"] == 1
        assert rows(api, f"SELECT a, b FROM {name} ORDER BY a") == [[1, "new"], [2, "y"]]
        for bad in ("a = 1) OR (1", "a IN (SELECT 1)", "a = 1; DROP TABLE x", "nothing = 1"):
            reply = upload(api, b"a,b\n1,n\n", name=name, mode="replace", replace_condition=bad)
            assert reply.status_code == 400, bad
        assert rows(api, f"SELECT count() FROM {name}") == [[2]]

    def test_errors_hide_the_server(self, api: Any, name: str) -> None:
        """What the engine says is shown without databases, staging tables, statements and paths of the server."""
        upload(api, b"a\n1\n", name=name)
        for parameters in ({"replace_condition": "nope = 1"}, {"replace_condition": "toDate('x') > a"}):
            reply = upload(api, b"a\n1\n", name=name, mode="replace", **parameters)
            assert reply.status_code == 400
            assert not re.search(r"In scope|w_[0-9a-f]{32}|_tm_staging|load_[0-9a-f]{32}|/[0-9a-f]{32}", reply.text)
        assert "nope" in upload(api, b"a\n1\n", name=name, mode="replace", replace_condition="nope = 1").json()["error"]


class TestReadAndDelete:
    def test_list_with_attributes(self, api: Any, name: str) -> None:
        """The list holds every Data Source; attrs picks keys; statistics are real."""
        upload(api, b"a\n1\n2\n", name=name)
        [found] = [each for each in api.get(PATH).json()["datasources"] if each["name"] == name]
        assert found["statistics"]["row_count"] == 2
        assert found["statistics"]["bytes"] > 0
        assert all(
            set(each) == {"id", "name"} for each in api.get(PATH, params={"attrs": "id,name"}).json()["datasources"]
        )

    def test_datafile(self, api: Any, name: str) -> None:
        """The definition is available as a datafile."""
        api.post(PATH, params={"name": name, "schema": "a Int32 `json:$.a`", "description": "What it is"})
        reply = api.get(f"{PATH}/{name}.datasource")
        assert reply.headers["content-type"].startswith("text/plain")
        assert "SCHEMA >\n    `a` Int32 `json:$.a`\n" in reply.text
        assert 'ENGINE "MergeTree"' in reply.text

    def test_delete(self, api: Any, name: str) -> None:
        """Deleting answers 204 and leaves neither rows nor name."""
        upload(api, b"a\n1\n", name=name)
        assert api.request("DELETE", f"{PATH}/{name}").status_code == 204
        assert api.get(f"{PATH}/{name}").status_code == 404
        assert api.request("DELETE", f"{PATH}/{name}").status_code == 404
        assert accounted(upload(api, b"a\n1\n", name=name)) == (1, 0, 0)

    def test_no_token(self, api: Any, name: str) -> None:
        """Nothing works without a token."""
        assert api.get(PATH, token=None).status_code == 403
        assert api.post(PATH, params={"name": name, "schema": "a Int8"}, token=None).status_code == 403
        assert api.request("DELETE", f"{PATH}/{name}", token=None).status_code == 403

    def test_errors_are_json(self, api: Any) -> None:
        """Errors are JSON objects with a sentence."""
        reply = api.get(f"{PATH}/nothing_here")
        assert reply.status_code == 404
        assert json.loads(reply.content)["error"]


def test_low_cardinality_of_any_type(api):
    """LowCardinality of numbers, which the engine advises against, is let through: made, filled, altered."""
    schema = "id LowCardinality(Int32), at LowCardinality(DateTime)"
    parameters = {"name": "ds_low", "schema": schema, "engine": "MergeTree", "engine_sorting_key": "id"}
    assert api.post("/v0/datasources", params=parameters).status_code == 200
    wider = {"schema": f"{schema}, n LowCardinality(Nullable(Int8))"}
    assert api.post("/v0/datasources/ds_low/alter", data=wider).status_code == 200
    rows = '{"id": 1, "at": "2026-01-01 00:00:00", "n": 2}\n{"id": "x", "at": "2026-01-01 00:00:00"}'
    reply = api.post("/v0/events", params={"name": "ds_low", "wait": "true"}, data=rows)
    assert reply.json() == {"successful_rows": 1, "quarantined_rows": 1}
    assert api.sql("SELECT id, n FROM ds_low FORMAT CSV").text == "1,2\n"
