"""Arrow tables and DataFrames of polars: each type exactly, or a sentence that says what to do."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tinymagic.frames.encode import EncodeError, schema_of, suggested_sorting_key, to_ndjson, to_parquet
from tinymagic.frames.planned import PlannedTable
from tinymagic.frames.tables import column_labels, is_table, row_count

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

UTC = dt.timezone.utc
MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9, 123456)  # noqa: DTZ001 - Arrow's own


def arrow_type(kind, values):
    return schema_of(pa.table({"v": pa.array(values, type=kind)}), jsonpaths=False)


def lines(table):
    return [json.loads(line)["v"] for line in to_ndjson(table).splitlines()]


class TestTypes:
    @pytest.mark.parametrize(
        ("kind", "values", "expected"),
        [
            (pa.int8(), [1], "Int8"),
            (pa.uint8(), [1, None], "Nullable(UInt8)"),
            (pa.int16(), [1], "Int16"),
            (pa.uint32(), [1], "UInt32"),
            (pa.int64(), [], "Int64"),
            (pa.uint64(), [2**64 - 1], "UInt64"),
            (pa.float16(), [np.float16(0.5)], "Float32"),
            (pa.float32(), [0.5], "Float32"),
            (pa.float64(), [None], "Nullable(Float64)"),
            (pa.bool_(), [True, None], "Nullable(Bool)"),
            (pa.string(), ["a"], "String"),
            (pa.large_string(), [None], "Nullable(String)"),
            (pa.string_view(), ["a"], "String"),
            (pa.dictionary(pa.int8(), pa.string()), ["a", "b", None], "LowCardinality(Nullable(String))"),
            (pa.dictionary(pa.int32(), pa.int64()), [5], "Int64"),
            (pa.decimal128(12, 3), [Decimal("1.5")], "Decimal(12, 3)"),
            (pa.decimal128(38, 38), [None], "Nullable(Decimal(38, 38))"),
            (pa.decimal256(76, 0), [Decimal(7)], "Decimal(76, 0)"),
            (pa.date32(), [dt.date(2024, 1, 2)], "Date"),
            (pa.date32(), [dt.date(1950, 1, 2)], "Date32"),
            (pa.date64(), [dt.date(2024, 1, 2)], "Date"),
            (pa.date32(), [None], "Nullable(Date)"),
            (pa.timestamp("s"), [MOMENT], "DateTime"),
            (pa.timestamp("s"), [dt.datetime(1950, 1, 1)], "DateTime64(0)"),  # noqa: DTZ001
            (pa.timestamp("ms"), [MOMENT], "DateTime64(3)"),
            (pa.timestamp("us", "Europe/Madrid"), [MOMENT, None], "Nullable(DateTime64(6, 'UTC'))"),
            (pa.timestamp("ns"), [None], "Nullable(DateTime64(9))"),
            (pa.list_(pa.int32()), [[1], []], "Array(Int32)"),
            (pa.large_list(pa.string()), [["a", None]], "Array(Nullable(String))"),
            (pa.list_(pa.float32(), 2), [[1.0, 2.0]], "Array(Float32)"),
            (pa.list_(pa.list_(pa.uint8())), [[[1]]], "Array(Array(UInt8))"),
            (pa.map_(pa.string(), pa.int64()), [[("a", 1)]], "Map(String, Int64)"),
            (pa.list_(pa.struct({"a": pa.int8()})), [[{"a": 1}]], "Array(String)"),
            (pa.null(), [None], "Nullable(String)"),
        ],
    )
    def test_schema(self, kind, values, expected):
        assert arrow_type(kind, values) == f"`v` {expected}"

    @pytest.mark.parametrize(
        ("kind", "values", "words"),
        [
            (pa.duration("s"), [1], "seconds"),
            (pa.time64("us"), [1], "text"),
            (pa.binary(), [b"x"], "hexadecimal"),
            (pa.large_binary(), [b"x"], "hexadecimal"),
            (pa.month_day_nano_interval(), [None], "number"),
            (pa.list_(pa.int8()), [None], "empty list"),
            (pa.map_(pa.string(), pa.int8()), [None], "empty one"),
            (pa.list_(pa.binary()), [[b"x"]], "hexadecimal"),
        ],
    )
    def test_what_cannot_be_stored_is_said(self, kind, values, words):
        with pytest.raises(EncodeError, match=f"'v'.*{words}"):
            arrow_type(kind, values)

    def test_no_columns(self):
        with pytest.raises(EncodeError, match="no columns"):
            schema_of(pa.table({}))

    def test_structs_are_taken_apart(self):
        kind = pa.struct({"b": pa.int8(), "c": pa.struct({"d": pa.string()})})
        table = pa.table({"a": pa.array([{"b": 1, "c": {"d": "x"}}, None], type=kind), "a_b": [1, 2]})
        assert (
            schema_of(table, jsonpaths=False) == ("`a_b_2` Nullable(Int8), `a_c_d` Nullable(String), `a_b` Int64")
            or schema_of(table, jsonpaths=False) == "`a_b` Nullable(Int8), `a_c_d` Nullable(String), `a_b_2` Int64"
        )
        first = json.loads(to_ndjson(table).splitlines()[0])
        assert first["a_c_d"] == "x"

    def test_chunks_and_slices(self):
        column = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()])
        assert lines(pa.table({"v": column})) == ["a", "b", "c", "a"]
        nested = pa.table({"v": [[1], [2, 3], [], [4]]})
        assert lines(nested.slice(1, 2)) == [[2, 3], []]
        maps = pa.table({"v": pa.array([[("a", 1)], [("b", 2), ("c", 3)]], type=pa.map_(pa.string(), pa.int8()))})
        assert lines(maps.slice(1)) == [{"b": 2, "c": 3}]


class TestValues:
    def test_nan_is_no_null(self):
        table = pa.table({"v": pa.array([float("nan"), None, 1.0])})
        with pytest.raises(EncodeError, match="nan"):
            to_ndjson(table)
        back = parquet.read_table(pa.BufferReader(to_parquet(table)))["v"]
        assert back.null_count == 1
        assert np.isnan(back[0].as_py())

    @pytest.mark.parametrize(
        ("array", "expected"),
        [
            (pa.array([2**64 - 1, None], type=pa.uint64()), [2**64 - 1, None]),
            (pa.array([True, None]), [True, None]),
            (pa.array([Decimal("1.50"), None], type=pa.decimal128(9, 2)), [1.5, None]),
            (pa.array([dt.date(2024, 1, 2), None]), ["2024-01-02", None]),
            (pa.array([MOMENT, None], type=pa.timestamp("us")), ["2024-05-06 07:08:09.123456Z", None]),
            (pa.array(["ü", None]), ["ü", None]),
            (pa.array([[1, None], []]), [[1, None], []]),
        ],
    )
    def test_ndjson(self, array, expected):
        assert lines(pa.table({"v": array})) == expected

    def test_record_batches(self):
        batch = pa.record_batch({"v": [1, 2]})
        assert (lines(batch), row_count(batch), column_labels(batch), is_table(batch)) == ([1, 2], 2, ["v"], True)


class TestParts:
    TABLE = pd.DataFrame(
        {
            "n": range(10),
            "d": [Decimal(1)] * 9 + [Decimal("1.25")],
            "l": [[0] * n for n in range(10)],
            "m": [{str(k): k for k in range(n)} for n in range(10)],
            "t": ["a", None] * 5,
            "c": pd.Categorical(["x", "y"] * 5),
        }
    )

    @pytest.mark.parametrize("table", [TABLE, pa.Table.from_pandas(TABLE[["n", "d", "l", "t", "c"]])])
    def test_parts_together_are_the_whole(self, table):
        planned = PlannedTable.of(table)
        parts = b"".join(planned.ndjson(start, min(start + 3, 10)) for start in range(0, 10, 3))
        assert parts == to_ndjson(table)

    def test_parts_have_the_types_of_the_whole(self):
        planned = PlannedTable.of(self.TABLE)
        types = [parquet.read_schema(pa.BufferReader(planned.parquet(n, n + 3))) for n in (0, 3, 6)]
        assert types[0] == types[1] == types[2]
        assert pa.types.is_decimal(types[0].field("d").type)
        assert types[0].field("d").type.scale == 2

    def test_what_json_cannot_say_is_found_before(self):
        planned = PlannedTable.of(pd.DataFrame({"v": [[1.0], [float("inf")]]}))
        with pytest.raises(EncodeError, match="inf"):
            planned.check_json()


class TestSortingKey:
    def test_the_rule(self):
        frame = pd.DataFrame(
            {
                "id": [str(n) for n in range(40)],
                "city": ["a", "b", "c", "d"] * 10,
                "country": ["es", "nl"] * 20,
                "at": pd.Timestamp("2024-01-01"),
                "gap": ["x", None] * 20,
            }
        )
        assert suggested_sorting_key(frame) == ("country", "city", "at")
        assert suggested_sorting_key(pa.Table.from_pandas(frame)) == ("country", "city", "at")
        assert suggested_sorting_key(frame[["id"]]) == ()


class TestPolars:
    @pytest.fixture
    def pl(self):
        return pytest.importorskip("polars")

    def test_types(self, pl):
        frame = pl.DataFrame(
            {
                "u": pl.Series([1], dtype=pl.UInt16),
                "d": pl.Series([Decimal("1.5")], dtype=pl.Decimal(10, 2)),
                "z": pl.Series([MOMENT], dtype=pl.Datetime("ms", "Europe/Madrid")),
                "day": [dt.date(2024, 1, 2)],
                "l": [[1, 2]],
                "c": pl.Series(["a"], dtype=pl.Categorical),
                "e": pl.Series(["x"], dtype=pl.Enum(["x", "y"])),
                "s": [{"a": 1, "b": "t"}],
                "f": pl.Series([0.5], dtype=pl.Float32),
                "t": ["a"],
                "n": pl.Series([None], dtype=pl.Int8),
                "fixed": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)),
                "wide": pl.Series([2**100], dtype=pl.Int128),
            }
        )
        expected = (
            "`u` UInt16, `d` Decimal(10, 2), `z` DateTime64(3, 'UTC'), `day` Date, `l` Array(Int64), "
            "`c` LowCardinality(String), `e` LowCardinality(String), `s_a` Int64, `s_b` String, `f` Float32, "
            "`t` String, `n` Nullable(Int8), `fixed` Array(Int8), `wide` Int128"
        )
        assert schema_of(frame, jsonpaths=False) == expected
        assert schema_of(frame.lazy(), jsonpaths=False) == expected
        assert json.loads(to_ndjson(frame))["wide"] == 2**100
        assert to_parquet(frame)[:4] == b"PAR1"

    @pytest.mark.parametrize(
        ("dtype", "value", "words"),
        [("Duration", dt.timedelta(1), "seconds"), ("Time", dt.time(1), "text"), ("Binary", b"x", "hexadecimal")],
    )
    def test_what_cannot_be_stored(self, pl, dtype, value, words):
        with pytest.raises(EncodeError, match=words):
            schema_of(pl.DataFrame({"v": pl.Series([value], dtype=getattr(pl, dtype))}))
        with pytest.raises(EncodeError, match="Object"):
            schema_of(pl.DataFrame({"v": pl.Series([object()], dtype=pl.Object)}))
