"""From files to columns."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.local.files.csv_repair import repair_csv
from tinymagic.local.files.inference import SAMPLE_BYTES, Dialect, column_names, infer_csv, infer_ndjson

if TYPE_CHECKING:
    from pathlib import Path


def csv_type(*values: str) -> str:
    """Return the guessed type of one CSV column."""
    return infer_csv("\n".join(["v,k", *(f'"{value}",a' for value in values)]).encode()).columns[0].type


def json_type(*values: str) -> str:
    """Return the guessed type of one JSON value."""
    return infer_ndjson("\n".join(f'{{"v": {value}}}' for value in values).encode())[0].type


class TestCsvTypes:
    @pytest.mark.parametrize(
        ("values", "type_"),
        [
            (["1", "-32768"], "Int16"),
            (["1", "32768"], "Int32"),
            (["1", "2147483648"], "Int64"),
            (["1", "9223372036854775808"], "UInt64"),
            (["-1", "9223372036854775808"], "String"),
            (["1", "1.5"], "Float32"),
            (["16777217", "1.5"], "Float64"),
            (["1.123456789012"], "Float64"),
            (["2024-01-31"], "Date"),
            (["2024-02-31"], "String"),
            (["1800-01-01"], "String"),
            (["1950-01-01"], "Date32"),
            (["2024-01-02 03:04:05", "2024-01-02T03:04:05Z"], "DateTime"),
            (["2024-01-02", "2024-01-02 03:04:05"], "DateTime"),
            (["2024-01-02 03:04:05.123", "2024-01-02 03:04:05"], "DateTime64(3)"),
            (["2024-01-02 03:04:05.123456"], "DateTime64(6)"),
            (["1", "x"], "String"),
            (["007"], "String"),
            (["true"], "String"),
            (["[1,2]", "[70000]"], "Array(Int32)"),
            (["['a','b']"], "Array(String)"),
            (["1", "2024-01-01"], "String"),
        ],
    )
    def test_narrowest_type_of_all_values(self, values: list[str], type_: str) -> None:
        """All values of the sample fit the type, and no narrower one of the contract would do."""
        assert csv_type(*values) == type_


class TestCsvDialect:
    def test_header_or_not(self) -> None:
        """Names in the first record are a header; values are not."""
        assert infer_csv(b"id,name\n1,x\n").header == ("id", "name")
        assert [c.name for c in infer_csv(b"1,x\n2,y\n").columns] == ["column_00", "column_01"]
        assert infer_csv(b"x,y\nx,z\n").header == ()

    @pytest.mark.parametrize(
        ("data", "header"),
        [
            (b"a,a\n1,2\n", ("a", "a")),
            (b"a,b,a\n1,2,3\n", ("a", "b", "a")),
            (b"first name,1x\n1,2\n", ("first name", "1x")),
            (b"1x\n1\n2\n", ("1x",)),
            (b"a,,,d\n1,2,3,4\n", ("a", "", "", "d")),
            (b"a,a\nb,c\n", ()),
            (b"1x,2y\n3z,4\n1x,5\n", ()),
            (b"\\N\n1\n2\n", ()),
            (b"?\n1\n2\n", ()),
        ],
    )
    def test_odd_names_above_values(self, data: bytes, header: tuple[str, ...]) -> None:
        """Names that are odd or there twice are a header when what is below them is of another kind."""
        assert infer_csv(data).header == header

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("new_line", ["\n", "\r\n", "\r"])
    def test_delimiter_and_line_end(self, delimiter: str, new_line: str) -> None:
        """Both are found, also with other delimiters inside of quotes."""
        lines = [delimiter.join(row) for row in (["a", "b"], ["1", '"x,;y"'], ["2", '"z"'])]
        found = infer_csv((new_line.join(lines) + new_line).encode())
        assert (found.dialect.delimiter, found.dialect.new_line) == (delimiter, new_line)
        assert [c.type for c in found.columns] == ["Int16", "String"]

    def test_nullable_and_no_guessing(self) -> None:
        """Empty cells make a column Nullable; without guessing everything is String."""
        data = b"a,b\n1,\n,x\n"
        assert [c.nullable for c in infer_csv(data).columns] == [True, True]
        plain = infer_csv(data, type_guessing=False).columns
        assert [(c.type, c.nullable) for c in plain] == [("String", False)] * 2

    def test_a_cut_record_is_ignored(self) -> None:
        """The end of a sample may be in the middle of a value."""
        assert infer_csv(b"a,b\n1,2\n3,4x", whole=False).columns[1].type == "Int16"
        long = b"a\n" + b"1\n" * SAMPLE_BYTES + b"x\n"
        assert infer_csv(long).columns[0].type == "Int16"

    def test_names(self) -> None:
        """Header cells become valid, distinct names."""
        assert column_names(["Order ID", "2024", "", "Order-ID", "ok"]) == [
            "Order_ID",
            "c_2024",
            "column_02",
            "Order_ID_1",
            "ok",
        ]

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes give columns or one ValueError, and the same bytes the same answer."""
        try:
            found = infer_csv(data)
        except ValueError:
            return
        assert found == infer_csv(data)
        assert found.columns


