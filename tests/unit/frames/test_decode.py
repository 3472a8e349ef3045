"""Golden replies, damaged replies, and what a frame must be."""

from __future__ import annotations

import builtins
import io
import json
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tinymagic.frames.decode import DecodeError, decode_json_compact, decode_parquet
from tinymagic.frames.families.text import string_dtype

# As ClickHouse 26.9 writes it, byte for byte.
GOLDEN = b"""{
\t"meta":
\t[
\t\t{
\t\t\t"name": "n",
\t\t\t"type": "UInt64"
\t\t},
\t\t{
\t\t\t"name": "d",
\t\t\t"type": "Decimal(76, 2)"
\t\t},
\t\t{
\t\t\t"name": "f",
\t\t\t"type": "Nullable(Float64)"
\t\t}
\t],

\t"data":
\t[
\t\t[18446744073709551615,123456789012345678901234567890123456789.1,"nan"],
\t\t[0,5,null]
\t],

\t"rows": 2,

\t"rows_before_limit_at_least": 7,

\t"statistics":
\t{
\t\t"elapsed": 0.000473696,
\t\t"rows_read": 7,
\t\t"bytes_read": 56
\t}
}
"""


def reply(kind, *values, name="v", **more):
    rows = [[value] for value in values]
    return json.dumps({"meta": [{"name": name, "type": kind}], "data": rows, "rows": len(rows), **more}).encode()


