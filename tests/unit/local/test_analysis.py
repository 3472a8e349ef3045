"""Samples, formats, Parquet types and the texts of a reply, without a server."""

from __future__ import annotations

import gzip
import io
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.local.files.analysis import analysis_reply, schema_text
from tinymagic.local.files.inference import Dialect, infer_csv
from tinymagic.local.files.inferred_columns import InferredColumn, column_names, json_path
from tinymagic.local.files.json_inference import infer_ndjson, read_objects
from tinymagic.local.files.parquet_columns import null_condition, parquet_columns, parquet_leaves, stored_type
from tinymagic.local.files.sample import SAMPLE_BYTES, Sample, checked_text, read_sample, recognised_format
from tinymagic.local.files.spool import UploadError
from tinymagic.local.tables.schema import jsonpath_steps, parse_schema

if TYPE_CHECKING:
    from pathlib import Path


def sample_of(data: bytes, folder: Path, *, whole: bool = True) -> Sample:
    path = folder / "upload"
    path.write_bytes(data)
    return read_sample(path, whole=whole)


class TestSample:
    def test_start_of_a_file(self, tmp_path: Path) -> None:
        """At most one MiB; a file of exactly that size is what a client cut off."""
        assert sample_of(b"a\n", tmp_path) == Sample(b"a\n", True)
        assert sample_of(b"a\n", tmp_path, whole=False).whole is False
        assert sample_of(b"a" * (SAMPLE_BYTES - 1), tmp_path).whole is True
        for size in (SAMPLE_BYTES, SAMPLE_BYTES + 5):
            assert sample_of(b"a" * size, tmp_path) == Sample(b"a" * SAMPLE_BYTES, False)

    def test_gzip(self, tmp_path: Path) -> None:
        """Also several members, zeros behind them, and a start that a client cut off."""
        assert sample_of(gzip.compress(b"a\n") + gzip.compress(b"b\n") + b"\0" * 9, tmp_path) == Sample(
            b"a\nb\n", True, True
        )
        assert sample_of(gzip.compress(b"ab" * SAMPLE_BYTES), tmp_path) == Sample(
            b"ab" * (SAMPLE_BYTES // 2), False, True
        )
        cut = sample_of(gzip.compress(b"a,b\n" * 100)[:-9], tmp_path, whole=False)
        assert (cut.data[:4], cut.whole) == (b"a,b\n", False)

    def test_text(self) -> None:
        """A character that is cut is left out, and with it the certainty that the last record is whole."""
        assert checked_text(Sample("aé".encode()[:-1], True)) == Sample(b"a", False)
        assert checked_text(Sample(b"\xef\xbb\xbfa", True)) == Sample(b"a", True)
        with pytest.raises(UploadError, match="byte 0xe9 at position 1"):
            checked_text(Sample(b"a\xe9b", True))

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('{"a": 1}', "ndjson"),
            ('\n\n {"a": 1}\n', "ndjson"),
            ("{}\n", "ndjson"),
            ('{"a": 1, broken\n{"a": 1}\n', "ndjson"),
            ("a,b\n", "csv"),
            ("[1,2],x\n", "csv"),
            ("{x},1\n", "csv"),
        ],
    )
    def test_format(self, text: str, found: str) -> None:
        assert recognised_format(Sample(text.encode(), True)) == found

    @pytest.mark.parametrize("text", ['[{"a": 1}]', '[\n {"a": 1}\n]', '{\n"a": 1}', "{\n}"])
    def test_other_json(self, text: str) -> None:
        """JSON that is not one object in each line says so."""
        with pytest.raises(UploadError, match="not NDJSON"):
            recognised_format(Sample(text.encode(), True))

    @pytest.mark.parametrize("text", ["{" + "\n" * 300_000 + "x", "{" + " " * 300_000 + "x", "[" + "\n" * 300_000])
    def test_many_blanks_take_no_time(self, text: str) -> None:
        """Looking for what follows a bracket goes over the blanks once: nobody else is served meanwhile."""
        begin = time.perf_counter()
        recognised_format(Sample(text.encode(), True))
        assert time.perf_counter() - begin < 1


class TestJson:
    @pytest.mark.parametrize(
        ("keys", "path"),
        [
            (["a"], "$.a"),
            (["a", "b-c"], "$.a.b-c"),
            (["a.b", "c d"], "$['a.b']['c d']"),
            (["it's"], "$.it's"),
            (["[0]"], "$['[0]']"),
            ([""], None),
            (["a`b"], None),
            (["it's so"], None),
            (["a\nb"], None),
            (["\ud800"], None),
        ],
    )
    def test_path(self, keys: list[str], path: str | None) -> None:
        assert json_path(keys) == path

    @given(st.lists(st.text(max_size=5), min_size=1, max_size=3))
    def test_paths_lead_back(self, keys: list[str]) -> None:
        """A path that could be written is read back as the same keys, alone and in a schema."""
        path = json_path(keys)
        if path is not None:
            assert jsonpath_steps(path) == keys
            [column] = parse_schema(schema_text([InferredColumn("a", "Int16", True, path)]))
            assert (column.jsonpath, column.nullable) == (path, True)

    def test_objects_and_other_values_on_one_path(self) -> None:
        """They become JSON text; a null is an absent object; an object without keys is nothing."""
        assert [(c.path, c.type, c.nullable) for c in infer_ndjson(b'{"a": 1}\n{"a": {"b": 1}}\n')] == [
            ("$.a", "String", False),
            ("$.a.b", "Int16", True),
        ]
        assert [c.path for c in infer_ndjson(b'{"a": null}\n{"a": {"b": 1}}\n')] == ["$.a.b"]
        assert [c.path for c in infer_ndjson(b'{"a": {}, "b": 1}\n')] == ["$.b"]

    def test_lines_that_do_not_count(self) -> None:
        """What the engine does not take for JSON is no row here either."""
        data = b'{"a": 1}\n{"a": NaN}\n{"a": 1e999}\n[1]\n\n{"a"'
        assert [line for line, _ in read_objects(data)] == ['{"a": 1}']

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            assert infer_ndjson(data)
        except ValueError:
            return


