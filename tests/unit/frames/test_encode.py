"""A gallery of awkward frames: a schema that stores them, or a sentence that says what to do."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tinymagic.frames.encode import (
    EncodeError,
    nullable_columns,
    schema_of,
    sorting_key_of,
    to_ndjson,
    to_parquet,
)


class TestSchema:
    def test_jsonpaths(self):
        frame = pd.DataFrame({"n": [1], "tags": [["a"]], "2024 sales": [0.5]})
        assert schema_of(frame) == (
            "`n` Int64 `json:$.n`, `tags` Array(String) `json:$.tags[:]`, `c_2024_sales` Float64 `json:$.c_2024_sales`"
        )
        assert schema_of(frame, json_paths=False) == "`n` Int64, `tags` Array(String), `c_2024_sales` Float64"

    def test_nullability_comes_from_the_data(self):
        frame = pd.DataFrame({"a": pd.array([1, None], dtype="UInt16"), "b": pd.array([1, 2], dtype="UInt16")})
        assert schema_of(frame, json_paths=False) == "`a` Nullable(UInt16), `b` UInt16"

    def test_index(self):
        """An index counts when it has a name; a range has none."""
        frame = pd.DataFrame({"v": [1.5]}, index=pd.Index(["x"], name="key"))
        assert schema_of(frame, json_paths=False) == "`key` String, `v` Float64"
        many = frame.set_index(pd.MultiIndex.from_tuples([(1, "a")], names=["i", None]))
        assert schema_of(many, json_paths=False) == "`i` Int64, `v` Float64"
        assert to_ndjson(many) == b'{"i":1,"v":1.5}\n'

    def test_columns_of_two_levels(self):
        frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
        assert schema_of(frame, json_paths=False) == "`a_x` Int64, `a_y` Int64"

    def test_no_rows(self):
        frame = pd.DataFrame({"a": pd.Series([], dtype="int32"), "b": pd.Series([], dtype=object)})
        assert schema_of(frame, json_paths=False) == "`a` Int32, `b` String"
        assert to_ndjson(frame) == b""

    def test_all_missing(self):
        assert schema_of(pd.DataFrame({"a": [None, None]}), json_paths=False) == "`a` Nullable(String)"

    def test_sparse_and_arrow_dtypes(self):
        import pyarrow as pa

        frame = pd.DataFrame(
            {
                "s": pd.arrays.SparseArray([0, 1]),
                "d": pd.Series([dt.date(2024, 1, 2), None], dtype=pd.ArrowDtype(pa.date32())),
                "l": pd.Series([[1], []], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
            }
        )
        assert schema_of(frame, json_paths=False) == "`s` Int64, `d` Nullable(Date), `l` Array(Int64)"

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ([1 + 2j], "'v' has the dtype complex128.*two columns"),
            (pd.period_range("2024", periods=1, freq="D"), "'v' has the dtype period.*astype"),
            (pd.interval_range(0, 1), "'v' has the dtype interval"),
            (pd.to_timedelta(["1h"]), "total_seconds"),
            ([{"a": float("nan"), "b": "x", "c": 1}], "'v' holds a dict that JSON cannot say .row 0."),
            ([{("a", 1): object()}], "'v' holds a dict that JSON cannot say"),
            ([b"x"], "'v' holds a bytes .row 0.*utf-8"),
            ([object()], "'v' holds a object"),
            ([1, "a"], "'v' mixes integer .row 0. and text .row 1."),
            ([None, True, 1.5], "'v' mixes bool .row 1. and float .row 2."),
            ([2**53 + 1, 0.5], "no 64-bit float can hold exactly"),
            ([2**256], "more than 256 bits"),
            ([Decimal("NaN"), Decimal(1)], None),
            ([Decimal("Infinity")], "decimal Infinity"),
            ([Decimal(10) ** 76 + Decimal("0.5")], "decimal digits"),
            ([[1], None], "missing list .row 1."),
            ([[1, "a"]], "'v' mixes integer"),
            ([dt.date(1800, 1, 1)], "days outside 1900 to 2299"),
            (np.array(["2500-01-01"], "M8[s]"), "from 1900 to 2299"),
            ([pd.Timestamp(0), pd.Timestamp(0, tz="UTC")], "with and without a zone"),
        ],
    )
    def test_what_cannot_be_stored(self, values, sentence):
        frame = pd.DataFrame({"v": values if hasattr(values, "dtype") else pd.Series(values, dtype=_dtype(values))})
        if sentence is None:
            assert schema_of(frame, json_paths=False).startswith("`v` Nullable(Decimal")
            return
        with pytest.raises(EncodeError, match=sentence):
            schema_of(frame)

    def test_names_that_meet(self):
        """Names stay apart; a label that is a valid name already keeps it."""
        frame = pd.DataFrame([[1, 2, 3, "x"]], columns=["a b", "a_b", "a-b", "a b"])
        expected = "`a_b_2` Int64, `a_b` Int64, `a_b_3` Int64, `a_b_4` String"
        assert schema_of(frame, jsonpaths=False) == expected
        assert to_ndjson(frame) == b'{"a_b_2":1,"a_b":2,"a_b_3":3,"a_b_4":"x"}\n'

    def test_nothing_at_all(self):
        with pytest.raises(EncodeError, match="no columns"):
            schema_of(pd.DataFrame())


def _dtype(values):
    return None if isinstance(values[0], complex) else object


class TestNdjson:
    def test_values(self):
        frame = pd.DataFrame(
            {
                "i": np.array([2**64 - 1], dtype="uint64"),
                "t": pd.Series(np.array(["2024-07-01T12:00:00.5"], "M8[ms]")).dt.tz_localize("Europe/Madrid"),
                "d": pd.Series([Decimal("0.10")], dtype=object),
                "w": pd.Series([Decimal("1234567890123.45")], dtype=object),
                "s": ["%s \u2028 é"],
                "a": [[[1], []]],
            }
        )
        assert to_ndjson(frame).decode() == (
            '{"i":18446744073709551615,"t":"2024-07-01 10:00:00.500Z","d":0.10,"w":"1234567890123.45",'
            '"s":"%s \u2028 é","a":[[1],[]]}\n'
        )

    def test_missing_is_null(self):
        frame = pd.DataFrame({"f": [np.nan], "s": [None], "i": pd.array([None], "Int8"), "t": [pd.NaT]})
        assert json.loads(to_ndjson(frame)) == {"f": None, "s": None, "i": None, "t": None}

    def test_infinity_is_refused(self):
        with pytest.raises(EncodeError, match=r"'f' holds inf \(row 1\).*Parquet"):
            to_ndjson(pd.DataFrame({"f": [1.0, np.inf]}))


class TestParquet:
    def test_columns_and_nulls(self):
        import pyarrow as pa
        from pyarrow import parquet

        frame = pd.DataFrame({"a b": [1.5, np.nan], "t": np.array(["2024-01-01", "NaT"], "M8[ns]")})
        table = parquet.ParquetFile(pa.BufferReader(to_parquet(frame))).read()
        assert table.column_names == ["a_b", "t"]
        assert table.column("a_b").to_pylist() == [1.5, None]
        assert str(table.schema.field("t").type) == "timestamp[ns, tz=UTC]"


class TestSortingKey:
    def test_suggestions(self):
        rows = 100
        frame = pd.DataFrame(
            {
                "id": np.arange(rows),
                "name": [f"n{row}" for row in range(rows)],
                "city": [f"c{row % 5}" for row in range(rows)],
                "country": ["es", "nl"] * (rows // 2),
                "gap": [None, "x"] * (rows // 2),
                "at": pd.date_range("2024-01-01", periods=rows, freq="D"),
            }
        )
        assert sorting_key_of(frame) == "country, city, at"
        assert sorting_key_of(frame[["at", "id"]]) == "at"
        assert sorting_key_of(frame[["id", "name", "gap"]]) == "tuple()"
        assert sorting_key_of(frame[:0]) == "at"


class TestDicts:
    @pytest.mark.parametrize(
        ("values", "kind", "lines"),
        [
            ([{"a": 1, "b": 2}, {}], "Map(String, Int64)", ['{"a":1,"b":2}', "{}"]),
            ([{"a": None, "b": "é"}], "Map(String, Nullable(String))", ['{"a":null,"b":"é"}']),
            ([{7: [1.5]}], "Map(Int64, Array(Float64))", ['{"7":[1.5]}']),
            ([{dt.date(2024, 1, 2): {"x": True}}], "Map(Date, Map(String, Bool))", ['{"2024-01-02":{"x":true}}']),
            ([{"a": 1, "b": "x"}, {}], "String", [r'"{\"a\":1,\"b\":\"x\"}"', '"{}"']),
            ([{"a": 1}, None], "Nullable(String)", [r'"{\"a\":1}"', "null"]),
            ([{"a": Decimal("0.10"), "b": [2**70]}], "String", [r'"{\"a\":\"0.10\",\"b\":[1180591620717411303424]}"']),
        ],
        ids=lambda part: part if isinstance(part, str) else "",
    )
    def test_map_or_text(self, values, kind, lines):
        """A dict is a map when its keys are of one kind and its values are; otherwise it is JSON text."""
        frame = pd.DataFrame({"v": pd.Series(values, dtype=object)})
        assert schema_of(frame, jsonpaths=True) == f"`v` {kind} `json:$.v`"
        assert to_ndjson(frame).decode().splitlines() == [f'{{"v":{line}}}' for line in lines]


class TestBatches:
    def test_whole_lines(self):
        frame = pd.DataFrame({"n": range(5)})
        batches = list(to_ndjson(frame, batch_rows=2))
        assert [batch.count(b"\n") for batch in batches] == [2, 2, 1]
        assert b"".join(batches) == to_ndjson(frame)
        assert list(to_ndjson(frame[:0], batch_rows=2)) == []

    def test_refused_before_the_first(self):
        """What the last row cannot say is found before anything is sent."""
        with pytest.raises(EncodeError, match="row 2"):
            to_ndjson(pd.DataFrame({"f": [1.0, 2.0, np.inf]}), batch_rows=1)
        with pytest.raises(ValueError, match="from 1 up"):
            to_ndjson(pd.DataFrame({"f": [1.0]}), batch_rows=0)


class TestTargetSchema:
    def written(self, frame, schema):
        import pyarrow as pa
        from pyarrow import parquet

        return parquet.ParquetFile(pa.BufferReader(to_parquet(frame, schema))).read().to_pydict()

    def test_nan_where_there_is_no_null(self):
        """A column without NULL keeps NaN; a Nullable one, or one that the schema does not name, gets NULL."""
        frame = pd.DataFrame({"a": [1.5, np.nan], "b": [1.5, np.nan], "c": [1.5, np.nan]})
        found = self.written(frame, "a Float64 `json:$.a`, b LowCardinality(Nullable(Float64))")
        assert str(found["a"]) == "[1.5, nan]"
        assert found["b"] == found["c"] == [1.5, None]
        assert self.written(frame, None)["a"] == [1.5, None]

    def test_missing_integer_stays_missing(self):
        assert self.written(pd.DataFrame({"a": pd.array([1, None], "Int8")}), "a Int8")["a"] == [1, None]

    def test_schema_strings(self):
        """Commas and parentheses inside types, quotes and comments do not end a column."""
        schema = """
            `a b` Nullable(Decimal(9, 2)) `json:$.x,y`, -- the price, in euros
            c Enum8('x, (' = 1, 'it''s' = 2) DEFAULT 'x, (' CODEC(ZSTD(1)),
            d LowCardinality(Nullable(String)), e Array(Nullable(Int8)) DEFAULT [-1]
        """
        assert nullable_columns(schema) == {"a b": True, "c": False, "d": True, "e": False}
