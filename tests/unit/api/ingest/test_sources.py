"""Where pieces come from, and what is left when the work stops. No network."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime
from decimal import Decimal
from ipaddress import IPv4Address
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymagic.api.datasource_results import Column
from tinymagic.api.errors import InvalidInput, PayloadTooLarge
from tinymagic.api.ingest.files import LineFile, Lines, count_rows
from tinymagic.api.ingest.json_lines import json_line
from tinymagic.api.ingest.parquet_file import ParquetParts
from tinymagic.api.ingest.pieces import Chain, Pieces
from tinymagic.api.ingest.plan import header_of, plan_of
from tinymagic.api.ingest.rows import Rows, pieces_of_list
from tinymagic.api.ingest.tables import TableSource, planned_table
from tinymagic.api.upload import upload_of


def content(piece):
    with (piece.again() if piece.again else piece.upload).open() as file:
        return file.read()


def shape(source):
    return [(piece.first_row, piece.rows) for piece in source.pieces()]


class TestLines:
    def test_values(self):
        row = {
            "at": datetime(2024, 1, 2, 3),  # noqa: DTZ001
            "day": date(2024, 1, 2),
            "d": Decimal("1.10"),
            "id": UUID(int=1),
            "ip": IPv4Address("1.2.3.4"),
            "nan": float("nan"),
            "deep": [{"x": float("nan")}],
            "gone": pd.NaT,
            "narrow": np.float32("nan"),
            "many": np.array([1.0, np.nan]),
        }
        assert json.loads(json_line(0, row)) == {
            "at": "2024-01-02 03:00:00Z",
            "day": "2024-01-02",
            "d": "1.10",
            "id": "00000000-0000-0000-0000-000000000001",
            "ip": "1.2.3.4",
            "nan": None,
            "deep": [{"x": None}],
            "gone": None,
            "narrow": None,
            "many": [1.0, None],
        }

    @pytest.mark.parametrize("row", [1, {"a": object()}, {"a": {1}}, {(1, 2): 3}, {"a": float("inf")}, {"a": "\ud800"}])
    def test_what_cannot_be_written(self, row):
        with pytest.raises(InvalidInput, match="Row 7"):
            json_line(7, row)

    @pytest.mark.parametrize("bad", [float("inf"), object(), "x\udc80", [{"deep": float("-inf")}]])
    def test_the_column_that_cannot_be_written_is_named(self, bad):
        with pytest.raises(InvalidInput, match="Row 7, column 'b', cannot be written"):
            json_line(7, {"a": float("nan"), "b": bad, "c": "é"})

    def test_half_a_character_of_a_table_is_found_before_anything_is_sent(self):
        for values in (["x", "a\ud800"], [["x"], ["a\ud800"]]):
            frame = pd.DataFrame({"who": pd.Series(values, dtype=object)})
            for as_json in (False, True):
                with pytest.raises(InvalidInput, match="Column 'who'.*half a character"):
                    planned_table(frame, as_json=as_json)


class TestRecordsOfCsv:
    """Where a record ends, so that no part of a file begins in the middle of one."""

    @pytest.mark.parametrize(
        "first", [b'0,5" pipe', b'0, 5"', b'0,""', b'0,"say ""5"""', b'0,"5"" x"', b'"0",x"y"z"', b"0,x"]
    )
    def test_a_mark_within_a_field_opens_nothing(self, first):
        records = [first + b"\n", *(b'%d,"a\nb ""c"""\n' % n for n in range(1, 5))]
        file = LineFile("csv", content=b"".join(records))
        assert [content(piece) for piece in Lines(file, most_bytes=1000, most_rows=1).pieces()] == records
        assert count_rows(file) == 5

    def test_the_delimiter_of_the_dialect_counts(self):
        data = b'n^s\n1^"a\nb"\n2^x,"y\n3^z\n'
        plan = plan_of(data, file_format="csv", dialect={"delimiter": "^"}, batch_rows=1)
        assert [content(piece) for piece in plan.source.pieces()] == [
            b'n^s\n1^"a\nb"\n',
            b'n^s\n2^x,"y\n',
            b"n^s\n3^z\n",
        ]

    def test_a_header_behind_blank_lines_is_in_every_part(self):
        plan = plan_of(b"\n\nname,id\nx,1\ny,2\n", file_format="csv", batch_rows=1)
        assert [content(piece) for piece in plan.source.pieces()] == [b"\n\nname,id\nx,1\n", b"\n\nname,id\ny,2\n"]
        assert shape(plan.source) == [(0, 1), (1, 1)]


