"""`decode`: one door for three wire formats, with the odd replies that each of them can be."""

from __future__ import annotations

import builtins
import io
import json
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tinymagic.frames.decode import TYPES_COLUMN, DecodeError, TypesUnknown, decode, with_types
from tinymagic.frames.encode import to_parquet


def reply(*columns, rows, compact=True):
    """Write a JSON reply; repeated names are written twice, as the engine does."""
    pairs = [
        ", ".join(f"{json.dumps(n)}: {json.dumps(v)}" for (n, _), v in zip(columns, row, strict=True)) for row in rows
    ]
    data = json.dumps(rows) if compact else "[" + ", ".join(f"{{{pair}}}" for pair in pairs) + "]"
    meta = json.dumps([{"name": name, "type": kind} for name, kind in columns])
    return f'{{"meta": {meta}, "data": {data}, "rows": {len(rows)}}}'.encode()


def parquet_of(types=None, **columns):
    """Write a Parquet body, with the types column when *types* is given."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(columns)
    if types is not None:
        table = table.append_column(TYPES_COLUMN, pa.array([types] * table.num_rows, pa.string()))
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


COLUMNS = (("n", "UInt8"), ("s", "Nullable(String)"))


class TestJson:
    def test_rows_as_objects(self):
        """FORMAT JSON and FORMAT JSONCompact give one frame, whatever the order of a row's keys."""
        rows = [[1, "x"], [2, None]]
        by_object = decode(reply(*COLUMNS, rows=rows, compact=False), "JSON")
        by_list = decode(reply(*COLUMNS, rows=rows), "JSONCompact")
        assert by_object.columns == by_list.columns == COLUMNS
        pd.testing.assert_frame_equal(by_object.frame, by_list.frame)
        turned = reply(*COLUMNS, rows=[], compact=False).replace(b'"data": []', b'"data": [{"s": "x", "n": 1}]')
        assert decode(turned.replace(b'"rows": 0', b'"rows": 1'), "JSON").frame.values.tolist() == [[1, "x"]]

    @pytest.mark.parametrize(("compact", "wire"), [(True, "JSONCompact"), (False, "JSON")])
    def test_same_name_twice(self, compact, wire):
        """Both columns stay, with the values and the type of each."""
        columns = (("a", "UInt8"), ("b", "Map(String, UInt8)"), ("a", "String"))
        decoded = decode(reply(*columns, rows=[[1, {"k": 2}, "x"], [3, {}, "y"]], compact=compact), wire)
        assert decoded.columns == columns
        assert list(decoded.frame.columns) == ["a", "b", "a"]
        assert decoded.frame.iloc[0].tolist() == [1, {"k": 2}, "x"]
        assert decoded.frame.iloc[1].tolist() == [3, {}, "y"]

    @pytest.mark.parametrize("name", ["data", '"data":', "type"])
    def test_column_named_like_a_key_of_the_reply(self, name):
        """The digits of a decimal survive a column whose name is a word of the format."""
        body = reply((name, "Decimal(38, 20)"), rows=[[0]]).replace(b"[[0]]", b"[[0.12345678901234567891]]")
        assert decode(body, "JSONCompact").frame.iloc[0, 0] == Decimal("0.12345678901234567891")

    def test_unreadable_type_is_kept(self):
        """A type that this package cannot read costs its column the dtype, not the reply."""
        decoded = decode(reply(("n", "UInt8"), ("x", "Spaceship[3]"), rows=[[1, "abc"]]), "JSONCompact")
        assert decoded.frame.dtypes.tolist() == [np.uint8, object]
        assert decoded.frame["x"].tolist() == ["abc"]
        assert decoded.columns[1] == ("x", "Spaceship[3]")
        assert decoded.notices == (
            "Column 'x' has the type 'Spaceship[3]', which is not known here; it is kept as it came.",
        )

    @pytest.mark.parametrize(
        ("body", "wire", "sentence"),
        [
            (reply(*COLUMNS, rows=[[1, "x"]]), "JSON", "in FORMAT JSONCompact, not in FORMAT JSON"),
            (reply(*COLUMNS, rows=[[1, "x"]], compact=False), "JSONCompact", "in FORMAT JSON, not in FORMAT JSONC"),
            (reply(*COLUMNS, rows=[[1, "x"]], compact=False).replace(b'"s":', b'"t":'), "JSON", "lacks the column 's'"),
            (reply(*COLUMNS, rows=[[1, "x"]], compact=False).replace(b', "s": "x"', b""), "JSON", "does not have 2"),
            (b"", "JSON", "reply is empty"),
        ],
    )
    def test_bodies_that_cannot_be_read(self, body, wire, sentence):
        with pytest.raises(DecodeError, match=sentence):
            decode(body, wire)

    def test_there_are_three_formats(self):
        with pytest.raises(ValueError, match="'CSV'"):
            decode(b"", "CSV")