class TestJsonCompact:
    def test_golden_reply(self):
        decoded = decode_json_compact(GOLDEN)
        assert decoded.types == (("n", "UInt64"), ("d", "Decimal(76, 2)"), ("f", "Nullable(Float64)"))
        assert decoded.rows_before_limit == 7
        assert decoded.statistics == {"elapsed": 0.000473696, "rows_read": 7, "bytes_read": 56}
        assert decoded.warnings == ()
        assert decoded.frame["n"].tolist() == [2**64 - 1, 0]
        assert list(map(str, decoded.frame["d"])) == ["123456789012345678901234567890123456789.10", "5.00"]
        assert decoded.frame["f"].array._mask.tolist() == [False, True]
        assert math.isnan(decoded.frame["f"].array._data[0])

    def test_unquoted_denormals_are_null(self):
        """Without the client's parameter NaN comes as null: NaN where NULL cannot be."""
        assert math.isnan(decode_json_compact(reply("Float32", None)).frame["v"][0])
        assert decode_json_compact(reply("Nullable(Float64)", None)).frame["v"].isna().tolist() == [True]

    def test_quoted_numbers(self):
        """The service may quote 64-bit numbers and decimals."""
        assert decode_json_compact(reply("UInt64", "18446744073709551615")).frame["v"][0] == 2**64 - 1
        assert decode_json_compact(reply("Nullable(Int64)", "-5", None)).frame["v"].tolist() == [-5, pd.NA]
        assert str(decode_json_compact(reply("Decimal(9, 2)", "1.1")).frame["v"][0]) == "1.10"

    def test_negative_zero(self):
        frame = decode_json_compact(b'{"meta":[{"name":"v","type":"Float64"}],"data":[[-0],[0]],"rows":2}').frame
        assert np.signbit(frame["v"].to_numpy()).tolist() == [True, False]

    def test_same_name_twice(self):
        body = b'{"meta":[{"name":"a","type":"UInt8"},{"name":"a","type":"String"}],"data":[[1,"x"]],"rows":1}'
        frame = decode_json_compact(body).frame
        assert list(frame.columns) == ["a", "a"]
        assert frame.dtypes.tolist() == [np.uint8, string_dtype()]

    def test_named_tuples_as_lists(self):
        """An older service sends named tuples as lists."""
        assert decode_json_compact(reply("Tuple(a UInt8, b String)", [1, "x"])).frame["v"][0] == {"a": 1, "b": "x"}

    def test_damaged_text(self):
        decoded = decode_json_compact(reply("String", "ab").replace(b"ab", b"a\xff\xfeb"))
        assert decoded.frame["v"][0] == "a\ufffdb"
        assert decoded.warnings == ("The reply held bytes that are not UTF-8; they are shown as U+FFFD.",)

    def test_opaque_text_stays_object(self):
        """pandas 3 would guess a text dtype from an object array."""
        frame = decode_json_compact(reply("AggregateFunction(sum, UInt8)", "\x01")).frame
        assert frame["v"].dtype == object

    def test_fixed_zone(self):
        frame = decode_json_compact(reply("DateTime('Fixed/UTC+05:30:00')", "2024-01-01 00:00:00")).frame
        assert frame["v"][0] == pd.Timestamp("2023-12-31 18:30", tz="UTC")

    def test_any_geometry(self):
        assert decode_json_compact(reply("Geometry", [1, 2])).frame["v"].tolist() == [[1, 2]]

    def test_frame_can_be_written(self):
        """The arrays are the frame's own."""
        frame = decode_json_compact(reply("UInt8", 1, 2)).frame
        frame.iloc[0, 0] = 9
        assert frame["v"].tolist() == [9, 2]

    def test_without_pyarrow(self, monkeypatch):
        """JSON needs no pyarrow; text is then held by Python."""
        real = builtins.__import__

        def refuse(name, *rest):
            if name.split(".")[0] == "pyarrow":
                raise ImportError(name)
            return real(name, *rest)

        string_dtype.cache_clear()
        monkeypatch.setattr(builtins, "__import__", refuse)
        frame = decode_json_compact(reply("Nullable(String)", "a", None)).frame
        monkeypatch.undo()
        string_dtype.cache_clear()
        if int(pd.__version__.split(".")[0]) >= 3:
            assert frame["v"].dtype == pd.StringDtype("python", na_value=np.nan)
        assert frame["v"].tolist()[0] == "a"
        assert frame["v"].isna().tolist() == [False, True]

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (b"", "The reply is empty"),
            (GOLDEN[:300], "breaks off or is damaged: 300 characters"),
            (b"1\t2\n", "not JSON: it begins with '1"),
            (b"[1]", "'meta' or 'data' is missing"),
            (b'{"meta": [{"name": "a"}], "data": []}', "name and a type"),
            (GOLDEN.replace(b'"rows": 2', b'"rows": 3'), "3 rows"),
            (GOLDEN.replace(b"[0,5,null]", b"[0,5]"), "does not have 3 values"),
            (reply("UInt8", 256), "Column 'v' of type UInt8 cannot be read"),
            (reply("UInt8", 1.5), "Column 'v' of type UInt8 cannot be read"),
            (reply("UInt8", None), "Column 'v' of type UInt8 cannot be read"),
            (reply("Enum8('a' = 1)", "b"), "there is no value 'b'"),
            (reply("Date", "yesterday"), "Column 'v' of type Date"),
            (reply("Date", 19000), "a date is not a text"),
            (reply("DateTime", "2024-01-01T00:00:00Z"), "leave date_time_output_format as it is"),
            (reply("DateTime", "1704067200"), "leave date_time_output_format as it is"),
            (reply("Bool", 1), "neither true nor false"),
            (reply("Array(UInt8)", 5), r"Column 'v' of type Array\(UInt8\)"),
            (reply("Tuple(UInt8, UInt8)", [1]), "a tuple of 2 has 1"),
            (reply("DateTime('Mars/Phobos')", "2024-01-01 00:00:00"), "time zone 'Mars/Phobos' is unknown"),
            (reply("DateTime64(7)", "2290-01-01 00:00:00.0000000"), "does not fit 64 bits of nanoseconds"),
            (reply("Time", "noon"), "'noon' is not a time"),
            (reply("UInt8", 1, exception="Code: 395. DB::Exception: boom"), "failed while its rows.*boom"),
            (GOLDEN[:300] + b"\nCode: 395. DB::Exception: boom", "failed while its rows.*boom"),
        ],
        ids=lambda part: None if isinstance(part, bytes) else part[:25],
    )
    def test_bodies_that_cannot_be_read(self, body, sentence):
        with pytest.raises(DecodeError, match=sentence):
            decode_json_compact(body)