class TestRows:
    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(st.integers(0, 10**6), max_size=40),
        st.integers(1, 12),
        st.integers(16, 200),
        st.integers(0, 40),
    )
    def test_nothing_is_lost_wherever_it_stops(self, values, most_rows, most_bytes, stop):
        rows = [{"n": n} for n in values]
        whole = b"".join(json_line(0, row) for row in rows)
        sources = [
            pieces_of_list(rows, most_rows=most_rows, most_bytes=most_bytes),
            Rows(iter(rows), most_rows=most_rows, most_bytes=most_bytes),
        ]
        for source in sources:
            done, at = b"", 0
            pieces = source.pieces()
            for number, piece in enumerate(pieces):
                assert piece.first_row == at
                assert piece.rows <= most_rows
                if number == stop:
                    break
                done += content(piece)
                at += piece.rows
            rest = source.rest(at)
            left = b"".join(content(piece) for piece in rest.pieces()) if rest is not None else b""
            behind = b"".join(json_line(0, row) for row in list(source._rows)) if isinstance(source, Rows) else b""
            assert done + left + behind == whole

    def test_a_generator_is_read_no_further_than_needed(self):
        taken = []

        def rows():
            for n in range(100):
                taken.append(n)
                yield {"n": n}

        pieces = Rows(rows(), most_rows=10, most_bytes=1000).pieces()
        next(pieces)
        assert len(taken) == 11

    def test_a_row_that_cannot_be_written_is_a_piece_of_its_own(self):
        source = Rows(iter([{"n": 1}, 5, {"n": 2}]), most_rows=10, most_bytes=100, skips=True)
        found = list(source.pieces())
        assert [(piece.first_row, piece.rows, bool(piece.error)) for piece in found] == [
            (0, 1, False),
            (1, 1, True),
            (2, 1, False),
        ]

    def test_a_piece_can_be_cut(self):
        (piece,) = pieces_of_list([{"n": n} for n in range(5)], most_rows=None, most_bytes=1000).given
        part = piece.part(1, 4).part(1, 3)
        assert (part.first_row, part.rows, content(part)) == (2, 2, b'{"n": 2}\n{"n": 3}\n')

    def test_a_chain(self):
        first = pieces_of_list([{"n": 1}, {"n": 2}], most_rows=1, most_bytes=100)
        second = Pieces([first.given[1].part(0, 1)])
        chain = Chain([first, second])
        pieces = chain.pieces()
        next(pieces)
        assert chain.rest_rows() == 3
        assert chain.rest(1).rest_rows() == 2
        list(pieces)
        assert chain.rest(5) is None


class TestTables:
    @pytest.mark.parametrize("file_format", ["ndjson", "parquet"])
    def test_parts_and_rest(self, file_format):
        frame = pd.DataFrame({"n": range(30_000), "s": [str(n * 7919 % 99_991) for n in range(30_000)]})
        limit = 100_000
        source = TableSource(planned_table(frame, as_json=True), file_format, most_bytes=limit)
        pieces = list(source.pieces())
        assert len(pieces) > 2
        assert all(piece.upload.size_bytes <= limit for piece in pieces)
        ends = [piece.first_row + piece.rows for piece in pieces]
        assert [piece.first_row for piece in pieces] == [0, *ends[:-1]]
        assert ends[-1] == 30_000
        assert shape(source.rest(29_999)) == [(29_999, 1)]
        assert source.rest(30_000) is None
        assert content(pieces[1]) == pieces[1].upload.open().read()

    def test_a_row_that_is_too_long(self):
        source = TableSource(
            planned_table(pd.DataFrame({"s": ["x", "y" * 999]}), as_json=True), "ndjson", most_bytes=99
        )
        with pytest.raises(PayloadTooLarge, match="Row 1 alone"):
            list(source.pieces())

    def test_what_cannot_be_stored(self):
        with pytest.raises(InvalidInput, match="'c'"):
            planned_table(pd.DataFrame({"c": [1j]}), as_json=False)