class TestParquet:
    def test_types_column_is_taken_away(self):
        decoded = decode(parquet_of("Tuple(UInt8, Nullable(String))", n=[1, 2], s=["x", None]), "Parquet")
        expected = decode(reply(*COLUMNS, rows=[[1, "x"], [2, None]]), "JSONCompact")
        assert decoded.columns == expected.columns
        pd.testing.assert_frame_equal(decoded.frame, expected.frame)

    @pytest.mark.parametrize("types", [None, "ignored, for there is no row to hold it"])
    def test_no_rows_with_types_given(self, types):
        """With or without the types column: an empty reply has the dtypes of a full one."""
        import pyarrow as pa

        body = parquet_of(types, n=pa.array([], pa.int64()), s=pa.array([], pa.binary()))
        decoded = decode(body, "Parquet", types=COLUMNS)
        expected = decode(reply(*COLUMNS, rows=[]), "JSONCompact")
        assert decoded.columns == COLUMNS
        pd.testing.assert_frame_equal(decoded.frame, expected.frame)

    def test_rows_with_types_given(self):
        decoded = decode(parquet_of(n=[1], s=["x"]), "Parquet", types=COLUMNS)
        assert decoded.frame.dtypes["n"] == np.uint8

    @pytest.mark.parametrize(("types", "rows"), [(None, [1]), (None, []), ("Tuple(UInt8)", [])])
    def test_nothing_tells_the_types(self, types, rows):
        import pyarrow as pa

        with pytest.raises(TypesUnknown, match="types"):
            decode(parquet_of(types, n=pa.array(rows, pa.uint8())), "Parquet")

    def test_types_of_another_table(self):
        with pytest.raises(DecodeError, match="2 columns, but the types of 1"):
            decode(parquet_of(n=[1], s=["x"]), "Parquet", types=COLUMNS[:1])

    def test_unreadable_type_is_kept(self):
        """One odd type among the others: bytes are then taken for text."""
        body = parquet_of("Tuple(UInt8, Decimal(what))", n=[1], x=[b"abc"])
        decoded = decode(body, "Parquet")
        assert decoded.frame.iloc[0].tolist() == [1, "abc"]
        assert "'Decimal(what)'" in decoded.notices[0]

    def test_names_with_dots(self):
        """A name is no path: `a` beside `a.b`, and a column named like the beginning of the types column."""
        names = ("a", "a.b", "__tinymagic_types.x", "b")
        body = parquet_of("Tuple(UInt8, UInt8, UInt8, UInt8)", **{name: [place] for place, name in enumerate(names)})
        frame = decode(body, "Parquet").frame
        assert list(frame.columns) == list(names)
        assert frame.iloc[0].tolist() == [0, 1, 2, 3]

    def test_same_name_twice(self):
        import pyarrow as pa
        from pyarrow import parquet

        arrays = [pa.array([1], pa.uint8()), pa.array(["x"]), pa.array(["Tuple(UInt8, String)"])]
        out = io.BytesIO()
        parquet.write_table(pa.Table.from_arrays(arrays, names=["a", "a", TYPES_COLUMN]), out)
        frame = decode(out.getvalue(), "Parquet").frame
        assert list(frame.columns) == ["a", "a"]
        assert frame.iloc[0].tolist() == [1, "x"]

    def test_nulls_across_chunks(self):
        """Nulls of several row groups, not all of them with nulls, whose lengths are no multiple of eight."""
        import pyarrow as pa
        from pyarrow import parquet

        values = [None if place % 7 == 3 and not 100 < place < 250 else place for place in range(1001)]
        table = pa.table({"n": pa.array(values, pa.int16()), "f": pa.array(values, pa.float32())})
        table = table.append_column(TYPES_COLUMN, pa.array(["Tuple(Nullable(Int16), Nullable(Float32))"] * 1001))
        out = io.BytesIO()
        parquet.write_table(table, out, row_group_size=111)
        frame = decode(out.getvalue(), "Parquet").frame
        assert frame.dtypes.tolist() == [pd.Int16Dtype(), pd.Float32Dtype()]
        for name in "nf":
            assert [None if value is pd.NA else value for value in frame[name]] == values

    @pytest.mark.parametrize("text", ["plain", "é", "x" * 15 + "\x80", "\U0001f600"])
    def test_texts_that_are_ascii_and_not(self, text):
        body = parquet_of("Tuple(String)", s=["a", text, ""])
        assert decode(body, "Parquet").frame["s"].tolist() == ["a", text, ""]


class TestWithoutPyarrow:
    def test_sentence_names_the_extra(self, monkeypatch):
        body = parquet_of("Tuple(UInt8)", n=[1])
        real = builtins.__import__

        def refuse(name, *rest):
            if name.split(".")[0] == "pyarrow":
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", refuse)
        with pytest.raises(ImportError, match=r"tinymagic\[fast\]"):
            decode(body, "Parquet")
        with pytest.raises(ImportError, match=r"tinymagic\[fast\]"):
            to_parquet(pd.DataFrame({"n": [1]}))
        assert decode(reply(("n", "UInt8"), rows=[[1]]), "JSONCompact").frame["n"].tolist() == [1]

    def test_types_and_doors_import_nothing_heavy(self):
        """Neither the package nor the types nor the doors import pandas or pyarrow."""
        code = (
            "import sys, tinymagic.frames, tinymagic.frames.types, tinymagic.frames.decode, tinymagic.frames.encode\n"
            "print(sorted({'pandas', 'pyarrow'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def test_wrapped_query():
    """A comment at the query's end does not swallow the parenthesis."""
    assert with_types("SELECT 1 AS n -- one").endswith("-- one\n)")
    assert TYPES_COLUMN in with_types("SELECT 1")