class TestNames:
    def test_taken_names(self) -> None:
        """Names of the quarantine are taken; many equal names take no time."""
        assert column_names(["c__error", "insertion_date"]) == ["c__error_1", "insertion_date_1"]
        names = column_names(["a"] * 50_000 + ["a_1"])
        assert len(set(names)) == 50_001
        assert len(column_names(["x" * 1000])[0]) == 200


class TestSchema:
    def test_text(self) -> None:
        """It is read back; an array that may be absent has a default; no blank after other commas."""
        columns = [
            InferredColumn("a", "Array(Int16)", True, "$.a[:]"),
            InferredColumn("b", "Map(String,Int64)", False, "$.b"),
            InferredColumn("c", "String", True, None),
            InferredColumn("d", "Array(Int16)", True, None),
        ]
        text = schema_text(columns)
        assert text == (
            "a Array(Int16) `json:$.a[:]` DEFAULT [], b Map(String,Int64) `json:$.b`, "
            "c Nullable(String), d Array(Int16)"
        )
        assert [column.name for column in parse_schema(text)] == ["a", "b", "c", "d"]

    def test_reply(self) -> None:
        """Whole numbers have no point; the dialect has the escape character only when there is one."""
        column = InferredColumn("a", "Int16", False, None, 1.0)
        preview = {"meta": [], "data": [], "rows": 0, "statistics": {}, "other": 1}
        reply = analysis_reply([column], preview, Dialect(escape="\\"))
        assert repr(reply["analysis"]["columns"][0]["present_pct"]) == "1"
        assert reply["dialect"]["escapechar"] == "\\"
        assert "other" not in reply["preview"]


class TestParquetColumns:
    DESCRIBED = {
        "a": "Nullable(Int64)",
        "s": "Tuple(\n    x Nullable(Int64),\n    y Tuple(\n        z Array(Nullable(String))))",
        "odd": "Tuple(`a b` Int64)",
        "k`": "Int64",
        "t": "Array(Tuple(x Nullable(Decimal(10, 2)), y Map(String, Nullable(Int8))))",
        "v": "Variant(Int8, String)",
    }

    def test_leaves(self) -> None:
        """Structs are taken apart as far as jsonpaths reach."""
        found = [(leaf.path, leaf.expression) for leaf in parquet_leaves(self.DESCRIBED)]
        assert found == [
            ("$.a", "`a`"),
            ("$.s.x", "tupleElement(`s`, 'x')"),
            ("$.s.y.z[:]", "tupleElement(tupleElement(`s`, 'y'), 'z')"),
            ("$.odd", "`odd`"),
            ("$.t[:]", "`t`"),
            ("$.v", "`v`"),
        ]

    def test_nulls(self) -> None:
        """Nullable stays where there are nulls."""
        leaves = parquet_leaves(self.DESCRIBED)
        assert null_condition(leaves[0]) == "isNull(`a`)"
        assert null_condition(leaves[2]).startswith("arrayExists(x0 -> isNull(x0), ")
        assert null_condition(leaves[3]) == "0"
        columns = parquet_columns(leaves, 4, [1, 0, 0, 0, 1, 0], [0, 0, 6, 0, 4, 0])
        assert [(c.name, c.type, c.nullable, c.present_pct) for c in columns] == [
            ("a", "Int64", True, 0.75),
            ("s_x", "Int64", False, 1),
            ("s_y_z", "Array(String)", False, 1.5),
            ("odd", "Tuple(`a b` Int64)", False, 1),
            ("t", "Array(Tuple(x Nullable(Decimal(10,2)),y Map(String,Nullable(Int8))))", False, 1),
            ("v", "String", False, 1),
        ]
        assert stored_type(self.DESCRIBED["t"], keeps_nullable=False) == (
            "Array(Tuple(x Decimal(10,2),y Map(String,Int8)))"
        )


class TestCsvSample:
    def test_last_record_of_a_cut_sample(self) -> None:
        """It is left out even when it looks whole, and when it ends in quotes with line ends."""
        for end in (b"3,4", b"3,4\n", b'3,"x\ny', b'3,"x\n"'):
            assert infer_csv(b"a,b\n1,2\n" + end, whole=False).text == "a,b\n1,2\n"
        with pytest.raises(ValueError, match="no complete record"):
            infer_csv(b"a,b", whole=False)

    def test_elements(self) -> None:
        """`present_pct` of arrays is the mean number of elements, nulls in them make the elements Nullable."""
        [_, column] = infer_csv(b'k,v\n1,"[1,2,3]"\n2,\n3,"[1,2,3]"\n').columns
        assert (column.type, column.present_pct, column.column.full_type) == ("Array(Int16)", 2, "Array(Int16)")
        assert infer_csv(b'k,v\n1,"[1,null]"\n').columns[1].type == "Array(Nullable(Int16))"

    def test_time(self) -> None:
        """A MiB of small cells is understood in a moment."""
        text = io.StringIO()
        text.write("a,b\n")
        text.write("".join(f"{index},{index % 7}\n" for index in range(100_000)))
        found = infer_csv(text.getvalue().encode())
        assert [column.type for column in found.columns] == ["Int32", "Int16"]