class TestFiles:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=8), max_size=25
        ),
        st.integers(20, 120),
        st.booleans(),
        st.booleans(),
    )
    def test_csv_is_cut_between_records(self, tmp_path_factory, values, most, packed, newline):
        import csv
        import io

        body = io.StringIO()
        csv.writer(body, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([[value, "x"] for value in values])
        text = "s,t\n" + body.getvalue()
        text = text if newline else text.rstrip("\n")
        path = tmp_path_factory.mktemp("cut") / "a.csv"
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        source = Lines(LineFile.at(path, "csv"), most_bytes=most, header=b"s,t\n", offset=4)
        try:
            pieces = list(source.pieces())
        except PayloadTooLarge:
            return
        found = []
        for piece in pieces:
            data = content(piece)
            assert data.startswith(b"s,t\n")
            assert len(data) <= most
            records = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
            assert len(records) == piece.rows
            found += [record[0] for record in records]
        assert found == values
        assert count_rows(LineFile.at(path, "csv"), header=True) == len(values)
        for piece in pieces:
            rest = source.rest(piece.first_row + piece.rows)
            assert (0 if rest is None else rest.rest_rows()) == len(values) - piece.first_row - piece.rows

    def test_ndjson_leaves_blank_lines_uncounted(self):
        file = LineFile("ndjson", content=b'\n{"n": 1}\n\n  \n{"n": 2}\n{"n": 3}')
        assert shape(Lines(file, most_bytes=100, most_rows=2)) == [(0, 2), (2, 1)]
        assert count_rows(file) == 3

    def test_damaged_gzip(self, tmp_path):
        (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b'{"n": 1}\n' * 1000)[:-20])
        with pytest.raises(InvalidInput, match="cannot be read"):
            list(Lines(LineFile.at(tmp_path / "a.ndjson.gz", "ndjson"), most_bytes=100).pieces())

    @pytest.mark.parametrize(
        ("text", "columns", "dialect", "is_header"),
        [
            ("n,s\n1,a\n", "ns", None, True),
            ("1,a\n", "ns", None, False),
            ("n;s\n1;a\n", "ns", None, True),
            ('"n",extra\n1,a\n', "ns", None, True),
            ("a,b,c\n", "ns", None, False),
            ("day,amount\n", "", None, True),
            ("2024-01-02,1\n", "", None, False),
            ("x,x\n", "", None, False),
            ("n|s\n", "ns", {"delimiter": "|"}, True),
            ("", "ns", None, False),
        ],
    )
    def test_headers(self, text, columns, dialect, is_header):
        known = [Column(name, "String") for name in columns]
        found = header_of(upload_of(text.encode(), file_format="csv"), known, dialect)
        assert found == (text.splitlines(keepends=True)[0].encode() if is_header else b"")

    def test_parquet_parts(self, tmp_path):
        pytest.importorskip("pyarrow")
        frame = pd.DataFrame({"n": range(50_000), "s": [str(n * 7919 % 99_991) for n in range(50_000)]})
        frame.to_parquet(tmp_path / "a.parquet", row_group_size=12_345)
        source = ParquetParts(tmp_path / "a.parquet", most_bytes=100_000)
        pieces = list(source.pieces())
        assert all(piece.upload.size_bytes <= 100_000 for piece in pieces)
        assert [piece.first_row for piece in pieces] == [0, *[p.first_row + p.rows for p in pieces][:-1]]
        assert sum(piece.rows for piece in pieces) == 50_000
        assert content(pieces[2]) == pieces[2].upload.open().read()
        assert shape(source.rest(49_000)) == [(49_000, 1_000)]

    def test_a_dialect_that_forbids_cutting(self):
        with pytest.raises(PayloadTooLarge, match="escapechar"):
            plan_of(b"a\n1\n", batch_rows=1, dialect={"escapechar": "\\"})


class TestOldMacLines:
    """CSV whose lines end with CR only."""

    TEXT = b'n,s\r1,a\r2,"b\rc"\r\r3,d'

    def test_rows_are_counted(self):
        assert count_rows(LineFile("csv", content=self.TEXT), header=True) == 3
        assert count_rows(LineFile("csv", content=b"n\r\n1\r\n2\r\n"), header=True) == 2

    def test_packed(self, tmp_path):
        path = tmp_path / "a.csv.gz"
        path.write_bytes(gzip.compress(self.TEXT + b"\r"))
        assert count_rows(LineFile.at(path, "csv"), header=True) == 3

    def test_pieces_are_whole_records(self):
        file = LineFile("csv", content=self.TEXT)
        source = Lines(file, most_bytes=100, most_rows=1, header=b"n,s\r", offset=4)
        found = [content(piece) for piece in source.pieces()]
        assert found == [b"n,s\r1,a\r", b'n,s\r2,"b\rc"\r', b"n,s\r\r3,d"]


@pytest.mark.parametrize(
    ("path", "key"),
    [(None, "c"), ("$.a", "a"), ("$.a.b", "a"), ("$.a[:]", "a"), ("$['a b'].c", "a b"), ("$", ""), ("json:$.a", "a")],
)
def test_what_fills_a_column(path, key):
    assert Column("c", "String", jsonpath=path).source_key == key