class TestParquet:
    def body(self, types="Tuple(UInt8, String)", rows=2, **columns):
        import pyarrow as pa
        from pyarrow import parquet

        columns = columns or {"a": pa.array([1] * rows, pa.uint8()), "b": pa.array(["x"] * rows, pa.string())}
        table = pa.table({**columns, "t": pa.array([types] * rows, pa.string())})
        out = io.BytesIO()
        parquet.write_table(table, out)
        return out.getvalue()

    def test_types_come_from_the_column(self):
        decoded = decode_parquet(self.body("Tuple(a Nullable(UInt8), `b` LowCardinality(String))"), types_column="t")
        assert decoded.types == (("a", "Nullable(UInt8)"), ("b", "LowCardinality(String)"))
        assert list(decoded.frame.columns) == ["a", "b"]
        assert decoded.frame["a"].dtype == pd.UInt8Dtype()
        assert decoded.statistics is None

    def test_no_rows_tell_nothing(self):
        assert decode_parquet(self.body(rows=0), types_column="t") is None

    def test_frame_can_be_written(self):
        """Arrow's buffers are read-only; the frame's are not."""
        frame = decode_parquet(self.body(), types_column="t").frame
        frame.iloc[0, 0] = 9
        assert frame["a"].tolist() == [9, 1]

    def test_what_older_services_write(self):
        """Numbers for enums, dates and moments; bytes for text and UUIDs."""
        import pyarrow as pa

        body = self.body(
            "Tuple(Enum8('x' = -1, 'y' = 2), Date, DateTime, String, UUID)",
            2,
            e=pa.array([2, -1], pa.int8()),
            d=pa.array([0, 19723], pa.uint16()),
            m=pa.array([0, 1704067200], pa.uint32()),
            s=pa.array([b"x", b""], pa.binary()),
            u=pa.array([bytes(16), bytes(range(16))], pa.binary(16)),
        )
        frame = decode_parquet(body, types_column="t").frame
        assert frame["e"].tolist() == ["y", "x"]
        assert frame["d"].tolist() == frame["m"].tolist() == [pd.Timestamp(0), pd.Timestamp("2024-01-01")]
        assert frame["s"].tolist() == ["x", ""]
        assert [value.int for value in frame["u"]] == [0, 0x000102030405060708090A0B0C0D0E0F]

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda body: b"", "The reply is empty"),
            (lambda body: body[:-10], "breaks off or is damaged"),
            (lambda body: b"Code: 62. DB::Exception", "not Parquet: it begins with b'Code: 62"),
        ],
    )
    def test_bodies_that_cannot_be_read(self, change, sentence):
        with pytest.raises(DecodeError, match=sentence):
            decode_parquet(change(self.body()), types_column="t")

    @pytest.mark.parametrize(
        ("types", "sentence"),
        [
            ("Tuple(UInt8)", "2 columns, but the types of 1"),
            ("UInt8", "not a tuple of types"),
            ("Tuple(", "cannot be read"),
            ("Tuple(UInt8, UInt8)", "Column 'b' of type UInt8"),
        ],
    )
    def test_types_that_do_not_fit(self, types, sentence):
        with pytest.raises(DecodeError, match=sentence):
            decode_parquet(self.body(types), types_column="t")

    def test_missing_types_column(self):
        with pytest.raises(DecodeError, match="lacks the column 'other'"):
            decode_parquet(self.body(), types_column="other")


def test_decimals_do_not_leak_into_documents():
    """A Decimal column makes the reader keep digits; a JSON column beside it still has floats."""
    body = b'{"meta":[{"name":"d","type":"Decimal(9, 1)"},{"name":"j","type":"JSON"},{"name":"f","type":"Float64"}],'
    body = body.replace(b"},{", b"},\n{") + b'"data":[[1.5,{"a":[1.5]},0.1]],"rows":1}'
    frame = decode_json_compact(body).frame
    assert frame.iloc[0].tolist() == [Decimal("1.5"), {"a": [1.5]}, 0.1]
    assert type(frame["j"][0]["a"][0]) is float