class TestNdjson:
    @pytest.mark.parametrize(
        ("values", "type_"),
        [
            (["1"], "Int16"),
            (["1", "40000"], "Int32"),
            (["1", "1.5"], "Float32"),
            (["true", "false"], "UInt8"),
            (['"2024-01-02 03:04:05"', '"2024-01-02T03:04:05Z"'], "DateTime"),
            (['"2024-01-02T03:04:05.123Z"'], "DateTime64(3)"),
            (['"2024-01-02T03:04:05.1234Z"'], "String"),
            (['"3"'], "String"),
            (["1", '"x"'], "String"),
            (["[1, 2]", "[]"], "Array(Int16)"),
            (["[1.5]"], "Array(Float32)"),
            (['["a"]'], "Array(String)"),
            (["[]"], "Array(String)"),
        ],
    )
    def test_types(self, values: list[str], type_: str) -> None:
        """JSON values give the types of the contract."""
        assert json_type(*values) == type_

    def test_paths_names_and_presence(self) -> None:
        """Objects are flattened, columns sorted by name, absent values make a column Nullable."""
        found = infer_ndjson(b'{"u": {"zip": "1"}, "t": ["a", "b", "c"]}\n{"t": ["a"], "a": null}\nbroken\n')
        assert [(c.name, c.path, c.nullable, c.present_pct) for c in found] == [
            ("a", "$.a", True, 0.0),
            ("t", "$.t[:]", False, 2.0),
            ("u_zip", "$.u.zip", True, 0.5),
        ]
        assert found[1].column.text() == "`t` Array(String) `json:$.t[:]`"


class TestRepair:
    def test_every_line_is_accounted_for(self, tmp_path: Path) -> None:
        """Good records are kept as they are, broken ones are counted with their line."""
        source, target = tmp_path / "in", tmp_path / "out"
        source.write_bytes(b'a,b\n1,x\n2\n\n3,"open\n4,"q ""r""\ns"\n5,6" pipe\n7,8,9\n')
        report = repair_csv(source, target, Dialect(has_header=True), width=2, skip_records=1)
        assert (report.good, report.invalid) == (3, 3)
        assert [message.split(":")[0] for message in report.messages] == ["line 3", "line 5", "line 9"]
        assert target.read_text() == '1,x\n4,"q ""r""\ns"\n5,"6"" pipe"\n'

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_line_ends_within_quotes_stay(self, tmp_path: Path, end: str):
        source, target = tmp_path / "in", tmp_path / "out"
        records = ['1,"x\r\ny"', "", '2,"x\ny"', "3,z", '4,"\r\n\r\n"', '5,"x\r"']
        source.write_bytes("".join(record + end for record in records).encode())
        report = repair_csv(source, target, Dialect(new_line=end), width=2, skip_records=0)
        assert (report.good, report.invalid) == (5, 0)
        with target.open(encoding="utf-8", newline="") as file:
            assert [row[1] for row in csv.reader(file)] == ["x\r\ny", "x\ny", "z", "\r\n\r\n", "x\r"]
